/* worker: a process that sends, and how the others know that it died. */
#ifndef FSL_DOMAIN_WORKER_H
#define FSL_DOMAIN_WORKER_H

#include <stdint.h>
#include "base/err.h"
#include "domain/request.h"
#include "store/stmt.h"

extern const struct stmt_set worker_sql;

struct worker {
	int64_t id;   /* its row; 0: not entered */
	int slot;
};

/* Takes a byte of the side file and makes the row.  Own transaction. */
int worker_enter(struct db *db, const char *version, const char *config,
		 struct worker *out, struct err *e) MUST_CHECK;
/* Ends the row; the byte is given back.  A row with something in flight stays
 * open, so that it is found dead and rescued. */
int worker_leave(struct db *db, struct worker *w, struct err *e) MUST_CHECK;
/* Adds to done and failed of the row; inside a write transaction. */
int worker_count(struct db *db, int64_t id, int64_t done, int64_t failed,
		 struct err *e) MUST_CHECK;

/* Is there a row whose process is gone?  Cheap; reads only. */
int worker_any_dead(struct db *db, struct err *e) MUST_CHECK;

/* Rescues the flights of all dead workers and ends their rows; inside a write
 * transaction.  Returns how many requests were rescued. */
int worker_rescue(struct tally *t, request_limit_fn *max_attempts, void *ctx,
		  int64_t now_ms, struct err *e) MUST_CHECK;

#endif
