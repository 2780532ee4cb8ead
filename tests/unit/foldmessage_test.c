/* foldmessage: events of the Messages API become a message. */
#include "domain/foldmessage.h"

#include "base/json.h"
#include "base/mem.h"
#include "unit.h"

static void folded_is(const char *const *events, const char *want, const char *rule)
{
	struct merge m CLEANUP(merge_release) = { .values = 0 };
	struct str out CLEANUP(str_release) = STR_INIT;
	struct json_error je;

	for (; *events; events++)
		if (json_scan(span_of(*events), NULL, NULL, &je) < 0 ||
		    foldmessage_add(&m, span_of(*events)) < 0)
			unit_check(false, __FILE__, __LINE__, *events, "it is an event");
	foldmessage_write(&m, &out);
	CHECK_STR(str_z(&out), want, "%s", rule);
}
#define FOLDED(want, rule, ...) folded_is((const char *const[]){ __VA_ARGS__, NULL }, want, rule)

#define START "{\"type\":\"message_start\",\"message\":{\"id\":\"msg_1\",\"type\":\"message\"," \
	"\"role\":\"assistant\",\"content\":[],\"model\":\"m\",\"stop_reason\":null," \
	"\"stop_sequence\":null,\"usage\":{\"input_tokens\":25,\"output_tokens\":1}}}"
#define BLOCK(i, block) "{\"type\":\"content_block_start\",\"index\":" i ",\"content_block\":{" block "}}"
#define DELTA(i, delta) "{\"type\":\"content_block_delta\",\"index\":" i ",\"delta\":{" delta "}}"
#define BLOCK_END(i) "{\"type\":\"content_block_stop\",\"index\":" i "}"
#define END "{\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\",\"stop_sequence\":" \
	"null},\"usage\":{\"output_tokens\":15}}", "{\"type\":\"message_stop\"}"
#define MESSAGE(content) "{\"id\":\"msg_1\",\"type\":\"message\",\"role\":\"assistant\",\"model\":\"m\"," \
	"\"content\":[" content "],\"stop_reason\":\"end_turn\",\"stop_sequence\":null," \
	"\"usage\":{\"input_tokens\":25,\"output_tokens\":15}}"

int main(void)
{
	FOLDED(MESSAGE("{\"type\":\"text\",\"text\":\"Hello!\\n\"}"), "a text", START,
	       BLOCK("0", "\"type\":\"text\",\"text\":\"\""), "{\"type\":\"ping\"}",
	       DELTA("0", "\"type\":\"text_delta\",\"text\":\"Hello\""),
	       DELTA("0", "\"type\":\"text_delta\",\"text\":\"!\\n\""), BLOCK_END("0"), END);
	FOLDED(MESSAGE("{\"type\":\"thinking\",\"thinking\":\"so so\",\"signature\":\"Eq\"},"
		       "{\"type\":\"text\",\"citations\":[{\"a\":1},{\"a\":2}],\"text\":\"x\"}"),
	       "thinking with its signature, and a text with citations", START,
	       BLOCK("0", "\"type\":\"thinking\",\"thinking\":\"\",\"signature\":\"\""),
	       DELTA("0", "\"type\":\"thinking_delta\",\"thinking\":\"so \""),
	       DELTA("0", "\"type\":\"thinking_delta\",\"thinking\":\"so\""),
	       DELTA("0", "\"type\":\"signature_delta\",\"signature\":\"Eq\""), BLOCK_END("0"),
	       BLOCK("1", "\"type\":\"text\",\"text\":\"\",\"citations\":[]"),
	       DELTA("1", "\"type\":\"citations_delta\",\"citation\":{\"a\":1}"),
	       DELTA("1", "\"type\":\"text_delta\",\"text\":\"x\""),
	       DELTA("1", "\"type\":\"citations_delta\",\"citation\":{\"a\":2}"), BLOCK_END("1"), END);
	FOLDED(MESSAGE("{\"type\":\"tool_use\",\"id\":\"t\",\"name\":\"f\",\"input\":"
		       "{\"x\": \"a\\\"b\", \"n\": 1e400}}"),
	       "the input of a tool is the JSON of its pieces", START,
	       BLOCK("0", "\"type\":\"tool_use\",\"id\":\"t\",\"name\":\"f\",\"input\":{}"),
	       DELTA("0", "\"type\":\"input_json_delta\",\"partial_json\":\"\""),
	       DELTA("0", "\"type\":\"input_json_delta\",\"partial_json\":\"{\\\"x\\\": \\\"a\\\\\""),
	       DELTA("0", "\"type\":\"input_json_delta\",\"partial_json\":\"\\\"b\\\", \\\"n\\\": 1e400}\""),
	       BLOCK_END("0"), END);
	FOLDED(MESSAGE("{\"type\":\"tool_use\",\"input\":{}}"), "no pieces, an empty one", START,
	       BLOCK("0", "\"type\":\"tool_use\",\"input\":{}"),
	       DELTA("0", "\"type\":\"input_json_delta\",\"partial_json\":\"\""), END);
	FOLDED(MESSAGE("{\"type\":\"tool_use\",\"input\":\"{\\\"x\\\": 1\"}"),
	       "one that was cut stays a text", START, BLOCK("0", "\"type\":\"tool_use\",\"input\":{}"),
	       DELTA("0", "\"type\":\"input_json_delta\",\"partial_json\":\"{\\\"x\\\"\""),
	       DELTA("0", "\"type\":\"input_json_delta\",\"partial_json\":\": 1\""), END);
	FOLDED(MESSAGE("{\"input\":[1]},{\"partial\":2}"), "pieces of what was never begun", START,
	       DELTA("7", "\"type\":\"new_delta\",\"partial\":2"),
	       DELTA("0", "\"type\":\"input_json_delta\",\"partial_json\":\"[1]\""), END);
	FOLDED("{\"type\":\"message\",\"role\":\"assistant\",\"content\":[],\"stop_reason\":null,"
	       "\"stop_sequence\":null}", "events that say nothing", "{\"type\":\"message_start\"}",
	       "{\"type\":\"message_delta\"}", "{\"type\":\"content_block_start\"}",
	       "{\"type\":\"content_block_delta\",\"delta\":7}", "{\"type\":7}", "{}");

	struct merge m CLEANUP(merge_release) = { .values = 0 };
	struct str event CLEANUP(str_release) = STR_INIT;
	int rc = 0, n = 0;
	for (; rc == 0 && n < 1000; n++) {
		str_reset(&event);
		str_addf(&event, "{\"type\":\"content_block_start\",\"index\":%d,\"content_block\":{}}", n);
		rc = foldmessage_add(&m, str_span(&event));
	}
	CHECK(rc < 0 && n == MERGE_ITEMS + 1, "more blocks than fit are refused");
	return unit_done();
}
