#include "domain/batch.h"

#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "domain/batchrows.h"
#include "domain/worker.h"
#include "fixture.h"

/* The counters of the batch and its queues are those of its rows. */
static void check_counters(struct db *db, int64_t id, const char *when)
{
	enum { Q_ROWS, Q_QUEUES };
	static const char *const texts[] = {
		[Q_ROWS] = "SELECT count(*), sum(state = 0), sum(state = 0 AND due > 0),"
			   " sum(state = 1), sum(state = 2), sum(state = 3), sum(state = 4),"
			   " sum(state = 5) FROM requests WHERE id > ?1 << 32 AND id < (?1 + 1) << 32",
		[Q_QUEUES] = "SELECT sum(pending), sum(retrying) FROM queues WHERE batch = ?1",
	};
	static const struct stmt_set set = { "test", texts, ARRAY_LEN(texts) };
	struct batch b CLEANUP(batch_release) = BATCH_INIT;
	struct err e = ERR_INIT;

	fixture_get(db, id, &b);
	const int64_t have[] = { b.total, b.pending, b.retrying, b.processing, b.completed,
				 b.failed, b.cancelled, b.expired };
	bool same = true;
	STMT(q, db, &set, Q_ROWS);
	stmt_int(&q, 1, id);
	fixture_must(stmt_step(&q, &e) == 1, "count", &e);
	for (int i = 0; i < 8; i++)
		same = same && have[i] == stmt_col_int(&q, i);
	STMT(u, db, &set, Q_QUEUES);
	stmt_int(&u, 1, id);
	fixture_must(stmt_step(&u, &e) == 1, "count", &e);
	same = same && stmt_col_int(&u, 0) == b.pending && stmt_col_int(&u, 1) == b.retrying;
	CHECK(same, "counters equal the rows: %s", when);
}

static void test_texts(void)
{
	char buf[BATCH_ID_BUF], req[REQUEST_ID_BUF];
	struct id id, back;
	uint32_t line;

	id_from_hex(SPAN_LIT("00112233445566778899aabbccddeeff"), &id);
	CHECK_STR(batch_id_text(id, buf), "batch_00112233445566778899aabbccddeeff", "a batch id");
	CHECK_STR(batch_request_text(id, 0xdeadbeef, req),
		  "batch_req_00112233445566778899aabbccddeeffdeadbeef", "a request id");
	CHECK(batch_request_of(req, &back, &line) && id_eq(id, back) && line == 0xdeadbeef,
	      "a request id is read back");
	CHECK(!batch_request_of("batch_req_00112233445566778899aabbccddeeffdeadbee", &back, &line),
	      "a shorter one is none");
	CHECK(!batch_request_of("batch_req_00112233445566778899aabbccddeeffdeadbeeg", &back, &line),
	      "neither is one with another letter");
	CHECK_INT(batch_status_of("cancelling"), BATCH_CANCELLING, "a status by its text");
	CHECK_INT(batch_status_of("nope"), -1, "no such status");
	CHECK_STR(batch_status_text(BATCH_IN_PROGRESS), "in_progress", "a text by its status");
}

