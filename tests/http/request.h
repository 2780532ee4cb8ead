/* request: reading one HTTP/1.1 request (RFC 9112), quickly.
 *
 * All spans point into the text that was parsed and live as long as it. */
#ifndef TESTS_HTTP_REQUEST_H
#define TESTS_HTTP_REQUEST_H

#include <stdbool.h>
#include <stdint.h>
#include "base/str.h"

enum { REQUEST_HEADERS = 128 };

struct request {
	struct span method;
	struct span target; /* with the query */
	struct span path;   /* without it */
	struct {
		struct span name;
		struct span value;
	} header[REQUEST_HEADERS];
	int headers;
	struct span custom, key, auth, type; /* SPAN_NONE: not there */
	int64_t length;                      /* Content-Length, 0 if there is none */
	bool chunked;
	bool expect;     /* Expect: 100-continue */
	bool keep_alive; /* the client wants the connection to stay */

	/* filled in by the connection when the body is there */
	struct span body;
	struct span model; /* raw text between the quotes, or SPAN_NONE */
	int64_t n;         /* sequence number of the server, from 1 */
	int64_t conn;
	int64_t on_conn;   /* sequence number on its connection, from 1 */
	int64_t seen;      /* how often its key (or body) came before */
};

/* `head` is the text up to and with the empty line.  false: it is no request. */
bool request_parse(struct request *r, struct span head);

/* Appends the decoded chunks of `raw` from *at on to body and moves *at
 * behind them.  1: that was the last one, *at is behind the trailer;
 * 0: there must be more; -1: this is no chunked coding. */
int request_unchunk(struct span raw, size_t *at, struct str *body);

/* The raw value of a member of the JSON object `body`, or SPAN_NONE.  Bad
 * JSON gives anything within `body`, or SPAN_NONE. */
struct span request_member(struct span body, const char *name);

/* The same, without the quotes of a string; SPAN_NONE for other types. */
struct span request_text(struct span body, const char *name);

#endif
