#include "domain/answer.h"

#include <string.h>
#include "base/json.h"
#include "base/jsonw.h"
#include "base/mem.h"
#include "base/safe.h"
#include "domain/fold.h"

enum { MESSAGE_BYTES = 300, HEAD_BYTES = 1024 };
static const int64_t TOKENS_MAX = INT64_C(1000000000000);

/* What is no whole number in range was not said. */
static void read_count(struct span value, int64_t *out)
{
	int64_t v;
	if (json_int(value, 0, TOKENS_MAX, &v))
		*out = v;
}

static void read_details(struct span object, const char *name, int64_t *out)
{
	size_t pos = 0;
	struct span key, value;
	if (json_type(object) != JSON_OBJECT)
		return;
	while (json_each(object, &pos, &key, &value))
		if (span_is(key, name))
			read_count(value, out);
}

static void read_usage(struct span object, struct answer_usage *u)
{
	size_t pos = 0;
	struct span key, value;
	if (json_type(object) != JSON_OBJECT)
		return;
	while (json_each(object, &pos, &key, &value)) {
		if (span_is(key, "prompt_tokens") || span_is(key, "input_tokens"))
			read_count(value, &u->input);
		else if (span_is(key, "completion_tokens") || span_is(key, "output_tokens"))
			read_count(value, &u->output);
		else if (span_is(key, "prompt_tokens_details") ||
			 span_is(key, "input_tokens_details"))
			read_details(value, "cached_tokens", &u->cached);
		else if (span_is(key, "completion_tokens_details") ||
			 span_is(key, "output_tokens_details"))
			read_details(value, "reasoning_tokens", &u->reasoning);
	}
}

static int on_member(void *ctx, int depth, struct span parent, struct span name,
		     struct span value)
{
	(void)parent;
	if (depth == 1 && span_is(name, "usage"))
		read_usage(value, ctx);
	return 0;
}

enum answer_kind answer_read(struct span body, struct answer_usage *usage)
{
	struct json_error je;
	*usage = (struct answer_usage){ 0 };
	if (!body.p)
		return ANSWER_NONE;
	if (json_scan(body, on_member, usage, &je) == 0)
		return ANSWER_JSON;
	*usage = (struct answer_usage){ 0 };
	return safe_is_utf8(body) ? ANSWER_TEXT : ANSWER_BYTES;
}

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* The value of a member of a JSON object; SPAN_NONE: there is none. */
static struct span member_of(struct span object, const char *name)
{
	size_t pos = 0;
	struct span key, value, found = SPAN_NONE;
	if (!object.p || json_type(object) != JSON_OBJECT)
		return SPAN_NONE;
	while (json_each(object, &pos, &key, &value))
		if (span_is(key, name))
			found = value;
	return found;
}

/* The object that tells of the error.  Some servers put it into an array. */
static struct span outer_object(struct span body)
{
	while (body.n > 0 && is_space(body.p[0]))
		body.p++, body.n--;
	size_t pos = 0;
	struct span name, item;
	if (json_type(body) == JSON_ARRAY && json_each(body, &pos, &name, &item))
		return item;
	return body;
}

/* Adds the text with its white space folded; at most MESSAGE_BYTES. */
static void add_message(struct str *out, struct span text)
{
	struct str folded CLEANUP(str_release) = STR_INIT;
	struct str safe CLEANUP(str_release) = STR_INIT;
	bool gap = false;
	for (size_t i = 0; i < text.n && folded.n < HEAD_BYTES; i++) {
		if (is_space(text.p[i])) {
			gap = folded.n > 0;
			continue;
		}
		if (gap)
			str_addc(&folded, ' ');
		gap = false;
		str_addc(&folded, text.p[i]);
	}
	safe_text(&safe, str_span(&folded));
	if (safe.n > MESSAGE_BYTES) {
		size_t n = MESSAGE_BYTES - 3;
		while (n > 0 && ((unsigned char)safe.p[n] & 0xc0) == 0x80)
			n--;
		str_cut(&safe, n);
		str_addz(&safe, "...");
	}
	str_addspan(out, str_span(&safe));
}

static void add_value(struct str *out, struct span value)
{
	struct str text CLEANUP(str_release) = STR_INIT;
	if (json_type(value) == JSON_STRING)
		json_string(value, &text);
	else
		json_compact(value, &text);
	add_message(out, str_span(&text));
}

static bool is_string(struct span value)
{
	return value.p && json_type(value) == JSON_STRING;
}

