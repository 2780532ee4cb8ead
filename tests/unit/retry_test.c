#include "engine/retry.h"

#include <stdlib.h>
#include "base/mem.h"
#include "unit.h"

static struct rng rng;

static struct retry_facts answered(int status)
{
	return (struct retry_facts){ .code = HTTP_ANSWERED, .status = status,
				     .retry_after_ms = -1 };
}

static struct retry_decision decide(const struct send *s, struct retry_facts f)
{
	return retry_decide(s, &f, &rng);
}

static void check_statuses(const struct send *s)
{
	static const struct { int status; enum request_verdict verdict; } all[] = {
		{ 200, VERDICT_COMPLETED }, { 201, VERDICT_COMPLETED }, { 204, VERDICT_COMPLETED },
		{ 299, VERDICT_COMPLETED },
		{ 408, VERDICT_RETRY }, { 425, VERDICT_RETRY }, { 429, VERDICT_RETRY },
		{ 500, VERDICT_RETRY }, { 502, VERDICT_RETRY }, { 503, VERDICT_RETRY },
		{ 504, VERDICT_RETRY }, { 529, VERDICT_RETRY }, { 599, VERDICT_RETRY },
		{ 300, VERDICT_FAILED }, { 301, VERDICT_FAILED }, { 302, VERDICT_FAILED },
		{ 304, VERDICT_FAILED }, { 307, VERDICT_FAILED }, { 400, VERDICT_FAILED },
		{ 401, VERDICT_FAILED }, { 403, VERDICT_FAILED }, { 404, VERDICT_FAILED },
		{ 409, VERDICT_FAILED }, { 422, VERDICT_FAILED }, { 499, VERDICT_FAILED },
		{ 101, VERDICT_FAILED }, { 600, VERDICT_FAILED }, { 999, VERDICT_FAILED },
	};
	for (size_t i = 0; i < ARRAY_LEN(all); i++) {
		struct retry_decision d = decide(s, answered(all[i].status));
		CHECK_INT(d.verdict, all[i].verdict, "status %d", all[i].status);
		CHECK(!d.exhausted, "status %d: it has attempts left, or wants none",
		      all[i].status);
	}
}

static void check_codes(const struct send *s)
{
	static const struct { enum http_code code; enum request_verdict verdict; } all[] = {
		{ HTTP_CONNECT, VERDICT_RETRY }, { HTTP_DNS, VERDICT_RETRY },
		{ HTTP_TLS, VERDICT_RETRY }, { HTTP_SEND, VERDICT_RETRY },
		{ HTTP_RECV, VERDICT_RETRY }, { HTTP_STALLED, VERDICT_RETRY },
		{ HTTP_TIMEOUT, VERDICT_RETRY }, { HTTP_TRUNCATED, VERDICT_RETRY },
		{ HTTP_CERTIFICATE, VERDICT_FAILED }, { HTTP_TOO_LARGE, VERDICT_FAILED },
		{ HTTP_UNUSABLE, VERDICT_FAILED }, { HTTP_ABORTED, VERDICT_RETRY },
	};
	for (size_t i = 0; i < ARRAY_LEN(all); i++) {
		/* A status that came before it broke is no answer. */
		struct retry_facts f = { .code = all[i].code, .status = 200, .retry_after_ms = -1 };
		struct retry_decision d = decide(s, f);
		CHECK_INT(d.verdict, all[i].verdict, "code %d", (int)all[i].code);
		CHECK(d.counts == (all[i].code != HTTP_ABORTED), "code %d: %s", (int)all[i].code,
		      all[i].code == HTTP_ABORTED ? "we did it, it does not count" : "it counts");
		CHECK(!d.throttled, "code %d: is no throttling", (int)all[i].code);
	}
	struct retry_facts f = { .code = HTTP_ABORTED, .counted = 1000, .throttled = 1000,
				 .retry_after_ms = 5000 };
	struct retry_decision d = decide(s, f);
	CHECK(d.verdict == VERDICT_RETRY && d.delay_ms == 0 && !d.exhausted,
	      "what we aborted is due at once, however many attempts it had");
}

