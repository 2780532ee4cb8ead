/* foldchat: chunks of completions become what the API gives without a stream. */
#include "domain/foldchat.h"

#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "unit.h"

static void folded_is(const char *const *chunks, bool ended, const char *want, const char *rule)
{
	struct merge m CLEANUP(merge_release) = { .values = 0 };
	struct str out CLEANUP(str_release) = STR_INIT;
	struct json_error je;

	for (; *chunks; chunks++)
		if (json_scan(span_of(*chunks), NULL, NULL, &je) < 0 ||
		    foldchat_add(&m, span_of(*chunks)) < 0)
			unit_check(false, __FILE__, __LINE__, *chunks, "it is a chunk");
	CHECK(foldchat_ended(&m) == ended, "%s: %s", rule, ended ? "it has ended" : "it goes on");
	foldchat_write(&m, &out);
	CHECK_STR(str_z(&out), want, "%s", rule);
}
#define FOLDED(ended, want, rule, ...) \
	folded_is((const char *const[]){ __VA_ARGS__, NULL }, ended, want, rule)

#define HEAD "{\"id\":\"c1\",\"object\":\"chat.completion.chunk\",\"created\":17,\"model\":\"m\","
#define CHOICE(delta, rest) HEAD "\"choices\":[{\"index\":0,\"delta\":{" delta "}" rest "}]}"
#define WHOLE "{\"id\":\"c1\",\"object\":\"chat.completion\",\"created\":17,\"model\":\"m\",\"choices\":["
#define MESSAGE(message) WHOLE "{\"index\":0,\"message\":{" message "},\"logprobs\":null," \
	"\"finish_reason\":\"stop\"}]}"
#define STOP CHOICE("", ",\"logprobs\":null,\"finish_reason\":\"stop\"")

static void texts(void)
{
	FOLDED(true, "{\"id\":\"c1\",\"object\":\"chat.completion\",\"created\":17,\"model\":\"m\","
	       "\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"Hi \\\"you\\\"\","
	       "\"refusal\":null},\"logprobs\":null,\"finish_reason\":\"stop\"}],"
	       "\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":1e0},\"service_tier\":\"default\","
	       "\"system_fingerprint\":\"fp\"}", "a stream of OpenAI with its usage",
	       HEAD "\"service_tier\":\"default\",\"system_fingerprint\":\"fp\",\"choices\":[{\"index\":0,"
	       "\"delta\":{\"role\":\"assistant\",\"content\":\"\",\"refusal\":null},\"logprobs\":null,"
	       "\"finish_reason\":null}],\"usage\":null,\"obfuscation\":\"x\"}",
	       CHOICE("\"content\":\"Hi \\\"\"", ",\"finish_reason\":null"),
	       CHOICE("\"content\":\"you\\\"\"", ",\"finish_reason\":null"), STOP,
	       HEAD "\"choices\":[],\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":1e0},"
	       "\"obfuscation\":\"yyyyy\"}");
	FOLDED(true, MESSAGE("\"role\":\"assistant\",\"content\":null,\"refusal\":\"No.\""), "a refusal",
	       CHOICE("\"role\":\"assistant\",\"refusal\":\"N\"", ""), CHOICE("\"refusal\":\"o.\"", ""),
	       STOP);
	FOLDED(true, MESSAGE("\"role\":\"tool\",\"content\":\"42\",\"refusal\":null,"
			     "\"reasoning_content\":\"6*7\",\"reasoning_details\":[{\"a\":1},{\"b\":2}],"
			     "\"level\":2,\"about\":{\"n\":2}"),
	       "the members of other servers: strings and arrays are joined, else the last",
	       CHOICE("\"role\":\"tool\",\"reasoning_content\":\"6*\",\"reasoning_details\":[{\"a\":1}],"
		      "\"level\":1,\"about\":{\"n\":1,\"x\":\"\"}", ""),
	       CHOICE("\"role\":\"tool\",\"reasoning_content\":\"7\",\"reasoning_details\":[{\"b\":2}],"
		      "\"level\":2,\"about\":{\"n\":2}", ""),
	       CHOICE("\"role\":\"\",\"content\":\"4\",\"reasoning_content\":null", ""),
	       CHOICE("\"content\":\"2\"", ""), STOP);
	FOLDED(true, "{\"id\":\"c1\",\"object\":\"chat.completion\",\"created\":17,\"model\":\"m\","
	       "\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"a\",\"refusal\":null},"
	       "\"logprobs\":null,\"finish_reason\":\"stop\",\"content_filter_results\":{\"hate\":1}}],"
	       "\"prompt_filter_results\":[1]}", "Azure begins with an empty chunk",
	       "{\"id\":\"\",\"object\":\"\",\"created\":0,\"model\":\"\",\"choices\":[],"
	       "\"prompt_filter_results\":[1]}", CHOICE("\"content\":\"a\"", ""),
	       "{\"id\":\"\",\"object\":\"\",\"created\":0,\"model\":\"\",\"choices\":[{\"index\":0,"
	       "\"finish_reason\":null,\"content_filter_results\":{\"hate\":1}}]}", STOP);
	FOLDED(false, "{\"object\":\"chat.completion\",\"choices\":[{\"index\":0,\"message\":"
	       "{\"role\":\"assistant\",\"content\":\"a\",\"refusal\":null},\"logprobs\":null,"
	       "\"finish_reason\":null}]}", "what did not come is null, or not there",
	       "{\"choices\":[{\"delta\":{\"content\":\"a\"}}]}");
}

