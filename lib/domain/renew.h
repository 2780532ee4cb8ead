/* renew: requests of a batch, once more in a batch of their own
 * (`fsl-batch retry --new`); the batch they come from stays as it is. */
#ifndef FSL_DOMAIN_RENEW_H
#define FSL_DOMAIN_RENEW_H

#include <stdint.h>
#include "base/err.h"
#include "domain/batch.h"
#include "domain/select.h"

/* Makes a batch that is sent as `b` is, of the lines of the chosen requests;
 * they are a file of their own, which goes with its last batch.  Chosen are, if
 * `f` does not say it, those that failed, were cancelled or expired, and with
 * custom ids those that were completed as well; completed ones are never chosen
 * without their custom ids (ERR_USAGE).  Its completion window is window_ms
 * long, or as long as that of `b` if that is 0.
 * Returns how many requests; 0: none is chosen, and nothing is made.  ERR_STATE
 * if the lines are gone. */
int64_t renew_batch(struct db *db, const struct batch *b, const struct select *f,
		    int64_t window_ms, struct batch *out, struct err *e) MUST_CHECK;

/* How many that would be. */
int64_t renew_count(struct db *db, const struct batch *b, const struct select *f,
		    struct err *e) MUST_CHECK;

#endif
