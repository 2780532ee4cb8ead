#include "store/backup.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/rng.h"
#include "base/safe.h"
#include "base/sig.h"
#include "base/str.h"
#include "base/sync.h"
#include "store/internal.h"

enum {
	SHOWN = 200,
	STOP_OPS = 10000, /* of SQLite's machine between two questions: below 1 ms */
	TRIES = 100,
	SUFFIX = 10,
};

struct copy {
	const char *path; /* what it is to be */
	struct str dir;   /* where that is, with a slash at the end; "" is here */
	struct str tmp;   /* what it is now; "": nothing */
	dev_t dev;        /* of the file we have made */
	ino_t ino;
	int (*stop)(void);
	int stopped;
};

static const char *shown(const char *path)
{
	return safe_show(span_of(path), SHOWN);
}

static void copy_release(struct copy *c)
{
	if (c->tmp.n > 0) {
		unlink(str_z(&c->tmp));
		str_addz(&c->tmp, "-journal");
		unlink(str_z(&c->tmp));
	}
	str_release(&c->tmp);
	str_release(&c->dir);
}

static int exists(const char *path, struct err *e)
{
	err_set(e, ERR_CANTCREAT, "'%s' exists: a backup replaces nothing", shown(path));
	return err_hint(e, "give it another name, or move that away");
}

/* Nothing may be there, nor what would be taken for a part of it. */
static int check_names(const char *path, struct err *e)
{
	static const char *const suffixes[] = { "", "-wal", "-journal" };

	for (size_t i = 0; i < ARRAY_LEN(suffixes); i++) {
		struct str name CLEANUP(str_release) = STR_INIT;
		struct stat st;
		str_addz(&name, path);
		str_addz(&name, suffixes[i]);
		if (lstat(str_z(&name), &st) == 0)
			return exists(str_z(&name), e);
		if (errno != ENOENT)
			return err_sys(e, ERR_CANTCREAT, "cannot create '%s'", shown(path));
	}
	return 0;
}

static int find_directory(struct copy *c, struct err *e)
{
	const char *slash = strrchr(c->path, '/'), *base = slash ? slash + 1 : c->path;

	if (!*base || strcmp(base, ".") == 0 || strcmp(base, "..") == 0 ||
	    strcmp(c->path, "-") == 0) {
		err_set(e, ERR_CANTCREAT, "'%s' is no name for a file", shown(c->path));
		return err_hint(e, "a backup is a file of its own");
	}
	str_add(&c->dir, c->path, (size_t)(base - c->path));
	const char *dir = c->dir.n > 0 ? str_z(&c->dir) : ".";
	if (faccessat(AT_FDCWD, dir, W_OK | X_OK, AT_EACCESS) < 0)
		return err_sys(e, ERR_CANTCREAT, "cannot create '%s'", shown(c->path));
	return 0;
}

static int check(struct copy *c, struct err *e)
{
	return check_names(c->path, e) < 0 || find_directory(c, e) < 0 ? -1 : 0;
}

/* An empty file that only we can read; SQLite fills it. */
static int make_tmp(struct copy *c, struct err *e)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyz234567";

	for (int i = 0; i < TRIES; i++) {
		struct str name CLEANUP(str_release) = STR_INIT;
		unsigned char r[SUFFIX];
		struct stat st;
		rng_fill(r, sizeof r);
		str_addspan(&name, str_span(&c->dir));
		str_addz(&name, ".fsl-backup-");
		for (int k = 0; k < SUFFIX; k++)
			str_addc(&name, letters[r[k] & 31]);
		int fd = open(str_z(&name), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
		if (fd < 0 && errno == EEXIST)
			continue;
		if (fd < 0)
			break;
		str_addspan(&c->tmp, str_span(&name));
		int rc = fstat(fd, &st);
		close(fd); /* before SQLite opens it: a close later would drop its locks */
		if (rc < 0)
			break;
		c->dev = st.st_dev;
		c->ino = st.st_ino;
		return 0;
	}
	return err_sys(e, ERR_CANTCREAT, "cannot create '%s'", shown(c->path));
}

static int on_progress(void *ctx)
{
	struct copy *c = ctx;

	if (c->stop && !c->stopped)
		c->stopped = c->stop();
	return c->stopped != 0;
}

