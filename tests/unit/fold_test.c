/* fold: a stream becomes what the API gives without one, an error, or a part
 * of an answer. */
#include "domain/fold.h"

#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "unit.h"

static const char *name_of(enum fold_kind kind)
{
	static const char *const names[] = { "none", "whole", "error", "truncated" };

	return names[kind];
}

/* "whole {…}"; the memory of the text ends where the text does. */
static void fold(struct span text, struct str *got)
{
	struct str out CLEANUP(str_release) = STR_INIT;
	char *copy CLEANUP(mem_cleanup) = text.n > 0 ? mem_resize(NULL, text.n, 1) : NULL;
	struct json_error je;

	if (text.n > 0)
		memcpy(copy, text.p, text.n);
	str_addz(&out, "before");
	enum fold_kind kind = fold_stream((struct span){ copy, text.n }, &out);
	struct span added = { out.p + 6, out.n - 6 };
	if ((kind == FOLD_WHOLE || kind == FOLD_ERROR ? json_scan(added, NULL, NULL, &je) != 0
						      : added.n > 0) || memcmp(out.p, "before", 6))
		unit_check(false, __FILE__, __LINE__, str_z(&out), "only whole JSON is added");
	str_addf(got, "%s %.*s", name_of(kind), (int)added.n, added.p);
}

static void folded_is(struct span text, const char *want, const char *rule)
{
	struct str got CLEANUP(str_release) = STR_INIT;

	fold(text, &got);
	CHECK_STR(str_z(&got), want, "%s", rule);
}
#define FOLDED(text, want, rule) folded_is(SPAN_LIT(text), want, rule)

#define CHUNK(delta, reason) "{\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"created\":1," \
	"\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{" delta "},\"finish_reason\":" reason "}]}"
#define CHAT(content) "whole {\"id\":\"c\",\"object\":\"chat.completion\",\"created\":1,\"model\":\"m\"," \
	"\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":" content "," \
	"\"refusal\":null},\"logprobs\":null,\"finish_reason\":\"stop\"}]"
#define A "data: " CHUNK("\"role\":\"assistant\",\"content\":\"A\"", "null") "\n\n"
#define B "data: " CHUNK("\"content\":\"B\"", "null") "\n\n"
#define END "data: " CHUNK("", "\"stop\"") "\n\n"
#define USAGE "data: {\"id\":\"c\",\"choices\":[],\"usage\":{\"total_tokens\":3}}\n\n"
#define DONE "data: [DONE]\n\n"

#define RESPONSE "{\"id\":\"r\",\"object\":\"response\",\"output\":[ {\"n\":1e400} ],\"usage\":null}"
#define CREATED "event: response.created\ndata: {\"type\":\"response.created\",\"response\":{\"id\":" \
	"\"r\"},\"sequence_number\":0}\n\n"
#define TEXT_DELTA "event: response.output_text.delta\ndata: {\"type\":\"response.output_text.delta\"," \
	"\"delta\":\"Hi\"}\n\n"
#define COMPLETED(kind) "event: response." kind "\ndata: {\"type\":\"response." kind "\",\"response\":" \
	RESPONSE ",\"sequence_number\":9}\n\n"

#define MESSAGE_START "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"msg\"," \
	"\"type\":\"message\",\"role\":\"assistant\",\"model\":\"m\",\"content\":[],\"usage\":" \
	"{\"input_tokens\":2,\"output_tokens\":1}}}\n\nevent: ping\ndata: {\"type\":\"ping\"}\n\n"
#define MESSAGE_TEXT "event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0," \
	"\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\nevent: content_block_delta\ndata: " \
	"{\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"Hi\"}}\n\n"
#define MESSAGE_END "event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":" \
	"\"end_turn\"},\"usage\":{\"output_tokens\":4}}\n\n"
#define MESSAGE_STOP "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n"

