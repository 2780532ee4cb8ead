#include "engine/job.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/mem.h"
#include "unit.h"

static char url[] = "http://127.0.0.1:8000/v1", key_ref[] = "env:FSL_UNIT_KEY";
static struct batch batch;
static struct rng rng;

static struct target *make_target(void)
{
	struct target *t = target_new(&batch, NULL, NULL);
	if (t->problem.code != ERR_NONE)
		abort();
	return t;
}

static void cleanup_target(struct target **t)
{
	target_free(*t);
}

static void cleanup_job(struct job **j)
{
	job_free(*j);
}

/* A job with this line; prepared unless `rc` says otherwise. */
static struct job *make_job(const struct target *t, const char *raw, int *rc)
{
	struct job *j = job_new();
	j->target = t;
	j->req = (struct request_started){ .row = request_row(2, 0xabc), .queue = 5, .n = 1 };
	str_addz(&j->raw, raw);
	*rc = job_prepare(j);
	return j;
}

#define JOB(name, target, raw) \
	int name##_rc; \
	struct job *name CLEANUP(cleanup_job) = make_job(target, raw, &name##_rc)

/* The job's own header lines, one per line, in their order. */
static const char *own_lines(const struct job *j)
{
	static struct str out = STR_INIT;
	str_reset(&out);
	for (size_t at = 0; at < j->call.own.n; at += strlen(j->call.own.p + at) + 1)
		str_addf(&out, "%s\n", j->call.own.p + at);
	return str_z(&out);
}

#define LINE(more) "{\"custom_id\":\"a\",\"url\":\"/v1/x\"" more "}"
#define ID "Idempotency-Key: batch_req_01020304050607080910111213141516" "00000abc"

static void bodies_and_types(void)
{
	struct target *t CLEANUP(cleanup_target) = make_target();
	static const struct { const char *line, *method, *body, *own, *rule; } all[] = {
		{ LINE(",\"body\":{\"a\": 1e2}"), "POST", "{\"a\": 1e2}",
		  "Content-Type: application/json\n" ID "\n", "JSON goes as it stands, as JSON" },
		{ LINE(",\"body\":[1, 2]"), "POST", "[1, 2]",
		  "Content-Type: application/json\n" ID "\n", "an array" },
		{ LINE(",\"body\":7"), "POST", "7", "Content-Type: application/json\n" ID "\n",
		  "a number" },
		{ LINE(",\"body\":\"a\\n\\u00e9\""), "POST", "a\n\xc3\xa9",
		  "Content-Type: text/plain; charset=utf-8\n" ID "\n",
		  "a string goes as its characters, as text" },
		{ LINE(",\"body\":\"\""), "POST", "",
		  "Content-Type: text/plain; charset=utf-8\n" ID "\n", "an empty string" },
		{ LINE(",\"body\":null"), "POST", NULL, ID "\n", "null is no body and has no type" },
		{ LINE(""), "POST", NULL, ID "\n", "no body" },
		{ LINE(",\"method\":\"get\""), "GET", NULL, ID "\n", "GET without a body" },
		{ LINE(",\"method\":\"GET\",\"body\":{}"), "GET", "{}",
		  "Content-Type: application/json\n" ID "\n", "GET with one" },
		{ LINE(",\"method\":\"delete\""), "DELETE", NULL, ID "\n", "DELETE without a body" },
		{ LINE(",\"method\":\"DELETE\",\"body\":\"x\""), "DELETE", "x",
		  "Content-Type: text/plain; charset=utf-8\n" ID "\n", "DELETE with one" },
		{ LINE(",\"method\":\"HEAD\""), "HEAD", NULL, ID "\n", "HEAD" },
		{ LINE(",\"method\":\"HEAD\",\"body\":{}"), "HEAD", NULL, ID "\n",
		  "HEAD has no body (RFC 9110 section 9.3.2)" },
		{ LINE(",\"headers\":{\"content-type\":\"text/csv\"},\"body\":\"a,b\""), "POST", "a,b",
		  "content-type: text/csv\n" ID "\n", "the line's Content-Type" },
	};
	for (size_t i = 0; i < ARRAY_LEN(all); i++) {
		JOB(j, t, all[i].line);
		CHECK_INT(j_rc, 0, "%s", all[i].rule);
		CHECK_STR(j->call.method, all[i].method, "%s: the method", all[i].rule);
		struct span b = j->call.body;
		CHECK(all[i].body ? b.p && span_is(b, all[i].body) : !b.p, "%s: the body",
		      all[i].rule);
		CHECK_STR(own_lines(j), all[i].own, "%s: the headers", all[i].rule);
		CHECK(j->call.user == j && j->call.limits == &t->limits, "%s: the rest", all[i].rule);
	}
	JOB(bad, t, "{\"custom_id\":\"a\"");
	CHECK_INT(bad_rc, -1, "a stored line that is broken cannot be sent");
	CHECK(bad->call.code == HTTP_UNUSABLE && bad->message.n > 0, "and says why");
	job_judge(bad, &rng, 1000);
	CHECK_INT(bad->decision.verdict, VERDICT_FAILED, "it is final");
	struct request_end end = job_end(bad, 3);
	CHECK_STR(end.code, "send_error", "as a send_error");
	CHECK(end.status == 0 && !end.body.p && end.bytes == 0 && end.kind == ANSWER_NONE,
	      "without an answer");
	JOB(empty, t, "");
	CHECK(empty_rc < 0 && empty->call.code == HTTP_UNUSABLE, "so is one that is gone");
}

static void urls(void)
{
	struct target *t CLEANUP(cleanup_target) = make_target();
	static const struct { const char *line, *url; } all[] = {
		{ "/v1/chat/completions", "http://127.0.0.1:8000/v1/chat/completions" },
		{ "/other?a=b", "http://127.0.0.1:8000/v1/other?a=b" },
		{ "https://elsewhere.example/x", "https://elsewhere.example/x" },
	};
	for (size_t i = 0; i < ARRAY_LEN(all); i++) {
		struct str raw CLEANUP(str_release) = STR_INIT;
		str_addf(&raw, "{\"custom_id\":\"a\",\"url\":\"%s\"}", all[i].line);
		JOB(j, t, str_z(&raw));
		CHECK_STR(j->call.url, all[i].url, "%s is joined (domain/url.h)", all[i].line);
	}
}

static void header_order(void)
{
	char list[] = "[\"X-A: batch\",\"Content-Type: application/batch\"]";
	batch.headers = list;
	batch.key_ref = key_ref;
	setenv("FSL_UNIT_KEY", "sk-canary", 1);
	struct target *t CLEANUP(cleanup_target) = make_target();
	batch.headers = NULL;

	JOB(plain, t, LINE(",\"body\":{}"));
	CHECK(plain->call.headers == t->with_key, "a line without headers shares the batch's lines");
	CHECK_STR(own_lines(plain), ID "\n", "the batch's Content-Type wins over the default");
	JOB(line, t, LINE(",\"headers\":{\"x-a\":\"line\",\"CONTENT-TYPE\":\"text/x\"},\"body\":{}"));
	CHECK(!line->call.headers, "with headers of its own it has its own list");
	CHECK_STR(own_lines(line), "Authorization: Bearer sk-canary\nx-a: line\nCONTENT-TYPE: text/x\n"
		  ID "\n", "in which the line's headers win over the batch's");
	JOB(other, t, LINE(",\"headers\":{\"X-B\":\"\"},\"body\":{}"));
	CHECK_STR(own_lines(other), "X-A: batch\nContent-Type: application/batch\n"
		  "Authorization: Bearer sk-canary\nX-B;\n" ID "\n",
		  "what it does not name stays; an empty value is written for libcurl");
	JOB(auth, t, LINE(",\"headers\":{\"authorization\":\"mine\"}"));
	CHECK(!strstr(own_lines(auth), "canary"), "a line's own Authorization wins over the key");
	JOB(mine, t, LINE(",\"headers\":{\"idempotency-key\":\"k\"}"));
	CHECK(!strstr(own_lines(mine), "batch_req_") &&
	      strstr(own_lines(mine), "idempotency-key: k\n"), "and its own Idempotency-Key");
}

static void key_stays_home(void)
{
	setenv("FSL_UNIT_KEY", "sk-canary", 1);
	batch.key_ref = key_ref;
	struct target *t CLEANUP(cleanup_target) = make_target();
	static const struct { const char *url; bool key; } all[] = {
		{ "/v1/x", true }, { "http://127.0.0.1:8000/y", true },
		{ "HTTP://127.0.0.1:8000/y", true },
		{ "http://127.0.0.1:8001/y", false }, { "http://127.0.0.1/y", false },
		{ "https://127.0.0.1:8000/y", false }, { "http://localhost:8000/y", false },
		{ "http://127.0.0.1.evil.example:8000/y", false },
	};
	for (size_t i = 0; i < ARRAY_LEN(all); i++) {
		struct str raw CLEANUP(str_release) = STR_INIT;
		const char *what = all[i].key ? "gets the key" : "is another origin and gets no key";
		str_addf(&raw, "{\"custom_id\":\"a\",\"url\":\"%s\"}", all[i].url);
		JOB(j, t, str_z(&raw));
		CHECK(j_rc == 0 && j->call.headers == (all[i].key ? t->with_key : t->without_key),
		      "%s %s", all[i].url, what);
		str_reset(&raw);
		str_addf(&raw, "{\"custom_id\":\"a\",\"url\":\"%s\",\"headers\":{\"X\":\"1\"}}",
			 all[i].url);
		JOB(k, t, str_z(&raw));
		CHECK(k_rc == 0 && !!strstr(own_lines(k), "canary") == all[i].key,
		      "%s %s, with headers of its own too", all[i].url, what);
	}
}

static void idempotency(void)
{
	struct target *t CLEANUP(cleanup_target) = make_target();
	struct job *j CLEANUP(cleanup_job) = job_new();
	j->target = t;
	j->req.row = request_row(2, UINT32_MAX);
	j->req.round = 12;
	str_addz(&j->raw, LINE(""));
	CHECK(job_prepare(j) == 0 && strstr(own_lines(j), "ffffffff-r12\n"),
	      "after `retry` the key is <request id>-rN");
	batch.send.no_idempotency_key = 1;
	struct target *off CLEANUP(cleanup_target) = make_target();
	batch.send.no_idempotency_key = SEND_UNSET;
	JOB(k, off, LINE(""));
	CHECK_STR(own_lines(k), "", "--no-idempotency-key sends none");
}

static void traces_and_labels(void)
{
	char list[] = "[\"TraceParent: mine\",\"x-fusillade-batch-TEAM: mine\"]";
	char meta[] = "{\"team\":\"search\",\"night_shift\":\"1\"}";
	struct trace trace;
	trace_init(&trace, "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00");
	batch.metadata = meta;
	struct target *t CLEANUP(cleanup_target) = target_new(&batch, NULL, &trace);
	JOB(one, t, LINE(""));
	const char *own = own_lines(one);
	CHECK(strncmp(own, "traceparent: 00-0af7651916cd43dd8448eb211c80319c-", 49) == 0 &&
	      strncmp(own + 65, "-00\n" ID "\n", 4 + strlen(ID) + 1) == 0 &&
	      own[70 + strlen(ID)] == '\0', "traceparent: the trace of the run, a span of the attempt");
	CHECK(one->call.headers == t->with_key, "the shared lines are used");
	char first[16], second[16];
	memcpy(first, own + 49, 16);
	struct job *again CLEANUP(cleanup_job) = job_new();
	again->target = t;
	again->req = one->req;
	again->req.n = 2;
	str_addz(&again->raw, LINE(""));
	CHECK_INT(job_prepare(again), 0, "the next attempt");
	memcpy(second, own_lines(again) + 49, 16);
	CHECK(memcmp(first, second, 16) != 0, "is another span");
	JOB(line, t, LINE(",\"headers\":{\"TRACEPARENT\":\"x\"}"));
	CHECK_STR(own_lines(line), "TRACEPARENT: x\n" ID "\n", "a line's own wins");
	batch.headers = list;
	struct target *given CLEANUP(cleanup_target) = target_new(&batch, NULL, &trace);
	batch.headers = NULL;
	JOB(batchs, given, LINE(""));
	CHECK_STR(own_lines(batchs), ID "\n", "so does the batch's");

	trace.labels = true;
	struct target *l CLEANUP(cleanup_target) = target_new(&batch, NULL, &trace);
	batch.send.no_idempotency_key = 1;
	batch.headers = list;
	struct target *both CLEANUP(cleanup_target) = target_new(&batch, NULL, &trace);
	JOB(labels, l, LINE(""));
	CHECK(strstr(own_lines(labels), "\nX-Fusillade-Request-Id: batch_req_01020304050607080910111213"
		     "14151600000abc\nX-Fusillade-Custom-Id: a\n" ID "\n") != NULL,
	      "--fusillade-headers: request and custom id");
	CHECK(labels->call.headers == l->with_key, "the batch's are in the shared lines");
	JOB(other, l, LINE(",\"headers\":{\"X-Fusillade-Custom-Id\":\"z\",\"x-fusillade-batch-team\":\"y\"}"));
	own = own_lines(other);
	CHECK(!other->call.headers && strstr(own, "X-Fusillade-Batch-Id: batch_0102030405060708091011121"
	      "3141516\n") && strstr(own, "x-fusillade-batch-night-shift: 1\n") &&
	      !strstr(own, "search") && strstr(own, "x-fusillade-batch-team: y\n") &&
	      !strstr(own, "Custom-Id: a") && strstr(own, "X-Fusillade-Custom-Id: z\n"),
	      "a line with headers has them all, its own win");
	JOB(rest, both, LINE(",\"headers\":{\"X\":\"1\"}"));
	own = own_lines(rest);
	CHECK(strstr(own, "x-fusillade-batch-TEAM: mine\n") && !strstr(own, "search") &&
	      strstr(own, "TraceParent: mine\n") && !strstr(own, "traceparent: 00") &&
	      strstr(own, "X-Fusillade-Request-Id: batch_req_") && !strstr(own, "Idempotency"),
	      "the batch's own headers win, too; they need no Idempotency-Key");
	batch.metadata = NULL;
}

/* A job whose call has ended like that. */
static void end_call(struct job *j, enum http_code code, int status, const char *answer)
{
	j->call.code = code;
	j->call.status = status;
	j->call.retry_after_ms = -1;
	j->call.took_ms = 12;
	str_addz(&j->call.answer, answer);
	j->call.bytes = (int64_t)strlen(answer);
	job_judge(j, &rng, 5000);
}

static void judging(void)
{
	batch.send.retry_delay_ms = 0;
	struct target *t CLEANUP(cleanup_target) = make_target();
	batch.send.retry_delay_ms = SEND_UNSET;
	JOB(ok, t, LINE(""));
	end_call(ok, HTTP_ANSWERED, 200, "{\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":4}}");
	struct request_end end = job_end(ok, 9);
	CHECK(end.verdict == VERDICT_COMPLETED && !end.code && !end.message && end.status == 200,
	      "a success has neither code nor message");
	CHECK(end.input_tokens == 3 && end.output_tokens == 4 && end.kind == ANSWER_JSON,
	      "its usage is read");
	CHECK(end.worker == 9 && end.row == ok->req.row && end.queue == 5 && end.n == 1 &&
	      end.took_ms == 12 && end.bytes == (int64_t)end.body.n && end.body.n == ok->call.answer.n && !end.request_id.p,
	      "and it is told what it was");
	JOB(nothing, t, LINE(""));
	end_call(nothing, HTTP_ANSWERED, 204, "");
	end = job_end(nothing, 9);
	CHECK(end.verdict == VERDICT_COMPLETED && end.kind == ANSWER_NONE && !end.body.p,
	      "no byte is no body");
	JOB(later, t, LINE(""));
	later->call.request_id[0] = 'r';
	later->req.counted = 2;
	end_call(later, HTTP_ANSWERED, 500, "{\"error\":{\"message\":\"busy\"}}");
	end = job_end(later, 9);
	CHECK(end.verdict == VERDICT_RETRY && end.next_ms == 5000 && end.counts && !end.throttled,
	      "a retryable one is due again");
	CHECK_STR(end.message, "busy", "with the server's message");
	CHECK(span_is(end.request_id, "r"), "and its request id");
	JOB(last, t, LINE(""));
	last->req.counted = 5;
	end_call(last, HTTP_ANSWERED, 500, "{\"error\":{\"message\":\"busy\"}}");
	CHECK_STR(job_end(last, 9).message, "busy, after 6 attempts", "the last says how many it had");
	JOB(hurried, t, LINE(""));
	hurried->req.expires_ms = 5000 + 1;
	hurried->req.counted = 2;
	t->send.stop_before_ms = 10;
	end_call(hurried, HTTP_ANSWERED, 500, "{\"error\":{\"message\":\"busy\"}}");
	t->send.stop_before_ms = 0;
	end = job_end(hurried, 9);
	CHECK_INT(end.verdict, VERDICT_FAILED, "one that could not be tried before the deadline fails");
	CHECK_STR(end.message, "busy, no time for another attempt before the deadline",
		  "and says why");
	JOB(silent, t, LINE(""));
	silent->req.throttled = 99;
	end_call(silent, HTTP_ANSWERED, 429, "");
	CHECK_STR(job_end(silent, 9).message, "after 100 attempts", "of throttled ones those");
	JOB(purse, t, LINE(""));
	end_call(purse, HTTP_ANSWERED, 429, "{\"error\":{\"code\":\"insufficient_quota\"}}");
	CHECK_INT(job_end(purse, 9).verdict, VERDICT_FAILED, "insufficient_quota is final");
	JOB(broken, t, LINE(""));
	strcpy(broken->call.message, "Connection reset by peer");
	end_call(broken, HTTP_RECV, 200, "{\"half\":");
	end = job_end(broken, 9);
	CHECK_STR(end.message, "Connection reset by peer", "without an answer: what the library said");
	CHECK_STR(end.code, "recv_error", "and the code");
	batch.send.at_most_once = 1;
	struct target *once CLEANUP(cleanup_target) = make_target();
	batch.send.at_most_once = SEND_UNSET;
	JOB(lost, once, LINE(""));
	lost->call.sent = true;
	strcpy(lost->call.message, "the kept-alive connection died before the answer");
	end_call(lost, HTTP_RECV, 0, "");
	end = job_end(lost, 9);
	CHECK(end.verdict == VERDICT_FAILED && end.counts, "--at-most-once: what may have arrived has "
	      "failed");
	CHECK_STR(end.code, "interrupted", "as interrupted");
	CHECK_STR(end.message, "the kept-alive connection died before the answer; not sent again "
		  "(--at-most-once)", "and the message says how and why");
	JOB(unsent, once, LINE(""));
	end_call(unsent, HTTP_CONNECT, 0, "");
	CHECK_INT(job_end(unsent, 9).verdict, VERDICT_RETRY, "what did not leave is tried again");
	JOB(stopped, t, LINE(""));
	end_call(stopped, HTTP_ABORTED, 0, "");
	end = job_end(stopped, 9);
	CHECK(end.verdict == VERDICT_RETRY && end.next_ms == 0 && !end.counts,
	      "what we stopped is due at once and does not count");
	CHECK_STR(end.code, "interrupted", "and is recorded as interrupted");
}

