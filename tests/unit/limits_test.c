#include "domain/limits.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/mem.h"
#include "base/rng.h"
#include "unit.h"

static struct err e;

static const char *written(const struct limits *l)
{
	static struct str out;

	str_reset(&out);
	limits_write(l, &out);
	return str_z(&out);
}

/* The set of these rules as it is written, or the message and hint. */
static const char *added(const char *const *rules, int n)
{
	static struct str out;
	struct limits l CLEANUP(limits_release) = LIMITS_INIT;

	str_reset(&out);
	for (int i = 0; i < n; i++)
		if (limits_add(&l, rules[i], &e) < 0) {
			str_addf(&out, "%s%s%s%s%s", e.code == ERR_USAGE ? "" : "not ERR_USAGE: ", e.msg,
				 *e.hint ? " (" : "", e.hint, *e.hint ? ")" : "");
			CHECK_INT(l.n, i, "%s: a bad rule adds nothing", rules[i]);
			return str_z(&out);
		}
	str_addz(&out, written(&l));
	return str_z(&out);
}

static void rules(void)
{
	static const struct { const char *rule, *written; } all[] = {
		{ "gpt-4o:jobs=5", "gpt-4o:jobs=5" },
		{ "gpt-4o:jobs=5,rate=500/m,tokens=30k/m", "gpt-4o:jobs=5,rate=500/m,tokens=30000/m" },
		{ "m:tokens=2M/h,rate=5/15s", "m:rate=5/15s,tokens=2000000/h" },
		{ "*:jobs=2", "*:jobs=2" },
		{ "m:jobs=1", "m:jobs=1" }, { "m:jobs=10000", "m:jobs=10000" },
		{ "m:jobs=2,jobs=3", "m:jobs=3" },
		{ "llama3:8b:jobs=2", "llama3:8b:jobs=2" },
		{ "a:b:c:d:rate=1/s", "a:b:c:d:rate=1/s" },
		{ "::jobs=1", "::jobs=1" },
		{ "org/model name,v=1:jobs=1", "org/model name,v=1:jobs=1" },
		{ "m\xc3\xa9\"\\:jobs=1", "m\xc3\xa9\\\"\\\\:jobs=1" },
		{ "127.0.0.1:8000:jobs=4", "127.0.0.1:8000:jobs=4" },
	};
	for (size_t i = 0; i < ARRAY_LEN(all); i++) {
		struct str want CLEANUP(str_release) = STR_INIT;
		str_addf(&want, "[\"%s\"]", all[i].written);
		CHECK_STR(added(&all[i].rule, 1), str_z(&want), "--limit %s", all[i].rule);
	}
}

#define HINT " (write MODEL:jobs=N,rate=N/s,tokens=N/m; * is any other model)"
#define RATE_HINT " (write N/s, N/m, N/h, N/d or N per another interval: 5/15s; k and M after the " \
		  "number are thousands and millions)"

