#include "engine/health.h"

#include <string.h>
#include "base/mem.h"
#include "base/safe.h"
#include "unit.h"

enum { HOUR_MS = 3600000 };

static struct health *h;
static int64_t now;

static void fresh(struct health_options o)
{
	health_free(h);
	h = health_new(&o);
	now = 1000000;
}

#define PLAIN ((struct health_options){ .give_up_ms = 600000 })

/* An answer to batch 1, bucket 1, origin 0, unless set otherwise. */
static struct health_facts answer(int status)
{
	struct health_facts f = { .batch = 1, .bucket = 1, .code = HTTP_ANSWERED, .status = status,
				  .key = true, .message = "what it says" };

	f.success = status / 100 == 2;
	f.final = status / 100 == 4 && status != 429;
	return f;
}

static struct health_facts none(enum http_code code)
{
	return (struct health_facts){ .batch = 1, .bucket = 1, .code = code, .key = true,
				      .message = "nobody there" };
}

/* n of them, one after the other; how many of them go back uncounted. */
static int review(struct health_facts f, int n)
{
	int back = 0;

	for (int i = 0; i < n; i++)
		back += health_review(h, &f, now);
	return back;
}

/* Room for batch 1, bucket 1, origin 0. */
static int64_t room(void)
{
	return health_room(h, 1, 1, 0, now);
}

static void started(void)
{
	health_started(h, 1, 1, 0);
}

static bool given_up(void)
{
	return health_given_up(h, 1, 1, 0, now, NULL);
}

static const char *reason(void)
{
	static struct health_block b;

	return health_block(h, 0, now, &b) ? b.reason : "none";
}

/* Moves to where one may try, starts it. */
static void probe(void)
{
	int64_t next = health_next(h, now);

	if (next > now)
		now = next;
	CHECK(room() == 1, "one may try");
	started();
	CHECK(room() == 0, "and no other meanwhile");
}

static void nothing(void)
{
	struct health_block b;

	fresh(PLAIN);
	CHECK_INT(room(), INT32_MAX, "what is well has all the room");
	CHECK(!given_up() && health_next(h, now) == -1 && !health_block(h, 0, now, &b) &&
	      health_version(h) == 0, "nothing is left alone");
	started();
	CHECK_INT(review(answer(200), 100), 0, "successes change nothing");
	CHECK(room() == INT32_MAX && health_version(h) == 0, "at all");
	health_free(NULL);
}

static void silence(void)
{
	static const enum http_code silent[] = { HTTP_CONNECT, HTTP_DNS, HTTP_TLS };

	for (size_t i = 0; i < ARRAY_LEN(silent); i++) {
		fresh(PLAIN);
		CHECK_INT(review(none(silent[i]), 19), 0, "%s: 19 in a row count as ever",
			  http_code_text(silent[i]));
		CHECK_INT(room(), INT32_MAX, "and all may start");
		CHECK_INT(review(none(silent[i]), 1), 1, "the 20th goes back");
		CHECK_INT(room(), 0, "and the origin is held");
		CHECK_STR(reason(), "host_down", "by that name");
		CHECK_INT(review(none(silent[i]), 30), 30, "so do those that fly still");
	}
	fresh(PLAIN);
	for (int i = 0; i < 20; i++)
		review(none(silent[i % 3]), 1);
	CHECK_INT(room(), 0, "20 of all three kinds");
	CHECK_INT(health_room(h, 2, 2, 0, now), 0, "every bucket and batch of the origin is held");
	CHECK_INT(health_room(h, 1, 1, 1, now), INT32_MAX, "another origin is not");

	static const int answers[] = { 200, 404, 429, 500, 529, 301 };
	for (size_t i = 0; i < ARRAY_LEN(answers); i++) {
		fresh(PLAIN);
		review(none(HTTP_CONNECT), 19);
		review(answer(answers[i]), 1);
		CHECK(review(none(HTTP_CONNECT), 19) == 0 && room() == INT32_MAX,
		      "an answer of %d between: they are not in a row", answers[i]);
	}
	static const enum http_code others[] = { HTTP_SEND, HTTP_RECV, HTTP_STALLED, HTTP_TIMEOUT,
						 HTTP_TRUNCATED, HTTP_CERTIFICATE };
	for (size_t i = 0; i < ARRAY_LEN(others); i++) {
		fresh(PLAIN);
		CHECK(review(none(others[i]), 200) == 0 && room() == INT32_MAX,
		      "%s is no silence, however often", http_code_text(others[i]));
		fresh(PLAIN);
		struct health_facts f = none(others[i]);
		review(none(HTTP_CONNECT), 19);
		review(f, 1);
		CHECK(review(none(HTTP_CONNECT), 1) == 1 && room() == 0, "nor is it an answer");
		fresh(PLAIN);
		review(none(HTTP_CONNECT), 19);
		f.status = 200;
		review(f, 1);
		CHECK(review(none(HTTP_CONNECT), 19) == 0 && room() == INT32_MAX,
		      "but if it broke off behind the head of one");
	}
}