static int copy_failed(struct db *db, const struct copy *c, int rc, struct err *e)
{
	int number = sqlite3_system_errno(db->handle);
	bool disk = (rc & 0xff) == SQLITE_IOERR;

	if ((rc & 0xff) == SQLITE_FULL ||
	    (disk && (number == ENOSPC || number == EDQUOT || number == EFBIG)))
		return err_set(e, ERR_IO, "cannot write '%s': the disk is full", shown(c->path));
	if (disk)
		return err_set(e, ERR_IO, "cannot copy the state file to '%s': %s (errno %d)",
			       shown(c->path), sqlite3_errstr(rc), number);
	return db_fail(db, rc, e, "cannot be copied");
}

static int copy_pages(struct db *db, struct copy *c, struct err *e)
{
	sqlite3_stmt *s = NULL;
	int rc = sqlite3_prepare_v2(db->handle, "VACUUM INTO ?1", -1, &s, NULL);

	if (rc == SQLITE_OK)
		rc = sqlite3_bind_text(s, 1, str_z(&c->tmp), -1, SQLITE_STATIC);
	sqlite3_progress_handler(db->handle, STOP_OPS, on_progress, c);
	if (rc == SQLITE_OK)
		rc = sqlite3_step(s);
	sqlite3_progress_handler(db->handle, 0, NULL, NULL);
	if (rc != SQLITE_DONE && !c->stopped)
		copy_failed(db, c, rc, e);
	sqlite3_finalize(s);
	return rc == SQLITE_DONE ? 0 : -1;
}

/* On disk, and the file that we have made? */
static int sync_copy(const struct copy *c, struct err *e)
{
	struct stat st;
	int fd = open(str_z(&c->tmp), O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	bool same = fd >= 0 && fstat(fd, &st) == 0 && st.st_dev == c->dev && st.st_ino == c->ino;
	bool failed = same && sync_file(fd) < 0;
	int number = errno;

	if (fd >= 0)
		close(fd);
	errno = number;
	if (failed)
		return err_sys(e, ERR_IO, "cannot write '%s'", shown(c->path));
	return same ? 0 : err_set(e, ERR_IO, "'%s' was replaced while it was written",
				  shown(str_z(&c->tmp)));
}

/* Gives it its name, unless somebody else has taken that meanwhile. */
static int publish(struct copy *c, struct err *e)
{
	const char *tmp = str_z(&c->tmp);
	int rc = renameat2(AT_FDCWD, tmp, AT_FDCWD, c->path, RENAME_NOREPLACE);
	bool linked = rc < 0 && (errno == EINVAL || errno == ENOSYS);

	if (linked)
		rc = link(tmp, c->path);
	if (rc < 0)
		return errno == EEXIST ? exists(c->path, e) :
		       err_sys(e, ERR_CANTCREAT, "cannot create '%s'", shown(c->path));
	if (linked)
		unlink(tmp);
	str_reset(&c->tmp);
	if (sync_directory(AT_FDCWD, c->dir.n > 0 ? str_z(&c->dir) : ".") < 0)
		return err_sys(e, ERR_IO, "cannot sync the directory of '%s'", shown(c->path));
	return 0;
}

int backup_write(struct db *db, const char *path, int (*stop)(void), struct err *e)
{
	struct copy c CLEANUP(copy_release) = { .path = path, .stop = stop, .dir = STR_INIT,
						.tmp = STR_INIT };

	if (check(&c, e) < 0 || make_tmp(&c, e) < 0)
		return -1;
	if (copy_pages(db, &c, e) < 0)
		return c.stopped ? c.stopped : -1;
	return sync_copy(&c, e) < 0 || publish(&c, e) < 0 ? -1 : 0;
}

int backup_check(const char *path, struct err *e)
{
	struct copy c CLEANUP(copy_release) = { .path = path, .dir = STR_INIT, .tmp = STR_INIT };

	return check(&c, e);
}

int backup_make(struct db *db, const char *path, bool dry_run, struct err *e)
{
	static const int signals[] = { SIGHUP, SIGINT, SIGTERM };

	if (dry_run && backup_check(path, e) < 0)
		return -1;
	if (dry_run) {
		log_note("would copy %s to %s", safe_show(span_of(db->path), SHOWN), shown(path));
		return 0;
	}
	if (sig_open(signals, ARRAY_LEN(signals), e) < 0)
		return -1;
	int rc = backup_write(db, path, sig_next, e);
	return rc > 0 ? 128 + rc : rc;
}
