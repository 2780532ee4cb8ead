#include "domain/pictree.h"

#include "drawn.h"

int main(void)
{
	struct graph g CLEANUP(graph_release) = GRAPH_INIT;
	struct str out CLEANUP(str_release) = STR_INIT;
	struct picture p = PICTURE_INIT;
	struct err e;

	drawn_graph(&g, "a b c d e", "a>b a>c b>d c>d d>e");
	pictree_write(&g, &p, &out);
	CHECK_STR(str_z(&out), "plan\na:1\n├── b:1\n│   └── d:1\n│       └── e:1\n└── c:1\n    └── d:1 (above)\n"
		  "\n5 data products, 5 dependencies\n", "what is shared is marked and stands there once");

	drawn_graph(&g, "a=success b=failed", "");
	p.progress = true;
	p.title = "T";
	str_reset(&out);
	pictree_write(&g, &p, &out);
	CHECK_STR(str_z(&out), "T: failed, 1 of 2 done, 1 failed\na:1  ✓ success\nb:1  ✗ failed\n"
		  "\n2 data products, 0 dependencies\n", "roots side by side, with states");

	drawn_graph(&g, "a=waiting b=disabled c=disabled", "a>b b>c c>b");
	p = (struct picture)PICTURE_INIT;
	str_reset(&out);
	pictree_write(&g, &p, &out);
	CHECK_STR(str_z(&out), "plan\na:1\n└── b:1\n    └── c:1\n        └── b:1 (above)\n"
		  "\n3 data products, 3 dependencies\n", "a cycle of disabled products ends");
	drawn_graph(&g, "b=disabled c=disabled", "b>c c>b");
	str_reset(&out);
	pictree_write(&g, &p, &out);
	CHECK(drawn_has(&out, "plan\nb:1\n└── c:1\n"), "also without a root");

	graph_release(&g);
	for (uint32_t i = 0; i < 100000; i++) {
		drawn_node(&g, "n");
		if (i > 0)
			graph_edge(&g, i - 1, i);
	}
	CHECK(graph_settle(&g, &e) == 0, "a chain of 100,000");
	str_reset(&out);
	pictree_write(&g, &p, &out);
	CHECK(drawn_has(&out, "n:1 (below)\nn:1\n└── n:1\n"), "a path that is too long goes on below");
	CHECK(out.n < 32 * 1000 * 1000, "and costs no more than its products: %zu bytes", out.n);

	graph_release(&g);
	drawn_node(&g, DRAWN_HOSTILE);
	CHECK(graph_settle(&g, &e) == 0, "a hostile name");
	str_reset(&out);
	pictree_write(&g, &p, &out);
	CHECK(drawn_is_harmless(&out), "no control character comes through");
	graph_release(&g);
	CHECK(graph_settle(&g, &e) == 0, "an empty graph");
	g.name = SPAN_LIT("plan");
	str_reset(&out);
	pictree_write(&g, &p, &out);
	CHECK_STR(str_z(&out), "plan\n\n0 data products, 0 dependencies\n", "is a tree too");
	return unit_done();
}
