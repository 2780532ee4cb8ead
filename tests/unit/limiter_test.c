/* Two workers, each with a connection of its own, on one file. */
#include "engine/limiter.h"

#include <string.h>
#include "base/rng.h"
#include "domain/peer.h"
#include "domain/worker.h"
#include "engine/rate.h"
#include "proc.h"
#include "rows.h"

enum { JOBS = 16, HOUR_MS = 3600000 };

static const int64_t DAY_MS = INT64_C(86400000);

struct hand {
	struct db *db;
	struct worker worker;
	struct limiter *limiter;
	struct tally tally;
	struct tx tx;
	struct limiter_bucket *b; /* of the queue, in this transaction */
};

static struct rows r;
static struct hand A, B;
static struct err e;
static int64_t now;      /* wall clock, the test's */
static int64_t queue;    /* of model m1, and behind it of m2 */

#define SQL(...) ROWS_INT(r.raw, __VA_ARGS__)
#define NONE ((struct limiter_end){ .used = -1 })
#define OK ((struct limiter_end){ .status = 200, .success = true, .used = -1 })

static struct limits parsed(const char *rules)
{
	struct limits l = LIMITS_INIT;

	if (*rules)
		rows_must(limits_add(&l, rules, &e) == 0, rules, e.msg);
	return l;
}

static void enter(struct hand *h, const char *limits, bool adaptive)
{
	static const struct worker_new me = { .version = "0", .config = "{}" };
	struct limits l = parsed(limits);

	*h = (struct hand){ .db = db_open(db_path(r.db), DB_EXISTING, &e) };
	rows_must(h->db != NULL, "db_open", e.msg);
	rows_must(worker_enter(h->db, &me, &h->worker, &e) == 0, "worker_enter", e.msg);
	h->limiter = limiter_new(h->worker.id, &l, adaptive, JOBS);
	limits_release(&l);
}

static void leave(struct hand *h)
{
	tx_end(&h->tx);
	limiter_free(h->limiter);
	tally_release(&h->tally);
	db_close(h->db);
	*h = (struct hand){ .db = NULL };
}

/* A transaction that knows the bucket. */
static void begin(struct hand *h)
{
	rows_must(tx_begin(&h->tx, h->db, &e) == 0, "tx_begin", e.msg);
	tally_begin(&h->tally, h->db);
	rows_must(limiter_begin(h->limiter, h->db, now, &e) == 0, "limiter_begin", e.msg);
	h->b = limiter_of_queue(h->limiter, queue, &e);
	rows_must(h->b != NULL, "limiter_of_queue", e.msg);
}

static void commit(struct hand *h)
{
	rows_must(tally_flush(&h->tally, now, &e) == 0 && limiter_flush(h->limiter, &e) == 0 &&
		  tx_commit(&h->tx, &e) == 0, "commit", e.msg);
	limiter_commit(h->limiter);
}

static void rollback(struct hand *h)
{
	tx_end(&h->tx);
}

static int64_t room(struct hand *h)
{
	rows_must(limiter_room(h->limiter, h->b, &e) == 0, "limiter_room", e.msg);
	return h->b->room;
}

/* Starts up to n, as far as there is room; how many. */
static int start(struct hand *h, int n, int64_t tokens)
{
	int got = 0;

	for (room(h); got < n && h->b->room > 0; got++) {
		h->b->room--;
		limiter_start(h->limiter, h->b, tokens);
		tally_fly(&h->tally, h->b->row.id, h->worker.id, 1);
	}
	return got;
}

static void end(struct hand *h, struct limiter_end how)
{
	rows_must(limiter_end(h->limiter, h->b, &how, &e) == 0, "limiter_end", e.msg);
	tally_fly(&h->tally, h->b->row.id, h->worker.id, -1);
}

/* Each in a transaction of its own. */
static int started(struct hand *h, int n)
{
	begin(h);
	int got = start(h, n, 0);
	commit(h);
	return got;
}

static void ended(struct hand *h, int n, struct limiter_end how)
{
	begin(h);
	for (int i = 0; i < n; i++)
		end(h, how);
	commit(h);
}

