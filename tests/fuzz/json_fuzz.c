/* json_scan() against a second opinion that follows RFC 8259 production by
 * production; and what the other readers make of each text that is valid. */
#include "base/json.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "base/err.h"
#include "base/mem.h"
#include "base/safe.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

#define MUST(cond) do { if (!(cond)) BUG("%s", #cond); } while (0)

static bool inside(struct span part, struct span whole)
{
	return part.p >= whole.p && part.p + part.n <= whole.p + whole.n;
}

/* The second opinion: each takes what it knows off the front, or fails. */

static bool take(struct span *t, char c)
{
	if (t->n == 0 || *t->p != c)
		return false;
	t->p++;
	t->n--;
	return true;
}

static bool take_any(struct span *t, const char *set)
{
	for (; *set; set++)
		if (take(t, *set))
			return true;
	return false;
}

static bool take_word(struct span *t, const char *word)
{
	while (*word)
		if (!take(t, *word++))
			return false;
	return true;
}

static void take_space(struct span *t)
{
	while (take_any(t, " \t\n\r"))
		;
}

static bool take_digits(struct span *t)
{
	bool any = false;
	while (take_any(t, "0123456789"))
		any = true;
	return any;
}

static bool take_number(struct span *t)
{
	take(t, '-');
	if (!take(t, '0') && !take_digits(t))
		return false;
	if (take(t, '.') && !take_digits(t))
		return false;
	if (!take_any(t, "eE"))
		return true;
	take_any(t, "+-");
	return take_digits(t);
}

static long take_hex4(struct span *t)
{
	char z[5] = "";
	for (int i = 0; i < 4; i++) {
		char c = t->n ? *t->p : '\0';
		if (!take_any(t, "0123456789abcdefABCDEF"))
			return -1;
		z[i] = c;
	}
	return strtol(z, NULL, 16);
}

static bool take_string(struct span *t)
{
	if (!take(t, '"'))
		return false;
	while (!take(t, '"')) {
		size_t n = safe_utf8(t->p, t->n);
		if (n == 0 || (unsigned char)*t->p < 0x20)
			return false;
		if (!take(t, '\\')) {
			t->p += n;
			t->n -= n;
		} else if (take(t, 'u')) {
			long v = take_hex4(t);
			if (v < 0 || (v >= 0xdc00 && v <= 0xdfff))
				return false;
			if (v < 0xd800 || v > 0xdfff)
				continue;
			if (!take_word(t, "\\u"))
				return false;
			v = take_hex4(t);
			if (v < 0xdc00 || v > 0xdfff)
				return false;
		} else if (!take_any(t, "\"\\/bfnrt")) {
			return false;
		}
	}
	return true;
}

static bool take_value(struct span *t, int depth)
{
	take_space(t);
	bool ok;
	if (t->n > 0 && *t->p == '"') {
		ok = take_string(t);
	} else if (take(t, '{') || take(t, '[')) {
		bool object = t->p[-1] == '{';
		char closer = object ? '}' : ']';
		ok = depth < JSON_DEPTH;
		take_space(t);
		if (!ok || take(t, closer)) {
			take_space(t);
			return ok;
		}
		do {
			take_space(t);
			if (object) {
				ok = take_string(t);
				take_space(t);
				ok = ok && take(t, ':');
			}
			ok = ok && take_value(t, depth + 1);
		} while (ok && take(t, ','));
		ok = ok && take(t, closer);
	} else if (t->n > 0 && strchr("tfn", *t->p) && *t->p) {
		ok = take_word(t, *t->p == 't' ? "true" : *t->p == 'f' ? "false" : "null");
	} else {
		ok = take_number(t);
	}
	take_space(t);
	return ok;
}

/* The members as json_scan() tells them, in one text. */
struct told {
	struct span text;
	struct str members;
	int left; /* calls before it is stopped; -1: never */
};

static int tell(void *ctx, int depth, struct span parent, struct span name,
		struct span value)
{
	struct told *t = ctx;
	MUST(depth == 1 || depth == 2);
	MUST((depth == 2) == (parent.p != NULL));
	MUST(!parent.p || inside(parent, t->text));
	MUST(inside(name, t->text) && name.p[-1] == '"' && name.p[name.n] == '"');
	MUST(inside(value, t->text) && value.n > 0);
	str_addf(&t->members, "%d ", depth);
	str_addspan(&t->members, name);
	str_addc(&t->members, '=');
	str_addspan(&t->members, value);
	return t->left >= 0 && t->left-- == 0 ? 99 : 0;
}

