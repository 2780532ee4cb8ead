/* passback: what a run of a data product gives back, as the JSON of its report.
 *
 * A batch: {"batch":"batch_…","counts":{"total",…},"usage":{"input_tokens",…}}.
 * A command: {"exit_status":0,"stderr":"…"}; exit_status is null if there was
 * none, and one that failed has "error" too.  What was handed over, or was to be:
 * {"batch":"batch_…","status":202,"code":null,"message":null}, one that failed
 * with "error" in front.  Anything else: {"error":"…"}. */
#ifndef FSL_ENGINE_PASSBACK_H
#define FSL_ENGINE_PASSBACK_H

#include <stdbool.h>
#include "base/str.h"
#include "domain/batch.h"
#include "domain/passthrough.h"
#include "domain/produce.h"
#include "engine/child.h"

/* All of these replace what is in *out.  `label` is "DATASET/PRODUCT", for the
 * warning when it has failed.  True: the command has succeeded. */
bool passback_command(const struct child *c, const struct passthrough *pass, const char *label,
		      struct str *out);
void passback_error(const char *label, const char *why, struct str *out);
/* The batch has been handed over, with or without success: `a` is the answer.
 * And the link. */
void passback_handover(const char *label, const struct batch *b, const struct produce_answer *a,
		       struct str *link, struct str *out);
/* And the link, "fsl:batch_…". */
void passback_batch(const struct batch *b, struct str *link, struct str *out);

#endif
