/* plansum: what has become of the plans of a run, added up. */
#ifndef FSL_ENGINE_PLANSUM_H
#define FSL_ENGINE_PLANSUM_H

#include <stdint.h>
#include "base/err.h"
#include "base/str.h"
#include "domain/compute.h"
#include "engine/step.h"

/* Of named datasets all products count, else those that this run has reported. */
struct plansum {
	int64_t success, failed;
	int64_t ended;           /* that this run has reported or handed over */
	int64_t handed;          /* remote ones that this run has handed over */
	int64_t queued;          /* left in the datasets that it worked on, see produce_left() */
	int64_t spared;          /* failed requests in the batches of products that have not failed,
				  * and in those of runs that somebody has ended (clear, disable) */
	struct str names;        /* "papers/judge, papers/load": the first that have failed */
	int n_names;
	char *dataset;           /* of the first of them, else one that was named and has failed
				  * ones of before; or NULL */
	char *waits;             /* the first dataset in which something is queued, or NULL */
	int64_t *batches;        /* whose failures are spared */
	int n_batches;
	int64_t *touched;        /* datasets that it worked on */
	int n_touched;
};

#define PLANSUM_INIT { .names = STR_INIT }
void plansum_release(struct plansum *s);

/* It works on this dataset (row). */
void plansum_touch(struct plansum *s, int64_t dataset);

/* This step is over. */
void plansum_end(struct plansum *s, const struct step *step);

/* At the end, when nothing is in flight: what is spared, and what is left in the `n` datasets (rows) that were named; NULL: in
 * those that were touched.  As produce_left() says. */
int plansum_left(struct plansum *s, struct db *db, const int64_t *datasets, int n,
		 const struct compute *c, int64_t worker, struct err *e) MUST_CHECK;

#endif
