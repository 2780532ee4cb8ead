#include "engine/limiter.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/intmap.h"
#include "base/mem.h"
#include "domain/peer.h"
#include "engine/rate.h"
#include "engine/retry.h"

enum {
	PEERS_MS = 250,      /* how often the others' limits are read */
	ASK_AGAIN_MS = 1000, /* while others wait for the same slots */
	SHARES_MAX = 1024,   /* as many workers as there may be */
	TOKENS_MAX = 2000000, /* that one request takes */
};

struct limiter {
	int64_t worker;
	struct limits own;
	bool adaptive, announced;
	bool news;           /* others have set a hold */
	int jobs;
	struct db *db;
	int64_t now_ms, now_us;
	struct peers peers;
	int64_t peers_at;    /* monotonic; 0: not yet */
	struct limiter_bucket **buckets;
	int n_buckets, n_durable;       /* the first ones are committed */
	struct intmap by_row, by_queue; /* index into buckets */
	char **origins;
	int n_origins;
};

struct limiter *limiter_new(int64_t worker, const struct limits *own, bool adaptive, int jobs)
{
	struct limiter *l = mem_alloc(sizeof *l);

	l->worker = worker;
	l->adaptive = adaptive;
	l->jobs = jobs;
	limiter_change(l, own);
	return l;
}

static void drop_bucket(struct limiter_bucket *b)
{
	bucket_release(&b->row);
	free(b);
}

void limiter_free(struct limiter *l)
{
	if (!l)
		return;
	for (int i = 0; i < l->n_buckets; i++)
		drop_bucket(l->buckets[i]);
	for (int i = 0; i < l->n_origins; i++)
		free(l->origins[i]);
	free(l->buckets);
	free(l->origins);
	intmap_release(&l->by_row);
	intmap_release(&l->by_queue);
	limits_release(&l->own);
	peer_release(&l->peers);
	free(l);
}

static void find_limit(const struct limiter *l, struct limiter_bucket *b)
{
	b->limit = limits_of(&l->own, b->row.model);
	for (int i = 0; i < l->peers.n; i++) {
		struct limit theirs = limits_of(&l->peers.v[i], b->row.model);
		limits_least(&b->limit, &theirs);
	}
}

void limiter_change(struct limiter *l, const struct limits *own)
{
	struct str text CLEANUP(str_release) = STR_INIT;

	limits_release(&l->own);
	if (own) {
		limits_write(own, &text);
		limits_read(&l->own, str_span(&text));
	}
	l->announced = false;
	l->peers_at = 0;
}

static int read_peers(struct limiter *l, struct err *e)
{
	int64_t now = clock_mono_ms();

	if (l->peers_at && now - l->peers_at < PEERS_MS)
		return 0;
	if (peer_read(l->db, l->worker, &l->peers, e) < 0)
		return -1;
	for (int i = 0; i < l->n_buckets; i++)
		find_limit(l, l->buckets[i]);
	l->peers_at = now;
	return 0;
}

/* Buckets that were met in a transaction that was rolled back: their rows, and
 * what queues were told of them, never were. */
static void forget(struct limiter *l)
{
	if (l->n_buckets == l->n_durable)
		return;
	while (l->n_buckets > l->n_durable)
		drop_bucket(l->buckets[--l->n_buckets]);
	intmap_release(&l->by_row);
	intmap_release(&l->by_queue);
	for (int i = 0; i < l->n_buckets; i++)
		intmap_set(&l->by_row, l->buckets[i]->row.id, i);
}

int limiter_begin(struct limiter *l, struct db *db, int64_t now_ms, struct err *e)
{
	forget(l);
	l->db = db;
	l->now_ms = now_ms;
	l->now_us = now_ms * 1000 + clock_mono_us() % 1000;
	for (int i = 0; i < l->n_buckets; i++) {
		struct limiter_bucket *b = l->buckets[i];
		b->mine = b->kept_mine;
		b->count = b->kept;
		b->read = b->asked = b->dirty = b->limited = b->served = false;
	}
	if (!l->announced && peer_announce(db, l->worker, &l->own, e) < 0)
		return -1;
	return read_peers(l, e);
}

