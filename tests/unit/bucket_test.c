#include "domain/bucket.h"

#include <string.h>
#include "fixture.h"
#include "rows.h"

static struct db *db;
static sqlite3 *raw;
static struct err e;

/* A batch of these lines, each "url model"; its row. */
static int64_t batch_of(const char *base_url, const char *key, const char *const *lines, int n)
{
	struct str text CLEANUP(str_release) = STR_INIT;
	struct batch b CLEANUP(batch_release) = BATCH_INIT;
	bool existed;

	for (int i = 0; i < n; i++) {
		size_t url = strcspn(lines[i], " ");
		str_addf(&text, "{\"custom_id\":\"r%d\",\"url\":\"%.*s\",\"body\":{\"model\":\"%s\"}}\n", i,
			 (int)url, lines[i], lines[i] + url + 1);
	}
	struct batch_new new = fixture_new(fixture_file(db, str_z(&text)));
	new.base_url = base_url;
	new.key_ref = key;
	fixture_must(batch_create(db, &new, &b, &existed, &e) == 0, "batch_create", &e);
	return b.id;
}

static int64_t queue_of(int64_t batch, const char *model)
{
	sqlite3_stmt *q = rows_prepare(raw, "SELECT q.id FROM queues q JOIN models m ON m.id = q.model"
				       " WHERE q.batch = ?1 AND m.name = ?2", &batch, 1);

	sqlite3_bind_text(q, 2, model, -1, SQLITE_STATIC);
	int64_t id = sqlite3_step(q) == SQLITE_ROW ? sqlite3_column_int64(q, 0) : -1;
	sqlite3_finalize(q);
	return id;
}

/* The bucket of the queue, in a transaction of its own. */
static int64_t meet(int64_t queue)
{
	TX(tx);
	fixture_must(tx_begin(&tx, db, &e) == 0, "tx_begin", &e);
	int64_t id = bucket_of_queue(db, queue, &e);
	if (id > 0)
		fixture_must(tx_commit(&tx, &e) == 0, "tx_commit", &e);
	return id;
}

/* "origin key model" */
static const char *text_of(int64_t bucket)
{
	static char text[400];
	struct bucket b CLEANUP(bucket_release) = BUCKET_INIT;

	if (bucket_get(db, bucket, &b, &e) < 0)
		return "gone";
	snprintf(text, sizeof text, "%s %s %s", b.origin, b.key_ref, b.model);
	return text;
}

static void origins(void)
{
	static const struct { const char *base, *url, *want, *rule; } all[] = {
		{ "http://api:8000/v1", "/v1/x", "http://api:8000 env:K m", "a path: the base URL's origin" },
		{ "http://api:8000/v1?a=b", "/v1/x", "http://api:8000 env:K m", "whatever its path and query" },
		{ "HTTPS://API.example:443/v1", "/v1/x", "https://api.example env:K m",
		  "in lower case, without the usual port" },
		{ "http://api:8000/v1", "http://API:8000/v2/x", "http://api:8000 env:K m",
		  "an absolute url to the same origin: with the key" },
		{ "https://api/v1", "https://api:443/v1/x", "https://api env:K m",
		  "also if it names the usual port" },
		{ "http://api:8000/v1", "http://other:8000/v1/x", "http://other:8000 none m",
		  "to another host: that one, without a key" },
		{ "http://api:8000/v1", "http://api:8001/v1/x", "http://api:8001 none m", "to another port" },
		{ "http://api/v1", "https://api/v1/x", "https://api none m", "by another scheme" },
	};
	for (size_t i = 0; i < ARRAY_LEN(all); i++) {
		char line[200];
		snprintf(line, sizeof line, "%s m", all[i].url);
		const char *same[] = { line, line }, *mixed[] = { line, "/v1/other m" };
		int64_t q = queue_of(batch_of(all[i].base, "env:K", same, 2), "m");
		CHECK_STR(text_of(meet(q)), all[i].want, "origin: %s", all[i].rule);
		q = queue_of(batch_of(all[i].base, "env:K", mixed, 2), "m");
		CHECK_STR(text_of(meet(q)), all[i].want, "origin: so too if the lines' urls differ");
	}
}

