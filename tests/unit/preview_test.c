/* preview: what fsl-run -n says, and that it changes nothing. */
#include "domain/ending.h"
#include "engine/preview.h"

#include <unistd.h>

#include "engine/oneshot.h"
#include "steps.h"

static const char text[] =
	"{\"custom_id\":\"r1\",\"url\":\"/v1/chat/completions\",\"body\":{\"model\":\"m-1\","
	"\"max_tokens\":1000,\"messages\":[]}}\n"
	"{\"custom_id\":\"r2\",\"url\":\"/v1/chat/completions\",\"body\":{\"model\":\"m-1\","
	"\"max_tokens\":1000,\"messages\":[]}}\n"
	"{\"custom_id\":\"r3\",\"url\":\"/v1/chat/completions\",\"body\":{\"model\":\"other\"}}\n";

static struct create_options create = CREATE_OPTIONS_INIT;
static char input_path[512], db_file[512], prices_path[512];

static void put(const char *path, const char *bytes)
{
	FILE *f = fopen(path, "w");

	fputs(bytes, f);
	fclose(f);
}

static struct str out = STR_INIT;
static enum err_code failed;

/* What it says, until it says something else. */
static const char *say(const struct preview *p)
{
	struct err e = ERR_INIT;

	str_reset(&out);
	failed = preview_run(p, &out, &e) < 0 ? e.code : ERR_NONE;
	if (failed) {
		str_reset(&out);
		str_addf(&out, "failed: %s", e.msg);
	}
	return str_z(&out);
}

static struct oneshot shot = { .input = input_path };
static const struct preview of_input = { .shot = &shot, .create = &create, .db_path = db_file };

static const char first[] =
	"curl -sS -g -X POST http://127.0.0.1:1/v1/chat/completions \\\n"
	"  -H 'Authorization: Bearer '\"$FSL_KEY\" \\\n"
	"  -H 'Content-Type: application/json' \\\n"
	"  --data-raw '{\"model\":\"m-1\",\"max_tokens\":1000,\"messages\":[]}'\n";

static void has(const char *said, const char *part, const char *rule)
{
	if (!CHECK(strstr(said, part) != NULL, "%s", rule))
		printf("# no: %s\n# in: %s\n", part, said);
}

static void lacks(const char *said, const char *part, const char *rule)
{
	if (!CHECK(!strstr(said, part), "%s", rule))
		printf("# in: %s\n", said);
}

static void inputs(void)
{
	struct preview p = of_input;
	struct str want CLEANUP(str_release) = STR_INIT;

	str_addf(&want, "# 2 requests to http://127.0.0.1:1, model m-1, key env:FSL_KEY\n"
		 "# key env:FSL_KEY: the variable is not set\n"
		 "# about 23 input tokens, at most 2,000 output tokens\n# the first of them:\n%s\n"
		 "# 1 request to http://127.0.0.1:1, model other, key env:FSL_KEY\n"
		 "# key env:FSL_KEY: the variable is not set\n"
		 "# about 4 input tokens; it sets no limit to its output\n# it is:\n", first);
	has(say(&p), str_z(&want), "per model: requests, tokens, the key, the first as curl");
	has(say(&p), "\n# in all 3 requests, about 27 input tokens\n# Nothing was sent.\n", "and in all");
	setenv("FSL_KEY", "canary-secret", 1);
	has(say(&p), "# the key is there\n", "a key that resolves");
	lacks(say(&p), "canary", "is not shown");
	CHECK(access(db_file, F_OK) < 0, "no state file is made");

	p.prices = prices_path;
	put(prices_path, "{\"m\":{\"input\":1,\"output\":4}}");
	has(say(&p), "2,000 output tokens; at most about 0.0081 USD\n",
	    "the most it may cost, to a hundredth of a cent and not less");
	has(say(&p), "its output; the model has no price\n", "or no price");
	has(say(&p), "# in all 3 requests, about 27 input tokens\n# Costs are for four bytes a token",
	    "then there is no cost in all");
	put(prices_path, "{\"\":{\"input\":1,\"output\":4}}");
	has(say(&p), "its output; about 0.0001 USD and what that output costs\n",
	    "output without a limit has no bound");
	put(prices_path, "{\"m\":{\"input\":1,\"output\":4},\"o\":{\"input\":1,\"output\":0}}");
	has(say(&p), "its output; at most about 0.0001 USD\n", "but if it costs nothing");
	has(say(&p), "27 input tokens; at most about 0.0082 USD\n", "costs in all");
	put(prices_path, "[]");
	has(say(&p), "prices.json: is no object", "bad prices are an error");
	CHECK_INT(failed, ERR_CONFIG, "of the configuration");
	p.prices = NULL;

	p.json = true;
	has(say(&p), "{\"base_url\":\"http://127.0.0.1:1\",\"key\":\"env:FSL_KEY\",\"key_resolves\":true,"
	    "\"model\":\"m-1\",\"requests\":2,\"input_tokens\":23,\"max_output_tokens\":2000,"
	    "\"unlimited\":0,\"max_cost\":null,\"custom_id\":\"r1\",\"curl\":\"curl -sS ", "as JSON");
	has(say(&p), "}\n{\"base_url\"", "an object a line");
	has(say(&p), "\"input_tokens\":4,\"max_output_tokens\":null,\"unlimited\":1,",
	    "null for what is not limited");
	lacks(say(&p), "#", "and nothing else");
	p.prices = prices_path;
	put(prices_path, "{\"m\":{\"input\":1,\"output\":4}}");
	has(say(&p), "\"max_cost\":0.0081,", "with its cost");
	unsetenv("FSL_KEY");
	has(say(&p), "\"key_resolves\":false,", "a key that is not there");
	create.key = "none";
	has(say(&p), "\"key\":\"none\",\"key_resolves\":null,", "no key");
	p.json = false;
	has(say(&p), "model m-1, no key\n# about 23", "in words");
	create.key = "env:FSL_KEY";
}

