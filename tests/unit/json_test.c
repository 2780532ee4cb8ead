/* Which texts are JSON is decided here by our own collection of texts; each
 * bad one says where and why. */
#include "base/json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/mem.h"
#include "base/safe.h"
#include "unit.h"

/* Sanitizers and valgrind see a read beyond the end of such a copy. */
static struct span exact(const void *p, size_t n)
{
	char *copy = malloc(n ? n : 1);
	memcpy(copy, p, n);
	return (struct span){ copy, n };
}

static void drop(struct span v)
{
	free((char *)v.p);
}

struct text {
	const char *p;
	size_t n;
	size_t offset;
	const char *what;
};

#define BAD(text, offset, what) { "" text, sizeof(text) - 1, offset, what }
#define GOOD(text) { "" text, sizeof(text) - 1, 0, NULL }

#define UNEXPECTED "unexpected character"
#define END "unexpected end"
#define NUMBER "invalid number"
#define LITERAL "invalid literal"
#define CONTROL "control character in string"
#define ESCAPE "invalid escape"
#define LONE "lone surrogate"
#define UTF8 "invalid UTF-8"
#define BEHIND "text after the value"
#define IN_OBJECT "expected ',' or '}'"
#define IN_ARRAY "expected ',' or ']'"
#define NAME "expected a member name"
#define COLON "expected ':'"
#define VALUE "expected a value"
#define TRAILING "trailing comma"
#define QUOTES "strings need double quotes"
#define COMMENT "comments are not JSON"
#define NAN_INF "NaN and Infinity are not JSON"
#define BOM "unexpected byte order mark"

