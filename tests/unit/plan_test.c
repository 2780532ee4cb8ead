#include "domain/plan.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/mem.h"
#include "unit.h"

static struct plan plan = PLAN_INIT;
static struct err e;

static int parse_with(const char *json, const struct plan_options *o)
{
	e = (struct err)ERR_INIT;
	return plan_parse("plan.json", span_of(json), "/dir", o, &plan, &e);
}

static int parse(const char *json)
{
	return parse_with(json, &(struct plan_options){ 0 });
}

#define UUID1 "123e4567-e89b-12d3-a456-426614174000"
#define UUID2 "223e4567-e89b-12d3-a456-426614174000"
#define UUID3 "323e4567-e89b-12d3-a456-426614174000"
#define PRODUCT(head) "{" head ",\"compute\":\"cams\",\"version\":\"1\",\"eager\":true}"
#define NAMED(n) PRODUCT("\"name\":\"" n "\"")
#define IDED(id, n) PRODUCT("\"id\":\"" id "\",\"name\":\"" n "\"")
#define PLAN(products, edges) "{\"dataset\":{\"name\":\"papers\"},\"data_products\":[" products \
	"],\"dependencies\":[" edges "]}"

static void long_form(void)
{
	CHECK_INT(parse("\xef\xbb\xbf {\"dataset\":{\"id\":\"" UUID1 "\",\"extra\":{ \"a\" : [1, 2] },\"paused\":true},"
			"\"data_products\":[{\"id\":\"" UUID2 "\",\"compute\":\"dbxaas\",\"name\":\"Extract\\u0020Raw\","
			"\"version\":\"1.0.0\",\"eager\":false,\"passthrough\":{\"n\":1e2},\"extra\":null,"
			"\"state\":\"success\",\"run_id\":null,\"link\":\"x\",\"passback\":{},\"modified_by\":\"x\","
			"\"modified_date\":\"x\"}],\"dependencies\":[]}\n"), 0, "Fletcher's form");
	CHECK(plan.has_id && plan.id.b[0] == 0x12 && !plan.name.p, "the dataset by id");
	CHECK(span_is(plan.extra, "{\"a\":[1,2]}"), "its extra without white space");
	const struct plan_product *v = &plan.products[0];
	CHECK(plan.n_products == 1 && !v->by_name && v->id.b[0] == 0x22, "a product by id");
	CHECK(span_is(v->name, "Extract Raw") && span_is(v->version, "1.0.0") && !v->eager &&
	      strcmp(v->compute, "dbxaas") == 0, "its members");
	CHECK(span_is(v->passthrough, "{\"n\":1e2}") && !v->extra.p, "JSON as it stands, null is none");
	CHECK_INT(plan.warned, 0, "the members of Fletcher's own responses are known");
}

static void short_form(void)
{
	struct id space, dataset;

	CHECK_INT(parse(PLAN(NAMED("a") "," NAMED("b"), "{\"parent\":\"a\",\"child\":\"b\"}")), 0,
		  "names in place of ids");
	id_from_uuid(SPAN_LIT(PLAN_NAMESPACE), &space);
	dataset = id_named(space, SPAN_LIT("papers"));
	CHECK(id_eq(plan_dataset_id(&plan), dataset), "the dataset's id is of its name");
	CHECK_INT(plan_resolve(&plan, dataset, NULL, NULL, &e), 0, "resolved");
	CHECK(id_eq(plan.products[0].id, id_named(dataset, SPAN_LIT("a"))), "a product's of its name in it");
	CHECK(plan.edges[0].parent.node == 0 && plan.edges[0].child.node == 1, "ends are found by name");
	CHECK_INT(parse("{\"dataset\":{\"name\":\"papers\"},\"data_products\":[]}"), 0,
		  "no dependencies are none");

	const struct plan_options named = { .dataset = "other" }, by_id = { .dataset = UUID1 };
	CHECK_INT(parse_with("{\"data_products\":[]}", &named), 0, "--dataset in place of a member");
	CHECK(span_is(plan.name, "other") && !plan.has_id, "its name");
	CHECK_INT(parse_with("{\"dataset\":{\"id\":\"" UUID2 "\",\"name\":\"x\"},\"data_products\":[]}", &named), 0,
		  "or of another one");
	CHECK(span_is(plan.name, "other") && !plan.has_id, "which it replaces");
	CHECK_INT(parse_with("{\"data_products\":[]}", &by_id), 0, "--dataset may be a UUID");
	CHECK(plan.has_id && plan.id.b[0] == 0x12, "which is its id");
	const struct plan_options bad = { .dataset = "a/b" };
	CHECK(parse_with("{\"data_products\":[]}", &bad) < 0 && e.code == ERR_USAGE, "or no name at all");
}

