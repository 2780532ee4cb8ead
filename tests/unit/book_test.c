/* The test is the ledger and the network thread at once: it begins, commits and
 * rolls back, and says how each job has ended. */
#include "engine/book.h"

#include "engine/starter.h"

#include <string.h>
#include "domain/worker.h"
#include "fixture.h"
#include "proc.h"
#include "rows.h"

static struct db *db;
static sqlite3 *raw;
static struct err e;
static struct worker worker;
static struct book *book;
static struct ledger_state *state;
static struct desk_words words;
static struct job_list out, ended, unsent, fresh; /* out: in flight */
static struct rng rng;
static struct tx tx;

#define SQL(...) ROWS_INT(raw, __VA_ARGS__)

/* Retries at once, so that no test waits for one. */
static struct send quick(void)
{
	struct send s = SEND_INIT;

	s.retries = 5;
	s.retry_delay_ms = 0;
	return s;
}

static int64_t add_batch(int64_t file, const char *key)
{
	struct batch b CLEANUP(batch_release) = BATCH_INIT;
	struct send send = quick();
	struct batch_new n = fixture_new(file);
	bool existed;

	n.send = &send;
	n.key_ref = key;
	fixture_must(batch_create(db, &n, &b, &existed, &e) == 0, "batch_create", &e);
	return b.id;
}

static void open_file(const char *name)
{
	db = fixture_db(name);
	raw = rows_raw(db_path(db));
	job_list_init(&out);
	job_list_init(&ended);
	job_list_init(&unsent);
	job_list_init(&fresh);
}

static void open_book(struct ledger_options o)
{
	static const struct worker_new me = { .version = "0", .config = "{}" };

	o.version = "0";
	o.config = "{}";
	o.jobs = o.jobs ? o.jobs : 8;
	fixture_must(worker_enter(db, &me, &worker, &e) == 0, "worker_enter", &e);
	book = book_new(db, worker.id, &o);
	state = book_state(book);
}

static void clear(struct job_list *l)
{
	struct job *j;

	while ((j = job_pop(l)))
		job_free(j);
}

static void close_all(void)
{
	tx_end(&tx);
	book_free(book);
	clear(&out);
	clear(&ended);
	clear(&unsent);
	clear(&fresh);
	desk_words_clear(&words);
	sqlite3_close(raw);
	db_close(db);
}

/* One transaction up to its end: all that has ended, and up to n new ones. */
static void work(int n)
{
	fixture_must(tx_begin(&tx, db, &e) == 0 && book_begin(book, clock_wall_ms(), &e) == 0 &&
		     book_settle(book, &ended, &unsent, &e) == 0 &&
		     starter_start(book, n, &fresh, &e) == 0 && book_end(book, &e) == 0, "work", &e);
}

static void roll_back(void)
{
	book_rollback(book, &fresh);
	tx_end(&tx);
}

/* How many were started. */
static int commit(void)
{
	int n = fresh.n;

	fixture_must(tx_commit(&tx, &e) == 0, "tx_commit", &e);
	desk_words_clear(&words);
	book_commit(book, &words);
	book_drop(book, &ended);
	book_drop(book, &unsent);
	job_append(&out, &fresh);
	fixture_must(rows_wrong(raw) == 0, "counters", &e);
	return n;
}

static int cycle(int n)
{
	work(n);
	return commit();
}

static void end_of(struct job *j, int status, enum http_code code, const char *body, int64_t hold_ms)
{
	j->call.code = code;
	j->call.status = status;
	j->call.retry_after_ms = -1;
	j->call.sent = true;
	j->call.hold_ms = hold_ms;
	snprintf(j->call.hold_why, sizeof j->call.hold_why, "%d", status);
	snprintf(j->call.message, sizeof j->call.message, "%s", code ? "it broke" : "");
	str_addz(&j->call.answer, body);
	j->call.bytes = (int64_t)j->call.answer.n;
	job_judge(j, &rng, clock_wall_ms());
	job_push(&ended, j);
}

/* The first in flight ends so. */
static void end(int status, enum http_code code, const char *body, int64_t hold_ms)
{
	struct job *j = job_pop(&out);

	if (!j)
		abort();
	end_of(j, status, code, body, hold_ms);
}

static void answers(int n, int status)
{
	while (n-- > 0)
		end(status, HTTP_ANSWERED, status == 200 ? "{\"usage\":{\"input_tokens\":2,\"output_tokens\":1}}"
			: "{\"error\":{\"message\":\"it says why\"}}", 0);
}

