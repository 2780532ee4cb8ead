#include "domain/tally.h"

#include <string.h>

#include "rows.h"
#include "unit.h"

static struct rows r;

static struct tally_batch *batch_of(int64_t id)
{
	struct err e = ERR_INIT;
	struct tally_batch *b = tally_batch(&r.t, id, &e);

	rows_must(b != NULL, "tally_batch", e.msg);
	return b;
}

static int64_t column(const char *sql, int64_t id)
{
	return ROWS_INT(r.raw, sql, id);
}

/* The counters of a batch, one digit each: pending, retrying, processing,
 * completed, failed, cancelled, expired. */
static const char *counters(int64_t id)
{
	return ROWS_TEXT(r.raw, "SELECT pending || ' ' || retrying || ' ' || processing || ' ' ||"
			 " completed"
			 " || ' ' || failed || ' ' || cancelled || ' ' || expired"
			 " FROM batches WHERE id = ?1", id);
}

static const char *queue(int64_t id)
{
	return ROWS_TEXT(r.raw, "SELECT pending || ' ' || retrying FROM queues WHERE id = ?1", id);
}

/* The stamps that end a batch: finalizing, completed, cancelled. */
static const char *stamps(int64_t id)
{
	return ROWS_TEXT(r.raw, "SELECT coalesce(finalizing_ms, '-') || ' ' ||"
			 " coalesce(completed_ms, '-')"
			 " || ' ' || coalesce(cancelled_ms, '-') FROM batches WHERE id = ?1", id);
}

static int64_t status(int64_t id)
{
	return column("SELECT status FROM batches WHERE id = ?1", id);
}

/* Moves one request of model 1 in a transaction of its own. */
static void move(int64_t id, enum request_state from, enum request_state to, bool retrying)
{
	rows_begin(&r);
	tally_move(&r.t, batch_of(id), rows_queue(id, 1), from, to, retrying);
	rows_commit(&r);
}

static void loading(void)
{
	struct err e = ERR_INIT;
	int64_t id = rows_batch(&r, 1, 3, 0);

	ROWS_DO(r.raw, "UPDATE batches SET answers = 7 WHERE id = ?1", id);
	rows_begin(&r);
	struct tally_batch *b = batch_of(id);
	CHECK(b->id == id && b->status == BATCH_IN_PROGRESS && b->answers == 7,
	      "a batch is loaded with its status and the number of the newest answer");
	CHECK(!b->touched && !b->ended, "nothing has happened to it");
	CHECK(batch_of(id) == b, "and not loaded again");
	CHECK(!tally_batch(&r.t, 999, &e), "one that is not there is an error");
	CHECK(e.code == ERR_INTERNAL && strstr(e.msg, "999"), "that names it");
	rows_commit(&r);
	CHECK_INT(column("SELECT answers FROM batches WHERE id = ?1", id), 7,
		  "a batch that was only looked at stays as it is");
	ROWS_DO(r.raw, "UPDATE batches SET total = 0, pending = 0, answers = 0 WHERE id = ?1", id);
	rows_begin(&r);
	batch_of(id);
	rows_commit(&r);
	CHECK_INT(status(id), BATCH_IN_PROGRESS, "and is not settled");
	ROWS_DO(r.raw, "DELETE FROM requests");
	ROWS_DO(r.raw, "DELETE FROM batches");
}