/* A server behind a proxy: connections are taken, and broken at once. */
static void broken(void)
{
	struct health_facts f = none(HTTP_RECV);

	fresh(PLAIN);
	f.tries = 1;
	CHECK_INT(review(f, 20), 1, "20 first attempts in a row that break before the answer: held");
	CHECK_STR(reason(), "host_down", "by that name");
	fresh(PLAIN);
	f.code = HTTP_SEND;
	CHECK(review(f, 20) == 1 && room() == 0, "also while the request is sent");
	fresh(PLAIN);
	f.tries = 2;
	CHECK(review(f, 100) == 0 && room() == INT32_MAX,
	      "later attempts do not count: they may be those of a few that crash their server");
	fresh(PLAIN);
	f.tries = 1;
	f.status = 200;
	CHECK(review(f, 100) == 0 && room() == INT32_MAX, "nor where an answer had begun");
	fresh(PLAIN);
	f.status = 0;
	f.code = HTTP_RECV;
	f.stale = true;
	CHECK(review(f, 100) == 0 && room() == INT32_MAX,
	      "nor connections that died while nobody used them");
}

/* Fewer requests than it takes for 20 attempts. */
static void few(void)
{
	struct health_facts f = none(HTTP_CONNECT);

	fresh(PLAIN);
	review(answer(200), 1);
	for (f.tries = 1; f.tries < 6; f.tries++)
		CHECK_INT(review(f, 1), 0, "attempt %d of 6 counts as ever", (int)f.tries);
	f.spent = f.final = true;
	CHECK_INT(review(f, 1), 1, "without an answer the last one does not end the request");
	CHECK(room() == 0 && strcmp(reason(), "host_down") == 0, "the origin is held");
	probe();
	CHECK_INT(review(f, 1), 1, "till it answers");
	probe();
	review(answer(200), 1);
	CHECK_INT(room(), INT32_MAX, "then all may start");
	fresh(PLAIN);
	CHECK_INT(review(f, 6), 0, "a server that has never answered: it fails");
	fresh(PLAIN);
	review(f, 1);
	review(answer(500), 1);
	CHECK_INT(review(f, 1), 0, "an answer to others between: it fails");
	CHECK_INT(review(f, 1), 1, "the next one in a row does not");
	fresh(PLAIN);
	review(answer(404), 1);
	f.code = HTTP_TIMEOUT;
	CHECK_INT(review(f, 6), 0, "and after a timeout");
	fresh(PLAIN);
	review(answer(404), 1);
	f.code = HTTP_CONNECT;
	f.tries = 1;
	CHECK_INT(review(f, 1), 0, "or if it is to have one attempt only");
	fresh((struct health_options){ .no_hold = true });
	review(answer(404), 1);
	f.tries = 6;
	CHECK_INT(review(f, 6), 0, "or without holds");
}