static void refused(const char *json, const char *why)
{
	CHECK(parse(json) < 0 && e.code == ERR_INPUT, "refused: %.60s", why);
	CHECK_STR(e.msg, why, "for that");
}

static void errors(void)
{
	refused("{\"data_products\":[],}", "plan.json:1:21: trailing comma");
	refused("[]", "plan.json: must be an object, not an array");
	refused("{\"data_products\":[]}", "plan.json: dataset.id: required UUID is missing");
	refused("{\"dataset\":{\"name\":\"cafe\"},\"data_products\":[]}",
		"plan.json: dataset.name: 'cafe' cannot be a name: a name is not all hex digits and does "
		"not look like an id");
	refused("{\"dataset\":{\"name\":\"x\"}}", "plan.json: data_products: required array is missing");
	refused(PLAN(NAMED("a") "," NAMED("b") "," NAMED("y") ",{\"name\":\"x\",\"compute\":\"cams\",\"version\":\"1\"}", ""),
		"plan.json: data_products[3].eager: required boolean is missing");
	refused(PLAN("{\"name\":\"x\",\"compute\":\"spark\",\"version\":\"1\",\"eager\":true}", ""),
		"plan.json: data_products[0].compute: 'spark' is not one of batch, cams, dbxaas, exec");
	refused(PLAN(NAMED(""), ""), "plan.json: data_products[0].name: must not be empty where there is no id");
	refused(PLAN(NAMED("\\u0000"), ""), "plan.json: data_products[0].name: has a NUL character");
	refused(PLAN(IDED("7", "a"), ""), "plan.json: data_products[0].id: '7' is no UUID");
	refused(PLAN(NAMED("a"), "{\"parent\":\"a\"}"),
		"plan.json: dependencies[0].child_id: required UUID is missing");
	refused(PLAN(NAMED("a"), "{\"parent\":\"a\",\"parent_id\":\"" UUID1 "\",\"child\":\"a\"}"),
		"plan.json: dependencies[0].parent: stands beside parent_id; one of them is enough");
}

/* The stored product "old" with UUID3. */
static int stored(void *ctx, struct span name, struct id *id, struct err *why)
{
	struct id old;

	(void)ctx, (void)why;
	id_from_uuid(SPAN_LIT(UUID3), &old);
	if (name.p ? !span_is(name, "old") : !id_eq(*id, old))
		return 0;
	*id = old;
	return 1;
}

static const char *resolved(const char *json, plan_stored_fn *fn)
{
	struct id dataset = { { 1 } };

	if (parse(json) < 0)
		return e.msg;
	return plan_resolve(&plan, dataset, fn, NULL, &e) < 0 ? e.msg : "";
}