/* Appends white space, or none. */
static void random_space(struct str *out)
{
	static const char *const spaces[] = { "", "", "", " ", "\t", "  ", "\r" };

	str_addz(out, spaces[rng_below(&rng, ARRAY_LEN(spaces))]);
}

/* Appends a JSON value of any kind; what looks like the member may be in it. */
static void random_value(struct str *out, int depth)
{
	static const char *const plain[] = {
		"null", "true", "-0", "1e2", "1E+400", "12345678901234567890123", "0.10", "\"\"",
		"\"model\"", "\"\\\"model\\\":\\\"A\\\"\"", "\"\\u0000\\ud83d\\ude00\"", "\"\xc3\xa9\xe2\x80\xae\"",
		"\"\\/\"", "\"}\"", "\"A\"", "{}", "[]",
	};
	uint64_t kind = depth > 0 ? rng_below(&rng, 4) : 0;
	int n = 1 + (int)rng_below(&rng, 3);

	if (kind < 2) {
		str_addz(out, plain[rng_below(&rng, ARRAY_LEN(plain))]);
		return;
	}
	str_addc(out, kind == 2 ? '{' : '[');
	for (int i = 0; i < n; i++) {
		random_space(out);
		if (i > 0)
			str_addc(out, ',');
		if (kind == 2)
			str_addf(out, "\"%s\":", rng_below(&rng, 2) ? "model" : "messages");
		random_space(out);
		random_value(out, depth - 1);
	}
	str_addc(out, kind == 2 ? '}' : ']');
}

