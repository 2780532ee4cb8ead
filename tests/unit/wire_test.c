#include "engine/wire.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/clock.h"
#include "base/mem.h"
#include "base/safe.h"
#include "engine/retry.h"
#include "unit.h"

static struct http_limits limits;
static struct http_call call;
static struct wire wire;

/* A call that began now; what was left of the last one is freed. */
static void fresh(void)
{
	str_release(&call.answer);
	str_release(&call.telling);
	limits = (struct http_limits){ 1000, 2000, 300, 9000, 100000 };
	call = (struct http_call){ .limits = &limits, .method = "POST", .url = "http://h/" };
	wire_start(&wire, &call, clock_mono_us());
}

static bool taken(const char *line)
{
	char *copy CLEANUP(mem_cleanup) = mem_strdup(line);
	size_t n = strlen(line);
	return wire_on_header(copy, 1, n, &wire) == n;
}

static void header(const char *line)
{
	if (!taken(line))
		abort();
}

static size_t body(size_t n)
{
	char *bytes CLEANUP(mem_cleanup) = mem_alloc(n);
	memset(bytes, 'b', n);
	return wire_on_body(bytes, 1, n, &wire);
}

static int send_once(void)
{
	char ip[] = "127.0.0.1";
	return wire_on_send(&wire, ip, ip, 80, 1234);
}

/* 2026-11-21T03:12:45Z */
static const int64_t NOW = INT64_C(1795230765) * 1000;

static void retry_after_values(void)
{
	static const struct { const char *text; int64_t ms; } all[] = {
		{ "0", 0 }, { "3", 3000 }, { "120", 120000 },
		{ "1.5", 1500 }, { "0.0001", 1 }, { "2.837491035461", 2838 },
		{ "99999999999", INT64_C(99999999999000) },
		{ "Sat, 21 Nov 2026 03:13:45 GMT", 60000 },
		{ "Saturday, 21-Nov-26 03:13:45 GMT", 60000 },
		{ "Sat Nov 21 03:13:45 2026", 60000 },
		{ "Sun Nov  1 00:00:00 2026", 0 },
		{ "Sat, 21 Nov 2026 03:12:45 GMT", 0 },
		{ "Sat, 21 Nov 2015 03:12:45 GMT", 0 },
		{ "", -1 }, { "-5", -1 }, { "+5", -1 }, { "5s", -1 }, { "soon", -1 }, { "1e3", -1 },
		{ ".5", -1 }, { "5.", -1 }, { "1.2x", -1 }, { "1.12345678x", -1 }, { "1.2.3", -1 },
		{ "0x10", -1 }, { "5 5", -1 }, { "NaN", -1 }, { "99999999999999999999999", -1 },
		{ "Sat, 21 Nov 2026 03:13:45", -1 }, { "Sat, 99 Nov 2026 03:13:45 GMT", -1 },
		{ "Sat, 21 Nov 2026 03:13:45 GMT junk", -1 },
		{ "Sat, 21 Nov 2026 03:13:45 GMT                                      ", -1 },
	};
	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		CHECK_INT(wire_retry_after(span_of(all[i].text), NOW), all[i].ms,
			  "Retry-After '%s' (RFC 9110 section 10.2.3)", all[i].text);
	CHECK_INT(wire_retry_after((struct span){ "3\0x", 3 }, NOW), -1, "a NUL is junk");
	CHECK_INT(wire_retry_after(SPAN_NONE, NOW), -1, "nothing is junk");
}

