#include "engine/starter.h"

#include "base/log.h"
#include "base/safe.h"
#include "domain/escalate.h"
#include "domain/file.h"
#include "domain/race.h"

enum {
	CHUNK = 512,
	SHOWN = 80,
	RACES = 64,          /* at a time */
	RACE_LOOK_MS = 1000, /* how often who has no room for its race looks for some */
};

/* "" if its requests never go to another model. */
static const char *rules_of(const struct known_batch *k)
{
	return k->target->send.escalate && k->expires_ms ? k->target->send.escalate : "";
}

/* The rule by which requests of this bucket go to another model now. */
static bool is_escalated(const struct book *b, const struct known_batch *k,
			 const struct limiter_bucket *bucket, struct escalate *rule)
{
	return escalate_find(rules_of(k), bucket->row.model, rule) &&
	       b->scene.now_ms >= k->expires_ms - rule->before_ms;
}

/* How many of the batch may start there, as far as servers' health goes. */
static int64_t health_of(const struct book *b, const struct known_batch *k,
			 const struct limiter_bucket *bucket)
{
	return health_room(b->scene.health, k->target->batch, bucket->row.id, bucket->origin,
			   b->scene.mono_ms);
}

static bool has_price(const struct book *b, const struct limiter_bucket *bucket)
{
	return budget_estimate(&b->budget, bucket->row.model, 0, 0) >= 0;
}

/* The bucket that a request of this queue counts against.  A model that is left
 * alone, or has no price, is no way out. */
static struct limiter_bucket *bucket_of(struct book *b, const struct known_batch *k,
					int64_t queue, bool *escalated, struct err *e)
{
	struct limiter_bucket *bucket = limiter_of_queue(b->scene.limiter, queue, e);
	struct escalate rule;

	*escalated = false;
	if (!bucket || !is_escalated(b, k, bucket, &rule))
		return bucket;
	struct limiter_bucket *other = limiter_of_model(b->scene.limiter, bucket, rule.other, e);
	*escalated = other && has_price(b, other) && health_of(b, k, other) > 0;
	return *escalated || !other ? other : bucket;
}

/* It cannot be sent: there is no key. */
static int64_t *leave(struct book *b, const struct target *t)
{
	health_leave(b->scene.health, t->batch, BLOCKS_NO_KEY, t->problem.msg, b->scene.mono_ms);
	if (!b->state.key_missing)
		b->state.error = t->problem;
	b->state.key_missing = true;
	return &b->none;
}

/* The batch as it is now: `fsl-batch retry` may have given it another window. */
static struct known_batch *meet(struct book *b, int64_t batch, struct err *e)
{
	struct known_batch *k = book_meet(b, batch, e);

	if (!k || !k->target->send.escalate)
		return k;
	const struct tally_batch *row = tally_batch(&b->tally, batch, e);
	if (row)
		k->expires_ms = row->expires_ms;
	return row ? k : NULL;
}

/* A model without a price (--max-cost) came while we ran. */
static int64_t *no_price(struct book *b, const struct limiter_bucket *bucket)
{
	if (!b->unpriced)
		log_warn("%s has no price in --prices: its requests stay pending",
			 safe_show(span_of(bucket->row.model), SHOWN));
	b->unpriced = true;
	return &b->none;
}

static int64_t *room(void *ctx, int64_t batch, int64_t queue, struct err *e)
{
	struct book *b = ctx;
	struct known_batch *k = meet(b, batch, e);
	bool escalated;
	struct limiter_bucket *bucket = k ? bucket_of(b, k, queue, &escalated, e) : NULL;

	if (!bucket || limiter_room(b->scene.limiter, bucket, e) < 0)
		return NULL;
	struct target *t = k->target;
	if (t->problem.code != ERR_NONE)
		return leave(b, t);
	b->urgent |= t->send.at_most_once == 1;
	int64_t may = health_of(b, k, bucket);
	if (may == 0)
		return &b->none;
	if (!has_price(b, bucket))
		return no_price(b, bucket);
	if (may > 1 || bucket->room <= 0)
		return slots_room(&b->slots, bucket);
	b->one = b->one > 0 ? 1 : 0; /* one for all that are held */
	return &b->one;
}

/* There is no money for it now. */
static int refuse(struct book *b, struct job *j, struct err *e)
{
	int rc = request_release(&b->tally, b->scene.worker, &j->req, b->scene.now_ms, e);

	job_free(j);
	claim_forget(b->claim);
	b->again = true;
	return rc < 0 ? -1 : 0;
}

