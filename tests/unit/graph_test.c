#include "domain/graph.h"

#include "drawn.h"

static const char *levels(const struct graph *g)
{
	static char text[64];

	for (uint32_t i = 0; i < g->n_nodes; i++)
		text[i] = (char)('0' + g->nodes[i].level);
	text[g->n_nodes] = '\0';
	return text;
}

static const char *verdict(const struct graph *g)
{
	static struct str out;

	str_reset(&out);
	graph_verdict(g, &out);
	return str_z(&out);
}

int main(void)
{
	struct graph g CLEANUP(graph_release) = GRAPH_INIT;
	char buf[ID_UUID + 1];

	CHECK(!drawn_graph(&g, "a b c d", "c>d a>c a>b b>c a>b"), "a graph without cycles settles");
	CHECK_STR(drawn_text(&g), "a b c d a>b a>c b>c c>d", "edges are sorted, the same twice is one");
	CHECK_STR(levels(&g), "0123", "a level is one more than the highest of the parents");
	CHECK_INT(g.n_levels, 4, "so many levels");
	CHECK(g.parents[0] == 0 && g.parents[2] == 2, "parents are counted");
	CHECK(g.first[1] - g.first[0] == 2 && g.first[4] == 4, "edges are found by their parent");

	const bool keep[] = { true, false, true, true };
	graph_narrow(&g, keep);
	CHECK_STR(drawn_text(&g), "a c d a>c c>d", "a part has the edges between what is kept");
	CHECK_STR(levels(&g), "012", "and levels of its own");
	const bool none[] = { false, false, false };
	graph_narrow(&g, none);
	CHECK_INT(g.n_nodes, 0, "nothing is a graph too");

	CHECK_STR(drawn_graph(&g, "a b c", "a>b b>c c>b"), "Graph is cyclical: b -> c -> b",
		  "a cycle is refused by name");
	CHECK_STR(drawn_graph(&g, "a", "a>a"), "Graph is cyclical: a -> a", "also the smallest");
	CHECK(!drawn_graph(&g, "a=waiting b=disabled c=waiting", "a>b b>c c>b"),
	      "a disabled product may be on a cycle");

	CHECK(!drawn_graph(&g, "a=success b=failed c=waiting d=waiting e=disabled", "a>b"), "states");
	g.paused = true;
	CHECK_STR(verdict(&g), "failed, 1 of 4 done, 1 failed, 2 waiting, 1 disabled; paused",
		  "the verdict names the worst first; the disabled are not among the 4");
	CHECK(!drawn_graph(&g, "a=success b=running c=queued", ""), "states");
	g.paused = false;
	CHECK_STR(graph_standing(&g), "running", "in one word");
	CHECK_STR(verdict(&g), "running, 1 of 3 done, 1 running, 1 queued", "running is worse than queued");
	CHECK(!drawn_graph(&g, "a=success", ""), "states");
	g.paused = false;
	CHECK_STR(verdict(&g), "success, 1 of 1 done", "all is well");
	drawn_graph(&g, "a=disabled", "");
	CHECK_STR(graph_standing(&g), "disabled", "so are all");
	graph_release(&g);
	CHECK_STR(graph_standing(&g), "empty", "none are");
	graph_release(&g);
	CHECK_STR(verdict(&g), "", "what is not stored has no verdict");
	CHECK(span_is(graph_title(&g, buf), "00000000-0000-0000-0000-000000000000"),
	      "without a name it is called by its id");
	return unit_done();
}
