#include "domain/reason.h"

#include "domain/lease.h"
#include "domain/worker.h"
#include "plans.h"

static struct plans p;

static const char *why(const char *product)
{
	static char text[600];
	struct str out CLEANUP(str_release) = STR_INIT;
	struct product v CLEANUP(product_release) = PRODUCT_INIT;
	struct dataset d CLEANUP(dataset_release) = DATASET_INIT;
	struct err e = ERR_INIT;

	rows_must(dataset_find(p.db, "plan", &d, &e) == 0 && product_find(p.db, d.id, product, &v, &e) == 0 &&
		  reason_text(p.db, &d, &v, &out, &e) == 0, product, e.msg);
	snprintf(text, sizeof text, "%s", str_z(&out));
	return text;
}

/* What z gave back, and its link (NULL: none). */
static void give_back(const char *passback, const char *link)
{
	sqlite3_stmt *s = rows_prepare(p.raw, "INSERT OR REPLACE INTO product_texts (id, passback, link)"
				       " SELECT id, ?1, ?2 FROM data_products WHERE name = 'z'", NULL, 0);

	sqlite3_bind_text(s, 1, passback, -1, SQLITE_STATIC);
	sqlite3_bind_text(s, 2, link, -1, SQLITE_STATIC);
	rows_must(sqlite3_step(s) == SQLITE_DONE, "product_texts", sqlite3_errmsg(p.raw));
	sqlite3_finalize(s);
}

/* A failure that has no batch: what was given back tells why. */
static void said(void)
{
	static const struct { const char *passback, *want, *rule; } cases[] = {
		{ "{\"exit_status\":5,\"error\":\"exit status 5\",\"stderr\":\"Traceback:\\n  x\\nno\\tsuch page\\r\\n\\n\"}",
		  "exit status 5: no\\x09such page", "a command: how it ended, and its last words" },
		{ "{\"exit_status\":null,\"error\":\"signal 9\",\"stderr\":\"\"}", "signal 9",
		  "one that said nothing" },
		{ "{\"error\":\"line 2:14: bad\"}", "line 2:14: bad", "an error of ours" },
		{ "{\"error\":{\"code\":7,\"message\":\"no \\u001b[31mrows\"},\"stderr\":4}",
		  "no \\x1b[31mrows", "an error as servers write it, safe to print" },
		{ "{\"error\":null,\"message\":\"too late\"}", "too late", "a message" },
		{ "{\"error\":{\"code\": 7}}", "{\"code\":7}", "an error without one" },
		{ "{\"rows\": 0, \"note\":\"\\u202e\"}", "{\"rows\":0,\"note\":\"\\u202e\"}",
		  "whatever else it is" },
		{ "\"disk full\\n\"", "disk full", "a text" },
		{ "null", "was reported as failed: fletcher-plan retry runs it again", "nothing" },
		{ "{}", "was reported as failed: fletcher-plan retry runs it again", "an empty object" },
		{ "{\"error\":\"  \\n\"}", "was reported as failed: fletcher-plan retry runs it again",
		  "an empty error" },
	};
	char text[300], want[300];

	plans_publish(&p, "plan", "z", "");
	rows_must(plans_update(&p, "plan", "z=failed") == 0, "update", p.e.msg);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		give_back(cases[i].passback, NULL);
		CHECK_STR(why("z"), cases[i].want, "%s", cases[i].rule);
	}
	memset(text, 'x', 250);
	memcpy(text, "\"", 1);
	memcpy(text + 250, "\"", 2);
	snprintf(want, sizeof want, "%.200s... (http://h/\\x0a)", text + 1);
	give_back(text, "http://h/\n");
	CHECK_STR(why("z"), want, "what is long is cut; its link stands behind it");
}

