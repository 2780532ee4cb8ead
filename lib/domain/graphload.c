#include "domain/graphload.h"

#include <string.h>

#include "base/mem.h"
#include "domain/dataset.h"
#include "store/tx.h"

enum { Q_NODES, Q_EDGES };
static const char *const texts[] = {
	[Q_NODES] = "SELECT p.id & 4294967295, p.uuid, p.name, p.version, p.compute, p.eager, p.state,"
		    " p.run_id, p.since_us, t.link, b.completed, b.total,"
		    " b.failed + b.cancelled + b.expired, iif(b.status = 1, b.in_progress_ms, NULL)"
		    " FROM data_products p LEFT JOIN product_texts t ON t.id = p.id"
		    " LEFT JOIN batches b ON b.id = p.batch AND p.resume <> 0 AND p.compute = 'batch'"
		    " WHERE p.id > ?1 << 32 AND p.id < (?1 + 1) << 32 ORDER BY p.id",
	[Q_EDGES] = "SELECT parent & 4294967295, child & 4294967295 FROM dependencies"
		    " WHERE parent > ?1 << 32 AND parent < (?1 + 1) << 32",
};
const struct stmt_set graphload_sql = { "graphload", texts, ARRAY_LEN(texts) };

/* As long as so far, for as many as are left; whole seconds. */
static int64_t left_of(const struct graph_node *v, int64_t since_ms, int64_t now_ms)
{
	int64_t settled = v->done + v->failed;

	if (since_ms == 0 || settled == 0 || now_ms <= since_ms || v->state != STATE_RUNNING)
		return -1;
	return (int64_t)((double)(now_ms - since_ms) / (double)settled * (double)(v->total - settled)) /
	       1000 * 1000;
}

static void read_node(struct stmt *q, struct graph *g, int64_t now_ms)
{
	struct graph_node *v = graph_node(g);

	v->id = stmt_col_id(q, 1);
	v->name = graph_keep(g, stmt_col(q, 2));
	v->version = graph_keep(g, stmt_col(q, 3));
	v->compute = state_compute(stmt_col(q, 4));
	v->eager = stmt_col_int(q, 5) != 0;
	v->state = (enum state)stmt_col_int(q, 6);
	v->has_run = !stmt_col_null(q, 7);
	v->run = stmt_col_id(q, 7);
	v->since_us = stmt_col_int(q, 8);
	v->link = graph_keep(g, stmt_col(q, 9));
	v->has_batch = !stmt_col_null(q, 11);
	if (!v->has_batch)
		return;
	v->done = stmt_col_int(q, 10);
	v->total = stmt_col_int(q, 11);
	v->failed = stmt_col_int(q, 12);
	v->left_ms = left_of(v, stmt_col_int(q, 13), now_ms);
}

/* The place of each number in the nodes, + 1. */
static int read_nodes(struct db *db, const struct dataset *d, int64_t now_ms, uint32_t *places,
		      struct graph *g, struct err *e)
{
	int rc;

	STMT(q, db, &graphload_sql, Q_NODES);
	stmt_int(&q, 1, d->id);
	while ((rc = stmt_step(&q, e)) > 0) {
		int64_t number = stmt_col_int(&q, 0);
		if (number > d->products)
			return err_set(e, ERR_INTERNAL, "a data product has the number %lld of %lld",
				       (long long)number, (long long)d->products);
		read_node(&q, g, now_ms);
		places[number] = g->n_nodes;
	}
	return rc;
}

static int read_edges(struct db *db, const struct dataset *d, const uint32_t *places,
		      struct graph *g, struct err *e)
{
	int rc;

	STMT(q, db, &graphload_sql, Q_EDGES);
	stmt_int(&q, 1, d->id);
	while ((rc = stmt_step(&q, e)) > 0) {
		int64_t parent = stmt_col_int(&q, 0), child = stmt_col_int(&q, 1);
		if (parent <= d->products && child <= d->products && places[parent] && places[child])
			graph_edge(g, places[parent] - 1, places[child] - 1);
	}
	return rc;
}

/* Inside a read transaction. */
static int load(struct db *db, const struct dataset *d, int64_t now_ms, struct graph *out,
		struct err *e)
{
	uint32_t *places CLEANUP(mem_cleanup) = mem_alloc(((size_t)d->products + 1) * sizeof *places);

	out->id = d->uuid;
	out->name = graph_keep(out, span_of(d->name));
	out->stored = true;
	out->paused = d->paused;
	return read_nodes(db, d, now_ms, places, out, e) < 0 ||
	       read_edges(db, d, places, out, e) < 0 ? -1 : graph_settle(out, e);
}

