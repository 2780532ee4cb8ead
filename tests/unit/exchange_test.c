#include "domain/exchange.h"

#include <unistd.h>

#include "fixture.h"

/* A batch of one line with these texts; its row. */
static int64_t make(struct db *db, const char *line, const char *key_ref, const char *key_header,
		    const char *headers)
{
	struct batch b CLEANUP(batch_release) = BATCH_INIT;
	struct batch_new n = fixture_new(fixture_file(db, line));
	struct err e = ERR_INIT;
	bool existed;

	n.key_ref = key_ref;
	n.key_header = key_header;
	n.headers = headers;
	fixture_must(batch_create(db, &n, &b, &existed, &e) == 0, "create", &e);
	return b.id;
}

static const char *inspect(struct db *db, int64_t id, enum exchange_form form, int64_t n)
{
	static struct str text = STR_INIT;
	struct batch b CLEANUP(batch_release) = BATCH_INIT;
	struct err e = ERR_INIT;

	str_reset(&text);
	fixture_get(db, id, &b);
	if (exchange_inspect(db, &b, SPAN_LIT("a"), n, form, &text, &e) < 0) {
		str_reset(&text);
		str_addf(&text, "%d %s", e.code, e.msg);
	}
	return str_z(&text);
}

static bool has(const char *text, const char *part)
{
	if (strstr(text, part))
		return true;
	printf("# not in: %s\n", text);
	return false;
}

#define LINE "{\"custom_id\":\"a\",\"url\":\"/v1/x\",\"body\":{\"q\":\"it's\"}}\n"

static void test_request(struct db *db)
{
	int64_t id = make(db, LINE, "env:MY_KEY", NULL, "[\"X-Team: blue\"]");
	struct batch b CLEANUP(batch_release) = BATCH_INIT;
	struct str want CLEANUP(str_release) = STR_INIT;
	char hex[ID_HEX + 1];

	fixture_get(db, id, &b);
	id_hex(b.uuid, hex);
	str_addf(&want, "POST http://127.0.0.1:1/v1/x\nX-Team: blue\nAuthorization: Bearer "
		 "<env:MY_KEY>\nContent-Type: application/json\n"
		 "Idempotency-Key: batch_req_%s00000001\n\n{\"q\":\"it's\"}\n\nnot sent yet\n", hex);
	CHECK_STR(inspect(db, id, EXCHANGE_TEXT, 0), str_z(&want), "a request for people");
	str_reset(&want);
	str_addf(&want, "curl -sS -g -X POST http://127.0.0.1:1/v1/x \\\n  -H 'X-Team: blue' \\\n"
		 "  -H 'Authorization: Bearer '\"$MY_KEY\" \\\n  -H 'Content-Type: application/json' "
		 "\\\n  -H 'Idempotency-Key: batch_req_%s00000001' \\\n"
		 "  --data-raw '{\"q\":\"it'\\''s\"}'\n", hex);
	CHECK_STR(inspect(db, id, EXCHANGE_CURL, 0), str_z(&want), "as a curl command");
	str_reset(&want);
	str_addf(&want, "{\"batch_id\":\"batch_%s\",\"line\":1,\"custom_id\":\"a\",\"request\":"
		 "{\"method\":\"POST\",\"url\":\"http://127.0.0.1:1/v1/x\",\"headers\":"
		 "{\"X-Team\":\"blue\",\"Authorization\":\"Bearer <env:MY_KEY>\","
		 "\"Content-Type\":\"application/json\",\"Idempotency-Key\":\"batch_req_%s00000001\"},"
		 "\"body\":{\"q\":\"it's\"}},\"attempts\":[]}\n", hex, hex);
	CHECK_STR(inspect(db, id, EXCHANGE_JSON, 0), str_z(&want), "as JSON");
}

static void test_headers(struct db *db)
{
	const char *text;

	text = inspect(db, make(db, "{\"custom_id\":\"a\",\"url\":\"/v1/x\",\"headers\":{\"x-team\":"
				"\"red\",\"Content-Type\":\"text/csv\"},\"body\":\"1,2\"}\n", "none", NULL,
				"[\"X-Team: blue\"]"), EXCHANGE_TEXT, 0);
	CHECK(has(text, "x-team: red\nContent-Type: text/csv\n") && !strstr(text, "blue") &&
	      !strstr(text, "json"), "a line's header replaces the batch's and ours");
	CHECK(has(text, "\n\n1,2\n") && !strstr(text, "Authorization"),
	      "a string is sent as its characters, none is no key");

	text = inspect(db, make(db, "{\"custom_id\":\"a\",\"url\":\"https://other/x\",\"method\":"
				"\"get\"}\n", "env:MY_KEY", NULL, NULL), EXCHANGE_CURL, 0);
	CHECK(has(text, "-X GET https://other/x") && !strstr(text, "MY_KEY") &&
	      !strstr(text, "--data") && !strstr(text, "Content-Type"),
	      "the key goes to the origin of the base URL only; no body, no type");

	text = inspect(db, make(db, LINE, "file:/my keys/k", "api-key: {}", NULL), EXCHANGE_CURL, 0);
	CHECK(has(text, "-H 'api-key: '\"$(head -n 1 '/my keys/k')\" \\\n"), "a key in a file");
	text = inspect(db, make(db, LINE, "cred:k", "X: <{}>", NULL), EXCHANGE_CURL, 0);
	CHECK(has(text, "-H 'X: <'\"$(head -n 1 \"$CREDENTIALS_DIRECTORY\"/k)\"'>' \\\n"),
	      "a credential of systemd, with text behind the key");
}