static void moves(void)
{
	int64_t id = rows_batch(&r, 2, 6, 0), one = rows_queue(id, 1), two = rows_queue(id, 2);

	CHECK_STR(queue(one), "3 0", "a queue with 3 pending requests");
	rows_begin(&r);
	struct tally_batch *b = batch_of(id);
	for (int i = 0; i < 3; i++)
		tally_move(&r.t, b, one, REQUEST_PENDING, REQUEST_PROCESSING, false);
	tally_move(&r.t, b, two, REQUEST_PENDING, REQUEST_CANCELLED, false);
	CHECK_STR(counters(id), "6 0 0 0 0 0 0", "nothing is written before the flush");
	rows_commit(&r);
	CHECK_STR(counters(id), "2 0 3 0 0 1 0", "moves out of pending are counted in the batch");
	CHECK_STR(queue(one), "0 0", "and in their queue");
	CHECK_STR(queue(two), "2 0", "each in its own");

	move(id, REQUEST_PROCESSING, REQUEST_PENDING, true);
	CHECK_STR(counters(id), "3 1 2 0 0 1 0", "one that will be tried again is retrying");
	CHECK_STR(queue(one), "1 1", "in its queue too");
	move(id, REQUEST_PENDING, REQUEST_PROCESSING, true);
	CHECK_STR(counters(id), "2 0 3 0 0 1 0", "and when it is sent it is not");
	CHECK_STR(queue(one), "0 0", "in its queue either");
	rows_begin(&r);
	b = batch_of(id);
	tally_move(&r.t, b, one, REQUEST_PROCESSING, REQUEST_PENDING, true);
	tally_move(&r.t, b, one, REQUEST_PENDING, REQUEST_PROCESSING, true);
	rows_commit(&r);
	CHECK_STR(counters(id), "2 0 3 0 0 1 0", "there and back in one transaction is nothing");
	rows_begin(&r);
	b = batch_of(id);
	tally_move(&r.t, b, one, REQUEST_PROCESSING, REQUEST_COMPLETED, true);
	tally_move(&r.t, b, one, REQUEST_PROCESSING, REQUEST_FAILED, true);
	tally_move(&r.t, b, one, REQUEST_PROCESSING, REQUEST_EXPIRED, true);
	b->attempts += 3;
	b->answers = 2;
	b->input_tokens += 10;
	b->cached_tokens += 4;
	b->output_tokens += 3;
	b->reasoning_tokens += 1;
	rows_commit(&r);
	CHECK_STR(counters(id), "2 0 0 1 1 1 1", "every end has its counter, and queues know no ends");
	CHECK_STR(ROWS_TEXT(r.raw, "SELECT attempts || ' ' || answers || ' ' || input_tokens || ' '"
			    " || cached_tokens || ' ' || output_tokens || ' ' || reasoning_tokens"
			    " FROM batches WHERE id = ?1", id), "3 2 10 4 3 1",
		  "attempts, answers and tokens are written");
	CHECK_INT(status(id), BATCH_IN_PROGRESS, "two are pending, so the batch goes on");
}

static void many(void)
{
	int64_t first = rows_batch(&r, 20, 40, 0), last = first;

	for (int i = 1; i < 20; i++)
		last = rows_batch(&r, 20, 40, 0);
	rows_begin(&r);
	for (int round = 0; round < 2; round++)
		for (int64_t id = first; id <= last; id++)
			for (int m = 1; m <= 20; m++)
				tally_move(&r.t, batch_of(id), rows_queue(id, m), REQUEST_PENDING,
					   REQUEST_PROCESSING, false);
	rows_commit(&r);
	CHECK_INT(column("SELECT count(*) FROM batches WHERE id >= ?1 AND pending = 0"
			 " AND processing = 40", first), 20, "20 batches in one tally");
	CHECK_INT(column("SELECT count(*) FROM queues WHERE batch >= ?1 AND pending = 0", first), 400,
		  "with 20 queues each");
}

