/* The moves of requests at random, against a model of what they may do. */
#include <string.h>

#include "base/rng.h"
#include "domain/request.h"
#include "rows.h"
#include "unit.h"

enum { BATCHES = 3, LINES = 100, ROWS = BATCHES * LINES, WORKERS = 4, KEPT = 64, MOVES = 10000 };

static struct rows r;

/* For what is not yet committed. */
enum { Q_STATE, Q_STATUS };
static const char *const texts[] = {
	[Q_STATE] = "SELECT state FROM requests WHERE id = ?1",
	[Q_STATUS] = "UPDATE batches SET status = ?2 WHERE id = ?1",
};
static const struct stmt_set moves_sql = { "moves", texts, ARRAY_LEN(texts) };

/* What must be in the file. */
struct model {
	struct { int state, worker; int64_t n, round; } rows[ROWS];
	int status[BATCHES];
	bool touched[BATCHES];
};
static struct model model;
static int64_t first_batch;

static int64_t row_of(int i)
{
	return request_row(first_batch + i / LINES, (uint32_t)(i % LINES) + 1);
}

static int *status_of(int i)
{
	return &model.status[i / LINES];
}

static void becomes(int i, int to)
{
	model.rows[i].state = to;
	model.rows[i].worker = 0;
	model.touched[i / LINES] = true;
}

/* At the end of a transaction: batches whose last request has ended. */
static void settle_batches(void)
{
	for (int b = 0; b < BATCHES; b++) {
		bool left = !model.touched[b];
		for (int i = b * LINES; i < (b + 1) * LINES; i++)
			left |= model.rows[i].state <= REQUEST_PROCESSING;
		if (!left && model.status[b] == BATCH_IN_PROGRESS)
			model.status[b] = BATCH_COMPLETED;
		else if (!left && model.status[b] == BATCH_CANCELLING)
			model.status[b] = BATCH_CANCELLED;
		model.touched[b] = false;
	}
}

static int64_t differences(void)
{
	int64_t n = rows_wrong(r.raw);

	for (int b = 0; b < BATCHES; b++)
		n += ROWS_INT(r.raw, "SELECT status FROM batches WHERE id = ?1", first_batch + b) !=
		     model.status[b];
	sqlite3_stmt *q = rows_prepare(r.raw, "SELECT id, state, tries, round FROM requests"
				       " ORDER BY id", NULL, 0);
	for (int i = 0; i < ROWS; i++)
		n += sqlite3_step(q) != SQLITE_ROW || sqlite3_column_int64(q, 0) != row_of(i) ||
		     sqlite3_column_int(q, 1) != model.rows[i].state ||
		     sqlite3_column_int64(q, 2) != model.rows[i].n ||
		     sqlite3_column_int64(q, 3) != model.rows[i].round;
	sqlite3_finalize(q);
	return n;
}

static struct {
	int started, refused, settled, late, rescued, rolled_back;
} seen;

struct attempts { /* those that were started; most of them are over */
	struct { int i, worker; struct request_started s; } v[KEPT];
	int n;
};

static int64_t limit_of(void *ctx, int64_t batch)
{
	(void)batch;
	return *(int64_t *)ctx;
}