static const struct text bad[] = {
	/* nothing */
	BAD("", 0, END), BAD(" ", 1, END), BAD("\n\t\r ", 4, END),
	BAD("\0", 0, UNEXPECTED), BAD("\xef\xbb\xbf", 0, BOM),
	/* numbers: section 6 */
	BAD("01", 1, NUMBER), BAD("-01", 2, NUMBER), BAD("00", 1, NUMBER),
	BAD("[012]", 2, NUMBER), BAD("-", 1, END), BAD("[-]", 2, NUMBER),
	BAD("--1", 1, NUMBER), BAD("- 1", 1, NUMBER), BAD("+1", 0, NUMBER),
	BAD("[+1]", 1, NUMBER), BAD("1.", 2, END), BAD("[1.]", 3, NUMBER),
	BAD("1.e3", 2, NUMBER), BAD("0.e1", 2, NUMBER), BAD(".5", 0, NUMBER),
	BAD("-.5", 1, NUMBER), BAD("1..2", 2, NUMBER), BAD("1.2.3", 3, NUMBER),
	BAD("1e", 2, END), BAD("[1e]", 3, NUMBER), BAD("1E", 2, END),
	BAD("1e+", 3, END), BAD("[1e-]", 4, NUMBER), BAD("1e+-2", 3, NUMBER),
	BAD("1ee2", 2, NUMBER), BAD("1e2e3", 3, NUMBER), BAD("1e1.5", 3, NUMBER),
	BAD("1.5e", 4, END), BAD("0x1", 1, NUMBER), BAD("0X1F", 1, NUMBER),
	BAD("0b1", 1, NUMBER), BAD("0o7", 1, NUMBER), BAD("1_000", 1, NUMBER),
	BAD("1,5", 1, BEHIND), BAD("1a", 1, NUMBER), BAD("12f", 2, NUMBER),
	BAD("1L", 1, NUMBER), BAD("1+2", 1, NUMBER), BAD("1-2", 1, NUMBER),
	BAD("1 000", 2, BEHIND), BAD("-a", 1, NUMBER), BAD("-Infinity", 1, NUMBER),
	BAD("-NaN", 1, NUMBER), BAD("Infinity", 0, NAN_INF), BAD("NaN", 0, NAN_INF),
	BAD("[NaN]", 1, NAN_INF), BAD("{\"a\":Infinity}", 5, NAN_INF),
	BAD("Inf", 0, LITERAL), BAD("nan", 1, LITERAL), BAD("1\0", 1, BEHIND),
	BAD("1\xc2\xa0", 1, BEHIND), BAD("1\xff", 1, UTF8), BAD("1e\xe5", 2, UTF8),
	BAD("\xef\xbc\x91", 0, UNEXPECTED) /* a full-width 1 */,
	/* literals */
	BAD("t", 1, END), BAD("tru", 3, END), BAD("[tru]", 4, LITERAL),
	BAD("trve", 2, LITERAL), BAD("True", 0, LITERAL), BAD("TRUE", 0, LITERAL),
	BAD("truee", 4, LITERAL), BAD("true1", 4, LITERAL), BAD("tr ue", 2, LITERAL),
	BAD("fals", 4, END), BAD("False", 0, LITERAL), BAD("falsey", 5, LITERAL),
	BAD("nul", 3, END), BAD("[nul]", 4, LITERAL), BAD("nil", 1, LITERAL),
	BAD("None", 0, LITERAL), BAD("undefined", 0, LITERAL), BAD("abc", 0, LITERAL),
	BAD("true false", 5, BEHIND), BAD("nullnull", 4, LITERAL),
	BAD("[truefalse]", 5, LITERAL),
	/* strings: where they end */
	BAD("\"", 1, END), BAD("\"abc", 4, END), BAD("\"abc\\\"", 6, END),
	BAD("[\"a]", 4, END), BAD("{\"a", 3, END), BAD("{\"a\":\"b}", 8, END),
	BAD("'a'", 0, QUOTES), BAD("['a']", 1, QUOTES), BAD("{'a':1}", 1, QUOTES),
	BAD("{\"a\":'b'}", 5, QUOTES), BAD("{\"a\":1,'b':2}", 7, QUOTES),
	BAD("\"a\"b\"", 3, BEHIND), BAD("\"a\"\"b\"", 3, BEHIND),
	BAD("`a`", 0, UNEXPECTED), BAD("\xe2\x80\x9c" "a\xe2\x80\x9d", 0, UNEXPECTED),
	BAD("\"this is longer than sixteen bytes", 34, END),
	/* strings: control characters */
	BAD("\"\n\"", 1, CONTROL), BAD("\"a\tb\"", 2, CONTROL), BAD("\"\r\"", 1, CONTROL),
	BAD("\"\0\"", 1, CONTROL), BAD("\"\x01\"", 1, CONTROL),
	BAD("\"\x1f\"", 1, CONTROL), BAD("\"\b\"", 1, CONTROL), BAD("\"\f\"", 1, CONTROL),
	BAD("{\"a\nb\":1}", 3, CONTROL),
	BAD("\"0123456789abcdef\x1f\"", 17, CONTROL),
	BAD("\"0123456789abcdef0123456\n9abcdef\"", 24, CONTROL),
	/* strings: escapes */
	BAD("\"\\", 2, END), BAD("\"\\\"", 3, END), BAD("\"\\x41\"", 1, ESCAPE),
	BAD("\"\\a\"", 1, ESCAPE), BAD("\"\\'\"", 1, ESCAPE), BAD("\"\\0\"", 1, ESCAPE),
	BAD("\"\\v\"", 1, ESCAPE), BAD("\"\\e\"", 1, ESCAPE), BAD("\"\\ \"", 1, ESCAPE),
	BAD("\"\\\n\"", 1, ESCAPE), BAD("\"\\\0\"", 1, ESCAPE),
	BAD("\"\\N\"", 1, ESCAPE), BAD("\"\\U00000041\"", 1, ESCAPE),
	BAD("\"\\\xc3\xa9\"", 1, ESCAPE), BAD("\"\\\xff\"", 1, ESCAPE),
	BAD("\"abc\\q\"", 4, ESCAPE), BAD("\"\\u\"", 1, ESCAPE), BAD("\"\\u", 3, END),
	BAD("\"\\u1\"", 1, ESCAPE), BAD("\"\\u12\"", 1, ESCAPE), BAD("\"\\u12", 5, END),
	BAD("\"\\u123\"", 1, ESCAPE), BAD("\"\\u123", 6, END), BAD("\"\\u12345", 8, END),
	BAD("\"\\u00g0\"", 1, ESCAPE), BAD("\"\\u-123\"", 1, ESCAPE),
	BAD("\"\\u+123\"", 1, ESCAPE), BAD("\"\\u 123\"", 1, ESCAPE),
	BAD("\"\\u{41}\"", 1, ESCAPE), BAD("\"\\u004\xc3\xa9\"", 1, ESCAPE),
	BAD("\"\\u00@0\"", 1, ESCAPE), BAD("\"\\u00`0\"", 1, ESCAPE),
	BAD("\"\\u00G0\"", 1, ESCAPE), BAD("\"\\u00/0\"", 1, ESCAPE),
	BAD("\"\\u00:0\"", 1, ESCAPE), BAD("\\u0022a\"", 0, UNEXPECTED),
	BAD("[\\n]", 1, UNEXPECTED),
	/* strings: surrogates */
	BAD("\"\\ud800\"", 1, LONE), BAD("\"\\uDBFF\"", 1, LONE),
	BAD("\"\\udc00\"", 1, LONE), BAD("\"\\uDFFF\"", 1, LONE),
	BAD("\"\\udc00\\ud800\"", 1, LONE), BAD("\"\\ud800\\ud800\"", 1, LONE),
	BAD("\"\\ud800abc\"", 1, LONE), BAD("\"\\ud800\\n\"", 1, LONE),
	BAD("\"\\ud800\\u0041\"", 1, LONE), BAD("\"\\ud800\\u\"", 1, LONE),
	BAD("\"\\ud800\\udc0\"", 1, LONE), BAD("\"\\ud800\\\"", 1, LONE),
	BAD("\"\\ud800", 7, END), BAD("\"\\ud800\\", 8, END),
	BAD("\"\\ud800\\udc", 11, END), BAD("\"ab\\ud83d\\ude00\\ud83d\"", 15, LONE),
	BAD("{\"\\udfaa\":0}", 2, LONE), BAD("\"\\ud83d\xed\xb8\x80\"", 1, LONE),
	/* strings: UTF-8, RFC 3629 */
	BAD("\"\x80\"", 1, UTF8), BAD("\"\xbf\"", 1, UTF8), BAD("\"a\x80\"", 2, UTF8),
	BAD("\"\xc0\x80\"", 1, UTF8), BAD("\"\xc0\xaf\"", 1, UTF8),
	BAD("\"\xc1\xbf\"", 1, UTF8), BAD("\"\xc3\"", 1, UTF8), BAD("\"\xc3", 1, UTF8),
	BAD("\"\xc3\x28\"", 1, UTF8), BAD("\"\xc3\xc3\xa9\"", 1, UTF8),
	BAD("\"\xe0\x80\x80\"", 1, UTF8), BAD("\"\xe0\x80\xaf\"", 1, UTF8),
	BAD("\"\xe0\x9f\xbf\"", 1, UTF8), BAD("\"\xe2\x82\"", 1, UTF8),
	BAD("\"\xe2\x82", 1, UTF8), BAD("\"\xe2\x28\xa1\"", 1, UTF8),
	BAD("\"\xe2\x82\x28\"", 1, UTF8), BAD("\"\xed\xa0\x80\"", 1, UTF8),
	BAD("\"\xed\xaf\xbf\"", 1, UTF8), BAD("\"\xed\xbf\xbf\"", 1, UTF8),
	BAD("\"\xed\xa0\xbd\xed\xb8\x80\"", 1, UTF8),
	BAD("\"\xf0\x80\x80\x80\"", 1, UTF8), BAD("\"\xf0\x80\x80\xaf\"", 1, UTF8),
	BAD("\"\xf0\x8f\xbf\xbf\"", 1, UTF8), BAD("\"\xf0\x9f\x98\"", 1, UTF8),
	BAD("\"\xf0\x9f\x98", 1, UTF8), BAD("\"\xf0\x9f\"", 1, UTF8),
	BAD("\"\xf0\x28\x8c\xbc\"", 1, UTF8), BAD("\"\xf0\x90\x28\xbc\"", 1, UTF8),
	BAD("\"\xf0\x90\x8c\x28\"", 1, UTF8), BAD("\"\xf4\x90\x80\x80\"", 1, UTF8),
	BAD("\"\xf5\x80\x80\x80\"", 1, UTF8), BAD("\"\xf7\xbf\xbf\xbf\"", 1, UTF8),
	BAD("\"\xf8\x88\x80\x80\x80\"", 1, UTF8),
	BAD("\"\xfc\x84\x80\x80\x80\x80\"", 1, UTF8), BAD("\"\xfe\"", 1, UTF8),
	BAD("\"\xff\"", 1, UTF8), BAD("\"\xff\xfe\"", 1, UTF8),
	BAD("\"\xe9t\xe9\"", 1, UTF8) /* Latin-1 */,
	BAD("\"0123456789abcde\xe2\x82\xac\xff\"", 19, UTF8),
	BAD("\"\xe2\x82\xac\xe2\x82\xac\xe2\x82\"", 7, UTF8),
	BAD("{\"\xb9\":0}", 2, UTF8), BAD("[\xe5]", 1, UTF8), BAD("\xe9", 0, UTF8),
	BAD("{\xff}", 1, UTF8), BAD("{\"a\"\xff:1}", 4, UTF8),
	BAD("{\"a\":1\xc3}", 6, UTF8), BAD("[1\x80,2]", 2, UTF8), BAD("{}\xfe", 2, UTF8),
	BAD("\xef\xbb{}", 0, UTF8), BAD("\xff\xfe[\0]\0", 0, UTF8) /* UTF-16 */,
	BAD("\0[\0]", 0, UNEXPECTED), BAD("[\0]\0", 1, UNEXPECTED),
	/* arrays */
	BAD("[", 1, END), BAD("[ ", 2, END), BAD("[1", 2, END), BAD("[1,", 3, END),
	BAD("[\"a\"", 4, END), BAD("[{}", 3, END), BAD("[[]", 3, END),
	BAD("[1,]", 3, TRAILING), BAD("[1, \n]", 5, TRAILING), BAD("[,]", 1, VALUE),
	BAD("[,1]", 1, VALUE), BAD("[1,,2]", 3, VALUE), BAD("[1,,]", 3, VALUE),
	BAD("[1 2]", 3, IN_ARRAY), BAD("[1 true]", 3, IN_ARRAY),
	BAD("[1;2]", 2, IN_ARRAY), BAD("[1:2]", 2, IN_ARRAY), BAD("[\"\":1]", 3, IN_ARRAY),
	BAD("[1}", 2, IN_ARRAY), BAD("[3[4]]", 2, IN_ARRAY), BAD("[\"a\" \"b\"]", 5, IN_ARRAY),
	BAD("]", 0, VALUE), BAD("[]]", 2, BEHIND), BAD("[1]]", 3, BEHIND),
	BAD("[][]", 2, BEHIND), BAD("[1],", 3, BEHIND), BAD("1]", 1, BEHIND),
	BAD("[}", 1, VALUE), BAD("[*]", 1, UNEXPECTED), BAD("<null>", 0, UNEXPECTED),
	BAD("(1)", 0, UNEXPECTED), BAD("[...]", 1, NUMBER), BAD("[a]", 1, LITERAL),
	/* objects */
	BAD("{", 1, END), BAD("{ ", 2, END), BAD("{\"a\"", 4, END), BAD("{\"a\":", 5, END),
	BAD("{\"a\": ", 6, END), BAD("{\"a\":1", 6, END), BAD("{\"a\":1,", 7, END),
	BAD("{\"a\":1,}", 7, TRAILING), BAD("{\"a\":1 , }", 9, TRAILING),
	BAD("{\"a\":1,,}", 7, NAME), BAD("{\"a\":1,,\"b\":2}", 7, NAME),
	BAD("{,}", 1, NAME), BAD("{,\"a\":1}", 1, NAME), BAD("{a:1}", 1, NAME),
	BAD("{1:1}", 1, NAME), BAD("{null:1}", 1, NAME), BAD("{[]:1}", 1, NAME),
	BAD("{:1}", 1, NAME), BAD("{\"a\":1,b:2}", 7, NAME), BAD("{]", 1, NAME),
	BAD("{\"a\" 1}", 5, COLON), BAD("{\"a\",1}", 4, COLON), BAD("{\"a\"}", 4, COLON),
	BAD("{\"a\"\"b\"}", 4, COLON), BAD("{\"a\"=1}", 4, COLON),
	BAD("{\"a\"::1}", 5, VALUE), BAD("{\"a\":}", 5, VALUE), BAD("{\"a\":,}", 5, VALUE),
	BAD("{\"a\":1 \"b\":2}", 7, IN_OBJECT), BAD("{\"a\":1;\"b\":2}", 6, IN_OBJECT),
	BAD("{\"a\":1]", 6, IN_OBJECT), BAD("{\"a\":1:2}", 6, IN_OBJECT),
	BAD("{\"a\":\"b\" 1}", 9, IN_OBJECT), BAD("{\"a\":b}", 5, LITERAL),
	BAD("}", 0, VALUE), BAD("{}}", 2, BEHIND), BAD("{}{}", 2, BEHIND),
	BAD("{} {}", 3, BEHIND), BAD("{}\n{}", 3, BEHIND), BAD("{\"a\":1}x", 7, BEHIND),
	BAD("{\"a\":1},", 7, BEHIND), BAD("{\"a\":[1,{\"b\":[2}]}", 15, IN_ARRAY),
	/* comments, BOM, other white space */
	BAD("/* */ 1", 0, COMMENT), BAD("// x\n1", 0, COMMENT), BAD("[/**/1]", 1, COMMENT),
	BAD("[1/**/]", 2, IN_ARRAY), BAD("{\"a\":/**/1}", 5, COMMENT),
	BAD("{\"a\":1}//", 7, BEHIND), BAD("{}/**/", 2, BEHIND), BAD("{}#", 2, BEHIND),
	BAD("#\n1", 0, UNEXPECTED), BAD("{/**/}", 1, NAME),
	BAD("\xef\xbb\xbf{}", 0, BOM), BAD(" \xef\xbb\xbf{}", 1, UNEXPECTED),
	BAD("{}\xef\xbb\xbf", 2, BEHIND), BAD("\f[]", 0, UNEXPECTED),
	BAD("[\f]", 1, UNEXPECTED), BAD("[\v]", 1, UNEXPECTED), BAD("[]\v", 2, BEHIND),
	BAD("\xc2\xa0[]", 0, UNEXPECTED), BAD("[\xe2\x80\xa8]", 1, UNEXPECTED),
	BAD("[\xe2\x81\xa0]", 1, UNEXPECTED), BAD("[]\xe3\x80\x80", 2, BEHIND),
	BAD("[\x85]", 1, UTF8), BAD("[1]\0", 3, BEHIND), BAD("{\0}", 1, NAME),
	BAD("{\"a\"\0:1}", 4, COLON), BAD("[1\0]", 2, IN_ARRAY), BAD("[\x7f]", 1, UNEXPECTED),
	BAD("\x1e{}", 0, UNEXPECTED) /* RFC 7464 */,
};

