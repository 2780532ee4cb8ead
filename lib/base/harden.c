#include "base/harden.h"

#include <malloc.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>

enum { KEPT_FREE = 64 << 20 };

/* As it was at the start. */
static struct {
	bool has_mask, has_files;
	mode_t mask;
	struct rlimit files;
} found;

void harden_process(void)
{
	struct rlimit none = { 0, 0 }, files;

	setrlimit(RLIMIT_CORE, &none);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
	prctl(PR_SET_DUMPABLE, 0); /* the leak checker would need it */
#endif
	unsetenv("SSLKEYLOGFILE");
	if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur < files.rlim_max) {
		found.files = files;
		found.has_files = true;
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
	/* Answers are freed and made again all the time: do not give their pages
	 * back each time. */
	mallopt(M_TRIM_THRESHOLD, KEPT_FREE);
}

void harden_files(void)
{
	found.mask = umask(077);
	found.has_mask = true;
}

void harden_undo(void)
{
	if (found.has_mask)
		umask(found.mask);
	if (found.has_files)
		setrlimit(RLIMIT_NOFILE, &found.files);
}
