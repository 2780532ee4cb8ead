#include "engine/deliver.h"

#include <sys/stat.h>
#include <unistd.h>

#include "fixture.h"

static const char *path_of(const char *name)
{
	static char path[4][600];
	static int turn;

	turn = (turn + 1) % 4;
	snprintf(path[turn], sizeof path[turn], "%s/%s", unit_dir(), name);
	return path[turn];
}

/* How many lines a file has; -1: there is none. */
static int lines_in(const char *name)
{
	FILE *f = fopen(path_of(name), "r");
	int c, n = 0;

	if (!f)
		return -1;
	while ((c = getc(f)) != EOF)
		n += c == '\n';
	fclose(f);
	return n;
}

static int run(struct db *db, int64_t id, struct deliver d, struct err *e)
{
	struct batch b CLEANUP(batch_release) = BATCH_INIT;
	char out[600];

	unlink(path_of("out"));
	unlink(path_of("err"));
	snprintf(out, sizeof out, "%s", path_of("out"));
	if (strcmp(d.output, "-") == 0)
		d.output = out;
	*e = (struct err)ERR_INIT;
	fixture_get(db, id, &b);
	return deliver_batches(db, &b, 1, &d, e);
}

static void test_where(struct db *db, int64_t id)
{
	struct deliver d = DELIVER_INIT;
	struct err e = ERR_INIT;
	char err[600];

	snprintf(err, sizeof err, "%s", path_of("err"));
	CHECK(run(db, id, d, &e) == 3 && lines_in("out") == 2, "successes; exit 3, as some failed");
	d.errors = err;
	CHECK(run(db, id, d, &e) == 0 && lines_in("out") == 2 && lines_in("err") == 2,
	      "-e: the error lines, and exit 0");
	d = (struct deliver)DELIVER_INIT;
	d.failed = true;
	CHECK(run(db, id, d, &e) == 0 && lines_in("out") == 2 && lines_in("err") == -1,
	      "--failed: the error lines instead");
	d = (struct deliver)DELIVER_INIT;
	d.all = true;
	CHECK(run(db, id, d, &e) == 0 && lines_in("out") == 4, "--all: both");
	d.errors = err;
	CHECK(run(db, id, d, &e) == 0 && lines_in("out") == 4 && lines_in("err") == 2,
	      "and both with -e");
	d = (struct deliver)DELIVER_INIT;
	d.follow = true;
	CHECK(run(db, id, d, &e) == 3 && lines_in("out") == 2, "-f of a batch that has ended");
}

static void test_max_failed(struct db *db, int64_t id)
{
	static const struct { const char *text; int status; } cases[] = {
		{ "1", 3 }, { "2", 0 }, { "49%", 3 }, { "50%", 0 }, { "49.9%", 3 }, { "0", 3 },
	};
	struct deliver d = DELIVER_INIT;
	struct err e = ERR_INIT;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		d.max_failed = cases[i].text;
		CHECK_INT(run(db, id, d, &e), cases[i].status, "--max-failed %s of 2 in 4",
			  cases[i].text);
	}
	d.max_failed = "many";
	CHECK(run(db, id, d, &e) < 0 && e.code == ERR_USAGE && lines_in("out") == -1, "no number");
	d.max_failed = "101%";
	CHECK(run(db, id, d, &e) < 0 && e.code == ERR_USAGE, "more than all");
}

static void test_refused(struct db *db, int64_t id)
{
	struct batch two[2] = { BATCH_INIT, BATCH_INIT };
	struct deliver d = DELIVER_INIT;
	struct err e = ERR_INIT;
	char out[600];

	snprintf(out, sizeof out, "%s", path_of("out"));
	d.errors = d.output = out;
	CHECK(run(db, id, d, &e) < 0 && e.code == ERR_USAGE, "-o and -e are one file");
	d = (struct deliver)DELIVER_INIT;
	d.failed = d.all = true;
	CHECK(run(db, id, d, &e) < 0 && e.code == ERR_USAGE, "--failed and --all");
	d = (struct deliver)DELIVER_INIT;
	d.follow = true;
	d.order = DELIVER_INPUT;
	CHECK(run(db, id, d, &e) < 0 && e.code == ERR_USAGE, "--follow in input order");
	d = (struct deliver)DELIVER_INIT;
	d.follow = true;
	d.output = out;
	for (int i = 0; i < 2; i++)
		fixture_get(db, id, &two[i]);
	CHECK(deliver_batches(db, two, 2, &d, &e) < 0 && e.code == ERR_USAGE && e.hint[0],
	      "--follow of two batches");
	d.follow = false;
	CHECK(deliver_batches(db, two, 2, &d, &e) == 3 && lines_in("out") == 2,
	      "two batches are merged");
	for (int i = 0; i < 2; i++)
		batch_release(&two[i]);
	d = (struct deliver)DELIVER_INIT;
	d.after = "batch_12";
	CHECK(run(db, id, d, &e) < 0 && e.code == ERR_USAGE, "--after wants a request id");
	d.after = "batch_req_00000000000000000000000000000000" "00000001";
	CHECK(run(db, id, d, &e) < 0 && e.code == ERR_NOTFOUND, "of this batch");
}

static void test_after(struct db *db, int64_t id)
{
	struct batch b CLEANUP(batch_release) = BATCH_INIT;
	struct deliver d = DELIVER_INIT;
	struct err e = ERR_INIT;
	char text[REQUEST_ID_BUF];

	fixture_get(db, id, &b);
	d.all = true;
	d.after = batch_request_text(b.uuid, 3, text);
	CHECK(run(db, id, d, &e) == 0 && lines_in("out") == 1, "behind line 3, in input order");
	d.order = DELIVER_COMPLETION;
	CHECK(run(db, id, d, &e) == 0 && lines_in("out") == 3, "and in the order of completion");
}

static void test_unfinished(struct db *db)
{
	int64_t id = fixture_batch(db, fixture_lines(db, 3));
	struct deliver d = DELIVER_INIT;
	struct err e = ERR_INIT;

	fixture_complete(db, request_row(id, 2), "{}");
	CHECK(run(db, id, d, &e) == 4 && lines_in("out") == 1, "exit 4 while it runs");
}

int main(void)
{
	struct db *db = fixture_db("state.db");
	int64_t id = fixture_batch(db, fixture_lines(db, 4));
	int order[] = { 3, 1, 4, 2 };

	for (int i = 0; i < 4; i++) {
		if (order[i] > 2)
			fixture_complete(db, request_row(id, (uint32_t)order[i]), "{}");
		else
			fixture_fail(db, request_row(id, (uint32_t)order[i]), 400, NULL, "{}");
	}
	test_where(db, id);
	test_max_failed(db, id);
	test_refused(db, id);
	test_after(db, id);
	test_unfinished(db);
	db_close(db);
	return unit_done();
}
