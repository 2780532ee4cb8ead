/* child: commands, their ends, and that nothing of them is left. */
#include "engine/child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "unit.h"

static struct err e;

static struct child_new shell(const char *script)
{
	static char *argv[4];

	argv[0] = (char *)"sh";
	argv[1] = (char *)"-c";
	argv[2] = (char *)(uintptr_t)script;
	argv[3] = NULL;
	return (struct child_new){ .argv = argv, .dir = unit_dir(), .input = -1, .timeout_ms = 20000,
				   .max_output = 1 << 20, .beside = unit_dir() };
}

/* Until it has ended, at most 20 s. */
static bool run(struct child *c)
{
	int64_t end = clock_mono_ms() + 20000;
	struct pollfd fds[CHILD_FDS];

	while (!child_work(c, clock_mono_ms())) {
		int64_t now = clock_mono_ms(), due = child_due(c);
		if (now > end)
			return false;
		child_watch(c, fds);
		poll(fds, CHILD_FDS, due > now ? (int)(due - now) : 0);
	}
	return true;
}

static const char *output(const struct child *c)
{
	static char text[4096];
	int64_t bytes;
	FILE *f = fopen(child_output(c, &bytes), "r");
	size_t n = f ? fread(text, 1, sizeof text - 1, f) : 0;

	text[n] = '\0';
	if (f)
		fclose(f);
	CHECK_INT(n, bytes, "the size of the output");
	return text;
}

static void works(void)
{
	static char *env[] = { (char *)"GREETING=hello", (char *)"PATH=/usr/bin:/bin", NULL };
	struct child_new n = shell("cat; echo $GREETING; pwd -P; echo oops >&2; exit 7");
	int fds[2], status;

	CHECK_INT(pipe(fds), 0, "pipe");
	CHECK_INT(write(fds[1], "in\n", 3), 3, "write");
	close(fds[1]);
	n.input = fds[0];
	n.env = env;
	struct child *c = child_start(&n, &e);
	close(fds[0]);
	CHECK(c != NULL, "a command starts (%s)", e.msg);
	CHECK(c && run(c), "and ends");
	char *dir = realpath(unit_dir(), NULL), want[600];
	snprintf(want, sizeof want, "in\nhello\n%s\n", dir);
	CHECK_STR(output(c), want, "standard input, environment, directory");
	CHECK(child_how(c, &status) == CHILD_EXITED && status == 7, "its exit status");
	CHECK(child_tail(c).n == 5 && memcmp(child_tail(c).p, "oops\n", 5) == 0, "its standard error");
	child_free(c);
	free(dir);

	n = shell("cat; ls /proc/self/fd | wc -l; kill -9 $$");
	c = child_start(&n, &e);
	CHECK(c && run(c), "without input");
	CHECK_STR(output(c), "4\n", "it has the three descriptors (and that of ls) and no other");
	CHECK(child_how(c, &status) == CHILD_SIGNALLED && status == SIGKILL, "a signal");
	child_free(c);

	n = shell("i=0; while [ $i -lt 3000 ]; do echo 0123456789 >&2; i=$((i + 1)); done; echo last >&2");
	c = child_start(&n, &e);
	CHECK(c && run(c), "much on standard error");
	CHECK(child_tail(c).n == CHILD_TAIL && memcmp(child_tail(c).p + CHILD_TAIL - 5, "last\n", 5) == 0,
	      "its tail is kept");
	child_free(c);
}

static void refused(void)
{
	struct child_new n = shell("true");
	static char *none[] = { (char *)"no-such-program", NULL };

	n.argv = none;
	CHECK(!child_start(&n, &e) && e.code == ERR_NOINPUT, "no such program");
	CHECK(child_check("no-such-program", "/", &e) < 0 && e.code == ERR_NOINPUT, "can be asked before");
	CHECK_INT(child_check("sh", "/", &e), 0, "what is there is found");
	CHECK(child_check("./sh", "/", &e) < 0, "a path is looked for in the directory");
	CHECK_INT(child_check("./sh", "/bin", &e), 0, "where it is");
	CHECK(child_check("/bin", "/", &e) < 0, "a directory is no program");
	CHECK(child_check("sh", "/no/such", &e) < 0 && strstr(e.msg, "/no/such"), "nor is there every directory");
	n = shell("true");
	n.dir = "/no/such";
	CHECK(!child_start(&n, &e) && e.code == ERR_NOINPUT, "no such directory");
}

