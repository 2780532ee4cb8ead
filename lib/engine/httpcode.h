/* httpcode: what a result of libcurl means.  With http.c the only file that
 * knows the library. */
#ifndef FSL_ENGINE_HTTPCODE_H
#define FSL_ENGINE_HTTPCODE_H

#include <stdbool.h>
#include <stddef.h>
#include "engine/http.h"

/* `rc` is a CURLcode, `sent`: a byte of the request may have left. */
enum http_code httpcode_of(int rc, bool sent);

/* Did a kept-alive connection die after the request, with a body of so many bytes,
 * had left?  libcurl says that it could not send when that happens for the sixth
 * time in the life of a handle.  `easy` is a CURL. */
bool httpcode_has_died(void *easy, int rc, size_t body);

/* What libcurl says of an error, without the number of a stream of HTTP/2 or the
 * bytes of a head, which would make each one another error; `text` may be changed.
 * "Out of memory" is what it calls a header line above its limit of 100 KiB.
 * NULL: that a kept-alive connection died, and how often one did so in the life of
 * a handle. */
char *httpcode_words(char *text);

#endif
