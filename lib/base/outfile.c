#include "base/outfile.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/mem.h"
#include "base/num.h"
#include "base/rng.h"
#include "base/safe.h"
#include "base/sync.h"

enum {
	BUF = 64 * 1024,
	HOPS = 40,          /* as many links as the kernel follows */
	TRIES = 100,
	SUFFIX = 6,
	TMP_BASE = 100,     /* of the base name in a temporary one: some file
			     * systems allow 143 bytes in all */
	PATH_SHOWN = 200,
};

struct place {
	int dir;    /* the directory (O_PATH), or -1 */
	char *base; /* the name in it */
};

#define PLACE_INIT { -1, NULL }

struct outfile {
	int fd;              /* -1 after the commit */
	bool ours;           /* fd is to be closed */
	int failed;          /* errno of the first failure, which sticks */
	char *path;          /* as it was given, for messages */
	struct place target; /* dir is -1: written directly */
	char *tmp;           /* name in target.dir; NULL: nothing to remove */
	mode_t mode;
	bool fresh;          /* nothing stood there: `mode` is ours to choose */
	size_t n;
	char buf[BUF];
};

static const char *shown(const struct outfile *o)
{
	return safe_show(span_of(o->path), PATH_SHOWN);
}

static void place_release(struct place *p)
{
	if (p->dir >= 0)
		close(p->dir);
	mem_free(p->base);
	*p = (struct place)PLACE_INIT;
}

/* Where a path leads when links at its end are followed; the last one need
 * not lead to anything.  -1: see errno. */
