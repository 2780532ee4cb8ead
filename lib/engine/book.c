#include "engine/book.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/intmap.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/num.h"
#include "domain/claim.h"
#include "domain/ending.h"
#include "domain/produce.h"
#include "domain/worker.h"

enum { SPARE_MAX = 1024, SPARE_BYTES = 16 << 20, EXPIRE_CHUNK = 10000 };

struct book *book_new(struct db *db, int64_t worker, const struct ledger_options *o)
{
	struct book *b = mem_alloc(sizeof *b);

	b->scene.db = db;
	b->scene.worker = worker;
	b->o = *o;
	known_init(&b->known, o->defaults, o->trace);
	b->claim = claim_new(o->batches, o->n_batches, o->user);
	claim_datasets(b->claim, o->datasets, o->n_datasets);
	b->scene.limiter = limiter_new(worker, o->limits, !o->no_adaptive, o->jobs);
	b->scene.health = health_new(&o->health);
	b->budget = (struct budget){ .prices = o->prices, .max = o->prices ? o->max_cost : -1 };
	b->hungry = true;
	b->race_ms = -1;
	job_list_init(&b->spare);
	return b;
}

void book_free(struct book *b)
{
	struct job *j;

	if (!b)
		return;
	while ((j = job_pop(&b->spare)))
		job_free(j);
	known_release(&b->known);
	free(b->words.v);
	tally_release(&b->tally);
	claim_free(b->claim);
	limiter_free(b->scene.limiter);
	health_free(b->scene.health);
	free(b);
}

struct known_batch *book_meet(struct book *b, int64_t batch, struct err *e)
{
	bool fresh;
	int64_t completed = 0;
	struct known_batch *k = known_get(&b->known, b->scene.db, batch, &fresh, &completed, e);

	if (k && fresh && completed > 0)
		health_trust(b->scene.health, batch);
	return k;
}

bool book_is_full(const struct book *b)
{
	return b->o.max_buffer > 0 && b->held >= b->o.max_buffer / 2;
}

/* Jobs that are over are used again: their buffers have the right size. */
static void keep(struct book *b, struct job *j)
{
	job_reset(j);
	int64_t kept = job_kept(j);
	if (b->spare.n >= SPARE_MAX || b->spares + kept > SPARE_BYTES) {
		job_free(j);
		return;
	}
	b->spares += kept;
	job_push(&b->spare, j);
}

struct job *book_job(struct book *b)
{
	struct job *j = job_pop(&b->spare);

	if (!j)
		return job_new();
	b->spares -= job_kept(j);
	return j;
}

int64_t book_drop(struct book *b, struct job_list *list)
{
	int64_t bytes = 0;
	struct job *j;

	while ((j = job_pop(list))) {
		b->held -= j->asked;
		bytes += j->bytes;
		keep(b, j);
	}
	/* Who waited for memory may have some now. */
	if (b->full && !book_is_full(b)) {
		b->full = false;
		b->hungry = true;
	}
	return bytes;
}

int book_begin(struct book *b, int64_t now_ms, struct err *e)
{
	b->scene.now_ms = now_ms;
	b->scene.mono_ms = clock_mono_ms();
	b->before = b->state;
	b->words.n = 0;
	b->again = false;
	tally_begin(&b->tally, b->scene.db);
	budget_begin(&b->budget);
	return limiter_begin(b->scene.limiter, b->scene.db, now_ms, e);
}

static void pending_again(struct book *b)
{
	claim_forget(b->claim);
	b->hungry = b->again = true;
}

/* The health of server, model and batch may change what the answer means:
 * once per job, also if its transaction is tried again. */
static void review(struct book *b, struct job *j, const struct limiter_bucket *bucket)
{
	bool ok = j->decision.verdict == VERDICT_COMPLETED;

	if (j->reviewed)
		return;
	j->reviewed = true;
	const struct health_facts f = {
		.batch = j->target->batch, .bucket = bucket->row.id, .origin = bucket->origin,
		.code = job_code(j), .status = job_status(j), .success = ok,
		.final = j->decision.verdict == VERDICT_FAILED && !j->race,
		.tries = j->req.counted + 1, .spent = j->decision.exhausted && !j->race,
		.stale = j->call.stale,
		.key = j->keyed, .quota = j->quota, .message = str_z(&j->message),
	};
	if (health_review(b->scene.health, &f, b->scene.mono_ms) && !j->decision.interrupted) {
		j->decision = (struct retry_decision){ .verdict = VERDICT_RETRY };
		j->next_ms = 0;
	}
}