static void endings(void)
{
	int64_t id = rows_batch(&r, 1, 1, 0);
	r.now = 5000;
	move(id, REQUEST_PENDING, REQUEST_PROCESSING, false);
	CHECK_INT(status(id), BATCH_IN_PROGRESS, "while the last request is in flight, its batch"
		  " goes on");
	CHECK_STR(stamps(id), "- - -", "without stamps");
	rows_begin(&r);
	struct tally_batch *b = batch_of(id);
	tally_move(&r.t, b, rows_queue(id, 1), REQUEST_PROCESSING, REQUEST_FAILED, false);
	struct err e = ERR_INIT;
	CHECK(tally_flush(&r.t, 6000, &e) == 0 && b->ended && b->status == BATCH_COMPLETED,
	      "when it ends, the flush settles the batch and says so");
	CHECK_INT(status(id), BATCH_IN_PROGRESS, "others do not see it before the commit");
	tx_end(&r.tx);
	CHECK_STR(counters(id), "0 0 1 0 0 0 0", "a rollback takes back the move");
	CHECK_STR(stamps(id), "- - -", "and the settling with it");
	r.now = 7000;
	move(id, REQUEST_PROCESSING, REQUEST_FAILED, false);
	CHECK_INT(status(id), BATCH_COMPLETED, "the commit of the last end completes the batch");
	CHECK_STR(stamps(id), "7000 7000 -", "with finalizing_ms and completed_ms");
	r.now = 8000;
	move(id, REQUEST_FAILED, REQUEST_CANCELLED, false);
	CHECK_STR(stamps(id), "7000 7000 -", "a batch that has ended is not ended again");

	id = rows_batch(&r, 1, 2, 0);
	ROWS_DO(r.raw, "UPDATE batches SET status = 5 WHERE id = ?1", id);
	move(id, REQUEST_PENDING, REQUEST_CANCELLED, false);
	CHECK_INT(status(id), BATCH_CANCELLING, "a batch is cancelling while a request is left");
	move(id, REQUEST_PENDING, REQUEST_COMPLETED, false);
	CHECK_INT(status(id), BATCH_CANCELLED, "and cancelled with the last, however that ended");
	CHECK_STR(stamps(id), "8000 - 8000", "with finalizing_ms and cancelled_ms");
}

/* "hour requests attempts input cached output reasoning" of a batch's rows. */
static const char *usage(int64_t id)
{
	return ROWS_TEXT(r.raw, "SELECT group_concat(model || '@' || hour || ': ' || requests || ' ' ||"
			 " attempts || ' ' || input_tokens || ' ' || cached_tokens || ' ' ||"
			 " output_tokens || ' ' || reasoning_tokens, ', ')"
			 " FROM (SELECT * FROM usage WHERE batch = ?1 ORDER BY model, hour)", id);
}

static void uses(void)
{
	int64_t id = rows_batch(&r, 2, 8, 0);
	struct tally_usage answer = { .queue = rows_queue(id, 1), .attempts = 1, .input_tokens = 10,
				      .cached_tokens = 4, .output_tokens = 3, .reasoning_tokens = 2 };
	struct tally_usage elsewhere = { .queue = rows_queue(id, 1), .bucket = 9, .attempts = 1 };

	ROWS_DO(r.raw, "INSERT INTO buckets (id, origin, key_ref, model) VALUES (9, 'o', 'none', 2)");
	r.now = 7200000 - 1;
	rows_begin(&r);
	tally_use(&r.t, batch_of(id), &answer);
	tally_use(&r.t, batch_of(id), &answer);
	CHECK_INT(batch_of(id)->input_tokens, 20, "what is used adds to the batch's line");
	rows_commit(&r);
	CHECK_STR(usage(id), "1@1: 0 2 20 8 6 4", "and to a row of its model and hour");
	r.now++;
	rows_begin(&r);
	tally_use(&r.t, batch_of(id), &answer);
	tally_use(&r.t, batch_of(id), &elsewhere);
	rows_commit(&r);
	CHECK_STR(usage(id), "1@1: 0 2 20 8 6 4, 1@2: 0 1 10 4 3 2, 2@2: 0 1 0 0 0 0",
		  "the next hour has another row, and so has the model of a bucket");
	CHECK_INT(column("SELECT input_tokens * 1000 + attempts FROM batches WHERE id = ?1", id), 30004,
		  "the batch has all of it");
	move(id, REQUEST_PENDING, REQUEST_PROCESSING, false);
	CHECK_STR(usage(id), "1@1: 0 2 20 8 6 4, 1@2: 0 1 10 4 3 2, 2@2: 0 1 0 0 0 0",
		  "a move that ends nothing is no usage");
	move(id, REQUEST_PROCESSING, REQUEST_COMPLETED, false);
	move(id, REQUEST_PENDING, REQUEST_FAILED, false);
	move(id, REQUEST_PENDING, REQUEST_CANCELLED, false);
	CHECK_STR(usage(id), "1@1: 0 2 20 8 6 4, 1@2: 2 1 10 4 3 2, 2@2: 0 1 0 0 0 0",
		  "completed and failed requests are counted, others are not");
	rows_begin(&r);
	tally_use(&r.t, batch_of(id), &answer);
	tx_end(&r.tx);
	rows_begin(&r);
	rows_commit(&r);
	CHECK_STR(usage(id), "1@1: 0 2 20 8 6 4, 1@2: 2 1 10 4 3 2, 2@2: 0 1 0 0 0 0",
		  "what was rolled back was not used");
}

