#include "base/harden.h"

#include <malloc.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>

enum { KEPT_FREE = 64 << 20 };

void harden_process(void)
{
	struct rlimit none = { 0, 0 }, files;

	setrlimit(RLIMIT_CORE, &none);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
	prctl(PR_SET_DUMPABLE, 0); /* the leak checker would need it */
#endif
	unsetenv("SSLKEYLOGFILE");
	if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur < files.rlim_max) {
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
	/* Answers are freed and made again all the time: do not give their pages
	 * back each time. */
	mallopt(M_TRIM_THRESHOLD, KEPT_FREE);
}
