/* harden: a process that holds keys leaves them nowhere. */
#include "base/harden.h"

#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "unit.h"

int main(void)
{
	struct rlimit few = { 64, 0 }, now;

	getrlimit(RLIMIT_NOFILE, &now);
	few.rlim_max = now.rlim_max;
	setrlimit(RLIMIT_NOFILE, &few);
	setenv("SSLKEYLOGFILE", "/tmp/keys", 1);
	setenv("OTHER", "stays", 1);
	harden_process();
	CHECK(getrlimit(RLIMIT_CORE, &now) == 0 && now.rlim_cur == 0 && now.rlim_max == 0,
	      "there is no core dump, and there can be none later");
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
	CHECK_INT(prctl(PR_GET_DUMPABLE), 0, "nobody looks into the process");
#endif
	CHECK(!getenv("SSLKEYLOGFILE"), "TLS keys go to no file");
	CHECK_STR(getenv("OTHER"), "stays", "other variables stay");
	CHECK(getrlimit(RLIMIT_NOFILE, &now) == 0 && now.rlim_cur == now.rlim_max,
	      "as many descriptors as there may be");
	umask(027);
	harden_files();
	CHECK_INT(umask(077), 077, "what is made is for the user alone");
	harden_undo();
	CHECK_INT(umask(077), 027, "a command has the umask that we were started with");
	CHECK(getrlimit(RLIMIT_NOFILE, &now) == 0 && now.rlim_cur == few.rlim_cur,
	      "and as many descriptors");
	CHECK(getrlimit(RLIMIT_CORE, &now) == 0 && now.rlim_max == 0, "but no core dump");
	return unit_done();
}
