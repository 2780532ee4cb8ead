/* timed: what a command costs; for the benchmarks.
 *
 *     timed FILE COMMAND [ARGUMENT...]
 *
 * Runs the command and writes one line to FILE:
 *
 *     start_us seconds cpu_seconds max_rss_kb status
 *
 * start_us is the monotonic clock right before the command was started (the
 * clock of httpd --log); cpu_seconds are those of user and system together.
 * Ends with the status of the command (128 + N for a signal). */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"

static double seconds(struct timeval t)
{
	return (double)t.tv_sec + (double)t.tv_usec / 1e6;
}

static int measure(const char *path, char **command, struct err *e)
{
	struct rusage u;
	int status;
	int64_t start = clock_mono_us();
	pid_t pid = vfork();

	if (pid == 0) {
		execvp(command[0], command);
		_exit(127);
	}
	if (pid < 0 || wait4(pid, &status, 0, &u) < 0)
		return err_sys(e, ERR_INTERNAL, "%s", command[0]);
	int64_t took = clock_mono_us() - start;
	int code = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
	FILE *f = fopen(path, "we");
	if (!f)
		return err_sys(e, ERR_CANTCREAT, "%s", path);
	fprintf(f, "%lld %.6f %.6f %ld %d\n", (long long)start, (double)took / 1e6,
		seconds(u.ru_utime) + seconds(u.ru_stime), u.ru_maxrss, code);
	return fclose(f) == 0 ? code : err_sys(e, ERR_IO, "%s", path);
}

int main(int argc, char **argv)
{
	struct err e = ERR_INIT;

	log_init("timed", LOG_NOTE, false);
	if (argc < 3) {
		log_error("timed FILE COMMAND [ARGUMENT...]");
		return 64;
	}
	int rc = measure(argv[1], argv + 2, &e);
	if (rc >= 0)
		return rc;
	log_error("%s", e.msg);
	return 126;
}