static void limits(void)
{
	struct child_new n = shell("trap '' TERM; sleep 60 & wait");
	int status;

	n.timeout_ms = 50;
	int64_t began = clock_mono_ms();
	struct child *c = child_start(&n, &e);
	CHECK(c && run(c), "one that takes too long and does not hear SIGTERM");
	CHECK(child_how(c, &status) == CHILD_TIMEOUT, "is killed");
	CHECK(clock_mono_ms() - began < 15000, "after the grace");
	child_free(c);

	n = shell("yes");
	n.max_output = 100000;
	c = child_start(&n, &e);
	CHECK(c && run(c), "one that writes too much");
	CHECK(child_how(c, &status) == CHILD_TOO_MUCH, "is killed");
	child_free(c);

	n = shell("echo one; sleep 60");
	c = child_start(&n, &e);
	child_stop(c, clock_mono_ms());
	CHECK(c && run(c), "one that is told to stop");
	CHECK(child_how(c, &status) == CHILD_STOPPED, "stops");
	child_free(c);
}

static bool gone(pid_t pid)
{
	int64_t end = clock_mono_ms() + 10000;
	char path[40], state = 0;

	for (; clock_mono_ms() < end; poll(NULL, 0, 2)) {
		snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
		FILE *f = fopen(path, "r");
		bool there = f && fscanf(f, "%*d %*s %c", &state) == 1 && state != 'Z';
		if (f)
			fclose(f);
		if (!there)
			return true;
	}
	return false;
}

/* The process that a script has left its number of. */
static pid_t left_behind(const char *name)
{
	int64_t end = clock_mono_ms() + 10000;
	char path[600];
	int pid = 0;

	snprintf(path, sizeof path, "%s/%s", unit_dir(), name);
	for (; pid == 0 && clock_mono_ms() < end; poll(NULL, 0, 2)) {
		FILE *f = fopen(path, "r");
		if (f && fscanf(f, "%d", &pid) != 1)
			pid = 0;
		if (f)
			fclose(f);
	}
	return pid;
}

static void group(void)
{
	struct child_new n = shell("sleep 60 & echo $! >behind.new; mv behind.new behind; exit 0");
	int status;
	struct child *c = child_start(&n, &e);

	CHECK(c && run(c) && child_how(c, &status) == CHILD_EXITED, "a command that leaves another one");
	pid_t pid = left_behind("behind");
	CHECK(pid > 0 && gone(pid), "takes it along");
	child_free(c);

	n = shell("sleep 60 & echo $! >freed.new; mv freed.new freed; wait");
	c = child_start(&n, &e);
	pid = left_behind("freed");
	child_free(c);
	CHECK(pid > 0 && gone(pid), "so does freeing it");

	/* And the death of the process that started it. */
	pid_t us = fork();
	if (us == 0) {
		n = shell("sleep 60 & echo $! >killed.new; mv killed.new killed; wait");
		c = child_start(&n, &e);
		for (;;)
			pause();
	}
	pid = left_behind("killed");
	kill(us, SIGKILL);
	waitpid(us, &status, 0);
	CHECK(pid > 0 && gone(pid), "so does kill -9 of the process that started it");
}

static void spool(void)
{
	int fd = child_spool(unit_dir(), &e);
	struct pollfd none;
	char path[40], name[600];

	(void)none;
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	ssize_t len = readlink(path, name, sizeof name - 1);
	name[len < 0 ? 0 : len] = '\0';
	CHECK(fd >= 0 && strstr(name, "(deleted)"), "a spool has no name");
	CHECK(fcntl(fd, F_GETFD) & FD_CLOEXEC, "and no child has it");
	close(fd);
	setenv("TMPDIR", unit_dir(), 1);
	fd = child_spool("/no/such/file", &e);
	CHECK(fd >= 0, "elsewhere if it cannot be beside the state file");
	close(fd);
}

int main(void)
{
	works();
	refused();
	limits();
	group();
	spool();
	return unit_done();
}
