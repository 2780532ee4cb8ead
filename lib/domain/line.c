#include "domain/line.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include "base/err.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/safe.h"
#include "domain/lineheader.h"
#include "domain/lineparts.h"
#include "domain/lineurl.h"

enum {
	CUSTOM_ID_MAX = 512, MODEL_MAX = 256, HEADERS_MAX = 100,
	HEADER_BYTES_MAX = 64 << 10, TOKENS_MAX = 1000000000, SHOWN = 40,
};

#define WAY_OUT "--key REF sends a key without storing it; " \
		"--allow-inline-secrets stores it"

const char *line_code_text(enum line_code code)
{
	static const char *const texts[] = {
		[LINE_OK] = "ok",
		[LINE_INVALID_JSON] = "invalid_json_line",
		[LINE_MISSING_PARAMETER] = "missing_required_parameter",
		[LINE_INVALID_CUSTOM_ID] = "invalid_custom_id",
		[LINE_DUPLICATE_CUSTOM_ID] = "duplicate_custom_id",
		[LINE_INVALID_URL] = "invalid_url",
		[LINE_INVALID_METHOD] = "invalid_method",
		[LINE_INVALID_HEADER] = "invalid_header",
		[LINE_INVALID_UTF8] = "invalid_utf8",
		[LINE_INVALID_MODEL] = "invalid_model",
		[LINE_TOO_LONG] = "line_too_long",
		[LINE_EMPTY_FILE] = "empty_file",
		[LINE_SECRET] = "secret_in_line",
		[LINE_URL_MISMATCH] = "url_mismatch",
		[LINE_MODEL_MISMATCH] = "model_mismatch",
		[LINE_TOO_MANY_TASKS] = "too_many_tasks",
		[LINE_FILE_TOO_LARGE] = "file_too_large",
		[LINE_NOT_STRICT] = "not_strict",
	};
	if ((unsigned)code >= ARRAY_LEN(texts))
		BUG("line_code_text: %d", (int)code);
	return texts[code];
}

/* Returns -1.  A text that is cut stays valid UTF-8. */
__attribute__((format(printf, 4, 5)))
static int problem(struct line_problem *why, enum line_code code, size_t column,
		   const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	int n = vsnprintf(why->text, sizeof(why->text), fmt, ap);
	va_end(ap);
	char *end = why->text + strlen(why->text);
	while (n >= (int)sizeof(why->text) && end > why->text && (end[-1] & 0x80))
		*--end = '\0';
	why->code = code;
	why->column = column;
	return -1;
}

/* What is at work while one line is read. */
struct reading {
	struct line *l;
	struct span raw;
	const struct line_rules *rules; /* NULL: it was checked before */
	struct line_problem *why;
	struct lineparts parts;
	size_t room;                    /* that l->scratch can need */
};

static bool secrets_allowed(const struct reading *r)
{
	return !r->rules || r->rules->allow_secrets;
}

/* The column of a place in the line; of what is not there, the line's first. */
static size_t column_of(const struct reading *r, const char *place)
{
	return place ? (size_t)(place - r->raw.p) + 1 : 1;
}

/* The character where it went wrong, or the escape: never more, as it can be
 * in the middle of a secret. */
static struct span culprit(struct span raw, size_t offset)
{
	struct span c = { raw.p + offset, raw.n - offset };
	size_t n = safe_utf8(c.p, c.n);
	if (*c.p == '\\')
		n = c.n > 1 && c.p[1] == 'u' ? 6 : 2;
	c.n = n < 1 ? 1 : n < c.n ? n : c.n;
	return c;
}

static int bad_json(const struct reading *r, const struct json_error *je)
{
	enum line_code code = je->utf8 ? LINE_INVALID_UTF8 : LINE_INVALID_JSON;
	if (je->offset >= r->raw.n)
		return problem(r->why, code, je->offset + 1, "%s of the line", je->what);
	return problem(r->why, code, je->offset + 1, "%s at '%s'", je->what,
		       safe_show(culprit(r->raw, je->offset), SHOWN));
}

/* Decoded text of one line stays where it is: the first one makes room for
 * all that can follow, as decoding never makes longer. */