static const struct text good[] = {
	/* any value is a text */
	GOOD("null"), GOOD("true"), GOOD("false"), GOOD("0"), GOOD("\"\""), GOOD("[]"),
	GOOD("{}"), GOOD(" null"), GOOD("null "), GOOD("\t\n\r true\r\n\t "),
	/* numbers */
	GOOD("-0"), GOOD("7"), GOOD("-1"), GOOD("1234567890"), GOOD("0.0"), GOOD("-0.0"),
	GOOD("0.5"), GOOD("123.456"), GOOD("1e5"), GOOD("1E5"), GOOD("1e+5"), GOOD("1e-5"),
	GOOD("0e0"), GOOD("0e+1"), GOOD("1e007"), GOOD("1.5E-10"), GOOD("-1.5e+10"),
	GOOD("[-0,0.00]"), GOOD("1e99999"), GOOD("-1e-99999"),
	GOOD("123456789012345678901234567890123456789012345678901234567890"),
	GOOD("0.000000000000000000000000000000000000000000000000000000000000001"),
	GOOD("[0e1 ]"), GOOD("{\"a\":1e1}"),
	/* strings */
	GOOD("\"a\""), GOOD("\" \""), GOOD("\"/\""), GOOD("\"'\""), GOOD("\"// no comment\""),
	GOOD("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\""), GOOD("\"\\u0000\""), GOOD("\"\\u001f\""),
	GOOD("\"\\u0022\""), GOOD("\"\\u005C\""), GOOD("\"\\uABCD\\uabcd\\uAbCd\""),
	GOOD("\"\\ud7ff\\ue000\\uffff\""), GOOD("\"\\ud83d\\ude00\""),
	GOOD("\"\\uD800\\uDC00\\uDBFF\\uDFFF\""), GOOD("\"\\\\u0041\""),
	GOOD("\"\\\\\""), GOOD("\"\\\\\\\\\""), GOOD("\"\\\"\""), GOOD("\"\x7f\""),
	GOOD("\"\\u0061\\u30af\""), GOOD("\"\\ufeff\""), GOOD("\"\\uFDD0\""),
	/* UTF-8: the first and the last of each length */
	GOOD("\"\xc2\x80\""), GOOD("\"\xdf\xbf\""), GOOD("\"\xe0\xa0\x80\""),
	GOOD("\"\xed\x9f\xbf\""), GOOD("\"\xee\x80\x80\""), GOOD("\"\xef\xbf\xbf\""),
	GOOD("\"\xf0\x90\x80\x80\""), GOOD("\"\xf4\x8f\xbf\xbf\""), GOOD("\"\xef\xbb\xbf\""),
	GOOD("\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\""), GOOD("\"\xe2\x80\xa8\xe2\x80\xa9\""),
	GOOD("\"\xef\xb7\x90\""), GOOD("\"caf\xc3\xa9 0123456789abcdef \xc3\xa9\""),
	GOOD("\"\xd0\xbf\xd1\x80\xd0\xb8\xd0\xb2\xd0\xb5\xd1\x82 \xd0\xbc\xd0\xb8\xd1\x80\""),
	GOOD("{\"\xe9\x94\xae\":\"\xe5\x80\xbc\"}"), GOOD("\"0123456789abcd\xc3\xa9\""),
	GOOD("\"0123456789abcde\xc3\xa9\""), GOOD("\"0123456789abcdef\""),
	/* arrays and objects */
	GOOD("[1]"), GOOD("[1,2]"), GOOD("[ 1 , 2 ]"), GOOD("[\n]"), GOOD("[[]]"),
	GOOD("[[],[[]],{}]"), GOOD("[null,true,false,1,\"a\",[],{}]"), GOOD("[\"\",\"\"]"),
	GOOD("{ }"), GOOD("{\"a\":1}"), GOOD("{ \"a\" : 1 }"), GOOD("{\"\":0}"),
	GOOD("{\"a\":1,\"a\":2}"), GOOD("{\"a\":{\"b\":{\"c\":[]}}}"),
	GOOD("{\"a\\nb\":1}"), GOOD("{\"\\u0000\":1}"), GOOD("{\"a\":null,\"b\":[{}]}"),
	GOOD("{\n\t\"a\": [\n\t\t1,\n\t\t2\n\t]\r\n}\r\n"), GOOD("[{\"a\":1},{\"b\":2}]"),
	GOOD("[1,\r\n2]"), GOOD("{\"a\":\"}\",\"b\":\"]\"}"), GOOD("\"[1,]\""), GOOD("{}\r"),
	GOOD("[true,false,null,true]"), GOOD("[-1,-1.5,-1e5]"),
};

