#include "domain/product.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/safe.h"
#include "domain/batch.h"

enum { PAGE = 200, SHOWN = 100 };

#define SELECT \
	"SELECT p.id, p.dataset, p.uuid, p.name, p.version, p.compute, p.eager, p.state," \
	" p.parents_left, p.run_id, p.worker, p.batch, p.resume, p.held, p.since_us," \
	" p.modified_by, p.modified_us FROM data_products p "

enum {
	Q_GET, Q_BY_UUID, Q_BY_NAME, Q_BY_PREFIX, Q_EACH, Q_READY, Q_READY_ALL, Q_UNCLAIMED,
	Q_UNCLAIMED_ALL, Q_CHILDREN, Q_PARENTS, Q_TEXTS,
};
static const char *const texts[] = {
	[Q_GET] = SELECT "WHERE p.id = ?1",
	[Q_BY_UUID] = SELECT "WHERE p.dataset = ?1 AND p.uuid = ?2",
	[Q_BY_NAME] = SELECT "WHERE p.dataset = ?1 AND p.name = ?2 AND (?3 IS NULL OR p.version = ?3)"
		      " LIMIT 3",
	[Q_BY_PREFIX] = SELECT "WHERE p.dataset = ?1 AND p.uuid BETWEEN ?2 AND ?3 LIMIT 3",
	[Q_EACH] = SELECT "WHERE p.id > ?1 AND p.id < ?2 ORDER BY p.id LIMIT ?3",
	[Q_READY] = SELECT "WHERE p.dataset = ?2 AND p.eager = 0 AND p.state = 0"
		    " AND p.parents_left = 0 AND p.id > ?1 ORDER BY p.id LIMIT ?3",
	[Q_READY_ALL] = "/*scan*/" SELECT "INDEXED BY data_products_ready WHERE p.state = 0"
			" AND p.parents_left = 0 AND p.eager = 0 AND p.id > ?1"
			" ORDER BY p.id LIMIT ?3",
	[Q_UNCLAIMED] = SELECT "WHERE p.dataset = ?2 AND p.state = 1 AND p.worker IS NULL AND p.compute IN ('cams', 'dbxaas')"
			" AND p.id > ?1 ORDER BY p.id LIMIT ?3",
	[Q_UNCLAIMED_ALL] = SELECT "INDEXED BY data_products_queued WHERE p.state = 1"
			    " AND p.worker IS NULL AND p.compute IN ('cams', 'dbxaas')"
			    " AND p.id > ?1 ORDER BY p.id LIMIT ?3",
	[Q_CHILDREN] = SELECT "JOIN dependencies d ON d.child = p.id WHERE d.parent = ?2"
		       " AND d.child > ?1 ORDER BY d.child LIMIT ?3",
	[Q_PARENTS] = SELECT "JOIN dependencies d ON d.parent = p.id WHERE d.child = ?2"
		      " AND d.parent > ?1 ORDER BY d.parent LIMIT ?3",
	[Q_TEXTS] = "SELECT passthrough, extra, link, passback FROM product_texts WHERE id = ?1",
};
const struct stmt_set product_sql = { "product", texts, ARRAY_LEN(texts) };

void product_release(struct product *p)
{
	free(p->name);
	free(p->version);
	free(p->held);
	free(p->modified_by);
	*p = (struct product)PRODUCT_INIT;
}

bool product_has_batch(const struct product *p)
{
	return p->batch > 0 && p->resume != PRODUCT_AFRESH;
}

static void read_row(struct stmt *q, struct product *p)
{
	product_release(p);
	p->id = stmt_col_int(q, 0);
	p->dataset = stmt_col_int(q, 1);
	p->uuid = stmt_col_id(q, 2);
	p->name = stmt_col_copy(q, 3);
	p->version = stmt_col_copy(q, 4);
	p->compute = state_compute(stmt_col(q, 5));
	p->eager = stmt_col_int(q, 6) != 0;
	p->state = (enum state)stmt_col_int(q, 7);
	p->parents_left = stmt_col_int(q, 8);
	p->has_run = !stmt_col_null(q, 9);
	p->run_id = stmt_col_id(q, 9);
	p->worker = stmt_col_int(q, 10);
	p->batch = stmt_col_int(q, 11);
	p->resume = (enum product_resume)stmt_col_int(q, 12);
	p->held = stmt_col_copy(q, 13);
	p->since_us = stmt_col_int(q, 14);
	p->modified_by = stmt_col_copy(q, 15);
	p->modified_us = stmt_col_int(q, 16);
}

