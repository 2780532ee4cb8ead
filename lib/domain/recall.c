#include "domain/recall.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "domain/answer.h"
#include "domain/request.h"

#define NEVER INT64_MAX
#define NEVER_SQL "9223372036854775807"

/* The grace of a flight's worker; ?1 is RECALL_GRACE_MS. */
#define GRACE "coalesce(json_extract(w.config, '$.grace_ms'), ?1)"

enum { Q_PAST, Q_CANCELLING, Q_ROWS, Q_OTHERS, Q_FLIGHTS, Q_MINE, Q_OVERDUE, Q_ADD, Q_TAKE };
static const char *const texts[] = {
	[Q_PAST] = "SELECT id, expires_ms, abort_ms, pending, processing FROM batches"
		   " WHERE status = 1 AND expires_ms > 0 ORDER BY expires_ms",
	[Q_CANCELLING] = "SELECT id, expires_ms, abort_ms, pending, processing FROM batches"
			 " WHERE status IN (1, 5) AND status = 5 AND processing > 0",
	/* The last column: only of a flight of another worker than ?2. */
	[Q_ROWS] = "SELECT c.request, c.at_ms, c.now, iif(f.worker IS NULL, NULL, " GRACE ")"
		   " FROM recalls c LEFT JOIN flights f ON f.request = c.request AND f.worker <> ?2"
		   " LEFT JOIN workers w ON w.id = f.worker WHERE c.request > ?3 ORDER BY c.request",
	/* The shortest grace of the other workers with a flight in the range. */
	[Q_OTHERS] = "SELECT min(" GRACE ") FROM flights f LEFT JOIN workers w ON w.id = f.worker"
		     " WHERE f.request > ?3 AND f.request <= ?4 AND f.worker <> ?2",
	[Q_FLIGHTS] = "SELECT sum(in_flight) FROM shares WHERE worker = ?1",
	[Q_MINE] = "SELECT request FROM flights WHERE request > ?2 AND worker = ?1"
		   " ORDER BY request LIMIT ?3",
	[Q_OVERDUE] = "SELECT f.request, f.worker, f.n, f.started_ms, f.bucket, r.queue"
		      " FROM flights f CROSS JOIN requests r ON r.id = f.request"
		      " CROSS JOIN batches b ON b.id = f.request >> 32"
		      " LEFT JOIN workers w ON w.id = f.worker"
		      " LEFT JOIN recalls c ON c.request = f.request AND c.now = 1"
		      " WHERE f.request > ?3 AND f.worker <> ?2 AND"
		      " min(coalesce(b.expires_ms, " NEVER_SQL "), coalesce(b.abort_ms, " NEVER_SQL
		      "), coalesce(c.at_ms, " NEVER_SQL ")) <= ?4 - " GRACE
		      " ORDER BY f.request LIMIT 1",
	[Q_ADD] = "INSERT INTO recalls (request, at_ms, now) VALUES (?1, ?2, ?3)"
		  " ON CONFLICT DO UPDATE SET at_ms = iif(excluded.now > now, excluded.at_ms, at_ms),"
		  " now = max(now, excluded.now)",
	[Q_TAKE] = "DELETE FROM recalls WHERE request = ?1",
};
const struct stmt_set recall_sql = { "recall", texts, ARRAY_LEN(texts) };

void recall_release(struct recall *r)
{
	free(r->batches);
	free(r->rows);
	*r = (struct recall){ 0 };
}

/* Who asks. */
struct asker {
	struct db *db;
	int64_t worker, grace_ms, now_ms;
};

