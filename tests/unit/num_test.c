#include "base/num.h"

#include <string.h>
#include "base/mem.h"
#include "unit.h"

typedef int parser(const char *text, int64_t min, int64_t max, int64_t *out,
		   struct err *e);

struct good {
	const char *text;
	int64_t min, max, want;
};

struct bad {
	const char *text;
	int64_t min, max;
	const char *message;
};

static const int64_t BIG = INT64_MAX;

static void check_good(const char *name, parser *parse, const struct good *g, size_t n)
{
	for (; n > 0; n--, g++) {
		struct err e = ERR_INIT;
		int64_t v = -99;
		CHECK_INT(parse(g->text, g->min, g->max, &v, &e), 0,
			  "%s takes '%s'", name, g->text);
		CHECK_INT(v, g->want, "%s: the value of '%s'", name, g->text);
	}
}

static void check_bad(const char *name, parser *parse, const struct bad *b, size_t n)
{
	for (; n > 0; n--, b++) {
		struct err e = ERR_INIT;
		int64_t v = -99;
		CHECK_INT(parse(b->text, b->min, b->max, &v, &e), -1,
			  "%s refuses '%s'", name, b->text);
		CHECK_INT(e.code, ERR_USAGE, "... as a wrong usage");
		CHECK_INT(v, -99, "... and leaves the value alone");
		if (b->message)
			CHECK_STR(e.msg, b->message, "... and says why");
	}
}

#define GOOD(parse, table) check_good(#parse, parse, table, ARRAY_LEN(table))
#define BAD(parse, table) check_bad(#parse, parse, table, ARRAY_LEN(table))

static void integers(void)
{
	const struct good good[] = {
		{ "0", 0, 9, 0 }, { "9", 0, 9, 9 }, { "007", 0, 9, 7 },
		{ "-9", -9, 9, -9 }, { "-0", -1, 1, 0 },
		{ "9223372036854775807", 0, BIG, BIG },
		{ "-9223372036854775808", INT64_MIN, BIG, INT64_MIN },
		{ "0000000000000000000000000000001", 1, 1, 1 },
	};
	const struct bad bad[] = {
		{ "70000", 1, 65535, "'70000' is not a number from 1 to 65535" },
		{ "0", 1, 65535, "'0' is not a number from 1 to 65535" },
		{ "", 1, 2, "'' is not a number from 1 to 2" },
		{ "-", -5, 5, "'-' is not a number from -5 to 5" },
		{ "-0", 0, 5, NULL }, { "+1", 0, 5, NULL }, { " 1", 0, 5, NULL },
		{ "1 ", 0, 5, NULL }, { "1.0", 0, 5, NULL }, { "1e1", 0, 50, NULL },
		{ "0x1", 0, 5, NULL }, { "1k", 0, BIG, NULL }, { "--1", -5, 5, NULL },
		{ "9223372036854775808", INT64_MIN, BIG, "'9223372036854775808' is not "
		  "a number from -9223372036854775808 to 9223372036854775807" },
		{ "-9223372036854775809", INT64_MIN, BIG, NULL },
		{ "18446744073709551617", 0, BIG, NULL },
		{ "340282366920938463463374607431768211457", 0, BIG, NULL },
		{ "1\x1b[2J", 0, 5, "'1\\x1b[2J' is not a number from 0 to 5" },
	};
	GOOD(num_int, good);
	BAD(num_int, bad);
}

static void decimals(void)
{
	const struct good good[] = {
		{ "1.5", 0, BIG, 1500000 }, { "2", 0, BIG, 2000000 },
		{ "0.000001", 0, BIG, 1 }, { "0.100000", 0, BIG, 100000 },
		{ "-0.25", -1000000, 0, -250000 }, { "-0.0", -1, 0, 0 },
		{ "9223372036854.775807", 0, BIG, BIG },
		{ "-9223372036854.775808", INT64_MIN, 0, INT64_MIN },
	};
	const struct bad bad[] = {
		{ "3", 1, 2500000, "'3' is not a decimal from 0.000001 to 2.5" },
		{ "x", -1500000, 20000000, "'x' is not a decimal from -1.5 to 20" },
		{ "x", INT64_MIN, 0,
		  "'x' is not a decimal from -9223372036854.775808 to 0" },
		{ "0.0000001", 0, BIG, NULL }, { "1.", 0, BIG, NULL },
		{ ".5", 0, BIG, NULL }, { "1.5.", 0, BIG, NULL }, { "1,5", 0, BIG, NULL },
		{ "-1", 0, BIG, NULL }, { "1.-5", -5, BIG, NULL }, { "", 0, BIG, NULL },
		{ "9223372036854.775808", 0, BIG, NULL },
		{ "9223372036854775807", 0, BIG, NULL },
	};
	GOOD(num_micro, good);
	BAD(num_micro, bad);
}