static void chat(void)
{
	FOLDED(A B END USAGE DONE, CHAT("\"AB\"") ",\"usage\":{\"total_tokens\":3}}", "a chat");
	FOLDED(A B END DONE, CHAT("\"AB\"") "}", "without usage");
	FOLDED(A B END, CHAT("\"AB\"") "}", "without [DONE], but with all finish reasons");
	FOLDED(A DONE, "whole {\"id\":\"c\",\"object\":\"chat.completion\",\"created\":1,\"model\":\"m\","
	       "\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"A\","
	       "\"refusal\":null},\"logprobs\":null,\"finish_reason\":null}]}",
	       "with [DONE], but without a finish reason");
	FOLDED(A B, "truncated ", "with neither");
	FOLDED(A B DONE "data: {\"error\":1}\n\n", "whole {\"id\":\"c\",\"object\":\"chat.completion\","
	       "\"created\":1,\"model\":\"m\",\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\","
	       "\"content\":\"AB\",\"refusal\":null},\"logprobs\":null,\"finish_reason\":null}]}",
	       "what stands behind [DONE] is nothing");
	FOLDED(": keep-alive\n\n" A "data: {\"type\":\"ping\"}\n\ndata: {}\n\n" B "data:\n\n" END
	       "data: {\"usage\":{\"total_tokens\":3}}\n\n" DONE,
	       CHAT("\"AB\"") ",\"usage\":{\"total_tokens\":3}}",
	       "signs of life do not stand there; a usage without choices does");
	FOLDED("data: {\"id\":\"t\",\"object\":\"text_completion\",\"choices\":[{\"index\":0,\"text\":\"a\"}]}\n\n"
	       DONE, "whole {\"id\":\"t\",\"object\":\"text_completion\",\"choices\":[{\"text\":\"a\",\"index\":0,"
	       "\"logprobs\":null,\"finish_reason\":null}]}", "a legacy completion");
}

static void others(void)
{
	FOLDED(CREATED TEXT_DELTA COMPLETED("completed"), "whole " RESPONSE, "response.completed");
	FOLDED(CREATED COMPLETED("incomplete"), "whole " RESPONSE, "response.incomplete");
	FOLDED(CREATED COMPLETED("failed"), "whole " RESPONSE, "response.failed is the answer, too");
	FOLDED(CREATED TEXT_DELTA, "truncated ", "none of them");
	FOLDED(CREATED TEXT_DELTA DONE, "truncated ", "[DONE] is no end there");
	FOLDED(CREATED "data: {\"type\":\"response.completed\"}\n\n", "truncated ", "nor an empty one");
	FOLDED(CREATED "data: {\"type\":\"response.failed\",\"error\":{\"code\":\"x\"}}\n\n",
	       "error {\"type\":\"response.failed\",\"error\":{\"code\":\"x\"}}",
	       "one that has an error in the place of its response is an error");
	FOLDED(MESSAGE_START MESSAGE_TEXT MESSAGE_END MESSAGE_STOP, "whole {\"id\":\"msg\",\"type\":\"message\","
	       "\"role\":\"assistant\",\"model\":\"m\",\"content\":[{\"type\":\"text\",\"text\":\"Hi\"}],"
	       "\"stop_reason\":\"end_turn\",\"stop_sequence\":null,\"usage\":{\"input_tokens\":2,"
	       "\"output_tokens\":4}}", "a message");
	FOLDED(MESSAGE_START MESSAGE_TEXT MESSAGE_END, "truncated ", "a message that does not stop");
	FOLDED("data: {\"candidates\":[]}\n\n", "none ", "a kind that we do not know");
	FOLDED("data: {\"candidates\":[]}\n\n" DONE, "none ", "with [DONE]");
	FOLDED("data: 1\n\ndata: 2\n\n", "none ", "numbers");
	FOLDED("data: hello\n\n", "none ", "a text");
	FOLDED(A "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"\\ud83d\"}}]}\n\n" END DONE, "none ",
	       "a part that is no JSON: nothing is lost in silence");
	FOLDED(A "data: {\"choices\":7}\n\n" DONE, "none ", "or no chunk");
}

