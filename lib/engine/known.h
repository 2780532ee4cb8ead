/* known: the batches that a run has met, with how they are sent. */
#ifndef FSL_ENGINE_KNOWN_H
#define FSL_ENGINE_KNOWN_H

#include <stdbool.h>
#include <stdint.h>
#include "base/err.h"
#include "base/intmap.h"
#include "engine/ledger.h"
#include "engine/target.h"

struct known_batch {
	struct target *target;
	int64_t expires_ms;/* as its row was read last; 0: never */
	bool started;      /* this run has started a request of it */
	int64_t failures;  /* that this run has settled */
};

struct known {
	struct known_batch **v;
	int n;
	struct intmap by_batch; /* index into v */
	struct send defaults;
	const struct trace *trace; /* of the run */
};

/* `defaults` for batches that set none; may be NULL.  `trace` must outlive it. */
void known_init(struct known *k, const struct send *defaults, const struct trace *trace);
void known_release(struct known *k);

/* The batch, read when it is met for the first time (*fresh, with how many of
 * its requests were completed before); valid until known_release(). */
struct known_batch *known_get(struct known *k, struct db *db, int64_t batch, bool *fresh,
			      int64_t *completed, struct err *e) MUST_CHECK;

/* A request of it has failed. */
void known_failed(struct known *k, int64_t batch);

/* Counts them for progress. */
int known_count(const struct known *k, struct db *db, struct ledger_state *s,
		struct err *e) MUST_CHECK;

/* The rows of those with `started`; to be freed. */
int64_t *known_started(const struct known *k, int *n);

#endif
