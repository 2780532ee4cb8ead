#include "base/span.h"

#include "base/mem.h"
#include "unit.h"

static void spans(void)
{
	CHECK(span_of(NULL).p == NULL, "NULL is the absent span");
	CHECK(span_of("").p && span_of("").n == 0, "the empty string is an empty span");
	CHECK_INT(SPAN_LIT("a\0b").n, 3, "SPAN_LIT counts NUL bytes in a literal");
	CHECK(span_eq(span_of("ab"), SPAN_LIT("ab")), "equal bytes are equal spans");
	CHECK(!span_eq(span_of("ab"), span_of("abc")), "a prefix is not equal");
	CHECK(!span_eq(span_of("ab"), span_of("aB")), "case matters");
	CHECK(!span_eq(SPAN_LIT("a\0b"), SPAN_LIT("a\0c")), "bytes behind a NUL count");
	CHECK(span_eq(SPAN_NONE, SPAN_NONE), "absent equals absent");
	CHECK(!span_eq(SPAN_NONE, span_of("")), "absent is not empty");
	CHECK(span_is(span_of("x"), "x") && !span_is(span_of("x"), "y"),
	      "span_is compares");
	CHECK(!span_is(SPAN_NONE, ""), "absent is not the empty string");
	CHECK(!span_is(SPAN_LIT("x\0"), "x"), "a NUL at the end counts");
	CHECK(span_starts(span_of("header"), "head"), "a span starts with its beginning");
	CHECK(span_starts(span_of("head"), "head"), "a span starts with itself");
	CHECK(!span_starts(span_of("hea"), "head"),
	      "a shorter span does not start with it");
	CHECK(!span_starts(span_of("hEad"), "head"), "starts: case matters");
	CHECK(span_starts(span_of(""), ""), "all start with nothing");
	CHECK(span_is_nocase(span_of("Content-TYPE"), "content-type"),
	      "nocase: ASCII letters");
	CHECK(!span_is_nocase(span_of("[a"), "{a"), "nocase: only letters");
	CHECK(!span_is_nocase(span_of("\xc3\x84"), "\xc3\xa4"), "nocase: only ASCII");
	CHECK(!span_is_nocase(span_of("ab"), "abc"), "nocase: lengths differ");
	CHECK(!span_is_nocase(SPAN_LIT("a\0"), "a"), "nocase: a NUL at the end counts");
	CHECK(!span_is_nocase(SPAN_NONE, ""), "nocase: absent is not empty");
}

static void last_lines(void)
{
	static const struct { const char *text, *want; } cases[] = {
		{ "one", "one" }, { "one\ntwo\n", "two" }, { "one\r\n \n\t", "one" }, { " a\n  b", "  b" },
		{ "", "" }, { "\n \r\n", "" },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		CHECK(span_is(span_last_line(span_of(cases[i].text)), cases[i].want),
		      "the last line that says something: \"%s\"", cases[i].want);
	CHECK_INT(span_last_line(SPAN_NONE).n, 0, "nothing has no last line");
	CHECK_INT(span_last_line(SPAN_LIT("a\n\0")).n, 1, "a NUL is no blank");
}

int main(void)
{
	spans();
	last_lines();
	return unit_done();
}