static void fails(int n, enum http_code code)
{
	while (n-- > 0)
		end(0, code, "", 0);
}

static void comes_back(int n)
{
	while (n-- > 0)
		job_push(&unsent, job_pop(&out));
}

/* "completed failures lost started" of the state, "done failed" of the worker's
 * row, "completed failed pending processing" of all batches. */
static const char *counts(void)
{
	static char text[200];

	snprintf(text, sizeof text, "%lld %lld %lld %lld, %lld %lld, %lld %lld %lld %lld",
		 (long long)state->completed, (long long)state->failures, (long long)state->lost,
		 (long long)state->started, (long long)SQL("SELECT sum(done) FROM workers"),
		 (long long)SQL("SELECT sum(failed) FROM workers"),
		 (long long)SQL("SELECT sum(completed) FROM batches"),
		 (long long)SQL("SELECT sum(failed) FROM batches"),
		 (long long)SQL("SELECT sum(pending) FROM batches"),
		 (long long)SQL("SELECT sum(processing) FROM batches"));
	return text;
}

static void life(void)
{
	open_file("life");
	add_batch(fixture_lines(db, 30), "none");
	open_book((struct ledger_options){ .jobs = 8 });
	CHECK(book_is_hungry(book), "at first there may be something to start");
	CHECK_INT(cycle(8), 8, "as many start as are asked for");
	CHECK_STR(counts(), "0 0 0 8, 0 0, 0 0 22 8", "and are in flight on disk");
	CHECK(book_is_hungry(book), "there is more");
	answers(3, 200);
	answers(2, 404);
	answers(1, 500);
	comes_back(1);
	CHECK_INT(cycle(0), 0, "what has ended is settled");
	CHECK_STR(counts(), "3 2 0 7, 3 2, 3 2 24 1", "completed, failed, pending again or never sent");
	CHECK(state->input_tokens == 6 && state->output_tokens == 3, "with their tokens");
	CHECK_INT(SQL("SELECT sum(counted) FROM requests WHERE state = 0"), 1, "a retry counts");
	CHECK_INT(SQL("SELECT count(*) FROM attempts"), 6, "what was not sent leaves no attempt");
	CHECK_INT(cycle(100), 24, "all that is pending starts, what was tried as well");
	CHECK(!book_is_hungry(book), "then there is no more");
	CHECK_INT(book_next(book, clock_wall_ms()), -1, "and no time at which there is");
	int n;
	int64_t *met = book_batches(book, &n);
	CHECK(n == 1 && met[0] == 1, "the batch was started");
	free(met);
	CHECK_INT(book_open(book, &e), 1, "and is open");
	answers(25, 200);
	cycle(100);
	CHECK_STR(counts(), "28 2 0 31, 28 2, 28 2 0 0", "all have ended");
	CHECK_INT(book_open(book, &e), 0, "none is open");
	CHECK(book_count(book, &e) == 0 && state->total == 30 && state->done == 30 &&
	      state->done_failed == 2 && state->retrying == 0, "the batches of this run are counted");
	CHECK(book_capacity(book, 5) == 13, "slots, and what is started ahead");
	close_all();
	book_free(NULL);
}

static void once(void)
{
	open_file("once");
	add_batch(fixture_lines(db, 40), "none");
	open_book((struct ledger_options){ .jobs = 40 });
	cycle(20);
	answers(4, 200);
	answers(6, 403);
	answers(2, 500);
	comes_back(3);
	for (int i = 0; i < 3; i++) {
		work(9);
		CHECK_INT(fresh.n, 9, "some are settled, others started");
		roll_back();
		CHECK_STR(counts(), "0 0 0 20, 0 0, 0 0 20 20", "rolled back: nothing was");
		CHECK(book_is_hungry(book) && fresh.n == 0 && ended.n == 12 && unsent.n == 3,
		      "all of it is still to be done");
	}
	work(9);
	CHECK_INT(commit(), 9, "tried again");
	CHECK_STR(counts(), "4 6 0 26, 4 6, 4 6 16 14", "each counts once");
	CHECK_INT(SQL("SELECT count(*) FROM attempts"), 12, "in one attempt");
	CHECK_INT(SQL("SELECT count(*) FROM blocks"), 0, "6 refusals were not 24: ten end it");
	CHECK_INT(out.n, 14, "five that fly still, nine that were started");
	answers(3, 403);
	cycle(0);
	CHECK_INT(SQL("SELECT count(*) FROM blocks"), 0, "nine do not");
	answers(1, 403);
	work(9);
	CHECK_INT(fresh.n, 0, "ten do");
	roll_back();
	CHECK_INT(SQL("SELECT count(*) FROM blocks"), 0, "unless it is rolled back");
	work(9);
	commit();
	CHECK_STR(ROWS_TEXT(raw, "SELECT reason || ' ' || message FROM blocks"), "refused it says why",
		  "the block is written in the next one");
	CHECK(words.n == 1 && words.v[0].what == DESK_RECHECK, "and the network thread is told to give back"
	      " what lies ready");
	answers(1, 403);
	work(0);
	roll_back();
	work(0);
	commit();
	CHECK_STR(counts(), "4 10 0 26, 4 10, 4 10 17 9", "what flew before is pending again");
	CHECK_INT(SQL("SELECT sum(counted) FROM requests WHERE state = 0"), 0,
		  "uncounted, also after a rollback");
	close_all();
}