static bool scans(struct span text)
{
	struct json_error je;
	return json_scan(text, NULL, NULL, &je) == 0;
}

static void refuses(void)
{
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct span text = exact(bad[i].p, bad[i].n);
		struct json_error je = { 0, NULL, false };
		const char *shown = safe_show(text, 60);
		int r = json_scan(text, NULL, NULL, &je);
		CHECK(r == -1 && je.offset == bad[i].offset && !strcmp(je.what, bad[i].what)
		      && je.utf8 == !strcmp(bad[i].what, UTF8),
		      "%s is refused at %zu: %s", shown, bad[i].offset, bad[i].what);
		if (r == -1 && (je.offset != bad[i].offset || strcmp(je.what, bad[i].what)))
			printf("# got %zu: %s\n", je.offset, je.what);
		drop(text);
	}
}

static void accepts(void)
{
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		struct span text = exact(good[i].p, good[i].n);
		struct json_error je = { 0, "", false };
		CHECK_INT(json_scan(text, NULL, NULL, &je), 0, "%s is accepted%s",
			  safe_show(text, 60), je.what);
		drop(text);
	}
}

/* What a good text is cut to, or followed by, is never good by accident. */
static void cuts(void)
{
	static const char line[] = "{\"a\":[1.5e3,\"x\\ud83d\\ude00\xe2\x82\xac\",true],\"b\":{}}";
	size_t n = sizeof(line) - 1, wrong = 0;
	for (size_t i = 0; i < n; i++) {
		struct span text = exact(line, i);
		struct json_error je = { 0, NULL, false };
		if (json_scan(text, NULL, NULL, &je) != -1)
			wrong++;
		else if (strcmp(je.what, END) != 0 ? !je.utf8 : je.offset != i)
			wrong++;
		drop(text);
	}
	CHECK_INT(wrong, 0, "a text cut anywhere ends unexpectedly, at its end");
	CHECK(scans(span_of(line)), "and whole it is good");
}

