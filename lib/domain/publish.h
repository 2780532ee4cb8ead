/* publish: a plan becomes a dataset, or what has changed in it does.
 *
 * One transaction; everything is checked before anything is stored, in
 * Fletcher's order: duplicate product, duplicate dependency, unknown parent,
 * unknown child, cycle; against the plan and the stored products that are not
 * disabled.  The identical plan once more changes nothing. */
#ifndef FSL_DOMAIN_PUBLISH_H
#define FSL_DOMAIN_PUBLISH_H

#include <stdbool.h>
#include <stdint.h>
#include "base/err.h"
#include "domain/cascade.h"
#include "domain/plan.h"

struct publish {
	struct db *db;        /* NULL: nothing is stored yet, check only */
	const char *by;       /* who, for the rows */
	bool dry_run;         /* do all of it and take it back */
	bool prune;           /* what is stored and not in the plan goes: products are
			       * disabled, dependencies removed */
	bool paused;          /* a new dataset begins paused */
	bool clear_changed;   /* products that would do something else now are cleared */
	bool wants_diff;      /* collect the lines of `diff` */
	/* what became of it: */
	struct dataset ds;
	struct cascade c;     /* c.moved */
	struct str diff;      /* "+ judge\n~ summarize: version changed\n" */
	struct str notes;     /* a line each: what it did not do, and how to */
};

#define PUBLISH_INIT { .db = NULL }
void publish_release(struct publish *p); /* what became of it; usable again */

/* The plan is resolved here.  ERR_INPUT: it is not a plan; ERR_STATE: the name
 * is taken by another dataset. */
int publish_plan(struct publish *p, struct plan *plan, struct err *e) MUST_CHECK;

#endif