/* It was started in the file: 1 when it goes out, 0 when there is no money. */
static int send_out(struct book *b, struct known_batch *k, struct limiter_bucket *bucket,
		    struct job *j, struct job_list *fresh, struct err *e)
{
	struct target *t = k->target;

	/* A line that is gone is an empty one, which cannot be prepared. */
	if (file_line(b->scene.db, t->file, request_line(j->req.row), &j->raw, e) < 0) {
		job_free(j);
		return -1;
	}
	j->target = t;
	j->started_ms = b->scene.now_ms;
	/* A line that cannot be prepared ends without having been sent; the
	 * network thread sees it by the code and judges it at once. */
	job_prepare(j);
	j->cost = budget_estimate(&b->budget, bucket->row.model, (int64_t)j->call.body.n,
				  j->line.max_tokens);
	if (!budget_take(&b->budget, j->cost))
		return refuse(b, j, e);
	limiter_start(b->scene.limiter, bucket, j->tokens);
	health_started(b->scene.health, t->batch, bucket->row.id, bucket->origin);
	b->each = j->asked = j->bytes = job_bytes(j);
	b->held += b->each;
	job_push(fresh, j);
	k->started = true;
	b->state.started++;
	return 1;
}

static struct job *new_job(struct book *b, const char *model)
{
	struct job *j = book_job(b);

	j->model = model;
	return j;
}

/* Starts one request; 0 if it was not to be had. */
static int start_one(struct book *b, const struct claim_row *row, struct job_list *fresh,
		     struct err *e)
{
	bool escalated;
	struct known_batch *k = book_meet(b, request_batch(row->row), e);
	struct limiter_bucket *bucket = k ? bucket_of(b, k, row->queue, &escalated, e) : NULL;

	if (!bucket)
		return -1;
	struct job *j = new_job(b, escalated ? bucket->row.model : NULL);
	int rc = request_start(&b->tally, b->scene.worker, bucket->row.id, row->row, b->scene.now_ms,
			       &j->req, e);
	if (rc <= 0) {
		job_free(j);
		return rc;
	}
	rc = send_out(b, k, bucket, j, fresh, e);
	bucket->room -= rc > 0;
	return rc;
}

/* A second attempt, at the other model, of what has not been answered by the
 * first; the first answer wins. */
static int start_race(struct book *b, struct known_batch *k, struct limiter_bucket *other,
		      int64_t row, struct job_list *fresh, struct err *e)
{
	struct job *j = new_job(b, other->row.model);
	j->race = true;
	int rc = race_start(&b->tally, b->scene.worker, other->row.id, row, b->scene.now_ms,
			    &j->req, e);

	if (rc <= 0) {
		job_free(j);
		return rc;
	}
	return send_out(b, k, other, j, fresh, e);
}

/* Who waits for its race has to be looked for again at next_ms, or, for want of
 * room, after a while: others may give it back, or time. */
static void look_later(struct book *b, int64_t next_ms)
{
	if (next_ms >= 0 && next_ms <= b->scene.now_ms)
		next_ms = b->scene.now_ms + RACE_LOOK_MS;
	if (next_ms >= 0 && (b->race_ms < 0 || next_ms < b->race_ms))
		b->race_ms = next_ms;
}

