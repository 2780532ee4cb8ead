#include "store/db.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/str.h"
#include "proc.h"
#include "rows.h"
#include "store/stmt.h"

/* A directory of its own for each test; the path of a file in it. */
static const char *in_dir(const char *dir, const char *name)
{
	static char paths[32][4096];
	static int next;
	char *path = paths[next++ % 32];

	snprintf(path, sizeof paths[0], "%s/%s", unit_dir(), dir);
	mkdir(path, 0755);
	snprintf(path, sizeof paths[0], "%s/%s/%s", unit_dir(), dir, name);
	return path;
}

static int entries(const char *dir)
{
	char path[4096];
	int n = 0;

	snprintf(path, sizeof path, "%s/%s", unit_dir(), dir);
	DIR *d = opendir(path);
	while (d && readdir(d))
		n++;
	closedir(d);
	return n - 2;
}

static void put(const char *path, const void *bytes, size_t n)
{
	FILE *f = fopen(path, "w");
	rows_must(f && fwrite(bytes, 1, n, f) == n, path, "cannot write");
	fclose(f);
}

static struct str get(const char *path)
{
	struct str all = STR_INIT;
	char buf[65536];
	size_t n;
	FILE *f = fopen(path, "r");

	while (f && (n = fread(buf, 1, sizeof buf, f)) > 0)
		str_add(&all, buf, n);
	if (f)
		fclose(f);
	return all;
}

static int mode_of(const char *path)
{
	struct stat st;

	return stat(path, &st) < 0 ? -1 : (int)(st.st_mode & 07777);
}

static enum err_code refused(const char *path, enum db_mode mode, struct err *e)
{
	*e = (struct err)ERR_INIT;
	struct db *db = db_open(path, mode, e);
	db_close(db);
	return db ? ERR_NONE : e->code;
}

static void making(void)
{
	struct err e;
	const char *path = in_dir("made", "db"), *side = in_dir("made", "db-fsl");

	CHECK_INT(refused(path, DB_EXISTING, &e), ERR_NOTFOUND, "a missing file is ERR_NOTFOUND");
	CHECK(strstr(e.msg, "there is no state file") && e.hint[0], "and the hint says what to do");
	CHECK_INT(entries("made"), 0, "nothing was made");
	CHECK_INT(refused(in_dir("made", "no/db"), DB_CREATE, &e), ERR_CANTCREAT,
		  "a missing directory is ERR_CANTCREAT");

	mode_t before = umask(0);
	CHECK_INT(refused(path, DB_CREATE, &e), ERR_NONE, "a missing file is made");
	CHECK_INT(mode_of(path), 0600, "with mode 0600, whatever the umask");
	CHECK_INT(mode_of(side), 0600, "and its side file too");
	CHECK_INT(entries("made"), 2, "when all have closed it there is no log left");
	CHECK_INT(refused(in_dir("made", "a/b/db"), DB_CREATE_DIR, &e), ERR_NONE,
		  "DB_CREATE_DIR makes the directories");
	CHECK_INT(mode_of(in_dir("made", "a/b")), 0700, "with mode 0700");
	umask(before);
	chmod(path, 0640);
	CHECK_INT(refused(path, DB_EXISTING, &e), ERR_NONE, "an existing file is opened");
	CHECK_INT(mode_of(path), 0640, "and keeps its mode");
	CHECK_INT(mode_of(side), 0640, "the side file takes the mode of the state file");

	const char *dangling = in_dir("made", "dangling");
	CHECK(symlink(in_dir("made", "target"), dangling) == 0, "a symbolic link to nothing");
	CHECK(refused(dangling, DB_CREATE, &e) != ERR_NONE, "is not followed to make a file (O_EXCL)");
	CHECK_INT(mode_of(in_dir("made", "target")), -1, "its target was not made");
	db_close(NULL);
}

static void names(void)
{
	struct err e = ERR_INIT;
	const char *path = in_dir("names", "db"), *hard = in_dir("names", "hard");
	const char *soft = in_dir("names", "soft");

	CHECK_INT(refused(path, DB_CREATE, &e), ERR_NONE, "a state file");
	CHECK(link(path, hard) == 0 && symlink("db", soft) == 0, "with a hard link and a symlink");
	CHECK_INT(refused(path, DB_EXISTING, &e), ERR_CONFIG, "a file with a hard link is refused");
	CHECK(strstr(e.msg, "2 hard links"), "and the message says why");
	CHECK_INT(refused(hard, DB_EXISTING, &e), ERR_CONFIG, "by its other name as well");
	unlink(hard);
	struct db *db = db_open(soft, DB_EXISTING, &e);
	CHECK(db != NULL, "a symbolic link is resolved");
	char *real = realpath(path, NULL);
	CHECK_STR(db ? db_path(db) : NULL, real, "db_path() is the path it leads to");
	CHECK_INT(mode_of(in_dir("names", "soft-fsl")), -1, "the side file stands beside the target");
	free(real);
	db_close(db);
}

