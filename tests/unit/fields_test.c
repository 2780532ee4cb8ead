#include "domain/fields.h"

#include <string.h>
#include "base/mem.h"
#include "unit.h"

static struct span text, object, array, any;
static bool flag, flag_given;
static struct id uuid;

static const struct field table[] = {
	{ "text", FIELD_STRING, true, &text, NULL }, { "flag", FIELD_BOOL, true, &flag, &flag_given },
	{ "id", FIELD_UUID, false, &uuid, NULL }, { "o", FIELD_OBJECT, false, &object, NULL },
	{ "a", FIELD_ARRAY, false, &array, NULL }, { "any", FIELD_ANY, false, &any, NULL },
	{ "old", FIELD_IGNORED, false, NULL, NULL }, { .name = NULL },
};

static const char *why(const char *json)
{
	static struct err e;
	struct fields f = { .file = "plan.json", .place = "steps", .index = 3 };

	e = (struct err)ERR_INIT;
	if (fields_read(&f, span_of(json), table, &e) == 0)
		return "";
	CHECK_INT(e.code, ERR_INPUT, "an error of the input");
	return e.msg;
}

static void warns(void)
{
	struct fields f = { .file = "plan.json", .place = "steps", .index = 0 };
	struct err e = ERR_INIT;

	for (int i = 0; i < 7; i++, f.index++)
		if (fields_read(&f, SPAN_LIT("{\"text\":\"x\",\"flag\":true,\"odd\":1}"), table, &e) < 0)
			return;
	fields_finish(&f);
}

static const char *checked(const char *json)
{
	static struct err e;

	e = (struct err)ERR_INIT;
	return fields_check("plan.json", span_of(json), &e) == 0 ? "" : e.msg;
}

int main(void)
{
	char said[1000];

	CHECK_STR(why("{ \"text\" : \"a\\n\", \"flag\":true, \"id\":\"123e4567-e89b-12d3-a456-426614174000\","
		      "\"o\":{\"x\":1},\"a\":[1, 2],\"any\": 1e3 ,\"old\":[]}"), "", "each kind");
	CHECK(span_is(text, "\"a\\n\"") && span_is(object, "{\"x\":1}") && span_is(array, "[1, 2]") &&
	      span_is(any, "1e3") && flag && flag_given, "texts as they stand");
	CHECK(uuid.b[0] == 0x12 && uuid.b[15] == 0, "a UUID");
	object = array = any = SPAN_NONE;
	CHECK_STR(why("{\"te\\u0078t\":\"\",\"flag\":false,\"o\":null,\"any\":null,\"old\":null}"), "",
		  "null where nothing is required, and a name with an escape");
	CHECK(!object.p && !any.p && !flag, "is as if it were absent");

	CHECK_STR(why("{\"text\":\"x\"}"), "plan.json: steps[3].flag: required boolean is missing",
		  "a member that is missing, with its place");
	CHECK_STR(why("{\"text\":\"x\",\"flag\":null}"),
		  "plan.json: steps[3].flag: must be a boolean, not null", "null where one is required");
	CHECK_STR(why("{\"text\":7,\"flag\":true}"),
		  "plan.json: steps[3].text: must be a string, not a number", "another type");
	CHECK_STR(why("{\"text\":\"x\",\"flag\":true,\"o\":[]}"),
		  "plan.json: steps[3].o: must be an object, not an array", "and its article");
	CHECK_STR(why("{\"text\":\"x\",\"flag\":true,\"id\":\"123e4567\"}"),
		  "plan.json: steps[3].id: '123e4567' is no UUID", "no UUID");
	CHECK_STR(why("{\"text\":\"x\",\"text\":\"x\",\"flag\":true}"),
		  "plan.json: steps[3].text: stands there twice", "twice");
	CHECK_STR(why("[]"), "plan.json: steps[3]: must be an object, not an array", "no object");
	CHECK_STR(why("{\"text\":\"\\u001b[1m\",\"flag\":true,\"id\":\"\x1b[1m\"}"),
		  "plan.json: steps[3].id: '\\x1b[1m' is no UUID", "a value is shown safely");

	struct fields top = { .file = "-:3", .index = -1 };
	struct err e = ERR_INIT;
	CHECK(fields_read(&top, SPAN_LIT("{}"), table, &e) < 0, "the outermost object");
	CHECK_STR(e.msg, "-:3: text: required string is missing", "has no other place");
	fields_error(&top, NULL, &e, "is %d", 7);
	CHECK_STR(e.msg, "-:3: is 7", "an error of the whole");

	CHECK_INT(unit_child(warns, said, sizeof said), 0, "an unknown member is accepted");
	CHECK(strstr(said, "warning: plan.json: steps[0].odd: unknown member, ignored\n"),
	      "with a warning that names it");
	CHECK(strstr(said, "steps[4].odd") && !strstr(said, "steps[5].odd"), "five times");
	CHECK(strstr(said, "warning: plan.json: 2 more unknown members are ignored\n"),
	      "and the others together");

	CHECK_STR(checked("{\"a\":1}"), "", "a text that is JSON");
	CHECK_STR(checked("{\"a\":1,\n \"b\":}\n"), "plan.json:2:6: expected a value",
		  "one that is not, by line and column");
	CHECK_STR(checked("x"), "plan.json:1:1: invalid literal", "at its first byte");
	CHECK(strstr(checked("{\n\"a\":1"), "plan.json:2:6: "), "at its end");
	return unit_done();
}
