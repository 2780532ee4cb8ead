/* answer: what a body is, what it says of usage and errors, and how it stands
 * in an output line. */
#include "domain/answer.h"

#include <string.h>

#include "base/mem.h"
#include "base/safe.h"
#include "unit.h"

static void kinds(void)
{
	struct answer_usage u;
	CHECK_INT(answer_read(SPAN_NONE, &u), ANSWER_NONE, "no body");
	CHECK_INT(answer_read(SPAN_LIT(""), &u), ANSWER_TEXT, "0 bytes are an empty text");
	CHECK_INT(answer_read(SPAN_LIT(" {\"a\":1}\n"), &u), ANSWER_JSON, "JSON with space around it");
	CHECK_INT(answer_read(SPAN_LIT("[1,2"), &u), ANSWER_TEXT, "what is nearly JSON is text");
	CHECK_INT(answer_read(SPAN_LIT("<html>"), &u), ANSWER_TEXT, "UTF-8 is text");
	CHECK_INT(answer_read(SPAN_LIT("a\0b"), &u), ANSWER_TEXT, "with NUL too");
	CHECK_INT(answer_read(SPAN_LIT("\x89PNG\xff"), &u), ANSWER_BYTES, "the rest is bytes");
}

static void usage_is(const char *body, int64_t in, int64_t cached, int64_t out, int64_t reasoning,
		     const char *rule)
{
	struct answer_usage u;
	answer_read(span_of(body), &u);
	CHECK(u.input == in && u.cached == cached && u.output == out && u.reasoning == reasoning,
	      "%s (%lld %lld %lld %lld)", rule, (long long)u.input, (long long)u.cached,
	      (long long)u.output, (long long)u.reasoning);
}

static void usages(void)
{
	usage_is("{\"choices\":[],\"usage\":{\"prompt_tokens\":10,\"completion_tokens\":4,"
		 "\"total_tokens\":14,\"prompt_tokens_details\":{\"cached_tokens\":3},"
		 "\"completion_tokens_details\":{\"reasoning_tokens\":2}}}", 10, 3, 4, 2,
		 "usage of chat completions");
	usage_is("{\"usage\":{\"input_tokens\":7,\"input_tokens_details\":{\"cached_tokens\":1},"
		 "\"output_tokens\":5,\"output_tokens_details\":{\"reasoning_tokens\":5}}}", 7, 1, 5, 5,
		 "usage of responses");
	usage_is("{\"usage\":{\"prompt_tokens\":9,\"total_tokens\":9}}", 9, 0, 0, 0, "of embeddings");
	usage_is("{\"usage\":null}", 0, 0, 0, 0, "null says nothing");
	usage_is("{\"usage\":{\"prompt_tokens\":-1,\"completion_tokens\":1e3,"
		 "\"prompt_tokens_details\":7}}", 0, 0, 0, 0, "what is no count is not counted");
	usage_is("{\"usage\":{\"prompt_tokens\":9999999999999999999}}", 0, 0, 0, 0,
		 "nor what is out of range");
	usage_is("{\"x\":{\"usage\":{\"prompt_tokens\":9}}}", 0, 0, 0, 0, "it stands at the top");
	usage_is("{\"usage\":{\"prompt_tokens\":9}", 0, 0, 0, 0, "broken JSON says nothing");
}

static void message_is(struct span body, const char *want, const char *rule)
{
	struct answer_usage u;
	struct str out CLEANUP(str_release) = STR_INIT;
	answer_message(body, answer_read(body, &u), &out);
	CHECK_STR(str_z(&out), want, "%s", rule);
}
#define MESSAGE(body, want, rule) message_is(SPAN_LIT(body), want, rule)

static void messages(void)
{
	MESSAGE("{\"error\":{\"message\":\"no such model\",\"code\":404}}", "no such model",
		"error.message");
	MESSAGE("{\"error\":\"busy\",\"message\":\"x\"}", "busy", "an error that is a string");
	MESSAGE("{\"message\":\"m\",\"detail\":\"d\"}", "m", "message");
	MESSAGE("{\"detail\":\"not found\"}", "not found", "detail");
	MESSAGE("{\"detail\":[{\"loc\":[\"body\"], \"msg\":\"missing\"}]}",
		"[{\"loc\":[\"body\"],\"msg\":\"missing\"}]", "a detail that is a list, as JSON");
	MESSAGE("[{\"error\":{\"message\":\"in a list\"}}]", "in a list", "an error in an array");
	MESSAGE("{\"a\": 1,\n \"b\": 2}", "{\"a\":1,\"b\":2}", "else the head of the JSON");
	MESSAGE("\n <h1>Bad\n  Gateway</h1> ", "<h1>Bad Gateway</h1>",
		"a text, its white space folded");
	MESSAGE("\x1b[31mred", "\\x1b[31mred", "control characters are shown as such");
	MESSAGE("\x89\xff", "2 bytes that are no text", "bytes are only counted");
	MESSAGE("", "", "an empty body says nothing");
	message_is(SPAN_NONE, "", "no body neither");

	char text[5000];
	for (size_t i = 0; i < sizeof(text); i += 2)
		memcpy(text + i, "\xc3\xa4", 2);
	struct str out CLEANUP(str_release) = STR_INIT;
	answer_message((struct span){ text, sizeof(text) }, ANSWER_TEXT, &out);
	CHECK(out.n <= 300 && out.n > 290, "a long one is cut at 300 bytes (%zu)", out.n);
	CHECK(safe_is_utf8(str_span(&out)), "between characters");
}

static bool quota(const char *body)
{
	struct answer_usage u;
	return answer_is_quota(span_of(body), answer_read(span_of(body), &u));
}

static void quotas(void)
{
	CHECK(quota("{\"error\":{\"code\":\"insufficient_quota\"}}"), "by code");
	CHECK(quota("{\"error\":{\"type\":\"insufficient_quot\\u0061\",\"code\":null}}"), "by type");
	CHECK(!quota("{\"error\":{\"code\":\"rate_limit_exceeded\"}}"), "another code is none");
	CHECK(!quota("{\"code\":\"insufficient_quota\"}"), "nor one in another place");
	CHECK(!quota("insufficient_quota"), "nor a text");
}

static void written_is(struct span body, const char *want, const char *rule)
{
	struct answer_usage u;
	struct str out CLEANUP(str_release) = STR_INIT;
	answer_write(body, answer_read(body, &u), &out);
	CHECK_STR(str_z(&out), want, "%s", rule);
}

static void writing(void)
{
	written_is(SPAN_LIT("{\"z\": 1e2, \"a\":12345678901234567890123}"),
		   "{\"z\": 1e2, \"a\":12345678901234567890123}", "JSON on a line stays byte for byte");
	written_is(SPAN_LIT("{\n \"a b\" : \"c  d\",\r\n \"e\":[ 1 ]\n}\n"),
		   "{\"a b\":\"c  d\",\"e\":[1]}", "with line breaks it is compacted, strings stay");
	written_is(SPAN_LIT("a \"b\"\n\0"), "\"a \\\"b\\\"\\n\\u0000\"", "a text is a JSON string");
	written_is(SPAN_LIT(""), "\"\"", "an empty one too");
	written_is(SPAN_LIT("\xff\x00\x01"), "{\"$base64\":\"/wAB\"}", "bytes in base64");
	written_is(SPAN_NONE, "null", "no body is null");
}

int main(void)
{
	kinds();
	usages();
	messages();
	quotas();
	writing();
	return unit_done();
}
