/* prices: the file, whose price a model has, and exact sums. */
#include "domain/prices.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "unit.h"

static const char *path_of(const char *name)
{
	static char path[512];

	snprintf(path, sizeof path, "%s/%s", unit_dir(), name);
	return path;
}

static struct prices *load(const char *text, struct err *e)
{
	FILE *f = fopen(path_of("p.json"), "w");

	fputs(text, f);
	fclose(f);
	*e = (struct err)ERR_INIT;
	return prices_load(path_of("p.json"), e);
}

/* It is refused as a configuration, and the message ends like this. */
static void refused(const char *text, const char *why, const char *rule)
{
	struct err e;
	struct prices *p CLEANUP(prices_cleanup) = load(text, &e);
	const char *at = strstr(e.msg, "/p.json");

	CHECK(!p && e.code == ERR_CONFIG, "refused: %s", rule);
	CHECK_STR(at ? at + 7 : e.msg, why, "%s: where and why", rule);
}

/* "input cached output" of a model, "-": none. */
static const char *price(const struct prices *p, const char *model)
{
	static char text[100];
	const struct prices_model *m = prices_find(p, span_of(model));

	if (!m)
		return "-";
	snprintf(text, sizeof text, "%lld %lld %lld", (long long)m->input, (long long)m->cached,
		 (long long)m->output);
	return text;
}

/* The price that a number gives, or what is wrong with it. */
static const char *number(const char *text)
{
	static char shown[200];
	struct str json CLEANUP(str_release) = STR_INIT;
	struct err e;

	str_addf(&json, "{\"m\":{\"input\":%s,\"output\":0}}", text);
	struct prices *p CLEANUP(prices_cleanup) = load(str_z(&json), &e);
	if (p)
		snprintf(shown, sizeof shown, "%lld",
			 (long long)prices_find(p, SPAN_LIT("m"))->input);
	else
		snprintf(shown, sizeof shown, "%s", strrchr(e.msg, ':') + 2);
	return shown;
}

static void files(void)
{
	struct err e;
	struct prices *p = load(" \n{\"gpt-4o-mini\": {\"input\": 0.15, \"cached_input\": 0.075,"
				" \"output\": 0.6},\n\"gpt-4o\":{\"output\":10,\"input\":2.5},"
				"\"gpt\\u002d5\":{\"input\":1,\"output\":2}}\r\n", &e);

	CHECK(p != NULL, "a file is read (%s)", e.msg);
	CHECK_STR(price(p, "gpt-4o-mini"), "150000 75000 600000", "in pico-dollars per token");
	CHECK_STR(price(p, "gpt-4o"), "2500000 2500000 10000000",
		  "cached_input is as dear as input, unless it is said");
	CHECK_STR(price(p, "gpt-4o-2024-08-06"), "2500000 2500000 10000000", "a prefix is enough");
	CHECK_STR(price(p, "gpt-4o-mini-2024"), "150000 75000 600000", "the longest one wins");
	CHECK_STR(price(p, "gpt-5"), "1000000 1000000 2000000", "names may have escapes");
	CHECK_STR(price(p, "gpt-4"), "-", "a model that no name begins");
	CHECK_STR(price(p, ""), "-", "nor an empty one");
	CHECK_STR(price(NULL, "gpt-4o"), "-", "no prices, no price");
	CHECK(prices_need(p, SPAN_LIT("gpt-4o"), &e) == prices_find(p, SPAN_LIT("gpt-4o")),
	      "what is needed is found");
	CHECK(!prices_need(p, SPAN_LIT("o\1"), &e) && e.code == ERR_CONFIG, "or is an error");
	CHECK(strstr(e.msg, "p.json: no price for the model 'o\\x01'") && *e.hint, "that names it");
	CHECK(!prices_need(NULL, SPAN_LIT("o1"), &e), "also without any prices");
	prices_free(p);

	p = load("{\"\":{\"input\":1,\"output\":0},\"a\":{\"input\":2,\"output\":0}}", &e);
	CHECK_STR(price(p, "x"), "1000000 1000000 0", "the empty name is for any model");
	CHECK_STR(price(p, "ab"), "2000000 2000000 0", "that has no better one");
	CHECK_STR(price(p, ""), "1000000 1000000 0", "and for one without a name");
	prices_free(p);
	p = load("{}", &e);
	CHECK(p != NULL, "no model at all is a file");
	prices_free(p);
}

