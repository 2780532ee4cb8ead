#include "domain/escalate.h"

#include <string.h>
#include "base/mem.h"
#include "base/str.h"
#include "unit.h"

enum { DAY_MS = 86400000 };

static void good(void)
{
	static const struct { const char *text, *model, *other; int64_t before_ms; } all[] = {
		{ "gpt-4o=gpt-4o-mini@15m", "gpt-4o", "gpt-4o-mini", 900000 },
		{ "a=b@1ms", "a", "b", 1 },
		{ "a=b@30d", "a", "b", 30 * (int64_t)DAY_MS },
		{ "a=b@1.5h", "a", "b", 5400000 },
		{ "a=org@v2@10s", "a", "org@v2", 10000 },
		{ "org@v1=b@10s", "org@v1", "b", 10000 },
		{ "a=b=c@10s", "a", "b=c", 10000 },
		{ "llama 3:8b=x/y z@1s", "llama 3:8b", "x/y z", 1000 },
		{ "a=A@1s", "a", "A", 1000 },
		{ "\xc3\xa9=\xe6\xa8\xa1@1s", "\xc3\xa9", "\xe6\xa8\xa1", 1000 },
		{ "\"=\\@1s", "\"", "\\", 1000 },
	};
	for (size_t i = 0; i < ARRAY_LEN(all); i++) {
		struct escalate r = { .before_ms = -1 };
		struct err e = ERR_INIT;
		CHECK_INT(escalate_check(all[i].text, &e), 0, "%s is a rule: %s", all[i].text, e.msg);
		CHECK(escalate_find(all[i].text, all[i].model, &r), "%s is for %s", all[i].text,
		      all[i].model);
		CHECK_STR(r.other, all[i].other, "%s: to which model", all[i].text);
		CHECK_INT(r.before_ms, all[i].before_ms, "%s: when", all[i].text);
	}
}

static void bad(void)
{
	static const struct { const char *text, *rule; } all[] = {
		{ "a", "nothing but a model" }, { "a=b", "no time" }, { "a@1s", "no other model" },
		{ "=b@1s", "no model" }, { "a=@1s", "no other model" }, { "a=b@", "an empty time" },
		{ "@", "nothing" }, { "=@", "nothing" }, { "a=b@15", "a time without a unit" },
		{ "a=b@-1s", "a negative time" }, { "a=b@0s", "no time at all" },
		{ "a=b@soon", "a word" }, { "a=b@31d", "more than 30 days" },
		{ "a=b@1s ", "white space behind it" }, { "a=b@1x", "no unit" },
		{ "a=a@1s", "a model that goes to itself" }, { "@1s=b", "no time behind the other" },
		{ "a\t=b@1s", "a control character" }, { "a=b\x7f@1s", "DEL" },
		{ "a=\xff@1s", "bytes that are no UTF-8" },
		{ "a=b@1s\n\nc=d@1s", "an empty rule between two" },
		{ "a=b@1s\nc", "a second rule that is none" },
		{ "a=b@1s1s1s1s1s1s1s1s1s1s1s1s1s1s1s1s1s1s1s1s1s1s1s1s1s1s1s1s1s1s1s1s", "a long time" },
	};
	for (size_t i = 0; i < ARRAY_LEN(all); i++) {
		struct err e = ERR_INIT;
		CHECK(escalate_check(all[i].text, &e) < 0 && e.code == ERR_USAGE, "refused: %s",
		      all[i].rule);
		CHECK(strstr(e.msg, " is no escalation") && strstr(e.hint, "MODEL=OTHER@DUR"),
		      "%s: what and what to do: %s (%s)", all[i].rule, e.msg, e.hint);
	}
	struct err e = ERR_INIT;
	CHECK(escalate_check("a=b@1s\nc=c@1s\nx", &e) < 0 && strstr(e.msg, "'c=c@1s'"),
	      "the first bad one is named: %s", e.msg);
	CHECK(escalate_check("a=\x1b[31m@1s", &e) < 0 && !strchr(e.msg, '\x1b'),
	      "so that it can be shown: %s", e.msg);
	CHECK_INT(escalate_check("", &e), 0, "no rule is fine");
}