/* What there would be room for; nothing is done. */
static int64_t asked(struct hand *h)
{
	begin(h);
	int64_t n = room(h);
	rollback(h);
	return n;
}

static int64_t flying(void)
{
	return SQL("SELECT coalesce(sum(in_flight), 0) FROM shares");
}

#define COLUMN(name) ROWS_INT(r.raw, "SELECT coalesce(" name ", 0) FROM buckets WHERE id = 1")

/* A new file, and workers with these limits; b NULL: one of them. */
static void fresh(const char *name, const char *a, const char *b)
{
	now = INT64_C(1795230765000);
	rows_open(&r, name);
	queue = rows_queue(rows_batch(&r, 2, 1000, 0), 1);
	enter(&A, a, true);
	if (b)
		enter(&B, b, true);
	/* Both know each other before anything is looked at. */
	begin(&A);
	commit(&A);
	if (!b)
		return;
	begin(&B);
	commit(&B);
	leave(&A);
	enter(&A, a, true);
	begin(&A);
	commit(&A);
}

static void over(void)
{
	leave(&A);
	if (B.db)
		leave(&B);
	rows_close(&r);
}

static void meeting(void)
{
	fresh("meeting", "", NULL);
	begin(&A);
	CHECK_STR(A.b->row.origin, "http://h", "a bucket is an origin");
	CHECK(strcmp(A.b->row.key_ref, "none") == 0 && strcmp(A.b->row.model, "m1") == 0,
	      "a key and a model");
	CHECK_STR(limiter_origin(A.limiter, A.b->origin), "http://h", "origins have numbers");
	struct limiter_bucket *other = limiter_of_queue(A.limiter, queue + 1, &e);
	CHECK(other && other != A.b && other->origin == A.b->origin, "another model is another one");
	CHECK(limiter_met(A.limiter, queue) == A.b && limiter_find(A.limiter, A.b->row.id) == A.b,
	      "it is known by its queue and by its row");
	CHECK(!limiter_met(A.limiter, queue + 5) && !limiter_find(A.limiter, 77), "others are not");
	CHECK(limiter_at(A.limiter, 0) == A.b && limiter_at(A.limiter, 1) == other &&
	      !limiter_at(A.limiter, 2), "and in the order in which it was met");
	struct limiter_bucket *beside = limiter_of_model(A.limiter, A.b, "m2", &e);
	CHECK(beside == other, "the bucket of another model beside it is the same as by a queue");
	beside = limiter_of_model(A.limiter, A.b, "never seen", &e);
	CHECK(beside && strcmp(beside->row.model, "never seen") == 0 &&
	      strcmp(beside->row.origin, "http://h") == 0, "or a new one");
	CHECK(room(&A) >= INT32_MAX && limiter_next(A.limiter) == -1, "without limits there is room");
	CHECK_INT(limiter_asked(A.limiter), 1, "one of three was asked");
	commit(&A);
	CHECK_INT(SQL("SELECT count(*) FROM buckets"), 3, "they are in the file");
	begin(&A);
	CHECK_INT(limiter_asked(A.limiter), 0, "in the next transaction none was asked");
	CHECK(!limiter_of_queue(A.limiter, 12345, &e) && e.code == ERR_INTERNAL,
	      "a queue that is gone is an error: %s", e.msg);
	rollback(&A);
	over();
	limiter_free(NULL);
}