/* One move at random; 1 if it did not do what it should. */
static int move(struct rng *rng, struct attempts *a)
{
	struct err e = ERR_INIT;
	struct request_started s;
	int i = (int)rng_below(rng, ROWS), worker = 1 + (int)rng_below(rng, WORKERS), kind;
	int k = (int)rng_below(rng, KEPT), want, got;
	enum request_verdict verdict;
	int64_t limit = 2;

	switch (kind = (int)rng_below(rng, 20)) {
	default: /* start */
		want = model.rows[i].state == REQUEST_PENDING && *status_of(i) == BATCH_IN_PROGRESS;
		got = rows_start(&r, worker, row_of(i), &s);
		if (got && want) {
			a->v[a->n % KEPT].i = i;
			a->v[a->n % KEPT].worker = worker;
			a->v[a->n++ % KEPT].s = s;
			becomes(i, REQUEST_PROCESSING);
			model.rows[i].worker = worker;
			model.rows[i].n++;
		}
		seen.started += got;
		seen.refused += !got;
		return got != want;
	case 0: case 1: case 2: case 3: case 4: case 5: case 6: case 7: /* settle, release */
		if (k >= a->n)
			return 0;
		i = a->v[k].i;
		want = model.rows[i].worker == a->v[k].worker && model.rows[i].n == a->v[k].s.n;
		verdict = kind > 0 ? (enum request_verdict)(1 + kind % 2) : VERDICT_COMPLETED;
		if (kind == 7) {
			got = request_release(&r.t, a->v[k].worker, &a->v[k].s, &e);
			verdict = VERDICT_RETRY;
		} else {
			struct request_end end = rows_end(&a->v[k].s, a->v[k].worker, verdict);
			got = rows_settle(&r, &end);
		}
		if (want) {
			becomes(i, verdict == VERDICT_COMPLETED ? REQUEST_COMPLETED :
				verdict == VERDICT_FAILED ? REQUEST_FAILED :
				*status_of(i) == BATCH_IN_PROGRESS ? REQUEST_PENDING : REQUEST_CANCELLED);
			model.rows[i].n -= kind == 7;
		}
		seen.settled += got;
		seen.late += !got;
		return got != want;
	case 8: /* rescue: the limit decides, so the model asks the file */
		want = 0;
		if (rng_below(rng, 6) > 0)
			return 0;
		got = request_rescue(&r.t, worker, limit_of, &limit, r.now, &e);
		for (i = 0; i < ROWS; i++)
			if (model.rows[i].worker == worker) {
				STMT(q, r.db, &moves_sql, Q_STATE);
				stmt_int(&q, 1, row_of(i));
				rows_must(stmt_step(&q, &e) == 1, "look", e.msg);
				int now = (int)stmt_col_int(&q, 0);
				want += now == REQUEST_FAILED ||
					now == (*status_of(i) == BATCH_IN_PROGRESS ? REQUEST_PENDING
										  : REQUEST_CANCELLED);
				becomes(i, now);
			}
		seen.rescued += got;
		return got != want;
	case 9: /* cancel */
		if (rng_below(rng, 10) > 0)
			return 0;
		want = model.rows[i].state == REQUEST_PENDING;
		got = request_cancel(&r.t, row_of(i), &e);
		if (want)
			becomes(i, REQUEST_CANCELLED);
		return got != want;
	}
}

/* A transaction of its own, as in domain/select and domain/batch: what has
 * failed goes back, then its batch; or a batch is cancelled, in two steps. */
static int turn_batch(struct rng *rng)
{
	struct err e = ERR_INIT;
	int b = (int)rng_below(rng, BATCHES), wrong = 0;

	rows_begin(&r);
	if (model.status[b] == BATCH_CANCELLING) {
		uint32_t after = 0;
		int want = 0;
		for (int i = b * LINES; i < (b + 1) * LINES; i++)
			if (model.rows[i].state == REQUEST_PENDING) {
				becomes(i, REQUEST_CANCELLED);
				want++;
			}
		wrong = request_cancel_some(&r.t, first_batch + b, &after, LINES, &e) != want;
		settle_batches();
		rows_commit(&r);
		return wrong;
	}
	int to = BATCH_IN_PROGRESS;
	if (model.status[b] == BATCH_IN_PROGRESS && rng_below(rng, 8) == 0)
		to = BATCH_CANCELLING;
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
		rows_must(stmt_run(&q, &e) == 1, "status", e.msg);
		model.status[b] = to;
	}
	rows_must(tx_commit(&r.tx, &e) == 0, "tx_commit", e.msg);
	return wrong;
}

static void at_random(void)
{
	struct rng rng;
	struct attempts a = { .n = 0 };
	int64_t wrong = 0, differ = 0;
	int moves = 0;

	rng_seed(&rng, 7);
	for (int b = 0; b < BATCHES; b++) {
		int64_t id = rows_batch(&r, 3, LINES, 0);
		first_batch = b ? first_batch : id;
		model.status[b] = BATCH_IN_PROGRESS;
	}
	while (moves < MOVES) {
		struct model before = model;
		struct attempts before_a = a;
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
	      seen.rescued > 100 && seen.rolled_back > 20, "%d moves at random: %d starts, %d refused;"
	      " %d settled, %d too late; %d rescued; %d rollbacks", moves, seen.started, seen.refused,
	      seen.settled, seen.late, seen.rescued, seen.rolled_back);
	CHECK_INT(wrong, 0, "settle, release, rescue, cancel and reopen move what they may and no more:"
		  " done stays done");
	CHECK_INT(differ, 0, "after every commit counters, flights and answers are those of the rows");
}

int main(void)
{
	rows_open(&r, "db");
	at_random();
	rows_close(&r);
	return unit_done();
}
