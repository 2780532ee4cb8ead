#include "base/sync.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

int sync_file(int fd)
{
	int rc = fsync(fd);

	return rc < 0 && (errno == EINVAL || errno == ENOTSUP || errno == ENOSYS) ? 0 : rc;
}

int sync_directory(int at, const char *path)
{
	int fd = openat(at, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return errno == EACCES ? 0 : -1;
	int rc = sync_file(fd), number = errno;
	close(fd);
	errno = number;
	return rc;
}