static void test_create(struct db *db)
{
	int64_t file = fixture_file(db,
		"{\"custom_id\":\"a\",\"url\": \"/v1/x\",\"body\":{\"model\":\"m\"}}\n\n"
		"{\"custom_id\":\"b\",\"url\": \"/v1/x\",\"body\":{\"model\":\"n\"}}\n");
	struct batch b CLEANUP(batch_release) = BATCH_INIT, c CLEANUP(batch_release) = BATCH_INIT;
	struct batch_new n = fixture_new(file);
	struct send send CLEANUP(send_release) = SEND_INIT;
	struct err e = ERR_INIT;
	bool existed;

	send.retries = 7;
	n.send = &send;
	n.name = "night";
	n.priority = 3;
	n.headers = "[\"X-A: b\"]";
	n.metadata = "{\"k\":\"v\"}";
	n.oneshot = true;
	fixture_must(batch_create(db, &n, &b, &existed, &e) == 0, "create", &e);
	CHECK(!existed && b.status == BATCH_IN_PROGRESS && b.total == 2 && b.pending == 2,
	      "a new batch is in progress, all pending");
	CHECK_STR(b.endpoint, "/v1/x", "its endpoint is the url of all lines");
	CHECK_STR(b.model, NULL, "it has no model when the lines have two");
	CHECK_STR(b.name, "night", "its name");
	CHECK_STR(b.headers, "[\"X-A: b\"]", "its headers");
	CHECK_STR(b.metadata, "{\"k\":\"v\"}", "its metadata");
	CHECK_INT(b.priority, 3, "its priority");
	CHECK_INT(b.send.retries, 7, "how it is sent, what was asked for");
	CHECK_INT(b.send.total_ms, SEND_UNSET, "and what was not");
	CHECK(b.in_progress_ms >= b.created_ms && b.created_ms > 0, "its time stamps");
	CHECK(b.window_ms == 0 && b.expires_ms == 0, "no completion window unless asked for");
	check_counters(db, b.id, "created");

	CHECK(batch_create(db, &n, &c, &existed, &e) < 0 && e.code == ERR_STATE,
	      "a name that is taken is refused");
	n.if_absent = true;
	CHECK(batch_create(db, &n, &c, &existed, &e) == 0 && existed && c.id == b.id,
	      "--if-absent: the one that is there");
	n.base_url = "http://other";
	CHECK(batch_create(db, &n, &c, &existed, &e) < 0 && e.code == ERR_STATE,
	      "unless it has another base URL");
	n = fixture_new(file);
	n.name = "abcd";
	CHECK(batch_create(db, &n, &c, &existed, &e) < 0 && e.code == ERR_USAGE,
	      "a name that looks like an id is refused");
	n.name = NULL;
	n.endpoint = "/v1/y";
	CHECK(batch_create(db, &n, &c, &existed, &e) < 0 && e.code == ERR_INPUT,
	      "a line with another url than --endpoint is refused");
	CHECK(strstr(e.msg, "in.jsonl:1: url_mismatch") != NULL, "and named");

	struct id same = batch_identity(id_random(), &n);
	CHECK(!id_eq(same, b.identity), "another input, another identity");
	CHECK(batch_by_identity(db, b.identity, &c, &e) == 1 && c.id == b.id,
	      "a one-shot batch is found by its identity");
	CHECK(batch_by_identity(db, same, &c, &e) == 0, "another identity is not there");
}

static int count_batch(void *ctx, const struct batch *b, struct err *e)
{
	int64_t *last = ctx;

	(void)e;
	if (last[1] && last[0] <= b->id)
		last[2]++; /* out of order */
	last[0] = b->id;
	last[1]++;
	return 0;
}

static void test_find(struct db *db)
{
	int64_t file = fixture_lines(db, 1), ids[250];
	struct batch b CLEANUP(batch_release) = BATCH_INIT;
	struct err e = ERR_INIT;
	char text[BATCH_ID_BUF];

	for (size_t i = 0; i < ARRAY_LEN(ids); i++)
		ids[i] = fixture_batch(db, file);
	CHECK(batch_find(db, "@last", &b, &e) == 0 && b.id == ids[249], "@last is the newest");
	batch_id_text(b.uuid, text);
	CHECK(batch_find(db, text, &b, &e) == 0 && b.id == ids[249], "found by its id");
	text[6 + 12] = '\0';
	CHECK(batch_find(db, text, &b, &e) == 0 && b.id == ids[249], "by a prefix");
	CHECK(batch_find(db, text + 6, &b, &e) == 0 && b.id == ids[249],
	      "by a prefix without the word");
	CHECK(batch_find(db, "night", &b, &e) == 0, "by its name");
	CHECK(batch_find(db, "day", &b, &e) < 0 && e.code == ERR_NOTFOUND, "an unknown name");
	CHECK(strstr(e.msg, "'day'") != NULL && e.hint[0], "is named, with a hint");
	CHECK(batch_get(db, 1 << 20, &b, &e) < 0 && e.code == ERR_NOTFOUND, "no such row");

	struct batch_filter f = { .statuses = 0 };
	int64_t after = 0, seen[3] = { 0 };
	CHECK_INT(batch_list(db, &f, &after, 1000, count_batch, seen, &e), 251, "all are listed");
	CHECK(seen[1] == 251 && seen[2] == 0, "newest first");
	after = 0;
	CHECK_INT(batch_list(db, &f, &after, 120, count_batch, (int64_t[3]){ 0 }, &e), 120,
		  "as many as asked for");
	CHECK_INT(batch_list(db, &f, &after, 1000, count_batch, (int64_t[3]){ 0 }, &e), 131,
		  "and the rest behind them");
	after = 0;
	f.statuses = 1u << BATCH_COMPLETED;
	CHECK_INT(batch_list(db, &f, &after, 1000, count_batch, (int64_t[3]){ 0 }, &e), 0,
		  "none with another status");
	after = 0;
	f = (struct batch_filter){ .user = "nobody-of-that-name" };
	CHECK_INT(batch_list(db, &f, &after, 1000, count_batch, (int64_t[3]){ 0 }, &e), 0,
		  "none of another user");
	after = 0;
	f = (struct batch_filter){ .since_ms = clock_wall_ms() + 1000000 };
	CHECK_INT(batch_list(db, &f, &after, 1000, count_batch, (int64_t[3]){ 0 }, &e), 0,
		  "none of the future");
	CHECK_INT(batch_open(db, NULL, count_batch, (int64_t[3]){ 0 }, &e), 251, "all are open");
	CHECK_INT(batch_open(db, "nobody-of-that-name", count_batch, (int64_t[3]){ 0 }, &e), 0,
		  "but not of another user");
}