static void errors(void)
{
	fresh(PLAIN);
	CHECK_INT(review(answer(500), 49), 0, "49 answers of 5xx count as ever");
	CHECK_INT(room(), INT32_MAX, "and all may start");
	CHECK_INT(review(answer(502), 1), 1, "the 50th goes back");
	CHECK(room() == 0 && strcmp(reason(), "host_down") == 0, "and the origin is held");
	fresh(PLAIN);
	for (int i = 0; i < 49; i++) {
		review(answer(503), 1);
		review(answer(i % 2 ? 429 : 529), 1);
		review(none(HTTP_RECV), 1);
	}
	CHECK_INT(room(), INT32_MAX, "throttling and what has no answer are no 5xx");
	CHECK_INT(review(answer(599), 1), 1, "nor do they end the row");
	static const int between[] = { 200, 404, 301 };
	for (size_t i = 0; i < ARRAY_LEN(between); i++) {
		fresh(PLAIN);
		review(answer(500), 49);
		review(answer(between[i]), 1);
		CHECK(review(answer(500), 49) == 0 && room() == INT32_MAX,
		      "an answer of %d between: they are not in a row", between[i]);
	}
	struct health_facts large = answer(200);
	large.code = HTTP_TOO_LARGE;
	large.success = false;
	large.final = true;
	fresh(PLAIN);
	review(answer(500), 49);
	review(large, 1);
	CHECK(review(answer(500), 49) == 0, "an answer that is too large is one");
}

static void hold_by(struct health_options o)
{
	fresh(o);
	review(none(HTTP_CONNECT), 20);
}

static void probes(void)
{
	static const int64_t pauses[] = { 1000, 2000, 4000, 8000, 16000, 32000, 60000, 60000, 60000 };
	struct health_block b;

	hold_by((struct health_options){ .give_up_ms = 0 });
	for (size_t i = 0; i < ARRAY_LEN(pauses); i++) {
		CHECK_INT(health_next(h, now) - now, pauses[i], "a probe after %lld ms",
			  (long long)pauses[i]);
		now += pauses[i] - 1;
		CHECK_INT(room(), 0, "not before");
		probe();
		CHECK_INT(health_next(h, now), -1, "while it flies nothing is waited for");
		CHECK_INT(review(none(i % 2 ? HTTP_DNS : HTTP_TIMEOUT), 1), 1,
			  "it goes back as well, however it fails");
	}
	now += INT64_C(1000) * HOUR_MS;
	CHECK(!given_up(), "--forever: it is never given up");
	probe();
	CHECK_INT(review(answer(200), 1), 0, "a success");
	CHECK(room() == INT32_MAX && !health_block(h, 0, now, &b), "ends it");
	CHECK_INT(review(none(HTTP_CONNECT), 19), 0, "and counting begins anew");
	review(none(HTTP_CONNECT), 1);
	CHECK_INT(health_next(h, now) - now, 1000, "so do the pauses");

	/* Whatever becomes of the one that tries, it is not the last. */
	static const struct { enum http_code code; int status; bool over; const char *rule; } ends[] = {
		{ HTTP_ANSWERED, 500, false, "a 5xx" }, { HTTP_ANSWERED, 404, true, "a 404" },
		{ HTTP_ANSWERED, 401, true, "a 401" }, { HTTP_ANSWERED, 429, true, "a 429" },
		{ HTTP_ANSWERED, 529, true, "a 529" }, { HTTP_ANSWERED, 302, true, "a redirect" },
		{ HTTP_TOO_LARGE, 200, true, "too large an answer" },
		{ HTTP_TOO_LARGE, 500, false, "too large a 5xx" },
		{ HTTP_TRUNCATED, 200, false, "half an answer" },
		{ HTTP_CERTIFICATE, 0, false, "a certificate that is not trusted" },
		{ HTTP_STALLED, 200, false, "a stalled one" }, { HTTP_CONNECT, 0, false, "silence" },
		{ HTTP_UNUSABLE, 0, false, "a line that cannot be sent" },
		{ HTTP_ABORTED, 0, false, "our own abort" },
		{ HTTP_SUPERSEDED, 0, false, "another attempt that was faster" },
	};
	for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
		hold_by((struct health_options){ .give_up_ms = 0 });
		now = health_next(h, now);
		started();
		struct health_facts f = answer(ends[i].status);
		f.code = ends[i].code;
		f.success = false;
		bool back = health_review(h, &f, now);
		if (ends[i].over) {
			CHECK_INT(health_room(h, 2, 2, 0, now), INT32_MAX,
				  "the probe ends in %s: the server is there", ends[i].rule);
			continue;
		}
		CHECK(strcmp(reason(), "host_down") == 0, "the probe ends in %s: still held", ends[i].rule);
		int64_t next = health_next(h, now);
		now = room() == 1 ? now : next;
		CHECK(now > 0 && room() == 1, "and another one may try");
		CHECK(back == (ends[i].code != HTTP_UNUSABLE && ends[i].code != HTTP_ABORTED &&
			       ends[i].code != HTTP_SUPERSEDED), "what says nothing of the server is not"
		      " kept");
	}
	hold_by((struct health_options){ .give_up_ms = 0 });
	probe();
	health_unsent(h, 1, 1, 0);
	CHECK_INT(room(), 1, "one that was not sent after all: another one at once");
	CHECK_INT(review(answer(429), 1), 0, "throttling of one that flew before is no matter of health");
	CHECK_INT(room(), 1, "and does not end a hold");
	review(none(HTTP_CONNECT), 3);
	CHECK_INT(room(), 1, "nor do those that flew before make the pause longer");
	review(answer(404), 1);
	CHECK_INT(room(), INT32_MAX, "but an answer of any of them shows that it is there");
}