static void lost(void)
{
	struct job *j;

	open_file("lost");
	add_batch(fixture_lines(db, 4), "none");
	open_book((struct ledger_options){ .jobs = 4 });
	cycle(4);
	/* Another hand has settled one. */
	ROWS_DO(raw, "BEGIN IMMEDIATE");
	ROWS_DO(raw, "DELETE FROM flights WHERE request & 4294967295 = 1");
	ROWS_DO(raw, "UPDATE requests SET state = 3 WHERE id & 4294967295 = 1");
	ROWS_DO(raw, "UPDATE batches SET failed = 1, processing = 3, attempts = 1");
	ROWS_DO(raw, "INSERT INTO answers (id, line, ended_ms, kind) VALUES ((1 << 32) | 1, 1, 1, 3)");
	ROWS_DO(raw, "UPDATE batches SET answers = 1");
	ROWS_DO(raw, "UPDATE shares SET in_flight = 3");
	ROWS_DO(raw, "INSERT INTO attempts (request, n, worker, started_ms) VALUES ((1 << 32) | 1, 1, 0, 1)");
	ROWS_DO(raw, "INSERT INTO usage (batch, model, hour, requests, attempts)"
		" SELECT 1, model, 0, 1, 1 FROM queues");
	ROWS_DO(raw, "COMMIT");
	answers(1, 200);
	cycle(0);
	CHECK_INT(state->lost, 1, "a result that comes too late is dropped and counted");
	CHECK_INT(SQL("SELECT state FROM requests WHERE id & 4294967295 = 1"), 3, "and changes nothing");
	CHECK(state->completed == 0 && state->failures == 0, "it is nobody's success");
	j = out.first;
	CHECK(j && request_line(j->req.row) == 2, "others go on");
	answers(3, 200);
	cycle(0);
	CHECK_STR(counts(), "3 0 1 4, 3 0, 3 1 0 0", "to their ends");
	close_all();
}

/* Each model has every n-th line. */
static int64_t models(int lines, int n)
{
	struct str text CLEANUP(str_release) = STR_INIT;

	for (int i = 0; i < lines; i++)
		str_addf(&text, "{\"custom_id\":\"r%d\",\"url\":\"/v1/x\",\"body\":{\"model\":\"m%d\"}}\n", i,
			 i % n);
	return fixture_file(db, str_z(&text));
}

/* In flight of the i-th model. */
static int64_t of_model(int i)
{
	return SQL("SELECT coalesce(sum(in_flight), 0) FROM shares WHERE bucket ="
		   " (SELECT q.bucket FROM queues q JOIN models m ON m.id = q.model"
		   " WHERE m.name = 'm' || ?1)", i);
}

/* All in flight of the i-th model are answered. */
static void answer_model(int i)
{
	int64_t bucket = SQL("SELECT q.bucket FROM queues q JOIN models m ON m.id = q.model"
			     " WHERE m.name = 'm' || ?1", i);
	struct job_list rest;
	struct job *j;

	job_list_init(&rest);
	while ((j = job_pop(&out)))
		if (j->req.bucket == bucket)
			end_of(j, 200, HTTP_ANSWERED, "{}", 0);
		else
			job_push(&rest, j);
	job_append(&out, &rest);
}

