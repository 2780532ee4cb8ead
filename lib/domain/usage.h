/* usage: what batches have used, added up by model, batch, day or status.
 *
 * Read from the table usage, a row per batch, model and hour, whose sums are
 * the counters of the batches; no answer is read.  Tokens and attempts are of
 * the model that was asked, requests of the one that the line names.  An
 * answer that was taken over from an earlier request has used nothing. */
#ifndef FSL_DOMAIN_USAGE_H
#define FSL_DOMAIN_USAGE_H

#include <stdbool.h>
#include <stdint.h>
#include "base/err.h"
#include "base/str.h"
#include "domain/batch.h"
#include "store/stmt.h"

extern const struct stmt_set usage_sql;

enum usage_by { USAGE_MODEL, USAGE_BATCH, USAGE_DAY, USAGE_STATUS };

struct usage;

struct usage_options {
	int by;               /* enum usage_by */
	int64_t since_ms;     /* only what ended then or later, by whole hours (UTC); 0: all */
	bool named;           /* somebody asked for these batches */
	const char *prices;   /* a file (domain/prices.h), or NULL */
};

struct usage *usage_new(struct db *db, const struct usage_options *o, struct err *e) MUST_CHECK;
void usage_free(struct usage *u); /* NULL is fine */
void usage_cleanup(struct usage **u);

/* Adds a batch; a batch_fn, with the usage as its context.  With `named` or
 * without since_ms also models, batches and statuses of which nothing has ended
 * are there. */
int usage_add(void *usage, const struct batch *b, struct err *e) MUST_CHECK;

struct usage_row {
	struct span what;   /* the model, "batch_<hex>", "2026-11-21" (UTC), "in_progress" */
	int64_t requests;   /* that ended as completed or failed */
	int64_t attempts;   /* that ended */
	int64_t input_tokens, cached_tokens, output_tokens, reasoning_tokens;
	struct span cost;   /* as prices_text(); SPAN_NONE: not known */
};

/* Models: most tokens first; batches as they were added; days and statuses in
 * their order. */
typedef int usage_fn(void *ctx, const struct usage_row *r, struct err *e);
int usage_each(const struct usage *u, usage_fn *fn, void *ctx, struct err *e) MUST_CHECK;

/* The models that have used something and have no price, which makes costs
 * unknown, with ", " between them; "" without prices. */
const char *usage_unpriced(const struct usage *u);
/* Logs them as a warning, if there are any. */
void usage_complain(const struct usage *u);

#endif