static void test_hostile(struct db *db)
{
	const char *text = inspect(db, make(db, "{\"custom_id\":\"a\",\"url\":\"/v1/x\",\"body\":"
					    "\"\\u001b[31m red\"}\n", "none", NULL, NULL),
				   EXCHANGE_TEXT, 0);

	CHECK(has(text, "\\x1b[31m red"), "control characters are shown, not sent to the terminal");
	struct str line CLEANUP(str_release) = STR_INIT;
	str_addz(&line, "{\"custom_id\":\"a\",\"url\":\"/v1/x\",\"body\":\"");
	for (int i = 0; i < 20000; i++)
		str_addz(&line, "longer ");
	str_addz(&line, "\"}\n");
	text = inspect(db, make(db, str_z(&line), "none", NULL, NULL), EXCHANGE_CURL, 0);
	CHECK(has(text, "|\ncurl -sS") && has(text, "--data-binary @-\n") &&
	      strncmp(text, "printf %s ", 10) == 0, "a body that is no argument any more");
}

static void test_attempts(struct db *db)
{
	int64_t id = make(db, LINE, "none", NULL, NULL), row = request_row(id, 1);
	struct request_end first = { .verdict = VERDICT_RETRY, .status = 429, .message = "slow down",
				     .kind = ANSWER_TEXT, .body = SPAN_LIT("wait\na bit"), .bytes = 10,
				     .headers = SPAN_LIT("{\"retry-after\":\"1\"}"), .next_ms = 5 };
	struct request_end second = { .verdict = VERDICT_RETRY, .code = "connect_error",
				      .message = "refused", .kind = ANSWER_NONE, .next_ms = 6 };
	const char *text;

	fixture_send(db, row, &first);
	fixture_send(db, row, &second);
	fixture_send(db, row, NULL);
	text = inspect(db, id, EXCHANGE_TEXT, 0);
	CHECK(has(text, "HTTP 429 after 5ms, next 1970-01-01T00:00:00.005Z\n  retry-after: 1\n  wait\n"
		  "  a bit\nattempt 2: "), "the telling headers and the head of a failed answer");
	CHECK(has(text, "connect_error after 5ms, next 1970-01-01T00:00:00.006Z\n  refused\n"
		  "attempt 3: ") && has(text, "in flight\n"), "no answer, and one in flight");
	text = inspect(db, id, EXCHANGE_TEXT, 2);
	CHECK(has(text, "attempt 2") && !strstr(text, "attempt 1"), "one attempt alone");
	CHECK_STR(inspect(db, id, EXCHANGE_TEXT, 4), "1 the request has no attempt 4",
		  "there is no such attempt");
	text = inspect(db, id, EXCHANGE_JSON, 1);
	CHECK(has(text, "\"in_flight\":false,\"ms\":5,\"status\":429,\"code\":null,\"message\":"
		  "\"slow down\",\"bytes\":10,\"next\":\"1970-01-01T00:00:00.005Z\",\"headers\":"
		  "{\"retry-after\":\"1\"},\"head\":\"wait\\na bit\"}]}\n"), "an attempt as JSON");
}

static void test_retried(struct db *db)
{
	int64_t id = make(db, LINE, "none", NULL, NULL);
	struct batch b CLEANUP(batch_release) = BATCH_INIT;
	struct select f = { .states = 0 };
	struct err e = ERR_INIT;

	fixture_fail(db, request_row(id, 1), 400, NULL, "{}");
	fixture_get(db, id, &b);
	fixture_must(select_retry(db, &b, &f, 0, &e) == 1, "retry", &e);
	CHECK(has(inspect(db, id, EXCHANGE_TEXT, 0), "00000001-r1\n"),
	      "a retried request has another idempotency key");
}

int main(void)
{
	struct db *db = fixture_db("state.db");

	fixture_check_plans(db, &exchange_sql);
	test_request(db);
	test_headers(db);
	test_hostile(db);
	test_attempts(db);
	test_retried(db);
	db_close(db);
	return unit_done();
}
