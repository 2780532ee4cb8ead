/* backup: a copy of the state file, made while others work on it.
 *
 * VACUUM INTO of one snapshot: what was committed before it began, and nothing
 * later.  Writers are not locked out, but the write-ahead log cannot begin anew
 * until it has ended.  (Copying the file by other means loses what is in the
 * log, and may mix two moments.)
 *
 * The copy is a state file of its own, 0600 and ours, with no free pages in it.
 * What was in flight then looks there like what a dead worker left: whoever runs
 * it sends that once more. */
#ifndef FSL_STORE_BACKUP_H
#define FSL_STORE_BACKUP_H

#include <stdbool.h>
#include "base/err.h"
#include "store/db.h"

/* Writes the copy beside `path`, syncs it, gives it the name and syncs the
 * directory: whole or not there.  Nothing is replaced: ERR_CANTCREAT if there is
 * anything of this name, or a log beside it (path-wal, path-journal), which
 * would be taken for the copy's.  ERR_IO: no room, or a disk that fails.
 *
 * `stop` (NULL: never) is asked now and then: what it returns, unless 0, ends
 * the work, leaves nothing behind and is returned.  No statement of the
 * connection may be in use. */
int backup_write(struct db *db, const char *path, int (*stop)(void),
		 struct err *e) MUST_CHECK;

/* What it would refuse before it begins. */
int backup_check(const char *path, struct err *e) MUST_CHECK;

/* The whole of `fsl-batch backup`: SIGHUP, SIGINT and SIGTERM stop it.  An exit
 * status, 128 + the signal then.  `dry_run`: checks, and says what it would do. */
int backup_make(struct db *db, const char *path, bool dry_run, struct err *e) MUST_CHECK;

#endif