static void foreign(const char *dir, const char *sql, const char *message, const char *what)
{
	struct err e;
	char path[4096];

	snprintf(path, sizeof path, "%s", in_dir(dir, "db"));
	sqlite3 *raw = rows_raw(path);
	CHECK_INT(sqlite3_exec(raw, sql, NULL, NULL, NULL), SQLITE_OK, "%s", what);
	sqlite3_close(raw);
	struct str before CLEANUP(str_release) = get(path);
	CHECK_INT(refused(path, DB_CREATE, &e), ERR_CONFIG, "is refused (ERR_CONFIG)");
	CHECK(strstr(e.msg, message), "because it '%s'", message);
	struct str after CLEANUP(str_release) = get(path);
	CHECK(before.n > 0 && span_eq(str_span(&before), str_span(&after)),
	      "no byte of it was changed");
	CHECK_INT(entries(dir), 1, "and nothing was put beside it");
}

static char log_db[4096];

static void leave_log(struct proc *parent)
{
	sqlite3 *raw = rows_raw(log_db);

	sqlite3_exec(raw, "PRAGMA journal_mode=WAL; PRAGMA application_id=7;"
		     "CREATE TABLE t (a); INSERT INTO t VALUES (1)", NULL, NULL, NULL);
	proc_say(parent, 'w');
	proc_hear(parent); /* until it is killed */
}

static void foreign_log(void)
{
	struct err e;

	snprintf(log_db, sizeof log_db, "%s", in_dir("log", "db"));
	struct proc p = proc_start(leave_log);
	proc_hear(&p);
	proc_kill(&p);
	struct str before CLEANUP(str_release) = get(log_db);
	struct str log CLEANUP(str_release) = get(in_dir("log", "db-wal"));
	CHECK(log.n > 0, "another application was killed and left its log");
	CHECK_INT(refused(log_db, DB_CREATE, &e), ERR_CONFIG, "its database is refused");
	struct str after CLEANUP(str_release) = get(log_db);
	struct str log_after CLEANUP(str_release) = get(in_dir("log", "db-wal"));
	CHECK(span_eq(str_span(&before), str_span(&after)) &&
	      span_eq(str_span(&log), str_span(&log_after)), "no byte of it or its log was changed");
	CHECK_INT(mode_of(in_dir("log", "db-fsl")), -1, "and no side file was made");
}

static void not_ours(void)
{
	struct err e;
	char zeros[9000] = { 0 };

	foreign("foreign", "PRAGMA application_id = 42; CREATE TABLE t (a)",
		"is a database of another application", "a database with another application_id");
	foreign("tables", "CREATE TABLE t (a)", "is a database of another application",
		"a database without application_id, but with a table");
	foreign("wal", "PRAGMA journal_mode = WAL; CREATE TABLE t (a)",
		"is a database of another application", "one in WAL mode");
	foreign("newer", "PRAGMA application_id = 0x46534c31; PRAGMA user_version = 2;"
		" CREATE TABLE t (a)", "is of version 2", "a state file of a newer version");
	foreign_log();

	const char *path = in_dir("none", "db");
	put(path, "hello\n", 6);
	CHECK_INT(refused(path, DB_CREATE, &e), ERR_CONFIG, "a text file is refused");
	CHECK(strstr(e.msg, "is no state file"), "because it is no database");
	put(path, zeros, sizeof zeros);
	CHECK_INT(refused(path, DB_CREATE, &e), ERR_CONFIG, "so is a file of zeros");
	CHECK_INT(entries("none"), 1, "and nothing was put beside it");
	CHECK_INT(refused(unit_dir(), DB_CREATE, &e), ERR_CONFIG, "a directory is refused");
	CHECK_INT(mkfifo(in_dir("none", "fifo"), 0600), 0, "a FIFO");
	CHECK_INT(refused(in_dir("none", "fifo"), DB_CREATE, &e), ERR_CONFIG,
		  "is refused and does not block");
}

static void empty(void)
{
	struct err e = ERR_INIT;
	const char *path = in_dir("empty", "db");

	put(path, "", 0);
	chmod(path, 0644);
	CHECK_INT(refused(path, DB_EXISTING, &e), ERR_NONE, "an empty file gets the schema");
	CHECK_INT(mode_of(path), 0644, "and keeps its mode");
	sqlite3 *raw = rows_raw(path);
	CHECK_INT(ROWS_INT(raw, "PRAGMA application_id"), 0x46534c31, "it is a state file now");
	CHECK_INT(ROWS_INT(raw, "SELECT count(*) FROM batches"), 0, "with tables");
	sqlite3_close(raw);
}

