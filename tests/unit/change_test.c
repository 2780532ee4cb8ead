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

/* The window of the batch is over. */
static void pass(struct db *db, int64_t id)
{
	static const char *const texts[] = {
		"UPDATE batches SET window_ms = 1000, expires_ms = ?2 WHERE id = ?1",
	};
	static const struct stmt_set sql = { "pass", texts, ARRAY_LEN(texts) };
	struct err e = ERR_INIT;

	TX(tx);
	fixture_must(tx_begin(&tx, db, &e) == 0, "begin", &e);
	STMT(q, db, &sql, 0);
	stmt_int(&q, 1, id);
	stmt_int(&q, 2, clock_wall_ms());
	fixture_must(stmt_run(&q, &e) == 1 && tx_commit(&tx, &e) == 0, "pass", &e);
}

/* Whoever changes a batch whose window has passed lets it expire first. */
static void test_expired(struct db *db)
{
	int64_t file = fixture_lines(db, 3), id = fixture_batch(db, file), n;
	static const char *const one[] = { "r1", NULL };
	struct select f = { .custom_ids = one };
	struct change c = { .what = CHANGE_CANCEL, .chosen = &f, .dry_run = true };
	struct batch b CLEANUP(batch_release) = BATCH_INIT;
	struct err e = ERR_INIT;

	pass(db, id);
	CHECK(change(db, id, &c, &n, &e) == 1 && n == 0, "-n: there is nothing to cancel");
	f.custom_ids = NULL;
	CHECK(change(db, id, &c, &n, &e) == 1 && n == 0, "not even all of it");
	c.what = CHANGE_DELETE;
	CHECK(change(db, id, &c, &n, &e) == 1 && n == 3, "but it could be deleted");
	c.what = CHANGE_RETRY;
	CHECK(change(db, id, &c, &n, &e) == 1 && n == 3, "or sent again");
	fixture_get(db, id, &b);
	CHECK(b.status == BATCH_IN_PROGRESS && b.pending == 3, "nothing was changed by that");
	c = (struct change){ .what = CHANGE_CANCEL, .chosen = &f };
	f.custom_ids = one;
	CHECK(change(db, id, &c, &n, &e) == 1 && n == 0, "cancel of one request comes too late");
	fixture_get(db, id, &b);
	CHECK(b.status == BATCH_EXPIRED && b.expired == 3, "all have expired");

	id = fixture_batch(db, file);
	pass(db, id);
	f.custom_ids = NULL;
	c = (struct change){ .what = CHANGE_RETRY, .chosen = &f, .window_ms = 60000 };
	CHECK(change(db, id, &c, &n, &e) == 1 && n == 3, "retry sends them again");
	fixture_get(db, id, &b);
	CHECK(b.status == BATCH_IN_PROGRESS && b.expires_ms > clock_wall_ms(), "in a new window");
	pass(db, id);
	c = (struct change){ .what = CHANGE_DELETE, .every = true };
	CHECK(change(db, id, &c, &n, &e) == 1 && n == 3, "delete finds that it has ended");
}

static void test_renew(struct db *db)
{
	int64_t id = fixture_batch(db, fixture_lines(db, 3)), n;
	struct select f = { .states = 0 };
	struct change c = { .what = CHANGE_RETRY, .chosen = &f, .fresh = true };
	struct batch b CLEANUP(batch_release) = BATCH_INIT, made CLEANUP(batch_release) = BATCH_INIT;
	struct change_done done;
	struct err e = ERR_INIT;

	CHECK(change(db, id, &c, &n, &e) == 0, "--new of nothing makes nothing");
	fixture_fail(db, request_row(id, 2), 500, NULL, "{}");
	c.dry_run = true;
	CHECK(change(db, id, &c, &n, &e) == 1 && n == 1, "-n");
	c.dry_run = false;
	fixture_get(db, id, &b);
	CHECK(change_batch(db, &b, &c, &done, &e) == 1 && done.requests == 1 &&
	      !id_eq(done.batch, b.uuid), "--new gives another batch");
	fixture_must(batch_find(db, "@last", &made, &e) == 0, "find", &e);
	CHECK(id_eq(made.uuid, done.batch) && made.total == 1, "of that one request");
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
	test_expired(db);
	test_renew(db);
	test_delete(db);
	db_close(db);
	return unit_done();
}