/* Appends members, of which none is the body's model, each with its comma. */
static void random_members(struct str *out, bool comma_first)
{
	static const char *const names[] = { "messages", "Model", "model ", "", "mode", "models",
					     "\\\"model", "n" };
	int n = (int)rng_below(&rng, 4);

	for (int i = 0; i < n; i++) {
		str_addz(out, comma_first ? "," : "");
		random_space(out);
		str_addf(out, "\"%s%d\"", names[rng_below(&rng, ARRAY_LEN(names))], (int)rng_below(&rng, 9));
		random_space(out);
		str_addc(out, ':');
		random_space(out);
		random_value(out, 3);
		random_space(out);
		str_addz(out, comma_first ? "" : ",");
	}
}

/* I7: of an escalated request only the value of body.model differs. */
static void other_bodies(void)
{
	static const char *const names[] = { "model", "mod\\u0065l", "\\u006dodel" };
	static const char *const values[] = { "\"A\"", "\"\\u0041\"", "\"a\\\"b\"", "\"gpt-4o\"" };
	struct target *t CLEANUP(cleanup_target) = make_target();
	int same = 0, sent = 0;

	for (int i = 0; i < 1000; i++) {
		struct str before CLEANUP(str_release) = STR_INIT, after CLEANUP(str_release) = STR_INIT;
		struct str raw CLEANUP(str_release) = STR_INIT, want CLEANUP(str_release) = STR_INIT;
		const char *value = values[rng_below(&rng, ARRAY_LEN(values))];
		struct job *j CLEANUP(cleanup_job) = job_new();
		str_addc(&before, '{');
		random_members(&before, false);
		if (rng_below(&rng, 8) == 0) /* of two the last is the one that is known, and meant */
			str_addz(&before, "\"model\":\"first\",");
		str_addf(&before, "\"%s\"", names[rng_below(&rng, ARRAY_LEN(names))]);
		random_space(&before);
		str_addc(&before, ':');
		random_space(&before);
		random_space(&after);
		random_members(&after, true);
		str_addc(&after, '}');
		str_addf(&want, "%s\"o\\\"ther\"%s", str_z(&before), str_z(&after));
		str_addf(&j->raw, "{\"body\": %s%s%s ,\"custom_id\":\"a\",\"url\":\"/v1/x\"}", str_z(&before),
			 value, str_z(&after));
		j->target = t;
		j->model = i % 2 ? "o\"ther" : NULL;
		str_addf(&raw, "%s%s%s", str_z(&before), value, str_z(&after));
		if (job_prepare(j) < 0)
			printf("# %s: %s\n", str_z(&j->raw), str_z(&j->message));
		sent += !j->model && span_eq(j->call.body, str_span(&raw));
		same += j->model && span_eq(j->call.body, str_span(&want));
		if (j->model && !span_eq(j->call.body, str_span(&want)))
			printf("# %.*s\n", (int)j->call.body.n, j->call.body.p);
	}
	CHECK_INT(sent, 500, "500 bodies are sent byte for byte");
	CHECK_INT(same, 500, "500 to another model, in which only the value of body.model differs");
}

