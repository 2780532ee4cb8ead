/* wire: what comes and goes during one call: counted, limited, remembered.
 *
 * The callbacks that http.c gives to libcurl, and what they saw means; this
 * file knows their shapes, not the library. */
#ifndef FSL_ENGINE_WIRE_H
#define FSL_ENGINE_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "engine/http.h"
#include "engine/ratelimit.h"

struct wire;

/* What all calls hold of their answers.  Above `most` nothing is read on, but the
 * answer of one, if `one` is set, so that this one ends; the others wait, and
 * their time limits with them. */
struct wire_pool {
	int64_t held, most;      /* bytes */
	bool one;
	struct wire *chosen;     /* the one that goes on; or NULL */
	int paused;              /* how many wait */
};

struct wire {
	struct http_call *call;
	struct wire_pool *pool;  /* kept between calls; NULL: no limit */
	int64_t counted;         /* bytes of the answer, in the pool */
	int64_t paused_at_us, paused_us; /* it waits since then (0: it does not); how long it has */
	struct str headers;      /* the telling lines as they came; kept between calls */
	enum http_code verdict;  /* what we decided ourselves; HTTP_ANSWERED: nothing */
	int sends;               /* how often libcurl was about to send */
	int64_t length;          /* what Content-Length says; -1: nothing yet */
	bool interim;            /* what comes is a 1xx, not the answer yet */
	bool shared;             /* HTTP/2: others use the connection.  It never waits: the
				  * library reads on all the same, or none of them is read */
	int64_t start_us, first_us, last_us; /* first and last byte of the answer */
	int64_t sent;            /* bytes of the body that had left at last_sent_us */
	int64_t last_sent_us;
	struct ratelimit limits; /* what the headers say of them */
};

void wire_release(struct wire *w);

void wire_start(struct wire *w, struct http_call *call, int64_t now_us);

/* libcurl's write, header and prereq callbacks; user is a struct wire.  The first
 * gives WIRE_PAUSE, which means the same to libcurl, when it must wait. */
enum { WIRE_PAUSE = 0x10000001 };
size_t wire_on_body(char *p, size_t size, size_t n, void *user);
size_t wire_on_header(char *p, size_t size, size_t n, void *user);
int wire_on_send(void *user, char *remote_ip, char *local_ip, int remote_port,
		 int local_port);

/* May it be read on?  Then libcurl is to be told so. */
bool wire_resume(struct wire *w, int64_t now_us);

/* Has a time limit passed (or verdict been set)?  `sent`: bytes of the body
 * that have left so far.  Sets the verdict. */
bool wire_late(struct wire *w, int64_t sent, int64_t now_us);

/* Fills the call's results: `code` is what libcurl made of it, a verdict of
 * ours comes first.  `redirect`: target of a 3xx, or NULL.  `error`: what
 * libcurl said; NULL: that a kept-alive connection died. */
void wire_end(struct wire *w, enum http_code code, int status, const char *redirect,
	      const char *error);

/* Appends "Name: value", without the white space around the value; -1 if HTTP
 * forbids it (RFC 9110 sections 5.1, 5.5: a token; no control bytes but tab). */
int wire_header(struct str *out, struct span name, struct span value);

/* Retry-After in seconds or as an HTTP date (RFC 9110 section 10.2.3), in ms
 * from now; -1 if it is neither. */
int64_t wire_retry_after(struct span value, int64_t now_wall_ms);

#endif
