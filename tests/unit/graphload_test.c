#include "domain/graphload.h"

#include "drawn.h"
#include "plans.h"

static struct plans p;
static struct err e;

static const char *load(const char *dataset, struct graph *g)
{
	return graphload_dataset(p.db, dataset, 61000, g, &e) < 0 ? e.msg : drawn_text(g);
}

/* The graph of a plan that is written but not published. */
static const char *load_plan(struct db *db, const char *dataset, const char *products, const char *edges,
			     struct graph *g)
{
	static const struct plan_options none = { NULL, NULL, 0 };
	struct plan plan CLEANUP(plan_release) = PLAN_INIT;
	struct str json CLEANUP(str_release) = STR_INIT;

	plans_json(&json, dataset, products, edges);
	return plan_parse("plan.json", str_span(&json), "/", &none, &plan, &e) < 0 ||
	       graphload_plan(db, &plan, 61000, g, &e) < 0 ? e.msg : drawn_text(g);
}

static void stored(void)
{
	struct graph g CLEANUP(graph_release) = GRAPH_INIT;

	plans_publish(&p, "plan", "c b! a", "a>b c>b");
	plans_publish(&p, "other", "x y", "x>y");
	CHECK_STR(load("plan", &g), "c b a c>b a>b", "products in the order of publication");
	CHECK(g.stored && !g.paused && span_is(g.name, "plan"), "the dataset");
	CHECK(g.nodes[0].state == STATE_QUEUED && g.nodes[1].state == STATE_WAITING, "states");
	CHECK(g.nodes[0].eager && !g.nodes[1].eager, "eager or not");
	CHECK_STR(g.nodes[0].compute, "cams", "what computes it");
	CHECK(span_is(g.nodes[0].version, "1") && g.nodes[0].since_us > 0, "version and since when");
	CHECK_INT(g.nodes[1].level, 1, "settled");
	CHECK(!g.nodes[0].has_batch && !g.nodes[0].has_run && !g.nodes[0].link.p, "no batch, run, link");
	CHECK(plans_update(&p, "plan", "a=success") == 0 && plans_do(&p, "disable", "plan", "b") == 0 &&
	      steer_pause(&p.s, "plan", true, &p.e) == 1, "something moves");
	CHECK_STR(load("plan", &g), "c b a c>b a>b", "disabled products are there");
	CHECK(g.paused, "paused");
	CHECK(g.nodes[1].state == STATE_DISABLED && g.nodes[2].state == STATE_SUCCESS, "states again");
	CHECK_STR(load("nothing", &g), e.msg, "no such dataset");
	CHECK_INT(e.code, ERR_NOTFOUND, "is not found");
}

static void plans_of_files(void)
{
	struct graph g CLEANUP(graph_release) = GRAPH_INIT;

	CHECK_STR(load_plan(NULL, "new", "a b", "a>b", &g), "a b a>b", "a plan without a state file");
	CHECK(!g.stored && g.nodes[0].state == STATE_NONE, "has no states");
	CHECK_STR(load_plan(p.db, "new", "a b", "a>b", &g), "a b a>b", "nor if its dataset is not stored");
	CHECK(!g.stored, "it is not");
	CHECK_STR(load_plan(p.db, "plan", "a d", "a>d c>d", &g), "a d c a>d c>d",
		  "stored products that it speaks of are behind its own");
	CHECK(g.stored && g.nodes[0].state == STATE_SUCCESS && g.nodes[1].state == STATE_NONE &&
	      g.nodes[2].state == STATE_QUEUED, "states of what is stored");
	load_plan(p.db, "plan", "a", "a>f", &g);
	CHECK_STR(e.msg, "plan.json: dependencies[0].child: Data product not found for: 'f'", "what nobody has");
	load_plan(p.db, "plan", "a", "a>b", &g);
	CHECK_INT(e.code, ERR_INPUT, "what is disabled");
	load_plan(NULL, "new", "a b", "a>b b>a", &g);
	CHECK_STR(e.msg, "plan.json: Graph is cyclical: a -> b -> a", "a cycle");
}

static void exec(const char *sql)
{
	char *why = NULL;

	rows_must(sqlite3_exec(p.raw, sql, NULL, NULL, &why) == SQLITE_OK, sql, why);
}

static void batches(void)
{
	struct graph g CLEANUP(graph_release) = GRAPH_INIT;

	plans_publish(&p, "work", "a b", "");
	CHECK(plans_update(&p, "work", "a=running") == 0, "a product runs");
	exec("PRAGMA foreign_keys = 0; INSERT INTO batches (id, uuid, file, identity, status, user,"
		  " base_url, key_ref, created_ms, in_progress_ms, total, pending, completed, failed)"
		  " VALUES (77, randomblob(16), 1, x'00', 1, 'me', 'http://h', 'none', 1, 1000, 10, 5, 4, 1)");
	exec("UPDATE data_products SET batch = 77, resume = 1 WHERE name = 'a'");
	load("work", &g);
	CHECK(!g.nodes[0].has_batch, "what hands it over is no progress");
	exec("UPDATE data_products SET compute = 'batch' WHERE name IN ('a', 'b')");
	exec("UPDATE data_products SET batch = 77, resume = 0 WHERE name = 'b'");
	load("work", &g);
	CHECK(g.nodes[0].has_batch && g.nodes[0].done == 4 && g.nodes[0].total == 10 && g.nodes[0].failed == 1,
	      "the counts of its batch");
	CHECK_INT(g.nodes[0].left_ms, 60000, "5 in 60 s: the other 5 in 60 s");
	CHECK(!g.nodes[1].has_batch, "a batch of a former run is not its batch");
	exec("UPDATE batches SET in_progress_ms = 99000000");
	load("work", &g);
	CHECK_INT(g.nodes[0].left_ms, -1, "a clock that was set back: unknown");
}

int main(void)
{
	plans_open(&p, "graphload.db");
	stored();
	plans_of_files();
	batches();
	for (int i = 0; i < graphload_sql.n; i++)
		CHECK(stmt_check_plan(p.db, &graphload_sql, i, &e) == 0, "statement %d scans nothing", i);
	plans_close(&p);
	return unit_done();
}