/* The status, and the stamps finalizing, completed, expired, cancelled. */
static const char *ended(int64_t id)
{
	return ROWS_TEXT(r.raw, "SELECT status || ' ' || coalesce(finalizing_ms, '-') || ' ' ||"
			 " coalesce(completed_ms, '-') || ' ' || coalesce(expired_ms, '-') || ' ' ||"
			 " coalesce(cancelled_ms, '-') FROM batches WHERE id = ?1", id);
}

static void expiries(void)
{
	int64_t id = rows_batch(&r, 1, 2, 0), other = rows_batch(&r, 1, 2, 0);

	rows_begin(&r);
	CHECK(!tally_past(batch_of(id), INT64_MAX), "a batch without a window never expires");
	rows_commit(&r);
	ROWS_DO(r.raw, "UPDATE batches SET expires_ms = 100, recalled = 1 WHERE id = ?1", id);
	rows_begin(&r);
	struct tally_batch *b = batch_of(id);
	CHECK(b->expires_ms == 100 && b->recalled && !b->racing, "its expiry is loaded");
	CHECK(!tally_past(b, 99) && tally_past(b, 100), "it is past from that moment on");
	rows_commit(&r);
	r.now = 9000;
	move(id, REQUEST_PENDING, REQUEST_EXPIRED, false);
	CHECK_STR(ended(id), "1 - - - -", "while a request is left, the batch is in progress");
	move(id, REQUEST_PENDING, REQUEST_COMPLETED, false);
	CHECK_STR(ended(id), "4 9000 - 9000 -", "with the last it has expired, if a request has");
	CHECK_INT(column("SELECT recalled FROM batches WHERE id = ?1", id), 0,
		  "and nothing of it is recalled");
	ROWS_DO(r.raw, "UPDATE batches SET status = 5, expires_ms = 100 WHERE id = ?1", other);
	move(other, REQUEST_PENDING, REQUEST_EXPIRED, false);
	move(other, REQUEST_PENDING, REQUEST_CANCELLED, false);
	CHECK_STR(ended(other), "6 9000 - - 9000", "one that was cancelled before is cancelled");
	id = rows_batch(&r, 1, 1, 0);
	ROWS_DO(r.raw, "UPDATE batches SET expires_ms = 100 WHERE id = ?1", id);
	move(id, REQUEST_PENDING, REQUEST_FAILED, false);
	CHECK_STR(ended(id), "2 9000 9000 - -", "one of which nothing has expired is completed");
}

static void wrong(void)
{
	struct err e = ERR_INIT;
	int64_t id = rows_batch(&r, 1, 1, 0);

	rows_begin(&r);
	tally_move(&r.t, batch_of(id), rows_queue(id, 1), REQUEST_PENDING, REQUEST_PROCESSING, true);
	CHECK(tally_flush(&r.t, 1, &e) == -1 && e.code == ERR_INTERNAL,
	      "counters that would go below 0 are ERR_INTERNAL");
	tx_end(&r.tx);
	CHECK_STR(counters(id), "1 0 0 0 0 0 0", "and nothing is written");
	tally_release(&r.t);
	tally_release(&r.t);
	CHECK(r.t.batches == NULL && r.t.n_queues == 0, "a released tally is empty");
}

int main(void)
{
	rows_open(&r, "db");
	loading();
	moves();
	many();
	endings();
	uses();
	expiries();
	wrong();
	rows_close(&r);
	return unit_done();
}
