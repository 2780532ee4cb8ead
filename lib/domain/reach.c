#include "domain/reach.h"

#include <stdlib.h>

#include "base/idmap.h"
#include "base/mem.h"
#include "base/safe.h"
#include "domain/dag.h"

enum { SHOWN = 40 };

enum { Q_CHILDREN, Q_NAME };
static const char *const texts[] = {
	[Q_CHILDREN] = "SELECT d.child FROM dependencies d JOIN data_products p ON p.id = d.child"
		       " WHERE d.parent = ?1 AND p.state <> 5",
	[Q_NAME] = "SELECT name FROM data_products WHERE id = ?1",
};
const struct stmt_set reach_sql = { "reach", texts, ARRAY_LEN(texts) };

/* The products found so far; their places are the nodes of the graph. */
struct found {
	struct db *db;
	struct idmap *places;
	int64_t *ids;
	uint32_t n;
	struct { uint32_t parent, child; } *edges;
	size_t n_edges;
};

static void found_release(struct found *f)
{
	idmap_free(f->places);
	free(f->ids);
	free(f->edges);
}

static uint32_t place_of(struct found *f, int64_t id)
{
	uint32_t place = f->n;

	if (!idmap_put(f->places, idmap_pair((uint64_t)id, 0), &place))
		return place;
	f->ids = mem_room(f->ids, f->n, sizeof *f->ids);
	f->ids[f->n++] = id;
	return place;
}

static void add_edge(struct found *f, uint32_t parent, uint32_t child)
{
	f->edges = mem_room(f->edges, f->n_edges, sizeof *f->edges);
	f->edges[f->n_edges].parent = parent;
	f->edges[f->n_edges++].child = child;
}

static int add_children(struct found *f, uint32_t parent, struct err *e)
{
	int rc;

	STMT(q, f->db, &reach_sql, Q_CHILDREN);
	stmt_int(&q, 1, f->ids[parent]);
	while ((rc = stmt_step(&q, e)) > 0)
		add_edge(f, parent, place_of(f, stmt_col_int(&q, 0)));
	return rc;
}

static void name_of(void *ctx, uint32_t node, struct str *out)
{
	struct found *f = ctx;
	struct err ignored = ERR_INIT;

	STMT(q, f->db, &reach_sql, Q_NAME);
	stmt_int(&q, 1, f->ids[node]);
	if (stmt_step(&q, &ignored) > 0)
		str_addz(out, safe_show(stmt_col(&q, 0), SHOWN));
}

int reach_check(struct db *db, const int64_t *ids, int n, struct err *e)
{
	struct found f CLEANUP(found_release) = { .db = db, .places = idmap_new() };
	struct str cycle CLEANUP(str_release) = STR_INIT;
	const uint32_t *order;

	for (int i = 0; i < n; i++)
		place_of(&f, ids[i]);
	for (uint32_t at = 0; at < f.n; at++)
		if (add_children(&f, at, e) < 0)
			return -1;
	struct dag *d CLEANUP(dag_cleanup) = dag_new(f.n);
	for (size_t i = 0; i < f.n_edges; i++)
		dag_edge(d, f.edges[i].parent, f.edges[i].child);
	if (dag_order(d, &order) == f.n)
		return 0;
	dag_cycle_text(d, name_of, &f, &cycle);
	return err_set(e, ERR_STATE, "Graph is cyclical: %s", str_z(&cycle));
}
