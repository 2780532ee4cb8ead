#include "engine/httphead.h"

#include <curl/curl.h>
#include <string.h>

#include "base/mem.h"
#include "unit.h"

/* All lines, '|' between them. */
static const char *all(struct curl_slist *l)
{
	static struct str text;

	str_reset(&text);
	for (; l; l = l->next)
		str_addf(&text, "%s%s", text.n > 0 ? "|" : "", l->data);
	return str_z(&text);
}

static void own(struct str *lines, const char *line)
{
	str_add(lines, line, strlen(line) + 1);
}

int main(void)
{
	struct err e = ERR_INIT;
	struct httphead *shared = httphead_new();
	struct httphead_nodes nodes = { 0 }, other = { 0 };
	struct str lines = STR_INIT;
	char agent[] = "User-Agent: me/1";

	CHECK_STR(all(httphead_list(&nodes, &lines, agent, NULL)),
		  "User-Agent: me/1|Content-Type:|Expect:", "a call without lines has our name");
	CHECK_INT(httphead_add(shared, SPAN_LIT("X-Key"), SPAN_LIT("secret"), &e), 0, "a shared line");
	CHECK_INT(httphead_add(shared, SPAN_LIT("X-Empty"), SPAN_LIT(""), &e), 0, "an empty one");
	own(&lines, "A: 1");
	own(&lines, "B: 2");
	CHECK_STR(all(httphead_list(&nodes, &lines, agent, shared)),
		  "User-Agent: me/1|B: 2|A: 1|Content-Type:|Expect:|X-Key: secret|X-Empty;",
		  "its own lines stand before the shared ones");
	CHECK_STR(all(httphead_list(&other, &(struct str)STR_INIT, agent, shared)),
		  "User-Agent: me/1|Content-Type:|Expect:|X-Key: secret|X-Empty;",
		  "which other calls have at the same time");
	own(&lines, "user-AGENT: mine");
	CHECK_STR(all(httphead_list(&nodes, &lines, agent, shared)),
		  "user-AGENT: mine|B: 2|A: 1|Content-Type:|Expect:|X-Key: secret|X-Empty;",
		  "a User-Agent of the line replaces ours");
	str_reset(&lines);
	own(&lines, "User-Agent-Extra: x");
	CHECK(strstr(all(httphead_list(&nodes, &lines, agent, shared)), "|User-Agent-Extra: x") != NULL,
	      "another name that begins so does not");
	CHECK_INT(httphead_add(shared, SPAN_LIT("User-Agent"), SPAN_LIT(""), &e), 0, "a shared one");
	str_reset(&lines);
	CHECK_STR(all(httphead_list(&nodes, &lines, agent, shared)),
		  "Content-Type:|Expect:|X-Key: secret|X-Empty;|User-Agent;",
		  "replaces it too, also when it is empty");
	CHECK(httphead_add(shared, SPAN_LIT("X"), SPAN_LIT("a\r\nEvil: 1"), &e) < 0 &&
	      e.code == ERR_INPUT && strstr(e.msg, "'X'"), "CR LF is refused: %s", e.msg);
	CHECK(httphead_add(shared, SPAN_LIT("X Y"), SPAN_LIT("1"), &e) < 0 && e.code == ERR_INPUT,
	      "and a name that is no token (RFC 9110 section 5.1)");
	httphead_free(shared);
	httphead_free(NULL);
	httphead_release(&nodes);
	httphead_release(&other);
	str_release(&lines);
	return unit_done();
}
