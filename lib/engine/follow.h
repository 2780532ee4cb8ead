/* follow: waiting for batches that others work on.
 *
 * Woken by the doorbell of the side file (store/side.h), and every few
 * seconds in case it could not be rung.  Holds no transaction while it
 * waits.  Needs a connection of its own, so that a thread can do it. */
#ifndef FSL_ENGINE_FOLLOW_H
#define FSL_ENGINE_FOLLOW_H

#include <stdbool.h>
#include <stdint.h>
#include "base/err.h"
#include "domain/result.h"
#include "store/db.h"

struct follow {
	struct result_options results; /* always in the order of completion */
	int64_t after;   /* as in result_each(): moves on */
	int stop_fd;     /* readable: stop; -1: none */
	int reader_fd;   /* of the output: ERR_PIPE when its reader went away; -1: none */
	bool tell_idle;  /* say so once when no worker lives */
	/* Called when all that is finished was given, before waiting; or NULL. */
	int (*caught_up)(void *ctx, struct err *e);
};

#define FOLLOW_INIT { .stop_fd = -1, .reader_fd = -1 }

/* Gives each request as it finishes.  1: the batch is terminal and all was
 * given.  0: stopped; what was finished by then was given.  -1. */
int follow_results(struct db *db, int64_t batch, struct follow *f, result_fn *fn,
		   void *ctx, struct result_counts *counts, struct err *e) MUST_CHECK;

/* Waits until all batches are terminal, or any of them. */
enum { FOLLOW_TIMEOUT, FOLLOW_ENDED, FOLLOW_NOBODY /* no worker lives */ };
int follow_wait(struct db *db, const int64_t *batches, int n, bool any,
		int64_t timeout_ms /* -1: none */, struct err *e) MUST_CHECK;

/* The same, and the exit status of the worst of them (with `any`, of those
 * that have ended): 4, 1, 3 or 0.  Says on stderr why it is 4. */
int follow_exit(struct db *db, const int64_t *batches, int n, bool any,
		int64_t timeout_ms, struct err *e) MUST_CHECK;

#endif