/* A job for another model. */
static struct job *other_job(const struct target *t, const char *raw, bool race, int *rc)
{
	struct job *j = job_new();

	j->target = t;
	j->req = (struct request_started){ .row = request_row(2, 0xabc), .n = 2 };
	j->model = "B";
	j->race = race;
	str_addz(&j->raw, raw);
	*rc = job_prepare(j);
	return j;
}

static void other_models(void)
{
	struct target *t CLEANUP(cleanup_target) = make_target();
	static const struct { const char *line, *body, *key, *rule; } all[] = {
		{ LINE(",\"body\":{\"model\":\"A\"}"), "{\"model\":\"B\"}", ID "-e\n", "another body, another key" },
		{ LINE(",\"model\":\"A\",\"body\":{\"model\":\"deployment\"}"), "{\"model\":\"B\"}", ID "-e\n",
		  "whatever it is called for limits" },
		{ LINE(",\"body\":{\"n\":1}"), "{\"n\":1}", ID "\n", "a body without a model stays" },
		{ LINE(",\"model\":\"A\",\"body\":[{\"model\":\"A\"}]"), "[{\"model\":\"A\"}]", ID "\n",
		  "so does one that is no object" },
		{ LINE(",\"body\":{\"model\":7}"), "{\"model\":7}", ID "\n", "or whose model is no text" },
		{ LINE(",\"body\":\"{\\\"model\\\":\\\"A\\\"}\""), "{\"model\":\"A\"}", ID "\n", "or that is a text" },
		{ LINE(",\"model\":\"A\""), NULL, ID "\n", "no body stays none" },
		{ LINE(",\"method\":\"HEAD\",\"body\":{\"model\":\"A\"}"), NULL, ID "\n", "HEAD has none" },
	};
	for (size_t i = 0; i < ARRAY_LEN(all); i++) {
		int rc;
		struct job *j CLEANUP(cleanup_job) = other_job(t, all[i].line, false, &rc);
		struct span b = j->call.body;
		bool changes = strstr(all[i].key, "-e\n");
		CHECK(rc == 0 && (all[i].body ? b.p && span_is(b, all[i].body) : !b.p), "%s: the body",
		      all[i].rule);
		CHECK(strstr(own_lines(j), all[i].key) && !!j->model == changes, "%s: the key", all[i].rule);
		struct job *race CLEANUP(cleanup_job) = other_job(t, all[i].line, true, &rc);
		CHECK(changes ? rc == 0 : rc < 0 && race->call.code == HTTP_UNUSABLE,
		      "%s: %s race", all[i].rule, changes ? "a" : "no");
	}
	int rc;
	struct job *j CLEANUP(cleanup_job) = other_job(t, LINE(",\"body\":{\"n\":1}"), true, &rc);
	job_judge(j, &rng, 1000);
	CHECK(j->decision.verdict == VERDICT_FAILED && strstr(str_z(&j->message), "\"model\""),
	      "a race that cannot be run says why, and is not run again: %s", str_z(&j->message));
	struct job *k CLEANUP(cleanup_job) = job_new();
	k->target = t;
	k->req = (struct request_started){ .row = request_row(2, 1), .n = 9, .round = 3 };
	k->model = "B";
	str_addz(&k->raw, LINE(",\"body\":{\"model\":\"A\"}"));
	CHECK(job_prepare(k) == 0 && strstr(own_lines(k), "00000001-r3-e\n"), "after `retry` it is -rN-e");
}

