/* queue: what waits to be sent, and why it stands still.
 *
 * A row per bucket, that is origin, key reference and model, with pending
 * requests or some in flight.  Reads the queues with work, what is in flight,
 * and the few rows of buckets, blocks and workers; of requests only those in
 * flight and the next that is due of each queue, so that a million of them
 * cost nothing. */
#ifndef FSL_DOMAIN_QUEUE_H
#define FSL_DOMAIN_QUEUE_H

#include <stdint.h>
#include "base/err.h"
#include "base/str.h"
#include "store/stmt.h"

extern const struct stmt_set queue_sql;

struct queue_row {
	struct span model, origin, key; /* "gpt-4o-mini", "https://h:8000", "env:NAME" */
	int64_t pending;    /* never tried */
	int64_t retrying;   /* tried, and pending again */
	int64_t in_flight;  /* of all workers */
	int64_t limit;      /* of them at once; -1: none is known */
	struct span why;    /* why it stands still; SPAN_NONE: it moves */
	int64_t next_ms;    /* when it goes on; 0: it moves, or that is not known */
};

/* By model, origin and key.  The spans are valid during the call. */
typedef int queue_fn(void *ctx, const struct queue_row *r, struct err *e);
int queue_each(struct db *db, int64_t now_ms, queue_fn *fn, void *ctx,
	       struct err *e) MUST_CHECK;

/* The models with pending requests of these batches (NULL: of all in progress
 * that `user` has made; NULL: that anybody has), and those that they may go to
 * (domain/escalate.h; `escalate` are the rules of batches without their own, or
 * NULL), one after the other, some perhaps several times: for who must know
 * before anything is sent, as with prices_need() for a limit of cost. */
typedef int queue_model_fn(void *ctx, struct span model, struct err *e);
int queue_models(struct db *db, const int64_t *batches, int n, const char *user,
		 const char *escalate, queue_model_fn *fn, void *ctx, struct err *e) MUST_CHECK;

#endif
