#include "domain/ending.h"

#include <sys/wait.h>
#include <unistd.h>

#include "domain/recall.h"
#include "domain/worker.h"
#include "fixture.h"
#include "rows.h"

static struct rows r;
static struct db *db;

/* Status, and the counters pending, processing, cancelled, expired. */
static const char *stands(int64_t id)
{
	return ROWS_TEXT(r.raw, "SELECT status || ': ' || pending || ' ' || processing || ' ' ||"
			 " cancelled || ' ' || expired FROM batches WHERE id = ?1", id);
}

/* The window of the batch ends so many milliseconds from now. */
static void expires_in(int64_t id, int64_t ms)
{
	ROWS_DO(r.raw, "UPDATE batches SET expires_ms = ?2, window_ms = 1000 WHERE id = ?1", id,
		clock_wall_ms() + ms);
}

static int settle(int64_t id, uint32_t line, enum request_verdict verdict)
{
	struct request_started s = { .row = request_row(id, line), .queue = rows_queue(id, 1),
				     .n = 1 };
	struct request_end end = rows_end(&s, FIXTURE_WORKER, verdict);

	r.now = clock_wall_ms();
	rows_begin(&r);
	int rc = rows_settle(&r, &end);
	return rows_commit(&r) == 0 ? rc : -2;
}

static void test_some(void)
{
	struct err e = ERR_INIT;
	int64_t id = rows_batch(&r, 3, 20, 0);
	uint32_t after = 0;

	r.now = 5000;
	rows_begin(&r);
	CHECK_INT(ending_some(&r.t, id, &after, 100, 5000, &e), 0, "a batch in progress does not end");
	CHECK_INT(rows_commit(&r), 0, "its counters are those of its rows");
	ROWS_DO(r.raw, "UPDATE batches SET expires_ms = 5001 WHERE id = ?1", id);
	rows_begin(&r);
	CHECK_INT(ending_some(&r.t, id, &after, 100, 5000, &e), 0, "before its expiry");
	CHECK_INT(ending_some(&r.t, id, &after, 7, 5001, &e), 7, "from then on it does, step by step");
	CHECK_INT(after, 7, "in the order of its lines");
	CHECK_INT(rows_commit(&r), 0, "with counters");
	CHECK_STR(stands(id), "1: 13 0 0 7", "they have expired");
	ROWS_DO(r.raw, "UPDATE batches SET status = 5 WHERE id = ?1", id);
	rows_begin(&r);
	CHECK_INT(ending_some(&r.t, id, &after, 100, 6000, &e), 13, "one that is being cancelled");
	CHECK_INT(ending_some(&r.t, id, &after, 100, 6000, &e), 0, "and no more");
	CHECK_INT(rows_commit(&r), 0, "with counters");
	CHECK_STR(stands(id), "6: 0 0 13 7", "is cancelled");
	after = 0;
	rows_begin(&r);
	CHECK_INT(ending_some(&r.t, id, &after, 100, 9000, &e), 0, "what has ended stays");
	rows_commit(&r);
}

static void test_expire(void)
{
	struct err e = ERR_INIT;
	int64_t id = rows_batch(&r, 1, 8, 0);
	struct batch b CLEANUP(batch_release) = BATCH_INIT;

	CHECK_INT(ending_expire(db, id, &e), 0, "a batch without a window does not expire");
	expires_in(id, 3600000);
	CHECK_INT(ending_expire(db, id, &e), 0, "nor one before its expiry");
	fixture_send(db, request_row(id, 2), NULL);
	fixture_send(db, request_row(id, 3), NULL);
	fixture_complete(db, request_row(id, 1), "{}");
	expires_in(id, 0);
	fixture_get(db, id, &b);
	CHECK(ending_due(&b, clock_wall_ms()), "one whose window has passed is due");
	CHECK_INT(ending_expire(db, id, &e), 5, "what is pending expires");
	CHECK_STR(stands(id), "1: 0 2 0 5", "what is in flight stays, and the batch in progress");
	CHECK_INT(ending_expire(db, id, &e), 0, "twice is fine");
	CHECK_INT(settle(id, 2, VERDICT_RETRY), 1, "a failure of that");
	CHECK_STR(stands(id), "1: 0 1 0 6", "expires, too");
	CHECK_INT(settle(id, 3, VERDICT_COMPLETED), 1, "the last one is completed");
	fixture_get(db, id, &b);
	CHECK(b.status == BATCH_EXPIRED && b.completed == 2 && b.expired == 6 && b.expired_ms > 0 &&
	      b.finalizing_ms == b.expired_ms && b.completed_ms == 0,
	      "the batch has expired; what was finished stays");
	CHECK_STR(batch_outcome(&b), "expired", "its outcome");
	CHECK_INT(batch_exit(&b), 3, "exit 3: some were completed");
	CHECK(!ending_due(&b, clock_wall_ms()), "it is due no more");
	CHECK_INT(rows_wrong(r.raw), 0, "counters are those of the rows");
}

