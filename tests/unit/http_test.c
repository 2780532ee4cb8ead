#include "engine/http.h"

#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include "base/json.h"
#include "base/mem.h"
#include "base/rng.h"
#include "engine/httphead.h"
#include "probe.h"
#include "serve.h"
#include "unit.h"

static struct serve server; /* echo */
static int ended;

static void thousand(void)
{
	enum { CALLS = 1000, SLOTS = 64, BYTES = 20000 };
	static struct probe calls[CALLS];
	static char noise[CALLS + BYTES];
	struct http *h = probe_http(SLOTS, "", &ended);
	int started = 0, answered = 0, same = 0, twice = 0;
	int64_t before = serve_count(&server, "requests");
	rng_fill(noise, sizeof(noise));
	ended = 0;
	CHECK(http_free_slots(h) == SLOTS && http_in_flight(h) == 0, "64 slots, all free");
	while (ended < CALLS) {
		while (started < CALLS && http_free_slots(h) > 0) {
			struct span body = { noise + started, (size_t)(started * 7919 % BYTES) };
			probe_start(h, &calls[started++], "POST", server.url, "/", body);
		}
		probe_wait(h, 10000);
	}
	for (int i = 0; i < CALLS; i++) {
		struct http_call *c = &calls[i].call;
		answered += c->code == HTTP_ANSWERED && c->status == 200 && c->sent;
		same += span_eq(str_span(&c->answer), c->body) && c->bytes == (int64_t)c->body.n;
		twice += calls[i].ended != 1;
		probe_forget(&calls[i]);
	}
	CHECK_INT(answered, CALLS, "1,000 calls over 64 slots are answered");
	CHECK_INT(same, CALLS, "byte for byte, whatever the bytes");
	CHECK_INT(twice, 0, "each exactly once");
	CHECK_INT(serve_count(&server, "requests") - before, CALLS, "as the server counts them");
	CHECK_INT(http_free_slots(h), SLOTS, "and all slots are free again");
	http_free(h);
}

static struct str log_text = STR_INIT;

/* What the server wrote of the last request to that path: a member, as JSON. */
static const char *logged(const char *log, const char *path, const char *member)
{
	static struct str out = STR_INIT;
	struct str key CLEANUP(str_release) = STR_INIT;
	char buf[65536];
	size_t n;
	FILE *f = fopen(log, "re");
	str_reset(&log_text);
	while (f && (n = fread(buf, 1, sizeof(buf), f)) > 0)
		str_add(&log_text, buf, n);
	if (f)
		fclose(f);
	str_addf(&key, "\"path\":\"%s\"", path);
	str_reset(&out);
	char *line = NULL;
	for (char *at = log_text.p; at && (at = strstr(at, str_z(&key))); at++)
		line = at;
	if (!line)
		return "not there";
	while (line > log_text.p && line[-1] != '\n')
		line--;
	struct span name, value, whole = { line, strcspn(line, "\n") };
	size_t pos = 0;
	while (json_each(whole, &pos, &name, &value))
		if (span_is(name, member))
			str_addspan(&out, value);
	return str_z(&out);
}

/* Own lines are NUL-terminated each. */
static void add_own(struct probe *p, const char *line)
{
	str_add(&p->call.own, line, strlen(line) + 1);
}

