/* sig: signals as bytes on a descriptor.
 *
 * The handler does one write(2) to a non-blocking pipe and nothing else; the
 * loop polls the descriptor and asks for the signals one at a time. */
#ifndef FSL_BASE_SIG_H
#define FSL_BASE_SIG_H

#include "base/err.h"

/* Catches the n signals named in `list` (without SA_RESTART) but for those
 * that are ignored at the start, which stay ignored (nohup).  SIGPIPE is
 * ignored from then on.  Returns the descriptor to poll for reading; it is
 * close-on-exec and lives as long as the process. */
int sig_open(const int *list, int n, struct err *e) MUST_CHECK;

/* The caught signals do again what they do to any program: for a wait that
 * only a person can end, such as for a reader who does not read. */
void sig_restore(void);

/* The next signal that has come, or 0. */
int sig_next(void);

#endif
