#include "domain/pichtml.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/num.h"

static const char head[] =
	"<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
	"<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
	"<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none';"
	" style-src 'unsafe-inline'\">\n"
	"<meta name=\"color-scheme\" content=\"light dark\">\n"
	"<meta name=\"referrer\" content=\"no-referrer\">\n<title>";

static const char style[] =
	"</title>\n<style>\n"
	":root{--page:#ffffff;--text:#1b1f24;--faint:#57606a;--rule:#d0d7de;--tint:#f3f5f7;--link:#0550ae}\n"
	"@media (prefers-color-scheme:dark){:root{--page:#0d1117;--text:#e6edf3;--faint:#9da7b1;"
	"--rule:#30363d;--tint:#1a2029;--link:#79b8ff}}\n"
	"*{box-sizing:border-box}\n"
	"body{margin:0 auto;padding:1.5rem;max-width:92rem;background:var(--page);color:var(--text);"
	"font:.9375rem/1.5 system-ui,Helvetica,Arial,sans-serif;overflow-wrap:anywhere}\n"
	"h1{font-size:1.5rem;line-height:1.25;margin:0 0 .25rem}h2{font-size:1.125rem;margin:2rem 0 .5rem}\n"
	"p{margin:.25rem 0}a{color:var(--link);text-underline-offset:.15em}.faint{color:var(--faint)}\n"
	"code,pre{font-family:ui-monospace,Menlo,Consolas,monospace;font-size:.8125rem}p code{display:inline-block}\n"
	".bar{display:flex;gap:2px;height:.5rem;margin:.75rem 0 .5rem;border-radius:4px;overflow:hidden}"
	".bar span{min-width:2px}\n"
	".states{display:flex;flex-wrap:wrap;gap:.25rem 1.25rem;margin:0;padding:0;list-style:none}\n"
	".swatch{display:inline-block;width:.8em;height:.8em;border:2px solid;border-radius:3px;"
	"margin-right:.4em;vertical-align:-.05em}\n"
	"figure{margin:.5rem 0;padding:.25rem;overflow:auto;border:1px solid var(--rule);border-radius:6px}\n"
	"figure svg{display:block;margin:0 auto;max-width:100%;height:auto}figure.tall svg{max-height:90vh}\n"
	"#full:checked~figure{max-height:90vh}#full:checked~figure svg{max-width:none;max-height:none}\n"
	"figure .box{vector-effect:non-scaling-stroke}\n"
	"#full{margin:0 .4em 0 0;vertical-align:-.1em}\n"
	"figure a:focus-visible .box,figure g:target .box{filter:drop-shadow(0 0 3px var(--link))"
	" drop-shadow(0 0 3px var(--link))}\n"
	"table{border-collapse:collapse;width:100%}\n"
	"th,td{text-align:left;vertical-align:top;padding:.4rem .75rem .4rem 0;border-bottom:1px solid var(--rule)}\n"
	"thead th{position:sticky;top:0;background:var(--page);color:var(--faint);font-weight:600;"
	"white-space:nowrap;border:0;box-shadow:inset 0 -1px var(--rule)}\n"
	"tbody th{font-weight:600}tbody tr:hover{background:var(--tint)}tbody tr{scroll-margin-top:3rem}"
	"tbody tr:target{background:var(--tint);"
	"outline:2px solid var(--link)}\n"
	"td.nowrap{white-space:nowrap}td.link{min-width:12rem}td.run{min-width:9.5rem}"
	"@media (min-width:84rem){td.run{white-space:nowrap}}tbody th{min-width:9rem}\n"
	".number{text-align:right;font-variant-numeric:tabular-nums}time{font-variant-numeric:tabular-nums}\n"
	"summary{cursor:pointer}pre{max-height:80vh;overflow:auto;white-space:pre-wrap;margin:.5rem 0;"
	"border:1px solid var(--rule);border-radius:6px;padding:.75rem}\n"
	"@media print{body{padding:0;max-width:none;font-size:9pt}.full,#full{display:none}"
	"figure{border:0;padding:0;overflow:visible}figure svg,#full:checked~figure svg{max-width:100%;"
	"max-height:24cm}thead{display:table-header-group}thead th{position:static}tr,figure{break-inside:avoid}h2{break-after:avoid}"
	".swatch,.bar span{print-color-adjust:exact;-webkit-print-color-adjust:exact}}\n";