static void jobs(void)
{
	fresh("jobs", "*:jobs=5", "*:jobs=5");
	CHECK_INT(started(&A, 4), 4, "jobs=5: one worker starts 4");
	CHECK_INT(started(&B, 9), 1, "the other the one that is left");
	CHECK_INT(asked(&A), 0, "and the first no more");
	CHECK_INT(flying(), 5, "5 are in flight");
	CHECK_INT(SQL("SELECT wants_ms FROM shares WHERE worker = ?1", B.worker.id), now,
		  "who would start more says so");
	ended(&A, 1, OK);
	CHECK_INT(asked(&A), 0, "one ends: it is for the one that waits");
	CHECK_INT(started(&B, 1), 1, "who gets it");
	ended(&A, 3, OK);
	ended(&B, 2, OK);
	CHECK_INT(flying(), 0, "all have ended");
	now += RATE_WANTS_MS;
	CHECK_INT(asked(&A), 5, "who has not asked for 3 s does not wait: all 5");
	over();

	fresh("random", "*:jobs=7", "*:jobs=7");
	struct rng rng;
	struct hand *both[] = { &A, &B };
	int64_t most = 0, got[2] = { 0, 0 };
	bool above = false, apart = false;
	rng_seed(&rng, 5);
	for (int i = 0; i < 1500; i++) {
		struct hand *h = both[rng_below(&rng, 2)];
		now += (int64_t)rng_below(&rng, 50);
		begin(h);
		for (int64_t n = h->b->mine ? (int64_t)rng_below(&rng, (uint64_t)h->b->mine + 1) : 0; n > 0;
		     n--)
			end(h, OK);
		int n = start(h, (int)rng_below(&rng, 9), 0);
		if (rng_below(&rng, 10) == 0) {
			rollback(h);
		} else {
			commit(h);
			got[h == &B] += n;
		}
		int64_t f = flying();
		above |= f > 7;
		most = f > most ? f : most;
		apart |= SQL("SELECT coalesce(sum(in_flight), 0) FROM shares WHERE worker = ?1",
			     h->worker.id) != h->b->kept_mine;
	}
	CHECK(!above && most == 7, "1,500 random transactions of two workers, some rolled back: never"
	      " above jobs, and up to it");
	CHECK(!apart, "each knows what it has in flight");
	CHECK(got[0] > 500 && got[1] > 500, "both get theirs: %lld, %lld", (long long)got[0],
	      (long long)got[1]);
	over();
}

/* The limit of jobs that a worker goes by. */
static int64_t knows(struct hand *h)
{
	asked(h);
	return h->b->limit.jobs;
}

static void least(void)
{
	fresh("least", "m1:jobs=9,rate=1000/s", "*:jobs=4");
	CHECK(knows(&A) == 4 && knows(&B) == 4, "of several workers' limits the smallest one counts");
	CHECK(A.b->limit.rate.n == 1000 && B.b->limit.rate.n == 1000, "member by member, for both");
	CHECK(asked(&A) == 1 && asked(&B) == 1, "and all of them: the first of a rate is one");
	struct limits other = parsed("*:jobs=6");
	limiter_change(B.limiter, &other);
	limits_release(&other);
	CHECK_INT(SQL("SELECT count(*) FROM workers WHERE limits = '[\"*:jobs=4\"]'"), 1,
		  "other limits are told with the next transaction");
	ended(&B, 0, NONE);
	CHECK_INT(SQL("SELECT count(*) FROM workers WHERE limits = '[\"*:jobs=6\"]'"), 1, "then they are");
	other = parsed("m1:jobs=2");
	limiter_change(B.limiter, &other);
	limits_release(&other);
	CHECK_INT(knows(&B), 2, "who has other limits goes by them at once");
	CHECK_INT(SQL("SELECT count(*) FROM workers WHERE limits = '[\"*:jobs=6\"]'"), 1,
		  "a transaction that is rolled back has told nothing");
	ended(&B, 0, NONE);
	CHECK_INT(SQL("SELECT count(*) FROM workers WHERE limits = '[\"m1:jobs=2\"]'"), 1,
		  "the next one tells");
	CHECK(PROC_UNTIL(knows(&A) == 2), "and the others see it within moments");
	rows_must(worker_leave(B.db, &B.worker, &e) == 0, "worker_leave", e.msg);
	CHECK(PROC_UNTIL(knows(&A) == 9), "who has left counts no more");
	limiter_change(A.limiter, NULL);
	CHECK_INT(asked(&A), INT32_MAX, "no limits at all");
	over();

	fresh("dead", "*:jobs=5", "*:jobs=2");
	CHECK_INT(started(&B, 2), 2, "two in flight of a worker that will die");
	ended(&B, 0, NONE);
	db_close(B.db);
	B.db = NULL;
	limiter_free(B.limiter);
	tally_release(&B.tally);
	CHECK(PROC_UNTIL(knows(&A) == 5), "its limits do not count any more");
	CHECK_INT(asked(&A), 3, "what it has in flight does");
	begin(&A);
	rows_must(worker_rescue(&A.tally, NULL, NULL, now, &e) == 0, "worker_rescue", e.msg);
	commit(&A);
	CHECK_INT(asked(&A), 5, "until it is found dead");
	over();
}