static char race_path[4096];

static void race(struct proc *parent)
{
	struct err e = ERR_INIT;

	proc_say(parent, 'r');
	proc_hear(parent);
	struct db *db = db_open(race_path, DB_CREATE, &e);
	if (!db)
		printf("# %s\n", e.msg);
	proc_say(parent, db ? 'y' : 'n');
	db_close(db);
}

static void at_once(void)
{
	int opened = 0, whole = 0;

	for (int round = 0; round < 25; round++) {
		struct proc p[4];
		char name[32];
		snprintf(name, sizeof name, "db%d", round);
		snprintf(race_path, sizeof race_path, "%s", in_dir("race", name));
		for (int i = 0; i < 4; i++) {
			p[i] = proc_start(race);
			proc_hear(&p[i]);
		}
		for (int i = 0; i < 4; i++)
			proc_say(&p[i], 'g');
		for (int i = 0; i < 4; i++) {
			opened += proc_hear(&p[i]) == 'y';
			proc_end(&p[i]);
		}
		sqlite3 *raw = rows_raw(race_path);
		whole += ROWS_INT(raw, "SELECT count(*) FROM sqlite_schema WHERE name ="
				  " 'workers'") == 1 &&
			 ROWS_INT(raw, "PRAGMA page_size") == 8192 &&
			 ROWS_INT(raw, "PRAGMA auto_vacuum") == 2;
		sqlite3_close(raw);
	}
	CHECK_INT(opened, 100, "four processes that make the same file at once all get it, 25 times");
	CHECK_INT(whole, 25, "and each of the files is whole");
}

static char denied_path[4096];
static enum db_mode denied_mode;

/* As a user whom modes concern. */
static void denied(struct proc *parent)
{
	struct err e;

	if (geteuid() == 0 && (setegid(65534) < 0 || seteuid(65534) < 0))
		rows_must(false, "seteuid", strerror(errno));
	enum err_code code = refused(denied_path, denied_mode, &e);
	if (code == ERR_NOPERM && !strstr(e.msg, "cannot"))
		code = ERR_INTERNAL;
	proc_say(parent, (char)code);
}

static int denied_code(const char *path, enum db_mode mode)
{
	snprintf(denied_path, sizeof denied_path, "%s", path);
	denied_mode = mode;
	struct proc p = proc_start(denied);
	int code = proc_hear(&p);
	proc_end(&p);
	return code;
}

static void permissions(void)
{
	struct err e;
	const char *path = in_dir("readonly", "db");

	chmod(unit_dir(), 0755);
	CHECK_INT(refused(path, DB_CREATE, &e), ERR_NONE, "a state file");
	chmod(path, 0666);
	chmod(in_dir("readonly", "."), 0555);
	CHECK_INT(denied_code(path, DB_EXISTING), ERR_NOPERM,
		  "in a read-only directory it is ERR_NOPERM, there is no room for the log");
	CHECK_INT(denied_code(in_dir("readonly", "new"), DB_CREATE), ERR_CANTCREAT,
		  "and a new one there is ERR_CANTCREAT");
	chmod(in_dir("readonly", "."), 0777);
	chmod(path, 0000);
	CHECK_INT(denied_code(path, DB_EXISTING), ERR_NOPERM, "a file one may not read is ERR_NOPERM");
	chmod(in_dir("readonly", "."), 0755);
}

enum { Q_SYNC, Q_KEYS, Q_CHECKPOINT, Q_SECURE, Q_TRUSTED, Q_PAGE, Q_VACUUM, Q_MODE, Q_WRITABLE,
       Q_EDIT, Q_FREE, Q_CACHE };
static const char *const texts[] = {
	[Q_SYNC] = "PRAGMA synchronous", [Q_KEYS] = "PRAGMA foreign_keys",
	[Q_CHECKPOINT] = "PRAGMA wal_autocheckpoint", [Q_SECURE] = "PRAGMA secure_delete",
	[Q_TRUSTED] = "PRAGMA trusted_schema", [Q_PAGE] = "PRAGMA page_size",
	[Q_VACUUM] = "PRAGMA auto_vacuum", [Q_MODE] = "PRAGMA journal_mode",
	[Q_WRITABLE] = "PRAGMA writable_schema = ON",
	[Q_EDIT] = "UPDATE sqlite_schema SET sql = sql", [Q_FREE] = "PRAGMA freelist_count",
	[Q_CACHE] = "PRAGMA cache_size",
};
static const struct stmt_set pragmas = { "pragmas", texts, ARRAY_LEN(texts) };

