#include "domain/tally.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

enum { HOUR_MS = 3600 * 1000 };

enum { Q_LOAD, Q_ADD, Q_END, Q_QUEUE, Q_SHARE, Q_USE };
static const char *const texts[] = {
	[Q_LOAD] = "SELECT status, answers, expires_ms, recalled, EXISTS (SELECT 1 FROM races"
		   " WHERE request > ?1 << 32 AND request < (?1 + 1) << 32)"
		   " FROM batches WHERE id = ?1",
	[Q_ADD] = "UPDATE batches SET pending = pending + ?2, processing = processing + ?3,"
		  " completed = completed + ?4, failed = failed + ?5, cancelled = cancelled + ?6,"
		  " expired = expired + ?7, retrying = retrying + ?8, answers = ?9,"
		  " attempts = attempts + ?10, input_tokens = input_tokens + ?11,"
		  " cached_tokens = cached_tokens + ?12, output_tokens = output_tokens + ?13,"
		  " reasoning_tokens = reasoning_tokens + ?14, recalled = ?15"
		  " WHERE id = ?1 RETURNING pending + processing, expired",
	[Q_END] = "UPDATE batches SET status = ?2, finalizing_ms = ?3, recalled = 0,"
		  " completed_ms = iif(?2 = 2, ?3, completed_ms),"
		  " expired_ms = iif(?2 = 4, ?3, expired_ms),"
		  " cancelled_ms = iif(?2 = 6, ?3, cancelled_ms) WHERE id = ?1",
	[Q_QUEUE] = "UPDATE queues SET pending = pending + ?2, retrying = retrying + ?3"
		    " WHERE id = ?1",
	[Q_SHARE] = "INSERT INTO shares (bucket, worker, in_flight) VALUES (?1, ?2, ?3)"
		    " ON CONFLICT DO UPDATE SET in_flight = in_flight + ?3",
	[Q_USE] = "INSERT INTO usage (batch, model, hour, requests, attempts, input_tokens,"
		  " cached_tokens, output_tokens, reasoning_tokens)"
		  " SELECT batch, coalesce((SELECT model FROM buckets WHERE id = ?2), model),"
		  " ?3, ?4, ?5, ?6, ?7, ?8, ?9 FROM queues WHERE id = ?1"
		  " ON CONFLICT DO UPDATE SET requests = requests + ?4, attempts = attempts + ?5,"
		  " input_tokens = input_tokens + ?6, cached_tokens = cached_tokens + ?7,"
		  " output_tokens = output_tokens + ?8, reasoning_tokens = reasoning_tokens + ?9",
};
const struct stmt_set tally_sql = { "tally", texts, ARRAY_LEN(texts) };

void tally_begin(struct tally *t, struct db *db)
{
	t->db = db;
	t->n_batches = t->n_queues = t->n_shares = t->n_usages = 0;
}

void tally_release(struct tally *t)
{
	free(t->batches);
	free(t->queues);
	free(t->shares);
	free(t->usages);
	memset(t, 0, sizeof *t);
}

struct tally_batch *tally_batch(struct tally *t, int64_t batch, struct err *e)
{
	/* From the end: rows come in runs of the same batch. */
	for (int i = t->n_batches; i-- > 0;)
		if (t->batches[i].id == batch)
			return &t->batches[i];

	STMT(q, t->db, &tally_sql, Q_LOAD);
	stmt_int(&q, 1, batch);
	int rc = stmt_step(&q, e);
	if (rc == 0)
		err_set(e, ERR_INTERNAL, "batch row %lld is gone", (long long)batch);
	if (rc <= 0)
		return NULL;
	if (t->n_batches == t->cap_batches) {
		t->cap_batches = t->cap_batches ? t->cap_batches * 2 : 8;
		t->batches = mem_resize(t->batches, (size_t)t->cap_batches, sizeof *t->batches);
	}
	struct tally_batch *b = &t->batches[t->n_batches++];
	*b = (struct tally_batch){ .id = batch, .status = (enum batch_status)stmt_col_int(&q, 0),
				   .answers = stmt_col_int(&q, 1),
				   .expires_ms = stmt_col_int(&q, 2),
				   .recalled = stmt_col_int(&q, 3) != 0,
				   .racing = stmt_col_int(&q, 4) != 0 };
	return b;
}

