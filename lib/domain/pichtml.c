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
	":root{--page:#ffffff;--text:#1b1f24;--faint:#57606a;--rule:#d0d7de;--link:#0550ae}\n"
	"@media (prefers-color-scheme:dark){:root{--page:#0d1117;--text:#e6edf3;--faint:#9da7b1;"
	"--rule:#30363d;--link:#79b8ff}}\n"
	"body{margin:0 auto;padding:1rem;max-width:90rem;background:var(--page);color:var(--text);"
	"font:1rem/1.45 system-ui,Helvetica,Arial,sans-serif;overflow-wrap:anywhere}\n"
	"h1{font-size:1.5rem;margin:0}h2{font-size:1.15rem;margin:1.5rem 0 .5rem}\n"
	"p{margin:.25rem 0}a{color:var(--link)}.faint{color:var(--faint)}\n"
	"figure{margin:1rem 0;overflow:auto;border:1px solid var(--rule);border-radius:6px}\n"
	"figure svg{display:block}\n"
	"table{border-collapse:collapse;width:100%}\n"
	"th,td{text-align:left;vertical-align:top;padding:.35rem .6rem;border-bottom:1px solid var(--rule)}\n"
	"th{white-space:nowrap}td.number{text-align:right;font-variant-numeric:tabular-nums}\n"
	"code,pre{font:.85rem/1.4 ui-monospace,Menlo,Consolas,monospace}\n"
	"pre{overflow:auto;white-space:pre-wrap;border:1px solid var(--rule);border-radius:6px;padding:.75rem}\n"
	".swatch{display:inline-block;width:.8em;height:.8em;border:2px solid;border-radius:3px;"
	"margin-right:.4em;vertical-align:-.1em}\n"
	"tr:target{outline:2px solid var(--link)}summary{cursor:pointer}\n"
	"@media (max-width:45rem){thead{position:absolute;clip-path:inset(50%)}tr{display:block;"
	"border:1px solid var(--rule);border-radius:6px;margin:.5rem 0}\n"
	"tbody td,tbody th{display:flex;gap:1rem;justify-content:space-between;border:0;text-align:right;"
	"white-space:normal}tbody td::before,tbody th::before{content:attr(data-label);font-weight:400;color:var(--faint);"
	"text-align:left;flex:none}td.empty{display:none}}\n"
	"</style>\n</head>\n<body>\n";

static const char *const columns[] = {
	"Product", "Version", "Compute", "State", "Done", "Failed", "Run", "Link", "Since",
};
enum { VERSION = 1, COMPUTE, STATE, DONE, FAILED, RUN, LINK, SINCE };

struct page {
	const struct graph *g;
	const struct picture *p;
	struct str *out;
	struct str text;
};

static void page_release(struct page *h)
{
	str_release(&h->text);
}

static void add_cell(struct page *h, int column, const char *class)
{
	str_addf(h->out, "<td%s%s%s data-label=\"%s\">", *class ? " class=\"" : "", class,
		 *class ? "\"" : "", columns[column]);
}

static void add_text(struct page *h, int column, struct span v)
{
	add_cell(h, column, v.n > 0 ? "" : "empty");
	picture_xml(h->out, v);
	str_addz(h->out, "</td>");
}

static void add_state(struct page *h, const struct graph_node *v)
{
	add_cell(h, STATE, v->state == STATE_NONE ? "empty" : "");
	if (v->state != STATE_NONE) {
		const struct picture_color *c = picture_color(h->p, v->state);
		str_addf(h->out, "<span><span class=\"swatch\" style=\"background:%s;border-color:%s\"></span>"
			 "%s %s</span>", c->line, c->line, picture_sign(v->state), state_text(v->state));
	}
	str_addz(h->out, "</td>");
}

static void add_counts(struct page *h, const struct graph_node *v)
{
	char done[NUM_BUF], total[NUM_BUF];

	add_cell(h, DONE, v->has_batch ? "number" : "empty");
	if (v->has_batch)
		str_addf(h->out, "%s of %s", num_count(v->done, done), num_count(v->total, total));
	if (v->has_batch && v->total > 0)
		str_addf(h->out, " (%d %%)", (int)((double)v->done / (double)v->total * 100));
	str_addz(h->out, "</td>");
	add_cell(h, FAILED, v->has_batch ? "number" : "empty");
	if (v->has_batch)
		str_addz(h->out, num_count(v->failed, done));
	str_addz(h->out, "</td>");
}

