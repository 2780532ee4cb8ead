/* tally: what one transaction does to the counters of batches and queues, and
 * to the usage of each hour.
 *
 * Every move of a request is told to the tally; tally_flush() writes one
 * UPDATE per batch and queue that was touched, and settles a batch whose last
 * request has ended: status and time stamps are in the file the moment the
 * last result is.  A batch that was being cancelled is cancelled then; else it
 * has expired if a request of it has, or is completed.  One tally per
 * transaction, and one `now` for its moves and the flush:
 *
 *     tally_begin(t) ... moves ... tally_flush(t, now, e) ... tx_commit() */
#ifndef FSL_DOMAIN_TALLY_H
#define FSL_DOMAIN_TALLY_H

#include <stdbool.h>
#include <stdint.h>
#include "base/err.h"
#include "domain/batch.h"
#include "store/stmt.h"

extern const struct stmt_set tally_sql;

enum request_state {
	REQUEST_PENDING, REQUEST_PROCESSING, REQUEST_COMPLETED, REQUEST_FAILED,
	REQUEST_CANCELLED, REQUEST_EXPIRED, REQUEST_STATES,
};

struct tally_batch {
	int64_t id;
	enum batch_status status;
	int64_t answers;             /* number of the newest answer */
	int64_t expires_ms;          /* 0: never */
	bool recalled, racing;       /* there may be rows of it in recalls, in races */
	int64_t delta[REQUEST_STATES], retrying, attempts;
	int64_t input_tokens, cached_tokens, output_tokens, reasoning_tokens;
	bool touched, ended;         /* ended: became terminal by this flush */
};

struct tally_queue {
	int64_t id, pending, retrying;
};

struct tally_share {
	int64_t bucket, worker, in_flight;
};

/* What ended in this transaction, of one queue and sent to one bucket. */
struct tally_usage {
	int64_t queue, bucket;
	int64_t requests, attempts;
	int64_t input_tokens, cached_tokens, output_tokens, reasoning_tokens;
};

struct tally {
	struct db *db;
	struct tally_batch *batches;
	int n_batches, cap_batches;
	struct tally_queue *queues;
	int n_queues, cap_queues;
	struct tally_share *shares;
	int n_shares, cap_shares;
	struct tally_usage *usages;
	int n_usages, cap_usages;
};

void tally_begin(struct tally *t, struct db *db);
void tally_release(struct tally *t);

/* The batch's line in the tally, valid until the next call; loads what is known
 * of it from the file.  NULL on error. */
struct tally_batch *tally_batch(struct tally *t, int64_t batch, struct err *e) MUST_CHECK;

/* Has its completion window passed?  Then nothing of it is started any more,
 * and what is not answered for good expires. */
bool tally_past(const struct tally_batch *b, int64_t now_ms);

/* One request of the queue moves; `retrying`: on the pending side of the move
 * it has a due time.  To completed or failed: it is counted in the usage. */
void tally_move(struct tally *t, struct tally_batch *b, int64_t queue,
		enum request_state from, enum request_state to, bool retrying);

/* Adds to the usage of the batch, under the model of u->bucket, else of
 * u->queue: an attempt that has ended, the tokens of an answer. */
void tally_use(struct tally *t, struct tally_batch *b, const struct tally_usage *u);

/* The worker has `change` more in flight of the bucket. */
void tally_fly(struct tally *t, int64_t bucket, int64_t worker, int64_t change);

/* The worker is gone, and its rows of shares are. */
void tally_fly_gone(struct tally *t, int64_t worker);

int tally_flush(struct tally *t, int64_t now_ms, struct err *e) MUST_CHECK;

#endif