/* MODEL_MAX of domain/line.c: what may be imported may be named. */
static void long_names(void)
{
	struct str text CLEANUP(str_release) = STR_INIT;
	char name[258];
	struct escalate r;
	struct err e = ERR_INIT;

	memset(name, 'm', sizeof name);
	name[256] = '\0';
	str_addf(&text, "%s=%.255sx@1s", name, name);
	CHECK_INT(escalate_check(str_z(&text), &e), 0, "names of 256 bytes");
	CHECK(escalate_find(str_z(&text), name, &r) && strlen(r.other) == 256, "are found");
	name[256] = 'm';
	name[257] = '\0';
	str_reset(&text);
	str_addf(&text, "%s=x@1s", name);
	CHECK(escalate_check(str_z(&text), &e) < 0, "not longer ones");
	str_reset(&text);
	str_addf(&text, "x=%s@1s", name);
	CHECK(escalate_check(str_z(&text), &e) < 0, "nor of the other model");
}

static void lists(void)
{
	static const char rules[] = "a=b@1s\nc=d@2s\na=x@3s\nb=e@4s";
	struct escalate r;
	struct err e = ERR_INIT;
	const char *at = rules;
	char seen[64] = "";

	CHECK_INT(escalate_check(rules, &e), 0, "several rules, a line each");
	while (escalate_next(&at, &r)) {
		strcat(seen, r.model);
		strcat(seen, r.other);
		strcat(seen, " ");
	}
	CHECK_STR(seen, "ab cd ax be ", "in their order");
	CHECK(!escalate_next(&at, &r), "there are no more");
	CHECK(escalate_find(rules, "a", &r) && strcmp(r.other, "b") == 0 && r.before_ms == 1000,
	      "the first one for a model counts");
	CHECK(escalate_find(rules, "b", &r) && strcmp(r.other, "e") == 0, "each model has its own");
	CHECK(!escalate_find(rules, "x", &r) && !escalate_find(rules, "", &r) &&
	      !escalate_find(rules, "a=b", &r) && !escalate_find("", "a", &r),
	      "who is not named stays where he is");
	CHECK(escalate_find("c=d@2s\n", "c", &r), "a newline at the end");
	at = "";
	CHECK(!escalate_next(&at, &r), "no rules");
}

static void bodies(void)
{
	/* The value begins and ends there. */
	static const struct { const char *body; size_t from, to; const char *model, *want; } all[] = {
		{ "{\"model\":\"a\"}", 9, 12, "b", "{\"model\":\"b\"}" },
		{ "{\"model\" : \"a\" ,\"n\":1e2}", 11, 14, "longer", "{\"model\" : \"longer\" ,\"n\":1e2}" },
		{ "{\"x\":\"a\",\"model\":\"a\"}", 17, 20, "b", "{\"x\":\"a\",\"model\":\"b\"}" },
		{ "{\"model\":\"a\\u0041\"}", 9, 18, "q\"\\\xc3\xa9",
		  "{\"model\":\"q\\\"\\\\\xc3\xa9\"}" },
	};
	for (size_t i = 0; i < ARRAY_LEN(all); i++) {
		struct str out CLEANUP(str_release) = STR_INIT;
		struct span body = span_of(all[i].body);
		struct span value = { body.p + all[i].from, all[i].to - all[i].from };
		str_addz(&out, "before ");
		escalate_body(body, value, all[i].model, &out);
		CHECK(strncmp(str_z(&out), "before ", 7) == 0, "appended: %s", all[i].body);
		CHECK_STR(str_z(&out) + 7, all[i].want, "only the value changes in %s", all[i].body);
	}
}

int main(void)
{
	good();
	bad();
	long_names();
	lists();
	bodies();
	return unit_done();
}
