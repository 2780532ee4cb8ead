#include "base/jsonw.h"

#include <stdio.h>
#include <string.h>
#include "base/json.h"
#include "base/mem.h"
#include "base/rng.h"
#include "base/safe.h"
#include "unit.h"

static void test_structure(void)
{
	struct str s CLEANUP(str_release) = STR_INIT;
	struct jsonw w = jsonw_start(&s);
	jsonw_object(&w);
	jsonw_end(&w);
	CHECK_STR(str_z(&s), "{}", "an empty object");

	str_reset(&s);
	w = jsonw_start(&s);
	jsonw_object(&w);
	jsonw_kstrz(&w, "a", "x");
	jsonw_kint(&w, "b", -7);
	jsonw_kbool(&w, "c", true);
	jsonw_knull(&w, "d");
	jsonw_kraw(&w, "e", SPAN_LIT("[ 1 ]"));
	jsonw_kstr(&w, "f", SPAN_NONE);
	jsonw_kstr(&w, "", SPAN_LIT(""));
	jsonw_end(&w);
	CHECK_STR(str_z(&s), "{\"a\":\"x\",\"b\":-7,\"c\":true,\"d\":null,\"e\":[ 1 ],"
		  "\"f\":null,\"\":\"\"}", "members in the order of the calls");

	str_reset(&s);
	w = jsonw_start(&s);
	jsonw_array(&w);
	jsonw_array(&w);
	jsonw_array_end(&w);
	jsonw_object(&w);
	jsonw_key(&w, "k\"");
	jsonw_array(&w);
	jsonw_int(&w, 1);
	jsonw_bool(&w, false);
	jsonw_null(&w);
	jsonw_array_end(&w);
	jsonw_key(&w, "l");
	jsonw_object(&w);
	jsonw_end(&w);
	jsonw_kint(&w, "m", 2);
	jsonw_end(&w);
	jsonw_strz(&w, NULL);
	jsonw_int_or_null(&w, 5, true);
	jsonw_int_or_null(&w, 5, false);
	jsonw_raw(&w, SPAN_LIT("{}"));
	jsonw_array_end(&w);
	CHECK_STR(str_z(&s), "[[],{\"k\\\"\":[1,false,null],\"l\":{},\"m\":2},null,null,5,{}]",
		  "commas stand between, at every level");

	str_reset(&s);
	w = jsonw_start(&s);
	jsonw_int(&w, 1);
	str_addc(&s, '\n');
	jsonw_strz(&w, "x");
	CHECK_STR(str_z(&s), "1\n\"x\"", "texts one after the other have no comma");
}

static void nest(int levels)
{
	struct str s CLEANUP(str_release) = STR_INIT;
	struct jsonw w = jsonw_start(&s);
	for (int i = 0; i < levels; i++) {
		jsonw_array(&w);
		jsonw_int(&w, i);
	}
	for (int i = 0; i < levels; i++) {
		jsonw_int(&w, i);
		jsonw_array_end(&w);
	}
	struct json_error je;
	CHECK(json_scan(str_span(&s), NULL, NULL, &je) == 0,
	      "%d levels are JSON", levels);
}

static void too_deep(void)
{
	struct str s CLEANUP(str_release) = STR_INIT;
	struct jsonw w = jsonw_start(&s);
	for (int i = 0; i < 33; i++)
		jsonw_array(&w);
}

static void end_of_nothing(void)
{
	struct str s CLEANUP(str_release) = STR_INIT;
	struct jsonw w = jsonw_start(&s);
	jsonw_end(&w);
}

static void name_of_nothing(void)
{
	struct str s CLEANUP(str_release) = STR_INIT;
	struct jsonw w = jsonw_start(&s);
	jsonw_key(&w, "a");
}

static void raw_nothing(void)
{
	struct str s CLEANUP(str_release) = STR_INIT;
	struct jsonw w = jsonw_start(&s);
	jsonw_raw(&w, SPAN_NONE);
}

static void check_bug(void (*fn)(void), const char *rule)
{
	char said[256];
	CHECK(unit_child(fn, said, sizeof(said)) != 0 && strstr(said, "bug: "),
	      "%s", rule);
}

static void test_depth(void)
{
	nest(1);
	nest(32);
	check_bug(too_deep, "33 levels are a bug");
	check_bug(end_of_nothing, "an end without its beginning is a bug");
	check_bug(name_of_nothing, "a name outside of an object is a bug");
	check_bug(raw_nothing, "no bytes as raw JSON are a bug");
}