static void retry_after_headers(void)
{
	fresh();
	CHECK_INT(call.retry_after_ms, -1, "no header: none");
	header("HTTP/1.1 429 Too Many Requests\r\n");
	header("Retry-After-Ms: 250\r\n");
	CHECK_INT(call.retry_after_ms, 250, "retry-after-ms is in milliseconds");
	header("RETRY-AFTER:   2 \t\r\n");
	CHECK_INT(call.retry_after_ms, 2000, "Retry-After beats it, in any case, trimmed");
	header("retry-after-ms: 10\r\n");
	CHECK_INT(call.retry_after_ms, 2000, "whichever comes first");
	header("Retry-After: soon\r\n");
	CHECK_INT(call.retry_after_ms, 2000, "junk is ignored");
	fresh();
	header("Retry-After-Ms: Sat, 21 Nov 2026 03:13:45 GMT\r\n");
	CHECK_INT(call.retry_after_ms, -1, "a date is no number of milliseconds");
	header("Retry-After-Ms: 0.5\r\n");
	CHECK_INT(call.retry_after_ms, 1, "fractions are rounded up");
	fresh();
	header("HTTP/1.1 103 Early Hints\r\n");
	header("Retry-After: 7\r\n");
	header("x-request-id: early\r\n");
	header("HTTP/1.1 200 OK\r\n");
	CHECK(call.retry_after_ms == -1 && !call.request_id[0],
	      "what an interim answer says is not the answer's");
}

static void telling(void)
{
	fresh();
	header("HTTP/1.1 100 Continue\r\n");
	header("Server: interim\r\n");
	header("\r\n");
	header("HTTP/1.1 429 Too Many Requests\r\n");
	header("Server: uv\xc3\xa9 \"x\"\r\n");
	header("X-RateLimit-Remaining-Requests: 0\r\n");
	header("Retry-After: 1\r\n");
	header("X-Request-ID: req_1\r\n");
	header("Location: /there\r\n");
	header("Set-Cookie: secret=1\r\n");
	header("Content-Type: application/json\r\n");
	header("x-other: 1\r\n");
	header("\r\n");
	wire_end(&wire, HTTP_ANSWERED, 429, NULL, "");
	CHECK_STR(str_z(&call.telling), "{\"server\":\"uv\xc3\xa9 \\\"x\\\"\","
		  "\"x-ratelimit-remaining-requests\":\"0\",\"retry-after\":\"1\","
		  "\"x-request-id\":\"req_1\",\"location\":\"/there\"}",
		  "the telling headers as JSON, names in lower case, those of an interim answer not");
	CHECK_STR(call.request_id, "req_1", "x-request-id");
	fresh();
	header("Server: x\r\n");
	wire_end(&wire, HTTP_ANSWERED, 200, NULL, "");
	CHECK_INT(call.telling.n, 0, "of a success none are kept");
	fresh();
	wire_end(&wire, HTTP_ANSWERED, 500, NULL, "");
	CHECK_INT(call.telling.n, 0, "none came: empty, not {}");
	fresh();
	header("Server: x\r\n");
	wire_end(&wire, HTTP_RECV, 200, NULL, "broke");
	CHECK_STR(str_z(&call.telling), "{\"server\":\"x\"}", "of an answer that broke off too");

	fresh();
	char *big CLEANUP(mem_cleanup) = mem_alloc(9000);
	memset(big, 'a', 8999);
	memcpy(big, "Server: ", 8);
	header(big);
	header("x-ratelimit-a\": 1,\"b: 2\r\n");
	header("x-ratelimit-\xff: \xff\r\n");
	header("x-ratelimit-without-colon\r\n");
	for (int i = 0; i < 1000; i++)
		header("x-ratelimit-again-and-again: 1\r\n");
	wire_end(&wire, HTTP_ANSWERED, 500, NULL, "");
	CHECK(call.telling.n < 9000, "at most 8 KiB of headers are kept");
	CHECK(strstr(str_z(&call.telling), "x-ratelimit-a\\\"") && safe_is_utf8(str_span(&call.telling)),
	      "and hostile ones are quoted");
	char id[200];
	fresh();
	memset(id, 'i', sizeof(id));
	memcpy(id, "x-request-id: ", 14);
	id[sizeof(id) - 1] = '\0';
	header(id);
	header("x-request-id: \xff\r\n");
	CHECK_STR(call.request_id, "", "an id that is too long or no UTF-8 is none");
}

