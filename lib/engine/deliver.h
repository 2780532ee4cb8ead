/* deliver: `fsl-batch results`: which lines go where, and the exit status. */
#ifndef FSL_ENGINE_DELIVER_H
#define FSL_ENGINE_DELIVER_H

#include <stdbool.h>
#include "base/err.h"
#include "domain/batch.h"
#include "store/db.h"

enum deliver_order { DELIVER_INPUT, DELIVER_COMPLETION, DELIVER_AUTO };

struct deliver {
	const char *output;     /* successes; "-" is standard output */
	const char *errors;     /* error lines, or NULL */
	bool failed;            /* error lines in place of successes */
	bool all;               /* both */
	int order;              /* DELIVER_AUTO: of the input, once all are terminal */
	bool with_input;
	bool follow;            /* until the batch is terminal, as they come */
	const char *after;      /* only what comes behind this request id, or NULL */
	const char *max_failed; /* "10" or "2.5%": error lines that are fine, or NULL */
};

#define DELIVER_INIT { .output = "-", .order = DELIVER_AUTO }

/* Writes the results of n batches, merged if they are several (domain/result.h).
 * Files are whole or not there; lines on a pipe come whole, in one write(2)
 * up to 64 KiB.  Returns the exit status:
 *   0  all is well
 *   3  there are error lines, and nothing says that they are expected (errors,
 *      failed, all, max_failed)
 *   4  a batch is not terminal
 * ERR_USAGE for options that contradict each other. */
int deliver_batches(struct db *db, const struct batch *list, int n,
		    const struct deliver *d, struct err *e) MUST_CHECK;

#endif
