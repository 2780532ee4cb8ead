/* claim: which requests come next.
 *
 * Between batches: the higher priority first, then the nearest expiry; equal
 * ones take turns, the older first.  In a batch: what is due again first (in
 * the order of due times), then line order, across its models.
 *
 * A feed per queue keeps a few rows that were read ahead; they are dropped
 * when another connection has committed.  The cost of a claim does not depend
 * on how many requests are pending or done. */
#ifndef FSL_DOMAIN_CLAIM_H
#define FSL_DOMAIN_CLAIM_H

#include <stdbool.h>
#include <stdint.h>
#include "base/err.h"
#include "store/stmt.h"

extern const struct stmt_set claim_sql;

struct claim;

/* `batches`: the rows of n batches to take from; NULL: every one in progress
 * that was made by `user` (NULL: by anybody). */
struct claim *claim_new(const int64_t *batches, int n, const char *user);
void claim_free(struct claim *c);

/* At most n requests to start, inside a write transaction; `rows` gets them.
 * Returns how many.  The caller starts all of them (request_start()) or calls
 * claim_forget(). */
int claim_next(struct claim *c, struct db *db, int64_t now_ms, int64_t *rows, int n,
	       struct err *e) MUST_CHECK;

/* Forget what was read ahead: after a rollback, and after rows became pending
 * by this connection. */
void claim_forget(struct claim *c);

/* Never takes from this batch again. */
void claim_skip(struct claim *c, int64_t batch);

/* How many of the claim's batches are not terminal, skipped ones left out;
 * their requests may be in flight elsewhere. */
int claim_open(struct claim *c, struct db *db, struct err *e) MUST_CHECK;

/* What there is left, for the batches of the claim, as of the last
 * claim_next(): pending requests in all, and when the next of them is due
 * (0: at once; -1: none is pending). */
int64_t claim_pending(const struct claim *c);
int64_t claim_due(const struct claim *c);

#endif