static int origin_of(struct limiter *l, const char *origin)
{
	for (int i = 0; i < l->n_origins; i++)
		if (strcmp(l->origins[i], origin) == 0)
			return i;
	l->origins = mem_resize(l->origins, (size_t)l->n_origins + 1, sizeof *l->origins);
	l->origins[l->n_origins] = mem_strdup(origin);
	return l->n_origins++;
}

struct limiter_bucket *limiter_find(struct limiter *l, int64_t bucket)
{
	int64_t at;

	return intmap_get(&l->by_row, bucket, &at) ? l->buckets[at] : NULL;
}

struct limiter_bucket *limiter_met(struct limiter *l, int64_t queue)
{
	int64_t at;

	return intmap_get(&l->by_queue, queue, &at) ? l->buckets[at] : NULL;
}

struct limiter_bucket *limiter_at(struct limiter *l, int i)
{
	return i < l->n_buckets ? l->buckets[i] : NULL;
}

const char *limiter_origin(const struct limiter *l, int origin)
{
	return l->origins[origin];
}

static struct limiter_bucket *meet(struct limiter *l, int64_t row, struct err *e)
{
	struct limiter_bucket *b = limiter_find(l, row);

	if (b || row < 0)
		return b;
	b = mem_alloc(sizeof *b);
	b->row = (struct bucket)BUCKET_INIT;
	if (bucket_get(l->db, row, &b->row, e) < 0) {
		drop_bucket(b);
		return NULL;
	}
	b->origin = origin_of(l, b->row.origin);
	find_limit(l, b);
	l->buckets = mem_resize(l->buckets, (size_t)l->n_buckets + 1, sizeof(void *));
	l->buckets[l->n_buckets] = b;
	intmap_set(&l->by_row, row, l->n_buckets++);
	return b;
}

struct limiter_bucket *limiter_of_queue(struct limiter *l, int64_t queue, struct err *e)
{
	int64_t at;

	if (intmap_get(&l->by_queue, queue, &at))
		return l->buckets[at];
	int64_t row = bucket_of_queue(l->db, queue, e);
	struct limiter_bucket *b = row < 0 ? NULL : meet(l, row, e);
	if (b && intmap_get(&l->by_row, row, &at))
		intmap_set(&l->by_queue, queue, at);
	return b;
}

struct limiter_bucket *limiter_of_model(struct limiter *l, const struct limiter_bucket *b,
					const char *model, struct err *e)
{
	int64_t row = bucket_for_model(l->db, &b->row, model, e);

	return row < 0 ? NULL : meet(l, row, e);
}

