/* sse: event streams as the WHATWG HTML standard reads them. */
#include "domain/sse.h"

#include <string.h>

#include "base/mem.h"
#include "unit.h"

/* All events as "type|data;"; of one that the end cut off, "~" for ";". */
static void read_all(struct span text, struct str *out)
{
	struct sse s CLEANUP(sse_release) = sse_start(text);
	struct sse_event ev;

	while (sse_next(&s, &ev)) {
		str_add(out, ev.type.p ? ev.type.p : "", ev.type.n);
		str_addc(out, '|');
		str_addspan(out, ev.data);
		str_addc(out, ev.ended ? ';' : '~');
	}
}

static void events_are(struct span text, const char *want, const char *rule)
{
	struct str got CLEANUP(str_release) = STR_INIT;

	read_all(text, &got);
	CHECK_STR(str_z(&got), want, "%s", rule);
}
#define EVENTS(text, want, rule) events_are(SPAN_LIT(text), want, rule)

static void standard(void)
{
	/* The examples of the standard. */
	EVENTS("data: YHOO\ndata: +2\ndata: 10\n\n", "|YHOO\n+2\n10;", "data lines are joined by LF");
	EVENTS(": test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\ndata:  third event",
	       "|first event;|second event;| third event~",
	       "comments, ids, one space goes, the last event has no end");
	EVENTS("data\n\ndata\ndata\n\ndata:", "|;|\n;|~", "data without a value");
	EVENTS("data:test\n\ndata: test\n\n", "|test;|test;", "with and without the space");
	EVENTS("event: add\ndata: 73857293\n\nevent: remove\ndata: 2153\n\ndata: x\n\n",
	       "add|73857293;remove|2153;|x;", "a type is that of one event");
}

static void details(void)
{
	EVENTS("", "", "no text, no event");
	events_are(SPAN_NONE, "", "not even a place");
	EVENTS("\n\n\r\n", "", "empty lines are none");
	EVENTS("event: x\n\ndata: y\n\n", "|y;", "a type without data is forgotten");
	EVENTS("event: x\nevent: y\ndata: z\n\n", "y|z;", "the last type counts");
	EVENTS("event: x\nevent\ndata: z\n\n", "|z;", "an empty one, too");
	EVENTS("\xef\xbb\xbf" "data: a\n\n", "|a;", "a byte order mark at the start");
	EVENTS("data: a\n\n\xef\xbb\xbf" "data: b\n\n", "|a;", "is only skipped there");
	EVENTS("database: a\nDATA: b\ndata : c\n data: d\nretry: 5\nx\n\n", "", "other fields");
	EVENTS("data: a:b: c\n\n", "|a:b: c;", "the first colon ends the name");
	EVENTS("data: a\rdata: b\r\ndata: c\n\rdata: d\r\r", "|a\nb\nc;|d;", "CR, CR LF and LF");
	EVENTS("data: a\r\n\r\ndata: b\r\n\r", "|a;|b;", "CR LF is one end, at the very end too");
	EVENTS("data: {\"a\":\ndata: 1}\n:\n\n", "|{\"a\":\n1};", "comments within an event");
	EVENTS("data: a\xff\n\n", "|a\xff;", "bytes are not looked at");
	struct sse s CLEANUP(sse_release) = sse_start(SPAN_LIT("data: a\0b\n\n"));
	struct sse_event ev;
	CHECK(sse_next(&s, &ev) && ev.data.n == 3 && memcmp(ev.data.p, "a\0b", 3) == 0,
	      "nor is NUL anything else");
	CHECK(!sse_next(&s, &ev) && !sse_next(&s, &ev), "the end stays the end");
}

static const char text[] = ": c\n\nevent: a\ndata: 1\n\ndata\ndata:  2\ndata:3\n\n\nid: 7\ndata: 4\n\n";
static const char whole[] = "a|1;|\n 2\n3;|4;";

/* Each way to end a line gives the same events. */
static void line_ends(void)
{
	static const char *const ends[] = { "\n", "\r", "\r\n" };

	for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
		struct str other CLEANUP(str_release) = STR_INIT;
		for (const char *p = text; *p; p++)
			*p == '\n' ? str_addz(&other, ends[i]) : str_addc(&other, *p);
		events_are(str_span(&other), whole, i == 0 ? "LF" : i == 1 ? "CR" : "CR LF");
	}
}

/* What was cut off anywhere begins with the same events. */
static void prefixes(void)
{
	int wrong = 0;

	for (size_t n = 0; n < sizeof text; n++) {
		struct str got CLEANUP(str_release) = STR_INIT;
		char *copy CLEANUP(mem_cleanup) = mem_copy(text, n);
		read_all((struct span){ copy, n }, &got);
		char *cut = strchr(str_z(&got), '~');
		size_t same = cut ? (size_t)(strrchr(str_z(&got), ';') ? strrchr(str_z(&got), ';')
					     - got.p + 1 : 0) : got.n;
		wrong += strncmp(str_z(&got), whole, same) != 0;
	}
	CHECK_INT(wrong, 0, "a text cut off at any byte begins with the same events");
}

static void begins(void)
{
	static const struct { const char *text; bool yes; } all[] = {
		{ "data: x", true }, { "data:{", true }, { ": ping\n\n", true }, { ":", true },
		{ "event: message_start\n", true }, { "id: 1\n", true }, { "retry: 5\n", true },
		{ "\n\r\ndata: x", true }, { "\xef\xbb\xbf" "data:", true },
		{ "", false }, { "\n", false }, { "data", false }, { "database: x", false },
		{ "{\"data\":1}", false }, { "<html>", false }, { " data: x", false },
		{ "[DONE]", false },
	};

	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		CHECK(sse_begins(span_of(all[i].text)) == all[i].yes, "text %zu begins %s", i,
		      all[i].yes ? "an event stream" : "none");
	CHECK(!sse_begins(SPAN_NONE), "nothing begins none");
}

int main(void)
{
	standard();
	details();
	line_ends();
	prefixes();
	begins();
	return unit_done();
}
