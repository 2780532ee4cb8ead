#include "domain/request.h"

#include <string.h>

#include "base/mem.h"
#include "domain/answer.h"
#include "domain/race.h"
#include "domain/recall.h"

enum {
	Q_START, Q_FLY, Q_LAND, Q_SETTLE, Q_AGAIN, Q_ATTEMPT, Q_ANSWER, Q_UNSTART,
	Q_FLIGHTS, Q_ROW, Q_CANCEL, Q_REOPEN, Q_UNCOUNT,
};
static const char *const texts[] = {
	[Q_ROW] = "SELECT queue, state, due, tries, counted, throttled, round FROM requests"
		  " WHERE id = ?1",
	[Q_START] = "UPDATE requests SET state = 1, tries = tries + 1"
		    " WHERE id = ?1 AND state = 0",
	[Q_FLY] = "INSERT INTO flights (request, worker, n, started_ms, bucket)"
		  " VALUES (?1, ?2, ?3, ?4, ?5)",
	[Q_LAND] = "DELETE FROM flights WHERE request = ?1 AND worker = ?2 AND n = ?3",
	[Q_SETTLE] = "UPDATE requests SET state = ?2, answer = ?3, counted = counted + ?4,"
		     " throttled = throttled + ?5 WHERE id = ?1 AND state = 1",
	[Q_AGAIN] = "UPDATE requests SET state = 0, due = ?2, counted = counted + ?3,"
		    " throttled = throttled + ?4 WHERE id = ?1 AND state = 1",
	[Q_UNSTART] = "UPDATE requests SET state = ?2, tries = tries - 1"
		      " WHERE id = ?1 AND state = 1",
	[Q_ATTEMPT] = "INSERT INTO attempts (request, n, worker, started_ms, took_ms, status,"
		      " code, bytes, next_ms, message, headers, head)"
		      " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
	[Q_ANSWER] = "INSERT INTO answers (id, line, ended_ms, status, code, message,"
		     " request_id, kind, body) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
	[Q_FLIGHTS] = "SELECT f.request, f.n, f.started_ms, r.queue, r.counted, f.bucket"
		      " FROM flights f JOIN requests r ON r.id = f.request"
		      " WHERE f.request > ?2 AND f.worker = ?1 ORDER BY f.request LIMIT 1",
	[Q_CANCEL] = "UPDATE requests SET state = 4, due = 0 WHERE id = ?1 AND state = 0",
	[Q_REOPEN] = "UPDATE requests SET state = 0, due = 0, counted = 0, throttled = 0,"
		     " round = round + 1, answer = NULL WHERE id = ?1 AND state >= 3",
	[Q_UNCOUNT] = "UPDATE usage SET requests = requests - 1 WHERE batch = ?1"
		      " AND model = (SELECT model FROM queues WHERE id = ?2) AND hour ="
		      " (SELECT ended_ms / 3600000 FROM answers WHERE id = (SELECT ?1 << 32 | answer"
		      " FROM requests WHERE id = ?3))",
};
const struct stmt_set request_sql = { "request", texts, ARRAY_LEN(texts) };

static const char *const state_texts[REQUEST_STATES] = {
	"pending", "processing", "completed", "failed", "cancelled", "expired",
};

const char *request_state_text(enum request_state s)
{
	return state_texts[s];
}

int request_state_of(const char *text)
{
	for (int i = 0; i < REQUEST_STATES; i++)
		if (strcmp(text, state_texts[i]) == 0)
			return i;
	return -1;
}

/* The row as it is: 1, 0 if there is none. */
static int look(struct tally *t, int64_t row, struct request_started *out,
		enum request_state *state, int64_t *due, struct err *e)
{
	STMT(q, t->db, &request_sql, Q_ROW);
	stmt_int(&q, 1, row);
	int rc = stmt_step(&q, e);
	if (rc <= 0)
		return rc;
	*out = (struct request_started){
		.row = row, .queue = stmt_col_int(&q, 0), .n = stmt_col_int(&q, 3),
		.counted = stmt_col_int(&q, 4), .throttled = stmt_col_int(&q, 5),
		.round = stmt_col_int(&q, 6),
	};
	*state = (enum request_state)stmt_col_int(&q, 1);
	*due = stmt_col_int(&q, 2);
	return 1;
}

