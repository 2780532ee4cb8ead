#include "domain/reach.h"

#include "plans.h"

static struct plans p;

static const char *checked(const char *product)
{
	int64_t id = plans_row(&p, "plan", product);

	return reach_check(p.db, &id, 1, &p.e) < 0 ? p.e.msg : "";
}

int main(void)
{
	plans_open(&p, "db");
	plans_publish(&p, "plan", "a b c k", "a>b b>c k>c");
	CHECK_STR(checked("a"), "", "no cycle");
	rows_must(plans_do(&p, "disable", "plan", "c") == 0, "disable", p.e.msg);
	plans_publish(&p, "plan", "x", "x>k b>x");
	plans_publish(&p, "plan", "c", "c>x");
	plans_publish(&p, "plan", "c", "c>a");
	CHECK_STR(checked("a"), "", "what is disabled is on no cycle");
	ROWS_DO(p.raw, "UPDATE data_products SET state = 0 WHERE name = 'c'");
	CHECK_STR(checked("a"), "Graph is cyclical: a -> b -> c -> a", "the cycle through it");
	CHECK_INT(p.e.code, ERR_STATE, "is a matter of state");
	CHECK_STR(checked("k"), "Graph is cyclical: k -> c -> x -> k", "from another product");
	CHECK_INT(reach_check(p.db, NULL, 0, &p.e), 0, "of nothing");
	plans_close(&p);
	return unit_done();
}
