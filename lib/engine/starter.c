#include "engine/starter.h"

#include "domain/escalate.h"
#include "domain/file.h"
#include "domain/race.h"

enum { CHUNK = 512, RACES = 64 };

/* The rule by which requests of this bucket go to another model now. */
static bool is_escalated(const struct book *b, const struct target *t,
			 const struct limiter_bucket *bucket, struct escalate *rule)
{
	return t->send.escalate && t->expires_ms &&
	       escalate_find(t->send.escalate, bucket->row.model, rule) &&
	       b->scene.now_ms >= t->expires_ms - rule->before_ms;
}

/* The bucket that a request of this queue counts against. */
static struct limiter_bucket *bucket_of(struct book *b, const struct target *t, int64_t queue,
					bool *escalated, struct err *e)
{
	struct limiter_bucket *bucket = limiter_of_queue(b->scene.limiter, queue, e);
	struct escalate rule;

	*escalated = bucket && is_escalated(b, t, bucket, &rule);
	return *escalated ? limiter_of_model(b->scene.limiter, bucket, rule.other, e) : bucket;
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

static int64_t *room(void *ctx, int64_t batch, int64_t queue, struct err *e)
{
	struct book *b = ctx;
	struct known_batch *k = book_meet(b, batch, e);
	bool escalated;
	struct limiter_bucket *bucket = k ? bucket_of(b, k->target, queue, &escalated, e) : NULL;

	if (!bucket || limiter_room(b->scene.limiter, bucket, e) < 0)
		return NULL;
	struct target *t = k->target;
	if (t->problem.code != ERR_NONE)
		return leave(b, t);
	b->urgent |= t->send.at_most_once == 1;
	if (budget_estimate(&b->budget, bucket->row.model, 0, 0) < 0)
		return &b->none; /* a model without a price came while we ran */
	int64_t may = health_room(b->scene.health, batch, bucket->row.id, bucket->origin, b->scene.mono_ms);
	if (may == 0)
		return &b->none;
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
	job_push(fresh, j);
	k->started = true;
	b->state.started++;
	return 1;
}

static struct job *new_job(struct book *b, const char *model)
{
	struct job *j = b->spare.n > 0 ? job_pop(&b->spare) : job_new();

	j->model = model;
	return j;
}

/* Starts one request; 0 if it was not to be had. */
static int start_one(struct book *b, const struct claim_row *row, struct job_list *fresh,
		     struct err *e)
{
	bool escalated;
	struct known_batch *k = book_meet(b, request_batch(row->row), e);
	struct limiter_bucket *bucket = k ? bucket_of(b, k->target, row->queue, &escalated, e)
					  : NULL;

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

/* Races for what this worker has in flight of the batch at this bucket. */
static int race_bucket(struct book *b, struct known_batch *k, struct limiter_bucket *bucket,
		       int *left, struct job_list *fresh, struct err *e)
{
	struct race_row rows[RACES];
	struct escalate rule;

	if (bucket->mine <= 0 || *left <= 0 || !is_escalated(b, k->target, bucket, &rule) ||
	    b->scene.now_ms >= k->target->expires_ms)
		return 0;
	struct limiter_bucket *other = limiter_of_model(b->scene.limiter, bucket, rule.other, e);
	if (!other || limiter_room(b->scene.limiter, other, e) < 0)
		return -1;
	int64_t most = other->room < *left ? other->room : *left;
	int n = most <= 0 ? 0 : race_find(b->scene.db, b->scene.worker, bucket->row.id,
					  k->target->batch, rows,
					  most < RACES ? (int)most : RACES, e);
	for (int i = 0, rc; i < n; i++, *left -= rc, other->room -= rc)
		if ((rc = start_race(b, k, other, rows[i].row, fresh, e)) < 0)
			return -1;
	return n < 0 ? -1 : 0;
}

/* As many as there are slots may race beside what is in them. */
static int race_all(struct book *b, struct job_list *fresh, struct err *e)
{
	int left = -1;

	for (int i = 0; i < b->known.n; i++) {
		struct known_batch *k = b->known.v[i];
		struct limiter_bucket *bucket;
		if (!k->target->send.escalate || !k->target->expires_ms)
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
	int64_t next = -1;

	for (int i = 0; i < b->known.n; i++) {
		const struct target *t = b->known.v[i]->target;
		const char *rules = t->send.escalate && t->expires_ms ? t->send.escalate : "";
		for (struct escalate r; escalate_next(&rules, &r);) {
			int64_t at = t->expires_ms - r.before_ms;
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

int starter_start(struct book *b, int wanted, struct job_list *fresh, struct err *e)
{
	struct claim_row rows[CHUNK];
	int left = book_may_start(b, wanted);

	if (flush_moves(b, e) < 0)
		return -1;
	b->budget.poor = false;
	b->none = 0;
	b->one = 1;
	claim_limit(b->claim, room, b);
	while (left > 0 && b->hungry) {
		int want = left < CHUNK ? left : CHUNK, busy = flying(b);
		slots_begin(&b->slots, b->o.jobs, left + busy - b->o.jobs, busy,
			    b->scene.mono_ms);
		int n = claim_next(b->claim, b->scene.db, b->scene.now_ms, rows, want, e);
		if (n < 0)
			return -1;
		for (int i = 0, rc; i < n && !b->budget.poor; i++, left -= rc)
			if ((rc = start_one(b, &rows[i], fresh, e)) < 0)
				return -1;
		b->hungry = n == want && !b->budget.poor;
		b->starved = !b->hungry;
	}
	if (!b->hungry)
		b->looked_ms = b->scene.mono_ms;
	if (race_all(b, fresh, e) < 0)
		return -1;
	b->state.poor = b->budget.poor;
	return 0;
}

