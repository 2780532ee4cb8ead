/* import: a JSONL file of requests, checked and stored whole or not at all.
 *
 * Lines go in by chunks (2 MiB or 10,000 lines), each its own transaction, so
 * that other writers wait for milliseconds; the file is invisible until the
 * last one.  Whatever kills the import leaves no file: the next writer sweeps
 * what it left (file_sweep), told by the byte of the side file.
 *
 * A line without a url or model that gets it from `rules` is stored with it: the
 * member is appended to the line, so that sending and export know it too.
 * files.hash is that of the input; where lines were changed like that or left
 * out (`skipped`), it is that of the input and of what did it.
 *
 * Accepted: a UTF-8 BOM at the start, CR LF, blank lines, a missing last
 * newline (with `strict` each of these is LINE_NOT_STRICT). */
#ifndef FSL_DOMAIN_IMPORT_H
#define FSL_DOMAIN_IMPORT_H

#include <stdbool.h>
#include <stdint.h>
#include "base/err.h"
#include "base/outfile.h"
#include "domain/file.h"
#include "domain/line.h"

struct import {
	/* asked for */
	const char *path;       /* "-" is standard input */
	const char *filename;   /* NULL: the last component of the path */
	const char *name;       /* --name, or NULL */
	struct line_rules rules;
	bool strict;            /* the limits of OpenAI's service as well */
	bool if_absent;         /* the same content: the file that is there */
	bool automatic;         /* by create or -i */
	int64_t max_errors;     /* problems reported before giving up: 1 to 1,000,000 */
	int64_t max_line;       /* bytes */
	struct outfile *skipped;/* bad lines go there and the import goes on; or NULL */
	const char *endpoint;   /* every line's url must be this one, or NULL */
	void (*problem)(void *ctx, const char *file, int64_t line,
			const struct line_problem *why);
	void (*progress)(void *ctx, int64_t lines, int64_t bytes); /* of the input */
	void *ctx;
	void (*line)(void *ctx, const struct line *l); /* each good one, or NULL */
	void *line_ctx;
	/* found */
	int64_t lines;          /* good ones */
	int64_t bad;            /* problems */
	bool existed;           /* if_absent found the same content */
	struct id hash;         /* by import_check(): files.hash, if it were stored */
};

#define IMPORT_INIT { .max_errors = 20, .max_line = 32 << 20 }

/* Checks and stores.  ERR_INPUT if anything is wrong with the lines (each was
 * reported through `problem`, with `skipped` the first max_errors of them),
 * ERR_STATE if the name is taken by another content. */
int import_run(struct db *db, struct import *im, struct file *out, struct err *e) MUST_CHECK;

/* Logs a problem as an error: "in.jsonl:17:15: duplicate_custom_id: …". */
void import_complain(const char *file, int64_t line, const struct line_problem *why);

/* The same checks, nothing stored; needs no state file. */
int import_check(struct import *im, struct err *e) MUST_CHECK;

#endif