static void methods(const char *log)
{
	static const struct { const char *method, *path; struct span body; const char *length; } all[] = {
		{ "GET", "/get", SPAN_NONE, NULL }, { "GET", "/get-body", SPAN_LIT("abc"), "3" },
		{ "DELETE", "/delete", SPAN_NONE, NULL },
		{ "DELETE", "/delete-body", SPAN_LIT("abc"), "3" },
		{ "POST", "/post", SPAN_NONE, "0" }, { "POST", "/post-empty", SPAN_LIT(""), "0" },
		{ "POST", "/post-body", SPAN_LIT("a\0c"), "3" },
		{ "PUT", "/put", SPAN_NONE, "0" }, { "PUT", "/put-body", SPAN_LIT("abc"), "3" },
		{ "PATCH", "/patch", SPAN_NONE, "0" }, { "PATCH", "/patch-body", SPAN_LIT("abc"), "3" },
		{ "OPTIONS", "/options", SPAN_NONE, NULL },
		{ "HEAD", "/head", SPAN_NONE, NULL }, { "HEAD", "/head-body", SPAN_LIT("abc"), NULL },
		{ "GET", "/get-again", SPAN_NONE, NULL },
	};
	struct http *h = probe_http(1, "", &ended); /* one slot: what it did before must not show */
	for (size_t i = 0; i < ARRAY_LEN(all); i++) {
		struct probe *p = probe_once(h, all[i].method, server.url, all[i].path, NULL,
					     all[i].body);
		bool head = strcmp(all[i].method, "HEAD") == 0;
		CHECK(p->call.code == HTTP_ANSWERED && p->call.status == 200, "%s is answered: %s",
		      all[i].path, p->call.message);
		CHECK(span_eq(str_span(&p->call.answer), head || !all[i].body.p ? SPAN_LIT("")
										 : all[i].body),
		      "%s: its body arrives", all[i].path);
		struct str want CLEANUP(str_release) = STR_INIT;
		str_addf(&want, "\"%s\"", all[i].method);
		CHECK_STR(logged(log, all[i].path, "method"), str_z(&want), "%s: the method",
			  all[i].path);
		const char *headers = logged(log, all[i].path, "headers");
		str_reset(&want);
		str_addf(&want, "\"Content-Length\":\"%s\"", all[i].length ? all[i].length : "");
		CHECK(!!strstr(headers, str_z(&want)) == !!all[i].length, "%s: Content-Length %s",
		      all[i].path, all[i].length ? all[i].length : "is not sent");
		CHECK(!strstr(headers, "Expect") && !strstr(headers, "Content-Type") &&
		      !strstr(headers, "Cookie") && !strstr(headers, "Accept-Encoding") &&
		      !strstr(headers, "Transfer-Encoding"),
		      "%s: libcurl adds nothing by itself", all[i].path);
	}
	http_free(h);
}

static void headers(const char *log)
{
	struct httphead *shared = httphead_new();
	struct http *h = probe_http(1, "", &ended);
	struct probe p = { .ended = 0 };
	CHECK_INT(httphead_add(shared, SPAN_LIT("X-Shared"), SPAN_LIT("one"), &probe_err), 0,
		  "a shared line");
	CHECK_INT(httphead_add(shared, SPAN_LIT("X-Empty"), SPAN_LIT(""), &probe_err), 0,
		  "one without a value");
	CHECK(httphead_add(shared, SPAN_LIT("X"), SPAN_LIT("a\r\nEvil: 1"), &probe_err) < 0 &&
	      probe_err.code == ERR_INPUT && strstr(probe_err.msg, "'X'"),
	      "CR LF is refused: %s", probe_err.msg);
	p.call.headers = shared;
	for (int i = 0; i < 100; i++) {
		char line[40];
		snprintf(line, sizeof(line), "X-Own-%d: %d", i, i);
		add_own(&p, line);
	}
	add_own(&p, "Content-Type: text/x");
	add_own(&p, "X-None;");
	probe_start(h, &p, "POST", server.url, "/headers", SPAN_LIT("b"));
	probe_finish(h);
	const char *all = logged(log, "/headers", "headers");
	CHECK(strstr(all, "\"X-Shared\":\"one\"") && strstr(all, "\"X-Empty\":\"\""),
	      "the shared lines are sent, the empty one too");
	CHECK(strstr(all, "\"X-Own-0\":\"0\"") && strstr(all, "\"X-Own-99\":\"99\"") &&
	      strstr(all, "\"X-None\":\"\""), "and the call's own, 102 of them");
	CHECK(strstr(all, "\"Content-Type\":\"text/x\"") && strstr(all, "\"User-Agent\":\"unit/1\""),
	      "its Content-Type, our User-Agent");
	probe_forget(&p);
	probe_start(h, &p, "POST", server.url, "/later", SPAN_LIT("b"));
	probe_finish(h);
	CHECK(!strstr(logged(log, "/later", "headers"), "X-"), "the slot's next call has its own");
	probe_forget(&p);
	http_free(h);
	httphead_free(shared);
	httphead_free(NULL);
}

