/* child: a command as a child process, in a group of its own that dies with us.
 *
 * argv only, no shell.  Between us and the command stands a keeper, a fork of
 * ours without any descriptor of ours: it waits for the end of the command, and
 * if this process dies, kill -9 included, it kills the group.  What the command
 * leaves running when it ends is killed as well.
 *
 * Standard output is kept in a file that has no name, the last CHILD_TAIL bytes
 * of standard error in memory.  Nothing here blocks but child_start(), which
 * waits until the command was executed. */
#ifndef FSL_ENGINE_CHILD_H
#define FSL_ENGINE_CHILD_H

#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include "base/err.h"
#include "base/str.h"

enum {
	CHILD_TAIL = 4096,
	CHILD_KILL_MS = 2000, /* between SIGTERM and SIGKILL */
	CHILD_FDS = 3,
};

struct child_new {
	char *const *argv;       /* NULL behind the last */
	const char *dir;         /* where it runs */
	char *const *env;        /* "NAME=value", NULL behind the last: in place of or beside ours */
	int input;               /* descriptor to be its standard input, read from where it
				  * stands; -1: /dev/null */
	int64_t timeout_ms;
	int64_t max_output;      /* bytes */
	const char *beside;      /* the state file: its output is spooled beside it */
};

/* Why it ended. */
enum child_how {
	CHILD_EXITED,   /* status is its exit status */
	CHILD_SIGNALLED,/* status is the signal */
	CHILD_TIMEOUT, CHILD_TOO_MUCH, /* we killed it: too long, too much output */
	CHILD_STOPPED,  /* child_stop() */
	CHILD_FAILED,   /* its output could not be stored: status is errno */
};

struct child;

/* ERR_NOINPUT: the program or the directory is not there or may not be used;
 * ERR_IO: anything else.  Borrows nothing afterwards. */
struct child *child_start(const struct child_new *n, struct err *e) MUST_CHECK;

/* Would it be found?  As execvp(3) looks, from `dir`.  ERR_NOINPUT. */
int child_check(const char *program, const char *dir, struct err *e) MUST_CHECK;

/* What to poll for: CHILD_FDS of them; a negative descriptor is none. */
void child_watch(const struct child *c, struct pollfd *fds);
/* When child_work() is wanted at the latest (monotonic). */
int64_t child_due(const struct child *c);
/* Reads what is there and looks at the clock.  True: it has ended, and all of
 * the group with it. */
bool child_work(struct child *c, int64_t now_ms);

/* SIGTERM to the group; SIGKILL follows after CHILD_KILL_MS, by child_work(). */
void child_stop(struct child *c, int64_t now_ms);

/* After the end. */
enum child_how child_how(const struct child *c, int *status);
struct span child_tail(const struct child *c); /* of standard error */
/* Its output: "/proc/self/fd/N", which can be opened and read while the child
 * is not freed; and its size. */
const char *child_output(const struct child *c, int64_t *bytes);

/* Kills what is left. */
void child_free(struct child *c);

/* A file without a name beside the state file, else in $TMPDIR or /tmp: close-on-
 * exec, empty; -1 and *e. */
int child_spool(const char *beside, struct err *e) MUST_CHECK;

#endif
