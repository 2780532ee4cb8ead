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
	bool now;                    /* cancel: what is in flight is cut off as well */
	bool fresh;                  /* retry: as a new batch */
	int64_t window_ms;           /* retry: see select_retry() */
	int64_t older_than_ms;       /* delete: only if it was created before; 0: any */
	bool every;                  /* delete: nobody named it; if it runs it stays */
	bool force;                  /* delete: completed results too */
	bool dry_run;
};

struct change_done {
	struct id batch;  /* it, or the new one */
	int64_t requests; /* how many of them */
};

/* 1: it is done, or would be; 0: the batch is left alone.  A batch whose window
 * has passed unnoticed expires first.  ERR_STATE: deleting a batch that has not
 * ended, or, without `force`, one with completed results. */
int change_batch(struct db *db, const struct batch *b, const struct change *c,
		 struct change_done *done, struct err *e) MUST_CHECK;

#endif
