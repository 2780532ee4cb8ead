#include "engine/report.h"

#include "base/log.h"
#include "fixture.h"
#include "rows.h"

/* Each number is another one, so that none can stand in for another. */
static struct run_summary summary(void)
{
	return (struct run_summary){
		.reason = "drained", .attempts = 131, .sends = 130, .took_ms = 61200,
		.ledger = { .drained = true, .completed = 118, .failures = 2,
			    .lost = 6, .input_tokens = 9440, .cached_tokens = 17,
			    .output_tokens = 2242, .reasoning_tokens = 31, .total = 200,
			    .done = 190, .done_failed = 9, .retrying = 3 },
	};
}

static void add_retry(struct run_summary *s, const char *name, int64_t n)
{
	snprintf(s->retries[s->n_retries].name, sizeof s->retries[0].name, "%s", name);
	s->retries[s->n_retries++].n = n;
}

static void is_json(const struct report *r, const struct run_summary *s, int status,
		    const char *want, const char *rule)
{
	struct str out CLEANUP(str_release) = STR_INIT;

	report_json(r, s, status, &out);
	CHECK_STR(str_z(&out), want, "JSON: %s", rule);
}

static void is_text(const struct report *r, const struct run_summary *s, const char *want,
		    const char *rule)
{
	struct str out CLEANUP(str_release) = STR_INIT;

	report_text(r, s, &out);
	CHECK_STR(str_z(&out), want, "words: %s", rule);
}

static const struct report four = { .completed = 318, .failed = 12, .remaining = 40, .batches = 4 };

static void test_json(void)
{
	struct run_summary s = summary();

	is_json(&four, &s, 3, "{\"event\":\"summary\",\"reason\":\"drained\",\"exit\":3,"
		"\"batches\":4,\"completed\":318,\"failed\":12,\"remaining\":40,\"attempts\":131,"
		"\"retries\":{},\"seconds\":61.2,\"rate\":1.96,\"usage\":{\"input_tokens\":9440,"
		"\"cached_tokens\":17,\"output_tokens\":2242,\"reasoning_tokens\":31},"
		"\"plans\":{\"success\":0,\"failed\":0,\"queued\":0,\"handed_over\":0},\"message\":null}",
		"the members in their order; batches by their requests, the rest by the run");
	add_retry(&s, "429", 7);
	add_retry(&s, "connect_error", 4);
	s.reason = "signal";
	s.took_ms = 0;
	is_json(&four, &s, 143, "{\"event\":\"summary\",\"reason\":\"signal\",\"exit\":143,"
		"\"batches\":4,\"completed\":318,\"failed\":12,\"remaining\":40,\"attempts\":131,"
		"\"retries\":{\"429\":7,\"connect_error\":4},\"seconds\":0,\"rate\":0,"
		"\"usage\":{\"input_tokens\":9440,\"cached_tokens\":17,\"output_tokens\":2242,"
		"\"reasoning_tokens\":31},"
		"\"plans\":{\"success\":0,\"failed\":0,\"queued\":0,\"handed_over\":0},\"message\":null}",
		"retries by their reason; a run that took no time has no rate");
}

/* The rate of so many ends in so long, as it stands in the JSON. */
static void is_rate(int64_t completed, int64_t failed, int64_t took_ms, const char *want)
{
	struct run_summary s = { .reason = "drained", .took_ms = took_ms,
				 .ledger = { .completed = completed, .failures = failed } };
	struct str out CLEANUP(str_release) = STR_INIT, got CLEANUP(str_release) = STR_INIT;

	report_json(&four, &s, 0, &out);
	const char *at = strstr(str_z(&out), "\"rate\":");
	if (at)
		str_add(&got, at + 7, strcspn(at + 7, ","));
	CHECK_STR(str_z(&got), want, "%lld and %lld in %lld ms are %s a second",
		  (long long)completed, (long long)failed, (long long)took_ms, want);
}

static void test_rate(void)
{
	is_rate(0, 0, 5000, "0");
	is_rate(1, 0, 1000, "1");
	is_rate(1, 2, 2000, "1.5");
	is_rate(1, 0, 1, "1000");
	is_rate(1, 0, 86400000, "0");
	is_rate(1000000000, 1000000000, 1, "2000000000000");
	is_rate(2147483647, 0, 604800000, "3550.733");
}

