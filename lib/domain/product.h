/* product: the rows of data products, and how they are found.
 *
 * Nothing here moves a product: that is domain/cascade, for people
 * domain/steer and for workers domain/lease. */
#ifndef FSL_DOMAIN_PRODUCT_H
#define FSL_DOMAIN_PRODUCT_H

#include <stdbool.h>
#include <stdint.h>
#include "base/err.h"
#include "base/id.h"
#include "domain/dataset.h"
#include "domain/state.h"
#include "store/stmt.h"

extern const struct stmt_set product_sql;

/* How the next run of a product begins. */
enum product_resume {
	PRODUCT_AFRESH, /* from zero */
	PRODUCT_GOES_ON,/* with its batch, as it stands */
	PRODUCT_RETRIES,/* with its batch: what failed in it is sent again */
};

struct product {
	int64_t id, dataset;     /* rows */
	struct id uuid;
	char *name, *version;
	const char *compute;     /* static, see domain/state.h */
	bool eager;
	enum state state;
	int64_t parents_left;    /* live parents that are not success */
	bool has_run;
	struct id run_id;        /* of its last run, if has_run */
	int64_t worker;          /* that has claimed it; 0: nobody */
	int64_t batch;           /* its newest one; 0: none */
	enum product_resume resume;
	char *held;              /* why a worker leaves it queued, or NULL */
	int64_t since_us;        /* in this state */
	char *modified_by;
	int64_t modified_us;
};

#define PRODUCT_INIT { 0 }
void product_release(struct product *p);

/* Is p->batch that of its last run, or of the one it waits for? */
bool product_has_batch(const struct product *p);

/* Of a dataset: by UUID, name, "NAME:VERSION", or unique prefix of the UUID.
 * ERR_NOTFOUND, also if several have the name. */
int product_find(struct db *db, int64_t dataset, const char *operand, struct product *out,
		 struct err *e) MUST_CHECK;
/* 1 and *out, 0: there is none, -1. */
int product_get(struct db *db, int64_t id, struct product *out, struct err *e) MUST_CHECK;
int product_by_uuid(struct db *db, int64_t dataset, struct id uuid, struct product *out,
		    struct err *e) MUST_CHECK;

/* ERR_NOTFOUND: several have the name. */
int product_by_name(struct db *db, int64_t dataset, struct span name, struct product *out,
		    struct err *e) MUST_CHECK;

/* In the order of publication, read by pages; fn may write. */
typedef int product_fn(void *ctx, const struct product *p, struct err *e);
int product_each(struct db *db, int64_t dataset, product_fn *fn, void *ctx,
		 struct err *e) MUST_CHECK;
/* Those that wait for a person: not eager, and all parents are success; or
 * queued, unclaimed and computed by what no worker runs (cams, dbxaas).  Of one
 * dataset, or of all (0), by dataset. */
int product_each_ready(struct db *db, int64_t dataset, product_fn *fn, void *ctx,
		       struct err *e) MUST_CHECK;
/* The children or the parents of a product, in the order of publication;
 * disabled ones too. */
int product_each_child(struct db *db, int64_t id, product_fn *fn, void *ctx,
		       struct err *e) MUST_CHECK;
int product_each_parent(struct db *db, int64_t id, product_fn *fn, void *ctx,
			struct err *e) MUST_CHECK;

/* The long members.  Owned; NULL: null. */
struct product_texts {
	char *passthrough, *extra, *link, *passback;
};
void product_texts_release(struct product_texts *t);
int product_texts(struct db *db, int64_t id, struct product_texts *out,
		  struct err *e) MUST_CHECK;

/* The batch of "DATASET/PRODUCT": its row.  ERR_NOTFOUND: there is no such
 * dataset or product, or the product has no batch. */
int64_t product_batch(struct db *db, const char *operand, struct err *e) MUST_CHECK;

#endif