static void fairness(void)
{
	open_file("fairness");
	add_batch(models(2000, 2), "none");
	open_book((struct ledger_options){ .jobs = 16 });
	CHECK_INT(cycle(16), 16, "two models: all slots are used");
	CHECK(of_model(0) == 8 && of_model(1) == 8, "half by each");
	for (int i = 0; i < 40; i++) {
		answer_model(0); /* the other one is slow */
		cycle(16 - out.n);
	}
	CHECK(of_model(1) >= 8 && of_model(1) <= 12 && of_model(0) >= 4,
	      "a slow model does not take all: %lld of 16 are left", (long long)of_model(0));
	CHECK_INT(of_model(0) + of_model(1), 16, "and none is idle");
	CHECK(state->completed > 150, "the other one goes on: %lld", (long long)state->completed);
	while (out.n > 0) {
		int n = out.n;
		answers(n, 200);
		cycle(16);
	}
	CHECK_STR(counts(), "2000 0 0 2000, 2000 0, 2000 0 0 0", "to the end");
	close_all();

	open_file("many");
	add_batch(models(400, 40), "none");
	open_book((struct ledger_options){ .jobs = 8 });
	for (int i = 0; i < 400 && state->completed < 400; i++) {
		cycle(8 - out.n);
		if (out.n > 0)
			answers(out.n > 3 ? 3 : out.n, 200);
	}
	CHECK_INT(state->completed, 400, "more models than slots: all get their turn");
	close_all();
}

static int64_t before, after; /* wall clock, around the last tried() */

static int tried(int n)
{
	before = clock_wall_ms();
	int got = cycle(n);
	after = clock_wall_ms();
	return got;
}

/* What is waited for is so long after that, however slow the machine is; a few
 * milliseconds are those between two clocks. */
static bool waits(int64_t ms)
{
	int64_t next = book_next(book, clock_wall_ms());

	return next >= before + ms - 20 && next <= after + ms + 20;
}

/* The origin is held from now on. */
static void hold(int lines)
{
	add_batch(fixture_lines(db, lines), "none");
	open_book((struct ledger_options){ .jobs = 30, .health = { .give_up_ms = 600000 } });
	cycle(20);
	fails(20, HTTP_CONNECT);
	tried(20);
}

/* Until the next probe may start, by both clocks. */
static bool probe_time(void)
{
	int64_t next = book_next(book, clock_wall_ms());

	return next > 0 && PROC_UNTIL(clock_wall_ms() >= next + 20);
}

static void held(void)
{
	open_file("held");
	hold(30);
	CHECK_INT(out.n, 0, "no answer 20 times: nothing starts any more");
	CHECK_STR(ROWS_TEXT(raw, "SELECT reason || ' ' || message FROM blocks"), "host_down it broke",
		  "and why is in the file");
	CHECK_STR(state->block, "host_down", "and in the state");
	CHECK_INT(SQL("SELECT sum(counted) FROM requests"), 19, "the 20th loses no attempt");
	CHECK(waits(1000), "one tries in a second");
	book_hungry(book);
	int64_t next = book_next(book, clock_wall_ms());
	CHECK(cycle(20) == 0 || clock_wall_ms() >= next, "not before");
	if (out.n > 0) /* a slow machine */
		comes_back(out.n);
	CHECK(probe_time(), "its time comes");
	book_hungry(book);
	work(20);
	CHECK_INT(fresh.n, 1, "one starts");
	roll_back();
	CHECK_INT(cycle(20), 1, "if that is rolled back, another one does: it is not waited for");
	CHECK_INT(book_open(book, &e), 1, "the batch is not given up");
	fails(1, HTTP_CONNECT);
	tried(20);
	CHECK_INT(SQL("SELECT sum(counted) FROM requests"), 19, "it fails, and loses no attempt");
	CHECK(waits(2000), "the next after two seconds");
	CHECK_INT(SQL("SELECT next_ms BETWEEN ?1 + 1980 AND ?2 + 2020 FROM blocks", before, after), 1,
		  "as the file says");
	CHECK(probe_time(), "its time comes");
	book_hungry(book);
	CHECK_INT(cycle(20), 1, "one starts");
	comes_back(1);
	CHECK_INT(cycle(20), 1, "one that was not sent is followed by another one");
	answers(1, 200);
	CHECK_INT(cycle(40), 29, "it succeeds: all start");
	CHECK_INT(SQL("SELECT count(*) FROM blocks"), 0, "nothing is left alone");
	CHECK(!state->block, "as the state says");
	close_all();
}

