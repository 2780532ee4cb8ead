#include "store/backup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "proc.h"
#include "rows.h"

enum { MIB = 1 << 20, ROWS = 60000 };

static struct rows r;
static struct err e;

static const char *at(const char *name)
{
	static char paths[4][4096];
	static int next;
	char *path = paths[next++ & 3];

	snprintf(path, sizeof paths[0], "%s/%s", unit_dir(), name);
	return path;
}

static mode_t mode_of(const char *name)
{
	struct stat st;

	return lstat(at(name), &st) == 0 ? st.st_mode : 0;
}

/* How many names of the directory begin so; of the temporary files, without. */
static int names(const char *dir, const char *begin)
{
	DIR *d = opendir(at(dir));
	int n = 0;

	for (struct dirent *x; d && (x = readdir(d));)
		n += strncmp(x->d_name, begin, strlen(begin)) == 0;
	if (d)
		closedir(d);
	return n;
}

static int write_to(const char *name)
{
	e = (struct err)ERR_INIT;
	return backup_write(r.db, at(name), NULL, &e);
}

static bool refused(const char *name, const char *text)
{
	bool both = write_to(name) == -1 && e.code == ERR_CANTCREAT && strstr(e.msg, text);

	if (both && backup_check(at(name), &e) == -1 && e.code == ERR_CANTCREAT &&
	    strstr(e.msg, text))
		return true;
	printf("# %d %s\n", e.code, e.msg);
	return false;
}

static void test_copy(void)
{
	umask(0);
	CHECK(backup_check(at("copy"), &e) == 0, "nothing is in the way");
	CHECK(write_to("copy") == 0, "a copy is made");
	umask(022);
	CHECK_INT(mode_of("copy"), S_IFREG | 0600, "that only we can read, whatever the umask");
	CHECK_INT(names(".", ".fsl-backup") + names(".", "copy-"), 0, "and nothing beside it");
	sqlite3 *raw = rows_raw(at("copy"));
	CHECK_STR(ROWS_TEXT(raw, "PRAGMA integrity_check"), "ok", "it is sound");
	CHECK_INT(ROWS_INT(raw, "SELECT count(*) FROM requests"), ROWS, "and has every row");
	CHECK_INT(ROWS_INT(raw, "PRAGMA freelist_count"), 0, "but no free pages");
	CHECK_INT(ROWS_INT(raw, "PRAGMA auto_vacuum"), 2, "it gives pages back");
	CHECK_INT(ROWS_INT(raw, "PRAGMA page_size"), 8192, "has our pages");
	CHECK_INT(ROWS_INT(raw, "PRAGMA application_id"), 0x46534c31, "our mark");
	CHECK_INT(ROWS_INT(raw, "PRAGMA user_version"), ROWS_INT(r.raw, "PRAGMA user_version"),
		  "and our version");
	sqlite3_close(raw);
	struct db *db = db_open(at("copy"), DB_EXISTING, &e);
	raw = db ? rows_raw(at("copy")) : NULL;
	CHECK(raw && rows_wrong(raw) == 0, "it is a state file");
	CHECK(raw && strcmp(ROWS_TEXT(raw, "PRAGMA journal_mode"), "wal") == 0, "with a log");
	TX(tx);
	CHECK(db && tx_begin(&tx, db, &e) == 0 && tx_commit(&tx, &e) == 0, "that can be written");
	e = (struct err)ERR_INIT;
	CHECK(db && backup_write(db, at("copy2"), NULL, &e) == 0, "and copied");
	sqlite3_close(raw);
	db_close(db);
	CHECK(refused("copy", "'") && strstr(e.msg, "copy' exists"), "nothing is replaced");
}

