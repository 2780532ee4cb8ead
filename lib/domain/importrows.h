/* importrows: the rows of a file while it is imported.
 *
 * Lines are gathered in memory (2 MiB or 10,000 of them) and go in by
 * transactions of their own, so that nobody waits for our input.  Meanwhile
 * the file's row is invisible and names the byte of the side file that this
 * process holds (files.loader): if it dies, the next writer sweeps the rows.
 *
 * A file that is imported automatically keeps the byte until the connection is
 * closed, and files.automatic names it: nobody takes the file for one that no
 * batch needs before it has got its batch. */
#ifndef FSL_DOMAIN_IMPORTROWS_H
#define FSL_DOMAIN_IMPORTROWS_H

#include <stdbool.h>
#include <stdint.h>
#include "base/err.h"
#include "base/id.h"
#include "base/str.h"
#include "domain/file.h"
#include "store/stmt.h"

extern const struct stmt_set importrows_sql;

struct importrows;

/* Sweeps what others left, and takes a byte. */
struct importrows *importrows_open(struct db *db, bool automatic, struct err *e) MUST_CHECK;
/* Without importrows_finish() before it, what was stored is removed. */
void importrows_close(struct importrows *r); /* NULL is fine */
void importrows_cleanup(struct importrows **r);

struct importrows_line {
	uint32_t number;       /* physical, ascending */
	struct span raw;       /* the bytes to store, without their LF */
	struct span custom_id, model;
	struct id hash;        /* line_hash() */
};
int importrows_add(struct importrows *r, const struct importrows_line *l,
		   struct err *e) MUST_CHECK;

/* What is known at the end. */
struct importrows_end {
	const char *name;      /* --name, or NULL */
	const char *filename;
	int64_t bytes;         /* of the input */
	struct id hash;        /* of the input, and of what changed its lines */
	bool automatic;
	bool share;            /* the same content: the file that is there */
};

/* The last transaction: the file is there, whole.  ERR_STATE: the name is
 * taken by another file.  *existed: `share` found the same content; an
 * explicit import has made it explicit and named it, if it had no name. */
int importrows_finish(struct importrows *r, const struct importrows_end *end,
		      struct file *out, bool *existed, struct err *e) MUST_CHECK;

/* The same for content that is known to be good, and need not be stored:
 * 1 it is there, and `out` tells of it, 0 it is not, -1. */
int importrows_share(struct importrows *r, const struct importrows_end *end,
		     struct file *out, struct err *e) MUST_CHECK;

/* ERR_STATE if the name is taken, whatever the content. */
int importrows_check_name(struct db *db, const char *name, struct err *e) MUST_CHECK;

#endif
