#include "base/lines.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/mem.h"
#include "base/safe.h"

enum {
	BLOCK = 256 * 1024,      /* one read; fits in a second level cache */
	KEEP = 4 * 1024 * 1024,  /* a buffer above it shrinks behind its line */
	NAME_SHOWN = 200,
};

static const size_t LINE_LIMIT = (size_t)1 << 30;
static const int64_t SKIP_LIMIT = INT64_C(1) << 30;

struct lines {
	int fd;
	char *name;
	size_t max;
	bool done;        /* nothing comes any more */
	bool skipping;    /* we are inside a line that was too long */
	bool ended_in_lf;
	int64_t skipped;  /* bytes of that line so far */
	int64_t number;
	/* buf[0..start) was handed out, buf[start..end) was not yet;
	 * buf[0..hashed) is in the sum, as is all that was there before. */
	char *buf;
	size_t cap, hashed, start, end;
	int64_t before;   /* bytes that have left the buffer */
	struct hash *sum;
};

static const char *shown(const char *name)
{
	return safe_show(span_of(name), NAME_SHOWN);
}

static int open_input(const char *path, int flags, struct err *e)
{
	if (path[0] == '\0')
		return err_set(e, ERR_NOINPUT, "the name of the input is empty");
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | flags);
	if (fd < 0)
		return err_sys(e, ERR_NOINPUT, "cannot open '%s'", shown(path));
	return fd;
}

/* read(2) that is neither interrupted nor confused by a descriptor that
 * another process has made non-blocking. */
static ssize_t read_some(int fd, void *p, size_t n)
{
	for (;;) {
		ssize_t got = read(fd, p, n);
		if (got >= 0)
			return got;
		if (errno == EAGAIN || errno == EWOULDBLOCK) {
			struct pollfd pf = { .fd = fd, .events = POLLIN };
			(void)poll(&pf, 1, -1);
		} else if (errno != EINTR) {
			return -1;
		}
	}
}

struct lines *lines_open(const char *path, size_t max_line, struct err *e)
{
	if (max_line == 0 || max_line > LINE_LIMIT)
		BUG("lines_open: a limit of %zu bytes", max_line);
	bool in = strcmp(path, "-") == 0;
	const char *name = in ? "<stdin>" : path;
	int fd = in ? STDIN_FILENO : open_input(path, 0, e);
	if (fd < 0)
		return NULL;
	struct lines *l = mem_alloc(sizeof(*l));
	l->fd = fd;
	l->name = mem_strdup(name);
	l->max = max_line;
	l->ended_in_lf = true;
	struct stat st;
	int failed = fstat(fd, &st);
	if (failed != 0 || S_ISDIR(st.st_mode)) {
		if (failed != 0)
			err_sys(e, ERR_NOINPUT, "cannot read '%s'", shown(name));
		else
			err_set(e, ERR_NOINPUT, "'%s' is a directory", shown(name));
		lines_close(l);
		return NULL;
	}
	/* Advice only: pipes and terminals refuse it. */
	(void)posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL);
	l->cap = BLOCK;
	l->buf = mem_resize(NULL, l->cap, 1);
	l->sum = hash_new();
	return l;
}

void lines_close(struct lines *l)
{
	if (!l)
		return;
	if (l->fd > STDIN_FILENO)
		close(l->fd);
	hash_free(l->sum);
	mem_free(l->buf);
	mem_free(l->name);
	mem_free(l);
}

/* Hashing a line at a time costs more than reading it: it is done for a
 * buffer at a time, before the bytes go or when somebody asks. */
static void settle(struct lines *l)
{
	if (l->start > l->hashed)
		hash_add(l->sum, l->buf + l->hashed, l->start - l->hashed);
	l->hashed = l->start;
}

/* Puts more bytes behind those not handed out yet.  1, 0 at the end, or -1. */
static int fill(struct lines *l, struct err *e)
{
	settle(l);
	memmove(l->buf, l->buf + l->start, l->end - l->start);
	l->before += (int64_t)l->start;
	l->end -= l->start;
	l->start = l->hashed = 0;
	if (l->cap > KEEP && l->end < BLOCK) {
		l->cap = BLOCK;
		l->buf = mem_resize(l->buf, l->cap, 1);
	}
	if (l->end == l->cap) {
		/* One byte more than the limit tells that it was passed. */
		l->cap = l->cap < (l->max + 1) / 2 ? l->cap * 2 : l->max + 1;
		l->buf = mem_resize(l->buf, l->cap, 1);
	}
	size_t room = l->cap - l->end;
	ssize_t got = read_some(l->fd, l->buf + l->end, room < BLOCK ? room : BLOCK);
	if (got > 0) {
		l->end += (size_t)got;
		return 1;
	}
	l->done = true;
	if (got < 0)
		return err_sys(e, ERR_IO, "cannot read '%s'", shown(l->name));
	return 0;
}