static void giving_up(void)
{
	struct health_block b;

	hold_by(PLAIN);
	int64_t began = now;
	CHECK(health_block(h, 0, now, &b) && b.since_ms == began && b.next_ms == began + 1000 &&
	      !b.given_up && b.origin == 0 && b.batch == 0 && b.bucket == 0, "a hold: since when, until when");
	CHECK_STR(b.message, "nobody there", "and why");
	while (now < began + 540000) {
		now = health_next(h, now);
		if (room() == 1)
			started();
		review(none(HTTP_CONNECT), 1);
	}
	CHECK(!given_up(), "before its time it is not given up");
	CHECK_INT(health_next(h, now), began + 600000, "--give-up-after is waited for like a probe");
	now = began + 599999;
	CHECK(!given_up(), "not a millisecond too early");
	now++;
	CHECK(given_up() && room() == 0, "then it is, and nothing starts");
	CHECK_INT(health_next(h, now), -1, "and nothing is waited for");
	CHECK(health_block(h, 0, now, &b) && b.given_up && b.next_ms == 0, "it is told so");
	CHECK(!health_given_up(h, 1, 1, 3, now, NULL), "others are not");
	now += HOUR_MS;
	CHECK(given_up(), "it stays so");
	review(answer(200), 1);
	CHECK(!given_up() && room() == INT32_MAX, "unless one that flew still succeeds");

	hold_by(PLAIN);
	began = now;
	probe();
	CHECK_INT(health_next(h, now), began + 600000, "while a probe flies its end is waited for");
	now = began + 600000;
	CHECK(given_up(), "a probe that hangs does not put it off");
}

static void unwanted(void)
{
	hold_by(PLAIN);
	int64_t first = health_next(h, now);
	CHECK_INT(health_next(h, first - 1), first, "what is to come is told");
	CHECK_INT(health_next(h, first), now + 600000, "what may be tried and is not, is not told again");
	CHECK(health_room(h, 1, 1, 0, first + 5000) == 1, "though it may be tried");
	hold_by((struct health_options){ .give_up_ms = 0 });
	CHECK_INT(health_next(h, health_next(h, now)), -1, "--forever: then nothing is waited for");
}