static void bad_inputs(void)
{
	struct preview p = of_input;

	put(input_path, "{\"custom_id\":\"r1\"}\n");
	has(say(&p), "1 problem", "a bad file is an error");
	CHECK_INT(failed, ERR_INPUT, "of the input");
	create.base_url = "ftp://h";
	has(say(&p), "--base-url", "so are bad options");
	CHECK_INT(failed, ERR_USAGE, "of usage");
	create.base_url = "http://127.0.0.1:1";
	shot.input = "nosuch.jsonl";
	has(say(&p), "nosuch.jsonl", "and a file that is not there");
	CHECK_INT(failed, ERR_NOINPUT, "which cannot be opened");
	shot.input = input_path;
	shot.output = shot.errors = prices_path;
	has(say(&p), "-o and -e are the same file", "outputs are checked");
	shot.output = NULL;
	shot.errors = "/nosuch/dir/bad.jsonl";
	has(say(&p), "/nosuch/dir", "each of them");
	CHECK_INT(failed, ERR_CANTCREAT, "for whether it can be made");
	shot.errors = NULL;
	put(input_path, text);
}

/* The batch that fsl-run -i would make; its row. */
static int64_t run_input(struct db *db)
{
	struct import im = IMPORT_INIT;
	struct create c CLEANUP(create_release) = CREATE_INIT;
	struct batch b CLEANUP(batch_release) = BATCH_INIT;
	struct oneshot o = { 0 };
	struct err e = ERR_INIT;

	fixture_must(create_make(&create, &c, &e) == 0, "create_make", &e);
	create_import(&create, input_path, &im);
	fixture_must(oneshot_batch(db, &im, &c, &o, &b, &e) == 0, "oneshot_batch", &e);
	return b.id;
}

/* Changes when another connection has committed. */
static int64_t version(struct db *db)
{
	struct err e = ERR_INIT;
	int64_t v = 0;

	fixture_must(db_version(db, &v, &e) == 0, "db_version", &e);
	return v;
}

static void resumed(struct db *db)
{
	int64_t id = run_input(db);
	struct preview p = of_input;

	fixture_complete(db, request_row(id, 1), "{}");
	fixture_fail(db, request_row(id, 3), 400, NULL, "{}");
	int64_t before = version(db);
	has(say(&p), "# goes on with batch_", "the same command again goes on");
	has(say(&p), ": 2 of 3 done\n# 1 request to http://127.0.0.1:1, model m-1,", "with the rest");
	has(say(&p), "-H 'Idempotency-Key: batch_req_", "under its id");
	shot.fresh = true;
	has(say(&p), "# 2 requests to", "--new sends everything");
	create.reuse_ms = INT64_C(1) << 60;
	has(say(&p), "# of what follows 2 would take the answer of an earlier request (--reuse)\n",
	    "or takes what is there, for equal requests");
	create.reuse_ms = 0;
	shot.fresh = false;
	create.headers = (const char *[]){ "X-A: b" }, create.n_headers = 1;
	has(say(&p), "# 2 requests to", "with other headers it is another batch");
	has(say(&p), "-H 'X-A: b'", "they are sent");
	create.n_headers = 0;
	CHECK_INT(version(db), before, "the state file is as it was");

	fixture_complete(db, request_row(id, 2), "{}");
	has(say(&p), "# it was batch_", "one that has ended");
	has(say(&p), ": 3 of 3 done (--retry-failed sends what failed, --new everything)\n"
	    "# nothing would be sent\n", "is not sent again");
	shot.retry_failed = true;
	has(say(&p), ": 2 of 3 done\n# 1 request to http://127.0.0.1:1, model other,",
	    "--retry-failed: but for what failed");
}

