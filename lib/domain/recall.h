/* recall: requests in flight that are not wanted any more, and what a worker
 * does about them.
 *
 *   what has happened                  what was claimed   what flies
 *   the batch is cancelled             is not sent        may finish
 *   … with --now                       is not sent        is cut off
 *   the window of the batch passed     is not sent        is cut off after the grace
 *   a request is cancelled             is not sent        may finish
 *   … with --now                       is not sent        is cut off
 *
 * What waits for a connection still is cut off at once: nothing of it was sent.
 * Each worker does so with its own flights.  What still flies RECALL_SLACK_MS
 * after that and its worker's grace belongs to one that is stopped or hangs:
 * nobody waits for it, any other worker settles it (recall_overdue()), and so
 * does a second `cancel --now`. */
#ifndef FSL_DOMAIN_RECALL_H
#define FSL_DOMAIN_RECALL_H

#include <stdbool.h>
#include <stdint.h>
#include "base/err.h"
#include "domain/tally.h"
#include "store/stmt.h"

extern const struct stmt_set recall_sql;

enum {
	RECALL_SLACK_MS = 5000,
	RECALL_GRACE_MS = 30000, /* of a worker whose row has no "grace_ms" in its config */
};

struct recall_batch {
	int64_t batch;
	bool cut;        /* what flies is cut off, else it may finish */
};
struct recall_row {
	int64_t row;
	bool cut;
};

/* Starts as { 0 }. */
struct recall {
	struct recall_batch *batches; /* of which nothing is sent any more; of any worker */
	int n_batches;
	struct recall_row *rows;      /* single requests, the same */
	int n_rows;
	int64_t expire;  /* a batch with requests to be expired (ending_expire()); 0: none */
	bool overdue;    /* recall_overdue() would settle something */
	int64_t next_ms; /* when time alone changes any of this; 0: never */
	int64_t flights; /* of this worker; fewer than it has: others ended some, see recall_mine() */
	int cap_batches, cap_rows;
};
void recall_release(struct recall *r);

/* What there is at now_ms for this worker, whose grace is grace_ms.  Costs a
 * few index look-ups when nothing is recalled: to be asked again after each
 * commit of somebody else, and at next_ms. */
int recall_read(struct db *db, int64_t worker, int64_t grace_ms, int64_t now_ms,
		struct recall *r, struct err *e) MUST_CHECK;

/* The rows of the worker's flights, in their order, at most n from `rows`; how
 * many.  What it has in flight and is not among them was ended by others: the
 * answer would be dropped.  Reads the flights of all workers. */
int recall_mine(struct db *db, int64_t worker, int64_t *rows, int n, struct err *e) MUST_CHECK;

/* Settles what is overdue in the hands of other workers than this one (0: of
 * any): each attempt ends as "interrupted", its request as cancelled or
 * expired; an answer that comes later is dropped.  Inside a write transaction.
 * Returns how many requests. */
int recall_overdue(struct tally *t, int64_t worker, int64_t now_ms, struct err *e) MUST_CHECK;

/* For domain/request: a request in flight is cancelled; and, when it has
 * landed, was it?  1, 0. */
int recall_add(struct tally *t, struct tally_batch *b, int64_t row, bool now, int64_t now_ms,
	       struct err *e) MUST_CHECK;
int recall_take(struct tally *t, const struct tally_batch *b, int64_t row,
		struct err *e) MUST_CHECK;

#endif