static void breaker(void)
{
	struct health_block b;

	fresh(PLAIN);
	CHECK_INT(review(answer(401), 1), 1, "401 with a key: at once, and it goes back");
	CHECK(room() == 0 && given_up(), "the bucket is left alone for this run");
	CHECK_INT(health_next(h, now), -1, "nothing is waited for");
	CHECK(health_block(h, 0, now, &b) && b.bucket == 1 && b.batch == 0 && b.origin == -1 &&
	      b.given_up && b.next_ms == 0, "as a block of the bucket");
	CHECK_STR(b.reason, "unauthorized", "by that name");
	CHECK_INT(health_room(h, 1, 2, 0, now), INT32_MAX, "another model or key is not");
	CHECK_INT(review(answer(401), 5) + review(answer(403), 5), 10, "what flew before goes back too");
	review(answer(200), 1);
	CHECK_INT(room(), INT32_MAX, "a success of those lifts it");

	fresh(PLAIN);
	struct health_facts quota = answer(429);
	quota.quota = quota.final = true;
	CHECK_INT(review(quota, 1), 1, "insufficient_quota: at once, and it goes back");
	CHECK(given_up() && strcmp(reason(), "quota") == 0, "by its name");
	CHECK_INT(review(quota, 7), 7, "what flew before too");

	fresh(PLAIN);
	CHECK_INT(review(answer(403), 9), 0, "403: nine fail");
	CHECK_INT(room(), INT32_MAX, "and all may start");
	CHECK_INT(review(answer(403), 1), 0, "the tenth fails");
	CHECK(given_up() && strcmp(reason(), "refused") == 0, "and is the last");
	CHECK_INT(review(answer(403), 3), 3, "what flew before goes back");
	struct health_facts keyless = answer(401);
	keyless.key = false;
	fresh(PLAIN);
	CHECK(review(keyless, 9) == 0 && room() == INT32_MAX && review(keyless, 1) == 0 && given_up(),
	      "401 without a key: the same");
	fresh(PLAIN);
	health_trust(h, 1);
	for (int i = 0; i < 9; i++) {
		review(answer(403), 1);
		review(answer(500), 1);
		review(answer(404), 1);
		review(none(HTTP_RECV), 1);
	}
	CHECK(!given_up() && review(answer(403), 1) == 0 && given_up(),
	      "what fails otherwise between does not matter");
	fresh(PLAIN);
	for (int i = 0; i < 30; i++) {
		review(answer(403), 9);
		review(answer(200), 1);
	}
	CHECK(!given_up() && room() == INT32_MAX, "nine and a success, again and again: it goes on");
	struct health_facts other = answer(403);
	for (other.bucket = 10; other.bucket < 60; other.bucket++)
		review(other, 1);
	CHECK_INT(health_version(h), 0, "each bucket counts its own");

	fresh((struct health_options){ .retry = true });
	review(answer(401), 1);
	CHECK(!given_up() && room() == 0, "--forever: it is not given up");
	CHECK_INT(health_next(h, now) - now, HEALTH_RETRY_MS, "one tries after ten minutes");
	probe();
	CHECK_INT(review(answer(401), 1), 1, "in vain: it goes back");
	CHECK_INT(health_next(h, now) - now, HEALTH_RETRY_MS, "the next after ten more");
	static const struct { enum http_code code; int status; } ends[] = {
		{ HTTP_ANSWERED, 500 }, { HTTP_ANSWERED, 429 }, { HTTP_ANSWERED, 404 }, { HTTP_CONNECT, 0 },
		{ HTTP_RECV, 0 }, { HTTP_ABORTED, 0 }, { HTTP_UNUSABLE, 0 }, { HTTP_TOO_LARGE, 200 },
	};
	for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
		struct health_facts f = answer(ends[i].status);
		f.code = ends[i].code;
		f.success = f.final = false;
		probe();
		review(f, 1);
		int64_t next = health_next(h, now);
		CHECK(room() == 1 || next == now + HEALTH_RETRY_MS,
		      "whatever becomes of it (%d, %d), another one follows", (int)f.code, f.status);
	}
	probe();
	review(answer(201), 1);
	CHECK(room() == INT32_MAX && health_next(h, now) == -1, "a success lifts it");
}

