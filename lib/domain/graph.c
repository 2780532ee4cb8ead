#include "domain/graph.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/num.h"
#include "base/safe.h"
#include "domain/dag.h"

enum { SHOWN = 60 };

void graph_release(struct graph *g)
{
	arena_release(&g->texts);
	free(g->nodes);
	free(g->edges);
	free(g->first);
	free(g->order);
	free(g->parents);
	*g = (struct graph)GRAPH_INIT;
}

struct graph_node *graph_node(struct graph *g)
{
	g->nodes = mem_room(g->nodes, g->n_nodes, sizeof *g->nodes);
	struct graph_node *v = &g->nodes[g->n_nodes++];
	*v = (struct graph_node){ .state = STATE_NONE, .left_ms = -1 };
	return v;
}

void graph_edge(struct graph *g, uint32_t parent, uint32_t child)
{
	g->edges = mem_room(g->edges, g->n_edges, sizeof *g->edges);
	g->edges[g->n_edges++] = (struct graph_edge){ parent, child };
}

struct span graph_keep(struct graph *g, struct span v)
{
	return arena_keep(&g->texts, v);
}

/* --- order */

static int compare_edges(const void *a, const void *b)
{
	const struct graph_edge *x = a, *y = b;

	if (x->parent != y->parent)
		return x->parent < y->parent ? -1 : 1;
	return x->child < y->child ? -1 : x->child > y->child;
}

static void sort_edges(struct graph *g)
{
	uint32_t n = 0;

	if (g->n_edges > 0)
		qsort(g->edges, g->n_edges, sizeof *g->edges, compare_edges);
	for (uint32_t i = 0; i < g->n_edges; i++)
		if (n == 0 || compare_edges(&g->edges[n - 1], &g->edges[i]) != 0)
			g->edges[n++] = g->edges[i];
	g->n_edges = n;
	free(g->first);
	free(g->parents);
	g->first = mem_alloc(((size_t)g->n_nodes + 1) * sizeof *g->first);
	g->parents = mem_alloc(((size_t)g->n_nodes + 1) * sizeof *g->parents);
	for (uint32_t i = 0; i < n; i++) {
		g->first[g->edges[i].parent + 1]++;
		g->parents[g->edges[i].child]++;
	}
	for (uint32_t i = 0; i < g->n_nodes; i++)
		g->first[i + 1] += g->first[i];
}

static bool is_live(const struct graph *g, uint32_t edge)
{
	return g->nodes[g->edges[edge].parent].state != STATE_DISABLED &&
	       g->nodes[g->edges[edge].child].state != STATE_DISABLED;
}

static struct dag *dag_of(const struct graph *g, bool all)
{
	struct dag *d = dag_new(g->n_nodes);

	for (uint32_t i = 0; i < g->n_edges; i++)
		if (all || is_live(g, i))
			dag_edge(d, g->edges[i].parent, g->edges[i].child);
	return d;
}

static void name_node(void *ctx, uint32_t node, struct str *out)
{
	const struct graph *g = ctx;

	str_addz(out, safe_show(g->nodes[node].name, SHOWN));
}

static void set_levels(struct graph *g, const uint32_t *order, bool all)
{
	free(g->order);
	g->order = mem_alloc(((size_t)g->n_nodes + 1) * sizeof *g->order);
	g->n_levels = 0;
	for (uint32_t i = 0; i < g->n_nodes; i++) {
		g->order[i] = order[i];
		g->nodes[i].level = 0;
	}
	for (uint32_t i = 0; i < g->n_nodes; i++) {
		uint32_t node = order[i], next = g->nodes[node].level + 1;
		for (uint32_t at = g->first[node]; at < g->first[node + 1]; at++) {
			struct graph_node *child = &g->nodes[g->edges[at].child];
			if ((all || is_live(g, at)) && child->level < next)
				child->level = next;
		}
		if (g->n_levels < next)
			g->n_levels = next;
	}
}

int graph_settle(struct graph *g, struct err *e)
{
	struct str path CLEANUP(str_release) = STR_INIT;
	const uint32_t *order;

	sort_edges(g);
	for (int all = 1; all >= 0; all--) {
		struct dag *d CLEANUP(dag_cleanup) = dag_of(g, all);
		if (dag_order(d, &order) == g->n_nodes) {
			set_levels(g, order, all);
			return 0;
		}
		str_reset(&path);
		dag_cycle_text(d, name_node, g, &path);
	}
	return err_set(e, ERR_INPUT, "Graph is cyclical: %s", str_z(&path));
}

void graph_narrow(struct graph *g, const bool *keep)
{
	uint32_t *place CLEANUP(mem_cleanup) = mem_alloc(((size_t)g->n_nodes + 1) * sizeof *place);
	bool settled = g->order != NULL;
	uint32_t nodes = 0, edges = 0;
	struct err e = ERR_INIT;

	for (uint32_t i = 0; i < g->n_nodes; i++) {
		if (!keep[i])
			continue;
		g->nodes[nodes] = g->nodes[i];
		place[i] = nodes++;
	}
	for (uint32_t i = 0; i < g->n_edges; i++) {
		struct graph_edge v = g->edges[i];
		if (keep[v.parent] && keep[v.child])
			g->edges[edges++] = (struct graph_edge){ place[v.parent], place[v.child] };
	}
	g->n_nodes = nodes;
	g->n_edges = edges;
	if (settled && graph_settle(g, &e) < 0)
		BUG("a part of a graph without cycles has one: %s", e.msg);
}

/* --- words */

struct span graph_title(const struct graph *g, char *buf)
{
	return g->name.p ? g->name : span_of(id_uuid(g->id, buf));
}

void graph_count(const struct graph *g, int64_t *count)
{
	memset(count, 0, STATES * sizeof *count);
	for (uint32_t i = 0; i < g->n_nodes; i++)
		if (g->nodes[i].state != STATE_NONE)
			count[g->nodes[i].state]++;
}

static const enum state worst_first[] = { STATE_FAILED, STATE_RUNNING, STATE_QUEUED,
					  STATE_WAITING };

const char *graph_standing(const struct graph *g)
{
	int64_t count[STATES];

	graph_count(g, count);
	if (g->n_nodes == count[STATE_DISABLED])
		return g->n_nodes > 0 ? "disabled" : "empty";
	for (size_t i = 0; i < ARRAY_LEN(worst_first); i++)
		if (count[worst_first[i]] > 0)
			return state_text(worst_first[i]);
	return "success";
}

void graph_verdict(const struct graph *g, struct str *out)
{
	int64_t count[STATES];
	char done[NUM_BUF], total[NUM_BUF], n[NUM_BUF];

	if (!g->stored)
		return;
	graph_count(g, count);
	str_addf(out, "%s, %s of %s done", graph_standing(g), num_count(count[STATE_SUCCESS], done),
		 num_count(g->n_nodes - count[STATE_DISABLED], total));
	for (size_t i = 0; i < ARRAY_LEN(worst_first); i++)
		if (count[worst_first[i]] > 0)
			str_addf(out, ", %s %s", num_count(count[worst_first[i]], n),
				 state_text(worst_first[i]));
	if (count[STATE_DISABLED] > 0)
		str_addf(out, ", %s disabled", num_count(count[STATE_DISABLED], n));
	if (g->paused)
		str_addz(out, "; paused");
}
