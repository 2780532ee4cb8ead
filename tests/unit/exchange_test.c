#include "domain/exchange.h"

#include <unistd.h>

#include "domain/reuse.h"
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
		 "\"body\":{\"q\":\"it's\"}},\"attempts\":[],\"reused_from\":null}\n", hex, hex);
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
		  "{\"retry-after\":\"1\"},\"head\":\"wait\\na bit\"}],\"reused_from\":null}\n"),
	      "an attempt as JSON");
}

static void test_streams(struct db *db)
{
	int64_t id = make(db, LINE, "none", NULL, NULL);
	struct request_end end = { .verdict = VERDICT_FAILED, .status = 200, .code = "stream_error",
				   .message = "busy", .kind = ANSWER_STREAM,
				   .body = SPAN_LIT("data: {\"a\":1}\n\ndata: {\"error\":2}\n\n") };

	fixture_send(db, request_row(id, 1), &end);
	CHECK(has(inspect(db, id, EXCHANGE_TEXT, 0), "HTTP 200, stream_error after 5ms\n  busy\n"
		  "  data: {\"a\":1}\n  \n  data: {\"error\":2}\n  \n"),
	      "of a failed stream: what is wrong, and its head as it came");
	CHECK(has(inspect(db, id, EXCHANGE_JSON, 0), "\"message\":\"busy\"") &&
	      has(inspect(db, id, EXCHANGE_JSON, 0), "\"head\":\"data: {\\\"a\\\":1}\\n\\ndata: "),
	      "as JSON, too");
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

static void test_reused(struct db *db)
{
	int64_t file = fixture_file(db, LINE), id = fixture_batch(db, file);
	struct reuse u CLEANUP(reuse_release) = REUSE_INIT;
	struct batch b CLEANUP(batch_release) = BATCH_INIT, old CLEANUP(batch_release) = BATCH_INIT;
	struct batch_new n = fixture_new(file);
	struct err e = ERR_INIT;
	char want[200], source[REQUEST_ID_BUF];
	bool existed;

	fixture_complete(db, request_row(id, 1), "{}");
	u.within_ms = INT64_C(1) << 60;
	n.reuse = &u;
	fixture_must(batch_create(db, &n, &b, &existed, &e) == 0 && u.taken == 1, "create", &e);
	fixture_get(db, id, &old);
	batch_request_text(old.uuid, 1, source);
	snprintf(want, sizeof want, "\n\nnot sent: reused from %s\n", source);
	CHECK(has(inspect(db, b.id, EXCHANGE_TEXT, 0), want), "a reused answer names its source");
	snprintf(want, sizeof want, "\"attempts\":[],\"reused_from\":\"%s\"}\n", source);
	CHECK(has(inspect(db, b.id, EXCHANGE_JSON, 0), want), "as JSON too");
}

/* A line of a batch that is not made yet. */
static void test_line(void)
{
	struct exchange x CLEANUP(exchange_release) = EXCHANGE_INIT;
	struct str text CLEANUP(str_release) = STR_INIT;
	struct batch future = { .base_url = (char *)"http://127.0.0.1:1", .key_ref = (char *)"env:K",
				.headers = (char *)"[\"X-A: b\"]", .send = SEND_INIT };
	struct err e = ERR_INIT;
	char *line CLEANUP(mem_cleanup) = mem_strdup(LINE);

	CHECK(exchange_line(&future, span_of(line), &x, &e) == 0, "a line of no file");
	memset(line, 'x', strlen(line));
	exchange_text(&x, &text);
	CHECK_STR(str_z(&text), "POST http://127.0.0.1:1/v1/x\nX-A: b\nAuthorization: Bearer <env:K>\n"
		  "Content-Type: application/json\n\n{\"q\":\"it's\"}\n",
		  "is a request, kept, without an idempotency key");
	CHECK(exchange_line(&future, SPAN_LIT("{"), &x, &e) < 0 && e.code == ERR_INTERNAL,
	      "a line that was not checked");
}

int main(void)
{
	struct db *db = fixture_db("state.db");

	fixture_check_plans(db, &exchange_sql);
	test_request(db);
	test_headers(db);
	test_hostile(db);
	test_attempts(db);
	test_streams(db);
	test_retried(db);
	test_reused(db);
	test_line();
	db_close(db);
	return unit_done();
}
