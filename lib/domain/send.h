/* send: how the requests of a batch are sent; what create and fsl-run both
 * know.  Members that are SEND_UNSET were not asked for. */
#ifndef FSL_DOMAIN_SEND_H
#define FSL_DOMAIN_SEND_H

#include <stdbool.h>
#include <stdint.h>
#include "base/err.h"
#include "base/str.h"

enum { SEND_UNSET = -1 };

struct send {
	int64_t retries;          /* 0 to 1,000: attempts after the first */
	int64_t retry_delay_ms;   /* 0 to 1 h */
	int64_t retry_factor_micro; /* 1 to 100, in millionths */
	int64_t retry_max_delay_ms; /* 0 to 1 d */
	char *retry_http;         /* "408,425,429,5xx"; NULL: unset */
	int64_t connect_ms;       /* 1 ms to 1 h; so the next three */
	int64_t first_byte_ms;
	int64_t stall_ms;
	int64_t total_ms;         /* to 7 d */
	int64_t max_response;     /* bytes: 1 to 512 MiB (a value in SQLite has at most 10^9) */
	int64_t no_idempotency_key; /* 0 or 1 */
	int64_t stop_before_ms;   /* 0 to 30 d: no retry is due so close to the expiry */
	int64_t at_most_once;     /* 0 or 1: engine/retry.h */
	char *escalate;           /* rules of domain/escalate.h; NULL: unset */
};

#define SEND_INIT { -1, -1, -1, -1, NULL, -1, -1, -1, -1, -1, -1, -1, -1, NULL }

void send_release(struct send *s);

/* The defaults: 5, 1 s, 2, 60 s, "408,425,429,5xx", 10 s, 10 min, 90 s,
 * 10 min, 16 MiB, 0, 0. */
struct send send_defaults(void);

/* Unset members of `s` taken from `other`. */
void send_fill(struct send *s, const struct send *other);

/* The set members as a JSON object, and back (unknown members are ignored). */
void send_write(const struct send *s, struct str *out);
int send_read(struct send *s, struct span json, struct err *e) MUST_CHECK;

/* "408,425,429,5xx": is the list well-formed (ERR_USAGE), is a status in it? */
int send_check_http(const char *list, struct err *e) MUST_CHECK;
bool send_http_matches(const char *list, int status);

#endif
