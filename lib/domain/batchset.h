/* batchset: several batches that are looked at together, and which of them. */
#ifndef FSL_DOMAIN_BATCHSET_H
#define FSL_DOMAIN_BATCHSET_H

#include <stdint.h>
#include "base/err.h"
#include "domain/batch.h"

struct batchset {
	struct batch *v;
	int64_t *ids; /* their rows, once more */
	int n;
};

#define BATCHSET_INIT { NULL, NULL, 0 }
void batchset_release(struct batchset *s);

/* Adds what the operand names (batch_find()); what is there already is not
 * added twice. */
int batchset_add(struct db *db, struct batchset *s, const char *operand,
		 struct err *e) MUST_CHECK;

/* "completed,failed" as batch_filter.statuses; NULL: all.  ERR_USAGE. */
int batchset_statuses(const char *list, unsigned *bits, struct err *e) MUST_CHECK;

#endif