static void test_window(struct db *db)
{
	struct batch_new n = fixture_new(fixture_lines(db, 1));
	struct batch b CLEANUP(batch_release) = BATCH_INIT;
	struct err e = ERR_INIT;
	bool existed;

	n.window_ms = 3600000;
	CHECK(batch_create(db, &n, &b, &existed, &e) == 0 && b.window_ms == 3600000 &&
	      b.expires_ms == b.in_progress_ms + 3600000,
	      "a batch with a completion window expires so long after it is there");
}

static void test_cancel(struct db *db)
{
	int64_t file = fixture_lines(db, 5), id = fixture_batch(db, file);
	struct batch b CLEANUP(batch_release) = BATCH_INIT;
	struct err e = ERR_INIT;

	fixture_complete(db, request_row(id, 1), "{}");
	fixture_send(db, request_row(id, 2), NULL);
	fixture_retry(db, request_row(id, 3), 500, clock_wall_ms() + 100000);
	check_counters(db, id, "one done, one in flight, one retrying");
	CHECK_INT(ending_cancel(db, id, false, &e), 3, "pending requests are cancelled");
	fixture_get(db, id, &b);
	CHECK(b.status == BATCH_CANCELLING && b.cancelling_ms > 0 && b.processing == 1,
	      "what is in flight stays its worker's");
	check_counters(db, id, "cancelling");
	CHECK_INT(ending_cancel(db, id, false, &e), 0, "twice is fine");
	CHECK_INT(batch_exit(&b), 4, "exit 4 while it is not terminal");
	CHECK_STR(batch_outcome(&b), NULL, "and no outcome");
	CHECK(batch_delete(db, id, &e) < 0 && e.code == ERR_STATE, "and it cannot be deleted");

	struct tally t CLEANUP(tally_release) = { 0 };
	TX(tx);
	struct request_end end = { .row = request_row(id, 2), .worker = FIXTURE_WORKER, .n = 1,
				   .verdict = VERDICT_RETRY, .took_ms = 1, .kind = ANSWER_NONE,
				   .code = "connect_error", .message = "x", .next_ms = 1 };
	fixture_must(tx_begin(&tx, db, &e) == 0, "begin", &e);
	tally_begin(&t, db);
	fixture_must(request_settle(&t, &end, clock_wall_ms(), &e) == 1 &&
		     tally_flush(&t, clock_wall_ms(), &e) == 0 && tx_commit(&tx, &e) == 0,
		     "settle", &e);
	fixture_get(db, id, &b);
	CHECK(b.status == BATCH_CANCELLED && b.cancelled_ms > 0 && b.cancelled == 4,
	      "its last request cancels the batch");
	CHECK_INT(batch_exit(&b), 3, "exit 3: some were completed");
	CHECK_STR(batch_outcome(&b), "cancelled", "its outcome");
	CHECK_INT(ending_cancel(db, id, false, &e), 0, "a terminal batch is left alone");

	id = fixture_batch(db, file);
	CHECK_INT(ending_cancel(db, id, false, &e), 5, "nothing in flight:");
	fixture_get(db, id, &b);
	CHECK(b.status == BATCH_CANCELLED, "the batch is cancelled at once");
	CHECK_INT(batch_exit(&b), 1, "exit 1: none was completed");
	check_counters(db, id, "cancelled");
}