static void batches(struct db *db)
{
	struct preview p = { .db = db, .user = "nobody" };
	int64_t a = fixture_batch(db, fixture_file(db, text));
	struct err e = ERR_INIT;
	int64_t ids[] = { a, 0 };

	CHECK_STR(say(&p), "# nothing would be sent\n", "nothing of another user");
	p.user = NULL;
	has(say(&p), "# 2 requests to http://127.0.0.1:1/v1, model m-1, no key\n", "all that is open");
	has(say(&p), "Idempotency-Key: batch_req_", "as it is sent");
	p.batches = ids, p.n_batches = 1;
	has(say(&p), "# in all 3 requests,", "a batch that was named");
	fixture_complete(db, request_row(a, 1), "{}");
	has(say(&p), "# 1 request to http://127.0.0.1:1/v1, model m-1, no key\n", "only what is left");
	fixture_must(ending_cancel(db, a, false, &e) >= 0, "ending_cancel", &e);
	CHECK_STR(say(&p), "# nothing would be sent\n", "nothing of one that was cancelled");
	p.json = true;
	CHECK_STR(say(&p), "", "which is no line of JSON");
	ids[0] = 999;
	has(say(&p), "failed: ", "a batch that is gone");
	CHECK_INT(failed, ERR_NOTFOUND, "is not found");
}

/* What would be handed over counts, too. */
static void posts(void)
{
	struct compute c CLEANUP(compute_release) = COMPUTE_INIT;
	struct steps s;
	struct err e = ERR_INIT;
	const char *urls[] = { "cams=http://h/jobs", "dbxaas=http://h/dbx" }, *key = "dbxaas=env:FSL_KEY";

	steps_open(&s, "posts.db");
	const struct steps_product v[] = { { "a", "cams", "{\"n\":1e2}" }, { "b", "cams", "null" },
					   { "c", "dbxaas", "null" }, { "d", "cams", "null" } };
	steps_publish(&s, "far", v, 4, "a>d");
	struct preview p = { .db = s.p.db };
	CHECK_STR(say(&p), "# nothing would be sent\n", "without --compute nothing is handed over");
	fixture_must(compute_read(&c, urls, 2, &key, 1, &e) == 0, "compute_read", &e);
	p.compute = &c;
	has(say(&p), "# 2 requests to http://h/jobs, model h, no key\n", "with it what is queued");
	has(say(&p), "# 1 request to http://h/dbx, model h, key env:FSL_KEY\n", "of each compute");
	has(say(&p), "\"run_id\":\"00000000-0000-0000-0000-000000000000\",\"name\":\"a\",\"version\":\"1\","
	    "\"passthrough\":{\"n\":1e2}}'\n", "the first as curl, of a run that is not known yet");
	has(say(&p), "-H 'Authorization: Bearer '\"$FSL_KEY\"", "with its key");
	p.user = "nobody";
	CHECK_STR(say(&p), "# nothing would be sent\n", "nothing of another user");
	CHECK_STR(plans_states(&s.p, "far"), "a=queued b=queued c=queued d=waiting", "nothing has changed");
	steps_close(&s);
}

int main(void)
{
	snprintf(input_path, sizeof input_path, "%s/input.jsonl", unit_dir());
	snprintf(prices_path, sizeof prices_path, "%s/prices.json", unit_dir());
	snprintf(db_file, sizeof db_file, "%s/db", unit_dir());
	unsetenv("FSL_KEY");
	put(input_path, text);
	create.base_url = "http://127.0.0.1:1";
	create.key = "env:FSL_KEY";
	inputs();
	bad_inputs();
	struct db *db = fixture_db("db");
	resumed(db);
	batches(db);
	posts();
	str_release(&out);
	db_close(db);
	return unit_done();
}
