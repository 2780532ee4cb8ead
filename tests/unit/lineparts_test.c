#include "domain/lineparts.h"

#include <string.h>
#include "base/mem.h"
#include "unit.h"

static struct lineparts read_line(const char *line)
{
	struct lineparts p;
	struct json_error je = { 0, "", false };
	CHECK_INT(lineparts_read(&p, span_of(line), &je), 0, "%s is read %s", line, je.what);
	return p;
}

static void value_is(struct span v, const char *want, const char *rule)
{
	struct str s CLEANUP(str_release) = STR_INIT;
	if (v.p)
		str_addspan(&s, v);
	CHECK_STR(v.p ? str_z(&s) : NULL, want, "%s", rule);
}

static void finds_members(void)
{
	struct lineparts p = read_line(
		" {\"custom_id\":\"a\",\"url\" : \"/u\",\"method\":\"GET\",\"headers\":{\"X\":\"1\"},"
		"\"body\":{\"model\":\"m\",\"messages\":[],\"max_tokens\":1,"
		"\"max_completion_tokens\":2,\"max_output_tokens\":3,\"stream\":true},"
		"\"model\":\"n\",\"metadata\":[1],\"api_key\":null}");
	CHECK(p.object && p.start == 1, "it is an object, behind a space");
	value_is(p.value[PART_CUSTOM_ID], "\"a\"", "custom_id, raw");
	value_is(p.value[PART_URL], "\"/u\"", "url");
	value_is(p.value[PART_METHOD], "\"GET\"", "method");
	value_is(p.value[PART_HEADERS], "{\"X\":\"1\"}", "headers");
	value_is(p.value[PART_MODEL], "\"n\"", "model");
	value_is(p.value[PART_METADATA], "[1]", "metadata");
	value_is(p.value[PART_API_KEY], "null", "api_key, even null");
	value_is(p.body[BODY_MODEL], "\"m\"", "body.model");
	value_is(p.body[BODY_MAX_TOKENS], "1", "body.max_tokens");
	value_is(p.body[BODY_MAX_COMPLETION_TOKENS], "2", "body.max_completion_tokens");
	value_is(p.body[BODY_MAX_OUTPUT_TOKENS], "3", "body.max_output_tokens");
	value_is(p.body[BODY_STREAM], "true", "body.stream");
	value_is(p.twice, NULL, "nothing twice");

	p = read_line("{\"headers\":{\"model\":\"a\"},\"x\":{\"stream\":true},"
		      "\"body\":{\"messages\":[{\"model\":\"b\"}],\"x\":{\"model\":\"c\"}}}");
	value_is(p.body[BODY_MODEL], NULL, "model elsewhere is not body.model");
	value_is(p.body[BODY_STREAM], NULL, "nor is stream");
	p = read_line("{\"b\\u006fdy\":{\"m\\u006fdel\":\"m\"},\"\\u0075rl\":1}");
	value_is(p.body[BODY_MODEL], "\"m\"", "names compare after unescaping");
	value_is(p.value[PART_URL], "1", "names compare after unescaping");
	p = read_line("{\"ur\":1,\"urls\":2,\"URL\":3,\"url\\u0000\":4}");
	value_is(p.value[PART_URL], NULL, "and as a whole, with their case");
	p = read_line("{\"body\":{\"model\":\"a\",\"model\":5}}");
	value_is(p.body[BODY_MODEL], "5", "of two in the body the last counts");
	value_is(p.twice, NULL, "which is the user's affair");
	CHECK(!read_line("[1]").object, "an array is no object");
	CHECK_INT(read_line("\t\r\n 5").start, 4, "where the value starts");
}

static void finds_twice(const char *line, const char *want, int at)
{
	struct lineparts p = read_line(line);
	value_is(p.twice, want, "the first name that came twice");
	if (p.twice.p)
		CHECK_INT(p.twice.p - line, at, "the second of both");
}

static void finds_many(int n, int twice, const char *rule)
{
	struct str s CLEANUP(str_release) = STR_INIT;
	str_addc(&s, '{');
	for (int i = 0; i < n; i++)
		str_addf(&s, "%s\"m%d\":%d", i ? "," : "", i, i);
	if (twice >= 0)
		str_addf(&s, ",\"\\u006d%d\":0", twice);
	str_addc(&s, '}');
	struct lineparts p;
	struct json_error je;
	struct str want CLEANUP(str_release) = STR_INIT;
	if (twice >= 0)
		str_addf(&want, "\\u006d%d", twice);
	CHECK_INT(lineparts_read(&p, str_span(&s), &je), 0, "%s", rule);
	value_is(p.twice, twice >= 0 ? str_z(&want) : NULL, rule);
}

int main(void)
{
	finds_members();
	finds_twice("{\"url\":1,\"url\":2}", "url", 10);
	finds_twice("{\"url\":1,\"\\u0075rl\":2}", "\\u0075rl", 10);
	finds_twice("{\"x\":1,\"y\":2,\"y\":3,\"x\":4}", "y", 14);
	finds_twice("{\"x\\n\":1,\"x\\u000a\":2}", "x\\u000a", 10);
	finds_twice("{\"\":1,\"\":2}", "", 7);
	finds_twice("{\"x\":1,\"X\":2,\"\":3,\"xx\":4}", NULL, 0);
	finds_twice("{\"x\":{\"x\":{\"x\":1},\"url\":1},\"url\":{\"x\":2}}", NULL, 0);
	for (int n = 14; n < 20; n++) {
		finds_many(n, -1, "different names we do not know");
		finds_many(n, 0, "the first of them again");
		finds_many(n, n - 1, "the last of them again");
	}
	finds_many(20000, -1, "20,000 names");
	finds_many(20000, 7777, "and one again");

	struct lineparts p;
	struct json_error je = { 0, "", false };
	CHECK_INT(lineparts_read(&p, SPAN_LIT("{\"x\":1,\"x\":2,"), &je), -1,
		  "that it is not JSON is worse than a name twice");
	CHECK_INT(je.offset, 13, "and it says where");
	for (int i = 0; i < PART_COUNT; i++)
		CHECK_INT(strlen(lineparts_names[i].p), lineparts_names[i].n,
			  "%s can be printed", lineparts_names[i].p);
	return unit_done();
}
