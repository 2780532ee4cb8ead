#include "domain/picform.h"

#include "drawn.h"

int main(void)
{
	struct graph g CLEANUP(graph_release) = GRAPH_INIT;
	struct str out CLEANUP(str_release) = STR_INIT;
	const struct picture p = PICTURE_INIT;
	static const char *const ours[][2] = {
		{ "dot", "digraph" }, { "mermaid", "flowchart" }, { "tree", "plan\n" }, { "json", "{" },
	};

	CHECK_STR(picform_of("png", "x.svg"), "png", "the type that was asked for");
	CHECK_STR(picform_of(NULL, "x.svg"), "svg", "else the suffix of the file");
	CHECK_STR(picform_of(NULL, "a.b/x.tar.gz"), "gz", "the last one");
	CHECK_STR(picform_of(NULL, NULL), "dot", "else dot");
	CHECK_STR(picform_of(NULL, "-"), "dot", "also on standard output");
	CHECK_STR(picform_of(NULL, "a.b/x"), "dot", "a directory has no suffix");
	CHECK_STR(picform_of(NULL, "a/.svg"), "dot", "nor has a hidden file");
	CHECK_STR(picform_of(NULL, "x."), "dot", "nor a dot alone");
	CHECK_STR(picform_of(NULL, "x.htm"), "html", "htm");
	CHECK_STR(picform_of(NULL, "x.mmd"), "mermaid", "mmd");
	CHECK_STR(picform_of(NULL, "x.txt"), "tree", "txt");
	CHECK_STR(picform_of("gv", NULL), "dot", "gv");
	drawn_graph(&g, "a b", "a>b");
	for (size_t i = 0; i < ARRAY_LEN(ours); i++) {
		str_reset(&out);
		CHECK(picform_write(ours[i][0], &g, &p, &out) && span_starts(str_span(&out), ours[i][1]),
		      "%s needs no layout", ours[i][0]);
		CHECK(!picform_is_drawn(ours[i][0]), "and is not drawn");
	}
	str_reset(&out);
	CHECK(!picform_write("svg", &g, &p, &out) && out.n == 0 && picform_is_drawn("svg"), "svg does");
	CHECK(picform_is_drawn("html"), "html too");
	CHECK(!picform_is_drawn("png"), "png is written by Graphviz");
	return unit_done();
}
