#include "domain/picdot.h"

#include <string.h>

#include "base/mem.h"
#include "base/safe.h"
#include "domain/picsize.h"

enum { POINTS = 72 }; /* in an inch */
#define ZERO_WIDTH_NON_JOINER "\xe2\x80\x8c"

/* Does Graphviz take what stands behind the & for an entity? */
static bool is_entity(struct span v)
{
	size_t n = 0;

	while (n < v.n && (v.p[n] == '#' || (v.p[n] >= '0' && v.p[n] <= '9') ||
			   ((v.p[n] | 32) >= 'a' && (v.p[n] | 32) <= 'z')))
		n++;
	return n < v.n && v.p[n] == ';';
}

void picdot_quote(struct str *out, struct span v)
{
	str_addc(out, '"');
	for (size_t at = 0; at < v.n; at++) {
		char c = v.p[at];
		if (c == '"') {
			str_addz(out, "\\\"");
		} else if (c == '\\') {
			str_addz(out, "\\\\");
		} else if (c == '\n') {
			str_addz(out, "\\n");
		} else if (c == '&') {
			/* Labels are decoded once when they are read; the SVG that 2.42
			 * writes then leaves alone whatever looks like an entity. */
			str_addz(out, "&amp;");
			if (is_entity((struct span){ v.p + at + 1, v.n - at - 1 }))
				str_addz(out, ZERO_WIDTH_NON_JOINER);
		} else {
			str_addc(out, c);
		}
	}
	str_addc(out, '"');
}

static void add_text(struct str *out, const char *key, struct span v)
{
	str_addf(out, ", %s=", key);
	picdot_quote(out, v);
}

/* With the box of its state, beside the attributes of all boxes. */
static void add_color(struct str *out, const struct picture *p, enum state s)
{
	const struct picture_color *c = picture_color(p, s);

	str_addf(out, ", color=\"%s\"", c->line);
	if (strcmp(c->fill, "#ffffff") != 0)
		str_addf(out, ", fillcolor=\"%s\"", c->fill);
	if (c->dashed)
		str_addz(out, ", style=\"filled,dashed\"");
}

static void add_node(struct str *out, const struct picture *p, const struct graph_node *v,
		     struct str *text)
{
	char id[ID_UUID + 1];

	id_uuid(v->id, id);
	str_addf(out, "\t\"%s\" [id=\"p-%s\"", id, id);
	str_reset(text);
	picture_label(text, p, v);
	add_text(out, "label", str_span(text));
	str_reset(text);
	picture_tip(text, v);
	add_text(out, "tooltip", str_span(text));
	add_color(out, p, v->state);
	str_addz(out, "];\n");
}

static void add_legend(struct str *out, const struct graph *g, const struct picture *p)
{
	int64_t count[STATES];
	bool any = false;

	graph_count(g, count);
	for (int s = 0; s < STATES; s++) {
		if (count[s] == 0)
			continue;
		if (!any)
			str_addz(out, "\tsubgraph cluster_legend {\n\t\tlabel=\"legend\"; fontsize=11; color=\"#c0c0c0\";\n"
				      "\t\tnode [fontsize=11, height=0.25, margin=\"0.1,0.04\"];\n");
		any = true;
		str_addf(out, "\t\tlegend_%s [label=\"%s %s\", tooltip=\"%s\"", state_text((enum state)s),
			 picture_sign((enum state)s), state_text((enum state)s), state_text((enum state)s));
		add_color(out, p, (enum state)s);
		str_addz(out, "];\n");
	}
	if (any)
		str_addz(out, "\t}\n");
}

/* Graphviz' dot takes minutes for some thousand nodes unless it is told not to
 * look for the best of all layouts. */
static void add_limits(struct str *out, const struct graph *g)
{
	uint64_t size = (uint64_t)g->n_nodes + g->n_edges, steps = 0;

	for (uint32_t i = 0; i < g->n_edges; i++) {
		uint32_t from = g->nodes[g->edges[i].parent].level, to = g->nodes[g->edges[i].child].level;
		steps += to > from ? to - from : 1;
	}
	if (steps > PICDOT_LONG_STEPS && steps > 4 * size)
		str_addz(out, ", nslimit=0.02, nslimit1=0.1, mclimit=0.02, splines=line");
	else if (size > PICDOT_HUGE || steps > PICDOT_HUGE_STEPS)
		str_addz(out, ", nslimit=0.1, nslimit1=0.1, mclimit=0.1, splines=line");
	else if (size > PICDOT_LARGE)
		str_addz(out, ", nslimit=1, nslimit1=1, mclimit=0.5, splines=line");
}

static void add_start(struct str *out, const struct graph *g, const struct picture *p, struct span name)
{
	str_addz(out, "digraph ");
	picdot_quote(out, name);
	str_addf(out, " {\n\tgraph [rankdir=%s, fontname=\"Helvetica,Arial,sans-serif\"",
		 p->top_down ? "TB" : "LR");
	add_limits(out, g);
}

void picdot_layout(const struct graph *g, const struct picture *p, struct str *out)
{
	struct str text CLEANUP(str_release) = STR_INIT;

	add_start(out, g, p, SPAN_LIT("layout"));
	str_addz(out, ", nodesep=0.3];\n\tnode [shape=box, label=\"\", fixedsize=true];\n");
	for (uint32_t i = 0; i < g->n_nodes; i++) {
		str_reset(&text);
		picture_label(&text, p, &g->nodes[i]);
		struct picsize box = picsize_box(str_span(&text), picture_has_bar(p, &g->nodes[i]));
		str_addf(out, "\t%u [width=%.5f, height=%.5f];\n", i, box.w / POINTS, box.h / POINTS);
	}
	for (uint32_t i = 0; i < g->n_edges; i++)
		str_addf(out, "\t%u -> %u;\n", g->edges[i].parent, g->edges[i].child);
	str_addz(out, "}\n");
}

void picdot_write(const struct graph *g, const struct picture *p, struct str *out)
{
	struct str text CLEANUP(str_release) = STR_INIT;
	char buf[ID_UUID + 1], parent[ID_UUID + 1], child[ID_UUID + 1];

	picture_cut(&text, graph_title(g, buf), PICTURE_LABEL);
	add_start(out, g, p, str_span(&text));
	if (p->title) {
		str_reset(&text);
		picture_cut(&text, span_of(p->title), PICTURE_TIP);
		add_text(out, "label", str_span(&text));
		str_addz(out, ", labelloc=t");
	}
	str_addz(out, "];\n\tnode [shape=box, style=filled, fillcolor=\"#ffffff\", penwidth=2,"
		      " margin=\"0.15,0.08\","
		      " fontname=\"Helvetica,Arial,sans-serif\", fontsize=14];\n"
		      "\tedge [color=\"#606060\"];\n");
	for (uint32_t i = 0; i < g->n_nodes; i++)
		add_node(out, p, &g->nodes[i], &text);
	for (uint32_t i = 0; i < g->n_edges; i++)
		str_addf(out, "\t\"%s\" -> \"%s\";\n", id_uuid(g->nodes[g->edges[i].parent].id, parent),
			 id_uuid(g->nodes[g->edges[i].child].id, child));
	if (p->legend)
		add_legend(out, g, p);
	str_addz(out, "}\n");
}
