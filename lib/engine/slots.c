#include "engine/slots.h"

static int64_t less(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static int64_t more(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

/* Its counts are those of the windows of now. */
static struct limiter_slots *at(const struct slots *s, struct limiter_bucket *b)
{
	struct limiter_slots *m = &b->slots;

	if (m->window != s->window) {
		m->before = m->window == s->window - 1 ? m->turns : 0;
		m->turns = 0;
		m->window = s->window;
	}
	return m;
}

void slots_turn(struct slots *s, struct limiter_bucket *b)
{
	at(s, b)->turns++;
	s->turns++;
}

void slots_begin(struct slots *s, int64_t jobs, int64_t ahead, int64_t busy, int64_t now_ms)
{
	s->round++;
	s->n = 0;
	s->jobs = jobs;
	s->ahead = more(ahead, 0);
	s->busy = busy;
	if (now_ms - s->begun_ms < SLOTS_WINDOW_MS)
		return;
	s->before = now_ms - s->begun_ms < 2 * SLOTS_WINDOW_MS ? s->turns : 0;
	s->window += s->before ? 1 : 2;
	s->turns = 0;
	s->begun_ms = now_ms;
}

/* What is kept for a sharer: its equal part, if it wants so much. */
static int64_t kept(const struct slots_sharer *p, int64_t each)
{
	return less(each, p->bucket->mine + p->bucket->room);
}

static int64_t has(const struct slots_sharer *p)
{
	return p->bucket->mine + p->given;
}

/* And what of that it has not. */
static int64_t owed(const struct slots_sharer *p, int64_t each)
{
	return more(kept(p, each) - has(p), 0);
}

static int64_t ahead_of(const struct slots *s, const struct slots_sharer *p)
{
	const struct limiter_slots *m = at(s, p->bucket);

	return s->ahead * (m->turns + m->before + 1) / (s->turns + s->before + s->n);
}

static void divide(struct slots *s)
{
	int64_t each = more(s->jobs / (2 * s->n), 1), all_kept = 0, all_owed = 0;
	int64_t free = s->jobs + s->ahead - s->busy;

	for (int i = 0; i < s->n; i++) {
		struct slots_sharer *p = &s->v[i];
		p->given += p->part - p->bucket->slots.part;
		free -= p->given;
		all_kept += kept(p, each);
		all_owed += owed(p, each);
	}
	for (int i = 0; i < s->n; i++) {
		struct slots_sharer *p = &s->v[i];
		int64_t mine = owed(p, each), room = p->bucket->room - p->given;
		int64_t bound = s->jobs - (all_kept - kept(p, each)) + ahead_of(s, p);
		int64_t most = less(bound - has(p), free - (all_owed - mine));
		/* One alone has all. */
		p->part = s->n > 1 ? less(more(most, mine), room) : room;
		p->bucket->slots.part = p->part;
	}
}

int64_t *slots_room(struct slots *s, struct limiter_bucket *b)
{
	struct limiter_slots *m = at(s, b);

	if (m->round == s->round) /* several queues have the same bucket */
		return &m->part;
	m->round = s->round;
	m->part = b->room;
	if (s->n == SLOTS_SHARERS || b->room <= 0)
		return &m->part;
	s->v[s->n++] = (struct slots_sharer){ .bucket = b, .part = m->part };
	divide(s);
	return &m->part;
}
