/* target: where and how the requests of one batch are sent.
 *
 * Made once per batch and run, by the ledger; immutable from then on, so that
 * both threads may read it. */
#ifndef FSL_ENGINE_TARGET_H
#define FSL_ENGINE_TARGET_H

#include <stdbool.h>
#include <stdint.h>
#include "base/err.h"
#include "domain/batch.h"
#include "engine/http.h"
#include "engine/label.h"
#include "engine/trace.h"

enum { TARGET_HEADERS = 100 /* of --header */, TARGET_LINES = TARGET_HEADERS + LABEL_MAX };

struct target {
	int64_t batch, file;
	struct id uuid;
	char *base_url;
	struct str origin;             /* of the base URL: the key goes nowhere else */
	struct send send;              /* every member set */
	struct http_limits limits;
	char *names[TARGET_LINES], *values[TARGET_LINES];
	int n_headers;                 /* of --header, then the labels */
	char *key_name, *key_value;    /* NULL: no key, or a --header of that name */
	char *secret;                  /* the key alone: no message shows it; or NULL */
	struct httphead *with_key, *without_key;
	const struct trace *trace;     /* NULL: no traceparent, or a --header of that name */
	bool labels;                   /* each request has its own, too */
	struct err problem;            /* set: it cannot be sent (no key) */
};

/* Never fails: what stands in the way is in `problem`.  `trace` may be NULL; it
 * must outlive the target. */
struct target *target_new(const struct batch *b, const struct send *defaults,
			  const struct trace *trace);
void target_free(struct target *t); /* wipes the key */

/* Has the batch a header of its own with this name? */
bool target_has(const struct target *t, const char *name);

#endif