static void test_cancel_rescues(struct db *db)
{
	int64_t id = fixture_batch(db, fixture_lines(db, 3));
	struct batch b CLEANUP(batch_release) = BATCH_INIT;
	struct err e = ERR_INIT;

	/* A worker that starts one request and dies. */
	pid_t child = fork();
	if (child == 0) {
		struct db *own = fixture_db("state.db");
		struct worker w = { 0, 0 };
		struct tally t = { 0 };
		struct request_started s;
		TX(tx);
		fixture_must(worker_enter(own, &(struct worker_new){ "1", "{}", NULL, false }, &w, &e) == 0 &&
			     tx_begin(&tx, own, &e) == 0, "enter", &e);
		tally_begin(&t, own);
		fixture_must(request_start(&t, w.id, 0, request_row(id, 1), clock_wall_ms(), &s, &e) == 1 &&
			     tally_flush(&t, clock_wall_ms(), &e) == 0 &&
			     tx_commit(&tx, &e) == 0, "start", &e);
		_exit(0);
	}
	waitpid(child, NULL, 0);
	fixture_get(db, id, &b);
	CHECK_INT(b.processing, 1, "a dead worker's request looks as if it was in flight");
	CHECK_INT(ending_cancel(db, id, false, &e), 3, "cancel takes it back");
	fixture_get(db, id, &b);
	CHECK(b.status == BATCH_CANCELLED && b.cancelled == 3, "and the batch ends");
	check_counters(db, id, "cancelled after a death");
}

static int64_t count_rows(struct db *db, int64_t id)
{
	static const char *const texts[] = {
		"SELECT (SELECT count(*) FROM requests WHERE id > ?1 << 32 AND id < (?1 + 1) << 32)"
		" + (SELECT count(*) FROM answers WHERE id > ?1 << 32 AND id < (?1 + 1) << 32)"
		" + (SELECT count(*) FROM attempts WHERE request > ?1 << 32"
		" AND request < (?1 + 1) << 32)"
		" + (SELECT count(*) FROM queues WHERE batch = ?1)"
		" + (SELECT count(*) FROM batches WHERE id = ?1)",
	};
	static const struct stmt_set set = { "rows", texts, ARRAY_LEN(texts) };
	struct err e = ERR_INIT;

	STMT(q, db, &set, 0);
	stmt_int(&q, 1, id);
	fixture_must(stmt_step(&q, &e) == 1, "count", &e);
	return stmt_col_int(&q, 0);
}

static void test_delete(struct db *db)
{
	int64_t file = fixture_lines(db, 3), id = fixture_batch(db, file);
	struct batch b CLEANUP(batch_release) = BATCH_INIT;
	struct file f CLEANUP(file_release) = FILE_INIT;
	struct err e = ERR_INIT;

	CHECK(batch_delete(db, id, &e) < 0 && e.code == ERR_STATE, "a running batch is not deleted");
	for (uint32_t line = 1; line <= 3; line++)
		fixture_complete(db, request_row(id, line), "{}");
	fixture_get(db, id, &b);
	CHECK(b.status == BATCH_COMPLETED && batch_exit(&b) == 0, "all completed: exit 0");
	CHECK_STR(batch_outcome(&b), "all_completed", "its outcome");
	CHECK(batch_delete(db, id, &e) == 0, "a terminal one is");
	CHECK(batch_get(db, id, &b, &e) < 0 && e.code == ERR_NOTFOUND, "it is not found any more");
	CHECK_INT(count_rows(db, id), 0, "and none of its rows is left");
	CHECK(file_get(db, file, &f, &e) == 0, "a file that somebody imported stays");

	struct import im = IMPORT_INIT;
	char path[512];
	snprintf(path, sizeof path, "%s/auto.jsonl", unit_dir());
	FILE *out = fopen(path, "w");
	fputs("{\"custom_id\":\"z\",\"url\":\"/\"}\n", out);
	fclose(out);
	im.path = path;
	im.automatic = true;
	fixture_must(import_run(db, &im, &f, &e) == 0 && f.automatic, "import", &e);
	int64_t one = fixture_batch(db, f.id), two = fixture_batch(db, f.id);
	fixture_must(ending_cancel(db, one, false, &e) == 1 && ending_cancel(db, two, false, &e) == 1, "cancel", &e);
	fixture_must(batch_delete(db, one, &e) == 0, "delete", &e);
	file = f.id;
	CHECK(file_get(db, file, &f, &e) == 0 && !f.deleted,
	      "an automatic file stays while another batch shows it");
	fixture_must(batch_delete(db, two, &e) == 0, "delete", &e);
	CHECK(file_get(db, file, &f, &e) < 0 && e.code == ERR_NOTFOUND,
	      "and goes with the last one");
}

