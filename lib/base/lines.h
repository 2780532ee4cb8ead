/* lines: a file, read line by line, with a limit.
 *
 * A line is what stands before LF, or before the end of the file.  The span
 * has no LF; a CR before it stays (the caller decides).  Lines are counted
 * as they stand in the file, from 1.  No line longer than the limit is ever
 * held in memory; NUL bytes are bytes like any other. */
#ifndef FSL_BASE_LINES_H
#define FSL_BASE_LINES_H

#include <stdbool.h>
#include <stdint.h>
#include "base/err.h"
#include "base/hash.h"
#include "base/str.h"

struct lines;

/* Opens a path, or standard input for "-".  A directory, a missing or an
 * unreadable file is ERR_NOINPUT.  max_line: 1 byte to 1 GiB. */
struct lines *lines_open(const char *path, size_t max_line, struct err *e) MUST_CHECK;
void lines_close(struct lines *l); /* NULL is fine */

/* 1: *line is the next one, valid until the next call.  0: the end.
 * -1: a read failed (ERR_IO; 0 follows), or the line is too long (ERR_INPUT;
 * lines_number() is its number; reading goes on behind it with the next call
 * only if it ended within 1 GiB, otherwise the file is given up: 0 follows). */
int lines_next(struct lines *l, struct span *line, struct err *e) MUST_CHECK;

int64_t lines_number(const struct lines *l);  /* of the line last returned */
/* Read and handed out so far, LF included; what was skipped counts too. */
int64_t lines_bytes(const struct lines *l);
bool lines_ended_in_lf(const struct lines *l);/* false: the last line had no LF */
const char *lines_name(const struct lines *l);/* the path, or "<stdin>" */
/* XXH3-128 of the bytes that lines_bytes() counts. */
struct id lines_hash(const struct lines *l);

/* XXH3-128 of a whole regular file, and its size; ERR_NOINPUT or ERR_IO. */
int lines_hash_file(const char *path, struct id *sum, int64_t *bytes,
		    struct err *e) MUST_CHECK;

#endif
