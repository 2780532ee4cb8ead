#include "domain/picjson.h"

#include "base/json.h"
#include "drawn.h"

#define ID(n) "\"0000000" #n "-0000-0000-0000-000000000000\""

int main(void)
{
	struct graph g CLEANUP(graph_release) = GRAPH_INIT;
	struct str out CLEANUP(str_release) = STR_INIT;
	struct json_error je;
	struct err e;

	drawn_graph(&g, "a=running b", "a>b");
	g.nodes[0].has_batch = g.nodes[0].has_run = true;
	g.nodes[0].done = 3;
	g.nodes[0].total = 10;
	g.nodes[0].failed = 1;
	g.nodes[0].link = SPAN_LIT("http://h");
	g.nodes[0].since_us = 1;
	picjson_write(&g, &out);
	CHECK_STR(str_z(&out), "{\"dataset\":{\"id\":" ID(0) ",\"name\":\"plan\",\"stored\":true,\"paused\":false},"
		  "\"nodes\":[{\"id\":" ID(1) ",\"name\":\"a\",\"version\":\"1\",\"compute\":\"cams\",\"eager\":true,"
		  "\"state\":\"running\",\"level\":0,\"done\":3,\"total\":10,\"failed\":1,\"run_id\":" ID(0) ","
		  "\"link\":\"http://h\",\"since\":\"1970-01-01T00:00:00.000001+00:00\"},"
		  "{\"id\":" ID(2) ",\"name\":\"b\",\"version\":\"1\",\"compute\":\"cams\",\"eager\":true,"
		  "\"state\":null,\"level\":1,\"done\":null,\"total\":null,\"failed\":null,\"run_id\":null,"
		  "\"link\":null,\"since\":null}],\"edges\":[{\"parent_id\":" ID(1) ",\"child_id\":" ID(2) "}],"
		  "\"levels\":[[" ID(1) "],[" ID(2) "]]}\n", "every member is there");

	drawn_graph(&g, "a b c d", "a>c b>c c>d");
	str_reset(&out);
	picjson_write(&g, &out);
	CHECK(drawn_has(&out, "\"levels\":[[" ID(1) "," ID(2) "],[" ID(3) "],[" ID(4) "]]"),
	      "levels: those without parents, those that need nothing but these, and so on");

	graph_release(&g);
	drawn_node(&g, DRAWN_HOSTILE)->link = SPAN_LIT(DRAWN_HOSTILE);
	CHECK(graph_settle(&g, &e) == 0, "a hostile name");
	str_reset(&out);
	picjson_write(&g, &out);
	CHECK(json_scan(str_span(&out), NULL, NULL, &je) == 0, "is JSON all the same");
	CHECK(drawn_is_harmless(&out), "without control characters");
	graph_release(&g);
	CHECK(graph_settle(&g, &e) == 0, "an empty graph");
	str_reset(&out);
	picjson_write(&g, &out);
	CHECK(drawn_has(&out, "\"stored\":false,\"paused\":null},\"nodes\":[],\"edges\":[],\"levels\":[]}\n"),
	      "is one too");
	return unit_done();
}