static void holds(void)
{
	struct limiter_end told = { .status = 429, .started_ms = 1, .hold_ms = 3000, .hold_why = "429",
				    .used = -1, .quota = true };

	fresh("holds", "", "");
	started(&A, 3);
	ended(&A, 1, told);
	CHECK_INT(COLUMN("hold_ms"), now + 3000, "what a server wants stands in the file");
	CHECK_STR(ROWS_TEXT(r.raw, "SELECT hold_why FROM buckets"), "429", "and why");
	begin(&B);
	CHECK_INT(room(&B), 0, "the other worker sees it: nothing starts");
	CHECK_INT(limiter_next(B.limiter), now + 3000, "and it knows until when");
	rollback(&B);
	now += 1000;
	told.hold_ms = 500;
	told.hold_why = "503";
	ended(&A, 1, told);
	CHECK_INT(COLUMN("hold_ms"), now + 2000, "a shorter one does not shorten it");
	CHECK_STR(ROWS_TEXT(r.raw, "SELECT hold_why FROM buckets"), "429", "nor is it the reason");
	now += 1999;
	CHECK_INT(asked(&A), 0, "a millisecond before its end: not yet");
	now++;
	CHECK_INT(asked(&A), INT32_MAX, "at its end all start again");
	told.hold_ms = INT64_MAX;
	ended(&A, 1, told);
	CHECK_INT(COLUMN("hold_ms"), now + HOUR_MS, "an hour is the most, whatever a server says");
	over();

	fresh("clock", "", NULL);
	started(&A, 1);
	ROWS_DO(r.raw, "UPDATE buckets SET hold_ms = ?1", now + 10 * DAY_MS);
	CHECK_INT(asked(&A), 0, "a hold of ten days is one of a clock that was set wrong");
	CHECK_INT(started(&A, 1), 0, "nothing starts yet");
	now += HOUR_MS;
	CHECK_INT(started(&A, 1), 1, "but after an hour");
	ROWS_DO(r.raw, "UPDATE buckets SET hold_ms = ?1", now - 10 * DAY_MS);
	CHECK_INT(started(&A, 1), 1, "one that is over by ten days does not count either");
	over();
}

/* Does a transaction that asks for room bring news? */
static bool news(struct hand *h)
{
	begin(h);
	room(h);
	commit(h);
	return limiter_news(h->limiter);
}

static void news_of_others(void)
{
	struct limiter_end told = { .status = 429, .hold_ms = 3000, .hold_why = "429", .used = -1,
				    .quota = true };

	fresh("news", "", "");
	CHECK(!news(&A) && !news(&B), "nobody was told to wait: no news");
	started(&A, 2);
	CHECK(!news(&B), "what starts is none");
	ended(&A, 1, told);
	CHECK(!limiter_news(A.limiter), "who was told itself knows");
	CHECK(!news(&A), "also later");
	CHECK(news(&B), "for the other worker it is news");
	CHECK(!limiter_news(B.limiter) && !news(&B), "once");
	now += 1000;
	told.hold_ms = 1000;
	ended(&A, 1, told);
	CHECK(!news(&B), "a hold that is no longer is none");
	started(&B, 1);
	now += 5000;
	CHECK(!news(&B), "nor its end");
	ROWS_DO(r.raw, "UPDATE buckets SET hold_ms = ?1", now - 1);
	CHECK(!news(&B), "nor one that is over already");
	ROWS_DO(r.raw, "UPDATE buckets SET hold_ms = ?1", now + 500);
	CHECK(news(&B) && news(&A), "the next one is");
	over();
}

static struct limiter_end throttled(int status, int64_t started_ms)
{
	return (struct limiter_end){ .status = status, .started_ms = started_ms, .used = -1 };
}