static void bad_rules(void)
{
	static const struct { const char *rule, *says; } all[] = {
		{ "", "'' is no limit" HINT }, { "m", "'m' is no limit" HINT },
		{ "jobs=5", "'jobs=5' is no limit" HINT }, { ":jobs=5", "':jobs=5' is no limit" HINT },
		{ "m:", "'m:' is no limit" HINT }, { ":", "':' is no limit" HINT },
		{ "m:jobs", "m:jobs: 'jobs' is none of jobs=N, rate=N/U, tokens=N/U" },
		{ "m:job=5", "m:job=5: 'job=5' is none of jobs=N, rate=N/U, tokens=N/U" },
		{ "m:Jobs=5", "m:Jobs=5: 'Jobs=5' is none of jobs=N, rate=N/U, tokens=N/U" },
		{ "m:jobs=5,", "m:jobs=5,: '' is none of jobs=N, rate=N/U, tokens=N/U" },
		{ "m:,jobs=5", "m:,jobs=5: '' is none of jobs=N, rate=N/U, tokens=N/U" },
		{ "m:=5", "m:=5: '=5' is none of jobs=N, rate=N/U, tokens=N/U" },
		{ "m:jobs=0", "m:jobs=0: '0' is not a number from 1 to 10000" },
		{ "m:jobs=10001", "m:jobs=10001: '10001' is not a number from 1 to 10000" },
		{ "m:jobs=-1", "m:jobs=-1: '-1' is not a number from 1 to 10000" },
		{ "m:jobs=", "m:jobs=: '' is not a number from 1 to 10000" },
		{ "m:jobs=5 ", "m:jobs=5 : '5 ' is not a number from 1 to 10000" },
		{ "m:jobs=5,jobs=0", "m:jobs=5,jobs=0: '0' is not a number from 1 to 10000" },
		{ "m:rate=5", "m:rate=5: '5' is no rate" RATE_HINT },
		{ "m:rate=/s", "m:rate=/s: '/s' is no rate" RATE_HINT },
		{ "m:tokens=1k/x", "m:tokens=1k/x: '1k/x' is no rate" RATE_HINT },
		{ "m\x1b[2J:jobs=x", "m\\x1b[2J:jobs=x: 'x' is not a number from 1 to 10000" },
		{ "m:\x1b=1", "m:\\x1b=1: '\\x1b=1' is none of jobs=N, rate=N/U, tokens=N/U" },
	};
	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		CHECK_STR(added(&all[i].rule, 1), all[i].says, "a bad rule says what is wrong of it");

	char longest[300];
	const char *rule = longest;
	memset(longest, 'n', sizeof longest);
	snprintf(longest + 256, 20, ":jobs=1");
	CHECK(strstr(added(&rule, 1), "nnn:jobs=1"), "a name of 256 bytes");
	snprintf(longest + 256, 20, "n:jobs=1");
	CHECK(strstr(added(&rule, 1), "is no limit"), "a longer one is none: %s", e.msg);
	CHECK(strlen(e.msg) < 200, "and is cut in the message");
}

static void check_rate(const char *text, int64_t n, int64_t ms, const char *again)
{
	struct limit_rate r = { -1, -1 };
	struct str out CLEANUP(str_release) = STR_INIT;
	int rc = limits_rate(text, &r, &e);

	CHECK(rc == 0 && r.n == n && r.interval_ms == ms, "'%s' is %lld per %lld ms", text,
	      (long long)n, (long long)ms);
	limits_rate_text(&r, &out);
	CHECK_STR(str_z(&out), again, "and is written '%s'", again);
	struct limit_rate back = { 0, 0 };
	CHECK(limits_rate(str_z(&out), &back, &e) == 0 && back.n == n && back.interval_ms == ms,
	      "which is read as the same");
}

static void rates(void)
{
	static const char *const bad[] = {
		"", "/", "5", "5/", "/s", "5/0", "5/0s", "5/1", "5/15", "0/s", "-1/s", "+1/s", " 5/s",
		"5 /s", "5/ s", "5/s ", "5/S", "5/ms", "5/w", "5/8d", "5/7.1d", "5/169h", "5//s", "5/s/s",
		"1.5/s", "k/s", "M/s", "5K/s", "5m/s", "5kk/s", "5Mk/s", "1000000001/s", "1000001k/s",
		"1001M/s", "99999999999999999999999999/s", "0k/s", "5/-1s", "5/0.4ms", "1e3/s", "0x5/s",
		"\xd9\xa5/s",
	};
	check_rate("500/m", 500, 60000, "500/m");
	check_rate("1/s", 1, 1000, "1/s");
	check_rate("7/h", 7, 3600000, "7/h");
	check_rate("7/d", 7, 86400000, "7/d");
	check_rate("5/15s", 5, 15000, "5/15s");
	check_rate("30k/m", 30000, 60000, "30000/m");
	check_rate("2M/1m", 2000000, 60000, "2000000/m");
	check_rate("1000M/s", 1000000000, 1000, "1000000000/s");
	check_rate("1000000k/s", 1000000000, 1000, "1000000000/s");
	check_rate("1000000000/1ms", 1000000000, 1, "1000000000/1ms");
	check_rate("1/7d", 1, 604800000, "1/604800s");
	check_rate("1/250ms", 1, 250, "1/250ms");
	check_rate("1/1.5s", 1, 1500, "1/1500ms");
	check_rate("10/60s", 10, 60000, "10/m");
	check_rate("10/1000ms", 10, 1000, "10/s");
	check_rate("10/24h", 10, 86400000, "10/d");
	check_rate("10/90m", 10, 5400000, "10/5400s");
	check_rate("0005/s", 5, 1000, "5/s");
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct limit_rate r = { 0, 0 };
		e = (struct err)ERR_INIT;
		CHECK(limits_rate(bad[i], &r, &e) < 0 && e.code == ERR_USAGE && *e.hint &&
		      strstr(e.msg, "is no rate"), "'%s' is no rate", bad[i]);
	}
	struct rng rng;
	int same = 0;
	enum { DRAWS = 20000 };
	rng_seed(&rng, 1);
	for (int i = 0; i < DRAWS; i++) {
		struct limit_rate r = { 1 + (int64_t)rng_below(&rng, 1000000000),
					1 + (int64_t)rng_below(&rng, 604800000) }, back = { 0, 0 };
		if (i % 2)
			r.interval_ms = (r.interval_ms + 59999) / 60000 * 60000;
		struct str out CLEANUP(str_release) = STR_INIT;
		limits_rate_text(&r, &out);
		same += limits_rate(str_z(&out), &back, &e) == 0 && back.n == r.n &&
			back.interval_ms == r.interval_ms;
	}
	CHECK_INT(same, DRAWS, "any rate is read back as it was written");
}

