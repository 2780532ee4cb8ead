#include "domain/request.h"

#include <stdlib.h>
#include <string.h>

#include "domain/answer.h"
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

/* due, tries, counted, throttled, round, answer */
static const char *rest(int64_t row)
{
	return ROWS_TEXT(r.raw, "SELECT due || ' ' || tries || ' ' || counted || ' ' || throttled"
			 " || ' '"
			 " || round || ' ' || coalesce(answer, '-') FROM requests WHERE id = ?1", row);
}

static const char *attempt(int64_t row, int64_t n)
{
	return ROWS_TEXT(r.raw, "SELECT worker || ' ' || started_ms || ' ' || coalesce(took_ms,"
			 " '-') || ' '"
			 " || coalesce(status, '-') || ' ' || coalesce(code, '-') || ' ' || bytes"
			 " || ' '"
			 " || coalesce(next_ms, '-') || ' ' || coalesce(message, '-')"
			 " FROM attempts WHERE request = ?1 AND n = ?2", row, n);
}

static int64_t flights(void)
{
	return ROWS_INT(r.raw, "SELECT count(*) FROM flights");
}

/* Starts a request in a transaction of its own. */
static struct request_started started(int64_t worker, int64_t row)
{
	struct request_started s = { 0 };

	rows_begin(&r);
	rows_must(rows_start(&r, worker, row, &s) == 1, "start", "not pending");
	rows_commit(&r);
	return s;
}

/* Settles in a transaction of its own: 1 or 0, -2 if a counter is wrong. */
static int settled(const struct request_end *end)
{
	rows_begin(&r);
	int rc = rows_settle(&r, end);
	return rows_commit(&r) == 0 ? rc : -2;
}

static int released(int64_t worker, int64_t row, int64_t n)
{
	struct err e = ERR_INIT;

	struct request_started s = { .row = row, .n = n, .bucket = 1 };

	rows_begin(&r);
	int rc = request_release(&r.t, worker, &s, r.now, &e);
	rows_must(rc >= 0, "request_release", e.msg);
	return rows_commit(&r) == 0 ? rc : -2;
}

static int64_t limit_of(void *ctx, int64_t worker, int64_t batch)
{
	(void)worker;
	(void)batch;
	return *(int64_t *)ctx;
}

static int rescued(int64_t worker, int64_t limit)
{
	struct err e = ERR_INIT;

	rows_begin(&r);
	int rc = request_rescue(&r.t, worker, limit_of, &limit, r.now, &e);
	rows_must(rc >= 0, "request_rescue", e.msg);
	return rows_commit(&r) == 0 ? rc : -2;
}

static int reopened(int64_t row)
{
	struct err e = ERR_INIT;

	rows_begin(&r);
	int rc = request_reopen(&r.t, row, &e);
	rows_must(rc >= 0, "request_reopen", e.msg);
	return rows_commit(&r) == 0 ? rc : -2;
}

static void starting(void)
{
	struct err e = ERR_INIT;
	struct request_started s;
	int64_t id = rows_batch(&r, 2, 4, 0), row = request_row(id, 2);

	CHECK(request_batch(row) == id && request_line(row) == 2, "a row is batch << 32 | line");
	rows_begin(&r);
	CHECK_INT(rows_start(&r, ME, row, &s), 1, "a pending request is started");
	CHECK(s.row == row && s.queue == rows_queue(id, 2) && s.n == 1 && s.counted == 0 &&
	      s.throttled == 0 && s.round == 0, "it tells the queue and that this is attempt 1");
	CHECK_INT(rows_start(&r, OTHER, row, &s), 0, "it cannot be started twice");
	CHECK_INT(rows_start(&r, ME, request_row(id, 5), &s), 0, "a line that is not there: 0");
	CHECK_INT(rows_commit(&r), 0, "the counters are those of the rows");
	CHECK_INT(state(row), REQUEST_PROCESSING, "it is processing");
	CHECK_STR(ROWS_TEXT(r.raw, "SELECT worker || ' ' || n || ' ' || started_ms FROM flights"
			    " WHERE request = ?1", row), "1 1 1000", "and in flight, on disk");
	rows_begin(&r);
	CHECK(request_start(&r.t, ME, 1, request_row(999, 1), 1, &s, &e) == -1 && e.code == ERR_INTERNAL,
	      "a batch that is gone is an error");
	tx_end(&r.tx);
	ROWS_DO(r.raw, "UPDATE batches SET status = 5 WHERE id = ?1", id);
	rows_begin(&r);
	CHECK_INT(rows_start(&r, ME, request_row(id, 1), &s), 0,
		  "nothing is started in a batch that is not in progress");
	tx_end(&r.tx);
	ROWS_DO(r.raw, "UPDATE batches SET status = 1 WHERE id = ?1", id);
	CHECK_INT(released(ME, row, 1), 1, "put back");
}