static int first(struct stmt *q, struct product *out, struct err *e)
{
	int rc = stmt_step(q, e);

	if (rc > 0)
		read_row(q, out);
	return rc;
}

int product_get(struct db *db, int64_t id, struct product *out, struct err *e)
{
	STMT(q, db, &product_sql, Q_GET);
	stmt_int(&q, 1, id);
	return first(&q, out, e);
}

int product_by_uuid(struct db *db, int64_t dataset, struct id uuid, struct product *out,
		    struct err *e)
{
	STMT(q, db, &product_sql, Q_BY_UUID);
	stmt_int(&q, 1, dataset);
	stmt_blob(&q, 2, uuid.b, ID_BYTES);
	return first(&q, out, e);
}

/* The only row of a query; several are an error that names two of them. */
static int only(struct stmt *q, struct span operand, struct product *out, struct err *e)
{
	struct product second CLEANUP(product_release) = PRODUCT_INIT;
	char one[ID_UUID + 1], two[ID_UUID + 1];
	int rc = first(q, out, e);

	if (rc <= 0)
		return rc;
	rc = first(q, &second, e);
	if (rc == 0)
		return 1;
	if (rc < 0)
		return -1;
	struct str first_name CLEANUP(str_release) = STR_INIT;
	str_addf(&first_name, "%s:%s", safe_show(span_of(out->name), 40),
		 safe_show(span_of(out->version), 20));
	err_set(e, ERR_NOTFOUND, "'%s' means several data products: %s (%s), %s:%s (%s)",
		safe_show(operand, 60), str_z(&first_name), id_uuid(out->uuid, one),
		safe_show(span_of(second.name), 40), safe_show(span_of(second.version), 20),
		id_uuid(second.uuid, two));
	return err_hint(e, "NAME:VERSION or the id tells them apart");
}

static int by_name(struct db *db, int64_t dataset, struct span name, struct span version,
		   struct span operand, struct product *out, struct err *e)
{
	STMT(q, db, &product_sql, Q_BY_NAME);
	stmt_int(&q, 1, dataset);
	stmt_text(&q, 2, name);
	stmt_text(&q, 3, version);
	return only(&q, operand, out, e);
}

int product_by_name(struct db *db, int64_t dataset, struct span name, struct product *out,
		    struct err *e)
{
	return by_name(db, dataset, name, SPAN_NONE, name, out, e);
}

static int by_prefix(struct db *db, int64_t dataset, struct span operand, struct product *out,
		     struct err *e)
{
	struct id low, high;

	if (!id_uuid_prefix(operand, &low, &high))
		return 0;
	STMT(q, db, &product_sql, Q_BY_PREFIX);
	stmt_int(&q, 1, dataset);
	stmt_blob(&q, 2, low.b, ID_BYTES);
	stmt_blob(&q, 3, high.b, ID_BYTES);
	return only(&q, operand, out, e);
}

int product_find(struct db *db, int64_t dataset, const char *operand, struct product *out,
		 struct err *e)
{
	struct span v = span_of(operand);
	struct id uuid;
	int rc = 0;

	if (id_from_uuid(v, &uuid))
		rc = product_by_uuid(db, dataset, uuid, out, e);
	if (rc == 0)
		rc = product_by_name(db, dataset, v, out, e);
	const char *colon = strrchr(operand, ':');
	if (rc == 0 && colon)
		rc = by_name(db, dataset, (struct span){ operand, (size_t)(colon - operand) },
			     span_of(colon + 1), v, out, e);
	if (rc == 0)
		rc = by_prefix(db, dataset, v, out, e);
	if (rc != 0)
		return rc < 0 ? -1 : 0;
	err_set(e, ERR_NOTFOUND, "Data product not found for: '%s'", safe_show(v, SHOWN));
	return err_hint(e, "fletcher-plan show lists those of the dataset");
}

struct page {
	struct product rows[PAGE];
	int n;
};

static void page_release(struct page *p)
{
	while (p->n > 0)
		product_release(&p->rows[--p->n]);
}

static void free_page(struct page **p)
{
	page_release(*p);
	free(*p);
}

