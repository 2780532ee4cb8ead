/* select: choosing requests of a batch: to list, to retry, to find one. */
#ifndef FSL_DOMAIN_SELECT_H
#define FSL_DOMAIN_SELECT_H

#include <stdbool.h>
#include <stdint.h>
#include "base/err.h"
#include "base/str.h"
#include "domain/batch.h"
#include "domain/request.h"

extern const struct stmt_set select_sql;

/* Selecting requests of a batch, in line order, paged by key. */
struct select {
	unsigned states;              /* bit per state; 0: all */
	bool retrying;                /* only pending ones that were tried */
	int http[32];                 /* 429, or 500 + 1000 for 5xx; n_http of them */
	int n_http;
	/* NULL-terminated (an empty one matches nothing), or NULL: any. */
	const char *const *codes, *const *custom_ids;
	bool bare;                    /* what the answers say of tokens is not wanted */
};
/* "429,5xx" into http[]; "failed,retrying" into states; ERR_USAGE. */
int select_http(struct select *f, const char *list, struct err *e) MUST_CHECK;
int select_states(struct select *f, const char *list, struct err *e) MUST_CHECK;

struct select_row {
	int64_t row;
	struct span custom_id, model;
	enum request_state state;
	bool retrying;
	int64_t attempts;
	int64_t next_ms;              /* 0: none */
	/* of the last attempt that ended: */
	int64_t status;               /* 0: none */
	int64_t took_ms;              /* -1: unknown or none */
	struct span code, message;    /* SPAN_NONE: none */
	/* of the answer: */
	int64_t input_tokens, output_tokens; /* -1: unknown, or it was reused */
};
typedef int select_fn(void *ctx, const struct select_row *r, struct err *e);
/* Calls fn for each; returns how many, or -1.  fn may not write. */
int64_t select_each(struct db *db, const struct batch *b,
		     const struct select *f, select_fn *fn, void *ctx,
		     struct err *e) MUST_CHECK;
/* The line that has this custom_id: 1 and *row, 0: none, -1. */
int select_custom_id(struct db *db, const struct batch *b, struct span custom_id,
			 int64_t *row, struct err *e) MUST_CHECK;
/* ERR_NOTFOUND: names the first of them that the batch does not have. */
int select_check_ids(struct db *db, const struct batch *b, const char *const *custom_ids,
		     struct err *e) MUST_CHECK;

/* Puts the chosen requests (default: failed, cancelled, expired) back and
 * reopens the batch, its stamps cleared.  With window_ms it has a new completion
 * window, from now on; without (0), one of the same length if the old one has
 * passed.  Returns how many; ERR_STATE if its templates are gone. */
int64_t select_retry(struct db *db, const struct batch *b, const struct select *f,
		     int64_t window_ms, struct err *e) MUST_CHECK;

/* How many those are now. */
int64_t select_retry_count(struct db *db, const struct batch *b,
			   const struct select *f, struct err *e) MUST_CHECK;

#endif
