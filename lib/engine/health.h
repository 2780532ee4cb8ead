/* health: when to leave a server, a model or a batch alone.  Pure: time comes
 * as an argument, nothing is stored.
 *
 *   breaker  401 with a key, insufficient_quota: at once; 403, or 401 without a
 *            key: after 10 in a row without a success.  The bucket (origin, key
 *            and model) is left alone; what comes back stays pending.
 *   hold     no answer (connect, DNS, TLS) on the last 20 attempts of an
 *            origin, or on the last two if it has answered before and a request
 *            would fail by the second; or 50 answers in a row of 5xx, no
 *            success between: the origin is held, a probe is sent after 1, 2,
 *            4 … 60 s, and what fails meanwhile stays pending and loses no
 *            attempt.  (Of a few requests to a server that never
 *            was there each fails: its name may be wrong.)  A
 *            connection that was accepted and broke before a byte of the answer
 *            (so does a proxy whose server is down) is no answer on the first
 *            attempt of a request, but not on later ones: of a few requests
 *            that crash their server each fails in the end.  After
 *            give_up_ms it is given up for this run.  Any answer but a 5xx
 *            ends it; of 429 and 529, which say nothing else about a server,
 *            that of the probe.
 *   guard    the first 20 finished requests of a batch all failed in the same
 *            way: the batch is left alone.
 *   other    what health_leave() is told of: a batch that cannot be sent.
 *
 * While something is left alone one tries it now and then, if it is tried at
 * all; whatever becomes of that one, another one follows.
 *
 * An outage, an empty purse or a wrong model name must not turn a night's work
 * into failures. */
#ifndef FSL_ENGINE_HEALTH_H
#define FSL_ENGINE_HEALTH_H

#include <stdbool.h>
#include <stdint.h>
#include "engine/http.h"

enum {
	HEALTH_SILENT = 20, HEALTH_LAST = 2, HEALTH_ERRORS = 50, HEALTH_REFUSED = 10, HEALTH_GUARD = 20,
	HEALTH_PROBE_MS = 1000, HEALTH_PROBE_MAX_MS = 60000,
	HEALTH_RETRY_MS = 600000,  /* with retry: a breaker lets one through after that */
	HEALTH_MESSAGE = 240,
};

struct health_options {
	bool no_hold, no_guard;
	int64_t give_up_ms;   /* 0: never */
	bool retry;           /* --forever: breakers and guards are tried again now and then */
};

struct health;
struct health *health_new(const struct health_options *o);
void health_free(struct health *h);

/* One attempt has ended. */
struct health_facts {
	int64_t batch, bucket;
	int origin;           /* a small number for each */
	enum http_code code;
	int status;           /* 0: no answer */
	bool success, final;  /* final: it would end the request */
	int64_t tries;        /* attempts of the request that count, with this one */
	bool spent;           /* it has no more */
	bool stale;           /* HTTP_RECV: a kept-alive connection had died */
	bool key, quota;      /* a key was sent; the body says insufficient_quota */
	const char *message;  /* of the server, safe to print */
};

/* True: the request goes back to pending and the attempt does not count. */
bool health_review(struct health *h, const struct health_facts *f, int64_t now_ms);

/* How many of it may start: 0; 1: one to try; INT32_MAX: as many as there are.
 * now_ms is monotonic, as everywhere here. */
int64_t health_room(struct health *h, int64_t batch, int64_t bucket, int origin,
		    int64_t now_ms);
/* The batch cannot be sent: it is given up at once, whatever comes.  `reason`
 * stays with the caller.  True: it had not been left so before. */
bool health_leave(struct health *h, int64_t batch, const char *reason, const char *message,
		  int64_t now_ms);

/* One was started; one that was started has not been sent after all. */
void health_started(struct health *h, int64_t batch, int64_t bucket, int origin);
void health_unsent(struct health *h, int64_t batch, int64_t bucket, int origin);

/* The batch has completed requests of before: no guard. */
void health_trust(struct health *h, int64_t batch);

/* When one may try next, or something is given up: the first time after after_ms
 * (monotonic); -1: there is none.  What may be tried already is left out: who
 * has asked and found nothing to start for it must not ask again and again. */
int64_t health_next(const struct health *h, int64_t after_ms);

/* What is left alone: the i-th, from 0; false: there are no more. */
struct health_block {
	int64_t batch, bucket;   /* one of them; both 0: an origin */
	int origin;
	const char *reason;      /* "host_down", "unauthorized", "quota", "refused", "all_failing",
				  * or that of health_leave() */
	const char *message;
	int64_t number;          /* health_version() with which it began */
	int64_t since_ms;        /* monotonic */
	int64_t next_ms;         /* monotonic: when it is tried again; 0: not in this run */
	bool given_up;
};
bool health_block(const struct health *h, int i, int64_t now_ms, struct health_block *out);
/* Is it left alone for the rest of this run?  Then why, unless NULL, is the first
 * of the blocks that do so: of the server, the bucket, the batch. */
bool health_given_up(struct health *h, int64_t batch, int64_t bucket, int origin,
		     int64_t now_ms, struct health_block *why);
/* Changes with each new or lifted block. */
int64_t health_version(const struct health *h);

#endif