static void nothing(void)
{
	folded_is(SPAN_NONE, "truncated ", "no body");
	FOLDED("", "truncated ", "an empty one");
	FOLDED(": a comment\n\n", "truncated ", "a comment");
	FOLDED(DONE, "truncated ", "[DONE] and nothing before it");
	FOLDED("event: ping\ndata: {\"type\":\"ping\"}\n\n", "truncated ", "signs of life");
	FOLDED("Internal error", "truncated ", "what is no event");
}

static void errors(void)
{
	FOLDED(A "data: {\"error\":{\"message\":\"busy\",\"type\":\"server_error\"}}\n\n" DONE,
	       "error {\"error\":{\"message\":\"busy\",\"type\":\"server_error\"}}", "OpenAI's");
	FOLDED("data: {\"id\":\"c\",\"error\":{\"code\":502},\"choices\":[{\"index\":0,\"delta\":{\"content\":"
	       "\"\"},\"finish_reason\":\"error\"}]}\n\n", "error {\"id\":\"c\",\"error\":{\"code\":502},\"choices\":"
	       "[{\"index\":0,\"delta\":{\"content\":\"\"},\"finish_reason\":\"error\"}]}", "in a chunk");
	FOLDED(A "data: {\"object\":\"error\",\"message\":\"busy\",\"code\":500}\n\n",
	       "error {\"error\":{\"object\":\"error\",\"message\":\"busy\",\"code\":500}}", "vLLM's");
	FOLDED(CREATED "event: error\ndata: {\"type\":\"error\",\"code\":\"x\",\"message\":\"m\"}\n\n",
	       "error {\"error\":{\"type\":\"error\",\"code\":\"x\",\"message\":\"m\"}}", "of Responses");
	FOLDED(MESSAGE_START "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\"}}\n\n",
	       "error {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\"}}", "of Messages");
	FOLDED("event: error\ndata: {\"detail\":\"no\"}\n\n", "error {\"error\":{\"detail\":\"no\"}}",
	       "by the event's type");
	FOLDED("event: error\ndata: it is \"broken\"\ndata: \xff\n\n", "error {\"error\":{\"message\":"
	       "\"it is \\\"broken\\\"\\n\xef\xbf\xbd\"}}", "as a text");
	FOLDED("event: error\ndata: it is bro", "truncated ", "half a text");
	FOLDED("data: {\"error\":\"busy\"}\n\n", "error {\"error\":\"busy\"}", "as a string");
	FOLDED(A "data: {\"error\":null,\"choices\":[]}\n\ndata: {\"error\":\"\",\"choices\":[]}\n\n"
	       "data: {\"error\":false,\"choices\":[]}\n\n" B END DONE, CHAT("\"AB\"") "}",
	       "what says that there is none");

	/* The error is in an object of its own: one level more. */
	struct str deep CLEANUP(str_release) = STR_INIT, got CLEANUP(str_release) = STR_INIT;
	str_addz(&deep, "event: error\ndata: {\"a\":");
	for (int i = 1; i < JSON_DEPTH; i++)
		str_addc(&deep, '[');
	for (int i = 1; i < JSON_DEPTH; i++)
		str_addc(&deep, ']');
	str_addz(&deep, "}\n\n");
	fold(str_span(&deep), &got);
	CHECK(span_starts(str_span(&got), "error {\"error\":{\"message\":\"{\\\"a\\\":[[["),
	      "one that nests as deeply as JSON may is a text");
}

