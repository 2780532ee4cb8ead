#include "base/sig.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>
#include "unit.h"

static bool readable(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	return poll(&p, 1, 0) == 1;
}

static void opening(int *fd)
{
	static const int list[] = { SIGINT, SIGTERM, SIGHUP, SIGUSR1 };
	struct err e = ERR_INIT;
	CHECK_INT(sig_next(), 0, "before sig_open() there are none");
	signal(SIGHUP, SIG_IGN);
	*fd = sig_open(list, 4, &e);
	CHECK(*fd >= 0, "sig_open gives a descriptor");
	CHECK(fcntl(*fd, F_GETFD) & FD_CLOEXEC, "it is close-on-exec");
	CHECK(fcntl(*fd, F_GETFL) & O_NONBLOCK, "and does not block");
	struct sigaction a;
	sigaction(SIGTERM, NULL, &a);
	CHECK(!(a.sa_flags & SA_RESTART), "system calls are interrupted");
	sigaction(SIGHUP, NULL, &a);
	CHECK(a.sa_handler == SIG_IGN, "what was ignored stays ignored");
	sigaction(SIGUSR2, NULL, &a);
	CHECK(a.sa_handler == SIG_DFL, "what is not in the list stays as it is");
}

static void catching(int fd)
{
	CHECK(!readable(fd), "no signal, nothing to read");
	errno = 1234;
	raise(SIGTERM);
	CHECK_INT(errno, 1234, "the handler leaves errno alone");
	raise(SIGUSR1);
	raise(SIGHUP);
	raise(SIGTERM);
	CHECK(readable(fd), "a signal wakes the loop");
	CHECK_INT(sig_next(), SIGTERM, "the first signal");
	CHECK_INT(sig_next(), SIGUSR1, "the second");
	CHECK_INT(sig_next(), SIGTERM, "the third; the ignored one does not come");
	CHECK_INT(sig_next(), 0, "no more");
	CHECK(!readable(fd), "and nothing to read");
}

static void flood(int fd)
{
	errno = 0;
	for (int i = 0; i < 70000; i++)
		raise(SIGUSR1);
	CHECK_INT(errno, 0, "more signals than the pipe holds do not block");
	int n = 0, other = 0, s;
	while ((s = sig_next()) != 0) {
		n++;
		other += s != SIGUSR1;
	}
	CHECK(n >= 4096, "those it holds are there");
	CHECK_INT(other, 0, "and none else");
	CHECK(!readable(fd), "the pipe is empty again");
	raise(SIGINT);
	CHECK_INT(sig_next(), SIGINT, "and of use again");
}

static void broken_pipe(void)
{
	int ends[2];
	if (!CHECK(pipe(ends) == 0, "a pipe"))
		return;
	close(ends[0]);
	CHECK_INT(write(ends[1], "x", 1), -1, "SIGPIPE is ignored");
	CHECK_INT(errno, EPIPE, "write says EPIPE");
	close(ends[1]);
}

static void again(int fd)
{
	static const int more[] = { SIGUSR2 }, wrong[] = { SIGKILL };
	struct err e = ERR_INIT;
	CHECK_INT(sig_open(more, 1, &e), fd, "a second list goes to the same descriptor");
	raise(SIGUSR2);
	CHECK_INT(sig_next(), SIGUSR2, "and its signals come there");
	CHECK_INT(sig_open(wrong, 1, &e), -1, "a signal nobody can catch is an error");
	CHECK_INT(e.code, ERR_INTERNAL, "of ours");
}

static void die(void)
{
	raise(SIGUSR2);
	sig_restore();
	raise(SIGUSR2);
}

static void restored(void)
{
	char said[64];
	CHECK_INT(unit_child(die, said, sizeof said), SIGUSR2,
		  "after sig_restore() a signal ends the process, not before");
}

int main(void)
{
	int fd;
	opening(&fd);
	catching(fd);
	flood(fd);
	broken_pipe();
	again(fd);
	restored();
	return unit_done();
}