/* When the next attempt is due of one that was answered so at 5000. */
static int64_t due(const struct target *t, const char *model, int64_t expires, int64_t retry_after,
		   int status)
{
	struct job *j CLEANUP(cleanup_job) = job_new();

	j->target = t;
	j->req = (struct request_started){ .row = request_row(2, 1), .n = 1, .expires_ms = expires };
	j->model = model;
	str_addz(&j->raw, LINE(",\"body\":{\"model\":\"A\"}"));
	if (job_prepare(j) < 0)
		return -1;
	j->call.status = status;
	j->call.retry_after_ms = retry_after;
	job_judge(j, &rng, 5000);
	return j->decision.verdict == VERDICT_RETRY ? j->next_ms : -2;
}

static void ways_out(void)
{
	char rules[] = "A=B@10s\nB=C@10s";
	batch.send.retry_delay_ms = 0;
	batch.send.escalate = rules;
	struct target *t CLEANUP(cleanup_target) = make_target();
	batch.send.escalate = NULL;
	struct target *none CLEANUP(cleanup_target) = make_target();
	batch.send.retry_delay_ms = SEND_UNSET;

	CHECK_INT(due(none, NULL, 65000, 30000, 429), 35000, "a server that asks for time gets it");
	CHECK_INT(due(t, NULL, 65000, 30000, 429), 35000, "also if there is another model for later");
	CHECK_INT(due(t, NULL, 25000, 30000, 429), 15000, "but not beyond the time when that is asked");
	CHECK_INT(due(none, NULL, 25000, 30000, 503), -2, "too late");
	CHECK_INT(due(t, NULL, 25000, 30000, 503), 15000, "is not too late for the other model");
	CHECK_INT(due(t, NULL, 14000, 30000, 503), 5000, "which is asked at once when it is its time");
	CHECK_INT(due(t, NULL, 0, 30000, 429), 35000, "without a window there is none");
	CHECK_INT(due(t, "B", 25000, 10000, 429), 15000, "there one is: it waits as usual");
	CHECK_INT(due(t, "B", 25000, 15000, 429), 20000, "no matter what rules say of that");
}

