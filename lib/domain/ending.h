/* ending: how a batch ends before all of it is done: it is cancelled, or its
 * completion window passes.
 *
 * What is pending is settled here, in chunks that hold the writers' lock for
 * milliseconds each, and so is what dead workers had in flight.  What flies
 * with a living worker stays until that settles it; see domain/recall. */
#ifndef FSL_DOMAIN_ENDING_H
#define FSL_DOMAIN_ENDING_H

#include <stdbool.h>
#include <stdint.h>
#include "base/err.h"
#include "domain/batch.h"
#include "domain/tally.h"

extern const struct stmt_set ending_sql;

/* Cancels.  With `now` what is in flight is to be cut off as well; what should
 * have been since an earlier `now` is settled.  Cancelling twice, or a terminal
 * batch, changes nothing.  One whose window has passed expires instead.
 * Returns how many requests were cancelled.  Takes its own transactions. */
int64_t ending_cancel(struct db *db, int64_t batch, bool now, struct err *e) MUST_CHECK;

/* The beginning of it, inside a write transaction: from its commit on nothing
 * new of the batch is sent.  Nothing if it is terminal. */
int ending_start(struct db *db, int64_t batch, bool now, int64_t now_ms, struct err *e) MUST_CHECK;

/* Cancels single requests, as request_cancel() says; `custom_ids` ends with a
 * NULL.  ERR_NOTFOUND, before anything is changed, if the batch has not all of
 * them.  Returns how many were pending; with dry_run, how many are. */
int64_t ending_cancel_ids(struct db *db, const struct batch *b, const char *const *custom_ids,
			  bool now, bool dry_run, struct err *e) MUST_CHECK;

/* The window of the batch has passed: pending requests become expired.  In any
 * other batch nothing changes.  Returns how many.  Takes its own transactions. */
int64_t ending_expire(struct db *db, int64_t batch, struct err *e) MUST_CHECK;

/* Has the window passed of a batch that is still in progress?  Whoever changes
 * such a batch calls ending_expire() first. */
bool ending_due(const struct batch *b, int64_t now_ms);

/* Settles what nobody will end any more, of any batch: what dead workers had in
 * flight, and what is overdue with the others (domain/recall).  Inside a write
 * transaction. */
int ending_rescue(struct tally *t, int64_t now_ms, struct err *e) MUST_CHECK;

/* Up to `limit` pending requests of the batch with a line above *after become
 * cancelled, if it is cancelling, or expired, if its window has passed; *after
 * moves on.  Inside a write transaction.  Returns how many. */
int ending_some(struct tally *t, int64_t batch, uint32_t *after, int limit, int64_t now_ms,
		struct err *e) MUST_CHECK;

#endif
