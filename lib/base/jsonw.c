#include "base/jsonw.h"

#include <inttypes.h>
#include <string.h>
#include "base/err.h"
#include "base/safe.h"

enum { DEPTH_MAX = 32 };

struct jsonw jsonw_start(struct str *out)
{
	return (struct jsonw){ .out = out };
}

static uint32_t level_bit(const struct jsonw *w)
{
	return UINT32_C(1) << (w->depth - 1);
}

/* Before a name, and before a value without one.  At depth 0 there are no
 * commas: callers put a newline between their texts. */
static void comma(struct jsonw *w)
{
	if (w->depth == 0)
		return;
	if (w->has_items & level_bit(w))
		str_addc(w->out, ',');
	w->has_items |= level_bit(w);
}

static void open_level(struct jsonw *w, char c)
{
	comma(w);
	if (w->depth == DEPTH_MAX)
		BUG("jsonw: more than %d levels", DEPTH_MAX);
	w->depth++;
	w->has_items &= ~level_bit(w);
	str_addc(w->out, c);
}

static void close_level(struct jsonw *w, char c)
{
	if (w->depth == 0)
		BUG("jsonw: '%c' closes nothing", c);
	w->depth--;
	str_addc(w->out, c);
}

void jsonw_object(struct jsonw *w)
{
	open_level(w, '{');
}

void jsonw_end(struct jsonw *w)
{
	close_level(w, '}');
}

void jsonw_array(struct jsonw *w)
{
	open_level(w, '[');
}

void jsonw_array_end(struct jsonw *w)
{
	close_level(w, ']');
}

void jsonw_key(struct jsonw *w, const char *name)
{
	if (w->depth == 0)
		BUG("jsonw: the name '%s' is in no object", name);
	comma(w);
	jsonw_quote(w->out, span_of(name));
	str_addc(w->out, ':');
	/* The value that follows wants no comma and sets the bit again. */
	w->has_items &= ~level_bit(w);
}

void jsonw_str(struct jsonw *w, struct span v)
{
	if (!v.p) {
		jsonw_null(w);
		return;
	}
	comma(w);
	jsonw_quote(w->out, v);
}

void jsonw_strz(struct jsonw *w, const char *z)
{
	jsonw_str(w, span_of(z));
}

void jsonw_int(struct jsonw *w, int64_t v)
{
	comma(w);
	str_addf(w->out, "%" PRId64, v);
}

void jsonw_int_or_null(struct jsonw *w, int64_t v, bool is_null)
{
	if (is_null)
		jsonw_null(w);
	else
		jsonw_int(w, v);
}

void jsonw_micro(struct jsonw *w, int64_t micros)
{
	/* -INT64_MIN is no int64_t. */
	uint64_t u = micros < 0 ? -(uint64_t)micros : (uint64_t)micros;
	comma(w);
	str_addf(w->out, "%s%" PRIu64, micros < 0 ? "-" : "", u / 1000000);
	unsigned rest = (unsigned)(u % 1000000);
	if (rest == 0)
		return;
	int digits = 6;
	for (; rest % 10 == 0; rest /= 10)
		digits--;
	str_addf(w->out, ".%0*u", digits, rest);
}

void jsonw_bool(struct jsonw *w, bool v)
{
	comma(w);
	str_addz(w->out, v ? "true" : "false");
}

void jsonw_null(struct jsonw *w)
{
	comma(w);
	str_addz(w->out, "null");
}

void jsonw_raw(struct jsonw *w, struct span json)
{
	if (json.n == 0)
		BUG("jsonw_raw: no text is no JSON");
	comma(w);
	str_addspan(w->out, json);
}

void jsonw_kstr(struct jsonw *w, const char *name, struct span v)
{
	jsonw_key(w, name);
	jsonw_str(w, v);
}

void jsonw_kstrz(struct jsonw *w, const char *name, const char *z)
{
	jsonw_key(w, name);
	jsonw_strz(w, z);
}