static int count_limits(struct book *b, const struct job *j, struct limiter_bucket *bucket,
			struct err *e)
{
	bool ok = j->decision.verdict == VERDICT_COMPLETED;
	const struct limiter_end end = {
		.status = job_status(j), .success = ok, .quota = j->quota,
		.started_ms = j->started_ms, .hold_ms = j->call.hold_ms,
		.hold_why = j->call.hold_why, .guessed = j->tokens,
		.used = ok && j->usage.input + j->usage.output > 0
				? j->usage.input + j->usage.output : -1,
	};

	return limiter_end(b->scene.limiter, bucket, &end, e);
}

/* It would fail because its window ends before the next attempt; but
 * `fsl-batch retry` may have given the batch a longer one meanwhile. */
static int renew(struct book *b, struct job *j, struct err *e)
{
	struct retry_decision again = j->decision;

	if (!again.no_time)
		return 0;
	const struct tally_batch *row = tally_batch(&b->tally, j->target->batch, e);
	if (!row)
		return -1;
	again.verdict = VERDICT_RETRY;
	again.no_time = false;
	retry_deadline(&again, row->expires_ms, j->target->send.stop_before_ms, b->scene.now_ms);
	if (row->expires_ms != j->req.expires_ms && again.verdict == VERDICT_RETRY) {
		j->decision = again;
		j->next_ms = b->scene.now_ms + again.delay_ms;
	}
	return 0;
}

static int settle_one(struct book *b, struct job *j, struct err *e)
{
	struct limiter_bucket *bucket = limiter_find(b->scene.limiter, j->req.bucket);
	struct ledger_state *s = &b->state;

	if (!bucket)
		BUG("a job of a bucket that nobody has met");
	if (renew(b, j, e) < 0)
		return -1;
	review(b, j, bucket);
	if (count_limits(b, j, bucket, e) < 0)
		return -1;
	slots_turn(&b->slots, bucket);
	budget_end(&b->budget, j->cost, bucket->row.model, &j->usage);
	struct request_end end = job_end(j, b->scene.worker);
	int rc = request_settle(&b->tally, &end, b->scene.now_ms, e);
	if (rc < 0)
		return -1;
	if (rc == 3)
		desk_say(&b->words, DESK_CUT_ROW, j->req.row, -1); /* its race is over */
	if (rc == 2 || (rc == 0 && j->call.code == HTTP_SUPERSEDED))
		return 0; /* the other attempt decides, or has decided */
	if (rc == 0) {
		s->lost++;
		log_info("%s attempt %lld came too late and was dropped (lost_ownership)",
			 str_z(&j->url), (long long)j->req.n);
	} else if (end.verdict == VERDICT_COMPLETED) {
		s->completed++;
		s->input_tokens += end.input_tokens;
		s->cached_tokens += end.cached_tokens;
		s->output_tokens += end.output_tokens;
		s->reasoning_tokens += end.reasoning_tokens;
	} else if (end.verdict == VERDICT_FAILED) {
		s->failures++;
		if (!j->counted)
			known_failed(&b->known, j->target->batch);
		j->counted = true; /* its transaction may be tried again */
	} else {
		pending_again(b);
	}
	return 0;
}

static int put_back(struct book *b, const struct job *j, struct err *e)
{
	struct limiter_bucket *bucket = limiter_find(b->scene.limiter, j->req.bucket);

	if (request_release(&b->tally, b->scene.worker, &j->req, b->scene.now_ms, e) < 0)
		return -1;
	pending_again(b);
	b->state.started--;
	budget_end(&b->budget, j->cost, NULL, NULL);
	health_unsent(b->scene.health, j->target->batch, bucket->row.id, bucket->origin);
	return limiter_unsent(b->scene.limiter, bucket, j->tokens, e);
}