static void durations(void)
{
	const struct good good[] = {
		{ "250ms", 0, BIG, 250 }, { "30s", 0, BIG, 30000 },
		{ "10m", 0, BIG, 600000 }, { "6h", 0, BIG, 21600000 },
		{ "7d", 0, BIG, 604800000 }, { "1.5h", 0, BIG, 5400000 },
		{ "0", 0, BIG, 0 }, { "0.0", 0, BIG, 0 }, { "0s", 0, BIG, 0 },
		{ "0.001s", 0, BIG, 1 }, { "1.2345s", 0, BIG, 1235 },
		{ "0.333333h", 0, BIG, 1199999 }, { "-1s", -1000, 0, -1000 },
		{ "-0.0015s", -1000, 0, -2 }, { "9223372036854775807ms", 0, BIG, BIG },
		{ "106751991167d", 0, BIG, INT64_C(106751991167) * 86400000 },
	};
	const struct bad bad[] = {
		{ "10", 1000, 604800000, "'10' is not a duration from 1s to 7d" },
		{ "8d", 0, 604800000, "'8d' is not a duration from 0 to 7d" },
		{ "8d", 1, 90000, "'8d' is not a duration from 1ms to 90s" },
		{ "0", 1, 90000, "'0' is not a duration from 1ms to 90s" },
		{ "0.0001s", 0, BIG, NULL }, { "s", 0, BIG, NULL }, { "", 0, BIG, NULL },
		{ "1S", 0, BIG, NULL }, { "1D", 0, BIG, NULL }, { "1min", 0, BIG, NULL },
		{ "1 s", 0, BIG, NULL }, { "1s ", 0, BIG, NULL },
		{ "1m30s", 0, BIG, NULL }, { "1.s", 0, BIG, NULL },
		{ "-1s", 0, BIG, NULL }, { "106751991168d", 0, BIG, NULL },
		{ "9223372036854775808ms", 0, BIG, NULL },
		{ "9223372036854775807d", 0, BIG, NULL },
	};
	GOOD(num_duration, good);
	BAD(num_duration, bad);
	struct err e = ERR_INIT;
	int64_t v;
	CHECK_INT(num_duration("5", 0, BIG, &v, &e), -1, "a duration wants a unit");
	CHECK(strstr(e.hint, "30s") != NULL, "the hint shows units: %s", e.hint);
}

static void sizes(void)
{
	const struct good good[] = {
		{ "0", 0, BIG, 0 }, { "64k", 0, BIG, 65536 }, { "64K", 0, BIG, 65536 },
		{ "200M", 0, BIG, 209715200 }, { "200m", 0, BIG, 209715200 },
		{ "2G", 0, BIG, INT64_C(2) << 30 }, { "1g", 0, BIG, 1 << 30 },
		{ "1T", 0, BIG, INT64_C(1) << 40 }, { "1t", 0, BIG, INT64_C(1) << 40 },
		{ "1000", 0, BIG, 1000 }, { "1.5k", 0, BIG, 1536 }, { "7.0", 0, BIG, 7 },
		{ "8388607T", 0, BIG, INT64_C(8388607) << 40 },
	};
	const struct bad bad[] = {
		{ "3G", 1024, 1 << 30, "'3G' is not a size from 1k to 1G" },
		{ "3G", 0, 1000, "'3G' is not a size from 0 to 1000" },
		{ "1.5", 0, BIG, NULL }, { "1kB", 0, BIG, NULL }, { "k", 0, BIG, NULL },
		{ "1KiB", 0, BIG, NULL }, { "", 0, BIG, NULL }, { "-1", 0, BIG, NULL },
		{ "8388608T", 0, BIG, NULL }, { "0.0001k", 0, BIG, NULL },
	};
	GOOD(num_size, good);
	BAD(num_size, bad);
}

struct shown {
	int64_t v;
	const char *want;
};

