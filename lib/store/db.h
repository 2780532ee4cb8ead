/* db: one connection to the state file.
 *
 * The rules of the file (fsl(7), FILES): made 0600 with O_EXCL before SQLite
 * opens it; page_size 8192, auto_vacuum incremental, WAL, synchronous FULL,
 * foreign keys, trusted_schema off, defensive, secure_delete fast; the log is cut
 * to 64 MiB when it begins anew.
 * wal_autocheckpoint is 0 in every program: Debian's SQLite 3.40.1 can lose a
 * commit when an automatic checkpoint races a commit of another connection
 * (the WAL-reset bug, fixed in 3.51.3); ours run under the lock of writers
 * (store/tx.h).
 *
 * Refused: hard links, network file systems (unless FSL_ALLOW_NETFS=1), files
 * of another application, and files of a newer version (ERR_CONFIG, nothing
 * touched).
 *
 * A connection belongs to one thread. */
#ifndef FSL_STORE_DB_H
#define FSL_STORE_DB_H

#include <stdbool.h>
#include <stdint.h>
#include "base/err.h"
#include "store/side.h"

struct db;

enum db_mode {
	DB_EXISTING, /* a missing file is ERR_NOTFOUND */
	DB_CREATE,   /* a missing file is made */
	DB_CREATE_DIR, /* and its directory too (0700): for the default path */
};

struct db *db_open(const char *path, enum db_mode mode, struct err *e) MUST_CHECK;
void db_close(struct db *db); /* NULL is fine */
void db_cleanup(struct db **db);

const char *db_path(const struct db *db);
struct side *db_side(struct db *db); /* owned by db */

/* How long a write waits for other writers before ERR_BUSY; -1: for ever.
 * The default is 10 s. */
void db_patience(struct db *db, int64_t ms);

/* ERR_CONFIG if the file was moved, removed or replaced since it was opened; cheap. */
int db_in_place(struct db *db, struct err *e) MUST_CHECK;

/* Changes whenever another connection has committed (PRAGMA data_version). */
int db_version(struct db *db, int64_t *version, struct err *e) MUST_CHECK;

/* Gives at most `pages` free pages back to the file system; inside a write
 * transaction. */
int db_vacuum_some(struct db *db, int pages, struct err *e) MUST_CHECK;

/* 16 MiB of memory for pages instead of 4: for a connection that keeps coming
 * back to the same ones. */
int db_large_cache(struct db *db, struct err *e) MUST_CHECK;

/* "3.40.1", and "SQLite 3.40.1" */
const char *db_library(void);
const char *db_about(void);

#endif
