/* errand: what the state file says of the work of one data product, read before
 * anybody does it. */
#ifndef FSL_ENGINE_ERRAND_H
#define FSL_ENGINE_ERRAND_H

#include <stdint.h>
#include "base/err.h"
#include "base/id.h"
#include "domain/product.h"
#include "store/db.h"

enum { ERRAND_LABEL = 200 };

struct errand {
	int64_t product, dataset;  /* rows */
	struct id dataset_uuid;
	char *name, *dataset_name; /* the latter its id if it has none */
	char *dir, *params;        /* of the plan; params NULL: none */
	char *passthrough;         /* JSON; NULL: null */
	char label[ERRAND_LABEL];  /* "papers/judge", safe to print */
};

#define ERRAND_INIT { 0 }
void errand_release(struct errand *r);

/* 1; 0: the product is gone. */
int errand_load(struct db *db, const struct product *p, struct errand *out,
		struct err *e) MUST_CHECK;

#endif
