#include "domain/overview.h"

#include <stdlib.h>

#include "base/mem.h"
#include "base/num.h"
#include "base/safe.h"
#include "domain/dag.h"
#include "domain/reason.h"
#include "store/tx.h"

enum { Q_EDGES, Q_BATCH };
static const char *const texts[] = {
	[Q_EDGES] = "SELECT parent & 4294967295, child & 4294967295 FROM dependencies"
		    " WHERE parent > ?1 << 32 AND parent < (?1 + 1) << 32",
	[Q_BATCH] = "SELECT completed, total, failed + cancelled + expired FROM batches"
		    " WHERE id = ?1",
};
const struct stmt_set overview_sql = { "overview", texts, ARRAY_LEN(texts) };

static void release_rows(struct overview_row *rows, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		product_release(&rows[i].p);
		free(rows[i].why);
	}
	free(rows);
}

void overview_release(struct overview *o)
{
	release_rows(o->rows, o->n);
	dataset_release(&o->d);
	*o = (struct overview)OVERVIEW_INIT;
}

struct reading {
	struct db *db;
	struct overview *o;
};

static void take(struct product *to, const struct product *from)
{
	*to = *from;
	to->name = mem_strdup(from->name);
	to->version = mem_strdup(from->version);
	to->held = mem_strdup(from->held);
	to->modified_by = mem_strdup(from->modified_by);
}

static int read_batch(struct reading *r, struct overview_row *row, struct err *e)
{
	/* The one that hands a product over is no part of its work. */
	if (!product_has_batch(&row->p) || state_remote(row->p.compute))
		return 0;
	STMT(q, r->db, &overview_sql, Q_BATCH);
	stmt_int(&q, 1, row->p.batch);
	int rc = stmt_step(&q, e);
	row->has_batch = rc > 0;
	if (rc > 0) {
		row->done = stmt_col_int(&q, 0);
		row->total = stmt_col_int(&q, 1);
		row->failed = stmt_col_int(&q, 2);
	}
	return rc < 0 ? -1 : 0;
}

static int add_row(void *ctx, const struct product *p, struct err *e)
{
	struct reading *r = ctx;
	struct str why CLEANUP(str_release) = STR_INIT;

	r->o->rows = mem_room(r->o->rows, r->o->n, sizeof *r->o->rows);
	struct overview_row *row = &r->o->rows[r->o->n++];
	*row = (struct overview_row){ .has_batch = false };
	take(&row->p, p);
	if (read_batch(r, row, e) < 0 || reason_text(r->db, &r->o->d, p, &why, e) < 0)
		return -1;
	row->why = why.n > 0 ? str_take(&why) : NULL;
	return 0;
}

/* The place of each number in the rows, + 1; rows are in order of number. */
static uint32_t *places_of(const struct overview *o)
{
	uint32_t *places = mem_alloc(((size_t)o->d.products + 1) * sizeof *places);

	for (size_t i = 0; i < o->n; i++)
		places[o->rows[i].p.id & UINT32_MAX] = (uint32_t)i + 1;
	return places;
}

static int add_edges(struct reading *r, struct dag *d, struct err *e)
{
	uint32_t *places CLEANUP(mem_cleanup) = places_of(r->o);
	const struct overview_row *rows = r->o->rows;
	int rc;

	STMT(q, r->db, &overview_sql, Q_EDGES);
	stmt_int(&q, 1, r->o->d.id);
	while ((rc = stmt_step(&q, e)) > 0) {
		uint32_t parent = places[stmt_col_int(&q, 0)], child = places[stmt_col_int(&q, 1)];
		/* Disabled products may be on cycles. */
		if (parent && child && rows[parent - 1].p.state != STATE_DISABLED &&
		    rows[child - 1].p.state != STATE_DISABLED)
			dag_edge(d, parent - 1, child - 1);
	}
	return rc;
}

static int sort_rows(struct reading *r, struct err *e)
{
	struct overview *o = r->o;
	struct dag *d CLEANUP(dag_cleanup) = dag_new((uint32_t)o->n);
	const uint32_t *order;

	if (add_edges(r, d, e) < 0)
		return -1;
	if (dag_order(d, &order) != o->n)
		return err_set(e, ERR_INTERNAL, "the stored graph has a cycle");
	struct overview_row *sorted = mem_alloc(o->n * sizeof *sorted);
	size_t n = 0;
	for (int disabled = 0; disabled < 2; disabled++)
		for (size_t i = 0; i < o->n; i++)
			if ((o->rows[order[i]].p.state == STATE_DISABLED) == disabled)
				sorted[n++] = o->rows[order[i]];
	free(o->rows);
	o->rows = sorted;
	return 0;
}

static int add_named(struct reading *r, const char *operand, struct err *e)
{
	struct product p CLEANUP(product_release) = PRODUCT_INIT;

	return product_find(r->db, r->o->d.id, operand, &p, e) < 0 ? -1 : add_row(r, &p, e);
}

int overview_read(struct db *db, const char *dataset, const char *const *products,
		  struct overview *out, struct err *e)
{
	struct reading r = { db, out };

	overview_release(out);
	TX(tx);
	if (tx_begin_read(&tx, db, e) < 0 || dataset_find(db, dataset, &out->d, e) < 0)
		return -1;
	for (size_t i = 0; products && products[i]; i++)
		if (add_named(&r, products[i], e) < 0)
			return -1;
	if (!products && (product_each(db, out->d.id, add_row, &r, e) < 0 || sort_rows(&r, e) < 0))
		return -1;
	return tx_commit(&tx, e);
}

void overview_verdict(const struct dataset *d, struct str *out)
{
	static const enum state others[] = { STATE_FAILED, STATE_RUNNING, STATE_QUEUED, STATE_WAITING,
					     STATE_DISABLED };
	enum state worst = dataset_worst(d);
	char done[NUM_BUF], total[NUM_BUF], n[NUM_BUF], label[DATASET_LABEL_BUF];

	safe_text(out, span_of(dataset_label(d, label)));
	str_addf(out, ": %s, %s of %s done", worst == STATE_NONE ? "empty" : state_text(worst),
		 num_count(d->count[STATE_SUCCESS], done), num_count(dataset_live(d), total));
	for (size_t i = 0; i < ARRAY_LEN(others); i++)
		if (d->count[others[i]] > 0)
			str_addf(out, ", %s %s", num_count(d->count[others[i]], n), state_text(others[i]));
	if (d->paused)
		str_addz(out, "; paused");
}
