#include "domain/recall.h"

#include "fixture.h"
#include "rows.h"

static struct rows r;
static struct recall got;

enum { ME = 1, OTHER = 2, PATIENT = 3, GRACE = 1000 };

static struct request_started started(int64_t worker, int64_t row)
{
	struct request_started s = { 0 };

	rows_begin(&r);
	rows_must(rows_start(&r, worker, row, &s) == 1, "start", "not pending");
	rows_commit(&r);
	return s;
}

/* What I am told at this time: "batches; rows; expire overdue next". */
static const char *told(int64_t now_ms)
{
	static char text[400];
	struct err e = ERR_INIT;
	int n = 0;

	rows_must(recall_read(r.db, ME, GRACE, now_ms, &got, &e) == 0, "recall_read", e.msg);
	for (int i = 0; i < got.n_batches; i++)
		n += snprintf(text + n, sizeof text - (size_t)n, "%lld%s ",
			      (long long)got.batches[i].batch, got.batches[i].cut ? " cut" : "");
	n += snprintf(text + n, sizeof text - (size_t)n, "; ");
	for (int i = 0; i < got.n_rows; i++)
		n += snprintf(text + n, sizeof text - (size_t)n, "%u%s ", request_line(got.rows[i].row),
			      got.rows[i].cut ? " cut" : "");
	snprintf(text + n, sizeof text - (size_t)n, "; %lld %s %lld", (long long)got.expire,
		 got.overdue ? "overdue" : "-", (long long)got.next_ms);
	return text;
}

static int overdue(int64_t worker, int64_t now_ms)
{
	struct err e = ERR_INIT;

	r.now = now_ms;
	rows_begin(&r);
	int n = recall_overdue(&r.t, worker, now_ms, &e);
	rows_must(n >= 0, "recall_overdue", e.msg);
	int64_t wrong = rows_commit(&r);
	r.now = 1000;
	return wrong == 0 ? n : -2;
}

static int64_t state(int64_t batch, uint32_t line)
{
	return ROWS_INT(r.raw, "SELECT state FROM requests WHERE id = ?1", request_row(batch, line));
}

/* A batch of its own, the others gone. */
static int64_t fresh(int lines)
{
	static const char *const tables[] = { "DELETE FROM flights", "DELETE FROM races",
		"DELETE FROM recalls", "DELETE FROM shares", "DELETE FROM attempts",
		"DELETE FROM requests", "DELETE FROM batches" };

	for (size_t i = 0; i < ARRAY_LEN(tables); i++)
		ROWS_DO(r.raw, tables[i]);
	r.now = 1000;
	return rows_batch(&r, 1, lines, 0);
}

static void windows(void)
{
	int64_t id = fresh(3);

	CHECK_STR(told(1000), "; ; 0 - 0", "nothing is recalled");
	ROWS_DO(r.raw, "UPDATE batches SET expires_ms = 5000 WHERE id = ?1", id);
	CHECK_STR(told(4999), "; ; 0 - 5000", "before the expiry: when that is");
	CHECK_STR(told(5000), "; ; 1 - 0", "then: which batch is to expire");
	started(ME, request_row(id, 1));
	CHECK_STR(told(4999), "; ; 0 - 5000", "with a request in flight: the same before");
	CHECK_STR(told(5000), "1 ; ; 1 - 6000", "then nothing of it is sent, for the grace");
	CHECK_STR(told(6000), "1 cut ; ; 1 - 0", "and then what is in flight is cut off");
	CHECK_INT(overdue(ME, 999999), 0, "one's own is never overdue");
	started(OTHER, request_row(id, 2));
	CHECK_STR(told(6000), "1 cut ; ; 1 - 40000", "that of another has its worker's grace, and more");
	CHECK_STR(told(39999), "1 cut ; ; 1 - 40000", "till then");
	CHECK_INT(overdue(ME, 39999), 0, "it is left alone");
	CHECK_STR(told(40000), "1 cut ; ; 1 overdue 0", "then it is overdue");
	CHECK_INT(overdue(ME, 40000), 1, "and settled");
	CHECK_INT(state(id, 2), REQUEST_EXPIRED, "as expired");
	CHECK_INT(state(id, 1), REQUEST_PROCESSING, "the other is its worker's");
	CHECK_STR(told(40000), "1 cut ; ; 1 - 0", "nothing else is overdue");
	CHECK_INT(overdue(0, 40000), 1, "a command has no flights of its own");

	int64_t other = fresh(3);
	started(PATIENT, request_row(other, 1));
	ROWS_DO(r.raw, "UPDATE batches SET expires_ms = 5000 WHERE id = ?1", other);
	CHECK_INT(overdue(ME, 5000 + 60000 + RECALL_SLACK_MS - 1), 0,
		  "a worker with a longer --grace is not robbed of it");
	CHECK_INT(overdue(ME, 5000 + 60000 + RECALL_SLACK_MS), 1, "it has as much");
}

