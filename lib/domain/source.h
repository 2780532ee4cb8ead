/* source: the pending requests of one batch, read ahead queue by queue.
 *
 * Rows come in line order across the batch's queues (one per model); what is
 * due again comes first, by due time.  A queue without room is passed over.
 * domain/claim.h chooses between batches. */
#ifndef FSL_DOMAIN_SOURCE_H
#define FSL_DOMAIN_SOURCE_H

#include <stdbool.h>
#include <stdint.h>
#include "base/err.h"
#include "store/stmt.h"

extern const struct stmt_set source_sql;

/* A retry is never due later than this: what is has been written by a clock
 * that was set wrong, and is due now.  (--retry-max-delay is at most a day,
 * what a server asks for an hour.) */
enum { SOURCE_DUE_MAX_MS = 25 * 3600 * 1000 };

/* A request to start. */
struct claim_row {
	int64_t row, queue;
};

/* How many of this queue may start now, asked once per call and only when it has
 * something to start: *room is counted down, several queues may share it, and it
 * may have less after others were asked for; NULL on error. */
typedef int64_t *claim_room_fn(void *ctx, int64_t batch, int64_t queue, struct err *e);
struct claim_gate {
	claim_room_fn *room; /* NULL: there is always room */
	void *ctx;
};

struct source {
	int64_t batch, priority;
	int64_t expires;         /* INT64_MAX: never */
	struct feed *feeds;      /* a heap by the line of their next row */
	int n_feeds, n_heap;     /* those in the heap have a next row */
	bool heaped;
};

/* Reads the queues; 1, 0 if nothing is pending. */
int source_load(struct source *s, struct db *db, struct err *e) MUST_CHECK;
void source_release(struct source *s);

/* A call begins: rooms are asked for anew. */
void source_begin(struct source *s);

/* At most n rows; how many. */
int source_take(struct source *s, struct db *db, const struct claim_gate *gate,
		int64_t now_ms, struct claim_row *rows, int n, struct err *e) MUST_CHECK;

/* When the next row is due that this call did not give: 0 at once, -1 none, or
 * all wait for room. */
int source_due(struct source *s, struct db *db, int64_t now_ms, int64_t *due,
	       struct err *e) MUST_CHECK;

int64_t source_pending(const struct source *s);

#endif
