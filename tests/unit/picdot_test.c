#include "domain/picdot.h"

#include "drawn.h"

static const char *quote(struct span v)
{
	static struct str out;

	str_reset(&out);
	picdot_quote(&out, v);
	return str_z(&out);
}

static int count(const char *text, const char *part)
{
	int n = 0;

	for (; (text = strstr(text, part)); text++)
		n++;
	return n;
}

int main(void)
{
	struct graph g CLEANUP(graph_release) = GRAPH_INIT;
	struct str out CLEANUP(str_release) = STR_INIT, again CLEANUP(str_release) = STR_INIT;
	struct picture p = PICTURE_INIT;

	CHECK_STR(quote(SPAN_LIT("a\"b")), "\"a\\\"b\"", "a quote does not end the string");
	CHECK_STR(quote(SPAN_LIT("\\N\\")), "\"\\\\N\\\\\"", "an escape means nothing");
	CHECK_STR(quote(SPAN_LIT("a\nb")), "\"a\\nb\"", "lines are parted");
	CHECK_STR(quote(SPAN_LIT("a&b & c")), "\"a&amp;b &amp; c\"", "an ampersand is one");
	CHECK_STR(quote(SPAN_LIT("&amp;&#1;&;")),
		  "\"&amp;\xe2\x80\x8c""amp;&amp;\xe2\x80\x8c#1;&amp;\xe2\x80\x8c;\"",
		  "what looks like an entity is none");

	drawn_graph(&g, "a=success b=disabled c", "a>b b>c");
	picdot_write(&g, &p, &out);
	CHECK(drawn_has(&out, "digraph \"plan\" {\n\tgraph [rankdir=LR"), "from left to right");
	CHECK(drawn_has(&out, "label=\"a:1\""), "a node is labelled name:version");
	CHECK(drawn_has(&out, "color=\"#008000\"];"), "in the colour of its state");
	CHECK(drawn_has(&out, "fillcolor=\"#c0c0c0\""), "a disabled one is filled");
	CHECK_INT(count(str_z(&out), " -> "), 2, "a line per dependency");
	CHECK(!strstr(str_z(&out), "splines"), "a small graph may take its time");
	picdot_write(&g, &p, &again);
	CHECK_STR(str_z(&again), str_z(&out), "the same graph gives the same bytes");

	p = (struct picture){ .top_down = true, .progress = true, .legend = true, .title = "A \"title\"",
			      .theme = PICTURE_COLORBLIND };
	str_reset(&out);
	picdot_write(&g, &p, &out);
	CHECK(drawn_has(&out, "rankdir=TB"), "from top to bottom");
	CHECK(drawn_has(&out, "label=\"A \\\"title\\\"\", labelloc=t"), "a title above");
	CHECK(drawn_has(&out, "a:1\\n✓ success"), "the state in words");
	CHECK(drawn_has(&out, "cluster_legend") && drawn_has(&out, "legend_disabled [") &&
	      !strstr(str_z(&out), "legend_failed"), "a legend of the states there are");

	str_reset(&out);
	picdot_layout(&g, &p, &out);
	CHECK_STR(str_z(&out), "digraph \"layout\" {\n\tgraph [rankdir=TB, fontname=\"Helvetica,Arial,sans-serif\","
		  " nodesep=0.3];\n\tnode [shape=box, label=\"\", fixedsize=true];\n"
		  "\t0 [width=1.16667, height=0.72222];\n\t1 [width=1.15278, height=0.72222];\n"
		  "\t2 [width=0.75000, height=0.50000];\n\t0 -> 1;\n\t1 -> 2;\n}\n",
		  "for a layout: boxes and nothing that a font decides");

	graph_release(&g);
	g.name = SPAN_LIT(DRAWN_HOSTILE);
	drawn_node(&g, DRAWN_HOSTILE)->link = SPAN_LIT("http://h/&foo;");
	struct err e;
	CHECK(graph_settle(&g, &e) == 0, "a hostile graph");
	str_reset(&out);
	picdot_write(&g, &p, &out);
	CHECK(drawn_is_harmless(&out), "no control character comes through");
	CHECK(!strstr(str_z(&out), "http:"), "no link is in it");

	graph_release(&g);
	for (int i = 0; i <= PICDOT_LARGE; i++)
		drawn_node(&g, "n");
	CHECK(graph_settle(&g, &e) == 0, "a large graph");
	str_reset(&out);
	picdot_write(&g, &p, &out);
	CHECK(drawn_has(&out, "nslimit="), "a large graph is laid out in a hurry");

	graph_release(&g);
	for (uint32_t i = 0; i < 180; i++) {
		drawn_node(&g, "n");
		if (i > 0)
			graph_edge(&g, i - 1, i);
		if (i > 1)
			graph_edge(&g, 0, i);
	}
	CHECK(graph_settle(&g, &e) == 0, "long edges");
	str_reset(&out);
	picdot_layout(&g, &p, &out);
	CHECK(drawn_has(&out, "nslimit=0.02"), "they are many nodes to dot, which hurries even more");
	return unit_done();
}
