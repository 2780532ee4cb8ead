/* step: a data product in the hands of this process, from the claim to the
 * report.
 *
 *     BEGIN    -> COMMAND (prepare, exec) -> INPUT -> SENDS -> REPORT
 *              -> INPUT (a file)
 *              -> SENDS (it goes on with its batch)
 *
 * A remote product is handed over: a batch of one request (engine/post) tells its
 * platform, and when that has succeeded the product is running, in nobody's hands
 * here.
 *
 * Each way from one phase to the next can be tried again: what it stores is
 * stored whole or not at all, and what a killed process left is either nothing
 * or the batch that the product knows. */
#ifndef FSL_ENGINE_STEP_H
#define FSL_ENGINE_STEP_H

#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include "base/err.h"
#include "domain/product.h"
#include "engine/child.h"
#include "store/db.h"

struct step_options {
	struct db *db;
	int64_t worker;      /* workers.id */
	const struct compute *compute; /* where remote products are handed over; or NULL */
	bool allow_exec;
	bool may_command;    /* there is room for one more command */
};

struct step;

/* Takes a queued product.  1 and *out: it is ours.  0: it is not; then *why, if
 * it is not empty, is the reason for lease_hold(). */
int step_claim(const struct step_options *o, const struct product *p, struct step **out,
	       struct str *why, struct err *e) MUST_CHECK;

/* Goes on with what lease_adopt() gave: 1 and *out; 0: it is gone. */
int step_adopt(const struct step_options *o, const struct product *p, struct step **out,
	       struct err *e) MUST_CHECK;

/* Does what can be done now.  1: the step is over; 0: it goes on; -1: not now:
 * ERR_BUSY, ERR_IO, to be tried again; else the state file is not what it was. */
int step_work(struct step *s, int64_t now_ms, struct err *e) MUST_CHECK;

/* Its command, if one runs: CHILD_FDS to poll for, and when to work at the
 * latest.  False: none does. */
bool step_watch(const struct step *s, struct pollfd *fds, int64_t *due_ms);

/* Ends the command, if one runs; the step is over when that is. */
void step_stop(struct step *s, int64_t now_ms);
/* Gives the product back, for the next worker; one whose platform is being told
 * stays ours until we have left (lease_adopt). */
int step_give_back(struct step *s, struct err *e) MUST_CHECK;

/* "papers/judge"; how it was reported: STATE_SUCCESS, STATE_FAILED, STATE_RUNNING
 * if it was handed over, or STATE_NONE if it was not; its dataset (row), and its batch or 0. */
const char *step_label(const struct step *s);
enum state step_outcome(const struct step *s);
int64_t step_dataset(const struct step *s);
int64_t step_batch(const struct step *s);

void step_free(struct step *s);

#endif