static void halving(void)
{
	fresh("halving", "", "");
	int64_t begun = now;
	CHECK_INT(started(&A, 12) + started(&B, 8), 20, "20 in flight");
	now += 100;
	ended(&A, 1, throttled(429, begun));
	CHECK_INT(COLUMN("cap"), 10, "a 429 halves what was in flight of all workers");
	for (int i = 0; i < 5; i++)
		ended(i % 2 ? &A : &B, 1, throttled(i % 2 ? 429 : 529, begun + i));
	CHECK_INT(COLUMN("cap"), 10, "once: what was started before then says nothing new");
	ended(&A, 1, throttled(429, now));
	CHECK_INT(COLUMN("cap"), 10, "nor what started at that very time");
	CHECK_INT(flying(), 13, "13 are still in flight");
	CHECK(asked(&A) == 0 && asked(&B) == 0, "more than the limit: nothing starts, of neither");
	ended(&A, 8, throttled(500, begun));
	CHECK_INT(flying(), 5, "only 5 are");
	CHECK_INT(asked(&B), 5, "then up to it");
	now += 10;
	begun = now;
	CHECK_INT(started(&B, 5), 5, "as many start");
	now += 10;
	ended(&B, 1, throttled(529, begun));
	CHECK_INT(COLUMN("cap"), 5, "529 halves it as well, by what was started since");
	ended(&B, 3, throttled(503, now + 1));
	CHECK_INT(COLUMN("cap"), 5, "503 does not");
	struct limiter_end quota = throttled(429, now + 1);
	quota.quota = true;
	ended(&B, 1, quota);
	CHECK_INT(COLUMN("cap"), 5, "nor an empty purse");
	ended(&B, 5, throttled(500, now));
	for (int i = 0; i < 4; i++) {
		now += 10;
		begun = now;
		int n = started(&A, 5);
		now += 10;
		ended(&A, 1, throttled(429, begun));
		ended(&A, n - 1, throttled(500, begun));
	}
	CHECK_INT(COLUMN("cap"), 1, "one is always left");
	CHECK(COLUMN("halved_ms") == now, "and when it was halved is known");
	over();

	fresh("fixed", "", NULL);
	leave(&A);
	enter(&A, "", false);
	started(&A, 10);
	now += 100;
	struct limiter_end told = throttled(429, now - 50);
	told.hold_ms = 1000;
	ended(&A, 1, told);
	CHECK_INT(COLUMN("cap"), 0, "--no-adaptive: nothing is halved");
	CHECK_INT(COLUMN("hold_ms"), now + 1000, "but a server's wish is heeded");
	over();

	fresh("small", "*:jobs=3", NULL);
	int64_t before = now;
	started(&A, 3);
	now += 10;
	ended(&A, 1, throttled(429, before));
	CHECK_INT(COLUMN("cap"), 1, "half of 3 is 1");
	CHECK_INT(asked(&A), 0, "the smaller of both limits counts");
	over();

	fresh("skew", "", NULL);
	started(&A, 8);
	ROWS_DO(r.raw, "UPDATE buckets SET halved_ms = ?1", now + 10 * DAY_MS);
	now += 10;
	ended(&A, 1, throttled(429, now - 5));
	CHECK(COLUMN("cap") == 4 && COLUMN("halved_ms") == now,
	      "halved in ten days, by a wrong clock: it is halved now");
	over();
}