int request_start(struct tally *t, int64_t worker, int64_t bucket, int64_t row,
		  int64_t now_ms, struct request_started *out, struct err *e)
{
	enum request_state state;
	int64_t due;
	struct tally_batch *b = tally_batch(t, request_batch(row), e);

	if (!b)
		return -1;
	int rc = look(t, row, out, &state, &due, e);
	if (rc <= 0 || state != REQUEST_PENDING || b->status != BATCH_IN_PROGRESS ||
	    tally_past(b, now_ms))
		return rc < 0 ? -1 : 0;
	out->n++;
	out->bucket = bucket;
	out->expires_ms = b->expires_ms;
	{
		STMT(q, t->db, &request_sql, Q_START);
		stmt_int(&q, 1, row);
		if (stmt_run(&q, e) < 0)
			return -1;
	}
	STMT(q, t->db, &request_sql, Q_FLY);
	stmt_int(&q, 1, row);
	stmt_int(&q, 2, worker);
	stmt_int(&q, 3, out->n);
	stmt_int(&q, 4, now_ms);
	stmt_int(&q, 5, bucket);
	if (stmt_run(&q, e) < 0)
		return -1;
	tally_fly(t, bucket, worker, 1);
	tally_move(t, b, out->queue, REQUEST_PENDING, REQUEST_PROCESSING, due > 0);
	return 1;
}

/* Deletes the flight, or the race beside it: 1 it was ours, 0 somebody else has
 * settled it. */
static int land(struct tally *t, const struct tally_batch *b, int64_t worker, int64_t bucket,
		int64_t row, int64_t n, struct err *e)
{
	STMT(q, t->db, &request_sql, Q_LAND);
	stmt_int(&q, 1, row);
	stmt_int(&q, 2, worker);
	stmt_int(&q, 3, n);
	int rc = stmt_run(&q, e);
	if (rc == 0 && b->racing)
		return race_land(t, worker, bucket, row, n, e);
	if (rc > 0)
		tally_fly(t, bucket, worker, -1);
	return rc;
}

enum { HEAD_MAX = 4096 };

int request_record(struct tally *t, struct tally_batch *b, const struct request_end *end,
		   bool again, struct err *e)
{
	STMT(q, t->db, &request_sql, Q_ATTEMPT);
	stmt_int(&q, 1, end->row);
	stmt_int(&q, 2, end->n);
	stmt_int(&q, 3, end->worker);
	stmt_int(&q, 4, end->started_ms);
	if (end->took_ms >= 0)
		stmt_int(&q, 5, end->took_ms);
	if (end->status > 0)
		stmt_int(&q, 6, end->status);
	stmt_textz(&q, 7, end->code);
	stmt_int(&q, 8, end->bytes);
	if (again)
		stmt_int(&q, 9, end->next_ms);
	if (end->verdict != VERDICT_COMPLETED) {
		stmt_textz(&q, 10, end->message);
		stmt_text(&q, 11, end->headers);
		stmt_blob(&q, 12, end->body.p, end->body.n < HEAD_MAX ? end->body.n : HEAD_MAX);
	}
	tally_use(t, b, &(struct tally_usage){ .queue = end->queue, .bucket = end->bucket,
					       .attempts = 1 });
	return stmt_run(&q, e) < 0 ? -1 : 0;
}

static int record_answer(struct tally *t, struct tally_batch *b,
			 const struct request_end *end, int64_t now_ms, struct err *e)
{
	STMT(q, t->db, &request_sql, Q_ANSWER);
	stmt_int(&q, 1, request_row(b->id, (uint32_t)++b->answers));
	stmt_int(&q, 2, request_line(end->row));
	stmt_int(&q, 3, now_ms);
	if (end->status > 0)
		stmt_int(&q, 4, end->status);
	if (end->verdict != VERDICT_COMPLETED) {
		stmt_textz(&q, 5, end->code);
		stmt_textz(&q, 6, end->message);
	}
	stmt_text(&q, 7, end->request_id);
	stmt_int(&q, 8, end->kind);
	stmt_blob(&q, 9, end->body.p, end->body.n);
	return stmt_run(&q, e) < 0 ? -1 : 0;
}

static int finish(struct tally *t, const struct request_end *end, enum request_state to,
		  int64_t answer, struct err *e)
{
	STMT(q, t->db, &request_sql, Q_SETTLE);
	stmt_int(&q, 1, end->row);
	stmt_int(&q, 2, to);
	if (answer > 0)
		stmt_int(&q, 3, answer);
	stmt_int(&q, 4, end->counts);
	stmt_int(&q, 5, end->throttled);
	return stmt_run(&q, e) < 0 ? -1 : 0;
}

static int put_back(struct tally *t, const struct request_end *end, struct err *e)
{
	STMT(q, t->db, &request_sql, Q_AGAIN);
	stmt_int(&q, 1, end->row);
	stmt_int(&q, 2, end->next_ms);
	stmt_int(&q, 3, end->counts);
	stmt_int(&q, 4, end->throttled);
	return stmt_run(&q, e) < 0 ? -1 : 0;
}

