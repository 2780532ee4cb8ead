/* model: the keys that limits speak of, each text once in the state file. */
#ifndef FSL_DOMAIN_MODEL_H
#define FSL_DOMAIN_MODEL_H

#include <stdint.h>
#include "base/err.h"
#include "base/str.h"
#include "store/stmt.h"

extern const struct stmt_set model_sql;

/* The model's row, made if need be; inside a write transaction.  -1 on error. */
int64_t model_intern(struct db *db, struct span name, struct err *e) MUST_CHECK;

#endif
