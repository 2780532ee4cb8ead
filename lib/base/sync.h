/* sync: bytes and names that outlast a power failure (fsync(2)).
 *
 * Some file systems have no fsync; there is nothing better then, and that is no
 * error. */
#ifndef FSL_BASE_SYNC_H
#define FSL_BASE_SYNC_H

#include "base/err.h"

/* What was written to the file is on disk; -1 and errno. */
int sync_file(int fd) MUST_CHECK;

/* So are the names in the directory `path` (relative to `at`, as in openat(2)).
 * One that may be written in and not be read cannot be synced: no error.  -1 and
 * errno. */
int sync_directory(int at, const char *path) MUST_CHECK;

#endif
