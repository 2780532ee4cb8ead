#include "domain/publish.h"

#include <stdlib.h>
#include <string.h>

#include "base/casefold.h"
#include "base/idmap.h"
#include "base/jsonsort.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/num.h"
#include "base/safe.h"
#include "base/user.h"
#include "domain/absent.h"
#include "domain/advice.h"
#include "domain/dag.h"
#include "domain/diff.h"
#include "domain/event.h"
#include "domain/product.h"
#include "domain/publishrows.h"
#include "store/tx.h"

enum { CYCLE_SHOWN = 40, LARGE = 10000 };

void publish_release(struct publish *p)
{
	dataset_release(&p->ds);
	cascade_release(&p->c);
	str_release(&p->diff);
	str_release(&p->notes);
}

struct work {
	struct publish *p;
	struct plan *plan;
	struct publishrows_node *nodes; /* products, then outsiders */
	uint32_t n_nodes;
	uint8_t *edges;      /* what publishrows_edge() said of each; 0: it is new */
	struct idmap *rows;  /* data_products.id -> node, of those that are stored */
	bool graph_grows;    /* an edge comes to the graph that was not in it */
	bool words_change;
};

static void work_release(struct work *w)
{
	for (uint32_t i = 0; w->nodes && i < w->n_nodes; i++)
		free(w->nodes[i].name);
	free(w->nodes);
	free(w->edges);
	idmap_free(w->rows);
}

/* --- what is there */

static int find_dataset(struct publish *p, const struct plan *plan, struct err *e)
{
	struct id uuid = plan_dataset_id(plan);
	int rc = 0;

	if (!plan->has_id)
		rc = p->db ? dataset_by_name(p->db, plan->name, &p->ds, e) : 0;
	if (rc == 0)
		rc = p->db ? dataset_by_uuid(p->db, uuid, &p->ds, e) : 0;
	if (rc == 0)
		p->ds.uuid = uuid;
	return rc < 0 ? -1 : 0;
}

/* For plan_resolve(). */
static int is_stored(void *ctx, struct span name, struct id *id, struct err *e)
{
	struct publish *p = ctx;
	struct product v CLEANUP(product_release) = PRODUCT_INIT;

	int rc = name.p ? product_by_name(p->db, p->ds.id, name, &v, e)
			: product_by_uuid(p->db, p->ds.id, *id, &v, e);
	if (rc <= 0 || v.state == STATE_DISABLED)
		return rc < 0 ? -1 : 0;
	*id = v.uuid;
	return 1;
}

static struct id row_key(int64_t id)
{
	return idmap_pair((uint64_t)id, 0);
}

static int find_nodes(struct work *w, struct err *e)
{
	struct publish *p = w->p;
	struct plan *plan = w->plan;

	w->n_nodes = plan->n_products + plan->n_outsiders;
	w->nodes = mem_alloc(w->n_nodes * sizeof *w->nodes);
	for (uint32_t i = 0; p->ds.id > 0 && i < w->n_nodes; i++) {
		const struct plan_product *v = i < plan->n_products ? &plan->products[i] : NULL;
		struct id uuid = v ? v->id : plan->outsiders[i - plan->n_products];
		uint32_t node = i;
		int rc = publishrows_find(p->db, p->ds.id, uuid, v, &w->nodes[i], e);
		if (rc < 0)
			return -1;
		if (rc > 0)
			idmap_put(w->rows, row_key(w->nodes[i].id), &node);
	}
	return 0;
}

static int find_edges(struct work *w, struct err *e)
{
	w->edges = mem_alloc(w->plan->n_edges + (size_t)1);
	for (uint32_t i = 0; i < w->plan->n_edges; i++) {
		const struct plan_edge *v = &w->plan->edges[i];
		struct publishrows_node *parent = &w->nodes[v->parent.node];
		struct publishrows_node *child = &w->nodes[v->child.node];
		int rc = 0;
		if (parent->id > 0 && child->id > 0)
			rc = publishrows_edge(w->p->db, parent->id, child->id, v->extra, e);
		if (rc < 0)
			return -1;
		w->edges[i] = (uint8_t)rc;
		if (rc == 0 && (parent->id == 0 || state_blocks(parent->state)))
			child->parents++;
		if (rc == 0 || parent->state == STATE_DISABLED || child->state == STATE_DISABLED)
			w->graph_grows = true;
	}
	return 0;
}

/* --- cycles */

struct graph {
	struct work *w;
	struct dag *dag;
	uint32_t n;       /* nodes so far: those of the plan, then other stored ones */
	int64_t *others;
};

static void graph_release(struct graph *g)
{
	dag_free(g->dag);
	free(g->others);
}

