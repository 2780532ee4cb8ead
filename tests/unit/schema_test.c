#include "store/schema.h"

#include <string.h>

#include "rows.h"
#include "unit.h"

static sqlite3 *raw;

/* Is the statement refused by a constraint? */
static bool refused(const char *sql)
{
	return sqlite3_exec(raw, sql, NULL, NULL, NULL) == SQLITE_CONSTRAINT;
}

static bool accepted(const char *sql)
{
	bool ok = sqlite3_exec(raw, sql, NULL, NULL, NULL) == SQLITE_OK;

	if (!ok)
		printf("# %s\n", sqlite3_errmsg(raw));
	return ok;
}

static void shape(void)
{
	CHECK(accepted(schema_text()), "the text is SQL of its own");
	CHECK_INT(ROWS_INT(raw, "PRAGMA application_id"), SCHEMA_APPLICATION, "it sets application_id");
	CHECK_INT(ROWS_INT(raw, "PRAGMA user_version"), SCHEMA_VERSION, "and user_version");
	CHECK(!accepted(schema_text()), "it is for a new file only");
	CHECK_STR(ROWS_TEXT(raw, "SELECT group_concat(name) FROM (SELECT name FROM pragma_table_list"
			    " WHERE schema = 'main' AND type = 'table' AND strict ORDER BY name)"),
		  "answers,attempts,batches,blocks,buckets,data_products,dataset_texts,datasets,"
		  "dependencies,events,file_models,files,flights,lines,models,product_outputs,product_texts,queues,races,"
		  "recalls,requests,retired_runs,shares,templates,usage,workers",
		  "the tables, all of them STRICT");
	CHECK_INT(ROWS_INT(raw, "SELECT count(*) FROM pragma_table_list WHERE schema = 'main'"
			   " AND type = 'table' AND NOT strict AND name NOT LIKE 'sqlite_%'"), 0,
		  "and none that is not");
	CHECK_INT(ROWS_INT(raw, "SELECT count(*) FROM sqlite_schema WHERE sql LIKE '%CREATE TRIGGER%'"),
		  0, "there is no trigger");
}

static void files(void)
{
	CHECK(accepted("INSERT INTO files (uuid, filename, created_ms, user)"
		       " VALUES (randomblob(16), 'a', 1, 'me')"), "a file");
	CHECK(refused("INSERT INTO files (uuid, filename, created_ms, user)"
		      " VALUES (randomblob(15), 'a', 1, 'me')"), "an id has 16 bytes");
	CHECK(refused("INSERT INTO files (uuid, filename, created_ms, user)"
		      " SELECT uuid, 'a', 1, 'me' FROM files"), "and is used once");
	CHECK(refused("INSERT INTO files (id, uuid, filename, created_ms, user)"
		      " VALUES (2147483648, randomblob(16), 'a', 1, 'me')"),
	      "a row below 2^31, so that composite keys stay positive");
	CHECK(refused("UPDATE files SET bytes = 'many'"), "a number is a number");
	CHECK(accepted("UPDATE files SET name = 'n'") &&
	      refused("INSERT INTO files (uuid, name, filename, created_ms, user)"
		      " VALUES (randomblob(16), 'n', 'b', 1, 'me')"), "a name is used once");
}

#define BATCH "INSERT INTO batches (uuid, file, identity, status, user, base_url, key_ref, created_ms"

static void batches(void)
{
	CHECK(accepted(BATCH ", total, pending) VALUES (randomblob(16), 1, x'00', 1, 'me', 'u', 'none',"
		       " 1, 3, 3)"), "a batch");
	CHECK(refused(BATCH ") VALUES (randomblob(16), 99, x'00', 1, 'me', 'u', 'none', 1)"),
	      "of a file that is there");
	CHECK(refused(BATCH ") VALUES (randomblob(16), 1, x'00', 7, 'me', 'u', 'none', 1)"),
	      "with a status that there is");
	CHECK(refused("UPDATE batches SET pending = 2"), "its counters add up to the total");
	CHECK(accepted("UPDATE batches SET pending = 2, completed = 1"), "and moves keep that");
	CHECK(refused("UPDATE batches SET retrying = 3"), "no more are retrying than pending");
	CHECK(refused("UPDATE batches SET retrying = -1"), "and not less than none");
	CHECK(refused("DELETE FROM files"), "a file stays while a batch shows it");
	CHECK(accepted("INSERT INTO models VALUES (1, 'm')") &&
	      refused("INSERT INTO models VALUES (2, 'm')"),
	      "a model is there once");
	CHECK(accepted("INSERT INTO queues (id, batch, model, pending) VALUES (5, 1, 1, 3)") &&
	      refused("INSERT INTO queues (batch, model) VALUES (1, 1)"),
	      "a queue per batch and model");
	CHECK(refused("UPDATE queues SET pending = -1") && refused("UPDATE queues SET retrying = 4"),
	      "with the same limits");
	CHECK(refused("INSERT INTO requests (id, queue, state) VALUES (1, 5, 6)"),
	      "a request has a state that there is");
	CHECK(accepted("INSERT INTO requests (id, queue, state, tries, due) VALUES (1 << 32 | 7,"
		       " 5, 0, 1, 9),"
		       " (1 << 32 | 8, 5, 0, 0, 0), (1 << 32 | 9, 5, 2, 1, 0)"), "requests");
	CHECK(accepted("INSERT INTO templates VALUES (1 << 32 | 7, 'seven', 1, x'00'),"
		       " (1 << 32 | 8, 'eight', 1, x'00'), (1 << 32 | 9, 'nine', 1, x'00')"),
	      "and their templates");
	CHECK_STR(ROWS_TEXT(raw, "SELECT group_concat(custom_id || ' ' || line || ' ' || state || ' '"
			    " || model) FROM request_list"),
		  "seven 7 retrying m,eight 8 pending m,nine 9 completed m",
		  "the view request_list reads them out");
	CHECK(accepted("DELETE FROM batches") && ROWS_INT(raw, "SELECT count(*) FROM queues") == 0,
	      "queues go with their batch");
}