bool tally_past(const struct tally_batch *b, int64_t now_ms)
{
	return b->expires_ms > 0 && b->expires_ms <= now_ms;
}

static struct tally_queue *queue_of(struct tally *t, int64_t queue)
{
	for (int i = t->n_queues; i-- > 0;)
		if (t->queues[i].id == queue)
			return &t->queues[i];
	if (t->n_queues == t->cap_queues) {
		t->cap_queues = t->cap_queues ? t->cap_queues * 2 : 8;
		t->queues = mem_resize(t->queues, (size_t)t->cap_queues, sizeof *t->queues);
	}
	struct tally_queue *q = &t->queues[t->n_queues++];
	*q = (struct tally_queue){ .id = queue };
	return q;
}

static struct tally_usage *usage_of(struct tally *t, int64_t queue, int64_t bucket)
{
	for (int i = t->n_usages; i-- > 0;)
		if (t->usages[i].queue == queue && t->usages[i].bucket == bucket)
			return &t->usages[i];
	if (t->n_usages == t->cap_usages) {
		t->cap_usages = t->cap_usages ? t->cap_usages * 2 : 8;
		t->usages = mem_resize(t->usages, (size_t)t->cap_usages, sizeof *t->usages);
	}
	struct tally_usage *u = &t->usages[t->n_usages++];
	*u = (struct tally_usage){ .queue = queue, .bucket = bucket };
	return u;
}

void tally_use(struct tally *t, struct tally_batch *b, const struct tally_usage *u)
{
	struct tally_usage *sum = usage_of(t, u->queue, u->bucket);

	sum->requests += u->requests;
	sum->attempts += u->attempts;
	sum->input_tokens += u->input_tokens;
	sum->cached_tokens += u->cached_tokens;
	sum->output_tokens += u->output_tokens;
	sum->reasoning_tokens += u->reasoning_tokens;
	b->attempts += u->attempts;
	b->input_tokens += u->input_tokens;
	b->cached_tokens += u->cached_tokens;
	b->output_tokens += u->output_tokens;
	b->reasoning_tokens += u->reasoning_tokens;
	b->touched = true;
}

void tally_move(struct tally *t, struct tally_batch *b, int64_t queue,
		enum request_state from, enum request_state to, bool retrying)
{
	b->delta[from]--;
	b->delta[to]++;
	b->touched = true;
	if (to == REQUEST_COMPLETED || to == REQUEST_FAILED)
		usage_of(t, queue, 0)->requests++;
	if (from != REQUEST_PENDING && to != REQUEST_PENDING)
		return;
	int64_t sign = to == REQUEST_PENDING ? 1 : -1;
	struct tally_queue *q = queue_of(t, queue);
	q->pending += sign;
	if (retrying) {
		b->retrying += sign;
		q->retrying += sign;
	}
}

void tally_fly(struct tally *t, int64_t bucket, int64_t worker, int64_t change)
{
	for (int i = t->n_shares; i-- > 0;)
		if (t->shares[i].bucket == bucket && t->shares[i].worker == worker) {
			t->shares[i].in_flight += change;
			return;
		}
	if (t->n_shares == t->cap_shares) {
		t->cap_shares = t->cap_shares ? t->cap_shares * 2 : 8;
		t->shares = mem_resize(t->shares, (size_t)t->cap_shares, sizeof *t->shares);
	}
	t->shares[t->n_shares++] = (struct tally_share){ bucket, worker, change };
}

void tally_fly_gone(struct tally *t, int64_t worker)
{
	for (int i = 0; i < t->n_shares; i++)
		if (t->shares[i].worker == worker)
			t->shares[i].in_flight = 0;
}

