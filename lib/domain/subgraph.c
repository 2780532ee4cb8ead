#include "domain/subgraph.h"

#include <string.h>

#include "base/mem.h"
#include "base/safe.h"

enum { SHOWN = 60, MAX_DIGITS = 7 };

struct word {
	struct span name;
	uint32_t up, down; /* steps; UINT32_MAX: all */
};

static bool has_name(const struct graph_node *v, struct span name)
{
	if (span_eq(v->name, name))
		return true;
	return name.n == v->name.n + 1 + v->version.n && memcmp(name.p, v->name.p, v->name.n) == 0 &&
	       name.p[v->name.n] == ':' &&
	       memcmp(name.p + v->name.n + 1, v->version.p, v->version.n) == 0;
}

/* Marks those that have the name in at[]; how many. */
static uint32_t mark(const struct graph *g, struct span name, bool *at)
{
	struct id low, high;
	uint32_t n = 0;

	for (uint32_t i = 0; i < g->n_nodes; i++)
		if (has_name(&g->nodes[i], name))
			n += at[i] = true;
	if (n > 0 || !id_uuid_prefix(name, &low, &high))
		return n;
	for (uint32_t i = 0; i < g->n_nodes; i++)
		if (memcmp(&g->nodes[i].id, &low, sizeof low) >= 0 &&
		    memcmp(&g->nodes[i].id, &high, sizeof high) <= 0)
			n += at[i] = true;
	return n;
}

/* The digits at p (none: all); false if there are too many. */
static bool read_steps(const char *p, size_t n, uint32_t *out)
{
	*out = n == 0 ? UINT32_MAX : 0;
	for (size_t i = 0; i < n; i++)
		*out = *out * 10 + (uint32_t)(p[i] - '0');
	return n <= MAX_DIGITS;
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static void read_word(const char *text, struct word *out)
{
	size_t n = strlen(text), digits = 0;

	*out = (struct word){ .name = { text, n } };
	while (is_digit(text[digits]))
		digits++;
	if (text[digits] == '+' && read_steps(text, digits, &out->up)) {
		out->name.p += digits + 1;
		out->name.n -= digits + 1;
	} else {
		out->up = 0;
	}
	for (digits = 0; digits < out->name.n && is_digit(out->name.p[out->name.n - 1 - digits]);)
		digits++;
	const char *plus = out->name.p + out->name.n - digits - 1;
	if (digits < out->name.n && *plus == '+' && read_steps(plus + 1, digits, &out->down))
		out->name.n -= digits + 1;
	else
		out->down = 0;
}

/* Neighbours up to so many steps away, level by level. */
struct walk {
	const struct graph *g;
	uint32_t *first, *next; /* of the neighbours of node i: next[first[i]..first[i + 1]] */
};

static void walk_release(struct walk *w)
{
	mem_free(w->first);
	mem_free(w->next);
}

static void walk_init(struct walk *w, const struct graph *g, bool up)
{
	w->g = g;
	w->first = mem_alloc(((size_t)g->n_nodes + 2) * sizeof *w->first);
	w->next = mem_alloc(((size_t)g->n_edges + 1) * sizeof *w->next);
	for (uint32_t i = 0; i < g->n_edges; i++)
		w->first[(up ? g->edges[i].child : g->edges[i].parent) + 2]++;
	for (uint32_t i = 0; i < g->n_nodes; i++)
		w->first[i + 2] += w->first[i + 1];
	for (uint32_t i = 0; i < g->n_edges; i++) {
		const struct graph_edge *v = &g->edges[i];
		w->next[w->first[(up ? v->child : v->parent) + 1]++] = up ? v->parent : v->child;
	}
}

/* Adds to keep[] what is at most `steps` from what is in at[]. */
static void walk(const struct graph *g, const bool *at, bool up, uint32_t steps, bool *keep)
{
	struct walk w CLEANUP(walk_release) = { .g = g };
	bool *seen CLEANUP(mem_cleanup) = mem_alloc(g->n_nodes + 1);
	uint32_t *queue CLEANUP(mem_cleanup) = mem_alloc(((size_t)g->n_nodes + 1) * sizeof *queue);
	uint32_t n = 0, done = 0;

	walk_init(&w, g, up);
	for (uint32_t i = 0; i < g->n_nodes; i++)
		if ((seen[i] = at[i]))
			queue[n++] = i;
	for (uint32_t step = 0; step < steps && done < n; step++) {
		for (uint32_t end = n; done < end; done++) {
			uint32_t node = queue[done];
			for (uint32_t i = w.first[node]; i < w.first[node + 1]; i++) {
				if (!seen[w.next[i]])
					queue[n++] = w.next[i];
				seen[w.next[i]] = true;
			}
		}
	}
	for (uint32_t i = 0; i < n; i++)
		keep[queue[i]] = true;
}

static int select_word(const struct graph *g, const char *text, bool *keep, struct err *e)
{
	bool *at CLEANUP(mem_cleanup) = mem_alloc(g->n_nodes + 1);
	struct word w = { .name = span_of(text) };

	if (mark(g, w.name, at) == 0) {
		read_word(text, &w);
		if (w.name.n == 0 || mark(g, w.name, at) == 0)
			return err_set(e, ERR_NOTFOUND, "--select: no data product is '%s'",
				       safe_show(w.name, SHOWN));
	}
	walk(g, at, true, w.up, keep);
	walk(g, at, false, w.down, keep);
	return 0;
}

int subgraph_select(struct graph *g, const char *const *words, int n, struct err *e)
{
	bool *keep CLEANUP(mem_cleanup) = mem_alloc(g->n_nodes + 1);

	for (int i = 0; i < n; i++)
		if (select_word(g, words[i], keep, e) < 0)
			return -1;
	graph_narrow(g, keep);
	return 0;
}

void subgraph_live(struct graph *g)
{
	bool *keep CLEANUP(mem_cleanup) = mem_alloc(g->n_nodes + 1);

	for (uint32_t i = 0; i < g->n_nodes; i++)
		keep[i] = g->nodes[i].state != STATE_DISABLED;
	graph_narrow(g, keep);
}
