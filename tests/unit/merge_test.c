/* merge: what the pieces of an object come to, by each rule. */
#include "domain/merge.h"

#include "base/json.h"
#include "base/mem.h"
#include "unit.h"

#define SHAPE(list, rule) { list, ARRAY_LEN(list), rule }

static const struct merge_field inner_fields[] = {
	{ "index", MERGE_DROP, NULL, NULL, NULL },
	{ "id", MERGE_FIRST, NULL, NULL, NULL },
	{ "text", MERGE_APPEND, NULL, NULL, NULL },
};
static const struct merge_shape inner_shape = SHAPE(inner_fields, MERGE_LAST);

static const struct merge_field fields[] = {
	{ "always", MERGE_DROP, NULL, NULL, "true" },
	{ "drop", MERGE_DROP, NULL, NULL, NULL },
	{ "first", MERGE_FIRST, NULL, NULL, NULL },
	{ "last", MERGE_LAST, NULL, NULL, NULL },
	{ "append", MERGE_APPEND, NULL, NULL, NULL },
	{ "element", MERGE_ELEMENT, NULL, "elements", NULL },
	{ "object", MERGE_OBJECT, &inner_shape, NULL, NULL },
	{ "list", MERGE_LIST, &inner_shape, NULL, NULL },
	{ "or", MERGE_LAST, NULL, NULL, "0" },
};
static const struct merge_shape shape = SHAPE(fields, MERGE_LAST);

/* What always stands there, before and behind. */
#define A "{\"always\":true"
#define Z ",\"or\":0}"

static void merged_is(const char *const *pieces, const char *want, const char *rule)
{
	struct merge m CLEANUP(merge_release) = { .values = 0 };
	struct str out CLEANUP(str_release) = STR_INIT;
	struct json_error je;
	int rc = 0;

	for (; *pieces && rc == 0; pieces++) {
		if (json_scan(span_of(*pieces), NULL, NULL, &je) < 0)
			unit_check(false, __FILE__, __LINE__, *pieces, "a piece of the test is JSON");
		rc = merge_add(&m, &m.root, &shape, span_of(*pieces));
	}
	if (rc < 0) {
		CHECK_STR("refused", want, "%s", rule);
		return;
	}
	merge_write(&m.root, &shape, &out);
	CHECK_STR(str_z(&out), want, "%s", rule);
	CHECK(json_scan(str_span(&out), NULL, NULL, &je) == 0, "... which is JSON");
}
#define MERGED(want, rule, ...) merged_is((const char *const[]){ __VA_ARGS__, NULL }, want, rule)

static void rules(void)
{
	MERGED(A Z, "nothing comes to what is always there", "{}", "{}");
	MERGED(A ",\"first\":\"a\"" Z, "the first that says something", "{\"first\":null}",
	       "{\"first\":\"\"}", "{\"first\":0}", "{\"first\":\"a\"}", "{\"first\":\"b\"}");
	MERGED(A ",\"first\":0" Z, "0, if nothing says more", "{\"first\":0}", "{\"first\":null}");
	MERGED(A ",\"first\":0.0" Z, "what is not written 0 says something", "{\"first\":0.0}",
	       "{\"first\":1}");
	MERGED(A ",\"last\":{\"b\": [1 ]}" Z, "the last", "{\"last\":{\"a\":1}}",
	       "{\"last\":{\"b\": [1 ]}}", "{\"last\":null}");
	MERGED(A ",\"last\":null" Z, "null, if nothing else came", "{\"last\":null}");
	MERGED(A ",\"append\":\"ab\\\"\\ud83d\\ude00\"" Z, "strings are joined, escapes as they are",
	       "{\"append\":null}", "{\"append\":\"a\"}", "{\"append\":\"\"}", "{\"append\":\"b\\\"\"}",
	       "{\"append\":null}", "{\"append\":\"\\ud83d\\ude00\"}");
	MERGED(A ",\"append\":[1, 2,\"]\",[]]" Z, "arrays are joined", "{\"append\":[ ]}",
	       "{\"append\":[1, 2]}", "{\"append\":[]}", "{\"append\":[\"]\",[]]}");
	MERGED(A ",\"append\":7" Z, "other values: the last", "{\"append\":\"a\"}", "{\"append\":7}");
	MERGED(A ",\"append\":\"b\"" Z, "a string after something else", "{\"append\":[1]}",
	       "{\"append\":\"b\"}");
	MERGED(A ",\"elements\":[{\"a\":1},2]" Z, "each is an element, under another name",
	       "{\"element\":{\"a\":1}}", "{\"element\":2}");
	MERGED(A ",\"or\":5}", "what came in place of what stands there otherwise",
	       "{\"drop\":1}", "{\"or\":5,\"always\":false}", "{\"or\":null}");
	MERGED(A ",\"or\":0,\"z\":1e400,\"\\u0061\":-0}",
	       "unknown members in the order in which they came", "{\"z\":1}",
	       "{\"\\u0061\":-0,\"z\":1e400}");
}