/* A link that may be none is shown as text. */
static void add_link(struct page *h, struct span v)
{
	bool link = picture_is_link(v);

	add_cell(h, LINK, v.n > 0 ? "" : "empty");
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

static void add_row(struct page *h, const struct graph_node *v)
{
	char id[ID_UUID + 1], time[CLOCK_BUF];

	id_uuid(v->id, id);
	str_addf(h->out, "<tr><th scope=\"row\" data-label=\"%s\"><a href=\"#p-%s\" title=\"%s\">",
		 columns[0], id, id);
	str_reset(&h->text);
	picture_cut(&h->text, v->name, PICTURE_TIP);
	picture_xml(h->out, str_span(&h->text));
	str_addz(h->out, h->text.n > 0 ? "</a></th>" : "(no name)</a></th>");
	str_reset(&h->text);
	picture_cut(&h->text, v->version, PICTURE_TIP);
	add_text(h, VERSION, str_span(&h->text));
	add_cell(h, COMPUTE, "");
	str_addf(h->out, "%s%s</td>", v->compute, v->eager ? "" : ", by hand");
	add_state(h, v);
	add_counts(h, v);
	add_cell(h, RUN, v->has_run ? "" : "empty");
	if (v->has_run)
		str_addf(h->out, "<code>%s</code>", id_uuid(v->run, id));
	str_addz(h->out, "</td>");
	add_link(h, v->link);
	add_text(h, SINCE, v->since_us ? span_of(clock_text(v->since_us / 1000, time)) : SPAN_NONE);
	str_addz(h->out, "</tr>\n");
}

static void add_table(struct page *h)
{
	str_addz(h->out, "<h2>Data products</h2>\n<table>\n<thead><tr>");
	for (size_t i = 0; i < ARRAY_LEN(columns); i++)
		str_addf(h->out, "<th scope=\"col\">%s</th>", columns[i]);
	str_addz(h->out, "</tr></thead>\n<tbody>\n");
	for (uint32_t i = 0; i < h->g->n_nodes; i++)
		add_row(h, &h->g->nodes[h->g->order[i]]);
	str_addz(h->out, "</tbody>\n</table>\n");
}

static void add_heading(struct page *h, struct span title)
{
	char nodes[NUM_BUF], edges[NUM_BUF], id[ID_UUID + 1];

	str_addz(h->out, "<h1>");
	picture_xml(h->out, title);
	str_addz(h->out, "</h1>\n<p>");
	if (h->g->stored)
		graph_verdict(h->g, h->out);
	else
		str_addz(h->out, "a plan that is not stored");
	str_addf(h->out, "</p>\n<p class=\"faint\">%s data product%s, %s dependenc%s; <code>%s</code></p>\n",
		 num_count(h->g->n_nodes, nodes), h->g->n_nodes == 1 ? "" : "s",
		 num_count(h->g->n_edges, edges), h->g->n_edges == 1 ? "y" : "ies",
		 id_uuid(h->g->id, id));
}

void pichtml_write(const struct graph *g, const struct picture *p, const struct picsvg_layout *l,
		   struct span plan, struct str *out)
{
	struct page h CLEANUP(page_release) = { .g = g, .p = p, .out = out, .text = STR_INIT };
	struct str title CLEANUP(str_release) = STR_INIT;
	char buf[ID_UUID + 1];
	struct picture inside = *p;

	picture_cut(&title, p->title ? span_of(p->title) : graph_title(g, buf), PICTURE_TIP);
	inside.title = NULL; /* it is the page's heading */
	inside.legend = true;
	str_addz(out, head);
	picture_xml(out, str_span(&title));
	str_addz(out, style);
	add_heading(&h, str_span(&title));
	str_addz(out, "<figure>\n");
	picsvg_write(g, &inside, l, PICSVG_INLINE, out);
	str_addz(out, "</figure>\n");
	add_table(&h);
	str_addz(out, "<h2>Plan</h2>\n<details><summary>JSON, as fletcher-plan publish reads it</summary>\n<pre>");
	picture_xml(out, plan);
	str_addz(out, "</pre></details>\n</body>\n</html>\n");
}
