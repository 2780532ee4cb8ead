#include "domain/batchload.h"

#include "fixture.h"

/* Reading what was written is tested with domain/batch; here is what bad rows
 * and full pages do. */

enum { Q_ALL, Q_SPOIL, Q_BEHIND, Q_DATASET, Q_PRODUCT };
static const char *const texts[] = {
	[Q_ALL] = BATCHLOAD_SELECT "WHERE id > ?1 ORDER BY id",
	[Q_SPOIL] = "UPDATE batches SET options = ?1 WHERE id = 1",
	[Q_BEHIND] = BATCHLOAD_SELECT "WHERE id = ?1",
	[Q_DATASET] = "INSERT INTO datasets (id, uuid, name, user, modified_by, modified_us, active_us)"
		      " VALUES (?1, CAST(randomblob(15) || x'7F' AS BLOB), ?2, 'me', 'me', 1, 1)",
	[Q_PRODUCT] = "INSERT INTO data_products (id, dataset, uuid, name, version, compute, eager,"
		      " state, batch, since_us, modified_by, modified_us)"
		      " VALUES (?1 << 32 | ?2, ?1, randomblob(16), ?3, '1', 'batch', 1, 3, ?2, 1, 'me', 1)",
};
static const struct stmt_set set = { "test", texts, ARRAY_LEN(texts) };

static void test_page(struct db *db)
{
	struct batchload_page p CLEANUP(batchload_release) = { .n = 0 };
	struct err e = ERR_INIT;

	STMT(q, db, &set, Q_ALL);
	stmt_int(&q, 1, 0);
	CHECK_INT(batchload_page(&q, &p, &e), BATCHLOAD_PAGE, "a page is full");
	CHECK(p.rows[0].id == 1 && p.rows[BATCHLOAD_PAGE - 1].id == BATCHLOAD_PAGE,
	      "with the first rows");
	CHECK_INT(batchload_page(&q, &p, &e), 2, "the next one has the rest");
	CHECK_STR(p.rows[1].base_url, "http://127.0.0.1:1/v1", "with their texts");
	CHECK_STR(p.rows[1].name, NULL, "NULL where there is none");
	CHECK_INT(p.rows[1].expires_ms, 0, "0 where there is no time");
}

static void test_first(struct db *db)
{
	struct batch b CLEANUP(batch_release) = BATCH_INIT, c CLEANUP(batch_release) = BATCH_INIT;
	struct id second;
	struct err e = ERR_INIT;

	fixture_get(db, 2, &c);
	{
		STMT(q, db, &set, Q_ALL);
		stmt_int(&q, 1, 0);
		CHECK(batchload_first(&q, &b, &second, &e) == 2 && b.id == 1 &&
		      id_eq(second, c.uuid), "the first of several, and whose id comes next");
	}
	STMT(q, db, &set, Q_BEHIND);
	stmt_int(&q, 1, 1000);
	CHECK_INT(batchload_first(&q, &b, &second, &e), 0, "none");
	stmt_again(&q);
	stmt_int(&q, 1, 7);
	CHECK(batchload_first(&q, &b, &second, &e) == 1 && b.id == 7, "the only one");
}

static void test_bad_row(struct db *db)
{
	struct batch b CLEANUP(batch_release) = BATCH_INIT;
	struct err e = ERR_INIT;
	{
		TX(tx);
		fixture_must(tx_begin(&tx, db, &e) == 0, "begin", &e);
		STMT(q, db, &set, Q_SPOIL);
		stmt_textz(&q, 1, "{\"retries\":\"many\"}");
		fixture_must(stmt_run(&q, &e) == 1 && tx_commit(&tx, &e) == 0, "spoil", &e);
	}
	CHECK(batch_get(db, 1, &b, &e) < 0 && e.code == ERR_INPUT, "options that are none");
}

static void add_product(struct db *db, int64_t dataset, const char *name, int64_t batch,
			const char *product)
{
	struct err e = ERR_INIT;

	TX(tx);
	fixture_must(tx_begin(&tx, db, &e) == 0, "begin", &e);
	STMT(d, db, &set, Q_DATASET);
	stmt_int(&d, 1, dataset);
	stmt_textz(&d, 2, name);
	fixture_must(stmt_run(&d, &e) == 1, "dataset", &e);
	STMT(p, db, &set, Q_PRODUCT);
	stmt_int(&p, 1, dataset);
	stmt_int(&p, 2, batch);
	stmt_textz(&p, 3, product);
	fixture_must(stmt_run(&p, &e) == 1 && tx_commit(&tx, &e) == 0, "product", &e);
}

/* The data product whose newest batch it is. */
static void test_product(struct db *db)
{
	struct batch b CLEANUP(batch_release) = BATCH_INIT;

	add_product(db, 1, "papers", 2, "judge/all");
	add_product(db, 2, NULL, 3, "x");
	fixture_get(db, 2, &b);
	CHECK_STR(b.product, "papers/judge/all", "the data product of a batch");
	fixture_get(db, 3, &b);
	CHECK(b.product && strlen(b.product) == ID_UUID + 2 && b.product[8] == '-' &&
	      strcmp(b.product + ID_UUID - 2, "7f/x") == 0, "a dataset without a name has its UUID");
	fixture_get(db, 4, &b);
	CHECK_STR(b.product, NULL, "NULL where there is none");
}

int main(void)
{
	struct db *db = fixture_db("state.db");
	int64_t file = fixture_lines(db, 1);

	for (int i = 0; i < BATCHLOAD_PAGE + 2; i++)
		fixture_batch(db, file);
	test_page(db);
	test_first(db);
	test_product(db);
	test_bad_row(db);
	db_close(db);
	return unit_done();
}