static void leniency(void)
{
	FOLDED(A B END "data: [DONE]", CHAT("\"AB\"") "}", "[DONE] is the last byte");
	FOLDED(A B "data: " CHUNK("", "\"stop\""), CHAT("\"AB\"") "}", "the last chunk is");
	FOLDED(A B "data: " CHUNK("", "\"stop\"") "\ndata: [DO", CHAT("\"AB\"") "}",
	       "half a [DONE] in the same event");
	FOLDED(A "data: {\"choices\":[{\"ind", "truncated ", "half a chunk is none");
	FOLDED(A "data: [DON", "truncated ", "half a [DONE] neither");
	FOLDED("data: " CHUNK("\"content\":\"A\"", "null") "\ndata: " CHUNK("\"content\":\"B\"", "null")
	       "\ndata: " CHUNK("", "\"stop\"") "\ndata: [DONE]\n", CHAT("\"AB\"") "}",
	       "events without the empty lines between them");
	FOLDED("data: {\"choices\":[\ndata: {\"index\":0,\"delta\":{\"content\":\"a\"},\ndata: \"finish_reason\":"
	       "\"stop\"}]}\n\n", "whole {\"object\":\"chat.completion\",\"choices\":[{\"index\":0,\"message\":"
	       "{\"role\":\"assistant\",\"content\":\"a\",\"refusal\":null},\"logprobs\":null,"
	       "\"finish_reason\":\"stop\"}]}", "a chunk on several lines");
	FOLDED("data: hello\ndata: " CHUNK("", "\"stop\"") "\n\n", "none ", "of which one is no JSON");
}

static const char *const streams[] = {
	A B END USAGE DONE,
	CREATED TEXT_DELTA COMPLETED("completed"),
	MESSAGE_START MESSAGE_TEXT MESSAGE_END MESSAGE_STOP,
	A "data: {\"error\":{\"message\":\"busy\"}}\n\n",
	"data: {\"candidates\":[]}\n\n",
};

/* The same, however its lines end and whatever says nothing between them. */
static void line_ends(void)
{
	static const char *const ends[] = { "\r\n", "\r", "\n:\n", "\nid: 7\n" };
	int wrong = 0;

	for (size_t i = 0; i < ARRAY_LEN(streams); i++)
		for (size_t k = 0; k < ARRAY_LEN(ends); k++) {
			struct str text CLEANUP(str_release) = STR_INIT;
			struct str got CLEANUP(str_release) = STR_INIT;
			struct str want CLEANUP(str_release) = STR_INIT;
			str_addz(&text, "\xef\xbb\xbf:\n\n");
			for (const char *p = streams[i]; *p; p++)
				*p == '\n' ? str_addz(&text, ends[k]) : str_addc(&text, *p);
			str_addc(&text, '\n');
			fold(span_of(streams[i]), &want);
			fold(str_span(&text), &got);
			wrong += !span_eq(str_span(&got), str_span(&want));
		}
	CHECK_INT(wrong, 0, "line ends, comments and ids change nothing");
}

/* A stream cut off at any byte is truncated until it has its end; nothing
 * else ever comes of it. */
static void prefixes(void)
{
	for (size_t i = 0; i < 3; i++) {
		size_t n = strlen(streams[i]), whole = 0, wrong = 0;
		bool ended = false;
		for (size_t k = 0; k <= n; k++) {
			struct str got CLEANUP(str_release) = STR_INIT;
			fold((struct span){ streams[i], k }, &got);
			bool is_whole = span_starts(str_span(&got), "whole ");
			whole += is_whole;
			wrong += !is_whole && !span_is(str_span(&got), "truncated ");
			wrong += ended && !is_whole;
			ended |= is_whole;
		}
		CHECK(wrong == 0 && whole > 0 && whole < 200,
		      "stream %zu cut off at any byte: truncated until its end (%zu of %zu)", i, whole, n);
	}
}

