/* post: how the platform of a remote product is told to start it: a batch of one
 * request, made and sent as any other.
 *
 *     POST URL
 *     {"dataset":"<UUID>","product":"<UUID>","run_id":"<UUID>","name":"…",
 *      "version":"…","passthrough":…}
 *
 * The passthrough is that of the plan, byte for byte as it is stored, or null. */
#ifndef FSL_ENGINE_POST_H
#define FSL_ENGINE_POST_H

#include "base/err.h"
#include "base/id.h"
#include "base/str.h"
#include "domain/product.h"
#include "store/db.h"

/* Appends the input line.  Its custom_id is the product's name if that may be
 * one, else the product's id.  `passthrough` is JSON or SPAN_NONE. */
void post_line(const char *url, struct id dataset, const struct product *p, struct id run_id,
	       struct span passthrough, struct str *out);

/* The line in a file without a name, to be imported as /proc/self/fd/N. */
int post_spool(struct db *db, struct span line, struct err *e) MUST_CHECK;

/* How a run stands that is told by a batch. */
enum post_how {
	POST_WAITS,    /* it is not answered */
	POST_HANDED,   /* a 2xx: the platform has it */
	POST_REPORTED, /* the same, and it has reported the run already */
	POST_FAILED,
	POST_OVER,     /* nobody wants it any more: cleared, disabled, deleted */
};
/* With what is to be passed back if it was handed over or has failed; `label`
 * is "DATASET/PRODUCT". */
int post_look(struct db *db, const char *label, int64_t product, struct id run_id, int64_t batch,
	      enum post_how *how, struct str *link, struct str *passback, struct err *e) MUST_CHECK;

#endif