static void bad_files(void)
{
	struct err e = ERR_INIT;

	CHECK(!prices_load(path_of("none.json"), &e) && e.code == ERR_NOINPUT, "no such file");
	CHECK(!prices_load(unit_dir(), &e) && e.code == ERR_NOINPUT, "a directory");
	refused("", ":1:1: unexpected end", "an empty file");
	refused("{\"m\":\n  {\"input\":0.1.5}}", ":2:15: invalid number",
		"no JSON");
	refused("[]", ": is no object {\"MODEL\":{\"input\":…,\"output\":…}}", "another value");
	refused("{\"m\":1}", ": m: is no object {\"input\":…,\"output\":…}", "a number for a model");
	refused("{\"m\":{\"input\":1}}", ": m.output: is missing; 0 for a model that has none",
		"no output");
	refused("{\"m\":{\"output\":1}}", ": m.input: is missing", "no input");
	refused("{\"m\":{\"input\":\"1\",\"output\":1}}", ": m.input: is no number", "a string");
	refused("{\"m\":{\"input\":1,\"input\":1,\"output\":1}}", ": m.input: is there twice",
		"two prices");
	refused("{\"m\":{\"input\":1,\"output\":1},\"m\":{\"input\":1,\"output\":1}}",
		": m: is there twice", "a model given twice");
	refused("{\"m\":{\"input\":1,\"cached-input\":1,\"output\":1}}",
		": m.cached-input: is not known; there are input, cached_input and output",
		"a member that is misspelt");
	refused("{\"m\\u0000\":{\"input\":1}}", ": m\\x00.output: is missing; 0 for a model that "
		"has none", "control characters are shown as such");

	FILE *f = fopen(path_of("large.json"), "w");
	for (int i = 0; i < 5000; i++)
		fprintf(f, "%1024s\n", "");
	fclose(f);
	CHECK(!prices_load(path_of("large.json"), &e) && e.code == ERR_CONFIG &&
	      strstr(e.msg, "4 MiB"), "a file has a limit (%s)", e.msg);
	CHECK(truncate(path_of("large.json"), 0) == 0 && truncate(path_of("large.json"), 5 << 20) == 0,
	      "a file of one line");
	CHECK(!prices_load(path_of("large.json"), &e) && e.code == ERR_CONFIG &&
	      strstr(e.msg, "4 MiB"), "a line too (%s)", e.msg);
}

static void numbers(void)
{
	static const char large[] = "is not from 0 to 1,000,000";
	static const char fine[] = "has more than 6 digits behind the point";

	CHECK_STR(number("0"), "0", "nothing");
	CHECK_STR(number("0.0000010"), "1", "the least");
	CHECK_STR(number("1000000"), "1000000000000", "the most");
	CHECK_STR(number("0.1"), "100000", "a tenth is a tenth");
	CHECK_STR(number("7.5e-2"), "75000", "with an exponent");
	CHECK_STR(number("0.00000075E+5"), "75000", "of either sign");
	CHECK_STR(number("1e6"), "1000000000000", "up to the most");
	CHECK_STR(number("0e999999999999"), "0", "nothing stays nothing");
	CHECK_STR(number("10000000000000000000000000000e-28"), "1000000", "many digits");
	CHECK_STR(number("0.10000000000000000000000000000000000000000"), "100000", "and zeros");
	CHECK_STR(number("1000000.000001"), large, "more than the most");
	CHECK_STR(number("1e7"), large, "with an exponent");
	CHECK_STR(number("1e999999999999"), large, "a large one");
	CHECK_STR(number("99999999999999999999999999999999999999999999999"), large, "or many digits");
	CHECK_STR(number("-1"), large, "less than nothing");
	CHECK_STR(number("0.0000001"), fine, "finer than a millionth");
	CHECK_STR(number("1e-999999999"), fine, "much finer");
	CHECK_STR(number("0.16500000000000004"), fine, "what a double made of it");
	CHECK_STR(number("0.100000000000000000000000000000000000000001"), fine, "however far behind");
}

static void costs(void)
{
	static const struct prices_model m = { 150000, 75000, 600000 };
	static const struct prices_model dear = { PRICES_DOLLAR, PRICES_DOLLAR, PRICES_DOLLAR };
	char buf[PRICES_BUF];

	CHECK_INT(prices_cost(&m, 1000000, 0, 0), 150000000000, "a million tokens of input");
	CHECK_INT(prices_cost(&m, 1000000, 1000000, 0), 75000000000, "all of them cached");
	CHECK_INT(prices_cost(&m, 10, 4, 3), 6 * 150000 + 4 * 75000 + 3 * 600000, "some of them");
	CHECK_INT(prices_cost(&m, 10, 40, 0), 10 * 75000, "no more are cached than there are");
	CHECK_INT(prices_cost(&m, -1, -1, -1), 0, "nothing is less than nothing");
	CHECK_INT(prices_cost(&m, 10, -5, 0), 10 * 150000, "not the cached ones either");
	CHECK_INT(prices_cost(&dear, INT64_MAX, 0, INT64_MAX), PRICES_MAX, "there is a most");
	CHECK_INT(prices_sum(PRICES_MAX, 1), PRICES_MAX, "of sums too");
	CHECK_INT(prices_sum(1, 2), 3, "sums are exact");
	CHECK_INT(prices_of_micro(1500000), PRICES_DOLLAR * 3 / 2, "micro-dollars");
	CHECK_INT(prices_of_micro(INT64_MAX), PRICES_MAX, "and too many of them");

	CHECK_INT(prices_estimate(&m, 9, 100), 3 * 150000 + 100 * 600000,
		  "an estimate: four bytes a token, rounded up, and all the output it may have");
	CHECK_INT(prices_estimate(&m, 0, 0), PRICES_OUTPUT * INT64_C(600000), "or a guess of it");

	CHECK_STR(prices_text(0, buf), "0.00", "nothing as text");
	CHECK_STR(prices_text(12300000000, buf), "0.0123", "a cent");
	CHECK_STR(prices_text(5 * PRICES_DOLLAR, buf), "5.00", "two digits at least");
	CHECK_STR(prices_text(5 * PRICES_DOLLAR / 2, buf), "2.50", "also of a half");
	CHECK_STR(prices_text(1, buf), "0.000000000001", "twelve at most");
	CHECK_STR(prices_text(PRICES_MAX, buf), "9000000.00", "the most");
	CHECK_STR(prices_text(PRICES_MAX - 1, buf), "8999999.999999999999", "exactly");
}

int main(void)
{
	files();
	bad_files();
	numbers();
	costs();
	prices_free(NULL);
	return unit_done();
}
