#include "base/safe.h"

#include <errno.h>
#include <string.h>
#include "base/err.h"
#include "base/mem.h"

enum { SHOW_MAX = 200, SHOW_BUFS = 4, REDACT_MIN = 4, REDACT_CUT = 8 };

size_t safe_decode(const char *p, size_t n, uint32_t *code)
{
	const unsigned char *u = (const unsigned char *)p;
	if (n == 0)
		return 0;
	if (u[0] < 0x80) {
		*code = u[0];
		return 1;
	}
	/* Table 3-7 of the Unicode standard: only the second byte has a range
	 * of its own, and only behind four of the first bytes. */
	size_t len;
	unsigned char low = 0x80, high = 0xbf;
	if (u[0] >= 0xc2 && u[0] <= 0xdf) {
		len = 2;
	} else if (u[0] >= 0xe0 && u[0] <= 0xef) {
		len = 3;
		if (u[0] == 0xe0)
			low = 0xa0;
		if (u[0] == 0xed)
			high = 0x9f;
	} else if (u[0] >= 0xf0 && u[0] <= 0xf4) {
		len = 4;
		if (u[0] == 0xf0)
			low = 0x90;
		if (u[0] == 0xf4)
			high = 0x8f;
	} else {
		return 0;
	}
	if (n < len || u[1] < low || u[1] > high)
		return 0;
	uint32_t c = u[0] & (0x7fu >> len);
	c = c << 6 | (u[1] & 0x3fu);
	for (size_t i = 2; i < len; i++) {
		if ((u[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (u[i] & 0x3fu);
	}
	*code = c;
	return len;
}

size_t safe_utf8(const char *p, size_t n)
{
	uint32_t code;
	return safe_decode(p, n, &code);
}

bool safe_is_utf8(struct span v)
{
	size_t i = 0;
	while (i < v.n) {
		uint64_t eight;
		if (v.n - i >= sizeof(eight)) {
			memcpy(&eight, v.p + i, sizeof(eight));
			if (!(eight & UINT64_C(0x8080808080808080))) {
				i += sizeof(eight);
				continue;
			}
		}
		size_t len = safe_utf8(v.p + i, v.n - i);
		if (len == 0)
			return false;
		i += len;
	}
	return true;
}

bool safe_control(uint32_t code)
{
	return code < 0x20 || (code >= 0x7f && code <= 0x9f) || code == 0x061c ||
	       code == 0x200e || code == 0x200f ||
	       (code >= 0x202a && code <= 0x202e) ||
	       (code >= 0x2066 && code <= 0x2069);
}

/* The number of bytes from v.p + from on that can be shown as they are. */
static size_t clean_run(struct span v, size_t from)
{
	size_t i = from;
	while (i < v.n) {
		uint32_t code;
		size_t len = safe_decode(v.p + i, v.n - i, &code);
		if (len == 0 || safe_control(code))
			break;
		i += len;
	}
	return i - from;
}

/* The number of bytes at v.p + from to replace: one that is no UTF-8, or all
 * of a control. */
static size_t bad_run(struct span v, size_t from)
{
	size_t len = safe_utf8(v.p + from, v.n - from);
	return len ? len : 1;
}

static void add_escaped(struct str *out, const char *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		str_addf(out, "\\x%02x", (unsigned char)p[i]);
}

void safe_text(struct str *out, struct span v)
{
	for (size_t i = 0; i < v.n;) {
		size_t n = clean_run(v, i);
		str_add(out, v.p + i, n);
		i += n;
		if (i < v.n) {
			n = bad_run(v, i);
			add_escaped(out, v.p + i, n);
			i += n;
		}
	}
}

void safe_plain(struct str *out, struct span v)
{
	size_t from = 0;
	for (size_t i = 0; i < v.n; i++) {
		const char *as = NULL;
		if (v.p[i] == '\t')
			as = "\\t";
		else if (v.p[i] == '\n')
			as = "\\n";
		else if (v.p[i] == '\\')
			as = "\\\\";
		if (!as)
			continue;
		/* The three are ASCII, so no valid sequence is cut in two. */
		safe_text(out, (struct span){ v.p + from, i - from });
		str_addz(out, as);
		from = i + 1;
	}
	if (from < v.n)
		safe_text(out, (struct span){ v.p + from, v.n - from });
}

/* The longest start of v of at most max bytes that ends between characters. */
static size_t cut_at(struct span v, size_t max)
{
	for (size_t back = 1; back <= 3 && back <= max; back++)
		if (safe_utf8(v.p + max - back, v.n - max + back) > back)
			return max - back;
	return max;
}

const char *safe_show(struct span v, size_t max)
{
	static _Thread_local char bufs[SHOW_BUFS][SHOW_MAX * 4 + sizeof("...")];
	static _Thread_local unsigned turn;
	if (max > SHOW_MAX)
		BUG("safe_show: %zu bytes are too many", max);
	int number = errno; /* for err_sys(), whose arguments we are called in */
	bool cut = v.n > max;
	if (cut)
		v.n = cut_at(v, max);
	struct str s CLEANUP(str_release) = STR_INIT;
	safe_text(&s, v);
	if (cut)
		str_addz(&s, "...");
	char *buf = bufs[turn++ % SHOW_BUFS];
	memcpy(buf, str_z(&s), s.n + 1);
	errno = number;
	return buf;
}

static bool shell_plain(struct span v)
{
	for (size_t i = 0; i < v.n; i++) {
		char c = v.p[i];
		bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
		bool digit = c >= '0' && c <= '9';
		if (!letter && !digit && (c == '\0' || !strchr("_@%+=:,./-", c)))
			return false;
	}
	return v.n > 0;
}

/* printf(1) and its octal escapes are all that every sh has for bytes that
 * must not reach a terminal. */
static void shell_printf(struct str *out, struct span v)
{
	/* $(...) drops the newlines at its end: they stand behind it. */
	size_t end = v.n;
	while (end > 0 && v.p[end - 1] == '\n')
		end--;
	struct span body = { v.p, end };
	str_addz(out, "\"$(printf '");
	for (size_t i = 0; i < end;) {
		size_t n = clean_run(body, i);
		for (size_t j = i; j < i + n; j++) {
			/* A leading "-" would be an option. */
			if (strchr("'\\%", v.p[j]) || (j == 0 && v.p[j] == '-'))
				str_addf(out, "\\%03o", (unsigned char)v.p[j]);
			else
				str_addc(out, v.p[j]);
		}
		i += n;
		if (i == end)
			break;
		n = bad_run(body, i);
		for (size_t j = i; j < i + n; j++)
			str_addf(out, "\\%03o", (unsigned char)v.p[j]);
		i += n;
	}
	str_addz(out, "')");
	str_add(out, v.p + end, v.n - end);
	str_addc(out, '"');
}

void safe_shell(struct str *out, struct span v)
{
	if (shell_plain(v)) {
		str_addspan(out, v);
		return;
	}
	if (clean_run(v, 0) < v.n) {
		shell_printf(out, v);
		return;
	}
	str_addc(out, '\'');
	for (size_t i = 0; i < v.n; i++) {
		if (v.p[i] == '\'')
			str_addz(out, "'\\''");
		else
			str_addc(out, v.p[i]);
	}
	str_addc(out, '\'');
}

static int hex_digit(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10
	     : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* The number that `digits` hexadecimal digits at p make; -1: they are none. */
static int hex_at(struct span v, size_t at, size_t digits)
{
	int n = 0;
	for (size_t i = at; i < at + digits; i++) {
		int d = i < v.n ? hex_digit(v.p[i]) : -1;
		if (d < 0)
			return -1;
		n = n * 16 + d;
	}
	return n;
}

static size_t backslashes(struct span v, size_t at)
{
	size_t i = at;
	while (i < v.n && v.p[i] == '\\')
		i++;
	return i - at;
}

/* How many bytes at v.p + at stand for the byte c; 0: they do not. */
static size_t means(struct span v, size_t at, char c)
{
	int code = (unsigned char)c;
	if (at < v.n && v.p[at] == '%' && hex_at(v, at + 1, 2) == code)
		return 3;
	size_t i = at + backslashes(v, at);
	/* \u005c, or \\u005c in a string of a string */
	if (i > at && i < v.n && v.p[i] == 'u' && code < 0x80 && hex_at(v, i + 1, 4) == code)
		return i + 5 - at;
	if (i > at && i < v.n && v.p[i] == 'x' && hex_at(v, i + 1, 2) == code)
		return i + 3 - at;
	bool escaped = i > at && strchr("\"'/", c) && c;
	return i < v.n && v.p[i] == c && (i == at || escaped) ? i + 1 - at : 0;
}

/* Where the text was cut, if that is here, perhaps within an escape: at "..."
 * or at its end; 0: nowhere. */
static size_t cut_here(struct span v, size_t at, bool *dots)
{
	for (size_t i = 0; i < 6; i++, at++) {
		*dots = v.n - at >= 3 && memcmp(v.p + at, "...", 3) == 0;
		if (*dots || at == v.n)
			return at;
		if (hex_digit(v.p[at]) < 0 && !strchr("%\\ux", v.p[at]))
			break;
	}
	return 0;
}

/* How many bytes at v.p + at are the secret, as it is or escaped; or what a cut
 * has left of it; 0: they are something else. */
static size_t secret_at(struct span v, size_t at, struct span secret)
{
	size_t i = at, k = 0, n, own;
	bool dots;
	for (; k < secret.n; i += n, k += own) {
		/* Each of its backslashes may be written as two, or four. */
		own = backslashes(secret, k);
		n = backslashes(v, i);
		if (own == 0 || n < own) {
			own = 1;
			n = means(v, i, secret.p[k]);
		}
		if (n == 0)
			break;
	}
	if (k == secret.n)
		return i - at;
	size_t end = k >= REDACT_MIN ? cut_here(v, i, &dots) : 0;
	return end > 0 && (dots || k >= REDACT_CUT) ? end - at : 0;
}

void safe_redact(struct str *s, struct span secret)
{
	struct span v = str_span(s);
	if (!secret.p || secret.n < REDACT_MIN || v.n < REDACT_MIN)
		return;
	/* "***" is shorter than what it replaces: what is kept moves to the front. */
	size_t to = 0, n;
	for (size_t from = 0; from < v.n; from += n) {
		n = secret_at(v, from, secret);
		if (n == 0) {
			s->p[to++] = v.p[from];
			n = 1;
			continue;
		}
		memcpy(s->p + to, "***", 3);
		to += 3;
	}
	str_cut(s, to);
}
