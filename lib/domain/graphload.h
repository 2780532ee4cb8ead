/* graphload: the graph of a stored dataset, or of a plan as it was written. */
#ifndef FSL_DOMAIN_GRAPHLOAD_H
#define FSL_DOMAIN_GRAPHLOAD_H

#include <stdint.h>
#include "base/err.h"
#include "domain/graph.h"
#include "domain/plan.h"
#include "store/stmt.h"

extern const struct stmt_set graphload_sql;

/* The dataset that the operand names, as it is at one moment, in the order of
 * publication; disabled products too.  Settled.  now_ms: the wall clock, for
 * what is estimated. */
int graphload_dataset(struct db *db, const char *dataset, int64_t now_ms, struct graph *out,
		      struct err *e) MUST_CHECK;

/* The products and dependencies of the plan, in its order, with ids as publish
 * would give them (the plan is resolved).  What is stored of its dataset gives
 * states, and stored products that the plan speaks of are behind its own; db
 * NULL: nothing is stored.  Settled.  ERR_INPUT: as plan_resolve(), or a cycle. */
int graphload_plan(struct db *db, struct plan *p, int64_t now_ms, struct graph *out,
		   struct err *e) MUST_CHECK;

#endif
