#include "domain/race.h"

#include "base/mem.h"
#include "domain/answer.h"

#define NEVER INT64_MAX
#define NEVER_SQL "9223372036854775807"

enum { Q_START, Q_FLY, Q_COUNT, Q_LAND, Q_FLIGHT, Q_RACE, Q_MOVE, Q_DROP_RACE, Q_DROP_FLIGHT, Q_FIND, Q_HOW_MANY };
static const char *const texts[] = {
	[Q_START] = "SELECT r.queue, r.tries, r.counted, r.throttled, r.round FROM flights f"
		    " CROSS JOIN requests r ON r.id = f.request"
		    " WHERE f.request = ?1 AND f.worker = ?2"
		    " AND NOT EXISTS (SELECT 1 FROM races WHERE request = ?1)"
		    " AND NOT EXISTS (SELECT 1 FROM recalls WHERE request = ?1)",
	[Q_FLY] = "INSERT INTO races (request, worker, n, started_ms, bucket)"
		  " VALUES (?1, ?2, ?3, ?4, ?5)",
	[Q_COUNT] = "UPDATE requests SET tries = tries + 1 WHERE id = ?1 AND state = 1",
	[Q_LAND] = "DELETE FROM races WHERE request = ?1 AND worker = ?2 AND n = ?3",
	[Q_FLIGHT] = "SELECT worker, n, started_ms, bucket, queue FROM flights"
		     " JOIN requests ON id = request WHERE request = ?1",
	[Q_RACE] = "SELECT worker, n, started_ms, bucket, queue FROM races"
		   " JOIN requests ON id = request WHERE request = ?1",
	[Q_MOVE] = "INSERT INTO flights (request, worker, n, started_ms, bucket)"
		   " SELECT request, worker, n, started_ms, bucket FROM races WHERE request = ?1",
	[Q_DROP_RACE] = "DELETE FROM races WHERE request = ?1",
	[Q_DROP_FLIGHT] = "DELETE FROM flights WHERE request = ?1",
	/* The last column: when a race is due after those that this flight has had;
	 * NULL: at once. */
	[Q_FIND] = "SELECT f.request, (SELECT iif(sum(ifnull(a.status, 0) NOT IN (429, 529)) > ?5, "
		   NEVER_SQL ", max(ifnull(a.next_ms, " NEVER_SQL "))) FROM attempts a"
		   " WHERE a.request = f.request AND a.n > f.n)"
		   " FROM flights f CROSS JOIN requests r ON r.id = f.request"
		   " CROSS JOIN queues q ON q.id = r.queue"
		   " WHERE f.request > ?1 AND f.request <= ?2 AND f.worker = ?3 AND f.bucket = ?4"
		   " AND q.bucket = ?4 AND NOT EXISTS (SELECT 1 FROM races x WHERE x.request = f.request)"
		   " AND NOT EXISTS (SELECT 1 FROM recalls c WHERE c.request = f.request)"
		   " ORDER BY f.request",
	[Q_HOW_MANY] = "/*scan*/SELECT count(*) FROM races WHERE worker = ?1",
};
const struct stmt_set race_sql = { "race", texts, ARRAY_LEN(texts) };

/* One statement on one row: how many rows it changed. */
static int on_row(struct tally *t, int query, int64_t row, struct err *e)
{
	STMT(q, t->db, &race_sql, query);
	stmt_int(&q, 1, row);
	return stmt_run(&q, e);
}

static int look(struct tally *t, int64_t worker, int64_t row, struct request_started *out,
		struct err *e)
{
	STMT(q, t->db, &race_sql, Q_START);
	stmt_int(&q, 1, row);
	stmt_int(&q, 2, worker);
	int rc = stmt_step(&q, e);
	if (rc > 0)
		*out = (struct request_started){
			.row = row, .queue = stmt_col_int(&q, 0), .n = stmt_col_int(&q, 1) + 1,
			.counted = stmt_col_int(&q, 2), .throttled = stmt_col_int(&q, 3),
			.round = stmt_col_int(&q, 4),
		};
	return rc;
}

int race_start(struct tally *t, int64_t worker, int64_t bucket, int64_t row, int64_t now_ms,
	       struct request_started *out, struct err *e)
{
	struct tally_batch *b = tally_batch(t, request_batch(row), e);

