#include "engine/blocks.h"

#include <string.h>
#include "base/log.h"
#include "domain/worker.h"
#include "rows.h"

static struct rows r;
static struct err e;
static struct scene scene;
static int64_t bucket[3];  /* of the models m1, m2, m3: rows */
static int64_t known;      /* health_version() of before */

static void begin(const char *name, bool retry)
{
	static const struct worker_new me = { .version = "0", .config = "{}" };
	const struct health_options o = { .give_up_ms = 600000, .retry = retry };
	struct worker w;

	rows_open(&r, name);
	int64_t batch = rows_batch(&r, 3, 9, 0);
	ROWS_DO(r.raw, "UPDATE batches SET base_url = 'http://down\x1b[2J'");
	rows_must(worker_enter(r.db, &me, &w, &e) == 0, "worker_enter", e.msg);
	scene = (struct scene){ .db = r.db, .worker = w.id, .now_ms = 5000000, .mono_ms = 70000,
				.limiter = limiter_new(w.id, NULL, true, 4), .health = health_new(&o) };
	known = 0;
	rows_begin(&r);
	rows_must(limiter_begin(scene.limiter, r.db, scene.now_ms, &e) == 0, "limiter_begin", e.msg);
	for (int i = 0; i < 3; i++) {
		const struct limiter_bucket *b = limiter_of_queue(scene.limiter, rows_queue(batch, i + 1), &e);
		rows_must(b != NULL, "limiter_of_queue", e.msg);
		bucket[i] = b->row.id;
	}
	rows_must(rows_commit(&r) == 0, "commit", "a counter is wrong");
	limiter_commit(scene.limiter);
}

static void end(void)
{
	limiter_free(scene.limiter);
	health_free(scene.health);
	rows_close(&r);
}

static void write_now(int64_t since)
{
	rows_begin(&r);
	rows_must(blocks_write(&scene, since, &e) == 0, "blocks_write", e.msg);
	rows_must(rows_commit(&r) == 0, "commit", "a counter is wrong");
}

/* n attempts that end so, of batch 1. */
static void ends(int n, int64_t of_bucket, enum http_code code, int status, const char *message)
{
	const struct health_facts f = {
		.batch = 1, .bucket = of_bucket, .code = code, .status = status,
		.final = status == 404, .key = true, .message = message,
	};
	for (int i = 0; i < n; i++)
		health_review(scene.health, &f, scene.mono_ms);
}

/* All rows of blocks, but for the worker. */
static const char *table(void)
{
	return ROWS_TEXT(r.raw, "SELECT group_concat(t, ' | ') FROM (SELECT batch || ' ' || bucket || ' ' ||"
			 " reason || ' ' || message || ' ' || since_ms || ' ' || ifnull(next_ms, '-') AS t"
			 " FROM blocks ORDER BY batch, bucket)");
}

static void writing(void)
{
	begin("writing", false);
	write_now(-1);
	CHECK_STR(table(), "", "nothing is left alone: no rows");
	ends(20, bucket[0], HTTP_CONNECT, 0, "refused");
	scene.now_ms += 400;
	scene.mono_ms += 400;
	write_now(known);
	CHECK_STR(table(), "0 1 host_down refused 5000000 5001000 | 0 2 host_down refused 5000000 5001000 |"
		  " 0 3 host_down refused 5000000 5001000", "a server: a row for each of its buckets that"
		  " was met, in wall-clock time");
	known = health_version(scene.health);
	ROWS_DO(r.raw, "UPDATE blocks SET message = 'as it was'");
	write_now(known);
	CHECK_INT(ROWS_INT(r.raw, "SELECT count(*) FROM blocks WHERE message = 'as it was'"), 3,
		  "what others know is not written again");
	ROWS_DO(r.raw, "INSERT INTO blocks SELECT 4711, batch, bucket, reason, message, since_ms, next_ms"
		" FROM blocks WHERE bucket = 1");
	struct health_facts good = { .batch = 1, .bucket = bucket[0], .status = 200, .success = true };
	health_review(scene.health, &good, scene.mono_ms);
	write_now(known);
	CHECK_INT(ROWS_INT(r.raw, "SELECT group_concat(worker) FROM blocks"), 4711,
		  "what is over goes; rows of other workers stay");
	ROWS_DO(r.raw, "DELETE FROM blocks");
	end();

	begin("mixed", false);
	ends(20, bucket[1], HTTP_ANSWERED, 404, "no such model");
	ends(1, bucket[2], HTTP_ANSWERED, 401, "bad key");
	write_now(0);
	CHECK_STR(table(), "0 3 unauthorized bad key 5000000 - | 1 0 all_failing no such model 5000000 -",
		  "a bucket and a batch: a row each, without an end");
	end();

	begin("retry", true);
	ends(1, bucket[2], HTTP_ANSWERED, 401, "bad key");
	write_now(0);
	CHECK_STR(table(), "0 3 unauthorized bad key 5000000 5600000", "one that is tried again: when");
	end();

	begin("over", false);
	ends(20, bucket[0], HTTP_DNS, 0, "unknown");
	scene.now_ms += 600000;
	scene.mono_ms += 600000;
	write_now(0);
	CHECK_STR(table(), "0 1 host_down unknown 5000000 - | 0 2 host_down unknown 5000000 - |"
		  " 0 3 host_down unknown 5000000 -", "one that is given up has no end any more");
	end();
}

