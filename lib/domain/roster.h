/* roster: the workers that live, what each of them takes, and what it leaves
 * alone for a while. */
#ifndef FSL_DOMAIN_ROSTER_H
#define FSL_DOMAIN_ROSTER_H

#include <stdbool.h>
#include <stdint.h>
#include "base/err.h"
#include "store/stmt.h"

extern const struct stmt_set roster_sql;

struct roster_worker {
	int64_t id, slot;
	char *user;           /* takes batches of this one; NULL: of anybody */
	int64_t *batches;     /* or these rows; NULL: it was given neither these ... */
	int n_batches;
	int64_t *datasets;    /* ... nor these, whose products' batches it takes */
	int n_datasets;
	int64_t jobs;         /* that it has in flight at most; 0: not known */
	int64_t in_flight;    /* 0: for the caller to fill */
};

struct roster_block {
	int64_t worker, batch, bucket; /* 0: any */
	int64_t next_ms;      /* when the worker tries again; 0: not in this run */
	char *text;           /* "key_unresolved: key env:K: the variable is not set" */
};

struct roster {
	bool any;             /* somebody lives, also if the row is not there yet */
	struct roster_worker *workers;
	int n_workers;
	struct roster_block *blocks;
	int n_blocks;
};

#define ROSTER_INIT { 0 }
void roster_release(struct roster *r);

/* Who lives is asked of the kernel (store/side.h), the rest is as the workers
 * wrote it: what they do not say they do not limit. */
int roster_load(struct roster *r, struct db *db, struct err *e) MUST_CHECK;

/* Does it take this batch, which `user` has made?  `dataset`: of the product,
 * queued or running, that it is the batch of; 0: there is none. */
bool roster_takes(const struct roster_worker *w, int64_t batch, int64_t dataset,
		  const char *user) MUST_CHECK;

/* Why it leaves the batch or the bucket alone; NULL: it does not. */
const struct roster_block *roster_block(const struct roster *r, const struct roster_worker *w,
					int64_t batch, int64_t bucket);

#endif
