#include "base/json.h"

#include <string.h>
#include "base/err.h"
#include "base/jsonstr.h"
#include "base/safe.h"

/* What a byte outside of strings can be.  WORD: sticks to a number or a
 * literal, so that "0x1" is a bad number and not a zero with something
 * behind it. */
enum { SPACE = 1, DIGIT = 2, WORD = 4 };

static const unsigned char class[256] = {
	[' '] = SPACE, ['\t'] = SPACE, ['\n'] = SPACE, ['\r'] = SPACE,
	['0' ... '9'] = DIGIT | WORD, ['+'] = WORD, ['-'] = WORD, ['.'] = WORD,
	['A' ... 'Z'] = WORD, ['a' ... 'z'] = WORD, ['_'] = WORD,
};

static inline bool is(const char *p, int what)
{
	return class[(unsigned char)*p] & what;
}

static inline const char *skip(const char *p, const char *end, int what)
{
	while (p < end && is(p, what))
		p++;
	return p;
}

/* A container's kind is a bit, and how deep we are its index + 1. */
struct scan {
	const char *text;
	const char *end;
	struct json_error *je;
	int depth;
	uint64_t objects[JSON_DEPTH / 64];
	const char *start[3];  /* of the value that is read at this depth */
	struct span name[3];   /* of the member that is read at this depth */
};

static inline bool in_object(const struct scan *s, int depth)
{
	return s->objects[(depth - 1) / 64] >> ((depth - 1) % 64) & 1;
}

static inline void enter(struct scan *s, bool object)
{
	uint64_t bit = UINT64_C(1) << (s->depth % 64);
	uint64_t *word = &s->objects[s->depth / 64];
	*word = object ? *word | bit : *word & ~bit;
	s->depth++;
}

static const char *fail(struct scan *s, const char *p, const char *what)
{
	bool utf8 = false;
	if (p == s->end)
		what = "unexpected end";
	else if ((unsigned char)*p >= 0x80 && !safe_utf8(p, (size_t)(s->end - p)))
		utf8 = true;
	*s->je = (struct json_error){
		.offset = (size_t)(p - s->text),
		.what = utf8 ? "invalid UTF-8" : what,
		.utf8 = utf8,
	};
	return NULL;
}

/* All of these return what is behind the thing, or NULL. */

/* p: behind the opening quote. */
static inline const char *scan_string(struct scan *s, const char *p)
{
	const char *what = jsonstr_check(&p, s->end);
	return what ? fail(s, p, what) : p;
}

static const char *scan_digits(struct scan *s, const char *p)
{
	if (p == s->end || !is(p, DIGIT))
		return fail(s, p, "invalid number");
	return skip(p, s->end, DIGIT);
}

static const char *scan_number(struct scan *s, const char *p)
{
	const char *end = s->end;
	if (*p == '-')
		p++;
	p = p < end && *p == '0' ? p + 1 : scan_digits(s, p);
	if (p && p < end && *p == '.')
		p = scan_digits(s, p + 1);
	if (p && p < end && (*p | 0x20) == 'e') {
		p++;
		if (p < end && (*p == '+' || *p == '-'))
			p++;
		p = scan_digits(s, p);
	}
	if (p && p < end && is(p, WORD))
		return fail(s, p, "invalid number");
	return p;
}

static const char *scan_literal(struct scan *s, const char *p, const char *word)
{
	for (; *word; word++, p++) {
		if (p == s->end || *p != *word)
			return fail(s, p, "invalid literal");
	}
	if (p < s->end && is(p, WORD))
		return fail(s, p, "invalid literal");
	return p;
}

static const char single_quote[] = "strings need double quotes";

