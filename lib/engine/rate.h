/* rate: the arithmetic of limits.  Pure.
 *
 * A rate is kept as the moment at which the next one is due (the generic cell
 * rate algorithm, ITU-T I.371): each start moves it by interval / n, rounded up
 * to a microsecond.  Who comes late may catch up, but by RATE_SLICE_US at most,
 * so that an idle hour does not end in a burst.  Moments are wall-clock
 * microseconds, because several processes share them across restarts; 0: none
 * was ever started. */
#ifndef FSL_ENGINE_RATE_H
#define FSL_ENGINE_RATE_H

#include <stdint.h>
#include "domain/bucket.h"
#include "domain/limits.h"

enum {
	RATE_SLICE_US = 100000, /* what can be caught up */
	RATE_WAKE_US = 20000,   /* who waits for a fast rate waits for this much of it */
	RATE_WANTS_MS = 3000,   /* a worker that has not asked for so long does not wait */
};

/* A moment as it was found.  One that is further ahead than a start of `most`
 * brings it was written under another limit, or by a clock that was set wrong:
 * it is cut to there, a day and an interval at most.  The caller stores what it
 * gets, or the moment would stay as far away as it is. */
int64_t rate_cut(int64_t at_us, const struct limit_rate *r, int64_t most, int64_t now_us);

/* How many may start now, the next one being due at at_us. */
int64_t rate_room(int64_t at_us, const struct limit_rate *r, int64_t now_us);

/* The moment after n more (n < 0: n were not used after all). */
int64_t rate_after(int64_t at_us, const struct limit_rate *r, int64_t n, int64_t now_us);

/* When to look again, if there is no room now: in microseconds of wall time. */
int64_t rate_wake(int64_t at_us, const struct limit_rate *r, int64_t now_us);

/* How many more the worker `me` may have in flight of a limit of `jobs`, so
 * that no other worker that waits gets less than its part of it: jobs divided
 * by those who want some; if there are fewer jobs than workers, those that
 * were served longest ago come first (who was served in the future, by a clock
 * that was set since, was never served). */
int64_t rate_share(int64_t jobs, const struct bucket_share *shares, int n, int64_t me,
		   int64_t now_ms);

#endif
