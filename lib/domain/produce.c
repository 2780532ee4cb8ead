#include "domain/produce.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/num.h"
#include "base/safe.h"
#include "domain/passthrough.h"
#include "domain/product.h"
#include "domain/state.h"
#include "store/tx.h"

enum { SHOWN = 60 };

enum { Q_LOOK, Q_SENDS, Q_STORE, Q_READ, Q_LEFT, Q_READY, Q_REPORTED, Q_ANSWER, Q_MAY };
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
		   " AND state IN (1, 2, 4) AND (compute IN ('batch', 'exec') OR (state = 1"
		   " AND (worker = ?4 OR (worker IS NULL AND (compute = ?2 OR compute = ?3)))))",
	[Q_READY] = "SELECT count(*) FROM data_products WHERE dataset = ?1 AND eager = 1"
		    " AND state = 0 AND parents_left = 0"
		    " AND (compute IN ('batch', 'exec') OR compute = ?2 OR compute = ?3)",
	[Q_REPORTED] = "SELECT 1 FROM data_products WHERE id = ?1 AND run_id = ?2"
		       " AND worker IS NULL AND state IN (2, 3, 4)",
	[Q_ANSWER] = "SELECT status, code, message FROM answers WHERE id > ?1 AND id < ?2"
		     " ORDER BY id DESC LIMIT 1",
	[Q_MAY] = "SELECT t.passthrough, b.total, b.failed + b.cancelled + b.expired FROM data_products p"
		  " JOIN batches b ON b.id = p.batch JOIN product_texts t ON t.id = p.id"
		  " WHERE p.batch = ?1 AND p.compute = 'batch'",
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

int produce_reported(struct db *db, int64_t product, struct id run_id, struct err *e)
{
	STMT(q, db, &produce_sql, Q_REPORTED);
	stmt_int(&q, 1, product);
	stmt_blob(&q, 2, run_id.b, ID_BYTES);
	return stmt_step(&q, e);
}

void produce_answer_release(struct produce_answer *a)
{
	free(a->code);
	free(a->message);
	*a = (struct produce_answer){ 0 };
}

int produce_answer(struct db *db, int64_t batch, struct produce_answer *out, struct err *e)
{
	produce_answer_release(out);
	STMT(q, db, &produce_sql, Q_ANSWER);
	stmt_int(&q, 1, batch << 32);
	stmt_int(&q, 2, (batch + 1) << 32);
	int rc = stmt_step(&q, e);
	if (rc > 0)
		*out = (struct produce_answer){
			.status = stmt_col_int(&q, 0), .code = stmt_col_copy(&q, 1),
			.message = stmt_col_copy(&q, 2),
		};
	return rc;
}

static int64_t count(struct db *db, int query, int64_t dataset, const struct compute *c,
		     int64_t worker, struct err *e)
{
	STMT(q, db, &produce_sql, query);
	stmt_int(&q, 1, dataset);
	for (int i = 0; i < COMPUTE_REMOTE; i++)
		stmt_textz(&q, 2 + i, compute_url(c, compute_remote[i]) ? compute_remote[i] : NULL);
	if (query == Q_LEFT)
		stmt_int(&q, 4, worker);
	return stmt_step(&q, e) < 0 ? -1 : stmt_col_int(&q, 0);
}

int64_t produce_left(struct db *db, const struct dataset *d, const struct compute *c,
		     int64_t worker, struct err *e)
{
	int64_t open = count(db, Q_LEFT, d->id, c, worker, e), ready = 0;

	if (open >= 0 && d->paused)
		ready = count(db, Q_READY, d->id, c, worker, e);
	return open < 0 || ready < 0 ? -1 : open + ready;
}

int produce_may_fail(struct db *db, int64_t batch, int64_t *bad, int64_t *may, struct err *e)
{
	struct passthrough v CLEANUP(passthrough_release) = PASSTHROUGH_INIT;
	struct err ignored = ERR_INIT;

	STMT(q, db, &produce_sql, Q_MAY);
	stmt_int(&q, 1, batch);
	int rc = stmt_step(&q, e);
	if (rc <= 0)
		return rc;
	*bad = stmt_col_int(&q, 2);
	/* It was fine when the batch was made; one that was published since may not be. */
	return passthrough_parse("batch", stmt_col(&q, 0), ".", &v, &ignored) == 0 &&
	       num_portion(v.max_failed, stmt_col_int(&q, 1), may, &ignored) == 0;
}

int produce_output(struct db *db, const char *dataset, const char *product, struct str *body,
		   struct err *e)
{
	struct dataset d CLEANUP(dataset_release) = DATASET_INIT;
	struct product p CLEANUP(product_release) = PRODUCT_INIT;

	if (dataset_find(db, dataset, &d, e) < 0 || product_find(db, d.id, product, &p, e) < 0)
		return -1;
	const char *shown = safe_show(span_of(product), SHOWN);
	if (strcmp(p.compute, "exec") != 0) {
		err_set(e, ERR_NOTFOUND, "'%s' is no command, so it has written nothing", shown);
		return err_hint(e, "fsl-batch results DATASET/PRODUCT writes the answers of a batch");
	}
	int rc = produce_read(db, p.id, body, e);
	if (rc != 0)
		return rc < 0 ? -1 : 0;
	err_set(e, ERR_NOTFOUND, "'%s' has no output: its last run is not a success", shown);
	return err_hint(e, "fletcher-plan why says how it stands");
}
