#include "answer.h"

#include <stdio.h>
#include <string.h>
#include "base/hash.h"
#include "base/mem.h"

static const struct {
	int status;
	const char *words;
} REASON[] = {
	{ 100, "Continue" }, { 200, "OK" }, { 201, "Created" }, { 202, "Accepted" },
	{ 204, "No Content" }, { 301, "Moved Permanently" }, { 302, "Found" },
	{ 303, "See Other" }, { 304, "Not Modified" }, { 307, "Temporary Redirect" },
	{ 308, "Permanent Redirect" }, { 400, "Bad Request" }, { 401, "Unauthorized" },
	{ 403, "Forbidden" }, { 404, "Not Found" }, { 408, "Request Timeout" },
	{ 409, "Conflict" }, { 413, "Content Too Large" },
	{ 422, "Unprocessable Content" },
	{ 429, "Too Many Requests" }, { 431, "Request Header Fields Too Large" },
	{ 500, "Internal Server Error" }, { 502, "Bad Gateway" },
	{ 503, "Service Unavailable" }, { 504, "Gateway Timeout" },
};

static const char *reason(int status)
{
	for (size_t i = 0; i < ARRAY_LEN(REASON); i++)
		if (REASON[i].status == status)
			return REASON[i].words;
	return "Scripted";
}

static bool bodiless(int status)
{
	return status < 200 || status == 204 || status == 304;
}

static void status_line(struct str *out, int status)
{
	str_addf(out, "HTTP/1.1 %d %s\r\n", status, reason(status));
}

void answer_plain(struct str *out, int status, bool close, struct span json)
{
	status_line(out, status);
	str_addf(out, "Content-Type: application/json\r\nContent-Length: %zu\r\n%s\r\n",
		 json.n, close ? "Connection: close\r\n" : "");
	str_addspan(out, json);
}

void answer_init(struct answerer *w, enum mode mode, int64_t body_bytes)
{
	struct str body CLEANUP(str_release) = STR_INIT;
	size_t n = (size_t)body_bytes;

	*w = (struct answerer){ .mode = mode };
	rng_seed(&w->rng, 1);
	str_reserve(&body, n);
	str_addz(&body, n >= 9 ? "{\"pad\":\"" : "");
	while (body.n + 2 < n)
		str_addc(&body, 'x');
	str_addz(&body, n >= 10 ? "\"}" : "");
	while (body.n < n)
		str_addc(&body, '1');
	str_cut(&body, n);
	answer_plain(&w->fixed, 200, false, str_span(&body));
	w->fixed_head = w->fixed.n - n;
}

void answer_release(struct answerer *w)
{
	str_release(&w->fixed);
	str_release(&w->scratch);
}

static uint64_t number_of(struct span v)
{
	struct id sum = hash_of(v.p ? v.p : "", v.n);
	uint64_t n = 0;
	for (int i = 0; i < 8; i++)
		n = n << 8 | sum.b[i];
	return n;
}

static void completion(struct str *out, const struct request *r)
{
	struct span prompt = request_member(r->body, "messages");
	if (!prompt.p)
		prompt = r->body;
	uint64_t sum = number_of(prompt);
	size_t tokens = prompt.n / 4 + 1;

	str_addf(out, "{\"id\":\"chatcmpl-%016llx%08llx\",\"object\":\"chat.completion\","
		 "\"created\":1700000000,\"model\":\"", (unsigned long long)sum,
		 (unsigned long long)r->n);
	str_addspan(out, r->model.p ? r->model : SPAN_LIT("none"));
	str_addf(out, "\",\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\","
		 "\"content\":\"The answer is #### %u\",\"refusal\":null},"
		 "\"logprobs\":null,\"finish_reason\":\"stop\"}],"
		 "\"usage\":{\"prompt_tokens\":%zu,\"completion_tokens\":7,"
		 "\"total_tokens\":%zu},\"service_tier\":\"default\","
		 "\"system_fingerprint\":\"fp_test\"}", (unsigned)(sum % 1000), tokens,
		 tokens + 7);
}

static bool wants_stream(const struct request *r)
{
	return span_is(request_member(r->body, "stream"), "true");
}

static void event(struct str *out, const struct request *r, const char *choices,
		  const char *usage)
{
	str_addf(out, "data: {\"id\":\"chatcmpl-%lld\",\"object\":\"chat.completion.chunk\","
		 "\"created\":1700000000,\"model\":\"", (long long)r->n);
	str_addspan(out, r->model.p ? r->model : SPAN_LIT("none"));
	str_addf(out, "\",\"system_fingerprint\":\"fp_test\",\"choices\":[%s]%s}\n\n", choices,
		 usage);
}