static void upload(const char *log)
{
	enum { SIZE = 5 * 1000 * 1000 };
	char *body CLEANUP(mem_cleanup) = mem_alloc(SIZE);
	struct http *h = probe_http(1, "", &ended);
	rng_fill(body, SIZE);
	struct probe *p = probe_once(h, "POST", server.url, "/upload", NULL,
				     (struct span){ body, SIZE });
	CHECK(p->call.code == HTTP_ANSWERED && p->call.answer.n == SIZE &&
	      memcmp(p->call.answer.p, body, SIZE) == 0, "5 MB go and come byte for byte");
	CHECK(!strstr(logged(log, "/upload", "headers"), "Expect"), "without Expect");
	http_free(h);
}

static void aborting(void)
{
	static struct probe calls[10], good;
	struct http *h = probe_http(11, "", &ended);
	int aborted = 0;
	for (int i = 0; i < 10; i++)
		probe_start(h, &calls[i], "POST", server.url, "/hang", SPAN_LIT("x"));
	int64_t before = clock_mono_ms();
	while (serve_count(&server, "in_flight") < 10 && clock_mono_ms() - before < 20000)
		probe_wait(h, 10);
	http_cut(h, NULL, NULL, HTTP_ABORTED);
	CHECK_INT(http_in_flight(h), 10, "http_cut() itself ends none");
	probe_wait(h, -1);
	CHECK_INT(http_in_flight(h), 0, "the next http_wait() ends all");
	for (int i = 0; i < 10; i++) {
		aborted += calls[i].call.code == HTTP_ABORTED && calls[i].ended == 1 &&
			   calls[i].call.sent;
		probe_forget(&calls[i]);
	}
	CHECK_INT(aborted, 10, "as interrupted, each once");
	CHECK_STR(http_code_text(HTTP_ABORTED), "interrupted", "by that name");
	probe_start(h, &good, "POST", server.url, "/", SPAN_LIT("x"));
	probe_finish(h);
	CHECK_INT(good.call.code, HTTP_ANSWERED, "what starts later is not");
	probe_start(h, &calls[0], "POST", server.url, "/hang", SPAN_LIT("x"));
	probe_start(h, &calls[1], "GET", "http://name.invalid", "/", SPAN_NONE);
	probe_wait(h, 10);
	http_free(h);
	http_free(NULL);
	CHECK(calls[0].ended == 0, "http_free() drops calls in flight without a word");
	probe_forget(&good);
	probe_forget(&calls[0]);
	probe_forget(&calls[1]);
}

/* Those whose url ends so. */
static bool ends_so(void *ctx, const struct http_call *call)
{
	return strstr(call->url, ctx);
}

