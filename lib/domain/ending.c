#include "domain/ending.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/safe.h"
#include "domain/recall.h"
#include "domain/request.h"
#include "domain/select.h"
#include "domain/worker.h"
#include "store/tx.h"

enum { STEP_ROWS = 50000, STEP_SINGLE = 10000, SHOWN = 60 };

enum { Q_CANCELLING, Q_PENDING, Q_QUEUES, Q_FRESH, Q_DUE, Q_END };
static const char *const texts[] = {
	/* One whose window has passed goes on expiring. */
	[Q_CANCELLING] = "UPDATE batches SET status = iif(expires_ms <= ?2, status, 5),"
			 " cancelling_ms = iif(expires_ms <= ?2, cancelling_ms,"
			 " coalesce(cancelling_ms, ?2)),"
			 " abort_ms = iif(?3, coalesce(abort_ms, ?2), abort_ms)"
			 " WHERE id = ?1 AND status IN (1, 5)",
	[Q_PENDING] = "SELECT id FROM requests WHERE id > ?1 AND id <= ?2 AND state = 0"
		      " ORDER BY id LIMIT 1",
	[Q_QUEUES] = "SELECT id FROM queues WHERE batch = ?1",
	[Q_FRESH] = "SELECT count(*) FROM requests WHERE queue = ?1 AND state = 0 AND due = 0"
		    " AND id > ?2 AND id <= ?3",
	[Q_DUE] = "SELECT count(*) FROM requests WHERE queue = ?1 AND state = 0 AND due > 0"
		  " AND id > ?2 AND id <= ?3",
	/* FAIL, because ABORT would keep a journal of its own: the transaction is
	 * rolled back in any case. */
	[Q_END] = "UPDATE OR FAIL requests SET state = ?3, due = 0"
		  " WHERE id > ?1 AND id <= ?2 AND state = 0",
};
const struct stmt_set ending_sql = { "ending", texts, ARRAY_LEN(texts) };

/* Rows from `first` (not itself) to `last`. */
struct range {
	int64_t first, last;
};

/* The first pending row in the range, 0 if there is none. */
static int64_t next_pending(struct db *db, struct range r, struct err *e)
{
	STMT(q, db, &ending_sql, Q_PENDING);
	stmt_int(&q, 1, r.first);
	stmt_int(&q, 2, r.last);
	int rc = stmt_step(&q, e);
	return rc > 0 ? stmt_col_int(&q, 0) : rc;
}

static int64_t count(struct db *db, int query, int64_t queue, struct range r, struct err *e)
{
	STMT(q, db, &ending_sql, query);
	stmt_int(&q, 1, queue);
	stmt_int(&q, 2, r.first);
	stmt_int(&q, 3, r.last);
	return stmt_step(&q, e) < 0 ? -1 : stmt_col_int(&q, 0);
}

static int update_range(struct db *db, struct range r, enum request_state to, struct err *e)
{
	STMT(q, db, &ending_sql, Q_END);
	stmt_int(&q, 1, r.first);
	stmt_int(&q, 2, r.last);
	stmt_int(&q, 3, to);
	return stmt_run(&q, e);
}

/* A batch, and what becomes of its pending requests. */
struct end {
	struct tally *t;
	struct tally_batch *b;
	enum request_state to;
};

static void tell(const struct end *d, int64_t queue, int64_t due, int64_t fresh)
{
	for (int64_t i = 0; i < due + fresh; i++)
		tally_move(d->t, d->b, queue, REQUEST_PENDING, d->to, i < due);
}

/* Ends what is pending in the range; how many.  Each queue's are counted in
 * the index before; the last one has those that are left over. */
static int end_range(const struct end *d, struct range r, struct err *e)
{
	struct db *db = d->t->db;
	int64_t told = 0, queue = 0, due = 0;
	int rc;

	STMT(q, db, &ending_sql, Q_QUEUES);
	stmt_int(&q, 1, d->b->id);
	for (bool first = true; (rc = stmt_step(&q, e)) > 0; first = false) {
		int64_t fresh = first ? 0 : count(db, Q_FRESH, queue, r, e);
		if (fresh < 0)
			return -1;
		if (!first)
			tell(d, queue, due, fresh);
		told += first ? 0 : due + fresh;
		queue = stmt_col_int(&q, 0);
		due = count(db, Q_DUE, queue, r, e);
		if (due < 0)
			return -1;
	}
	int n = rc < 0 ? -1 : update_range(db, r, d->to, e);
	if (n >= 0)
		tell(d, queue, due, n - told - due);
	return n;
}

/* A million are ended in a second: nothing is done row by row.  A range of as
 * many lines as are wanted has at most as many pending requests. */
int ending_some(struct tally *t, int64_t batch, uint32_t *after, int limit, int64_t now_ms,
		struct err *e)
{
	struct tally_batch *b = tally_batch(t, batch, e);
	struct range r = { request_row(batch, *after), request_row(batch, UINT32_MAX) };
	int total = 0;

	if (!b)
		return -1;
	bool cancelling = b->status == BATCH_CANCELLING;
	if (!cancelling && !(b->status == BATCH_IN_PROGRESS && tally_past(b, now_ms)))
		return 0;
	const struct end d = { t, b, cancelling ? REQUEST_CANCELLED : REQUEST_EXPIRED };
	while (total < limit) {
		int64_t next = next_pending(t->db, r, e);
		if (next <= 0)
			return next < 0 ? -1 : total;
		int64_t end = next - 1 + (limit - total);
		int n = end_range(&d, (struct range){ next - 1, end < r.last ? end : r.last }, e);
		if (n < 0)
			return -1;
		total += n;
		r.first = end < r.last ? end : r.last;
		*after = request_line(r.first);
	}
	return total;
}