#define STREAM_LINE LINE(",\"body\":{\"model\":\"m\",\"stream\":true}")
#define CHUNK "data: {\"id\":\"a\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"A\"}}]}\n\n"
#define USAGE "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":4}}\n\n"
#define DONE "data: [DONE]\n\n"
#define FAILURE(error) CHUNK "data: {\"error\":{" error "}}\n\n" DONE

static void streams(void)
{
	batch.send.retry_delay_ms = 0;
	struct target *t CLEANUP(cleanup_target) = make_target();
	batch.send.retry_delay_ms = SEND_UNSET;
	static const struct {
		const char *line, *answer;
		int status;
		bool typed;     /* Content-Type: text/event-stream */
		enum request_verdict verdict;
		const char *code, *message;
		enum answer_kind kind;
		int64_t tokens; /* of the output */
		int meant;
		const char *rule;
	} all[] = {
		{ STREAM_LINE, CHUNK USAGE DONE, 200, true, VERDICT_COMPLETED, NULL, NULL,
		  ANSWER_STREAM, 4, 200, "a whole stream is a result, with its usage" },
		{ STREAM_LINE, CHUNK USAGE DONE, 200, false, VERDICT_COMPLETED, NULL, NULL,
		  ANSWER_STREAM, 4, 200, "whatever its type is called" },
		{ STREAM_LINE, CHUNK USAGE DONE, 201, true, VERDICT_COMPLETED, NULL, NULL,
		  ANSWER_STREAM, 4, 201, "with any 2xx" },
		{ LINE(",\"body\":{\"stream\":false}"), CHUNK USAGE DONE, 200, true, VERDICT_COMPLETED,
		  NULL, NULL, ANSWER_TEXT, 0, 200, "that nobody asked for is a text" },
		{ LINE(",\"body\":\"{\\\"stream\\\":true}\""), CHUNK, 200, true, VERDICT_COMPLETED, NULL,
		  NULL, ANSWER_TEXT, 0, 200, "a body that is a string asks for none" },
		{ STREAM_LINE, "{\"usage\":{\"output_tokens\":5}}", 200, true, VERDICT_COMPLETED, NULL,
		  NULL, ANSWER_JSON, 5, 200, "a server that does not stream" },
		{ STREAM_LINE, "<html>", 200, false, VERDICT_COMPLETED, NULL, NULL, ANSWER_TEXT, 0, 200,
		  "or has something else to say" },
		{ STREAM_LINE, "data: {\"candidates\":[]}\n\n", 200, true, VERDICT_COMPLETED, NULL, NULL,
		  ANSWER_TEXT, 0, 200, "a stream of another kind is an answer" },
		{ STREAM_LINE, CHUNK, 200, true, VERDICT_RETRY, "truncated",
		  "the stream ended before its last event", ANSWER_STREAM, 0, 200,
		  "without its end it is truncated, and tried again" },
		{ STREAM_LINE, "", 200, true, VERDICT_RETRY, "truncated",
		  "the stream ended before its last event", ANSWER_NONE, 0, 200, "also without a byte" },
		{ STREAM_LINE, "", 200, false, VERDICT_COMPLETED, NULL, NULL, ANSWER_NONE, 0, 200,
		  "but no byte of another type is an answer" },
		{ STREAM_LINE, FAILURE("\"message\":\"m\",\"type\":\"invalid_request_error\""), 200, true,
		  VERDICT_FAILED, "stream_error", "m", ANSWER_STREAM, 0, 400, "an error in it fails" },
		{ STREAM_LINE, FAILURE("\"message\":\"m\",\"type\":\"server_error\""), 200, true,
		  VERDICT_RETRY, "stream_error", "m", ANSWER_STREAM, 0, 500,
		  "or is tried again, if it is the server's" },
		{ STREAM_LINE, FAILURE("\"message\":\"m\",\"type\":\"overloaded_error\""), 200, true,
		  VERDICT_RETRY, "stream_error", "m", ANSWER_STREAM, 0, 529, "overload" },
		{ STREAM_LINE, FAILURE("\"message\":\"m\",\"code\":\"rate_limit_exceeded\""), 200, true,
		  VERDICT_RETRY, "stream_error", "m", ANSWER_STREAM, 0, 429, "rate limits" },
		{ STREAM_LINE, FAILURE("\"message\":\"m\",\"code\":\"insufficient_quota\""), 200, true,
		  VERDICT_FAILED, "stream_error", "m", ANSWER_STREAM, 0, 429, "an empty purse is final" },
		{ STREAM_LINE, FAILURE("\"type\":\"server_error\""), 500, true, VERDICT_RETRY, NULL,
		  NULL, ANSWER_TEXT, 0, 500, "another status is judged as ever" },
	};
	for (size_t i = 0; i < ARRAY_LEN(all); i++) {
		JOB(j, t, all[i].line);
		j->call.event_stream = all[i].typed;
		end_call(j, HTTP_ANSWERED, all[i].status, all[i].answer);
		struct request_end end = job_end(j, 9);
		CHECK(end.verdict == all[i].verdict && end.kind == (int)all[i].kind &&
		      end.status == all[i].status && end.output_tokens == all[i].tokens &&
		      job_status(j) == all[i].meant, "%s (verdict %d, kind %d, tokens %lld, amounts to %d)",
		      all[i].rule, end.verdict, end.kind, (long long)end.output_tokens, job_status(j));
		CHECK(end.code == all[i].code || (end.code && all[i].code &&
		      !strcmp(end.code, all[i].code)), "... with the code %s",
		      end.code ? end.code : "none");
		if (all[i].message)
			CHECK_STR(end.message, all[i].message, "... and the message");
		CHECK(end.body.n == strlen(all[i].answer) && end.bytes == (int64_t)end.body.n &&
		      (end.body.n == 0 || memcmp(end.body.p, all[i].answer, end.body.n) == 0),
		      "... and the bytes as they came");
	}
	JOB(throttled, t, STREAM_LINE);
	end_call(throttled, HTTP_ANSWERED, 200, FAILURE("\"code\":\"rate_limit_exceeded\""));
	struct request_end end = job_end(throttled, 9);
	CHECK(end.throttled && !end.counts, "throttling in a stream does not count, either");
	JOB(last, t, STREAM_LINE);
	last->req.counted = 5;
	end_call(last, HTTP_ANSWERED, 200, CHUNK);
	CHECK_STR(job_end(last, 9).message, "the stream ended before its last event, after 6 attempts",
		  "the last attempt says how many there were");
	CHECK_INT(job_end(last, 9).verdict, VERDICT_FAILED, "and is never a result");
	JOB(broken, t, STREAM_LINE);
	strcpy(broken->call.message, "Connection reset by peer");
	end_call(broken, HTTP_RECV, 200, CHUNK DONE);
	CHECK_STR(job_end(broken, 9).code, "recv_error", "a connection that broke is one, end or not");
}