static void cancels(void)
{
	int64_t id = fresh(3);

	started(ME, request_row(id, 1));
	ROWS_DO(r.raw, "UPDATE batches SET status = 5 WHERE id = ?1", id);
	CHECK_STR(told(1000), "1 ; ; 0 - 0", "a batch is cancelled: nothing of it is sent");
	ROWS_DO(r.raw, "UPDATE batches SET abort_ms = 1500 WHERE id = ?1", id);
	CHECK_STR(told(1500), "1 cut ; ; 0 - 0", "with --now what is in flight is cut off");
	ROWS_DO(r.raw, "UPDATE batches SET abort_ms = NULL, expires_ms = 3000 WHERE id = ?1", id);
	CHECK_STR(told(1500), "1 ; ; 0 - 3000", "without, it has time");
	CHECK_STR(told(3000), "1 ; ; 0 - 4000", "till the window of the batch has passed");
	CHECK_STR(told(4000), "1 cut ; ; 0 - 0", "with the grace");
	ROWS_DO(r.raw, "UPDATE flights SET worker = 2");
	ROWS_DO(r.raw, "UPDATE shares SET worker = 2");
	ROWS_DO(r.raw, "UPDATE batches SET abort_ms = 1500 WHERE id = ?1", id);
	CHECK_STR(told(2000), "1 cut ; ; 0 - 36500", "another worker has its time from --now on");
	CHECK_INT(overdue(ME, 36500), 1, "then nobody waits for it");
	CHECK_INT(state(id, 1), REQUEST_CANCELLED, "the request is cancelled");
}

static void singles(void)
{
	struct err e = ERR_INIT;
	int64_t id = fresh(4);

	for (uint32_t line = 1; line <= 3; line++)
		started(line == 3 ? OTHER : ME, request_row(id, line));
	rows_begin(&r);
	for (uint32_t line = 1; line <= 3; line++)
		rows_must(request_cancel(&r.t, request_row(id, line), line > 1, 2000, &e) == 2,
			  "request_cancel", e.msg);
	CHECK_INT(rows_commit(&r), 0, "counters are those of the rows");
	CHECK_STR(told(2000), "; 1 2 cut 3 cut ; 0 - 37000", "single requests are told by their rows");
	CHECK_STR(told(37000), "; 1 2 cut 3 cut ; 0 overdue 0", "those of another worker are overdue");
	CHECK_INT(overdue(ME, 37000), 1, "after its grace");
	CHECK(state(id, 3) == REQUEST_CANCELLED && state(id, 2) == REQUEST_PROCESSING,
	      "it is cancelled, one's own is not touched");
	CHECK_STR(told(37000), "; 1 2 cut ; 0 - 0", "and nothing is overdue then");
}

static void flights(void)
{
	struct err e = ERR_INIT;
	int64_t id = fresh(5), mine[4] = { 0 };

	for (uint32_t line = 5; line > 1; line--)
		started(line == 3 ? OTHER : ME, request_row(id, line));
	told(1000);
	CHECK_INT(got.flights, 3, "a worker is told how many flights it has");
	CHECK(recall_mine(r.db, ME, mine, 4, &e) == 3 && mine[0] == request_row(id, 2) &&
	      mine[2] == request_row(id, 5), "and which");
	CHECK(recall_mine(r.db, ME, mine, 2, &e) == 2 && mine[1] == request_row(id, 4),
	      "no more than it has room for");
	ROWS_DO(r.raw, "UPDATE batches SET expires_ms = 2000 WHERE id = ?1", id);
	CHECK_INT(overdue(OTHER, 60000), 3, "when others have ended them");
	told(60000);
	CHECK(got.flights == 0 && recall_mine(r.db, ME, mine, 4, &e) == 0, "it has none");
}

static void several(void)
{
	int64_t one = fresh(3), two = rows_batch(&r, 1, 3, 0), three = rows_batch(&r, 1, 3, 0);

	ROWS_DO(r.raw, "UPDATE batches SET expires_ms = 10000 - id * 1000");
	CHECK_STR(told(6500), "; ; 0 - 7000", "the nearest expiry is the next");
	CHECK_STR(told(7000), "; ; 3 - 8000", "batches expire in the order of theirs");
	CHECK_STR(told(9999), "; ; 3 - 0", "one at a time");
	started(ME, request_row(one, 1));
	ROWS_DO(r.raw, "UPDATE requests SET state = 5 WHERE state = 0 AND id >> 32 <> ?1", two);
	ROWS_DO(r.raw, "UPDATE batches SET expired = pending, pending = 0 WHERE id <> ?1", two);
	CHECK_STR(told(9000), "1 ; ; 2 - 10000", "those of which nothing is pending are done");
	ROWS_DO(r.raw, "UPDATE batches SET status = 4 WHERE id IN (?1, ?2)", two, three);
	CHECK_STR(told(9000), "1 ; ; 0 - 10000", "and those that have ended");
}

int main(void)
{
	rows_open(&r, "db");
	ROWS_DO(r.raw, "INSERT INTO workers (id, slot, host, pid, user, version, config, started_ms)"
		" VALUES (1, 1, 'h', 1, 'me', '1', '{}', 1), (2, 2, 'h', 1, 'me', '1', '{}', 1),"
		" (3, 3, 'h', 1, 'me', '1', '{\"grace_ms\":60000}', 1)");
	fixture_check_plans(r.db, &recall_sql);
	windows();
	cancels();
	singles();
	flights();
	several();
	recall_release(&got);
	rows_close(&r);
	return unit_done();
}
