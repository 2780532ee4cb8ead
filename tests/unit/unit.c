/* Uses nothing of lib/base, which is what it tests. */
#include "unit.h"

#include <errno.h>
#include <ftw.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static int n_checks, n_failed;

/* Without flushing a child would print again what its parent had printed. */
__attribute__((format(printf, 2, 0)))
static bool report(bool ok, const char *fmt, va_list ap)
{
	n_checks++;
	n_failed += !ok;
	printf("%sok %d - ", ok ? "" : "not ", n_checks);
	vprintf(fmt, ap);
	putchar('\n');
	fflush(stdout);
	return ok;
}

/* A "# name: text" line, whatever bytes are in the text. */
static void show(const char *name, const char *text)
{
	printf("# %s: ", name);
	if (!text)
		printf("NULL");
	for (; text && *text; text++) {
		unsigned char c = (unsigned char)*text;
		if (c < 0x20 || c == 0x7f)
			printf("\\x%02x", c);
		else
			putchar(c);
	}
	putchar('\n');
	fflush(stdout);
}

bool unit_check(bool ok, const char *file, int line, const char *text,
		const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	report(ok, fmt, ap);
	va_end(ap);
	if (!ok) {
		printf("# %s:%d\n", file, line);
		show("is false", text);
	}
	return ok;
}

bool unit_check_int(int64_t got, int64_t want, const char *file, int line,
		    const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	bool ok = report(got == want, fmt, ap);
	va_end(ap);
	if (!ok) {
		printf("# %s:%d\n# got:  %" PRId64 "\n# want: %" PRId64 "\n",
		       file, line, got, want);
		fflush(stdout);
	}
	return ok;
}

bool unit_check_str(const char *got, const char *want, const char *file,
		    int line, const char *fmt, ...)
{
	bool same = got && want ? strcmp(got, want) == 0 : got == want;
	va_list ap;
	va_start(ap, fmt);
	report(same, fmt, ap);
	va_end(ap);
	if (!same) {
		printf("# %s:%d\n", file, line);
		show("got ", got);
		show("want", want);
	}
	return same;
}

static char *dir;
static pid_t dir_owner;

static int remove_one(const char *path, const struct stat *st, int type,
		      struct FTW *where)
{
	(void)st, (void)type, (void)where;
	remove(path);
	return 0;
}

/* Also runs in children that call exit(). */
static void remove_dir(void)
{
	if (getpid() != dir_owner)
		return;
	nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	free(dir);
	dir = NULL;
}

static _Noreturn void give_up(const char *what)
{
	printf("Bail out! %s: %s\n", what, strerror(errno));
	exit(1);
}

const char *unit_dir(void)
{
	if (dir)
		return dir;
	const char *tmp = getenv("TMPDIR");
	if (asprintf(&dir, "%s/unit-XXXXXX", tmp && *tmp ? tmp : "/tmp") < 0)
		abort();
	if (!mkdtemp(dir))
		give_up(dir);
	dir_owner = getpid();
	atexit(remove_dir);
	return dir;
}

static _Noreturn void be_child(void (*fn)(void), int to)
{
	static const struct rlimit no_core = { 0, 0 };
	setrlimit(RLIMIT_CORE, &no_core);
	dup2(to, STDERR_FILENO);
	close(to);
	fn();
	fflush(stdout);
	fflush(stderr);
	_exit(0);
}

/* To the end, so that the child never waits for room. */
static void read_all(int from, char *said, size_t size)
{
	char buf[4096];
	size_t have = 0;
	ssize_t n;
	while ((n = read(from, buf, sizeof(buf))) > 0) {
		if (!said || size == 0)
			continue;
		size_t more = size - 1 - have < (size_t)n ? size - 1 - have : (size_t)n;
		memcpy(said + have, buf, more);
		have += more;
	}
	if (said && size > 0)
		said[have] = '\0';
}

int unit_child(void (*fn)(void), char *said, size_t size)
{
	int ends[2], status;
	if (pipe(ends) < 0)
		give_up("pipe");
	pid_t child = fork();
	if (child < 0)
		give_up("fork");
	if (child == 0) {
		close(ends[0]);
		be_child(fn, ends[1]);
	}
	close(ends[1]);
	read_all(ends[0], said, size);
	close(ends[0]);
	if (waitpid(child, &status, 0) < 0)
		give_up("waitpid");
	if (WIFSIGNALED(status))
		return WTERMSIG(status);
	return WEXITSTATUS(status) == 0 ? 0 : -1;
}

int unit_done(void)
{
	printf("1..%d\n", n_checks);
	if (n_failed > 0)
		printf("# %d of %d failed\n", n_failed, n_checks);
	fflush(stdout);
	return n_checks > 0 && n_failed == 0 ? 0 : 1;
}
