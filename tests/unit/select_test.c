#include "domain/select.h"

#include "fixture.h"

struct seen {
	struct str text;
	bool rich;  /* everything, else only the custom ids */
};

static void seen_release(struct seen *s)
{
	str_release(&s->text);
}

static void add(struct str *out, struct span v)
{
	str_addc(out, '|');
	str_addspan(out, v.p ? v : SPAN_LIT("-"));
}

static int on_row(void *ctx, const struct select_row *r, struct err *e)
{
	struct seen *s = ctx;

	(void)e;
	if (s->text.n > 0)
		str_addc(&s->text, ' ');
	str_addspan(&s->text, r->custom_id);
	if (!s->rich)
		return 0;
	str_addf(&s->text, "|%s", r->retrying ? "retrying" : request_state_text(r->state));
	str_addf(&s->text, "|%lld|%lld|%lld|%lld|%lld", (long long)r->attempts,
		 (long long)r->status, (long long)r->took_ms, (long long)r->input_tokens,
		 (long long)r->output_tokens);
	add(&s->text, r->model);
	add(&s->text, r->code);
	add(&s->text, r->message);
	return 0;
}

static const char *find(struct db *db, int64_t id, const struct select *f, bool rich)
{
	static struct str last = STR_INIT;
	struct batch b CLEANUP(batch_release) = BATCH_INIT;
	struct seen s CLEANUP(seen_release) = { .rich = rich };
	struct err e = ERR_INIT;

	fixture_get(db, id, &b);
	fixture_must(select_each(db, &b, f, on_row, &s, &e) >= 0, "select_each", &e);
	str_reset(&last);
	str_addspan(&last, str_span(&s.text));
	return str_z(&last);
}

static void test_lists(void)
{
	struct select f = { .states = 0 };
	struct err e = ERR_INIT;

	CHECK(select_http(&f, "429,5xx", &e) == 0 && f.n_http == 2 && f.http[0] == 429 &&
	      f.http[1] == 1500, "a list of statuses");
	CHECK(select_http(&f, "429,", &e) < 0 && e.code == ERR_USAGE, "an empty word");
	CHECK(select_http(&f, "6xx", &e) < 0 && e.code == ERR_USAGE, "no such class");
	CHECK(select_http(&f, "99", &e) < 0 && e.code == ERR_USAGE, "no such status");
	CHECK(select_states(&f, "failed,retrying", &e) == 0 &&
	      f.states == 1u << REQUEST_FAILED && f.retrying, "a list of states");
	CHECK(select_states(&f, "done", &e) < 0 && e.code == ERR_USAGE, "no such state");
}

/* r1 completed, r2 failed with 429, r3 with 503, r4 without an answer, r5 is
 * retried, r6 in flight, r7 and r8 pending. */
static int64_t make(struct db *db, int64_t file)
{
	int64_t id = fixture_batch(db, file);

	fixture_complete(db, request_row(id, 1),
			 "{\"usage\":{\"prompt_tokens\":7,\"completion_tokens\":3}}");
	fixture_fail(db, request_row(id, 2), 429, NULL, "{}");
	fixture_fail(db, request_row(id, 3), 503, NULL, "{}");
	fixture_fail(db, request_row(id, 4), 0, "connect_error", "refused");
	fixture_retry(db, request_row(id, 5), 500, clock_wall_ms() + 1000000);
	fixture_send(db, request_row(id, 6), NULL);
	return id;
}

