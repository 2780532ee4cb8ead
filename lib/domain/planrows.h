/* planrows: the rows of fletcher-plan's lists, value by value in the order of
 * the columns in cli/plan_columns.h. */
#ifndef FSL_DOMAIN_PLANROWS_H
#define FSL_DOMAIN_PLANROWS_H

#include <stdbool.h>
#include "base/err.h"
#include "base/row.h"
#include "domain/cascade.h"
#include "domain/overview.h"

/* How a list is printed: what comes first is the same in all of them. */
enum planrows_form { PLANROWS_TABLE, PLANROWS_PLAIN, PLANROWS_JSON };

/* Where rows go. */
struct planrows {
	struct db *db;
	enum planrows_form form;
	int (*put)(void *ctx, const struct row *r, struct err *e);
	void *ctx;
};

/* NAME OLD NEW, in JSON the id too. */
int planrows_moved(const struct planrows *p, const struct cascade *c, struct err *e) MUST_CHECK;

/* NAME STATE DONE/TOTAL AGE or MODIFIED PAUSED ID; in JSON numbers, and extra.
 * As search_page(): a page of the datasets that have the text (NULL: of all). */
int planrows_list(const struct planrows *p, const char *text, int64_t page, bool *more,
		  struct err *e) MUST_CHECK;

/* PRODUCT STATE DONE/TOTAL FAILED SINCE WHY, in plain lists DATASET too. */
int planrows_show(const struct planrows *p, const struct overview *o, struct err *e) MUST_CHECK;

/* PRODUCT STATE WHY of these products; NULL: of all that have a reason. */
int planrows_why(const struct planrows *p, const char *dataset, const char *const *products,
		 struct err *e) MUST_CHECK;

/* DATASET PRODUCT STATE COMPUTE VERSION PRODUCT_ID DATASET_ID, in JSON
 * passthrough too, of what waits for somebody (product_each_ready()); dataset
 * NULL: of all. */
int planrows_ready(const struct planrows *p, const char *dataset, struct err *e) MUST_CHECK;

/* TIME USER COMMAND PRODUCT OLD NEW RUN_ID; product NULL: of all. */
int planrows_history(const struct planrows *p, const char *dataset, const char *product,
		     struct err *e) MUST_CHECK;

#endif