/* An answer with these headers; how long it holds, and *why. */
static int64_t holds(int status, const char *const *lines, const char **why)
{
	fresh();
	header("HTTP/1.1 200 OK\r\n");
	for (; *lines; lines++)
		header(*lines);
	header("\r\n");
	wire_end(&wire, HTTP_ANSWERED, status, NULL, "");
	*why = call.hold_why;
	return call.hold_ms;
}

#define LINES(...) ((const char *const[]){ __VA_ARGS__, NULL })
#define NO_REQUESTS "x-ratelimit-remaining-requests: 0\r\n", "x-ratelimit-reset-requests: 6m0s\r\n"
#define SOME_REQUESTS "x-ratelimit-remaining-requests: 7\r\n", "x-ratelimit-reset-requests: 6m0s\r\n"

static void server_holds(void)
{
	static const int told[] = { 429, 503, 529 }, not_told[] = { 200, 404, 408, 500, 502, 302 };
	const char *why;
	char want[8];

	for (size_t i = 0; i < ARRAY_LEN(told); i++) {
		snprintf(want, sizeof want, "%d", told[i]);
		CHECK_INT(holds(told[i], LINES("Retry-After: 3\r\n"), &why), 3000,
			  "hold: Retry-After of a %d", told[i]);
		CHECK_STR(why, want, "hold: why");
		CHECK_INT(holds(told[i], LINES("retry-after-ms: 250\r\n"), &why), 250,
			  "hold: retry-after-ms of a %d", told[i]);
		CHECK_INT(holds(told[i], LINES("Retry-After: 3\r\n", NO_REQUESTS), &why), 3000,
			  "hold: Retry-After comes before the reset");
		CHECK_STR(why, want, "hold: why");
		CHECK_INT(holds(told[i], LINES(NO_REQUESTS), &why), 360000,
			  "hold: without it the reset of what is empty");
		CHECK_STR(why, "no requests left", "hold: why");
		CHECK_INT(holds(told[i], LINES("Retry-After: 0\r\n", NO_REQUESTS), &why), 0,
			  "hold: Retry-After: 0 is no time at all");
		CHECK_INT(holds(told[i], LINES(SOME_REQUESTS), &why), 0, "hold: none, if something is left");
		CHECK_INT(holds(told[i], LINES("Retry-After: soon\r\n"), &why), 0, "hold: nor for junk");
		CHECK_STR(why, "", "hold: then there is no reason");
	}
	for (size_t i = 0; i < ARRAY_LEN(not_told); i++) {
		CHECK_INT(holds(not_told[i], LINES("Retry-After: 3\r\n"), &why), 0,
			  "hold: none for Retry-After of a %d", not_told[i]);
		CHECK_INT(holds(not_told[i], LINES(NO_REQUESTS), &why), 360000,
			  "hold: an empty limit, also in a %d", not_told[i]);
		CHECK_STR(why, "no requests left", "hold: why");
		CHECK_INT(holds(not_told[i], LINES("Retry-After: 9\r\n", NO_REQUESTS), &why), 9000,
			  "hold: for as long as Retry-After says then");
		CHECK_STR(why, "no requests left", "hold: why");
	}
	CHECK_INT(holds(200, LINES("anthropic-ratelimit-input-tokens-remaining: 0\r\n",
				   "anthropic-ratelimit-input-tokens-reset: 2020-01-01T00:00:00Z\r\n"), &why),
		  0, "hold: none for a reset that is over");
	CHECK_INT(holds(200, LINES("Ratelimit-Remaining:0\r\n", "RATELIMIT-RESET:  5  \r\n"), &why), 5000,
		  "hold: headers in any case, with or without blanks");
	CHECK_STR(why, "no requests left", "hold: a limit without a name is one of requests");
	CHECK_INT(holds(200, LINES("x-ratelimit-remaining-input-tokens: 0\r\n",
				   "x-ratelimit-reset-input-tokens: 250ms\r\n"), &why), 250,
		  "hold: a limit of tokens");
	CHECK_STR(why, "no input-tokens left", "hold: by its name");
	CHECK_INT(holds(429, LINES("Retry-After: 99999999999\r\n"), &why), RETRY_AFTER_MAX_MS,
		  "hold: an hour is the most");
	CHECK_INT(call.retry_after_ms, INT64_C(99999999999000), "hold: what was said is known");
	CHECK_INT(holds(200, LINES("x-ratelimit-remaining-requests: 0\r\n",
				   "x-ratelimit-reset-requests: 11h59m59s\r\n"), &why), RETRY_AFTER_MAX_MS,
		  "hold: of a day's limit too");
	fresh();
	header("HTTP/1.1 103 Early Hints\r\n");
	header("x-ratelimit-remaining-requests: 0\r\n");
	header("x-ratelimit-reset-requests: 5s\r\n");
	header("HTTP/1.1 200 OK\r\n");
	header("x-ratelimit-reset-requests: 5s\r\n");
	wire_end(&wire, HTTP_ANSWERED, 200, NULL, "");
	CHECK_INT(call.hold_ms, 0, "hold: what an interim answer says is not the answer's");
	fresh();
	header("HTTP/1.1 429 Too Many Requests\r\n");
	header("Retry-After: 5\r\n");
	wire_end(&wire, HTTP_TRUNCATED, 429, NULL, "broke");
	CHECK_INT(call.hold_ms, 0, "hold: nor does an answer that broke off say anything");
	fresh();
	wire_end(&wire, HTTP_ANSWERED, 200, NULL, "");
	CHECK_INT(call.hold_ms, 0, "hold: the next call begins anew");
}

