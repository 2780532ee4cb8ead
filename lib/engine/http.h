/* http: many HTTP requests at once.  The only file that knows libcurl.
 *
 * One thread, one epoll.  Calls run in slots; slots are spread over lanes,
 * curl multi handles of at most 128 connections each (a multi walks its lists,
 * so that larger ones cost more per request).  A call is never sent twice:
 * libcurl resends by itself when a kept-alive connection dies before the
 * answer; CURLOPT_PREREQFUNCTION refuses the second send before a byte of it
 * has left, and the call ends as HTTP_RECV.
 *
 * With http2 the requests of a lane to a server share a connection.  A request
 * that the server refuses as it closes it ends as HTTP_RECV and counts as sent:
 * libcurl does not tell which of both it was.
 *
 * Redirects are never followed (a key would go to another origin, a 307 would
 * carry the body there); no cookies, netrc, HSTS, alt-svc, no Expect, no
 * compression is asked for; HTTP/1.1 but where http2 allows 2; only http and https.
 *
 * Time limits are ours: connect, first byte, stall (no byte in either
 * direction for that long), total; all count from http_start(). */
#ifndef FSL_ENGINE_HTTP_H
#define FSL_ENGINE_HTTP_H

#include <stdbool.h>
#include <stdint.h>
#include "base/err.h"
#include "base/str.h"

enum http_code {
	HTTP_ANSWERED,     /* status and body are whole */
	HTTP_CONNECT,      /* refused, unreachable, or not within the limit */
	HTTP_DNS,          /* the name does not resolve */
	HTTP_TLS,          /* the handshake was cut off */
	HTTP_CERTIFICATE,  /* the server's certificate is not trusted; final */
	HTTP_SEND,         /* the connection broke while sending */
	HTTP_RECV,         /* it broke before the answer was whole */
	HTTP_STALLED,
	HTTP_TIMEOUT,      /* first byte or total */
	HTTP_TOO_LARGE,    /* above max_response; final */
	HTTP_TRUNCATED,    /* shorter than its Content-Length; a stream without its end
			    * (engine/job.h) */
	HTTP_UNUSABLE,     /* libcurl refuses the URL or an option; final */
	HTTP_ABORTED,      /* by http_cut(): we stopped it */
	HTTP_SUPERSEDED,   /* so too: the other attempt of the request was faster */
	HTTP_STREAM_ERROR, /* the answer is a stream with an error in it (engine/job.h) */
};
/* "connect_error", "dns_error", … as in error lines; NULL for HTTP_ANSWERED. */
const char *http_code_text(enum http_code code);

struct http_limits {
	int64_t connect_ms, first_byte_ms, stall_ms, total_ms, max_response;
};

struct httphead;

struct http_call {
	/* Set by the caller; everything must stay until the call has ended. */
	const char *url, *method;       /* method in upper case */
	struct span body;               /* SPAN_NONE: none, and always for HEAD */
	const struct httphead *headers; /* shared lines (engine/httphead.h) */
	struct str own;                 /* more lines, "Name: value" each with a NUL behind it */
	const struct http_limits *limits;
	void *user;
	/* Filled when it ends.  answer and telling are the caller's strs: empty or
	 * of an earlier call, whose memory is used again. */
	enum http_code code;
	int status;                     /* 0: none came */
	struct str answer;              /* the body; what came of it on failure */
	int64_t bytes;                  /* that came, also beyond max_response */
	struct str telling;             /* of a failure or an event stream: retry-after,
					 * x-ratelimit-*, x-request-id, server, location:
					 * JSON object; empty: none */
	char request_id[80];            /* x-request-id, "" if none */
	int64_t retry_after_ms;         /* -1: none, or junk */
	int64_t hold_ms;                /* the server wants no more requests of this model for
					 * so long, an hour at most; 0: it did not say so */
	char hold_why[48];              /* the status or header that says it */
	char message[200];              /* why it failed, safe to print */
	int64_t took_ms;
	bool sent;                      /* bytes of it may have left; known before the end */
	bool stale;                     /* HTTP_RECV: a kept-alive connection had died */
	bool event_stream;              /* its Content-Type is text/event-stream */
	/* Internal. */
	int slot;
};

struct http_options {
	int jobs;             /* slots: 1 to 10,000; as many again for urgent calls */
	const char *user_agent;
	const char *cacert;   /* NULL: the system's */
	const char *proxy;    /* NULL: the usual variables; "" none */
	bool http2;           /* where a server offers it over TLS; ERR_UNAVAILABLE if libcurl
			       * cannot */
};

/* http_new(): ERR_CONFIG if the process may not have as many open files as so many
 * connections need. */
struct http;
/* Called once per call, from http_wait(). */
typedef void http_done_fn(void *ctx, struct http_call *call);

struct http *http_new(const struct http_options *o, http_done_fn *done, void *ctx,
		      struct err *e) MUST_CHECK;
void http_free(struct http *h); /* calls in flight are dropped without a word */

/* How many of the jobs' slots are free; below 0 while urgent calls use more. */
int http_free_slots(const struct http *h);
int http_in_flight(const struct http *h);

/* Bytes that the answers in flight have come to, and may come to: above that they
 * are not read on, or one by one, and the time limits of those that wait stand
 * still; but for HTTP/2.  Without a word there is no limit. */
int64_t http_held(const struct http *h);
void http_room(struct http *h, int64_t bytes, bool one_by_one);

/* Starts a call; there must be a free slot (else a BUG), at most `jobs` beyond
 * http_free_slots().  What the options point to must outlive it.  Problems come as an
 * ended call, never from here. */
void http_start(struct http *h, struct http_call *call);

/* Ends those calls in flight that `which` is true for (NULL: all), at the next
 * http_wait(), as HTTP_ABORTED or HTTP_SUPERSEDED. */
typedef bool http_which_fn(void *ctx, const struct http_call *call);
void http_cut(struct http *h, http_which_fn *which, void *ctx, enum http_code code);

/* Watches a descriptor for reading beside the sockets, until http_unwatch(). */
void http_watch(struct http *h, int fd);
void http_unwatch(struct http *h, int fd);

/* Waits at most timeout_ms (-1: as long as it takes) for sockets, timers or
 * watched descriptors, and does what there is to do. */
int http_wait(struct http *h, int64_t timeout_ms, struct err *e) MUST_CHECK;

/* "libcurl 7.88.1 OpenSSL/3.0.19" */
const char *http_library(void);

#endif
