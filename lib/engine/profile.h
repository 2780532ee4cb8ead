/* profile: what the row of a worker tells of how it was started.
 *
 *     {"jobs":16,"grace_ms":30000,"user":"ann","batches":[3,7],"datasets":[2],
 *      "defaults":{"retries":9}}
 *
 * Others read it: domain/recall how long a cancelled request may fly on,
 * domain/roster what the worker takes, domain/worker how often it may send.  No
 * secret is in it. */
#ifndef FSL_ENGINE_PROFILE_H
#define FSL_ENGINE_PROFILE_H

#include "base/str.h"
#include "engine/run.h"

/* Appends it.  "batches" is null if it takes all of the user (null: of anybody);
 * "datasets" and "defaults" are left out if there are none. */
void profile_write(const struct run_options *o, struct str *out);

#endif
