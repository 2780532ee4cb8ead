#include "domain/fold.h"

#include <string.h>

#include "base/json.h"
#include "base/jsonw.h"
#include "base/mem.h"
#include "domain/foldchat.h"
#include "domain/foldmessage.h"
#include "domain/sse.h"

enum api { API_UNKNOWN, API_CHAT, API_RESPONSES, API_MESSAGES };

struct fold {
	enum api api;
	bool strange;  /* there was an event that nobody knows */
	bool done;     /* "[DONE]" */
	struct merge merge;
	struct str *out;
};

/* What an event can be told by. */
struct parts {
	struct span type, object, error, choices, usage, response;
};

/* After an event. */
enum next { GO_ON, STOP, WHOLE, BROKEN, FAILED };

static void cleanup(struct fold *f)
{
	merge_release(&f->merge);
}

static int on_member(void *ctx, int depth, struct span parent, struct span name,
		     struct span value)
{
	struct parts *p = ctx;
	const struct { const char *name; struct span *to; } all[] = {
		{ "type", &p->type }, { "object", &p->object }, { "error", &p->error },
		{ "choices", &p->choices }, { "usage", &p->usage },
		{ "response", &p->response },
	};

	(void)parent;
	for (size_t i = 0; depth == 1 && i < ARRAY_LEN(all); i++)
		if (span_is(name, all[i].name))
			*all[i].to = value;
	return 0;
}

static bool is_object(struct span value)
{
	return value.p && json_type(value) == JSON_OBJECT;
}

/* Some servers send "error":null or "" with every chunk. */
static bool says_error(struct span error)
{
	return error.p && !span_is(error, "null") && !span_is(error, "false") &&
	       !span_is(error, "\"\"");
}

static bool is_response(const struct parts *p)
{
	return span_starts(p->type, "\"response.");
}

static bool is_error(const struct sse_event *ev, const struct parts *p)
{
	if (is_response(p) && p->response.p)
		return false;
	return span_is(ev->type, "error") || span_is(p->type, "\"error\"") ||
	       span_is(p->object, "\"error\"") || says_error(p->error);
}

static enum next add_error_text(struct fold *f, struct span text)
{
	struct jsonw w = jsonw_start(f->out);

	jsonw_object(&w);
	jsonw_key(&w, "error");
	jsonw_object(&w);
	jsonw_kstr(&w, "message", text);
	jsonw_end(&w);
	jsonw_end(&w);
	return FAILED;
}

static enum next add_error(struct fold *f, const struct parts *p, struct span object)
{
	if (says_error(p->error)) {
		str_addspan(f->out, object);
		return FAILED;
	}
	size_t before = f->out->n;
	struct json_error je;
	str_addz(f->out, "{\"error\":");
	str_addspan(f->out, object);
	str_addz(f->out, "}");
	struct span text = { f->out->p + before, f->out->n - before };
	if (json_scan(text, NULL, NULL, &je) == 0)
		return FAILED;
	str_cut(f->out, before); /* it nests as deeply as JSON may */
	return add_error_text(f, object);
}

static enum next add_response(struct fold *f, const struct parts *p)
{
	static const char *const last[] = {
		"\"response.completed\"", "\"response.incomplete\"", "\"response.failed\"",
	};

	for (size_t i = 0; i < ARRAY_LEN(last); i++)
		if (span_is(p->type, last[i]) && is_object(p->response)) {
			str_addspan(f->out, p->response);
			return WHOLE;
		}
	return GO_ON;
}

static enum next add_message(struct fold *f, const struct parts *p, struct span object)
{
	if (foldmessage_add(&f->merge, object) < 0)
		return BROKEN;
	return span_is(p->type, "\"message_stop\"") ? WHOLE : GO_ON;
}

static enum api api_of(const struct parts *p)
{
	if (is_response(p))
		return API_RESPONSES;
	if (span_is(p->type, "\"message_start\""))
		return API_MESSAGES;
	return p->choices.p && json_type(p->choices) == JSON_ARRAY ? API_CHAT : API_UNKNOWN;
}