static void guard(void)
{
	struct health_block b;

	fresh(PLAIN);
	CHECK_INT(review(answer(404), 19), 0, "19 that fail in the same way do so");
	CHECK_INT(room(), INT32_MAX, "and all may start");
	CHECK_INT(review(answer(404), 1), 0, "the 20th fails as well");
	CHECK(room() == 0 && given_up() && strcmp(reason(), "all_failing") == 0,
	      "and the batch is left alone");
	CHECK(health_block(h, 0, now, &b) && b.batch == 1 && b.bucket == 0 && b.origin == -1 &&
	      b.given_up, "as a block of the batch");
	CHECK_STR(b.message, "what it says", "with the server's message");
	CHECK_INT(health_room(h, 2, 1, 0, now), INT32_MAX, "another batch is not");
	CHECK_INT(review(answer(404), 5), 5, "what flew before goes back");
	CHECK_INT(review(answer(400), 1), 0, "but for what fails otherwise");
	CHECK(given_up(), "which does not lift it");
	CHECK_INT(review(answer(404), 2), 2, "nor let the others fail");
	review(answer(200), 1);
	CHECK(!given_up() && room() == INT32_MAX, "a success does");
	CHECK(review(answer(404), 100) == 0 && room() == INT32_MAX, "and the guard looks no more");

	fresh(PLAIN);
	review(answer(404), 19);
	CHECK(review(answer(400), 1) == 0 && review(answer(404), 100) == 0 && !given_up(),
	      "one of the first 20 that fails otherwise: it looks no more");
	fresh(PLAIN);
	review(answer(200), 1);
	CHECK(review(answer(404), 100) == 0 && !given_up(), "nor after a first success");
	fresh(PLAIN);
	health_trust(h, 1);
	CHECK(review(answer(404), 100) == 0 && !given_up(), "nor if some have completed before this run");
	fresh(PLAIN);
	struct health_facts again = answer(500);
	for (int i = 0; i < 19; i++) {
		review(answer(404), 1);
		review(again, 1);
		review(none(HTTP_RECV), 1);
	}
	CHECK(!given_up() && review(answer(404), 1) == 0 && given_up(),
	      "what will be tried again is not finished, and does not count");
	fresh(PLAIN);
	struct health_facts dead = none(HTTP_RECV), late = none(HTTP_TIMEOUT);
	dead.final = late.final = true;
	review(dead, 10);
	CHECK(review(late, 30) == 0 && !given_up(), "without an answer the code is the way");
	fresh(PLAIN);
	CHECK(review(dead, 20) == 0 && given_up(), "20 of one code");
	fresh(PLAIN);
	struct health_facts bad = none(HTTP_UNUSABLE);
	bad.final = true;
	CHECK(review(bad, 20) == 0 && given_up(), "lines that cannot be sent as well");
	fresh(PLAIN);
	for (int i = 0; i < 19; i++) {
		struct health_facts f = answer(404);
		for (f.batch = 1; f.batch < 40; f.batch++)
			review(f, 1);
	}
	CHECK_INT(health_version(h), 0, "each batch counts its own");

	fresh((struct health_options){ .no_guard = true });
	CHECK(review(answer(404), 1000) == 0 && room() == INT32_MAX, "--no-guard: it goes on");
	CHECK(review(none(HTTP_CONNECT), 20) == 1 && room() == 0, "the hold is another matter");

	fresh((struct health_options){ .retry = true });
	review(answer(404), 20);
	CHECK(!given_up() && health_next(h, now) == now + HEALTH_RETRY_MS,
	      "--forever: one tries after ten minutes");
	probe();
	CHECK_INT(review(answer(404), 1), 1, "in vain: it goes back");
	static const struct { int status; bool final; } ends[] = {
		{ 400, true }, { 500, false }, { 429, false }, { 404, true },
	};
	for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
		struct health_facts f = answer(ends[i].status);
		f.final = ends[i].final;
		probe();
		review(f, 1);
		CHECK(health_next(h, now) == now + HEALTH_RETRY_MS,
		      "whatever becomes of it (%d), another one follows", f.status);
	}
	probe();
	review(answer(200), 1);
	CHECK_INT(room(), INT32_MAX, "a success lifts it");
}

static void without_hold(void)
{
	fresh((struct health_options){ .no_hold = true });
	CHECK(review(none(HTTP_CONNECT), 100) == 0 && review(answer(500), 200) == 0 &&
	      room() == INT32_MAX, "--no-hold: nothing is held");
	CHECK(review(answer(401), 1) == 1 && given_up(), "the breaker is another matter");
	fresh((struct health_options){ .no_hold = true });
	CHECK(review(answer(404), 20) == 0 && given_up(), "so is the guard");
}