/* Each byte at each place of the wide loop and of what is left behind it. */
static void every_byte_everywhere(void)
{
	size_t wrong = 0;
	for (int at = 0; at < 40; at++) {
		for (int c = 0; c < 256; c++) {
			char buf[42];
			memset(buf, 'x', sizeof(buf));
			buf[0] = buf[41] = '"';
			buf[1 + at] = (char)c;
			struct json_error je = { 0, NULL, false };
			int r = json_scan((struct span){ buf, sizeof(buf) }, NULL, NULL, &je);
			bool fine = c >= 0x20 && c < 0x80 && c != '"' && c != '\\';
			size_t where = (size_t)at + (c == '"' ? 2 : 1);
			if (at == 39 && c == '\\')
				where = sizeof(buf);
			if (fine ? r != 0 : r != -1 || je.offset != where)
				wrong++;
		}
	}
	CHECK_INT(wrong, 0, "every byte is judged alike at every place of a string");
}

/* The scan decides the usual sequences by itself. */
static void all_utf8(void)
{
	size_t wrong = 0, valid = 0;
	for (unsigned seq = 0; seq < 0x8000; seq++) {
		for (size_t tails = 0; tails <= 2; tails++) {
			char t[] = { '"', (char)(0x80 | seq >> 8), (char)(0x80 | (seq & 0x7f)),
				     (char)0xbf, (char)0x80, 0, 0 };
			size_t n = 3 + tails;
			bool want = safe_is_utf8((struct span){ t + 1, n - 1 });
			t[n] = '"';
			valid += want;
			wrong += scans((struct span){ t, n + 1 }) != want;
		}
	}
	CHECK_INT(wrong, 0, "UTF-8 in strings is what base/safe takes for it");
	CHECK(valid > 1000, "%zu sequences were valid", valid);
}

