#include "domain/params.h"

#include <stdio.h>
#include <string.h>
#include "base/mem.h"
#include "unit.h"

static const struct fields where = { .file = "plan.json", .place = "data_products", .index = 1 };
static struct err e;

static const char *applied(const struct params *p, const char *json)
{
	static char text[600];
	struct str out CLEANUP(str_release) = STR_INIT;
	int rc = params_apply(p, &where, "passthrough", span_of(json), &out, &e);

	snprintf(text, sizeof text, "%s", rc < 0 ? e.msg : rc == 0 ? "(as it is)" : str_z(&out));
	return text;
}

static const char *declared(const char *json)
{
	struct params p CLEANUP(params_release) = PARAMS_INIT;

	return params_declare(&p, &where, span_of(json), &e) < 0 ? e.msg : "";
}

int main(void)
{
	struct params p CLEANUP(params_release) = PARAMS_INIT, none = PARAMS_INIT;
	struct str json CLEANUP(str_release) = STR_INIT;

	CHECK(params_declare(&p, &where, SPAN_LIT("{\"day\":null,\"n\":10,\"b\":true,\"s\":\"a\\\"b\"}"),
			     &e) == 0, "a string, a number, a boolean, or null");
	CHECK(params_complete(&p, &where, &e) < 0, "null has no value");
	CHECK_STR(e.msg, "plan.json: params.day: has no value", "and is named");
	CHECK_STR(e.hint, "--set day=VALUE gives it one", "with the way out");
	CHECK(params_set(&p, "day=2026-01-01=x", &e) == 0 && params_complete(&p, &where, &e) == 0,
	      "--set gives it one; the first = parts them");
	CHECK_STR(applied(&p, "{\"f\":\"in-${day}-${n}.jsonl\",\"x\":[\"${b}\"]}"),
		  "{\"f\":\"in-2026-01-01=x-10.jsonl\",\"x\":[\"true\"]}", "all of them are replaced");
	CHECK_STR(applied(&p, "\"${s}${s}\""), "\"a\\\"ba\\\"b\"", "escaped for JSON");
	CHECK_STR(applied(&p, "\"$${day} $${x} $ {} $\""), "\"${day} ${x} $ {} $\"",
		  "$${ stands for ${");
	CHECK_STR(applied(&p, "\"plain\""), "(as it is)", "nothing to replace");
	CHECK_STR(applied(&p, "\"${night}\""),
		  "plan.json: data_products[1].passthrough: '${night}' is no parameter of this plan",
		  "an undeclared one, with its place");
	CHECK_INT(e.code, ERR_INPUT, "is bad input");
	CHECK_STR(applied(&p, "\"${day\""),
		  "plan.json: data_products[1].passthrough: '${' is no parameter of this plan", "half of one");
	CHECK_STR(applied(&none, "\"${night}\""), "(as it is)", "without declarations it is text");

	CHECK(params_set(&p, "night=1", &e) < 0 && e.code == ERR_INPUT, "--set of an undeclared one");
	CHECK_STR(e.msg, "--set: the plan declares no parameter 'night'", "is named");
	CHECK(params_set(&p, "day", &e) < 0 && e.code == ERR_USAGE, "--set without =");
	CHECK(params_set(&p, "=x", &e) < 0 && e.code == ERR_USAGE, "--set without a name");
	CHECK(params_set(&p, "day=\xff", &e) < 0 && e.code == ERR_USAGE, "--set of what is no UTF-8");
	CHECK(params_set(&p, "day=", &e) == 0, "an empty value is a value");
	params_json(&p, &json);
	CHECK_STR(str_z(&json), "{\"b\":\"true\",\"day\":\"\",\"n\":\"10\",\"s\":\"a\\\"b\"}", "as JSON");

	CHECK_STR(declared("{\"a b\":1}"), "plan.json: params: 'a b' cannot be a parameter: a name has "
		  "letters, digits and '_', at most 64", "a name that no variable can have");
	CHECK_STR(declared("{\"1a\":1}") + 19, "'1a' cannot be a parameter: a name has letters, digits "
		  "and '_', at most 64", "nor one that begins with a digit");
	CHECK_STR(declared("{\"a\":1,\"a\":2}"), "plan.json: params.a: stands there twice", "twice");
	CHECK_STR(declared("{\"a\":[]}"),
		  "plan.json: params.a: must be a string, a number, a boolean or null", "an array");
	CHECK_STR(declared("{\"a\":\"\\u0000\"}"), "plan.json: params.a: has a NUL character", "a NUL");
	return unit_done();
}
