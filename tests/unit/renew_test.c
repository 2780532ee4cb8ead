#include "domain/renew.h"

#include "domain/file.h"
#include "fixture.h"

static struct db *db;

static int64_t renew(int64_t id, const struct select *f, int64_t window_ms, struct batch *out)
{
	struct batch b CLEANUP(batch_release) = BATCH_INIT;
	struct err e = ERR_INIT;

	fixture_get(db, id, &b);
	batch_release(out);
	int64_t n = renew_batch(db, &b, f, window_ms, out, &e);
	fixture_must(n >= 0, "renew_batch", &e);
	return n;
}

static int add_line(void *ctx, uint32_t line, struct span raw, struct err *e)
{
	(void)e;
	str_addf(ctx, "%u:", line);
	str_addspan(ctx, raw);
	str_addc(ctx, '\n');
	return 0;
}

static const char *lines_of(const struct batch *b)
{
	static struct str text = STR_INIT;
	struct err e = ERR_INIT;

	str_reset(&text);
	fixture_must(file_lines(db, b->file, add_line, &text, &e) == 0, "file_lines", &e);
	return str_z(&text);
}

static void test_chosen(void)
{
	int64_t file = fixture_lines(db, 6), id = fixture_batch(db, file);
	struct batch made CLEANUP(batch_release) = BATCH_INIT, b CLEANUP(batch_release) = BATCH_INIT;
	static const char *const some[] = { "r1", "r2", "r6", NULL };
	struct select f = { .states = 0 };
	struct err e = ERR_INIT;

	CHECK_INT(renew(id, &f, 0, &made), 0, "nothing has failed: nothing is made");
	fixture_complete(db, request_row(id, 1), "{}");
	fixture_fail(db, request_row(id, 2), 500, NULL, "{}");
	fixture_fail(db, request_row(id, 3), 400, NULL, "{}");
	fixture_get(db, id, &b);
	CHECK_INT(renew_count(db, &b, &f, &e), 2, "how many it would be");
	CHECK_INT(renew(id, &f, 0, &made), 2, "what failed, in a batch of its own");
	CHECK_STR(lines_of(&made),
		  "1:{\"custom_id\":\"r2\",\"url\":\"/v1/chat/completions\",\"body\":{\"model\":\"m\"}}\n"
		  "2:{\"custom_id\":\"r3\",\"url\":\"/v1/chat/completions\",\"body\":{\"model\":\"m\"}}\n",
		  "its lines are those of the input");
	CHECK(made.total == 2 && made.pending == 2 && made.status == BATCH_IN_PROGRESS,
	      "all of it is pending");
	fixture_get(db, id, &b);
	CHECK(b.failed == 2 && b.completed == 1 && b.pending == 3, "the old one stays as it is");
	fixture_must(select_http(&f, "4xx", &e) == 0, "http", &e);
	CHECK_INT(renew(id, &f, 0, &made), 1, "those with a filter");
	f = (struct select){ .custom_ids = some };
	CHECK_INT(renew(id, &f, 0, &made), 2, "with custom ids what was completed, too; nothing that"
		  " is pending");
	f = (struct select){ .states = 1u << REQUEST_COMPLETED };
	CHECK(renew_batch(db, &b, &f, 0, &made, &e) < 0 && e.code == ERR_USAGE && e.hint[0],
	      "but not without them");
	f = (struct select){ .states = 1u << REQUEST_PENDING };
	CHECK(renew_batch(db, &b, &f, 0, &made, &e) < 0 && e.code == ERR_USAGE,
	      "nor what has not ended");
}

static void test_same(void)
{
	struct batch_new n = fixture_new(fixture_lines(db, 2));
	struct batch b CLEANUP(batch_release) = BATCH_INIT, made CLEANUP(batch_release) = BATCH_INIT;
	struct file from CLEANUP(file_release) = FILE_INIT, to CLEANUP(file_release) = FILE_INIT;
	struct send send CLEANUP(send_release) = SEND_INIT;
	struct select f = { .states = 0 };
	struct err e = ERR_INIT;
	bool existed;

	send.retries = 9;
	n.send = &send;
	n.key_ref = "env:A_KEY";
	n.key_header = "api-key: {}";
	n.headers = "[\"X-A: b\"]";
	n.metadata = "{\"k\":\"v\"}";
	n.priority = 4;
	n.window_ms = 3600000;
	n.name = "old-one";
	fixture_must(batch_create(db, &n, &b, &existed, &e) == 0, "create", &e);
	fixture_fail(db, request_row(b.id, 2), 500, NULL, "{}");
	CHECK_INT(renew(b.id, &f, 0, &made), 1, "a batch with options");
	CHECK(made.send.retries == 9 && made.priority == 4 && !strcmp(made.key_ref, "env:A_KEY") &&
	      !strcmp(made.key_header, "api-key: {}") && !strcmp(made.headers, "[\"X-A: b\"]") &&
	      !strcmp(made.metadata, "{\"k\":\"v\"}") && !strcmp(made.base_url, b.base_url) &&
	      !strcmp(made.endpoint, "/v1/chat/completions"), "is sent as the old one is");
	CHECK(!made.name && !made.oneshot, "it has no name");
	CHECK(made.window_ms == 3600000 && made.expires_ms == made.in_progress_ms + 3600000,
	      "its window is as long, from now on");
	fixture_must(file_get(db, b.file, &from, &e) == 0 && file_get(db, made.file, &to, &e) == 0,
		     "files", &e);
	CHECK_STR(to.filename, from.filename, "its file is called as the old one");
	CHECK(to.automatic && to.requests == 1, "and goes with it");
	CHECK_INT(renew(b.id, &f, 60000, &made), 1, "once more");
	CHECK_INT(made.window_ms, 60000, "with another window");
	CHECK_INT(made.file, to.id, "the same lines are stored once");
}

int main(void)
{
	db = fixture_db("state.db");
	test_chosen();
	test_same();
	db_close(db);
	return unit_done();
}
