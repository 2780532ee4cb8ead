#include "domain/result.h"

#include "domain/answer.h"
#include "fixture.h"

struct got {
	struct str lines;
	int n, successes;
};

static void got_release(struct got *g)
{
	str_release(&g->lines);
}

static int collect(void *ctx, int64_t row, bool success, struct span line, struct err *e)
{
	struct got *g = ctx;

	(void)row;
	(void)e;
	g->n++;
	g->successes += success;
	str_addspan(&g->lines, line);
	str_addc(&g->lines, '\n');
	return 0;
}

/* The custom ids of the lines, in their order. */
static const char *ids_of(const struct got *g, char *buf, size_t size)
{
	size_t n = 0;

	buf[0] = '\0';
	for (const char *p = str_z(&g->lines); (p = strstr(p, "\"custom_id\":\"")) != NULL;) {
		p += 13;
		size_t len = strcspn(p, "\"");
		if (n + len + 2 > size)
			break;
		n += (size_t)snprintf(buf + n, size - n, "%s%.*s", n ? " " : "", (int)len, p);
	}
	return buf;
}

static void read_all(struct db *db, int64_t id, struct result_options o, int64_t *after,
		     struct got *g, struct result_counts *c)
{
	struct batch b CLEANUP(batch_release) = BATCH_INIT;
	struct err e = ERR_INIT;

	str_reset(&g->lines);
	g->n = g->successes = 0;
	fixture_get(db, id, &b);
	fixture_must(result_each(db, &b, &o, after, collect, g, c, &e) == 0, "result_each", &e);
}

static const struct result_options both = { .successes = true, .errors = true };

static void test_lines(struct db *db)
{
	int64_t file = fixture_file(db,
		"{\"custom_id\":\"a\",\"url\":\"/v1/x\",\"metadata\":{\"row\":[1, 2]},\"body\":{}} \r\n"
		"{\"custom_id\":\"b\\\"q\",\"url\":\"/v1/x\",\"body\":{}}\n"
		"{\"custom_id\":\"c\",\"url\":\"/v1/x\",\"me\\u0074adata\":7,\"body\":{}}\n"
		"{\"custom_id\":\"d\",\"url\":\"/v1/x\",\"body\":{\"x\":\"\\\"metadata\\\"\"}}\n"
		"{\"custom_id\":\"e\",\"url\":\"/v1/x\",\"body\":{}}\n");
	int64_t id = fixture_batch(db, file);
	struct batch b CLEANUP(batch_release) = BATCH_INIT;
	struct got g CLEANUP(got_release) = { .n = 0 };
	struct result_counts c;
	struct err e = ERR_INIT;
	struct str want CLEANUP(str_release) = STR_INIT;
	char hex[ID_HEX + 1];

	fixture_complete(db, request_row(id, 1), "{\"n\": 12345678901234567890123,\n \"e\":1e2}");
	fixture_fail(db, request_row(id, 2), 400, NULL, "{\"error\":{\"message\":\"bad\"}}");
	fixture_fail(db, request_row(id, 3), 0, "connect_error", "Connection refused");
	/* An answer that came but is none: its status does not make it one. */
	fixture_fail(db, request_row(id, 4), 200, "truncated", "{}");
	fixture_must(ending_cancel(db, id, false, &e) == 1, "cancel", &e);
	read_all(db, id, both, NULL, &g, &c);
	fixture_get(db, id, &b);
	id_hex(b.uuid, hex);
	str_addf(&want, "{\"id\":\"batch_req_%s00000001\",\"custom_id\":\"a\",\"response\":"
		 "{\"status_code\":200,\"request_id\":\"req_a1\",\"body\":"
		 "{\"n\":12345678901234567890123,\"e\":1e2}},\"error\":null,"
		 "\"metadata\":{\"row\":[1, 2]}}\n", hex);
	str_addf(&want, "{\"id\":\"batch_req_%s00000002\",\"custom_id\":\"b\\\"q\",\"response\":"
		 "{\"status_code\":400,\"request_id\":null,\"body\":"
		 "{\"error\":{\"message\":\"bad\"}}},\"error\":null}\n", hex);
	str_addf(&want, "{\"id\":\"batch_req_%s00000003\",\"custom_id\":\"c\",\"response\":null,"
		 "\"error\":{\"code\":\"connect_error\",\"message\":\"Connection refused\"},"
		 "\"metadata\":7}\n", hex);
	str_addf(&want, "{\"id\":\"batch_req_%s00000004\",\"custom_id\":\"d\",\"response\":null,"
		 "\"error\":{\"code\":\"truncated\",\"message\":\"{}\"}}\n", hex);
	str_addf(&want, "{\"id\":\"batch_req_%s00000005\",\"custom_id\":\"e\",\"response\":null,"
		 "\"error\":{\"code\":\"batch_cancelled\",\"message\":"
		 "\"This request was cancelled before it was completed.\"}}\n", hex);
	CHECK_STR(str_z(&g.lines), str_z(&want), "the lines as they must be");
	CHECK(c.successes == 1 && c.errors == 4 && c.unfinished == 0, "each line once");

	read_all(db, id, (struct result_options){ .successes = true, .with_input = true }, NULL,
		 &g, &c);
	CHECK(strstr(str_z(&g.lines), ",\"error\":null,\"input\":{\"custom_id\":\"a\",\"url\":\"/v1/x\","
		     "\"metadata\":{\"row\":[1, 2]},\"body\":{}},\"metadata\":") != NULL,
	      "--with-input: the line as it was imported, without its line end");
	CHECK(g.n == 1 && c.errors == 4, "only successes, but all are counted");
}

