/* publishrows: the rows that publish reads, compares and writes; for
 * domain/publish, inside its write transaction. */
#ifndef FSL_DOMAIN_PUBLISHROWS_H
#define FSL_DOMAIN_PUBLISHROWS_H

#include <stdbool.h>
#include <stdint.h>
#include "base/err.h"
#include "base/id.h"
#include "domain/cascade.h"
#include "domain/plan.h"
#include "store/stmt.h"

extern const struct stmt_set publishrows_sql;

/* In what a stored product differs from the plan. */
enum {
	PUBLISHROWS_COMPUTE = 1, PUBLISHROWS_NAME = 2, PUBLISHROWS_VERSION = 4,
	PUBLISHROWS_EAGER = 8, PUBLISHROWS_PASSTHROUGH = 16, PUBLISHROWS_EXTRA = 32,
	/* those that make another run of it */
	PUBLISHROWS_RUN = PUBLISHROWS_COMPUTE | PUBLISHROWS_VERSION | PUBLISHROWS_PASSTHROUGH,
};

/* A node of the plan (domain/plan.h) and its row. */
struct publishrows_node {
	int64_t id;          /* 0: it is not stored */
	bool is_new;         /* it was not, before publishrows_insert() */
	enum state state;
	unsigned differs;    /* bits as above */
	int64_t parents;     /* what its new dependencies add to parents_left */
	char *name;          /* of an outsider */
};

/* Looks the product of the dataset up; v NULL: it is an outsider with this
 * uuid, nothing is compared. */
int publishrows_find(struct db *db, int64_t dataset, struct id uuid, const struct plan_product *v,
		     struct publishrows_node *out, struct err *e) MUST_CHECK;

/* A new product that waits; sets n->id. */
int publishrows_insert(struct cascade *c, const struct plan_product *v,
		       struct publishrows_node *n, struct err *e) MUST_CHECK;
/* What differs becomes that of the plan. */
int publishrows_update(struct cascade *c, const struct plan_product *v,
		       const struct publishrows_node *n, struct err *e) MUST_CHECK;

/* Is the dependency stored?  1: as it is in the plan; 2: with another extra;
 * 0: no. */
int publishrows_edge(struct db *db, int64_t parent, int64_t child, struct span extra,
		     struct err *e) MUST_CHECK;
/* A new one, or another extra of one that is there; recorded as a change of the
 * child unless that is new. */
int publishrows_put_edge(struct cascade *c, int64_t parent, const struct publishrows_node *child,
			 struct span extra, struct err *e) MUST_CHECK;
/* Recorded as a change of the child. */
int publishrows_drop_edge(struct cascade *c, int64_t parent, int64_t child,
			  struct err *e) MUST_CHECK;

/* The dependencies of a dataset; with `live`, those between products that are
 * not disabled.  fn may not write. */
typedef int publishrows_edge_fn(void *ctx, int64_t parent, int64_t child, enum state of_parent,
				struct err *e);
int publishrows_each_edge(struct db *db, int64_t dataset, bool live, publishrows_edge_fn *fn,
			  void *ctx, struct err *e) MUST_CHECK;

/* The products of a dataset that are not disabled.  fn may not write; 1 stops. */
typedef int publishrows_live_fn(void *ctx, int64_t id, struct span name, struct err *e);
int publishrows_each_live(struct db *db, int64_t dataset, publishrows_live_fn *fn, void *ctx,
			  struct err *e) MUST_CHECK;

/* Appends the names of all products, folded, each once, a line each. */
int publishrows_words(struct db *db, int64_t dataset, struct str *out, struct err *e) MUST_CHECK;

#endif