static void test_text(void)
{
	struct report r = { .completed = 118, .failed = 2, .batches = 1 };
	struct run_summary s = summary();

	is_text(&r, &s, "drained: 118 completed, 2 failed, 0 left; 131 attempts in 1m01s",
		"without retries");
	add_retry(&s, "429", 7);
	is_text(&r, &s, "drained: 118 completed, 2 failed, 0 left; 131 attempts"
		" (again after 429 7) in 1m01s", "one reason");
	add_retry(&s, "connect_error", 1234);
	add_retry(&s, "503", 1);
	is_text(&r, &s, "drained: 118 completed, 2 failed, 0 left; 131 attempts"
		" (again after 429 7, connect_error 1,234, 503 1) in 1m01s", "several");
	r = (struct report){ .completed = 5, .batches = 1 };
	s = (struct run_summary){ .reason = "drained", .attempts = 5, .took_ms = 250, .plans = {
		.success = 1, .failed = 1, .queued = 2, .names = { (char *)"papers/judge", 12, 0 } } };
	is_text(&r, &s, "drained: 5 completed, 0 failed, 0 left; 5 attempts in 250ms; data products: "
		"1 success, 1 failed, 2 left (papers/judge)", "data products, and which have failed");
	r = (struct report){ .completed = 1234567, .failed = 89012, .remaining = 3456789 };
	s = (struct run_summary){ .reason = "reader_gone", .attempts = 7654321, .took_ms = 250 };
	is_text(&r, &s, "reader_gone: 1,234,567 completed, 89,012 failed, 3,456,789 left; "
		"7,654,321 attempts in 250ms", "large numbers");
}

static void is_status(int64_t completed, int64_t failed, int64_t remaining, const char *max_failed,
		      int want, const char *rule)
{
	struct report r = { .completed = completed, .failed = failed, .remaining = remaining };
	struct run_summary s = { .reason = "drained" };

	CHECK_INT(report_status(&r, &s, max_failed), want, "status: %s", rule);
}

static void test_status(void)
{
	struct report left = { .completed = 1, .remaining = 2 };
	struct run_summary s = { .reason = "signal", .signal = 15 };

	is_status(0, 0, 0, NULL, EXIT_OK, "there was nothing to do");
	is_status(7, 0, 0, NULL, EXIT_OK, "all succeeded");
	is_status(7, 1, 0, NULL, EXIT_SOME, "some failed");
	is_status(0, 1, 0, NULL, EXIT_NOTHING, "none succeeded");
	is_status(7, 3, 0, "3", EXIT_OK, "with so many failures it is all right");
	is_status(0, 3, 0, "3", EXIT_OK, "also if these are all");
	is_status(7, 4, 0, "3", EXIT_SOME, "not with one more");
	is_status(3, 1, 0, "25%", EXIT_OK, "a share of all");
	is_status(3, 1, 0, "24.999999%", EXIT_SOME, "not with one more");
	is_status(0, 3, 0, "100%", EXIT_OK, "all of them");
	is_status(3, 1, 0, "0", EXIT_SOME, "none");
	is_status(7, 0, 1, "3", EXIT_REMAINS, "something is left");
	is_status(0, 9, 1, NULL, EXIT_REMAINS, "which counts more than failures");
	const struct report done = { .completed = 5, .failed = 1 }, none = { 0 };
	s = (struct run_summary){ .plans = { .success = 1, .spared = 1 } };
	CHECK_INT(report_status(&done, &s, NULL), EXIT_OK, "requests that a product may fail");
	s.plans.queued = 1;
	CHECK_INT(report_status(&done, &s, NULL), EXIT_REMAINS, "a product that is left");
	s.plans = (struct plansum){ .success = 1, .failed = 1 };
	CHECK_INT(report_status(&none, &s, NULL), EXIT_SOME, "one of two products has failed");
	s.plans = (struct plansum){ .failed = 1 };
	CHECK_INT(report_status(&none, &s, NULL), EXIT_NOTHING, "the only one has");
	s.plans = (struct plansum){ .handed = 1, .spared = 1 };
	CHECK_INT(report_status(&done, &s, NULL), EXIT_OK, "one that was handed over is none that failed");
	s = (struct run_summary){ .reason = "signal", .signal = 15 };
	CHECK_INT(report_status(&left, &s, NULL), 143, "a signal that stopped it");
	s = (struct run_summary){ .reason = "key_unresolved", .ledger = { .key_missing = true } };
	err_set(&s.ledger.error, ERR_NOPERM, "no key");
	CHECK_INT(report_status(&left, &s, NULL), 77, "a key that is missing, and nothing was done");
	s.ledger.failures = 1;
	CHECK_INT(report_status(&left, &s, NULL), EXIT_REMAINS, "or something was");
}

/* A run that has left something alone. */
static struct run_summary left_alone(const char *reason, const char *message)
{
	struct run_summary s = { .reason = reason, .ledger = { .drained = true, .block = reason } };

	snprintf(s.ledger.block_what, sizeof s.ledger.block_what, "m at http://h");
	snprintf(s.ledger.block_key, sizeof s.ledger.block_key, "env:K");
	snprintf(s.ledger.block_message, sizeof s.ledger.block_message, "%s", message);
	return s;
}

