/* internal: what the files of this room share; nobody else includes it. */
#ifndef FSL_STORE_INTERNAL_H
#define FSL_STORE_INTERNAL_H

#include <sqlite3.h>
#include "store/db.h"
#include "store/stmt.h"

enum {
	DB_SETS_MAX = 48,
	DB_CHECKPOINT_PAGES = 2048, /* 16 MiB: the log is checkpointed when it is longer */
};

struct db_prepared {
	const struct stmt_set *set;
	sqlite3_stmt **stmts; /* set->n of them, NULL until first used */
	bool *in_use;
};

struct db {
	sqlite3 *handle;
	char *path; /* resolved */
	struct side *side;
	int64_t patience_ms;
	int64_t busy_since; /* monotonic; 0: nobody waits */
	int64_t busy_limit_ms;
	int wal_pages;      /* after the last commit of this connection */
	int checkpoint_at;  /* pages; raised until the log begins anew */
	bool wal_warned;
	struct db_prepared sets[DB_SETS_MAX];
	int n_sets;
};

/* Fills *e from the connection's last error; returns -1. */
int db_fail(struct db *db, int rc, struct err *e, const char *what);

#endif