static void nests(void)
{
	static char text[200000];
	for (int object = 0; object < 2; object++) {
		const char *open = object ? "{\"a\":" : "[";
		size_t step = strlen(open);
		for (int depth = 511; depth <= 513; depth++) {
			size_t n = 0;
			for (int i = 0; i < depth; i++, n += step)
				memcpy(text + n, open, step);
			text[n++] = '1';
			for (int i = 0; i < depth; i++)
				text[n++] = object ? '}' : ']';
			struct json_error je = { 0, "", false };
			struct span t = exact(text, n);
			int r = json_scan(t, NULL, NULL, &je);
			drop(t);
			if (depth <= JSON_DEPTH) {
				CHECK_INT(r, 0, "%d levels of %s are fine", depth, open);
				continue;
			}
			CHECK_STR(je.what, "nested too deeply", "%d levels are not", depth);
			CHECK_INT(je.offset, step * JSON_DEPTH, "and it is the 513th");
		}
	}
	struct json_error je = { 0, "", false };
	memset(text, '[', 100000);
	CHECK_INT(json_scan((struct span){ text, 100000 }, NULL, NULL, &je), -1,
		  "100,000 brackets are refused");
	CHECK_INT(je.offset, JSON_DEPTH, "after looking at 513 of them");
	for (int i = 0; i < 100000; i++)
		text[i] = i % 2 ? ']' : '[';
	CHECK(!scans((struct span){ text, 100000 }), "[][][]... is not one value");
}

struct seen {
	struct str text;
	int stop_at;
};

static int note(void *ctx, int depth, struct span parent, struct span name,
		struct span value)
{
	struct seen *s = ctx;
	str_addf(&s->text, "%d ", depth);
	if (parent.p)
		str_addspan(&s->text, parent);
	str_addc(&s->text, '.');
	str_addspan(&s->text, name);
	str_addc(&s->text, '=');
	str_addspan(&s->text, value);
	str_addc(&s->text, '\n');
	return --s->stop_at == 0 ? 7 : 0;
}

static void reports(const char *text, const char *want, const char *rule)
{
	struct seen s = { STR_INIT, 0 };
	struct json_error je;
	CHECK_INT(json_scan(span_of(text), note, &s, &je), 0, "%s", rule);
	CHECK_STR(str_z(&s.text), want, "%s", text);
	str_release(&s.text);
}

