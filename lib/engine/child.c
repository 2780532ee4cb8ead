#include "engine/child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/harden.h"
#include "base/mem.h"
#include "base/safe.h"

enum { CHUNK = 65536, SHOWN = 100 };
enum { OUT, ERR, END, PIPES }; /* END: the keeper, both ways */

struct child {
	pid_t keeper;          /* leader of the group; 0: it was waited for */
	int fd[PIPES];         /* ours; -1: closed */
	int spool;
	char path[40];
	int64_t bytes, max_output;
	struct str tail;
	int64_t end_ms, kill_ms; /* monotonic; kill_ms 0: no SIGTERM was sent */
	bool over;             /* the command is */
	bool ours;             /* `how` is what we did to it */
	enum child_how how;
	int status;
};

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

int child_spool(const char *beside, struct err *e)
{
	struct str name CLEANUP(str_release) = STR_INIT;
	const char *slash = strrchr(beside, '/'), *tmp = getenv("TMPDIR");
	size_t n = slash ? (size_t)(slash - beside) : 0;

	if (!tmp || !*tmp)
		tmp = "/tmp";
	for (int i = 0; i < 2; i++) {
		str_reset(&name);
		if (i == 0 && slash)
			str_add(&name, beside, n);
		else
			str_addz(&name, i == 0 ? "." : tmp);
		str_addz(&name, "/.fsl-XXXXXX");
		int fd = mkostemp(name.p, O_CLOEXEC);
		if (fd >= 0) {
			unlink(name.p);
			return fd;
		}
	}
	return err_sys(e, ERR_IO, "cannot make a file in %s", safe_show(span_of(tmp), SHOWN));
}

/* A file that may be executed. */
static bool can_execute(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISREG(st.st_mode) && access(path, X_OK) == 0;
}

int child_check(const char *program, const char *dir, struct err *e)
{
	struct str path CLEANUP(str_release) = STR_INIT;
	struct stat st;

	if (stat(dir, &st) < 0 || !S_ISDIR(st.st_mode))
		return err_set(e, ERR_NOINPUT, "there is no directory %s",
			       safe_show(span_of(dir), SHOWN));
	bool named = strchr(program, '/') != NULL;
	const char *list = getenv("PATH");
	if (!list)
		list = "/usr/local/bin:/usr/bin:/bin";
	for (const char *at = named ? "" : list; at;) {
		size_t n = strcspn(at, ":");
		str_reset(&path);
		if (named ? program[0] != '/' : n == 0 || at[0] != '/')
			str_addf(&path, "%s/", dir);
		str_add(&path, at, n);
		str_addf(&path, "%s%s", n ? "/" : "", program);
		if (can_execute(str_z(&path)))
			return 0;
		at = at[n] ? at + n + 1 : NULL;
	}
	return err_set(e, ERR_NOINPUT, "there is no program %s", safe_show(span_of(program), SHOWN));
}

/* --- between fork and exec: only what is safe in the child of a process with
 * threads */

static const int told[] = { SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGPIPE, SIGCHLD };

static void tell(int fd, int value)
{
	ssize_t n = write(fd, &value, sizeof value);
	(void)n;
}