/* What becomes of a request that has landed and was not answered for good. */
static int where_to(struct tally *t, const struct tally_batch *b, int64_t row, int64_t now_ms,
		    enum request_state *to, struct err *e)
{
	int recalled = recall_take(t, b, row, e);

	*to = recalled > 0 || b->status == BATCH_CANCELLING ? REQUEST_CANCELLED
	      : tally_past(b, now_ms) ? REQUEST_EXPIRED : REQUEST_PENDING;
	return recalled < 0 ? -1 : 0;
}

static int settle_answered(struct tally *t, struct tally_batch *b, const struct request_end *end,
			   int64_t now_ms, struct err *e)
{
	enum request_state to = end->verdict == VERDICT_COMPLETED ? REQUEST_COMPLETED
								   : REQUEST_FAILED;

	if (recall_take(t, b, end->row, e) < 0 || request_record(t, b, end, false, e) < 0 ||
	    record_answer(t, b, end, now_ms, e) < 0 || finish(t, end, to, b->answers, e) < 0)
		return -1;
	tally_move(t, b, end->queue, REQUEST_PROCESSING, to, false);
	tally_use(t, b, &(struct tally_usage){
		.queue = end->queue, .bucket = end->bucket,
		.input_tokens = end->input_tokens, .cached_tokens = end->cached_tokens,
		.output_tokens = end->output_tokens, .reasoning_tokens = end->reasoning_tokens,
	});
	return 1;
}

static int settle_unanswered(struct tally *t, struct tally_batch *b,
			     const struct request_end *end, int64_t now_ms, struct err *e)
{
	enum request_state to;

	if (where_to(t, b, end->row, now_ms, &to, e) < 0)
		return -1;
	bool again = to == REQUEST_PENDING;
	if (request_record(t, b, end, again, e) < 0 ||
	    (again ? put_back(t, end, e) : finish(t, end, to, 0, e)) < 0)
		return -1;
	tally_move(t, b, end->queue, REQUEST_PROCESSING, to, again && end->next_ms > 0);
	return 1;
}

/* One of two attempts has landed.  1: there was no other one; 3: there was, and
 * it is superseded; 2: it goes on, and this one is recorded. */
static int settle_race(struct tally *t, struct tally_batch *b, const struct request_end *end,
		       int64_t now_ms, struct err *e)
{
	bool ok = end->verdict == VERDICT_COMPLETED;
	int rc = ok ? race_end(t, b, end->row, false, "superseded", "the request was answered by "
			       "its other attempt", now_ms, e) : race_goes_on(t, end->row, e);

	if (rc <= 0 || ok)
		return rc < 0 ? -1 : rc == 0 ? 1 : 3;
	/* Of a race it is known when it may be run again. */
	bool again = rc == 1 && end->verdict == VERDICT_RETRY;
	return request_record(t, b, end, again, e) < 0 ? -1 : 2;
}

int request_settle(struct tally *t, const struct request_end *end, int64_t now_ms,
		   struct err *e)
{
	struct tally_batch *b = tally_batch(t, request_batch(end->row), e);
	int rc = b ? land(t, b, end->worker, end->bucket, end->row, end->n, e) : -1;

	if (rc > 0 && b->racing)
		rc = settle_race(t, b, end, now_ms, e);
	if (rc <= 0 || rc == 2)
		return rc;
	return (end->verdict == VERDICT_RETRY ? settle_unanswered(t, b, end, now_ms, e)
					       : settle_answered(t, b, end, now_ms, e)) < 0 ? -1 : rc;
}

static int unstart(struct tally *t, int64_t row, enum request_state to, struct err *e)
{
	STMT(q, t->db, &request_sql, Q_UNSTART);
	stmt_int(&q, 1, row);
	stmt_int(&q, 2, to);
	return stmt_run(&q, e) < 0 ? -1 : 0;
}

int request_release(struct tally *t, int64_t worker, const struct request_started *s,
		    int64_t now_ms, struct err *e)
{
	struct request_started r;
	enum request_state state, to;
	int64_t due;
	struct tally_batch *b = tally_batch(t, request_batch(s->row), e);
	int rc = b ? look(t, s->row, &r, &state, &due, e) : -1;

	if (rc > 0 && s->n != r.n) { /* a number behind it is used: it leaves a gap */
		const struct request_end end = {
			.row = s->row, .queue = r.queue, .bucket = s->bucket, .worker = worker,
			.n = s->n, .verdict = VERDICT_RETRY, .started_ms = now_ms,
			.code = "interrupted", .message = "it was not sent", .kind = ANSWER_NONE,
		};
		rc = request_settle(t, &end, now_ms, e);
		return rc > 0 ? 1 : rc;
	}
	if (rc > 0)
		rc = land(t, b, worker, s->bucket, s->row, s->n, e);
	int other = rc > 0 && b->racing ? race_goes_on(t, s->row, e) : 0;
	if (rc <= 0 || other < 0)
		return other < 0 ? -1 : rc;
	if (other > 0)
		return unstart(t, s->row, REQUEST_PROCESSING, e) < 0 ? -1 : 1;
	if (where_to(t, b, s->row, now_ms, &to, e) < 0 || unstart(t, s->row, to, e) < 0)
		return -1;
	tally_move(t, b, r.queue, REQUEST_PROCESSING, to, to == REQUEST_PENDING && due > 0);
	return 1;
}

