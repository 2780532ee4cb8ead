#include "domain/picmermaid.h"

#include <string.h>

#include "base/mem.h"
#include "base/safe.h"

static bool is_plain(char c)
{
	return (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z') ||
	       (c & 0x80) || (c && strchr(" .,:()=+/-", c));
}

/* Harmless text; newlines become line breaks. */
static void add_text(struct str *out, struct span v)
{
	for (size_t i = 0; i < v.n; i++) {
		if (v.p[i] == '\n')
			str_addz(out, "<br/>");
		else if (is_plain(v.p[i]))
			str_addc(out, v.p[i]);
		else
			str_addf(out, "#%u;", (unsigned char)v.p[i]);
	}
}

static const char *class_of(const struct graph_node *v)
{
	return v->state == STATE_NONE ? "none" : state_text(v->state);
}

static void add_node(struct str *out, const struct graph *g, const struct picture *p, uint32_t i,
		     struct str *text)
{
	str_reset(text);
	picture_label(text, p, &g->nodes[i]);
	str_addf(out, "  n%u[\"", i + 1);
	add_text(out, str_span(text));
	str_addf(out, "\"]:::%s\n", class_of(&g->nodes[i]));
}

/* Only what a link may hold anyway, and not a ; or #, which end things here. */
static void add_link(struct str *out, uint32_t i, struct span link)
{
	if (!picture_is_link(link))
		return;
	str_addf(out, "  click n%u href \"", i + 1);
	for (size_t at = 0; at < link.n; at++) {
		if (strchr(";#[]()", link.p[at]) && link.p[at] != '#')
			str_addf(out, "%%%02X", (unsigned char)link.p[at]);
		else
			str_addc(out, link.p[at]);
	}
	str_addz(out, "\" _blank\n");
}

static void add_class(struct str *out, const struct picture *p, enum state s)
{
	const struct picture_color *c = picture_color(p, s);

	str_addf(out, "  classDef %s fill:%s,stroke:%s,color:%s,stroke-width:2px%s\n",
		 s == STATE_NONE ? "none" : state_text(s), c->fill, c->line, c->text,
		 c->dashed ? ",stroke-dasharray:4 3" : "");
}

static void add_title(struct str *out, struct span title, struct str *text)
{
	str_reset(text);
	picture_cut(text, title, PICTURE_TIP);
	str_addz(out, "---\ntitle: \"");
	add_text(out, str_span(text));
	str_addz(out, "\"\n---\n");
}

void picmermaid_write(const struct graph *g, const struct picture *p, struct str *out)
{
	struct str text CLEANUP(str_release) = STR_INIT;
	int64_t count[STATES];
	uint64_t stored = 0;

	graph_count(g, count);
	if (p->title)
		add_title(out, span_of(p->title), &text);
	str_addf(out, "flowchart %s\n", p->top_down ? "TB" : "LR");
	for (uint32_t i = 0; i < g->n_nodes; i++)
		add_node(out, g, p, i, &text);
	for (uint32_t i = 0; i < g->n_edges; i++)
		str_addf(out, "  n%u --> n%u\n", g->edges[i].parent + 1, g->edges[i].child + 1);
	for (uint32_t i = 0; i < g->n_nodes; i++)
		add_link(out, i, g->nodes[i].link);
	if (p->legend) {
		str_addz(out, "  subgraph legend\n");
		for (int s = 0; s < STATES; s++)
			if (count[s] > 0)
				str_addf(out, "    legend_%s[\"%s %s\"]:::%s\n", state_text((enum state)s),
					 picture_sign((enum state)s), state_text((enum state)s),
					 state_text((enum state)s));
		str_addz(out, "  end\n");
	}
	for (int s = 0; s < STATES; s++) {
		stored += (uint64_t)count[s];
		if (count[s] > 0)
			add_class(out, p, (enum state)s);
	}
	if (stored < g->n_nodes)
		add_class(out, p, STATE_NONE);
}