static struct span decode(struct span raw, struct str *scratch, size_t room)
{
	if (json_plain(raw))
		return raw;
	if (scratch->n == 0)
		str_reserve(scratch, room);
	size_t from = scratch->n;
	json_unescape(raw, scratch);
	return (struct span){ scratch->p + from, scratch->n - from };
}

static struct span inside(struct span value)
{
	return (struct span){ value.p + 1, value.n - 2 };
}

static const char *type_text(struct span value)
{
	static const char *const texts[] = {
		[JSON_NULL] = "null", [JSON_FALSE] = "false", [JSON_TRUE] = "true",
		[JSON_NUMBER] = "a number", [JSON_STRING] = "a string",
		[JSON_ARRAY] = "an array", [JSON_OBJECT] = "an object",
	};
	return texts[json_type(value)];
}

/* A member that must be a string, decoded; SPAN_NONE is absent. */
static int read_string(struct reading *r, enum lineparts_member m, enum line_code code,
		       struct span *out)
{
	struct span value = r->parts.value[m];
	*out = SPAN_NONE;
	if (!value.p)
		return 0;
	if (json_type(value) != JSON_STRING)
		return problem(r->why, code, column_of(r, value.p),
			       "'%s' must be a string, not %s",
			       lineparts_names[m].p, type_text(value));
	*out = decode(inside(value), &r->l->scratch, r->room);
	return 0;
}

/* C0, DEL and C1 of valid UTF-8. */
static bool has_control(struct span v)
{
	for (size_t i = 0; i < v.n; i++) {
		unsigned char c = (unsigned char)v.p[i];
		if (c < 0x20 || c == 0x7f)
			return true;
		if (c == 0xc2 && i + 1 < v.n && (unsigned char)v.p[i + 1] < 0xa0)
			return true;
	}
	return false;
}

/* A text that names something: custom_id and model. */
static int check_label(struct reading *r, struct span v, size_t max, const char *what,
		       enum line_code code, const char *place)
{
	size_t column = column_of(r, place);
	if (v.n == 0)
		return problem(r->why, code, column, "%s must not be empty", what);
	if (v.n > max)
		return problem(r->why, code, column,
			       "%s must have at most %zu bytes, not %zu", what, max, v.n);
	if (has_control(v))
		return problem(r->why, code, column,
			       "%s must not hold control characters: '%s'",
			       what, safe_show(v, SHOWN));
	return 0;
}

static int read_custom_id(struct reading *r)
{
	struct span *id = &r->l->custom_id;
	if (read_string(r, PART_CUSTOM_ID, LINE_INVALID_CUSTOM_ID, id) < 0)
		return -1;
	if (!id->p)
		return problem(r->why, LINE_MISSING_PARAMETER, 1, "'custom_id' is missing: "
			       "each line needs one, to find its result by");
	return check_label(r, *id, CUSTOM_ID_MAX, "'custom_id'", LINE_INVALID_CUSTOM_ID,
			   r->parts.value[PART_CUSTOM_ID].p);
}

static int check_url(struct span url, bool allow_secrets, struct lineurl *u,
		     struct line_problem *why)
{
	struct err e;
	if (lineurl_check(url, u, &e) < 0)
		return problem(why, LINE_INVALID_URL, 1, "%s", e.msg);
	const char *secret = allow_secrets ? NULL : lineurl_secret(u->query);
	if (secret)
		return problem(why, LINE_SECRET, 1,
			       "holds a secret ('%s' in its query): " WAY_OUT, secret);
	return 0;
}

int line_check_url(struct span url, bool allow_path_only, bool allow_secrets,
		   struct line_problem *why)
{
	struct lineurl u;
	if (!allow_path_only && (url.n < 4 || strncasecmp(url.p, "http", 4) != 0))
		return problem(why, LINE_INVALID_URL, 1,
			       "must start with http:// or https:// and a host");
	return check_url(url, allow_secrets, &u, why);
}

static int read_url(struct reading *r, struct lineurl *u)
{
	struct span *url = &r->l->url;
	*u = (struct lineurl){ SPAN_NONE, SPAN_NONE };
	if (read_string(r, PART_URL, LINE_INVALID_URL, url) < 0)
		return -1;
	if (!url->p && !r->rules)
		return 0;
	if (!url->p)
		*url = span_of(r->rules->default_url);
	if (!url->p)
		return problem(r->why, LINE_MISSING_PARAMETER, 1, "'url' is missing: "
			       "give it here, or for all such lines with --url PATH");
	struct line_problem inner;
	if (check_url(*url, secrets_allowed(r), u, &inner) < 0)
		return problem(r->why, inner.code, column_of(r, r->parts.value[PART_URL].p),
			       "'url' %s", inner.text);
	return 0;
}