int book_settle(struct book *b, const struct job_list *ended, const struct job_list *unsent,
		struct err *e)
{
	for (struct job *j = ended->first; j; j = j->next)
		if (settle_one(b, j, e) < 0)
			return -1;
	for (const struct job *j = unsent->first; j; j = j->next)
		if (put_back(b, j, e) < 0)
			return -1;
	/* Whoever waits for a slot may have one now; and when to look again is known
	 * only of what is asked for in this transaction. */
	b->hungry |= b->starved;
	return 0;
}

/* For requests of dead workers, whose batch need not be ours to send. */
static int64_t attempt_limit(void *ctx, int64_t worker, int64_t batch)
{
	struct book *b = ctx;

	return worker_attempts(b->scene.db, worker, batch, &b->known.defaults);
}

int book_rescue(struct book *b, struct err *e)
{
	char text[NUM_BUF];
	int n = worker_rescue(&b->tally, attempt_limit, b, b->scene.now_ms, e);

	if (n > 0) {
		log_info("%s of dead workers %s pending again", num_of(n, "request", text),
			 n == 1 ? "is" : "are");
		pending_again(b);
	}
	return n;
}

int book_recall(struct book *b, const struct recall *r, struct err *e)
{
	uint32_t after = 0;

	if (r->overdue && recall_overdue(&b->tally, b->scene.worker, b->scene.now_ms, e) < 0)
		return -1;
	if (r->expire && ending_some(&b->tally, r->expire, &after, EXPIRE_CHUNK, b->scene.now_ms,
				     e) < 0)
		return -1;
	claim_forget(b->claim);
	return 0;
}

int book_may_start(const struct book *b, int room)
{
	int64_t left = b->o.max_requests > 0 ? b->o.max_requests - b->state.started : INT32_MAX;

	return left < room ? (left > 0 ? (int)left : 0) : room;
}

int book_end(struct book *b, struct err *e)
{
	const struct ledger_state *now = &b->state, *then = &b->before;
	/* A bucket of a server that is held is told of when it is met. */
	int64_t known = limiter_at(b->scene.limiter, b->n_buckets) ? -1 : b->blocks;

	if (tally_flush(&b->tally, b->scene.now_ms, e) < 0 || limiter_flush(b->scene.limiter, e) < 0 ||
	    blocks_write(&b->scene, known, e) < 0)
		return -1;
	if (now->completed + now->failures == then->completed + then->failures)
		return 0;
	return worker_count(b->scene.db, b->scene.worker, now->completed - then->completed,
			    now->failures - then->failures, e);
}

void book_commit(struct book *b, struct desk_words *words)
{
	int64_t version = health_version(b->scene.health);

	for (int i = 0; i < b->words.n; i++)
		desk_say(words, b->words.v[i].what, b->words.v[i].id, b->words.v[i].n);
	limiter_commit(b->scene.limiter);
	budget_commit(&b->budget);
	if (limiter_news(b->scene.limiter))
		desk_say(words, DESK_RECHECK, 0, 0);
	if (version != b->blocks) {
		blocks_tell(&b->scene, b->blocks);
		blocks_reason(&b->scene, &b->state);
		/* What lies ready may belong to it. */
		desk_say(words, DESK_RECHECK, 0, 0);
	}
	b->blocks = version;
	while (limiter_at(b->scene.limiter, b->n_buckets))
		b->n_buckets++;
}

void book_rollback(struct book *b, struct job_list *fresh)
{
	struct err problem = b->state.error;
	bool missing = b->state.key_missing;

	for (const struct job *j = fresh->first; j; j = j->next) {
		const struct limiter_bucket *bucket = limiter_find(b->scene.limiter, j->req.bucket);
		health_unsent(b->scene.health, j->target->batch, bucket->row.id, bucket->origin);
	}
	book_drop(b, fresh);
	/* A batch that is left alone stays so, and is not met again. */
	b->state = b->before;
	b->state.key_missing = missing;
	b->state.error = problem;
	b->hungry = true;
	claim_forget(b->claim);
}

void book_limits(struct book *b, const struct limits *limits)
{
	limiter_change(b->scene.limiter, limits);
	b->hungry = true;
}

void book_hungry(struct book *b)
{
	b->hungry |= !b->state.poor && !b->full;
}