static void secrets(void)
{
	setenv("FSL_UNIT_KEY", "sk-canary", 1);
	batch.key_ref = key_ref;
	struct target *t CLEANUP(cleanup_target) = make_target();
	JOB(j, t, LINE(""));
	end_call(j, HTTP_ANSWERED, 401, "{\"error\":{\"message\":\"Bad key sk-canary, sk-canary!\"}}");
	struct request_end end = job_end(j, 9);
	CHECK_STR(end.message, "Bad key ***, ***!", "a key that the server repeats is in no message");
	CHECK(memmem(end.body.p, end.body.n, "sk-canary", 9) != NULL, "the answer is as it was sent");
	JOB(k, t, LINE(""));
	strcpy(k->call.message, "redirect to http://x/?k=sk-canary, which is not followed");
	end_call(k, HTTP_ANSWERED, 302, "");
	CHECK_STR(job_end(k, 9).message, "redirect to http://x/?k=***, which is not followed",
		  "nor that of a redirect");
	JOB(s, t, STREAM_LINE);
	end_call(s, HTTP_ANSWERED, 200, FAILURE("\"message\":\"no sk-canary\",\"type\":\"x\""));
	CHECK_STR(job_end(s, 9).message, "no ***", "nor that of an error in a stream");
}

static void used_again(void)
{
	struct target *t CLEANUP(cleanup_target) = make_target();
	JOB(j, t, "{");
	end_call(j, HTTP_UNUSABLE, 0, "some answer");
	job_reset(j);
	CHECK(j->call.code == HTTP_ANSWERED && j->message.n == 0 && j->call.own.n == 0 &&
	      j->raw.n == 0 && j->call.answer.n == 0 && !j->target && j->next_ms == 0,
	      "a job that was reset is empty");
	j->target = t;
	str_addz(&j->raw, LINE(""));
	CHECK_INT(job_prepare(j), 0, "and can be prepared again");
	CHECK_STR(j->call.url, "http://127.0.0.1:8000/v1/x", "for another line");
	job_free(NULL);
}