static void choices(void)
{
	FOLDED(true, WHOLE "{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"ac\","
	       "\"refusal\":null},\"logprobs\":null,\"finish_reason\":\"stop\"},{\"index\":1,\"message\":"
	       "{\"role\":\"assistant\",\"content\":\"bd\",\"refusal\":null},\"logprobs\":null,"
	       "\"finish_reason\":\"length\"}]}", "choices by index",
	       HEAD "\"choices\":[{\"index\":1,\"delta\":{\"content\":\"b\"}}]}",
	       HEAD "\"choices\":[{\"index\":0,\"delta\":{\"content\":\"a\"}},{\"index\":1,"
	       "\"delta\":{\"content\":\"d\"},\"finish_reason\":\"length\"}]}",
	       CHOICE("\"content\":\"c\"", ""), STOP);
	FOLDED(false, WHOLE "{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":null,"
	       "\"refusal\":null},\"logprobs\":null,\"finish_reason\":\"stop\"},{\"index\":1,\"message\":"
	       "{\"role\":\"assistant\",\"content\":\"b\",\"refusal\":null},\"logprobs\":null,"
	       "\"finish_reason\":null}]}", "one of two has not ended",
	       HEAD "\"choices\":[{\"index\":1,\"delta\":{\"content\":\"b\"}}]}", STOP);
	FOLDED(true, WHOLE "{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"ab\","
	       "\"refusal\":null},\"logprobs\":{\"content\":[{\"token\":\"a\",\"logprob\":-0.10},"
	       "{\"token\":\"b\",\"logprob\":-12345678901234567890.5}],\"refusal\":null},"
	       "\"finish_reason\":\"stop\"}]}", "logprobs are joined, numbers stay as they are",
	       CHOICE("\"content\":\"a\"", ",\"logprobs\":{\"content\":[{\"token\":\"a\",\"logprob\":-0.10}],"
		      "\"refusal\":null}"),
	       CHOICE("\"content\":\"b\"", ",\"logprobs\":{\"content\":[{\"token\":\"b\",\"logprob\":"
		      "-12345678901234567890.5}],\"refusal\":null}"), STOP);
	FOLDED(true, MESSAGE("\"role\":\"assistant\",\"content\":\"ab\",\"refusal\":null"),
	       "a server that adds the message so far to each chunk",
	       CHOICE("\"content\":\"a\"", ",\"message\":{\"content\":\"a\"}"),
	       CHOICE("\"content\":\"b\"", ",\"message\":{\"content\":\"ab\"}"), STOP);
	FOLDED(true, WHOLE "{\"index\":0,\"message\":{\"content\":\"a\"},\"logprobs\":null,"
	       "\"finish_reason\":\"stop\"}]}", "one that has nothing else",
	       HEAD "\"choices\":[{\"message\":{\"content\":\"a\"},\"finish_reason\":\"stop\"}]}");
	FOLDED(false, WHOLE "]}", "no choice at all", HEAD "\"choices\":[]}");
}