static void says(const struct report *r, const struct run_summary *s, const char *why,
		 const char *next)
{
	struct str a CLEANUP(str_release) = STR_INIT, b CLEANUP(str_release) = STR_INIT;

	report_why(s, &a);
	report_next(r, s, &b);
	CHECK_STR(str_z(&a), why, "%s: why", s->reason);
	CHECK_STR(str_z(&b), next, "%s: what next", s->reason);
}

static void test_words(void)
{
	static const struct report left = { .completed = 1, .remaining = 2 }, done = { .completed = 3 };
	static const struct report refused = { .failed = 10, .remaining = 2, .failing = "12ab" };
	static const struct report anew = { .remaining = 2, .anew = true };
	static const char *const stops[] = { "max_time", "max_cost", "max_requests", "max_failed" };
	struct run_summary s = { .reason = "drained" };

	says(&done, &s, "", "");
	s.reason = "signal";
	says(&left, &s, "", "the same command goes on with what is left");
	says(&anew, &s, "", "the same command without --new goes on with what is left");
	for (size_t i = 0; i < ARRAY_LEN(stops); i++) {
		char want[100];
		s.reason = stops[i];
		snprintf(want, sizeof want, "stopped by --max-%s; the same command goes on with what is left",
			 stops[i] + 4);
		says(&left, &s, "", want);
		says(&done, &s, "", "");
	}
	s = left_alone("host_down", "refused");
	says(&left, &s, "m at http://h does not answer well: refused",
	     "when it answers again, the same command goes on with what is left");
	s = left_alone("unauthorized", "bad key");
	says(&left, &s, "m at http://h: the key env:K is not accepted: bad key",
	     "fsl-run -n prints a curl command to try the key with; when it is right, the same command"
	     " goes on with what is left");
	s = left_alone("quota", "pay first");
	says(&left, &s, "m at http://h: the quota of the key env:K is used up: pay first",
	     "when there is some again, the same command goes on with what is left");
	s = left_alone("refused", "");
	says(&left, &s, "m at http://h refuses requests with the key env:K: it does not say why",
	     "when it lets them in, the same command goes on"
	     " with what is left");
	snprintf(s.ledger.block_key, sizeof s.ledger.block_key, "none");
	says(&left, &s, "m at http://h refuses requests, which had no key: it does not say why",
	     "when it lets them in, the same command goes on"
	     " with what is left");
	says(&refused, &s, "m at http://h refuses requests, which had no key: it does not say why",
	     "fsl-batch errors 12ab shows the answers; when it lets them in, the same command goes"
	     " on with what is left");
	s = left_alone("all_failing", "no such model");
	snprintf(s.ledger.block_what, sizeof s.ledger.block_what, "batch_1");
	says(&left, &s, "the first 20 requests of batch_1 all failed: no such model",
	     "fsl-batch errors batch_1 shows them, fsl-batch retry batch_1 sends them once more; with"
	     " --no-guard the others are sent, too");
	s = left_alone("key_unresolved", "key env:K: is empty");
	says(&left, &s, "m at http://h is left alone: key env:K: is empty",
	     "when the key is there, the same command goes on with what is left");
	says(&done, &s, "m at http://h is left alone: key env:K: is empty",
	     "when the key is there, the same command goes on with what is left");
	CHECK_INT(report_status(&done, &s, NULL), EXIT_REMAINS,
		  "what was left alone is left, also if nothing of it was begun");

	struct str json CLEANUP(str_release) = STR_INIT;
	report_json(&left, &s, 4, &json);
	CHECK(strstr(str_z(&json), "\"reason\":\"key_unresolved\",\"exit\":4,") &&
	      strstr(str_z(&json), ",\"message\":\"key env:K: is empty\"}"), "JSON has the message: %s",
	      str_z(&json));
	s.reason = "signal";
	says(&left, &s, "", "the same command goes on with what is left");
	str_reset(&json);
	report_json(&left, &s, 130, &json);
	CHECK(strstr(str_z(&json), ",\"message\":null}"), "but of what has ended the run: not of what was"
	      " left alone before");
}

static int told_status;
static enum log_level told_level;

static void tell(void)
{
	struct report r = { .completed = 5, .failed = told_status ? 1 : 0, .failing = "12ab" };
	struct run_summary s = { .reason = "drained" };

	log_init("test", told_level, false);
	report_tell(&r, &s, told_status);
}

static void is_told(int status, enum log_level level, const char *want, const char *rule)
{
	char said[1000];

	told_status = status;
	told_level = level;
	CHECK_INT(unit_child(tell, said, sizeof said), 0, "telling");
	CHECK_STR(said, want, "%s", rule);
}