static void check_own_list(struct send s)
{
	char list[] = "404,2xx";
	s.retry_http = list;
	CHECK_INT(decide(&s, answered(404)).verdict, VERDICT_RETRY, "--retry-http: in the list");
	CHECK_INT(decide(&s, answered(500)).verdict, VERDICT_FAILED, "--retry-http: not in it");
	CHECK_INT(decide(&s, answered(429)).verdict, VERDICT_FAILED,
		  "--retry-http: throttling only if it is in it");
	CHECK_INT(decide(&s, answered(200)).verdict, VERDICT_COMPLETED,
		  "--retry-http: a success is one whatever the list says");
}

static void check_counting(struct send s)
{
	struct retry_facts f = answered(500);
	s.retries = 3;
	f.counted = 2;
	CHECK_INT(decide(&s, f).verdict, VERDICT_RETRY, "the third of 1 + 3 attempts: again");
	f.counted = 3;
	struct retry_decision d = decide(&s, f);
	CHECK_INT(d.verdict, VERDICT_FAILED, "the fourth: failed");
	CHECK(d.exhausted && d.counts, "because it has had its attempts");
	f = answered(404);
	f.counted = 3;
	CHECK(!decide(&s, f).exhausted, "a final failure is not exhausted, at the last too");
	s.retries = 0;
	CHECK(decide(&s, answered(500)).exhausted, "--retries 0: one attempt");
	CHECK_INT(decide(&s, answered(200)).verdict, VERDICT_COMPLETED, "which may succeed");
}

static void check_throttling(struct send s)
{
	static const int statuses[] = { 429, 529 };
	s.retries = 0;
	for (size_t i = 0; i < ARRAY_LEN(statuses); i++) {
		struct retry_facts f = answered(statuses[i]);
		f.counted = 7;
		f.throttled = RETRY_THROTTLED - 2;
		struct retry_decision d = decide(&s, f);
		CHECK_INT(d.verdict, VERDICT_RETRY, "%d: the 99th is tried again, without retries",
			  statuses[i]);
		CHECK(!d.counts && d.throttled, "%d: it is throttling and does not count",
		      statuses[i]);
		f.throttled++;
		d = decide(&s, f);
		CHECK(d.verdict == VERDICT_FAILED && d.exhausted && d.throttled,
		      "%d: the 100th fails", statuses[i]);
	}
	struct retry_facts f = answered(503);
	CHECK(decide(&s, f).counts && !decide(&s, f).throttled, "503 counts");
	s.retries = 5;
	f.throttled = 5000;
	CHECK_INT(decide(&s, f).verdict, VERDICT_RETRY,
		  "having been throttled does not use up the retries of others");
	f = answered(429);
	f.quota = true;
	struct retry_decision d = decide(&s, f);
	CHECK(d.verdict == VERDICT_FAILED && !d.exhausted,
	      "429 insufficient_quota is final: more tries do not fill a purse");
}

static void check_deadline(void)
{
	static const struct { int64_t expires, stop_before, now, delay; bool no_time; const char *rule; }
	all[] = {
		{ 0, 0, 1000, 500, false, "without a window there is time" },
		{ 2000, 0, 1000, 999, false, "a retry before the expiry" },
		{ 2000, 0, 1000, 1000, true, "one at the expiry would not be sent" },
		{ 2000, 0, 1000, 3600000, true, "nor one behind it" },
		{ 2000, 300, 1000, 699, false, "--stop-before-deadline: before it" },
		{ 2000, 300, 1000, 700, true, "from it on" },
		{ 2000, 5000, 1000, 0, true, "it may be longer than the window" },
		{ 2000, 300, 1999, 0, true, "in it there is no time" },
		{ 2000, 300, 2000, 0, false, "past the expiry the batch decides" },
	};
	for (size_t i = 0; i < ARRAY_LEN(all); i++) {
		struct retry_decision d = { .verdict = VERDICT_RETRY, .counts = true,
					    .delay_ms = all[i].delay };
		retry_deadline(&d, all[i].expires, all[i].stop_before, all[i].now);
		CHECK(d.no_time == all[i].no_time && d.counts && !d.exhausted &&
		      d.verdict == (all[i].no_time ? VERDICT_FAILED : VERDICT_RETRY), "%s",
		      all[i].rule);
	}
	struct retry_decision d = { .verdict = VERDICT_RETRY, .throttled = true, .delay_ms = 5000 };
	retry_deadline(&d, 2000, 0, 1000);
	CHECK(d.verdict == VERDICT_RETRY && !d.no_time, "what does not count waits, and expires");
	d = (struct retry_decision){ .verdict = VERDICT_FAILED, .counts = true, .exhausted = true };
	retry_deadline(&d, 2000, 0, 1999);
	CHECK(d.exhausted && !d.no_time, "what fails for another reason does so");
	d = (struct retry_decision){ .verdict = VERDICT_COMPLETED };
	retry_deadline(&d, 2000, 0, 1999);
	CHECK_INT(d.verdict, VERDICT_COMPLETED, "an answer is an answer");
}

