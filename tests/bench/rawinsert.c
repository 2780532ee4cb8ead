/* rawinsert: the yardstick of imports: SQLite and nothing around it.
 *
 *     rawinsert INPUT STATE_FILE
 *
 * Inserts each line of INPUT as a blob into one table, unread, in transactions
 * of 10,000, with the settings of the product's state files (lib/store/db.h);
 * then moves the log into the file.  Prints how many lines there were. */
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"

enum { CHUNK = 10000, LOG_PAGES = 2048 };

static const char SETUP[] =
	"PRAGMA page_size=8192; PRAGMA auto_vacuum=INCREMENTAL; PRAGMA journal_mode=WAL;"
	"PRAGMA synchronous=FULL; PRAGMA cache_size=-4000; PRAGMA wal_autocheckpoint=0;"
	"CREATE TABLE lines (id INTEGER PRIMARY KEY, raw BLOB NOT NULL) STRICT;";

struct load {
	sqlite3 *db;
	sqlite3_stmt *insert;
	FILE *in;
	int log_pages;
};

static void load_release(struct load *l)
{
	sqlite3_finalize(l->insert);
	sqlite3_close(l->db);
	if (l->in)
		fclose(l->in);
}

static int on_wal(void *ctx, sqlite3 *db, const char *name, int pages)
{
	(void)db;
	(void)name;
	((struct load *)ctx)->log_pages = pages;
	return SQLITE_OK;
}

static int failed(struct load *l, struct err *e)
{
	return err_set(e, ERR_IO, "%s", sqlite3_errmsg(l->db));
}

static int run(struct load *l, const char *sql, struct err *e)
{
	return sqlite3_exec(l->db, sql, NULL, NULL, NULL) ? failed(l, e) : 0;
}

static int open_both(struct load *l, char **paths, struct err *e)
{
	l->in = fopen(paths[0], "re");
	if (!l->in)
		return err_sys(e, ERR_NOINPUT, "%s", paths[0]);
	if (sqlite3_open_v2(paths[1], &l->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE |
			    SQLITE_OPEN_NOMUTEX, NULL) || run(l, SETUP, e) < 0)
		return failed(l, e);
	sqlite3_wal_hook(l->db, on_wal, l);
	return sqlite3_prepare_v2(l->db, "INSERT INTO lines VALUES (?1, ?2)", -1, &l->insert,
				  NULL) ? failed(l, e) : 0;
}

static int commit(struct load *l, struct err *e)
{
	if (run(l, "COMMIT", e) < 0)
		return -1;
	if (l->log_pages > LOG_PAGES &&
	    sqlite3_wal_checkpoint_v2(l->db, NULL, SQLITE_CHECKPOINT_FULL, NULL, NULL))
		return failed(l, e);
	return 0;
}

static int64_t insert_all(struct load *l, struct err *e)
{
	char *line CLEANUP(mem_cleanup) = NULL;
	size_t cap = 0;
	ssize_t n;
	int64_t id = 0;

	while ((n = getline(&line, &cap, l->in)) > 0) {
		if (id % CHUNK == 0 && ((id > 0 && commit(l, e) < 0) ||
					run(l, "BEGIN IMMEDIATE", e) < 0))
			return -1;
		sqlite3_bind_int64(l->insert, 1, ++id);
		sqlite3_bind_blob64(l->insert, 2, line, (size_t)n - (line[n - 1] == '\n'),
				    SQLITE_STATIC);
		if (sqlite3_step(l->insert) != SQLITE_DONE || sqlite3_reset(l->insert))
			return failed(l, e);
	}
	return id > 0 && commit(l, e) < 0 ? -1 : id;
}

int main(int argc, char **argv)
{
	struct load l CLEANUP(load_release) = { 0 };
	struct err e = ERR_INIT;

	log_init("rawinsert", LOG_NOTE, false);
	int64_t n = argc != 3 ? err_set(&e, ERR_USAGE, "rawinsert INPUT STATE_FILE")
		  : open_both(&l, argv + 1, &e) < 0 ? -1 : insert_all(&l, &e);
	if (n < 0) {
		log_error("%s", e.msg);
		return 1;
	}
	printf("%lld\n", (long long)n);
	return 0;
}
