/* ratelimit: what a server's headers say about its limits.  Pure.
 *
 * Servers tell with each answer how much is left of each of their limits, and
 * when it is full again:
 *
 *     x-ratelimit-remaining-requests: 0      x-ratelimit-reset-requests: 6m0s
 *     anthropic-ratelimit-tokens-remaining: 0
 *     anthropic-ratelimit-tokens-reset: 2026-01-31T00:00:10Z
 *     ratelimit-remaining: 0                 ratelimit-reset: 30
 *
 * When nothing is left of one, no more requests should be sent before its
 * reset: a duration as Go writes it (OpenAI), seconds, Unix seconds or
 * milliseconds (from the year 2001 on), or a time of RFC 3339.  What cannot be
 * read says nothing. */
#ifndef FSL_ENGINE_RATELIMIT_H
#define FSL_ENGINE_RATELIMIT_H

#include <stdbool.h>
#include <stdint.h>
#include "base/span.h"

enum { RATELIMIT_KINDS = 8, RATELIMIT_NAME = 24 };

struct ratelimit {
	struct ratelimit_kind {
		char name[RATELIMIT_NAME];  /* "requests", "tokens", "" */
		bool empty;                 /* nothing remains */
		int64_t reset_ms;           /* from now; -1: not said */
	} kinds[RATELIMIT_KINDS];
	int n;
};

/* One header of an answer; others than those above change nothing. */
void ratelimit_header(struct ratelimit *r, struct span name, struct span value,
		      int64_t now_wall_ms);

/* How long to wait, the longest of those that are empty; 0: no limit is, or
 * none says until when.  *kind, unless NULL, is its name. */
int64_t ratelimit_wait(const struct ratelimit *r, const char **kind);

/* "6m0s", "250ms", "1.5", "1767225600", "2026-01-31T00:00:10Z" in ms from now;
 * -1: none of these. */
int64_t ratelimit_reset(struct span value, int64_t now_wall_ms);

#endif
