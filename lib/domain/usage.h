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
#include "domain/prices.h"
#include "store/stmt.h"

extern const struct stmt_set usage_sql;

enum usage_by { USAGE_MODEL, USAGE_BATCH, USAGE_DAY, USAGE_STATUS };

struct usage;

/* since_ms: only what ended then or later, by whole hours of UTC; 0: all, and
 * then also groups in which nothing has ended.  `prices` may be NULL. */
struct usage *usage_new(enum usage_by by, int64_t since_ms, const struct prices *prices);
void usage_free(struct usage *u); /* NULL is fine */
void usage_cleanup(struct usage **u);

/* `named`: somebody asked for this batch: it has groups even if nothing of it
 * has ended since then (but for days). */
int usage_add(struct usage *u, struct db *db, const struct batch *b, bool named,
	      struct err *e) MUST_CHECK;

struct usage_row {
	struct span what;   /* the model, "batch_<hex>", "2026-11-21" (UTC), "in_progress" */
	int64_t requests;   /* that ended as completed or failed */
	int64_t attempts;   /* that ended */
	int64_t input_tokens, cached_tokens, output_tokens, reasoning_tokens;
	int64_t cost;       /* pico-dollars; -1: not known */
};

/* Models: most tokens first; batches as they were added; days and statuses in
 * their order. */
typedef int usage_fn(void *ctx, const struct usage_row *r, struct err *e);
int usage_each(const struct usage *u, usage_fn *fn, void *ctx, struct err *e) MUST_CHECK;

/* The models that have used something and have no price, which makes costs
 * unknown, with ", " between them, appended; how many.  0 without prices. */
int usage_unpriced(const struct usage *u, struct str *out);

#endif