static void check_string(struct span raw)
{
	struct str s CLEANUP(str_release) = STR_INIT;
	json_unescape(raw, &s);
	MUST(safe_is_utf8(str_span(&s)) && s.n <= raw.n);
	MUST(json_plain(raw) == (s.n == raw.n));
	MUST(s.n < raw.n || s.n == 0 || memcmp(s.p, raw.p, s.n) == 0);
}

static void check_int(struct span value)
{
	int64_t v;
	char *z CLEANUP(mem_cleanup) = mem_copy(value.p, value.n), *end;
	errno = 0;
	long long want = strtoll(z, &end, 10);
	bool whole = json_type(value) == JSON_NUMBER && *end == '\0' && errno == 0;
	MUST(json_int(value, INT64_MIN, INT64_MAX, &v) == whole);
	MUST(!whole || v == want);
}

/* Walks over everything in a valid value; members of depth 1 and 2 go to
 * `members` as tell() writes them. */
static void walk(struct span value, int depth, bool told, struct str *members)
{
	struct span name, item;
	size_t pos = 0, before = 0;
	enum json_type type = json_type(value);
	if (type == JSON_STRING)
		check_string((struct span){ value.p + 1, value.n - 2 });
	check_int(value);
	for (; json_each(value, &pos, &name, &item); before = pos) {
		MUST(pos > before && pos <= value.n && inside(item, value) && item.n > 0);
		MUST((name.p != NULL) == (type == JSON_OBJECT));
		bool tell_it = told && name.p && depth <= 2;
		if (name.p) {
			MUST(inside(name, value));
			check_string(name);
		}
		walk(item, depth + 1, tell_it, members);
		if (!tell_it)
			continue;
		str_addf(members, "%d ", depth);
		str_addspan(members, name);
		str_addc(members, '=');
		str_addspan(members, item);
	}
	MUST(!json_each(value, &pos, &name, &item));
}

static void check_compact(struct span text, struct str *out)
{
	struct str slow CLEANUP(str_release) = STR_INIT;
	bool in_string = false;
	for (size_t i = 0; i < text.n; i++) {
		char c = text.p[i];
		if (in_string && c == '\\')
			str_addc(&slow, text.p[i++]);
		else if (c == '"')
			in_string = !in_string;
		if (in_string || !strchr(" \t\n\r", c))
			str_addc(&slow, text.p[i]);
	}
	json_compact(text, out);
	MUST(span_eq(str_span(out), str_span(&slow)));
}

static void check_valid(struct span text, struct told *t)
{
	struct str members CLEANUP(str_release) = STR_INIT;
	struct str compact CLEANUP(str_release) = STR_INIT;
	struct json_error je;
	struct span value = text;
	while (strchr(" \t\n\r", *value.p)) {
		value.p++;
		value.n--;
	}
	walk(value, 1, true, &members);
	MUST(span_eq(str_span(&members), str_span(&t->members)));
	check_compact(text, &compact);
	MUST(json_scan(str_span(&compact), NULL, NULL, &je) == 0);
	str_reset(&t->members);
	t->left = 0;
	MUST(json_scan(text, tell, t, &je) == (members.n > 0 ? 99 : 0));
}

/* For what is not valid they promise no more than to stay inside and to end. */
static void check_invalid(struct span text)
{
	struct str out CLEANUP(str_release) = STR_INIT;
	struct span name, item;
	size_t pos = 0, n = 0;
	for (; json_each(text, &pos, &name, &item); n++)
		MUST(n < text.n && inside(item, text) && (!name.p || inside(name, text)));
	json_compact(text, &out);
	MUST(out.n <= text.n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct span text = { (const char *)data, n }, rest = text;
	struct told t = { .text = text, .left = -1 };
	struct json_error je = { 0, NULL, false };
	bool valid = take_value(&rest, 0) && rest.n == 0;
	int r = json_scan(text, tell, &t, &je);
	MUST(r == (valid ? 0 : -1));
	if (valid) {
		check_valid(text, &t);
	} else {
		MUST(je.what && je.offset <= n);
		MUST(je.utf8 == (strcmp(je.what, "invalid UTF-8") == 0));
		MUST((je.offset == n) == (strcmp(je.what, "unexpected end") == 0));
		MUST(!je.utf8 || safe_utf8(text.p + je.offset, n - je.offset) == 0);
		check_invalid(text);
	}
	str_release(&t.members);
	return 0;
}
