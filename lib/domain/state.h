/* state: the states of a data product, and what a state means to others.
 *
 *     waiting --trigger--> queued --> running --> success | failed
 *     any --cleared, or something above it has moved--> waiting
 *     any --disable--> disabled --enable--> waiting */
#ifndef FSL_DOMAIN_STATE_H
#define FSL_DOMAIN_STATE_H

#include <stdbool.h>
#include "base/span.h"

enum state {
	STATE_WAITING, STATE_QUEUED, STATE_RUNNING, STATE_SUCCESS, STATE_FAILED,
	STATE_DISABLED,
	STATES,          /* how many there are */
	STATE_NONE = -1, /* it is not there */
};

/* "waiting"; STATE_NONE: NULL. */
const char *state_text(enum state s);
/* STATE_NONE if there is no such state. */
enum state state_of(struct span text);

/* Does it hold back its children?  Success does not, and disabled products
 * are not in the graph. */
bool state_blocks(enum state s);
/* Queued, running, success or failed: it has begun, or was told to. */
bool state_active(enum state s);
/* May somebody report it? */
bool state_reportable(enum state s);

/* What a product may be computed by: "batch", "cams", "dbxaas", "exec" as a
 * static text; NULL if there is none of that name. */
const char *state_compute(struct span text);

/* Is it run by a platform elsewhere, which reports it ("cams", "dbxaas")?  What
 * workers may do is to tell that platform (fsl-run --compute). */
bool state_remote(const char *compute);

#endif
