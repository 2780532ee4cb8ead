#include "domain/change.h"

#include "fixture.h"

static int change(struct db *db, int64_t id, const struct change *c, int64_t *n, struct err *e)
{
	struct batch b CLEANUP(batch_release) = BATCH_INIT;
	struct change_done done = { .requests = -1 };

	fixture_get(db, id, &b);
	int rc = change_batch(db, &b, c, &done, e);
	*n = done.requests;
	return rc;
}

static void test_cancel_and_retry(struct db *db)
{
	int64_t id = fixture_batch(db, fixture_lines(db, 5)), n;
	static const char *const two[] = { "r2", "r3", NULL }, *unknown[] = { "r4", "r9", NULL };
	static const char *const empty[] = { NULL };
	struct select f = { .states = 0 };
	struct change c = { .what = CHANGE_CANCEL, .chosen = &f, .dry_run = true };
	struct batch b CLEANUP(batch_release) = BATCH_INIT;
	struct err e = ERR_INIT;

	CHECK(change(db, id, &c, &n, &e) == 1 && n == 5, "-n: what cancel would do");
	f.custom_ids = two;
	CHECK(change(db, id, &c, &n, &e) == 1 && n == 2, "-n: of two requests");
	c.dry_run = false;
	f.custom_ids = unknown;
	CHECK(change(db, id, &c, &n, &e) < 0 && e.code == ERR_NOTFOUND && strstr(e.msg, "'r9'"),
	      "a custom id that is not there");
	f.custom_ids = empty;
	CHECK(change(db, id, &c, &n, &e) == 1 && n == 0, "no custom id is not every one");
	fixture_get(db, id, &b);
	CHECK_INT(b.pending, 5, "nothing was changed yet");
	f.custom_ids = two;
	CHECK(change(db, id, &c, &n, &e) == 1 && n == 2, "two requests are cancelled");
	CHECK(change(db, id, &c, &n, &e) == 1 && n == 0, "twice is fine");
	fixture_get(db, id, &b);
	CHECK(b.status == BATCH_IN_PROGRESS && b.cancelled == 2, "the others go on");
	f.custom_ids = NULL;
	CHECK(change(db, id, &c, &n, &e) == 1 && n == 3, "then all of it");

	c = (struct change){ .what = CHANGE_RETRY, .chosen = &f, .dry_run = true };
	CHECK(change(db, id, &c, &n, &e) == 1 && n == 5, "-n: what retry would do");
	fixture_get(db, id, &b);
	CHECK(b.status == BATCH_CANCELLED, "and has not done");
	c.dry_run = false;
	CHECK(change(db, id, &c, &n, &e) == 1 && n == 5, "retry");
}

static void test_delete(struct db *db)
{
	int64_t id = fixture_batch(db, fixture_lines(db, 2)), n;
	struct change c = { .what = CHANGE_DELETE };
	struct batch b CLEANUP(batch_release) = BATCH_INIT;
	struct err e = ERR_INIT;

	CHECK(change(db, id, &c, &n, &e) < 0 && e.code == ERR_STATE && e.hint[0],
	      "a running batch is refused");
	c.every = true;
	CHECK(change(db, id, &c, &n, &e) == 0, "unless nobody named it: then it stays");
	c.every = false;
	fixture_complete(db, request_row(id, 1), "{}");
	fixture_must(ending_cancel(db, id, false, &e) == 1, "cancel", &e);
	CHECK(change(db, id, &c, &n, &e) < 0 && e.code == ERR_STATE && strstr(e.msg, "(1)"),
	      "completed results: refused, and how many");
	c.older_than_ms = 3600000;
	CHECK(change(db, id, &c, &n, &e) == 0, "one that is too young is left alone");
	c = (struct change){ .what = CHANGE_DELETE, .force = true, .dry_run = true };
	CHECK(change(db, id, &c, &n, &e) == 1 && n == 2, "-n --force");
	fixture_get(db, id, &b);
	c.dry_run = false;
	CHECK(change(db, id, &c, &n, &e) == 1 && n == 2, "--force deletes it");
	CHECK(batch_get(db, id, &b, &e) < 0, "and it is gone");
}

int main(void)
{
	struct db *db = fixture_db("state.db");

	test_cancel_and_retry(db);
	test_delete(db);
	db_close(db);
	return unit_done();
}
