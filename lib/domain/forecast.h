/* forecast: what it would come to if it were sent now: requests and tokens by
 * base URL, key reference and model.
 *
 * Tokens are estimated as domain/stats.h does: of the input one for four bytes
 * of the body, of the output as many as each line allows. */
#ifndef FSL_DOMAIN_FORECAST_H
#define FSL_DOMAIN_FORECAST_H

#include <stdint.h>
#include "base/err.h"
#include "base/str.h"
#include "domain/batch.h"
#include "domain/line.h"
#include "store/stmt.h"

extern const struct stmt_set forecast_sql;

struct forecast;

struct forecast *forecast_new(void);
void forecast_free(struct forecast *f); /* NULL is fine */
void forecast_cleanup(struct forecast **f);

/* A line of a batch that is not made yet; of `b` base URL and key count. */
void forecast_line(struct forecast *f, const struct batch *b, const struct line *l);

/* The requests of a batch in these states (a bit per enum request_state).
 * Pages by key: holds no read transaction for long. */
int forecast_batch(struct forecast *f, struct db *db, const struct batch *b, unsigned states,
		   struct err *e) MUST_CHECK;

struct forecast_group {
	struct span base_url;   /* of the batch; the origin of lines that go elsewhere */
	struct span key;        /* the reference; "none" for those lines: it is not sent there */
	struct span model;
	int64_t requests;
	int64_t body_bytes, input_tokens;
	int64_t max_output_tokens; /* of the lines that say how many they allow */
	int64_t unlimited;      /* lines that do not */
	/* The first of them: its batch and row; or, if batch is 0, its line. */
	int64_t batch, row;
	struct span raw;
};

/* In the order in which they were met; the spans are valid as long as the
 * forecast. */
typedef int forecast_fn(void *ctx, const struct forecast_group *g, struct err *e);
int forecast_each(const struct forecast *f, forecast_fn *fn, void *ctx,
		  struct err *e) MUST_CHECK;

#endif