static void check_ceiling(struct send s)
{
	s.retry_delay_ms = 1000;
	s.retry_factor_micro = 2000000;
	s.retry_max_delay_ms = 60000;
	static const int64_t want[] = { 1000, 2000, 4000, 8000, 16000, 32000, 60000, 60000 };
	for (size_t n = 0; n < ARRAY_LEN(want); n++)
		CHECK_INT(retry_ceiling(&s, (int64_t)n), want[n], "1s * 2^%zu, at most 60s", n);
	CHECK_INT(retry_ceiling(&s, 1000), 60000, "1,000 tries saturate");
	CHECK_INT(retry_ceiling(&s, INT64_MAX), 60000, "any number of tries does");
	s.retry_factor_micro = 1000000;
	CHECK_INT(retry_ceiling(&s, INT64_MAX), 1000, "factor 1 stays where it is");
	s.retry_factor_micro = 1500000;
	CHECK_INT(retry_ceiling(&s, 3), 3375, "factor 1.5");
	s.retry_delay_ms = 1;
	CHECK_INT(retry_ceiling(&s, 5), 7, "1ms * 1.5^5: the fractions before are not lost");
	CHECK_INT(retry_ceiling(&s, 1000), 60000, "and a small delay grows too");
	s.retry_factor_micro = 1000001;
	CHECK_INT(retry_ceiling(&s, INT64_MAX), 60000, "however slowly");
	s.retry_delay_ms = 0;
	CHECK_INT(retry_ceiling(&s, INT64_MAX), 0, "no delay stays none");
	s.retry_delay_ms = 3600 * 1000;
	s.retry_factor_micro = 100000000;
	s.retry_max_delay_ms = 24 * 3600 * 1000;
	CHECK_INT(retry_ceiling(&s, INT64_MAX), 24 * 3600 * 1000, "the largest values");
	s.retry_max_delay_ms = 10;
	CHECK_INT(retry_ceiling(&s, 0), 10, "the limit holds for the first delay");
	s.retry_max_delay_ms = 0;
	CHECK_INT(retry_ceiling(&s, 9), 0, "a limit of 0 is no delay");
}

static void check_jitter(struct send s)
{
	struct retry_facts f = answered(500);
	int64_t least = INT64_MAX, most = -1, sum = 0;
	enum { DRAWS = 20000 };
	s.retries = 5;
	s.retry_delay_ms = 100;
	s.retry_factor_micro = 2000000;
	s.retry_max_delay_ms = 60000;
	f.counted = 2;
	for (int i = 0; i < DRAWS; i++) {
		int64_t d = decide(&s, f).delay_ms;
		least = d < least ? d : least;
		most = d > most ? d : most;
		sum += d;
	}
	CHECK_INT(least, 0, "full jitter: from 0");
	CHECK_INT(most, 400, "full jitter: to delay * factor^2, n the tries before");
	CHECK(sum / DRAWS > 190 && sum / DRAWS < 210, "full jitter: evenly");
	f = answered(429);
	f.counted = 0;
	f.throttled = 2;
	most = -1;
	for (int i = 0; i < DRAWS; i++) {
		int64_t d = decide(&s, f).delay_ms;
		most = d > most ? d : most;
	}
	CHECK_INT(most, 400, "throttling waits by its own count");
}

