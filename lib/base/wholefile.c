#include "base/wholefile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/num.h"
#include "base/safe.h"

enum { BLOCK = 1 << 16 };

static void close_fd(int *fd)
{
	if (*fd > STDERR_FILENO)
		close(*fd);
}

int wholefile_read(const char *path, size_t max, struct str *out, struct err *e)
{
	bool standard = strcmp(path, "-") == 0;
	int fd CLEANUP(close_fd) = standard ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
	const char *shown = standard ? "-" : safe_show(span_of(path), 200);
	size_t start = out->n;
	char size[NUM_BUF];

	if (fd < 0)
		return err_sys(e, ERR_NOINPUT, "%s: cannot open", shown);
	for (;;) {
		str_reserve(out, BLOCK);
		ssize_t n = read(fd, out->p + out->n, BLOCK);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_sys(e, errno == EISDIR ? ERR_NOINPUT : ERR_IO, "%s: cannot read", shown);
		out->n += (size_t)n;
		out->p[out->n] = '\0';
		if (n == 0)
			return 0;
		if (out->n - start > max)
			return err_set(e, ERR_INPUT, "%s: has more than %s", shown,
				       num_size_text((int64_t)max, size));
	}
}

char *wholefile_directory(const char *path)
{
	char *copy CLEANUP(mem_cleanup) = mem_strdup(path), *slash = strrchr(copy, '/');

	if (slash)
		slash[slash == copy] = '\0';
	const char *dir = strcmp(path, "-") == 0 || !slash ? "." : copy;
	char *found = realpath(dir, NULL);
	return found ? found : mem_strdup(dir);
}
