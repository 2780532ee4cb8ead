/* drawn: graphs for the tests of what draws them, written in short:
 *     drawn_graph(&g, "a b=success c", "a>b b>c");
 * Products have version 1 and ids 000000NN-0000-0000-0000-000000000000. */
#ifndef FSL_DRAWN_H
#define FSL_DRAWN_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "domain/graph.h"
#include "domain/picture.h"
#include "unit.h"

/* What no writer may let through: quotes, escapes of Graphviz, tags, an ESC, a
 * bidirectional override, a newline, entities, and bytes that are no UTF-8. */
#define DRAWN_HOSTILE "q\"'\\N\\\\</script><b>\x1b[31m\xe2\x80\xae\n&foo;&#1;&amp;\xff\xef\xbf\xbf]]>--%{}[]"

static inline struct graph_node *drawn_node(struct graph *g, const char *name)
{
	struct graph_node *v = graph_node(g);
	const char *state = strchr(name, '=');

	v->id = (struct id){ { 0, 0, 0, (uint8_t)g->n_nodes } };
	v->name = graph_keep(g, (struct span){ name, state ? (size_t)(state - name) : strlen(name) });
	v->version = SPAN_LIT("1");
	v->compute = "cams";
	v->eager = true;
	if (state) {
		v->state = state_of(span_of(state + 1));
		g->stored = true;
	}
	return v;
}

static inline uint32_t drawn_find(const struct graph *g, const char *name)
{
	for (uint32_t i = 0; i < g->n_nodes; i++)
		if (span_is(g->nodes[i].name, name))
			return i;
	abort();
}

/* Settled; NULL, or why it could not be. */
static inline const char *drawn_graph(struct graph *g, const char *nodes, const char *edges)
{
	static struct err e;
	char *names = strdup(nodes), *pairs = strdup(edges), *rest = NULL;

	graph_release(g);
	g->name = SPAN_LIT("plan");
	for (char *n = strtok_r(names, " ", &rest); n; n = strtok_r(NULL, " ", &rest))
		drawn_node(g, n);
	for (char *n = strtok_r(pairs, " ", &rest); n; n = strtok_r(NULL, " ", &rest)) {
		char *child = strchr(n, '>');
		*child++ = '\0';
		graph_edge(g, drawn_find(g, n), drawn_find(g, child));
	}
	free(names);
	free(pairs);
	return graph_settle(g, &e) < 0 ? e.msg : NULL;
}

/* "a b>c": the names of all nodes, and edges. */
static inline const char *drawn_text(const struct graph *g)
{
	static struct str out;

	str_reset(&out);
	for (uint32_t i = 0; i < g->n_nodes; i++) {
		str_addz(&out, i ? " " : "");
		str_addspan(&out, g->nodes[i].name);
	}
	for (uint32_t i = 0; i < g->n_edges; i++) {
		str_addc(&out, ' ');
		str_addspan(&out, g->nodes[g->edges[i].parent].name);
		str_addc(&out, '>');
		str_addspan(&out, g->nodes[g->edges[i].child].name);
	}
	return str_z(&out);
}

static inline bool drawn_has(const struct str *text, const char *part)
{
	bool found = strstr(str_z(text), part) != NULL;

	if (!found)
		printf("# no %s in:\n# %s\n", part, str_z(text));
	return found;
}

/* No control character but newlines and tabs, and no bidirectional override. */
static inline bool drawn_is_harmless(const struct str *text)
{
	for (size_t i = 0; i < text->n; i++)
		if ((unsigned char)text->p[i] < ' ' && !strchr("\n\t", text->p[i]))
			return false;
	return !strstr(str_z(text), "\xe2\x80\xae") && !strchr(str_z(text), '\xff');
}

#endif