static void lists(void)
{
	struct job_list a, b;
	job_list_init(&a);
	job_list_init(&b);
	CHECK(!job_pop(&a), "an empty list has none");
	struct job *one = job_new(), *two = job_new(), *three = job_new();
	job_push(&a, one);
	job_push(&b, two);
	job_push(&b, three);
	job_append(&a, &b);
	CHECK(a.n == 3 && b.n == 0 && !job_pop(&b), "appending moves all");
	job_append(&a, &b);
	CHECK_INT(a.n, 3, "and nothing is nothing");
	job_push(&b, job_pop(&a));
	CHECK(job_pop(&b) == one && job_pop(&a) == two && job_pop(&a) == three && !job_pop(&a) &&
	      a.n == 0, "in their order");
	job_push(&a, two);
	CHECK(job_pop(&a) == two && !two->next, "an emptied list takes more");
	job_free(one);
	job_free(two);
	job_free(three);
}

int main(void)
{
	static const struct id uuid = { { 1, 2, 3, 4, 5, 6, 7, 8, 9, 0x10, 0x11, 0x12, 0x13, 0x14,
					  0x15, 0x16 } };
	static char none[] = "none";
	static void (*const tests[])(void) = {
		bodies_and_types, urls, header_order, key_stays_home, idempotency,
		traces_and_labels, other_bodies, other_models, ways_out, judging,
		streams, secrets, used_again, lists,
	};
	rng_seed(&rng, 1);
	for (size_t i = 0; i < ARRAY_LEN(tests); i++) {
		batch = (struct batch){ .id = 2, .uuid = uuid, .base_url = url, .key_ref = none,
					.send = SEND_INIT };
		tests[i]();
	}
	return unit_done();
}
