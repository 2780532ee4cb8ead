/* errand: what is read of a product's work. */
#include "engine/errand.h"

#include "steps.h"

int main(void)
{
	struct steps s;
	struct errand r CLEANUP(errand_release) = ERRAND_INIT;
	struct product p CLEANUP(product_release) = PRODUCT_INIT;
	struct dataset d CLEANUP(dataset_release) = DATASET_INIT;
	struct err e = ERR_INIT;

	steps_open(&s, "errand.db");
	steps_one(&s, "papers", "exec", "{\"argv\": [\"a b\"]}");
	rows_must(product_get(s.p.db, plans_row(&s.p, "papers", "work"), &p, &e) == 1 &&
		  dataset_get(s.p.db, p.dataset, &d, &e) == 1, "get", e.msg);
	CHECK_INT(errand_load(s.p.db, &p, &r, &e), 1, "a product");
	CHECK(r.product == p.id && r.dataset == p.dataset && id_eq(r.dataset_uuid, d.uuid), "its rows and ids");
	CHECK_STR(r.name, "work", "its name");
	CHECK_STR(r.dataset_name, "papers", "its dataset's");
	CHECK_STR(r.label, "papers/work", "both for people");
	CHECK_STR(r.dir, unit_dir(), "the plan's directory");
	CHECK_STR(r.params, "{\"day\":\"7\"}", "and parameters");
	CHECK_STR(r.passthrough, "{\"argv\":[\"a b\"]}", "what it says of the work");
	steps_one(&s, "empty", "cams", "null");
	rows_must(product_get(s.p.db, plans_row(&s.p, "empty", "work"), &p, &e) == 1, "get", e.msg);
	CHECK_INT(errand_load(s.p.db, &p, &r, &e), 1, "another one");
	CHECK(!r.passthrough, "that says nothing");
	free(p.name);
	p.name = strdup("a\x1b[1m");
	CHECK_INT(errand_load(s.p.db, &p, &r, &e), 1, "a hostile name");
	CHECK_STR(r.label, "empty/a\\x1b[1m", "is safe to print");
	s.p.s.force = true;
	CHECK_INT(steer_delete(&s.p.s, "empty", 0, &e), 1, "deleted");
	CHECK_INT(errand_load(s.p.db, &p, &r, &e), 0, "it is gone");
	steps_close(&s);
	return unit_done();
}
