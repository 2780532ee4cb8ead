/* advice: what a plan says that fsl-run could not do. */
#include "domain/advice.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/mem.h"
#include "unit.h"

/* How many of n products with this compute and passthrough are warned of. */
static int advised(const char *compute, const char *passthrough, int n)
{
	static const struct plan_options none = { NULL, NULL, 0 };
	struct plan plan CLEANUP(plan_release) = PLAN_INIT;
	struct str json CLEANUP(str_release) = STR_INIT;
	struct err e = ERR_INIT;

	str_addz(&json, "{\"dataset\":{\"name\":\"plan\"},\"data_products\":[");
	for (int i = 0; i < n; i++)
		str_addf(&json, "%s{\"name\":\"p%d\",\"compute\":\"%s\",\"version\":\"1\",\"eager\":true"
			 "%s%s}", i ? "," : "", i, compute, passthrough ? ",\"passthrough\":" : "",
			 passthrough ? passthrough : "");
	str_addz(&json, "]}");
	if (plan_parse("plan.json", str_span(&json), "/", &none, &plan, &e) < 0) {
		printf("Bail out! %s\n", e.msg);
		exit(1);
	}
	return advice_plan(&plan);
}

int main(void)
{
	CHECK_INT(advised("batch", "{\"file\":\"in.jsonl\",\"max_failed\":\"1%\"}", 1), 0, "a batch");
	CHECK_INT(advised("batch", "{\"fiel\":\"in.jsonl\"}", 1), 1, "a member that is misspelled");
	CHECK_INT(advised("batch", NULL, 1), 1, "a batch of nothing");
	CHECK_INT(advised("exec", "{\"argv\":[\"ls\"]}", 1), 0, "a command");
	CHECK_INT(advised("exec", "{\"argv\":\"ls\"}", 1), 1, "one that is no array");
	CHECK_INT(advised("cams", "{\"fiel\":1}", 1), 0, "what others run is theirs to know");
	CHECK_INT(advised("dbxaas", NULL, 1), 0, "also if it is nothing");
	CHECK_INT(advised("exec", "[]", ADVICE_WARNINGS + 2), ADVICE_WARNINGS + 2,
		  "all are counted, the first are told");
	return unit_done();
}