static void event_streams(void)
{
	static const struct { const char *line; bool yes; } all[] = {
		{ "Content-Type: text/event-stream\r\n", true },
		{ "content-type:TEXT/Event-Stream ; charset=utf-8\r\n", true },
		{ "Content-Type: text/event-streams\r\n", false },
		{ "Content-Type: application/json\r\n", false },
		{ "Content-Type:\r\n", false },
		{ "X-Content-Type: text/event-stream\r\n", false },
	};
	for (size_t i = 0; i < ARRAY_LEN(all); i++) {
		fresh();
		header("HTTP/1.1 200 OK\r\n");
		header(all[i].line);
		CHECK(call.event_stream == all[i].yes, "header %zu names %s event stream", i,
		      all[i].yes ? "an" : "no");
	}
	fresh();
	header("HTTP/1.1 103 Early Hints\r\n");
	header("Content-Type: text/event-stream\r\n");
	header("HTTP/1.1 200 OK\r\n");
	CHECK(!call.event_stream, "that of an interim answer is not the answer's");
	header("Content-Type: text/event-stream\r\n");
	header("Server: x\r\n");
	wire_end(&wire, HTTP_ANSWERED, 200, NULL, "");
	CHECK_STR(str_z(&call.telling), "{\"server\":\"x\"}",
		  "the telling headers of a stream are kept: there may be an error in it");
	fresh();
	CHECK(!call.event_stream, "the next call begins anew");
}

static void oversized(void)
{
	fresh();
	CHECK_INT(body(100000), 100000, "an answer of just max_response");
	CHECK_INT(wire.verdict, HTTP_ANSWERED, "is taken");
	CHECK_INT(body(1), 0, "one byte more ends the call");
	CHECK_INT(wire.verdict, HTTP_TOO_LARGE, "as too large");
	wire_end(&wire, HTTP_RECV, 200, NULL, "write error");
	CHECK_INT(call.code, HTTP_TOO_LARGE, "whatever libcurl makes of it");
	CHECK_INT(call.answer.n, 4096, "4 KiB of it are kept");
	CHECK(call.answer.cap < 16384, "and no more memory");
	CHECK_INT(call.bytes, 100001, "all bytes that came are counted");
	CHECK_STR(call.message, "the answer is larger than 100000 bytes", "the message");
	fresh();
	body(4000);
	CHECK_INT(body(200000), 0, "a large piece behind a small one");
	CHECK_INT(call.answer.n, 4096, "4 KiB are kept of both");
	fresh();
	limits.max_response = 10;
	CHECK_INT(body(100), 0, "a limit below 4 KiB");
	CHECK_INT(call.answer.n, 100, "does not cut the head that tells");
	fresh();
	header("Content-Length: 900000\r\n");
	CHECK(call.answer.cap >= 900000, "room for an announced length is made at once");
	fresh();
	header("Content-Length: 99999999999999\r\n");
	CHECK(call.answer.cap < 4096, "unless somebody lies");
	header("Content-Length: -5\r\n");
	header("Content-Length:\r\n");
	CHECK(call.answer.cap < 4096, "or it is no number");
}

