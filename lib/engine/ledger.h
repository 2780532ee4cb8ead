/* ledger: the thread that owns the one write connection while requests are
 * sent.
 *
 *      network thread                         ledger thread
 *      (engine/run)                           (this file)
 *          |  <---- jobs that were started ----   claims, starts
 *          |        (their attempt is on disk)
 *          |  ----- jobs that have ended ----->   settles
 *          |  ----- jobs never sent ---------->   gives back
 *
 * The ledger commits what has queued as soon as the last commit has ended:
 * results that wait for the disk are settled together, one commit for all,
 * and the same commit starts as many requests as slots are free or expected
 * to free meanwhile.  No byte leaves before its attempt is on disk.  A locked
 * file or a slow disk delays results, never a timeout or an answer.
 *
 * Between the threads there are these queues and one descriptor each way;
 * nothing else is shared but what is immutable (engine/target.h). */
#ifndef FSL_ENGINE_LEDGER_H
#define FSL_ENGINE_LEDGER_H

#include <stdbool.h>
#include <stdint.h>
#include "base/err.h"
#include "domain/limits.h"
#include "domain/prices.h"
#include "engine/health.h"
#include "engine/job.h"
#include "store/db.h"

struct ledger;

struct ledger_options {
	const int64_t *batches;     /* NULL: every batch in progress of `user` */
	int n_batches;
	const char *user;           /* NULL: of anybody */
	const int64_t *datasets;    /* with batches: and those that their products send */
	int n_datasets;
	const struct send *defaults;/* for batches that set none; may be NULL */
	const struct trace *trace;  /* of its requests; may be NULL; outlives the ledger */
	int jobs;                   /* slots of the network thread */
	const struct limits *limits;/* of --limit; may be NULL */
	bool no_adaptive;
	struct health_options health;
	const struct prices *prices;/* for max_cost */
	int64_t max_cost;           /* pico-dollars in this run; -1: no limit */
	int64_t max_buffer;         /* bytes of requests and answers in memory; 0: no limit */
	int64_t max_requests;       /* starts in this run; 0: no limit */
	const char *max_failed;     /* halt when more have failed, "10" or a share of what the
				     * run's batches hold by then (num_portion()); NULL: never */
	bool forever;               /* nothing left is no reason to end */
	const char *version, *config; /* of the worker's row */
	int64_t grace_ms;           /* what may fly on after its batch has expired */
	bool alone;                 /* ERR_HELD if another worker lives */
	/* Asked before it is said that nothing is left: may more come?  The token
	 * is another one when somebody has committed.  Whoever says yes rings when
	 * it may be asked again (ledger_ring()).  NULL: nothing comes. */
	bool (*more)(void *ctx, int64_t token);
	void *more_ctx;
};

/* What the network thread may know; a copy. */
struct ledger_state {
	bool drained;      /* nothing is pending, in flight or open any more */
	bool failed;       /* the thread gave up: see error */
	struct err error;
	bool stuck;        /* commits fail (full disk, locked file); it goes on trying */
	int64_t completed, failures, lost; /* settled by this run */
	int64_t input_tokens, cached_tokens, output_tokens, reasoning_tokens;
	int64_t total, done, done_failed, retrying;   /* of the batches that this run has met */
	int64_t next_due_ms; /* wall clock; 0: none waits */
	bool key_missing;  /* a batch was left alone, its key does not resolve: see error */
	int64_t started;   /* by this run, without those that were given back */
	int64_t freed;     /* bytes of all jobs that came back and are not in memory any more */
	bool poor;         /* nothing more is affordable while what flies is reserved */
	const char *halt;  /* "max_requests", "max_failed", …: start nothing more; or NULL */
	/* Why something is left alone, as in struct health_block; when all is drained,
	 * something that was to be sent.  NULL: nothing is. */
	const char *block;
	bool block_server;
	char block_message[HEALTH_MESSAGE]; /* of the server, or what is missing */
	char block_what[220], block_key[90]; /* which server, model or batch; its key, or "" */
};

/* Enters as a worker and starts the thread, which uses `db` alone until
 * ledger_close(). */
struct ledger *ledger_open(struct db *db, const struct ledger_options *o,
			   struct err *e) MUST_CHECK;

/* Its row in the table of workers. */
int64_t ledger_worker(const struct ledger *l);
/* It shall look again; from any thread, `l` is a struct ledger. */
void ledger_ring(void *l);

/* Becomes readable when there is something to take or the state has changed. */
int ledger_fd(const struct ledger *l);

struct desk_words; /* engine/desk.h */
/* Empties the descriptor; moves started jobs to the end of `jobs` and what is
 * to be done at once to `words`; copies the state. */
void ledger_take(struct ledger *l, struct job_list *jobs, struct desk_words *words,
		 struct ledger_state *state);

/* Jobs that have ended (job_judge() was called) or were never sent. */
void ledger_give(struct ledger *l, struct job_list *ended, struct job_list *unsent);

/* Other limits from now on; copied. */
void ledger_limits(struct ledger *l, const struct limits *limits);

/* No new claims from now on. */
void ledger_stop(struct ledger *l);

/* Commits what was given, leaves as a worker, ends the thread and frees.  With
 * a failing disk it tries for wait_ms, then gives up with the error (the
 * requests will be sent again).  *batches, to be freed, are those of which
 * this run has started a request. */
int ledger_close(struct ledger *l, int64_t wait_ms, struct ledger_state *state,
		 int64_t **batches, int *n_batches, struct err *e) MUST_CHECK;

#endif
