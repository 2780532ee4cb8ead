/* claim: which requests come next.
 *
 * Between batches: the higher priority first, then the nearest expiry; equal
 * ones take turns, the older first.  In a batch: what is due again first (in
 * the order of due times), then line order, across its models.
 *
 * A source per batch keeps a few rows that were read ahead; they are dropped
 * when another connection has committed.  The cost of a claim does not depend
 * on how many requests are pending or done. */
#ifndef FSL_DOMAIN_CLAIM_H
#define FSL_DOMAIN_CLAIM_H

#include <stdbool.h>
#include <stdint.h>
#include "base/err.h"
#include "domain/source.h"
#include "store/stmt.h"

extern const struct stmt_set claim_sql;

struct claim;

/* `batches`: the rows of n batches to take from; NULL: every one in progress
 * that was made by `user` (NULL: by anybody). */
struct claim *claim_new(const int64_t *batches, int n, const char *user);
/* And from the batches that products of these datasets (rows) send, those to
 * come included; for a claim of `batches`. */
void claim_datasets(struct claim *c, const int64_t *datasets, int n);
/* Without this, there is room for everything. */
void claim_limit(struct claim *c, claim_room_fn *room, void *ctx);
void claim_free(struct claim *c);

/* At most n requests to start, inside a write transaction; `rows` gets them.
 * A queue without room is passed over, and so is a batch past its expiry.
 * Returns how many.  The caller starts all of them (request_start()) or calls
 * claim_forget(). */
int claim_next(struct claim *c, struct db *db, int64_t now_ms, struct claim_row *rows, int n,
	       struct err *e) MUST_CHECK;

/* Forget what was read ahead: after a rollback, and after rows became pending
 * by this connection. */
void claim_forget(struct claim *c);

/* How many of the claim's batches are open: those with requests in flight
 * (elsewhere, if not here), and those with pending ones in queues that are not
 * given up. */
typedef bool claim_given_up_fn(void *ctx, int64_t batch, int64_t queue);
int claim_open(struct claim *c, struct db *db, claim_given_up_fn *given_up, void *ctx,
	       struct err *e) MUST_CHECK;

/* Calls fn with the batches of the claim: those that it was given, whether they
 * are open or not, and otherwise those that are open, of the products of its
 * datasets or of its user.  In any order, some perhaps several times; fn may
 * read. */
typedef int claim_batch_fn(void *ctx, int64_t batch, struct err *e);
int claim_each(struct claim *c, struct db *db, claim_batch_fn *fn, void *ctx,
	       struct err *e) MUST_CHECK;

/* What there is left, for the batches of the claim, as of the last
 * claim_next(): pending requests in all, and when the next of them is due
 * (0: at once; -1: none is pending, or all wait for room). */
int64_t claim_pending(const struct claim *c);
int64_t claim_due(const struct claim *c);

#endif