/* A table that is too wide for the screen becomes a list. */
static const char list_style[] =
	"{body{padding:1rem}thead{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%)}"
	"table,tbody{display:block}tbody tr{display:flex;flex-wrap:wrap;gap:0 1rem;padding:.6rem 0;"
	"border-bottom:1px solid var(--rule)}\n"
	"tbody td,tbody th{border:0;padding:0;font-size:.875rem;text-align:left;order:1}"
	"tbody th{flex:1 1 calc(100% - 9rem);font-size:1rem;order:0}tbody td.state{order:0;flex:0 0 8rem;font-size:.9375rem;text-align:right}"
	"td.empty{display:none}tbody td::before{content:attr(data-label) \" \";color:var(--faint)}"
	"tbody td.state::before{content:none}}\n";

static const char *const columns[] = {
	"Product", "Version", "Compute", "State", "Done", "Failed", "Run", "Link", "Since (UTC)",
};
enum { PRODUCT, VERSION, COMPUTE, STATE, DONE, FAILED, RUN, LINK, SINCE };

/* Taller pictures are shown as a whole at first.  AROUND: what is beside a picture,
 * its own margins too. */
enum { TALL = 2000, AROUND = 100 };
/* rem: up to WIDE the table is a list, up to NARROW if it has no more than FEW columns. */
enum { FEW = 6, NARROW = 48, WIDE = 80 };

struct page {
	const struct graph *g;
	const struct picture *p;
	struct str *out;
	struct str text;
	int64_t count[STATES];
	bool has[ARRAY_LEN(columns)]; /* is there something in that column? */
	int n_columns;
};

static void page_release(struct page *h)
{
	str_release(&h->text);
}

static void survey(struct page *h)
{
	graph_count(h->g, h->count);
	h->has[PRODUCT] = h->has[COMPUTE] = true;
	for (uint32_t i = 0; i < h->g->n_nodes; i++) {
		const struct graph_node *v = &h->g->nodes[i];
		h->has[VERSION] |= v->version.n > 0;
		h->has[STATE] |= v->state != STATE_NONE;
		h->has[DONE] |= v->has_batch;
		h->has[FAILED] |= v->has_batch && v->failed > 0;
		h->has[RUN] |= v->has_run;
		h->has[LINK] |= v->link.n > 0;
		h->has[SINCE] |= v->since_us != 0;
	}
	for (size_t i = 0; i < ARRAY_LEN(columns); i++)
		h->n_columns += h->has[i];
}

/* What stands for a state without words, on light and dark pages. */
static void add_colors(struct page *h)
{
	for (int dark = 0; dark < 2; dark++) {
		str_addz(h->out, dark ? "@media (prefers-color-scheme:dark){" : "");
		for (int s = 0; s < STATES; s++) {
			const struct picture_color *c = picture_color(h->p, (enum state)s);
			if (h->count[s] > 0)
				str_addf(h->out, ".%s>.swatch,.bar .%s{background:%s;border-color:%s}",
					 state_text((enum state)s), state_text((enum state)s),
					 picture_solid(c, dark), c->edge && !dark ? c->edge : c->line);
		}
		str_addz(h->out, dark ? "}\n" : "\n");
	}
}

/* --- the table */

/* Returns false if the column is left out. */
static bool add_cell(struct page *h, int column, bool empty, const char *class)
{
	if (!h->has[column])
		return false;
	if (empty)
		class = "empty";
	str_addf(h->out, "<td%s%s%s data-label=\"%s\">", *class ? " class=\"" : "", class, *class ? "\"" : "",
		 columns[column]);
	return true;
}

static void add_text(struct page *h, int column, struct span v)
{
	if (!add_cell(h, column, v.n == 0, column == COMPUTE ? "nowrap" : ""))
		return;
	picture_xml(h->out, v);
	str_addz(h->out, "</td>");
}

static void add_state(struct page *h, const struct graph_node *v)
{
	if (!add_cell(h, STATE, v->state == STATE_NONE, "state nowrap"))
		return;
	if (v->state != STATE_NONE)
		str_addf(h->out, "<span class=\"%s\"><span class=\"swatch\"></span>%s %s</span>",
			 state_text(v->state), picture_sign(v->state), state_text(v->state));
	str_addz(h->out, "</td>");
}

