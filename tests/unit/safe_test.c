#include "base/safe.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/err.h"
#include "base/mem.h"
#include "base/rng.h"
#include "unit.h"

/* Every code point in `len` bytes, whether that is allowed or not. */
static void encode(uint32_t c, size_t len, char *p)
{
	static const unsigned char first[] = { 0, 0, 0xc0, 0xe0, 0xf0 };
	for (size_t i = len; i-- > 1; c >>= 6)
		p[i] = (char)(0x80 | (c & 0x3f));
	p[0] = (char)(first[len] | c);
}

static size_t right_length(uint32_t c)
{
	return c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
}

static void test_utf8_code_points(void)
{
	int wrong = 0, wrong_code = 0, long_forms = 0, cut = 0;
	for (uint32_t c = 0; c < 0x110000; c++) {
		char b[4];
		size_t len = right_length(c);
		uint32_t code = 0;
		bool surrogate = c >= 0xd800 && c <= 0xdfff;
		encode(c, len, b);
		wrong += safe_decode(b, len, &code) != (surrogate ? 0 : len);
		wrong_code += !surrogate && code != c;
		cut += safe_utf8(b, len - 1) != 0;
		for (len++; len <= 4; len++) {
			encode(c, len, b);
			long_forms += safe_utf8(b, len) != 0;
		}
	}
	CHECK_INT(wrong, 0, "all code points but the surrogates are UTF-8");
	CHECK_INT(wrong_code, 0, "and are decoded");
	CHECK_INT(long_forms, 0, "no overlong form is");
	CHECK_INT(cut, 0, "no sequence without its last byte is");
	int above = 0;
	for (uint32_t c = 0x110000; c < 0x200000; c += 61) {
		char b[4];
		encode(c, 4, b);
		above += safe_utf8(b, 4) != 0;
	}
	CHECK_INT(above, 0, "nothing above U+10FFFF is");
}

static void test_utf8_bytes(void)
{
	int firsts = 0, tails = 0;
	for (int c = 0x80; c < 0x100; c++) {
		char b[4] = { (char)c, (char)0x80, (char)0x80, (char)0x80 };
		if (c < 0xc2 || c > 0xf4)
			firsts += safe_utf8(b, 4) != 0;
		else
			for (int i = 1; i < 4; i++) {
				char t[4] = { (char)c, (char)0x9f, (char)0x9f, (char)0x9f };
				size_t len = c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
				t[i] = 'x';
				tails += (size_t)i < len && safe_utf8(t, 4) != 0;
			}
	}
	CHECK_INT(firsts, 0, "80..C1 and F5..FF begin no sequence");
	CHECK_INT(tails, 0, "what follows must be continuation bytes");
	CHECK_INT(safe_utf8("", 0), 0, "nothing is no sequence");
	CHECK_INT(safe_utf8("\0", 1), 1, "NUL is a character");
}

static void test_is_utf8(void)
{
	CHECK(safe_is_utf8(SPAN_NONE), "no bytes are UTF-8");
	CHECK(safe_is_utf8(SPAN_LIT("gr\xc3\xbc\xc3\x9f \xf0\x9f\x98\x80 \0.")),
	      "a text with a NUL is UTF-8");
	int missed = 0;
	for (size_t n = 1; n < 40; n++)
		for (size_t at = 0; at < n; at++) {
			char b[40];
			memset(b, 'a', n);
			b[at] = (char)0xff;
			missed += safe_is_utf8((struct span){ b, n });
		}
	CHECK_INT(missed, 0, "a bad byte is found wherever it stands");
	CHECK(!safe_is_utf8(SPAN_LIT("aaaaaaa\xc3")),
	      "a cut character at the end is bad");
}

typedef void add_fn(struct str *out, struct span v);

#define CHECK_ADDED(fn, in, want, ...) do { \
	struct str s_ CLEANUP(str_release) = STR_INIT; \
	fn(&s_, SPAN_LIT(in)); \
	CHECK_STR(str_z(&s_), (want), __VA_ARGS__); \
} while (0)

