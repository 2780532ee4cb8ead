#include "domain/ending.h"
#include "domain/reuse.h"

#include <sys/resource.h>
#include <unistd.h>

#include "base/hash.h"
#include "fixture.h"
#include "rows.h"

#define ANY INT64_C(3153600000000) /* of any age */

static struct db *db;
static sqlite3 *raw;
static struct err e;

#define SQL(...) ROWS_INT(raw, __VA_ARGS__)

/* A line of input: its custom id, its model, what is asked. */
#define LINE(id, model, q) "{\"custom_id\":\"" id "\",\"url\":\"/v1/x\",\"body\":{\"model\":\"" \
	model "\",\"q\":" q "}}\n"
#define THREE(id) LINE(id "1", "m", "1") LINE(id "2", "n", "2") LINE(id "3", "m", "3")

/* Completes all requests of a batch; the answers are {"a":"TEXT"}. */
static void answer(int64_t batch, const char *text)
{
	char body[64];

	snprintf(body, sizeof body, "{\"a\":\"%s\"}", text);
	int64_t after = batch << 32, row;
	while ((row = SQL("SELECT id FROM requests WHERE id > ?1 AND id < ?2 AND state = 0 LIMIT 1",
			  after, (batch + 1) << 32)) > 0) {
		fixture_complete(db, row, body);
		after = row;
	}
}

/* A batch of the text, every request answered. */
static int64_t answered(const char *text, const char *with)
{
	int64_t id = fixture_batch(db, fixture_file(db, text));

	answer(id, with);
	return id;
}

/* Makes a batch as `n` says, with answers not older than that; how many it
 * took. */
static int64_t create(struct batch_new n, int64_t within_ms, struct batch *out)
{
	struct reuse u CLEANUP(reuse_release) = REUSE_INIT;
	bool existed;

	u.within_ms = within_ms;
	n.reuse = &u;
	fixture_must(batch_create(db, &n, out, &existed, &e) == 0, "batch_create", &e);
	CHECK(u.taken == SQL("SELECT count(*) FROM answers WHERE id >> 32 = ?1 AND source IS NOT NULL",
			     out->id) && rows_wrong(raw) == 0, "it counts right");
	return u.taken;
}

static int64_t reused(const char *text, struct batch *out)
{
	return create(fixture_new(fixture_file(db, text)), ANY, out);
}

/* The body of the answer to a line. */
static const char *body_of(int64_t batch, int64_t line)
{
	return ROWS_TEXT(raw, "SELECT body FROM requests r JOIN answers a ON a.id = (?1 << 32) | r.answer"
			 " WHERE r.id = (?1 << 32) | ?2", batch, line);
}

static const char *source_of(int64_t batch, uint32_t line)
{
	static char text[100];
	struct str s CLEANUP(str_release) = STR_INIT;

	int rc = reuse_source(db, request_row(batch, line), &s, &e);
	snprintf(text, sizeof text, "%s", rc > 0 ? str_z(&s) : rc == 0 ? "none" : "error");
	return text;
}

static const char *request_name(int64_t batch, uint32_t line)
{
	static char text[REQUEST_ID_BUF];
	struct batch b CLEANUP(batch_release) = BATCH_INIT;

	fixture_get(db, batch, &b);
	return batch_request_text(b.uuid, line, text);
}

/* The tests are of one file each: what one leaves is no source for the next. */
static void fresh(const char *name)
{
	sqlite3_close(raw);
	db_close(db);
	db = fixture_db(name);
	raw = rows_raw(db_path(db));
}