static int64_t attempts_of(void *ctx, int64_t worker, int64_t batch)
{
	return worker_attempts(ctx, worker, batch, NULL);
}

int ending_rescue(struct tally *t, int64_t now_ms, struct err *e)
{
	int dead = worker_any_dead(t->db, e);

	if (dead < 0 || (dead && worker_rescue(t, attempts_of, t->db, now_ms, e) < 0))
		return -1;
	return recall_overdue(t, 0, now_ms, e) < 0 ? -1 : 0;
}

/* What is asked for. */
struct wish {
	int64_t batch;
	bool cancel, now;
};

int ending_start(struct db *db, int64_t batch, bool now, int64_t now_ms, struct err *e)
{
	STMT(q, db, &ending_sql, Q_CANCELLING);
	stmt_int(&q, 1, batch);
	stmt_int(&q, 2, now_ms);
	stmt_int(&q, 3, now);
	return stmt_run(&q, e) < 0 ? -1 : 0;
}

/* One chunk: what nobody will end any more, then some pending requests. */
static int step(struct db *db, const struct wish *w, uint32_t *after, struct err *e)
{
	struct tally t CLEANUP(tally_release) = { 0 };
	int64_t now = clock_wall_ms();

	TX(tx);
	if (tx_begin(&tx, db, e) < 0 || (w->cancel && ending_start(db, w->batch, w->now, now, e) < 0))
		return -1;
	tally_begin(&t, db);
	if (*after == 0 && ending_rescue(&t, now, e) < 0)
		return -1;
	int n = ending_some(&t, w->batch, after, STEP_ROWS, now, e);
	if (n < 0 || tally_flush(&t, now, e) < 0 || tx_commit(&tx, e) < 0)
		return -1;
	return n;
}

static int steps(struct db *db, const struct wish *w, struct err *e)
{
	uint32_t after = 0;
	int n;

	while ((n = step(db, w, &after, e)) == STEP_ROWS)
		;
	return n < 0 ? -1 : 0;
}

int64_t ending_cancel(struct db *db, int64_t batch, bool now, struct err *e)
{
	struct batch b CLEANUP(batch_release) = BATCH_INIT;

	if (batch_get(db, batch, &b, e) < 0)
		return -1;
	if (batch_terminal(b.status))
		return 0;
	int64_t before = b.cancelled;
	/* What was rescued is among them. */
	if (steps(db, &(struct wish){ batch, true, now }, e) < 0 ||
	    batch_get(db, batch, &b, e) < 0)
		return -1;
	return b.cancelled - before;
}

int64_t ending_expire(struct db *db, int64_t batch, struct err *e)
{
	struct batch b CLEANUP(batch_release) = BATCH_INIT;

	if (batch_get(db, batch, &b, e) < 0)
		return -1;
	if (!ending_due(&b, clock_wall_ms()))
		return 0;
	int64_t before = b.expired;
	if (steps(db, &(struct wish){ .batch = batch }, e) < 0 || batch_get(db, batch, &b, e) < 0)
		return -1;
	return b.expired - before;
}

bool ending_due(const struct batch *b, int64_t now_ms)
{
	return b->status == BATCH_IN_PROGRESS && b->expires_ms > 0 && b->expires_ms <= now_ms;
}

/* Requests that were chosen by their custom ids. */
struct chosen {
	int64_t *rows;     /* those that have not ended */
	int n, cap;
	int64_t pending;   /* of those */
	int64_t found;     /* in whatever state */
};

static void chosen_release(struct chosen *c)
{
	mem_free(c->rows);
}

static int choose(void *ctx, const struct select_row *r, struct err *e)
{
	struct chosen *c = ctx;

	(void)e;
	c->found++;
	if (r->state > REQUEST_PROCESSING)
		return 0;
	c->pending += r->state == REQUEST_PENDING;
	if (c->n == c->cap) {
		c->cap = c->cap ? c->cap * 2 : 64;
		c->rows = mem_resize(c->rows, (size_t)c->cap, sizeof *c->rows);
	}
	c->rows[c->n++] = r->row;
	return 0;
}

/* A step, as step(): how many of them were pending. */
static int cancel_rows(struct db *db, const int64_t *rows, int n, bool now, struct err *e)
{
	struct tally t CLEANUP(tally_release) = { 0 };
	int cancelled = 0;
	int64_t now_ms = clock_wall_ms();

	TX(tx);
	if (tx_begin(&tx, db, e) < 0)
		return -1;
	tally_begin(&t, db);
	if (ending_rescue(&t, now_ms, e) < 0)
		return -1;
	for (int i = 0; i < n; i++) {
		int rc = request_cancel(&t, rows[i], now, now_ms, e);
		if (rc < 0)
			return -1;
		cancelled += rc == 1;
	}
	return tally_flush(&t, now_ms, e) < 0 || tx_commit(&tx, e) < 0 ? -1 : cancelled;
}

int64_t ending_cancel_ids(struct db *db, const struct batch *b, const char *const *custom_ids,
			  bool now, bool dry_run, struct err *e)
{
	const struct select f = { .custom_ids = custom_ids, .bare = true };
	struct chosen c CLEANUP(chosen_release) = { .rows = NULL };
	int64_t total = 0, given = 0;

	while (custom_ids[given])
		given++;
	if (select_each(db, b, &f, choose, &c, e) < 0 ||
	    (c.found < given && select_check_ids(db, b, custom_ids, e) < 0))
		return -1;
	for (int at = 0; !dry_run && at < c.n; at += STEP_SINGLE) {
		int left = c.n - at;
		int n = cancel_rows(db, c.rows + at, left < STEP_SINGLE ? left : STEP_SINGLE, now, e);
		if (n < 0)
			return -1;
		total += n;
	}
	return dry_run ? c.pending : total;
}