static void test_text(void)
{
	CHECK_ADDED(safe_text, "", "", "text: nothing stays nothing");
	CHECK_ADDED(safe_text, "a \\ \" ' b", "a \\ \" ' b", "text: ASCII stays");
	CHECK_ADDED(safe_text, "gr\xc3\xbc\xc3\x9f \xe6\x97\xa5 \xf0\x9f\x98\x80",
		    "gr\xc3\xbc\xc3\x9f \xe6\x97\xa5 \xf0\x9f\x98\x80",
		    "text: UTF-8 stays");
	CHECK_ADDED(safe_text, "\033[2J\033]0;x\007", "\\x1b[2J\\x1b]0;x\\x07",
		    "text: terminal sequences lose their ESC");
	CHECK_ADDED(safe_text, "a\tb\nc\rd\0e\x7f", "a\\x09b\\x0ac\\x0dd\\x00e\\x7f",
		    "text: controls and DEL are shown");
	CHECK_ADDED(safe_text, "\x9b" "2J", "\\x9b2J", "text: C1 as a raw byte is shown");
	CHECK_ADDED(safe_text, "\xc2\x85\xc2\x9b\xc2\xa0", "\\xc2\\x85\\xc2\\x9b\xc2\xa0",
		    "text: C1 in UTF-8 is shown byte by byte, U+00A0 stays");
	CHECK_ADDED(safe_text, "a\xe2\x80\xae" "b\xe2\x81\xa6\xd8\x9c\xe2\x80\x8f",
		    "a\\xe2\\x80\\xaeb\\xe2\\x81\\xa6\\xd8\\x9c\\xe2\\x80\\x8f",
		    "text: bidirectional controls are shown");
	CHECK_ADDED(safe_text, "\xc0\xaf \xed\xa0\x80 \xe6\x97",
		    "\\xc0\\xaf \\xed\\xa0\\x80 \\xe6\\x97",
		    "text: bytes that are no UTF-8 are shown");
}

static void test_controls(void)
{
	static const uint32_t listed[][2] = {
		{ 0x00, 0x1f }, { 0x7f, 0x9f }, { 0x61c, 0x61c }, { 0x200e, 0x200f },
		{ 0x202a, 0x202e }, { 0x2066, 0x2069 },
	};
	int wrong = 0;
	for (uint32_t c = 0; c < 0x110000; c++) {
		bool in = false;
		for (size_t i = 0; i < ARRAY_LEN(listed); i++)
			in |= c >= listed[i][0] && c <= listed[i][1];
		wrong += safe_control(c) != in;
	}
	CHECK_INT(wrong, 0, "controls are those of the list and no others");
}

static void test_plain(void)
{
	CHECK_ADDED(safe_plain, "", "", "plain: nothing stays nothing");
	CHECK_ADDED(safe_plain, "a\tb\nc\\d\\", "a\\tb\\nc\\\\d\\\\",
		    "plain: tab, newline and backslash have their own escapes");
	CHECK_ADDED(safe_plain, "\r\033[m\xff\t\xc2\x85", "\\x0d\\x1b[m\\xff\\t\\xc2\\x85",
		    "plain: all else is as in text");
	CHECK_ADDED(safe_plain, "\xc3\t\xbc", "\\xc3\\t\\xbc",
		    "plain: a tab does not hide that its neighbours are bad");
}

/* 10 KB of what a stranger might send. */
static void hostile(struct str *s, uint64_t seed)
{
	static const char *const bits[] = {
		"\033[31m", "\033]8;;http://x\033\\", "\xc2\x9b", "\x9b", "\xe2\x80\xae",
		"\xe2\x81\xa9", "\xff\xfe", "\xc0\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80",
		"\xe6\x97\xa5", "\xf0\x9f\x98\x80", "'", "\"", "\\", "$(id)", "`id`", "\r\n",
		"\n", "\t", "%s%n", "-", " ", "ordinary text", "\x7f", "\xd8\x9c", "\xe6\x97",
	};
	struct rng r;
	rng_seed(&r, seed);
	while (s->n < 10240)
		str_addz(s, bits[rng_below(&r, ARRAY_LEN(bits))]);
}

static bool harmless(const struct str *s)
{
	for (size_t i = 0; i < s->n;) {
		uint32_t code;
		size_t len = safe_decode(s->p + i, s->n - i, &code);
		if (len == 0 || safe_control(code))
			return false;
		i += len;
	}
	return s->n > 0;
}

static void test_hostile(void)
{
	static const struct { const char *name; add_fn *fn; } all[] = {
		{ "text", safe_text }, { "plain", safe_plain }, { "shell", safe_shell },
	};
	for (size_t i = 0; i < ARRAY_LEN(all); i++) {
		struct str in CLEANUP(str_release) = STR_INIT;
		struct str out CLEANUP(str_release) = STR_INIT;
		hostile(&in, 7 + i);
		str_addc(&in, '.'); /* shell: newlines at the end stay newlines */
		all[i].fn(&out, str_span(&in));
		CHECK(harmless(&out),
		      "%s: 10 KB of hostile text are safe to show", all[i].name);
	}
}