static void test_bodies(struct db *db)
{
	int64_t id = fixture_batch(db, fixture_lines(db, 3));
	struct got g CLEANUP(got_release) = { .n = 0 };
	struct result_counts c;
	struct request_end end = { .verdict = VERDICT_COMPLETED, .status = 200,
				   .kind = ANSWER_TEXT, .body = SPAN_LIT("a\nb"), .bytes = 3 };

	fixture_send(db, request_row(id, 1), &end);
	end.kind = ANSWER_BYTES;
	end.body = SPAN_LIT("\0\xff");
	fixture_send(db, request_row(id, 2), &end);
	end.kind = ANSWER_NONE;
	end.body = SPAN_NONE;
	fixture_send(db, request_row(id, 3), &end);
	read_all(db, id, both, NULL, &g, &c);
	CHECK(strstr(str_z(&g.lines), "\"body\":\"a\\nb\"}") != NULL, "text is a JSON string");
	CHECK(strstr(str_z(&g.lines), "\"body\":{\"$base64\":\"AP8=\"}}") != NULL,
	      "other bytes are base64");
	CHECK(strstr(str_z(&g.lines), "\"body\":null}") != NULL, "no body is null");

	static const char stream[] = "data: {\"id\":\"a\",\"choices\":[{\"delta\":{\"content\":\"x\\ny\"}}]}"
				     "\r\n\r\ndata: [DONE]\r\n\r\n";
	id = fixture_batch(db, fixture_lines(db, 2));
	end = (struct request_end){ .verdict = VERDICT_COMPLETED, .status = 200, .kind = ANSWER_STREAM,
				    .body = span_of(stream), .bytes = sizeof stream - 1 };
	fixture_send(db, request_row(id, 1), &end);
	end.verdict = VERDICT_FAILED;
	end.code = "stream_error";
	end.message = "busy";
	fixture_send(db, request_row(id, 2), &end);
	read_all(db, id, both, NULL, &g, &c);
	CHECK(strstr(str_z(&g.lines), "\"status_code\":200,\"request_id\":null,\"body\":{\"id\":\"a\","
		     "\"object\":\"chat.completion\",\"choices\":[{\"index\":0,\"message\":{\"role\":"
		     "\"assistant\",\"content\":\"x\\ny\",\"refusal\":null},\"logprobs\":null,"
		     "\"finish_reason\":null}]}},\"error\":null}") != NULL, "a stream is folded");
	CHECK(strstr(str_z(&g.lines), "\"response\":null,\"error\":{\"code\":\"stream_error\",\"message\":"
		     "\"busy\"}}") != NULL, "one with an error in it is told as an error");
}

