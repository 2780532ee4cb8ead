/* oneshot: fsl-run -i: import, create or resume, and writing the results.
 *
 * The same input bytes, base URL, endpoint, headers and key reference are the
 * same batch: the same command again goes on with it. */
#ifndef FSL_ENGINE_ONESHOT_H
#define FSL_ENGINE_ONESHOT_H

#include <stdbool.h>
#include "base/err.h"
#include "domain/create.h"
#include "domain/import.h"

struct oneshot {
	const char *input;           /* a path or "-" */
	const char *output, *errors; /* NULL: not asked for */
	bool fresh;         /* --new: everything anew */
	bool retry_failed;  /* --retry-failed: what failed, once more */
	/* While the input is read; `clear` before something is said on stderr.
	 * May be NULL. */
	void (*progress)(void *ctx, int64_t lines, int64_t bytes);
	void (*clear)(void *ctx);
	void *ctx;
	/* Found: */
	bool resumed;       /* it was there, with work left */
	bool finished;      /* it was there and is terminal */
	int64_t reopened;   /* by retry_failed */
	const struct batch_new *made; /* it is new, and made so (of `c`); else NULL */
};

/* All that comes before the first request: checks options and outputs, opens
 * the state file (the caller closes *db, also on failure), imports, finds or
 * makes the batch and tells.  Bad lines are told on stderr. */
int oneshot_begin(struct oneshot *o, const struct create_options *co, const char *db_path,
		  enum db_mode mode, struct db **db, struct batch *out,
		  struct err *e) MUST_CHECK;

/* All that comes after the last: writes the outputs, but for "-". */
int oneshot_end(const struct oneshot *o, struct db *db, int64_t batch,
		struct err *e) MUST_CHECK;

/* The steps of these two.  Finds or makes the batch of `im`'s input; `c` is completed with the file. */
int oneshot_batch(struct db *db, struct import *im, struct create *c,
		  struct oneshot *o, struct batch *out, struct err *e) MUST_CHECK;

/* Says on stderr what was found, if a person may want to know: that it is
 * resumed (on a terminal), that it had ended (always), or what a new one takes
 * of earlier answers (submit_tell_reuse()). */
void oneshot_tell(struct db *db, const struct oneshot *o, const struct batch *b);

/* Can the outputs be made, and beside the input?  Asked before anything is sent;
 * leaves nothing behind.  Those of the outputs may be NULL. */
int oneshot_check(const char *input, const char *output, const char *errors,
		  struct err *e) MUST_CHECK;

/* Writes the outputs, each whole or not at all, in input order.  Paths may be
 * NULL.  While work remains, PATH.part gets what is finished and PATH stays
 * as it was; afterwards a PATH.part of an earlier run is removed. */
int oneshot_write(struct db *db, const struct batch *b, const char *output,
		  const char *errors, struct err *e) MUST_CHECK;

#endif