static _Noreturn void be_command(const struct child_new *n, char *const *env, int report)
{
	sigset_t none;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (size_t i = 0; i < ARRAY_LEN(told); i++)
		signal(told[i], SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	harden_undo();
	if (chdir(n->dir) == 0)
		execvpe(n->argv[0], n->argv, env);
	tell(report, errno);
	_exit(127);
}

static void wake(int signal)
{
	(void)signal;
}

/* Waits for the end of the command, or ours: then nothing of the group shall
 * live.  SIGCHLD is blocked but while it waits, so that none is missed. */
static _Noreturn void be_keeper(pid_t command, int end)
{
	struct pollfd fd = { .fd = end, .events = POLLIN };
	int status = 0;
	pid_t ended;
	sigset_t none;

	sigemptyset(&none);
	signal(SIGCHLD, wake);
	while ((ended = waitpid(command, &status, WNOHANG)) == 0)
		if (ppoll(&fd, 1, NULL, &none) > 0)
			kill(0, SIGKILL);
	if (ended < 0)
		kill(0, SIGKILL);
	tell(end, status);
	/* Until we are told to go: as long as the leader lives, the group's number
	 * is nobody else's. */
	while (poll(&fd, 1, -1) < 0 && errno == EINTR)
		;
	kill(0, SIGKILL);
	_exit(0);
}

/* in, out, err, end, report: descriptors from 10 up. */
static _Noreturn void be_child(const struct child_new *n, char *const *env, const int *fds)
{
	setpgid(0, 0);
	for (size_t i = 0; i < ARRAY_LEN(told); i++)
		signal(told[i], SIG_IGN);
	sigset_t chld;
	sigemptyset(&chld);
	sigaddset(&chld, SIGCHLD);
	signal(SIGCHLD, SIG_DFL);
	sigprocmask(SIG_BLOCK, &chld, NULL);
	for (int i = 0; i < 5; i++)
		if (dup2(fds[i], i) < 0)
			_exit(127);
	close_range(5, ~0U, 0);
	fcntl(3, F_SETFD, FD_CLOEXEC);
	fcntl(4, F_SETFD, FD_CLOEXEC);
	pid_t command = fork();
	if (command < 0) {
		tell(4, errno);
		_exit(127);
	}
	if (command == 0)
		be_command(n, env, 4);
	/* The command's input and output are its own. */
	close(0);
	close(1);
	close(2);
	close(4);
	be_keeper(command, 3);
}

/* --- */

/* Ours, with those of the command in place of or behind them. */
static char **make_env(char *const *more)
{
	size_t n = 0, extra = 0, m = 0;

	while (environ[n])
		n++;
	while (more && more[extra])
		extra++;
	char **env = mem_resize(NULL, n + extra + 1, sizeof *env);
	for (size_t i = 0; i < n; i++) {
		bool replaced = false;
		for (size_t k = 0; k < extra; k++) {
			size_t name = strcspn(more[k], "=") + 1;
			replaced |= strncmp(environ[i], more[k], name) == 0;
		}
		if (!replaced)
			env[m++] = environ[i];
	}
	for (size_t k = 0; k < extra; k++)
		env[m++] = more[k];
	env[m] = NULL;
	return env;
}

struct ends {
	int ours[PIPES + 1], theirs[5]; /* the last of ours: whether it was executed */
};

static void close_ends(struct ends *x)
{
	for (size_t i = 0; i < ARRAY_LEN(x->ours); i++)
		close_fd(&x->ours[i]);
	for (size_t i = 0; i < ARRAY_LEN(x->theirs); i++)
		close_fd(&x->theirs[i]);
}

/* Above what be_child() makes of them. */
static int high(int *fd)
{
	int copy = fcntl(*fd, F_DUPFD_CLOEXEC, 10);

	close_fd(fd);
	*fd = copy;
	return copy < 0 ? -1 : 0;
}

static int open_ends(struct ends *x, int input, struct err *e)
{
	int p[2];

	for (int i = 0; i < 3; i++) { /* out, err, executed */
		static const int mine[] = { OUT, ERR, PIPES }, its[] = { 1, 2, 4 };
		if (pipe2(p, O_CLOEXEC) < 0)
			return err_sys(e, ERR_IO, "pipe");
		x->ours[mine[i]] = p[0];
		x->theirs[its[i]] = p[1];
	}
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, p) < 0)
		return err_sys(e, ERR_IO, "socketpair");
	x->ours[END] = p[0];
	x->theirs[3] = p[1];
	x->theirs[0] = input >= 0 ? fcntl(input, F_DUPFD_CLOEXEC, 10)
				  : open("/dev/null", O_RDONLY | O_CLOEXEC);
	for (int i = 0; i < 5; i++)
		if (high(&x->theirs[i]) < 0)
			return err_sys(e, ERR_IO, "cannot make a descriptor");
	for (int i = 0; i < PIPES; i++)
		fcntl(x->ours[i], F_SETFL, O_NONBLOCK);
	return 0;
}

/* Waits until it was executed. */
static int executed(struct ends *x, const struct child_new *n, struct err *e)
{
	int code = 0;
	ssize_t got;

	close_fd(&x->theirs[4]);
	while ((got = read(x->ours[PIPES], &code, sizeof code)) < 0 && errno == EINTR)
		;
	if (got == 0)
		return 0;
	errno = got < 0 ? errno : code;
	return err_sys(e, errno == EAGAIN || errno == ENOMEM || errno == EMFILE ? ERR_IO : ERR_NOINPUT,
		       "cannot run %s", safe_show(span_of(n->argv[0]), SHOWN));
}

struct child *child_start(const struct child_new *n, struct err *e)
{
	struct ends x CLEANUP(close_ends) = { { -1, -1, -1, -1 }, { -1, -1, -1, -1, -1 } };
	sigset_t all, before;
	int spool = child_spool(n->beside, e);

	if (spool < 0)
		return NULL;
	struct child *c = mem_alloc(sizeof *c);
	*c = (struct child){ .fd = { -1, -1, -1 }, .spool = spool, .max_output = n->max_output,
			     .tail = STR_INIT };
	if (open_ends(&x, n->input, e) < 0) {
		child_free(c);
		return NULL;
	}
	char **env = make_env(n->env);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	c->keeper = fork();
	if (c->keeper == 0)
		be_child(n, env, x.theirs);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	free(env);
	if (c->keeper < 0) {
		c->keeper = 0;
		err_sys(e, ERR_IO, "fork");
		child_free(c);
		return NULL;
	}
	setpgid(c->keeper, c->keeper);
	if (executed(&x, n, e) < 0) {
		child_free(c);
		return NULL;
	}
	for (int i = 0; i < PIPES; i++) {
		c->fd[i] = x.ours[i];
		x.ours[i] = -1;
	}
	c->end_ms = clock_mono_ms() + n->timeout_ms;
	snprintf(c->path, sizeof c->path, "/proc/self/fd/%d", c->spool);
	return c;
}