static void raising(void)
{
	fresh("raising", "*:jobs=6", NULL);
	int64_t begun = now;
	started(&A, 4);
	now += 10;
	ended(&A, 1, throttled(429, begun));
	CHECK_INT(COLUMN("cap"), 2, "halved to 2");
	ended(&A, 1, OK);
	CHECK_INT(COLUMN("cap"), 2, "a success is not enough");
	begin(&A);
	end(&A, OK);
	CHECK_INT(A.b->row.cap, 3, "two raise it by one");
	rollback(&A);
	CHECK_INT(COLUMN("cap"), 2, "unless they are rolled back");
	ended(&A, 1, OK);
	CHECK_INT(COLUMN("cap"), 3, "and counted again, once");
	ended(&A, 1, throttled(500, begun));
	for (int want = 3; want > 0;) {
		int64_t cap = COLUMN("cap");
		begin(&A);
		start(&A, 1, 0);
		commit(&A);
		ended(&A, 1, OK);
		if (COLUMN("cap") == cap && want < 20)
			continue;
		want = COLUMN("cap") == cap + 1 ? (int)cap + 1 : 0;
	}
	CHECK_INT(COLUMN("cap"), 0, "at --limit's jobs the adaptive limit is none any more");
	over();

	fresh("slots", "", "");
	begun = now;
	started(&A, 4);
	now += 10;
	ended(&A, 1, throttled(429, begun));
	int successes = 0;
	for (; COLUMN("cap") > 0 && successes < 5000; successes++) {
		started(&A, 1);
		ended(&A, 1, OK);
	}
	/* 2 + 3 + ... + 31: from 2 slots to those of two workers. */
	CHECK_INT(successes, 495, "without one: at all workers' slots");
	ended(&A, 3, OK);
	over();
}

static void rates(void)
{
	fresh("rate", "m1:rate=10/s", "*:rate=10/s");
	struct rng rng;
	int64_t first = now, total = 0, mine[2] = { 0, 0 };
	rng_seed(&rng, 9);
	while (now < first + 60000) {
		struct hand *h = rng_below(&rng, 2) ? &A : &B;
		begin(h);
		int n = start(h, 100, 0);
		int64_t next = limiter_next(h->limiter);
		rows_must(next > now && next <= now + 101, "limiter_next", "not within 101 ms");
		commit(h);
		ended(h, n, OK);
		total += n;
		mine[h == &B] += n;
		now = next + (int64_t)rng_below(&rng, 30);
	}
	CHECK(total >= 598 && total <= 602, "rate=10/s: two workers start 600 in a minute: %lld",
	      (long long)total);
	CHECK(mine[0] > 150 && mine[1] > 150, "each some of them: %lld, %lld", (long long)mine[0],
	      (long long)mine[1]);
	now += 10000;
	CHECK_INT(asked(&A), 2, "after an idle time: a slice of 100 ms and the one that is due");
	begin(&A);
	CHECK_INT(start(&A, 2, 0), 2, "both are started");
	commit(&A);
	CHECK_INT(asked(&A), 0, "and there is none for now");
	now++; /* microseconds are of another clock */
	begin(&A);
	for (int i = 0; i < 2; i++) {
		rows_must(limiter_unsent(A.limiter, A.b, 0, &e) == 0, "limiter_unsent", e.msg);
		tally_fly(&A.tally, A.b->row.id, A.worker.id, -1);
	}
	CHECK_INT(room(&A), 2, "what was not sent after all may be started again");
	commit(&A);
	CHECK_INT(asked(&B), 2, "by anybody");
	ROWS_DO(r.raw, "UPDATE buckets SET rate_us = ?1", (now + 10 * DAY_MS) * 1000);
	CHECK_INT(started(&A, 1), 0, "a moment in ten days was written by a wrong clock");
	now += 250;
	CHECK_INT(started(&A, 1), 1, "it holds nobody up");
	over();

	fresh("faster", "*:rate=1/d", NULL);
	CHECK_INT(started(&A, 5), 1, "rate=1/d: one");
	struct limits fast = parsed("*:rate=100/s");
	limiter_change(A.limiter, &fast);
	limits_release(&fast);
	started(&A, 5);
	now += 150;
	CHECK(started(&A, 5) > 0, "another limit: it does not wait for the next day");
	over();
}

/* Requests that are estimated at `guess` tokens and use `use` of them: how many
 * are used in ten minutes by two workers. */
static int64_t used(const char *name, const char *limit, int64_t guess, int64_t use)
{
	int64_t total = 0;

	fresh(name, limit, limit);
	for (int64_t end_ms = now + 600000; now < end_ms;) {
		struct hand *h = now / 1000 % 2 ? &A : &B;
		begin(h);
		int n = start(h, 50, guess);
		commit(h);
		begin(h);
		for (int i = 0; i < n; i++)
			end(h, (struct limiter_end){ .status = 200, .success = true, .guessed = guess,
						     .used = use });
		commit(h);
		total += n * use;
		begin(h);
		room(h);
		int64_t next = limiter_next(h->limiter);
		rollback(h);
		now = next > now ? next : now + 10;
	}
	over();
	return total;
}

