#include "domain/picjson.h"

#include "base/clock.h"
#include "base/jsonw.h"
#include "base/mem.h"

static void add_id(struct jsonw *w, const char *key, struct id id)
{
	char text[ID_UUID + 1];

	jsonw_kstrz(w, key, id_uuid(id, text));
}

static void add_count(struct jsonw *w, const char *key, const struct graph_node *v, int64_t n)
{
	jsonw_key(w, key);
	jsonw_int_or_null(w, n, !v->has_batch);
}

static void add_node(struct jsonw *w, const struct graph_node *v)
{
	char time[CLOCK_BUF];

	jsonw_object(w);
	add_id(w, "id", v->id);
	jsonw_kstr(w, "name", v->name);
	jsonw_kstr(w, "version", v->version);
	jsonw_kstrz(w, "compute", v->compute);
	jsonw_kbool(w, "eager", v->eager);
	jsonw_kstrz(w, "state", state_text(v->state));
	jsonw_kint(w, "level", v->level);
	add_count(w, "done", v, v->done);
	add_count(w, "total", v, v->total);
	add_count(w, "failed", v, v->failed);
	if (v->has_run)
		add_id(w, "run_id", v->run);
	else
		jsonw_knull(w, "run_id");
	jsonw_kstr(w, "link", v->link);
	jsonw_kstrz(w, "since", v->since_us ? clock_text_us(v->since_us, time) : NULL);
	jsonw_end(w);
}

static void add_dataset(struct jsonw *w, const struct graph *g)
{
	jsonw_key(w, "dataset");
	jsonw_object(w);
	add_id(w, "id", g->id);
	jsonw_kstr(w, "name", g->name);
	jsonw_kbool(w, "stored", g->stored);
	if (g->stored)
		jsonw_kbool(w, "paused", g->paused);
	else
		jsonw_knull(w, "paused");
	jsonw_end(w);
}

/* The nodes by level, those of one level in their order. */
static void add_levels(struct jsonw *w, const struct graph *g)
{
	uint32_t *first CLEANUP(mem_cleanup) = mem_alloc(((size_t)g->n_levels + 3) * sizeof *first);
	uint32_t *nodes CLEANUP(mem_cleanup) = mem_alloc(((size_t)g->n_nodes + 1) * sizeof *nodes);
	char id[ID_UUID + 1];

	/* One place further than where they begin: filling moves them there. */
	for (uint32_t i = 0; i < g->n_nodes; i++)
		first[g->nodes[i].level + 2]++;
	for (uint32_t i = 0; i < g->n_levels; i++)
		first[i + 2] += first[i + 1];
	for (uint32_t i = 0; i < g->n_nodes; i++)
		nodes[first[g->nodes[i].level + 1]++] = i;
	jsonw_key(w, "levels");
	jsonw_array(w);
	for (uint32_t level = 0; level < g->n_levels; level++) {
		jsonw_array(w);
		for (uint32_t i = first[level]; i < first[level + 1]; i++)
			jsonw_strz(w, id_uuid(g->nodes[nodes[i]].id, id));
		jsonw_array_end(w);
	}
	jsonw_array_end(w);
}

void picjson_write(const struct graph *g, struct str *out)
{
	struct jsonw w = jsonw_start(out);

	jsonw_object(&w);
	add_dataset(&w, g);
	jsonw_key(&w, "nodes");
	jsonw_array(&w);
	for (uint32_t i = 0; i < g->n_nodes; i++)
		add_node(&w, &g->nodes[i]);
	jsonw_array_end(&w);
	jsonw_key(&w, "edges");
	jsonw_array(&w);
	for (uint32_t i = 0; i < g->n_edges; i++) {
		jsonw_object(&w);
		add_id(&w, "parent_id", g->nodes[g->edges[i].parent].id);
		add_id(&w, "child_id", g->nodes[g->edges[i].child].id);
		jsonw_end(&w);
	}
	jsonw_array_end(&w);
	add_levels(&w, g);
	jsonw_end(&w);
	str_addc(out, '\n');
}