static void queues(void)
{
	static const char *const lines[] = { "http://far/a one", "/near two", "http://far/a two",
					     "http://far/b one" };
	int64_t batch = batch_of("http://here/v1", "env:K", lines, 4);
	int64_t one = queue_of(batch, "one"), two = queue_of(batch, "two");

	CHECK_INT(ROWS_INT(raw, "SELECT bucket IS NULL FROM queues WHERE id = ?1", one), 1,
		  "a queue that nobody has met has no bucket");
	int64_t a = meet(one), b = meet(two);
	CHECK_STR(text_of(a), "http://far none one", "of urls that differ the first line of the queue tells");
	CHECK_STR(text_of(b), "http://here env:K two", "for each queue");
	CHECK(ROWS_INT(raw, "SELECT bucket FROM queues WHERE id = ?1", one) == a &&
	      ROWS_INT(raw, "SELECT bucket FROM queues WHERE id = ?1", two) == b,
	      "it is kept with the queue");
	ROWS_DO(raw, "UPDATE batches SET base_url = 'http://moved' WHERE id = ?1", batch);
	CHECK(meet(two) == b && meet(one) == a, "and not found again");
	ROWS_DO(raw, "UPDATE batches SET base_url = 'http://here/v1' WHERE id = ?1", batch);

	int64_t later = batch_of("http://here/v2", "env:K", lines, 4);
	ROWS_DO(raw, "UPDATE requests SET state = 4 WHERE id = ?1", request_row(later, 1));
	ROWS_DO(raw, "UPDATE requests SET state = 4 WHERE id = ?1", request_row(later, 2));
	CHECK(meet(queue_of(later, "one")) == a, "batches share it: same origin, key and model");
	CHECK_STR(text_of(meet(queue_of(later, "two"))), "http://far none two",
		  "it is the first line that is pending");
	int64_t other = batch_of("http://here/v1", "env:L", lines, 4);
	CHECK_STR(text_of(meet(queue_of(other, "two"))), "http://here env:L two",
		  "another key is another bucket");
	CHECK_INT(meet(queue_of(other, "one")), a, "but where none is sent it does not matter");

	ROWS_DO(raw, "UPDATE requests SET state = 4 WHERE id >> 32 = ?1", other);
	ROWS_DO(raw, "UPDATE queues SET bucket = NULL WHERE batch = ?1", other);
	CHECK_STR(text_of(meet(queue_of(other, "one"))), "http://here env:L one",
		  "nothing is pending: the base URL's");
	CHECK(meet(987654) == -1 && e.code == ERR_INTERNAL, "a queue that is gone: %s", e.msg);

	int64_t before = ROWS_INT(raw, "SELECT count(*) FROM buckets");
	int64_t fresh = batch_of("http://undone/v1", "none", lines, 4);
	TX(tx);
	fixture_must(tx_begin(&tx, db, &e) == 0, "tx_begin", &e);
	CHECK(bucket_of_queue(db, queue_of(fresh, "two"), &e) > 0, "one that is met");
	tx_end(&tx);
	CHECK(ROWS_INT(raw, "SELECT count(*) FROM buckets") == before &&
	      ROWS_INT(raw, "SELECT bucket IS NULL FROM queues WHERE id = ?1", queue_of(fresh, "two")),
	      "and rolled back is none");
}

