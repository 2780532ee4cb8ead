/* fixture: a state file with batches in it, for the tests of what works on
 * them.  A step that fails ends the test. */
#ifndef FSL_FIXTURE_H
#define FSL_FIXTURE_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "domain/answer.h"
#include "domain/batch.h"
#include "domain/ending.h"
#include "domain/import.h"
#include "domain/request.h"
#include "store/tx.h"
#include "unit.h"

static inline void fixture_must(bool ok, const char *what, const struct err *e)
{
	if (ok)
		return;
	printf("Bail out! %s: %s\n", what, e->msg);
	exit(1);
}

static inline struct db *fixture_db(const char *name)
{
	struct err e = ERR_INIT;
	char path[512];

	snprintf(path, sizeof path, "%s/%s", unit_dir(), name);
	struct db *db = db_open(path, DB_CREATE, &e);
	fixture_must(db != NULL, "db_open", &e);
	return db;
}

/* Imports the text as a file; its row. */
static inline int64_t fixture_file(struct db *db, const char *text)
{
	struct err e = ERR_INIT;
	struct import im = IMPORT_INIT;
	struct file f = FILE_INIT;
	char path[512];

	snprintf(path, sizeof path, "%s/in.jsonl", unit_dir());
	FILE *out = fopen(path, "w");
	fputs(text, out);
	fclose(out);
	im.path = path;
	fixture_must(import_run(db, &im, &f, &e) == 0, "import_run", &e);
	int64_t id = f.id;
	file_release(&f);
	return id;
}

/* n lines "r1", "r2", ... of the model "m" as a file. */
static inline int64_t fixture_lines(struct db *db, int n)
{
	struct str text CLEANUP(str_release) = STR_INIT;

	for (int i = 1; i <= n; i++)
		str_addf(&text, "{\"custom_id\":\"r%d\",\"url\":\"/v1/chat/completions\","
			 "\"body\":{\"model\":\"m\"}}\n", i);
	return fixture_file(db, str_z(&text));
}

static inline struct batch_new fixture_new(int64_t file)
{
	static const struct send unset = SEND_INIT;

	return (struct batch_new){ .file = file, .base_url = "http://127.0.0.1:1/v1",
				   .key_ref = "none", .send = &unset };
}

/* A batch of the file; its row. */
static inline int64_t fixture_batch(struct db *db, int64_t file)
{
	struct err e = ERR_INIT;
	struct batch b CLEANUP(batch_release) = BATCH_INIT;
	struct batch_new n = fixture_new(file);
	bool existed;

	fixture_must(batch_create(db, &n, &b, &existed, &e) == 0, "batch_create", &e);
	return b.id;
}

static inline void fixture_get(struct db *db, int64_t id, struct batch *b)
{
	struct err e = ERR_INIT;

	fixture_must(batch_get(db, id, b, &e) == 0, "batch_get", &e);
}

enum { FIXTURE_WORKER = 77 };

/* Starts the request and, unless `end` is NULL, ends it as `end` says. */
static inline void fixture_send(struct db *db, int64_t row, struct request_end *end)
{
	struct err e = ERR_INIT;
	struct tally t CLEANUP(tally_release) = { 0 };
	struct request_started s;
	int64_t now = clock_wall_ms();

	TX(tx);
	fixture_must(tx_begin(&tx, db, &e) == 0, "tx_begin", &e);
	tally_begin(&t, db);
	fixture_must(request_start(&t, FIXTURE_WORKER, 0, row, now, &s, &e) == 1, "request_start",
		     &e);
	if (end) {
		end->row = row;
		end->queue = s.queue;
		end->worker = FIXTURE_WORKER;
		end->n = s.n;
		end->counts = true;
		end->started_ms = now;
		end->took_ms = 5;
		fixture_must(request_settle(&t, end, now, &e) == 1, "request_settle", &e);
	}
	fixture_must(tally_flush(&t, now, &e) == 0 && tx_commit(&tx, &e) == 0, "commit", &e);
}

/* It completes with this JSON body. */
static inline void fixture_complete(struct db *db, int64_t row, const char *body)
{
	struct request_end end = { .verdict = VERDICT_COMPLETED, .status = 200,
				   .request_id = SPAN_LIT("req_a1"), .kind = ANSWER_JSON,
				   .body = span_of(body), .bytes = (int64_t)strlen(body) };

	fixture_send(db, row, &end);
}

/* It fails: with an HTTP status and a body, or status 0 and a code. */
static inline void fixture_fail(struct db *db, int64_t row, int status, const char *code,
				const char *text)
{
	struct request_end end = { .verdict = VERDICT_FAILED, .status = status, .code = code,
				   .message = text, .kind = status ? ANSWER_JSON : ANSWER_NONE,
				   .body = status ? span_of(text) : SPAN_NONE };

	fixture_send(db, row, &end);
}

/* It fails for now and is due again at `next_ms`. */
static inline void fixture_retry(struct db *db, int64_t row, int status, int64_t next_ms)
{
	struct request_end end = { .verdict = VERDICT_RETRY, .status = status, .message = "slow",
				   .kind = ANSWER_NONE, .next_ms = next_ms };

	fixture_send(db, row, &end);
}

/* Every text of the set prepares and scans nothing that is not marked. */
static inline void fixture_check_plans(struct db *db, const struct stmt_set *set)
{
	for (int i = 0; i < set->n; i++) {
		struct err e = ERR_INIT;
		CHECK(stmt_check_plan(db, set, i, &e) == 0, "%s: statement %d is searched, not "
		      "scanned (%s)", set->name, i, e.msg);
	}
}

#endif