/* RFC 9112 section 6.3 */
static void lengths(void)
{
	static const char one[] = "Content-Length: 5\r\n", other[] = "Content-Length: 7\r\n";

	fresh();
	send_once();
	CHECK(taken(one), "a length");
	CHECK(taken(one), "the same once more");
	CHECK(!taken(other), "another one ends the call");
	wire_end(&wire, HTTP_RECV, 200, NULL, "Failed writing header");
	CHECK_INT(call.code, HTTP_RECV, "as recv_error");
	CHECK_STR(call.message, "the answer has two lengths", "and says why");
	fresh();
	header(one);
	header("HTTP/1.1 200 OK\r\n");
	CHECK(taken(other), "an interim answer has a length of its own");
	fresh();
	CHECK(!taken("Content-Length: 99999999999999999999999\r\n"),
	      "a length that no number holds ends the call");
	wire_end(&wire, HTTP_RECV, 200, NULL, "Failed writing header");
	CHECK_STR(call.message, "the Content-Length of the answer is too large", "and says so");
}

static void second_send(void)
{
	fresh();
	CHECK_INT(send_once(), 0, "the first send goes out");
	CHECK(wire.verdict == HTTP_ANSWERED, "and decides nothing");
	CHECK(send_once() != 0, "the second is refused");
	wire_end(&wire, HTTP_RECV, 0, NULL, "Operation was aborted by an application callback");
	CHECK_INT(call.code, HTTP_RECV, "the call ends as recv_error");
	CHECK_STR(call.message, "the kept-alive connection died before the answer", "and says why");
	CHECK(call.sent, "bytes of it may have left");
	fresh();
	send_once();
	wire_end(&wire, HTTP_TRUNCATED, 0, NULL, "not closed cleanly");
	CHECK_INT(call.code, HTTP_RECV, "an answer that has not begun is not truncated");
	fresh();
	header("HTTP/2 200 \r\n");
	wire_end(&wire, HTTP_TRUNCATED, 200, NULL, "not closed cleanly");
	CHECK_INT(call.code, HTTP_TRUNCATED, "one that has begun is");
	fresh();
	wire_end(&wire, HTTP_CONNECT, 0, NULL, "refused\nby\033[2J them");
	CHECK(!call.sent, "no connection, nothing sent");
	CHECK_STR(call.message, "refused\\x0aby\\x1b[2J them", "the library's words, made safe");
}

static bool late_at(int64_t ms, int64_t sent)
{
	return wire_late(&wire, sent, wire.start_us + ms * 1000);
}

