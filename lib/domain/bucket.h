/* bucket: what a server limits: one origin, one key and one model.
 *
 * Requests count against the bucket of their queue (batch and model), or of
 * the model they were escalated to.  What all workers have to agree on is in
 * its row: until when the server wants to be left alone, the adaptive limit,
 * and where the rates stand.  Everything here happens inside the write
 * transaction that starts or settles requests. */
#ifndef FSL_DOMAIN_BUCKET_H
#define FSL_DOMAIN_BUCKET_H

#include <stdbool.h>
#include <stdint.h>
#include "base/err.h"
#include "base/str.h"
#include "store/stmt.h"

extern const struct stmt_set bucket_sql;

enum { BUCKET_WHY = 64 };

struct bucket {
	int64_t id;
	char *origin, *key_ref, *model; /* owned; do not change */
	/* The row's moving part. */
	int64_t hold_ms;      /* nothing starts before (wall clock) */
	char hold_why[BUCKET_WHY]; /* "429", "x-ratelimit-remaining-requests: 0" */
	int64_t cap;          /* adaptive limit of requests in flight; 0: none */
	int64_t halved_ms;    /* when it was halved last */
	int64_t rate_us, tokens_us; /* when the next start, the next token is due (wall clock) */
};

#define BUCKET_INIT { 0, NULL, NULL, NULL, 0, "", 0, 0, 0, 0 }
void bucket_release(struct bucket *b);

/* The bucket of a queue, made when it is met for the first time.  Lines with
 * an absolute url to another origin carry no key and belong to that origin's
 * bucket: the first pending line of the queue tells.  -1 on error. */
int64_t bucket_of_queue(struct db *db, int64_t queue, struct err *e) MUST_CHECK;

/* The bucket beside this one for another model. */
int64_t bucket_for_model(struct db *db, const struct bucket *b, const char *model,
			 struct err *e) MUST_CHECK;

/* Fills *b, or only its moving part when id and names are there. */
int bucket_get(struct db *db, int64_t id, struct bucket *b, struct err *e) MUST_CHECK;
int bucket_reread(struct db *db, struct bucket *b, struct err *e) MUST_CHECK;
/* Writes the moving part. */
int bucket_write(struct db *db, const struct bucket *b, struct err *e) MUST_CHECK;

/* What each worker has of a bucket. */
struct bucket_share {
	int64_t worker, in_flight;
	int64_t wants_ms;  /* when it last found no room; 0: it does not wait */
	int64_t served_ms; /* when it last started one while others waited */
};
/* Fills at most n; returns how many there are. */
int bucket_shares(struct db *db, int64_t id, struct bucket_share *out, int n,
		  struct err *e) MUST_CHECK;
/* Sets wants_ms and served_ms of the worker's share. */
int bucket_queue_up(struct db *db, int64_t id, const struct bucket_share *s,
		    struct err *e) MUST_CHECK;

/* Why a living worker leaves a batch (bucket 0) or a bucket (batch 0) alone,
 * for `fsl-batch queue`; next_ms 0: it does not try again. */
struct bucket_block {
	int64_t worker, batch, bucket;
	const char *reason, *message;
	int64_t since_ms, next_ms;
};
int bucket_block(struct db *db, const struct bucket_block *b, struct err *e) MUST_CHECK;
/* The worker leaves nothing alone any more. */
int bucket_unblock(struct db *db, int64_t worker, struct err *e) MUST_CHECK;

#endif