/* The same answer as completion(), as a stream. */
static void streamed(struct str *out, const struct request *r)
{
	struct span prompt = request_member(r->body, "messages");
	struct span options = request_member(r->body, "stream_options");
	if (!prompt.p)
		prompt = r->body;
	bool usage = options.p &&
		     span_is(request_member(options, "include_usage"), "true");
	size_t tokens = prompt.n / 4 + 1;
	char text[160];

#define DELTA(delta, reason) "{\"index\":0,\"delta\":{" delta "},\"logprobs\":null," \
	"\"finish_reason\":" reason "}"
	event(out, r, DELTA("\"role\":\"assistant\",\"content\":\"\",\"refusal\":null", "null"), "");
	event(out, r, DELTA("\"content\":\"The answer\"", "null"), "");
	event(out, r, DELTA("\"content\":\" is ####\"", "null"), "");
	snprintf(text, sizeof text, DELTA("\"content\":\" %u\"", "null"),
		 (unsigned)(number_of(prompt) % 1000));
	event(out, r, text, "");
	event(out, r, DELTA("", "\"stop\""), "");
	snprintf(text, sizeof text, ",\"usage\":{\"prompt_tokens\":%zu,\"completion_tokens\":7,"
		 "\"total_tokens\":%zu}", tokens, tokens + 7);
	if (usage)
		event(out, r, "", text);
	str_addz(out, "data: [DONE]\n\n");
}

static void failure(struct str *out, int status)
{
	str_addf(out, "{\"error\":{\"message\":\"scripted %d\",\"type\":\"%s\","
		 "\"param\":null,\"code\":null}}", status,
		 status == 429 ? "rate_limit_error" :
		 status >= 500 ? "server_error" : "invalid_request_error");
}

static struct span body_of(struct answerer *w, const struct request *r,
			   const struct action *act, int status)
{
	if (act && act->has_body)
		return str_span(&act->body);
	str_reset(&w->scratch);
	if (status >= 400)
		failure(&w->scratch, status);
	else if (w->mode == MODE_ECHO)
		return r->body;
	else if (w->mode == MODE_OPENAI && wants_stream(r))
		streamed(&w->scratch, r);
	else if (w->mode == MODE_OPENAI)
		completion(&w->scratch, r);
	else
		str_add(&w->scratch, w->fixed.p + w->fixed_head,
			w->fixed.n - w->fixed_head);
	return str_span(&w->scratch);
}

static struct span type_of(const struct answerer *w, const struct request *r,
			   const struct action *act, int status, struct span body)
{
	if (act && act->has_body)
		return body.n && (body.p[0] == '{' || body.p[0] == '[') ?
		       SPAN_LIT("application/json") : SPAN_LIT("text/plain");
	if (status < 400 && w->mode == MODE_ECHO)
		return r->type.p ? r->type : SPAN_LIT("application/octet-stream");
	return SPAN_LIT("application/json");
}

/* True if it is sent as an event stream, a chunk for each event. */
static bool is_events(const struct answerer *w, const struct request *r,
		      const struct action *act, int status)
{
	return act->events_ms > 0 || (w->mode == MODE_OPENAI && status < 400 &&
				      !act->has_body && wants_stream(r));
}

static const struct action NO_ACTION = { .sleep_ms = -1, .truncate = -1 };

static void head(struct str *out, const struct answerer *w, const struct request *r,
		 const struct action *act, int status, struct span type, size_t body_n,
		 bool close, bool events)
{
	status_line(out, status);
	if (!act->own_type && !bodiless(status)) {
		str_addz(out, "Content-Type: ");
		str_addspan(out, type);
		str_addz(out, "\r\n");
	}
	if (act->chunked || act->endless || events)
		str_addz(out, "Transfer-Encoding: chunked\r\n");
	else if (!act->own_length && !bodiless(status))
		str_addf(out, "Content-Length: %zu\r\n", body_n);
	if (close && !act->own_connection)
		str_addz(out, "Connection: close\r\n");
	if (w->mode == MODE_OPENAI) {
		if (!act->own_id)
			str_addf(out, "x-request-id: req_%lld\r\n", (long long)r->n);
		str_addz(out, "openai-version: 2020-10-01\r\nopenai-processing-ms: 7\r\n"
			 "openai-organization: test\r\n");
	}
	str_addspan(out, str_span(&act->headers));
	if (act->big_header) {
		str_addz(out, "X-Big: ");
		str_reserve(out, (size_t)act->big_header);
		for (int64_t i = 0; i < act->big_header; i++)
			str_addc(out, 'b');
		str_addz(out, "\r\n");
	}
	str_addz(out, "\r\n");
}