static void test_show(void)
{
	CHECK_STR(safe_show(SPAN_LIT("abc"), 3), "abc", "show: what fits is whole");
	CHECK_STR(safe_show(SPAN_LIT("abcd"), 3), "abc...", "show: the rest is cut");
	CHECK_STR(safe_show(SPAN_LIT("\033\xff"), 9), "\\x1b\\xff", "show: it is safe");
	CHECK_STR(safe_show(SPAN_NONE, 9), "", "show: absent is empty");
	CHECK_STR(safe_show(SPAN_LIT("a\xe6\x97\xa5z"), 3), "a...",
		  "show: no character is cut in two");
	CHECK_STR(safe_show(SPAN_LIT("a\xe6\x97\xa5z"), 4), "a\xe6\x97\xa5...",
		  "show: one that fits stays");
	CHECK_STR(safe_show(SPAN_LIT("a\x97\x97\x97\x97"), 3), "a\\x97\\x97...",
		  "show: stray continuation bytes are cut anywhere");
	char big[10240];
	memset(big, '\033', sizeof(big));
	CHECK_INT(strlen(safe_show((struct span){ big, sizeof(big) }, 200)), 803,
		  "show: 200 bytes may become 800");
	const char *a = safe_show(SPAN_LIT("a"), 9), *b = safe_show(SPAN_LIT("b"), 9);
	const char *c = safe_show(SPAN_LIT("c"), 9), *d = safe_show(SPAN_LIT("d"), 9);
	CHECK(*a == 'a' && *b == 'b' && *c == 'c' && *d == 'd', "show: four at a time");
	CHECK(safe_show(SPAN_LIT("e"), 9) == a,
	      "show: the fifth takes the first's place");
	errno = ENOSPC;
	safe_show((struct span){ big, sizeof(big) }, 200);
	CHECK_INT(errno, ENOSPC, "show: errno stays, for err_sys()");
}

static void show_too_much(void)
{
	safe_show(SPAN_LIT("a"), 201);
}

/* What sh(1) makes of the word. */
static bool shell_reads(struct span v)
{
	struct str cmd CLEANUP(str_release) = STR_INIT;
	/* The dot keeps newlines at the end. */
	str_addz(&cmd, "f() { printf %s. \"$1\"; [ $# = 1 ]; }; f ");
	safe_shell(&cmd, v);
	FILE *f = popen(str_z(&cmd), "r");
	if (!f)
		return false;
	struct str got CLEANUP(str_release) = STR_INIT;
	char buf[4096];
	size_t n;
	while ((n = fread(buf, 1, sizeof(buf), f)) > 0)
		str_add(&got, buf, n);
	bool fine = pclose(f) == 0 && got.n > 0;
	if (fine)
		str_cut(&got, got.n - 1);
	return fine && span_eq(str_span(&got), v);
}

static void test_shell(void)
{
	CHECK_ADDED(safe_shell, "a/b-c_1.2:3,4+5@x=%", "a/b-c_1.2:3,4+5@x=%",
		    "shell: a safe word stays");
	CHECK_ADDED(safe_shell, "", "''", "shell: an empty word is quoted");
	CHECK_ADDED(safe_shell, "a b", "'a b'", "shell: a space is quoted");
	CHECK_ADDED(safe_shell, "it's", "'it'\\''s'", "shell: a quote is quoted");
	CHECK_ADDED(safe_shell, "~", "'~'", "shell: a tilde is quoted");
	CHECK_ADDED(safe_shell, "-\033'\n", "\"$(printf '\\055\\033\\047')\n\"",
		    "shell: what is not safe to show goes through printf");
	static const char *const words[] = {
		"plain", "", " ", "it's", "''", "$HOME", "`id`", "$(id)", "a\\b", "a\nb", "\n",
		"\n\n", "a\n", "\na", "*", "~", "#x", "!", "a;b", "a&b", "-n", "--", "-\033",
		"--\033", "\033[2J", "%s\033", "\\033\033", "\0337", "'\033'", "\"\033\"",
		"$x`y`\033", "\xff\xfe", "\xc2\x85", "\xe2\x80\xae", "\xe6\x97\xa5", "\r",
	};
	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		CHECK(shell_reads(span_of(words[i])), "shell: sh reads word %zu back", i);
	struct str in CLEANUP(str_release) = STR_INIT;
	hostile(&in, 11);
	CHECK(shell_reads(str_span(&in)), "shell: sh reads 10 KB of hostile text back");
	str_reset(&in);
	for (int c = 1; c < 256; c++)
		str_addc(&in, (char)c);
	CHECK(shell_reads(str_span(&in)), "shell: sh reads every byte back");
}

