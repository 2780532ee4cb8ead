/* The moves of requests at random, against a model of what they may do. */
#include <string.h>

#include "base/rng.h"
#include "domain/ending.h"
#include "domain/race.h"
#include "domain/recall.h"
#include "domain/request.h"
#include "rows.h"
#include "unit.h"

enum {
	BATCHES = 3, LINES = 60, ROWS = BATCHES * LINES, WORKERS = 4, KEPT = 64, MOVES = 12000,
	GRACE = 7000, OVERDUE = RECALL_GRACE_MS + RECALL_SLACK_MS,
};

static struct rows r;

/* For what is not yet committed. */
enum { Q_STATE, Q_STATUS };
static const char *const texts[] = {
	[Q_STATE] = "SELECT state FROM requests WHERE id = ?1",
	[Q_STATUS] = "UPDATE batches SET status = ?2, expires_ms = nullif(?3, 0),"
		     " abort_ms = nullif(?4, 0) WHERE id = ?1",
};
static const struct stmt_set moves_sql = { "moves", texts, ARRAY_LEN(texts) };

/* What must be in the file.  0 is "none" everywhere. */
struct row {
	int state, worker;
	int64_t tries, round;
	int64_t main, race;     /* the numbers of those in flight */
	bool recalled;
	int64_t recalled_ms;    /* to be cut off since */
};
struct model {
	struct row rows[ROWS];
	struct { int status; int64_t expires, aborted; bool touched; } batches[BATCHES];
};
static struct model model;
static int64_t first_batch;

static struct {
	int started, refused, settled, late, rescued, raced, superseded, recalled, overdue,
	    expired, rolled_back;
} seen;

static int64_t row_of(int i)
{
	return request_row(first_batch + i / LINES, (uint32_t)(i % LINES) + 1);
}

static int status_of(int i)
{
	return model.batches[i / LINES].status;
}

static bool past(int b)
{
	return model.batches[b].expires > 0 && model.batches[b].expires <= r.now;
}

static void becomes(int i, int to)
{
	struct row *w = &model.rows[i];

	*w = (struct row){ .state = to, .tries = w->tries, .round = w->round };
	model.batches[i / LINES].touched = true;
}

/* What becomes of one in flight that is not answered for good. */
static int unanswered(int i)
{
	if (model.rows[i].recalled || status_of(i) == BATCH_CANCELLING)
		return REQUEST_CANCELLED;
	return past(i / LINES) ? REQUEST_EXPIRED : REQUEST_PENDING;
}

/* At the end of a transaction: batches whose last request has ended. */
static void settle_batches(void)
{
	for (int b = 0; b < BATCHES; b++) {
		bool left = !model.batches[b].touched, expired = false;
		for (int i = b * LINES; i < (b + 1) * LINES; i++) {
			left |= model.rows[i].state <= REQUEST_PROCESSING;
			expired |= model.rows[i].state == REQUEST_EXPIRED;
		}
		if (!left && model.batches[b].status == BATCH_IN_PROGRESS)
			model.batches[b].status = expired ? BATCH_EXPIRED : BATCH_COMPLETED;
		else if (!left && model.batches[b].status == BATCH_CANCELLING)
			model.batches[b].status = BATCH_CANCELLED;
		model.batches[b].touched = false;
	}
}

/* Since when it should be over with what flies: the row of its flight may end it
 * (its own recall) or the batch. */
static int64_t over_since(int i)
{
	int b = i / LINES;
	const int64_t when[] = { model.batches[b].expires, model.batches[b].aborted,
				 model.rows[i].recalled_ms };
	int64_t first = INT64_MAX;

	for (size_t k = 0; k < ARRAY_LEN(when); k++)
		if (when[k] > 0 && when[k] < first)
			first = when[k];
	return first;
}

static bool is_overdue(int i, int worker)
{
	return model.rows[i].state == REQUEST_PROCESSING && model.rows[i].worker != worker &&
	       over_since(i) <= r.now - OVERDUE;
}

static void sooner(int64_t *next, int64_t when)
{
	if (when > r.now && when < INT64_MAX && (*next == 0 || when < *next))
		*next = when;
}