static void test_all(void)
{
	struct batch b CLEANUP(batch_release) = BATCH_INIT;
	fresh("all");
	int64_t old = fixture_batch(db, fixture_file(db, THREE("a")));
	struct request_end end = { .verdict = VERDICT_COMPLETED, .status = 200,
				   .request_id = SPAN_LIT("req_7"), .body = SPAN_LIT("{\"a\":\"x\"}"),
				   .input_tokens = 100, .output_tokens = 50 };

	for (uint32_t line = 1; line <= 3; line++)
		fixture_send(db, request_row(old, line), &end);
	CHECK_INT(reused(THREE("b"), &b), 3, "equal requests of another file take their answers");
	CHECK(b.status == BATCH_COMPLETED && b.completed == 3 && b.pending == 0 && b.total == 3,
	      "all: the batch is completed at once");
	CHECK(b.in_progress_ms >= b.created_ms && b.finalizing_ms >= b.in_progress_ms &&
	      b.completed_ms == b.finalizing_ms, "with its time stamps");
	CHECK(b.attempts == 0 && b.input_tokens == 0 && b.output_tokens == 0 &&
	      SQL("SELECT count(*) FROM requests WHERE id >> 32 = ?1 AND (tries <> 0 OR counted <> 0)",
		  b.id) == 0, "no attempt was made and no token used");
	CHECK_STR(body_of(b.id, 2), "{\"a\":\"x\"}", "the answers are the same");
	CHECK_INT(SQL("SELECT count(*) FROM answers a JOIN answers o ON o.id = (?1 << 32) |"
		      " (a.id & 4294967295) WHERE a.id >> 32 = ?2 AND a.line = o.line"
		      " AND (a.status, a.request_id, a.kind, a.body) IS"
		      " (o.status, o.request_id, o.kind, o.body)", old, b.id), 3,
		  "in every column, in line order");
	CHECK_STR(source_of(b.id, 2), request_name(old, 2), "each names its source");
	CHECK_STR(source_of(old, 2), "none", "one of its own has none");
	CHECK_STR(source_of(b.id, 9), "none", "neither has a request that is not there");
	CHECK_INT(SQL("SELECT group_concat(requests, '') FROM (SELECT requests FROM usage u JOIN"
		      " models m ON m.id = u.model WHERE batch = ?1 ORDER BY m.name)", b.id), 21,
		  "the requests of each model are counted");
	CHECK_INT(SQL("SELECT count(*) FROM queues WHERE batch = ?1 AND pending = 0", b.id), 2,
		  "nothing is left to claim");
	int64_t first = b.id;
	CHECK_INT(reused(THREE("c"), &b), 3, "reused answers are reused");
	CHECK_STR(source_of(b.id, 3), request_name(old, 3), "and name the request that was sent");
	CHECK_INT(SQL("SELECT loader IS NULL AND answers = 3 FROM batches WHERE id = ?1", first), 1,
		  "the row is whole");
}

static void test_some(void)
{
	struct batch b CLEANUP(batch_release) = BATCH_INIT;
	fresh("some");
	answered(THREE("a"), "x");

	CHECK_INT(reused(LINE("n", "m", "9") THREE("b") LINE("o", "o", "9"), &b), 3,
		  "those that have an equal take its answer");
	CHECK(b.status == BATCH_IN_PROGRESS && b.completed == 3 && b.pending == 2 &&
	      b.completed_ms == 0, "the rest is to be sent");
	CHECK_INT(SQL("SELECT group_concat(pending, '') FROM (SELECT pending FROM queues q JOIN"
		      " models m ON m.id = q.model WHERE batch = ?1 ORDER BY m.name)", b.id), 101,
		  "of each model what is left");
	CHECK_INT(SQL("SELECT group_concat(id & 4294967295, '') FROM requests WHERE id >> 32 = ?1"
		      " AND state = 0", b.id), 15, "the lines that nobody has asked");
	answer(b.id, "y");
	fixture_get(db, b.id, &b);
	CHECK(b.status == BATCH_COMPLETED && b.completed == 5 && rows_wrong(raw) == 0,
	      "when that is answered it is completed");
	CHECK_INT(SQL("SELECT answers FROM batches WHERE id = ?1", b.id), 5, "numbers go on");
	CHECK_INT(reused(LINE("z", "q", "9"), &b), 0, "nothing to take");
	CHECK(b.status == BATCH_IN_PROGRESS && b.pending == 1, "is a batch as any other");
}