static void objects(void)
{
	MERGED(A ",\"object\":{\"id\":\"i\",\"text\":\"ab\",\"x\":2}" Z, "an object within",
	       "{\"object\":{\"text\":\"a\",\"x\":1}}", "{\"object\":null}",
	       "{\"object\":{\"id\":\"i\",\"text\":\"b\",\"x\":2}}", "{\"object\":{}}");
	MERGED(A ",\"object\":7" Z, "that is none", "{\"object\":7}");
	MERGED(A ",\"object\":{}" Z, "an object is more than anything else", "{\"object\":7}",
	       "{\"object\":{}}", "{\"object\":8}");
	MERGED(A ",\"list\":[{\"text\":\"xy\"},{\"text\":\"ab\"}]" Z, "by index, in its order",
	       "{\"list\":[{\"index\":1,\"text\":\"a\"}]}",
	       "{\"list\":[{\"index\":0,\"text\":\"x\"},{\"index\":1,\"text\":\"b\"}]}",
	       "{\"list\":[]}", "{\"list\":[{\"text\":\"y\",\"index\":0}]}");
	MERGED(A ",\"list\":[{\"id\":\"a\",\"text\":\"123\"},{\"id\":\"b\",\"text\":\"456\"}]" Z,
	       "without an index by id, without an id the last one",
	       "{\"list\":[{\"id\":\"a\",\"text\":\"1\"}]}", "{\"list\":[{\"text\":\"2\"}]}",
	       "{\"list\":[{\"id\":\"b\",\"text\":\"4\"},{\"id\":\"a\",\"text\":\"3\"}]}",
	       "{\"list\":[{\"id\":\"\",\"text\":\"56\"}]}");
	MERGED(A ",\"list\":[]" Z, "an empty list", "{\"list\":null}", "{\"list\":[ ]}");
	MERGED("refused", "a list that is none", "{\"list\":{}}");
	MERGED("refused", "a list of something else", "{\"list\":[1]}");
}

static void reaching_in(void)
{
	struct merge m CLEANUP(merge_release) = { .values = 0 };
	struct str out CLEANUP(str_release) = STR_INIT;

	CHECK(!merge_find(&m.root, "list"), "there is nothing to find");
	struct merge_object *o = merge_item(&m, &m.root, "list", 3);
	CHECK(o && merge_add(&m, o, &inner_shape, SPAN_LIT("{\"id\":\"c\"}")) == 0, "an object made");
	CHECK(merge_item(&m, &m.root, "list", 3) == o, "and found again");
	struct merge_value *v = merge_find(o, "id");
	CHECK(v && v->type == MERGE_STRING, "with its member");
	CHECK(merge_add(&m, &m.root, &shape, SPAN_LIT("{\"last\":1}")) == 0, "another one");
	merge_find(&m.root, "last")->type = MERGE_GONE;
	merge_write(&m.root, &shape, &out);
	CHECK_STR(str_z(&out), A ",\"list\":[{\"id\":\"c\"}]" Z, "what is gone is not written");
}

static void limits(void)
{
	struct str piece CLEANUP(str_release) = STR_INIT;

	str_addc(&piece, '{');
	for (int i = 0; i < MERGE_MEMBERS; i++)
		str_addf(&piece, "%s\"m%d\":1", i > 0 ? "," : "", i);
	struct merge full CLEANUP(merge_release) = { .values = 0 };
	str_addc(&piece, '}');
	CHECK_INT(merge_add(&full, &full.root, &shape, str_span(&piece)), 0, "%d members", MERGE_MEMBERS);
	CHECK_INT(merge_add(&full, &full.root, &shape, str_span(&piece)), 0, "again the same");
	CHECK_INT(merge_add(&full, &full.root, &shape, SPAN_LIT("{\"x\":1}")), -1, "no more than these");

	struct merge list CLEANUP(merge_release) = { .values = 0 };
	int made = 0;
	while (made < 1000 && merge_item(&list, &list.root, "list", made))
		made++;
	CHECK_INT(made, MERGE_ITEMS, "objects in a list");

	/* 128 objects of 128 objects of 64 members are more than fit. */
	struct merge deep CLEANUP(merge_release) = { .values = 0 };
	int rc = 0;
	for (int i = 0; rc == 0 && i < MERGE_ITEMS; i++)
		for (int k = 0; rc == 0 && k < MERGE_ITEMS; k++) {
			struct merge_object *o = merge_item(&deep, &deep.root, "a", i);
			o = o ? merge_item(&deep, o, "b", k) : NULL;
			rc = o ? merge_add(&deep, o, &shape, str_span(&piece)) : -1;
		}
	CHECK(rc < 0 && deep.values == MERGE_VALUES, "members of all objects together");
}

int main(void)
{
	rules();
	objects();
	reaching_in();
	limits();
	return unit_done();
}