static void several(void)
{
	struct health_block b;
	struct health_facts down = none(HTTP_DNS), wrong = answer(401), lost = answer(404);

	fresh((struct health_options){ .give_up_ms = 600000, .retry = true });
	down.origin = 4;
	review(down, 20);
	now += 10;
	wrong.bucket = 9;
	review(wrong, 1);
	now += 10;
	lost.batch = 7;
	review(lost, 20);
	int64_t version = health_version(h);
	CHECK(health_block(h, 0, now, &b) && b.origin == 4 && b.number > 0, "each block is told: an origin");
	int64_t first = b.number;
	CHECK(health_block(h, 1, now, &b) && b.bucket == 9 && b.origin == -1 && b.number > first,
	      "a bucket, which came later");
	CHECK(health_block(h, 2, now, &b) && b.batch == 7 && b.number == version, "a batch, the last");
	CHECK(!health_block(h, 3, now, &b), "no more");
	CHECK_INT(health_room(h, 7, 9, 4, now), 0, "all three stand in the way of a request of all three");
	CHECK_INT(health_room(h, 1, 1, 0, now), INT32_MAX, "none in that of another");
	now += 1000;
	CHECK_INT(health_room(h, 1, 1, 4, now), 1, "one may try the origin");
	CHECK_INT(health_room(h, 7, 1, 4, now), 0, "but none of the batch");
	health_started(h, 1, 1, 4);
	CHECK_INT(health_version(h), version, "that one tries changes nothing for others");
	CHECK_INT(review(down, 1), 1, "it fails");
	CHECK_INT(health_version(h), version + 1, "then the next time is another");
	CHECK(health_block(h, 0, now, &b) && b.number == first, "of the same block");
	CHECK_INT(health_next(h, now), now + 2000, "the first of all times is waited for");
	now += HEALTH_RETRY_MS;
	health_started(h, 7, 9, 4);
	struct health_facts good = { .batch = 7, .bucket = 9, .origin = 4, .code = HTTP_ANSWERED,
				     .status = 200, .success = true };
	CHECK(review(good, 1) == 0 && !health_block(h, 0, now, &b), "one success lifts all three");
	CHECK(health_version(h) > version + 2, "which others learn of");
	version = health_version(h);
	review(good, 50);
	CHECK_INT(health_version(h), version, "once");
}

static void messages(void)
{
	struct health_block b;
	struct health_facts f = answer(401);
	char text[600];
	int bad = 0, shortest = 1000;

	fresh(PLAIN);
	f.message = NULL;
	review(f, 1);
	CHECK(health_block(h, 0, now, &b) && strcmp(b.message, "") == 0, "no message is an empty one");
	for (int i = 0; i < 8; i++) {
		fresh(PLAIN);
		memset(text, 'x', sizeof text);
		for (int k = i; k < 590; k += 4)
			memcpy(text + k, "\xf0\x9f\x98\x80", 4);
		text[590] = '\0';
		f.message = text;
		review(f, 1);
		bad += !health_block(h, 0, now, &b) || !safe_is_utf8(span_of(b.message)) ||
		       strncmp(b.message, text, strlen(b.message)) != 0;
		shortest = (int)strlen(b.message) < shortest ? (int)strlen(b.message) : shortest;
	}
	CHECK(bad == 0 && shortest >= HEALTH_MESSAGE - 4, "a long one is cut, not within a character");
}

static void leaving(void)
{
	struct health_block b;

	fresh((struct health_options){ .retry = true });
	CHECK(health_leave(h, 1, "no_key", "no key", now), "a batch that cannot be sent is left");
	CHECK(!health_leave(h, 1, "no_key", "no key", now + 5), "once");
	CHECK(room() == 0 && given_up() && health_next(h, now) == -1, "at once, for all of the run");
	CHECK(health_block(h, 0, now, &b) && b.batch == 1 && strcmp(b.reason, "no_key") == 0 &&
	      strcmp(b.message, "no key") == 0 && b.next_ms == 0 && b.given_up && b.since_ms == now &&
	      b.number == health_version(h), "and it is told why");
	CHECK(health_given_up(h, 1, 1, 0, now, &b) && b.batch == 1 && strcmp(b.reason, "no_key") == 0,
	      "also to who asks whether it is given up");
	CHECK(health_room(h, 2, 1, 0, now) == INT32_MAX && !health_given_up(h, 2, 1, 0, now, &b),
	      "other batches go on");
	review(answer(200), 1);
	now += HOUR_MS;
	CHECK(room() == 0 && given_up(), "neither success nor time lifts it");
	review(none(HTTP_CONNECT), HEALTH_SILENT);
	CHECK(health_given_up(h, 1, 1, 0, now, &b) && b.batch == 1, "a server that is only held is not why");
}

int main(void)
{
	nothing();
	silence();
	broken();
	few();
	errors();
	probes();
	giving_up();
	unwanted();
	breaker();
	guard();
	without_hold();
	several();
	messages();
	leaving();
	health_free(h);
	return unit_done();
}