static void check_micro(int64_t v, const char *want)
{
	struct str s CLEANUP(str_release) = STR_INIT;
	struct jsonw w = jsonw_start(&s);
	jsonw_micro(&w, v);
	CHECK_STR(str_z(&s), want, "micro: %lld", (long long)v);
}

static void test_numbers(void)
{
	struct str s CLEANUP(str_release) = STR_INIT;
	struct jsonw w = jsonw_start(&s);
	jsonw_array(&w);
	jsonw_int(&w, INT64_MIN);
	jsonw_int(&w, 0);
	jsonw_int(&w, INT64_MAX);
	jsonw_array_end(&w);
	CHECK_STR(str_z(&s), "[-9223372036854775808,0,9223372036854775807]",
		  "integers of 64 bits");
	check_micro(1500000, "1.5");
	check_micro(0, "0");
	check_micro(1000000, "1");
	check_micro(-1000000, "-1");
	check_micro(1, "0.000001");
	check_micro(-1, "-0.000001");
	check_micro(10, "0.00001");
	check_micro(100000, "0.1");
	check_micro(1000001, "1.000001");
	check_micro(INT64_MAX, "9223372036854.775807");
	check_micro(INT64_MIN, "-9223372036854.775808");
}

#define CHECK_QUOTED(in, want, ...) do { \
	struct str s_ CLEANUP(str_release) = STR_INIT; \
	jsonw_quote(&s_, SPAN_LIT(in)); \
	CHECK_STR(str_z(&s_), (want), __VA_ARGS__); \
} while (0)

static void test_quote(void)
{
	CHECK_QUOTED("", "\"\"", "an empty string");
	CHECK_QUOTED("plain text / 'x' ~", "\"plain text / 'x' ~\"", "ASCII stays");
	CHECK_QUOTED("\"\\\b\f\n\r\t", "\"\\\"\\\\\\b\\f\\n\\r\\t\"",
		     "the short escapes");
	CHECK_QUOTED("\0\001\037\x7f", "\"\\u0000\\u0001\\u001f\\u007f\"",
		     "other controls and DEL");
	CHECK_QUOTED("\033[2J", "\"\\u001b[2J\"", "ESC");
	CHECK_QUOTED("\xc2\x80\xc2\x85\xc2\x9f\xc2\xa0", "\"\\u0080\\u0085\\u009f\xc2\xa0\"",
		     "C1 controls are escaped, U+00A0 stays");
	CHECK_QUOTED("\xe2\x80\xae\xe2\x81\xa6\xd8\x9c\xe2\x80\x8e",
		     "\"\\u202e\\u2066\\u061c\\u200e\"", "bidirectional controls");
	CHECK_QUOTED("gr\xc3\xbc\xc3\x9f \xe6\x97\xa5\xe6\x9c\xac \xf0\x9f\x98\x80",
		     "\"gr\xc3\xbc\xc3\x9f \xe6\x97\xa5\xe6\x9c\xac \xf0\x9f\x98\x80\"",
		     "other UTF-8 stays");
	CHECK_QUOTED("a\xff" "b\x9b", "\"a\xef\xbf\xbd" "b\xef\xbf\xbd\"",
		     "bytes that are no UTF-8 become U+FFFD");
	CHECK_QUOTED("\xed\xa0\x80\"", "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\\\"\"",
		     "a surrogate is no UTF-8");
	CHECK_QUOTED("\xe6\x97\"", "\"\xef\xbf\xbd\xef\xbf\xbd\\\"\"",
		     "a cut character does not swallow a quote");
	struct str s CLEANUP(str_release) = STR_INIT;
	jsonw_quote(&s, SPAN_NONE);
	CHECK_STR(str_z(&s), "\"\"", "an absent string alone is empty");
}

/* A byte at a time, to compare the runs with. */
static void quote_slowly(struct str *out, struct span v)
{
	str_addc(out, '"');
	for (size_t i = 0; i < v.n; i++) {
		unsigned char c = (unsigned char)v.p[i];
		const char *at = c ? strchr("\bb\ff\nn\rr\tt", c) : NULL;
		if (c >= 0x80)
			str_addz(out, "\xef\xbf\xbd");
		else if (c == '"' || c == '\\')
			str_addf(out, "\\%c", c);
		else if (at && c < 0x20)
			str_addf(out, "\\%c", at[1]);
		else if (c < 0x20 || c == 0x7f)
			str_addf(out, "\\u%04x", c);
		else
			str_addc(out, (char)c);
	}
	str_addc(out, '"');
}