static void time_limits(void)
{
	fresh();
	CHECK(!late_at(1500, 0), "connect: the library's word comes first");
	CHECK(late_at(1501, 0), "connect: but who waits for another's connection does so no longer");
	CHECK_INT(wire.verdict, HTTP_CONNECT, "connect: connect_error");
	wire_end(&wire, HTTP_RECV, 0, NULL, "aborted");
	CHECK_STR(call.message, "no connection within 1.0s", "connect: the message");
	CHECK(!call.sent, "connect: nothing was sent");

	fresh();
	send_once();
	CHECK(!late_at(2000, 0), "first byte: just in time");
	CHECK(late_at(2001, 0), "first byte: late");
	CHECK_INT(wire.verdict, HTTP_TIMEOUT, "first byte: request_timeout");
	wire_end(&wire, HTTP_RECV, 0, NULL, "aborted");
	CHECK_STR(call.message, "no answer within 2.0s", "first byte: the message names the limit");
	CHECK_INT(call.code, HTTP_TIMEOUT, "first byte: our word before the library's");

	fresh();
	send_once();
	header("HTTP/1.1 103 Early Hints\r\n");
	header("Link: </x>\r\n");
	CHECK(!late_at(1900, 0), "stall: not after an interim answer, the first byte is to come");
	CHECK(late_at(2001, 0) && wire.verdict == HTTP_TIMEOUT, "first byte: that limit holds");
	fresh();
	header("HTTP/1.1 103 Early Hints\r\n");
	header("HTTP/1.1 200 OK\r\n");
	CHECK(wire.first_us > 0, "first byte: the status line of the answer");
	fresh();
	header("HTTP/2 103 \r\n");
	CHECK(wire.interim && wire.first_us == 0, "first byte: nor is that of HTTP/2 the answer");
	header("HTTP/2 200 \r\n");
	CHECK(!wire.interim && wire.first_us > 0, "first byte: but this one is");
	header("HTTP/1.1 200 OK\r\n");
	CHECK(!wire.shared, "who speaks HTTP/1 has the connection alone");

	fresh();
	header("HTTP/1.1 200 OK\r\n");
	int64_t first = (wire.first_us - wire.start_us) / 1000;
	CHECK(!late_at(first + 299, 0), "stall: just in time");
	CHECK(late_at(first + 302, 0), "stall: late");
	CHECK_INT(wire.verdict, HTTP_STALLED, "stall: its own code");
	CHECK_STR(call.message, "no further byte of the answer within 300ms", "stall: the message");
	fresh();
	header("HTTP/1.1 200 OK\r\n");
	wire.last_us += 2500 * 1000;
	CHECK(!late_at(2700, 0), "stall: each byte starts it anew, the first byte has come");

	fresh();
	header("HTTP/1.1 200 OK\r\n");
	wire.last_us += 9000 * 1000;
	CHECK(!late_at(9000, 0), "total: just in time");
	CHECK(late_at(9001, 0), "total: late, however alive it is");
	CHECK_INT(wire.verdict, HTTP_TIMEOUT, "total: request_timeout");
	CHECK_STR(call.message, "no whole answer within 9.0s", "total: the message");

	fresh();
	call.body = SPAN_LIT("0123456789");
	CHECK(!late_at(1000, 0), "upload: before there is a connection nothing can stall");
	send_once();
	int64_t sent_at = (wire.last_sent_us - wire.start_us) / 1000;
	CHECK(!late_at(sent_at + 300, 3), "upload: bytes leave");
	CHECK(!late_at(sent_at + 600, 3), "upload: none for a while");
	CHECK(late_at(sent_at + 601, 3), "upload: none for too long");
	CHECK_INT(wire.verdict, HTTP_STALLED, "upload: stalled");
	CHECK_STR(call.message, "no byte of the request accepted within 300ms", "upload: the message");
	fresh();
	call.body = SPAN_LIT("0123456789");
	send_once();
	CHECK(!late_at(100, 10) && !late_at(1900, 10),
	      "upload: all has left, now the first byte counts");
	fresh();
	wire.verdict = HTTP_ABORTED;
	CHECK(late_at(0, 0), "a verdict ends the call, whatever the time");
	CHECK_INT(wire.verdict, HTTP_ABORTED, "and stays");
	wire_end(&wire, HTTP_RECV, 0, NULL, "x");
	CHECK_STR(call.message, "stopped while the request was in flight", "the message");
}