/* Nobody may ask again and again for what cannot be started. */
static void patience(void)
{
	open_file("patience");
	hold(30);
	/* A minute's hold of the model, told by one that flew before. */
	ROWS_DO(raw, "UPDATE buckets SET hold_ms = ?1", clock_wall_ms() + 60000);
	CHECK(probe_time(), "an origin may be tried, but its model must be left alone");
	book_hungry(book);
	CHECK_INT(cycle(20), 0, "nothing starts");
	int64_t now = clock_wall_ms(), next = book_next(book, now);
	CHECK(next > now + 50000, "and what is waited for is the model: %lld ms", (long long)(next - now));
	ROWS_DO(raw, "UPDATE buckets SET hold_ms = 0");
	book_hungry(book);
	CHECK_INT(cycle(20), 1, "as soon as it may one tries");
	close_all();

	open_file("nothing left");
	hold(20);
	ROWS_DO(raw, "BEGIN IMMEDIATE");
	ROWS_DO(raw, "UPDATE batches SET cancelled = pending, pending = 0, retrying = 0, status = 6");
	ROWS_DO(raw, "UPDATE queues SET pending = 0, retrying = 0");
	ROWS_DO(raw, "UPDATE requests SET state = 4, due = 0");
	ROWS_DO(raw, "COMMIT");
	CHECK(probe_time(), "an origin may be tried, but what was for it is cancelled");
	book_hungry(book);
	CHECK_INT(cycle(20), 0, "nothing starts");
	now = clock_wall_ms();
	next = book_next(book, now);
	CHECK(next > now + 500000, "nothing is waited for but its end: %lld ms", (long long)(next - now));
	CHECK_INT(book_open(book, &e), 0, "and nothing is open");
	close_all();

	/* What is waited for is not forgotten by a transaction that starts nothing. */
	struct limits l CLEANUP(limits_release) = LIMITS_INIT;
	fixture_must(limits_add(&l, "*:rate=1/m", &e) == 0, "limits_add", &e);
	open_file("rate");
	add_batch(fixture_lines(db, 5), "none");
	open_book((struct ledger_options){ .limits = &l });
	CHECK_INT(cycle(5), 1, "rate=1/m: one starts");
	now = clock_wall_ms();
	CHECK(book_next(book, now) > now + 50000, "the next in a minute");
	answers(1, 200);
	cycle(5);
	CHECK(book_next(book, now) > now + 50000, "also after one has ended");
	fixture_must(tx_begin(&tx, db, &e) == 0 && book_begin(book, clock_wall_ms(), &e) == 0 &&
		     book_settle(book, &ended, &unsent, &e) == 0 && book_rescue(book, &e) == 0 &&
		     starter_start(book, 5, &fresh, &e) == 0 && book_end(book, &e) == 0, "work", &e);
	commit();
	CHECK(book_next(book, now) > now + 50000, "and after a look for dead workers that found none");
	close_all();

	open_file("most");
	add_batch(fixture_lines(db, 9), "none");
	open_book((struct ledger_options){ .max_requests = 3 });
	CHECK_INT(cycle(8), 3, "--max-requests 3: three start");
	CHECK(!book_is_hungry(book), "and no more");
	answers(1, 500);
	cycle(8);
	CHECK_INT(SQL("SELECT pending FROM batches WHERE id = 1"), 7, "one is to be tried again");
	CHECK(!book_is_hungry(book) && book_next(book, clock_wall_ms()) == -1,
	      "but not in this run: nothing is waited for");
	comes_back(1);
	CHECK_INT(cycle(8), 1, "what was not sent was no start");
	close_all();
}

/* n more fail, and nothing is retried. */
static int fail_some(int n)
{
	answers(n, 404);
	cycle(0);
	return book_too_many(book, &e);
}

static void too_many(void)
{
	open_file("share");
	add_batch(fixture_lines(db, 20), "none");
	open_book((struct ledger_options){ .jobs = 20, .max_failed = "10%" });
	CHECK_INT(cycle(20), 20, "--max-failed 10%%, of 20 requests");
	CHECK_INT(fail_some(0), 0, "none has failed");
	CHECK_INT(fail_some(2), 0, "two may");
	add_batch(fixture_lines(db, 30), "none");
	CHECK_INT(fail_some(3), 0, "five may when there are 50: a batch that was made meanwhile counts");
	CHECK_INT(fail_some(1), 1, "six are too many");
	close_all();

	open_file("named");
	int64_t file = fixture_lines(db, 20), one = add_batch(file, "none");
	add_batch(file, "none");
	open_book((struct ledger_options){ .jobs = 20, .max_failed = "10%", .batches = &one, .n_batches = 1 });
	cycle(20);
	CHECK_INT(fail_some(2), 0, "two of the batch that was named");
	CHECK_INT(fail_some(1), 1, "others do not count");
	close_all();

	open_file("number");
	add_batch(fixture_lines(db, 20), "none");
	open_book((struct ledger_options){ .jobs = 20, .max_failed = "3" });
	cycle(20);
	CHECK_INT(fail_some(3), 0, "three may");
	CHECK_INT(fail_some(1), 1, "four are too many, whatever there is");
	close_all();

	open_file("any number");
	add_batch(fixture_lines(db, 20), "none");
	open_book((struct ledger_options){ .jobs = 20 });
	cycle(20);
	CHECK_INT(fail_some(20), 0, "without it all may");
	close_all();
}

