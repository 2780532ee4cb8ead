#include "domain/create.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "unit.h"

static struct create c;
static struct err e;

static int make(const struct create_options *o)
{
	e = (struct err)ERR_INIT;
	return create_make(o, &c, &e);
}

static bool refused(const struct create_options *o)
{
	return make(o) < 0 && e.code == ERR_USAGE;
}

static void test_base_url(void)
{
	struct create_options o = CREATE_OPTIONS_INIT;

	unsetenv("OPENAI_BASE_URL");
	CHECK(make(&o) == 0 && strcmp(c.batch.base_url, "https://api.openai.com") == 0,
	      "the base URL is OpenAI's unless said otherwise");
	CHECK_STR(c.batch.key_ref, "env:OPENAI_API_KEY", "its key is OPENAI_API_KEY");
	setenv("OPENAI_BASE_URL", "http://h:8000/v1", 1);
	CHECK(make(&o) == 0 && strcmp(c.batch.base_url, "http://h:8000/v1") == 0,
	      "OPENAI_BASE_URL");
	CHECK_STR(c.batch.key_ref, "env:OPENAI_API_KEY", "and its key too");
	o.base_url = "http://h:8000/v1";
	CHECK(make(&o) == 0 && strcmp(c.batch.key_ref, "none") == 0,
	      "another base URL has no key, though OPENAI_BASE_URL is the same");
	o.base_url = "https://API.openai.com:443/v1";
	CHECK(make(&o) == 0 && strcmp(c.batch.key_ref, "env:OPENAI_API_KEY") == 0,
	      "the origin counts, not how it is written");
	o.base_url = "http://api.openai.com";
	CHECK(make(&o) == 0 && strcmp(c.batch.key_ref, "none") == 0,
	      "the key does not go to http:// by default");
	o.base_url = "/v1";
	CHECK(refused(&o) && strstr(e.msg, "--base-url"), "a path is no base URL");
	o.base_url = "http://user:geheim@h/";
	CHECK(refused(&o) && !strstr(e.msg, "geheim"), "user:password is refused, not shown");
	o.base_url = "http://h/?api_key=geheim";
	CHECK(refused(&o) && !strstr(e.msg, "geheim") && e.hint[0],
	      "a key in the query is refused with a hint");
	o.allow_secrets = true;
	CHECK(make(&o) == 0, "unless secrets are allowed");
	o = (struct create_options)CREATE_OPTIONS_INIT;
	setenv("OPENAI_BASE_URL", "nonsense", 1);
	CHECK(refused(&o) && strstr(e.msg, "OPENAI_BASE_URL"), "the variable is named if it is bad");
	unsetenv("OPENAI_BASE_URL");
}

static void test_key(void)
{
	static const char *const good[] = { "env:MY_KEY2", "env:_", "file:/etc/k", "cred:openai",
					    "none" };
	static const char *const bad[] = { "sk-geheim", "env:", "env:1A", "env:A B", "file:",
					   "file:a\nb", "cred:", "cred:../x", "cred:.", "NONE",
					   "env:sk-geheim", "" };
	struct create_options o = CREATE_OPTIONS_INIT;
	char cwd[4096], want[5000];

	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		o.key = good[i];
		CHECK(make(&o) == 0 && strcmp(c.batch.key_ref, good[i]) == 0, "--key %s", good[i]);
	}
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		o.key = bad[i];
		CHECK(refused(&o) && !strstr(e.msg, "geheim") && !strstr(e.hint, "geheim"),
		      "no key reference, and never shown: %zu", i);
	}
	o.key = "file:key";
	snprintf(want, sizeof want, "file:%s/key", getcwd(cwd, sizeof cwd));
	make(&o);
	CHECK_STR(c.batch.key_ref, want, "a relative file is made absolute");
}

static void test_key_header(void)
{
	static const char *const bad[] = { "api-key", "api-key: {", "{}: x", "a: {} {}", "a b: {}",
					   "Host: {}", "a: {}\r\nb: c" };
	struct create_options o = CREATE_OPTIONS_INIT;

	o.key = "env:K";
	CHECK(make(&o) == 0 && c.batch.key_header == NULL, "no key header is the default one");
	o.key_header = "api-key: {}";
	CHECK(make(&o) == 0 && strcmp(c.batch.key_header, "api-key: {}") == 0, "--key-header");
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		o.key_header = bad[i];
		CHECK(refused(&o), "no template of a header: %zu", i);
	}
	o.key_header = "api-key: {}";
	o.key = "none";
	CHECK(refused(&o), "a key header without a key");
}