static int64_t earlier(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static void look_again(struct recall *r, const struct asker *a, int64_t when)
{
	if (when != NEVER && when > a->now_ms && (r->next_ms == 0 || when < r->next_ms))
		r->next_ms = when;
}

/* Others have flights that should be over since `since`; theirs is the grace. */
static void look_at_others(struct recall *r, const struct asker *a, int64_t since, int64_t grace)
{
	int64_t when = since + grace + RECALL_SLACK_MS;

	r->overdue |= when <= a->now_ms;
	look_again(r, a, when);
}

static int others_in(struct recall *r, const struct asker *a, int64_t batch, int64_t since,
		     struct err *e)
{
	STMT(q, a->db, &recall_sql, Q_OTHERS);
	stmt_int(&q, 1, RECALL_GRACE_MS);
	stmt_int(&q, 2, a->worker);
	stmt_int(&q, 3, batch << 32);
	stmt_int(&q, 4, request_row(batch, UINT32_MAX));
	int rc = stmt_step(&q, e);
	if (rc > 0 && !stmt_col_null(&q, 0))
		look_at_others(r, a, since, stmt_col_int(&q, 0));
	return rc < 0 ? -1 : 0;
}

/* One with requests in flight. */
static int add_batch(struct recall *r, const struct asker *a, int64_t batch, int64_t expires,
		     int64_t aborted, struct err *e)
{
	int64_t over = earlier(expires, aborted);
	int64_t cut = expires == NEVER ? aborted : earlier(expires + a->grace_ms, aborted);

	if (r->n_batches == r->cap_batches) {
		r->cap_batches = r->cap_batches ? r->cap_batches * 2 : 4;
		r->batches = mem_resize(r->batches, (size_t)r->cap_batches, sizeof *r->batches);
	}
	r->batches[r->n_batches++] = (struct recall_batch){ batch, cut <= a->now_ms };
	look_again(r, a, over);
	look_again(r, a, cut);
	return over <= a->now_ms ? others_in(r, a, batch, over, e) : 0;
}

static int read_batches(struct recall *r, const struct asker *a, int query, struct err *e)
{
	int rc;

	STMT(q, a->db, &recall_sql, query);
	while ((rc = stmt_step(&q, e)) > 0) {
		int64_t batch = stmt_col_int(&q, 0);
		int64_t expires = stmt_col_null(&q, 1) ? NEVER : stmt_col_int(&q, 1);
		int64_t aborted = stmt_col_null(&q, 2) ? NEVER : stmt_col_int(&q, 2);
		if (query == Q_PAST && expires > a->now_ms) { /* the next, and all behind it */
			look_again(r, a, expires);
			return 0;
		}
		if (query == Q_PAST && stmt_col_int(&q, 3) > 0 && r->expire == 0)
			r->expire = batch;
		if (stmt_col_int(&q, 4) > 0 && add_batch(r, a, batch, expires, aborted, e) < 0)
			return -1;
	}
	return rc;
}

static int read_rows(struct recall *r, const struct asker *a, struct err *e)
{
	int rc;

	STMT(q, a->db, &recall_sql, Q_ROWS);
	stmt_int(&q, 1, RECALL_GRACE_MS);
	stmt_int(&q, 2, a->worker);
	stmt_int(&q, 3, 0);
	while ((rc = stmt_step(&q, e)) > 0) {
		bool cut = stmt_col_int(&q, 2) != 0;
		if (r->n_rows == r->cap_rows) {
			r->cap_rows = r->cap_rows ? r->cap_rows * 2 : 16;
			r->rows = mem_resize(r->rows, (size_t)r->cap_rows, sizeof *r->rows);
		}
		r->rows[r->n_rows++] = (struct recall_row){ stmt_col_int(&q, 0), cut };
		if (cut && !stmt_col_null(&q, 3))
			look_at_others(r, a, stmt_col_int(&q, 1), stmt_col_int(&q, 3));
	}
	return rc;
}

static int count_flights(struct recall *r, const struct asker *a, struct err *e)
{
	STMT(q, a->db, &recall_sql, Q_FLIGHTS);
	stmt_int(&q, 1, a->worker);
	int rc = stmt_step(&q, e);
	if (rc > 0)
		r->flights = stmt_col_int(&q, 0);
	return rc < 0 ? -1 : 0;
}

int recall_read(struct db *db, int64_t worker, int64_t grace_ms, int64_t now_ms,
		struct recall *r, struct err *e)
{
	const struct asker a = { db, worker, grace_ms, now_ms };

	r->n_batches = r->n_rows = 0;
	r->expire = r->next_ms = 0;
	r->overdue = false;
	if (read_batches(r, &a, Q_PAST, e) < 0 || read_batches(r, &a, Q_CANCELLING, e) < 0)
		return -1;
	return read_rows(r, &a, e) < 0 || count_flights(r, &a, e) < 0 ? -1 : 0;
}

int recall_mine(struct db *db, int64_t worker, int64_t *rows, int n, struct err *e)
{
	int found = 0, rc;

	STMT(q, db, &recall_sql, Q_MINE);
	stmt_int(&q, 1, worker);
	stmt_int(&q, 2, 0);
	stmt_int(&q, 3, n);
	while ((rc = stmt_step(&q, e)) > 0)
		rows[found++] = stmt_col_int(&q, 0);
	return rc < 0 ? -1 : found;
}

/* The next overdue flight behind end->row: 1, 0 none is left. */
static int next_overdue(struct tally *t, int64_t worker, int64_t now_ms,
			struct request_end *end, struct err *e)
{
	STMT(q, t->db, &recall_sql, Q_OVERDUE);
	stmt_int(&q, 1, RECALL_GRACE_MS);
	stmt_int(&q, 2, worker);
	stmt_int(&q, 3, end->row);
	stmt_int(&q, 4, now_ms - RECALL_SLACK_MS);
	int rc = stmt_step(&q, e);
	if (rc <= 0)
		return rc;
	*end = (struct request_end){
		.row = stmt_col_int(&q, 0), .worker = stmt_col_int(&q, 1), .n = stmt_col_int(&q, 2),
		.started_ms = stmt_col_int(&q, 3), .bucket = stmt_col_int(&q, 4),
		.queue = stmt_col_int(&q, 5), .verdict = VERDICT_RETRY,
		.message = "its worker did not end the request in time",
	};
	return 1;
}

int recall_overdue(struct tally *t, int64_t worker, int64_t now_ms, struct err *e)
{
	struct request_end end = { .row = 0 };
	int n = 0, rc;

	/* One at a time, because settling deletes what the query walks over. */
	while ((rc = next_overdue(t, worker, now_ms, &end, e)) > 0) {
		if (request_interrupt(t, &end, now_ms, e) < 0)
			return -1;
		n++;
	}
	return rc < 0 ? -1 : n;
}

int recall_add(struct tally *t, struct tally_batch *b, int64_t row, bool now, int64_t now_ms,
	       struct err *e)
{
	STMT(q, t->db, &recall_sql, Q_ADD);
	stmt_int(&q, 1, row);
	stmt_int(&q, 2, now_ms);
	stmt_int(&q, 3, now);
	b->recalled = b->touched = true;
	return stmt_run(&q, e) < 0 ? -1 : 0;
}

int recall_take(struct tally *t, const struct tally_batch *b, int64_t row, struct err *e)
{
	if (!b->recalled)
		return 0;
	STMT(q, t->db, &recall_sql, Q_TAKE);
	stmt_int(&q, 1, row);
	return stmt_run(&q, e);
}