int graphload_dataset(struct db *db, const char *dataset, int64_t now_ms, struct graph *out,
		      struct err *e)
{
	struct dataset d CLEANUP(dataset_release) = DATASET_INIT;

	graph_release(out);
	TX(tx);
	return tx_begin_read(&tx, db, e) < 0 || dataset_find(db, dataset, &d, e) < 0 ||
	       load(db, &d, now_ms, out, e) < 0 ? -1 : tx_commit(&tx, e);
}

/* --- plans */

/* 1: its dataset is stored, and in `out`. */
static int load_stored(struct db *db, const struct plan *p, int64_t now_ms, struct graph *out,
		       struct err *e)
{
	struct dataset d CLEANUP(dataset_release) = DATASET_INIT;

	TX(tx);
	if (tx_begin_read(&tx, db, e) < 0)
		return -1;
	int rc = p->has_id ? dataset_by_uuid(db, p->id, &d, e) : dataset_by_name(db, p->name, &d, e);
	if (rc > 0 && load(db, &d, now_ms, out, e) < 0)
		return -1;
	return rc < 0 || tx_commit(&tx, e) < 0 ? -1 : rc;
}

struct stored {
	struct graph g;
	struct idmap *by_id; /* its nodes */
};

static void stored_release(struct stored *s)
{
	graph_release(&s->g);
	idmap_free(s->by_id);
}

/* plan_stored_fn: what live products there are. */
static int find_stored(void *ctx, struct span name, struct id *id, struct err *e)
{
	const struct stored *s = ctx;
	uint32_t node;
	int found = 0;

	if (!name.p)
		return idmap_get(s->by_id, *id, &node) && s->g.nodes[node].state != STATE_DISABLED;
	for (uint32_t i = 0; i < s->g.n_nodes; i++) {
		if (s->g.nodes[i].state == STATE_DISABLED || !span_eq(s->g.nodes[i].name, name))
			continue;
		if (found++)
			return err_set(e, ERR_NOTFOUND, "several stored data products have this name");
		*id = s->g.nodes[i].id;
	}
	return found;
}

/* How a stored product stands; the texts are copied. */
static void add_state(struct graph *g, struct graph_node *to, const struct graph_node *from)
{
	to->state = from->state;
	to->has_batch = from->has_batch;
	to->done = from->done;
	to->total = from->total;
	to->failed = from->failed;
	to->left_ms = from->left_ms;
	to->has_run = from->has_run;
	to->run = from->run;
	to->since_us = from->since_us;
	to->link = graph_keep(g, from->link);
}

static void add_products(const struct plan *p, const struct stored *s, struct graph *out)
{
	uint32_t at;

	for (uint32_t i = 0; i < p->n_products; i++) {
		const struct plan_product *from = &p->products[i];
		struct graph_node *v = graph_node(out);
		v->id = from->id;
		v->name = graph_keep(out, from->name);
		v->version = graph_keep(out, from->version);
		v->compute = from->compute;
		v->eager = from->eager;
		if (idmap_get(s->by_id, v->id, &at))
			add_state(out, v, &s->g.nodes[at]);
	}
	for (uint32_t i = 0; i < p->n_outsiders; i++) {
		if (!idmap_get(s->by_id, p->outsiders[i], &at))
			BUG("a product that was found is not there");
		struct graph_node *v = graph_node(out);
		*v = s->g.nodes[at];
		v->name = graph_keep(out, v->name);
		v->version = graph_keep(out, v->version);
		v->link = graph_keep(out, v->link);
	}
}

int graphload_plan(struct db *db, struct plan *p, int64_t now_ms, struct graph *out, struct err *e)
{
	struct stored s CLEANUP(stored_release) = { .g = GRAPH_INIT, .by_id = idmap_new() };
	int rc = db ? load_stored(db, p, now_ms, &s.g, e) : 0;

	graph_release(out);
	if (rc < 0)
		return -1;
	for (uint32_t i = 0; i < s.g.n_nodes; i++) {
		uint32_t at = i;
		idmap_put(s.by_id, s.g.nodes[i].id, &at);
	}
	out->id = rc > 0 ? s.g.id : plan_dataset_id(p);
	out->name = graph_keep(out, p->name.p ? p->name : s.g.name);
	out->stored = rc > 0;
	out->paused = s.g.paused;
	if (plan_resolve(p, out->id, rc > 0 ? find_stored : NULL, &s, e) < 0)
		return -1;
	add_products(p, &s, out);
	for (uint32_t i = 0; i < p->n_edges; i++)
		graph_edge(out, p->edges[i].parent.node, p->edges[i].child.node);
	return graph_settle(out, e) < 0 ? err_wrap(e, "%s", p->file) : 0;
}