static void workers(void)
{
	CHECK(accepted("INSERT INTO workers (slot, host, pid, user, version, config, started_ms)"
		       " VALUES (1, 'h', 1, 'me', '1', '{}', 1)"), "a worker");
	CHECK(accepted("DELETE FROM workers; INSERT INTO workers (slot, host, pid, user, version,"
		       " config, started_ms) VALUES (1, 'h', 1, 'me', '1', '{}', 1)"), "another one");
	CHECK_INT(ROWS_INT(raw, "SELECT id FROM workers"), 2, "an id of a worker is never used again");
}

#define PRODUCT "INSERT INTO data_products (id, dataset, uuid, name, version, compute, eager, state," \
	" since_us, modified_by, modified_us) VALUES "

static void plans(void)
{
	CHECK(accepted("INSERT INTO datasets (id, uuid, name, user, modified_by, modified_us, active_us)"
		       " VALUES (1, randomblob(16), 'd', 'me', 'me', 1, 1)"), "a dataset");
	CHECK(refused("UPDATE datasets SET failed = -1") && refused("UPDATE datasets SET ahead = -1") &&
	      refused("UPDATE datasets SET paused = 2"), "with counters and a switch");
	CHECK(refused("INSERT INTO datasets (uuid, name, user, modified_by, modified_us, active_us)"
		      " VALUES (randomblob(16), 'd', 'me', 'me', 1, 1)"), "a name is used once");
	CHECK(accepted(PRODUCT "(4294967297, 1, zeroblob(16), 'a', '1', 'exec', 1, 0, 1, 'me', 1),"
		       " (4294967298, 1, randomblob(16), 'a', '2', 'cams', 0, 3, 1, 'me', 1)"), "products");
	CHECK(refused(PRODUCT "(4294967299, 1, zeroblob(16), 'b', '1', 'exec', 1, 0, 1, 'me', 1)"),
	      "an id is used once in a dataset");
	CHECK(refused(PRODUCT "(4294967299, 1, randomblob(16), 'b', '1', 'spark', 1, 0, 1, 'me', 1)") &&
	      refused(PRODUCT "(4294967299, 1, randomblob(16), 'b', '1', 'exec', 1, 6, 1, 'me', 1)") &&
	      refused(PRODUCT "(8589934593, 1, randomblob(16), 'b', '1', 'exec', 1, 0, 1, 'me', 1)") &&
	      refused(PRODUCT "(8589934593, 2, randomblob(16), 'b', '1', 'exec', 1, 0, 1, 'me', 1)"),
	      "a compute, a state and a dataset that there are");
	CHECK(refused("UPDATE data_products SET parents_left = -1") &&
	      refused("UPDATE data_products SET run_id = x'00'") &&
	      refused("UPDATE data_products SET batch = 99"), "numbers that can be");
	CHECK(accepted("INSERT INTO dependencies (parent, child, modified_by, modified_us)"
		       " VALUES (4294967297, 4294967298, 'me', 1)"), "a dependency");
	CHECK(refused("INSERT INTO dependencies (parent, child, modified_by, modified_us)"
		      " VALUES (4294967297, 4294967298, 'me', 1)") &&
	      refused("INSERT INTO dependencies (parent, child, modified_by, modified_us)"
		      " VALUES (4294967297, 4294967299, 'me', 1)"), "once, between products");
	CHECK_STR(ROWS_TEXT(raw, "SELECT group_concat(dataset || ' ' || product || ' ' || state) FROM"
			    " product_list"), "d a waiting,d a success", "the view product_list reads them out");
	CHECK(accepted("INSERT INTO dataset_words (rowid, words) VALUES (1, 'abcd')") &&
	      ROWS_INT(raw, "SELECT count(*) FROM dataset_words WHERE dataset_words MATCH '\"bcd\"'") == 1 &&
	      ROWS_INT(raw, "SELECT count(*) FROM dataset_words WHERE dataset_words MATCH '\"BCD\"'") == 0,
	      "words are indexed by three characters, as they are");
}

int main(void)
{
	raw = rows_raw(":memory:");
	shape();
	files();
	batches();
	workers();
	plans();
	CHECK_STR(ROWS_TEXT(raw, "PRAGMA integrity_check"), "ok", "the file is sound");
	sqlite3_close(raw);
	return unit_done();
}
