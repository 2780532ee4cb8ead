/* passthrough: what a plan may say of a product's work, and what is refused. */
#include "domain/passthrough.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "unit.h"

static struct passthrough p = PASSTHROUGH_INIT;
static struct err e;

static int parse(const char *compute, const char *json)
{
	e = (struct err)ERR_INIT;
	return passthrough_parse(compute, json ? span_of(json) : SPAN_NONE, "/plans", &p, &e);
}

static void good(void)
{
	CHECK_INT(parse("batch", "{\"file\":\"pages.jsonl\",\"base_url\":\"http://h:8000/v1\",\"key\":"
		  "\"file:k\",\"completion_window\":\"6h\",\"metadata\":{\"a\":\"b\"},\"headers\":"
		  "{\"X-A\":\"1\"},\"max_failed\":3,\"retries\":2,\"retry_delay\":\"250ms\","
		  "\"retry_factor\":1.5,\"timeout\":\"2m\",\"at_most_once\":true,\"priority\":-5,"
		  "\"max_response\":\"2M\",\"endpoint\":null}"), 0, "a batch with many members");
	CHECK_STR(p.file, "pages.jsonl", "file");
	CHECK(!p.argv, "no command");
	CHECK_STR(p.options.base_url, "http://h:8000/v1", "base_url");
	CHECK_STR(p.options.key, "file:/plans/k", "a key's file is looked for beside the plan");
	CHECK_INT(p.options.window_ms, 21600000, "completion_window");
	CHECK_STR(p.options.metadata[0], "a=b", "metadata");
	CHECK_STR(p.options.headers[0], "X-A: 1", "headers");
	CHECK_STR(p.max_failed, "3", "max_failed as a number");
	CHECK_INT(p.options.send.retries, 2, "retries");
	CHECK_INT(p.options.send.retry_delay_ms, 250, "retry_delay");
	CHECK_INT(p.options.send.retry_factor_micro, 1500000, "retry_factor");
	CHECK_INT(p.options.send.total_ms, 120000, "timeout");
	CHECK_INT(p.options.send.max_response, 2 << 20, "max_response");
	CHECK_INT(p.options.priority, -5, "priority");
	CHECK(p.options.at_most_once, "at_most_once");
	CHECK(!p.options.endpoint, "null is as if it were not there");

	CHECK_INT(parse("batch", "{\"prepare\":[\"jq\",\"-c\",\".\"],\"max_failed\":\"1%\"}"), 0,
		  "a batch that a command prepares");
	CHECK(p.argc == 3 && strcmp(p.argv[2], ".") == 0 && !p.argv[3], "its arguments");
	CHECK(p.parents && p.timeout_ms == 3600000 && p.max_output == 64 << 20,
	      "it reads its parents; 1h, 64M");
	CHECK_STR(p.max_failed, "1%", "max_failed as a portion");
	CHECK_INT(parse("exec", "{\"argv\":[\"sh\"],\"stdin\":\"none\",\"timeout\":\"90s\","
		  "\"max_output\":\"1k\"}"), 0, "a command");
	CHECK(!p.parents && p.timeout_ms == 90000 && p.max_output == 1024, "with its limits");
	CHECK_INT(parse("batch", "{\"file\":\"x\"}"), 0, "the least");
	CHECK_STR(p.max_failed, "0", "no request may fail unless it is said");
	setenv("FSL_BASE_URL", "http://other:1", 1);
	CHECK_INT(parse("batch", "{\"file\":\"x\"}"), 0, "without a base URL");
	CHECK_STR(p.options.base_url, "http://other:1", "FSL_BASE_URL, as for the programs");
	unsetenv("FSL_BASE_URL");
}

