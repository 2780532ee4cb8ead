#include "base/sig.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

static int read_end = -1;
static atomic_int write_end = -1; /* for the handler, on any thread */

static void on_signal(int number)
{
	int saved = errno;
	unsigned char byte = (unsigned char)number;
	/* A full pipe holds enough to wake the loop. */
	ssize_t ignored = write(atomic_load(&write_end), &byte, 1);
	(void)ignored;
	errno = saved;
}

static sigset_t caught;

static int catch_signal(int number, struct err *e)
{
	struct sigaction old, new;
	if (sigaction(number, NULL, &old) < 0)
		return err_sys(e, ERR_INTERNAL, "sigaction(%d)", number);
	if (old.sa_handler == SIG_IGN)
		return 0;
	memset(&new, 0, sizeof(new));
	new.sa_handler = on_signal;
	sigemptyset(&new.sa_mask);
	if (sigaction(number, &new, NULL) < 0)
		return err_sys(e, ERR_INTERNAL, "sigaction(%d)", number);
	sigaddset(&caught, number);
	return 0;
}

int sig_open(const int *list, int n, struct err *e)
{
	if (read_end < 0) {
		int ends[2];
		if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0)
			return err_sys(e, ERR_INTERNAL, "a pipe for signals");
		read_end = ends[0];
		atomic_store(&write_end, ends[1]);
	}
	signal(SIGPIPE, SIG_IGN);
	for (int i = 0; i < n; i++)
		if (catch_signal(list[i], e) < 0)
			return -1;
	return read_end;
}

int sig_next(void)
{
	unsigned char byte;
	ssize_t n;
	do
		n = read_end < 0 ? 0 : read(read_end, &byte, 1);
	while (n < 0 && errno == EINTR);
	return n == 1 ? byte : 0;
}

void sig_restore(void)
{
	for (int number = 1; number < NSIG; number++)
		if (sigismember(&caught, number) == 1)
			signal(number, SIG_DFL);
	sigemptyset(&caught);
}