static void completing(void)
{
	int64_t id = rows_batch(&r, 1, 3, 0), row = request_row(id, 1);
	struct request_started s = started(ME, row);
	struct request_end end = rows_end(&s, ME, VERDICT_COMPLETED), no = end;

	end.request_id = SPAN_LIT("req_1");
	end.kind = ANSWER_TEXT;
	no.worker = OTHER;
	CHECK_INT(settled(&no), 0, "another worker cannot settle the attempt");
	no = end;
	no.n = 2;
	CHECK_INT(settled(&no), 0, "nor can one with another number");
	CHECK(state(row) == REQUEST_PROCESSING && flights() == 1, "and nothing changes");
	CHECK_INT(settled(&end), 1, "who started it settles it");
	CHECK_INT(state(row), REQUEST_COMPLETED, "it is completed");
	CHECK_STR(rest(row), "0 1 0 0 0 1", "with answer 1");
	CHECK_STR(attempt(row, 1), "1 900 100 200 - 2 - -", "the attempt is recorded");
	CHECK_STR(ROWS_TEXT(r.raw, "SELECT line || ' ' || ended_ms || ' ' || status || ' ' ||"
			    " request_id"
			    " || ' ' || kind || ' ' || body || coalesce(code, '') ||"
			    " coalesce(message, '')"
			    " FROM answers WHERE id = ?1", request_row(id, 1)), "1 1000 200 req_1 1 {}",
		  "and the answer as it came");
	CHECK_STR(ROWS_TEXT(r.raw, "SELECT input_tokens || ' ' || cached_tokens || ' ' ||"
			    " output_tokens ||"
			    " ' ' || reasoning_tokens FROM batches WHERE id = ?1", id), "10 4 3 1",
		  "its tokens are the batch's");
	CHECK_INT(settled(&end), 0, "settling again: 0, the ownership was lost");
	end.verdict = VERDICT_FAILED;
	CHECK_INT(settled(&end), 0, "with whatever verdict");
	CHECK_INT(released(ME, row, 1), 0, "it cannot be released");
	CHECK_INT(reopened(row), 0, "nor reopened");
	CHECK_INT(state(row), REQUEST_COMPLETED, "done stays done");
	CHECK_INT(ROWS_INT(r.raw, "SELECT count(*) FROM answers"), 1, "there is one answer");
}