static void cutting(void)
{
	enum { CALLS = 300 }; /* more than one lane */
	static struct probe calls[CALLS];
	static char b[] = "/b", nobody[] = "/nobody";
	struct http *h = probe_http(CALLS, "", &ended);
	int cut = 0, others = 0;

	for (int i = 0; i < CALLS; i++)
		probe_start(h, &calls[i], "POST", server.url, i % 3 ? "/hang/a" : "/hang/b", SPAN_LIT("x"));
	int64_t before = clock_mono_ms();
	while (serve_count(&server, "in_flight") < CALLS && clock_mono_ms() - before < 20000)
		probe_wait(h, 10);
	http_cut(h, ends_so, nobody, HTTP_ABORTED);
	probe_wait(h, 20);
	CHECK_INT(http_in_flight(h), CALLS, "cut: none is meant, none ends");
	http_cut(h, ends_so, b, HTTP_SUPERSEDED);
	http_cut(h, ends_so, b, HTTP_ABORTED);
	probe_wait(h, -1);
	CHECK_INT(http_in_flight(h), CALLS - CALLS / 3, "cut: those that are meant end");
	for (int i = 0; i < CALLS; i++) {
		struct http_call *c = &calls[i].call;
		cut += i % 3 == 0 && c->code == HTTP_SUPERSEDED && calls[i].ended == 1 && c->sent;
		others += i % 3 && calls[i].ended == 0;
	}
	CHECK_INT(cut, CALLS / 3, "cut: with the code of who came first, each once");
	CHECK_INT(others, CALLS - CALLS / 3, "cut: the others go on");
	CHECK_STR(calls[0].call.message, "the request's other attempt was faster", "cut: and why");
	CHECK_STR(http_code_text(HTTP_SUPERSEDED), "superseded", "cut: by that name");
	CHECK_INT(http_free_slots(h), CALLS / 3, "cut: their slots are free");
	probe_forget(&calls[0]);
	probe_start(h, &calls[0], "POST", server.url, "/b", SPAN_LIT("x"));
	while (calls[0].ended == 0 && clock_mono_ms() - before < 40000)
		probe_wait(h, 100);
	CHECK_INT(calls[0].call.code, HTTP_ANSWERED, "cut: a call that starts later is not meant");
	http_cut(h, NULL, NULL, HTTP_ABORTED);
	probe_wait(h, -1);
	CHECK_INT(http_in_flight(h), 0, "cut: all of the rest");
	CHECK(calls[1].call.code == HTTP_ABORTED && calls[1].ended == 1, "cut: as interrupted");
	http_cut(h, NULL, NULL, HTTP_ABORTED);
	probe_wait(h, 0);
	for (int i = 0; i < CALLS; i++)
		probe_forget(&calls[i]);
	http_free(h);
}

/* Beside the slots there are as many for urgent calls. */
static void urgent(void)
{
	enum { JOBS = 100, ALL = 2 * JOBS }; /* more than one lane */
	static struct probe calls[ALL];
	struct http *h = probe_http(JOBS, "", &ended);
	int right = 0;

	http_cut(h, NULL, NULL, HTTP_ABORTED); /* most slots were never used: nothing happens */
	probe_wait(h, 0);
	for (int i = 0; i < JOBS; i++)
		probe_start(h, &calls[i], "POST", server.url, "/hang/a", SPAN_LIT("x"));
	CHECK_INT(http_free_slots(h), 0, "urgent: no slot is free");
	for (int i = JOBS; i < ALL; i++)
		probe_start(h, &calls[i], "POST", server.url, "/hang/b", SPAN_LIT("x"));
	CHECK(http_free_slots(h) == -JOBS && http_in_flight(h) == ALL, "urgent: as many again may start");
	int64_t before = clock_mono_ms();
	while (serve_count(&server, "in_flight") < ALL && clock_mono_ms() - before < 20000)
		probe_wait(h, 10);
	CHECK_INT(serve_count(&server, "in_flight"), ALL, "urgent: all are in flight together");
	static char a[] = "/a";
	http_cut(h, ends_so, a, HTTP_SUPERSEDED);
	probe_wait(h, -1);
	CHECK_INT(http_free_slots(h), 0, "urgent: when the others have ended, they have the slots");
	http_cut(h, NULL, NULL, HTTP_ABORTED);
	probe_wait(h, -1);
	CHECK(http_free_slots(h) == JOBS && http_in_flight(h) == 0, "urgent: and then all are free");
	for (int i = 0; i < ALL; i++) /* those that were used beyond the jobs have the same options */
		probe_start(h, &calls[i], "POST", server.url, "/again", SPAN_LIT("x"));
	probe_finish(h);
	for (int i = 0; i < ALL; i++) {
		right += calls[i].ended == 2 && calls[i].call.code == HTTP_ANSWERED &&
			 calls[i].call.status == 200;
		probe_forget(&calls[i]);
	}
	CHECK_INT(right, ALL, "urgent: every slot is as good as another, and used again");
	http_free(h);
}

