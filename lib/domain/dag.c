#include "domain/dag.h"

#include "base/mem.h"

struct dag {
	uint32_t n;
	struct { uint32_t parent, child; } *edges;
	size_t n_edges;
	uint32_t *order;   /* n of them; the first `ordered` are */
	uint32_t ordered;
	uint32_t *left;    /* per node: parents that are not ordered yet */
	uint32_t *path;
};

struct dag *dag_new(uint32_t n)
{
	struct dag *d = mem_alloc(sizeof *d);

	d->n = n;
	return d;
}

static void forget(struct dag *d)
{
	mem_free(d->order);
	mem_free(d->left);
	mem_free(d->path);
	d->order = d->left = d->path = NULL;
}

void dag_free(struct dag *d)
{
	if (!d)
		return;
	forget(d);
	mem_free(d->edges);
	mem_free(d);
}

void dag_cleanup(struct dag **d)
{
	dag_free(*d);
}

void dag_edge(struct dag *d, uint32_t parent, uint32_t child)
{
	forget(d);
	d->edges = mem_room(d->edges, d->n_edges, sizeof *d->edges);
	d->edges[d->n_edges].parent = parent;
	d->edges[d->n_edges++].child = child;
}

/* The children of node i are children[first[i]] to children[first[i + 1] - 1]. */
static void group(const struct dag *d, size_t *first, uint32_t *children)
{
	for (size_t i = 0; i < d->n_edges; i++)
		first[d->edges[i].parent + 1]++;
	for (uint32_t i = 0; i < d->n; i++)
		first[i + 1] += first[i];
	/* Backwards, so that children keep the order of their edges. */
	for (size_t i = d->n_edges; i-- > 0;)
		children[--first[d->edges[i].parent + 1]] = d->edges[i].child;
	for (uint32_t i = 0; i < d->n; i++)
		first[i] = first[i + 1];
	first[d->n] = d->n_edges;
}

uint32_t dag_order(struct dag *d, const uint32_t **order)
{
	size_t *first CLEANUP(mem_cleanup) = mem_alloc((d->n + (size_t)1) * sizeof *first);
	uint32_t *children CLEANUP(mem_cleanup) = mem_alloc((d->n_edges + 1) * sizeof *children);
	uint32_t found = 0;

	forget(d);
	d->order = mem_alloc((d->n + (size_t)1) * sizeof *d->order);
	d->left = mem_alloc((d->n + (size_t)1) * sizeof *d->left);
	group(d, first, children);
	for (size_t i = 0; i < d->n_edges; i++)
		d->left[d->edges[i].child]++;
	for (uint32_t i = 0; i < d->n; i++)
		if (d->left[i] == 0)
			d->order[found++] = i;
	for (uint32_t at = 0; at < found; at++) {
		uint32_t node = d->order[at];
		for (size_t k = first[node]; k < first[node + 1]; k++)
			if (--d->left[children[k]] == 0)
				d->order[found++] = children[k];
	}
	*order = d->order;
	return d->ordered = found;
}

/* Walks from child to parent among the nodes that were not ordered, each of
 * which has such a parent, until one comes again. */
uint32_t dag_cycle(struct dag *d, const uint32_t **path)
{
	enum { NONE = 0 };
	uint32_t *parent CLEANUP(mem_cleanup) = mem_alloc((d->n + (size_t)1) * sizeof *parent);
	uint32_t *seen CLEANUP(mem_cleanup) = mem_alloc((d->n + (size_t)1) * sizeof *seen);
	uint32_t at = 0, n = 0;

	for (size_t i = 0; i < d->n_edges; i++) {
		uint32_t p = d->edges[i].parent, c = d->edges[i].child;
		if (d->left[p] > 0 && d->left[c] > 0 && parent[c] == NONE)
			parent[c] = p + 1;
	}
	while (d->left[at] == 0)
		at++;
	for (uint32_t step = 1; seen[at] == 0; step++) {
		seen[at] = step;
		at = parent[at] - 1;
	}
	mem_free(d->path);
	d->path = mem_alloc((d->n + (size_t)1) * sizeof *d->path);
	uint32_t lowest = at;
	for (uint32_t node = parent[at] - 1; node != at; node = parent[node] - 1)
		if (node < lowest)
			lowest = node;
	/* From the lowest against the edges; then turned around behind it. */
	d->path[n++] = lowest;
	for (uint32_t node = parent[lowest] - 1; node != lowest; node = parent[node] - 1)
		d->path[n++] = node;
	for (uint32_t i = 1, k = n - 1; i < k; i++, k--) {
		uint32_t other = d->path[i];
		d->path[i] = d->path[k];
		d->path[k] = other;
	}
	*path = d->path;
	return n;
}

void dag_cycle_text(struct dag *d, dag_name_fn *name, void *ctx, struct str *out)
{
	enum { HEAD = 8, TAIL = 2 };
	const uint32_t *path;
	uint32_t n = dag_cycle(d, &path);

	for (uint32_t i = 0; i < n; i++) {
		if (n > HEAD + TAIL + 1 && i == HEAD) {
			i = n - TAIL;
			str_addf(out, "… (%u more) -> ", i - HEAD);
		}
		name(ctx, path[i], out);
		str_addz(out, " -> ");
	}
	name(ctx, path[0], out);
}