static void failing(void)
{
	int64_t id = rows_batch(&r, 1, 3, 0), row = request_row(id, 3);
	struct request_started s = started(ME, row);
	struct request_end end = rows_end(&s, ME, VERDICT_FAILED);
	char body[5000];

	memset(body, 'x', sizeof body);
	end.body = (struct span){ body, sizeof body };
	end.headers = SPAN_LIT("{\"a\":\"b\"}");
	end.throttled = true;
	CHECK_INT(settled(&end), 1, "a request fails");
	CHECK_INT(state(row), REQUEST_FAILED, "it is failed");
	CHECK_STR(rest(row), "0 1 1 1 0 1", "the attempt is counted, and its 429");
	CHECK_STR(attempt(row, 1), "1 900 100 500 - 2 - it is broken", "the attempt says why");
	CHECK_INT(of_row("SELECT length(head) FROM attempts WHERE request = ?1", row), 4096,
		  "with the first 4 KiB of the body");
	CHECK_INT(of_row("SELECT length(body) FROM answers WHERE id = ?1", request_row(id, 1)), 5000,
		  "the answer has all of it");

	CHECK_INT(reopened(row), 1, "it is reopened");
	CHECK_STR(rest(row), "0 1 0 0 1 -", "with a fresh set of attempts, in the next round");
	CHECK_INT(reopened(row), 0, "a pending one is not");
	s = started(ME, row);
	CHECK(s.n == 2 && s.counted == 0 && s.round == 1, "attempts are numbered on");
	end = rows_end(&s, ME, VERDICT_FAILED);
	end.status = 0;
	end.code = "timeout";
	end.body = SPAN_NONE;
	CHECK_INT(settled(&end), 1, "it fails without an answer");
	CHECK_STR(attempt(row, 2), "1 900 100 - timeout 2 - it is broken", "the code says why");
	CHECK_STR(ROWS_TEXT(r.raw, "SELECT code || ' ' || message || ' ' || (status IS NULL) ||"
			    " (body IS NULL)"
			    " FROM answers WHERE id = ?1", request_row(id, 2)),
			    "timeout it is broken 11",
		  "in its answer, which has number 2, as well");
}

static void again(void)
{
	int64_t id = rows_batch(&r, 1, 3, 0), row = request_row(id, 1);
	struct request_started s = started(ME, row);
	struct request_end end = rows_end(&s, ME, VERDICT_RETRY);

	CHECK_INT(settled(&end), 1, "a request will be tried again");
	CHECK_INT(state(row), REQUEST_PENDING, "it is pending");
	CHECK_STR(rest(row), "5000 1 1 0 0 -", "with a due time, and counted");
	CHECK_STR(attempt(row, 1), "1 900 100 500 - 2 5000 it is broken", "the attempt knows the next");
	CHECK_INT(of_row("SELECT retrying FROM batches WHERE id = ?1", id), 1, "the batch counts it");
	s = started(OTHER, row);
	CHECK(s.n == 2 && s.counted == 1, "the next attempt knows of the first");
	CHECK_INT(settled(&end), 0, "the first cannot be settled again");
	CHECK_INT(released(OTHER, row, 2), 1, "the second is put back unsent");
	CHECK_STR(rest(row), "5000 1 1 0 0 -", "which gives the try back");
	CHECK_INT(of_row("SELECT count(*) FROM attempts WHERE request = ?1", row), 1,
		  "and leaves no attempt");
	CHECK_INT(of_row("SELECT retrying FROM batches WHERE id = ?1", id), 1,
		  "it is retrying as before");
	CHECK_INT(released(OTHER, row, 2), 0, "it cannot be put back twice");
	s = started(OTHER, row);
	CHECK_INT(s.n, 2, "the number is used again");
	end = rows_end(&s, OTHER, VERDICT_RETRY);
	end.next_ms = 0;
	end.counts = false;
	CHECK_INT(settled(&end), 1, "a retry that is due at once");
	CHECK_STR(rest(row), "0 2 1 0 0 -", "has no due time");
	CHECK_INT(of_row("SELECT retrying FROM batches WHERE id = ?1", id), 0, "and is not retrying");
}

