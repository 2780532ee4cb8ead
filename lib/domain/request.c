#include "domain/request.h"

#include <string.h>

#include "base/mem.h"
#include "domain/answer.h"

enum {
	Q_START, Q_FLY, Q_LAND, Q_SETTLE, Q_AGAIN, Q_ATTEMPT, Q_ANSWER, Q_UNSTART,
	Q_FLIGHTS, Q_ROW, Q_PENDING, Q_QUEUES, Q_FRESH, Q_DUE, Q_CANCEL_SOME, Q_CANCEL,
	Q_REOPEN, Q_UNCOUNT,
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
	[Q_PENDING] = "SELECT id FROM requests WHERE id > ?1 AND id <= ?2 AND state = 0"
		      " ORDER BY id LIMIT 1",
	[Q_QUEUES] = "SELECT id FROM queues WHERE batch = ?1",
	[Q_FRESH] = "SELECT count(*) FROM requests WHERE queue = ?1 AND state = 0 AND due = 0"
		    " AND id > ?2 AND id <= ?3",
	[Q_DUE] = "SELECT count(*) FROM requests WHERE queue = ?1 AND state = 0 AND due > 0"
		  " AND id > ?2 AND id <= ?3",
	/* FAIL, because ABORT would keep a journal of its own: the transaction is
	 * rolled back in any case. */
	[Q_CANCEL_SOME] = "UPDATE OR FAIL requests SET state = 4, due = 0"
			  " WHERE id > ?1 AND id <= ?2 AND state = 0",
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
	if (rc <= 0 || state != REQUEST_PENDING || b->status != BATCH_IN_PROGRESS)
		return rc < 0 ? -1 : 0;
	out->n++;
	out->bucket = bucket;
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

/* Deletes the flight: 1 it was ours, 0 somebody else has settled it. */
static int land(struct tally *t, int64_t worker, int64_t bucket, int64_t row, int64_t n,
		struct err *e)
{
	STMT(q, t->db, &request_sql, Q_LAND);
	stmt_int(&q, 1, row);
	stmt_int(&q, 2, worker);
	stmt_int(&q, 3, n);
	int rc = stmt_run(&q, e);
	if (rc > 0)
		tally_fly(t, bucket, worker, -1);
	return rc;
}

enum { HEAD_MAX = 4096 };

static int record_attempt(struct tally *t, const struct request_end *end, bool again,
			  struct err *e)
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

int request_settle(struct tally *t, const struct request_end *end, int64_t now_ms,
		   struct err *e)
{
	struct tally_batch *b = tally_batch(t, request_batch(end->row), e);
	int rc = b ? land(t, end->worker, end->bucket, end->row, end->n, e) : -1;

	if (rc <= 0)
		return rc;
	bool again = end->verdict == VERDICT_RETRY && b->status == BATCH_IN_PROGRESS;
	if (record_attempt(t, end, again, e) < 0)
		return -1;
	tally_use(t, b, &(struct tally_usage){ .queue = end->queue, .bucket = end->bucket,
					       .attempts = 1 });
	if (again) {
		tally_move(t, b, end->queue, REQUEST_PROCESSING, REQUEST_PENDING,
			   end->next_ms > 0);
		return put_back(t, end, e) < 0 ? -1 : 1;
	}
	if (end->verdict == VERDICT_RETRY) { /* its batch is being cancelled */
		tally_move(t, b, end->queue, REQUEST_PROCESSING, REQUEST_CANCELLED, false);
		return finish(t, end, REQUEST_CANCELLED, 0, e) < 0 ? -1 : 1;
	}
	enum request_state to = end->verdict == VERDICT_COMPLETED ? REQUEST_COMPLETED
								   : REQUEST_FAILED;
	if (record_answer(t, b, end, now_ms, e) < 0 || finish(t, end, to, b->answers, e) < 0)
		return -1;
	tally_move(t, b, end->queue, REQUEST_PROCESSING, to, false);
	tally_use(t, b, &(struct tally_usage){
		.queue = end->queue, .bucket = end->bucket,
		.input_tokens = end->input_tokens, .cached_tokens = end->cached_tokens,
		.output_tokens = end->output_tokens, .reasoning_tokens = end->reasoning_tokens,
	});
	return 1;
}

int request_release(struct tally *t, int64_t worker, const struct request_started *s,
		    struct err *e)
{
	struct request_started r;
	enum request_state state;
	int64_t due;
	struct tally_batch *b = tally_batch(t, request_batch(s->row), e);

	int rc = b ? look(t, s->row, &r, &state, &due, e) : -1;

