#include "domain/attempt.h"

#include "fixture.h"

static int on_attempt(void *ctx, const struct attempt *a, struct err *e)
{
	struct str *out = ctx;

	(void)e;
	str_addf(out, "%s%lld:%s", out->n ? " " : "", (long long)a->n, a->in_flight ? "flying" : "");
	if (a->status)
		str_addf(out, "%lld", (long long)a->status);
	if (a->code.p)
		str_addspan(out, a->code);
	if (a->head.p) {
		str_addc(out, '/');
		str_addspan(out, a->head);
	}
	if (a->headers.p) {
		str_addc(out, '/');
		str_addspan(out, a->headers);
	}
	if (a->next_ms)
		str_addz(out, "/next");
	return 0;
}

static void test_each(struct db *db)
{
	int64_t id = fixture_batch(db, fixture_lines(db, 2)), row = request_row(id, 1);
	struct str got CLEANUP(str_release) = STR_INIT;
	struct err e = ERR_INIT;
	struct request_end first = { .verdict = VERDICT_RETRY, .status = 429, .message = "slow down",
				     .kind = ANSWER_TEXT, .body = SPAN_LIT("wait"), .bytes = 4,
				     .headers = SPAN_LIT("{\"retry-after\":\"1\"}"), .next_ms = 5 };
	struct request_end second = { .verdict = VERDICT_RETRY, .code = "connect_error",
				      .message = "refused", .kind = ANSWER_NONE, .next_ms = 6 };

	CHECK_INT(attempt_each(db, row, on_attempt, &got, &e), 0, "no attempt yet");
	fixture_send(db, row, &first);
	fixture_send(db, row, &second);
	fixture_send(db, row, NULL);
	CHECK_INT(attempt_each(db, row, on_attempt, &got, &e), 3, "three attempts");
	CHECK_STR(str_z(&got), "1:429/wait/{\"retry-after\":\"1\"}/next 2:connect_error/next 3:flying",
		  "in their order, the one in flight last");
	CHECK_INT(attempt_each(db, request_row(id, 2), on_attempt, &got, &e), 0,
		  "another request has its own");
}

static int on_group(void *ctx, const struct attempt_group *g, struct err *e)
{
	struct str *out = ctx;

	(void)e;
	str_addf(out, "%s%lld ", out->n ? ", " : "", (long long)g->status);
	str_addspan(out, g->code.p ? g->code : SPAN_LIT("-"));
	str_addf(out, " %lld %lu ", (long long)g->count, (unsigned long)g->line);
	str_addspan(out, g->custom_id);
	str_addc(out, ' ');
	str_addspan(out, g->message);
	return 0;
}

static void test_groups(struct db *db)
{
	int64_t id = fixture_batch(db, fixture_lines(db, 7));
	struct batch b CLEANUP(batch_release) = BATCH_INIT;
	struct str got CLEANUP(str_release) = STR_INIT;
	struct err e = ERR_INIT;

	fixture_get(db, id, &b);
	CHECK_INT(attempt_groups(db, &b, on_group, &got, &e), 0, "nothing has failed");
	fixture_fail(db, request_row(id, 1), 0, "connect_error", "refused");
	fixture_fail(db, request_row(id, 2), 400, NULL, "bad");
	fixture_fail(db, request_row(id, 3), 404, NULL, "gone");
	fixture_fail(db, request_row(id, 4), 400, NULL, "bad");
	fixture_fail(db, request_row(id, 5), 400, NULL, "worse");
	fixture_complete(db, request_row(id, 6), "{}");
	fixture_must(ending_cancel(db, id, false, &e) == 1, "cancel", &e);
	CHECK_INT(attempt_groups(db, &b, on_group, &got, &e), 4, "four kinds of failure");
	CHECK_STR(str_z(&got), "400 - 2 2 r2 bad, 0 connect_error 1 1 r1 refused, 404 - 1 3 r3 gone, "
		  "400 - 1 5 r5 worse", "most first, then by the line of the example");
}

int main(void)
{
	struct db *db = fixture_db("state.db");

	fixture_check_plans(db, &attempt_sql);
	test_each(db);
	test_groups(db);
	db_close(db);
	return unit_done();
}