/* What recall_read() must say of one batch and its rows. */
static int64_t compare_batch(const struct recall *got, int b, bool *expire, bool *overdue,
			     int64_t *next)
{
	int status = model.batches[b].status, pending = 0, flies = 0, listed = 0, wrong = 0;
	int64_t expires = model.batches[b].expires, aborted = model.batches[b].aborted;
	bool open = status == BATCH_IN_PROGRESS || status == BATCH_CANCELLING;

	for (int i = b * LINES; i < (b + 1) * LINES; i++) {
		const struct row *w = &model.rows[i];
		pending += w->state == REQUEST_PENDING;
		flies += w->state == REQUEST_PROCESSING;
		*overdue |= is_overdue(i, 1);
		for (int k = 0; k < got->n_rows; k++)
			if (got->rows[k].row == row_of(i)) {
				wrong += !w->recalled || got->rows[k].cut != (w->recalled_ms > 0);
				listed++;
			}
		listed -= w->recalled;
		if (w->recalled_ms > 0 && w->worker != 1)
			sooner(next, w->recalled_ms + OVERDUE);
		if (w->state == REQUEST_PROCESSING && w->worker != 1 &&
		    open && (status == BATCH_CANCELLING || past(b)) && over_since(i) <= r.now)
			sooner(next, over_since(i) + OVERDUE);
	}
	bool halted = flies > 0 && (status == BATCH_CANCELLING ||
				    (status == BATCH_IN_PROGRESS && past(b)));
	bool cut = (aborted > 0 && aborted <= r.now) ||
		   (expires > 0 && expires + GRACE <= r.now);
	for (int k = 0; k < got->n_batches; k++)
		if (got->batches[k].batch == first_batch + b) {
			wrong += !halted || got->batches[k].cut != cut;
			halted = false;
		}
	*expire |= status == BATCH_IN_PROGRESS && past(b) && pending > 0;
	if (expires > 0 && (status == BATCH_IN_PROGRESS || (status == BATCH_CANCELLING && flies > 0 && !aborted)))
		sooner(next, expires);
	if (expires > 0 && !aborted && flies > 0 && open && (status == BATCH_CANCELLING || past(b)))
		sooner(next, expires + GRACE);
	return wrong + halted + (listed != 0);
}

static int64_t compare_recall(void)
{
	struct recall got CLEANUP(recall_release) = { 0 };
	struct err e = ERR_INIT;
	bool expire = false, overdue = false;
	int64_t next = 0, wrong = 0;

	rows_must(recall_read(r.db, 1, GRACE, r.now, &got, &e) == 0, "recall_read", e.msg);
	for (int b = 0; b < BATCHES; b++)
		wrong += compare_batch(&got, b, &expire, &overdue, &next);
	return wrong + (got.overdue != overdue) + ((got.expire > 0) != expire) +
	       /* It may look again earlier than it must, never later. */
	       (next > 0 && (got.next_ms == 0 || got.next_ms > next));
}

static int64_t differences(void)
{
	int64_t n = rows_wrong(r.raw) + compare_recall();

	for (int b = 0; b < BATCHES; b++)
		n += ROWS_INT(r.raw, "SELECT status FROM batches WHERE id = ?1", first_batch + b) !=
		     model.batches[b].status;
	sqlite3_stmt *q = rows_prepare(r.raw, "SELECT r.id, state, tries, round, f.n, c.n, l.now"
				       " FROM requests r LEFT JOIN flights f ON f.request = r.id"
				       " LEFT JOIN races c ON c.request = r.id"
				       " LEFT JOIN recalls l ON l.request = r.id"
				       " WHERE r.id >> 32 >= ?1 ORDER BY r.id", &first_batch, 1);
	for (int i = 0; i < ROWS; i++) {
		const struct row *w = &model.rows[i];
		n += sqlite3_step(q) != SQLITE_ROW || sqlite3_column_int64(q, 0) != row_of(i) ||
		     sqlite3_column_int(q, 1) != w->state ||
		     sqlite3_column_int64(q, 2) != w->tries ||
		     sqlite3_column_int64(q, 3) != w->round ||
		     sqlite3_column_int64(q, 4) != w->main ||
		     sqlite3_column_int64(q, 5) != w->race ||
		     (sqlite3_column_type(q, 6) != SQLITE_NULL) != w->recalled ||
		     (sqlite3_column_int(q, 6) != 0) != (w->recalled_ms > 0);
	}
	sqlite3_finalize(q);
	return n;
}

