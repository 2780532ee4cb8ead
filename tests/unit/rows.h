/* rows: a state file with batches made of plain rows, for the tests of what
 * moves them; and a second connection that looks at what they did.
 *
 * A step of the test's own that fails ends it. */
#ifndef FSL_ROWS_H
#define FSL_ROWS_H

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "domain/request.h"
#include "domain/tally.h"
#include "store/db.h"
#include "store/tx.h"
#include "unit.h"

struct rows {
	struct db *db;
	sqlite3 *raw;     /* the second connection */
	struct tally t;
	struct tx tx;
	int64_t now;      /* stamps: a number of the test's own */
};

static inline void rows_must(bool ok, const char *what, const char *why)
{
	if (ok)
		return;
	printf("Bail out! %s: %s\n", what, why);
	fflush(stdout);
	exit(1);
}

static inline const char *rows_path(const char *name)
{
	static char path[4096];

	snprintf(path, sizeof path, "%s/%s", unit_dir(), name);
	return path;
}

static inline sqlite3 *rows_raw(const char *path)
{
	sqlite3 *raw = NULL;
	int rc = sqlite3_open(path, &raw);

	rows_must(rc == SQLITE_OK, path, sqlite3_errmsg(raw));
	sqlite3_busy_timeout(raw, 10000);
	sqlite3_wal_autocheckpoint(raw, 0);
	sqlite3_exec(raw, "PRAGMA foreign_keys = ON", NULL, NULL, NULL);
	return raw;
}

static inline void rows_open(struct rows *r, const char *name)
{
	struct err e = ERR_INIT;

	*r = (struct rows){ .now = 1000 };
	r->db = db_open(rows_path(name), DB_CREATE, &e);
	rows_must(r->db != NULL, "db_open", e.msg);
	r->raw = rows_raw(db_path(r->db));
}

static inline void rows_close(struct rows *r)
{
	tally_release(&r->t);
	sqlite3_close(r->raw);
	db_close(r->db);
}

static inline sqlite3_stmt *rows_prepare(sqlite3 *raw, const char *sql, const int64_t *v, int n)
{
	sqlite3_stmt *s = NULL;
	int rc = sqlite3_prepare_v2(raw, sql, -1, &s, NULL);

	rows_must(rc == SQLITE_OK, sql, sqlite3_errmsg(raw));
	for (int i = 0; i < n; i++)
		sqlite3_bind_int64(s, i + 1, v[i]);
	return s;
}

/* The first column of the first row, -1 if there is none. */
static inline int64_t rows_int_(sqlite3 *raw, const char *sql, const int64_t *v, int n)
{
	sqlite3_stmt *s = rows_prepare(raw, sql, v, n);
	int rc = sqlite3_step(s);
	int64_t got = rc == SQLITE_ROW ? sqlite3_column_int64(s, 0) : -1;

	rows_must(rc == SQLITE_ROW || rc == SQLITE_DONE, sql, sqlite3_errmsg(raw));
	sqlite3_finalize(s);
	return got;
}

