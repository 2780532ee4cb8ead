/* slots: how the slots of a worker are divided between the buckets that have
 * something to start, so that a slow model does not slow another.  Pure.
 *
 * Half of the slots is kept for those that have less than an equal part of that
 * half; the other half is for whoever comes first in the order of claims.  So of
 * two models the slow one has at most three quarters of the slots, and an only
 * one has all of them.  What is started ahead of the slots is divided by how many
 * of each end: what would wait there for a slow model's slot takes another's.
 *
 *     slots_turn() for what has ended
 *     slots_begin() with each round of claims ... slots_room() for each bucket
 *     that has something to start, best before any of them is given some */
#ifndef FSL_ENGINE_SLOTS_H
#define FSL_ENGINE_SLOTS_H

#include <stdint.h>
#include "engine/limiter.h"

enum {
	SLOTS_SHARERS = 64,    /* what is beyond is not divided */
	SLOTS_WINDOW_MS = 250, /* ends are counted in this one and the one before */
};

struct slots {
	struct slots_sharer {
		struct limiter_bucket *bucket;
		int64_t given, part; /* in this round; and as it was divided last */
	} v[SLOTS_SHARERS];
	int n;
	int64_t jobs, ahead, busy, round;
	int64_t window, begun_ms, turns, before; /* turns: ends in the window */
};

/* One has ended. */
void slots_turn(struct slots *s, struct limiter_bucket *b);

/* A round begins: so many slots, so many may be started ahead of them, and so
 * many of both are busy.  Buckets have counted down their room by what was
 * started.  now_ms is monotonic. */
void slots_begin(struct slots *s, int64_t jobs, int64_t ahead, int64_t busy, int64_t now_ms);

/* &b->slots.part: how much of b->room this worker may use, to be counted down by
 * what is given.  Those that were asked for before may have less from then on. */
int64_t *slots_room(struct slots *s, struct limiter_bucket *b);

#endif