struct attempts { /* those that were started; most of them are over */
	struct { int i, worker; struct request_started s; } v[KEPT];
	int n;
};

static void keep(struct attempts *a, int i, int worker, const struct request_started *s)
{
	a->v[a->n % KEPT].i = i;
	a->v[a->n % KEPT].worker = worker;
	a->v[a->n++ % KEPT].s = *s;
}

static int64_t limit_of(void *ctx, int64_t worker, int64_t batch)
{
	(void)worker;
	(void)batch;
	return *(int64_t *)ctx;
}

static int start(struct attempts *a, int i, int worker)
{
	struct row *w = &model.rows[i];
	struct request_started s;
	int want = w->state == REQUEST_PENDING && status_of(i) == BATCH_IN_PROGRESS &&
		   !past(i / LINES);
	int got = rows_start(&r, worker, row_of(i), &s);

	if (got && want) {
		keep(a, i, worker, &s);
		becomes(i, REQUEST_PROCESSING);
		w->worker = worker;
		w->main = ++w->tries;
	}
	seen.started += got;
	seen.refused += !got;
	return got != want;
}

static int race(struct attempts *a, int i, int worker)
{
	struct row *w = &model.rows[i];
	struct request_started s;
	struct err e = ERR_INIT;
	int want = w->state == REQUEST_PROCESSING && w->worker == worker && !w->race &&
		   !w->recalled && status_of(i) == BATCH_IN_PROGRESS && !past(i / LINES);
	int got = race_start(&r.t, worker, 2, row_of(i), r.now, &s, &e);

	if (got == 1 && want) {
		keep(a, i, worker, &s);
		w->race = ++w->tries;
	}
	seen.raced += got == 1;
	return got != want || (got == 1 && s.n != w->tries);
}

/* One of two has ended: the other goes on. */
static void goes_on(struct row *w, int64_t ended)
{
	w->main = w->main == ended ? w->race : w->main;
	w->race = 0;
}

static int settle(struct attempts *a, int k, enum request_verdict verdict)
{
	int i = a->v[k].i, want = 0;
	struct row *w = &model.rows[i];
	int64_t n = a->v[k].s.n;
	struct request_end end = rows_end(&a->v[k].s, a->v[k].worker, verdict);
	int got = rows_settle(&r, &end);

	if (w->worker == a->v[k].worker && (n == w->main || n == w->race)) {
		bool two = w->race != 0;
		want = !two ? 1 : verdict == VERDICT_COMPLETED ? 3 : 2;
		seen.superseded += want == 3;
		seen.expired += want == 1 && verdict == VERDICT_RETRY &&
				unanswered(i) == REQUEST_EXPIRED;
		seen.recalled += w->recalled;
		if (want == 2)
			goes_on(w, n);
		else
			becomes(i, verdict == VERDICT_COMPLETED ? REQUEST_COMPLETED :
				verdict == VERDICT_FAILED ? REQUEST_FAILED : unanswered(i));
	}
	seen.settled += got > 0;
	seen.late += !got;
	return got != want;
}

static int release(struct attempts *a, int k)
{
	struct err e = ERR_INIT;
	int i = a->v[k].i, want = 0;
	struct row *w = &model.rows[i];
	int64_t n = a->v[k].s.n;
	int got = request_release(&r.t, a->v[k].worker, &a->v[k].s, r.now, &e);

	if (w->worker == a->v[k].worker && (n == w->main || n == w->race)) {
		bool two = w->race != 0, last = n == w->tries;
		want = 1;
		if (two)
			goes_on(w, n);
		else
			becomes(i, unanswered(i));
		w->tries -= last; /* else it leaves an attempt */
	}
	a->v[k].worker = WORKERS + 1; /* nobody holds it any more: its number is used again */
	return got != want;
}

/* The limit decides between pending and failed, so the model asks the file. */
static int rescue(int worker)
{
	struct err e = ERR_INIT;
	int64_t limit = 2;
	int want = 0, got = request_rescue(&r.t, worker, limit_of, &limit, r.now, &e);

	for (int i = 0; i < ROWS; i++)
		if (model.rows[i].worker == worker) {
			STMT(q, r.db, &moves_sql, Q_STATE);
			stmt_int(&q, 1, row_of(i));
			rows_must(stmt_step(&q, &e) == 1, "look", e.msg);
			int now = (int)stmt_col_int(&q, 0);
			want += now == REQUEST_FAILED || now == unanswered(i);
			becomes(i, now);
		}
	seen.rescued += got;
	return got != want;
}

