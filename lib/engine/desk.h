/* desk: where the network thread and the ledger thread hand jobs to each other.
 *
 *      network thread                         ledger thread
 *      desk_take()   <- started, words, state desk_publish()
 *      desk_give()   ----- ended, unsent -->  desk_collect()
 *      desk_stop(), desk_finish() --------->  desk_collect()
 *
 * Whoever takes a job owns it.  A descriptor each way is readable while there
 * may be something new; taking and collecting empty it. */
#ifndef FSL_ENGINE_DESK_H
#define FSL_ENGINE_DESK_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include "base/err.h"
#include "engine/job.h"
#include "domain/limits.h"
#include "engine/ledger.h"

/* What the ledger thread is told; nothing of it is ever taken back. */
struct desk_orders {
	bool stop;             /* start nothing new */
	bool changed;          /* `limits` are new; the reader takes them */
	struct limits limits;
	bool finish;           /* and end when all is settled */
	int64_t give_up_ms;    /* monotonic; with finish */
};

/* What the network thread is told. */
enum desk_what {
	DESK_RECHECK,   /* give back what has not been sent */
	DESK_CUT_BATCH, /* end what is in flight of a batch */
	DESK_CUT_ROW,   /* of one request */
	DESK_HALT_BATCH,/* end what has a slot, but no byte of it has left yet */
	DESK_HALT_ROW,  /* of one request */
	DESK_KEEP,      /* end all but some requests: others have settled those */
};
struct desk_word {
	enum desk_what what;
	int64_t id;     /* batch or row */
	int64_t n;      /* DESK_KEEP: how many rows; else -1: as superseded */
	int64_t *rows;  /* DESK_KEEP: in ascending order; owned by whoever has the word */
};
struct desk_words {
	struct desk_word *v;
	int n, cap;
};
void desk_say(struct desk_words *w, enum desk_what what, int64_t id, int64_t n);
void desk_keep(struct desk_words *w, int64_t *rows, int64_t n); /* takes rows */
/* Is this request one of those that the word is about? */
bool desk_means(const struct desk_word *w, int64_t row);
void desk_words_clear(struct desk_words *w); /* the memory for words stays */

struct desk {
	int to_network, to_ledger; /* descriptors */
	/* Behind the lock. */
	pthread_mutex_t lock;
	struct job_list started, ended, unsent;
	struct desk_words words;
	struct ledger_state state;
	struct desk_orders orders;
};

int desk_init(struct desk *d, struct err *e) MUST_CHECK;
/* With the jobs that lie there; also after desk_init() has failed. */
void desk_release(struct desk *d);

/* The network thread's side.  Taken jobs go to the end of `jobs`, words to the
 * end of `words` (v to be freed); given lists are empty afterwards.  After desk_finish() it takes and gives no more. */
void desk_take(struct desk *d, struct job_list *jobs, struct desk_words *words,
	       struct ledger_state *state);
void desk_give(struct desk *d, struct job_list *ended, struct job_list *unsent);
void desk_stop(struct desk *d);
/* The ledger thread shall look again; from any thread. */
void desk_nudge(struct desk *d);
void desk_limits(struct desk *d, const struct limits *limits); /* copied */
void desk_finish(struct desk *d, int64_t give_up_ms);

/* The ledger thread's side.  What was started and lies there when the network
 * thread has finished comes back as unsent. */
struct desk_orders desk_collect(struct desk *d, struct job_list *ended,
				struct job_list *unsent);
void desk_publish(struct desk *d, struct job_list *started, struct desk_words *words,
		  const struct ledger_state *state);

#endif