static uint32_t node_of(struct graph *g, int64_t row)
{
	uint32_t node = g->n;

	if (!idmap_put(g->w->rows, row_key(row), &node))
		return node;
	g->others[g->n - g->w->n_nodes] = row;
	return g->n++;
}

static int add_stored_edge(void *ctx, int64_t parent, int64_t child, enum state of_parent,
			   struct err *e)
{
	struct graph *g = ctx;
	uint32_t from = node_of(g, parent), to = node_of(g, child);

	(void)of_parent, (void)e;
	dag_edge(g->dag, from, to);
	return 0;
}

static void node_name(void *ctx, uint32_t node, struct str *out)
{
	struct graph *g = ctx;
	struct product p CLEANUP(product_release) = PRODUCT_INIT;
	struct err ignored = ERR_INIT;
	const struct work *w = g->w;

	if (node < w->plan->n_products)
		str_addz(out, safe_show(w->plan->products[node].name, CYCLE_SHOWN));
	else if (node < w->n_nodes)
		str_addz(out, safe_show(span_of(w->nodes[node].name), CYCLE_SHOWN));
	else if (product_get(w->p->db, g->others[node - w->n_nodes], &p, &ignored) > 0)
		str_addz(out, safe_show(span_of(p.name), CYCLE_SHOWN));
}

/* The plan and what is stored and live; with --prune that goes. */
static int check_cycle(struct work *w, struct err *e)
{
	int64_t stored = w->p->prune || w->p->ds.id == 0 ? 0 : dataset_live(&w->p->ds);
	struct graph g CLEANUP(graph_release) = {
		.w = w, .dag = dag_new(w->n_nodes + (uint32_t)stored), .n = w->n_nodes,
		.others = mem_alloc(((size_t)stored + 1) * sizeof *g.others),
	};
	struct str cycle CLEANUP(str_release) = STR_INIT;
	const uint32_t *order;

	if (!w->graph_grows)
		return 0;
	for (uint32_t i = 0; i < w->plan->n_edges; i++)
		dag_edge(g.dag, w->plan->edges[i].parent.node, w->plan->edges[i].child.node);
	if (stored > 0 && publishrows_each_edge(w->p->db, w->p->ds.id, true, add_stored_edge, &g, e) < 0)
		return -1;
	if (dag_order(g.dag, &order) == w->n_nodes + (uint32_t)stored)
		return 0;
	dag_cycle_text(g.dag, node_name, &g, &cycle);
	return err_set(e, ERR_INPUT, "%s: Graph is cyclical: %s", w->plan->file, str_z(&cycle));
}

static struct span name_of(const struct work *w, uint32_t node)
{
	return node < w->plan->n_products ? w->plan->products[node].name
					  : span_of(w->nodes[node].name);
}

/* --- the dataset */