int request_interrupt(struct tally *t, const struct request_end *end, int64_t now_ms,
		      struct err *e)
{
	struct tally_batch *b = tally_batch(t, request_batch(end->row), e);
	struct request_end own = *end;

	if (!b || (b->racing && race_end(t, b, end->row, true, "interrupted", end->message, 0,
					 e) < 0))
		return -1;
	own.took_ms = -1;
	own.status = 0;
	own.counts = true;
	own.code = "interrupted";
	own.kind = ANSWER_NONE;
	return request_settle(t, &own, now_ms, e);
}

/* The worker's next flight behind end->row: 1, 0 none is left. */
static int next_flight(struct tally *t, int64_t worker, struct request_end *end,
		       int64_t *counted, struct err *e)
{
	STMT(q, t->db, &request_sql, Q_FLIGHTS);
	stmt_int(&q, 1, worker);
	stmt_int(&q, 2, end->row);
	int rc = stmt_step(&q, e);
	if (rc <= 0)
		return rc;
	*end = (struct request_end){
		.row = stmt_col_int(&q, 0), .n = stmt_col_int(&q, 1), .worker = worker,
		.started_ms = stmt_col_int(&q, 2), .queue = stmt_col_int(&q, 3),
		.bucket = stmt_col_int(&q, 5),
		.message = "the worker died while the request was in flight",
	};
	*counted = stmt_col_int(&q, 4);
	return 1;
}

int request_rescue(struct tally *t, int64_t worker, request_limit_fn *max_attempts,
		   void *ctx, int64_t now_ms, struct err *e)
{
	struct request_end end = { .row = 0 };
	int64_t counted;
	int n = 0, rc;

	/* One at a time, because settling deletes what the query walks over. */
	while ((rc = next_flight(t, worker, &end, &counted, e)) > 0) {
		end.verdict = counted + 1 < max_attempts(ctx, worker, request_batch(end.row))
				      ? VERDICT_RETRY : VERDICT_FAILED;
		if (request_interrupt(t, &end, now_ms, e) < 0)
			return -1;
		n++;
	}
	return rc < 0 ? -1 : n;
}

int request_cancel(struct tally *t, int64_t row, bool now, int64_t now_ms, struct err *e)
{
	struct request_started r;
	enum request_state state;
	int64_t due;
	struct tally_batch *b = tally_batch(t, request_batch(row), e);
	int rc = b ? look(t, row, &r, &state, &due, e) : -1;

	if (rc > 0 && state == REQUEST_PROCESSING)
		return recall_add(t, b, row, now, now_ms, e) < 0 ? -1 : 2;
	if (rc <= 0 || state != REQUEST_PENDING)
		return rc < 0 ? -1 : 0;
	STMT(q, t->db, &request_sql, Q_CANCEL);
	stmt_int(&q, 1, row);
	if (stmt_run(&q, e) < 0)
		return -1;
	tally_move(t, b, r.queue, REQUEST_PENDING, REQUEST_CANCELLED, due > 0);
	return 1;
}

/* It counts again when it ends again, in another hour perhaps. */
static int uncount(struct tally *t, const struct request_started *r, struct err *e)
{
	STMT(q, t->db, &request_sql, Q_UNCOUNT);
	stmt_int(&q, 1, request_batch(r->row));
	stmt_int(&q, 2, r->queue);
	stmt_int(&q, 3, r->row);
	return stmt_run(&q, e) < 0 ? -1 : 0;
}

int request_reopen(struct tally *t, int64_t row, struct err *e)
{
	struct request_started r;
	enum request_state state;
	int64_t due;
	struct tally_batch *b = tally_batch(t, request_batch(row), e);
	int rc = b ? look(t, row, &r, &state, &due, e) : -1;

	if (rc <= 0 || state < REQUEST_FAILED)
		return rc < 0 ? -1 : 0;
	if (state == REQUEST_FAILED && uncount(t, &r, e) < 0)
		return -1;
	STMT(q, t->db, &request_sql, Q_REOPEN);
	stmt_int(&q, 1, row);
	if (stmt_run(&q, e) < 0)
		return -1;
	tally_move(t, b, r.queue, state, REQUEST_PENDING, false);
	return 1;
}
