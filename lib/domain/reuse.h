/* reuse: answers that came before, taken by requests of a new batch (--reuse).
 *
 * A request is equal to another if the hash of its line is (line_hash():
 * method, url, headers and body; 128 bits, no bytes are compared) and its batch
 * has the same base URL and the same --header list, both as they were written.
 * Where the key is found does not matter: it says who pays, not what is asked.
 * How a request is sent (retries, timeouts) does not matter either.
 *
 * Any completed request of any batch that can be seen is a source, an answer
 * that was itself reused too: its age and its name are those of the request
 * that was sent.  Of several the one in the newest batch is taken.  With a limit
 * of age, an answer whose request was deleted meanwhile is too old.  A batch
 * that has asked a model which none of its requests is for (--escalate) is no
 * source: nothing tells which of its answers are that model's.
 *
 * Nothing is indexed by hash: importing would cost twice as much.  The hashes
 * of the new file (40 bytes each) are kept in memory, and the templates
 * of each file that has a source are read once, in the order of their keys,
 * until nothing newer can be found.
 *
 *     struct reuse u CLEANUP(reuse_release) = REUSE_INIT;
 *     u.within_ms = ...;
 *     reuse_file() or reuse_add() ...; reuse_find(); reuse_take(); reuse_show() */
#ifndef FSL_DOMAIN_REUSE_H
#define FSL_DOMAIN_REUSE_H

#include <stdbool.h>
#include <stdint.h>
#include "base/err.h"
#include "base/id.h"
#include "domain/batch.h"
#include "store/stmt.h"

extern const struct stmt_set reuse_sql;

struct reuse {
	int64_t within_ms;    /* answers that came at most so long ago */
	int64_t taken;        /* found: requests that took an answer */
	/* its own */
	struct idset *hashes; /* of the new file: 1 + index in entries */
	struct reuse_entry *entries;
	int64_t room;
	uint32_t n;           /* different requests: entries in use */
	struct reuse_batch *batches;
	int n_batches;
};

#define REUSE_INIT { 0 }
void reuse_release(struct reuse *u);

/* A request of the new batch; those of a stored file, which has so many. */
void reuse_add(struct reuse *u, struct id hash);
int reuse_file(struct reuse *u, struct db *db, int64_t file, int64_t requests,
	       struct err *e) MUST_CHECK;

/* Looks for the answers: how many of the requests added have one.  Holds no
 * read transaction for long. */
int64_t reuse_find(struct reuse *u, struct db *db, const struct batch_new *n,
		   int64_t now_ms, struct err *e) MUST_CHECK;

/* Gives them to the requests of a batch in the making (domain/batchrows): they
 * are completed, with no attempt.  Transactions of their own, of at most
 * 5,000 requests or 4 MiB of bodies; in the order of lines.  An answer that was
 * deleted since it was found is not taken: its request stays pending. */
int reuse_take(struct reuse *u, struct db *db, int64_t batch, int64_t file,
	       int64_t now_ms, struct err *e) MUST_CHECK;

/* Counts them, inside the transaction that shows the batch and after its
 * counters were set as if all were pending: it may end the batch.  Tokens are
 * not added: nothing was used. */
int reuse_show(struct reuse *u, struct db *db, int64_t batch, int64_t now_ms,
	       struct err *e) MUST_CHECK;

/* Would a new batch have found most of its answers?  A guess that costs
 * nothing: the newest other batch of the same input, base URL and headers that
 * has more than half of them.  1 and *other, 0 none. */
int reuse_guess(struct db *db, const struct batch *b, struct batch *other,
		struct err *e) MUST_CHECK;

/* The id of the request whose answer this one has, appended to `out`: 1; 0 it
 * has its own, or none. */
int reuse_source(struct db *db, int64_t row, struct str *out, struct err *e) MUST_CHECK;

#endif