static void lanes(void)
{
	enum { SLOTS = 300 };
	static struct probe calls[SLOTS];
	static const char *const args[] = { "--latency", "300", NULL };
	struct serve slow = serve_start(args);
	struct http *h = probe_http(SLOTS, "", &ended);
	int right = 0;
	for (int i = 0; i < SLOTS; i++)
		probe_start(h, &calls[i], "POST", slow.url, "/", SPAN_LIT("x"));
	CHECK_INT(http_free_slots(h), 0, "300 slots, all taken");
	probe_finish(h);
	for (int i = 0; i < SLOTS; i++) {
		right += calls[i].call.code == HTTP_ANSWERED && calls[i].ended == 1 &&
			 calls[i].call.bytes == 1024;
		probe_forget(&calls[i]);
	}
	CHECK_INT(right, SLOTS, "more than one lane: all are answered");
	CHECK_INT(serve_count(&slow, "max_in_flight"), SLOTS, "and were in flight together");
	http_free(h);
	serve_stop(&slow);
}

static void dead_names(void)
{
	enum { CALLS = 200, DEAD = 5 };
	static struct probe calls[CALLS], dead[DEAD];
	struct http *h = probe_http(64, "", &ended);
	int64_t longest = 0, begin = clock_mono_ms();
	int good = 0, bad = 0;
	for (int i = 0; i < DEAD; i++) {
		char url[40];
		snprintf(url, sizeof(url), "http://name%d.invalid", i);
		probe_start(h, &dead[i], "GET", url, "/", SPAN_NONE);
	}
	for (int i = 0; good < CALLS && clock_mono_ms() - begin < 30000;) {
		while (i < CALLS && http_free_slots(h) > 0)
			probe_start(h, &calls[i++], "POST", server.url, "/", SPAN_LIT("x"));
		int64_t before = clock_mono_ms();
		probe_wait(h, 1000);
		int64_t took = clock_mono_ms() - before;
		longest = took > longest ? took : longest;
		good = 0;
		for (int k = 0; k < i; k++)
			good += calls[k].ended == 1 && calls[k].call.code == HTTP_ANSWERED;
	}
	CHECK_INT(good, CALLS, "200 calls beside dead names are answered");
	CHECK(longest < 1000, "none waits for a name: %lld ms", (long long)longest);
	probe_finish(h);
	for (int i = 0; i < DEAD; i++) {
		bad += dead[i].call.code == HTTP_DNS && dead[i].ended == 1 && !dead[i].call.sent;
		probe_forget(&dead[i]);
	}
	CHECK_INT(bad, DEAD, "and the names end as dns_error");
	for (int i = 0; i < CALLS; i++)
		probe_forget(&calls[i]);
	http_free(h);
}

static void watching(void)
{
	struct http *h = probe_http(1, "", &ended);
	int ends[2];
	if (pipe2(ends, O_CLOEXEC) < 0 || write(ends[1], "x", 1) != 1)
		abort();
	http_watch(h, ends[0]);
	int64_t before = clock_mono_ms();
	probe_wait(h, 20000);
	CHECK(clock_mono_ms() - before < 10000, "a watched descriptor ends the wait");
	http_unwatch(h, ends[0]);
	before = clock_mono_ms();
	probe_wait(h, 30);
	CHECK(clock_mono_ms() - before >= 30, "one that is not watched any more does not");
	close(ends[0]);
	close(ends[1]);
	http_free(h);
}

static void no_slot(void)
{
	struct http *h = probe_http(1, "", &ended);
	static struct probe p[3];
	for (size_t i = 0; i < ARRAY_LEN(p); i++) /* one may be urgent */
		probe_start(h, &p[i], "GET", "http://127.0.0.1:1", "/", SPAN_NONE);
}