static void test_headers(void)
{
	const char *list[2] = { "X-Team:  blue \t", "X-Quote: \"a\"" };
	struct create_options o = CREATE_OPTIONS_INIT;

	CHECK(make(&o) == 0 && c.batch.headers == NULL, "no headers");
	o.headers = list;
	o.n_headers = 2;
	CHECK(make(&o) == 0, "two headers");
	CHECK_STR(c.batch.headers, "[\"X-Team: blue\",\"X-Quote: \\\"a\\\"\"]",
		  "are kept as a JSON array, without white space around the values");
	o.n_headers = 1;
	list[0] = "X-Team";
	CHECK(refused(&o), "a header without a colon");
	list[0] = "Content-Length: 3";
	CHECK(refused(&o), "a header that belongs to the connection");
	list[0] = "X: a\rb";
	CHECK(refused(&o), "a control byte in a value");
	list[0] = "x-api-key: geheim";
	CHECK(refused(&o) && !strstr(e.msg, "geheim") && strstr(e.hint, "--key-header"),
	      "a secret, with the way to do it as a hint");
	o.allow_secrets = true;
	CHECK(make(&o) == 0, "unless secrets are allowed");
}

static void test_metadata(void)
{
	static char long_key[80];
	const char *many[17];
	const char *list[2] = { "team=blue=green", "empty=" };
	struct create_options o = CREATE_OPTIONS_INIT;

	o.metadata = list;
	o.n_metadata = 2;
	CHECK(make(&o) == 0, "two pairs");
	CHECK_STR(c.batch.metadata, "{\"team\":\"blue=green\",\"empty\":\"\"}", "as an object");
	list[1] = "team=red";
	CHECK(refused(&o), "a key given twice");
	list[1] = "noequals";
	CHECK(refused(&o), "no '='");
	list[1] = "=x";
	CHECK(refused(&o), "no key");
	list[1] = "a=\xff";
	CHECK(refused(&o), "no UTF-8");
	memset(long_key, 'k', 65);
	long_key[65] = '=';
	list[1] = long_key;
	CHECK(refused(&o), "a key of 65 characters");
	for (int i = 0; i < 17; i++)
		many[i] = "k=v";
	o.metadata = many;
	o.n_metadata = 17;
	CHECK(refused(&o), "17 pairs");
}

static void test_rest(void)
{
	struct create_options o = CREATE_OPTIONS_INIT;

	o.send.retries = 9;
	o.retry_http = "429";
	o.no_idempotency_key = o.at_most_once = true;
	CHECK(make(&o) == 0 && c.batch.send->retries == 9 && c.batch.send->total_ms == SEND_UNSET &&
	      c.batch.send->no_idempotency_key == 1 && c.batch.send->at_most_once == 1 &&
	      strcmp(c.batch.send->retry_http, "429") == 0, "how to send");
	struct send s CLEANUP(send_release) = SEND_INIT;
	CHECK(create_send(&o, &s, &e) == 0 && s.retries == 9 && s.no_idempotency_key == 1 &&
	      s.at_most_once == 1 &&
	      strcmp(s.retry_http, "429") == 0 && s.stall_ms == SEND_UNSET, "that alone");
	send_release(&s);
	o.retry_http = "many";
	CHECK(refused(&o) && strstr(e.msg, "--retry-http"), "a bad list of statuses");
	CHECK(create_send(&o, &s, &e) < 0 && e.code == ERR_USAGE, "there too");
	o = (struct create_options)CREATE_OPTIONS_INIT;
	o.endpoint = "/v1/x y";
	CHECK(refused(&o) && strstr(e.msg, "--endpoint"), "a bad endpoint");
	o.endpoint = "/v1/x";
	CHECK(make(&o) == 0 && strcmp(c.batch.endpoint, "/v1/x") == 0, "a good one");
	o.name = "@x";
	CHECK(refused(&o) && strstr(e.msg, "--name"), "a bad name");
	o.name = NULL;
	o.if_absent = true;
	CHECK(refused(&o), "--if-absent without --name");
	o.if_absent = false;
	o.window_ms = 86400000;
	CHECK(make(&o) == 0 && c.batch.window_ms == 86400000, "the completion window");
	CHECK(c.batch.reuse == NULL, "nothing is reused");
	o.reuse_ms = 3600000;
	CHECK(make(&o) == 0 && c.batch.reuse == &c.reuse && c.reuse.within_ms == 3600000,
	      "unless asked for, and how old it may be");
	o.priority = 1001;
	CHECK(refused(&o), "a priority that is too high");
}

int main(void)
{
	c = (struct create)CREATE_INIT;
	test_base_url();
	test_key();
	test_key_header();
	test_headers();
	test_metadata();
	test_rest();
	create_release(&c);
	return unit_done();
}
