#include "domain/publish.h"

#include "plans.h"

static struct plans p;

/* What publishing says: "" or the error; checks that a refusal stores nothing. */
static const char *tried(struct publish *how, const char *dataset, const char *products,
			 const char *edges)
{
	int64_t events = ROWS_INT(p.raw, "SELECT count(*) FROM events");

	if (plans_try(&p, how, dataset, products, edges) == 0)
		return "";
	CHECK_INT(ROWS_INT(p.raw, "SELECT count(*) FROM events"), events, "a plan that is refused "
		  "stores nothing");
	return p.e.msg;
}

static void first(void)
{
	struct publish how CLEANUP(publish_release) = { .wants_diff = true };

	CHECK_STR(tried(&how, "one", "a b c!", "a>b b>c"), "", "a new plan");
	CHECK_STR(plans_states(&p, "one"), "a=queued b=waiting c=waiting", "what can start is queued");
	CHECK_STR(plans_moved(&how.c), "a ->queued, b ->waiting, c ->waiting", "and told");
	CHECK_STR(str_z(&how.diff), "+ a\n+ b\n+ c\n+ a -> b\n+ b -> c\n", "all of it is new");
	CHECK_INT(plans_wrong(p.raw), 0, "the file is sound");
	CHECK_STR(ROWS_TEXT(p.raw, "SELECT user || ' ' || modified_by || ' ' || paused FROM datasets"),
		  ROWS_TEXT(p.raw, "SELECT user || ' me 0' FROM datasets"), "who, and that it is not paused");

	const char *before = strdup(ROWS_TEXT(p.raw, "SELECT max(p.modified_us) || ' ' || active_us || ' '"
					      " || events FROM data_products p JOIN datasets"));
	CHECK_STR(tried(&how, "one", "a b c!", "a>b b>c"), "", "the same plan again");
	CHECK(!how.c.changed && how.c.n_moved == 0 && how.diff.n == 0, "changes nothing");
	CHECK_STR(ROWS_TEXT(p.raw, "SELECT max(p.modified_us) || ' ' || active_us || ' ' || events"
			    " FROM data_products p JOIN datasets"), before, "no date either");
	free((char *)before);
}

static void order_of_checks(void)
{
	struct publish how CLEANUP(publish_release) = PUBLISH_INIT;

	CHECK_STR(tried(&how, "two", "a a", "a>x a>x"),
		  "plan.json: data_products[1]: Duplicate data-product id in parameter: 'a'", "first products");
	CHECK_STR(tried(&how, "two", "a", "a>x a>x"),
		  "plan.json: dependencies[1]: Duplicate dependency in parameter: 'a' -> 'x'",
		  "then dependencies");
	CHECK_STR(tried(&how, "two", "a", "a>x y>a a>a"),
		  "plan.json: dependencies[1].parent: Data product not found for: 'y'", "then parents");
	CHECK_STR(tried(&how, "two", "a", "a>a a>x"),
		  "plan.json: dependencies[1].child: Data product not found for: 'x'", "then children");
	CHECK_STR(tried(&how, "two", "a b c", "a>b b>c c>a"), "plan.json: Graph is cyclical: a -> b -> c -> a",
		  "then cycles");
	CHECK_STR(tried(&how, "two", "a", "a>a"), "plan.json: Graph is cyclical: a -> a", "of one, too");
	CHECK_INT(ROWS_INT(p.raw, "SELECT count(*) FROM datasets WHERE name = 'two'"), 0,
		  "there is no such dataset");
	how.db = NULL;
	struct plan plan CLEANUP(plan_release) = PLAN_INIT;
	const struct plan_options none = { 0 };
	struct str json CLEANUP(str_release) = STR_INIT;
	plans_json(&json, "two", "a b", "a>b b>a");
	rows_must(plan_parse("f", str_span(&json), "/", &none, &plan, &p.e) == 0, "parse", p.e.msg);
	CHECK(publish_plan(&how, &plan, &p.e) < 0, "a check without a state file");
	CHECK_STR(p.e.msg, "f: Graph is cyclical: a -> b -> a", "finds the same");
}