/* What must be equal, and what need not be. */
static void test_equal(void)
{
	static const struct { const char *line; int64_t taken; const char *rule; } lines[] = {
		{ "{\"custom_id\":\"i\",\"url\":\"/v1/x\",\"body\":{\"q\":1},\"metadata\":7,"
		  "\"model\":\"other\"}\n", 1, "metadata and the key for limits are not sent" },
		{ "{\"custom_id\":\"i\",\"url\":\"/v1/y\",\"body\":{\"q\":1}}\n", 0, "another url" },
		{ "{\"custom_id\":\"i\",\"url\":\"/v1/x\",\"body\":{\"q\":2}}\n", 0, "another body" },
		{ "{\"custom_id\":\"i\",\"url\":\"/v1/x\",\"body\":\"{\\\"q\\\":1}\"}\n", 0, "a text body" },
		{ "{\"custom_id\":\"i\",\"url\":\"/v1/x\",\"method\":\"PUT\",\"body\":{\"q\":1}}\n", 0,
		  "another method" },
		{ "{\"custom_id\":\"i\",\"url\":\"/v1/x\",\"headers\":{\"A\":\"b\"},\"body\":{\"q\":1}}\n",
		  0, "another header" },
	};
	struct batch b CLEANUP(batch_release) = BATCH_INIT;
	fresh("equal");
	answered("{\"custom_id\":\"o\",\"url\":\"/v1/x\",\"body\":{\"q\":1}}\n", "x");

	for (size_t i = 0; i < ARRAY_LEN(lines); i++)
		CHECK_INT(reused(lines[i].line, &b), lines[i].taken, "%s", lines[i].rule);
	struct batch_new n = fixture_new(fixture_file(db, lines[0].line)), other = n;
	other.base_url = "http://127.0.0.1:2/v1";
	CHECK_INT(create(other, ANY, &b), 0, "another base URL");
	other = n;
	other.headers = "[\"X-A: b\"]";
	CHECK_INT(create(other, ANY, &b), 0, "another header of the batch");
	answer(b.id, "h");
	CHECK_INT(create(other, ANY, &b), 1, "the same headers");
	CHECK_STR(body_of(b.id, 1), "{\"a\":\"h\"}", "have their own answers");
	other = n;
	other.key_ref = "env:OTHER";
	other.key_header = "api-key: {}";
	CHECK_INT(create(other, ANY, &b), 1, "another key makes no other request");
}

static void test_states(void)
{
	struct batch b CLEANUP(batch_release) = BATCH_INIT;
	fresh("states");
	int64_t old = fixture_batch(db, fixture_file(db, THREE("a")));

	CHECK_INT(reused(THREE("b"), &b), 0, "what is pending is no source");
	fixture_must(ending_cancel(db, b.id, false, &e) == 3, "cancel", &e);
	fixture_fail(db, request_row(old, 1), 400, NULL, "no");
	fixture_send(db, request_row(old, 2), NULL);
	fixture_complete(db, request_row(old, 3), "{}");
	CHECK_INT(reused(THREE("c"), &b), 1, "nor what failed, was cancelled or is in flight");
	CHECK_INT(SQL("SELECT id & 4294967295 FROM requests WHERE id >> 32 = ?1 AND state = 2", b.id),
		  3, "but what was completed, also while its batch goes on");
	fixture_must(ending_cancel(db, b.id, false, &e) == 2, "cancel", &e);
	ROWS_DO(raw, "INSERT INTO models (name) VALUES ('other')");
	ROWS_DO(raw, "INSERT INTO usage (batch, model, hour, requests) SELECT id, (SELECT id FROM models"
		" WHERE name = 'other'), 1, 0 FROM batches");
	CHECK_INT(reused(THREE("e"), &b), 0, "a batch that has asked another model is none");
	ROWS_DO(raw, "DELETE FROM usage WHERE requests = 0");
	ROWS_DO(raw, "UPDATE batches SET status = 0 WHERE completed > 0");
	CHECK_INT(reused(THREE("d"), &b), 0, "a batch that nobody sees is none");
}

