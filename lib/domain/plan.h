/* plan: a plan as somebody wrote it, and whether it is one.
 *
 * The format is Fletcher's, and its short form with names in place of ids;
 * fletcher-plan(5) describes both.  Here a file is read and its rules are
 * checked; domain/publish compares it with what is stored.
 *
 * Values of passthrough and extra are kept as they stand, without white space
 * between tokens. */
#ifndef FSL_DOMAIN_PLAN_H
#define FSL_DOMAIN_PLAN_H

#include <stdbool.h>
#include <stdint.h>
#include "base/arena.h"
#include "base/err.h"
#include "base/id.h"
#include "base/idmap.h"
#include "base/str.h"
#include "domain/fields.h"
#include "domain/params.h"

enum { PLAN_MAX_BYTES = 1 << 30, PLAN_MAX_NODES = 10000000, PLAN_NAME_MAX = 1024 };

/* The namespace of dataset ids: UUIDv5 of the name in it.  A product's id is
 * UUIDv5 of its name in its dataset's id. */
#define PLAN_NAMESPACE "4591c0fc-6995-4989-9b82-285c42eba0d9"

struct plan_product {
	struct id id;              /* by name: from plan_resolve() on */
	bool by_name;              /* the file gave a name and no id */
	struct span name, version;
	struct span passthrough, extra; /* compact JSON; SPAN_NONE: null */
	const char *compute;       /* static */
	bool eager;
};

/* One end of a dependency. */
struct plan_end {
	bool by_name;
	struct id id;              /* by name: from plan_resolve() on */
	struct span name;
	uint32_t node;             /* from plan_resolve() on: a product, or above
				    * them an outsider */
};

struct plan_edge {
	struct plan_end parent, child;
	struct span extra;
};

struct plan {
	char *file;                /* for messages */
	char *dir;                 /* of the file; where its commands run */
	bool has_dir;              /* false: it came from standard input, dir is the process's */
	struct str text;
	struct arena texts;  /* texts that do not stand in `text` as they are */
	bool has_id;
	struct id id;              /* of the dataset, if has_id */
	struct span name;          /* of the dataset; SPAN_NONE: none */
	struct span extra;
	struct plan_product *products;
	uint32_t n_products;
	struct plan_edge *edges;
	uint32_t n_edges;
	struct params params;
	int warned;
	bool advised;              /* domain/advice.h has looked at it */
	/* From plan_resolve() on: */
	struct idmap *by_id;       /* nodes */
	struct id *outsiders;      /* stored products that dependencies name; their
				    * nodes are n_products and up */
	uint32_t n_outsiders;
};

#define PLAN_INIT { .file = NULL }
void plan_release(struct plan *p);

struct plan_options {
	const char *dataset;       /* --dataset: a name or a UUID, in place of the file's; or NULL */
	const char *const *sets;   /* --set, n_sets of them */
	int n_sets;
};

/* Reads FILE or "-".  ERR_NOINPUT; ERR_INPUT with the place. */
int plan_read(const char *path, const struct plan_options *o, struct plan *out,
	      struct err *e) MUST_CHECK;
/* The same of a text; dir is borrowed. */
int plan_parse(const char *file, struct span text, const char *dir, const struct plan_options *o,
	       struct plan *out, struct err *e) MUST_CHECK;

/* The id of its dataset if that is not stored under its name: the one it has,
 * or that of the name. */
struct id plan_dataset_id(const struct plan *p);

/* What is stored: with a name, whether one live product has it (then *id is
 * its id); without, whether *id is that of a live product.  1, 0, -1.  NULL:
 * nothing is stored. */
typedef int plan_stored_fn(void *ctx, struct span name, struct id *id, struct err *e);

/* Gives ids to what has names, and checks, in Fletcher's order and words:
 * duplicate product, duplicate dependency, unknown parent, unknown child.
 * ERR_INPUT. */
int plan_resolve(struct plan *p, struct id dataset, plan_stored_fn *stored, void *ctx,
		 struct err *e) MUST_CHECK;

#endif