/* ROWS_INT(raw, "SELECT state FROM requests WHERE id = ?1", row) */
#define ROWS_INT(raw, sql, ...) rows_int_((raw), (sql), \
	(int64_t[]){ 0, ##__VA_ARGS__ } + 1, (int)ARRAY_LEN(((int64_t[]){ 0, ##__VA_ARGS__ })) - 1)
#define ROWS_DO(raw, sql, ...) ((void)ROWS_INT(raw, sql, ##__VA_ARGS__))

/* As ROWS_INT(), the column as text in a buffer of its own; "" if NULL. */
static inline const char *rows_text_(sqlite3 *raw, const char *sql, const int64_t *v, int n)
{
	static char text[512];
	sqlite3_stmt *s = rows_prepare(raw, sql, v, n);

	text[0] = '\0';
	if (sqlite3_step(s) == SQLITE_ROW && sqlite3_column_text(s, 0))
		snprintf(text, sizeof text, "%s", (const char *)sqlite3_column_text(s, 0));
	sqlite3_finalize(s);
	return text;
}
#define ROWS_TEXT(raw, sql, ...) rows_text_((raw), (sql), \
	(int64_t[]){ 0, ##__VA_ARGS__ } + 1, (int)ARRAY_LEN(((int64_t[]){ 0, ##__VA_ARGS__ })) - 1)

/* A batch in progress of `lines` pending requests, line 1 of the first of
 * `models` models, line 2 of the second, and around again.  Its row; the
 * queues are rows_queue(). */
static inline int64_t rows_batch(struct rows *r, int models, int lines, int64_t priority)
{
	sqlite3 *raw = r->raw;

	ROWS_DO(raw, "BEGIN IMMEDIATE");
	ROWS_DO(raw, "INSERT OR IGNORE INTO models (id, name) WITH RECURSIVE n(i) AS (SELECT 1"
		" UNION ALL SELECT i + 1 FROM n WHERE i < ?1) SELECT i, 'm' || i FROM n", models);
	ROWS_DO(raw, "INSERT OR IGNORE INTO files (id, uuid, filename, created_ms, user)"
		" VALUES (1, randomblob(16), 'in.jsonl', 1, 'me')");
	ROWS_DO(raw, "INSERT INTO batches (uuid, file, identity, status, user, base_url, key_ref,"
		" created_ms, total, pending, priority)"
		" VALUES (randomblob(16), 1, x'00', 1, 'me', 'http://h', 'none', 1, ?1, ?1, ?2)",
		lines, priority);
	int64_t id = ROWS_INT(raw, "SELECT max(id) FROM batches");
	ROWS_DO(raw, "INSERT INTO queues (id, batch, model, pending) SELECT ?1 * 1000 + id, ?1, id,"
		" (?2 + ?3 - id) / ?3 FROM models WHERE id <= ?3", id, lines, models);
	ROWS_DO(raw, "INSERT INTO requests (id, queue, state) WITH RECURSIVE n(i) AS (SELECT 1"
		" UNION ALL SELECT i + 1 FROM n WHERE i < ?2)"
		" SELECT ?1 << 32 | i, ?1 * 1000 + 1 + (i - 1) % ?3, 0 FROM n",
		id, lines, models);
	ROWS_DO(raw, "COMMIT");
	return id;
}

static inline int64_t rows_queue(int64_t batch, int model)
{
	return batch * 1000 + model;
}

/* How many batches, queues and shares have counters that their rows belie;
 * flights that no request in state 1 has, races and recalls without a flight,
 * attempts or answers that are not numbered 1 to n, or a usage that does not
 * add up. */
static inline int64_t rows_wrong(sqlite3 *raw)
{
	static const char *const sql[] = {
		"SELECT count(*) FROM batches b WHERE (b.total, b.pending, b.retrying,"
		" b.processing, b.completed, b.failed, b.cancelled, b.expired) IS NOT"
		" (SELECT count(*), count(*) FILTER (WHERE state = 0),"
		" count(*) FILTER (WHERE state = 0 AND due > 0), count(*) FILTER (WHERE state = 1),"
		" count(*) FILTER (WHERE state = 2), count(*) FILTER (WHERE state = 3),"
		" count(*) FILTER (WHERE state = 4), count(*) FILTER (WHERE state = 5)"
		" FROM requests r WHERE r.id >> 32 = b.id)",
		"SELECT count(*) FROM queues q WHERE (q.pending, q.retrying) IS NOT"
		" (SELECT count(*), count(*) FILTER (WHERE due > 0) FROM requests r"
		" WHERE r.queue = q.id AND state = 0)",
		"SELECT (SELECT count(*) FROM flights) <> (SELECT count(*) FROM requests r"
		" JOIN flights f ON f.request = r.id WHERE r.state = 1)"
		" OR (SELECT count(*) FROM flights) <> (SELECT count(*) FROM requests WHERE state = 1)",
		"SELECT count(*) FROM races c LEFT JOIN flights f USING (request, worker)"
		" WHERE f.n IS NULL OR f.n = c.n",
		"SELECT count(*) FROM requests r LEFT JOIN (SELECT request, count(*) AS count,"
		" max(n) AS last FROM (SELECT request, n FROM attempts UNION SELECT request, n FROM"
		" flights UNION SELECT request, n FROM races) GROUP BY request) a ON a.request = r.id"
		" WHERE (coalesce(a.count, 0), coalesce(last, 0)) IS NOT (r.tries, r.tries)",
		"SELECT count(*) FROM recalls c WHERE NOT EXISTS (SELECT 1 FROM flights f JOIN"
		" batches b ON b.id = f.request >> 32 WHERE f.request = c.request AND b.recalled = 1)",
		"SELECT count(*) FROM batches b WHERE (b.answers, b.answers) IS NOT"
		" (SELECT count(*), coalesce(max(id & 4294967295), 0) FROM answers a"
		" WHERE a.id >> 32 = b.id)",
		"SELECT count(*) FROM (SELECT bucket, worker, count(*) AS n FROM"
		" (SELECT bucket, worker FROM flights UNION ALL SELECT bucket, worker FROM races)"
		" GROUP BY bucket, worker) f FULL JOIN shares s USING (bucket, worker)"
		" WHERE coalesce(f.n, 0) <> coalesce(s.in_flight, 0)",
		"SELECT count(*) FROM batches b WHERE b.attempts <> (SELECT count(*) FROM attempts a"
		" WHERE a.request >> 32 = b.id)",
		"SELECT count(*) FROM batches b WHERE (b.completed + b.failed, b.attempts,"
		" b.input_tokens, b.cached_tokens, b.output_tokens, b.reasoning_tokens) IS NOT"
		" (SELECT ifnull(sum(requests), 0), ifnull(sum(attempts), 0),"
		" ifnull(sum(input_tokens), 0), ifnull(sum(cached_tokens), 0),"
		" ifnull(sum(output_tokens), 0), ifnull(sum(reasoning_tokens), 0)"
		" FROM usage u WHERE u.batch = b.id)",
	};
	int64_t wrong = 0;

	for (size_t i = 0; i < ARRAY_LEN(sql); i++)
		wrong += ROWS_INT(raw, sql[i]);
	return wrong;
}

/* A write transaction and its tally. */
static inline void rows_begin(struct rows *r)
{
	struct err e = ERR_INIT;

	rows_must(tx_begin(&r->tx, r->db, &e) == 0, "tx_begin", e.msg);
	tally_begin(&r->t, r->db);
}

/* Counts what is wrong after the commit. */
static inline int64_t rows_commit(struct rows *r)
{
	struct err e = ERR_INIT;

	rows_must(tally_flush(&r->t, r->now, &e) == 0, "tally_flush", e.msg);
	rows_must(tx_commit(&r->tx, &e) == 0, "tx_commit", e.msg);
	return rows_wrong(r->raw);
}

/* Starts one; what it knows of it in *s.  1 or 0. */
static inline int rows_start(struct rows *r, int64_t worker, int64_t row,
			     struct request_started *s)
{
	struct err e = ERR_INIT;
	int rc = request_start(&r->t, worker, 1, row, r->now, s, &e);

	rows_must(rc >= 0, "request_start", e.msg);
	return rc;
}

/* An attempt of the worker that ends so; HTTP 200 or 500. */
static inline struct request_end rows_end(const struct request_started *s, int64_t worker,
					  enum request_verdict verdict)
{
	bool ok = verdict == VERDICT_COMPLETED;

	return (struct request_end){
		.row = s->row, .queue = s->queue, .bucket = s->bucket, .worker = worker, .n = s->n,
		.verdict = verdict, .counts = !ok, .started_ms = 900, .took_ms = 100,
		.next_ms = verdict == VERDICT_RETRY ? 5000 : 0, .status = ok ? 200 : 500,
		.message = ok ? NULL : "it is broken", .body = SPAN_LIT("{}"), .bytes = 2,
		.input_tokens = 10, .cached_tokens = 4, .output_tokens = 3, .reasoning_tokens = 1,
	};
}

static inline int rows_settle(struct rows *r, const struct request_end *end)
{
	struct err e = ERR_INIT;
	int rc = request_settle(&r->t, end, r->now, &e);

	rows_must(rc >= 0, "request_settle", e.msg);
	return rc;
}

#endif
