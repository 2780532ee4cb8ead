/* stats: what the requests of a file come to, per model. */
#ifndef FSL_DOMAIN_STATS_H
#define FSL_DOMAIN_STATS_H

#include <stdint.h>
#include "base/err.h"
#include "base/str.h"
#include "domain/import.h"
#include "domain/line.h"

struct stats;

struct stats *stats_new(void);
void stats_free(struct stats *s); /* NULL is fine */
void stats_cleanup(struct stats **s);

void stats_add(struct stats *s, const struct line *l);
/* All lines of a stored file, or of an input that is checked on the way as
 * import_check() does (but for urls and secrets, which do not matter here). */
int stats_add_file(struct stats *s, struct db *db, int64_t file, struct err *e) MUST_CHECK;
int stats_add_input(struct stats *s, struct import *im, struct err *e) MUST_CHECK;

struct stats_model {
	struct span model;          /* valid as long as the stats */
	int64_t requests;
	int64_t body_bytes;         /* as they are sent */
	int64_t input_tokens;       /* estimated: a token has four bytes */
	int64_t max_output_tokens;  /* sum of what the lines allow; -1: none says */
};

/* Calls fn for each model, most requests first, then by name. */
typedef int stats_fn(void *ctx, const struct stats_model *m, struct err *e);
int stats_each(struct stats *s, stats_fn *fn, void *ctx, struct err *e) MUST_CHECK;

#endif
