/* submit: `fsl-batch create`: an input and options become a batch. */
#ifndef FSL_ENGINE_SUBMIT_H
#define FSL_ENGINE_SUBMIT_H

#include <stdbool.h>
#include <stdint.h>
#include "base/err.h"
#include "domain/create.h"
#include "store/db.h"

struct submit {
	const struct create_options *options;
	const char *operand;    /* FILE-ID, a path or "-" */
	bool dry_run;           /* checks, and says what it would do */
	const char *db_path;
	enum db_mode mode;      /* if a path is imported */
	/* While a path is read; `clear` before something is said on stderr.
	 * May be NULL. */
	void (*progress)(void *ctx, int64_t lines, int64_t bytes);
	void (*clear)(void *ctx);
	void *ctx;
};

/* Bad lines are told on stderr; a key that does not resolve now is a warning.
 * *db is opened, also on failure, and the caller's to close; it stays NULL if
 * a dry run needs none, and then *out stays empty. */
int submit_batch(const struct submit *s, struct db **db, struct batch *out,
		 struct err *e) MUST_CHECK;

/* Says of a batch that was just made how many answers it took (--reuse), or
 * that it could have taken most; on a terminal, elsewhere with -v. */
void submit_tell_reuse(struct db *db, const struct batch_new *n, const struct batch *b);

#endif