static void beside(void)
{
	struct bucket b CLEANUP(bucket_release) = BUCKET_INIT;
	int64_t models = ROWS_INT(raw, "SELECT count(*) FROM models");

	fixture_must(bucket_get(db, 1, &b, &e) == 0, "bucket_get", &e);
	TX(tx);
	fixture_must(tx_begin(&tx, db, &e) == 0, "tx_begin", &e);
	int64_t id = bucket_for_model(db, &b, "mini", &e);
	CHECK(id > 1 && bucket_for_model(db, &b, "mini", &e) == id, "for another model: one, and the same"
	      " the next time");
	CHECK_INT(bucket_for_model(db, &b, "m", &e), 1, "for its own: itself");
	fixture_must(tx_commit(&tx, &e) == 0, "tx_commit", &e);
	CHECK_STR(text_of(id), "http://api:8000 env:K mini", "of the same origin and key");
	CHECK_INT(ROWS_INT(raw, "SELECT count(*) FROM models"), models + 1, "the model is known now");
}

static void write(const struct bucket *b)
{
	TX(tx);
	fixture_must(tx_begin(&tx, db, &e) == 0 && bucket_write(db, b, &e) == 0 &&
		     tx_commit(&tx, &e) == 0, "bucket_write", &e);
}

static void moving(void)
{
	struct bucket b CLEANUP(bucket_release) = BUCKET_INIT;

	fixture_must(bucket_get(db, 1, &b, &e) == 0, "bucket_get", &e);
	CHECK(b.id == 1 && b.hold_ms == 0 && !b.hold_why[0] && b.cap == 0 && b.halved_ms == 0 &&
	      b.rate_us == 0 && b.tokens_us == 0, "at first nothing holds it");
	b.hold_ms = 11;
	b.cap = 3;
	b.halved_ms = 12;
	b.rate_us = INT64_C(1795230765000001);
	b.tokens_us = INT64_C(1795230765000002);
	snprintf(b.hold_why, sizeof b.hold_why, "no tokens left");
	write(&b);
	struct bucket again CLEANUP(bucket_release) = { .id = 1, .cap = 99, .hold_why = "old" };
	fixture_must(bucket_reread(db, &again, &e) == 0, "bucket_reread", &e);
	CHECK(again.hold_ms == 11 && again.cap == 3 && again.halved_ms == 12 &&
	      again.rate_us == b.rate_us && again.tokens_us == b.tokens_us, "what is written is read");
	CHECK_STR(again.hold_why, "no tokens left", "and why");
	CHECK(!again.origin, "only the moving part");
	b.cap = 0;
	b.hold_why[0] = '\0';
	write(&b);
	CHECK_INT(ROWS_INT(raw, "SELECT cap IS NULL AND hold_why IS NULL FROM buckets WHERE id = 1"), 1,
		  "no limit and no reason are NULL in the file");
	fixture_must(bucket_reread(db, &again, &e) == 0, "bucket_reread", &e);
	CHECK(again.cap == 0 && !again.hold_why[0], "and are read so");
	ROWS_DO(raw, "UPDATE buckets SET hold_why = hex(zeroblob(250)) WHERE id = 1");
	fixture_must(bucket_reread(db, &again, &e) == 0, "bucket_reread", &e);
	CHECK_INT(strlen(again.hold_why), BUCKET_WHY - 1, "a reason that is too long is cut");
	CHECK(bucket_get(db, 4242, &b, &e) == -1 && e.code == ERR_INTERNAL, "one that is gone: %s", e.msg);
	CHECK_STR(b.model, "m", "leaves what was there");
	again.id = 4242;
	CHECK(bucket_reread(db, &again, &e) == -1 && e.code == ERR_INTERNAL, "so does reading it again");
	bucket_release(&b);
	CHECK(!b.origin && b.id == 0, "releasing empties it");
}