static int place_find(struct place *p, const char *path)
{
	char *at CLEANUP(mem_cleanup) = mem_strdup(path);
	const char *slash;
	for (int hops = 0;; hops++) {
		char link[PATH_MAX];
		ssize_t n = readlink(at, link, sizeof(link));
		slash = strrchr(at, '/');
		if (n < 0)
			break;
		if (hops == HOPS || n == (ssize_t)sizeof(link)) {
			errno = ELOOP;
			return -1;
		}
		struct str next = STR_INIT;
		if (link[0] != '/' && slash)
			str_add(&next, at, (size_t)(slash - at) + 1);
		str_add(&next, link, (size_t)n);
		mem_free(at);
		at = str_take(&next);
	}
	const char *base = slash ? slash + 1 : at;
	if (base[0] == '\0' || strcmp(base, ".") == 0 || strcmp(base, "..") == 0) {
		errno = EISDIR;
		return -1;
	}
	struct str dir CLEANUP(str_release) = STR_INIT;
	if (slash)
		str_add(&dir, at, (size_t)(base - at));
	else
		str_addc(&dir, '.');
	p->dir = open(str_z(&dir), O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (p->dir < 0)
		return -1;
	p->base = mem_strdup(base);
	return 0;
}

static bool same_inode(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

/* The number of our own descriptor that a path names, or -1.  Opening such a
 * path anew would write to the start of a file that is appended to. */
static int own_fd(const char *path)
{
	if (strcmp(path, "/dev/stdout") == 0)
		return STDOUT_FILENO;
	if (strcmp(path, "/dev/stderr") == 0)
		return STDERR_FILENO;
	struct span v = span_of(path);
	const char *number = NULL;
	if (span_starts(v, "/dev/fd/"))
		number = path + strlen("/dev/fd/");
	else if (span_starts(v, "/proc/self/fd/"))
		number = path + strlen("/proc/self/fd/");
	int64_t fd;
	struct err ignored = ERR_INIT;
	if (!number || num_int(number, 0, INT_MAX, &fd, &ignored) != 0)
		return -1;
	return (int)fd;
}

static int cannot_create(const struct outfile *o, struct err *e)
{
	bool nowhere = errno == ENOENT;
	err_sys(e, ERR_CANTCREAT, "cannot create '%s'", shown(o));
	if (nowhere)
		err_hint(e, "its directory does not exist: create it first");
	return -1;
}

static int open_own(struct outfile *o, int fd, struct err *e)
{
	o->fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	o->ours = true;
	if (o->fd < 0)
		return err_sys(e, ERR_CANTCREAT, "cannot write to '%s'", shown(o));
	return 0;
}

static int open_direct(struct outfile *o, struct err *e)
{
	o->fd = open(o->path, O_WRONLY | O_CLOEXEC | O_NOCTTY);
	o->ours = true;
	if (o->fd < 0)
		return err_sys(e, ERR_CANTCREAT, "cannot write to '%s'", shown(o));
	struct stat st;
	if (fstat(o->fd, &st) != 0 || S_ISREG(st.st_mode))
		return err_set(e, ERR_CANTCREAT, "'%s' changed while it was opened",
			       shown(o));
	return 0;
}

static char *tmp_name(const char *base)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyz234567";
	unsigned char r[SUFFIX];
	rng_fill(r, sizeof(r));
	size_t n = strlen(base);
	if (n > TMP_BASE) {
		/* Some file systems take nothing but UTF-8. */
		for (n = TMP_BASE; n > 0 && (base[n] & 0xc0) == 0x80; n--)
			;
	}
	struct str s = STR_INIT;
	str_addc(&s, '.');
	str_add(&s, base, n);
	str_addc(&s, '.');
	for (int i = 0; i < SUFFIX; i++)
		str_addc(&s, letters[r[i] & 31]);
	return str_take(&s);
}

/* Told without opening it: to close it would drop the locks of our SQLite. */
static bool is_state_file(const struct place *p)
{
	struct str side CLEANUP(str_release) = STR_INIT;
	str_addf(&side, "%s-fsl", p->base);
	return faccessat(p->dir, str_z(&side), F_OK, 0) == 0;
}

/* `old`: what stands at the path now, or NULL. */
static int open_tmp(struct outfile *o, const struct stat *old, struct err *e)
{
	if (place_find(&o->target, o->path) != 0)
		return cannot_create(o, e);
	o->mode = S_IRUSR | S_IWUSR;
	o->fresh = !old;
	if (old) {
		struct stat st;
		int flags = AT_SYMLINK_NOFOLLOW;
		if (fstatat(o->target.dir, o->target.base, &st, flags) != 0 ||
		    !same_inode(&st, old))
			return err_set(e, ERR_CANTCREAT,
				       "'%s' changed while it was opened", shown(o));
		if (faccessat(o->target.dir, o->target.base, W_OK, AT_EACCESS) != 0)
			return cannot_create(o, e);
		if (is_state_file(&o->target))
			return err_set(e, ERR_CANTCREAT, "'%s' is a state file: no output may "
				       "take its place", shown(o));
		o->mode = old->st_mode & (S_IRWXU | S_IRWXG | S_IRWXO);
	}
	for (int i = 0; i < TRIES; i++) {
		char *name CLEANUP(mem_cleanup) = tmp_name(o->target.base);
		o->fd = openat(o->target.dir, name,
			       O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
			       S_IRUSR | S_IWUSR);
		if (o->fd >= 0) {
			o->ours = true;
			o->tmp = TAKE(name);
			return 0;
		}
		if (errno != EEXIST)
			break;
	}
	return cannot_create(o, e);
}

static int open_any(struct outfile *o, struct err *e)
{
	if (strcmp(o->path, "-") == 0) {
		mem_free(o->path);
		o->path = mem_strdup("<stdout>");
		o->fd = STDOUT_FILENO;
		if (fcntl(o->fd, F_GETFD) < 0)
			return err_sys(e, ERR_CANTCREAT, "cannot write to '%s'",
				       shown(o));
		return 0;
	}
	if (o->path[0] == '\0')
		return err_set(e, ERR_CANTCREAT, "the name of the output is empty");
	int fd = own_fd(o->path);
	if (fd >= 0)
		return open_own(o, fd, e);
	struct stat st;
	if (stat(o->path, &st) != 0)
		return errno == ENOENT ? open_tmp(o, NULL, e) : cannot_create(o, e);
	if (S_ISDIR(st.st_mode))
		return err_set(e, ERR_CANTCREAT, "'%s' is a directory", shown(o));
	return S_ISREG(st.st_mode) ? open_tmp(o, &st, e) : open_direct(o, e);
}

struct outfile *outfile_open(const char *path, struct err *e)
{
	struct outfile *o = mem_alloc(sizeof(*o));
	o->fd = -1;
	o->target = (struct place)PLACE_INIT;
	o->path = mem_strdup(path);
	if (open_any(o, e) != 0) {
		outfile_close(o);
		return NULL;
	}
	return o;
}

/* Says what the first failure was, now and at every later call: the output
 * has a hole and must not be committed. */
static int fail(struct outfile *o, int number, struct err *e)
{
	if (!o->failed)
		o->failed = number;
	if (o->failed == EPIPE)
		return err_set(e, ERR_PIPE, "the reader of '%s' went away", shown(o));
	errno = o->failed;
	return err_sys(e, ERR_IO, "cannot write '%s'", shown(o));
}

static int write_all(struct outfile *o, const char *p, size_t n, struct err *e)
{
	while (n > 0) {
		ssize_t done = write(o->fd, p, n);
		if (done > 0) {
			p += done;
			n -= (size_t)done;
		} else if (done == 0) {
			return fail(o, EIO, e);
		} else if (errno == EAGAIN || errno == EWOULDBLOCK) {
			/* Another process made our descriptor non-blocking. */
			struct pollfd pf = { .fd = o->fd, .events = POLLOUT };
			(void)poll(&pf, 1, -1);
		} else if (errno != EINTR) {
			return fail(o, errno, e);
		}
	}
	return 0;
}

int outfile_flush(struct outfile *o, struct err *e)
{
	if (o->fd < 0)
		BUG("outfile: used after the commit");
	if (o->failed)
		return fail(o, o->failed, e);
	size_t n = o->n;
	o->n = 0;
	return write_all(o, o->buf, n, e);
}

int outfile_write(struct outfile *o, struct span v, struct err *e)
{
	if (o->fd < 0)
		BUG("outfile: used after the commit");
	if (o->failed)
		return fail(o, o->failed, e);
	if (v.n > BUF - o->n) {
		if (outfile_flush(o, e) != 0)
			return -1;
		if (v.n >= BUF)
			return write_all(o, v.p, v.n, e);
	}
	if (v.n > 0)
		memcpy(o->buf + o->n, v.p, v.n);
	o->n += v.n;
	return 0;
}

static int sync_dir(struct outfile *o, struct err *e)
{
	if (sync_directory(o->target.dir, ".") < 0)
		return err_sys(e, ERR_IO, "cannot sync the directory of '%s'", shown(o));
	return 0;
}

/* Puts it where it is to be. */
static int finish(struct outfile *o, bool sync, struct err *e)
{
	if (outfile_flush(o, e) != 0)
		return -1;
	if (o->tmp) {
		/* Not before: until now the file was nobody else's.  It fails
		 * where there are no permission bits. */
		(void)fchmod(o->fd, o->mode);
		if (sync && sync_file(o->fd) < 0)
			return fail(o, errno, e);
	}
	int fd = o->fd;
	o->fd = -1;
	if (o->ours && close(fd) != 0 && errno != EINTR)
		return fail(o, errno, e);
	if (!o->tmp)
		return 0;
	if (renameat(o->target.dir, o->tmp, o->target.dir, o->target.base) != 0)
		return cannot_create(o, e);
	mem_free(TAKE(o->tmp));
	return sync ? sync_dir(o, e) : 0;
}

int outfile_commit(struct outfile *o, struct err *e)
{
	return finish(o, true, e);
}

int outfile_publish(struct outfile *o, unsigned mode, struct err *e)
{
	if (o->fresh)
		o->mode = (mode_t)mode;
	return finish(o, false, e);
}

void outfile_close(struct outfile *o)
{
	if (!o)
		return;
	if (o->tmp)
		(void)unlinkat(o->target.dir, o->tmp, 0);
	if (o->ours && o->fd >= 0)
		close(o->fd);
	place_release(&o->target);
	mem_free(o->tmp);
	mem_free(o->path);
	mem_free(o);
}

void outfile_cleanup(struct outfile **o)
{
	outfile_close(*o);
}

bool outfile_same(const char *a, const char *b)
{
	if (strcmp(a, b) == 0)
		return true;
	if (strcmp(a, "-") == 0 || strcmp(b, "-") == 0)
		return false;
	struct stat sa, sb;
	bool has_a = stat(a, &sa) == 0, has_b = stat(b, &sb) == 0;
	if (has_a || has_b)
		return has_a && has_b && same_inode(&sa, &sb);
	struct place pa CLEANUP(place_release) = PLACE_INIT;
	struct place pb CLEANUP(place_release) = PLACE_INIT;
	return place_find(&pa, a) == 0 && place_find(&pb, b) == 0 &&
	       strcmp(pa.base, pb.base) == 0 && fstat(pa.dir, &sa) == 0 &&
	       fstat(pb.dir, &sb) == 0 && same_inode(&sa, &sb);
}

int outfile_spares(const char *output, const char *input, struct err *e)
{
	bool standard = strcmp(input, "-") == 0;
	struct stat st;
	if (strcmp(output, "-") == 0 || own_fd(output) >= 0 ||
	    (standard ? fstat(STDIN_FILENO, &st) : stat(input, &st)) != 0 ||
	    !S_ISREG(st.st_mode) || !outfile_same(output, standard ? "/dev/stdin" : input))
		return 0;
	return err_set(e, ERR_USAGE, "the output '%s' would replace the input",
		       safe_show(span_of(output), PATH_SHOWN));
}
