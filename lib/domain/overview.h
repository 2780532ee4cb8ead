/* overview: how a dataset stands: its verdict and its products, for people. */
#ifndef FSL_DOMAIN_OVERVIEW_H
#define FSL_DOMAIN_OVERVIEW_H

#include <stdbool.h>
#include <stdint.h>
#include "base/err.h"
#include "base/str.h"
#include "domain/dataset.h"
#include "domain/product.h"
#include "store/stmt.h"

extern const struct stmt_set overview_sql;

struct overview_row {
	struct product p;
	bool has_batch;
	int64_t done, total, failed; /* requests of its batch */
	char *why;                   /* domain/reason.h; NULL: nothing to say */
};

struct overview {
	struct dataset d;
	struct overview_row *rows;   /* parents before children; the disabled at the end */
	size_t n;
};

#define OVERVIEW_INIT { .rows = NULL }
void overview_release(struct overview *o);

/* What one moment looks like.  `products` NULL: all of them. */
int overview_read(struct db *db, const char *dataset, const char *const *products,
		  struct overview *out, struct err *e) MUST_CHECK;

/* Appends "papers: failed, 4 of 11 done, 1 failed, 6 waiting; paused". */
void overview_verdict(const struct dataset *d, struct str *out);

#endif