static void keys(void)
{
	unsetenv("FSL_UNIT_NONE");
	setenv("FSL_UNIT_KEY", "secret-canary", 1);
	open_file("keys");
	int64_t without = add_batch(fixture_lines(db, 3), "env:FSL_UNIT_NONE");
	struct str text CLEANUP(str_release) = STR_INIT;
	for (int i = 0; i < 12; i++)
		str_addf(&text, "{\"custom_id\":\"r%d\",\"url\":\"%s/v1/x\",\"body\":{\"model\":\"%s\"}}\n", i,
			 i < 6 ? "" : "http://other", i < 6 ? "near" : "far");
	int64_t with = add_batch(fixture_file(db, str_z(&text)), "env:FSL_UNIT_KEY");
	open_book((struct ledger_options){ .jobs = 20 });
	CHECK_INT(cycle(20), 12, "a batch whose key does not resolve is left alone, others start");
	CHECK(state->key_missing && strstr(state->error.msg, "FSL_UNIT_NONE"), "why: %s", state->error.msg);
	CHECK_INT(SQL("SELECT pending FROM batches WHERE id = ?1", without), 3, "its requests are pending");
	CHECK_INT(SQL("SELECT bucket = 0 AND reason = 'key_unresolved' AND instr(message, 'FSL_UNIT_NONE') > 0"
		      " AND next_ms IS NULL FROM blocks WHERE batch = ?1", without), 1,
		  "and why is in the file, for others");
	roll_back();
	CHECK(state->key_missing, "a rollback does not forget it");
	answers(1, 401); /* line 1, with the key */
	cycle(0);
	CHECK_STR(ROWS_TEXT(raw, "SELECT k.reason || ' ' || b.key_ref FROM blocks k JOIN buckets b ON"
			    " b.id = k.bucket WHERE k.batch = 0"), "unauthorized env:FSL_UNIT_KEY",
		  "401 with a key: its bucket is left alone at once");
	CHECK_INT(state->failures, 0, "and the request does not fail");
	answers(5, 401);
	answers(5, 401); /* to the other origin, which gets no key */
	cycle(0);
	CHECK_INT(SQL("SELECT count(*) FROM blocks WHERE batch = 0"), 1, "401 of a server that gets none: five are not enough");
	CHECK_INT(state->failures, 5, "and fail");
	CHECK_INT(SQL("SELECT completed FROM batches WHERE id = ?1", with), 0, "none has completed");
	CHECK_INT(book_open(book, &e), 1, "the other origin's model is open");
	answers(1, 200);
	cycle(20);
	CHECK_INT(book_open(book, &e), 0, "what is left is left alone: without a key, or with a bad one");
	CHECK(strcmp(state->block, "key_unresolved") == 0 && strstr(state->block_what, "batch_") &&
	      strcmp(state->block_key, "") == 0, "the state names the first: %s", state->block_what);
	close_all();
}

