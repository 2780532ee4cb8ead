/* passthrough: what a plan says of the work of a data product, checked and made
 * into values.
 *
 * A `batch` has exactly one of "file" and "prepare", and members that are the
 * options of `fsl-batch create`; an `exec` has "argv".  Each member may stand
 * there once, and one that is not known is an error: a limit that was
 * misspelled is none. */
#ifndef FSL_DOMAIN_PASSTHROUGH_H
#define FSL_DOMAIN_PASSTHROUGH_H

#include <stdbool.h>
#include <stdint.h>
#include "base/err.h"
#include "base/str.h"
#include "domain/create.h"

enum {
	PASSTHROUGH_ARGS = 1000,                 /* of a command */
	PASSTHROUGH_OUTPUT_MAX = 512 << 20,      /* a value in SQLite has at most 10^9 bytes */
};

struct passthrough {
	char *file;              /* a path or "file-…"; NULL: a command writes the lines */
	char **argv;             /* the command, NULL behind it; NULL: there is none */
	int argc;
	bool parents;            /* its stdin has the output lines of the parents */
	int64_t timeout_ms;      /* of the command: 1 s to 30 d */
	int64_t max_output;      /* bytes of its stdout: 1 to PASSTHROUGH_OUTPUT_MAX */
	char *max_failed;        /* as num_portion() takes it */
	struct create_options options; /* of a batch; point into the rest: do not copy */
	char **texts;            /* owned */
	int n_texts;
	const char **headers, **metadata;
};

#define PASSTHROUGH_INIT { .options = CREATE_OPTIONS_INIT }
void passthrough_release(struct passthrough *p);

/* `compute` is "batch" or "exec", `json` valid JSON (SPAN_NONE: null), `dir` the
 * plan's directory, in which a key's file:PATH is looked for.  ERR_INPUT names
 * the member: "passthrough.max_failed: '5x' is not a number …". */
int passthrough_parse(const char *compute, struct span json, const char *dir,
		      struct passthrough *out, struct err *e) MUST_CHECK;

/* Is it "file-<hex>", that is a file of the state file? */
bool passthrough_is_id(const char *file);

#endif