static void make(const char *name)
{
	int fd = open(at(name), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	rows_must(fd >= 0 && write(fd, "x", 1) == 1 && close(fd) == 0, name, strerror(errno));
}

static void test_refused(void)
{
	make("file");
	make("log-wal");
	make("old-journal");
	rows_must(mkdir(at("dir"), 0700) == 0 && symlink("file", at("link")) == 0 &&
		  symlink("nowhere", at("dangling")) == 0 && mkfifo(at("fifo"), 0600) == 0, "mkdir",
		  strerror(errno));
	CHECK(refused("file", "file' exists"), "a file that is there");
	CHECK(refused("link", "link' exists"), "a link");
	CHECK(refused("dangling", "dangling' exists"), "also one that leads nowhere");
	CHECK(refused("fifo", "fifo' exists"), "a FIFO");
	CHECK(refused("dir", "dir' exists"), "a directory");
	CHECK(refused("dir/", "dir/' exists"), "also as such");
	CHECK(refused("state", "state' exists"), "the state file itself");
	CHECK(refused("log", "log-wal' exists"), "a log that somebody left: it would be replayed");
	CHECK(refused("old", "old-journal' exists"), "and a journal");
	CHECK(refused("none/x", "No such file or directory"), "a directory that is not there");
	CHECK(refused("file/x", "Not a directory"), "or is none");
	CHECK(refused("new/", "no name"), "no name");
	CHECK(backup_check("-", &e) < 0 && e.code == ERR_CANTCREAT, "standard output is no file");
	CHECK(backup_check("", &e) < 0 && e.code == ERR_CANTCREAT, "an empty name");
	CHECK(mode_of("file") == (S_IFREG | 0600) && mode_of("link") != 0, "all stay as they are");
	CHECK_INT(names(".", ".fsl-backup"), 0, "nothing is left behind");
	rows_must(chdir(unit_dir()) == 0, "chdir", strerror(errno));
	e = (struct err)ERR_INIT;
	CHECK(backup_write(r.db, "here", NULL, &e) == 0 && mode_of("here") != 0, "a relative name");
}

/* Asked in the middle. */
static int asked;

static int stop_at_once(void)
{
	asked++;
	return 15;
}

static int take_the_name(void)
{
	if (asked++ == 0)
		make("taken");
	return 0;
}

static void test_meanwhile(void)
{
	e = (struct err)ERR_INIT;
	CHECK(backup_write(r.db, at("stopped"), stop_at_once, &e) == 15, "stopped: what stop said");
	CHECK(asked > 0 && mode_of("stopped") == 0 && names(".", ".fsl-backup") == 0,
	      "nothing is left behind");
	asked = 0;
	CHECK(backup_write(r.db, at("taken"), take_the_name, &e) < 0 && e.code == ERR_CANTCREAT &&
	      strstr(e.msg, "taken' exists"), "somebody took the name while it was written");
	struct stat st;
	CHECK(asked > 0 && stat(at("taken"), &st) == 0 && st.st_size == 1, "and keeps it");
	CHECK_INT(names(".", ".fsl-backup"), 0, "nothing is left behind");
	CHECK(write_to("after") == 0, "the connection is as before");
}

/* Commits of another process: each adds a file and a batch of it. */
static struct { volatile int64_t commits, stop; } *shared;

static void commit_on(struct proc *parent)
{
	proc_hear(parent);
	struct rows w = { .now = 1 };
	w.db = db_open(at("state"), DB_EXISTING, &e);
	rows_must(w.db != NULL, "db_open", e.msg);
	w.raw = rows_raw(at("state"));
	while (!shared->stop) {
		TX(tx);
		rows_must(tx_begin(&tx, w.db, &e) == 0, "tx_begin", e.msg);
		tx_end(&tx);
		rows_batch(&w, 1, 3, 0);
		shared->commits++;
	}
	rows_close(&w);
}

static int64_t seen;
static bool went_on;

/* In the middle of the copy: the other process must commit now. */
static int wait_for_commits(void)
{
	if (asked++ > 0)
		return 0;
	seen = shared->commits;
	went_on = PROC_UNTIL(shared->commits >= seen + 3);
	return 0;
}

static void test_writers(struct proc *writer)
{
	proc_say(writer, 'g');
	rows_must(PROC_UNTIL(shared->commits > 0), "the other process", "does not commit");
	int64_t before = ROWS_INT(r.raw, "SELECT count(*) FROM batches");
	asked = 0;
	CHECK(backup_write(r.db, at("during"), wait_for_commits, &e) == 0, "a copy while others write");
	CHECK(asked > 0 && went_on, "who are not held up");
	shared->stop = 1;
	CHECK_INT(proc_end(writer), 0, "and end well");
	sqlite3 *raw = rows_raw(at("during"));
	int64_t n = ROWS_INT(raw, "SELECT count(*) FROM batches");
	CHECK(n >= before && n <= ROWS_INT(r.raw, "SELECT count(*) FROM batches") - 3,
	      "it is of the moment when it began");
	CHECK(rows_wrong(raw) == 0 && strcmp(ROWS_TEXT(raw, "PRAGMA integrity_check"), "ok") == 0,
	      "and of one moment");
	sqlite3_close(raw);
}

static void fill_disk(void)
{
	const char *dir = at("disk");

	if (unshare(CLONE_NEWNS) < 0 ||
	    mount("none", "/", "none", MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("none", dir, "tmpfs", 0, "size=1m") < 0) {
		fprintf(stderr, "skip: %s", strerror(errno));
		return;
	}
	struct db *db = db_open(at("state"), DB_EXISTING, &e);
	int rc = db ? backup_write(db, at("disk/copy"), NULL, &e) : 0;
	fprintf(stderr, "rc %d code %d: %s; %d left", rc, (int)e.code, e.msg,
		names("disk", "copy") + names("disk", ".fsl-backup"));
	db_close(db);
}

static void test_full(void)
{
	char said[1024], want[64];

	mkdir(at("disk"), 0700);
	snprintf(want, sizeof want, "rc -1 code %d: ", ERR_IO);
	CHECK_INT(unit_child(fill_disk, said, sizeof said), 0, "no room for a copy");
	if (strncmp(said, "skip", 4) == 0) {
		CHECK(true, "is ERR_IO # SKIP cannot mount a small disk");
		return;
	}
	printf("# %s\n", said);
	CHECK(strstr(said, want) && strstr(said, "disk/copy': the disk is full; 0 left"),
	      "is ERR_IO, says where, and leaves nothing behind");
}

int main(void)
{
	shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	unit_dir();
	struct proc writer = proc_start(commit_on);
	rows_open(&r, "state");
	rows_batch(&r, 2, ROWS, 0);
	ROWS_DO(r.raw, "CREATE TABLE gone (b); ");
	ROWS_DO(r.raw, "INSERT INTO gone VALUES (zeroblob(100000))");
	ROWS_DO(r.raw, "DROP TABLE gone");
	test_copy();
	test_refused();
	test_meanwhile();
	test_writers(&writer);
	rows_close(&r);
	test_full();
	return unit_done();
}