void child_watch(const struct child *c, struct pollfd *fds)
{
	for (int i = 0; i < CHILD_FDS; i++)
		fds[i] = (struct pollfd){ .fd = c->fd[i], .events = POLLIN };
}

int64_t child_due(const struct child *c)
{
	return c->kill_ms && c->kill_ms < c->end_ms ? c->kill_ms : c->end_ms;
}

static void kill_group(struct child *c, int signal)
{
	if (c->keeper > 0)
		kill(-c->keeper, signal);
}

/* We end it, and why. */
static void put_down(struct child *c, enum child_how how, int signal)
{
	if (!c->ours) {
		c->ours = true;
		c->how = how;
	}
	kill_group(c, signal);
}

static void keep_output(struct child *c, const char *p, size_t n)
{
	if (c->bytes + (int64_t)n > c->max_output) {
		put_down(c, CHILD_TOO_MUCH, SIGKILL);
		return;
	}
	for (size_t at = 0; at < n;) {
		ssize_t done = write(c->spool, p + at, n - at);
		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0) {
			c->status = errno;
			put_down(c, CHILD_FAILED, SIGKILL);
			return;
		}
		at += (size_t)done;
	}
	c->bytes += (int64_t)n;
}

static void keep_tail(struct child *c, const char *p, size_t n)
{
	str_add(&c->tail, p, n);
	if (c->tail.n > CHILD_TAIL) {
		size_t cut = c->tail.n - CHILD_TAIL;
		memmove(c->tail.p, c->tail.p + cut, CHILD_TAIL);
		str_cut(&c->tail, CHILD_TAIL);
	}
}

/* At most so much at a time that a command which never stops writing does not
 * hold up the others. */
static void read_pipe(struct child *c, int which, int64_t most)
{
	static _Thread_local char chunk[CHUNK];
	ssize_t n = 1;

	for (int64_t got = 0; c->fd[which] >= 0 && got < most; got += n) {
		n = read(c->fd[which], chunk, sizeof chunk);
		if (n < 0 && errno == EINTR)
			n = 0;
		else if (n < 0 && errno == EAGAIN)
			return;
		else if (n <= 0)
			close_fd(&c->fd[which]);
		else if (which == OUT)
			keep_output(c, chunk, (size_t)n);
		else
			keep_tail(c, chunk, (size_t)n);
		if (n < 0)
			return;
	}
}

/* Has the keeper said how the command ended? */
static void hear_end(struct child *c)
{
	int status;
	ssize_t n = read(c->fd[END], &status, sizeof status);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	c->over = true;
	if (c->ours)
		return;
	if (n != sizeof status) /* somebody has killed the group, keeper and all */
		status = SIGKILL;
	c->how = WIFEXITED(status) ? CHILD_EXITED : CHILD_SIGNALLED;
	c->status = WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status);
}

/* Nothing of the group lives on. */
static void bury(struct child *c)
{
	kill_group(c, SIGKILL);
	while (c->keeper > 0 && waitpid(c->keeper, NULL, 0) < 0 && errno == EINTR)
		;
	c->keeper = 0;
	for (int i = 0; i < PIPES; i++)
		close_fd(&c->fd[i]);
}

bool child_work(struct child *c, int64_t now_ms)
{
	if (c->keeper == 0)
		return true;
	hear_end(c);
	/* Once it has ended, what is in the pipes is all there is of it. */
	if (c->over)
		kill_group(c, SIGKILL);
	read_pipe(c, OUT, c->over ? INT64_MAX : 16 * CHUNK);
	read_pipe(c, ERR, c->over ? INT64_MAX : CHUNK);
	if (c->over) {
		bury(c);
		return true;
	}
	if (c->kill_ms && now_ms >= c->kill_ms)
		kill_group(c, SIGKILL);
	else if (!c->ours && now_ms >= c->end_ms) {
		put_down(c, CHILD_TIMEOUT, SIGTERM);
		c->kill_ms = now_ms + CHILD_KILL_MS;
	}
	return false;
}

void child_stop(struct child *c, int64_t now_ms)
{
	if (c->kill_ms || c->keeper == 0)
		return;
	c->kill_ms = now_ms + CHILD_KILL_MS;
	put_down(c, CHILD_STOPPED, SIGTERM);
}

enum child_how child_how(const struct child *c, int *status)
{
	*status = c->status;
	return c->how;
}

struct span child_tail(const struct child *c)
{
	return str_span(&c->tail);
}

const char *child_output(const struct child *c, int64_t *bytes)
{
	*bytes = c->bytes;
	return c->path;
}

void child_free(struct child *c)
{
	if (!c)
		return;
	bury(c);
	close_fd(&c->spool);
	str_release(&c->tail);
	free(c);
}
