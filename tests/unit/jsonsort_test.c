#include "base/jsonsort.h"

#include <string.h>
#include "base/mem.h"
#include "unit.h"

static void sorts(const char *json, const char *want, const char *rule)
{
	struct str out CLEANUP(str_release) = STR_INIT;

	jsonsort(span_of(json), &out);
	CHECK_STR(str_z(&out), want, "%s", rule);
}

/* As deep as base/json lets it be. */
static void deep(void)
{
	struct str json CLEANUP(str_release) = STR_INIT, out CLEANUP(str_release) = STR_INIT;

	for (int i = 0; i < 511; i++)
		str_addz(&json, i % 2 ? "[" : "{\"a\":");
	str_addz(&json, "1");
	for (int i = 510; i >= 0; i--)
		str_addc(&json, i % 2 ? ']' : '}');
	jsonsort(str_span(&json), &out);
	CHECK(span_eq(str_span(&json), str_span(&out)), "511 levels");
}

int main(void)
{
	sorts("{\"b\" : 1, \"a\":\t2}", "{\"a\":2,\"b\":1}", "members by name, no white space");
	sorts("{\"x\":{\"d\":[{\"z\":1,\"y\":2}],\"c\":null},\"aa\":true,\"a\":false}",
	      "{\"a\":false,\"aa\":true,\"x\":{\"c\":null,\"d\":[{\"y\":2,\"z\":1}]}}", "at every level");
	sorts("[3, 1,2 ]", "[3,1,2]", "elements keep their order");
	sorts("1.0", "1.0", "a number keeps its digits");
	sorts("12345678901234567890123e-1", "12345678901234567890123e-1", "all of them");
	sorts("\"\\u00e9\\/\"", "\"é/\"", "strings have one spelling");
	sorts("{\"\\u0062\":1,\"a\":2}", "{\"a\":2,\"b\":1}", "names are sorted as they are meant");
	sorts("{}", "{}", "an empty object");
	sorts("[]", "[]", "an empty array");
	sorts("{\"a\":2,\"a\":1}", "{\"a\":2,\"a\":1}", "equal names keep their order");
	deep();

	CHECK(jsonsort_eq(SPAN_NONE, SPAN_NONE), "nothing equals nothing");
	CHECK(!jsonsort_eq(SPAN_NONE, SPAN_LIT("null")) && !jsonsort_eq(SPAN_LIT("1"), SPAN_NONE),
	      "and nothing else");
	CHECK(jsonsort_eq(SPAN_LIT("{\"a\":1,\"b\":[2]}"), SPAN_LIT("{\"b\": [2], \"a\": 1}")),
	      "the order of members and white space do not count");
	CHECK(!jsonsort_eq(SPAN_LIT("[1,2]"), SPAN_LIT("[2,1]")), "that of elements does");
	CHECK(!jsonsort_eq(SPAN_LIT("1"), SPAN_LIT("1.0")), "so do digits");
	return unit_done();
}