bool book_is_hungry(const struct book *b)
{
	return b->hungry && book_may_start(b, 1) > 0;
}

int64_t book_next(const struct book *b, int64_t now_ms)
{
	int64_t due = claim_due(b->claim), next = limiter_next(b->scene.limiter);
	int64_t probe = health_next(b->scene.health, b->looked_ms);
	int64_t all[] = { due > 0 ? due : -1, next,
			  probe < 0 ? -1 : now_ms + (probe - clock_mono_ms()) };
	int64_t least = -1;

	if (book_may_start(b, 1) <= 0 || b->state.poor || b->full)
		return -1;
	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		if (all[i] > 0 && (least < 0 || all[i] < least))
			least = all[i];
	return least;
}

int book_capacity(const struct book *b, int ahead)
{
	return b->o.jobs + (b->urgent ? 0 : ahead);
}

static bool given_up(void *ctx, int64_t batch, int64_t queue)
{
	struct book *b = ctx;
	struct err ignored = ERR_INIT;
	struct health_block why;
	const struct known_batch *k = book_meet(b, batch, &ignored);
	const struct limiter_bucket *bucket = k ? limiter_met(b->scene.limiter, queue) : NULL;

	if (bucket && budget_estimate(&b->budget, bucket->row.model, 0, 0) < 0)
		return true;
	if (!bucket || !health_given_up(b->scene.health, batch, bucket->row.id, bucket->origin,
					clock_mono_ms(), &why))
		return false;
	blocks_blame(&b->scene, &why, &b->state);
	return true;
}

int book_open(struct book *b, struct err *e)
{
	b->state.block = NULL;
	int n = claim_open(b->claim, b->scene.db, given_up, b, e);

	if (n != 0)
		blocks_reason(&b->scene, &b->state);
	return n;
}

struct total {
	struct db *db;
	struct intmap seen;
	int64_t requests, excused;
};

static void total_release(struct total *t)
{
	intmap_release(&t->seen);
}

static int add_total(void *ctx, int64_t batch, struct err *e)
{
	struct total *t = ctx;
	struct batch row CLEANUP(batch_release) = BATCH_INIT;
	int64_t seen;

	if (intmap_get(&t->seen, batch, &seen))
		return 0;
	intmap_set(&t->seen, batch, 1);
	if (batch_get(t->db, batch, &row, e) < 0)
		return e->code == ERR_NOTFOUND ? 0 : -1;
	t->requests += row.total;
	return 0;
}

/* As in the exit status: what a product may fail is the plan's to say. */
static int add_excused(struct total *t, const struct known_batch *b, struct err *e)
{
	int64_t bad, may;
	int rc = b->failures > 0 ? produce_may_fail(t->db, b->target->batch, &bad, &may, e) : 0;

	if (rc > 0 && bad <= may)
		t->excused += b->failures;
	return rc;
}

/* What products send was not there when the run began, nor what others make
 * while it goes on: a share is one of what there is when it is asked for. */
int book_too_many(struct book *b, struct err *e)
{
	struct total t CLEANUP(total_release) = { .db = b->scene.db, .seen = INTMAP_INIT };
	int64_t allowed;

	if (!b->o.max_failed || b->state.failures == 0 || b->state.failures < b->fail_stop)
		return 0;
	for (int i = 0; i < b->known.n; i++)
		if (add_total(&t, b->known.v[i]->target->batch, e) < 0 ||
		    add_excused(&t, b->known.v[i], e) < 0)
			return -1;
	if (claim_each(b->claim, t.db, add_total, &t, e) < 0 ||
	    num_portion(b->o.max_failed, t.requests, &allowed, e) < 0)
		return -1;
	/* One more of a product's failures may be too many for it: then all count. */
	b->fail_stop = t.excused > 0 ? b->state.failures + 1 : allowed + 1;
	return b->state.failures - t.excused > allowed;
}

int book_count(struct book *b, struct err *e)
{
	return known_count(&b->known, b->scene.db, &b->state, e);
}

int64_t *book_batches(const struct book *b, int *n)
{
	return known_started(&b->known, n);
}

struct ledger_state *book_state(struct book *b)
{
	return &b->state;
}
