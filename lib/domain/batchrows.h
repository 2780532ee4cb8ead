/* batchrows: the many rows of a batch, made and removed in steps.
 *
 * Each step is a transaction of its own and holds the writers' lock for
 * milliseconds.  Meanwhile the batch's row is "validating" and invisible and
 * names the byte of the side file that this process holds (batches.loader). */
#ifndef FSL_DOMAIN_BATCHROWS_H
#define FSL_DOMAIN_BATCHROWS_H

#include <stdint.h>
#include "base/err.h"
#include "base/str.h"
#include "domain/file.h"
#include "store/stmt.h"

extern const struct stmt_set batchrows_sql;

/* The url that all lines of the file have, appended to `url`: 1; 0 if they
 * differ.  With `want`, a line that has another url is ERR_INPUT. */
int batchrows_url(struct db *db, const struct file *f, const char *want,
		  struct str *url, struct err *e) MUST_CHECK;

/* Makes a queue per model and a request per template.  The queues' counters
 * stay 0, so that nothing is claimed.  Returns how many requests. */
int64_t batchrows_fill(struct db *db, int64_t batch, int64_t file, struct err *e) MUST_CHECK;

/* Sets the queues' counters; inside the transaction that shows the batch. */
int batchrows_show(struct db *db, int64_t batch, int64_t file, struct err *e) MUST_CHECK;

/* Removes attempts, answers, requests, queues and at last the batch's row. */
int batchrows_drop(struct db *db, int64_t batch, struct err *e) MUST_CHECK;

#endif
