/* rest: waiting until a dataset is at rest.
 *
 * Woken by the doorbell of the side file, and every few seconds in case it
 * could not be rung.  Holds no transaction while it waits. */
#ifndef FSL_ENGINE_REST_H
#define FSL_ENGINE_REST_H

#include <stdint.h>
#include "base/err.h"
#include "domain/dataset.h"
#include "store/db.h"
#include "store/stmt.h"

extern const struct stmt_set rest_sql;

/* Waits until nothing of the dataset is queued or running, or until nobody is
 * left who could move what is: no worker lives, and nothing of it was reported
 * as running from elsewhere or is computed elsewhere.  timeout_ms -1: none.
 * Returns the exit status (dataset_exit(); 4 also when it gave up) and says on
 * stderr why it is 4. */
int rest_wait(struct db *db, const char *dataset, int64_t timeout_ms, struct err *e) MUST_CHECK;

#endif