static void cancelling(void)
{
	struct err e = ERR_INIT;
	int64_t id = rows_batch(&r, 1, 12, 0);
	struct request_started one = started(ME, request_row(id, 2)),
		two = started(ME, request_row(id, 3));
	struct request_started three = started(ME, request_row(id, 4));
	struct request_end end = rows_end(&one, ME, VERDICT_RETRY),
		ok = rows_end(&three, ME, VERDICT_COMPLETED);

	rows_begin(&r);
	CHECK_INT(request_cancel(&r.t, request_row(id, 12), false, 1, &e), 1,
		  "a pending request is cancelled");
	CHECK_INT(request_cancel(&r.t, request_row(id, 12), false, 1, &e), 0, "once");
	CHECK_INT(request_cancel(&r.t, request_row(id, 99), false, 1, &e), 0,
		  "one that is not there is not");
	CHECK_INT(rows_commit(&r), 0, "the counters are those of the rows");
	ROWS_DO(r.raw, "UPDATE batches SET status = 5 WHERE id = ?1", id);
	rows_begin(&r);
	for (uint32_t line = 5; line < 12; line++)
		rows_must(request_cancel(&r.t, request_row(id, line), false, 1, &e) >= 0, "cancel",
			  e.msg);
	rows_must(request_cancel(&r.t, request_row(id, 1), false, 1, &e) == 1, "cancel", e.msg);
	CHECK_INT(rows_commit(&r), 0, "one by one");
	r.now = 3000;
	CHECK_INT(settled(&end), 1, "a retry in a batch that is being cancelled");
	CHECK_INT(state(one.row), REQUEST_CANCELLED, "becomes cancelled");
	CHECK_STR(attempt(one.row, 1), "1 900 100 500 - 2 - it is broken", "its attempt is the last");
	CHECK_INT(released(ME, two.row, 1), 1, "an unsent one");
	CHECK_INT(state(two.row), REQUEST_CANCELLED, "becomes cancelled");
	CHECK_INT(of_row("SELECT status FROM batches WHERE id = ?1", id), BATCH_CANCELLING,
		  "one is left");
	CHECK_INT(settled(&ok), 1, "a result is kept");
	CHECK_STR(ROWS_TEXT(r.raw, "SELECT status || ' ' || cancelled_ms || ' ' || finalizing_ms ||"
			    " coalesce(completed_ms, '') FROM batches WHERE id = ?1", id),
			    "6 3000 3000",
		  "with the last one the batch is cancelled, in the same transaction");
	CHECK_INT(reopened(two.row), 1, "a cancelled request is reopened");
	r.now = 1000;
}

static void expiring(void)
{
	int64_t id = rows_batch(&r, 1, 6, 0);
	struct request_started one = started(ME, request_row(id, 1)), s;
	struct request_started two = started(ME, request_row(id, 2));
	struct request_started three = started(ME, request_row(id, 3));
	struct request_started four = started(ME, request_row(id, 4));

	CHECK_INT(one.expires_ms, 0, "what is started knows that its batch never expires");
	ROWS_DO(r.raw, "UPDATE batches SET expires_ms = 2000 WHERE id = ?1", id);
	r.now = 1999;
	rows_begin(&r);
	CHECK_INT(rows_start(&r, ME, request_row(id, 5), &s), 1, "before the expiry one is started");
	CHECK_INT(s.expires_ms, 2000, "and knows when it is");
	rows_commit(&r);
	CHECK_INT(released(ME, s.row, 1), 1, "put back");
	CHECK_INT(state(s.row), REQUEST_PENDING, "it is pending");
	r.now = 2000;
	rows_begin(&r);
	CHECK_INT(rows_start(&r, ME, request_row(id, 5), &s), 0, "from then on nothing is started");
	tx_end(&r.tx);
	struct request_end end = rows_end(&one, ME, VERDICT_RETRY);
	CHECK_INT(settled(&end), 1, "what was in flight and would be tried again");
	CHECK_INT(state(one.row), REQUEST_EXPIRED, "expires");
	CHECK_STR(attempt(one.row, 1), "1 900 100 500 - 2 - it is broken", "its attempt is the last");
	CHECK_STR(rest(one.row), "0 1 1 0 0 -", "and it has no answer");
	end = rows_end(&two, ME, VERDICT_COMPLETED);
	CHECK_INT(settled(&end), 1, "a result is kept");
	CHECK_INT(state(two.row), REQUEST_COMPLETED, "as completed");
	CHECK_INT(released(ME, three.row, 1), 1, "what was not sent");
	CHECK_INT(state(three.row), REQUEST_EXPIRED, "expires");
	CHECK_STR(rest(three.row), "0 0 0 0 0 -", "without an attempt");
	CHECK_INT(rescued(ME, 5), 1, "what a dead worker had in flight");
	CHECK_INT(state(four.row), REQUEST_EXPIRED, "expires too");
	CHECK_INT(reopened(one.row), 1, "an expired request is reopened");
	r.now = 1000;
}

