/* request: one line of a batch and its moves.  Nobody else writes its state.
 *
 *   pending --start--> processing --settle--> completed | failed
 *   processing --settle (retry), release, interrupt--> pending
 *                 or cancelled, if it or its batch was; or expired with its batch
 *   pending --cancel--> cancelled          pending --ending--> cancelled | expired
 *   failed | cancelled | expired --reopen--> pending
 *
 * start puts a row into flights before a byte is sent; settle, release and
 * interrupt begin by deleting it, by request, worker and attempt number.
 * Whoever finds it gone was too late and changes nothing (0 is returned): a
 * finished request is never overwritten.  A request may be in flight twice, see
 * domain/race; the moves know of that.  Many pending ones of a batch that ends
 * are moved by domain/ending.
 *
 * All moves happen inside a write transaction and are told to its tally. */
#ifndef FSL_DOMAIN_REQUEST_H
#define FSL_DOMAIN_REQUEST_H

#include <stdbool.h>
#include <stdint.h>
#include "base/err.h"
#include "base/str.h"
#include "domain/tally.h"

extern const struct stmt_set request_sql;

const char *request_state_text(enum request_state s); /* "pending", … */
int request_state_of(const char *text);               /* -1: no such state */

/* request row = batch row << 32 | line */
static inline int64_t request_row(int64_t batch, uint32_t line)
{
	return (int64_t)((uint64_t)batch << 32 | line);
}
static inline int64_t request_batch(int64_t row)
{
	return row >> 32;
}
static inline uint32_t request_line(int64_t row)
{
	return (uint32_t)(row & 0xffffffff);
}

/* What start knows of the request it started. */
struct request_started {
	int64_t row, queue;
	int64_t bucket;    /* whose limits it counts against */
	int64_t n;         /* number of this attempt */
	int64_t counted;   /* attempts before it that count against --retries */
	int64_t throttled;
	int64_t round;
	int64_t expires_ms;/* its batch's: not to be sent then or later; 0: never */
};

/* pending -> processing.  1: started; 0: it was not pending any more, or its
 * batch is not in progress, or past its completion window. */
int request_start(struct tally *t, int64_t worker, int64_t bucket, int64_t row,
		  int64_t now_ms, struct request_started *out, struct err *e) MUST_CHECK;

/* How an attempt ended. */
enum request_verdict { VERDICT_COMPLETED, VERDICT_FAILED, VERDICT_RETRY };

struct request_end {
	int64_t row, queue, bucket, worker, n;
	enum request_verdict verdict;
	bool counts;            /* against --retries */
	bool throttled;         /* 429 or 529 */
	int64_t started_ms, took_ms; /* took_ms -1: unknown */
	int64_t next_ms;        /* VERDICT_RETRY: due then (wall clock) */
	int status;             /* 0: no answer */
	const char *code;       /* NULL: completed, or an HTTP error */
	const char *message;    /* NULL: completed */
	struct span request_id; /* SPAN_NONE: none */
	int kind;               /* of the body, see domain/answer.h */
	struct span body;       /* SPAN_NONE: none */
	int64_t bytes;          /* of the body as it came, also when it is not kept */
	struct span headers;    /* telling ones as a JSON object; of a failed one */
	int64_t input_tokens, cached_tokens, output_tokens, reasoning_tokens;
};

/* processing -> completed, failed, or pending again.  What would be pending is
 * cancelled if it was cancelled in flight or its batch is being cancelled, else
 * expired if the batch's window has passed.  1: settled, 0: lost ownership, 2:
 * the attempt is recorded, and the other one of a race decides; 3: settled, and
 * the other one has ended as "superseded" by this success. */
int request_settle(struct tally *t, const struct request_end *end, int64_t now_ms,
		   struct err *e) MUST_CHECK;

/* processing -> pending, or cancelled or expired as above: it was never sent
 * and leaves no attempt.  1: released, 0: lost ownership.  With another attempt
 * in flight the request stays processing. */
int request_release(struct tally *t, int64_t worker, const struct request_started *r,
		    int64_t now_ms, struct err *e) MUST_CHECK;

/* Ends a flight that its worker will not end, and the race beside it: each
 * leaves an attempt "interrupted".  `end` says which flight, why (message) and
 * what the request becomes (verdict).  1, or 0 as above. */
int request_interrupt(struct tally *t, const struct request_end *end, int64_t now_ms,
		      struct err *e) MUST_CHECK;

/* All flights of a worker that died: each is interrupted and pending again
 * (but see request_settle()), or failed when its attempts are used up
 * (max_attempts of its batch, sent by this worker).  Returns how many. */
typedef int64_t request_limit_fn(void *ctx, int64_t worker, int64_t batch);
int request_rescue(struct tally *t, int64_t worker, request_limit_fn *max_attempts,
		   void *ctx, int64_t now_ms, struct err *e) MUST_CHECK;

/* One request.  1: it was pending and is cancelled; 2: it is in flight, and
 * what would be tried again is cancelled (`now`: it is to be cut off as well,
 * see domain/recall); 0: it has ended. */
int request_cancel(struct tally *t, int64_t row, bool now, int64_t now_ms,
		   struct err *e) MUST_CHECK;

/* failed, cancelled or expired -> pending with a fresh set of attempts.
 * 1: reopened, 0: it was in another state. */
int request_reopen(struct tally *t, int64_t row, struct err *e) MUST_CHECK;

/* For domain/race: an attempt that has ended; `again`: end->next_ms is when
 * the next is due. */
int request_record(struct tally *t, struct tally_batch *b, const struct request_end *end,
		   bool again, struct err *e) MUST_CHECK;

#endif
