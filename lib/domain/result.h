/* result: the lines of output and errors.
 *
 * An output line: the request completed.  An error line: it failed, was
 * cancelled or expired.  Every line of the input gives exactly one of both
 * once the batch is terminal.  The forms are those of the OpenAI Batch API
 * (output file, error file); see fsl-jsonl(5). */
#ifndef FSL_DOMAIN_RESULT_H
#define FSL_DOMAIN_RESULT_H

#include <stdbool.h>
#include <stdint.h>
#include "base/err.h"
#include "base/str.h"
#include "domain/batch.h"

extern const struct stmt_set result_sql;

struct result_options {
	bool successes, errors;  /* which lines are wanted at all */
	bool completion_order;   /* else input order */
	bool with_input;         /* adds "input": the line as it was imported */
};

/* One finished request.  `line` is valid during the call; the byte behind its
 * end is an LF.  Returning -1 stops. */
typedef int result_fn(void *ctx, int64_t row, bool success, struct span line,
		      struct err *e);

/* What there is, wanted or not: of one batch as `b` says, of several as they
 * were merged. */
struct result_counts {
	int64_t successes, errors, unfinished;
};

/* All finished requests of one batch.  Pages by key: holds no read transaction
 * for long.  `after`: in completion order, start behind this answer number
 * (0: from the first) and leave the last one there; cancelled and expired
 * requests, which have no answer, come at the end, and only when the batch is
 * terminal; in input order `after` is a line.  May be NULL. */
int result_each(struct db *db, const struct batch *b, const struct result_options *o,
		int64_t *after, result_fn *fn, void *ctx, struct result_counts *counts,
		struct err *e) MUST_CHECK;

/* Several batches: one line per custom_id; a success beats a failure, then
 * the later batch in the list wins. */
int result_merge(struct db *db, const struct batch *list, int n,
		 const struct result_options *o, result_fn *fn, void *ctx,
		 struct result_counts *counts, struct err *e) MUST_CHECK;

/* The answer number (completion order) or line (input order) behind which to
 * go on after this request: for --after.  ERR_NOTFOUND. */
int result_position(struct db *db, const struct batch *b, uint32_t line,
		    bool completion_order, int64_t *after, struct err *e) MUST_CHECK;

#endif
