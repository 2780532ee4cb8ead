#include "domain/absent.h"

#include <stdlib.h>

#include "base/idmap.h"
#include "base/mem.h"
#include "base/safe.h"
#include "domain/diff.h"
#include "domain/product.h"

enum { NAMES_SHOWN = 200 };

struct search {
	const struct absent *a;
	struct idmap *known;   /* rows of the plan's products, pairs of its dependencies */
	int64_t *ids;          /* products that are not in it */
	size_t n;
	struct str names;
	struct gone { int64_t parent, child; enum state of_parent; } *gone;
	size_t n_gone;
};

static void search_release(struct search *s)
{
	idmap_free(s->known);
	free(s->ids);
	free(s->gone);
	str_release(&s->names);
}

/* Rows are below 2^63, so that a product's key is no pair's. */
static struct id product_key(int64_t id)
{
	return idmap_pair((uint64_t)id, UINT64_MAX);
}

static struct id edge_key(int64_t parent, int64_t child)
{
	return idmap_pair((uint64_t)parent, (uint64_t)child);
}

static void learn(struct search *s)
{
	const struct absent *a = s->a;
	uint32_t ignored = 0;

	s->known = idmap_new();
	for (uint32_t i = 0; i < a->plan->n_products; i++)
		idmap_put(s->known, product_key(a->nodes[i].id), &ignored);
	for (uint32_t i = 0; a->prune && i < a->plan->n_edges; i++)
		idmap_put(s->known, edge_key(a->nodes[a->plan->edges[i].parent.node].id,
					     a->nodes[a->plan->edges[i].child.node].id), &ignored);
}

static int look_at_product(void *ctx, int64_t id, struct span name, struct err *e)
{
	struct search *s = ctx;
	uint32_t ignored;

	(void)e;
	if (idmap_get(s->known, product_key(id), &ignored))
		return 0;
	if (s->names.n < NAMES_SHOWN) {
		str_addz(&s->names, s->n ? ", " : "");
		safe_text(&s->names, name);
	}
	s->ids = mem_room(s->ids, s->n, sizeof *s->ids);
	s->ids[s->n++] = id;
	return 0;
}

static int look_at_edge(void *ctx, int64_t parent, int64_t child, enum state of_parent,
			struct err *e)
{
	struct search *s = ctx;
	uint32_t ignored;

	(void)e;
	if (idmap_get(s->known, edge_key(parent, child), &ignored))
		return 0;
	s->gone = mem_room(s->gone, s->n_gone, sizeof *s->gone);
	s->gone[s->n_gone++] = (struct gone){ parent, child, of_parent };
	return 0;
}

static int disable(struct search *s, int64_t id, struct err *e)
{
	const struct cascade_to disabled = { .state = STATE_DISABLED };
	struct product p CLEANUP(product_release) = PRODUCT_INIT;
	struct cascade *c = s->a->c;
	struct cascade_row r;

	if (s->a->diff && product_get(c->db, id, &p, e) > 0)
		diff_product(s->a->diff, '-', span_of(p.name), 0);
	return cascade_row(c, id, &r, e) < 0 ? -1 : cascade_move(c, &r, &disabled, e);
}

static int drop(struct search *s, const struct gone *g, struct err *e)
{
	struct product from CLEANUP(product_release) = PRODUCT_INIT,
		       to CLEANUP(product_release) = PRODUCT_INIT;
	struct cascade *c = s->a->c;

	if (s->a->diff && product_get(c->db, g->parent, &from, e) > 0 &&
	    product_get(c->db, g->child, &to, e) > 0)
		diff_edge(s->a->diff, '-', span_of(from.name), span_of(to.name));
	if (publishrows_drop_edge(c, g->parent, g->child, e) < 0)
		return -1;
	return state_blocks(g->of_parent) ? cascade_parents(c, g->child, -1, e) : 0;
}

static void note_disabled(const struct absent *a)
{
	struct str names CLEANUP(str_release) = STR_INIT;
	int n = 0;

	for (uint32_t i = 0; i < a->plan->n_products; i++) {
		if (a->nodes[i].state != STATE_DISABLED)
			continue;
		if (names.n < NAMES_SHOWN) {
			str_addz(&names, n > 0 ? ", " : "");
			safe_text(&names, a->plan->products[i].name);
		}
		n++;
	}
	if (n > 0)
		str_addf(a->notes, "disabled and still so: %s%s (fletcher-plan enable)\n",
			 str_z(&names), names.n >= NAMES_SHOWN ? ", …" : "");
}

int absent_treat(struct absent *a, struct err *e)
{
	struct search s CLEANUP(search_release) = { .a = a };

	learn(&s);
	if (publishrows_each_live(a->c->db, a->c->ds->id, look_at_product, &s, e) < 0)
		return -1;
	for (size_t i = 0; a->prune && i < s.n; i++)
		if (disable(&s, s.ids[i], e) < 0)
			return -1;
	/* Afterwards: a parent that is disabled now holds back nobody. */
	if (a->prune && publishrows_each_edge(a->c->db, a->c->ds->id, false, look_at_edge, &s, e) < 0)
		return -1;
	for (size_t i = 0; i < s.n_gone; i++)
		if (drop(&s, &s.gone[i], e) < 0)
			return -1;
	if (!a->prune && s.n > 0)
		str_addf(a->notes, "%zu stored product%s not in this file and stay%s: %s%s (--prune)\n",
			 s.n, s.n == 1 ? " is" : "s are", s.n == 1 ? "s" : "", str_z(&s.names),
			 s.names.n >= NAMES_SHOWN ? ", …" : "");
	note_disabled(a);
	return 0;
}