static void upsert(void)
{
	struct publish how CLEANUP(publish_release) = { .wants_diff = true };

	plans_publish(&p, "three", "a b", "a>b");
	plans_update(&p, "three", "a=success");
	CHECK_STR(tried(&how, "three", "x", "x>b"), "", "a product more, above one that is stored");
	CHECK_STR(plans_states(&p, "three"), "a=success b=queued x=queued", "states stay");
	CHECK_INT(ROWS_INT(p.raw, "SELECT count(*) FROM events WHERE command = 'publish' AND old = 1 AND new = 1"
			   " AND product = ?1", plans_row(&p, "three", "b")), 1,
		  "a dependency more is a change of the child");
	CHECK_STR(str_z(&how.notes), "2 stored products are not in this file and stay: a, b (--prune)\n",
		  "what is not in the file stays, and is told");
	CHECK_INT(plans_wrong(p.raw), 0, "the file is sound: b is ahead of x");
	CHECK_STR(tried(&how, "three", "y", "b>y y>a"), "plan.json: Graph is cyclical: y -> a -> b -> y",
		  "a cycle through what is stored");
	plans_update(&p, "three", "x=running");
	CHECK_STR(plans_states(&p, "three"), "a=success b=waiting x=running", "b waits for x from now on");
	plans_do(&p, "disable", "three", "a");
	CHECK_STR(tried(&how, "three", "z", "a>z"),
		  "plan.json: dependencies[0].parent: Data product not found for: 'a'",
		  "a disabled product is not there");
	CHECK_STR(tried(&how, "three", "a", "b>a"), "", "listed it may be, also where a cycle is hidden");
	CHECK_STR(plans_states(&p, "three"), "a=disabled b=waiting x=running", "and stays disabled");
	CHECK(strstr(str_z(&how.notes), "disabled and still so: a (fletcher-plan enable)\n"), "which is told");
	CHECK(plans_do(&p, "enable", "three", "a") < 0 && p.e.code == ERR_STATE,
	      "enabling it would close the cycle");
	CHECK_INT(plans_wrong(p.raw), 0, "the file is sound");
}

static int publish_json(struct publish *how, const char *json)
{
	return plans_publish_with(&p, how, span_of(json));
}

#define ONE(version, extra) "{\"dataset\":{\"name\":\"four\",\"extra\":" extra "},\"data_products\":[{\"name\":" \
	"\"a\",\"compute\":\"cams\",\"version\":\"" version "\",\"eager\":true,\"extra\":" extra \
	"},{\"name\":\"k\",\"compute\":\"cams\",\"version\":\"1\",\"eager\":true}],\"dependencies\":[{" \
	"\"parent\":\"a\",\"child\":\"k\",\"extra\":" extra "}]}"

static void changes(void)
{
	struct publish how CLEANUP(publish_release) = { .wants_diff = true };

	publish_json(&how, ONE("1", "{\"x\":1,\"y\":2}"));
	plans_update(&p, "four", "a=success k=success");
	CHECK_INT(publish_json(&how, ONE("1", "{\"y\":2, \"x\":1}")), 0, "members in another order");
	CHECK(!how.c.changed, "are no change");
	CHECK_INT(publish_json(&how, ONE("1", "{\"y\":3}")), 0, "another extra");
	CHECK_STR(str_z(&how.diff), "~ dataset: extra changed\n~ a: extra changed\n~ a -> k: extra changed\n",
		  "is one");
	CHECK_STR(plans_states(&p, "four"), "a=success k=queued", "that runs nothing again");
	CHECK_INT(ROWS_INT(p.raw, "SELECT count(DISTINCT modified_us) FROM (SELECT modified_us FROM"
			   " dependencies WHERE parent >> 32 = 3 UNION ALL SELECT modified_us FROM datasets"
			   " WHERE id = 3)"), 1, "one time stamp for all");
	CHECK_INT(publish_json(&how, ONE("2", "{\"y\":3}")), 0, "another version");
	CHECK_STR(str_z(&how.notes), "~ a: version changed, still success (--clear-changed runs it again)\n",
		  "runs nothing again either, but says so");
	how.clear_changed = true;
	CHECK_INT(publish_json(&how, ONE("3", "{\"y\":3}")), 0, "--clear-changed");
	CHECK_STR(plans_states(&p, "four"), "a=queued k=waiting", "clears it, with what is downstream");
	CHECK_STR(how.notes.n ? str_z(&how.notes) : "", "", "and has nothing to say");
	CHECK_INT(plans_wrong(p.raw), 0, "the file is sound");
}

static void prune(void)
{
	struct publish how CLEANUP(publish_release) = { .prune = true, .wants_diff = true };

	plans_publish(&p, "five", "a b c k", "a>b b>c a>c k>c");
	plans_update(&p, "five", "a=success");
	CHECK_STR(tried(&how, "five", "b c", "c>b"), "", "--prune: the graph is that of the file");
	CHECK_STR(plans_states(&p, "five"), "a=disabled b=queued c=queued k=disabled", "the rest is disabled");
	CHECK_STR(str_z(&how.diff), "+ c -> b\n- a\n- k\n- a -> b\n- a -> c\n- b -> c\n- k -> c\n",
		  "each is told");
	CHECK_INT(ROWS_INT(p.raw, "SELECT count(*) FROM dependencies d JOIN datasets s ON s.id = d.parent >> 32"
			   " WHERE s.name = 'five'"), 1, "dependencies are gone");
	CHECK_STR(tried(&how, "five", "b", "k>b"),
		  "plan.json: dependencies[0].parent: Data product not found for: 'k'",
		  "nothing outside the file counts");
	CHECK_INT(plans_wrong(p.raw), 0, "the file is sound");
}

