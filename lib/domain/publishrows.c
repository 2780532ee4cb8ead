#include "domain/publishrows.h"

#include <stdlib.h>
#include <string.h>

#include "base/casefold.h"
#include "base/hash.h"
#include "base/idmap.h"
#include "base/jsonsort.h"
#include "base/mem.h"
#include "domain/event.h"

enum {
	Q_FIND, Q_INSERT, Q_UPDATE, Q_TEXTS, Q_EDGE, Q_PUT_EDGE, Q_DROP_EDGE, Q_EDGES, Q_LIVE,
	Q_NAMES,
};
static const char *const texts[] = {
	[Q_FIND] = "SELECT p.id, p.state, p.compute, p.name, p.version, p.eager, t.passthrough,"
		   " t.extra FROM data_products p LEFT JOIN product_texts t ON t.id = p.id"
		   " WHERE p.dataset = ?1 AND p.uuid = ?2",
	[Q_INSERT] = "INSERT INTO data_products (id, dataset, uuid, name, version, compute, eager,"
		     " state, parents_left, since_us, modified_by, modified_us)"
		     " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 0, ?8, ?9, ?10, ?9)",
	/* The batch of a product is its work, or hands it over: not both. */
	[Q_UPDATE] = "UPDATE data_products SET name = ?2, version = ?3, compute = ?4, eager = ?5,"
		     " modified_by = ?6, modified_us = ?7, resume = iif((compute = 'cams' OR compute"
		     " = 'dbxaas') = (?4 = 'cams' OR ?4 = 'dbxaas'), resume, 0) WHERE id = ?1",
	[Q_TEXTS] = "INSERT INTO product_texts (id, passthrough, extra) VALUES (?1, ?2, ?3)"
		    " ON CONFLICT (id) DO UPDATE SET passthrough = ?2, extra = ?3",
	[Q_EDGE] = "SELECT extra FROM dependencies WHERE parent = ?1 AND child = ?2",
	[Q_PUT_EDGE] = "INSERT INTO dependencies (parent, child, extra, modified_by, modified_us)"
		       " VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT (parent, child) DO UPDATE SET"
		       " extra = ?3, modified_by = ?4, modified_us = ?5",
	[Q_DROP_EDGE] = "DELETE FROM dependencies WHERE parent = ?1 AND child = ?2",
	[Q_EDGES] = "SELECT d.parent, d.child, p.state, c.state FROM dependencies d"
		    " JOIN data_products p ON p.id = d.parent JOIN data_products c ON c.id = d.child"
		    " WHERE d.parent > ?1 << 32 AND d.parent < (?1 + 1) << 32",
	[Q_LIVE] = "SELECT id, name FROM data_products WHERE id > ?1 << 32 AND id < (?1 + 1) << 32"
		   " AND state <> 5",
	[Q_NAMES] = "SELECT name FROM data_products WHERE id > ?1 << 32 AND id < (?1 + 1) << 32"
		    " ORDER BY id",
};
const struct stmt_set publishrows_sql = { "publishrows", texts, ARRAY_LEN(texts) };

static unsigned compare(struct stmt *q, const struct plan_product *v)
{
	return (span_is(stmt_col(q, 2), v->compute) ? 0 : PUBLISHROWS_COMPUTE) |
	       (span_eq(stmt_col(q, 3), v->name) ? 0 : PUBLISHROWS_NAME) |
	       (span_eq(stmt_col(q, 4), v->version) ? 0 : PUBLISHROWS_VERSION) |
	       ((stmt_col_int(q, 5) != 0) == v->eager ? 0 : PUBLISHROWS_EAGER) |
	       (jsonsort_eq(stmt_col(q, 6), v->passthrough) ? 0 : PUBLISHROWS_PASSTHROUGH) |
	       (jsonsort_eq(stmt_col(q, 7), v->extra) ? 0 : PUBLISHROWS_EXTRA);
}

int publishrows_find(struct db *db, int64_t dataset, struct id uuid, const struct plan_product *v,
		     struct publishrows_node *out, struct err *e)
{
	STMT(q, db, &publishrows_sql, Q_FIND);
	stmt_int(&q, 1, dataset);
	stmt_blob(&q, 2, uuid.b, ID_BYTES);
	int rc = stmt_step(&q, e);
	if (rc <= 0)
		return rc;
	out->id = stmt_col_int(&q, 0);
	out->state = (enum state)stmt_col_int(&q, 1);
	if (v)
		out->differs = compare(&q, v);
	else
		out->name = mem_copy(stmt_col(&q, 3).p, stmt_col(&q, 3).n);
	return 1;
}

static int put_texts(struct cascade *c, int64_t id, const struct plan_product *v, struct err *e)
{
	STMT(q, c->db, &publishrows_sql, Q_TEXTS);
	stmt_int(&q, 1, id);
	stmt_text(&q, 2, v->passthrough);
	stmt_text(&q, 3, v->extra);
	return stmt_run(&q, e) < 0 ? -1 : 0;
}