static enum next add_object(struct fold *f, const struct sse_event *ev, const struct parts *p,
			    struct span object)
{
	if (is_error(ev, p))
		return add_error(f, p, object);
	if (f->api == API_UNKNOWN)
		f->api = api_of(p);
	switch (f->api) {
	case API_CHAT: /* others are signs of life */
		if (!p->choices.p && !is_object(p->usage))
			return GO_ON;
		return foldchat_add(&f->merge, object) < 0 ? BROKEN : GO_ON;
	case API_RESPONSES:
		return add_response(f, p);
	case API_MESSAGES:
		return add_message(f, p, object);
	default:
		f->strange |= !span_is(p->type, "\"ping\"");
		return GO_ON;
	}
}

static struct span trimmed(struct span text)
{
	while (text.n > 0 && strchr(" \t\r\n", text.p[0]) && text.p[0])
		text.p++, text.n--;
	while (text.n > 0 && strchr(" \t\r\n", text.p[text.n - 1]) && text.p[text.n - 1])
		text.n--;
	return text;
}

/* One text of data.  `cut`: it may not be whole. */
static enum next add_text(struct fold *f, const struct sse_event *ev, struct span data, bool cut)
{
	struct parts p = { .type = SPAN_NONE };
	struct json_error je;

	if (data.n == 0)
		return GO_ON;
	if (span_is(data, "[DONE]")) {
		f->done = true;
		return STOP;
	}
	if (json_scan(data, on_member, &p, &je) == 0 && json_type(data) == JSON_OBJECT)
		return add_object(f, ev, &p, data);
	if (cut)
		return GO_ON;
	return span_is(ev->type, "error") ? add_error_text(f, data) : BROKEN;
}

/* Several lines are one JSON text; or each line is one, where the empty lines
 * between events are missing. */
static enum next add_event(struct fold *f, const struct sse_event *ev)
{
	struct span rest = trimmed(ev->data);
	enum next next = GO_ON;
	struct json_error je;

	if (!memchr(rest.n > 0 ? rest.p : "", '\n', rest.n) ||
	    json_scan(rest, NULL, NULL, &je) == 0 || span_is(ev->type, "error"))
		return add_text(f, ev, rest, !ev->ended);
	while (next == GO_ON && rest.n > 0) {
		const char *end = memchr(rest.p, '\n', rest.n);
		size_t n = end ? (size_t)(end - rest.p) : rest.n;
		struct span line = trimmed((struct span){ rest.p, n });
		n += end != NULL;
		rest = (struct span){ rest.p + n, rest.n - n };
		next = add_text(f, ev, line, !ev->ended && rest.n == 0);
	}
	return next;
}

/* All events there are have been read. */
static enum fold_kind finish(struct fold *f)
{
	if (f->api == API_CHAT && (f->done || foldchat_ended(&f->merge))) {
		foldchat_write(&f->merge, f->out);
		return FOLD_WHOLE;
	}
	return f->api == API_UNKNOWN && f->strange ? FOLD_NONE : FOLD_TRUNCATED;
}

/* A tool's input came as text and may nest deeper than any event did. */
static enum fold_kind finish_message(struct fold *f)
{
	size_t before = f->out->n;
	struct json_error je;

	foldmessage_write(&f->merge, f->out);
	struct span text = { f->out->p + before, f->out->n - before };
	if (json_scan(text, NULL, NULL, &je) == 0)
		return FOLD_WHOLE;
	str_cut(f->out, before);
	return FOLD_NONE;
}

enum fold_kind fold_stream(struct span body, struct str *out)
{
	struct fold f CLEANUP(cleanup) = { .out = out };
	struct sse s CLEANUP(sse_release) = sse_start(body);
	enum next next = GO_ON;
	struct sse_event ev;

	while (next == GO_ON && sse_next(&s, &ev))
		next = add_event(&f, &ev);
	switch (next) {
	case FAILED:
		return FOLD_ERROR;
	case BROKEN:
		return FOLD_NONE;
	case WHOLE:
		return f.api == API_MESSAGES ? finish_message(&f) : FOLD_WHOLE;
	default:
		return finish(&f);
	}
}
