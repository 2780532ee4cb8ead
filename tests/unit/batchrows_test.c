#include "domain/batchrows.h"

#include "fixture.h"

/* Making, dropping and sweeping are tested with domain/batch; here is the url
 * of all lines. */
static void check_url(struct db *db, const char *lines, int rc, const char *url,
		      const char *rule)
{
	struct file f CLEANUP(file_release) = FILE_INIT;
	struct str got CLEANUP(str_release) = STR_INIT;
	struct err e = ERR_INIT;

	fixture_must(file_get(db, fixture_file(db, lines), &f, &e) == 0, "file_get", &e);
	CHECK_INT(batchrows_url(db, &f, NULL, &got, &e), rc, "%s", rule);
	if (rc > 0)
		CHECK_STR(str_z(&got), url, "%s: the url", rule);
}

static void test_url(struct db *db)
{
	check_url(db, "{\"custom_id\":\"a\",\"url\":\"/v1/x\",\"body\":{}}\n"
		  "{\"custom_id\":\"b\",\"url\":\"/v1/x\",\"body\":{}}\n", 1, "/v1/x",
		  "the same url everywhere");
	check_url(db, "{\"custom_id\":\"a\",\"url\":\"/v1/x\",\"body\":{}}\n"
		  "{\"custom_id\":\"b\",\"body\":{},\"url\":\"/v1\\/x\"}\n", 1, "/v1/x",
		  "written in another way");
	check_url(db, "{\"custom_id\":\"a\",\"url\":\"\\/v1\\/x\",\"body\":{}}\n"
		  "{\"custom_id\":\"b\",\"url\" : \"/v1/x\"}\n", 1, "/v1/x",
		  "the first line with escapes");
	check_url(db, "{\"custom_id\":\"a\",\"url\":\"/v1/x\",\"body\":{}}\n"
		  "{\"custom_id\":\"b\",\"url\":\"/v1/y\",\"body\":{}}\n", 0, NULL,
		  "two urls");
	check_url(db, "{\"custom_id\":\"a\",\"url\":\"/v1/x\",\"body\":{}}\n"
		  "{\"custom_id\":\"b\",\"body\":{\"url\":\"/v1/x\"},\"url\":\"/v1/y\"}\n", 0, NULL,
		  "another url behind a body that has the first one");
	check_url(db, "{\"custom_id\":\"a\",\"url\":\"/v1/x\",\"body\":{}}\n"
		  "{\"custom_id\":\"b\",\"metadata\":[{\"url\":\"/v1/x\"}],\"url\":\"/v1/y\"}\n", 0,
		  NULL, "and in an array");
	check_url(db, "{\"custom_id\":\"a\",\"url\":\"/v1/x\",\"body\":{}}\n"
		  "{\"custom_id\":\"\\\"url\\\":\\\"/v1/x\\\"\",\"url\":\"/v1/y\"}\n", 0, NULL,
		  "and in a string");
}

/* What was entered and given an id goes when it is left. */
static void test_leave(struct db *db)
{
	struct batchrows r = BATCHROWS_INIT;
	int64_t id = fixture_batch(db, fixture_lines(db, 2));
	struct batch b CLEANUP(batch_release) = BATCH_INIT;
	struct err e = ERR_INIT;

	batchrows_leave(&r);
	CHECK(true, "leaving what was not entered is fine");
	fixture_must(batchrows_enter(&r, db, &e) == 0, "enter", &e);
	CHECK(r.slot >= SIDE_LOADER_FIRST, "a loader's byte");
	CHECK(batchrows_hide(&r, id, &e) < 0 && e.code == ERR_STATE && r.id == 0,
	      "a batch that has not ended is not hidden");
	fixture_must(ending_cancel(db, id, false, &e) == 2, "cancel", &e);
	CHECK(batchrows_hide(&r, id, &e) == 0 && r.id == id, "one that has ended is");
	int slot = r.slot;
	batchrows_leave(&r);
	CHECK(batch_get(db, id, &b, &e) < 0 && !side_alive(db_side(db), slot),
	      "leaving removes it and gives the byte back");
}

int main(void)
{
	struct db *db = fixture_db("state.db");

	fixture_check_plans(db, &batchrows_sql);
	test_url(db);
	test_leave(db);
	db_close(db);
	return unit_done();
}