static void test_each(struct db *db)
{
	int64_t id = make(db, fixture_lines(db, 8));
	static const char *const ids[] = { "r8", "r2", "nobody", NULL }, *codes[] = { "connect_error", NULL };
	struct select f = { .states = 0 };
	struct err e = ERR_INIT;

	CHECK_STR(find(db, id, &f, true),
		  "r1|completed|1|200|5|7|3|m|-|- r2|failed|1|429|5|-1|-1|m|-|{} "
		  "r3|failed|1|503|5|-1|-1|m|-|{} r4|failed|1|0|5|-1|-1|m|connect_error|refused "
		  "r5|retrying|1|500|5|-1|-1|m|-|slow r6|processing|1|0|-1|-1|-1|m|-|- "
		  "r7|pending|0|0|-1|-1|-1|m|-|- r8|pending|0|0|-1|-1|-1|m|-|-",
		  "all requests, in line order, with what is known of each");
	f.states = 1u << REQUEST_PENDING;
	CHECK_STR(find(db, id, &f, false), "r5 r7 r8", "pending ones, those that are retried too");
	f.states = 0;
	f.retrying = true;
	CHECK_STR(find(db, id, &f, false), "r5", "only those that are retried");
	f.states = 1u << REQUEST_COMPLETED;
	CHECK_STR(find(db, id, &f, false), "r1 r5", "and those that are completed");
	f = (struct select){ .states = 0 };
	fixture_must(select_http(&f, "429,5xx", &e) == 0, "http", &e);
	CHECK_STR(find(db, id, &f, false), "r2 r3 r5", "by HTTP status of the last attempt");
	f = (struct select){ .codes = codes };
	CHECK_STR(find(db, id, &f, false), "r4", "by code");
	f = (struct select){ .custom_ids = ids };
	CHECK_STR(find(db, id, &f, false), "r2 r8", "by custom id");
	f.states = 1u << REQUEST_FAILED;
	CHECK_STR(find(db, id, &f, false), "r2", "and both");
}

static void test_custom_id(struct db *db)
{
	struct batch b CLEANUP(batch_release) = BATCH_INIT;
	struct err e = ERR_INIT;
	int64_t row = 0;

	fixture_get(db, fixture_batch(db, fixture_lines(db, 30)), &b);
	CHECK(select_custom_id(db, &b, SPAN_LIT("r17"), &row, &e) == 1 &&
	      row == request_row(b.id, 17), "the line of a custom id");
	CHECK(select_custom_id(db, &b, SPAN_LIT("r31"), &row, &e) == 0, "there is none");
}

static void test_retry(struct db *db)
{
	int64_t file = fixture_lines(db, 8), id = make(db, file);
	struct batch b CLEANUP(batch_release) = BATCH_INIT;
	struct select f = { .states = 0 };
	struct err e = ERR_INIT;

	fixture_must(ending_cancel(db, id, false, &e) == 3, "cancel", &e);
	fixture_get(db, id, &b);
	CHECK(select_retry(db, &b, &f, 0, &e) < 0 && e.code == ERR_STATE,
	      "a batch that is being cancelled is not reopened");

	id = make(db, file);
	fixture_get(db, id, &b);
	CHECK_INT(select_retry_count(db, &b, &f, &e), 3, "how many would be sent again");
	fixture_must(select_http(&f, "5xx", &e) == 0, "http", &e);
	CHECK_INT(select_retry(db, &b, &f, 0, &e), 1, "those with a filter");
	f = (struct select){ .states = 1u << REQUEST_COMPLETED };
	CHECK(select_retry(db, &b, &f, 0, &e) < 0 && e.code == ERR_USAGE, "never completed ones");
	fixture_get(db, id, &b);
	CHECK(b.status == BATCH_IN_PROGRESS && b.failed == 2 && b.pending == 4,
	      "the counters follow");

	id = fixture_batch(db, file);
	fixture_complete(db, request_row(id, 1), "{}");
	fixture_must(ending_cancel(db, id, false, &e) == 7, "cancel", &e);
	fixture_get(db, id, &b);
	fixture_must(b.status == BATCH_CANCELLED, "cancelled", &e);
	f = (struct select){ .states = 0 };
	CHECK_INT(select_retry(db, &b, &f, 0, &e), 7, "all that were cancelled");
	fixture_get(db, id, &b);
	CHECK(b.status == BATCH_IN_PROGRESS && b.cancelled_ms == 0 && b.cancelling_ms == 0 &&
	      b.finalizing_ms == 0 && b.pending == 7 && b.completed == 1,
	      "the batch is open again, its end stamps are gone");
	CHECK_INT(select_retry(db, &b, &f, 0, &e), 0, "and nothing is left to send again");
	fixture_complete(db, request_row(id, 2), "{}");
	CHECK_STR(find(db, id, &(struct select){ .states = 1u << REQUEST_COMPLETED }, false), "r1 r2",
		  "they can be sent");
}

static void set(struct db *db, int64_t id, int64_t window, int64_t expires)
{
	static const char *const texts[] = {
		"UPDATE batches SET window_ms = nullif(?2, 0), expires_ms = nullif(?3, 0)"
		" WHERE id = ?1",
	};
	static const struct stmt_set sql = { "window", texts, ARRAY_LEN(texts) };
	struct err e = ERR_INIT;

	TX(tx);
	fixture_must(tx_begin(&tx, db, &e) == 0, "begin", &e);
	STMT(q, db, &sql, 0);
	stmt_int(&q, 1, id);
	stmt_int(&q, 2, window);
	stmt_int(&q, 3, expires);
	fixture_must(stmt_run(&q, &e) == 1 && tx_commit(&tx, &e) == 0, "set", &e);
}