/* Passes over the rest of a line that was too long.  1, or as fill(). */
static int skip_rest(struct lines *l, struct err *e)
{
	for (;;) {
		size_t have = l->end - l->start;
		const char *lf = memchr(l->buf + l->start, '\n', have);
		if (lf) {
			l->start = (size_t)(lf - l->buf) + 1;
			l->skipping = false;
			l->ended_in_lf = true;
			return 1;
		}
		l->skipped += (int64_t)have;
		l->start = l->end;
		if (l->skipped > SKIP_LIMIT) {
			l->done = true;
			return 0;
		}
		int r = fill(l, e);
		if (r != 1)
			return r;
	}
}

/* Hands out n bytes and, if it is there, the LF behind them. */
static struct span hand_out(struct lines *l, size_t n, bool lf)
{
	struct span line = { l->buf + l->start, n };
	l->start += n + lf;
	l->ended_in_lf = lf;
	l->number++;
	return line;
}

int lines_next(struct lines *l, struct span *line, struct err *e)
{
	*line = SPAN_NONE;
	if (l->done)
		return 0;
	if (l->skipping) {
		int r = skip_rest(l, e);
		if (r != 1)
			return r;
	}
	for (size_t seen = 0;;) {
		const char *p = l->buf + l->start;
		size_t have = l->end - l->start;
		const char *lf = memchr(p + seen, '\n', have - seen);
		size_t n = lf ? (size_t)(lf - p) : have;
		if (n > l->max) {
			hand_out(l, n, lf != NULL);
			l->skipping = lf == NULL;
			l->skipped = (int64_t)n;
			return err_set(e, ERR_INPUT,
				       "line %lld of '%s' is longer than %zu bytes",
				       (long long)l->number, shown(l->name), l->max);
		}
		if (lf) {
			*line = hand_out(l, n, true);
			return 1;
		}
		seen = have;
		int r = fill(l, e);
		if (r < 0)
			return -1;
		if (r == 0) {
			if (have == 0)
				return 0;
			*line = hand_out(l, have, false);
			return 1;
		}
	}
}

int64_t lines_number(const struct lines *l)
{
	return l->number;
}

int64_t lines_bytes(const struct lines *l)
{
	return l->before + (int64_t)l->start;
}

bool lines_ended_in_lf(const struct lines *l)
{
	return l->ended_in_lf;
}

const char *lines_name(const struct lines *l)
{
	return l->name;
}

struct id lines_hash(const struct lines *l)
{
	/* Only lines_open() makes these, never const: the sum is a cache. */
	settle((struct lines *)l);
	return hash_sum(l->sum);
}

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

static void free_hash(struct hash **h)
{
	hash_free(*h);
}

int lines_hash_file(const char *path, struct id *sum, int64_t *bytes, struct err *e)
{
	/* O_NONBLOCK: a FIFO is to be refused, not waited for. */
	int fd CLEANUP(close_fd) = open_input(path, O_NONBLOCK, e);
	if (fd < 0)
		return -1;
	struct stat st;
	if (fstat(fd, &st) != 0)
		return err_sys(e, ERR_NOINPUT, "cannot read '%s'", shown(path));
	if (!S_ISREG(st.st_mode))
		return err_set(e, ERR_NOINPUT, "'%s' is %s", shown(path),
			       S_ISDIR(st.st_mode) ? "a directory" : "no regular file");
	(void)posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL);
	struct hash *h CLEANUP(free_hash) = hash_new();
	char *buf CLEANUP(mem_cleanup) = mem_resize(NULL, BLOCK, 1);
	int64_t total = 0;
	ssize_t got;
	while ((got = read_some(fd, buf, BLOCK)) > 0) {
		hash_add(h, buf, (size_t)got);
		total += got;
	}
	if (got < 0)
		return err_sys(e, ERR_IO, "cannot read '%s'", shown(path));
	*sum = hash_sum(h);
	*bytes = total;
	return 0;
}
