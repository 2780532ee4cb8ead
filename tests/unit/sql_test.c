/* Every statement of the project can be prepared, and reads a whole table or
 * index only if it says so. */
#include <glob.h>
#include <string.h>

#include "base/str.h"
#include "domain/attempt.h"
#include "domain/batch.h"
#include "domain/batchrows.h"
#include "domain/bucket.h"
#include "domain/cascade.h"
#include "domain/chosen.h"
#include "domain/claim.h"
#include "domain/dataset.h"
#include "domain/ending.h"
#include "domain/event.h"
#include "domain/exchange.h"
#include "domain/file.h"
#include "domain/graphload.h"
#include "domain/forecast.h"
#include "domain/importrows.h"
#include "domain/lease.h"
#include "domain/model.h"
#include "domain/overview.h"
#include "domain/peer.h"
#include "domain/planjson.h"
#include "domain/product.h"
#include "domain/publishrows.h"
#include "domain/produce.h"
#include "domain/queue.h"
#include "domain/race.h"
#include "domain/reach.h"
#include "domain/reason.h"
#include "domain/recall.h"
#include "domain/request.h"
#include "domain/result.h"
#include "domain/reuse.h"
#include "domain/roster.h"
#include "domain/search.h"
#include "domain/select.h"
#include "domain/steer.h"
#include "domain/tally.h"
#include "domain/usage.h"
#include "domain/worker.h"
#include "engine/rest.h"
#include "rows.h"
#include "unit.h"

static const struct { const char *name; const struct stmt_set *set; } sets[] = {
	{ "attempt_sql", &attempt_sql }, { "batch_sql", &batch_sql },
	{ "batchrows_sql", &batchrows_sql }, { "claim_sql", &claim_sql }, { "source_sql", &source_sql },
	{ "bucket_sql", &bucket_sql }, { "peer_sql", &peer_sql },
	{ "exchange_sql", &exchange_sql }, { "file_sql", &file_sql },
	{ "forecast_sql", &forecast_sql }, { "importrows_sql", &importrows_sql },
	{ "model_sql", &model_sql }, { "queue_sql", &queue_sql }, { "request_sql", &request_sql },
	{ "result_sql", &result_sql }, { "roster_sql", &roster_sql }, { "select_sql", &select_sql },
	{ "tally_sql", &tally_sql }, { "usage_sql", &usage_sql }, { "worker_sql", &worker_sql },
	{ "reuse_sql", &reuse_sql }, { "graphload_sql", &graphload_sql },
	{ "produce_sql", &produce_sql },
	{ "ending_sql", &ending_sql }, { "race_sql", &race_sql }, { "recall_sql", &recall_sql },
	{ "cascade_sql", &cascade_sql }, { "chosen_sql", &chosen_sql },
	{ "dataset_sql", &dataset_sql }, { "event_sql", &event_sql },
	{ "lease_sql", &lease_sql }, { "overview_sql", &overview_sql },
	{ "planjson_sql", &planjson_sql }, { "product_sql", &product_sql },
	{ "publishrows_sql", &publishrows_sql }, { "reach_sql", &reach_sql },
	{ "reason_sql", &reason_sql }, { "rest_sql", &rest_sql },
	{ "search_sql", &search_sql }, { "steer_sql", &steer_sql },
};

static bool known(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(sets); i++)
		if (strcmp(sets[i].name, name) == 0)
			return true;
	return false;
}

/* The sets that the headers of lib/ declare, of which none may be missing here. */
static void complete(void)
{
	glob_t g;
	int n = 0;

	rows_must(glob("lib/*/*.h", 0, NULL, &g) == 0, "lib/*/*.h", "run it in the top directory");
	for (size_t i = 0; i < g.gl_pathc; i++) {
		FILE *f = fopen(g.gl_pathv[i], "r");
		char line[512], name[64];
		while (f && fgets(line, sizeof line, f))
			if (sscanf(line, "extern const struct stmt_set %63[a-z_];", name) == 1) {
				n++;
				if (!known(name))
					CHECK(false, "%s: %s is tested here", g.gl_pathv[i], name);
			}
		fclose(f);
	}
	CHECK_INT(n, ARRAY_LEN(sets), "all sets of statements in lib/ are tested");
	globfree(&g);
}