/* "jobs=5,rate=500/m" of what holds for the model; "" nothing. */
static const char *holds(const struct limits *l, const char *model)
{
	static struct str out;
	struct limit limit = limits_of(l, model);

	str_reset(&out);
	if (limit.jobs)
		str_addf(&out, " jobs=%lld", (long long)limit.jobs);
	if (limit.rate.n)
		str_addz(&out, " rate="), limits_rate_text(&limit.rate, &out);
	if (limit.tokens.n)
		str_addz(&out, " tokens="), limits_rate_text(&limit.tokens, &out);
	return out.n ? str_z(&out) + 1 : "";
}

static void which(void)
{
	struct limits l CLEANUP(limits_release) = LIMITS_INIT;
	static const char *const rules[] = { "*:jobs=2", "b:rate=5/s", "a:jobs=5,rate=1/s",
					     "a:rate=9/m,tokens=1k/m", "*:tokens=7/d" };

	CHECK_STR(holds(&l, "a"), "", "without rules nothing holds");
	for (size_t i = 0; i < ARRAY_LEN(rules); i++)
		if (limits_add(&l, rules[i], &e) < 0)
			abort();
	CHECK_STR(holds(&l, "a"), "jobs=5 rate=9/m tokens=1000/m",
		  "of two rules for a name the later one counts, member by member");
	CHECK_STR(holds(&l, "b"), "rate=5/s", "a rule for the very name comes before *");
	CHECK_STR(holds(&l, "c"), "jobs=2 tokens=7/d", "* is any other; it too has two rules");
	CHECK_STR(holds(&l, "A"), "jobs=2 tokens=7/d", "names are compared as they are");
	CHECK_STR(holds(&l, "aa"), "jobs=2 tokens=7/d", "whole");
	CHECK_STR(holds(&l, ""), "jobs=2 tokens=7/d", "even an empty one");
	CHECK_INT(l.n, 3, "one rule is kept for each name");
	CHECK_STR(written(&l), "[\"*:jobs=2,tokens=7/d\",\"b:rate=5/s\","
		  "\"a:jobs=5,rate=9/m,tokens=1000/m\"]", "and is written so");
}

static void check_least(const char *a, const char *b, const char *want, const char *rule)
{
	struct limits one CLEANUP(limits_release) = LIMITS_INIT;
	struct limits two CLEANUP(limits_release) = LIMITS_INIT;

	if ((*a && limits_add(&one, a, &e) < 0) || (*b && limits_add(&two, b, &e) < 0))
		abort();
	for (int turn = 0; turn < 2; turn++) {
		struct limits all CLEANUP(limits_release) = LIMITS_INIT;
		struct limit l = limits_of(turn ? &two : &one, "m"),
			     other = limits_of(turn ? &one : &two, "m");
		limits_least(&l, &other);
		if (limits_add(&all, "m:jobs=1", &e) < 0)
			abort();
		all.v[0].limit = l;
		CHECK_STR(holds(&all, "m"), want, "%s%s", rule, turn ? ", the other way round" : "");
	}
}