static void test_newest(void)
{
	struct batch b CLEANUP(batch_release) = BATCH_INIT;
	fresh("newest");
	int64_t file = fixture_file(db, THREE("a"));
	int64_t one = fixture_batch(db, file);
	answer(one, "1");
	answered(THREE("b"), "2");
	int64_t three = fixture_batch(db, file);
	fixture_complete(db, request_row(three, 1), "{\"a\":\"3\"}");

	CHECK_INT(reused(THREE("c"), &b), 3, "of several answers");
	CHECK_STR(body_of(b.id, 1), "{\"a\":\"3\"}", "the one of the newest batch");
	CHECK_STR(body_of(b.id, 2), "{\"a\":\"2\"}", "that has one");
	fixture_must(ending_cancel(db, three, false, &e) == 2, "cancel", &e);
	for (int64_t id = b.id; id > one; id--)
		fixture_must(batch_delete(db, id, &e) == 0, "delete", &e);
	CHECK_INT(reused(THREE("c"), &b), 3, "what was deleted is none");
	CHECK_STR(body_of(b.id, 1), "{\"a\":\"1\"}", "then it is an older one");
	CHECK_INT(create(fixture_new(file), ANY, &b), 3, "of the same file too");
}

static void test_twice(void)
{
	struct batch b CLEANUP(batch_release) = BATCH_INIT;
	fresh("twice");
	int64_t old = fixture_batch(db, fixture_file(db, LINE("a", "m", "1") LINE("b", "m", "1")
						     LINE("c", "m", "1")));

	fixture_complete(db, request_row(old, 2), "{\"a\":\"2\"}");
	fixture_complete(db, request_row(old, 3), "{\"a\":\"3\"}");
	CHECK_INT(reused(LINE("a", "m", "1") LINE("b", "m", "1") LINE("c", "m", "2"), &b), 2,
		  "equal requests in one file take the same answer");
	CHECK_STR(source_of(b.id, 1), request_name(old, 2), "that of the first line that has one");
	CHECK_STR(source_of(b.id, 2), request_name(old, 2), "both");
	answer(b.id, "9");
}

static void make_older(int64_t batch, int64_t ms)
{
	ROWS_DO(raw, "UPDATE answers SET ended_ms = ended_ms - ?2 WHERE id >> 32 = ?1", batch, ms);
}

static void test_age(void)
{
	enum { HOUR = 3600000 };
	struct batch b CLEANUP(batch_release) = BATCH_INIT;
	fresh("age");
	int64_t file = fixture_file(db, THREE("a")), old = fixture_batch(db, file);
	struct batch_new n = fixture_new(file);

	answer(old, "x");
	make_older(old, 2 * HOUR);
	CHECK_INT(create(n, HOUR, &b), 0, "an answer that is too old");
	fixture_must(ending_cancel(db, b.id, false, &e) == 3, "cancel", &e);
	CHECK_INT(create(n, 3 * HOUR, &b), 3, "one that is not");
	int64_t copy = b.id;
	CHECK_INT(create(n, HOUR, &b), 0, "a reused one is as old as the one that was sent");
	CHECK_INT(create(n, 3 * HOUR, &b), 3, "and as young");
	CHECK_STR(source_of(b.id, 1), request_name(old, 1), "which it names");
	fixture_must(batch_delete(db, b.id, &e) == 0 && batch_delete(db, old, &e) == 0, "delete", &e);
	CHECK_INT(create(n, 3 * HOUR, &b), 0, "when that was deleted nobody knows how old it is");
	CHECK_INT(create(n, ANY, &b), 3, "any age is fine then");
	CHECK_STR(body_of(b.id, 3), "{\"a\":\"x\"}", "it is still there");
	CHECK(copy < b.id && SQL("SELECT count(DISTINCT source) FROM answers WHERE id >> 32 IN (?1, ?2)",
				 copy, b.id) == 3, "under its first name");
}

static void test_kinds(void)
{
	static const char bytes[] = "\0\xff\x80z";
	struct batch b CLEANUP(batch_release) = BATCH_INIT;
	fresh("kinds");
	int64_t old = fixture_batch(db, fixture_file(db, THREE("a") LINE("d", "m", "4")));
	struct request_end ends[] = {
		{ .status = 204, .kind = ANSWER_NONE },
		{ .status = 200, .kind = ANSWER_BYTES, .body = { bytes, 4 } },
		{ .status = 201, .kind = 4, .body = SPAN_LIT("data: [DONE]\n\n") },
		{ .status = 200, .kind = ANSWER_TEXT, .body = SPAN_LIT("") },
	};

	for (uint32_t i = 0; i < ARRAY_LEN(ends); i++)
		fixture_send(db, request_row(old, i + 1), &ends[i]);
	CHECK_INT(reused(THREE("b") LINE("d", "m", "4"), &b), 4, "answers of every kind");
	CHECK_INT(SQL("SELECT count(*) FROM answers a JOIN answers o ON o.id = (?1 << 32) |"
		      " (a.id & 4294967295) WHERE a.id >> 32 = ?2 AND (a.status, a.request_id, a.kind,"
		      " a.body, typeof(a.body)) IS (o.status, o.request_id, o.kind, o.body,"
		      " typeof(o.body))", old, b.id), 4, "none, bytes, a stream, an empty text");
}