static void test_cancel_after_expiry(void)
{
	struct err e = ERR_INIT;
	int64_t id = rows_batch(&r, 1, 4, 0);

	fixture_send(db, request_row(id, 1), NULL);
	expires_in(id, 0);
	CHECK_INT(ending_cancel(db, id, true, &e), 0, "cancel of a batch whose window has passed");
	CHECK_STR(stands(id), "1: 0 1 0 3", "lets it expire");
	CHECK(ROWS_INT(r.raw, "SELECT abort_ms FROM batches WHERE id = ?1", id) > 0,
	      "and what is in flight is to be cut off");
	CHECK_INT(settle(id, 1, VERDICT_RETRY), 1, "with it");
	CHECK_STR(stands(id), "4: 0 0 0 4", "the batch has expired");

	id = rows_batch(&r, 1, 4, 0);
	fixture_send(db, request_row(id, 1), NULL);
	expires_in(id, 3600000);
	CHECK_INT(ending_cancel(db, id, false, &e), 3, "one that is cancelled before its expiry");
	expires_in(id, 0);
	CHECK_INT(ending_expire(db, id, &e), 0, "does not expire");
	CHECK_INT(settle(id, 1, VERDICT_RETRY), 1, "what was in flight");
	CHECK_STR(stands(id), "6: 0 0 4 0", "is cancelled, and the batch");
}

static void test_now(void)
{
	struct err e = ERR_INIT;
	int64_t id = rows_batch(&r, 1, 4, 0), first;

	fixture_send(db, request_row(id, 1), NULL);
	CHECK_INT(ending_cancel(db, id, false, &e), 3, "cancel");
	CHECK_INT(ROWS_INT(r.raw, "SELECT abort_ms IS NULL FROM batches WHERE id = ?1", id), 1,
		  "lets finish what is in flight");
	CHECK_INT(ending_cancel(db, id, true, &e), 0, "with `now`");
	first = ROWS_INT(r.raw, "SELECT abort_ms FROM batches WHERE id = ?1", id);
	CHECK(first > 0, "it is to be cut off");
	CHECK_INT(ending_cancel(db, id, true, &e), 0, "again");
	CHECK_INT(ROWS_INT(r.raw, "SELECT abort_ms FROM batches WHERE id = ?1", id), first,
		  "since the first time");
	CHECK_STR(stands(id), "5: 0 1 3 0", "its worker has some time for that");
	ROWS_DO(r.raw, "UPDATE batches SET abort_ms = abort_ms - ?2 WHERE id = ?1", id,
		RECALL_GRACE_MS + RECALL_SLACK_MS);
	CHECK_INT(ending_cancel(db, id, true, &e), 1, "when it has not done so, nobody waits for it");
	CHECK_STR(stands(id), "6: 0 0 4 0", "the batch is cancelled");
	CHECK_INT(settle(id, 1, VERDICT_COMPLETED), 0, "an answer that comes later is dropped");
	CHECK_STR(ROWS_TEXT(r.raw, "SELECT code || ': ' || message FROM attempts WHERE request ="
			    " ?1 << 32 | 1", id), "interrupted: its worker did not end the request in"
		  " time", "the attempt says why");
	CHECK_INT(rows_wrong(r.raw), 0, "counters are those of the rows");
}

/* A worker that starts the request and dies. */
static void start_and_die(int64_t row)
{
	pid_t child = fork();

	if (child == 0) {
		struct err e = ERR_INIT;
		struct db *own = fixture_db("state.db");
		struct worker w = { 0, 0 };
		struct tally t = { 0 };
		struct request_started s;
		TX(tx);
		fixture_must(worker_enter(own, &(struct worker_new){ .version = "1", .config = "{}" }, &w, &e) == 0 &&
			     tx_begin(&tx, own, &e) == 0, "enter", &e);
		tally_begin(&t, own);
		fixture_must(request_start(&t, w.id, 0, row, clock_wall_ms(), &s, &e) == 1 &&
			     tally_flush(&t, clock_wall_ms(), &e) == 0 &&
			     tx_commit(&tx, &e) == 0, "start", &e);
		_exit(0);
	}
	waitpid(child, NULL, 0);
}