static int end_batch(struct tally *t, struct tally_batch *b, bool expired, int64_t now_ms,
		     struct err *e)
{
	STMT(q, t->db, &tally_sql, Q_END);
	stmt_int(&q, 1, b->id);
	b->status = b->status == BATCH_CANCELLING ? BATCH_CANCELLED
		    : expired ? BATCH_EXPIRED : BATCH_COMPLETED;
	stmt_int(&q, 2, b->status);
	stmt_int(&q, 3, now_ms);
	b->ended = true;
	return stmt_run(&q, e) < 0 ? -1 : 0;
}

static int flush_batch(struct tally *t, struct tally_batch *b, int64_t now_ms, struct err *e)
{
	STMT(q, t->db, &tally_sql, Q_ADD);
	stmt_int(&q, 1, b->id);
	for (int s = 0; s < REQUEST_STATES; s++)
		stmt_int(&q, 2 + s, b->delta[s]);
	stmt_int(&q, 8, b->retrying);
	stmt_int(&q, 9, b->answers);
	stmt_int(&q, 10, b->attempts);
	stmt_int(&q, 11, b->input_tokens);
	stmt_int(&q, 12, b->cached_tokens);
	stmt_int(&q, 13, b->output_tokens);
	stmt_int(&q, 14, b->reasoning_tokens);
	stmt_int(&q, 15, b->recalled);
	int rc = stmt_step(&q, e);
	if (rc == 0)
		err_set(e, ERR_INTERNAL, "batch row %lld is gone", (long long)b->id);
	if (rc <= 0)
		return -1;
	int64_t left = stmt_col_int(&q, 0), expired = stmt_col_int(&q, 1);
	if (left == 0 && !batch_terminal(b->status))
		return end_batch(t, b, expired > 0, now_ms, e);
	return 0;
}

static int flush_usage(struct tally *t, const struct tally_usage *u, int64_t now_ms,
		       struct err *e)
{
	STMT(q, t->db, &tally_sql, Q_USE);
	stmt_int(&q, 1, u->queue);
	stmt_int(&q, 2, u->bucket);
	stmt_int(&q, 3, now_ms / HOUR_MS);
	stmt_int(&q, 4, u->requests);
	stmt_int(&q, 5, u->attempts);
	stmt_int(&q, 6, u->input_tokens);
	stmt_int(&q, 7, u->cached_tokens);
	stmt_int(&q, 8, u->output_tokens);
	stmt_int(&q, 9, u->reasoning_tokens);
	return stmt_run(&q, e) < 0 ? -1 : 0;
}

int tally_flush(struct tally *t, int64_t now_ms, struct err *e)
{
	for (int i = 0; i < t->n_batches; i++)
		if (t->batches[i].touched && flush_batch(t, &t->batches[i], now_ms, e) < 0)
			return -1;
	for (int i = 0; i < t->n_queues; i++) {
		struct tally_queue *u = &t->queues[i];
		if (u->pending == 0 && u->retrying == 0)
			continue;
		STMT(q, t->db, &tally_sql, Q_QUEUE);
		stmt_int(&q, 1, u->id);
		stmt_int(&q, 2, u->pending);
		stmt_int(&q, 3, u->retrying);
		if (stmt_run(&q, e) < 0)
			return -1;
	}
	for (int i = 0; i < t->n_shares; i++) {
		struct tally_share *s = &t->shares[i];
		if (s->in_flight == 0)
			continue;
		STMT(q, t->db, &tally_sql, Q_SHARE);
		stmt_int(&q, 1, s->bucket);
		stmt_int(&q, 2, s->worker);
		stmt_int(&q, 3, s->in_flight);
		if (stmt_run(&q, e) < 0)
			return -1;
	}
	for (int i = 0; i < t->n_usages; i++)
		if (flush_usage(t, &t->usages[i], now_ms, e) < 0)
			return -1;
	return 0;
}
