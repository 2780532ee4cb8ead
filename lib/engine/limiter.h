/* limiter: how many requests of each bucket may start now.
 *
 * The ledger's side of limits: --limit of all living workers, what the server
 * said (Retry-After and its like), and the adaptive limit, which a 429 or 529
 * halves and successes raise again.  What workers share is in the bucket's row
 * and read once per transaction:
 *
 *     limiter_begin() ... limiter_end(), limiter_unsent() for what came back
 *     ... limiter_room(), limiter_start() for what goes out ...
 *     limiter_flush() ... tx_commit() ... limiter_commit()
 *
 * A request is never failed by waiting here. */
#ifndef FSL_ENGINE_LIMITER_H
#define FSL_ENGINE_LIMITER_H

#include <stdbool.h>
#include <stdint.h>
#include "base/err.h"
#include "domain/bucket.h"
#include "domain/limits.h"

struct limiter;

/* A bucket that this worker has met; the limiter's own. */
struct limiter_bucket {
	struct bucket row;
	int origin;         /* number of the origin, from 0 */
	int64_t room;       /* what limiter_room() found */
	int64_t mine;       /* in flight, of this worker */
	struct limiter_slots {
		int64_t part, round;           /* engine/slots.h */
		int64_t window, turns, before;
	} slots;
	/* Internal. */
	struct limit limit; /* of all living workers */
	int64_t others;     /* in flight, of the others */
	struct limiter_count {
		int64_t credit;              /* successes towards one more */
		int64_t wants_ms, served_ms; /* as others know them */
		int64_t tokens_each;         /* that a request takes, smoothed */
	} count, kept;      /* kept: at the last commit */
	int64_t kept_mine;
	bool read, asked, dirty, limited, served;
};

struct limiter *limiter_new(int64_t worker, const struct limits *own, bool adaptive, int jobs);
void limiter_free(struct limiter *l);

/* Other limits from now on (the config file has changed); copied. */
void limiter_change(struct limiter *l, const struct limits *own);

/* A write transaction begins; what was done since the last limiter_commit() is
 * forgotten, it was rolled back. */
int limiter_begin(struct limiter *l, struct db *db, int64_t now_ms, struct err *e) MUST_CHECK;

/* The bucket of a queue; of another model beside it.  NULL and *e on error. */
struct limiter_bucket *limiter_of_queue(struct limiter *l, int64_t queue, struct err *e) MUST_CHECK;
struct limiter_bucket *limiter_of_model(struct limiter *l, const struct limiter_bucket *b,
					const char *model, struct err *e) MUST_CHECK;
/* One that was met before, by its row; NULL: it was not. */
struct limiter_bucket *limiter_find(struct limiter *l, int64_t bucket);

/* That of a queue, if it was met; the i-th (NULL: there are no more); the text
 * of an origin. */
struct limiter_bucket *limiter_met(struct limiter *l, int64_t queue);
struct limiter_bucket *limiter_at(struct limiter *l, int i);
const char *limiter_origin(const struct limiter *l, int origin);

/* b->room is set to how many may start; -1 on error.  The caller counts it
 * down.  With 0, limiter_next() tells when to ask again. */
int limiter_room(struct limiter *l, struct limiter_bucket *b, struct err *e) MUST_CHECK;

/* One was started, with so many tokens by estimate. */
void limiter_start(struct limiter *l, struct limiter_bucket *b, int64_t tokens);
/* One that was started has not been sent after all. */
int limiter_unsent(struct limiter *l, struct limiter_bucket *b, int64_t tokens,
		   struct err *e) MUST_CHECK;

/* One has ended. */
struct limiter_end {
	int status;            /* 0: no answer */
	bool success;
	bool quota;            /* 429 that is no matter of pace */
	int64_t started_ms;    /* wall clock */
	int64_t hold_ms;       /* the server wants to be left alone for so long; 0: no */
	const char *hold_why;
	int64_t guessed, used; /* tokens; used -1: unknown */
};
int limiter_end(struct limiter *l, struct limiter_bucket *b, const struct limiter_end *end,
		struct err *e) MUST_CHECK;

/* Writes what has changed; inside the transaction. */
int limiter_flush(struct limiter *l, struct err *e) MUST_CHECK;
/* The transaction was committed. */
void limiter_commit(struct limiter *l);

/* When a bucket that had no room since limiter_begin() may have some (wall
 * clock); -1: only when something ends or others commit. */
int64_t limiter_next(const struct limiter *l);

/* Has another worker been told to leave a bucket alone, since the last call?
 * What lies ready of it is not to be sent. */
bool limiter_news(struct limiter *l);

/* How many buckets were asked for room since limiter_begin(). */
int limiter_asked(const struct limiter *l);

#endif