static void test_dead(void)
{
	struct err e = ERR_INIT;
	int64_t id = rows_batch(&r, 1, 3, 0);

	start_and_die(request_row(id, 1));
	expires_in(id, 0);
	CHECK_INT(ending_expire(db, id, &e), 3, "what a dead worker had in flight expires as well");
	CHECK_STR(stands(id), "4: 0 0 0 3", "and the batch ends");
	CHECK_INT(rows_wrong(r.raw), 0, "counters are those of the rows");
}

static void test_ids(void)
{
	struct err e = ERR_INIT;
	int64_t file = fixture_lines(db, 6), id = fixture_batch(db, file);
	struct batch b CLEANUP(batch_release) = BATCH_INIT;
	static const char *const some[] = { "r1", "r2", "r3", NULL }, *none[] = { NULL };
	static const char *const strange[] = { "r4", "r9", NULL }, *dead[] = { "r4", NULL };

	fixture_complete(db, request_row(id, 1), "{}");
	fixture_send(db, request_row(id, 2), NULL);
	fixture_get(db, id, &b);
	CHECK_INT(ending_cancel_ids(db, &b, some, true, true, &e), 1, "how many would be cancelled");
	CHECK_INT(ending_cancel_ids(db, &b, none, true, false, &e), 0, "no id is not every one");
	CHECK(ending_cancel_ids(db, &b, strange, true, false, &e) < 0 && e.code == ERR_NOTFOUND &&
	      strstr(e.msg, "'r9'"), "an id that is not there");
	CHECK_STR(stands(id), "1: 4 1 0 0", "changes nothing");
	CHECK_INT(ending_cancel_ids(db, &b, some, true, false, &e), 1, "those that are pending");
	CHECK_STR(stands(id), "1: 3 1 1 0", "are cancelled");
	CHECK_INT(ROWS_INT(r.raw, "SELECT now FROM recalls WHERE request = ?1", request_row(id, 2)),
		  1, "those in flight are to be cut off");
	ROWS_DO(r.raw, "UPDATE recalls SET at_ms = 1");
	CHECK_INT(ending_cancel_ids(db, &b, some, true, false, &e), 0, "twice is fine");
	CHECK_STR(stands(id), "1: 3 0 2 0", "and ends what a worker did not cut off for too long");
	start_and_die(request_row(id, 4));
	CHECK_INT(ending_cancel_ids(db, &b, dead, false, false, &e), 1,
		  "one that a dead worker had in flight is pending");
	CHECK_INT(rows_wrong(r.raw), 0, "counters are those of the rows");
}

/* More than one step, and due ones among them. */
static void test_many(void)
{
	enum { N = 120000 };
	struct err e = ERR_INIT;
	int64_t id = rows_batch(&r, 3, N, 0);

	ROWS_DO(r.raw, "BEGIN IMMEDIATE");
	ROWS_DO(r.raw, "UPDATE requests SET due = 5, tries = 0 WHERE id >> 32 = ?1 AND id % 7 = 0", id);
	ROWS_DO(r.raw, "UPDATE queues SET retrying = (SELECT count(*) FROM requests WHERE queue ="
		" queues.id AND due > 0) WHERE batch = ?1", id);
	ROWS_DO(r.raw, "UPDATE batches SET retrying = (SELECT sum(retrying) FROM queues WHERE batch ="
		" ?1) WHERE id = ?1", id);
	ROWS_DO(r.raw, "COMMIT");
	expires_in(id, 0);
	CHECK_INT(ending_expire(db, id, &e), N, "%d requests of three models expire", N);
	CHECK_STR(stands(id), "4: 0 0 0 120000", "all of them");
	CHECK_INT(rows_wrong(r.raw), 0, "counters are those of the rows");
}

int main(void)
{
	rows_open(&r, "state.db");
	db = r.db;
	fixture_check_plans(db, &ending_sql);
	test_some();
	test_expire();
	test_cancel_after_expiry();
	test_now();
	test_dead();
	test_ids();
	test_many();
	rows_close(&r);
	return unit_done();
}