static void refused(void)
{
	static const struct { const char *compute, *json, *why; } bad[] = {
		{ "batch", NULL, "passthrough: must be an object that says what to do" },
		{ "batch", "[]", "passthrough: must be an object that says what to do" },
		{ "batch", "{}", "passthrough: needs \"file\" or \"prepare\"" },
		{ "batch", "{\"file\":\"a\",\"prepare\":[\"b\"]}", "passthrough: \"file\" and \"prepare\" exclude each other" },
		{ "batch", "{\"file\":7}", "passthrough.file: must be a text" },
		{ "batch", "{\"file\":\"\"}", "passthrough.file: must be a text" },
		{ "batch", "{\"file\":\"a\\u0000b\"}", "passthrough.file: must be a text" },
		{ "batch", "{\"file\":\"a\",\"file\":\"b\"}", "passthrough.file: is there twice" },
		{ "batch", "{\"file\":\"a\",\"argv\":[\"b\"]}", "passthrough.argv: is not known" },
		{ "batch", "{\"file\":\"a\",\"max_failed\":\"5x\"}", "passthrough.max_failed: must be a number of requests, or a text such as \"1%\"" },
		{ "batch", "{\"file\":\"a\",\"max_failed\":-1}", "passthrough.max_failed: must be a number of requests, or a text such as \"1%\"" },
		{ "batch", "{\"file\":\"a\",\"retries\":1001}", "passthrough.retries: '1001' is not a number from 0 to 1000" },
		{ "batch", "{\"file\":\"a\",\"retries\":[]}", "passthrough.retries: must be a number" },
		{ "batch", "{\"file\":\"a\",\"timeout\":5}", "passthrough.timeout: must be a text such as \"90s\" or \"1h\"" },
		{ "batch", "{\"file\":\"a\",\"metadata\":{\"a\":1}}", "passthrough.metadata: must be an object of strings" },
		{ "batch", "{\"file\":\"a\",\"metadata\":{\"a=b\":\"1\"}}", "passthrough.metadata: has a name with '='" },
		{ "batch", "{\"file\":\"a\",\"at_most_once\":1}", "passthrough.at_most_once: must be true or false" },
		{ "exec", "{}", "passthrough.argv: required array is missing" },
		{ "exec", "{\"argv\":\"ls -l\"}", "passthrough.argv: must be an array of strings: the program and its arguments" },
		{ "exec", "{\"argv\":[]}", "passthrough.argv: must begin with a program" },
		{ "exec", "{\"argv\":[\"a\",1]}", "passthrough.argv: must be an array of strings without NUL" },
		{ "exec", "{\"argv\":[\"a\"],\"stdin\":\"both\"}", "passthrough.stdin: must be \"parents\" or \"none\"" },
		{ "exec", "{\"argv\":[\"a\"],\"file\":\"b\"}", "passthrough.file: is not known" },
	};

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		CHECK(parse(bad[i].compute, bad[i].json) < 0 && e.code == ERR_INPUT, "%s is refused",
		      bad[i].json ? bad[i].json : "null");
		CHECK_STR(e.msg, bad[i].why, "and named");
	}
	CHECK(parse("batch", "{\"file\":\"a\",\"key\":\"sk-123456\"}") < 0 && e.code == ERR_INPUT &&
	      strstr(e.msg, "passthrough: ") == e.msg && !strstr(e.msg, "sk-123456"),
	      "what is no reference of a key is refused, and not shown");
	CHECK(parse("batch", "{\"file\":\"a\",\"base_url\":\"ftp://h\"}") < 0 &&
	      e.code == ERR_INPUT, "so is a base URL that is none");
}

static void ids(void)
{
	CHECK(passthrough_is_id("file-0123abcd"), "file-<hex> is an id");
	CHECK(!passthrough_is_id("file-pages"), "file-pages is a path");
	CHECK(!passthrough_is_id("file-ab"), "and so is what is too short");
}

int main(void)
{
	unsetenv("FSL_BASE_URL");
	unsetenv("OPENAI_BASE_URL");
	good();
	refused();
	ids();
	passthrough_release(&p);
	return unit_done();
}
