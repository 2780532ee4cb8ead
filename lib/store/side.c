#include "store/side.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/safe.h"
#include "base/str.h"

struct side {
	int fd;
	char *path;
	dev_t dev; /* of the open file */
	ino_t ino;
	bool own[SIDE_END]; /* bytes we hold: the kernel does not tell us of those */
};

/* Whoever may use the state file may use this one.  Not ours: no harm. */
static void share(int fd, const struct stat *st, mode_t mode, uid_t uid, gid_t gid)
{
	int ignored = 0;

	if (st->st_uid == geteuid() && (st->st_mode & 0777) != mode)
		ignored |= fchmod(fd, mode);
	if (st->st_gid != gid)
		ignored |= fchown(fd, (uid_t)-1, gid);
	if (geteuid() == 0 && st->st_uid != uid)
		ignored |= fchown(fd, uid, (gid_t)-1);
	(void)ignored;
}

struct side *side_open(const char *db_path, mode_t mode, uid_t uid, gid_t gid,
		       struct err *e)
{
	struct str path CLEANUP(str_release) = STR_INIT;

	str_addf(&path, "%s-fsl", db_path);
	int fd = open(str_z(&path), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	struct stat st;
	if (fd < 0 || fstat(fd, &st) < 0) {
		err_sys(e, errno == EACCES ? ERR_NOPERM : ERR_CANTCREAT,
			"%s: cannot open the lock file", safe_show(span_of(str_z(&path)), 200));
		if (fd >= 0)
			close(fd);
		return NULL;
	}
	share(fd, &st, mode, uid, gid);
	struct side *s = mem_alloc(sizeof *s);
	s->fd = fd;
	s->path = str_take(&path);
	s->dev = st.st_dev;
	s->ino = st.st_ino;
	return s;
}

void side_close(struct side *s)
{
	if (!s)
		return;
	close(s->fd);
	free(s->path);
	free(s);
}

static void on_alarm(int sig)
{
	(void)sig; /* only there to interrupt flock(2) */
}

/* flock(2) with a limit: a timer that signals this thread alone.  The signal
 * comes again every 10 ms, so that one that arrives before the call is not
 * the last; it may be blocked, which is inherited through exec(2). */
static int lock_with_limit(int fd, int64_t wait_ms)
{
	int64_t end = clock_mono_ms() + wait_ms;
	struct sigaction act = { .sa_handler = on_alarm };
	struct sigevent ev = { .sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGALRM };
	struct itimerspec when = { .it_interval = { 0, 10000000 } };
	sigset_t alarm_only, before;
	timer_t timer;

	ev._sigev_un._tid = (pid_t)syscall(SYS_gettid);
	sigaction(SIGALRM, &act, NULL);
	if (timer_create(CLOCK_MONOTONIC, &ev, &timer) < 0)
		return -1;
	sigemptyset(&alarm_only);
	sigaddset(&alarm_only, SIGALRM);
	pthread_sigmask(SIG_UNBLOCK, &alarm_only, &before);
	when.it_value.tv_sec = wait_ms / 1000;
	when.it_value.tv_nsec = wait_ms % 1000 * 1000000 + 1;
	timer_settime(timer, 0, &when, NULL);
	int rc;
	do
		rc = flock(fd, LOCK_EX);
	while (rc < 0 && errno == EINTR && clock_mono_ms() < end);
	int saved = errno;
	timer_delete(timer);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	errno = saved == EINTR ? EWOULDBLOCK : saved;
	return rc;
}

int side_lock(struct side *s, int64_t wait_ms, struct err *e)
{
	int rc = flock(s->fd, LOCK_EX | LOCK_NB);

	if (rc < 0 && errno == EWOULDBLOCK && wait_ms > 0)
		rc = lock_with_limit(s->fd, wait_ms);
	else if (rc < 0 && errno == EWOULDBLOCK && wait_ms < 0)
		do
			rc = flock(s->fd, LOCK_EX);
		while (rc < 0 && errno == EINTR);
	if (rc < 0 && errno == EWOULDBLOCK) {
		err_set(e, ERR_BUSY, "the state file is busy: another program has been writing "
			"for %lld ms", (long long)wait_ms);
		return err_hint(e, "try again later");
	}
	if (rc < 0)
		return err_sys(e, ERR_IO, "%s: cannot lock", safe_show(span_of(s->path), 200));
	/* Others lock what is at the path now. */
	struct stat st;
	if (stat(s->path, &st) < 0 || st.st_dev != s->dev || st.st_ino != s->ino) {
		side_unlock(s);
		return err_set(e, ERR_CONFIG, "%s: the lock file was removed or replaced "
			       "while in use", safe_show(span_of(s->path), 200));
	}
	return 0;
}

void side_unlock(struct side *s)
{
	flock(s->fd, LOCK_UN);
}

static int lock_byte(struct side *s, int op, short type, int slot, short *found)
{
	struct flock fl = { .l_type = type, .l_whence = SEEK_SET, .l_start = slot, .l_len = 1 };
	int rc = fcntl(s->fd, op, &fl);

	if (found)
		*found = fl.l_type;
	return rc;
}

int side_enter(struct side *s, enum side_kind kind, struct err *e)
{
	int first = kind == SIDE_WORKER ? SIDE_WORKER_FIRST : SIDE_LOADER_FIRST;
	int end = kind == SIDE_WORKER ? SIDE_LOADER_FIRST : SIDE_END;

	for (int slot = first; slot < end; slot++) {
		if (s->own[slot])
			continue; /* locking it once more would succeed */
		if (lock_byte(s, F_OFD_SETLK, F_WRLCK, slot, NULL) == 0) {
			s->own[slot] = true;
			return slot;
		}
		if (errno != EAGAIN && errno != EACCES)
			return err_sys(e, ERR_IO, "%s: cannot lock", safe_show(span_of(s->path), 200));
	}
	return err_set(e, ERR_BUSY, "more than %d processes use the state file", end - first);
}

void side_leave(struct side *s, int slot)
{
	s->own[slot] = false;
	lock_byte(s, F_OFD_SETLK, F_UNLCK, slot, NULL);
}

bool side_alive(struct side *s, int slot)
{
	short found = F_UNLCK;

	/* In doubt it lives: what is in flight must not be sent twice. */
	return side_mine(s, slot) || lock_byte(s, F_OFD_GETLK, F_WRLCK, slot, &found) < 0 ||
	       found != F_UNLCK;
}

bool side_mine(const struct side *s, int slot)
{
	return slot >= 0 && slot < SIDE_END && s->own[slot];
}

bool side_any_worker(struct side *s)
{
	struct flock fl = { .l_type = F_WRLCK, .l_whence = SEEK_SET,
			    .l_start = SIDE_WORKER_FIRST,
			    .l_len = SIDE_LOADER_FIRST - SIDE_WORKER_FIRST };

	for (int slot = SIDE_WORKER_FIRST; slot < SIDE_LOADER_FIRST; slot++)
		if (s->own[slot])
			return true;
	return fcntl(s->fd, F_OFD_GETLK, &fl) == 0 && fl.l_type != F_UNLCK;
}

void side_ring(struct side *s)
{
	/* The byte means nothing; a full disk only costs the wake-up. */
	ssize_t n = pwrite(s->fd, "", 1, 0);
	(void)n;
}

int side_listen(struct side *s, struct err *e)
{
	int fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);

	if (fd < 0 || inotify_add_watch(fd, s->path, IN_MODIFY | IN_CLOSE_WRITE) < 0) {
		err_sys(e, ERR_IO, "%s: cannot watch", safe_show(span_of(s->path), 200));
		if (fd >= 0)
			close(fd);
		return -1;
	}
	return fd;
}

int side_heard(int fd)
{
	char buf[4096] __attribute__((aligned(8)));
	int bits = 0;
	ssize_t n;

	while ((n = read(fd, buf, sizeof buf)) > 0)
		for (ssize_t at = 0; at < n;) {
			const struct inotify_event *ev = (const void *)(buf + at);
			if (ev->mask & IN_MODIFY)
				bits |= SIDE_RANG;
			if (ev->mask & (IN_CLOSE_WRITE | IN_Q_OVERFLOW))
				bits |= SIDE_RANG | SIDE_CLOSED;
			at += (ssize_t)sizeof *ev + ev->len;
		}
	return bits;
}
