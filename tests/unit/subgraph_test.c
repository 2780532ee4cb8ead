#include "domain/subgraph.h"

#include "drawn.h"

/* What is left of a > b > c > d > e and x > c; or the error. */
static const char *pick(const char *one, const char *two)
{
	static struct graph g;
	static struct err e;
	const char *words[] = { one, two };

	drawn_graph(&g, "a b c d e x c+ 2+y", "a>b b>c c>d d>e x>c");
	g.nodes[7].version = SPAN_LIT("9");
	return subgraph_select(&g, words, two ? 2 : 1, &e) < 0 ? e.msg : drawn_text(&g);
}

int main(void)
{
	struct graph g CLEANUP(graph_release) = GRAPH_INIT;

	CHECK_STR(pick("b", NULL), "b", "NAME alone");
	CHECK_STR(pick("+c", NULL), "a b c x a>b b>c x>c", "+NAME: what it needs");
	CHECK_STR(pick("d+", NULL), "d e d>e", "NAME+: what needs it");
	CHECK_STR(pick("+d+", NULL), "a b c d e x a>b b>c c>d d>e x>c", "both");
	CHECK_STR(pick("1+c+1", NULL), "b c d x b>c c>d x>c", "N+NAME+N: so many steps");
	CHECK_STR(pick("2+c", NULL), "a b c x a>b b>c x>c", "N+NAME");
	CHECK_STR(pick("b+0", NULL), "b", "no step");
	CHECK_STR(pick("a+2", NULL), "a b c a>b b>c", "NAME+N");
	CHECK_STR(pick("b", "e"), "b e", "several: what one of them selects");
	CHECK_STR(pick("b", "c"), "b c b>c", "and the edges between them");
	CHECK_STR(pick("c+", NULL), "c+", "a name with a plus is meant first");
	CHECK_STR(pick("+c+", NULL), "a b c d e x a>b b>c c>d d>e x>c", "as a whole word only");
	CHECK_STR(pick("2+y", NULL), "2+y", "also with digits");
	CHECK_STR(pick("2+y:9", NULL), "2+y", "NAME:VERSION");
	CHECK_STR(pick("00000004-0000-0000-0000-000000000000+", NULL), "d e d>e", "a UUID");
	CHECK_STR(pick("1+00000004", NULL), "c d c>d", "a prefix of it");
	CHECK_STR(pick("0000", NULL), "a b c d e x c+ 2+y a>b b>c c>d d>e x>c", "all that begin so");
	CHECK_STR(pick("f", NULL), "--select: no data product is 'f'", "what nobody has");
	CHECK_STR(pick("b", "+f+3"), "--select: no data product is 'f'", "one of several");
	CHECK_STR(pick("+", NULL), "--select: no data product is ''", "no name");
	CHECK_STR(pick("", NULL), "--select: no data product is ''", "nothing");
	CHECK_STR(pick("3", NULL), "--select: no data product is '3'", "digits alone are a name");
	CHECK_STR(pick("99999999999+c", NULL), "--select: no data product is '99999999999+c'",
		  "too many steps are no steps");

	drawn_graph(&g, "a=success b=disabled c=waiting", "a>b b>c a>c");
	subgraph_live(&g);
	CHECK_STR(drawn_text(&g), "a c a>c", "what is disabled goes, with its edges");
	return unit_done();
}
