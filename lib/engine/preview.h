/* preview: fsl-run -n: what a run would send and what it would cost.  Nothing
 * is sent, and nothing changes.
 *
 * For each base URL, key reference and model: requests, estimated tokens, the
 * most that it may cost, whether the key resolves, and the first request as a
 * curl(1) command with the key as a variable.  The text is one for sh(1): all
 * but the commands are comments.  In JSON it is an object a line:
 * {"base_url","key","key_resolves","model","requests","input_tokens",
 * "max_output_tokens","unlimited","max_cost","custom_id","curl"}. */
#ifndef FSL_ENGINE_PREVIEW_H
#define FSL_ENGINE_PREVIEW_H

#include <stdbool.h>
#include <stdint.h>
#include "base/err.h"
#include "base/str.h"
#include "domain/compute.h"
#include "domain/create.h"
#include "engine/oneshot.h"
#include "store/db.h"

struct preview {
	/* -i: what oneshot_begin() would be given.  The file is checked and not
	 * imported.  If the same command has been given before, what is left of its
	 * batch counts. */
	const struct oneshot *shot; /* NULL: batches */
	const struct create_options *create;
	const char *db_path;     /* the state file need not be there */
	/* Else these, or all that are open. */
	struct db *db;
	const int64_t *batches;  /* rows; NULL: all of `user` */
	int n_batches;
	const char *user;        /* NULL: of anybody */
	/* With all that are open, also the queued remote products of `user`; their
	 * run_id, which is not known yet, is all zeros.  NULL: none. */
	const struct compute *compute;
	/* In both cases: */
	const char *prices;      /* the file of --prices, or NULL */
	bool json;
};

/* Appends it to *out.  Bad lines of the file are told on stderr (ERR_INPUT);
 * options and outputs are checked as oneshot_begin() does. */
int preview_run(const struct preview *p, struct str *out, struct err *e) MUST_CHECK;

#endif