static int64_t least(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/* Races for what this worker has in flight of the batch at this bucket. */
static int race_bucket(struct book *b, struct known_batch *k, struct limiter_bucket *bucket,
		       int *left, struct job_list *fresh, struct err *e)
{
	const struct race_search s = {
		.worker = b->scene.worker, .bucket = bucket->row.id, .batch = k->target->batch,
		.now_ms = b->scene.now_ms, .retries = k->target->send.retries,
	};
	int64_t rows[RACES], next;
	struct escalate rule;

	if (bucket->mine <= 0 || *left <= 0 || !is_escalated(b, k, bucket, &rule) ||
	    b->scene.now_ms >= k->expires_ms)
		return 0;
	struct limiter_bucket *other = limiter_of_model(b->scene.limiter, bucket, rule.other, e);
	if (!other || limiter_room(b->scene.limiter, other, e) < 0)
		return -1;
	if (!has_price(b, other) || health_given_up(b->scene.health, s.batch, other->row.id,
						    other->origin, b->scene.mono_ms, NULL))
		return 0;
	int64_t may = health_of(b, k, other), *one = may == 1 ? &b->one : &may;
	int64_t most = least(least(*left, RACES), least(other->room, *one));
	int n = race_find(b->scene.db, &s, rows, most > 0 ? (int)most : 0, &next, e);
	int i = 0, rc;
	b->budget.poor = false;
	for (; i < n && !b->budget.poor && !book_is_full(b);
	     i++, *left -= rc, other->room -= rc, *one -= rc)
		if ((rc = start_race(b, k, other, rows[i], fresh, e)) < 0)
			return -1;
	look_later(b, b->budget.poor || i < n ? b->scene.now_ms : next);
	return n < 0 ? -1 : 0;
}

/* As many as there are slots may race beside what is in them.  With
 * --at-most-once nothing is sent twice. */
static int race_all(struct book *b, struct job_list *fresh, struct err *e)
{
	int left = -1;

	b->race_ms = -1;
	for (int i = 0; i < b->known.n; i++) {
		struct known_batch *k = b->known.v[i];
		struct limiter_bucket *bucket;
		if (!*rules_of(k) || k->target->send.at_most_once == 1)
			continue;
		int racing = left < 0 ? race_count(b->scene.db, b->scene.worker, e) : 0;
		if (racing < 0)
			return -1;
		if (left < 0)
			left = book_may_start(b, b->o.jobs - racing);
		for (int m = 0; (bucket = limiter_at(b->scene.limiter, m)); m++)
			if (race_bucket(b, k, bucket, &left, fresh, e) < 0)
				return -1;
	}
	return 0;
}

int64_t starter_next(const struct book *b, int64_t now_ms)
{
	int64_t next = b->race_ms;

	for (int i = 0; i < b->known.n; i++) {
		const struct known_batch *k = b->known.v[i];
		const char *rules = rules_of(k);
		for (struct escalate r; escalate_next(&rules, &r);) {
			int64_t at = k->expires_ms - r.before_ms;
			if (at > now_ms && (next < 0 || at < next))
				next = at;
		}
	}
	return next;
}

/* Claims go by the counters, which have to know of what came back. */
static int flush_moves(struct book *b, struct err *e)
{
	if (!b->again)
		return 0;
	if (tally_flush(&b->tally, b->scene.now_ms, e) < 0)
		return -1;
	tally_begin(&b->tally, b->scene.db);
	return 0;
}

/* What this worker has in flight. */
static int flying(const struct book *b)
{
	const struct limiter_bucket *bucket;
	int64_t n = 0;

	for (int i = 0; (bucket = limiter_at(b->scene.limiter, i)); i++)
		n += bucket->mine;
	return (int)n;
}

/* About how many have room in memory, by the size of the last one: what is claimed
 * and not started disturbs the turns. */
static int fit(const struct book *b, int want)
{
	int64_t left = b->o.max_buffer / 2 - b->held;
	int64_t n = b->o.max_buffer > 0 && b->each > 0 ? left / b->each + 1 : want;

	return n < want ? (int)n : want;
}

/* All that is pending, may start and finds room. */
static int start_pending(struct book *b, int left, struct job_list *fresh, struct err *e)
{
	struct claim_row rows[CHUNK];

	if (left <= 0 || !b->hungry)
		return 0;
	b->budget.poor = false;
	b->full = book_is_full(b);
	b->starved |= b->full;
	b->hungry &= !b->full;
	while (left > 0 && b->hungry) {
		int want = fit(b, left < CHUNK ? left : CHUNK), busy = flying(b);
		slots_begin(&b->slots, b->o.jobs, left + busy - b->o.jobs, busy,
			    b->scene.mono_ms);
		bool was_urgent = b->urgent;
		int n = claim_next(b->claim, b->scene.db, b->scene.now_ms, rows, want, e);
		if (n < 0)
			return -1;
		/* The first of a batch with --at-most-once: as many as slots are free. */
		if (b->urgent && !was_urgent && left > b->o.jobs - busy) {
			left = b->o.jobs - busy;
			claim_forget(b->claim); /* some of the rows may be left */
			n = n < left ? n : left > 0 ? left : 0;
		}
		for (int i = 0, rc; i < n && !b->budget.poor && !book_is_full(b); i++, left -= rc)
			if ((rc = start_one(b, &rows[i], fresh, e)) < 0)
				return -1;
		b->full = book_is_full(b);
		if (b->full) /* some of the rows may be left */
			claim_forget(b->claim);
		b->hungry = n == want && !b->budget.poor && !b->full;
		b->starved = !b->hungry;
	}
	if (!b->hungry && !b->full)
		b->looked_ms = b->scene.mono_ms;
	b->state.poor = b->budget.poor;
	return 0;
}

int starter_start(struct book *b, int wanted, struct job_list *fresh, struct err *e)
{
	if (flush_moves(b, e) < 0)
		return -1;
	b->none = 0;
	b->one = 1;
	claim_limit(b->claim, room, b);
	if (start_pending(b, book_may_start(b, wanted), fresh, e) < 0)
		return -1;
	return race_all(b, fresh, e);
}