static void redirects(void)
{
	fresh();
	wire_end(&wire, HTTP_ANSWERED, 307, "http://elsewhere/\033[2J", "");
	CHECK_STR(call.message, "redirect to http://elsewhere/\\x1b[2J, which is not followed",
		  "a redirect's message names its target, made safe");
	char far[1000];
	memset(far, '\xc3', sizeof(far));
	for (size_t i = 1; i < sizeof(far); i += 2)
		far[i] = '\xa9';
	far[sizeof(far) - 1] = '\0';
	int bad = 0;
	for (size_t at = 0; at < 8; at++) {
		fresh();
		memset(far, 'a', at);
		wire_end(&wire, HTTP_ANSWERED, 302, far + (at & 1), "");
		bad += !safe_is_utf8(span_of(call.message));
		fresh();
		memset(far + 1, '\033', at);
		wire_end(&wire, HTTP_CONNECT, 0, NULL, far + (at & 1));
		bad += !safe_is_utf8(span_of(call.message)) || strchr(call.message, '\033');
	}
	CHECK_INT(bad, 0, "a long one is cut, not within a character");
}

static void check_header(struct span name, struct span value, const char *want, const char *rule)
{
	struct str out CLEANUP(str_release) = STR_INIT;
	int rc = wire_header(&out, name, value);
	CHECK_STR(rc < 0 ? "refused" : str_z(&out), want, "%s", rule);
	if (rc < 0)
		CHECK_INT(out.n, 0, "%s: nothing is appended", rule);
}

static void builder(void)
{
	check_header(SPAN_LIT("X-A"), SPAN_LIT("b c"), "X-A: b c", "a header line");
	check_header(SPAN_LIT("X-A"), SPAN_LIT("\xc3\xa9\tb"), "X-A: \xc3\xa9\tb", "UTF-8 and tab");
	check_header(SPAN_LIT("X-A"), SPAN_LIT(""), "X-A;",
		     "no value: as libcurl wants it, which drops 'X-A:'");
	check_header(SPAN_LIT("X-A"), SPAN_LIT(" \t "), "X-A;", "white space is no value");
	check_header(SPAN_LIT("X-A"), SPAN_LIT("  b  "), "X-A: b", "white space around it is none of it");
	check_header(SPAN_LIT("!#$%&'*+-.^_`|~09azAZ"), SPAN_LIT("1"), "!#$%&'*+-.^_`|~09azAZ: 1",
		     "all characters of a token");
	check_header(SPAN_LIT("X"), SPAN_LIT("a\r\nEvil: 1"), "refused", "CR LF in a value");
	check_header(SPAN_LIT("X"), SPAN_LIT("a\rb"), "refused", "CR in a value");
	check_header(SPAN_LIT("X"), SPAN_LIT("a\nb"), "refused", "LF in a value");
	check_header(SPAN_LIT("X"), SPAN_LIT("a\0b"), "refused", "NUL in a value");
	check_header(SPAN_LIT("X"), SPAN_LIT("a\x7f"), "refused", "DEL in a value");
	check_header(SPAN_LIT("X"), SPAN_LIT("\n"), "refused", "LF is not trimmed away");
	check_header(SPAN_LIT(""), SPAN_LIT("v"), "refused", "a name is not empty");
	int taken = 0;
	for (int c = 0; c < 256; c++) {
		struct str out CLEANUP(str_release) = STR_INIT;
		char name[3] = { 'X', (char)c, 'Y' };
		taken += wire_header(&out, (struct span){ name, 3 }, SPAN_LIT("v")) == 0;
	}
	CHECK_INT(taken, 26 + 26 + 10 + 15, "a name is a token (RFC 9110 section 5.6.2)");
}

static struct wire_pool pool;
static struct wire others[2];
static struct http_call their[2];

/* n bytes come for one of the others. */
static size_t comes(int i, size_t n)
{
	static char bytes[100000];

	return wire_on_body(bytes, 1, n, &others[i]);
}