static int cancel(int i, bool now)
{
	struct err e = ERR_INIT;
	struct row *w = &model.rows[i];
	int want = w->state == REQUEST_PENDING ? 1 : w->state == REQUEST_PROCESSING ? 2 : 0;
	int got = request_cancel(&r.t, row_of(i), now, r.now, &e);

	if (want == 1)
		becomes(i, REQUEST_CANCELLED);
	if (want == 2) {
		w->recalled = true;
		w->recalled_ms = now && !w->recalled_ms ? r.now : w->recalled_ms;
	}
	return got != want;
}

static int overdue(int worker)
{
	struct err e = ERR_INIT;
	int want = 0, wrong = 0;

	for (int i = 0; i < ROWS; i++)
		if (is_overdue(i, worker)) {
			wrong += unanswered(i) == REQUEST_PENDING;
			want++;
		}
	int got = recall_overdue(&r.t, worker, r.now, &e);
	for (int i = 0; i < ROWS; i++)
		if (is_overdue(i, worker))
			becomes(i, unanswered(i));
	seen.overdue += got;
	return wrong + (got != want);
}

/* One move at random; not 0 if it did not do what it should. */
static int move(struct rng *rng, struct attempts *a)
{
	int i = (int)rng_below(rng, ROWS), worker = 1 + (int)rng_below(rng, WORKERS);
	int k = (int)rng_below(rng, KEPT), kind = (int)rng_below(rng, 200);

	if (kind < 100)
		return start(a, i, worker);
	if (kind < 120) {
		for (int n = 0; n < 20 && model.rows[i].state != REQUEST_PROCESSING; n++)
			i = (int)rng_below(rng, ROWS);
		return race(a, i, rng_below(rng, 5) ? model.rows[i].worker : worker);
	}
	if (kind < 122)
		return rescue(worker);
	if (kind < 126) {
		i = k < a->n ? a->v[k].i : i; /* likely to be in flight */
		return cancel(i, rng_below(rng, 2) == 0);
	}
	if (kind < 128)
		return overdue((int)rng_below(rng, WORKERS + 1));
	if (k >= a->n)
		return 0;
	if (kind < 138)
		return release(a, k);
	return settle(a, k, kind < 143 ? VERDICT_COMPLETED :
		      (enum request_verdict)(1 + rng_below(rng, 2)));
}

/* A transaction of its own: what is pending in a batch that ends. */
static int end_batch(int b)
{
	struct err e = ERR_INIT;
	uint32_t after = 0;
	int want = 0;

	rows_begin(&r);
	for (int i = b * LINES; i < (b + 1) * LINES; i++)
		if (model.rows[i].state == REQUEST_PENDING) {
			becomes(i, model.batches[b].status == BATCH_CANCELLING ? REQUEST_CANCELLED
				: REQUEST_EXPIRED);
			want++;
		}
	int got = ending_some(&r.t, first_batch + b, &after, LINES, r.now, &e);
	settle_batches();
	rows_commit(&r);
	return got != want;
}

/* Another one, as in domain/select and domain/ending: what has failed goes back,
 * then its batch, perhaps with a new window; or a batch is cancelled, perhaps
 * at once. */