	if (rc > 0)
		rc = land(t, worker, s->bucket, s->row, s->n, e);
	if (rc <= 0)
		return rc;
	enum request_state to = b->status == BATCH_IN_PROGRESS ? REQUEST_PENDING
							       : REQUEST_CANCELLED;
	STMT(q, t->db, &request_sql, Q_UNSTART);
	stmt_int(&q, 1, s->row);
	stmt_int(&q, 2, to);
	if (stmt_run(&q, e) < 0)
		return -1;
	tally_move(t, b, r.queue, REQUEST_PROCESSING, to, due > 0);
	return 1;
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
		.bucket = stmt_col_int(&q, 5), .took_ms = -1, .counts = true, .code = "interrupted",
		.message = "the worker died while the request was in flight",
		.kind = ANSWER_NONE,
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
		end.verdict = counted + 1 < max_attempts(ctx, request_batch(end.row))
				      ? VERDICT_RETRY : VERDICT_FAILED;
		if (request_settle(t, &end, now_ms, e) < 0)
			return -1;
		n++;
	}
	return rc < 0 ? -1 : n;
}

int request_cancel(struct tally *t, int64_t row, struct err *e)
{
	struct request_started r;
	enum request_state state;
	int64_t due;
	struct tally_batch *b = tally_batch(t, request_batch(row), e);
	int rc = b ? look(t, row, &r, &state, &due, e) : -1;

	if (rc <= 0 || state != REQUEST_PENDING)
		return rc < 0 ? -1 : 0;
	STMT(q, t->db, &request_sql, Q_CANCEL);
	stmt_int(&q, 1, row);
	if (stmt_run(&q, e) < 0)
		return -1;
	tally_move(t, b, r.queue, REQUEST_PENDING, REQUEST_CANCELLED, due > 0);
	return 1;
}

/* Rows from `first` (not itself) to `last`. */
struct range {
	int64_t first, last;
};

/* The first pending row in the range, 0 if there is none. */
static int64_t next_pending(struct db *db, struct range r, struct err *e)
{
	STMT(q, db, &request_sql, Q_PENDING);
	stmt_int(&q, 1, r.first);
	stmt_int(&q, 2, r.last);
	int rc = stmt_step(&q, e);
	return rc > 0 ? stmt_col_int(&q, 0) : rc;
}

static int64_t count(struct db *db, int query, int64_t queue, struct range r, struct err *e)
{
	STMT(q, db, &request_sql, query);
	stmt_int(&q, 1, queue);
	stmt_int(&q, 2, r.first);
	stmt_int(&q, 3, r.last);
	return stmt_step(&q, e) < 0 ? -1 : stmt_col_int(&q, 0);
}

static int update_range(struct db *db, struct range r, struct err *e)
{
	STMT(q, db, &request_sql, Q_CANCEL_SOME);
	stmt_int(&q, 1, r.first);
	stmt_int(&q, 2, r.last);
	return stmt_run(&q, e);
}

static void tell(struct tally *t, struct tally_batch *b, int64_t queue, int64_t due,
		 int64_t fresh)
{
	for (int64_t i = 0; i < due + fresh; i++)
		tally_move(t, b, queue, REQUEST_PENDING, REQUEST_CANCELLED, i < due);
}

/* Cancels what is pending in the range; how many.  Each queue's are counted in
 * the index before; the last one has those that are left over. */
static int cancel_range(struct tally *t, struct tally_batch *b, struct range r, struct err *e)
{
	int64_t told = 0, queue = 0, due = 0;
	int rc;

	STMT(q, t->db, &request_sql, Q_QUEUES);
	stmt_int(&q, 1, b->id);
	for (bool first = true; (rc = stmt_step(&q, e)) > 0; first = false) {
		int64_t fresh = first ? 0 : count(t->db, Q_FRESH, queue, r, e);
		if (fresh < 0)
			return -1;
		if (!first)
			tell(t, b, queue, due, fresh);
		told += first ? 0 : due + fresh;
		queue = stmt_col_int(&q, 0);
		due = count(t->db, Q_DUE, queue, r, e);
		if (due < 0)
			return -1;
	}
	int n = rc < 0 ? -1 : update_range(t->db, r, e);
	if (n >= 0)
		tell(t, b, queue, due, n - told - due);
	return n;
}

/* A million are cancelled in a second: nothing is done row by row.  A range of
 * as many lines as are wanted has at most as many pending requests. */
int request_cancel_some(struct tally *t, int64_t batch, uint32_t *after, int limit,
			struct err *e)
{
	struct tally_batch *b = tally_batch(t, batch, e);
	struct range r = { request_row(batch, *after), request_row(batch, UINT32_MAX) };
	int total = 0;

	while (b && total < limit) {
		int64_t next = next_pending(t->db, r, e);
		if (next <= 0)
			return next < 0 ? -1 : total;
		int64_t end = next - 1 + (limit - total);
		int n = cancel_range(t, b, (struct range){ next - 1, end < r.last ? end : r.last }, e);
		if (n < 0)
			return -1;
		total += n;
		r.first = end < r.last ? end : r.last;
		*after = request_line(r.first);
	}
	return b ? total : -1;
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
