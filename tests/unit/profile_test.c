#include "engine/profile.h"

#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "unit.h"

static const char *profile(const struct run_options *o)
{
	static struct str text;

	str_reset(&text);
	profile_write(o, &text);
	return str_z(&text);
}

int main(void)
{
	struct run_options o = { .http = { .jobs = 16 }, .grace_ms = 30000, .user = "ann" };
	const int64_t batches[] = { 3, 7 }, datasets[] = { 2 };

	CHECK_STR(profile(&o), "{\"jobs\":16,\"grace_ms\":30000,\"user\":\"ann\",\"batches\":null}",
		  "a worker that takes all of a user");
	o.user = NULL;
	CHECK_STR(profile(&o), "{\"jobs\":16,\"grace_ms\":30000,\"user\":null,\"batches\":null}",
		  "of anybody");
	o.batches = batches;
	CHECK(strstr(profile(&o), "\"batches\":[]"), "of none, before there is one: no null");
	o.n_batches = 2;
	struct planner_options plans = { .datasets = datasets, .n_datasets = 1 };
	o.plans = &plans;
	CHECK(strstr(profile(&o), "\"batches\":[3,7],\"datasets\":[2]}"), "those of its operands");
	plans.datasets = NULL;
	CHECK(!strstr(profile(&o), "datasets"), "no datasets were named");
	struct send send = SEND_INIT;
	send.at_most_once = 1;
	o.defaults = &send;
	const char *text = profile(&o);
	struct json_error why;
	CHECK(strstr(text, ",\"defaults\":{") && strstr(text, "\"at_most_once\":") &&
	      json_scan(span_of(text), NULL, NULL, &why) == 0,
	      "how it sends what says nothing else: %s", text);
	return unit_done();
}
