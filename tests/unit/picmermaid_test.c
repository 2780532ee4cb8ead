#include "domain/picmermaid.h"

#include "drawn.h"

int main(void)
{
	struct graph g CLEANUP(graph_release) = GRAPH_INIT;
	struct str out CLEANUP(str_release) = STR_INIT;
	struct picture p = PICTURE_INIT;
	struct err e;

	drawn_graph(&g, "a=success b", "a>b");
	g.nodes[0].link = SPAN_LIT("https://h/p?a=(1);&b=2");
	g.nodes[1].link = SPAN_LIT("javascript:alert(1)");
	picmermaid_write(&g, &p, &out);
	CHECK_STR(str_z(&out), "flowchart LR\n  n1[\"a:1\"]:::success\n  n2[\"b:1\"]:::none\n  n1 --> n2\n"
		  "  click n1 href \"https://h/p?a=%281%29%3B&b=2\" _blank\n"
		  "  classDef success fill:#ffffff,stroke:#008000,color:#000000,stroke-width:2px\n"
		  "  classDef none fill:#ffffff,stroke:#6e7781,color:#000000,stroke-width:2px\n",
		  "nodes, edges, links that are links, and a class per state");

	p = (struct picture){ .top_down = true, .progress = true, .legend = true, .title = "A \"b\"" };
	str_reset(&out);
	picmermaid_write(&g, &p, &out);
	CHECK(drawn_has(&out, "---\ntitle: \"A #34;b#34;\"\n---\nflowchart TB\n"), "title and direction");
	CHECK(drawn_has(&out, "n1[\"a:1<br/>✓ success\"]"), "the state in words, on a line of its own");
	CHECK(drawn_has(&out, "subgraph legend\n    legend_success["), "a legend");

	graph_release(&g);
	drawn_node(&g, DRAWN_HOSTILE);
	CHECK(graph_settle(&g, &e) == 0, "a hostile name");
	p = (struct picture)PICTURE_INIT;
	str_reset(&out);
	picmermaid_write(&g, &p, &out);
	CHECK(drawn_is_harmless(&out), "no control character comes through");
	CHECK(drawn_has(&out, "n1[\"q#34;#39;#92;N#92;#92;#60;/script#62;#60;b#62;#92;x1b#91;31m"),
	      "what could mean something is an entity code");
	return unit_done();
}
