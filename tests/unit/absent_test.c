#include "domain/absent.h"

#include "plans.h"

/* What is told, and what is done, is tested with publish; here is the rest. */
int main(void)
{
	struct publish how CLEANUP(publish_release) = { .wants_diff = true };
	struct str many CLEANUP(str_release) = STR_INIT;
	struct plans p;

	plans_open(&p, "db");
	for (int i = 0; i < 100; i++)
		str_addf(&many, "step%d ", i);
	plans_publish(&p, "plan", str_z(&many), "step0>step1");
	CHECK(plans_try(&p, &how, "plan", "step7", "") == 0, "a plan with one of a hundred");
	CHECK(strncmp(str_z(&how.notes), "99 stored products are not in this file and stay: step0, step1, ",
		      60) == 0, "the others are named");
	CHECK(strstr(str_z(&how.notes), ", … (--prune)\n") && how.notes.n < 400, "as far as there is room");
	CHECK(plans_try(&p, &how, "plan", "step7 new", "step0>new") == 0 &&
	      strncmp(str_z(&how.notes), "99 stored", 9) == 0, "a product that is only an end is not listed");
	how.prune = true;
	CHECK(plans_try(&p, &how, "plan", "step7", "") == 0 && how.c.n_moved == 100,
	      "--prune disables them");
	CHECK(plans_try(&p, &how, "plan", "step7", "") == 0 && !how.c.changed, "once");
	CHECK_INT(ROWS_INT(p.raw, "SELECT count(*) FROM dependencies"), 0, "and removes dependencies");
	how.prune = false;
	CHECK(plans_try(&p, &how, "plan", "step7", "") == 0 && how.notes.n == 0,
	      "what is disabled is not told");
	CHECK_INT(plans_wrong(p.raw), 0, "the file is sound");
	plans_close(&p);
	return unit_done();
}