/* What a killed creator leaves: a validating row with rows and a byte that
 * nobody holds. */
static void test_sweep(struct db *db)
{
	int64_t id = fixture_batch(db, fixture_lines(db, 3));
	static const char *const texts[] = {
		"UPDATE batches SET status = 0, loader = ?2 WHERE id = ?1",
	};
	static const struct stmt_set set = { "hide", texts, ARRAY_LEN(texts) };
	struct batch b CLEANUP(batch_release) = BATCH_INIT;
	struct db *other = fixture_db("state.db");
	struct err e = ERR_INIT;
	int slot = side_enter(db_side(other), SIDE_LOADER, &e);
	{
		TX(tx);
		fixture_must(slot >= 0 && tx_begin(&tx, db, &e) == 0, "begin", &e);
		STMT(q, db, &set, 0);
		stmt_int(&q, 1, id);
		stmt_int(&q, 2, slot);
		fixture_must(stmt_run(&q, &e) == 1 && tx_commit(&tx, &e) == 0, "hide", &e);
	}
	CHECK(batch_get(db, id, &b, &e) < 0, "a batch in the making is not seen");
	CHECK(batch_sweep(db, &e) == 0 && count_rows(db, id) > 0,
	      "it is not swept while its maker lives");
	db_close(other);
	CHECK(batch_sweep(db, &e) == 0 && count_rows(db, id) == 0, "it is when its maker died");
}

/* A child that creates a batch and is killed when the doorbell has rung so
 * often: after that many of its commits, more or less. */
static void create_and_kill(struct db *db, int64_t file, int rings)
{
	struct err e = ERR_INIT;
	int bell = side_listen(db_side(db), &e);
	pid_t child = fork();

	if (child == 0) {
		struct db *own = fixture_db("state.db");
		fixture_batch(own, file);
		_exit(0);
	}
	for (int bits = 0; rings > 0 && !(bits & SIDE_CLOSED); rings--) {
		struct pollfd p = { .fd = bell, .events = POLLIN };
		poll(&p, 1, 10000);
		bits = side_heard(bell);
	}
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	close(bell);
}

/* 16 F: kill the creator anywhere: a whole batch or none. */
static void test_killed_create(struct db *db)
{
	enum { LINES = 60000 };
	int64_t file = fixture_lines(db, LINES);
	int whole = 0, none = 0;
	struct err e = ERR_INIT;

	for (int rings = 1; rings < 20 && whole == 0; rings++) {
		struct batch b CLEANUP(batch_release) = BATCH_INIT;
		fixture_must(batch_find(db, "@last", &b, &e) == 0, "find", &e);
		int64_t before = b.id;
		create_and_kill(db, file, rings);
		fixture_must(batch_sweep(db, &e) == 0, "sweep", &e);
		fixture_must(batch_find(db, "@last", &b, &e) == 0, "find", &e);
		none += b.id == before;
		whole += b.id != before;
		CHECK(b.id == before || (b.total == LINES && b.pending == LINES),
		      "killed after %d commits: a whole batch or none", rings);
		CHECK_INT(count_rows(db, before + 1), b.id == before ? 0 : LINES + 2,
			  "and no row of it is left, or all are there");
	}
	CHECK(none > 2, "creators were killed half way (%d times)", none);
}

int main(void)
{
	struct db *db = fixture_db("state.db");

	fixture_check_plans(db, &batch_sql);
	test_texts();
	test_create(db);
	test_find(db);
	test_window(db);
	test_cancel(db);
	test_cancel_rescues(db);
	test_delete(db);
	test_sweep(db);
	test_killed_create(db);
	db_close(db);
	return unit_done();
}
