#include "domain/produce.h"

#include "base/mem.h"
#include "domain/state.h"
#include "store/tx.h"

enum { Q_LOOK, Q_SENDS, Q_STORE, Q_READ, Q_LEFT, Q_READY };
static const char *const texts[] = {
	[Q_LOOK] = "SELECT b.id, b.status, b.total, b.failed + b.cancelled + b.expired,"
		   " b.processing + b.attempts + b.completed > 0 FROM data_products p"
		   " LEFT JOIN batches b ON b.id = p.batch WHERE p.id = ?1 AND p.run_id = ?2"
		   " AND p.worker IS NOT NULL AND p.state IN (1, 2)",
	[Q_SENDS] = "UPDATE data_products SET batch = ?3, resume = 1 WHERE id = ?1 AND run_id = ?2"
		    " AND worker IS NOT NULL AND state IN (1, 2)",
	[Q_STORE] = "INSERT OR REPLACE INTO product_outputs (product, run_id, body)"
		    " SELECT id, run_id, ?3 FROM data_products WHERE id = ?1 AND run_id = ?2"
		    " AND worker IS NOT NULL AND state IN (1, 2)",
	[Q_READ] = "SELECT o.body FROM product_outputs o JOIN data_products p ON p.id = o.product"
		   " WHERE o.product = ?1 AND o.run_id = p.run_id",
	[Q_LEFT] = "SELECT count(*) FROM data_products WHERE dataset = ?1 AND state IN (1, 2)"
		   " AND state IN (1, 2, 4) AND compute IN ('batch', 'exec')",
	[Q_READY] = "SELECT count(*) FROM data_products WHERE dataset = ?1 AND eager = 1"
		    " AND state = 0 AND parents_left = 0 AND compute IN ('batch', 'exec')",
};
const struct stmt_set produce_sql = { "produce", texts, ARRAY_LEN(texts) };

int produce_look(struct db *db, int64_t product, struct id run_id, struct produce_look *out,
		 struct err *e)
{
	STMT(q, db, &produce_sql, Q_LOOK);
	stmt_int(&q, 1, product);
	stmt_blob(&q, 2, run_id.b, ID_BYTES);
	int rc = stmt_step(&q, e);
	if (rc > 0)
		*out = (struct produce_look){
			.batch = stmt_col_int(&q, 0), .status = (enum batch_status)stmt_col_int(&q, 1),
			.total = stmt_col_int(&q, 2), .bad = stmt_col_int(&q, 3),
			.begun = stmt_col_int(&q, 4) != 0,
		};
	return rc;
}

int produce_sends(struct db *db, int64_t product, struct id run_id, int64_t batch, struct err *e)
{
	STMT(q, db, &produce_sql, Q_SENDS);
	stmt_int(&q, 1, product);
	stmt_blob(&q, 2, run_id.b, ID_BYTES);
	stmt_int(&q, 3, batch);
	return stmt_run(&q, e);
}

int produce_store(struct db *db, int64_t product, struct id run_id, struct span body,
		  struct err *e)
{
	TX(tx);
	if (tx_begin(&tx, db, e) < 0)
		return -1;
	STMT(q, db, &produce_sql, Q_STORE);
	stmt_int(&q, 1, product);
	stmt_blob(&q, 2, run_id.b, ID_BYTES);
	stmt_blob(&q, 3, body.p ? body.p : "", body.n);
	int rc = stmt_run(&q, e);
	stmt_end(&q);
	return rc <= 0 ? rc : tx_commit(&tx, e) < 0 ? -1 : 1;
}

int produce_read(struct db *db, int64_t product, struct str *body, struct err *e)
{
	STMT(q, db, &produce_sql, Q_READ);
	stmt_int(&q, 1, product);
	int rc = stmt_step(&q, e);
	if (rc > 0)
		str_addspan(body, stmt_col(&q, 0));
	return rc;
}

static int64_t count(struct db *db, int query, int64_t dataset, struct err *e)
{
	STMT(q, db, &produce_sql, query);
	stmt_int(&q, 1, dataset);
	return stmt_step(&q, e) < 0 ? -1 : stmt_col_int(&q, 0);
}

int64_t produce_left(struct db *db, const struct dataset *d, struct err *e)
{
	int64_t open = count(db, Q_LEFT, d->id, e), ready = 0;

	if (open >= 0 && d->paused)
		ready = count(db, Q_READY, d->id, e);
	return open < 0 || ready < 0 ? -1 : open + ready;
}