static void calls(void)
{
	FOLDED(true, MESSAGE("\"role\":\"assistant\",\"content\":null,\"refusal\":null,\"tool_calls\":["
			     "{\"id\":\"c_a\",\"type\":\"function\",\"function\":{\"name\":\"f\","
			     "\"arguments\":\"{\\\"x\\\":1}\"}},{\"id\":\"c_b\",\"type\":\"custom\",\"custom\":"
			     "{\"name\":\"g\",\"input\":\"ls\"}}]"),
	       "tool calls by index, their arguments joined",
	       CHOICE("\"role\":\"assistant\",\"content\":null,\"tool_calls\":[{\"index\":0,\"id\":\"c_a\","
		      "\"type\":\"function\",\"function\":{\"name\":\"f\",\"arguments\":\"\"}}]", ""),
	       CHOICE("\"tool_calls\":[{\"index\":0,\"function\":{\"arguments\":\"{\\\"x\\\"\"}}]", ""),
	       CHOICE("\"tool_calls\":[{\"index\":1,\"id\":\"c_b\",\"type\":\"custom\",\"custom\":"
		      "{\"name\":\"g\",\"input\":\"l\"}}]", ""),
	       CHOICE("\"tool_calls\":[{\"index\":1,\"custom\":{\"input\":\"s\"}},{\"index\":0,"
		      "\"id\":\"other\",\"type\":\"function\",\"function\":{\"name\":\"f\",\"arguments\":\":1}\"}}]", ""),
	       STOP);
	FOLDED(true, MESSAGE("\"role\":\"assistant\",\"content\":\"\",\"refusal\":null,\"tool_calls\":["
			     "{\"id\":\"a\",\"function\":{\"name\":\"f\",\"arguments\":\"12\"}},"
			     "{\"id\":\"b\",\"function\":{\"name\":\"f\",\"arguments\":\"3\"}}]"),
	       "calls without an index",
	       CHOICE("\"content\":\"\",\"tool_calls\":[{\"id\":\"a\",\"function\":{\"name\":\"f\","
		      "\"arguments\":\"1\"}}]", ""),
	       CHOICE("\"tool_calls\":[{\"function\":{\"arguments\":\"2\"}}]", ""),
	       CHOICE("\"tool_calls\":[{\"id\":\"b\",\"function\":{\"name\":\"f\",\"arguments\":\"3\"}}]", ""),
	       STOP);
	FOLDED(true, MESSAGE("\"role\":\"assistant\",\"content\":null,\"refusal\":null,\"function_call\":"
			     "{\"name\":\"f\",\"arguments\":\"{}\"},\"audio\":{\"id\":\"au\",\"expires_at\":7,"
			     "\"data\":\"QUJD\",\"transcript\":\"a b\"}"), "function_call and audio",
	       CHOICE("\"function_call\":{\"name\":\"f\",\"arguments\":\"{\"},\"audio\":{\"id\":\"au\","
		      "\"data\":\"QU\",\"transcript\":\"a \"}", ""),
	       CHOICE("\"function_call\":{\"arguments\":\"}\"},\"audio\":{\"id\":\"au\",\"data\":\"JD\","
		      "\"transcript\":\"b\",\"expires_at\":7}", ""), STOP);
}

static void completions(void)
{
	FOLDED(true, "{\"id\":\"t1\",\"object\":\"text_completion\",\"created\":5,\"model\":\"m\",\"choices\":["
	       "{\"text\":\"ab\",\"index\":0,\"logprobs\":{\"tokens\":[\"a\",\"b\"],\"token_logprobs\":"
	       "[-1,-2]},\"finish_reason\":\"length\",\"stop_reason\":null,\"token_ids\":[1,2]}],"
	       "\"usage\":{\"total_tokens\":3}}", "a legacy completion",
	       "{\"id\":\"t1\",\"object\":\"text_completion\",\"created\":5,\"model\":\"m\",\"choices\":"
	       "[{\"index\":0,\"text\":\"a\",\"logprobs\":{\"tokens\":[\"a\"],\"token_logprobs\":[-1]},"
	       "\"finish_reason\":null,\"stop_reason\":null,\"token_ids\":[1]}],\"usage\":null}",
	       "{\"id\":\"t1\",\"object\":\"text_completion\",\"created\":5,\"model\":\"m\",\"choices\":"
	       "[{\"index\":0,\"text\":\"b\",\"logprobs\":{\"tokens\":[\"b\"],\"token_logprobs\":[-2]},"
	       "\"finish_reason\":\"length\",\"stop_reason\":null,\"token_ids\":[2]}],"
	       "\"usage\":{\"total_tokens\":3}}");
}

static void refused(void)
{
	static const char *const all[] = {
		"{\"choices\":{}}", "{\"choices\":[1]}", "{\"choices\":\"x\"}",
		"{\"choices\":[{\"delta\":{\"tool_calls\":[null]}}]}",
	};

	for (size_t i = 0; i < ARRAY_LEN(all); i++) {
		struct merge m CLEANUP(merge_release) = { .values = 0 };
		CHECK_INT(foldchat_add(&m, span_of(all[i])), -1, "%s is no chunk", all[i]);
	}
}

int main(void)
{
	texts();
	choices();
	calls();
	completions();
	refused();
	return unit_done();
}
