#include "store/db.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/safe.h"
#include "base/str.h"
#include "store/internal.h"
#include "store/schema.h"
#include "store/tx.h"

static const char *shown(const char *path)
{
	return safe_show(span_of(path), 200);
}

/* What SQLite says of rc; its newest message may be about something else. */
static const char *said(struct db *db, int rc)
{
	return sqlite3_extended_errcode(db->handle) == rc ? sqlite3_errmsg(db->handle)
							  : sqlite3_errstr(rc);
}

static int system_error(struct db *db, int rc, struct err *e, const char *what)
{
	int number = sqlite3_system_errno(db->handle);
	bool full = number == ENOSPC || number == EDQUOT;
	bool denied = number == EACCES || number == EPERM || number == EROFS;

	if (full)
		return err_set(e, ERR_IO, "%s: %s: the disk is full", shown(db->path), what);
	if (number)
		return err_set(e, denied ? ERR_NOPERM : ERR_IO, "%s: %s: %s", shown(db->path), what,
			       strerror(number));
	return err_set(e, ERR_IO, "%s: %s: %s", shown(db->path), what, sqlite3_errstr(rc));
}

int db_fail(struct db *db, int rc, struct err *e, const char *what)
{
	const char *path = shown(db->path);

	switch (rc & 0xff) {
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		err_set(e, ERR_BUSY, "%s: %s: another program holds the state file", path, what);
		return err_hint(e, "look for a shell with an open transaction, or try again");
	case SQLITE_FULL:
		return err_set(e, ERR_IO, "%s: %s: the disk is full", path, what);
	case SQLITE_NOTADB:
		return err_set(e, ERR_CONFIG, "%s: is no state file", path);
	case SQLITE_CORRUPT:
		err_set(e, ERR_INTERNAL, "%s: %s: the state file is damaged (%s)", path, what,
			said(db, rc));
		return err_hint(e, "keep a copy and try: sqlite3 FILE .recover");
	case SQLITE_READONLY:
	case SQLITE_PERM:
	case SQLITE_AUTH:
		return err_set(e, ERR_NOPERM, "%s: %s: %s", path, what,
			       rc == SQLITE_READONLY_DIRECTORY
				       ? "its log cannot be made in a read-only directory"
				       : said(db, rc));
	case SQLITE_CANTOPEN:
	case SQLITE_IOERR:
		return system_error(db, rc, e, what);
	default:
		return err_set(e, ERR_INTERNAL, "%s: %s: %s", path, what, said(db, rc));
	}
}

/* SQLite asks again and again while somebody holds a lock.  Our own programs
 * queue at the side file, so this is only for strangers: a shell, a backup. */
static int on_busy(void *ctx, int count)
{
	struct db *db = ctx;
	int64_t now = clock_mono_ms();

	if (count == 0)
		db->busy_since = now;
	if (db->busy_limit_ms >= 0 && now - db->busy_since >= db->busy_limit_ms)
		return 0;
	sqlite3_sleep(count < 10 ? 1 : count < 50 ? 5 : 25);
	return 1;
}

static int on_wal(void *ctx, sqlite3 *handle, const char *name, int pages)
{
	struct db *db = ctx;

	(void)handle;
	(void)name;
	if (pages < db->wal_pages) /* the log has begun anew: no reader is in the way */
		db->checkpoint_at = DB_CHECKPOINT_PAGES;
	db->wal_pages = pages;
	return SQLITE_OK;
}

static int exec(struct db *db, const char *sql, struct err *e)
{
	int rc = sqlite3_exec(db->handle, sql, NULL, NULL, NULL);

	return rc == SQLITE_OK ? 0 : db_fail(db, rc, e, "cannot set up");
}

static int pragma_int(struct db *db, const char *sql, int64_t *out, struct err *e)
{
	sqlite3_stmt *s = NULL;
	int rc = sqlite3_prepare_v2(db->handle, sql, -1, &s, NULL);

	if (rc == SQLITE_OK)
		rc = sqlite3_step(s);
	if (rc == SQLITE_ROW)
		*out = sqlite3_column_int64(s, 0);
	sqlite3_finalize(s);
	return rc == SQLITE_ROW ? 0 : db_fail(db, rc, e, "cannot read");
}

static int check_filesystem(const char *path, struct err *e)
{
	static const struct { unsigned long type; const char *name; } net[] = {
		{ 0x6969, "NFS" }, { 0x517b, "SMB" }, { 0xff534d42, "CIFS" },
		{ 0xfe534d42, "SMB2" }, { 0x65735546, "FUSE" }, { 0x01021997, "9P" },
		{ 0x5346414f, "AFS" }, { 0x0bd00bd0, "Lustre" },
	};
	const char *allow = getenv("FSL_ALLOW_NETFS");
	struct statfs fs;

	if ((allow && strcmp(allow, "1") == 0) || statfs(path, &fs) < 0)
		return 0;
	for (size_t i = 0; i < ARRAY_LEN(net); i++)
		if ((unsigned long)fs.f_type == net[i].type) {
			err_set(e, ERR_CONFIG, "%s: is on a network file system (%s), where "
				"locks cannot be trusted", shown(path), net[i].name);
			return err_hint(e, "use a local directory, or set FSL_ALLOW_NETFS=1 "
					"if only one machine uses it");
		}
	return 0;
}