static void test_order(struct db *db)
{
	int64_t id = fixture_batch(db, fixture_lines(db, 6)), after = 0, tail;
	struct batch b CLEANUP(batch_release) = BATCH_INIT;
	struct got g CLEANUP(got_release) = { .n = 0 };
	struct result_options o = both;
	struct result_counts c;
	struct err e = ERR_INIT;
	char ids[200];

	o.completion_order = true;
	fixture_complete(db, request_row(id, 4), "{}");
	fixture_complete(db, request_row(id, 2), "{}");
	read_all(db, id, o, &after, &g, &c);
	CHECK_STR(ids_of(&g, ids, sizeof ids), "r4 r2", "in the order of completion");
	CHECK_INT(c.unfinished, 4, "what is not finished is counted");
	fixture_fail(db, request_row(id, 6), 400, NULL, "{}");
	read_all(db, id, o, &after, &g, &c);
	CHECK_STR(ids_of(&g, ids, sizeof ids), "r6", "only what came behind the last one");
	read_all(db, id, o, &after, &g, &c);
	CHECK_INT(g.n, 0, "and nothing twice");
	read_all(db, id, both, NULL, &g, &c);
	CHECK_STR(ids_of(&g, ids, sizeof ids), "r2 r4 r6", "in the order of the input");

	fixture_must(ending_cancel(db, id, false, &e) == 3, "cancel", &e);
	read_all(db, id, o, &after, &g, &c);
	CHECK_STR(ids_of(&g, ids, sizeof ids), "r1 r3 r5",
		  "what was cancelled comes at the end, when the batch is terminal");
	read_all(db, id, o, &after, &g, &c);
	CHECK_INT(g.n, 0, "once");
	read_all(db, id, o, NULL, &g, &c);
	CHECK_STR(ids_of(&g, ids, sizeof ids), "r4 r2 r6 r1 r3 r5", "and all from the first");

	fixture_get(db, id, &b);
	CHECK(result_position(db, &b, 2, true, &after, &e) == 0 &&
	      result_position(db, &b, 3, true, &tail, &e) == 0, "positions of requests");
	read_all(db, id, o, &after, &g, &c);
	CHECK_STR(ids_of(&g, ids, sizeof ids), "r6 r1 r3 r5", "behind a request");
	read_all(db, id, o, &tail, &g, &c);
	CHECK_STR(ids_of(&g, ids, sizeof ids), "r5", "behind a cancelled one");
	CHECK(result_position(db, &b, 4, false, &after, &e) == 0, "and of a line");
	read_all(db, id, both, &after, &g, &c);
	CHECK_STR(ids_of(&g, ids, sizeof ids), "r5 r6", "behind a line, in input order");
	CHECK(result_position(db, &b, 7, false, &after, &e) < 0 && e.code == ERR_NOTFOUND,
	      "there is no such request");
}

static void test_pages(struct db *db)
{
	enum { N = 1300 };
	int64_t id = fixture_batch(db, fixture_lines(db, N)), after = 0;
	struct got g CLEANUP(got_release) = { .n = 0 };
	struct result_options o = both;
	struct result_counts c;
	struct err e = ERR_INIT;

	for (uint32_t line = 1; line <= 700; line++)
		fixture_complete(db, request_row(id, line), "{}");
	fixture_must(ending_cancel(db, id, false, &e) == N - 700, "cancel", &e);
	read_all(db, id, both, NULL, &g, &c);
	CHECK_INT(g.n, N, "every line, over several pages, in input order");
	o.completion_order = true;
	read_all(db, id, o, &after, &g, &c);
	CHECK(g.n == N && g.successes == 700, "and in the order of completion");
	o.errors = false;
	read_all(db, id, o, NULL, &g, &c);
	CHECK(g.n == 700 && c.errors == N - 700, "one kind only");
}

static void test_merge(struct db *db)
{
	int64_t file = fixture_lines(db, 4);
	struct batch list[2] = { BATCH_INIT, BATCH_INIT };
	struct got g CLEANUP(got_release) = { .n = 0 };
	struct result_counts c;
	struct err e = ERR_INIT;
	char ids[200];

	for (int i = 0; i < 2; i++)
		list[i].id = fixture_batch(db, file);
	for (int i = 0; i < 2; i++) {
		int64_t id = list[i].id;
		for (uint32_t line = 1; line <= 4; line++) {
			bool good = line == 1 || (line == 2 && i == 0) || (line == 3 && i == 1);
			char body[32];
			snprintf(body, sizeof body, "{\"from\":%d}", i);
			if (good)
				fixture_complete(db, request_row(id, line), body);
			else
				fixture_fail(db, request_row(id, line), 400, NULL, body);
		}
		fixture_get(db, id, &list[i]);
	}
	fixture_must(result_merge(db, list, 2, &both, collect, &g, &c, &e) == 0, "merge", &e);
	CHECK_INT(g.n, 4, "one line per custom id");
	CHECK_STR(ids_of(&g, ids, sizeof ids), "r2 r1 r3 r4", "each from the batch that wins");
	CHECK(strstr(str_z(&g.lines), "\"r2\",\"response\":{\"status_code\":200,\"request_id\":"
		     "\"req_a1\",\"body\":{\"from\":0}}") != NULL, "a success beats a later failure");
	CHECK(strstr(str_z(&g.lines), "\"r4\",\"response\":{\"status_code\":400,\"request_id\":null,"
		     "\"body\":{\"from\":1}}") != NULL, "else the later batch wins");
	CHECK(c.successes == 3 && c.errors == 1, "and what is left is counted");
	got_release(&g);
	g = (struct got){ .n = 0 };
	struct result_options o = { .successes = true };
	fixture_must(result_merge(db, list, 2, &o, collect, &g, &c, &e) == 0, "merge", &e);
	CHECK(g.n == 3 && c.errors == 1, "error lines are counted, not given");
	for (int i = 0; i < 2; i++)
		batch_release(&list[i]);
}

int main(void)
{
	struct db *db = fixture_db("state.db");

	fixture_check_plans(db, &result_sql);
	test_lines(db);
	test_bodies(db);
	test_order(db);
	test_pages(db);
	test_merge(db);
	db_close(db);
	return unit_done();
}
