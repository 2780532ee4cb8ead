#include "base/jsonstr.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include "base/err.h"
#include "base/safe.h"

static const char end_of_text[] = "unexpected end";

/* Vectors of GCC and clang: SSE2, NEON or plain registers, as it comes.  The
 * bytes are signed, so that one comparison finds controls and UTF-8. */
enum { WIDE = 16 };
typedef signed char wide __attribute__((vector_size(WIDE)));
typedef uint64_t wide_halves __attribute__((vector_size(WIDE)));

static inline int first_byte(uint64_t mask)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	return __builtin_ctzll(mask) / 8;
#else
	return __builtin_clzll(mask) / 8;
#endif
}

static inline bool is_wide(char c)
{
	return (unsigned char)c >= 0x80;
}

static inline bool is_control(char c)
{
	return (unsigned char)c < 0x20;
}

/* Where the bytes end that need no second look: at a quote, a backslash, a
 * control, UTF-8 of several bytes, or the end. */
static inline const char *plain_run(const char *p, const char *end)
{
	for (; end - p >= WIDE; p += WIDE) {
		wide v;
		memcpy(&v, p, WIDE);
		wide_halves stop = (wide_halves)((v < 0x20) | (v == '"') | (v == '\\'));
		if (stop[0])
			return p + first_byte(stop[0]);
		if (stop[1])
			return p + WIDE / 2 + first_byte(stop[1]);
	}
	while (p < end && !is_control(*p) && !is_wide(*p) && *p != '"' && *p != '\\')
		p++;
	return p;
}

static inline bool is_tail(char c)
{
	return (c & 0xc0) == 0x80;
}

/* As safe_utf8(), which decides all but the usual: two bytes, and three with
 * a first byte that takes any second one. */
static inline size_t utf8_length(const char *p, const char *end)
{
	if (end - p >= 3 && is_tail(p[1])) {
		unsigned char lead = (unsigned char)*p;
		if (lead >= 0xc2 && lead <= 0xdf)
			return 2;
		if (lead >= 0xe1 && lead <= 0xec && is_tail(p[2]))
			return 3;
	}
	return safe_utf8(p, (size_t)(end - p));
}

/* The value of the \uXXXX at p; or there is none, or it is cut off. */
enum { HEX_NONE = -1, HEX_CUT = -2 };

static int hex_escape(const char *p, const char *end)
{
	int v = 0;
	for (int i = 0; i < 6; i++, p++) {
		if (p == end)
			return HEX_CUT;
		int lower = *p | 0x20;
		if (i < 2) {
			if (*p != "\\u"[i])
				return HEX_NONE;
		} else if (*p >= '0' && *p <= '9') {
			v = v << 4 | (*p - '0');
		} else if (lower >= 'a' && lower <= 'f') {
			v = v << 4 | (lower - 'a' + 10);
		} else {
			return HEX_NONE;
		}
	}
	return v;
}

static inline bool is_high(int v)
{
	return v >= 0xd800 && v <= 0xdbff;
}

static inline bool is_low(int v)
{
	return v >= 0xdc00 && v <= 0xdfff;
}

static const char short_from[] = "\"\\/bfnrt", short_to[] = "\"\\/\b\f\n\r\t";

/* The character that \c stands for, or -1. */
static inline int short_escape(char c)
{
	const char *at = memchr(short_from, c, sizeof(short_from) - 1);
	return at ? short_to[at - short_from] : -1;
}

static const char *check_escape(const char **p, const char *end)
{
	if (end - *p >= 2 && short_escape((*p)[1]) >= 0) {
		*p += 2;
		return NULL;
	}
	int v = hex_escape(*p, end);
	int low = is_high(v) ? hex_escape(*p + 6, end) : 0;
	if (v == HEX_CUT || low == HEX_CUT) {
		*p = end;
		return end_of_text;
	}
	if (v == HEX_NONE)
		return "invalid escape";
	if (is_low(v) || (is_high(v) && !is_low(low)))
		return "lone surrogate";
	*p += is_high(v) ? 12 : 6;
	return NULL;
}

static const char *check_utf8(const char **at, const char *end)
{
	const char *p = *at;
	size_t n = 1;
	for (; p < end && is_wide(*p) && n > 0; p += n)
		n = utf8_length(p, end);
	*at = p;
	return n > 0 ? NULL : "invalid UTF-8";
}

const char *jsonstr_check(const char **at, const char *end)
{
	for (;;) {
		const char *p = *at = plain_run(*at, end), *what;
		if (p == end)
			return end_of_text;
		if (*p == '"') {
			*at = p + 1;
			return NULL;
		}
		if (*p == '\\')
			what = check_escape(at, end);
		else if (is_wide(*p))
			what = check_utf8(at, end);
		else
			return "control character in string";
		if (what)
			return what;
	}
}

const char *jsonstr_end(const char *p, const char *end)
{
	for (;;) {
		p = plain_run(p, end);
		if (p == end)
			return end;
		if (*p == '"')
			return p + 1;
		p += *p == '\\' && end - p > 1 ? 2 : 1;
		while (p < end && is_wide(*p))
			p++;
	}
}

static void add_utf8(struct str *out, int v)
{
	static const int lead[] = { 0, 0, 0xc0, 0xe0, 0xf0 };
	char b[4];
	size_t n = v < 0x80 ? 1 : v < 0x800 ? 2 : v < 0x10000 ? 3 : 4;
	for (size_t i = n - 1; i > 0; i--, v >>= 6)
		b[i] = (char)(0x80 | (v & 0x3f));
	b[0] = (char)(lead[n] | v);
	str_add(out, b, n);
}

void jsonstr_decode(struct span raw, struct str *out)
{
	if (raw.n == 0)
		return;
	const char *p = raw.p, *end = raw.p + raw.n;
	str_reserve(out, raw.n);
	for (const char *stop; (stop = memchr(p, '\\', (size_t)(end - p))); ) {
		str_add(out, p, (size_t)(stop - p));
		int v = end - stop < 2 ? -1 : short_escape(stop[1]);
		p = stop + 2;
		if (v < 0) {
			v = hex_escape(stop, end);
			p = stop + 6;
		}
		if (is_high(v)) {
			int low = hex_escape(p, end);
			v = is_low(low) ? 0x10000 + ((v - 0xd800) << 10) + low - 0xdc00 : -1;
			p += 6;
		}
		if (v < 0)
			BUG("jsonstr_decode: no valid escape");
		add_utf8(out, v);
	}
	str_add(out, p, (size_t)(end - p));
}
