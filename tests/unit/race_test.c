#include "domain/race.h"

#include "domain/recall.h"
#include "rows.h"
#include "unit.h"

static struct rows r;

enum { ME = 1, OTHER = 2 };

static int64_t of_row(const char *sql, int64_t row)
{
	return ROWS_INT(r.raw, sql, row);
}

static int64_t state(int64_t row)
{
	return of_row("SELECT state FROM requests WHERE id = ?1", row);
}

/* "worker n code" of each attempt. */
static const char *attempts(int64_t row)
{
	return ROWS_TEXT(r.raw, "SELECT group_concat(worker || ' ' || n || ' ' || coalesce(took_ms,"
			 " '-') || ' ' || coalesce(code, '-'), ', ') FROM (SELECT * FROM attempts"
			 " WHERE request = ?1 ORDER BY n)", row);
}

/* The numbers in flights and races. */
static const char *flying(int64_t row)
{
	return ROWS_TEXT(r.raw, "SELECT coalesce((SELECT n FROM flights WHERE request = ?1), '-')"
			 " || ' ' || coalesce((SELECT n FROM races WHERE request = ?1), '-')", row);
}

static int race(int64_t worker, int64_t row, struct request_started *s)
{
	struct err e = ERR_INIT;

	rows_begin(&r);
	int rc = race_start(&r.t, worker, 2, row, r.now, s, &e);
	rows_must(rc >= 0, "race_start", e.msg);
	return rows_commit(&r) == 0 ? rc : -2;
}

/* A request that is in flight twice. */
static int64_t pair(int64_t batch, uint32_t line, struct request_started *a,
		    struct request_started *b)
{
	int64_t row = request_row(batch, line);

	rows_begin(&r);
	rows_must(rows_start(&r, ME, row, a) == 1, "start", "not pending");
	rows_commit(&r);
	rows_must(race(ME, row, b) == 1, "race", "refused");
	return row;
}

static int settled(const struct request_started *s, enum request_verdict verdict)
{
	struct request_end end = rows_end(s, ME, verdict);

	rows_begin(&r);
	int rc = rows_settle(&r, &end);
	return rows_commit(&r) == 0 ? rc : -2;
}

static int released(const struct request_started *s)
{
	struct err e = ERR_INIT;

	rows_begin(&r);
	int rc = request_release(&r.t, ME, s, r.now, &e);
	rows_must(rc >= 0, "request_release", e.msg);
	return rows_commit(&r) == 0 ? rc : -2;
}

static void starting(void)
{
	int64_t id = rows_batch(&r, 1, 4, 0), row = request_row(id, 1);
	struct request_started a, b, c;
	struct err e = ERR_INIT;

	CHECK_INT(race(ME, row, &b), 0, "one that is not in flight is not raced");
	rows_begin(&r);
	rows_start(&r, ME, row, &a);
	rows_commit(&r);
	CHECK_INT(race(OTHER, row, &b), 0, "nor one of another worker");
	CHECK_INT(race(ME, row, &b), 1, "the owner of the flight starts a race");
	CHECK(b.n == 2 && b.queue == a.queue && b.bucket == 2 && b.counted == 0,
	      "it is attempt 2, and no retry");
	CHECK_STR(flying(row), "1 2", "both are in flight, on disk");
	CHECK_INT(race(ME, row, &c), 0, "never more than two");
	CHECK_INT(of_row("SELECT processing FROM batches WHERE id = ?1", id), 1,
		  "one request is processing");

	rows_begin(&r);
	rows_start(&r, ME, request_row(id, 2), &a);
	rows_must(request_cancel(&r.t, a.row, false, 1, &e) == 2, "cancel", e.msg);
	rows_commit(&r);
	CHECK_INT(race(ME, a.row, &b), 0, "one that was cancelled is not raced");
	rows_begin(&r);
	rows_start(&r, ME, request_row(id, 3), &a);
	rows_commit(&r);
	ROWS_DO(r.raw, "UPDATE batches SET status = 5 WHERE id = ?1", id);
	CHECK_INT(race(ME, a.row, &b), 0, "nor in a batch that is");
	ROWS_DO(r.raw, "UPDATE batches SET status = 1, expires_ms = 1000 WHERE id = ?1", id);
	CHECK_INT(race(ME, a.row, &b), 0, "nor past the window");
}

static void winning(void)
{
	int64_t id = rows_batch(&r, 1, 4, 0), one, two;
	struct request_started a, b;

	one = pair(id, 1, &a, &b);
	r.now = 1300;
	CHECK_INT(settled(&b, VERDICT_COMPLETED), 1, "the race is answered first");
	CHECK_INT(state(one), REQUEST_COMPLETED, "the request is completed");
	CHECK_STR(attempts(one), "1 1 300 superseded, 1 2 100 -", "the flight is superseded");
	CHECK_STR(flying(one), "- -", "and nothing flies");
	CHECK_INT(settled(&a, VERDICT_COMPLETED), 0, "its answer comes too late");
	CHECK_INT(of_row("SELECT count(*) FROM answers WHERE id >> 32 = ?1", id), 1,
		  "there is one answer");
	r.now = 1000;
	two = pair(id, 2, &a, &b);
	CHECK_INT(settled(&a, VERDICT_COMPLETED), 1, "the flight is answered first");
	CHECK_STR(attempts(two), "1 1 100 -, 1 2 0 superseded", "the race is superseded");
	CHECK(settled(&b, VERDICT_FAILED) == 0 && state(two) == REQUEST_COMPLETED,
	      "its failure comes too late");
}

