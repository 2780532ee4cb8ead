/* worker: a process that sends, and how the others know that it died. */
#ifndef FSL_DOMAIN_WORKER_H
#define FSL_DOMAIN_WORKER_H

#include <stdbool.h>
#include <stdint.h>
#include "base/err.h"
#include "domain/request.h"
#include "domain/send.h"
#include "store/stmt.h"

extern const struct stmt_set worker_sql;

struct worker {
	int64_t id;   /* its row; 0: not entered */
	int slot;
};

struct worker_new {
	const char *version;
	const char *config; /* JSON, without secrets */
	const char *limits; /* JSON (domain/limits.h); NULL: none */
	bool alone;         /* --exclusive: not while another one lives */
};

enum { WORKER_KEPT_MS = 7 * 86400000 };

/* Takes a byte of the side file and makes the row.  Own transaction, in which
 * it is also decided who is alone: of several that enter at the same moment
 * one does, the others get ERR_HELD with a message that names it.
 *
 * Some of the rows that ended WORKER_KEPT_MS ago go: of attempts they say
 * nothing but their number. */
int worker_enter(struct db *db, const struct worker_new *n, struct worker *out,
		 struct err *e) MUST_CHECK;

/* A living one, as its row is. */
struct worker_life {
	int64_t id, pid, started_ms, done, failed, in_flight;
	struct span host, user, version; /* valid during the call */
};
typedef int worker_fn(void *ctx, const struct worker_life *w, struct err *e);

/* Those that live, in the order in which they entered; one that is stopped
 * lives.  Reads only.  How many, or -1. */
int worker_each(struct db *db, worker_fn *fn, void *ctx, struct err *e) MUST_CHECK;

/* Does nobody live?  0, or -1 with ERR_HELD and the message of above. */
int worker_alone(struct db *db, struct err *e) MUST_CHECK;
/* Waits, woken by the bell of the side file, until nobody lives. */
int worker_wait(struct db *db, struct err *e) MUST_CHECK;

/* Ends the row; the byte is given back.  A row with something in flight stays
 * open, so that it is found dead and rescued. */
int worker_leave(struct db *db, struct worker *w, struct err *e) MUST_CHECK;
/* Is its row open?  0: others have taken it for dead and its requests away, which
 * nobody should; none that it started now would ever be rescued. */
int worker_is_open(struct db *db, int64_t id, struct err *e) MUST_CHECK;
/* Adds to done and failed of the row; inside a write transaction. */
int worker_count(struct db *db, int64_t id, int64_t done, int64_t failed,
		 struct err *e) MUST_CHECK;

/* Is there a row whose process is gone?  Cheap; reads only. */
int worker_any_dead(struct db *db, struct err *e) MUST_CHECK;

/* How many attempts a request of the batch may have that the worker had in
 * flight: as the batch says, else as `defaults` do (NULL: none), else as ever.
 * One with --at-most-once of the batch, of `defaults`, or of the worker, which may
 * have sent it as one of a batch that does not say so itself; one if nobody knows. */
int64_t worker_attempts(struct db *db, int64_t worker, int64_t batch,
			const struct send *defaults);

/* Rescues the flights of all dead workers and ends their rows; inside a write
 * transaction.  Returns how many requests were rescued. */
int worker_rescue(struct tally *t, request_limit_fn *max_attempts, void *ctx,
		  int64_t now_ms, struct err *e) MUST_CHECK;

#endif
