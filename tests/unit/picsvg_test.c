#include "domain/picsvg.h"

#include "drawn.h"

/* Nodes in a row, and a line with an arrow. */
static void place(struct picsvg_layout *l, uint32_t nodes)
{
	static const struct picsvg_point points[] = { { 50, 10 }, { 55, 10 }, { 60, 10 }, { 70, 10 } };

	picsvg_layout_release(l);
	l->width = 100 * nodes;
	l->height = 20;
	l->boxes = mem_alloc((nodes + 1) * sizeof *l->boxes);
	for (uint32_t i = 0; i < nodes; i++)
		l->boxes[i] = (struct picsvg_box){ 25 + 100 * i, 10, 50, 20 };
	l->n_lines = 1;
	l->lines = mem_alloc(sizeof *l->lines);
	l->lines[0] = (struct picsvg_line){ NULL, ARRAY_LEN(points), true, { 75, 10 } };
	l->lines[0].points = mem_alloc(sizeof points);
	memcpy(l->lines[0].points, points, sizeof points);
}

int main(void)
{
	struct graph g CLEANUP(graph_release) = GRAPH_INIT;
	struct picsvg_layout l CLEANUP(picsvg_layout_release) = PICSVG_LAYOUT_INIT;
	struct str out CLEANUP(str_release) = STR_INIT, again CLEANUP(str_release) = STR_INIT;
	struct picture p = PICTURE_INIT;
	struct err e;

	drawn_graph(&g, "a=success b=running", "a>b");
	g.nodes[0].link = SPAN_LIT("http://h/?a=1&b=2");
	g.nodes[1].link = SPAN_LIT("javascript:alert(1)");
	g.nodes[1].has_batch = true;
	g.nodes[1].done = 5;
	g.nodes[1].total = 10;
	place(&l, 2);
	picsvg_write(&g, &p, &l, PICSVG_FILE, &out);
	CHECK(drawn_has(&out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<svg xmlns=\"http://www.w3.org/2000/svg\""),
	      "a file of its own begins as XML");
	CHECK(drawn_has(&out, "<g id=\"p-00000001-0000-0000-0000-000000000000\" class=\"success\"><title>a:1\nsuccess"),
	      "a node has an id and a tooltip");
	CHECK(drawn_has(&out, "<a href=\"http://h/?a=1&amp;b=2\" target=\"_blank\" rel=\"noopener noreferrer\">"),
	      "a link is escaped");
	CHECK(!strstr(str_z(&out), "javascript"), "what is no link is none");
	CHECK(drawn_has(&out, "stroke=\"#008000\""), "the colour of the state");
	CHECK(drawn_has(&out, "d=\"M62.00 22.00C67.00 22.00 72.00 22.00 82.00 22.00\""), "the edge");
	CHECK(drawn_has(&out, "d=\"M87.00 22.00L82.00 25.50 82.00 18.50Z\""), "and its arrow");
	CHECK(drawn_has(&out, "prefers-color-scheme:dark"), "it follows a dark page");
	picsvg_write(&g, &p, &l, PICSVG_FILE, &again);
	CHECK_STR(str_z(&again), str_z(&out), "the same graph gives the same bytes");

	p = (struct picture){ .progress = true, .legend = true, .title = "<T>" };
	str_reset(&out);
	picsvg_write(&g, &p, &l, PICSVG_INLINE, &out);
	CHECK(span_starts(str_span(&out), "<svg "), "in a page it is an element");
	CHECK(drawn_has(&out, "<title>&lt;T&gt;: running, 1 of 2 done, 1 running</title>"), "what it is of");
	CHECK(drawn_has(&out, ">5 of 10 done (50 %)</text>"), "counts in words");
	CHECK(drawn_has(&out, "width=\"13.00\" height=\"4\" rx=\"2\" fill=\"#2da44e\""), "and as a bar");
	CHECK(!strstr(str_z(&out), "href=\"http") && drawn_has(&out, "<a href=\"#r-00000001-"),
	      "there a product leads to its row");
	CHECK(drawn_has(&out, "<text x=\"12.00\" y=\"28.00\" font-size=\"16\" class=\"words\" font-weight=\"bold\""
			      " fill=\"#000000\">&lt;T&gt;</text>"), "a title above");
	CHECK(drawn_has(&out, "<g class=\"legend\">\n<g class=\"running\">"), "a legend");

	p.title = "A title that is wider than the picture";
	str_reset(&out);
	picsvg_write(&g, &p, &l, PICSVG_FILE, &out);
	CHECK(drawn_has(&out, " width=\"298pt\""), "which makes the picture wide enough");

	graph_release(&g);
	drawn_node(&g, DRAWN_HOSTILE)->link = SPAN_LIT("http://h/\"><script>");
	g.name = SPAN_LIT(DRAWN_HOSTILE);
	CHECK(graph_settle(&g, &e) == 0, "a hostile name");
	place(&l, 1);
	p = (struct picture){ .title = DRAWN_HOSTILE };
	str_reset(&out);
	picsvg_write(&g, &p, &l, PICSVG_FILE, &out);
	CHECK(drawn_is_harmless(&out), "no control character comes through");
	CHECK(!strstr(str_z(&out), "</script>") && !strstr(str_z(&out), "<b>") && !strstr(str_z(&out), "&foo;"),
	      "no tag and no entity of it");
	graph_release(&g);
	CHECK(graph_settle(&g, &e) == 0, "an empty graph");
	place(&l, 0);
	str_reset(&out);
	picsvg_write(&g, &p, &l, PICSVG_FILE, &out);
	CHECK(drawn_has(&out, "</svg>\n"), "is a picture too");
	return unit_done();
}