static void guarded(void)
{
	open_file("guarded");
	add_batch(fixture_lines(db, 30), "none");
	int64_t other = add_batch(fixture_lines(db, 25), "none");
	ROWS_DO(raw, "UPDATE batches SET priority = 5 WHERE id = 1");
	open_book((struct ledger_options){ .jobs = 22 });
	cycle(22);
	answers(22, 404);
	CHECK_INT(cycle(30), 25, "the first 20 all failed in the same way: another batch starts");
	CHECK_INT(SQL("SELECT failed FROM batches WHERE id = 1"), 20, "20 have failed");
	CHECK_INT(SQL("SELECT pending FROM batches WHERE id = 1"), 10, "the others are pending");
	CHECK_STR(ROWS_TEXT(raw, "SELECT batch || ' ' || reason FROM blocks"), "1 all_failing",
		  "and the batch is left alone");
	answers(25, 200);
	cycle(30);
	CHECK(book_open(book, &e) == 0 && strcmp(state->block, "all_failing") == 0 &&
	      strcmp(state->block_message, "it says why") == 0, "then nothing is left, and this is why");
	CHECK_INT(SQL("SELECT completed FROM batches WHERE id = ?1", other), 25, "the other batch is done");
	close_all();

	/* One that has completed some before is trusted. */
	db = NULL;
	open_file("trusted");
	add_batch(fixture_lines(db, 30), "none");
	open_book((struct ledger_options){ .jobs = 30 });
	cycle(1);
	answers(1, 200);
	cycle(0);
	book_free(book);
	open_book((struct ledger_options){ .jobs = 30 });
	cycle(29);
	answers(25, 404);
	cycle(0);
	CHECK(state->failures == 25 && SQL("SELECT count(*) FROM blocks") == 0,
	      "a batch with completed requests of an earlier run is not guarded");
	close_all();
}

static void throttled(void)
{
	open_file("throttled");
	add_batch(fixture_lines(db, 30), "none");
	open_book((struct ledger_options){ .jobs = 16 });
	cycle(16);
	int64_t now = clock_wall_ms();
	end(429, HTTP_ANSWERED, "{}", 30000);
	CHECK_INT(cycle(16), 0, "a server wants to be left alone: nothing starts");
	CHECK(SQL("SELECT hold_ms FROM buckets") >= now + 30000, "as the file says");
	CHECK_INT(SQL("SELECT cap FROM buckets"), 8, "and half as many at once later");
	CHECK(book_next(book, now) >= now + 30000, "it is known when");
	CHECK(SQL("SELECT sum(throttled) FROM requests") == 1 && SQL("SELECT sum(counted) FROM requests") == 0,
	      "throttling does not count");
	for (int i = 0; i < 5; i++)
		end(429, HTTP_ANSWERED, "{}", 0);
	cycle(0);
	CHECK_INT(SQL("SELECT cap FROM buckets"), 8, "once for all that flew");
	ROWS_DO(raw, "UPDATE buckets SET hold_ms = 0");
	book_hungry(book);
	CHECK_INT(cycle(16), 0, "ten fly, eight may");
	answers(10, 200);
	CHECK(cycle(16) >= 8, "they end, and as many start");
	close_all();

	open_file("quota");
	add_batch(fixture_lines(db, 30), "none");
	open_book((struct ledger_options){ .jobs = 16 });
	cycle(16);
	end(429, HTTP_ANSWERED, "{\"error\":{\"code\":\"insufficient_quota\",\"message\":\"pay\"}}", 0);
	CHECK_INT(cycle(16), 0, "an empty purse: nothing starts any more");
	CHECK(SQL("SELECT cap IS NULL FROM buckets") && state->failures == 0, "and nothing is halved or fails");
	CHECK_STR(ROWS_TEXT(raw, "SELECT reason || ' ' || message FROM blocks"), "quota pay", "why");
	close_all();
}

/* n lines of 10,000 bytes each and some. */
static int64_t long_lines(int n)
{
	struct str text CLEANUP(str_release) = STR_INIT;

	for (int i = 0; i < n; i++)
		str_addf(&text, "{\"custom_id\":\"r%d\",\"url\":\"/v1/x\",\"body\":{\"model\":\"m\","
			 "\"q\":\"%010000d\"}}\n", i, 0);
	return fixture_file(db, str_z(&text));
}