static sqlite3_stmt *explain(sqlite3 *raw, const char *how, const struct stmt_set *set, int index)
{
	struct str sql CLEANUP(str_release) = STR_INIT;

	str_addz(&sql, how);
	str_addz(&sql, set->texts[index]);
	return rows_prepare(raw, str_z(&sql), NULL, 0);
}

/* Is this a line of the plan?  Prints the plan. */
static bool plan_has(sqlite3 *raw, const struct stmt_set *set, int index, const char *want)
{
	sqlite3_stmt *s = explain(raw, "EXPLAIN QUERY PLAN ", set, index);
	bool found = false;

	while (sqlite3_step(s) == SQLITE_ROW) {
		const char *detail = (const char *)sqlite3_column_text(s, 3);
		printf("# %s/%d: %s\n", set->name, index, detail);
		found |= strcmp(detail, want) == 0;
	}
	sqlite3_finalize(s);
	return found;
}

/* Does the statement never look at a row of `requests`?  A plan does not call
 * an index covering when its WHERE has a column that the text names, so this
 * reads the program: what is done with the cursor of the table. */
static bool index_only(sqlite3 *raw, const struct stmt_set *set, int index)
{
	int64_t root = ROWS_INT(raw, "SELECT rootpage FROM sqlite_schema WHERE name = 'requests'");
	sqlite3_stmt *s = explain(raw, "EXPLAIN ", set, index);
	int table = -1, reads = 0;

	while (sqlite3_step(s) == SQLITE_ROW) {
		const char *op = (const char *)sqlite3_column_text(s, 1);
		int p1 = sqlite3_column_int(s, 2);
		if (strcmp(op, "OpenRead") == 0 && sqlite3_column_int64(s, 3) == root)
			table = p1;
		else if (p1 == table && (strcmp(op, "Column") == 0 || strcmp(op, "Rowid") == 0 ||
					 strcmp(op, "FinishSeek") == 0 || strncmp(op, "Seek", 4) == 0))
			reads++;
	}
	sqlite3_finalize(s);
	return reads == 0;
}

/* The text that contains a piece; -1 if that is not exactly one. */
static int with(const struct stmt_set *set, const char *piece)
{
	int found = -1, n = 0;

	for (int i = 0; i < set->n; i++)
		if (strstr(set->texts[i], piece)) {
			found = i;
			n++;
		}
	return n == 1 ? found : -1;
}

/* Prints its plan too. */
static int hot(sqlite3 *raw, const struct stmt_set *set, const char *piece, const char *want,
	       const char *rule)
{
	int index = with(set, piece);

	if (CHECK(index >= 0, "%s has a statement with '%s'", set->name, piece))
		CHECK(plan_has(raw, set, index, want), "%s: %s", rule, want);
	return index;
}

/* `fsl-batch queue` stays cheap with a million requests. */
static void waits(sqlite3 *raw)
{
	int due = hot(raw, &queue_sql, "SELECT due FROM", "SEARCH requests USING INDEX"
		      " requests_pending (queue=? AND due>?)", "the next due is read in the index");
	CHECK(index_only(raw, &queue_sql, due), "and nowhere else");
	hot(raw, &queue_sql, "status IN (1, 5)", "SEARCH b USING INDEX batches_open (status=?)",
	    "batches that have ended are not read");
	hot(raw, &queue_sql, "UNION ALL", "SEARCH r USING INTEGER PRIMARY KEY (rowid=?)",
	    "of requests those in flight");
}

static void claims(sqlite3 *raw)
{
	int fresh = hot(raw, &source_sql, "due = 0 AND id > ?2", "SEARCH requests USING INDEX"
			" requests_pending (queue=? AND due=? AND rowid>?)",
			"a claim begins in the index where the last has ended");
	int due = hot(raw, &source_sql, "due <= ?2", "SEARCH requests USING INDEX requests_pending"
		      " (queue=? AND due>? AND due<?)", "what is due is a range of the index");
	int next = hot(raw, &source_sql, "SELECT due FROM", "SEARCH requests USING INDEX"
		       " requests_pending (queue=? AND due>?)", "so is what is due next");

	CHECK(fresh >= 0 && index_only(raw, &source_sql, fresh), "a claim reads only the index");
	CHECK(due >= 0 && index_only(raw, &source_sql, due), "so does one of what is due");
	CHECK(next >= 0 && index_only(raw, &source_sql, next), "and the search for the next due time");
	hot(raw, &claim_sql, "FROM queues", "SEARCH queues USING INDEX queues_active (batch=?)",
	    "empty queues are not read");
	CHECK(!index_only(raw, &request_sql, with(&request_sql, "SELECT queue, state")),
	      "a statement that reads the row is told from these");
}