static void chunk(struct str *out, const char *p, size_t n)
{
	if (n == 0)
		return;
	str_addf(out, "%zx\r\n", n);
	str_add(out, p, n);
	str_addz(out, "\r\n");
}

/* Two, so that a reader has to put them together. */
static void chunks(struct str *out, struct span body)
{
	chunk(out, body.p, body.n / 2);
	chunk(out, body.p + body.n / 2, body.n - body.n / 2);
	str_addz(out, "0\r\n\r\n");
}

/* One for each event: up to an empty line. */
static void event_chunks(struct str *out, struct span body)
{
	size_t from = 0;
	for (size_t i = 1; i <= body.n; i++) {
		bool ended = (i >= 2 && !memcmp(body.p + i - 2, "\n\n", 2)) ||
			     (i >= 4 && !memcmp(body.p + i - 4, "\r\n\r\n", 4));
		if (!ended && i < body.n)
			continue;
		chunk(out, body.p + from, i - from);
		from = i;
	}
	str_addz(out, "0\r\n\r\n");
}

void answer_more(struct str *out)
{
	static char spaces[128 * 1024];
	if (!spaces[0])
		memset(spaces, ' ', sizeof(spaces));
	chunk(out, spaces, sizeof(spaces));
}

static int64_t latency(struct answerer *w)
{
	int64_t us = w->latency_us;
	if (w->jitter_us)
		us += (int64_t)rng_below(&w->rng, (uint64_t)w->jitter_us + 1);
	return us;
}

static enum then ending(const struct action *act, const struct request *r)
{
	if (act->exit)
		return THEN_EXIT;
	if (act->reset)
		return THEN_RESET;
	if (act->hang || act->stall)
		return THEN_HANG;
	if (act->endless)
		return THEN_ENDLESS;
	if (act->has_garbage)
		return act->keep ? THEN_NEXT : THEN_CLOSE;
	if (act->drop || act->close || act->truncate >= 0 || !r->keep_alive)
		return THEN_CLOSE;
	return act->close_silent ? THEN_LEAVE : THEN_NEXT;
}

/* True if the bytes of an answer are wanted at all. */
static bool answers(const struct action *act)
{
	if (act->truncate >= 0)
		return true;
	return !act->drop && !act->reset && !act->hang && !act->exit;
}

struct how answer_build(struct answerer *w, const struct request *r,
			const struct action *act, struct str *out)
{
	struct how how = { .delay_us = latency(w), .then = THEN_NEXT };
	bool is_head = span_is(r->method, "HEAD");

	if (!act && w->mode == MODE_FIXED && r->keep_alive) {
		str_add(out, w->fixed.p, is_head ? w->fixed_head : w->fixed.n);
		return how;
	}
	if (!act)
		act = &NO_ACTION;
	if (act->sleep_ms >= 0)
		how.delay_us = act->sleep_ms * 1000;
	how.then = ending(act, r);
	if (!answers(act))
		return how;
	how.by_event = !act->trickle_ms && act->events_ms;
	how.trickle_us = (how.by_event ? act->events_ms : act->trickle_ms) * 1000;
	how.trickle_from = out->n;
	if (act->has_garbage) {
		str_addspan(out, str_span(&act->garbage));
		return how;
	}

	int status = act->status ? act->status : 200;
	struct span body = body_of(w, r, act, status);
	bool events = is_events(w, r, act, status);
	struct span type = events ? SPAN_LIT("text/event-stream")
				  : type_of(w, r, act, status, body);
	bool announce = act->close || (!r->keep_alive && !act->close_silent);
	head(out, w, r, act, status, type, body.n, announce, events);
	how.trickle_from = out->n;
	if (is_head || bodiless(status))
		return how;
	if (act->endless) {
		answer_more(out);
		return how;
	}
	if (events)
		event_chunks(out, body);
	else if (act->chunked)
		chunks(out, body);
	else
		str_addspan(out, body);
	if (act->stall)
		str_cut(out, how.trickle_from + (out->n - how.trickle_from) / 2);
	if (act->truncate >= 0 && (size_t)act->truncate < out->n - how.trickle_from)
		str_cut(out, how.trickle_from + (size_t)act->truncate);
	return how;
}