static int64_t pragma(struct db *db, int index)
{
	struct err e = ERR_INIT;

	STMT(q, db, &pragmas, index);
	return stmt_step(&q, &e) > 0 ? stmt_col_int(&q, 0) : -1;
}

static bool has_log(struct db *db)
{
	struct err e = ERR_INIT;

	TX(tx); /* it may write, for all that SQLite knows */
	rows_must(tx_begin_read(&tx, db, &e) == 0, "tx_begin_read", e.msg);
	STMT(q, db, &pragmas, Q_MODE);
	return stmt_step(&q, &e) > 0 && span_is(stmt_col(&q, 0), "wal");
}

static void in_force(void)
{
	struct err e = ERR_INIT;

	CHECK_INT(refused(in_dir("force", "db"), DB_CREATE, &e), ERR_NONE, "a file that was made");
	struct db *db = db_open(in_dir("force", "db"), DB_EXISTING, &e);
	rows_must(db != NULL, "db_open", e.msg);
	CHECK_INT(pragma(db, Q_PAGE), 8192, "has pages of 8,192 bytes");
	CHECK_INT(pragma(db, Q_VACUUM), 2, "auto_vacuum incremental");
	CHECK(has_log(db), "journal_mode wal");
	CHECK_INT(pragma(db, Q_SYNC), 2, "synchronous FULL is in force");
	CHECK_INT(pragma(db, Q_KEYS), 1, "foreign_keys is in force");
	CHECK_INT(pragma(db, Q_CHECKPOINT), 0, "wal_autocheckpoint is 0");
	CHECK_INT(pragma(db, Q_TRUSTED), 0, "trusted_schema is off");
	CHECK_INT(pragma(db, Q_SECURE), 2, "secure_delete is fast");
	pragma(db, Q_WRITABLE);
	CHECK_INT(pragma(db, Q_EDIT), -1, "the connection is defensive: nobody edits the schema");
	CHECK_INT(pragma(db, Q_CACHE), -4000, "4 MB of memory for pages");
	CHECK(db_large_cache(db, &e) == 0 && pragma(db, Q_CACHE) == -16384,
	      "db_large_cache() gives 16 MiB");
	CHECK_STR(db_library(), sqlite3_libversion(), "db_library() is SQLite's version");
	CHECK(strncmp(db_about(), "SQLite ", 7) == 0 && strcmp(db_about() + 7, db_library()) == 0,
	      "db_about() has its name too");
	db_close(db);

	sqlite3 *raw = rows_raw(in_dir("force", "db"));
	CHECK_STR(ROWS_TEXT(raw, "PRAGMA journal_mode = DELETE"), "delete",
		  "somebody's shell changes journal_mode");
	sqlite3_close(raw);
	db = db_open(in_dir("force", "db"), DB_EXISTING, &e);
	CHECK(db && has_log(db), "opening the file sets it right again");
	db_close(db);
}

static void versions(void)
{
	struct err e = ERR_INIT;
	struct rows r;
	int64_t one, two;

	rows_open(&r, "versions");
	CHECK(db_version(r.db, &one, &e) == 0, "db_version()");
	rows_begin(&r);
	rows_commit(&r);
	CHECK(db_version(r.db, &two, &e) == 0 && one == two, "stays after a commit of one's own");
	rows_batch(&r, 1, 10, 0);
	CHECK(db_version(r.db, &two, &e) == 0 && one != two,
	      "changes when another connection has committed");
	rows_close(&r);
}

static void vacuum(void)
{
	struct err e = ERR_INIT;
	struct rows r;

	rows_open(&r, "vacuum");
	rows_batch(&r, 1, 20000, 0);
	ROWS_DO(r.raw, "DELETE FROM requests");
	int64_t before = pragma(r.db, Q_FREE);
	CHECK(before > 20, "rows that are deleted leave free pages");
	rows_begin(&r);
	CHECK_INT(db_vacuum_some(r.db, 7, &e), 7, "db_vacuum_some(7)");
	CHECK(tx_commit(&r.tx, &e) == 0, "in a transaction");
	CHECK_INT(before - pragma(r.db, Q_FREE), 7, "gives seven of them back");
	rows_begin(&r);
	CHECK_INT(db_vacuum_some(r.db, 1000000, &e), before - 7, "asking for more than there are is fine");
	CHECK(tx_commit(&r.tx, &e) == 0, "and all");
	CHECK_INT(pragma(r.db, Q_FREE), 0, "go");
	CHECK_STR(ROWS_TEXT(r.raw, "PRAGMA integrity_check"), "ok", "the file is sound");
	rows_close(&r);
}

int main(void)
{
	making();
	names();
	not_ours();
	empty();
	at_once();
	permissions();
	in_force();
	versions();
	vacuum();
	return unit_done();
}
