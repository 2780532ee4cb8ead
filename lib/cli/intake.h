/* intake: the progress of reading an input, for whatever counts lines and
 * bytes and calls back with a pointer. */
#ifndef FSL_CLI_INTAKE_H
#define FSL_CLI_INTAKE_H

#include <stdint.h>

/* `bar` is a struct progress that was started. */
void intake_progress(void *bar, int64_t lines, int64_t bytes);
/* Before anything else is said on stderr. */
void intake_clear(void *bar);

#endif
