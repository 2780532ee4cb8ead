/* slowdisk: a disk that takes its time; for the benchmarks.
 *
 *     slowdisk COMMAND [ARGUMENT...]
 *
 * Starts the command with each fsync() and fdatasync() 10 ms longer than it
 * is.  This file is built twice: as this program, and with -shared -fPIC as
 * "slowdisk.so" beside it, which is preloaded into the command. */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum { DELAY_NS = 10 * 1000 * 1000, PATH_BUF = 4096 };

typedef int sync_fn(int fd);

static int later(const char *name, int fd)
{
	sync_fn *next = (sync_fn *)dlsym(RTLD_NEXT, name);

	nanosleep(&(struct timespec){ .tv_nsec = DELAY_NS }, NULL);
	return next(fd);
}

__attribute__((visibility("default"))) int fsync(int fd)
{
	return later("fsync", fd);
}

__attribute__((visibility("default"))) int fdatasync(int fd)
{
	return later("fdatasync", fd);
}

int main(int argc, char **argv)
{
	char self[PATH_BUF], object[PATH_BUF + 8];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

	if (n < 0 || argc < 2) {
		fprintf(stderr, "usage: slowdisk COMMAND [ARGUMENT...]\n");
		return 64;
	}
	self[n] = '\0';
	snprintf(object, sizeof(object), "%s.so", self);
	setenv("LD_PRELOAD", object, 1);
	execvp(argv[1], argv + 1);
	perror(argv[1]);
	return 126;
}
