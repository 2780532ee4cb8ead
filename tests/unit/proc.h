/* proc: other processes in a test.  They are forked and told, and tell, a byte
 * at a time; nobody waits longer than PROC_LIMIT_MS. */
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

enum { PROC_LIMIT_MS = 20000 };

struct proc {
	pid_t pid;   /* 0: it was waited for */
	int in, out; /* from it, to it */
};

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

	return proc_readable(p->in, PROC_LIMIT_MS) && read(p->in, &c, 1) == 1 ? c : -1;
}

/* fn runs in the other process and gets its end of the line. */
static inline struct proc proc_start(void (*fn)(struct proc *parent))
{
	int down[2], up[2];

	if (pipe(down) < 0 || pipe(up) < 0)
		abort();
	fflush(stdout);
	struct proc p = { .pid = fork(), .in = up[0], .out = down[1] };
	if (p.pid < 0)
		abort();
	if (p.pid == 0) {
		struct proc parent = { .pid = getppid(), .in = down[0], .out = up[1] };
		close(up[0]);
		close(down[1]);
		signal(SIGPIPE, SIG_IGN);
		fn(&parent);
		fflush(stdout);
		_exit(0);
	}
	close(down[0]);
	close(up[1]);
	return p;
}

/* Hangs up and waits for its end: the exit status, or minus the signal. */
static inline int proc_end(struct proc *p)
{
	int status = -1;

	if (p->pid == 0)
		return 0;
	close(p->in);
	close(p->out);
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
