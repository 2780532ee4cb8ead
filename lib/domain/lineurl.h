/* lineurl: the check of a line's url, and of a base URL.
 *
 * A path that starts with one "/", or http://host or https://host with port,
 * path and query as they like (RFC 3986, narrowed: no user:password, no
 * fragment, no "\", no white space, no control characters; valid UTF-8).
 * The host is a name of letters, digits, "-", "_" and ".", an IPv4 address of
 * four decimal numbers (a name must not end in a number, as resolvers would
 * take it for an address: WHATWG URL, "ends in a number"), or [IPv6]. */
#ifndef FSL_DOMAIN_LINEURL_H
#define FSL_DOMAIN_LINEURL_H

#include "base/err.h"
#include "base/str.h"

/* Bytes: of all of it, and of "name:65535", the longest authority. */
enum { LINEURL_MAX = 8192, LINEURL_AUTHORITY_MAX = 253 + 6 };

struct lineurl {
	struct span authority; /* "host" or "host:port" as it stands; SPAN_NONE: a path */
	struct span query;     /* without its "?"; SPAN_NONE: none */
};

/* 0, or -1 and ERR_INPUT; the message reads on from the name of what was
 * checked ("must …") and shows nothing that can be a secret. */
int lineurl_check(struct span text, struct lineurl *out, struct err *e) MUST_CHECK;

/* Appends the authority in lower case: the same host, the same text. */
void lineurl_lower(struct span authority, struct str *out);

/* The name of the first member of a query that holds a key (key, api_key,
 * access_token or apikey, in any case), or NULL. */
const char *lineurl_secret(struct span query);

#endif
