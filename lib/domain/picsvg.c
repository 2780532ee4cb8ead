#include "domain/picsvg.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "domain/picsize.h"

enum { MARGIN = 12, BAR = 4, TITLE = 30, TITLE_LETTERS = 16 };
enum { SWATCH_W = 22, SWATCH_H = 14, SWATCH = 92, ROW = 20 }; /* of the legend */

void picsvg_layout_release(struct picsvg_layout *l)
{
	for (size_t i = 0; i < l->n_lines; i++)
		free(l->lines[i].points);
	free(l->lines);
	free(l->boxes);
	*l = (struct picsvg_layout)PICSVG_LAYOUT_INIT;
}

struct svg {
	const struct graph *g;
	const struct picture *p;
	const struct picsvg_layout *l;
	struct str *out;
	struct str text;
	enum picsvg_place place;
	double width, height, top;
	int64_t count[STATES + 1]; /* the last: not stored */
};

static void svg_release(struct svg *s)
{
	str_release(&s->text);
}

static const char *class_of(enum state s)
{
	return s == STATE_NONE ? "none" : state_text(s);
}

static enum state state_at(int i)
{
	return i == STATES ? STATE_NONE : (enum state)i;
}

static void add_title(struct svg *s, struct span v)
{
	str_addz(s->out, "<title>");
	picture_xml(s->out, v);
	str_addz(s->out, "</title>");
}

/* "papers: failed, 4 of 11 done" */
static void add_name(struct svg *s)
{
	char buf[ID_UUID + 1];

	str_reset(&s->text);
	picture_cut(&s->text, s->p->title ? span_of(s->p->title) : graph_title(s->g, buf), PICTURE_TIP);
	if (s->p->progress && s->g->stored) {
		str_addz(&s->text, ": ");
		graph_verdict(s->g, &s->text);
	}
}

/* Colours of a dark page; those of a light one stand in the elements, for
 * programs that know no style sheets. */
static void add_style(struct svg *s)
{
	str_addz(s->out, "<style>.fletcher text{font-family:Helvetica,Arial,sans-serif}"
			 "@media (prefers-color-scheme:dark){.fletcher .page{fill:#0d1117}"
			 ".fletcher .line{stroke:#a0a0a0}"
			 ".fletcher .tip{fill:#a0a0a0;stroke:#a0a0a0}");
	for (int i = 0; i <= STATES; i++) {
		const struct picture_color *c = picture_color(s->p, state_at(i));
		const char *class = class_of(state_at(i));
		if (s->count[i] > 0)
			str_addf(s->out, ".fletcher .%s .box{fill:%s}.fletcher .%s text{fill:%s}", class,
				 c->dark_fill, class, c->dark_text);
	}
	str_addz(s->out, ".fletcher text.words{fill:#f0f0f0}}</style>\n");
}

static void add_text(struct svg *s, double x, double y, int letters, const char *attributes,
		     struct span v)
{
	str_addf(s->out, "<text x=\"%.2f\" y=\"%.2f\" font-size=\"%d\"%s>", x, y, letters, attributes);
	picture_xml(s->out, v);
	str_addz(s->out, "</text>");
}

/* What is drawn above the picture is in s->text. */
static bool take_title(struct svg *s)
{
	str_reset(&s->text);
	if (s->p->title)
		picture_cut(&s->text, span_of(s->p->title), PICTURE_LABEL);
	return s->p->title != NULL;
}