static void options(const char *log)
{
	struct http *h = probe_http(1, server.url, &ended);
	struct probe *p = probe_once(h, "GET", "http://name.invalid", "/through", NULL, SPAN_NONE);
	CHECK_INT(p->call.code, HTTP_ANSWERED, "--proxy: it is asked for other hosts");
	CHECK_STR(logged(log, "http://name.invalid/through", "method"), "\"GET\"",
		  "--proxy: with the whole URL");
	http_free(h);
	setenv("http_proxy", "http://127.0.0.1:1", 1);
	h = probe_http(1, "", &ended);
	p = probe_once(h, "GET", server.url, "/", NULL, SPAN_NONE);
	CHECK_INT(p->call.code, HTTP_ANSWERED, "an empty one: the variables are not heeded");
	http_free(h);
	h = probe_http(1, NULL, &ended);
	p = probe_once(h, "GET", server.url, "/", NULL, SPAN_NONE);
	CHECK_INT(p->call.code, HTTP_CONNECT, "none: they are");
	http_free(h);
	unsetenv("http_proxy");
	struct http_options o = { .jobs = 1, .user_agent = "unit/1", .proxy = "",
				  .cacert = "/nowhere/certificates" };
	h = http_new(&o, probe_done, &ended, &probe_err);
	char url[40];
	snprintf(url, sizeof(url), "https://127.0.0.1:%d", server.port);
	p = probe_once(h, "GET", url, "/", NULL, SPAN_NONE);
	CHECK_INT(p->call.code, HTTP_CERTIFICATE, "--cacert that is not there: %s", p->call.message);
	http_free(h);
	struct rlimit was, few;
	getrlimit(RLIMIT_NOFILE, &was);
	few = was;
	few.rlim_cur = 200;
	setrlimit(RLIMIT_NOFILE, &few);
	o = (struct http_options){ .jobs = 200, .user_agent = "unit/1", .proxy = "" };
	CHECK(!http_new(&o, probe_done, &ended, &probe_err) && probe_err.code == ERR_CONFIG &&
	      strstr(probe_err.msg, "200 requests at a time need 272 open files, and the system allows 200"),
	      "more connections than files may be open: %s", probe_err.msg);
	o.jobs = 100;
	h = http_new(&o, probe_done, &ended, &probe_err);
	CHECK(h != NULL, "fewer are fine");
	http_free(h);
	setrlimit(RLIMIT_NOFILE, &was);
	CHECK(strncmp(http_library(), "libcurl ", 8) == 0, "%s", http_library());
	CHECK_INT(unit_child(no_slot, NULL, 0), SIGABRT, "more calls than slots are a BUG");
}

/* Until all have ended; the most that their answers held meanwhile. */
static int64_t finish_all(struct http *h)
{
	int64_t most = 0, end = clock_mono_ms() + 60000;

	while (http_in_flight(h) > 0 && clock_mono_ms() < end) {
		probe_wait(h, 1000);
		most = http_held(h) > most ? http_held(h) : most;
	}
	return most;
}

static int whole(struct probe *calls, int n, size_t bytes)
{
	int ok = 0;

	for (int i = 0; i < n; i++)
		ok += calls[i].ended == 1 && calls[i].call.code == HTTP_ANSWERED &&
		      calls[i].call.answer.n == bytes;
	return ok;
}

