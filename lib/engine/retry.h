/* retry: what an answer, or the lack of one, means.  Pure.
 *
 *   2xx                          completed
 *   status in retry_http         again: by default 408, 425, 429 and 5xx
 *   other 4xx, 3xx               failed
 *   no connection, DNS, TLS cut off, reset, truncated, time limits: again
 *   certificate, too large, a URL nobody can use: failed
 *
 * 429 and 529 are throttling: they do not count against --retries; a request
 * fails for them only after RETRY_THROTTLED of them.  429 with the code
 * insufficient_quota is final: more tries do not fill a purse.
 *
 * With --at-most-once what may have left and was not answered is not tried
 * again, as the server may have done what was asked: it fails as
 * `interrupted`.  What never left is, and so is an answer.
 *
 * The delay is random from 0 to min(retry_delay * factor^n, retry_max_delay)
 * ("full jitter"), n the tries before; Retry-After of a 429, 503 or 529 is
 * waited for in addition, up to an hour. */
#ifndef FSL_ENGINE_RETRY_H
#define FSL_ENGINE_RETRY_H

#include <stdbool.h>
#include <stdint.h>
#include "base/rng.h"
#include "base/str.h"
#include "domain/request.h"
#include "domain/send.h"
#include "engine/http.h"

enum { RETRY_THROTTLED = 100, RETRY_AFTER_MAX_MS = 3600 * 1000 };

struct retry_facts {
	enum http_code code;
	int status;             /* 0: no answer */
	bool sent;              /* bytes of it may have left */
	bool quota;             /* the body says insufficient_quota */
	int64_t counted;        /* attempts before this one that count */
	int64_t throttled;      /* of 429 and 529 before this one */
	int64_t retry_after_ms; /* -1: none */
};

struct retry_decision {
	enum request_verdict verdict;
	bool counts, throttled;
	bool exhausted;         /* it would have been tried again, but has had its attempts */
	bool no_time;           /* … but there is none left, see retry_deadline() */
	bool interrupted;       /* or may have been received: --at-most-once */
	int64_t delay_ms;       /* VERDICT_RETRY */
};

struct retry_decision retry_decide(const struct send *s, const struct retry_facts *f,
				   struct rng *rng);

/* The batch expires at expires_ms (0: never), and no retry may be due within
 * stop_before_ms of it: one that would be fails now, unless it does not count
 * against --retries; that one waits and expires.  After the expiry nothing is
 * left to decide here. */
void retry_deadline(struct retry_decision *d, int64_t expires_ms, int64_t stop_before_ms,
		    int64_t now_ms);

/* The upper end of the delay after n earlier tries. */
int64_t retry_ceiling(const struct send *s, int64_t n);

#endif