static void tokens(void)
{
	int64_t n = used("tokens", "*:tokens=60k/m", 500, 500);
	CHECK(n > 597000 && n <= 602000, "tokens=60k/m: 600,000 in ten minutes: %lld", (long long)n);
	n = used("over", "*:tokens=60k/m", 5000, 500);
	CHECK(n > 590000 && n <= 603000, "what was estimated ten times too high is given back: %lld",
	      (long long)n);
	n = used("under", "*:tokens=60k/m", 50, 500);
	CHECK(n > 590000 && n <= 650000, "what was estimated too low is waited for: %lld", (long long)n);
	n = used("large", "*:tokens=60k/m", 100000, 100000);
	CHECK(n >= 600000 && n <= 700000, "a request that takes more than a minute's tokens is sent, and"
	      " waited for: %lld", (long long)n);

	fresh("each", "m1:tokens=1000/s", NULL);
	begin(&A);
	CHECK_INT(room(&A), 1, "tokens: one request, as nobody knows how large they are");
	start(&A, 1, 20);
	commit(&A);
	int64_t at = COLUMN("tokens_us");
	CHECK(at >= (now + 20) * 1000 && at < (now + 21) * 1000, "20 tokens take 20 ms of 1000/s");
	now += 2000;
	CHECK_INT(asked(&A), 5, "as many as tokens are there for, by what was seen: 101 of 20 each");
	begin(&A);
	start(&A, 1, 20);
	rows_must(limiter_unsent(A.limiter, A.b, 20, &e) == 0, "limiter_unsent", e.msg);
	tally_fly(&A.tally, A.b->row.id, A.worker.id, -1);
	commit(&A);
	CHECK_INT(asked(&A), 5, "what was not sent has taken none");
	begin(&A);
	end(&A, (struct limiter_end){ .status = 500, .guessed = 20, .used = -1 });
	commit(&A);
	CHECK_INT(asked(&A), 5, "nothing is corrected by an answer that does not say");
	over();
}

/* All that can be asked of a limiter. */
static const char *all_of(struct hand *h)
{
	static char text[400];

	begin(h);
	int64_t n = room(h);
	snprintf(text, sizeof text, "room %lld mine %lld next %lld cap %lld hold %lld rate %lld credit %lld"
		 " wants %lld tokens %lld", (long long)n, (long long)h->b->mine,
		 (long long)limiter_next(h->limiter), (long long)h->b->row.cap,
		 (long long)h->b->row.hold_ms, (long long)h->b->row.rate_us,
		 (long long)h->b->count.credit, (long long)h->b->count.wants_ms,
		 (long long)h->b->count.tokens_each);
	rollback(h);
	return text;
}