static int read_method(struct reading *r)
{
	static const struct span methods[] = {
		SPAN_LIT("POST"), SPAN_LIT("GET"), SPAN_LIT("PUT"), SPAN_LIT("PATCH"),
		SPAN_LIT("DELETE"), SPAN_LIT("HEAD"), SPAN_LIT("OPTIONS"),
	};
	struct span given;
	if (read_string(r, PART_METHOD, LINE_INVALID_METHOD, &given) < 0)
		return -1;
	r->l->method = methods[0];
	if (!given.p)
		return 0;
	for (size_t i = 0; i < ARRAY_LEN(methods); i++) {
		r->l->method = methods[i];
		if (span_is_nocase(given, methods[i].p))
			return 0;
	}
	return problem(r->why, LINE_INVALID_METHOD,
		       column_of(r, r->parts.value[PART_METHOD].p),
		       "'method' must be GET, HEAD, POST, PUT, PATCH, DELETE or OPTIONS, "
		       "not '%s'", safe_show(given, SHOWN));
}

static int check_header(struct span name, struct span value, bool allow_secrets,
			size_t name_column, size_t value_column,
			struct line_problem *why)
{
	struct err e;
	bool in_value;
	if (lineheader_check(name, value, &in_value, &e) < 0)
		return problem(why, LINE_INVALID_HEADER,
			       in_value ? value_column : name_column, "%s", e.msg);
	if (!allow_secrets && lineheader_is_secret(name))
		return problem(why, LINE_SECRET, name_column,
			       "header '%s' holds a secret: " WAY_OUT,
			       safe_show(name, SHOWN));
	return 0;
}

int line_check_header(struct span name, struct span value, bool allow_secrets,
		      struct line_problem *why)
{
	return check_header(name, value, allow_secrets, 1, name.n + sizeof(": "), why);
}

static int read_headers(struct reading *r)
{
	struct span headers = r->parts.value[PART_HEADERS];
	if (!headers.p)
		return 0;
	size_t column = column_of(r, headers.p);
	if (json_type(headers) != JSON_OBJECT)
		return problem(r->why, LINE_INVALID_HEADER, column,
			       "'headers' must be an object, not %s", type_text(headers));
	struct str names CLEANUP(str_release) = STR_INIT;
	struct str text CLEANUP(str_release) = STR_INIT;
	struct span seen[HEADERS_MAX], raw, item;
	size_t n = 0, bytes = 0;
	for (size_t pos = 0; json_each(headers, &pos, &raw, &item); n++) {
		size_t name_column = column_of(r, raw.p - 1);
		size_t value_column = column_of(r, item.p);
		struct span name = decode(raw, &names, headers.n);
		if (json_type(item) != JSON_STRING)
			return problem(r->why, LINE_INVALID_HEADER, value_column,
				       "header '%s' must be a string, not %s",
				       safe_show(name, SHOWN), type_text(item));
		str_reset(&text);
		struct span value = decode(inside(item), &text, item.n);
		if (check_header(name, value, secrets_allowed(r), name_column,
				 value_column, r->why) < 0)
			return -1;
		for (size_t i = 0; i < n; i++)
			if (lineheader_same(name, seen[i]))
				return problem(r->why, LINE_INVALID_HEADER, name_column,
					       "header '%s' is given twice",
					       safe_show(name, SHOWN));
		bytes += name.n + value.n;
		if (n == HEADERS_MAX || bytes > HEADER_BYTES_MAX)
			return problem(r->why, LINE_INVALID_HEADER, column,
				       "'headers' must have at most %d members and %d bytes",
				       HEADERS_MAX, HEADER_BYTES_MAX);
		seen[n] = name;
	}
	r->l->headers = headers;
	return 0;
}