/* mkdir -p of the directory that holds the path, mode 0700. */
static int make_directory(const char *path, struct err *e)
{
	char *dir CLEANUP(mem_cleanup) = mem_strdup(path);

	for (char *p = dir + 1; *p; p++) {
		if (*p != '/')
			continue;
		*p = '\0';
		if (mkdir(dir, 0700) < 0 && errno != EEXIST)
			return err_sys(e, ERR_CANTCREAT, "%s: cannot make the directory", shown(dir));
		*p = '/';
	}
	return 0;
}

static int directory_of(const char *path, struct str *out)
{
	const char *slash = strrchr(path, '/');

	str_reset(out);
	if (!slash)
		str_addc(out, '.');
	else
		str_add(out, path, slash == path ? 1 : (size_t)(slash - path));
	return 0;
}

/* Makes the file if it may; afterwards `st` tells about it. */
static int make_or_find(const char *path, enum db_mode mode, struct stat *st,
			struct err *e)
{
	struct str dir CLEANUP(str_release) = STR_INIT;

	if (stat(path, st) < 0) {
		if (errno != ENOENT)
			return err_sys(e, ERR_NOINPUT, "%s: cannot look at the state file", shown(path));
		if (mode == DB_EXISTING) {
			err_set(e, ERR_NOTFOUND, "%s: there is no state file", shown(path));
			return err_hint(e, "fsl-file import makes one; -D FILE or FSL_DB names another");
		}
		if (mode == DB_CREATE_DIR && make_directory(path, e) < 0)
			return -1;
		directory_of(path, &dir);
		if (check_filesystem(str_z(&dir), e) < 0)
			return -1;
		/* Nobody in this process has the file open: closing drops no lock. */
		int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
		if (fd < 0 && errno != EEXIST)
			return err_sys(e, ERR_CANTCREAT, "%s: cannot make the state file", shown(path));
		if (fd >= 0)
			close(fd);
		if (stat(path, st) < 0)
			return err_sys(e, ERR_NOINPUT, "%s: cannot look at the state file", shown(path));
	}
	if (!S_ISREG(st->st_mode))
		return err_set(e, ERR_CONFIG, "%s: is no regular file", shown(path));
	if (st->st_nlink != 1) {
		err_set(e, ERR_CONFIG, "%s: has %lu hard links; its log and lock files belong to "
			"one name", shown(path), (unsigned long)st->st_nlink);
		return err_hint(e, "remove the other names, or use a symbolic link");
	}
	return check_filesystem(path, e);
}

/* A log that its owner left behind: closing would move it into the file. */
static void keep_log(struct db *db)
{
	struct str log CLEANUP(str_release) = STR_INIT;
	struct stat st;

	str_addf(&log, "%s-wal", db->path);
	if (stat(str_z(&log), &st) == 0 && st.st_size > 0)
		sqlite3_db_config(db->handle, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
}

/* Is it ours, or empty?  *app is 0 if it is empty.  One snapshot: another
 * process may be building it. */
static int check(struct db *db, int64_t *app, struct err *e)
{
	int64_t version = 0, tables = 0;

	TX(tx);
	if (tx_begin_read(&tx, db, e) < 0 ||
	    pragma_int(db, "PRAGMA application_id", app, e) < 0 ||
	    pragma_int(db, "PRAGMA user_version", &version, e) < 0 ||
	    pragma_int(db, "SELECT count(*) FROM sqlite_schema", &tables, e) < 0 ||
	    tx_commit(&tx, e) < 0)
		return -1;
	if (*app == SCHEMA_APPLICATION && version == SCHEMA_VERSION)
		return 0;
	if (*app == 0 && version == 0 && tables == 0)
		return 0;
	keep_log(db);
	if (*app == SCHEMA_APPLICATION && version > SCHEMA_VERSION) {
		err_set(e, ERR_CONFIG, "%s: is of version %lld, this program knows %d",
			shown(db->path), (long long)version, SCHEMA_VERSION);
		return err_hint(e, "use the newer program that wrote it");
	}
	return err_set(e, ERR_CONFIG, "%s: is a database of another application",
		       shown(db->path));
}

static int on_mode(void *ctx, int n, char **texts, char **names)
{
	(void)n;
	(void)names;
	*(bool *)ctx = texts[0] && strcmp(texts[0], "wal") == 0;
	return 0;
}

/* A copy made with VACUUM INTO, or somebody's shell, may have left the mode. */
static int use_log(struct db *db, struct err *e)
{
	bool wal = false;
	int rc = sqlite3_exec(db->handle, "PRAGMA journal_mode", on_mode, &wal, NULL);

	if (rc != SQLITE_OK)
		return db_fail(db, rc, e, "cannot read");
	if (wal)
		return 0;
	if (side_lock(db->side, db->patience_ms, e) < 0)
		return -1;
	rc = sqlite3_exec(db->handle, "PRAGMA auto_vacuum=INCREMENTAL; PRAGMA journal_mode=WAL",
			  on_mode, &wal, NULL);
	side_unlock(db->side);
	if (rc != SQLITE_OK)
		return db_fail(db, rc, e, "cannot set up");
	return wal ? 0 : err_set(e, ERR_CONFIG, "%s: cannot have a write-ahead log here",
				 shown(db->path));
}

static int build(struct db *db, struct err *e)
{
	int64_t app = 0;

	TX(tx);
	if (tx_begin(&tx, db, e) < 0 || pragma_int(db, "PRAGMA application_id", &app, e) < 0)
		return -1;
	/* Somebody else may have built it while we waited. */
	if (app != SCHEMA_APPLICATION && exec(db, schema_text(), e) < 0)
		return -1;
	return tx_commit(&tx, e);
}

/* SQLite counts its memory under a lock; nobody asks for the sum. */
static void configure(void)
{
	sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
}

static int open_handle(struct db *db, struct err *e)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, configure);
	int rc = sqlite3_open_v2(db->path, &db->handle,
				 SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX |
				 SQLITE_OPEN_EXRESCODE, NULL);

	if (rc != SQLITE_OK)
		return db_fail(db, rc, e, "cannot open");
	sqlite3_busy_handler(db->handle, on_busy, db);
	sqlite3_wal_hook(db->handle, on_wal, db);
	sqlite3_db_config(db->handle, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	return exec(db, "PRAGMA page_size=8192; PRAGMA synchronous=FULL;"
		    "PRAGMA foreign_keys=ON; PRAGMA trusted_schema=OFF;"
		    "PRAGMA secure_delete=FAST; PRAGMA cache_size=-4000;"
		    "PRAGMA journal_size_limit=67108864", e);
}