static void memory(void)
{
	fresh();
	limits.max_response = 5000;
	pool = (struct wire_pool){ .most = 1000, .one = true };
	for (int i = 0; i < 2; i++) {
		others[i] = (struct wire){ .pool = &pool };
		their[i] = (struct http_call){ .limits = &limits, .method = "POST", .url = "http://h/" };
		wire_start(&others[i], &their[i], clock_mono_us());
	}
	CHECK(comes(0, 400) == 400 && comes(1, 500) == 500 && pool.held == 900, "below the limit all is read");
	CHECK(comes(1, 300) == 300 && pool.held == 1200 && pool.chosen == &others[1],
	      "who reaches it goes on alone");
	CHECK(comes(0, 10) == WIRE_PAUSE && pool.paused == 1 && their[0].bytes == 400 &&
	      their[0].answer.n == 400, "the others wait, and nothing of theirs is lost");
	CHECK(comes(1, 2000) == 2000 && pool.held == 3200, "also far beyond it, up to --max-response");
	CHECK(!wire_late(&others[0], 0, others[0].start_us + 99000000), "the time limits of who waits stand still");
	CHECK(!wire_resume(&others[0], 2000000), "who waits goes on waiting");
	CHECK(!wire_resume(&others[1], 2000000), "and who does not is not told to go on");
	pool.one = false;
	CHECK(comes(1, 10) == WIRE_PAUSE && pool.paused == 2, "or all wait");
	pool.one = true;
	CHECK(!wire_resume(&others[0], 2000000) && wire_resume(&others[1], 2000000) && pool.paused == 1,
	      "until one may go on: the same");
	wire_end(&others[1], HTTP_ANSWERED, 200, NULL, "");
	CHECK(pool.held == 400 && !pool.chosen, "an answer that is whole is no longer in flight");
	int64_t waited = others[0].paused_at_us + 5000000;
	CHECK(wire_resume(&others[0], waited) && pool.paused == 0, "then the next one goes on");
	CHECK(!wire_late(&others[0], 0, waited + 250000), "that between two bytes begins anew");
	int64_t total = others[0].start_us + 5000000 + 9000000;
	others[0].first_us = others[0].start_us;
	others[0].last_us = total;
	CHECK(!wire_late(&others[0], 0, total), "the wait does not count");
	CHECK(wire_late(&others[0], 0, total + 2000), "but all else does");
	others[0].verdict = HTTP_ANSWERED;
	CHECK(comes(0, 4600) == 4600 && pool.held == 5000, "what came while it waited comes again");
	CHECK(comes(0, 1) == 0 && others[0].verdict == HTTP_TOO_LARGE && pool.held == 4096,
	      "an answer that is too large gives its memory back, but for the head");
	wire_end(&others[0], HTTP_RECV, 0, NULL, "");
	CHECK(pool.held == 0 && !pool.chosen && pool.paused == 0, "nothing is left");
	for (int i = 0; i < 2; i++)
		wire_start(&others[i], &their[i], clock_mono_us());
	comes(0, 1500);
	comes(1, 1);
	wire_end(&others[1], HTTP_ABORTED, 0, NULL, "");
	CHECK(pool.held == 1500 && pool.paused == 0, "one that ends while it waits");
	CHECK(comes(0, 5000) == 0, "a larger one than may be is none that waits");
	wire_start(&others[1], &their[1], clock_mono_us());
	char h2[] = "HTTP/2 200 \r\n";
	wire_on_header(h2, 1, strlen(h2), &others[1]);
	pool.held = 2000;
	pool.one = false;
	CHECK(comes(1, 100) == 100 && pool.held == 2100 && pool.chosen != &others[1],
	      "who shares its connection neither waits nor lets others wait for it");
	wire_end(&others[1], HTTP_ANSWERED, 200, NULL, "");
	wire_end(&others[0], HTTP_RECV, 0, NULL, "");
	for (int i = 0; i < 2; i++) {
		str_release(&their[i].answer);
		str_release(&their[i].telling);
		wire_release(&others[i]);
	}
}

int main(void)
{
	memory();
	retry_after_values();
	retry_after_headers();
	telling();
	server_holds();
	event_streams();
	oversized();
	lengths();
	second_send();
	time_limits();
	redirects();
	builder();
	fresh();
	wire_release(&wire);
	return unit_done();
}
