/* lineheader: the rules for a header of a request that a user gives.
 *
 * The name is a token (RFC 9110 section 5.6.2) and not one of those that the
 * connection owns: Host, Content-Length, Transfer-Encoding, Connection,
 * Expect, TE, Upgrade, Trailer.  The value is valid UTF-8 without control
 * characters (bytes below 0x20 and 0x7f) but tab. */
#ifndef FSL_DOMAIN_LINEHEADER_H
#define FSL_DOMAIN_LINEHEADER_H

#include <stdbool.h>
#include "base/err.h"
#include "base/str.h"

/* 0, or -1 and ERR_INPUT, with *in_value true if the value is wrong, not the
 * name.  The message does not show the value. */
int lineheader_check(struct span name, struct span value, bool *in_value,
		     struct err *e) MUST_CHECK;

/* Does it hold a secret (Authorization, Proxy-Authorization, Cookie,
 * x-api-key, api-key)? */
bool lineheader_is_secret(struct span name);

/* Are the names the same, in any case (ASCII)? */
bool lineheader_same(struct span a, struct span b);

#endif