static void add_start(struct svg *s)
{
	const char *unit = s->place == PICSVG_FILE ? "pt" : "";

	if (s->place == PICSVG_FILE)
		str_addz(s->out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
	str_addf(s->out, "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"fletcher\" width=\"%.0f%s\""
		 " height=\"%.0f%s\" viewBox=\"0 0 %.2f %.2f\">\n", s->width, unit, s->height, unit,
		 s->width, s->height);
	add_name(s);
	add_title(s, str_span(&s->text));
	str_addc(s->out, '\n');
	add_style(s);
	str_addf(s->out, "<rect class=\"page\" width=\"%.2f\" height=\"%.2f\" fill=\"#ffffff\"/>\n",
		 s->width, s->height);
	if (!take_title(s))
		return;
	add_text(s, MARGIN, MARGIN + TITLE_LETTERS, TITLE_LETTERS,
		 " class=\"words\" font-weight=\"bold\" fill=\"#000000\"", str_span(&s->text));
	str_addc(s->out, '\n');
}

static void add_point(struct svg *s, char before, struct picsvg_point v)
{
	str_addf(s->out, "%c%.2f %.2f", before, v.x + MARGIN, v.y + MARGIN + s->top);
}

static void add_line(struct svg *s, const struct picsvg_line *v)
{
	if (v->n < 4)
		return;
	str_addz(s->out, "<path class=\"line\" fill=\"none\" stroke=\"#606060\" d=\"");
	for (size_t i = 0; i < v->n; i++)
		add_point(s, i == 0 ? 'M' : i == 1 ? 'C' : ' ', v->points[i]);
	str_addz(s->out, "\"/>");
	struct picsvg_point from = v->points[v->n - 1];
	double dx = v->tip.x - from.x, dy = v->tip.y - from.y, length = hypot(dx, dy);
	if (!v->has_tip || length < 0.01) {
		str_addc(s->out, '\n');
		return;
	}
	dx *= 3.5 / length;
	dy *= 3.5 / length;
	str_addz(s->out, "<path class=\"tip\" fill=\"#606060\" stroke=\"#606060\" d=\"");
	add_point(s, 'M', v->tip);
	add_point(s, 'L', (struct picsvg_point){ from.x - dy, from.y + dx });
	add_point(s, ' ', (struct picsvg_point){ from.x + dy, from.y - dx });
	str_addz(s->out, "Z\"/>\n");
}

static void add_box(struct svg *s, enum state state, double x, double y, double w, double h)
{
	const struct picture_color *c = picture_color(s->p, state);
	char place[128];

	snprintf(place, sizeof place, "x=\"%.2f\" y=\"%.2f\" width=\"%.2f\" height=\"%.2f\" rx=\"4\"", x, y,
		 w, h);
	if (c->edge)
		str_addf(s->out, "<rect %s fill=\"none\" stroke=\"%s\" stroke-width=\"3.5\"/>", place, c->edge);
	str_addf(s->out, "<rect class=\"box\" %s fill=\"%s\" stroke=\"%s\" stroke-width=\"2\"%s/>", place,
		 c->fill, c->line, c->dashed ? " stroke-dasharray=\"5 3\"" : "");
}

/* How much of its batch is done, at the foot of the box: x, y is its lower left
 * corner. */
static void add_bar(struct svg *s, const struct graph_node *v, double x, double y, double w)
{
	const struct picture_color *c = picture_color(s->p, v->state);

	x += MARGIN;
	y -= BAR + 5;
	w -= 2 * MARGIN;
	str_addf(s->out, "<rect x=\"%.2f\" y=\"%.2f\" width=\"%.2f\" height=\"%d\" rx=\"2\" fill=\"#808080\""
		 " fill-opacity=\"0.3\"/>", x, y, w, BAR);
	if (v->done > 0)
		str_addf(s->out, "<rect x=\"%.2f\" y=\"%.2f\" width=\"%.2f\" height=\"%d\" rx=\"2\" fill=\"%s\"/>",
			 x, y, w * (double)v->done / (double)v->total, BAR, c->edge ? c->edge : c->line);
}

/* The lines of s->text around the middle: a name, and words below it. */
static void add_lines(struct svg *s, double x, double y, const char *color)
{
	const char *at = str_z(&s->text);
	char attributes[64];
	size_t n = 1;

	for (const char *p = at; (p = strchr(p, '\n')); p++)
		n++;
	snprintf(attributes, sizeof attributes, " text-anchor=\"middle\" fill=\"%s\"", color);
	y -= (double)(n - 1) * PICSIZE_LINE / 2 - 5;
	for (size_t i = 0; i < n; i++, y += PICSIZE_LINE) {
		size_t len = strcspn(at, "\n");
		add_text(s, x, y, i == 0 ? PICSIZE_NAME : PICSIZE_WORDS, attributes, (struct span){ at, len });
		at += len + (at[len] == '\n');
	}
}

/* In a page a product leads to its row of the table, where its link is; returns
 * whether it leads somewhere. */
static bool add_link(struct svg *s, const struct graph_node *v, const char *id)
{
	bool link = picture_is_link(v->link);

	if (s->place == PICSVG_INLINE) {
		str_addf(s->out, "<a href=\"#r-%s\">", id);
		return true;
	}
	if (link) {
		str_addz(s->out, "<a href=\"");
		picture_xml(s->out, v->link);
		str_addz(s->out, "\" target=\"_blank\" rel=\"noopener noreferrer\">");
	}
	return link;
}

static void add_node(struct svg *s, uint32_t i)
{
	const struct graph_node *v = &s->g->nodes[i];
	const struct picsvg_box *b = &s->l->boxes[i];
	double x = b->x + MARGIN, y = b->y + MARGIN + s->top;
	bool bar = picture_has_bar(s->p, v);
	char id[ID_UUID + 1];

	str_addf(s->out, "<g id=\"p-%s\" class=\"%s\">", id_uuid(v->id, id), class_of(v->state));
	str_reset(&s->text);
	picture_tip(&s->text, v);
	add_title(s, str_span(&s->text));
	bool link = add_link(s, v, id);
	add_box(s, v->state, x - b->w / 2, y - b->h / 2, b->w, b->h);
	if (bar)
		add_bar(s, v, x - b->w / 2, y + b->h / 2, b->w);
	str_reset(&s->text);
	picture_label(&s->text, s->p, v);
	add_lines(s, x, y - (bar ? PICSIZE_BAR / 2 : 0), picture_color(s->p, v->state)->text);
	str_addz(s->out, link ? "</a></g>\n" : "</g>\n");
}

/* Swatches in a row get, in several if the picture is narrow. */
static int swatches_in_row(const struct svg *s)
{
	int n = (int)((s->width - 2 * MARGIN) / SWATCH);

	return n < 1 ? 1 : n;
}

static void add_legend(struct svg *s, double y)
{
	int n = 0, row = swatches_in_row(s);

	str_addz(s->out, "<g class=\"legend\">\n");
	for (int i = 0; i < STATES; i++) {
		if (s->count[i] == 0)
			continue;
		int down = n / row;
		double x = MARGIN + (n % row) * SWATCH, at = y + down * ROW;
		str_addf(s->out, "<g class=\"%s\">", class_of(state_at(i)));
		add_box(s, state_at(i), x + 1, at, SWATCH_W, SWATCH_H);
		char ink[64];
		snprintf(ink, sizeof ink, " text-anchor=\"middle\" fill=\"%s\"",
			 picture_color(s->p, state_at(i))->text);
		add_text(s, x + 1 + SWATCH_W / 2.0, at + SWATCH_H - 3, SWATCH_H - 4, ink,
			 span_of(picture_sign(state_at(i))));
		add_text(s, x + SWATCH_W + 8, at + SWATCH_H - 3, PICSIZE_WORDS, " class=\"words\" fill=\"#000000\"",
			 span_of(class_of(state_at(i))));
		str_addz(s->out, "</g>\n");
		n++;
	}
	str_addz(s->out, "</g>\n");
}

/* Room for picture, title and legend. */
static void measure(struct svg *s)
{
	int64_t stored = 0;
	int n = 0;

	graph_count(s->g, s->count);
	for (int i = 0; i < STATES; i++) {
		stored += s->count[i];
		n += s->count[i] > 0;
	}
	s->count[STATES] = s->g->n_nodes - stored;
	s->top = s->p->title ? TITLE : 0;
	s->width = s->l->width + 2 * MARGIN;
	if (s->p->legend && s->width < SWATCH + 2 * MARGIN)
		s->width = SWATCH + 2 * MARGIN;
	double title = take_title(s) ? picsize_text(str_span(&s->text), TITLE_LETTERS) + 2 * MARGIN : 0;
	if (s->width < title)
		s->width = title;
	s->height = s->l->height + 2 * MARGIN + s->top;
	int rows = (n + swatches_in_row(s) - 1) / swatches_in_row(s);
	if (s->p->legend && n > 0)
		s->height += rows * ROW + MARGIN;
}

void picsvg_write(const struct graph *g, const struct picture *p, const struct picsvg_layout *l,
		  enum picsvg_place place, struct str *out)
{
	struct svg s CLEANUP(svg_release) = { .g = g, .p = p, .l = l, .out = out, .place = place,
					       .text = STR_INIT };

	measure(&s);
	add_start(&s);
	for (size_t i = 0; i < l->n_lines; i++)
		add_line(&s, &l->lines[i]);
	for (uint32_t i = 0; i < g->n_nodes; i++)
		add_node(&s, i);
	if (p->legend)
		add_legend(&s, l->height + 2 * MARGIN + s.top);
	str_addz(out, "</svg>\n");
}
