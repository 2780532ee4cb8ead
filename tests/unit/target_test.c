#include "engine/target.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/mem.h"
#include "unit.h"

static char base_url[] = "https://API.example:443/v1", key_ref[] = "env:FSL_UNIT_KEY";
static char none[] = "none";

static struct batch batch(void)
{
	return (struct batch){ .id = 7, .file = 3, .base_url = base_url, .key_ref = none,
			       .send = SEND_INIT };
}

static void defaults(void)
{
	struct batch b = batch();
	struct send given = SEND_INIT;
	struct target *t = target_new(&b, NULL, NULL);
	CHECK(t->batch == 7 && t->file == 3, "it knows batch and file");
	CHECK_STR(str_z(&t->origin), "https://api.example", "and the origin of the base URL");
	CHECK_INT(t->problem.code, ERR_NONE, "nothing is in the way");
	CHECK_INT(t->send.retries, 5, "nothing set: the built-in retries");
	CHECK_STR(t->send.retry_http, "408,425,429,5xx", "and statuses");
	CHECK_INT(t->limits.connect_ms, 10000, "connect");
	CHECK_INT(t->limits.first_byte_ms, 600000, "first byte");
	CHECK_INT(t->limits.stall_ms, 90000, "stall");
	CHECK_INT(t->limits.total_ms, 600000, "total");
	CHECK_INT(t->limits.max_response, 16 << 20, "max response");
	target_free(t);

	char list[] = "500";
	b.send.retries = 0;
	b.send.stall_ms = 1;
	given.retries = 9;
	given.stall_ms = 2;
	given.connect_ms = 3;
	given.retry_http = list;
	t = target_new(&b, &given, NULL);
	CHECK_INT(t->send.retries, 0, "what the batch sets comes first, 0 too");
	CHECK_INT(t->limits.stall_ms, 1, "in the limits as well");
	CHECK_INT(t->limits.connect_ms, 3, "then what the run sets");
	CHECK_STR(t->send.retry_http, "500", "texts too");
	CHECK_INT(t->send.retry_delay_ms, 1000, "then the built-in ones");
	CHECK(t->send.no_idempotency_key == 0 && t->send.retry_factor_micro == 2000000,
	      "nothing is left unset");
	target_free(t);
	target_free(NULL);
}

static void headers(void)
{
	char list[] = "[\"X-A: b: c\",\"X-Empty:\",\"X-\\u0051:   \\u00e9\"]";
	struct batch b = batch();
	b.headers = list;
	struct target *t = target_new(&b, NULL, NULL);
	CHECK_INT(t->n_headers, 3, "the batch's headers");
	CHECK(!strcmp(t->names[0], "X-A") && !strcmp(t->values[0], "b: c"), "name and value");
	CHECK(!strcmp(t->names[1], "X-Empty") && !strcmp(t->values[1], ""), "an empty value");
	CHECK(!strcmp(t->names[2], "X-Q") && !strcmp(t->values[2], "\xc3\xa9"), "JSON is decoded");
	CHECK(t->with_key && t->without_key && !t->key_name && !t->secret, "and no key");
	CHECK(target_has(t, "x-a") && !target_has(t, "X"), "are found in any case");
	target_free(t);
	char smuggled[] = "[\"X-A: b\\r\\nEvil: 1\"]";
	b.headers = smuggled;
	t = target_new(&b, NULL, NULL);
	CHECK_INT(t->problem.code, ERR_INPUT, "one with CR LF is a problem of the batch");
	target_free(t);
	char colonless[] = "[\"X-A\"]";
	b.headers = colonless;
	t = target_new(&b, NULL, NULL);
	CHECK_INT(t->problem.code, ERR_CONFIG, "so is one without a colon");
	target_free(t);
	struct str many CLEANUP(str_release) = STR_INIT;
	for (int i = 0; i < TARGET_HEADERS; i++)
		str_addf(&many, "%s\"X-%d: %d\"", i ? "," : "[", i, i);
	str_addz(&many, "]");
	b.headers = many.p;
	t = target_new(&b, NULL, NULL);
	CHECK(t->problem.code == ERR_NONE && t->n_headers == TARGET_HEADERS, "100 headers are fine");
	target_free(t);
	str_cut(&many, many.n - 1);
	str_addz(&many, ",\"X: 1\"]");
	b.headers = many.p;
	t = target_new(&b, NULL, NULL);
	CHECK_INT(t->problem.code, ERR_CONFIG, "101 are not");
	target_free(t);
}