/* Reads some rows before anybody is called with them, so that fn may write. */
static int read_page(struct db *db, int query, int64_t after, int64_t of, struct page *p,
		     struct err *e)
{
	int rc = 0;

	page_release(p);
	STMT(q, db, &product_sql, query);
	stmt_int(&q, 1, after);
	stmt_int(&q, 2, of);
	stmt_int(&q, 3, PAGE);
	while (p->n < PAGE && (rc = stmt_step(&q, e)) > 0) {
		p->rows[p->n] = (struct product)PRODUCT_INIT;
		read_row(&q, &p->rows[p->n++]);
	}
	return rc < 0 ? -1 : p->n;
}

static int each(struct db *db, int query, int64_t after, int64_t of, product_fn *fn, void *ctx,
		struct err *e)
{
	struct page *p CLEANUP(free_page) = mem_alloc(sizeof *p);
	int n = PAGE;

	while (n == PAGE) {
		n = read_page(db, query, after, of, p, e);
		for (int i = 0; i < n; i++)
			if (fn(ctx, &p->rows[i], e) < 0)
				return -1;
		if (n > 0)
			after = p->rows[n - 1].id;
	}
	return n < 0 ? -1 : 0;
}

int product_each(struct db *db, int64_t dataset, product_fn *fn, void *ctx, struct err *e)
{
	return each(db, Q_EACH, dataset << 32, (dataset + 1) << 32, fn, ctx, e);
}

int product_each_ready(struct db *db, int64_t dataset, product_fn *fn, void *ctx,
		       struct err *e)
{
	bool all = dataset == 0;

	return each(db, all ? Q_READY_ALL : Q_READY, 0, dataset, fn, ctx, e) < 0 ||
	       each(db, all ? Q_UNCLAIMED_ALL : Q_UNCLAIMED, 0, dataset, fn, ctx, e) < 0 ? -1 : 0;
}

int product_each_child(struct db *db, int64_t id, product_fn *fn, void *ctx, struct err *e)
{
	return each(db, Q_CHILDREN, 0, id, fn, ctx, e);
}

int product_each_parent(struct db *db, int64_t id, product_fn *fn, void *ctx, struct err *e)
{
	return each(db, Q_PARENTS, 0, id, fn, ctx, e);
}

void product_texts_release(struct product_texts *t)
{
	free(t->passthrough);
	free(t->extra);
	free(t->link);
	free(t->passback);
	*t = (struct product_texts){ 0 };
}

int product_texts(struct db *db, int64_t id, struct product_texts *out, struct err *e)
{
	STMT(q, db, &product_sql, Q_TEXTS);
	stmt_int(&q, 1, id);
	int rc = stmt_step(&q, e);
	product_texts_release(out);
	if (rc <= 0)
		return rc;
	out->passthrough = stmt_col_copy(&q, 0);
	out->extra = stmt_col_copy(&q, 1);
	out->link = stmt_col_copy(&q, 2);
	out->passback = stmt_col_copy(&q, 3);
	return 1;
}

int64_t product_batch(struct db *db, const char *operand, struct err *e)
{
	struct dataset d CLEANUP(dataset_release) = DATASET_INIT;
	struct product p CLEANUP(product_release) = PRODUCT_INIT;
	struct batch b CLEANUP(batch_release) = BATCH_INIT;
	const char *slash = strchr(operand, '/'), *shown = safe_show(span_of(operand), SHOWN);

	if (!slash)
		return err_set(e, ERR_NOTFOUND, "'%s' is not DATASET/PRODUCT", shown);
	char *dataset CLEANUP(mem_cleanup) = mem_copy(operand, (size_t)(slash - operand));
	if (dataset_find(db, dataset, &d, e) < 0 || product_find(db, d.id, slash + 1, &p, e) < 0)
		return -1;
	if (p.batch == 0 && strcmp(p.compute, "exec") == 0) {
		err_set(e, ERR_NOTFOUND, "the data product '%s' is a command, which has no batch", shown);
		return err_hint(e, "fletcher-plan output writes what it has written");
	}
	if (p.batch == 0)
		return err_set(e, ERR_NOTFOUND, "the data product '%s' has no batch yet", shown);
	return batch_get(db, p.batch, &b, e) < 0 ? -1 : p.batch;
}