static void others(void)
{
	struct publish how CLEANUP(publish_release) = { .dry_run = true, .wants_diff = true };

	CHECK_STR(tried(&how, "six", "a b", "a>b"), "", "-n");
	CHECK_STR(plans_moved(&how.c), "a ->queued, b ->waiting", "says what would become of it");
	CHECK_INT(ROWS_INT(p.raw, "SELECT count(*) FROM datasets WHERE name = 'six'"), 0, "and stores nothing");
	how.dry_run = false;
	how.paused = true;
	CHECK_STR(tried(&how, "six", "a b", "a>b"), "", "--paused");
	CHECK_STR(plans_states(&p, "six"), "a=waiting b=waiting", "queues nothing");
	rows_must(steer_pause(&p.s, "six", false, &p.e) == 1, "unpause", p.e.msg);
	CHECK_STR(tried(&how, "six", "a b k", "a>b"), "", "once more");
	CHECK_STR(plans_states(&p, "six"), "a=queued b=waiting k=queued", "a stored dataset keeps its pause");

	how.paused = false;
	int64_t events = ROWS_INT(p.raw, "SELECT count(*) FROM events");
	struct plan plan CLEANUP(plan_release) = PLAN_INIT;
	struct str json CLEANUP(str_release) = STR_INIT;
	plans_json(&json, "six", "a b k", "a>b");
	rows_must(plan_parse("f", str_span(&json), "/elsewhere", &(struct plan_options){ 0 }, &plan, &p.e) ==
		  0 && publish_plan(&how, &plan, &p.e) == 0, "publish", p.e.msg);
	CHECK(!how.c.changed && ROWS_INT(p.raw, "SELECT count(*) FROM events") == events,
	      "from another directory it is the same plan");
	CHECK_INT(ROWS_INT(p.raw, "SELECT count(*) FROM dataset_texts WHERE dir = '/elsewhere'"), 1,
		  "but that is where its commands run from now on");
	plan.dir[1] = 'O';
	CHECK_INT(ROWS_INT(p.raw, "UPDATE datasets SET user = 'somebody' WHERE name = 'six' RETURNING 1"), 1,
		  "of another user");
	rows_must(publish_plan(&how, &plan, &p.e) == 0, "publish", p.e.msg);
	CHECK_INT(ROWS_INT(p.raw, "SELECT count(*) FROM dataset_texts WHERE dir = '/elsewhere'"), 1,
		  "another user's commands do not run in our directory");
	CHECK_INT(ROWS_INT(p.raw, "UPDATE datasets SET user = (SELECT user FROM datasets WHERE name <> 'six')"
			   " WHERE name = 'six' RETURNING 1"), 1, "ours again");
	plan.has_dir = false;
	plan.dir[1] = 'E';
	rows_must(publish_plan(&how, &plan, &p.e) == 0, "publish", p.e.msg);
	CHECK_INT(ROWS_INT(p.raw, "SELECT count(*) FROM dataset_texts WHERE dir = '/elsewhere'"), 1,
		  "standard input has no directory");
	CHECK_INT(publish_json(&how, "{\"dataset\":{\"id\":\"123e4567-e89b-12d3-a456-426614174000\",\"name\":\"six\"},"
			       "\"data_products\":[]}"), -1, "the name of another dataset");
	CHECK_INT(p.e.code, ERR_STATE, "is refused");
	CHECK_INT(publish_json(&how, "{\"dataset\":{\"id\":\"123e4567-e89b-12d3-a456-426614174000\"},"
			       "\"data_products\":[]}"), 0, "a dataset without a name");
	CHECK_INT(publish_json(&how, "{\"dataset\":{\"id\":\"123e4567-e89b-12d3-a456-426614174000\",\"name\":\"seven\"},"
			       "\"data_products\":[]}"), 0, "gets one later");
	CHECK_INT(publish_json(&how, "{\"dataset\":{\"name\":\"seven\"},\"data_products\":[]}"), 0,
		  "by which it is found");
	CHECK(!how.c.changed, "as it is the same");
	CHECK_INT(plans_wrong(p.raw), 0, "the file is sound");
}

int main(void)
{
	plans_open(&p, "db");
	first();
	order_of_checks();
	upsert();
	changes();
	prune();
	others();
	plans_close(&p);
	return unit_done();
}