static void keys(void)
{
	char template_text[] = "api-key: <{}>", own[] = "[\"Api-Key: mine\"]";
	struct batch b = batch();
	b.key_ref = key_ref;
	unsetenv("FSL_UNIT_KEY");
	struct target *t = target_new(&b, NULL, NULL);
	CHECK_INT(t->problem.code, ERR_NOPERM, "a key that does not resolve is a problem");
	CHECK(!t->with_key && !t->key_value, "and nothing can be sent");
	CHECK_INT(t->send.retries, 5, "the rest is there");
	target_free(t);
	setenv("FSL_UNIT_KEY", "sk-canary", 1);
	t = target_new(&b, NULL, NULL);
	CHECK_INT(t->problem.code, ERR_NONE, "one that does is none");
	CHECK_STR(t->key_name, "Authorization", "the default header");
	CHECK_STR(t->key_value, "Bearer sk-canary", "with the key");
	CHECK_STR(t->secret, "sk-canary", "the key alone, to be kept out of messages");
	target_free(t);
	b.key_header = template_text;
	t = target_new(&b, NULL, NULL);
	CHECK(!strcmp(t->key_name, "api-key") && !strcmp(t->key_value, "<sk-canary>"),
	      "a header of the batch's choice");
	target_free(t);
	b.headers = own;
	t = target_new(&b, NULL, NULL);
	CHECK(!t->key_name && !t->key_value && t->secret,
	      "a --header of the same name replaces it: the two would not both be sent");
	target_free(t);
	b.headers = NULL;
	setenv("FSL_UNIT_KEY", "sk-canary\r\nEvil: 1", 1);
	t = target_new(&b, NULL, NULL);
	CHECK(t->problem.code == ERR_NOPERM && !strstr(t->problem.msg, "canary"),
	      "one that would smuggle is a problem, and not shown: %s", t->problem.msg);
	target_free(t);
}

static void labels(void)
{
	char own[] = "[\"traceparent: x\",\"X-FUSILLADE-BATCH-A: mine\"]";
	char meta[] = "{\"a\":\"1\",\"b\":\"2\"}";
	struct batch b = batch();
	struct trace trace;
	trace_init(&trace, NULL);
	b.metadata = meta;
	struct target *t = target_new(&b, NULL, &trace);
	CHECK(t->trace == &trace && !t->labels && t->n_headers == 0, "a trace alone has no labels");
	target_free(t);
	trace.labels = true;
	t = target_new(&b, NULL, &trace);
	CHECK(t->labels && t->n_headers == 4 && target_has(t, "x-fusillade-batch-id") &&
	      target_has(t, "x-fusillade-batch-created-at") && target_has(t, "x-fusillade-batch-b"),
	      "labels are headers of the batch");
	target_free(t);
	b.headers = own;
	t = target_new(&b, NULL, &trace);
	CHECK(!t->trace && t->labels && t->n_headers == 5 &&
	      !strcmp(t->names[1], "X-FUSILLADE-BATCH-A") && !strcmp(t->values[1], "mine"),
	      "headers of the user's own win");
	target_free(t);
	struct str many CLEANUP(str_release) = STR_INIT, pairs CLEANUP(str_release) = STR_INIT;
	for (int i = 0; i < TARGET_HEADERS; i++)
		str_addf(&many, "%s\"X-%d: %d\"", i ? "," : "[", i, i);
	for (int i = 0; i < 50; i++)
		str_addf(&pairs, "%s\"k%d\":\"%d\"", i ? "," : "{", i, i);
	str_addz(&many, "]");
	str_addz(&pairs, "}");
	b.headers = many.p;
	b.metadata = pairs.p;
	t = target_new(&b, NULL, &trace);
	CHECK(t->problem.code == ERR_NONE && t->n_headers == TARGET_LINES, "there is room for all, "
	      "and no more than there is room for");
	target_free(t);
}

static const char *where;

static void make(void)
{
	struct batch b = batch();
	char *url CLEANUP(mem_cleanup) = mem_strdup(where);
	b.base_url = url;
	b.key_ref = key_ref;
	target_free(target_new(&b, NULL, NULL));
}

static void make_without_key(void)
{
	struct batch b = batch();
	char *url CLEANUP(mem_cleanup) = mem_strdup(where);
	b.base_url = url;
	target_free(target_new(&b, NULL, NULL));
}

static void warnings(void)
{
	static const struct { const char *url; bool warns; } all[] = {
		{ "http://api.example/v1", true }, { "http://10.0.0.1:8000", true },
		{ "http://127.0.0.1.example", true }, { "HTTP://API.EXAMPLE", true },
		{ "https://api.example", false }, { "http://127.0.0.1:8000", false },
		{ "http://127.9.9.9", false }, { "http://localhost:1", false },
		{ "http://LOCALHOST", false }, { "http://[::1]:8000/v1", false },
	};
	char said[2000];
	setenv("FSL_UNIT_KEY", "sk-canary", 1);
	for (size_t i = 0; i < ARRAY_LEN(all); i++) {
		where = all[i].url;
		CHECK_INT(unit_child(make, said, sizeof(said)), 0, "a target with a key");
		CHECK((strstr(said, "without encryption") != NULL) == all[i].warns,
		      "a key to %s is %s", where, all[i].warns ? "warned of" : "fine");
		CHECK(!strstr(said, "canary"), "and not shown");
	}
	where = "http://api.example/v1";
	CHECK_INT(unit_child(make_without_key, said, sizeof(said)), 0, "a target without a key");
	CHECK_STR(said, "", "is fine everywhere");
}

int main(void)
{
	defaults();
	headers();
	keys();
	labels();
	warnings();
	return unit_done();
}