static void read_body(struct reading *r)
{
	struct line *l = r->l;
	struct span body = r->parts.value[PART_BODY];
	if (!body.p || json_type(body) == JSON_NULL)
		return;
	l->body = body;
	const struct span *members = r->parts.body;
	if (members[BODY_MODEL].p && json_type(members[BODY_MODEL]) == JSON_STRING)
		l->body_model = members[BODY_MODEL];
	for (int i = BODY_MAX_COMPLETION_TOKENS; i <= BODY_MAX_OUTPUT_TOKENS; i++)
		if (l->max_tokens == 0)
			json_int(members[i], 1, TOKENS_MAX, &l->max_tokens);
	l->stream = span_is(members[BODY_STREAM], "true");
}

/* The host of an absolute url as a key. */
static struct span host_key(struct reading *r, struct span authority)
{
	struct str *scratch = &r->l->scratch;
	if (scratch->n == 0)
		str_reserve(scratch, r->room);
	size_t from = scratch->n;
	lineurl_lower(authority, scratch);
	return (struct span){ scratch->p + from, scratch->n - from };
}

static int read_model(struct reading *r, const struct lineurl *u)
{
	struct line *l = r->l;
	if (read_string(r, PART_MODEL, LINE_INVALID_MODEL, &l->model) < 0)
		return -1;
	const char *place = r->parts.value[PART_MODEL].p, *what = "'model'";
	if (!place && l->body_model.n > 2) {
		place = l->body_model.p;
		what = "'model' in the body";
		l->model = decode(inside(l->body_model), &l->scratch, r->room);
	}
	if (place)
		return check_label(r, l->model, MODEL_MAX, what, LINE_INVALID_MODEL, place);
	if (r->rules && r->rules->default_model)
		l->model = span_of(r->rules->default_model);
	else if (u->authority.p)
		l->model = host_key(r, u->authority);
	else
		l->model = SPAN_LIT("-");
	return 0;
}

int line_read(struct line *l, struct span raw, const struct line_rules *rules,
	      struct line_problem *why)
{
	struct reading r = { .l = l, .raw = raw, .rules = rules, .why = why };
	struct json_error je;
	struct lineurl u;
	struct str scratch = l->scratch;
	*l = (struct line){ .raw = raw, .scratch = scratch };
	str_reset(&l->scratch);
	if (lineparts_read(&r.parts, raw, &je) < 0)
		return bad_json(&r, &je);
	if (!r.parts.object)
		return problem(why, LINE_INVALID_JSON, r.parts.start + 1,
			       "a line must be a JSON object, not %s",
			       type_text((struct span){ raw.p + r.parts.start, 1 }));
	const struct span *values = r.parts.value, twice = r.parts.twice;
	if (twice.p)
		return problem(why, LINE_INVALID_JSON, column_of(&r, twice.p - 1),
			       "member '%s' is given twice",
			       safe_show(decode(twice, &l->scratch, twice.n), SHOWN));
	r.room = LINEURL_AUTHORITY_MAX + values[PART_CUSTOM_ID].n + values[PART_URL].n
		+ values[PART_METHOD].n + values[PART_MODEL].n + r.parts.body[BODY_MODEL].n;
	if (read_custom_id(&r) < 0 || read_url(&r, &u) < 0 || read_method(&r) < 0
	    || read_headers(&r) < 0)
		return -1;
	if (values[PART_API_KEY].p && !secrets_allowed(&r))
		return problem(why, LINE_SECRET, column_of(&r, values[PART_API_KEY].p),
			       "member 'api_key' holds a secret: " WAY_OUT);
	read_body(&r);
	l->metadata = values[PART_METADATA];
	return read_model(&r, &u);
}

void line_release(struct line *l)
{
	str_release(&l->scratch);
	*l = (struct line)LINE_INIT;
}

struct span line_body_bytes(const struct line *l, struct str *out)
{
	if (!l->body.p || json_type(l->body) != JSON_STRING)
		return l->body;
	str_reset(out);
	return decode(inside(l->body), out, l->body.n);
}

bool line_header(const struct line *l, size_t *pos, struct str *scratch,
		 struct span *name, struct span *value)
{
	struct span raw, item;
	if (!json_each(l->headers, pos, &raw, &item))
		return false;
	str_reset(scratch);
	*name = decode(raw, scratch, raw.n + item.n);
	*value = decode(inside(item), scratch, raw.n + item.n);
	return true;
}

struct id line_hash(const struct line *l)
{
	struct span fields[] = { l->method, l->url, l->headers, l->body };
	return hash_fields(fields, ARRAY_LEN(fields));
}