/* In steps, each a transaction: of requests, and of bytes. */
static void test_steps(void)
{
	enum { MANY = 12345, MIB = 1 << 20 };
	struct batch b CLEANUP(batch_release) = BATCH_INIT;
	fresh("steps");
	int64_t file = fixture_lines(db, MANY), old = fixture_batch(db, file);

	ROWS_DO(raw, "INSERT INTO answers (id, line, ended_ms, status, body)"
		" SELECT id, id & 4294967295, 1, 200, x'7b7d' FROM requests WHERE id >> 32 = ?1", old);
	ROWS_DO(raw, "UPDATE requests SET state = 2, answer = id & 4294967295 WHERE id >> 32 = ?1", old);
	ROWS_DO(raw, "UPDATE queues SET pending = 0");
	ROWS_DO(raw, "UPDATE batches SET status = 2, pending = 0, completed = total, answers = total");
	ROWS_DO(raw, "INSERT INTO usage (batch, model, hour, requests) SELECT batch, model, 1, ?1"
		" FROM queues", MANY);
	/* All lines are equal. */
	CHECK_INT(create(fixture_new(file), ANY, &b), MANY, "more than a step of requests");
	CHECK_INT(SQL("SELECT count(*) FROM answers WHERE id >> 32 = ?1 AND line = (id & 4294967295)"
		      " AND line BETWEEN 1 AND 12345", b.id), MANY, "one answer each");
	fixture_must(batch_delete(db, old, &e) == 0, "delete", &e);
	ROWS_DO(raw, "UPDATE answers SET body = zeroblob(?2), kind = 2 WHERE line <= 9 AND id >> 32 = ?1",
		b.id, 3 * MIB);
	struct str text CLEANUP(str_release) = STR_INIT;
	for (int i = 1; i <= 9; i++)
		str_addf(&text, "{\"custom_id\":\"b%d\",\"url\":\"/v1/b\",\"body\":%d}\n", i, i);
	int64_t large = answered(str_z(&text), "x");
	ROWS_DO(raw, "UPDATE answers SET body = zeroblob(?2), kind = 2 WHERE id >> 32 = ?1", large,
		3 * MIB);
	CHECK_INT(reused(str_z(&text), &b), 9, "more than a step of bytes");
	CHECK_INT(SQL("SELECT sum(length(body)) FROM answers WHERE id >> 32 = ?1", b.id), 27 * MIB,
		  "all of them");
}

/* The parts, with something that happens between them. */
static void test_meanwhile(void)
{
	struct reuse u CLEANUP(reuse_release) = REUSE_INIT;
	fresh("meanwhile");
	int64_t old = answered(LINE("a", "m", "1"), "x"), other = answered(LINE("b", "m", "2"), "y");
	int64_t file = fixture_file(db, LINE("c", "m", "1") LINE("d", "m", "2"));
	struct batch_new n = fixture_new(file);
	int64_t id = fixture_batch(db, file), now = clock_wall_ms();

	u.within_ms = ANY;
	fixture_must(reuse_file(&u, db, file, 2, &e) == 0, "reuse_file", &e);
	CHECK_INT(reuse_find(&u, db, &n, now, &e), 2, "two answers are found");
	fixture_must(batch_delete(db, old, &e) == 0, "delete", &e);
	CHECK(reuse_take(&u, db, id, file, now, &e) == 0 && u.taken == 1,
	      "one is deleted before it is taken: the other is");
	CHECK_STR(source_of(id, 2), request_name(other, 1), "and names its source");
	CHECK_STR(source_of(id, 1), "none", "a request without an answer stays pending");
	TX(tx);
	fixture_must(tx_begin(&tx, db, &e) == 0 && reuse_show(&u, db, id, now, &e) == 0 &&
		     tx_commit(&tx, &e) == 0, "reuse_show", &e);
	CHECK(rows_wrong(raw) == 0 && SQL("SELECT pending FROM batches WHERE id = ?1", id) == 1,
	      "and is counted as such");

	struct reuse none CLEANUP(reuse_release) = REUSE_INIT, path CLEANUP(reuse_release) = REUSE_INIT;
	CHECK_INT(reuse_find(&none, db, &n, now, &e), 0, "no request, no answer");
	path.within_ms = ANY;
	const struct span fields[] = { SPAN_LIT("POST"), SPAN_LIT("/v1/x"), SPAN_NONE,
				       SPAN_LIT("{\"model\":\"m\",\"q\":2}") };
	for (int i = 0; i < 3; i++)
		reuse_add(&path, hash_fields(fields, ARRAY_LEN(fields)));
	CHECK_INT(reuse_find(&path, db, &n, now, &e), 3, "requests of no file are looked for too");
}

