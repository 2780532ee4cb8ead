/* event: the history of a dataset: every change, who made it, and by what.
 *
 * Changes are numbered per dataset (datasets.events), in the order in which
 * they were made. */
#ifndef FSL_DOMAIN_EVENT_H
#define FSL_DOMAIN_EVENT_H

#include <stdint.h>
#include "base/err.h"
#include "base/id.h"
#include "domain/dataset.h"
#include "store/stmt.h"

extern const struct stmt_set event_sql;

struct event {
	int64_t at_us;
	const char *user, *command;
	const char *product;     /* its name; NULL: of the dataset itself */
	struct id product_uuid;
	const char *old, *new;   /* states of the product; of a dataset "active"
				  * and "paused"; NULL: it was not there */
	bool has_run;
	struct id run_id;
};

/* Adds one and raises d->events; inside a write transaction that saves d
 * afterwards.  `product` is data_products.id, 0: the dataset itself, whose old
 * and new are STATE_NONE, EVENT_ACTIVE or EVENT_PAUSED.  run_id may be NULL. */
enum { EVENT_ACTIVE = 0, EVENT_PAUSED = 1 };
int event_add(struct db *db, struct dataset *d, int64_t product, int64_t at_us, const char *user,
	      const char *command, int old, int new, const struct id *run_id,
	      struct err *e) MUST_CHECK;

/* Oldest first; of one product (data_products.id), or of all and the dataset
 * itself (0).  Texts are valid during the call. */
typedef int event_fn(void *ctx, const struct event *v, struct err *e);
int event_each(struct db *db, int64_t dataset, int64_t product, event_fn *fn, void *ctx,
	       struct err *e) MUST_CHECK;

#endif