#define CHECK_REDACTED(in, secret, want, ...) do { \
	struct str s_ CLEANUP(str_release) = STR_INIT; \
	str_addz(&s_, in); \
	safe_redact(&s_, span_of(secret)); \
	CHECK_STR(str_z(&s_), (want), __VA_ARGS__); \
	CHECK_INT(s_.n, strlen(want), "... and its length"); \
} while (0)

static void test_redact(void)
{
	CHECK_REDACTED("key=sk-1234.", "sk-1234", "key=***.", "redact: one");
	CHECK_REDACTED("sk-1234", "sk-1234", "***", "redact: all of it");
	CHECK_REDACTED("sk-1sk-1 sk-1", "sk-1", "****** ***", "redact: each occurrence");
	CHECK_REDACTED("sk-sk-12 sk-1", "sk-12", "sk-*** sk-1", "redact: a false start");
	CHECK_REDACTED("a \\\"k\\\\\\/\\\"y\\u002bz\\\" b", "k\\/\"y+z", "a \\\"***\\\" b",
		       "redact: escaped as in JSON");
	CHECK_REDACTED("{\\\"e\\\":\\\"k\\\\/yy\\\"}", "k/yy", "{\\\"e\\\":\\\"***\\\"}",
		       "redact: in JSON within JSON");
	CHECK_REDACTED("k\\\\x\\y", "k\\\\x\\y", "***", "redact: backslashes as they are");
	CHECK_REDACTED("k\\\\\\\\x\\\\y", "k\\\\x\\y", "***", "redact: ... and doubled");
	CHECK_REDACTED("?k=s%2Bk%2f1%5c&x", "s+k/1\\", "?k=***&x", "redact: escaped as in a URL");
	CHECK_REDACTED("k\\xc3\\xa9\\x201", "k\xc3\xa9 1", "***", "redact: escaped for a terminal");
	CHECK_REDACTED("it is sk-1...", "sk-123456789", "it is ***...", "redact: cut by dots");
	CHECK_REDACTED("it is sk-1%2...", "sk-1+23456789", "it is ***...",
		       "redact: cut within an escape");
	CHECK_REDACTED("it is sk-12345", "sk-123456789", "it is ***", "redact: cut at the end");
	CHECK_REDACTED("it is sk-1", "sk-123456789", "it is sk-1", "redact: a word at the end");
	CHECK_REDACTED("to x?k=sk-1..., not followed", "sk-123", "to x?k=***..., not followed",
		       "redact: cut in the middle");
	CHECK_REDACTED("sk-1 is...", "sk-123456789", "sk-1 is...", "redact: something else was cut");
	CHECK_REDACTED("nothing here", "sk-1234", "nothing here", "redact: none");
	CHECK_REDACTED("abc", "abc", "abc", "redact: a short secret is left alone");
	CHECK_REDACTED("abc", "", "abc", "redact: an empty secret is left alone");
	CHECK_REDACTED("abc", NULL, "abc", "redact: no secret");
	CHECK_REDACTED("", "abcd", "", "redact: an empty text");
	struct str s CLEANUP(str_release) = STR_INIT;
	safe_redact(&s, SPAN_LIT("abcd"));
	CHECK_INT(s.n, 0, "redact: a text that never was");
	str_add(&s, "x\0a\0bcy\0", 8);
	safe_redact(&s, SPAN_LIT("a\0bc"));
	CHECK(span_eq(str_span(&s), SPAN_LIT("x\0***y\0")), "redact: NUL is a byte");
}

int main(void)
{
	test_utf8_code_points();
	test_utf8_bytes();
	test_is_utf8();
	test_text();
	test_controls();
	test_plain();
	test_hostile();
	test_show();
	char said[256];
	CHECK(unit_child(show_too_much, said, sizeof(said)) != 0 && strstr(said, "bug: "),
	      "show: more than 200 bytes are a bug");
	test_shell();
	test_redact();
	return unit_done();
}