static void test_windows(struct db *db)
{
	int64_t file = fixture_lines(db, 4), id = fixture_batch(db, file), now = clock_wall_ms();
	struct batch b CLEANUP(batch_release) = BATCH_INIT;
	struct select f = { .states = 0 };
	struct err e = ERR_INIT;

	fixture_complete(db, request_row(id, 1), "{}");
	fixture_fail(db, request_row(id, 2), 500, NULL, "{}");
	set(db, id, 5000, now - 10);
	fixture_get(db, id, &b);
	CHECK_INT(select_retry_count(db, &b, &f, &e), 3, "what would have expired is counted");
	CHECK_INT(select_retry(db, &b, &f, 0, &e), 3, "a batch past its window expires, then all is"
		  " sent again");
	fixture_get(db, id, &b);
	CHECK(b.status == BATCH_IN_PROGRESS && b.pending == 3 && b.expired == 0 &&
	      b.expired_ms == 0 && b.finalizing_ms == 0, "its stamps are gone");
	CHECK(b.window_ms == 5000 && b.expires_ms >= now + 5000 && b.expires_ms < now + 60000,
	      "it has one new window of the same length");

	int64_t before = b.expires_ms;
	fixture_fail(db, request_row(id, 2), 500, NULL, "{}");
	fixture_get(db, id, &b);
	CHECK_INT(select_retry(db, &b, &f, 0, &e), 1, "before its expiry");
	fixture_get(db, id, &b);
	CHECK_INT(b.expires_ms, before, "it keeps its window");
	fixture_fail(db, request_row(id, 2), 500, NULL, "{}");
	fixture_get(db, id, &b);
	CHECK_INT(select_retry(db, &b, &f, 7200000, &e), 1, "unless another is asked for");
	fixture_get(db, id, &b);
	CHECK(b.window_ms == 7200000 && b.expires_ms >= now + 7200000, "which begins now");

	id = fixture_batch(db, file);
	fixture_must(ending_cancel(db, id, true, &e) == 4, "cancel", &e);
	fixture_get(db, id, &b);
	CHECK_INT(select_retry(db, &b, &f, 0, &e), 4, "a batch without a window");
	fixture_get(db, id, &b);
	CHECK(b.window_ms == 0 && b.expires_ms == 0, "has none afterwards");
	CHECK_STR(find(db, id, &f, false), "r1 r2 r3 r4", "and all its requests");
	fixture_complete(db, request_row(id, 1), "{}");
	fixture_must(ending_cancel(db, id, false, &e) == 3, "cancel", &e);
	fixture_get(db, id, &b);
	CHECK_INT(select_retry(db, &b, &f, 5000, &e), 3, "or gets one");
	fixture_get(db, id, &b);
	CHECK(b.window_ms == 5000 && b.expires_ms > now, "if it is asked for");
}

/* More than one step, and pages in which nothing fits. */
static void test_many(struct db *db)
{
	enum { N = 25000 };
	int64_t id = fixture_batch(db, fixture_lines(db, N));
	struct batch b CLEANUP(batch_release) = BATCH_INIT;
	struct select f = { .states = 0 };
	struct err e = ERR_INIT;
	static const char *const last[] = { "r24999", NULL };

	fixture_must(ending_cancel(db, id, false, &e) == N, "cancel", &e);
	fixture_get(db, id, &b);
	f.custom_ids = last;
	CHECK_INT(select_retry(db, &b, &f, 0, &e), 1, "one of many");
	f.custom_ids = NULL;
	CHECK_INT(select_retry(db, &b, &f, 0, &e), N - 1, "and the others, in several steps");
	fixture_get(db, id, &b);
	CHECK(b.pending == N && b.cancelled == 0, "the counters follow");
}

int main(void)
{
	struct db *db = fixture_db("state.db");

	fixture_check_plans(db, &select_sql);
	test_lists();
	test_each(db);
	test_custom_id(db);
	test_retry(db);
	test_windows(db);
	test_many(db);
	db_close(db);
	return unit_done();
}
