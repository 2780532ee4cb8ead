/* label: the headers by which Fusillade tells a server what a request is part
 * of (--fusillade-headers).
 *
 *     X-Fusillade-Request-Id, X-Fusillade-Custom-Id     of each request
 *     X-Fusillade-Batch-Id                              batch_…
 *     x-fusillade-batch-endpoint, -created-at, -completion-window
 *     x-fusillade-batch-KEY                             of its metadata
 *
 * An underscore in a key becomes a hyphen, as there.  Keys and values that HTTP
 * forbids (wire_header()) are left out, and so is what a batch does not have;
 * of two with the same name the first counts. */
#ifndef FSL_ENGINE_LABEL_H
#define FSL_ENGINE_LABEL_H

#include "base/span.h"
#include "domain/batch.h"

#define LABEL_REQUEST "X-Fusillade-Request-Id"
#define LABEL_CUSTOM "X-Fusillade-Custom-Id"

enum { LABEL_MAX = 24 /* of a batch: 4 and 16 pairs of metadata */ };

/* Calls fn with each header of the batch, in that order.  The spans are valid
 * during the call. */
typedef void label_fn(void *ctx, struct span name, struct span value);
void label_batch(const struct batch *b, label_fn *fn, void *ctx);

#endif