/* The length of what must not be cut in a JSON string. */
static size_t atom(const char *p)
{
	if (p[0] != '\\')
		return (p[0] & 0x80) == 0 ? 1 : (p[0] & 0xe0) == 0xc0 ? 2 : (p[0] & 0xf0) == 0xe0 ? 3 : 4;
	return p[1] != 'u' ? 2 : strncmp(p, "\\ud8", 4) == 0 ? 12 : 6;
}

static void add_piece(struct str *text, const char *form, const char *p, size_t n)
{
	const char *hole = strstr(form, "@");

	str_addz(text, "data: ");
	str_add(text, form, (size_t)(hole - form));
	str_add(text, p, n);
	str_addz(text, hole + 1);
	str_addz(text, "\n\n");
}

/* A text that comes in any two pieces, and in as many as there can be. */
static void pieces(void)
{
	static const char content[] = "a\\\"b\\n\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80\\ud83d\\ude00\\u0000 }]z";
	static const char *const forms[] = {
		CHUNK("\"content\":\"@\"", "null"),
		CHUNK("\"reasoning_content\":\"@\"", "null"),
		CHUNK("\"tool_calls\":[{\"index\":0,\"function\":{\"arguments\":\"@\"}}]", "null"),
		"{\"choices\":[{\"index\":0,\"text\":\"@\"}],\"object\":\"text_completion\"}",
	};

	for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
		struct str want CLEANUP(str_release) = STR_INIT, got CLEANUP(str_release) = STR_INIT;
		struct str text CLEANUP(str_release) = STR_INIT, all CLEANUP(str_release) = STR_INIT;
		size_t n = sizeof content - 1, wrong = 0, cuts = 0;
		add_piece(&text, forms[i], content, n);
		str_addz(&text, DONE);
		fold(str_span(&text), &want);
		for (size_t at = 0; at < n; at += atom(content + at), cuts++) {
			str_reset(&text);
			str_reset(&got);
			add_piece(&text, forms[i], content, at);
			add_piece(&text, forms[i], content + at, n - at);
			str_addz(&text, DONE);
			fold(str_span(&text), &got);
			wrong += !span_eq(str_span(&got), str_span(&want));
			add_piece(&all, forms[i], content + at, atom(content + at));
		}
		str_addz(&all, DONE);
		str_reset(&got);
		fold(str_span(&all), &got);
		CHECK(wrong == 0 && span_eq(str_span(&got), str_span(&want)) &&
		      strstr(str_z(&want), content), "cut at each of %zu places it is the same", cuts);
	}
}

/* Large ones take as long as they are, and no more memory than a few times that. */
static void large(void)
{
	struct str text CLEANUP(str_release) = STR_INIT, out CLEANUP(str_release) = STR_INIT;

	for (int i = 0; i < 100000; i++)
		str_addf(&text, "data: {\"choices\":[{\"index\":%d,\"delta\":{\"content\":\"x\",\"m%d\":\"y\"}}]}\n\n",
			 i % 100, i % 7);
	str_addz(&text, DONE);
	CHECK_INT(fold_stream(str_span(&text), &out), FOLD_WHOLE, "100,000 chunks");
	CHECK(out.n > 100000 && out.n < text.n, "become one object of %zu bytes", out.n);
	str_reset(&text);
	str_reset(&out);
	for (int i = 0; i < 100000; i++)
		str_addz(&text, "data:\n");
	CHECK_INT(fold_stream(str_span(&text), &out), FOLD_TRUNCATED, "100,000 lines of one event");
	str_reset(&text);
	for (int i = 0; i < 1000; i++)
		str_addf(&text, "data: {\"choices\":[{\"index\":%d,\"delta\":{}}]}\n\n", i);
	CHECK_INT(fold_stream(str_span(&text), &out), FOLD_NONE, "1,000 choices are too many");
	CHECK_INT(out.n, 0, "and give nothing");
}

int main(void)
{
	chat();
	others();
	nothing();
	errors();
	leniency();
	line_ends();
	prefixes();
	pieces();
	large();
	return unit_done();
}
