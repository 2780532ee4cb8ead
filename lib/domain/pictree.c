#include "domain/pictree.h"

#include <string.h>

#include "base/mem.h"
#include "base/num.h"

enum { NEW, LATER, SHOWN };

/* One level of the path that is being printed. */
struct step {
	uint32_t at, end;  /* edges that are left */
	size_t prefix;     /* what stands before its lines */
};

struct tree {
	const struct graph *g;
	const struct picture *p;
	struct str *out;
	struct str prefix;
	struct step path[PICTREE_DEPTH + 1];
	unsigned char *seen;
	uint32_t *later;   /* nodes whose own trees are due */
	uint32_t n_later;
};

static void tree_release(struct tree *t)
{
	str_release(&t->prefix);
	mem_free(t->seen);
	mem_free(t->later);
}

static void add_node(struct tree *t, uint32_t node, const char *mark)
{
	const struct graph_node *v = &t->g->nodes[node];

	picture_name(t->out, v, PICTURE_TIP);
	if (t->p->progress && v->state != STATE_NONE) {
		str_addf(t->out, "  %s ", picture_sign(v->state));
		picture_words(t->out, v);
	}
	str_addz(t->out, mark);
	str_addc(t->out, '\n');
}

static bool has_children(const struct graph *g, uint32_t node)
{
	return g->first[node] < g->first[node + 1];
}

/* The line of a child; true if what is below it comes next. */
static bool add_child(struct tree *t, uint32_t node, int depth)
{
	bool below = has_children(t->g, node);

	if (t->seen[node] != NEW) {
		add_node(t, node, t->seen[node] == SHOWN ? " (above)" : " (below)");
		return false;
	}
	if (below && depth == PICTREE_DEPTH) {
		t->seen[node] = LATER;
		t->later[t->n_later++] = node;
		add_node(t, node, " (below)");
		return false;
	}
	t->seen[node] = SHOWN;
	add_node(t, node, "");
	return below;
}

static void add_tree(struct tree *t, uint32_t root)
{
	const struct graph *g = t->g;
	int depth = 0;

	t->seen[root] = SHOWN;
	add_node(t, root, "");
	t->path[0] = (struct step){ g->first[root], g->first[root + 1], 0 };
	while (depth >= 0) {
		struct step *s = &t->path[depth];
		if (s->at == s->end) {
			depth--;
			continue;
		}
		uint32_t node = g->edges[s->at++].child;
		bool last = s->at == s->end;
		str_cut(&t->prefix, s->prefix);
		str_addspan(t->out, str_span(&t->prefix));
		str_addz(t->out, last ? "└── " : "├── ");
		if (!add_child(t, node, depth))
			continue;
		str_addz(&t->prefix, last ? "    " : "│   ");
		t->path[++depth] = (struct step){ g->first[node], g->first[node + 1], t->prefix.n };
	}
}

static void add_later(struct tree *t)
{
	for (uint32_t i = 0; i < t->n_later; i++)
		if (t->seen[t->later[i]] == LATER)
			add_tree(t, t->later[i]);
	t->n_later = 0;
}

void pictree_write(const struct graph *g, const struct picture *p, struct str *out)
{
	struct tree t CLEANUP(tree_release) = {
		.g = g, .p = p, .out = out, .prefix = STR_INIT, .seen = mem_alloc(g->n_nodes + 1),
		.later = mem_alloc(((size_t)g->n_nodes + 1) * sizeof *t.later),
	};
	char buf[ID_UUID + 1], nodes[NUM_BUF], edges[NUM_BUF];

	picture_cut(out, p->title ? span_of(p->title) : graph_title(g, buf), PICTURE_TIP);
	if (p->progress && g->stored) {
		str_addz(out, ": ");
		graph_verdict(g, out);
	}
	str_addc(out, '\n');
	/* Those that nothing leads to, then, for cycles of disabled ones, any other. */
	for (int round = 0; round < 2; round++) {
		for (uint32_t i = 0; i < g->n_nodes; i++) {
			if (t.seen[i] == NEW && (round == 1 || g->parents[i] == 0))
				add_tree(&t, i);
			add_later(&t);
		}
	}
	str_addf(out, "\n%s data product%s, %s dependenc%s\n", num_count(g->n_nodes, nodes),
		 g->n_nodes == 1 ? "" : "s", num_count(g->n_edges, edges), g->n_edges == 1 ? "y" : "ies");
}