static void resolving(void)
{
	CHECK_STR(resolved(PLAN(NAMED("a") "," NAMED("b") "," NAMED("a"), ""), NULL),
		  "plan.json: data_products[2]: Duplicate data-product id in parameter: 'a'", "a product twice");
	CHECK_STR(e.hint, "it is that of data_products[0] as well", "and where");
	CHECK_STR(resolved(PLAN(IDED(UUID1, "a") "," IDED(UUID1, "b"), ""), NULL),
		  "plan.json: data_products[1]: Duplicate data-product id in parameter: '" UUID1 "'", "an id twice");
	CHECK_STR(resolved(PLAN(IDED(UUID1, "a") "," IDED(UUID2, "a"), ""), NULL), "",
		  "one name with two ids is fine");
	CHECK_STR(resolved(PLAN(IDED(UUID1, "a") "," IDED(UUID2, "a"), "{\"parent\":\"a\",\"child\":\"a\"}"), NULL),
		  "plan.json: dependencies[0].parent: several data products have the name 'a'",
		  "but not where it has to mean one");
	CHECK_STR(resolved(PLAN(NAMED("a") "," NAMED("b"), "{\"parent\":\"a\",\"child\":\"b\"},{\"parent\":\"b\","
				"\"child\":\"a\"},{\"parent\":\"a\",\"child\":\"b\"}"), NULL),
		  "plan.json: dependencies[2]: Duplicate dependency in parameter: 'a' -> 'b'", "a dependency twice");
	CHECK_STR(resolved(PLAN(IDED(UUID1, "a") "," NAMED("b"), "{\"parent\":\"a\",\"child\":\"b\"},"
				"{\"parent_id\":\"" UUID1 "\",\"child\":\"b\"}"), NULL),
		  "plan.json: dependencies[1]: Duplicate dependency in parameter: '" UUID1 "' -> 'b'",
		  "also in two forms");
	CHECK_STR(resolved(PLAN(NAMED("a"), "{\"parent\":\"a\",\"child\":\"x\"},{\"parent\":\"y\",\"child\":\"a\"}"), NULL),
		  "plan.json: dependencies[1].parent: Data product not found for: 'y'",
		  "unknown parents come before unknown children");
	CHECK_STR(resolved(PLAN(NAMED("a"), "{\"parent\":\"a\",\"child_id\":\"" UUID2 "\"}"), stored),
		  "plan.json: dependencies[0].child_id: Data product not found for: '" UUID2 "'",
		  "an unknown child");
	CHECK_STR(resolved(PLAN(NAMED("a"), "{\"parent\":\"old\",\"child\":\"a\"},{\"parent\":\"a\",\"child_id\":\""
				UUID3 "\"}"), stored), "", "stored products may be named");
	CHECK(plan.n_outsiders == 1 && plan.edges[0].parent.node == 1 && plan.edges[1].child.node == 1,
	      "each is one node behind those of the file");
}

static void params(void)
{
	const char *const sets[] = { "day=d1" };
	const struct plan_options o = { .sets = sets, .n_sets = 1 };

	CHECK_INT(parse_with("{\"params\":{\"day\":null},\"dataset\":{\"name\":\"p-${day}\",\"extra\":\"${day}\"},"
			     "\"data_products\":[{\"name\":\"x ${day}\",\"compute\":\"exec\",\"version\":\"${day}\","
			     "\"eager\":true,\"passthrough\":{\"argv\":[\"a\",\"${day}\"]}},"
			     NAMED("y") "],\"dependencies\":[{\"parent\":\"x ${day}\",\"child\":\"y\"}]}", &o), 0,
		  "a plan with a parameter");
	CHECK(span_is(plan.name, "p-d1") && span_is(plan.extra, "\"d1\""), "in the dataset");
	CHECK(span_is(plan.products[0].name, "x d1") && span_is(plan.products[0].version, "d1") &&
	      span_is(plan.products[0].passthrough, "{\"argv\":[\"a\",\"d1\"]}"), "in a product");
	CHECK(span_is(plan.edges[0].parent.name, "x d1"), "in a name that refers to it");
	refused("{\"params\":{\"day\":null},\"dataset\":{\"name\":\"x\"},\"data_products\":[]}",
		"plan.json: params.day: has no value");
	CHECK(parse_with("{\"dataset\":{\"name\":\"x\"},\"data_products\":[]}", &o) < 0 && e.code == ERR_INPUT,
	      "--set of a plan without parameters is refused");
}

static void long_names(void)
{
	struct str json CLEANUP(str_release) = STR_INIT;

	str_addz(&json, "{\"dataset\":{\"name\":\"x\"},\"data_products\":[{\"name\":\"");
	for (int i = 0; i < PLAN_NAME_MAX + 1; i++)
		str_addc(&json, 'n');
	str_addz(&json, "\",\"compute\":\"cams\",\"version\":\"1\",\"eager\":true}]}");
	refused(str_z(&json), "plan.json: data_products[0].name: has more than 1024 bytes");
}

static void files(void)
{
	const struct plan_options none = { 0 };
	char path[4200];

	snprintf(path, sizeof path, "%s/p.json", unit_dir());
	FILE *f = fopen(path, "w");
	fputs(PLAN(NAMED("a"), ""), f);
	fclose(f);
	char *real = realpath(unit_dir(), NULL);
	CHECK_INT(plan_read(path, &none, &plan, &e), 0, "a file");
	CHECK_STR(plan.dir, real, "its directory");
	CHECK_STR(plan.file, path, "its name");
	free(real);
	CHECK(plan_read("/nosuch/plan", &none, &plan, &e) < 0 && e.code == ERR_NOINPUT, "a missing file");
}

int main(void)
{
	long_form();
	short_form();
	errors();
	resolving();
	params();
	long_names();
	files();
	plan_release(&plan);
	return unit_done();
}