static void tells_members(void)
{
	reports(" { \"a\" : 1 , \"b\\n\" : [ 2 ] } ", "1 .a=1\n1 .b\\n=[ 2 ]\n",
		"members of the outermost object are told, names and values raw");
	reports("{\"x\":{\"y\":{\"z\":1},\"w\":\" \"},\"v\":{}}",
		"2 x.y={\"z\":1}\n2 x.w=\" \"\n1 .x={\"y\":{\"z\":1},\"w\":\" \"}\n1 .v={}\n",
		"members of its members come before their holder, deeper ones not at all");
	reports("[{\"a\":1}]", "", "objects in an array have no parent's name");
	reports("{\"a\":[{\"b\":1}]}", "1 .a=[{\"b\":1}]\n", "nor have those in a member's array");
	reports("{\"\":{\"\":\"\"}}", "2 .=\"\"\n1 .={\"\":\"\"}\n", "empty names are names");
	reports("{\"a\":1,\"a\":2}", "1 .a=1\n1 .a=2\n", "a member given twice is told twice");
	reports("5", "", "a text without an object has no members");
	struct seen s = { STR_INIT, 2 };
	struct json_error je;
	CHECK_INT(json_scan(SPAN_LIT("{\"a\":1,\"b\":2,\"c\":3}!"), note, &s, &je), 7,
		  "the scan stops with what the callback returned");
	CHECK_STR(str_z(&s.text), "1 .a=1\n1 .b=2\n", "at once");
	str_release(&s.text);
}

static void tells_types(void)
{
	static const struct { const char *text; enum json_type type; } t[] = {
		{ "null", JSON_NULL }, { "false", JSON_FALSE }, { "true", JSON_TRUE },
		{ "0", JSON_NUMBER }, { "-1", JSON_NUMBER }, { "9", JSON_NUMBER },
		{ "\"\"", JSON_STRING }, { "[]", JSON_ARRAY }, { "{}", JSON_OBJECT },
	};
	for (size_t i = 0; i < ARRAY_LEN(t); i++)
		CHECK_INT(json_type(span_of(t[i].text)), t[i].type, "type of %s", t[i].text);
}

static void decodes_one(struct span json, struct span want, const char *rule)
{
	struct str s CLEANUP(str_release) = STR_INIT;
	str_addz(&s, "<");
	CHECK(scans(json), "%s: the text is valid", rule);
	json_string(json, &s);
	CHECK(s.n == want.n + 1 && !memcmp(s.p + 1, want.p, want.n), "%s", rule);
	str_reset(&s);
	json_unescape((struct span){ json.p + 1, json.n - 2 }, &s);
	CHECK(s.n == want.n && !memcmp(str_z(&s), want.p, want.n), "%s, raw", rule);
	CHECK(safe_is_utf8(str_span(&s)), "%s: the result is UTF-8", rule);
}

static void decodes(void)
{
	decodes_one(SPAN_LIT("\"\""), SPAN_LIT(""), "the empty string");
	decodes_one(SPAN_LIT("\"abc\""), SPAN_LIT("abc"), "no escapes");
	decodes_one(SPAN_LIT("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\""), SPAN_LIT("\"\\/\b\f\n\r\t"),
		    "the short escapes");
	decodes_one(SPAN_LIT("\"a\\u0000b\""), SPAN_LIT("a\0b"), "\\u0000 is a NUL");
	decodes_one(SPAN_LIT("\"\\u007f\\u0080\\u07ff\""), SPAN_LIT("\x7f\xc2\x80\xdf\xbf"),
		    "one and two bytes");
	decodes_one(SPAN_LIT("\"\\u0800\\ud7ff\\ue000\\uFFFF\""),
		    SPAN_LIT("\xe0\xa0\x80\xed\x9f\xbf\xee\x80\x80\xef\xbf\xbf"), "three bytes");
	decodes_one(SPAN_LIT("\"\\ud800\\udc00\\uDBFF\\uDFFF\""),
		    SPAN_LIT("\xf0\x90\x80\x80\xf4\x8f\xbf\xbf"), "surrogate pairs");
	decodes_one(SPAN_LIT("\"x\\ud83d\\ude00y\\u00e9\xc3\xa9\""),
		    SPAN_LIT("x\xf0\x9f\x98\x80y\xc3\xa9\xc3\xa9"), "all at once");
	decodes_one(SPAN_LIT("\"\\\\u0041\""), SPAN_LIT("\\u0041"), "an escaped backslash");
	CHECK(json_plain(SPAN_LIT("")), "nothing is plain");
	CHECK(json_plain(SPAN_LIT("a/\xc3\xa9")), "text without a backslash is plain");
	CHECK(!json_plain(SPAN_LIT("a\\/b")), "text with one is not");
}