static void memory(void)
{
	open_file("memory");
	add_batch(long_lines(12), "none");
	open_book((struct ledger_options){ .jobs = 8, .max_buffer = 60000 });
	CHECK_INT(cycle(8), 3, "requests fill half of --max-buffer, and no more start");
	CHECK(book->held >= 30000 && book->held < 45000 && book_is_full(book), "so much is held");
	CHECK(!book_is_hungry(book), "and nothing is looked for");
	work(8);
	CHECK_INT(fresh.n, 0, "as long as they are out");
	roll_back();
	book_hungry(book);
	CHECK_INT(cycle(8), 0, "whoever asks");
	CHECK(!book_is_hungry(book), "which does not go round and round");
	answers(1, 200);
	CHECK_INT(cycle(8), 0, "one that ends is in memory until it is on disk");
	CHECK(book_is_hungry(book) && !book_is_full(book), "then there is room again");
	work(8);
	CHECK_INT(fresh.n, 1, "for another one");
	roll_back();
	CHECK(!book_is_full(book), "which a rollback gives back");
	CHECK_INT(cycle(8), 1, "and which starts then");
	comes_back(3);
	cycle(8);
	CHECK(book->held == 0 && book_is_hungry(book), "what was not sent is not held");
	int n = 1;
	for (int i = 0; i < 100 && n < 12; i++) {
		cycle(8);
		n += out.n;
		answers(out.n, 200);
	}
	cycle(8);
	CHECK(state->completed == 12 && book->held == 0, "all complete: %lld", (long long)state->completed);
	CHECK_INT(book_open(book, &e), 0, "and nothing is left");
	close_all();

	open_file("huge");
	add_batch(long_lines(2), "none");
	open_book((struct ledger_options){ .jobs = 8, .max_buffer = 100 });
	CHECK_INT(cycle(8), 1, "one starts, however large it is");
	CHECK_INT(out.first->bytes, job_bytes(out.first), "its bytes are counted");
	struct job *j = out.first;
	answers(1, 200);
	j->bytes = job_bytes(j);
	fixture_must(tx_begin(&tx, db, &e) == 0 && book_begin(book, clock_wall_ms(), &e) == 0 &&
		     book_settle(book, &ended, &unsent, &e) == 0 && book_end(book, &e) == 0 &&
		     tx_commit(&tx, &e) == 0, "settling", &e);
	book_commit(book, &words);
	int64_t bytes = j->bytes;
	CHECK(bytes > 10000 && book_drop(book, &ended) == bytes, "dropping tells how much it was");
	CHECK_INT(cycle(8), 1, "then the other one");
	close_all();
}

/* What memory has no room for neither keeps the ledger awake nor takes a turn. */
static void memory_waits(void)
{
	open_file("due");
	add_batch(long_lines(4), "none");
	open_book((struct ledger_options){ .jobs = 8, .max_buffer = 60000 });
	CHECK_INT(cycle(8), 3, "three of four start");
	int64_t later = clock_wall_ms() + 30000;
	answers(1, 500);
	ended.first->next_ms = later;
	cycle(8);
	CHECK_INT(cycle(8), 1, "one fails, and the fourth has room");
	CHECK_INT(book_next(book, clock_wall_ms()), -1, "when the retry is due matters not while memory is full");
	book_hungry(book);
	CHECK(!book_is_hungry(book), "nor that others have committed");
	answers(3, 200);
	cycle(8);
	CHECK_INT(cycle(8), 0, "there is room");
	CHECK_INT(book_next(book, clock_wall_ms()), later, "then it does");
	close_all();

	open_file("turns");
	add_batch(long_lines(12), "none");
	add_batch(long_lines(12), "none");
	open_book((struct ledger_options){ .jobs = 8, .max_buffer = 60000 });
	while (state->completed < 12) {
		cycle(8);
		answers(out.n, 200);
	}
	CHECK_INT(SQL("SELECT min(completed) >= 4 FROM batches"), 1, "equal batches take turns for it");
	close_all();
}

/* A batch gets a longer window while a request of it is in flight. */
static void renewed(void)
{
	open_file("renewed");
	int64_t batch = add_batch(fixture_lines(db, 2), "none"), now = clock_wall_ms();
	ROWS_DO(raw, "UPDATE batches SET expires_ms = ?1, window_ms = 1,"
		" options = '{\"retries\":5,\"retry_delay_ms\":0,\"stop_before_ms\":600000}'", now + 300000);
	open_book((struct ledger_options){ .jobs = 2 });
	CHECK_INT(cycle(2), 2, "two in flight");
	answers(1, 500);
	cycle(0);
	CHECK_INT(SQL("SELECT failed FROM batches"), 1, "no time for another attempt: it fails");
	answers(1, 500);
	ROWS_DO(raw, "UPDATE batches SET expires_ms = ?1", now + 3600000);
	cycle(0);
	CHECK_INT(SQL("SELECT retrying FROM batches WHERE id = ?1", batch), 1,
		  "with a longer window by then it is tried again");
	CHECK_INT(SQL("SELECT sum(counted) FROM requests"), 2, "and its attempt counts");
	close_all();
}

int main(void)
{
	memory();
	memory_waits();
	rng_seed(&rng, 2);
	life();
	once();
	lost();
	fairness();
	held();
	patience();
	too_many();
	keys();
	guarded();
	throttled();
	renewed();
	free(words.v);
	return unit_done();
}