static void test_tell(void)
{
	is_told(EXIT_OK, LOG_NOTE, "", "off a terminal nothing is said when all is well");
	is_told(EXIT_OK, LOG_INFO, "test: drained: 5 completed, 0 failed, 0 left; 0 attempts in 0ms\n",
		"but with -v");
	is_told(EXIT_SOME, LOG_NOTE, "test: drained: 5 completed, 1 failed, 0 left; 0 attempts in 0ms\n"
		"test: hint: fsl-batch errors 12ab says why, fsl-batch retry 12ab sends those "
		"once more\n", "or when something has failed");
	is_told(EXIT_SOME, LOG_ERROR, "", "-q says nothing");
}

static void test_all_reasons(void)
{
	struct run_summary s = summary();
	struct str json CLEANUP(str_release) = STR_INIT, text CLEANUP(str_release) = STR_INIT;
	char name[24];
	int in_json = 0, in_text = 0;

	for (int i = 0; i < RUN_REASONS; i++) {
		snprintf(name, sizeof name, "reason_number_%09d", i);
		add_retry(&s, name, 100 + i);
	}
	report_json(&four, &s, 0, &json);
	report_text(&four, &s, &text);
	for (int i = 0; i < RUN_REASONS; i++) {
		char want[48];
		snprintf(want, sizeof want, "\"%s\":%d", s.retries[i].name, 100 + i);
		in_json += strstr(str_z(&json), want) != NULL;
		snprintf(want, sizeof want, "%s %d", s.retries[i].name, 100 + i);
		in_text += strstr(str_z(&text), want) != NULL;
	}
	CHECK(in_json == RUN_REASONS && in_text == RUN_REASONS, "as many reasons as there can be");
	CHECK(!strchr(str_z(&json), '\n') && !strchr(str_z(&text), '\n'), "each is one line");
}

static bool reports(const struct report *r, int64_t completed, int64_t failed,
		    int64_t remaining, int batches)
{
	if (r->completed == completed && r->failed == failed && r->remaining == remaining &&
	    r->batches == batches)
		return true;
	printf("# %lld completed, %lld failed, %lld remaining, %d batches\n",
	       (long long)r->completed, (long long)r->failed, (long long)r->remaining, r->batches);
	return false;
}

static void test_add(void)
{
	struct db *db = fixture_db("state.db");
	sqlite3 *raw = rows_raw(db_path(db));
	struct report r = { 0 };
	struct err e = ERR_INIT;

	int64_t fresh = fixture_batch(db, fixture_lines(db, 10));
	CHECK(report_add(&r, db, fresh, &e) == 0 && reports(&r, 0, 0, 10, 1), "nothing is done yet");
	CHECK_STR(r.failing, "", "nothing has failed");
	int64_t some = fixture_batch(db, fixture_lines(db, 20));
	for (unsigned i = 1; i <= 3; i++)
		fixture_complete(db, request_row(some, i), "{}");
	for (unsigned i = 4; i <= 5; i++)
		fixture_fail(db, request_row(some, i), 400, NULL, "{}");
	fixture_send(db, request_row(some, 6), NULL);
	fixture_retry(db, request_row(some, 7), 429, clock_wall_ms() + 3600000);
	r = (struct report){ 0 };
	CHECK(report_add(&r, db, some, &e) == 0 && reports(&r, 3, 2, 15, 1),
	      "what is in flight, or is to be tried again, is left");
	CHECK(report_add(&r, db, fresh, &e) == 0 && reports(&r, 3, 2, 25, 2), "batches add up");
	CHECK(strlen(r.failing) == REPORT_PREFIX, "the one with failures: %s", r.failing);
	CHECK(report_add(&r, db, some, &e) == 0 && strcmp(r.failing, "BATCH") == 0, "or several");
	ROWS_DO(raw, "UPDATE batches SET pending = pending - 4, expired = 4 WHERE id = ?1", some);
	r = (struct report){ 0 };
	CHECK(report_add(&r, db, some, &e) == 0 && reports(&r, 3, 6, 11, 1), "expired is failed");
	fixture_must(ending_cancel(db, fresh, false, &e) == 10, "ending_cancel", &e);
	r = (struct report){ 0 };
	CHECK(report_add(&r, db, fresh, &e) == 0 && reports(&r, 0, 10, 0, 1), "so is cancelled");
	CHECK(report_add(&r, db, 1 << 20, &e) < 0 && e.code == ERR_NOTFOUND &&
	      reports(&r, 0, 10, 0, 1), "a batch that is gone is an error and adds nothing");
	sqlite3_close(raw);
	db_close(db);
}

int main(void)
{
	test_json();
	test_rate();
	test_text();
	test_status();
	test_words();
	test_tell();
	test_all_reasons();
	test_add();
	return unit_done();
}