static void losing(void)
{
	int64_t id = rows_batch(&r, 1, 6, 0), row;
	struct request_started a, b;

	row = pair(id, 1, &a, &b);
	CHECK_INT(settled(&b, VERDICT_FAILED), 2, "the race fails: the flight decides");
	CHECK(state(row) == REQUEST_PROCESSING && of_row("SELECT counted FROM requests WHERE id = ?1",
							 row) == 0,
	      "nothing is settled, and nothing counts");
	CHECK_STR(flying(row), "1 -", "the flight goes on");
	CHECK_STR(attempts(row), "1 2 100 -", "the attempt is recorded");
	CHECK_INT(settled(&b, VERDICT_FAILED), 0, "once");
	CHECK_INT(settled(&a, VERDICT_RETRY), 1, "the flight fails as well");
	CHECK(state(row) == REQUEST_PENDING && of_row("SELECT counted FROM requests WHERE id = ?1",
						      row) == 1,
	      "it is tried again, and one attempt counts");

	row = pair(id, 2, &a, &b);
	CHECK_INT(settled(&a, VERDICT_FAILED), 2, "the flight fails: the race decides");
	CHECK_STR(flying(row), "2 -", "and takes its place");
	CHECK_INT(settled(&a, VERDICT_COMPLETED), 0, "the first is over");
	CHECK_INT(race(ME, row, &a), 1, "it can be raced in turn");
	CHECK_INT(settled(&a, VERDICT_RETRY), 2, "which is lost");
	CHECK_INT(settled(&b, VERDICT_FAILED), 1, "then the last fails");
	CHECK_INT(state(row), REQUEST_FAILED, "and the request with it");
	CHECK_STR(attempts(row), "1 1 100 -, 1 2 100 -, 1 3 100 -", "there were three attempts");
}

static void releasing(void)
{
	int64_t id = rows_batch(&r, 1, 6, 0), row;
	struct request_started a, b;

	row = pair(id, 1, &a, &b);
	CHECK_INT(released(&b), 1, "a race that was not sent is given back");
	CHECK_STR(flying(row), "1 -", "the flight stays");
	CHECK_INT(of_row("SELECT tries FROM requests WHERE id = ?1", row), 1, "its number too");
	CHECK_INT(race(ME, row, &b), 1, "which is used again");
	CHECK_INT(settled(&a, VERDICT_RETRY), 2, "the flight has failed");
	CHECK_INT(released(&b), 1, "and the race was not sent");
	CHECK_INT(state(row), REQUEST_PENDING, "the request is pending");
	CHECK_STR(attempts(row), "1 1 100 -", "with one attempt");

	row = pair(id, 2, &a, &b);
	CHECK_INT(released(&a), 1, "a flight that was not sent, but raced");
	CHECK_STR(flying(row), "2 -", "is replaced");
	CHECK_STR(attempts(row), "1 1 0 interrupted", "and leaves an attempt, so that none is missing");
}

static int64_t limit_of(void *ctx, int64_t batch)
{
	(void)batch;
	return *(int64_t *)ctx;
}

static void dying(void)
{
	struct err e = ERR_INIT;
	int64_t id = rows_batch(&r, 1, 6, 0), limit = 3, one, two;
	struct request_started a, b;

	one = pair(id, 1, &a, &b);
	rows_begin(&r);
	CHECK_INT(request_rescue(&r.t, ME, limit_of, &limit, 2000, &e) >= 1, 1, "a worker dies");
	CHECK_INT(rows_commit(&r), 0, "with counters");
	CHECK_STR(attempts(one), "1 1 - interrupted, 1 2 - interrupted", "both attempts are recorded");
	CHECK(state(one) == REQUEST_PENDING && of_row("SELECT counted FROM requests WHERE id = ?1",
						      one) == 1, "and one counts");
	CHECK_STR(flying(one), "- -", "nothing flies");

	two = pair(id, 2, &a, &b);
	rows_begin(&r);
	rows_must(request_cancel(&r.t, two, true, 1000, &e) == 2, "cancel", e.msg);
	rows_commit(&r);
	rows_begin(&r);
	CHECK_INT(recall_overdue(&r.t, OTHER, 1000 + RECALL_GRACE_MS + RECALL_SLACK_MS, &e), 1,
		  "a worker hangs");
	CHECK_INT(rows_commit(&r), 0, "with counters");
	CHECK_STR(attempts(two), "1 1 - interrupted, 1 2 - interrupted", "both attempts are recorded");
	CHECK(state(two) == REQUEST_CANCELLED && settled(&a, VERDICT_COMPLETED) == 0 &&
	      settled(&b, VERDICT_COMPLETED) == 0, "and what comes later is dropped");
}

int main(void)
{
	rows_open(&r, "db");
	starting();
	winning();
	losing();
	releasing();
	dying();
	rows_close(&r);
	return unit_done();
}
