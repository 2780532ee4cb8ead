/* advice: what a plan says that fsl-run could not do.
 *
 * A plan is stored all the same: passthrough is any JSON, and what is written
 * there may be for another program.  But a product with a misspelled member
 * would stay queued (domain/passthrough.h), so whoever publishes it is told. */
#ifndef FSL_DOMAIN_ADVICE_H
#define FSL_DOMAIN_ADVICE_H

#include "domain/plan.h"

enum { ADVICE_WARNINGS = 5 /* of them are printed, then how many more there are */ };

/* Warns of each product of compute batch or exec whose passthrough is wrong:
 * "plan.json: data_products[3].passthrough.fiel: is not known: fsl-run leaves
 * it queued".  How many there are; 0 for a plan that has been looked at before. */
int advice_plan(struct plan *p);

#endif
