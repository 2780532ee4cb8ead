/* blocks: what a worker leaves alone (engine/health.h), told to people and to
 * other programs. */
#ifndef FSL_ENGINE_BLOCKS_H
#define FSL_ENGINE_BLOCKS_H

#include <stdint.h>
#include "base/err.h"
#include "engine/health.h"
#include "engine/ledger.h"
#include "engine/limiter.h"

/* Where the ledger thread works, and when. */
struct scene {
	struct db *db;
	int64_t worker;
	struct limiter *limiter;
	struct health *health;
	int64_t now_ms, mono_ms; /* of this transaction: wall clock, monotonic */
};

/* Writes the worker's rows of blocks, unless they are those of `known`
 * (health_version()); inside the transaction. */
int blocks_write(const struct scene *s, int64_t known, struct err *e) MUST_CHECK;

/* A warning for each block that began after the version `known`. */
void blocks_tell(const struct scene *s, int64_t known);

/* The reason of a batch whose key does not resolve, for health_leave(). */
#define BLOCKS_NO_KEY "key_unresolved"

/* Sets block and its like: the first of the blocks, that of a server before
 * others; NULL if nothing is left alone. */
void blocks_reason(const struct scene *s, struct ledger_state *state);
/* Makes it this one, unless there is one that comes before. */
void blocks_blame(const struct scene *s, const struct health_block *h, struct ledger_state *state);

#endif