static void shares(void)
{
	struct bucket_share got[4], mine = { .worker = 7, .wants_ms = 50, .served_ms = 40 };
	struct tally t CLEANUP(tally_release) = { 0 };

	CHECK_INT(bucket_shares(db, 1, got, 4, &e), 0, "no worker has any");
	TX(tx);
	fixture_must(tx_begin(&tx, db, &e) == 0, "tx_begin", &e);
	tally_begin(&t, db);
	tally_fly(&t, 1, 7, 3);
	tally_fly(&t, 1, 8, 1);
	tally_fly(&t, 2, 7, 5);
	fixture_must(tally_flush(&t, 1, &e) == 0, "tally_flush", &e);
	CHECK_INT(bucket_queue_up(db, 1, &mine, &e), 0, "a worker waits that has some");
	mine = (struct bucket_share){ .worker = 9, .wants_ms = 60 };
	CHECK_INT(bucket_queue_up(db, 1, &mine, &e), 0, "and one that has none");
	CHECK_INT(bucket_shares(db, 1, got, 4, &e), 3, "three have to do with it");
	CHECK(got[0].worker == 7 && got[0].in_flight == 3 && got[0].wants_ms == 50 &&
	      got[0].served_ms == 40, "what it has in flight stays when it waits");
	CHECK(got[1].worker == 8 && got[1].in_flight == 1 && got[1].wants_ms == 0, "one does not");
	CHECK(got[2].worker == 9 && got[2].in_flight == 0 && got[2].wants_ms == 60, "one only waits");
	mine.wants_ms = 0;
	mine.served_ms = 70;
	fixture_must(bucket_queue_up(db, 1, &mine, &e) == 0, "bucket_queue_up", &e);
	CHECK(bucket_shares(db, 1, got, 4, &e) == 3 && got[2].wants_ms == 0 && got[2].served_ms == 70,
	      "no more");
	CHECK_INT(bucket_shares(db, 1, got, 2, &e), 2, "no more are read than there is room for");
	CHECK_INT(bucket_shares(db, 2, got, 4, &e), 1, "other buckets have their own");
}

static void blocks(void)
{
	struct bucket_block b = { .worker = 7, .batch = 5, .reason = "all_failing", .message = "no model",
				  .since_ms = 100, .next_ms = 0 };

	TX(tx);
	fixture_must(tx_begin(&tx, db, &e) == 0 && bucket_block(db, &b, &e) == 0, "bucket_block", &e);
	b = (struct bucket_block){ .worker = 7, .bucket = 1, .reason = "host_down", .message = "",
				   .since_ms = 100, .next_ms = 900 };
	fixture_must(bucket_block(db, &b, &e) == 0, "bucket_block", &e);
	b.next_ms = 901;
	fixture_must(bucket_block(db, &b, &e) == 0, "bucket_block", &e);
	b.worker = 8;
	fixture_must(bucket_block(db, &b, &e) == 0 && tx_commit(&tx, &e) == 0, "bucket_block", &e);
	CHECK_INT(ROWS_INT(raw, "SELECT count(*) FROM blocks"), 3, "one row for worker, batch and bucket");
	CHECK_STR(ROWS_TEXT(raw, "SELECT reason || ' ' || message || ' ' || bucket || ' ' || since_ms"
			    " FROM blocks WHERE worker = 7 AND batch = 5 AND next_ms IS NULL"),
		  "all_failing no model 0 100", "of a batch; without an end: NULL");
	CHECK_INT(ROWS_INT(raw, "SELECT next_ms FROM blocks WHERE worker = 7 AND bucket = 1"), 901,
		  "of a bucket, the later word counts");
	TX(other);
	fixture_must(tx_begin(&other, db, &e) == 0 && bucket_unblock(db, 7, &e) == 0 &&
		     tx_commit(&other, &e) == 0, "bucket_unblock", &e);
	CHECK_INT(ROWS_INT(raw, "SELECT group_concat(worker) FROM blocks"), 8,
		  "a worker takes back its own, not the others'");
}

int main(void)
{
	db = fixture_db("bucket");
	raw = rows_raw(db_path(db));
	origins();
	queues();
	beside();
	moving();
	shares();
	blocks();
	bucket_release(&(struct bucket)BUCKET_INIT);
	sqlite3_close(raw);
	db_close(db);
	return unit_done();
}