static void test_positions(void)
{
	struct str fast CLEANUP(str_release) = STR_INIT;
	struct str slow CLEANUP(str_release) = STR_INIT;
	int differ = 0;
	for (size_t n = 1; n <= 20; n++)
		for (size_t at = 0; at < n; at++)
			for (int c = 0; c < 256; c++) {
				char b[20];
				memset(b, 'a', sizeof(b));
				b[at] = (char)c;
				str_reset(&fast);
				str_reset(&slow);
				jsonw_quote(&fast, (struct span){ b, n });
				quote_slowly(&slow, (struct span){ b, n });
				differ += !span_eq(str_span(&fast), str_span(&slow));
			}
	CHECK_INT(differ, 0, "every byte at every place of every eight");
	int mixed = 0;
	struct rng r;
	rng_seed(&r, 3);
	for (int i = 0; i < 5000; i++) {
		char b[24];
		for (size_t j = 0; j < sizeof(b); j++)
			b[j] = (char)rng_below(&r, 0x80);
		str_reset(&fast);
		str_reset(&slow);
		jsonw_quote(&fast, (struct span){ b, sizeof(b) });
		quote_slowly(&slow, (struct span){ b, sizeof(b) });
		mixed += !span_eq(str_span(&fast), str_span(&slow));
	}
	CHECK_INT(mixed, 0, "neighbours do not hide one another");
}

static bool reads_back(struct span v)
{
	struct str s CLEANUP(str_release) = STR_INIT;
	struct str back CLEANUP(str_release) = STR_INIT;
	struct json_error je;
	jsonw_quote(&s, v);
	if (json_scan(str_span(&s), NULL, NULL, &je) != 0)
		return false;
	json_string(str_span(&s), &back);
	return span_eq(str_span(&back), v);
}

static void test_reads_back(void)
{
	struct rng r;
	rng_seed(&r, 5);
	int bad = 0;
	for (int i = 0; i < 200; i++) {
		struct str s CLEANUP(str_release) = STR_INIT;
		while (s.n < 400) {
			char b[4];
			for (size_t j = 0; j < sizeof(b); j++)
				b[j] = (char)rng_next(&r);
			str_add(&s, b, safe_utf8(b, sizeof(b)));
		}
		bad += !reads_back(str_span(&s));
	}
	CHECK_INT(bad, 0, "random UTF-8 is read back as it was");
	CHECK(reads_back(SPAN_LIT("")), "so is an empty string");
}

static void test_hostile(void)
{
	struct str in CLEANUP(str_release) = STR_INIT;
	struct str out CLEANUP(str_release) = STR_INIT;
	while (in.n < 10240)
		str_addz(&in,
		"\033]0;x\007\x9b" "2J\xc2\x9b\xe2\x80\xae\xff\xc0\xaf\"\\\r\n");
	jsonw_quote(&out, str_span(&in));
	struct json_error je;
	CHECK(json_scan(str_span(&out), NULL, NULL, &je) == 0,
	      "10 KB of hostile text are JSON");
	int bad = 0;
	for (size_t i = 0; i < out.n;) {
		uint32_t code = 0;
		size_t len = safe_decode(out.p + i, out.n - i, &code);
		bad += len == 0 || safe_control(code);
		i += len ? len : 1;
	}
	CHECK_INT(bad, 0, "and safe to show");
}

static void check_base64(struct span v, const char *digits)
{
	struct str s CLEANUP(str_release) = STR_INIT;
	struct str want CLEANUP(str_release) = STR_INIT;
	struct jsonw w = jsonw_start(&s);
	str_addf(&want, "[{\"$base64\":\"%s\"},1]", digits);
	jsonw_array(&w);
	jsonw_base64(&w, v);
	jsonw_int(&w, 1);
	jsonw_array_end(&w);
	CHECK_STR(str_z(&s), str_z(&want), "base64: '%s'", digits);
}

static void test_base64(void)
{
	/* RFC 4648 section 10 */
	check_base64(SPAN_LIT(""), "");
	check_base64(SPAN_LIT("f"), "Zg==");
	check_base64(SPAN_LIT("fo"), "Zm8=");
	check_base64(SPAN_LIT("foo"), "Zm9v");
	check_base64(SPAN_LIT("foob"), "Zm9vYg==");
	check_base64(SPAN_LIT("fooba"), "Zm9vYmE=");
	check_base64(SPAN_LIT("foobar"), "Zm9vYmFy");
	check_base64(SPAN_LIT("\0\xff\xfe\xfb\xef\xbe"), "AP/+++++");
	check_base64(SPAN_NONE, "");
}

int main(void)
{
	test_structure();
	test_depth();
	test_numbers();
	test_quote();
	test_positions();
	test_reads_back();
	test_hostile();
	test_base64();
	return unit_done();
}
