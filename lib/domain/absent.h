/* absent: what of a dataset is not in the plan that is published: told, or
 * with --prune taken out; and what is in it, but disabled: told.  For
 * domain/publish, inside its transaction. */
#ifndef FSL_DOMAIN_ABSENT_H
#define FSL_DOMAIN_ABSENT_H

#include "domain/cascade.h"
#include "domain/plan.h"
#include "domain/publishrows.h"

struct absent {
	struct cascade *c;
	const struct plan *plan;
	const struct publishrows_node *nodes; /* of the plan; all of them are stored */
	bool prune;          /* disable the products and remove the dependencies */
	struct str *diff;    /* gets their lines; or NULL */
	struct str *notes;   /* gets a line that names the products, but for those that
			      * went; and one with those that are disabled */
};

int absent_treat(struct absent *a, struct err *e) MUST_CHECK;

#endif