static void moves(sqlite3 *raw)
{
	hot(raw, &request_sql, "DELETE FROM flights", "SEARCH flights USING INTEGER PRIMARY KEY"
	    " (rowid=?)",
	    "landing is one row");
	hot(raw, &request_sql, "FROM flights f", "SEARCH f USING INTEGER PRIMARY KEY (rowid>?)",
	    "a rescue walks on");
	hot(raw, &ending_sql, "due = 0 WHERE id > ?1",
	    "SEARCH requests USING INTEGER PRIMARY KEY (rowid>? AND rowid<?)",
	    "cancelling and expiring walk the rows of their batch");
	hot(raw, &tally_sql, "FROM races", "SEARCH races USING INTEGER PRIMARY KEY"
	    " (rowid>? AND rowid<?)", "a batch without races has none to look at");
	hot(raw, &recall_sql, "AND expires_ms > 0", "SEARCH batches USING INDEX batches_expiry"
	    " (expires_ms>?)", "the next expiry is the first of an index");
	hot(raw, &recall_sql, "status = 5", "SEARCH batches USING INDEX batches_open (status=?)",
	    "so are batches that are being cancelled");
	hot(raw, &recall_sql, "SELECT min(", "SEARCH f USING INTEGER PRIMARY KEY"
	    " (rowid>? AND rowid<?)", "the flights of a batch are a range");
	hot(raw, &worker_sql, "FROM workers w", "SEARCH w USING INDEX workers_open (slot>?)",
	    "workers that have ended are not read");
}

static void fill(struct rows *r)
{
	struct request_started s;

	for (int i = 0; i < 3; i++)
		rows_batch(r, 4, 5000, i);
	for (uint32_t line = 1; line <= 100; line++) {
		rows_begin(r);
		rows_must(rows_start(r, 1, request_row(1, line), &s) == 1, "start", "not pending");
		struct request_end end = rows_end(&s, 1, (enum request_verdict)(line % 3));
		if (line % 10 > 0)
			rows_settle(r, &end);
		rows_commit(r);
	}
	ROWS_DO(r->raw, "INSERT INTO templates (id, custom_id, model, hash)"
		" SELECT 1 << 32 | (id & 4294967295), 'r' || id, 1, x'00' FROM requests WHERE id"
		" >> 32 = 1");
	ROWS_DO(r->raw, "INSERT INTO lines (id, raw) SELECT id, x'7b7d' FROM templates");
	ROWS_DO(r->raw, "INSERT INTO file_models SELECT 1, id, 1250 FROM models");
	ROWS_DO(r->raw, "INSERT INTO workers (slot, host, pid, user, version, config, started_ms)"
		" VALUES (1, 'h', 1, 'me', '1', '{}', 1)");
}

int main(void)
{
	struct rows r;

	complete();
	rows_open(&r, "db");
	fill(&r);
	CHECK_INT(ROWS_INT(r.raw, "SELECT count(*) FROM sqlite_schema WHERE name LIKE"
			   " 'sqlite_stat%'"), 0,
		  "the plans are those of a file without ANALYZE");
	for (size_t i = 0; i < ARRAY_LEN(sets); i++) {
		const struct stmt_set *set = sets[i].set;
		for (int k = 0; k < set->n; k++) {
			struct err e = ERR_INIT;
			if (!CHECK(stmt_check_plan(r.db, set, k, &e) == 0,
				   "%s/%d searches, or says that it scans", set->name, k))
				printf("# %s\n", e.msg);
		}
	}
	claims(r.raw);
	waits(r.raw);
	moves(r.raw);
	rows_close(&r);
	return unit_done();
}
