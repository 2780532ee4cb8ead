#include "domain/batchset.h"

#include "fixture.h"

static void test_add(struct db *db)
{
	struct batchset s CLEANUP(batchset_release) = BATCHSET_INIT;
	int64_t file = fixture_lines(db, 1), ids[3];
	char text[BATCH_ID_BUF];
	struct err e = ERR_INIT;

	for (int i = 0; i < 3; i++)
		ids[i] = fixture_batch(db, file);
	CHECK(batchset_add(db, &s, "@last", &e) == 0 && s.n == 1 && s.ids[0] == ids[2],
	      "a batch by its operand");
	CHECK(batchset_add(db, &s, batch_id_text(s.v[0].uuid, text), &e) == 0 && s.n == 1,
	      "named in two ways it is there once");
	CHECK(batchset_add(db, &s, "nobody", &e) < 0 && e.code == ERR_NOTFOUND && s.n == 1,
	      "what is unknown is not added");
}

static void test_statuses(void)
{
	struct err e = ERR_INIT;
	unsigned bits = 7;

	CHECK(batchset_statuses(NULL, &bits, &e) == 0 && bits == 0, "none given is all");
	CHECK(batchset_statuses("completed,cancelling", &bits, &e) == 0 &&
	      bits == (1u << BATCH_COMPLETED | 1u << BATCH_CANCELLING), "two statuses");
	CHECK(batchset_statuses("completed,", &bits, &e) < 0 && e.code == ERR_USAGE, "an empty one");
	CHECK(batchset_statuses("done", &bits, &e) < 0 && strstr(e.msg, "'done'"), "no such status");
}

int main(void)
{
	struct db *db = fixture_db("state.db");

	test_add(db);
	test_statuses();
	db_close(db);
	return unit_done();
}
