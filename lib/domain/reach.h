/* reach: what is downstream of stored data products. */
#ifndef FSL_DOMAIN_REACH_H
#define FSL_DOMAIN_REACH_H

#include <stdint.h>
#include "base/err.h"
#include "store/stmt.h"

extern const struct stmt_set reach_sql;

/* Is any of these products (data_products.id) on a cycle of live ones?
 * ERR_STATE: "Graph is cyclical: a -> b -> c -> a".  Costs what is downstream
 * of them. */
int reach_check(struct db *db, const int64_t *ids, int n, struct err *e) MUST_CHECK;

#endif
