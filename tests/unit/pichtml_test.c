#include "domain/pichtml.h"

#include "drawn.h"

int main(void)
{
	struct graph g CLEANUP(graph_release) = GRAPH_INIT;
	struct str out CLEANUP(str_release) = STR_INIT;
	struct picsvg_box boxes[2] = { { 25, 10, 50, 20 }, { 125, 10, 50, 20 } };
	const struct picsvg_layout l = { .width = 150, .height = 20, .boxes = boxes };
	struct picture p = PICTURE_INIT;
	struct err e;

	drawn_graph(&g, "a=failed b=success", "b>a");
	g.nodes[0].link = SPAN_LIT("https://h/?a&b");
	g.nodes[0].has_batch = g.nodes[0].has_run = true;
	g.nodes[0].done = 1;
	g.nodes[0].total = 4;
	g.nodes[0].failed = 3;
	g.nodes[0].since_us = 1000000;
	g.nodes[1].link = SPAN_LIT("javascript:alert(1)");
	pichtml_write(&g, &p, &l, SPAN_LIT("{\"name\":\"</pre>\"}"), &out);
	CHECK(span_starts(str_span(&out), "<!DOCTYPE html>\n<html lang=\"en\">"), "a page");
	CHECK(drawn_has(&out, "<title>plan</title>") && drawn_has(&out, "<h1>plan</h1>\n<p>failed, 1 of 2 done</p>"),
	      "its heading says how it stands");
	CHECK(drawn_has(&out, "default-src 'none'") && !strstr(str_z(&out), "<script"), "no network, no script");
	CHECK(drawn_has(&out, "name=\"viewport\"") && drawn_has(&out, "@media (max-width:80rem){"), "small screens");
	CHECK(drawn_has(&out, "prefers-color-scheme:dark"), "dark ones");
	CHECK(drawn_has(&out, "<figure tabindex=\"0\"") && drawn_has(&out, "<svg "), "the picture");
	CHECK(drawn_has(&out, "<li class=\"failed\"><span class=\"swatch\"></span>✗ 1 failed</li>") &&
	      drawn_has(&out, "<span class=\"failed\" style=\"flex:1\">"), "its legend says how many there are");
	CHECK(drawn_has(&out, ".failed>.swatch,.bar .failed{background:#ff0000"), "and with which colour");
	CHECK(drawn_has(&out, "<tr id=\"r-00000001-0000-0000-0000-000000000000\"><th scope=\"row\"><a href=\"#p-00000001-"),
	      "a row leads to its box");
	CHECK(drawn_has(&out, "<a href=\"#r-00000001-"), "and a box to its row");
	CHECK(strstr(str_z(&out), ">b</a></th>") < strstr(str_z(&out), ">a</a></th>"), "parents before children");
	CHECK(drawn_has(&out, "✗ failed</span>"), "a state is not only a colour");
	CHECK(drawn_has(&out, ">1 of 4 (25 %)</td>") && drawn_has(&out, "data-label=\"Failed\">3</td>"), "counts");
	CHECK(drawn_has(&out, "<code>00000000-0000-0000-0000-000000000000</code></td>"), "the run");
	CHECK(drawn_has(&out, "href=\"https://h/?a&amp;b\">https://h/?a&amp;b</a>"), "a link");
	CHECK(drawn_has(&out, ">javascript:alert(1)</td>"), "what is no link is text");
	CHECK(drawn_has(&out, "<time datetime=\"1970-01-01T00:00:01Z\">1970-01-01 00:00:01</time></td>"), "since when");
	CHECK(drawn_has(&out, "<pre>{&quot;name&quot;:&quot;&lt;/pre&gt;&quot;}</pre>"), "the plan");

	drawn_graph(&g, "a b", "a>b");
	str_reset(&out);
	pichtml_write(&g, &p, &l, SPAN_LIT("{}"), &out);
	CHECK(drawn_has(&out, "<th scope=\"col\">Compute</th></tr>") && !strstr(str_z(&out), "<ul"),
	      "a plan has no states, and columns that would be empty are left out");
	CHECK(drawn_has(&out, "@media screen and (max-width:48rem){"), "so it is a table on smaller screens too");
	graph_release(&g);
	CHECK(graph_settle(&g, &e) == 0, "an empty plan");
	str_reset(&out);
	pichtml_write(&g, &p, &l, SPAN_LIT("{}"), &out);
	CHECK(!strstr(str_z(&out), "<table") && !strstr(str_z(&out), "<figure") &&
	      drawn_has(&out, "0 data products"), "has neither picture nor table");
	struct picsvg_layout tall = l;
	tall.height = 3000;
	drawn_graph(&g, "a b", "a>b");
	str_reset(&out);
	pichtml_write(&g, &p, &tall, SPAN_LIT("{}"), &out);
	CHECK(drawn_has(&out, "<figure class=\"tall\""), "a picture that is too tall for all screens is made to fit");

	graph_release(&g);
	struct graph_node *v = drawn_node(&g, DRAWN_HOSTILE);
	v->link = v->version = g.name = SPAN_LIT(DRAWN_HOSTILE);
	CHECK(graph_settle(&g, &e) == 0, "hostile texts");
	p.title = DRAWN_HOSTILE;
	str_reset(&out);
	pichtml_write(&g, &p, &l, SPAN_LIT(DRAWN_HOSTILE), &out);
	CHECK(drawn_is_harmless(&out), "no control character comes through");
	CHECK(!strstr(str_z(&out), "</script>") && !strstr(str_z(&out), "<b>") && !strstr(str_z(&out), "&foo;"),
	      "no tag and no entity of them");
	return unit_done();
}
