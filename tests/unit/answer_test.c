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

static void statuses(void)
{
	static const struct { const char *error; int status; const char *rule; } all[] = {
		{ "{\"error\":{\"code\":502}}", 502, "a number is the status" },
		{ "{\"error\":{\"type\":\"server_error\",\"code\":\"429\"}}", 429, "also as a string" },
		{ "{\"error\":{\"type\":\"server_error\",\"status\":404}}", 404, "before any word" },
		{ "{\"error\":{\"status_code\":503}}", 503, "as status_code" },
		{ "{\"error\":{\"code\":200,\"type\":\"x\"}}", 400, "one of no failure is none" },
		{ "{\"error\":{\"code\":1302}}", 500, "nor is a number of another kind" },
		{ "{\"error\":{\"code\":\"rate_limit_exceeded\",\"type\":\"tokens\"}}", 429, "rate limits" },
		{ "{\"error\":{\"type\":\"rate_limit_error\"}}", 429, "of others" },
		{ "{\"error\":{\"type\":\"insufficient_quota\"}}", 429, "quotas" },
		{ "{\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\"}}", 529, "overload" },
		{ "{\"error\":\"m\",\"error_type\":\"overloaded\"}", 529, "with its type beside it" },
		{ "{\"error\":{\"type\":\"service_unavailable\"}}", 503, "unavailable" },
		{ "{\"error\":{\"type\":\"timeout_error\"}}", 504, "timeouts" },
		{ "{\"error\":{\"type\":\"server_error\",\"code\":null}}", 500, "OpenAI's server_error" },
		{ "{\"error\":{\"type\":\"InternalServerError\"}}", 500, "vLLM's InternalServerError" },
		{ "{\"error\":{\"type\":\"api_error\"}}", 500, "Anthropic's api_error" },
		{ "{\"error\":{\"type\":\"invalid_request_error\"}}", 400, "a bad request" },
		{ "{\"error\":{\"type\":\"BadRequestError\",\"code\":400}}", 400, "vLLM's" },
		{ "{\"error\":{\"code\":\"content_filter\"}}", 400, "whatever else has a name" },
		{ "{\"error\":{\"message\":\"invalid_request_error\"}}", 500, "without a name" },
		{ "{\"error\":\"upstream\"}", 500, "a string" },
		{ "{\"error\":{\"code\":\"\",\"type\":\"__\"}}", 500, "names of nothing" },
	};
	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		CHECK_INT(answer_status(span_of(all[i].error)), all[i].status, "%s: %s", all[i].rule,
			  all[i].error);
}

static void stream_is(struct span body, const char *want, const char *rule)
{
	struct str out CLEANUP(str_release) = STR_INIT;
	answer_write(body, ANSWER_STREAM, &out);
	CHECK_STR(str_z(&out), want, "%s", rule);
}

static void streams(void)
{
	struct str out CLEANUP(str_release) = STR_INIT;
	stream_is(SPAN_LIT("data: {\"id\":\"a\",\"choices\":[]}\n\ndata: [DONE]\n\n"),
		  "{\"id\":\"a\",\"object\":\"chat.completion\",\"choices\":[]}",
		  "a stream is written as what it folds to");
	stream_is(SPAN_LIT("data: {\"type\":\"response.completed\",\ndata: \"response\":{\"a\":\ndata: 1}}\n\n"),
		  "{\"a\":1}", "on one line");
	stream_is(SPAN_LIT("data: x\n\n"), "\"data: x\\n\\n\"", "one that folds to nothing as it came");
	stream_is(SPAN_LIT("data: \xff\n\n"), "{\"$base64\":\"ZGF0YTog/woK\"}", "or in base64");
	answer_message(SPAN_LIT("data: {\"a\":1}\n\ndata: [DONE]\n\n"), ANSWER_STREAM, &out);
	CHECK_STR(str_z(&out), "data: {\"a\":1} data: [DONE]", "its message is its head");
}

int main(void)
{
	kinds();
	usages();
	messages();
	quotas();
	writing();
	statuses();
	streams();
	return unit_done();
}