static int turn_batch(struct rng *rng)
{
	struct err e = ERR_INIT;
	int b = (int)rng_below(rng, BATCHES), wrong = 0;

	if (model.batches[b].status == BATCH_CANCELLING ||
	    (model.batches[b].status == BATCH_IN_PROGRESS && past(b)))
		return rng_below(rng, 4) ? end_batch(b) : 0;
	rows_begin(&r);
	int to = BATCH_IN_PROGRESS;
	int64_t expires = model.batches[b].expires, aborted = 0;
	if (model.batches[b].status == BATCH_IN_PROGRESS && rng_below(rng, 8) == 0) {
		to = BATCH_CANCELLING;
		aborted = rng_below(rng, 2) ? r.now : 0;
	} else if (expires <= r.now) {
		expires = rng_below(rng, 2) ? r.now + 1 + (int64_t)rng_below(rng, 100000) : 0;
	}
	for (int i = b * LINES; to == BATCH_IN_PROGRESS && i < (b + 1) * LINES; i++) {
		int want = model.rows[i].state >= REQUEST_FAILED;
		wrong += request_reopen(&r.t, row_of(i), &e) != want;
		if (want) {
			becomes(i, REQUEST_PENDING);
			model.rows[i].round++;
		}
	}
	rows_must(tally_flush(&r.t, r.now, &e) == 0, "tally_flush", e.msg);
	settle_batches();
	bool left = false;
	for (int i = b * LINES; i < (b + 1) * LINES; i++)
		left |= model.rows[i].state <= REQUEST_PROCESSING;
	if (left) { /* one in which all is completed stays as it is */
		STMT(q, r.db, &moves_sql, Q_STATUS);
		stmt_int(&q, 1, first_batch + b);
		stmt_int(&q, 2, to);
		stmt_int(&q, 3, expires);
		stmt_int(&q, 4, aborted);
		rows_must(stmt_run(&q, &e) == 1, "status", e.msg);
		model.batches[b].status = to;
		model.batches[b].expires = expires;
		model.batches[b].aborted = aborted;
	}
	rows_must(tx_commit(&r.tx, &e) == 0, "tx_commit", e.msg);
	return wrong;
}

/* When all is completed nothing moves any more: a new set of batches. */
static void renew(struct attempts *a)
{
	memset(&model, 0, sizeof model);
	*a = (struct attempts){ .n = 0 };
	ROWS_DO(r.raw, "UPDATE batches SET status = 6 WHERE status = 5");
	for (int b = 0; b < BATCHES; b++) {
		int64_t id = rows_batch(&r, 3, LINES, 0);
		first_batch = b ? first_batch : id;
		model.batches[b].status = BATCH_IN_PROGRESS;
	}
}

static bool all_done(void)
{
	int left = 0;

	for (int i = 0; i < ROWS; i++)
		left += model.rows[i].state != REQUEST_COMPLETED;
	return left == 0;
}

static void at_random(void)
{
	struct rng rng;
	struct attempts a = { .n = 0 };
	int64_t wrong = 0, differ = 0;
	int moves = 0;

	rng_seed(&rng, 7);
	renew(&a);
	while (moves < MOVES) {
		struct model before = model;
		struct attempts before_a = a;
		if (all_done())
			renew(&a);
		r.now += (int64_t)rng_below(&rng, 3000);
		rows_begin(&r);
		for (int n = 1 + (int)rng_below(&rng, 20); n > 0; n--, moves++)
			wrong += move(&rng, &a);
		if (rng_below(&rng, 10) == 0) {
			tx_end(&r.tx);
			model = before;
			a = before_a;
			seen.rolled_back++;
		} else {
			settle_batches();
			rows_commit(&r);
		}
		if (rng_below(&rng, 5) == 0)
			wrong += turn_batch(&rng);
		differ += differences();
	}
	CHECK(seen.started > 1000 && seen.refused > 100 && seen.settled > 500 && seen.late > 500 &&
	      seen.rescued > 50 && seen.rolled_back > 20, "%d moves at random: %d starts, %d refused;"
	      " %d settled, %d too late; %d rescued; %d rollbacks", moves, seen.started, seen.refused,
	      seen.settled, seen.late, seen.rescued, seen.rolled_back);
	CHECK(seen.raced > 100 && seen.superseded > 5 && seen.recalled > 10 && seen.overdue > 20 &&
	      seen.expired > 20, "%d races, %d decided by success; %d recalled, %d overdue, %d expired"
	      " in flight", seen.raced, seen.superseded, seen.recalled, seen.overdue, seen.expired);
	CHECK_INT(wrong, 0, "settle, release, rescue, race, cancel, expire and reopen move what they"
		  " may and no more: done stays done");
	CHECK_INT(differ, 0, "after every commit counters, flights and answers are those of the rows,"
		  " and workers are told what is not wanted any more");
}

int main(void)
{
	rows_open(&r, "db");
	at_random();
	rows_close(&r);
	return unit_done();
}