static void least(void)
{
	check_least("m:jobs=5", "m:jobs=3", "jobs=3", "the smaller number of jobs");
	check_least("m:jobs=5", "", "jobs=5", "no limit is larger than any");
	check_least("", "", "", "nothing of nothing");
	check_least("m:jobs=5,rate=1/s", "m:tokens=1/d", "jobs=5 rate=1/s tokens=1/d",
		    "member by member");
	check_least("m:rate=59/m", "m:rate=1/s", "rate=59/m", "59/m is slower than 1/s");
	check_least("m:rate=61/m", "m:rate=1/s", "rate=1/s", "61/m is faster");
	check_least("m:tokens=1000000000/1ms", "m:tokens=1000000000/7d", "tokens=1000000000/604800s",
		    "the largest numbers");
	check_least("m:jobs=1,rate=9/s,tokens=1/s", "*:jobs=2,rate=1/s,tokens=2/s",
		    "jobs=1 rate=1/s tokens=1/s", "some of one, some of the other");
	struct limit l = { .rate = { 60, 60000 } }, same = { .rate = { 1, 1000 } };
	limits_least(&l, &same);
	CHECK_INT(l.rate.n, 60, "the same rate in other words changes nothing");
}

static void json(void)
{
	static const struct { const char *json, *read, *rule; } all[] = {
		{ "[]", "[]", "no rules" },
		{ "[\"a:jobs=1\",\"b:jobs=2\"]", "[\"a:jobs=1\",\"b:jobs=2\"]", "two" },
		{ " [ \"a:jobs=1\" ] ", "[\"a:jobs=1\"]", "with white space" },
		{ "[\"\\u0061\\u003ajobs=1\"]", "[\"a:jobs=1\"]", "with escapes" },
		{ "[\"a:jobs=1,turbo=9\",\"b:jobs=2\",7,null,{\"x\":1},[\"c:jobs=1\"]]",
		  "[\"b:jobs=2\"]", "what a newer program wrote is passed over" },
		{ "{\"a\":\"b:jobs=1\"}", "[]", "an object is none" }, { "\"a:jobs=1\"", "[]", "a string" },
		{ "[\"a:jobs=1\"", "[]", "a broken array, which is not read in part" },
		{ "", "[]", "nothing" }, { "null", "[]", "null" },
	};
	for (size_t i = 0; i < ARRAY_LEN(all); i++) {
		struct limits l CLEANUP(limits_release) = LIMITS_INIT;
		limits_read(&l, span_of(all[i].json));
		CHECK_STR(written(&l), all[i].read, "read from JSON: %s", all[i].rule);
	}
	struct limits l CLEANUP(limits_release) = LIMITS_INIT;
	struct limits back CLEANUP(limits_release) = LIMITS_INIT;
	limits_read(&l, SPAN_NONE);
	CHECK_INT(l.n, 0, "read from JSON: NULL");
	for (int i = 0; i < 300; i++) {
		char rule[80];
		snprintf(rule, sizeof rule, "m\"%c%d:v:jobs=%d,rate=%d/%ds,tokens=%dk/%dms", i % 31 + 1, i,
			 i + 1, i + 1, i % 100 + 1, i + 1, i + 1);
		if (limits_add(&l, rule, &e) < 0)
			abort();
	}
	struct str text CLEANUP(str_release) = STR_INIT;
	limits_write(&l, &text);
	limits_read(&back, str_span(&text));
	CHECK_INT(back.n, 300, "300 rules go through JSON and back");
	CHECK_STR(written(&back), str_z(&text), "as they were, names with quotes and controls too");
	limits_read(&back, SPAN_LIT("[\"x:jobs=1\"]"));
	CHECK_INT(back.n, 301, "reading adds to what is there");
}

int main(void)
{
	rules();
	bad_rules();
	rates();
	which();
	least();
	json();
	limits_release(&(struct limits)LIMITS_INIT);
	return unit_done();
}