static void add_counts(struct page *h, const struct graph_node *v)
{
	char done[NUM_BUF], total[NUM_BUF];

	if (add_cell(h, DONE, !v->has_batch, "number nowrap")) {
		if (v->has_batch)
			str_addf(h->out, "%s of %s", num_count(v->done, done), num_count(v->total, total));
		if (v->has_batch && v->total > 0)
			str_addf(h->out, " (%d %%)", (int)((double)v->done / (double)v->total * 100));
		str_addz(h->out, "</td>");
	}
	if (add_cell(h, FAILED, !v->has_batch, "number nowrap")) {
		if (v->has_batch)
			str_addz(h->out, num_count(v->failed, done));
		str_addz(h->out, "</td>");
	}
}

/* A link that may be none is shown as text. */
static void add_link(struct page *h, struct span v)
{
	bool link = picture_is_link(v);

	if (!add_cell(h, LINK, v.n == 0, "link"))
		return;
	if (link) {
		str_addz(h->out, "<a rel=\"noopener noreferrer\" href=\"");
		picture_xml(h->out, v);
		str_addz(h->out, "\">");
	}
	str_reset(&h->text);
	if (v.p)
		picture_cut(&h->text, v, PICTURE_LABEL);
	picture_xml(h->out, str_span(&h->text));
	str_addz(h->out, link ? "</a></td>" : "</td>");
}

/* "2026-11-21T18:00:00Z" as "2026-11-21 18:00:00". */
static void add_since(struct page *h, const struct graph_node *v)
{
	char time[CLOCK_BUF];

	if (!add_cell(h, SINCE, v->since_us == 0, "nowrap"))
		return;
	if (v->since_us) {
		clock_text(v->since_us / 1000, time);
		str_addf(h->out, "<time datetime=\"%s\">%.10s %.8s</time>", time, time, time + 11);
	}
	str_addz(h->out, "</td>");
}

static void add_row(struct page *h, const struct graph_node *v)
{
	char id[ID_UUID + 1];

	id_uuid(v->id, id);
	str_addf(h->out, "<tr id=\"r-%s\"><th scope=\"row\"><a href=\"#p-%s\" title=\"%s\">", id, id, id);
	str_reset(&h->text);
	picture_cut(&h->text, v->name, PICTURE_TIP);
	picture_xml(h->out, str_span(&h->text));
	str_addz(h->out, h->text.n > 0 ? "</a></th>" : "(no name)</a></th>");
	str_reset(&h->text);
	picture_cut(&h->text, v->version, PICTURE_TIP);
	add_text(h, VERSION, str_span(&h->text));
	str_reset(&h->text);
	str_addf(&h->text, "%s%s", v->compute, v->eager ? "" : ", by hand");
	add_text(h, COMPUTE, str_span(&h->text));
	add_state(h, v);
	add_counts(h, v);
	if (add_cell(h, RUN, !v->has_run, "run"))
		str_addf(h->out, "<code>%s</code></td>", v->has_run ? id_uuid(v->run, id) : "");
	add_link(h, v->link);
	add_since(h, v);
	str_addz(h->out, "</tr>\n");
}

static void add_table(struct page *h)
{
	str_addz(h->out, "<h2>Data products</h2>\n<table>\n<thead><tr>");
	for (int i = 0; i < (int)ARRAY_LEN(columns); i++)
		if (h->has[i])
			str_addf(h->out, "<th scope=\"col\"%s>%s</th>",
				 i == DONE || i == FAILED ? " class=\"number\"" : "", columns[i]);
	str_addz(h->out, "</tr></thead>\n<tbody>\n");
	for (uint32_t i = 0; i < h->g->n_nodes; i++)
		add_row(h, &h->g->nodes[h->g->order[i]]);
	str_addz(h->out, "</tbody>\n</table>\n");
}

/* --- above it */

