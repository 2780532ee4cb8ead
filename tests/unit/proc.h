/* proc: other processes in a test.  They are forked and told, and tell, a byte
 * at a time.  The test waits PROC_LIMIT_MS for them and no longer; they wait
 * for the test until it ends.
 *
 * What SQLite knows of an open file does not survive fork(2): start a process
 * before the test opens the file that it will open, when it is told. */
#ifndef FSL_PROC_H
#define FSL_PROC_H

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"

enum { PROC_LIMIT_MS = 20000, PROC_MAX = 16 };

struct proc {
	pid_t pid;   /* 0: it was waited for */
	int in, out; /* from it, to it */
	int limit_ms;
};

/* Our ends of those that live, which are not for the next one. */
static int proc_ends[2 * PROC_MAX];

static inline bool proc_readable(int fd, int limit_ms)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	return poll(&p, 1, limit_ms) == 1;
}

/* Waits until the condition is true; false after the limit. */
#define PROC_UNTIL(cond) (__extension__({ \
	int64_t end_ = clock_mono_ms() + PROC_LIMIT_MS; \
	bool ok_; \
	while (!(ok_ = (cond)) && clock_mono_ms() < end_) \
		poll(NULL, 0, 1); \
	ok_; }))

static inline void proc_say(struct proc *p, char c)
{
	ssize_t n = write(p->out, &c, 1);
	(void)n;
}

/* The next byte it says; -1 when it is dead or silent. */
static inline int proc_hear(struct proc *p)
{
	unsigned char c;

	return proc_readable(p->in, p->limit_ms) && read(p->in, &c, 1) == 1 ? c : -1;
}

static inline void proc_remember(int fd)
{
	for (int i = 0; i < 2 * PROC_MAX; i++)
		if (proc_ends[i] == 0) {
			proc_ends[i] = fd;
			return;
		}
	abort();
}

static inline void proc_close(int fd)
{
	for (int i = 0; i < 2 * PROC_MAX; i++)
		if (proc_ends[i] == fd)
			proc_ends[i] = 0;
	close(fd);
}

/* fn runs in the other process and gets its end of the line. */
static inline struct proc proc_start(void (*fn)(struct proc *parent))
{
	int down[2], up[2];

	if (pipe(down) < 0 || pipe(up) < 0)
		abort();
	fflush(stdout);
	struct proc p = { .pid = fork(), .in = up[0], .out = down[1],
			  .limit_ms = PROC_LIMIT_MS };
	if (p.pid < 0)
		abort();
	if (p.pid == 0) {
		struct proc parent = { .pid = getppid(), .in = down[0], .out = up[1],
				       .limit_ms = -1 };
		close(up[0]);
		close(down[1]);
		for (int i = 0; i < 2 * PROC_MAX; i++)
			if (proc_ends[i] > 0)
				close(proc_ends[i]);
		signal(SIGPIPE, SIG_IGN);
		fn(&parent);
		fflush(stdout);
		_exit(0);
	}
	close(down[0]);
	close(up[1]);
	proc_remember(p.in);
	proc_remember(p.out);
	return p;
}

/* Hangs up and waits for its end: the exit status, or minus the signal. */
static inline int proc_end(struct proc *p)
{
	int status = -1;

	if (p->pid == 0)
		return 0;
	proc_close(p->in);
	proc_close(p->out);
	waitpid(p->pid, &status, 0);
	p->pid = 0;
	return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

static inline void proc_kill(struct proc *p)
{
	kill(p->pid, SIGKILL);
	proc_end(p);
}

#endif
