/* wholefile: a file read into memory, with a limit. */
#ifndef FSL_BASE_WHOLEFILE_H
#define FSL_BASE_WHOLEFILE_H

#include "base/err.h"
#include "base/str.h"

/* Appends the bytes of FILE, or of standard input for "-".  ERR_NOINPUT: it is
 * missing, unreadable or a directory; ERR_INPUT: it has more than `max` bytes;
 * ERR_IO. */
int wholefile_read(const char *path, size_t max, struct str *out, struct err *e) MUST_CHECK;

/* The directory that holds the file, absolute; of "-", that of the process.
 * To be freed. */
char *wholefile_directory(const char *path);

#endif