/* A name, the colon behind it, and the white space behind that. */
static const char *scan_name(struct scan *s, const char *p)
{
	if (p == s->end || *p != '"')
		return fail(s, p, p < s->end && *p == '\''
			    ? single_quote : "expected a member name");
	const char *name = p + 1;
	p = scan_string(s, name);
	if (!p)
		return NULL;
	if (s->depth <= 2)
		s->name[s->depth] = (struct span){ name, (size_t)(p - 1 - name) };
	p = skip(p, s->end, SPACE);
	if (p == s->end || *p != ':')
		return fail(s, p, "expected ':'");
	return skip(p + 1, s->end, SPACE);
}

/* p: no value begins here. */
static const char *scan_nothing(struct scan *s, const char *p)
{
	struct span rest = { p, (size_t)(s->end - p) };
	if (p == s->text && span_starts(rest, "\xef\xbb\xbf"))
		return fail(s, p, "unexpected byte order mark");
	if (span_starts(rest, "NaN") || span_starts(rest, "Infinity"))
		return fail(s, p, "NaN and Infinity are not JSON");
	if (*p == '+' || *p == '.')
		return fail(s, p, "invalid number");
	if (*p == '\'')
		return fail(s, p, single_quote);
	if (*p == '/')
		return fail(s, p, "comments are not JSON");
	if (*p == ',' || *p == ':' || *p == ']' || *p == '}')
		return fail(s, p, "expected a value");
	return fail(s, p, is(p, WORD) ? "invalid literal" : "unexpected character");
}

/* p: the bracket.  *done: there is nothing in it. */
static const char *scan_open(struct scan *s, const char *p, bool *done)
{
	bool object = *p == '{';
	if (s->depth == JSON_DEPTH)
		return fail(s, p, "nested too deeply");
	p = skip(p + 1, s->end, SPACE);
	*done = p < s->end && *p == (object ? '}' : ']');
	if (*done)
		return p + 1;
	enter(s, object);
	return object ? scan_name(s, p) : p;
}

/* p: the first byte of a value.  *done is false if it was a bracket, and the
 * first value in it is to come. */
static inline const char *scan_value(struct scan *s, const char *p, bool *done)
{
	*done = true;
	if (s->depth <= 2)
		s->start[s->depth] = p;
	if (p == s->end)
		return fail(s, p, NULL);
	switch (*p) {
	case '"':
		return scan_string(s, p + 1);
	case '{':
	case '[':
		return scan_open(s, p, done);
	case '-':
	case '0' ... '9':
		return scan_number(s, p);
	case 't':
		return scan_literal(s, p, "true");
	case 'f':
		return scan_literal(s, p, "false");
	case 'n':
		return scan_literal(s, p, "null");
	default:
		return scan_nothing(s, p);
	}
}

/* p: behind a value in a container.  Where the next one begins, or behind the
 * container's end: *done. */
static inline const char *scan_next(struct scan *s, const char *p, bool *done)
{
	bool object = in_object(s, s->depth);
	char closer = object ? '}' : ']';
	p = skip(p, s->end, SPACE);
	*done = p < s->end && *p == closer;
	if (*done) {
		s->depth--;
		return p + 1;
	}
	if (p == s->end || *p != ',')
		return fail(s, p, object ? "expected ',' or '}'" : "expected ',' or ']'");
	p = skip(p + 1, s->end, SPACE);
	if (p < s->end && *p == closer)
		return fail(s, p, "trailing comma");
	return object ? scan_name(s, p) : p;
}

int json_scan(struct span text, json_member_fn *fn, void *ctx, struct json_error *je)
{
	struct scan s = { .text = text.p, .je = je };
	if (text.n == 0) {
		*je = (struct json_error){ 0, "unexpected end", false };
		return -1;
	}
	s.end = text.p + text.n;
	const char *p = skip(text.p, s.end, SPACE);
	for (;;) {
		bool done;
		p = scan_value(&s, p, &done);
		while (p && done && s.depth > 0) {
			int d = s.depth;
			if (d <= 2 && fn && in_object(&s, d) && in_object(&s, 1)) {
				struct span value = {
					s.start[d], (size_t)(p - s.start[d])
				};
				int r = fn(ctx, d, d == 2 ? s.name[1] : SPAN_NONE,
					   s.name[d], value);
				if (r != 0)
					return r;
			}
			p = scan_next(&s, p, &done);
		}
		if (!p)
			return -1;
		if (!done)
			continue;
		p = skip(p, s.end, SPACE);
		if (p == s.end)
			return 0;
		fail(&s, p, "text after the value");
		return -1;
	}
}

