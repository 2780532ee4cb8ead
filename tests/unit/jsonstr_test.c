/* The grammar of strings is tested with whole texts in json_test.c; here is
 * what its callers rely on. */
#include "base/jsonstr.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include "unit.h"

/* The text stands behind the opening quote. */
static void check(const char *text, const char *what, size_t at, const char *rule)
{
	size_t n = strlen(text);
	char *copy = malloc(n + 1);
	memcpy(copy, text, n);
	const char *p = copy;
	CHECK_STR(jsonstr_check(&p, copy + n), what, "%s", rule);
	CHECK_INT(p - copy, at, "%s: the place", rule);
	free(copy);
}

static void checks(void)
{
	check("\"", NULL, 1, "an empty string");
	check("abc\" : 1", NULL, 4, "it stands behind the closing quote");
	check("a\\\"b\\\\\" \"", NULL, 7, "an escaped quote does not close");
	check("0123456789abcdef0123456789abcdef\"x", NULL, 33, "more than a vector");
	check("", "unexpected end", 0, "nothing is cut off");
	check("0123456789abcdef", "unexpected end", 16, "a vector and no quote");
	check("abc\\", "unexpected end", 4, "cut off behind a backslash");
	check("abc\\u12", "unexpected end", 7, "cut off in an escape");
	check("\\ud800\\udc0", "unexpected end", 11, "cut off in the second half of a pair");
	check("ab\\x\"", "invalid escape", 2, "the place of an escape is its backslash");
	check("ab\\ud800\\x\"", "lone surrogate", 2, "of a lone surrogate as well");
	check("ab\xe2\x82\"", "invalid UTF-8", 2, "that of UTF-8 its first byte");
	check("\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\xff\"", "invalid UTF-8", 9,
	      "behind valid sequences of every length");
	check("ab\ncd\"", "control character in string", 2, "a control character");
}

static void finds_ends(void)
{
	static const struct { const char *text; size_t end; } t[] = {
		{ "\"", 1 }, { "a\",\"b\"", 2 }, { "\\\"\"", 3 }, { "\\\\\"\"", 3 },
		{ "\\\\\\\"\"", 5 }, { "\xc3\xa9\xc3\xa9\"\"", 5 },
		{ "0123456789abcde\\\"0123456789abcdef\" ", 34 },
		{ "cut", 3 }, { "cut\\", 4 }, { "", 0 },
	};
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		const char *p = t[i].text;
		CHECK_INT(jsonstr_end(p, p + strlen(p)) - p, t[i].end,
			  "the string in %s ends", p);
	}
}

static void decodes(void)
{
	struct str s = STR_INIT;
	jsonstr_decode(SPAN_NONE, &s);
	CHECK_STR(str_z(&s), "", "of nothing comes nothing");
	jsonstr_decode(SPAN_LIT("a\\tb"), &s);
	jsonstr_decode(SPAN_LIT("\\u20ac"), &s);
	CHECK_STR(str_z(&s), "a\tb\xe2\x82\xac", "decoding appends");
	str_reset(&s);
	jsonstr_decode(SPAN_LIT("\\\\\\\"\\/\\b\\f\\n\\r\\t\\ud834\\uDD1E!"), &s);
	CHECK_STR(str_z(&s), "\\\"/\b\f\n\r\t\xf0\x9d\x84\x9e!", "every escape");
	str_release(&s);
}

static void decode_half(void)
{
	struct str s = STR_INIT;
	jsonstr_decode(SPAN_LIT("a\\u12"), &s);
}

static void decode_lone(void)
{
	struct str s = STR_INIT;
	jsonstr_decode(SPAN_LIT("\\ud800x"), &s);
}

int main(void)
{
	checks();
	finds_ends();
	decodes();
	CHECK_INT(unit_child(decode_half, NULL, 0), SIGABRT,
		  "decoding what was never checked is a bug: half an escape");
	CHECK_INT(unit_child(decode_lone, NULL, 0), SIGABRT, "and a lone surrogate");
	return unit_done();
}