static void test_guess(void)
{
	struct batch b CLEANUP(batch_release) = BATCH_INIT, other CLEANUP(batch_release) = BATCH_INIT;
	fresh("guess");
	int64_t file = fixture_file(db, THREE("a")), same = fixture_file(db, THREE("a"));
	int64_t one = fixture_batch(db, file);

	fixture_complete(db, request_row(one, 1), "{}");
	fixture_get(db, fixture_batch(db, same), &b);
	CHECK_INT(reuse_guess(db, &b, &other, &e), 0, "one of three answers is not most of them");
	fixture_complete(db, request_row(one, 2), "{}");
	CHECK(file != same && reuse_guess(db, &b, &other, &e) == 1 && other.id == one,
	      "two are, under another file of the same content too");
	answer(fixture_batch(db, file), "x");
	CHECK(reuse_guess(db, &b, &other, &e) == 1 && other.id == b.id + 1, "the newest is named");
	answer(b.id, "x");
	CHECK(reuse_guess(db, &b, &other, &e) == 1 && other.id == b.id + 1, "not the batch itself");
	ROWS_DO(raw, "UPDATE batches SET headers = '[]' WHERE id <> ?1", b.id);
	CHECK_INT(reuse_guess(db, &b, &other, &e), 0, "other headers are other requests");
	ROWS_DO(raw, "UPDATE batches SET headers = NULL, base_url = 'http://h' WHERE id <> ?1", b.id);
	CHECK_INT(reuse_guess(db, &b, &other, &e), 0, "and so is another base URL");
}

enum { MILLION = 1000000, LIMIT_KB = 42 * 1024 };

static long peak_kb(void)
{
	struct rusage r;

	getrusage(RUSAGE_SELF, &r);
	return r.ru_maxrss;
}

static void print_growth(void)
{
	struct reuse u = REUSE_INIT;
	long before = peak_kb();

	fixture_must(reuse_file(&u, db, 1 << 20, MILLION, &e) == 0, "reuse_file", &e); /* no such file */
	for (uint32_t i = 0; i < MILLION; i++)
		reuse_add(&u, hash_of(&i, sizeof i));
	fprintf(stderr, "%ld", peak_kb() - before);
	reuse_release(&u);
}

static void test_memory(void)
{
	char said[100];

	CHECK_INT(unit_child(print_growth, said, sizeof said), 0, "a million requests in a child");
	long kb = strtol(said, NULL, 10);
	printf("# %ld kB\n", kb);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
	const char *preload = getenv("LD_PRELOAD");
	CHECK(kb > 0 && (kb < LIMIT_KB || (preload && strstr(preload, "vgpreload"))),
	      "need 40 bytes each");
#endif
}

int main(void)
{
	db = fixture_db("plans");
	fixture_check_plans(db, &reuse_sql);
	test_memory();
	test_all();
	test_some();
	test_equal();
	test_states();
	test_newest();
	test_twice();
	test_age();
	test_kinds();
	test_steps();
	test_meanwhile();
	test_guess();
	sqlite3_close(raw);
	db_close(db);
	return unit_done();
}