/* How many are in which state: a bar, and what its colours mean. */
static void add_states(struct page *h)
{
	static const enum state order[] = { STATE_SUCCESS, STATE_FAILED, STATE_RUNNING, STATE_QUEUED,
					    STATE_WAITING, STATE_DISABLED };
	char n[NUM_BUF];

	str_addz(h->out, "<div class=\"bar\" aria-hidden=\"true\">");
	for (size_t i = 0; i < ARRAY_LEN(order); i++)
		if (h->count[order[i]] > 0)
			str_addf(h->out, "<span class=\"%s\" style=\"flex:%lld\"></span>", state_text(order[i]),
				 (long long)h->count[order[i]]);
	str_addz(h->out, "</div>\n<ul class=\"states\">\n");
	for (size_t i = 0; i < ARRAY_LEN(order); i++)
		if (h->count[order[i]] > 0)
			str_addf(h->out, "<li class=\"%s\"><span class=\"swatch\"></span>%s %s %s</li>\n",
				 state_text(order[i]), picture_sign(order[i]), num_count(h->count[order[i]], n),
				 state_text(order[i]));
	str_addz(h->out, "</ul>\n");
}

static void add_heading(struct page *h, struct span title)
{
	char nodes[NUM_BUF], edges[NUM_BUF], id[ID_UUID + 1];
	int64_t live = h->g->n_nodes - h->count[STATE_DISABLED];

	str_addz(h->out, "</style>\n</head>\n<body>\n<h1>");
	picture_xml(h->out, title);
	str_addz(h->out, "</h1>\n");
	if (h->g->stored)
		str_addf(h->out, "<p>%s, %s of %s done%s</p>\n", graph_standing(h->g),
			 num_count(h->count[STATE_SUCCESS], nodes), num_count(live, edges),
			 h->g->paused ? "; paused" : "");
	else
		str_addz(h->out, "<p>a plan that is not stored</p>\n");
	str_addf(h->out, "<p class=\"faint\">%s data product%s, %s dependenc%s; <code>%s</code></p>\n",
		 num_count(h->g->n_nodes, nodes), h->g->n_nodes == 1 ? "" : "s",
		 num_count(h->g->n_edges, edges), h->g->n_edges == 1 ? "y" : "ies",
		 id_uuid(h->g->id, id));
	if (h->has[STATE])
		add_states(h);
}

/* A picture that is larger than the screen is made to fit, unless the box is
 * ticked; it is there where that makes a difference. */
static void add_picture(struct page *h, const struct picsvg_layout *l)
{
	struct picture inside = *h->p;

	inside.title = NULL; /* it is the page's heading, and so is the legend */
	inside.legend = false;
	str_addz(h->out, "<h2>Picture</h2>\n");
	str_addf(h->out, "<input type=\"checkbox\" id=\"full\"><label class=\"full\" for=\"full\">Full size</label>\n"
		 "<figure%s tabindex=\"0\" aria-label=\"Picture\">\n", l->height > TALL ? " class=\"tall\"" : "");
	picsvg_write(h->g, &inside, l, PICSVG_INLINE, h->out);
	str_addz(h->out, "</figure>\n");
}

void pichtml_write(const struct graph *g, const struct picture *p, const struct picsvg_layout *l,
		   struct span plan, struct str *out)
{
	struct page h CLEANUP(page_release) = { .g = g, .p = p, .out = out, .text = STR_INIT };
	struct str title CLEANUP(str_release) = STR_INIT;
	char buf[ID_UUID + 1];

	survey(&h);
	picture_cut(&title, p->title ? span_of(p->title) : graph_title(g, buf), PICTURE_TIP);
	str_addz(out, head);
	picture_xml(out, str_span(&title));
	str_addz(out, style);
	add_colors(&h);
	str_addf(out, "@media %s(max-width:%drem)%s", h.n_columns > FEW ? "" : "screen and ",
		 h.n_columns > FEW ? WIDE : NARROW, list_style);
	if (l->height <= TALL)
		str_addf(out, "@media (min-width:%.0fpx){.full,#full{display:none}}\n", l->width + AROUND);
	add_heading(&h, str_span(&title));
	if (g->n_nodes > 0) {
		add_picture(&h, l);
		add_table(&h);
	}
	str_addz(out, "<h2>Plan</h2>\n<details><summary>JSON, as fletcher-plan publish reads it</summary>\n<pre>");
	picture_xml(out, plan);
	str_addz(out, "</pre></details>\n</body>\n</html>\n");
}
