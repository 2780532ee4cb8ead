/* book: what the ledger does inside a transaction: it settles what has ended
 * and starts what there is room for (engine/starter.h).
 *
 *     book_begin() ... book_settle(), book_rescue(), starter_start() ...
 *     book_end() ... tx_commit() ... book_commit() or book_rollback()
 *
 * Here all that has a say comes together: the order of claims, the limits
 * (engine/limiter.h), what is left alone (engine/health.h), the counters. */
#ifndef FSL_ENGINE_BOOK_H
#define FSL_ENGINE_BOOK_H

#include <stdbool.h>
#include <stdint.h>
#include "base/err.h"
#include "domain/recall.h"
#include "domain/claim.h"
#include "engine/blocks.h"
#include "engine/budget.h"
#include "engine/desk.h"
#include "engine/health.h"
#include "engine/job.h"
#include "engine/known.h"
#include "engine/ledger.h"
#include "engine/slots.h"

struct book {
	struct scene scene;       /* connection, worker, limiter, health, times */
	struct ledger_options o;  /* without what it points to, but for `version` */
	struct claim *claim;
	struct tally tally;
	struct known known;       /* batches */
	struct budget budget;
	struct desk_words words;  /* of this transaction, said when it is committed */
	struct job_list spare;
	bool hungry;              /* there may be something to claim */
	bool again;               /* requests became pending in this transaction */
	bool starved;             /* something waits for room */
	bool urgent;              /* a batch with --at-most-once: nothing is started ahead */
	struct slots slots;       /* of a round of claims */
	int64_t held, each;       /* bytes of the requests that are out, and of the last one */
	bool full;                /* nothing was started for want of memory */
	int64_t spares;           /* bytes that spare jobs keep */
	int64_t looked_ms;        /* monotonic: all that might start was asked for then */
	int n_buckets;            /* buckets that had been met when blocks were written */
	int64_t none, one;        /* rooms that are no bucket's */
	int64_t blocks;           /* health_version() that others know of */
	int64_t race_ms;          /* when to look for races again (wall clock); -1: never */
	bool unpriced;            /* it was said that a model has no price */
	int64_t fail_stop;        /* so many failures are too many, of what there was then; 0: ask */
	struct ledger_state state, before;
};

struct book *book_new(struct db *db, int64_t worker, const struct ledger_options *o);
void book_free(struct book *b);

int book_begin(struct book *b, int64_t now_ms, struct err *e) MUST_CHECK;

/* Settles all of both lists; they stay as they are, until book_drop(). */
int book_settle(struct book *b, const struct job_list *ended, const struct job_list *unsent,
		struct err *e) MUST_CHECK;
/* A job, empty. */
struct job *book_job(struct book *b);
/* Frees the jobs, or keeps them for later ones; returns their bytes. */
int64_t book_drop(struct book *b, struct job_list *jobs);

/* What dead workers had in flight is pending again; how many. */
int book_rescue(struct book *b, struct err *e) MUST_CHECK;

/* Settles what is overdue, and some of what has expired. */
int book_recall(struct book *b, const struct recall *r, struct err *e) MUST_CHECK;

/* The batch; read when it is met for the first time. */
struct known_batch *book_meet(struct book *b, int64_t batch, struct err *e) MUST_CHECK;
/* How many of `room` requests this run may still start. */
int book_may_start(const struct book *b, int room);

/* Do the requests that are out fill their half of the memory? */
bool book_is_full(const struct book *b);

/* Writes counters, limits and blocks. */
int book_end(struct book *b, struct err *e) MUST_CHECK;
void book_commit(struct book *b, struct desk_words *words);
/* As if it had never begun; `fresh` is dropped. */
void book_rollback(struct book *b, struct job_list *fresh);

/* Other limits, from the next transaction on. */
void book_limits(struct book *b, const struct limits *limits);

/* Another connection has committed, or time has passed: there may be something
 * to start.  Not for who has no money or no memory left: only what is in flight
 * gives some back. */
void book_hungry(struct book *b);
/* May there be something to start? */
bool book_is_hungry(const struct book *b);
/* When there will be (wall clock); -1: nobody knows, or this run starts nothing
 * more.  Asked after a commit. */
int64_t book_next(const struct book *b, int64_t now_ms);
/* How many may be out at once: `jobs` slots, and what frees in a commit. */
int book_capacity(const struct book *b, int ahead);
/* How many of the batches are open and not given up. */
int book_open(struct book *b, struct err *e) MUST_CHECK;

/* Have more requests failed than max_failed allows?  1, 0.  After a commit. */
int book_too_many(struct book *b, struct err *e) MUST_CHECK;

/* Counts the batches of this run for progress. */
int book_count(struct book *b, struct err *e) MUST_CHECK;
/* The batches of which a request was started; to be freed. */
int64_t *book_batches(const struct book *b, int *n);

/* What the network thread is told; the book's own. */
struct ledger_state *book_state(struct book *b);

#endif
