/* record: what the server saw: counters, log, stored bodies. */
#ifndef TESTS_HTTP_RECORD_H
#define TESTS_HTTP_RECORD_H

#include <stdbool.h>
#include <stdint.h>
#include "base/err.h"
#include "base/str.h"
#include "request.h"
#include "table.h"

struct record {
	int log_fd; /* -1: none */
	bool log_headers;
	bool log_bodies;
	const char *bodies; /* a directory, or NULL */
	int64_t begun;      /* the header arrived */
	int64_t requests;   /* arrived whole */
	int64_t answered;   /* an answer was sent, as whole as the rule wanted it */
	int64_t given_up;   /* the client went away before */
	int64_t connections; /* that brought a request since the start or reset */
	int64_t dropped_before_read;
	int64_t bytes_in;
	int64_t in_flight;
	int64_t max_in_flight;
	struct table models;
	struct str line;
};

/* Opens what --log and --bodies name (each may be NULL). */
int record_open(struct record *c, const char *log, const char *bodies,
		struct err *e) MUST_CHECK;
void record_close(struct record *c);

/* The request is there: counts, logs, stores.  Returns the counter of its
 * model, or NULL; both are for record_done(). */
struct counter *record_arrived(struct record *c, const struct request *r);
/* A datagram of --notify: logs it. */
void record_message(struct record *c, struct span text);
void record_done(struct record *c, struct counter *model);

void record_stats(const struct record *c, struct str *out); /* a JSON object */

/* Does what a request for /__stats, /__reset or /__now wants; the status of the answer,
 * its body is appended. */
int record_control(struct record *c, struct span path, struct str *json);

#endif