struct db *db_open(const char *path, enum db_mode mode, struct err *e)
{
	struct stat st;
	int64_t app = 0;

	if (make_or_find(path, mode, &st, e) < 0)
		return NULL;
	struct db *db CLEANUP(db_cleanup) = mem_alloc(sizeof *db);
	db->patience_ms = db->busy_limit_ms = 10000;
	db->checkpoint_at = DB_CHECKPOINT_PAGES;
	db->path = realpath(path, NULL);
	if (!db->path) {
		err_sys(e, ERR_NOINPUT, "%s: cannot resolve the path", shown(path));
		return NULL;
	}
	if (open_handle(db, e) < 0 || check(db, &app, e) < 0)
		return NULL;
	db->side = side_open(db->path, st.st_mode & 0777, st.st_uid, st.st_gid, e);
	if (!db->side || use_log(db, e) < 0 || (app == 0 && build(db, e) < 0))
		return NULL;
	return TAKE(db);
}

void db_close(struct db *db)
{
	if (!db)
		return;
	for (int i = 0; i < db->n_sets; i++) {
		for (int k = 0; k < db->sets[i].set->n; k++)
			sqlite3_finalize(db->sets[i].stmts[k]);
		free(db->sets[i].stmts);
		free(db->sets[i].in_use);
	}
	/* The last one to close checkpoints: under the lock, like every other. */
	struct err ignored = ERR_INIT;
	bool locked = db->side && db->handle && side_lock(db->side, 1000, &ignored) == 0;
	sqlite3_close(db->handle);
	if (locked)
		side_unlock(db->side);
	side_close(db->side);
	free(db->path);
	free(db);
}

void db_cleanup(struct db **db)
{
	db_close(*db);
}

const char *db_path(const struct db *db)
{
	return db->path;
}

struct side *db_side(struct db *db)
{
	return db->side;
}

void db_patience(struct db *db, int64_t ms)
{
	db->patience_ms = db->busy_limit_ms = ms;
}

int db_in_place(struct db *db, struct err *e)
{
	int moved = 0;

	sqlite3_file_control(db->handle, "main", SQLITE_FCNTL_HAS_MOVED, &moved);
	return !moved ? 0 : err_set(e, ERR_CONFIG, "%s: the state file was moved, removed or "
				    "replaced while in use", shown(db->path));
}

int db_version(struct db *db, int64_t *version, struct err *e)
{
	return pragma_int(db, "PRAGMA data_version", version, e);
}

int db_vacuum_some(struct db *db, int pages, struct err *e)
{
	sqlite3_stmt *s = NULL;
	int rc = sqlite3_prepare_v2(db->handle, "PRAGMA incremental_vacuum", -1, &s, NULL);

	if (rc != SQLITE_OK)
		return db_fail(db, rc, e, "cannot give pages back");
	/* One step gives one page back. */
	for (int i = 0; i < pages && sqlite3_step(s) == SQLITE_ROW; i++)
		;
	rc = sqlite3_finalize(s);
	return rc == SQLITE_OK ? 0 : db_fail(db, rc, e, "cannot give pages back");
}

int db_large_cache(struct db *db, struct err *e)
{
	return exec(db, "PRAGMA cache_size = -16384", e);
}

const char *db_library(void)
{
	return sqlite3_libversion();
}

const char *db_about(void)
{
	static char text[32];

	snprintf(text, sizeof text, "SQLite %s", db_library());
	return text;
}