static void recalling(void)
{
	struct err e = ERR_INIT;
	int64_t id = rows_batch(&r, 1, 6, 0);
	struct request_started s[5];

	for (uint32_t i = 0; i < 5; i++)
		s[i] = started(ME, request_row(id, i + 1));
	rows_begin(&r);
	for (uint32_t i = 0; i < 4; i++)
		CHECK_INT(request_cancel(&r.t, s[i].row, i > 1, 1500 + i, &e), 2,
			  "a request in flight is cancelled as well");
	CHECK_INT(request_cancel(&r.t, s[0].row, true, 1600, &e), 2, "a second time at once");
	CHECK_INT(request_cancel(&r.t, s[2].row, true, 1700, &e), 2, "or again");
	CHECK_INT(request_cancel(&r.t, s[3].row, false, 1800, &e), 2, "whatever comes later");
	CHECK_INT(rows_commit(&r), 0, "the counters are those of the rows");
	CHECK_INT(state(s[0].row), REQUEST_PROCESSING, "it stays in flight");
	CHECK_STR(ROWS_TEXT(r.raw, "SELECT group_concat(at_ms || ' ' || now, ', ') FROM"
			    " (SELECT * FROM recalls ORDER BY request)"), "1600 1, 1501 0, 1502 1, 1503 1",
		  "the time is that of the first order to cut it off");
	struct request_end end = rows_end(&s[0], ME, VERDICT_RETRY);
	CHECK_INT(settled(&end), 1, "what would be tried again");
	CHECK_INT(state(s[0].row), REQUEST_CANCELLED, "is cancelled");
	end = rows_end(&s[1], ME, VERDICT_COMPLETED);
	CHECK_INT(settled(&end), 1, "a result is kept");
	CHECK_INT(state(s[1].row), REQUEST_COMPLETED, "as completed");
	CHECK_INT(released(ME, s[2].row, 1), 1, "what was not sent");
	CHECK_INT(state(s[2].row), REQUEST_CANCELLED, "is cancelled");
	CHECK_INT(rescued(ME, 9), 2, "of what a dead worker had in flight");
	CHECK(state(s[3].row) == REQUEST_CANCELLED && state(s[4].row) == REQUEST_PENDING,
	      "what was cancelled is, the rest is pending");
	CHECK_INT(ROWS_INT(r.raw, "SELECT count(*) FROM recalls"), 0, "and nothing is recalled then");
	CHECK_INT(of_row("SELECT status FROM batches WHERE id = ?1", id), BATCH_IN_PROGRESS,
		  "the batch goes on");
}

static void interrupting(void)
{
	struct err e = ERR_INIT;
	int64_t id = rows_batch(&r, 1, 3, 0), row = request_row(id, 1);
	struct request_started s = started(ME, row);
	struct request_end end = { .row = row, .queue = s.queue, .bucket = 1, .worker = ME, .n = 2,
				   .started_ms = 1000, .verdict = VERDICT_RETRY, .message = "why" };

	rows_begin(&r);
	CHECK_INT(request_interrupt(&r.t, &end, r.now, &e), 0, "another attempt is not interrupted");
	end.n = 1;
	CHECK_INT(request_interrupt(&r.t, &end, r.now, &e), 1, "this one is");
	CHECK_INT(rows_commit(&r), 0, "with counters");
	CHECK_STR(attempt(row, 1), "1 1000 - - interrupted 0 0 why", "its attempt says so");
	CHECK_STR(rest(row), "0 1 1 0 0 -", "and counts");
}

