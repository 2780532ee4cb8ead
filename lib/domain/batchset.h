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
	int64_t *datasets; /* rows */
	int n_datasets;
};

#define BATCHSET_INIT { NULL, NULL, 0, NULL, 0 }
void batchset_release(struct batchset *s);

/* What the operand names: a batch (batch_find()), or with "DATASET/PRODUCT" the
 * newest one of a data product (product_batch()). */
int batchset_find(struct db *db, const char *operand, struct batch *out,
		  struct err *e) MUST_CHECK;

/* Adds what the operand names; what is there already is not added twice. */
int batchset_add(struct db *db, struct batchset *s, const char *operand,
		 struct err *e) MUST_CHECK;

/* The same, and if there is no such batch it may be a dataset (dataset_find()).
 * ERR_NOTFOUND: there is neither. */
int batchset_add_any(struct db *db, struct batchset *s, const char *operand,
		     struct err *e) MUST_CHECK;

/* "completed,failed" as batch_filter.statuses; NULL: all.  ERR_USAGE. */
int batchset_statuses(const char *list, unsigned *bits, struct err *e) MUST_CHECK;

#endif