static int64_t less(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/* What was written under another limit, or by a clock that was set wrong, must
 * not hold anything up for days.  What is cut is written: as it was found it
 * would stay as far away. */
static void cut(struct limiter *l, struct limiter_bucket *b)
{
	int64_t hold = less(b->row.hold_ms, l->now_ms + RETRY_AFTER_MAX_MS);
	int64_t rate = b->limit.rate.n ? rate_cut(b->row.rate_us, &b->limit.rate, 1, l->now_us)
				       : b->row.rate_us;
	int64_t tokens = b->limit.tokens.n ? rate_cut(b->row.tokens_us, &b->limit.tokens,
						      TOKENS_MAX, l->now_us)
					   : b->row.tokens_us;

	b->dirty |= hold != b->row.hold_ms || rate != b->row.rate_us || tokens != b->row.tokens_us;
	b->row.hold_ms = hold;
	b->row.rate_us = rate;
	b->row.tokens_us = tokens;
	if (b->row.halved_ms > l->now_ms)
		b->row.halved_ms = 0;
}

/* The row as it is now; once per transaction. */
static int look(struct limiter *l, struct limiter_bucket *b, struct err *e)
{
	if (b->read)
		return 0;
	int64_t held = b->row.hold_ms;
	if (bucket_reread(l->db, &b->row, e) < 0)
		return -1;
	l->news |= b->row.hold_ms > held && b->row.hold_ms > l->now_ms;
	cut(l, b);
	b->read = true;
	return 0;
}

/* Room by number in flight; also what the others have. */
static int room_in_flight(struct limiter *l, struct limiter_bucket *b, int64_t jobs,
			  int64_t *room, struct err *e)
{
	static _Thread_local struct bucket_share shares[SHARES_MAX + 1];
	int n = bucket_shares(l->db, b->row.id, shares, SHARES_MAX, e), me = -1;

	if (n < 0)
		return -1;
	b->others = 0;
	for (int i = 0; i < n; i++) {
		if (shares[i].worker == l->worker)
			me = i;
		else
			b->others += shares[i].in_flight;
	}
	if (me < 0)
		me = n++;
	/* The store learns of this transaction's changes at its end. */
	shares[me] = (struct bucket_share){ l->worker, b->mine, b->count.wants_ms, b->count.served_ms };
	*room = jobs ? rate_share(jobs, shares, n, l->worker, l->now_ms) : INT32_MAX;
	return 0;
}

static void room_by_rate(struct limiter *l, struct limiter_bucket *b, int64_t at_us,
			 const struct limit_rate *r, int64_t each)
{
	if (!r->n)
		return;
	int64_t n = rate_room(at_us, r, l->now_us);
	/* Of tokens one start takes many; whoever takes too many waits longer. */
	b->room = less(b->room, n > 0 && n / each == 0 ? 1 : n / each);
}

int limiter_room(struct limiter *l, struct limiter_bucket *b, struct err *e)
{
	if (b->asked)
		return 0;
	if (look(l, b, e) < 0)
		return -1;
	b->asked = true;
	b->room = b->row.hold_ms > l->now_ms ? 0 : INT32_MAX;
	if (b->room == 0)
		return 0;
	int64_t jobs = b->limit.jobs;
	if (b->row.cap && (!jobs || b->row.cap < jobs))
		jobs = b->row.cap;
	b->limited = jobs > 0;
	if (b->limited && room_in_flight(l, b, jobs, &b->room, e) < 0)
		return -1;
	room_by_rate(l, b, b->row.rate_us, &b->limit.rate, 1);
	/* A request has hundreds of tokens: what has been seen tells how many. */
	room_by_rate(l, b, b->row.tokens_us, &b->limit.tokens,
		     b->count.tokens_each > 0 ? b->count.tokens_each : 1000);
	return 0;
}

static void take_tokens(struct limiter *l, struct limiter_bucket *b, int64_t tokens)
{
	if (b->limit.tokens.n && tokens) {
		b->row.tokens_us = rate_after(b->row.tokens_us, &b->limit.tokens, tokens, l->now_us);
		b->dirty = true;
	}
}

void limiter_start(struct limiter *l, struct limiter_bucket *b, int64_t tokens)
{
	b->mine++;
	b->served = true;
	b->count.tokens_each += b->count.tokens_each ? (tokens - b->count.tokens_each) / 8 : tokens;
	if (b->limit.rate.n) {
		b->row.rate_us = rate_after(b->row.rate_us, &b->limit.rate, 1, l->now_us);
		b->dirty = true;
	}
	take_tokens(l, b, tokens);
}

int limiter_unsent(struct limiter *l, struct limiter_bucket *b, int64_t tokens, struct err *e)
{
	b->mine--;
	if (!b->limit.rate.n && !b->limit.tokens.n)
		return 0;
	if (look(l, b, e) < 0)
		return -1;
	if (b->limit.rate.n)
		b->row.rate_us = rate_after(b->row.rate_us, &b->limit.rate, -1, l->now_us);
	take_tokens(l, b, -tokens);
	b->dirty = true;
	return 0;
}

/* The most that may be in flight without a cap. */
static int64_t most_of(const struct limiter *l, const struct limiter_bucket *b)
{
	return b->limit.jobs ? b->limit.jobs : (int64_t)l->jobs * (l->peers.n + 1);
}

/* Half of what was in flight when the server complained, or of the cap. */
static int halve(struct limiter *l, struct limiter_bucket *b, struct err *e)
{
	int64_t ignored;

	if (room_in_flight(l, b, 0, &ignored, e) < 0)
		return -1;
	/* What is started ahead has no slot: the server knows nothing of it. */
	int64_t base = less(b->others + b->mine + 1, most_of(l, b));
	base = b->row.cap ? less(base, b->row.cap) : base;
	b->row.cap = base / 2 > 1 ? base / 2 : 1;
	b->row.halved_ms = l->now_ms;
	b->count.credit = 0;
	b->dirty = true;
	return 0;
}

static void raise(struct limiter *l, struct limiter_bucket *b)
{
	int64_t most = most_of(l, b);

	/* One more after as many successes as there are slots. */
	if (++b->count.credit < b->row.cap)
		return;
	b->count.credit = 0;
	b->row.cap = b->row.cap + 1 >= most ? 0 : b->row.cap + 1;
	b->dirty = true;
}

static void hold(struct limiter *l, struct limiter_bucket *b, const struct limiter_end *end)
{
	int64_t until = l->now_ms + less(end->hold_ms, RETRY_AFTER_MAX_MS);

	if (until <= b->row.hold_ms)
		return;
	b->row.hold_ms = until;
	snprintf(b->row.hold_why, sizeof b->row.hold_why, "%s", end->hold_why ? end->hold_why : "");
	b->dirty = true;
}

int limiter_end(struct limiter *l, struct limiter_bucket *b, const struct limiter_end *end,
		struct err *e)
{
	b->mine--;
	if (look(l, b, e) < 0)
		return -1;
	if (end->used >= 0)
		take_tokens(l, b, end->used - end->guessed);
	if (end->hold_ms > 0)
		hold(l, b, end);
	if (!l->adaptive)
		return 0;
	if ((end->status == 429 || end->status == 529) && !end->quota)
		return end->started_ms > b->row.halved_ms ? halve(l, b, e) : 0;
	if (end->success && b->row.cap)
		raise(l, b);
	return 0;
}

/* Others learn that we wait for a slot, or that we do not any more. */
static int queue_up(struct limiter *l, struct limiter_bucket *b, struct err *e)
{
	int64_t wants = b->room > 0 ? 0 : l->now_ms, ago = l->now_ms - b->count.wants_ms;

	if (wants && ago >= 0 && ago < ASK_AGAIN_MS && !b->served)
		return 0;
	if (!wants && !b->count.wants_ms)
		return 0;
	b->count.wants_ms = wants;
	if (b->served)
		b->count.served_ms = l->now_ms;
	const struct bucket_share s = { l->worker, 0, b->count.wants_ms, b->count.served_ms };
	return bucket_queue_up(l->db, b->row.id, &s, e);
}

int limiter_flush(struct limiter *l, struct err *e)
{
	for (int i = 0; i < l->n_buckets; i++) {
		struct limiter_bucket *b = l->buckets[i];
		if (b->dirty && bucket_write(l->db, &b->row, e) < 0)
			return -1;
		b->dirty = false;
		if (b->asked && b->limited && l->peers.n > 0 && queue_up(l, b, e) < 0)
			return -1;
	}
	return 0;
}

void limiter_commit(struct limiter *l)
{
	l->announced = true;
	l->n_durable = l->n_buckets;
	for (int i = 0; i < l->n_buckets; i++) {
		l->buckets[i]->kept_mine = l->buckets[i]->mine;
		l->buckets[i]->kept = l->buckets[i]->count;
	}
}

static int64_t later(int64_t ms, int64_t at_us, const struct limit_rate *r, int64_t now_us)
{
	int64_t wake = r->n && rate_room(at_us, r, now_us) == 0
			       ? (rate_wake(at_us, r, now_us) + 999) / 1000 : -1;

	return wake > ms ? wake : ms;
}

/* When this bucket, which has no room, may have some. */
static int64_t next_of(const struct limiter *l, const struct limiter_bucket *b)
{
	if (b->row.hold_ms > l->now_ms)
		return b->row.hold_ms;
	int64_t next = later(-1, b->row.rate_us, &b->limit.rate, l->now_us);
	next = later(next, b->row.tokens_us, &b->limit.tokens, l->now_us);
	/* Slots: an end or a commit tells; but who waits may have died. */
	return next < 0 && b->limited && l->peers.n > 0 ? l->now_ms + ASK_AGAIN_MS : next;
}

int64_t limiter_next(const struct limiter *l)
{
	int64_t next = -1;

	for (int i = 0; i < l->n_buckets; i++) {
		const struct limiter_bucket *b = l->buckets[i];
		int64_t at = b->asked && b->room <= 0 ? next_of(l, b) : -1;
		if (at > 0 && (next < 0 || at < next))
			next = at;
	}
	return next;
}

bool limiter_news(struct limiter *l)
{
	bool news = l->news;

	l->news = false;
	return news;
}

int limiter_asked(const struct limiter *l)
{
	int n = 0;

	for (int i = 0; i < l->n_buckets; i++)
		n += l->buckets[i]->asked;
	return n;
}
