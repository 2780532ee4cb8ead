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
	CHECK(drawn_has(&out, "<title>plan</title>") && drawn_has(&out, "<h1>plan</h1>\n<p>failed, 1 of 2 done"),
	      "its heading says how it stands");
	CHECK(drawn_has(&out, "default-src 'none'") && !strstr(str_z(&out), "<script"), "no network, no script");
	CHECK(drawn_has(&out, "name=\"viewport\"") && drawn_has(&out, "max-width:45rem"), "small screens");
	CHECK(drawn_has(&out, "prefers-color-scheme:dark"), "dark ones");
	CHECK(drawn_has(&out, "<svg ") && drawn_has(&out, "class=\"legend\""), "the picture with a legend");
	CHECK(strstr(str_z(&out), ">b</a></th>") < strstr(str_z(&out), ">a</a></th>"), "parents before children");
	CHECK(drawn_has(&out, "✗ failed</span>"), "a state is not only a colour");
	CHECK(drawn_has(&out, ">1 of 4 (25 %)</td>") && drawn_has(&out, "data-label=\"Failed\">3</td>"), "counts");
	CHECK(drawn_has(&out, "<code>00000000-0000-0000-0000-000000000000</code></td>"), "the run");
	CHECK(drawn_has(&out, "href=\"https://h/?a&amp;b\">https://h/?a&amp;b</a>"), "a link");
	CHECK(drawn_has(&out, ">javascript:alert(1)</td>"), "what is no link is text");
	CHECK(drawn_has(&out, ">1970-01-01T00:00:01Z</td>"), "since when");
	CHECK(drawn_has(&out, "<pre>{&quot;name&quot;:&quot;&lt;/pre&gt;&quot;}</pre>"), "the plan");

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