int main(void)
{
	struct worker w = { 0, 0 };
	struct id run;

	plans_open(&p, "db");
	struct rows r = { .db = p.db, .raw = p.raw };
	plans_publish(&p, "plan", "a b c f g! k m", "a>k b>k c>k f>k g>k a>m b>m");
	CHECK_STR(why("k"), "waits for a (queued), b (queued), c (queued) and 2 more",
		  "the parents that hold it back");
	CHECK_STR(why("m"), "waits for a (queued), b (queued)", "all of them, if they are few");
	CHECK_STR(why("a"), "waits for a worker with --compute cams=URL, or for whoever reports it with"
		  " fletcher-plan update", "what runs elsewhere");
	CHECK_STR(why("g"), "is not eager: fletcher-plan trigger starts it", "what waits for a person");
	ROWS_DO(p.raw, "UPDATE data_products SET compute = 'batch' WHERE name = 'a'");
	CHECK_STR(why("a"), "no worker is running", "what waits for a worker");
	rows_must(worker_enter(p.db, &(struct worker_new){ .version = "1", .config = "{}" }, &w, &p.e) == 0, "worker_enter", p.e.msg);
	CHECK_STR(why("a"), "no worker has started it yet", "one that is there");
	rows_must(lease_hold(p.db, plans_row(&p, "plan", "a"), "in\x1b: no such file", &p.e) == 0, "hold",
		  p.e.msg);
	CHECK_STR(why("a"), "in\\x1b: no such file", "why a worker does not start it");
	rows_must(lease_claim(p.db, plans_row(&p, "plan", "a"), w.id, &run, &p.e) == 1, "claim", p.e.msg);
	CHECK(strncmp(why("a"), "is being started by a worker (process ", 38) == 0, "what is being started");
	rows_must(lease_report(p.db, plans_row(&p, "plan", "a"), run, STATE_RUNNING, SPAN_NONE, SPAN_NONE,
			       &p.e) == 1, "report", p.e.msg);
	CHECK(strncmp(why("a"), "is run by a worker (process ", 28) == 0, "what runs");
	rows_must(worker_leave(p.db, &w, &p.e) == 0 && plans_update(&p, "plan", "a=failed b=running") == 0,
		  "update", p.e.msg);
	CHECK_STR(why("a"), "was reported as failed: fletcher-plan retry runs it again", "what failed elsewhere");
	CHECK_STR(why("b"), "", "what runs elsewhere");
	int64_t batch = rows_batch(&r, 1, 3, 0);
	ROWS_DO(p.raw, "UPDATE batches SET pending = 0, failed = 3, status = 2, uuid = "
		"x'abcdef01234567890123456789abcdef' WHERE id = ?1", batch);
	ROWS_DO(p.raw, "UPDATE data_products SET batch = ?1, resume = 1 WHERE name IN ('a', 'b')", batch);
	ROWS_DO(p.raw, "UPDATE batches SET completed_ms = 1000, attempts = 2 WHERE id = ?1", batch);
	CHECK_STR(why("b"), "", "what runs elsewhere, whatever became of our request");
	ROWS_DO(p.raw, "UPDATE data_products SET compute = 'dbxaas' WHERE name = 'a'");
	CHECK_STR(why("a"), "could not be handed over to http://h: fsl-batch errors batch_abcdef01234567",
		  "what could not be handed over");
	ROWS_DO(p.raw, "UPDATE batches SET failed = 0, completed = 3 WHERE id = ?1", batch);
	CHECK_STR(why("a"), "was reported as failed: fletcher-plan retry runs it again",
		  "what was, and failed there");
	CHECK_STR(why("b"), "was handed over to http://h at 1970-01-01T00:00:01Z and waits for fletcher-plan"
		  " update", "what was, and runs");
	ROWS_DO(p.raw, "UPDATE data_products SET state = 1, worker = 9 WHERE name = 'b'");
	CHECK_STR(why("b"), "is being handed over to http://h (2 attempts so far); no worker is running",
		  "what is");
	ROWS_DO(p.raw, "UPDATE data_products SET state = 2, worker = NULL WHERE name = 'b'");
	ROWS_DO(p.raw, "UPDATE batches SET failed = 3, completed = 0 WHERE id = ?1", batch);
	ROWS_DO(p.raw, "UPDATE data_products SET compute = 'batch' WHERE name = 'a'");
	CHECK_STR(why("a"), "3 of 3 requests failed: fsl-batch errors batch_abcdef01234567", "what failed here");
	ROWS_DO(p.raw, "UPDATE batches SET failed = 1, cancelled = 2 WHERE id = ?1", batch);
	CHECK_STR(why("a"), "3 of 3 requests did not complete, 2 cancelled: fsl-batch errors batch_abcdef01234567",
		  "what somebody cancelled");
	ROWS_DO(p.raw, "UPDATE batches SET failed = 3, cancelled = 0 WHERE id = ?1", batch);
	rows_must(plans_do(&p, "disable", "plan", "c") == 0 && steer_pause(&p.s, "plan", true, &p.e) == 1,
		  "disable", p.e.msg);
	CHECK_STR(why("k"), "waits for a (failed), b (running), f (queued) and 1 more", "not the disabled");
	CHECK_STR(why("c"), "is not part of the plan: fletcher-plan enable brings it back", "the disabled");
	rows_must(plans_do(&p, "clear", "plan", "f") == 0, "clear", p.e.msg);
	CHECK_STR(why("f"), "the dataset is paused: fletcher-plan unpause goes on", "in a paused dataset");
	CHECK_STR(why("g"), "is not eager: fletcher-plan trigger starts it", "where a person may do it all the same");
	ROWS_DO(p.raw, "UPDATE batches SET failed = 0, completed = 3 WHERE id = ?1", batch);
	CHECK_STR(why("a"), "was reported as failed: fletcher-plan retry runs it again",
		  "a batch without failures is not why");
	said();
	plans_close(&p);
	return unit_done();
}