	if (!b)
		return -1;
	if (b->status != BATCH_IN_PROGRESS || tally_past(b, now_ms))
		return 0;
	int rc = look(t, worker, row, out, e);
	if (rc <= 0)
		return rc;
	out->bucket = bucket;
	out->expires_ms = b->expires_ms;
	STMT(q, t->db, &race_sql, Q_FLY);
	stmt_int(&q, 1, row);
	stmt_int(&q, 2, worker);
	stmt_int(&q, 3, out->n);
	stmt_int(&q, 4, now_ms);
	stmt_int(&q, 5, bucket);
	if (stmt_run(&q, e) < 0 || on_row(t, Q_COUNT, row, e) < 0)
		return -1;
	tally_fly(t, bucket, worker, 1);
	b->racing = true;
	return 1;
}

int race_find(struct db *db, const struct race_search *s, int64_t *out, int n,
	      int64_t *next_ms, struct err *e)
{
	int64_t next = NEVER;
	int got = 0, rc = 0;

	STMT(q, db, &race_sql, Q_FIND);
	stmt_int(&q, 1, s->batch << 32);
	stmt_int(&q, 2, request_row(s->batch, UINT32_MAX));
	stmt_int(&q, 3, s->worker);
	stmt_int(&q, 4, s->bucket);
	stmt_int(&q, 5, s->retries);
	while (next > s->now_ms && (rc = stmt_step(&q, e)) > 0) {
		int64_t due = stmt_col_int(&q, 1);
		if (due <= s->now_ms && got < n)
			out[got++] = stmt_col_int(&q, 0);
		else if (due < next)
			next = due < s->now_ms ? s->now_ms : due;
	}
	*next_ms = next == NEVER ? -1 : next;
	return rc < 0 ? -1 : got;
}

int race_count(struct db *db, int64_t worker, struct err *e)
{
	STMT(q, db, &race_sql, Q_HOW_MANY);
	stmt_int(&q, 1, worker);
	return stmt_step(&q, e) < 0 ? -1 : (int)stmt_col_int(&q, 0);
}

int race_land(struct tally *t, int64_t worker, int64_t bucket, int64_t row, int64_t n,
	      struct err *e)
{
	STMT(q, t->db, &race_sql, Q_LAND);
	stmt_int(&q, 1, row);
	stmt_int(&q, 2, worker);
	stmt_int(&q, 3, n);
	int rc = stmt_run(&q, e);
	if (rc > 0)
		tally_fly(t, bucket, worker, -1);
	return rc;
}

/* The row in flights or races: 1, 0. */
static int find(struct tally *t, int query, int64_t row, struct request_end *end, struct err *e)
{
	STMT(q, t->db, &race_sql, query);
	stmt_int(&q, 1, row);
	int rc = stmt_step(&q, e);
	if (rc > 0)
		*end = (struct request_end){
			.row = row, .worker = stmt_col_int(&q, 0), .n = stmt_col_int(&q, 1),
			.started_ms = stmt_col_int(&q, 2), .bucket = stmt_col_int(&q, 3), .queue = stmt_col_int(&q, 4),
			.took_ms = -1, .verdict = VERDICT_RETRY, .kind = ANSWER_NONE,
		};
	return rc;
}

int race_goes_on(struct tally *t, int64_t row, struct err *e)
{
	struct request_end other;
	int rc = find(t, Q_FLIGHT, row, &other, e);

	if (rc != 0)
		return rc;
	rc = on_row(t, Q_MOVE, row, e);
	if (rc > 0)
		rc = on_row(t, Q_DROP_RACE, row, e) < 0 ? -1 : 2;
	return rc;
}

int race_end(struct tally *t, struct tally_batch *b, int64_t row, bool only_race,
	     const char *code, const char *message, int64_t now_ms, struct err *e)
{
	struct request_end other;
	int drop = Q_DROP_RACE, rc = find(t, Q_RACE, row, &other, e);

	if (rc == 0 && !only_race) {
		drop = Q_DROP_FLIGHT;
		rc = find(t, Q_FLIGHT, row, &other, e);
	}
	if (rc <= 0)
		return rc;
	if (now_ms > 0)
		other.took_ms = now_ms > other.started_ms ? now_ms - other.started_ms : 0;
	other.code = code;
	other.message = message;
	tally_fly(t, other.bucket, other.worker, -1);
	return on_row(t, drop, row, e) < 0 || request_record(t, b, &other, false, e) < 0 ? -1 : 1;
}
