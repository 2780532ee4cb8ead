/* watch: sees what was cancelled and what has expired, and tells the network
 * thread what of it to give back or to cut off.
 *
 * Asked after each commit of somebody else and when time alone has changed
 * something: within a second everywhere (behind it is domain/recall.h). */
#ifndef FSL_ENGINE_WATCH_H
#define FSL_ENGINE_WATCH_H

#include <stdbool.h>
#include <stdint.h>
#include "base/err.h"
#include "domain/recall.h"
#include "engine/desk.h"

struct watch {
	struct recall now;
	int64_t worker, grace_ms;
	uint64_t said;   /* what the network thread was told last */
};

void watch_init(struct watch *w, int64_t worker, int64_t grace_ms);
void watch_release(struct watch *w);

/* Looks; new words are added.  `outstanding`: flights that the file should have
 * of this worker; where there are fewer, others have ended some. */
int watch_look(struct watch *w, struct db *db, int outstanding, int64_t now_ms,
	       struct desk_words *words, struct err *e) MUST_CHECK;

/* Is there something to be done in a transaction (book_recall())? */
bool watch_has_work(const struct watch *w);
/* When to look again (wall clock); 0: when somebody commits. */
int64_t watch_next(const struct watch *w);

#endif
