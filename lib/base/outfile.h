/* outfile: output that is whole or not there.
 *
 * "-" is standard output, written directly.  So are the names of our own
 * descriptors (/dev/stdout, /dev/stderr, /dev/fd/N), wherever they lead.  A
 * path that exists and is no regular file (a FIFO, /dev/null) is opened and
 * written directly.  Anything else: a temporary file in the target's directory
 * (O_EXCL, O_NOFOLLOW, 0600 less nothing), which outfile_commit() flushes,
 * syncs, renames over the target and whose directory it syncs.  A symbolic
 * link is resolved once and its target replaced.  A target that exists keeps
 * its permission bits, and is refused if it may not be written, or if it is a
 * state file (store/side.h: NAME-fsl stands beside it), which would be lost with
 * all its results.  What is not committed is removed. */
#ifndef FSL_BASE_OUTFILE_H
#define FSL_BASE_OUTFILE_H

#include <stdbool.h>
#include "base/err.h"
#include "base/str.h"

struct outfile;

/* ERR_CANTCREAT when it cannot be created. */
struct outfile *outfile_open(const char *path, struct err *e) MUST_CHECK;

/* Buffered; ERR_IO when the disk or the reader says no, ERR_PIPE when the
 * reader of a pipe went away (SIGPIPE is ignored by the caller). */
int outfile_write(struct outfile *o, struct span v, struct err *e) MUST_CHECK;
int outfile_flush(struct outfile *o, struct err *e) MUST_CHECK;

/* Flushes and makes the output visible.  After it, and after outfile_publish(),
 * only outfile_close(). */
int outfile_commit(struct outfile *o, struct err *e) MUST_CHECK;

/* The same without waiting for the disk, for what is written again and again:
 * after a power failure its last content may be lost.  A file that is new gets
 * the permissions of `mode`. */
int outfile_publish(struct outfile *o, unsigned mode, struct err *e) MUST_CHECK;

/* Frees; without a commit before it the temporary file is removed, and what
 * is buffered for a direct output is dropped.  NULL is fine. */
void outfile_close(struct outfile *o);
void outfile_cleanup(struct outfile **o);

/* True if both paths mean the same file (also one that does not exist yet).
 * "-" is the same as "-" only. */
bool outfile_same(const char *a, const char *b);

/* ERR_USAGE if the output would take the place of `input`, a regular file that
 * is read; "-" is standard input.  Asked before anything is read. */
int outfile_spares(const char *output, const char *input, struct err *e) MUST_CHECK;

#endif
