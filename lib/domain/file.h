/* file: the noun; what an import has stored.  Importing is domain/import. */
#ifndef FSL_DOMAIN_FILE_H
#define FSL_DOMAIN_FILE_H

#include <stdbool.h>
#include <stdint.h>
#include "base/err.h"
#include "base/id.h"
#include "base/str.h"
#include "store/stmt.h"

extern const struct stmt_set file_sql;

struct file {
	int64_t id;
	struct id uuid;
	char *name;     /* NULL: none */
	char *filename;
	int64_t bytes, requests, created_ms;
	struct id hash; /* XXH3-128 of the input */
	char *user;
	bool automatic; /* goes with its last batch */
	bool deleted;   /* hidden, kept for the batches that show it */
};

#define FILE_INIT { 0 }
void file_release(struct file *f);

enum { FILE_ID_BUF = 5 + ID_HEX + 1 };
char *file_id_text(struct id uuid, char *buf); /* "file-<32 hex>" */

/* Whole and not deleted ones only.  ERR_NOTFOUND: none, or the prefix is
 * ambiguous (the message names two). */
int file_find(struct db *db, const char *operand, struct file *out, struct err *e) MUST_CHECK;
/* By row, deleted ones too. */
int file_get(struct db *db, int64_t id, struct file *out, struct err *e) MUST_CHECK;
/* The newest whole, not deleted file with this content: 1, none: 0, -1. */
int file_by_hash(struct db *db, struct id hash, struct file *out, struct err *e) MUST_CHECK;

/* Newest first; pages by key.  Start with *after = 0; up to `limit` calls of
 * fn; returns how many, or -1 (also when fn returns -1). */
typedef int file_fn(void *ctx, const struct file *f, struct err *e);
int file_list(struct db *db, int64_t *after, int limit, file_fn *fn, void *ctx,
	      struct err *e) MUST_CHECK;

/* Models of a file and their counts, most requests first. */
typedef int file_model_fn(void *ctx, struct span model, int64_t requests, struct err *e);
int file_models(struct db *db, int64_t id, file_model_fn *fn, void *ctx,
		struct err *e) MUST_CHECK;

/* The lines in order; holds no long read transaction: it pages by key. */
typedef int file_line_fn(void *ctx, uint32_t line, struct span raw, struct err *e);
int file_lines(struct db *db, int64_t id, file_line_fn *fn, void *ctx,
	       struct err *e) MUST_CHECK;

/* The bytes of one line: 1, 0 if there is none, -1. */
int file_line(struct db *db, int64_t id, uint32_t line, struct str *raw,
	      struct err *e) MUST_CHECK;

/* Deletes the file: ERR_STATE while a batch that is not terminal needs it.
 * If batches still show it, it is only hidden and goes with the last of
 * them.  Rows go in steps of 10,000 or 4 MiB, each its own transaction. */
int file_delete(struct db *db, int64_t id, struct err *e) MUST_CHECK;
/* What it would say; changes nothing. */
int file_check_delete(struct db *db, int64_t id, struct err *e) MUST_CHECK;

/* What a writer does first: removes files whose import died, and hidden or
 * automatic ones that no batch needs any more.  An automatic one that another
 * living process has imported stays: it may be about to get its batch.  Takes
 * its own transactions. */
int file_sweep(struct db *db, struct err *e) MUST_CHECK;

#endif