static void check_retry_after(struct send s)
{
	static const struct { int status; bool heeded; } all[] = {
		{ 429, true }, { 503, true }, { 529, true },
		{ 500, false }, { 502, false }, { 408, false }, { 425, false },
	};
	s.retry_delay_ms = 0;
	for (size_t i = 0; i < ARRAY_LEN(all); i++) {
		struct retry_facts f = answered(all[i].status);
		f.retry_after_ms = 3000;
		CHECK_INT(decide(&s, f).delay_ms, all[i].heeded ? 3000 : 0, "Retry-After of a %d %s",
			  all[i].status, all[i].heeded ? "is waited for" : "is not");
	}
	struct retry_facts f = { .code = HTTP_TRUNCATED, .status = 503, .retry_after_ms = 3000 };
	CHECK_INT(decide(&s, f).delay_ms, 0, "nor is that of an answer that broke off");
	f = answered(503);
	f.retry_after_ms = 0;
	CHECK_INT(decide(&s, f).delay_ms, 0, "Retry-After: 0 waits for nothing");
	f.retry_after_ms = RETRY_AFTER_MAX_MS;
	CHECK_INT(decide(&s, f).delay_ms, 3600000, "an hour is waited for");
	f.retry_after_ms = INT64_MAX;
	CHECK_INT(decide(&s, f).delay_ms, 3600000, "and nothing longer");
	s.retry_delay_ms = s.retry_max_delay_ms = 50;
	f.retry_after_ms = 1000;
	int64_t least = INT64_MAX, most = -1;
	for (int i = 0; i < 2000; i++) {
		int64_t d = decide(&s, f).delay_ms;
		least = d < least ? d : least;
		most = d > most ? d : most;
	}
	CHECK(least == 1000 && most == 1050, "it comes in addition to the jitter");
}

static void check_at_most_once(struct send s)
{
	static const struct { enum http_code code; bool sent, again; const char *what; } all[] = {
		{ HTTP_CONNECT, false, true, "no connection" },
		{ HTTP_DNS, false, true, "no name" },
		{ HTTP_TLS, false, true, "no handshake" },
		{ HTTP_TIMEOUT, false, true, "a time limit before it was sent" },
		{ HTTP_ABORTED, false, true, "aborted before it was sent" },
		{ HTTP_SEND, true, false, "broken while it was sent" },
		{ HTTP_RECV, true, false, "broken before the answer was whole" },
		{ HTTP_STALLED, true, false, "stalled" },
		{ HTTP_TIMEOUT, true, false, "a time limit" },
		{ HTTP_TRUNCATED, true, false, "cut short" },
		{ HTTP_ABORTED, true, false, "aborted" },
		{ HTTP_SUPERSEDED, true, true, "superseded: the other attempt settles it" },
	};
	s.at_most_once = 1;
	s.retries = 5;
	for (size_t i = 0; i < ARRAY_LEN(all); i++) {
		struct retry_facts f = { .code = all[i].code, .sent = all[i].sent, .status = 200,
					 .retry_after_ms = -1 };
		struct retry_decision d = decide(&s, f);
		CHECK(all[i].again ? d.verdict == VERDICT_RETRY && !d.interrupted
				   : d.verdict == VERDICT_FAILED && d.interrupted && d.counts &&
				     !d.exhausted, "--at-most-once: %s: %s", all[i].what,
		      all[i].again ? "tried again" : "interrupted");
		s.at_most_once = 0;
		CHECK(decide(&s, f).verdict == VERDICT_RETRY, "without it: tried again");
		s.at_most_once = 1;
	}
	static const enum http_code final[] = { HTTP_CERTIFICATE, HTTP_TOO_LARGE, HTTP_UNUSABLE };
	for (size_t i = 0; i < ARRAY_LEN(final); i++) {
		struct retry_facts f = { .code = final[i], .sent = true, .retry_after_ms = -1 };
		CHECK(decide(&s, f).verdict == VERDICT_FAILED && !decide(&s, f).interrupted,
		      "--at-most-once: code %d is final for its own reason", (int)final[i]);
	}
	static const int answers[] = { 408, 429, 500, 503, 529 };
	for (size_t i = 0; i < ARRAY_LEN(answers); i++) {
		struct retry_facts f = answered(answers[i]);
		f.sent = true;
		CHECK(decide(&s, f).verdict == VERDICT_RETRY,
		      "--at-most-once: %d is an answer and tried again", answers[i]);
	}
}

int main(void)
{
	struct send s CLEANUP(send_release) = send_defaults();
	struct send copy = s;
	rng_seed(&rng, 7);
	check_statuses(&s);
	check_codes(&s);
	check_own_list(copy);
	check_counting(copy);
	check_throttling(copy);
	check_deadline();
	check_ceiling(copy);
	check_jitter(copy);
	check_at_most_once(copy);
	check_retry_after(copy);
	return unit_done();
}
