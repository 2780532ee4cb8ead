/* chosen: the data products of a dataset that a verb is about. */
#ifndef FSL_DOMAIN_CHOSEN_H
#define FSL_DOMAIN_CHOSEN_H

#include <stdint.h>
#include "base/err.h"
#include "base/idmap.h"
#include "store/stmt.h"

extern const struct stmt_set chosen_sql;

struct chosen_which {
	const char *const *operands;  /* NULL-terminated; NULL: */
	enum { CHOSEN_FAILED, CHOSEN_ALL } all; /* all that have failed; all but the disabled */
};

struct chosen {
	int64_t *ids;        /* data_products.id, each once */
	const char **names;  /* as given; NULL: nobody named it */
	int n;
	struct idmap *known;
};

#define CHOSEN_INIT { NULL, NULL, 0, NULL }
void chosen_release(struct chosen *c);

/* *out was CHOSEN_INIT.  ERR_NOTFOUND: there is no such product.  The names are
 * borrowed. */
int chosen_read(struct db *db, int64_t dataset, const struct chosen_which *w, struct chosen *out,
		struct err *e) MUST_CHECK;

#endif
