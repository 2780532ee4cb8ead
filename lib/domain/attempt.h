/* attempt: reading what was recorded of each attempt; `inspect` and `errors`. */
#ifndef FSL_DOMAIN_ATTEMPT_H
#define FSL_DOMAIN_ATTEMPT_H

#include <stdbool.h>
#include <stdint.h>
#include "base/err.h"
#include "base/str.h"
#include "domain/batch.h"
#include "domain/select.h"

extern const struct stmt_set attempt_sql;

struct attempt {
	int64_t row, n, worker, started_ms;
	int64_t took_ms;      /* -1: unknown, or in flight */
	bool in_flight;
	int64_t status;       /* 0: no answer */
	struct span code, message, headers, head; /* SPAN_NONE: none */
	int64_t bytes, next_ms; /* next_ms 0: it was the last */
};

/* All attempts of one request in their order, those in flight last.  The
 * spans are valid during the call.  How many, or -1. */
typedef int attempt_fn(void *ctx, const struct attempt *a, struct err *e);
int attempt_each(struct db *db, int64_t row, attempt_fn *fn, void *ctx,
		 struct err *e) MUST_CHECK;

/* The failed requests of a batch, grouped by how they ended: most first. */
struct attempt_group {
	int64_t status;       /* 0: none */
	struct span code, message;
	int64_t count;
	uint32_t line;        /* of an example */
	struct span custom_id;/* of the example */
};
typedef int attempt_group_fn(void *ctx, const struct attempt_group *g, struct err *e);
int attempt_groups(struct db *db, const struct batch *b, attempt_group_fn *fn,
		   void *ctx, struct err *e) MUST_CHECK;

/* As select_each(), but each attempt of a request is a row: its number is in
 * `attempts`, and what is said of the last attempt is said of this one. */
int64_t attempt_rows(struct db *db, const struct batch *b, const struct select *f,
		     select_fn *fn, void *ctx, struct err *e) MUST_CHECK;

#endif