int publishrows_insert(struct cascade *c, const struct plan_product *v,
		       struct publishrows_node *n, struct err *e)
{
	if (c->ds->products >= UINT32_MAX - 1)
		return err_set(e, ERR_INPUT, "a dataset has at most 2^32 data products");
	n->id = c->ds->id << 32 | ++c->ds->products;
	n->is_new = true;
	n->state = STATE_WAITING;
	STMT(q, c->db, &publishrows_sql, Q_INSERT);
	stmt_int(&q, 1, n->id);
	stmt_int(&q, 2, c->ds->id);
	stmt_blob(&q, 3, v->id.b, ID_BYTES);
	stmt_text(&q, 4, v->name);
	stmt_text(&q, 5, v->version);
	stmt_textz(&q, 6, v->compute);
	stmt_int(&q, 7, v->eager);
	stmt_int(&q, 8, n->parents);
	stmt_int(&q, 9, c->now_us);
	stmt_textz(&q, 10, c->by);
	return stmt_run(&q, e) < 0 ||
	       ((v->passthrough.p || v->extra.p) && put_texts(c, n->id, v, e) < 0) ? -1 :
	       cascade_added(c, n->id, v->id, v->name, e);
}

int publishrows_update(struct cascade *c, const struct plan_product *v,
		       const struct publishrows_node *n, struct err *e)
{
	if ((n->differs & (PUBLISHROWS_PASSTHROUGH | PUBLISHROWS_EXTRA)) &&
	    put_texts(c, n->id, v, e) < 0)
		return -1;
	STMT(q, c->db, &publishrows_sql, Q_UPDATE);
	stmt_int(&q, 1, n->id);
	stmt_text(&q, 2, v->name);
	stmt_text(&q, 3, v->version);
	stmt_textz(&q, 4, v->compute);
	stmt_int(&q, 5, v->eager);
	stmt_textz(&q, 6, c->by);
	stmt_int(&q, 7, c->now_us);
	c->changed = true;
	return stmt_run(&q, e) < 0 ? -1 :
	       event_add(c->db, c->ds, n->id, c->now_us, c->by, c->command, n->state, n->state,
			 NULL, e);
}

int publishrows_edge(struct db *db, int64_t parent, int64_t child, struct span extra,
		     struct err *e)
{
	STMT(q, db, &publishrows_sql, Q_EDGE);
	stmt_int(&q, 1, parent);
	stmt_int(&q, 2, child);
	int rc = stmt_step(&q, e);
	return rc <= 0 ? rc : jsonsort_eq(stmt_col(&q, 0), extra) ? 1 : 2;
}

static int record(struct cascade *c, int64_t child, enum state state, struct err *e)
{
	return event_add(c->db, c->ds, child, c->now_us, c->by, c->command, state, state, NULL, e);
}

int publishrows_put_edge(struct cascade *c, int64_t parent, const struct publishrows_node *child,
			 struct span extra, struct err *e)
{
	STMT(q, c->db, &publishrows_sql, Q_PUT_EDGE);
	stmt_int(&q, 1, parent);
	stmt_int(&q, 2, child->id);
	stmt_text(&q, 3, extra);
	stmt_textz(&q, 4, c->by);
	stmt_int(&q, 5, c->now_us);
	c->changed = true;
	if (stmt_run(&q, e) < 0)
		return -1;
	return child->is_new ? 0 : record(c, child->id, child->state, e);
}

int publishrows_drop_edge(struct cascade *c, int64_t parent, int64_t child, struct err *e)
{
	struct cascade_row r;

	STMT(q, c->db, &publishrows_sql, Q_DROP_EDGE);
	stmt_int(&q, 1, parent);
	stmt_int(&q, 2, child);
	c->changed = true;
	return stmt_run(&q, e) < 0 || cascade_row(c, child, &r, e) < 0 ? -1 :
	       record(c, child, r.state, e);
}

int publishrows_each_edge(struct db *db, int64_t dataset, bool live, publishrows_edge_fn *fn,
			  void *ctx, struct err *e)
{
	int rc;

	STMT(q, db, &publishrows_sql, Q_EDGES);
	stmt_int(&q, 1, dataset);
	while ((rc = stmt_step(&q, e)) > 0) {
		enum state parent = (enum state)stmt_col_int(&q, 2);
		bool both = parent != STATE_DISABLED && stmt_col_int(&q, 3) != STATE_DISABLED;
		if ((both || !live) &&
		    fn(ctx, stmt_col_int(&q, 0), stmt_col_int(&q, 1), parent, e) < 0)
			return -1;
	}
	return rc;
}

int publishrows_each_live(struct db *db, int64_t dataset, publishrows_live_fn *fn, void *ctx,
			  struct err *e)
{
	int rc, stop = 0;

	STMT(q, db, &publishrows_sql, Q_LIVE);
	stmt_int(&q, 1, dataset);
	while (stop == 0 && (rc = stmt_step(&q, e)) > 0)
		stop = fn(ctx, stmt_col_int(&q, 0), stmt_col(&q, 1), e);
	return stop < 0 || (stop == 0 && rc < 0) ? -1 : 0;
}

int publishrows_words(struct db *db, int64_t dataset, struct str *out, struct err *e)
{
	struct idmap *seen CLEANUP(idmap_cleanup) = idmap_new();
	int rc;

	STMT(q, db, &publishrows_sql, Q_NAMES);
	stmt_int(&q, 1, dataset);
	while ((rc = stmt_step(&q, e)) > 0) {
		size_t at = out->n;
		uint32_t ignored = 0;
		casefold(stmt_col(&q, 0), out);
		if (idmap_put(seen, hash_of(out->p + at, out->n - at), &ignored))
			str_addc(out, '\n');
		else
			str_cut(out, at);
	}
	return rc;
}
