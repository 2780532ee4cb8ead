/* sync: what can be synced is, what cannot is told from what fails. */
#include "base/sync.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "unit.h"

int main(void)
{
	char dir[] = "/tmp/fsl-sync-XXXXXX";
	int pipes[2];

	if (!mkdtemp(dir) || chdir(dir) < 0 || pipe(pipes) < 0)
		abort();
	int fd = open("file", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	CHECK_INT(write(fd, "x", 1), 1, "a file");
	CHECK_INT(sync_file(fd), 0, "is synced");
	close(fd);
	CHECK(sync_file(fd) == -1 && errno == EBADF, "one that is not open fails");
	CHECK_INT(sync_file(pipes[1]), 0, "what has no fsync is no error");
	CHECK_INT(sync_directory(AT_FDCWD, "."), 0, "a directory is synced");
	fd = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	CHECK_INT(sync_directory(fd, "."), 0, "one that is open for its path only, too");
	CHECK(sync_directory(fd, "file") == -1 && errno == ENOTDIR, "a file is none");
	CHECK(sync_directory(fd, "none") == -1 && errno == ENOENT, "what is not there fails");
	mkdir("closed", 0300);
	CHECK_INT(sync_directory(fd, "closed"), 0, "one that cannot be read is no error");
	rmdir("closed");
	unlink("file");
	rmdir(dir);
	return unit_done();
}