/* Answers of 6 MB, of which 100 KB have room. */
static void little_room(void)
{
	enum { CALLS = 12, BYTES = 6000000, ROOM = 100000 };
	static const char *const args[] = { "--body-size", "6000000", "--rule", "path=/stall => stall", NULL };
	static struct probe calls[CALLS];
	struct serve large = serve_start(args);
	struct http *h = probe_http(CALLS, "", &ended);

	for (int i = 0; i < CALLS; i++)
		probe_start(h, &calls[i], "GET", large.url, "/", SPAN_NONE);
	int64_t most = finish_all(h);
	CHECK_INT(whole(calls, CALLS, BYTES), CALLS, "without a limit all come whole");
	CHECK(most > 2 * BYTES, "together: %lld bytes at once", (long long)most);
	for (int round = 0; round < 3; round++) {
		http_room(h, ROOM, true);
		for (int i = 0; i < CALLS; i++) {
			probe_forget(&calls[i]);
			probe_start(h, &calls[i], "GET", large.url, "/", SPAN_NONE);
		}
		most = finish_all(h);
		CHECK_INT(whole(calls, CALLS, BYTES), CALLS, "with little room they still come whole");
		CHECK(most >= ROOM && most < BYTES + 2 * ROOM, "but one by one: %lld bytes at once",
		      (long long)most);
		CHECK_INT(http_held(h), 0, "nothing is held when they have ended");

		/* Cut while they wait; the slots are used again. */
		http_room(h, ROOM, true);
		for (int i = 0; i < CALLS; i++) {
			probe_forget(&calls[i]);
			probe_start(h, &calls[i], "GET", large.url, "/stall", SPAN_NONE);
		}
		while (http_held(h) < ROOM)
			probe_wait(h, 1000);
		http_cut(h, NULL, NULL, HTTP_ABORTED);
		finish_all(h);
		CHECK(calls[0].call.code == HTTP_ABORTED && calls[CALLS - 1].call.code == HTTP_ABORTED &&
		      http_held(h) == 0, "those that wait can be cut");
	}
	/* None goes on until there is room. */
	http_room(h, ROOM, false);
	for (int i = 0; i < CALLS; i++) {
		probe_forget(&calls[i]);
		probe_start(h, &calls[i], "GET", large.url, "/", SPAN_NONE);
	}
	int64_t end = clock_mono_ms() + 300;
	while (clock_mono_ms() < end)
		probe_wait(h, 100);
	CHECK(http_in_flight(h) == CALLS && http_held(h) >= ROOM && http_held(h) < 3 * ROOM,
	      "without that they all wait: %lld bytes are held", (long long)http_held(h));
	http_room(h, INT64_MAX, false);
	finish_all(h);
	CHECK_INT(whole(calls, CALLS, BYTES), CALLS, "until there is room");
	http_room(h, ROOM, true);
	/* One stalls, the others wait for it: their time limits do not pass. */
	static const struct http_limits patient = { 20000, 20000, 900, 30000, 16 << 20 };
	static const struct http_limits hasty = { 20000, 20000, 300, 30000, 16 << 20 };
	for (int i = 0; i < CALLS; i++)
		probe_forget(&calls[i]);
	calls[0].call.limits = &patient;
	probe_start(h, &calls[0], "GET", large.url, "/stall", SPAN_NONE);
	while (http_held(h) < BYTES / 2)
		probe_wait(h, 1000);
	for (int i = 1; i < CALLS; i++) {
		calls[i].call.limits = &hasty;
		probe_start(h, &calls[i], "GET", large.url, "/", SPAN_NONE);
	}
	finish_all(h);
	CHECK_INT(calls[0].call.code, HTTP_STALLED, "the one that goes on stalls");
	CHECK_INT(whole(calls + 1, CALLS - 1, BYTES), CALLS - 1,
		  "those that had to wait for it longer than their limit do not");
	for (int i = 0; i < CALLS; i++)
		probe_forget(&calls[i]);
	http_free(h);
	serve_stop(&large);
}

int main(void)
{
	static char log[4096];
	snprintf(log, sizeof(log), "%s/log", unit_dir());
	const char *const args[] = { "--mode", "echo", "--log", log, "--log-headers",
				     "--rule", "path=/hang => hang", "--rule", "path=/hang/a => hang",
				     "--rule", "path=/hang/b => hang", NULL };
	/* A machine without a name server is not waited for. */
	setenv("RES_OPTIONS", "attempts:1 timeout:1", 1);
	server = serve_start(args);
	thousand();
	methods(log);
	headers(log);
	upload(log);
	aborting();
	cutting();
	urgent();
	lanes();
	dead_names();
	watching();
	little_room();
	options(log);
	serve_stop(&server);
	str_release(&log_text);
	return unit_done();
}