static bool same_text(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

static char *text_of(struct span v)
{
	return v.p ? mem_copy(v.p, v.n) : NULL;
}

static void build_head(const struct dataset *ds, const struct dataset_texts *t, struct str *out)
{
	char id[ID_UUID + 1];

	str_addf(out, "%s\n", id_uuid(ds->uuid, id));
	if (ds->name) {
		casefold(span_of(ds->name), out);
		str_addc(out, '\n');
	}
	if (t->extra) {
		casefold(span_of(t->extra), out);
		str_addc(out, '\n');
	}
}

/* extra, params and dir of the plan; parameters that it does not declare stay,
 * and so does the directory when it has none. */
static void texts_of_plan(const struct plan *plan, const struct dataset_texts *old,
			  struct dataset_texts *out)
{
	struct str params = STR_INIT;

	out->extra = text_of(plan->extra);
	out->dir = mem_strdup(plan->has_dir || !old->dir ? plan->dir : old->dir);
	if (plan->params.n > 0)
		params_json(&plan->params, &params);
	out->params = plan->params.n > 0 ? str_take(&params) : mem_strdup(old->params);
}

static void touch_dataset(struct work *w)
{
	struct publish *p = w->p;

	free(p->ds.modified_by);
	p->ds.modified_by = mem_strdup(p->by);
	p->ds.modified_us = p->c.now_us;
	p->c.changed = true;
}

static int new_dataset(struct work *w, struct err *e)
{
	struct publish *p = w->p;

	p->ds.name = text_of(w->plan->name);
	p->ds.user = mem_strdup(user_name());
	p->ds.paused = p->paused;
	p->ds.active_us = p->c.now_us;
	touch_dataset(w);
	w->words_change = true;
	return dataset_insert(p->db, &p->ds, e) < 0 ? -1 :
	       event_add(p->db, &p->ds, 0, p->c.now_us, p->by, p->c.command, STATE_NONE,
			 p->paused ? EVENT_PAUSED : EVENT_ACTIVE, NULL, e);
}

static int change_dataset(struct work *w, const struct dataset_texts *old,
			  const struct dataset_texts *new, struct err *e)
{
	struct publish *p = w->p;
	bool renamed = w->plan->name.p &&
		       (!p->ds.name || !span_is(w->plan->name, p->ds.name));
	int state = p->ds.paused ? EVENT_PAUSED : EVENT_ACTIVE;

	if (renamed) {
		free(p->ds.name);
		p->ds.name = text_of(w->plan->name);
		if (dataset_check_name(p->db, &p->ds, e) < 0)
			return -1;
	}
	bool other_extra = !jsonsort_eq(span_of(old->extra), span_of(new->extra));
	w->words_change = renamed || other_extra;
	if (!renamed && !other_extra && same_text(old->params, new->params))
		return 0;
	touch_dataset(w);
	if (p->wants_diff)
		str_addf(&p->diff, "~ dataset: %s changed\n", renamed ? "name" : other_extra ? "extra" :
			 "params");
	return event_add(p->db, &p->ds, 0, p->c.now_us, p->by, p->c.command, state, state, NULL, e);
}

/* After the products: their names are among the words. */
static int store_texts(struct work *w, const struct dataset_texts *old,
		       struct dataset_texts *new, struct err *e)
{
	struct publish *p = w->p;
	struct str words CLEANUP(str_release) = STR_INIT;

	build_head(&p->ds, new, &words);
	if (w->words_change && publishrows_words(p->db, p->ds.id, &words, e) < 0)
		return -1;
	new->words = w->words_change ? str_take(&words) : mem_strdup(old->words);
	return dataset_texts_store(p->db, p->ds.id, new, old, e);
}

/* --- products and dependencies */

/* What will not be done by itself is a note, whoever wants the diff. */
static void say_product(struct work *w, struct span name, const struct publishrows_node *n,
			bool new)
{
	bool stale = (n->differs & PUBLISHROWS_RUN) && state_active(n->state) &&
		     !w->p->clear_changed;

	if (stale)
		diff_stale(&w->p->notes, name, n->differs, n->state);
	else if (w->p->wants_diff)
		diff_product(&w->p->diff, new ? '+' : '~', name, n->differs);
}

static int store_products(struct work *w, struct err *e)
{
	struct publish *p = w->p;

	for (uint32_t i = 0; i < w->plan->n_products; i++) {
		const struct plan_product *v = &w->plan->products[i];
		struct publishrows_node *n = &w->nodes[i];
		bool new = n->id == 0;
		if (new || n->differs)
			say_product(w, v->name, n, new);
		if (new || (n->differs & PUBLISHROWS_NAME))
			w->words_change = true;
		if (new ? publishrows_insert(&p->c, v, n, e) < 0
			: (n->differs && publishrows_update(&p->c, v, n, e) < 0) ||
			  cascade_parents(&p->c, n->id, n->parents, e) < 0)
			return -1;
	}
	for (uint32_t i = w->plan->n_products; i < w->n_nodes; i++)
		if (cascade_parents(&p->c, w->nodes[i].id, w->nodes[i].parents, e) < 0)
			return -1;
	return 0;
}

/* By parent, so that they are appended to the table and not strewn over it. */
static uint32_t *edges_by_parent(const struct work *w)
{
	uint32_t *first CLEANUP(mem_cleanup) = mem_alloc((w->n_nodes + (size_t)1) * sizeof *first);
	uint32_t *order = mem_alloc((w->plan->n_edges + (size_t)1) * sizeof *order);

	for (uint32_t i = 0; i < w->plan->n_edges; i++)
		first[w->plan->edges[i].parent.node + 1]++;
	for (uint32_t i = 0; i < w->n_nodes; i++)
		first[i + 1] += first[i];
	for (uint32_t i = 0; i < w->plan->n_edges; i++)
		order[first[w->plan->edges[i].parent.node]++] = i;
	return order;
}

static int store_edges(struct work *w, struct err *e)
{
	uint32_t *order CLEANUP(mem_cleanup) = edges_by_parent(w);

	for (uint32_t k = 0; k < w->plan->n_edges; k++) {
		const struct plan_edge *v = &w->plan->edges[order[k]];
		uint8_t is = w->edges[order[k]];
		if (is == 1)
			continue;
		if (w->p->wants_diff)
			diff_edge(&w->p->diff, is == 0 ? '+' : '~', name_of(w, v->parent.node),
				  name_of(w, v->child.node));
		if (publishrows_put_edge(&w->p->c, w->nodes[v->parent.node].id,
					 &w->nodes[v->child.node], v->extra, e) < 0)
			return -1;
	}
	return 0;
}

static int clear_changed(struct work *w, struct err *e)
{
	const struct cascade_to waiting = { .state = STATE_WAITING };
	int64_t *ids CLEANUP(mem_cleanup) = mem_alloc(w->plan->n_products * sizeof *ids);
	struct cascade *c = &w->p->c;
	struct cascade_row r;
	int64_t requests, completed;
	char count[NUM_BUF];
	int n = 0;

	for (uint32_t i = 0; i < w->plan->n_products; i++) {
		const struct publishrows_node *node = &w->nodes[i];
		if (!(node->differs & PUBLISHROWS_RUN) || !state_active(node->state))
			continue;
		if (cascade_row(c, node->id, &r, e) < 0 || cascade_move(c, &r, &waiting, e) < 0)
			return -1;
		ids[n++] = node->id;
	}
	if (n > 0 && (cascade_below(c, ids, n, e) < 0 ||
		      cascade_dropped(c, &requests, &completed, e) < 0))
		return -1;
	if (n > 0 && requests > 0)
		str_addf(&w->p->notes, "resends %s requests\n", num_count(requests, count));
	return 0;
}

static int treat_absent(struct work *w, struct err *e)
{
	struct absent a = { .c = &w->p->c, .plan = w->plan, .nodes = w->nodes,
			    .prune = w->p->prune, .diff = w->p->wants_diff ? &w->p->diff : NULL,
			    .notes = &w->p->notes };

	return absent_treat(&a, e);
}

/* 1: there is something to commit. */
static int store(struct work *w, struct err *e)
{
	struct dataset_texts old CLEANUP(dataset_texts_release) = { 0 },
			     new CLEANUP(dataset_texts_release) = { 0 };
	struct publish *p = w->p;
	bool is_new = p->ds.id == 0;
	char label[DATASET_LABEL_BUF];

	if (!is_new && p->paused && !p->ds.paused)
		log_warn("%s is stored and not paused, and --paused is for new ones: "
			 "fletcher-plan pause pauses it",
			 safe_show(span_of(dataset_label(&p->ds, label)), CYCLE_SHOWN));
	if (!is_new && dataset_texts(p->db, p->ds.id, &old, e) < 0)
		return -1;
	texts_of_plan(w->plan, &old, &new);
	if ((is_new ? new_dataset(w, e) : change_dataset(w, &old, &new, e)) < 0 ||
	    store_products(w, e) < 0 || store_edges(w, e) < 0 ||
	    (!is_new && treat_absent(w, e) < 0) || (p->clear_changed && clear_changed(w, e) < 0))
		return -1;
	bool ours = strcmp(p->ds.user, user_name()) == 0;
	/* Where a plan comes from is no part of it: no date, no history.  As long as it
	 * is another user's, its commands do not run in our directory. */
	if (!p->c.changed)
		return !ours || same_text(old.dir, new.dir) ? 0 : store_texts(w, &old, &new, e) < 0 ? -1 : 1;
	if (!ours) {
		free(p->ds.user);
		p->ds.user = mem_strdup(user_name());
	}
	return store_texts(w, is_new ? NULL : &old, &new, e) < 0 || cascade_trigger(&p->c, e) < 0 ||
	       cascade_finish(&p->c, e) < 0 ? -1 : 1;
}

/* Where nothing is stored, all of it is new. */
static void diff_all(struct work *w)
{
	for (uint32_t i = 0; w->p->wants_diff && i < w->plan->n_products; i++)
		diff_product(&w->p->diff, '+', w->plan->products[i].name, 0);
	for (uint32_t i = 0; w->p->wants_diff && i < w->plan->n_edges; i++)
		diff_edge(&w->p->diff, '+', name_of(w, w->plan->edges[i].parent.node),
			  name_of(w, w->plan->edges[i].child.node));
}

int publish_plan(struct publish *p, struct plan *plan, struct err *e)
{
	struct work w CLEANUP(work_release) = { .p = p, .plan = plan, .rows = idmap_new() };

	publish_release(p);
	bool large = p->db && plan->n_products + plan->n_edges > LARGE;
	TX(tx);
	if ((large && db_large_cache(p->db, e) < 0) || (p->db && tx_begin(&tx, p->db, e) < 0) ||
	    find_dataset(p, plan, e) < 0)
		return -1;
	bool stored = p->ds.id > 0 && !p->prune;
	if (plan_resolve(plan, p->ds.uuid, stored ? is_stored : NULL, p, e) < 0 ||
	    find_nodes(&w, e) < 0 || find_edges(&w, e) < 0 || check_cycle(&w, e) < 0)
		return -1;
	advice_plan(plan);
	if (!p->db)
		return diff_all(&w), 0;
	cascade_begin(&p->c, p->db, &p->ds, p->by, "publish");
	int rc = store(&w, e);
	if (rc <= 0 || p->dry_run)
		return rc < 0 ? -1 : 0;
	return tx_commit(&tx, e) < 0 || cascade_after(&p->c, e) < 0 ? -1 : 0;
}