static void check_shown(const char *name, char *(*show)(int64_t, char *),
			const struct shown *s, size_t n)
{
	char buf[NUM_BUF];
	for (; n > 0; n--, s++)
		CHECK_STR(show(s->v, buf), s->want, "%s of %lld", name, (long long)s->v);
}

#define SHOWN(show, table) check_shown(#show, show, table, ARRAY_LEN(table))

static void texts(void)
{
	const struct shown counts[] = {
		{ 0, "0" }, { 7, "7" }, { 999, "999" }, { 1000, "1,000" },
		{ 1234567, "1,234,567" }, { -1000, "-1,000" }, { -999, "-999" },
		{ BIG, "9,223,372,036,854,775,807" },
		{ INT64_MIN, "-9,223,372,036,854,775,808" },
	};
	const struct shown durations_[] = {
		{ 0, "0ms" }, { 250, "250ms" }, { 999, "999ms" }, { 1000, "1.0s" },
		{ 3250, "3.2s" }, { 59999, "59.9s" }, { 60000, "1m00s" },
		{ 250000, "4m10s" }, { 3599999, "59m59s" }, { 3600000, "1h00m" },
		{ 21900000, "6h05m" }, { 86399999, "23h59m" }, { 86400000, "1d0h" },
		{ 615600000, "7d3h" }, { -1500, "-1.5s" },
		{ BIG, "106751991167d7h" }, { INT64_MIN, "-106751991167d7h" },
	};
	const struct shown sizes_[] = {
		{ 0, "0B" }, { 912, "912B" }, { 1023, "1023B" }, { 1024, "1.0k" },
		{ 65536, "64.0k" }, { 1258291, "1.2M" }, { 1048575, "1.0M" },
		{ 1048524, "1023.9k" }, { 1048525, "1.0M" }, { 1 << 30, "1.0G" },
		{ -2048, "-2.0k" }, { BIG, "8.0E" }, { INT64_MIN, "-8.0E" },
	};
	SHOWN(num_count, counts);
	SHOWN(num_duration_text, durations_);
	SHOWN(num_size_text, sizes_);
}

static void portion(const char *text, int64_t total, int64_t want, const char *rule)
{
	struct err e = ERR_INIT;
	int64_t got = -7;

	if (want < 0) {
		CHECK(num_portion(text, total, &got, &e) < 0 && e.code == ERR_USAGE &&
		      strstr(e.msg, "is neither a number nor a percentage") && got == -7,
		      "refused: %s", rule);
		return;
	}
	CHECK_INT(num_portion(text, total, &got, &e), 0, "%s: %s of %lld", rule, text,
		  (long long)total);
	CHECK_INT(got, want, "%s: how many", rule);
}

static void nouns(void)
{
	char buf[NUM_BUF];

	CHECK_STR(num_of(1, "request", buf), "1 request", "one");
	CHECK_STR(num_of(0, "request", buf), "0 requests", "none are many");
	CHECK_STR(num_of(12345, "line", buf), "12,345 lines", "many, as num_count() has them");
	CHECK_STR(num_of(1, "batch", buf), "1 batch", "one with ch");
	CHECK_STR(num_of(2, "batch", buf), "2 batches", "many of them");
	CHECK_STR(num_of(INT64_MIN, "twelve bytch", buf),
		  "-9,223,372,036,854,775,808 twelve bytches", "the longest fits");
}

static void portions(void)
{
	portion("0", 50, 0, "none");
	portion("10", 3, 10, "a number, whatever the total");
	portion("9223372036854775807", 0, INT64_MAX, "the largest");
	portion("0%", 50, 0, "nothing");
	portion("100%", 50, 50, "all");
	portion("2.5%", 1000, 25, "a share");
	portion("2.5%", 39, 0, "rounded down");
	portion("33.333333%", 3, 0, "just less than one");
	portion("50%", INT64_MAX, INT64_MAX / 2, "of very many");
	portion("7%", 0, 0, "of none");
	portion("", 9, -1, "nothing");
	portion("%", 9, -1, "no number");
	portion("-1", 9, -1, "below 0");
	portion("-1%", 9, -1, "below 0%");
	portion("100.1%", 9, -1, "above 100%");
	portion("1.5", 9, -1, "half of one");
	portion("5%%", 9, -1, "two signs");
	portion("5 %", 9, -1, "a space");
}

int main(void)
{
	portions();
	nouns();
	integers();
	decimals();
	durations();
	sizes();
	texts();
	return unit_done();
}