static void rescuing(void)
{
	int64_t id = rows_batch(&r, 1, 6, 0), done = request_row(id, 1), lost = request_row(id, 2);
	int64_t tried = request_row(id, 3), theirs = request_row(id, 4), sixth = request_row(id, 6);
	struct request_started s = started(ME, done), l, t;
	struct request_end end = rows_end(&s, ME, VERDICT_COMPLETED);

	CHECK_INT(settled(&end), 1, "a worker has settled one");
	t = started(ME, tried);
	end = rows_end(&t, ME, VERDICT_RETRY);
	settled(&end);
	l = started(ME, lost);
	t = started(ME, tried);
	started(OTHER, theirs);
	CHECK_INT(rescued(ME, 2), 2, "when it is dead the two that are in flight are rescued");
	CHECK_INT(state(done), REQUEST_COMPLETED, "the settled one is done");
	CHECK_INT(state(theirs), REQUEST_PROCESSING, "another worker's stays in flight");
	CHECK_INT(state(lost), REQUEST_PENDING, "one with attempts left is pending");
	CHECK_STR(rest(lost), "0 1 1 0 0 -", "at once, and the attempt is counted");
	CHECK_STR(attempt(lost, 1), "1 1000 - - interrupted 0 0 the worker died while the request"
		  " was in"
		  " flight", "which is recorded as interrupted, how long it took is unknown");
	CHECK_INT(state(tried), REQUEST_FAILED, "one whose attempts are used up has failed");
	CHECK_STR(ROWS_TEXT(r.raw, "SELECT code || ' ' || kind || (body IS NULL) || (status IS"
			    " NULL) FROM"
			    " answers WHERE id = ?1", request_row(id, 2)), "interrupted 311",
		  "with an answer that says so");
	end = rows_end(&l, ME, VERDICT_COMPLETED);
	CHECK_INT(settled(&end), 0, "a settle after the rescue is too late");
	CHECK_INT(state(lost), REQUEST_PENDING, "and changes nothing");
	CHECK_INT(rescued(ME, 2), 0, "a second rescue finds nothing");
	s = started(OTHER, lost);
	CHECK_INT(settled(&end), 0, "nor does the old attempt settle the new one");
	end = rows_end(&s, OTHER, VERDICT_COMPLETED);
	CHECK_INT(settled(&end), 1, "which its worker settles");
	CHECK_INT(rescued(OTHER, 2), 1, "a rescue after a settle takes the rest");
	CHECK_INT(state(lost), REQUEST_COMPLETED, "and leaves what is done");
	started(ME, sixth);
	CHECK_INT(rescued(ME, 1), 1, "without retries");
	CHECK_INT(state(sixth), REQUEST_FAILED, "one interruption is the end");
}

static void numbering(void)
{
	enum { N = 20 };
	int64_t id = rows_batch(&r, 3, N, 0);
	struct request_started s[N];
	bool right = true;

	for (int i = 0; i < N; i++)
		s[i] = started(ME, request_row(id, (uint32_t)i + 1));
	r.now = 4321;
	for (int i = 0; i < N; i++) {
		int k = i * 7 % N; /* another order than that of the lines */
		struct request_end end = rows_end(&s[k], ME,
						  k % 3 ? VERDICT_COMPLETED : VERDICT_FAILED);
		right &= of_row("SELECT status FROM batches WHERE id = ?1", id) == BATCH_IN_PROGRESS &&
			 settled(&end) == 1 &&
			 of_row("SELECT answer FROM requests WHERE id = ?1", s[k].row) == i + 1 &&
			 of_row("SELECT line FROM answers WHERE id = ?1",
				request_row(id, (uint32_t)i + 1)) ==
				 k + 1;
	}
	CHECK(right, "answers are numbered 1 to n in the order in which they ended");
	CHECK_STR(ROWS_TEXT(r.raw, "SELECT status || ' ' || completed_ms FROM batches WHERE id ="
			    " ?1", id),
		  "2 4321", "the last one completes the batch, with its stamp");
	r.now = 1000;
}

static void texts(void)
{
	CHECK_STR(request_state_text(REQUEST_PROCESSING), "processing", "states have texts");
	bool back = true;
	for (int i = 0; i < REQUEST_STATES; i++)
		back &= request_state_of(request_state_text((enum request_state)i)) == i;
	CHECK(back, "and texts states");
	CHECK_INT(request_state_of("retrying"), -1, "any other text is none");
}

int main(void)
{
	rows_open(&r, "db");
	texts();
	starting();
	completing();
	failing();
	again();
	cancelling();
	expiring();
	recalling();
	interrupting();
	rescuing();
	numbering();
	rows_close(&r);
	return unit_done();
}