static void reads_integers(void)
{
	static const struct { const char *text; int64_t min, max; bool ok; int64_t v; } t[] = {
		{ "0", 0, 9, true, 0 }, { "-0", 0, 9, true, 0 }, { "9", 0, 9, true, 9 },
		{ "10", 0, 9, false, 0 }, { "-1", 0, 9, false, 0 }, { "-1", -1, 9, true, -1 },
		{ "1.0", 0, 9, false, 0 }, { "1e0", 0, 9, false, 0 }, { "\"1\"", 0, 9, false, 0 },
		{ "null", 0, 9, false, 0 }, { "[1]", 0, 9, false, 0 },
		{ "9223372036854775807", 0, INT64_MAX, true, INT64_MAX },
		{ "9223372036854775808", 0, INT64_MAX, false, 0 },
		{ "-9223372036854775808", INT64_MIN, 0, true, INT64_MIN },
		{ "-9223372036854775809", INT64_MIN, 0, false, 0 },
		{ "99999999999999999999999999", INT64_MIN, INT64_MAX, false, 0 },
	};
	for (size_t i = 0; i < ARRAY_LEN(t); i++) {
		int64_t v = 0;
		bool ok = json_int(span_of(t[i].text), t[i].min, t[i].max, &v);
		CHECK(ok == t[i].ok && v == t[i].v, "%s as a number from %lld to %lld",
		      t[i].text, (long long)t[i].min, (long long)t[i].max);
	}
	int64_t v = 5;
	CHECK(!json_int(SPAN_NONE, 0, 9, &v) && v == 5, "what is absent is no number");
}

static void compacts_one(const char *text, const char *want)
{
	struct str s CLEANUP(str_release) = STR_INIT;
	json_compact(span_of(text), &s);
	CHECK_STR(str_z(&s), want, "white space goes, the rest stays: %s", want);
}

static void compacts(void)
{
	compacts_one(" { \"a b\" : [ 1 ,\n2.50 , -0e1 ] ,\t\"c\" : { } }\r\n",
		     "{\"a b\":[1,2.50,-0e1],\"c\":{}}");
	compacts_one("\" \\\" \\\\\"", "\" \\\" \\\\\"");
	compacts_one("[\"\\\\\", \"\\\\\\\"\" , \" \xc3\xa9 \\\" \"]",
		     "[\"\\\\\",\"\\\\\\\"\",\" \xc3\xa9 \\\" \"]");
	compacts_one("12345678901234567890123", "12345678901234567890123");
	compacts_one(" null\n", "null");
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		struct str s CLEANUP(str_release) = STR_INIT;
		struct str again CLEANUP(str_release) = STR_INIT;
		json_compact((struct span){ good[i].p, good[i].n }, &s);
		json_compact(str_span(&s), &again);
		CHECK(scans(str_span(&s)) && span_eq(str_span(&s), str_span(&again))
		      && !memchr(s.p, '\n', s.n), "compact once is compact: %s",
		      safe_show(str_span(&s), 60));
	}
}

static void walks_one(const char *text, const char *want)
{
	struct str got CLEANUP(str_release) = STR_INIT;
	struct span name, item, json = exact(text, strlen(text));
	size_t pos = 0;
	while (json_each(json, &pos, &name, &item)) {
		str_addf(&got, "%.*s=", name.p ? (int)name.n : 4, name.p ? name.p : "NONE");
		str_addspan(&got, item);
		str_addc(&got, ';');
	}
	CHECK_STR(str_z(&got), want, "walking over %s", text);
	CHECK(!json_each(json, &pos, &name, &item), "and the end stays the end");
	drop(json);
}

static void walks(void)
{
	walks_one("{}", "");
	walks_one("[ ]", "");
	walks_one("5", "");
	walks_one("\"[1]\"", "");
	walks_one("[1]", "NONE=1;");
	walks_one("[ 1 , \"a,]\" , [2,[3]] , {\"b\":4} , true , null ]",
		  "NONE=1;NONE=\"a,]\";NONE=[2,[3]];NONE={\"b\":4};NONE=true;NONE=null;");
	walks_one("{\"a\":1,\"b\":{\"c\":[\"}\",\"\\\"}\"]} , \"d\" : -1.5e+3 }",
		  "a=1;b={\"c\":[\"}\",\"\\\"}\"]};d=-1.5e+3;");
	walks_one("{\"\":\"\",\"x\\\"\":\"\\\\\"}", "=\"\";x\\\"=\"\\\\\";");
	walks_one("{\"a\":1,\"a\":2}", "a=1;a=2;");
	walks_one("{\n \"\xc3\xa9\" : \"\xe2\x82\xac \\\" \xe2\x82\xac\"\n}",
		  "\xc3\xa9=\"\xe2\x82\xac \\\" \xe2\x82\xac\";");
}

int main(void)
{
	CHECK(ARRAY_LEN(bad) >= 150, "%zu bad texts", ARRAY_LEN(bad));
	CHECK(ARRAY_LEN(good) >= 80, "%zu good texts", ARRAY_LEN(good));
	refuses();
	accepts();
	cuts();
	every_byte_everywhere();
	all_utf8();
	nests();
	tells_members();
	tells_types();
	decodes();
	reads_integers();
	compacts();
	walks();
	return unit_done();
}
