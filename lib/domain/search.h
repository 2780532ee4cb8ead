/* search: lists of datasets, those with the newest activity first.
 *
 * A text is looked for, literally and whatever its case, in the id, the name
 * and the extra of a dataset and in the names of its products.  What it costs
 * depends on the page and on what is found, not on how many datasets there
 * are: the newest are looked at one by one, and if they do not fill the page,
 * an index of three characters tells which others can have the text. */
#ifndef FSL_DOMAIN_SEARCH_H
#define FSL_DOMAIN_SEARCH_H

#include <stdbool.h>
#include <stdint.h>
#include "base/err.h"
#include "domain/dataset.h"
#include "store/stmt.h"

extern const struct stmt_set search_sql;

enum { SEARCH_PAGE = 50, SEARCH_TEXT_MAX = 1000 };

typedef int search_fn(void *ctx, const struct dataset *d, struct err *e);

/* Calls fn for each dataset of a page (from 0); text NULL or "": all datasets.
 * *more: there is another page.  ERR_USAGE: the text is no UTF-8 or too long. */
int search_page(struct db *db, const char *text, int64_t page, search_fn *fn, void *ctx,
		bool *more, struct err *e) MUST_CHECK;

/* Appends the UUIDs of all datasets in that order, each with a NUL behind it. */
int search_ids(struct db *db, struct str *out, struct err *e) MUST_CHECK;

#endif