void jsonw_kint(struct jsonw *w, const char *name, int64_t v)
{
	jsonw_key(w, name);
	jsonw_int(w, v);
}

void jsonw_kbool(struct jsonw *w, const char *name, bool v)
{
	jsonw_key(w, name);
	jsonw_bool(w, v);
}

void jsonw_knull(struct jsonw *w, const char *name)
{
	jsonw_key(w, name);
	jsonw_null(w);
}

void jsonw_kraw(struct jsonw *w, const char *name, struct span json)
{
	jsonw_key(w, name);
	jsonw_raw(w, json);
}

/* True if all eight bytes are ASCII that stands for itself in a string. */
static bool eight_clean(const char *p)
{
	const uint64_t ones = UINT64_C(0x0101010101010101);
	const uint64_t tops = ones * 0x80;
	uint64_t x;
	memcpy(&x, p, sizeof(x));
	uint64_t quote = x ^ ones * '"', slash = x ^ ones * '\\', del = x ^ ones * 0x7f;
	/* A byte below k borrows its top bit in x - k; one above 0x7f has it,
	 * so the borrows are right as long as no byte is above 0x7f. */
	return !((x | (x - ones * 0x20) | (quote - ones) | (slash - ones) |
		  (del - ones)) & tops);
}

/* The number of bytes from v.p + from on that stand for themselves. */
static size_t clean_run(struct span v, size_t from)
{
	size_t i = from;
	while (i < v.n) {
		if (!(v.p[i] & 0x80) && v.n - i >= 8 && eight_clean(v.p + i)) {
			i += 8;
			continue;
		}
		uint32_t code;
		size_t len = safe_decode(v.p + i, v.n - i, &code);
		if (len == 0 || code == '"' || code == '\\' || safe_control(code))
			break;
		i += len;
	}
	return i - from;
}

static void add_escape(struct str *out, uint32_t code)
{
	/* The pairs of RFC 8259 section 7; '/' needs none. */
	static const char codes[] = "\"\\\b\f\n\r\t", letters[] = "\"\\bfnrt";
	const char *at = NULL;
	if (code < 0x80)
		at = memchr(codes, (int)code, sizeof(codes) - 1);
	if (at) {
		str_addc(out, '\\');
		str_addc(out, letters[at - codes]);
	} else {
		str_addf(out, "\\u%04x", (unsigned)code);
	}
}

void jsonw_quote(struct str *out, struct span v)
{
	str_reserve(out, v.n + 2);
	str_addc(out, '"');
	for (size_t i = 0; i < v.n;) {
		size_t n = clean_run(v, i);
		str_add(out, v.p + i, n);
		i += n;
		if (i == v.n)
			break;
		uint32_t code;
		n = safe_decode(v.p + i, v.n - i, &code);
		if (n == 0) {
			str_addz(out, "\xef\xbf\xbd"); /* U+FFFD */
			i++;
		} else {
			add_escape(out, code);
			i += n;
		}
	}
	str_addc(out, '"');
}

static void add_base64(struct str *out, struct span v)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				     "abcdefghijklmnopqrstuvwxyz0123456789+/";
	str_reserve(out, v.n / 3 * 4 + 4);
	for (size_t i = 0; i < v.n; i += 3) {
		size_t n = v.n - i < 3 ? v.n - i : 3;
		unsigned char b[3] = { 0, 0, 0 };
		memcpy(b, v.p + i, n);
		char four[4] = {
			digits[b[0] >> 2],
			digits[(b[0] & 3) << 4 | b[1] >> 4],
			n > 1 ? digits[(b[1] & 15) << 2 | b[2] >> 6] : '=',
			n > 2 ? digits[b[2] & 63] : '=',
		};
		str_add(out, four, sizeof(four));
	}
}

void jsonw_base64(struct jsonw *w, struct span v)
{
	jsonw_object(w);
	jsonw_key(w, "$base64");
	comma(w);
	str_addc(w->out, '"');
	add_base64(w->out, v);
	str_addc(w->out, '"');
	jsonw_end(w);
}
