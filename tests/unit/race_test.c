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
	CHECK_INT(settled(&b, VERDICT_COMPLETED), 3, "the race is answered first");
	CHECK_INT(state(one), REQUEST_COMPLETED, "the request is completed");
	CHECK_STR(attempts(one), "1 1 300 superseded, 1 2 100 -", "the flight is superseded");
	CHECK_STR(flying(one), "- -", "and nothing flies");
	CHECK_INT(settled(&a, VERDICT_COMPLETED), 0, "its answer comes too late");
	CHECK_INT(of_row("SELECT count(*) FROM answers WHERE id >> 32 = ?1", id), 1,
		  "there is one answer");
	r.now = 1000;
	two = pair(id, 2, &a, &b);
	CHECK_INT(settled(&a, VERDICT_COMPLETED), 3, "the flight is answered first");
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

static int64_t limit_of(void *ctx, int64_t worker, int64_t batch)
{
	(void)worker;
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

/* The lines that may race now, of this worker and bucket, at most n: "lines;
 * when there are more". */
static const char *found(int64_t worker, int64_t bucket, int64_t batch, int n)
{
	static char text[200];
	const struct race_search s = { .worker = worker, .bucket = bucket, .batch = batch,
				       .now_ms = r.now, .retries = 2 };
	struct err e = ERR_INIT;
	int64_t rows[8] = { 0 }, next = -2;
	size_t at = 0;
	int got = race_find(r.db, &s, rows, n, &next, &e);

	rows_must(got >= 0, "race_find", e.msg);
	text[0] = '\0';
	for (int i = 0; i < got; i++)
		at += (size_t)snprintf(text + at, sizeof text - at, "%u ", request_line(rows[i]));
	snprintf(text + at, sizeof text - at, "; %lld", (long long)next);
	return text;
}

static int count(int64_t worker)
{
	struct err e = ERR_INIT;

	return race_count(r.db, worker, &e);
}

/* In flight, in a bucket that is that of its queue if `own`. */
static struct request_started fly(int64_t worker, int64_t batch, uint32_t line, bool own)
{
	struct request_started s;

	rows_begin(&r);
	rows_must(rows_start(&r, worker, request_row(batch, line), &s) == 1, "start", "not pending");
	rows_commit(&r);
	ROWS_DO(r.raw, "UPDATE queues SET bucket = iif(?2, 1, 9) WHERE id = ?1", s.queue, own);
	return s;
}

static void finding(void)
{
	int64_t id = rows_batch(&r, 3, 9, 0), other = rows_batch(&r, 1, 3, 0);
	struct request_started x;
	struct err e = ERR_INIT;
	int before = count(ME);

	CHECK_STR(found(ME, 1, id, 8), "; -1", "nothing flies, nothing races");
	for (uint32_t line = 1; line <= 7; line += 3) /* of the first model */
		fly(ME, id, line, true);
	fly(ME, id, 2, false);
	fly(OTHER, id, 3, true);
	fly(ME, other, 1, true);
	CHECK_STR(found(ME, 1, id, 8), "1 4 7 ; -1", "what this worker has in flight of the batch may race");
	CHECK_STR(found(ME, 2, id, 8), "; -1", "at that bucket");
	CHECK_STR(found(OTHER, 1, id, 8), "3 ; -1", "another worker its own");
	CHECK_STR(found(ME, 1, other, 8), "1 ; -1", "another batch its own");
	CHECK_STR(found(ME, 1, id, 2), "1 4 ; 1000", "as many as are asked for; more could at once");
	CHECK_STR(found(ME, 1, id, 0), "; 1000", "who has no room learns that somebody waits");
	CHECK_STR(found(ME, 1, id, 3), "1 4 7 ; -1", "not if all have room");
	CHECK_INT(race(ME, request_row(id, 4), &x), 1, "one races");
	CHECK_STR(found(ME, 1, id, 8), "1 7 ; -1", "never twice");
	CHECK_INT(count(ME), before + 1, "races are counted");
	CHECK_INT(count(4711), 0, "each worker's own");
	rows_begin(&r);
	rows_must(request_cancel(&r.t, request_row(id, 7), false, 1, &e) == 2, "cancel", e.msg);
	rows_commit(&r);
	CHECK_STR(found(ME, 1, id, 8), "1 ; -1", "nor what was cancelled");
	/* Its flight ends: the race is the flight, at another model than its own. */
	struct request_end end = rows_end(&(struct request_started){ .row = request_row(id, 4), .n = 1,
					   .queue = x.queue, .bucket = 1 }, ME, VERDICT_FAILED);
	rows_begin(&r);
	rows_must(rows_settle(&r, &end) == 2, "settle", "lost");
	rows_commit(&r);
	CHECK_INT(count(ME), before, "one that has become the flight is none");
	CHECK_STR(found(ME, 2, id, 8), "; -1", "what has gone to another model goes no further");
}

/* A race is lost as the server says: 429 for instance; `due` 0: for good. */
static void lose(const struct request_started *s, int status, int64_t due)
{
	struct request_end end = rows_end(s, ME, due ? VERDICT_RETRY : VERDICT_FAILED);

	end.next_ms = due;
	end.status = status;
	rows_begin(&r);
	rows_must(rows_settle(&r, &end) == 2, "settle", "lost");
	rows_must(rows_commit(&r) == 0, "commit", "counters");
}

static void running_again(void)
{
	int64_t id = rows_batch(&r, 1, 4, 0), row = request_row(id, 1);
	struct request_started a = fly(ME, id, 1, true), b;

	rows_must(race(ME, row, &b) == 1, "race", "refused");
	lose(&b, 500, 4000);
	CHECK_STR(ROWS_TEXT(r.raw, "SELECT group_concat(ifnull(next_ms, '-')) FROM attempts WHERE"
			    " request = ?1", row), "4000", "a race that may be run again says when");
	CHECK_STR(found(ME, 1, id, 8), "; 4000", "after its pause");
	r.now = 3999;
	CHECK_STR(found(ME, 1, id, 8), "; 4000", "not before");
	r.now = 4000;
	CHECK_STR(found(ME, 1, id, 8), "1 ; -1", "then it may");
	CHECK_STR(found(ME, 1, id, 0), "; 4000", "if there is room");
	for (int i = 0; i < 2; i++) {
		rows_must(race(ME, row, &b) == 1, "race", "refused");
		lose(&b, 429, 4000);
		CHECK_STR(found(ME, 1, id, 8), "1 ; -1", "again and again while the model is busy");
	}
	rows_must(race(ME, row, &b) == 1, "race", "refused");
	lose(&b, 503, 3000);
	CHECK_STR(found(ME, 1, id, 8), "1 ; -1", "once more for each retry");
	rows_must(race(ME, row, &b) == 1, "race", "refused");
	lose(&b, 0, 3000);
	CHECK_STR(found(ME, 1, id, 8), "; -1", "and no more then");
	CHECK_INT(of_row("SELECT counted FROM requests WHERE id = ?1", row), 0,
		  "none of them counts against the request's own");
	struct request_end end = rows_end(&a, ME, VERDICT_RETRY);
	rows_begin(&r);
	rows_must(rows_settle(&r, &end) == 1, "settle", "lost");
	rows_commit(&r);
	fly(ME, id, 1, true);
	CHECK_STR(found(ME, 1, id, 8), "1 ; -1", "its next flight has races of its own");

	fly(ME, id, 2, true);
	rows_must(race(ME, request_row(id, 2), &b) == 1, "race", "refused");
	lose(&b, 400, 0);
	CHECK_STR(found(ME, 1, id, 8), "1 ; -1", "a race that failed for good is not run again");
	a = fly(ME, id, 3, true);
	rows_must(race(ME, a.row, &b) == 1, "race", "refused");
	lose(&a, 500, 9000);
	CHECK_STR(attempts(a.row), "1 1 100 -", "the flight is lost");
	CHECK_INT(of_row("SELECT count(*) FROM attempts WHERE request = ?1 AND next_ms IS NULL", a.row), 1,
		  "and there is no next one: the other is in flight");
	r.now = 1000;
}

int main(void)
{
	rows_open(&r, "db");
	starting();
	winning();
	losing();
	releasing();
	dying();
	finding();
	running_again();
	rows_close(&r);
	return unit_done();
}
