/* batchrows: the many rows of a batch, made and removed in steps.
 *
 * Each step is a transaction of its own and holds the writers' lock for
 * milliseconds.  Meanwhile the batch's row is "validating" and invisible and
 * names the byte of the side file that this process holds (batches.loader):
 * whatever kills the process leaves what batchrows_sweep() removes. */
#ifndef FSL_DOMAIN_BATCHROWS_H
#define FSL_DOMAIN_BATCHROWS_H

#include <stdint.h>
#include "base/err.h"
#include "base/str.h"
#include "domain/file.h"
#include "store/stmt.h"

extern const struct stmt_set batchrows_sql;

/* A batch in the making, or one that goes. */
struct batch_new;
struct batchrows {
	struct db *db;
	int slot;   /* of the side file; -1: none */
	int64_t id; /* batches.id; 0: none */
	const struct batch_new *n; /* in the making: what was asked for; else NULL */
};

#define BATCHROWS_INIT { NULL, -1, 0, NULL }
#define BATCHROWS_FOR(n) { NULL, -1, 0, (n) }

/* Takes a byte of the side file. */
int batchrows_enter(struct batchrows *r, struct db *db, struct err *e) MUST_CHECK;
/* Removes the batch unless r->id is 0, and gives the byte back. */
void batchrows_leave(struct batchrows *r);

/* The url that all lines of the file have, appended to `url`: 1; 0 if they
 * differ.  With `want`, a line that has another url is ERR_INPUT. */
int batchrows_url(struct db *db, const struct file *f, const char *want,
		  struct str *url, struct err *e) MUST_CHECK;

/* Makes a queue per model and a request per template, and gives the requests
 * what they may take (domain/reuse).  The queues' counters stay 0, so that
 * nothing is claimed.  Returns how many requests. */
int64_t batchrows_fill(struct batchrows *r, int64_t file, struct err *e) MUST_CHECK;

/* Sets the queues' counters, and the batch's for what was taken; inside the
 * transaction that shows the batch. */
int batchrows_show(struct batchrows *r, int64_t file, struct err *e) MUST_CHECK;

/* Hides a batch that has ended; ERR_STATE if it has not.  r->id is its row. */
int batchrows_hide(struct batchrows *r, int64_t id, struct err *e) MUST_CHECK;

/* Removes attempts, answers, requests, queues and at last the batch's row. */
int batchrows_drop(struct batchrows *r, struct err *e) MUST_CHECK;

/* Removes what dead processes left. */
int batchrows_sweep(struct db *db, struct err *e) MUST_CHECK;

#endif
