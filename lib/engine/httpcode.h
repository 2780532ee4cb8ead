/* httpcode: what a result of libcurl means.  With http.c the only file that
 * knows the library. */
#ifndef FSL_ENGINE_HTTPCODE_H
#define FSL_ENGINE_HTTPCODE_H

#include <stdbool.h>
#include "engine/http.h"

/* `rc` is a CURLcode, `sent`: a byte of the request may have left. */
enum http_code httpcode_of(int rc, bool sent);

#endif