void answer_message(struct span body, enum answer_kind kind, struct str *out)
{
	if (kind == ANSWER_NONE)
		return;
	if (kind == ANSWER_BYTES) {
		str_addf(out, "%zu bytes that are no text", body.n);
		return;
	}
	if (kind == ANSWER_TEXT || kind == ANSWER_STREAM) {
		add_message(out, body);
		return;
	}
	struct span object = outer_object(body), error = member_of(object, "error");
	struct span found[] = {
		member_of(error, "message"), error, member_of(object, "message"),
		member_of(object, "detail"),
	};
	for (size_t i = 0; i < ARRAY_LEN(found); i++)
		if (is_string(found[i])) {
			add_value(out, found[i]);
			return;
		}
	/* A list of what is wrong (FastAPI), else whatever there is. */
	add_value(out, found[3].p ? found[3] : body);
}

static bool says_quota(struct span value)
{
	struct str text CLEANUP(str_release) = STR_INIT;
	if (!is_string(value))
		return false;
	json_string(value, &text);
	return span_is(str_span(&text), "insufficient_quota");
}

bool answer_is_quota(struct span body, enum answer_kind kind)
{
	if (kind != ANSWER_JSON)
		return false;
	struct span error = member_of(outer_object(body), "error");
	return says_quota(member_of(error, "code")) || says_quota(member_of(error, "type"));
}

/* In small letters, without what stands between words: "InternalServerError"
 * and "internal_server_error" are one. */
static void add_words(struct str *out, struct span value)
{
	struct str text CLEANUP(str_release) = STR_INIT;
	if (!is_string(value))
		return;
	json_string(value, &text);
	for (size_t i = 0; i < text.n && i < HEAD_BYTES; i++) {
		char c = text.p[i];
		if (c >= 'A' && c <= 'Z')
			c = (char)(c | 0x20);
		if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'))
			str_addc(out, c);
	}
	str_addc(out, ' ');
}

/* 400 to 599, as a number or a string; 0: it is neither. */
static int status_in(struct span value)
{
	int64_t n;
	if (!value.p)
		return 0;
	if (json_type(value) == JSON_STRING)
		value = (struct span){ value.p + 1, value.n - 2 };
	return json_int(value, 400, 599, &n) ? (int)n : 0;
}

int answer_status(struct span body)
{
	static const struct { const char *word; int status; } known[] = {
		{ "ratelimit", 429 }, { "toomanyrequests", 429 }, { "insufficientquota", 429 },
		{ "overloaded", 529 }, { "unavailable", 503 }, { "timeout", 504 },
		{ "servererror", 500 }, { "internalerror", 500 }, { "apierror", 500 },
	};
	struct str words CLEANUP(str_release) = STR_INIT;
	struct span outer = outer_object(body), error = member_of(outer, "error");
	const struct span numbers[] = {
		member_of(error, "code"), member_of(error, "status"),
		member_of(error, "status_code"),
	};
	for (size_t i = 0; i < ARRAY_LEN(numbers); i++)
		if (status_in(numbers[i]))
			return status_in(numbers[i]);
	add_words(&words, member_of(error, "code"));
	add_words(&words, member_of(error, "type"));
	add_words(&words, member_of(outer, "error_type"));
	for (size_t i = 0; i < ARRAY_LEN(known); i++)
		if (strstr(str_z(&words), known[i].word))
			return known[i].status;
	return strspn(str_z(&words), " ") == words.n ? 500 : 400;
}

static void write_stream(struct span body, struct str *out)
{
	struct str fold CLEANUP(str_release) = STR_INIT;
	if (fold_stream(body, &fold) == FOLD_WHOLE)
		answer_write(str_span(&fold), ANSWER_JSON, out);
	else
		answer_write(body, safe_is_utf8(body) ? ANSWER_TEXT : ANSWER_BYTES, out);
}

void answer_write(struct span body, enum answer_kind kind, struct str *out)
{
	struct jsonw w = jsonw_start(out);
	switch (kind) {
	case ANSWER_JSON:
		/* In valid JSON a line break stands between tokens only. */
		if (memchr(body.p, '\n', body.n) || memchr(body.p, '\r', body.n))
			json_compact(body, out);
		else
			str_addspan(out, body);
		return;
	case ANSWER_TEXT:
		jsonw_quote(out, body);
		return;
	case ANSWER_BYTES:
		jsonw_base64(&w, body);
		return;
	case ANSWER_STREAM:
		write_stream(body, out);
		return;
	case ANSWER_NONE:
		str_addz(out, "null");
	}
}
