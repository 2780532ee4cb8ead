/* pace: how fast it goes and how long it may take, from numbers that grow.
 *
 * The rate is that since the first numbers that were given: what was done
 * before them (a resumed batch) does not count.  Up to 10^10 in a year. */
#ifndef FSL_CLI_PACE_H
#define FSL_CLI_PACE_H

#include <stdbool.h>
#include <stdint.h>
#include "cli/progress.h"

struct pace {
	bool begun;
	int64_t first_done, first_ms;
};

/* Shows it on `bar` if that is due: *s with its rate and time left. */
void pace_show(struct pace *p, struct progress *bar, struct progress_state *s);

/* Fills rate_milli and eta_ms from `done` and `total` of *s; -1 each while they
 * are unknown: total is 0, half a second has not passed, or nothing was done.
 * `now_ms` is monotonic. */
void pace_measure(struct pace *p, struct progress_state *s, int64_t now_ms);

#endif
