/* change: what `fsl-batch retry`, `cancel` and `delete` do to a batch, or
 * would do. */
#ifndef FSL_DOMAIN_CHANGE_H
#define FSL_DOMAIN_CHANGE_H

#include <stdbool.h>
#include <stdint.h>
#include "base/err.h"
#include "domain/batch.h"
#include "domain/select.h"

struct change {
	enum { CHANGE_RETRY, CHANGE_CANCEL, CHANGE_DELETE } what;
	const struct select *chosen; /* retry: these; cancel: its custom ids */
	int64_t older_than_ms;       /* delete: only if it was created before; 0: any */
	bool every;                  /* delete: nobody named it; if it runs it stays */
	bool force;                  /* delete: completed results too */
	bool dry_run;
};

/* 1: it is done, or would be, to *n requests; 0: the batch is left alone.
 * ERR_STATE: deleting a batch that has not ended, or, without `force`, one
 * with completed results. */
int change_batch(struct db *db, const struct batch *b, const struct change *c, int64_t *n,
		 struct err *e) MUST_CHECK;

#endif
