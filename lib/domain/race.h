/* race: a second attempt of a request that is in flight, at another model
 * (--escalate): the first answer wins.
 *
 * A race is the owner's of the flight, has a number and an attempt of its own,
 * and is no retry: of the two the one that ends last counts against --retries.
 * Never more than two.  request_settle() and request_release() take the end of
 * either:
 *
 *   one succeeds              the other ends as "superseded"
 *   one fails                 its attempt is recorded; the other decides
 *   the last one fails        as without a race
 *
 * When the flight ends first, the race's row takes its place there: there is
 * no race without a flight. */
#ifndef FSL_DOMAIN_RACE_H
#define FSL_DOMAIN_RACE_H

#include <stdbool.h>
#include <stdint.h>
#include "base/err.h"
#include "domain/request.h"
#include "domain/tally.h"
#include "store/stmt.h"

extern const struct stmt_set race_sql;

/* 1: started; 0: the request is not in flight with this worker, is in flight
 * twice, or was cancelled meanwhile; or its batch is not in progress, or past
 * its window. */
int race_start(struct tally *t, int64_t worker, int64_t bucket, int64_t row, int64_t now_ms,
	       struct request_started *out, struct err *e) MUST_CHECK;

/* How many races the worker has. */
int race_count(struct db *db, int64_t worker, struct err *e) MUST_CHECK;

/* Requests of the batch that the worker has in flight at this bucket, which is
 * that of their own model, and nowhere else: at most n of their rows.
 *
 * A race that has failed is followed by another one of the same flight as a
 * retry would be: not at all if the answer was final, else when its pause is
 * over, and `retries` times (429 and 529 are not counted).  Returns how many;
 * *next_ms is when there will be more: now_ms if more than n may race now; -1:
 * nobody waits. */
struct race_search {
	int64_t worker, bucket, batch;
	int64_t now_ms, retries;
};
int race_find(struct db *db, const struct race_search *s, int64_t *out, int n,
	      int64_t *next_ms, struct err *e) MUST_CHECK;

/* The rest is for domain/request, after the end of an attempt of a batch that
 * may have races (tally_batch.racing). */

/* Deletes the race: 1 it was this attempt, 0 it was not. */
int race_land(struct tally *t, int64_t worker, int64_t bucket, int64_t row, int64_t n,
	      struct err *e) MUST_CHECK;

/* One attempt has landed.  Does the other fly?  1: it is the flight; 2: it was
 * the race, and is the flight now; 0: no. */
int race_goes_on(struct tally *t, int64_t row, struct err *e) MUST_CHECK;

/* Ends the other attempt, which flies: recorded with this code and message.
 * now_ms 0: how long it took is unknown.  Of `only_race` the flight stays.
 * 1, or 0: there was none. */
int race_end(struct tally *t, struct tally_batch *b, int64_t row, bool only_race,
	     const char *code, const char *message, int64_t now_ms, struct err *e) MUST_CHECK;

#endif