/* From here on the text is valid; nothing is read beyond its end if not. */

enum json_type json_type(struct span value)
{
	switch (value.n ? *value.p : 0) {
	case '"':
		return JSON_STRING;
	case '{':
		return JSON_OBJECT;
	case '[':
		return JSON_ARRAY;
	case 't':
		return JSON_TRUE;
	case 'f':
		return JSON_FALSE;
	case 'n':
		return JSON_NULL;
	case '-':
	case '0' ... '9':
		return JSON_NUMBER;
	default:
		BUG("json_type: no JSON value");
	}
}

void json_string(struct span value, struct str *out)
{
	if (value.n < 2)
		BUG("json_string: no JSON string");
	json_unescape((struct span){ value.p + 1, value.n - 2 }, out);
}

bool json_plain(struct span raw)
{
	return raw.n == 0 || !memchr(raw.p, '\\', raw.n);
}

void json_unescape(struct span raw, struct str *out)
{
	jsonstr_decode(raw, out);
}

bool json_int(struct span value, int64_t min, int64_t max, int64_t *out)
{
	if (value.n == 0)
		return false;
	const char *p = value.p, *end = value.p + value.n;
	bool minus = *p == '-';
	int64_t v = 0;
	if (minus)
		p++;
	if (p == end)
		return false;
	for (; p < end; p++) {
		if (!is(p, DIGIT) || __builtin_mul_overflow(v, 10, &v))
			return false;
		int digit = minus ? '0' - *p : *p - '0';
		if (__builtin_add_overflow(v, digit, &v))
			return false;
	}
	if (v < min || v > max)
		return false;
	*out = v;
	return true;
}

static const char *value_end(const char *p, const char *end)
{
	size_t depth = 0;
	do {
		if (*p == '"')
			p = jsonstr_end(p + 1, end);
		else if (is(p, WORD))
			p = skip(p, end, WORD);
		else if (*p == '{' || *p == '[')
			depth++, p++;
		else if (depth == 0)
			return p;
		else if (*p == '}' || *p == ']')
			depth--, p++;
		else
			p++;
	} while (depth > 0 && p < end);
	return p;
}

void json_compact(struct span value, struct str *out)
{
	const char *p = value.p, *end = value.p + value.n;
	str_reserve(out, value.n);
	while (p < end) {
		p = skip(p, end, SPACE);
		const char *from = p;
		while (p < end && !is(p, SPACE))
			p = *p == '"' ? jsonstr_end(p + 1, end) : p + 1;
		str_add(out, from, (size_t)(p - from));
	}
}

bool json_each(struct span value, size_t *pos, struct span *name, struct span *item)
{
	if (*pos >= value.n)
		return false;
	const char *end = value.p + value.n;
	bool object = *value.p == '{';
	bool more = *pos == 0 && (object || *value.p == '[');
	const char *p = skip(value.p + *pos, end, SPACE);
	if (*pos > 0)
		more = p < end && *p == ',';
	*pos = value.n;
	if (!more)
		return false;
	p = skip(p + 1, end, SPACE);
	*name = SPAN_NONE;
	if (p < end && object && *p == '"') {
		const char *from = p + 1;
		p = jsonstr_end(from, end);
		*name = (struct span){ from, (size_t)(p - from) - (p > from) };
		p = skip(p, end, SPACE);
		if (p < end)
			p = skip(p + 1, end, SPACE);
	}
	if (p == end)
		return false;
	*item = (struct span){ p, (size_t)(value_end(p, end) - p) };
	*pos = (size_t)(p - value.p) + item->n;
	return item->n > 0;
}