static void rolled_back(void)
{
	char before[400];

	fresh("rollback", "*:jobs=8,rate=1000/s,tokens=1M/s", "*:jobs=8");
	int64_t begun = now;
	begin(&A);
	start(&A, 4, 100);
	commit(&A);
	now += 500;
	begin(&A);
	start(&A, 3, 100);
	commit(&A);
	now += 500;
	ended(&A, 1, throttled(429, begun));
	ended(&A, 1, OK);
	now += 500;
	snprintf(before, sizeof before, "%s", all_of(&A));
	begin(&A);
	end(&A, OK);
	end(&A, (struct limiter_end){ .status = 429, .started_ms = now, .hold_ms = 5000,
				      .hold_why = "429", .guessed = 100, .used = 90000 });
	start(&A, 8, 7000);
	rows_must(limiter_flush(A.limiter, &e) == 0, "limiter_flush", e.msg);
	rollback(&A);
	CHECK_STR(all_of(&A), before, "a transaction that is rolled back has done nothing");
	begin(&A);
	room(&A);
	rows_must(limiter_flush(A.limiter, &e) == 0, "limiter_flush", e.msg);
	rollback(&A);
	CHECK_INT(SQL("SELECT coalesce(max(wants_ms), 0) FROM shares"), 0,
		  "nor has it told others that it waits");
	while (started(&A, 1))
		;
	CHECK_INT(SQL("SELECT wants_ms FROM shares WHERE worker = ?1", A.worker.id), now,
		  "the one after it does, at once");
	over();

	/* Rows of buckets are used again: what was met must not be mistaken. */
	fresh("met", "", NULL);
	begin(&A);
	int64_t lost = limiter_of_queue(A.limiter, queue + 1, &e)->row.id;
	struct limiter_bucket *third = limiter_of_model(A.limiter, A.b, "third", &e);
	int64_t third_id = third ? third->row.id : 0;
	rollback(&A);
	CHECK(lost == 2 && third_id == 3, "two buckets are met in a transaction");
	CHECK(limiter_find(A.limiter, lost), "until the next one nobody knows better");
	begin(&A);
	CHECK(!limiter_find(A.limiter, lost) && !limiter_find(A.limiter, third_id) &&
	      !limiter_met(A.limiter, queue + 1) && !limiter_at(A.limiter, 1),
	      "rolled back: they never were");
	CHECK(limiter_find(A.limiter, 1) == A.b && limiter_met(A.limiter, queue) == A.b,
	      "those of before are known");
	struct limiter_bucket *other = limiter_of_model(A.limiter, A.b, "other", &e);
	CHECK(other && other->row.id == lost && strcmp(other->row.model, "other") == 0,
	      "another one may get that row");
	CHECK_STR(limiter_of_queue(A.limiter, queue + 1, &e)->row.model, "m2", "and it another");
	commit(&A);
	begin(&A);
	CHECK_STR(limiter_met(A.limiter, queue + 1)->row.model, "m2", "committed: it stays");
	rollback(&A);
	over();
}

static int64_t wants(const struct hand *h)
{
	return SQL("SELECT coalesce(max(wants_ms), 0) FROM shares WHERE worker = ?1", h->worker.id);
}

static void waiting(void)
{
	fresh("waiting", "*:jobs=2", "*:jobs=2");
	CHECK_INT(started(&A, 2), 2, "one worker has all slots");
	int64_t first = now;
	CHECK_INT(started(&B, 1), 0, "the other waits");
	CHECK_INT(wants(&B), first, "and says so");
	begin(&B);
	room(&B);
	CHECK_INT(limiter_next(B.limiter), now + 1000, "it looks again after a second: who has them may"
		  " have died");
	rollback(&B);
	now += 500;
	started(&B, 1);
	CHECK_INT(wants(&B), first, "it does not write that with each transaction");
	now += 500;
	started(&B, 1);
	CHECK_INT(wants(&B), now, "but once a second");
	now -= 10 * DAY_MS;
	started(&B, 1);
	CHECK_INT(wants(&B), now, "and when the clock was set back");
	ended(&A, 1, OK);
	CHECK_INT(started(&A, 1), 0, "a slot that is free is left to it");
	CHECK_INT(started(&B, 1), 1, "it takes it");
	CHECK_INT(SQL("SELECT served_ms FROM shares WHERE worker = ?1", B.worker.id), now,
		  "and when that was is known");
	ended(&A, 1, OK);
	now += RATE_WANTS_MS;
	begin(&B);
	CHECK_INT(room(&B), 1, "nobody else wants the other one any more");
	commit(&B);
	CHECK_INT(wants(&B), 0, "who leaves room does not wait");
	over();

	fresh("alone", "*:jobs=1", NULL);
	started(&A, 1);
	started(&A, 1);
	CHECK_INT(SQL("SELECT sum(wants_ms) FROM shares"), 0, "alone: there is nobody to tell");
	begin(&A);
	room(&A);
	CHECK_INT(limiter_next(A.limiter), -1, "and only an end gives room");
	rollback(&A);
	over();
}

int main(void)
{
	meeting();
	jobs();
	least();
	holds();
	news_of_others();
	halving();
	raising();
	rates();
	tokens();
	rolled_back();
	waiting();
	return unit_done();
}
