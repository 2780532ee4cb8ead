#include "domain/product.h"

#include "plans.h"

static struct plans p;
static int64_t ds;
static char listed[4096];

static int list(void *ctx, const struct product *v, struct err *e)
{
	(void)ctx, (void)e;
	size_t n = strlen(listed);
	snprintf(listed + n, sizeof listed - n, "%s%s", n ? " " : "", v->name);
	return 0;
}

static int count(void *ctx, const struct product *v, struct err *e)
{
	(void)v, (void)e;
	++*(int *)ctx;
	return 0;
}

static const char *found(const char *operand)
{
	static char text[600];
	struct product v CLEANUP(product_release) = PRODUCT_INIT;

	if (product_find(p.db, ds, operand, &v, &p.e) < 0)
		snprintf(text, sizeof text, "%s", p.e.msg);
	else
		snprintf(text, sizeof text, "%s:%s", v.name, v.version);
	return text;
}

#define ID1 "aaaa0000-0000-0000-0000-000000000001"
#define ID2 "aaaa0000-0000-0000-0000-000000000002"
#define ID3 "bbbb0000-0000-0000-0000-000000000003"
#define V(id, name, version) "{\"id\":\"" id "\",\"name\":\"" name "\",\"compute\":\"batch\",\"version\":\"" \
	version "\",\"eager\":true,\"passthrough\":{\"f\":1}}"

static void finding(void)
{
	struct publish how CLEANUP(publish_release) = PUBLISH_INIT;

	rows_must(plans_publish_with(&p, &how, SPAN_LIT("{\"dataset\":{\"name\":\"plan\"},\"data_products\":["
		V(ID1, "Journals", "1.0") "," V(ID2, "Journals", "2.0") "," V(ID3, "bbbb", "1:0") "]}")) == 0,
		  "publish", p.e.msg);
	ds = how.ds.id;
	CHECK_STR(found(ID2), "Journals:2.0", "by id");
	CHECK_STR(found("bbbb"), "bbbb:1:0", "a name that looks like an id is a name");
	CHECK_STR(found("Journals:2.0"), "Journals:2.0", "NAME:VERSION tells them apart");
	CHECK_STR(found("bbbb0"), "bbbb:1:0", "by a prefix");
	CHECK_STR(found("Journals"), "'Journals' means several data products: Journals:1.0 (" ID1 "), "
		  "Journals:2.0 (" ID2 ")", "a name that several have");
	CHECK_INT(p.e.code, ERR_NOTFOUND, "is not found");
	CHECK_STR(found("aaaa"), "'aaaa' means several data products: Journals:1.0 (" ID1 "), Journals:2.0 ("
		  ID2 ")", "so is a prefix that several have");
	CHECK_STR(found("nosuch"), "Data product not found for: 'nosuch'", "in Fletcher's words");
	struct product v CLEANUP(product_release) = PRODUCT_INIT;
	CHECK(product_by_name(p.db, ds, SPAN_LIT("bbbb"), &v, &p.e) == 1 && v.eager &&
	      v.state == STATE_QUEUED && strcmp(v.compute, "batch") == 0, "all of a row");
	CHECK(!v.has_run && v.worker == 0 && v.batch == 0 && !v.held && !product_has_batch(&v),
	      "also what it does not have");
	struct product_texts t CLEANUP(product_texts_release) = { 0 };
	CHECK(product_texts(p.db, v.id, &t, &p.e) == 1 && strcmp(t.passthrough, "{\"f\":1}") == 0 && !t.link,
	      "its long members");
	CHECK_INT(product_texts(p.db, 7, &t, &p.e), 0, "none of no product");
	CHECK_INT(product_get(p.db, 7, &v, &p.e), 0, "no such row");
}

static void lists(void)
{
	struct str many CLEANUP(str_release) = STR_INIT;
	int n = 0;

	plans_publish(&p, "graph", "a b! c! k", "a>c a>b k>b");
	int64_t a = plans_row(&p, "graph", "a"), graph = a >> 32;
	listed[0] = '\0';
	CHECK(product_each(p.db, graph, list, NULL, &p.e) == 0, "all of a dataset");
	CHECK_STR(listed, "a b c k", "in the order of publication");
	listed[0] = '\0';
	CHECK(product_each_child(p.db, a, list, NULL, &p.e) == 0, "children");
	CHECK_STR(listed, "b c", "in that order too");
	listed[0] = '\0';
	CHECK(product_each_parent(p.db, plans_row(&p, "graph", "b"), list, NULL, &p.e) == 0, "parents");
	CHECK_STR(listed, "a k", "in that order too");
	rows_must(plans_update(&p, "graph", "a=success") == 0, "update", p.e.msg);
	listed[0] = '\0';
	CHECK(product_each_ready(p.db, graph, list, NULL, &p.e) == 0, "what waits for a person");
	CHECK_STR(listed, "c k", "not eager and ready; or queued, and run by nobody here");
	plans_publish(&p, "more", "x!", "");
	listed[0] = '\0';
	CHECK(product_each_ready(p.db, 0, list, NULL, &p.e) == 0, "in all datasets");
	CHECK_STR(listed, "c x k", "batches that are queued are not among them");
	for (int i = 0; i < 450; i++)
		str_addf(&many, "p%d ", i);
	plans_publish(&p, "many", str_z(&many), "");
	CHECK(product_each(p.db, plans_row(&p, "many", "p0") >> 32, count, &n, &p.e) == 0 && n == 450,
	      "more than a page");
}

static const char *batch_of(const char *operand)
{
	int64_t id = product_batch(p.db, operand, &p.e);

	return id < 0 ? p.e.msg : id == 1 ? "1" : "another";
}

static void batches(void)
{
	struct rows r = { .db = p.db, .raw = p.raw };
	int64_t b = rows_batch(&r, 1, 1, 0);

	ROWS_DO(p.raw, "UPDATE data_products SET batch = ?1 WHERE id = ?2", b, plans_row(&p, "graph", "a"));
	CHECK_STR(batch_of("graph/a"), "1", "DATASET/PRODUCT is its batch");
	CHECK_STR(batch_of("graph/b"), "the data product 'graph/b' has no batch yet", "if it has one");
	ROWS_DO(p.raw, "UPDATE data_products SET compute = 'exec' WHERE id = ?1", plans_row(&p, "graph", "b"));
	CHECK_STR(batch_of("graph/b"), "the data product 'graph/b' is a command, which has no batch",
		  "or can have one");
	CHECK_STR(batch_of("graph"), "'graph' is not DATASET/PRODUCT", "without a slash");
	CHECK_STR(batch_of("nosuch/a"), "there is no dataset 'nosuch'", "an unknown dataset");
	CHECK_STR(batch_of("graph/x"), "Data product not found for: 'x'", "an unknown product");
	CHECK_INT(p.e.code, ERR_NOTFOUND, "are not found");
}

int main(void)
{
	plans_open(&p, "db");
	finding();
	lists();
	batches();
	plans_close(&p);
	return unit_done();
}
