#include "domain/planjson.h"

#include "plans.h"

static struct plans p;

static const char *json(const char *dataset, enum planjson_form form)
{
	static struct str out = STR_INIT;

	str_reset(&out);
	return planjson_read(p.db, dataset, form, &out, &p.e) < 0 ? p.e.msg : str_z(&out);
}

#define DS "123e4567-e89b-12d3-a456-426614174000"
#define A "223e4567-e89b-12d3-a456-426614174000"
#define B "323e4567-e89b-12d3-a456-426614174000"

int main(void)
{
	static const char plan[] = "{\"dataset\":{\"id\":\"" DS "\",\"extra\":{\"z\":1,\"a\":[1.0]}},\"data_products\":["
		"{\"id\":\"" A "\",\"compute\":\"cams\",\"name\":\"A \\\"x\\\"\",\"version\":\"1.0.0\",\"eager\":true,"
		"\"passthrough\":{\"y\":2,\"b\":1e2}},{\"id\":\"" B "\",\"compute\":\"dbxaas\",\"name\":\"B\","
		"\"version\":\"2\",\"eager\":false}],\"dependencies\":[{\"parent_id\":\"" A "\",\"child_id\":\"" B
		"\",\"extra\":{\"d\":null}}]}";
	struct publish how CLEANUP(publish_release) = PUBLISH_INIT;

	plans_open(&p, "db");
	rows_must(plans_publish_with(&p, &how, span_of(plan)) == 0, "publish", p.e.msg);
	ROWS_DO(p.raw, "UPDATE data_products SET modified_us = 1795230765123456");
	ROWS_DO(p.raw, "UPDATE dependencies SET modified_us = 1795230765000000");
	ROWS_DO(p.raw, "UPDATE datasets SET modified_us = 1795230765000001");
	CHECK_STR(json(DS, PLANJSON_RESPONSE),
		  "{\"data_products\":[{\"compute\":\"cams\",\"eager\":true,\"extra\":null,\"id\":\"" A "\","
		  "\"link\":null,\"modified_by\":\"me\",\"modified_date\":\"2026-11-21T03:12:45.123456+00:00\","
		  "\"name\":\"A \\\"x\\\"\",\"passback\":null,\"passthrough\":{\"b\":1e2,\"y\":2},\"run_id\":null,"
		  "\"state\":\"queued\",\"version\":\"1.0.0\"},"
		  "{\"compute\":\"dbxaas\",\"eager\":false,\"extra\":null,\"id\":\"" B "\",\"link\":null,"
		  "\"modified_by\":\"me\",\"modified_date\":\"2026-11-21T03:12:45.123456+00:00\",\"name\":\"B\","
		  "\"passback\":null,\"passthrough\":null,\"run_id\":null,\"state\":\"waiting\",\"version\":\"2\"}],"
		  "\"dataset\":{\"extra\":{\"a\":[1.0],\"z\":1},\"id\":\"" DS "\",\"modified_by\":\"me\","
		  "\"modified_date\":\"2026-11-21T03:12:45.000001+00:00\",\"paused\":false},"
		  "\"dependencies\":[{\"child_id\":\"" B "\",\"extra\":{\"d\":null},\"modified_by\":\"me\","
		  "\"modified_date\":\"2026-11-21T03:12:45.000000+00:00\",\"parent_id\":\"" A "\"}]}\n",
		  "Fletcher's response: alphabetical, every member, microseconds");
	char *first = strdup(json(DS, PLANJSON_RESPONSE));
	CHECK_STR(json(DS, PLANJSON_RESPONSE), first, "the same bytes when nothing has changed");
	free(first);
	CHECK_STR(json(DS, PLANJSON_FILE),
		  "{\"dataset\":{\"id\":\"" DS "\",\"extra\":{\"z\":1,\"a\":[1.0]}},\n"
		  " \"data_products\":[\n"
		  "  {\"id\":\"" A "\",\"compute\":\"cams\",\"name\":\"A \\\"x\\\"\",\"version\":\"1.0.0\",\"eager\":true,"
		  "\"passthrough\":{\"y\":2,\"b\":1e2},\"extra\":null},\n"
		  "  {\"id\":\"" B "\",\"compute\":\"dbxaas\",\"name\":\"B\",\"version\":\"2\",\"eager\":false,"
		  "\"passthrough\":null,\"extra\":null}],\n"
		  " \"dependencies\":[\n"
		  "  {\"parent_id\":\"" A "\",\"child_id\":\"" B "\",\"extra\":{\"d\":null}}]}\n",
		  "a file as it was written");
	char *file = strdup(json(DS, PLANJSON_FILE));
	rows_must(plans_publish_with(&p, &how, span_of(file)) == 0, "publish", p.e.msg);
	CHECK(!how.c.changed, "which publish accepts and which changes nothing");
	free(file);

	struct states list CLEANUP(states_release) = STATES_INIT;
	struct states_item *i = states_add(&list);
	i->product = strdup("B");
	i->state = STATE_FAILED;
	i->has_run = id_from_uuid(SPAN_LIT(DS), &i->run_id);
	i->link = strdup("http://x");
	i->passback = strdup("{\"n\":1,\"a\":2}");
	rows_must(steer_update(&p.s, DS, &list, &p.e) == 0, "update", p.e.msg);
	CHECK(strstr(json(DS, PLANJSON_RESPONSE), "\"link\":\"http://x\",") &&
	      strstr(json(DS, PLANJSON_RESPONSE), "\"passback\":{\"a\":2,\"n\":1},") &&
	      strstr(json(DS, PLANJSON_RESPONSE), "\"run_id\":\"" DS "\","), "what was reported");
	rows_must(plans_do(&p, "disable", DS, "B") == 0, "disable", p.e.msg);
	CHECK(strstr(json(DS, PLANJSON_RESPONSE), "\"state\":\"disabled\"") != NULL, "the disabled");
	CHECK(!strstr(json(DS, PLANJSON_FILE), B), "are in no file");
	plans_publish(&p, "named", "a", "");
	CHECK(strstr(json("named", PLANJSON_FILE), "\"name\":\"named\"") != NULL, "a name is");
	CHECK_STR(json("nosuch", PLANJSON_FILE), "there is no dataset 'nosuch'", "no dataset");
	plans_close(&p);
	return unit_done();
}
