#include "store/tx.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/safe.h"
#include "store/internal.h"

enum {
	CHECKPOINT_WAIT_MS = 100,
	WAL_WARN_PAGES = 256 * 128,   /* 256 MiB */
};

static int run(struct tx *t, const char *sql, struct err *e, const char *what)
{
	int rc = sqlite3_exec(t->db->handle, sql, NULL, NULL, NULL);

	return rc == SQLITE_OK ? 0 : db_fail(t->db, rc, e, what);
}

static void check_closed(const struct tx *t, const struct db *db)
{
	if (t->db || !sqlite3_get_autocommit(db->handle))
		BUG("a transaction is open already");
}

/* BEGIN with what is left of the patience. */
static int begin(struct tx *t, int64_t since_ms, struct err *e)
{
	struct db *db = t->db;
	int64_t left = db->patience_ms - (clock_mono_ms() - since_ms);

	db->busy_limit_ms = db->patience_ms < 0 ? -1 : left > 0 ? left : 0;
	int rc = run(t, "BEGIN IMMEDIATE", e, "cannot start to write");
	db->busy_limit_ms = db->patience_ms;
	return rc;
}

int tx_begin(struct tx *t, struct db *db, struct err *e)
{
	int64_t since_ms = clock_mono_ms();

	check_closed(t, db);
	if (side_lock(db->side, db->patience_ms, e) < 0)
		return -1;
	if (db_in_place(db, e) < 0) {
		side_unlock(db->side);
		return -1;
	}
	t->db = db;
	t->write = true;
	if (begin(t, since_ms, e) < 0) {
		t->db = NULL;
		side_unlock(db->side);
		return -1;
	}
	return 0;
}

int tx_begin_read(struct tx *t, struct db *db, struct err *e)
{
	check_closed(t, db);
	t->db = db;
	t->write = false;
	if (run(t, "BEGIN /* reads only */", e, "cannot read") < 0) {
		t->db = NULL;
		return -1;
	}
	return 0;
}

/* FULL, never PASSIVE, and under the writers' lock: no commit races it. */
static void checkpoint(struct db *db)
{
	int log_pages = 0, done = 0;

	db->busy_limit_ms = CHECKPOINT_WAIT_MS;
	int rc = sqlite3_wal_checkpoint_v2(db->handle, NULL, SQLITE_CHECKPOINT_FULL,
					   &log_pages, &done);
	db->busy_limit_ms = db->patience_ms;
	/* While a reader is in the way (a backup, for minutes) the log cannot
	 * begin anew: not again at each commit, each would wait. */
	int more = db->wal_pages > DB_CHECKPOINT_PAGES ? db->wal_pages : DB_CHECKPOINT_PAGES;
	db->checkpoint_at = db->wal_pages + more / 4;
	if (rc == SQLITE_OK && done == log_pages) {
		db->wal_warned = false;
	} else if (log_pages > WAL_WARN_PAGES && !db->wal_warned) {
		db->wal_warned = true;
		log_warn("%s-wal has grown to %d MiB: a program has been reading for long "
			 "(a backup, or an open transaction in an SQLite shell?)",
			 safe_show(span_of(db->path), 200), log_pages / 128);
	}
}

int tx_commit(struct tx *t, struct err *e)
{
	struct db *db = t->db;

	if (run(t, "COMMIT", e, "cannot commit") < 0)
		return -1; /* tx_end() rolls back */
	if (t->write && db->wal_pages > db->checkpoint_at)
		checkpoint(db);
	t->db = NULL;
	if (t->write) {
		side_ring(db->side);
		side_unlock(db->side);
	}
	return 0;
}

void tx_end(struct tx *t)
{
	if (!t->db)
		return;
	if (!sqlite3_get_autocommit(t->db->handle))
		sqlite3_exec(t->db->handle, "ROLLBACK", NULL, NULL, NULL);
	if (t->write)
		side_unlock(t->db->side);
	t->db = NULL;
}