static void tell(void)
{
	blocks_tell(&scene, known);
}

static void telling(void)
{
	char said[2000];

	begin("telling", false);
	CHECK(unit_child(tell, said, sizeof said) == 0 && strcmp(said, "") == 0,
	      "nothing is left alone: nothing is said");
	ends(20, bucket[0], HTTP_CONNECT, 0, "refused");
	unit_child(tell, said, sizeof said);
	CHECK_STR(said, "fsl: warning: http://down\\x1b[2j does not answer well (refused): it is held, its"
		  " requests stay pending; one tries it now and then\n", "a server, safe to print");
	known = health_version(scene.health);
	unit_child(tell, said, sizeof said);
	CHECK_STR(said, "", "once");
	/* Also when the transaction in which it began was rolled back. */
	ends(1, bucket[1], HTTP_ANSWERED, 401, "bad key");
	scene.mono_ms += 5000;
	unit_child(tell, said, sizeof said);
	CHECK_STR(said, "fsl: warning: m2 at http://down\\x1b[2j is left alone (unauthorized): bad key; its"
		  " requests stay pending\n", "a model, whenever its transaction is committed");
	known = health_version(scene.health);
	struct health_facts f = { .batch = 7, .bucket = bucket[2], .status = 404, .final = true,
				  .message = "no such model" };
	for (int i = 0; i < 20; i++)
		health_review(scene.health, &f, scene.mono_ms);
	unit_child(tell, said, sizeof said);
	CHECK_STR(said, "fsl: warning: a batch is left alone (all_failing): no such model; its requests stay"
		  " pending\n", "a batch, also one that is gone");
	known = health_version(scene.health);
	health_leave(scene.health, 1, BLOCKS_NO_KEY, "key env:K: is empty", scene.mono_ms);
	log_set(LOG_ERROR, false);
	unit_child(tell, said, sizeof said);
	log_set(LOG_NOTE, false);
	CHECK(strncmp(said, "fsl: batch_", 11) == 0 && strstr(said, " is left alone (key_unresolved): key"
	      " env:K: is empty; its requests stay pending\n"), "a missing key, with -q, too: %s", said);
	end();
}

/* The number of another server, which has been met. */
static int meet(int64_t url)
{
	int64_t batch = rows_batch(&r, 1, 1, 0);

	ROWS_DO(r.raw, "UPDATE batches SET base_url = 'http://' || ?1 WHERE id = ?2", url, batch);
	rows_begin(&r);
	rows_must(limiter_begin(scene.limiter, r.db, scene.now_ms, &e) == 0, "limiter_begin", e.msg);
	const struct limiter_bucket *b = limiter_of_queue(scene.limiter, rows_queue(batch, 1), &e);
	rows_must(b && rows_commit(&r) == 0, "limiter_of_queue", e.msg);
	limiter_commit(scene.limiter);
	return b->origin;
}

static char what[400];

static const char *reason(void)
{
	static char text[300];
	struct ledger_state s = { .block = "old", .block_message = "old" };

	blocks_reason(&scene, &s);
	snprintf(what, sizeof what, "%s, key %s", s.block_what, s.block_key);
	snprintf(text, sizeof text, "%s %s", s.block ? s.block : "none", s.block ? s.block_message : "");
	return text;
}

static void reasons(void)
{
	begin("reasons", false);
	CHECK_STR(reason(), "none ", "nothing is left alone: no reason");
	ends(1, bucket[0], HTTP_ANSWERED, 401, "bad key");
	ends(1, bucket[1], HTTP_ANSWERED, 401, "another bad key");
	CHECK_STR(reason(), "unauthorized bad key", "the first of several");
	CHECK_STR(what, "m1 at http://down\\x1b[2j, key none", "what it is, with its key");
	struct health_facts f = { .batch = 2, .bucket = bucket[2], .origin = meet(1), .code = HTTP_DNS,
				  .message = "unknown" };
	for (int i = 0; i < 20; i++)
		health_review(scene.health, &f, scene.mono_ms);
	CHECK_STR(reason(), "host_down unknown", "that of a server comes before others");
	f.origin = meet(2);
	f.message = "unknown too";
	for (int i = 0; i < 20; i++)
		health_review(scene.health, &f, scene.mono_ms);
	CHECK_STR(reason(), "host_down unknown", "the first of those");
	struct ledger_state s = { .block = NULL };
	struct health_block h;
	health_given_up(scene.health, 1, bucket[1], 0, scene.mono_ms, &h);
	blocks_blame(&scene, &h, &s);
	CHECK(s.block && strcmp(s.block_message, "another bad key") == 0, "one may be blamed by itself");
	health_given_up(scene.health, 1, bucket[0], 0, scene.mono_ms, &h);
	blocks_blame(&scene, &h, &s);
	CHECK_STR(s.block_message, "another bad key", "that stays, as the first");
	end();
}

int main(void)
{
	writing();
	telling();
	reasons();
	return unit_done();
}
