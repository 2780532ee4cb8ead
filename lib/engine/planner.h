/* planner: the thread that runs plans while the others send requests.
 *
 * It takes queued products, imports and makes their batches, runs commands, hands
 * over what is computed elsewhere, and reports what has ended, which queues what
 * comes next.  It has a connection of
 * its own: neither the network nor the ledger ever waits for an import or a
 * command.  Woken by the doorbell of the side file (store/side.h) and by its
 * commands; the batches are sent by whoever claims their requests.
 *
 * The ledger asks it before it says that nothing is left: planner_more(). */
#ifndef FSL_ENGINE_PLANNER_H
#define FSL_ENGINE_PLANNER_H

#include <stdbool.h>
#include <stdint.h>
#include "base/err.h"
#include "domain/compute.h"
#include "engine/plansum.h"

enum { PLANNER_STEPS = 256 /* products in hand at once */ };

struct planner_options {
	const char *db_path;
	const char *user;        /* whose plans; never anybody's: a plan names files and programs */
	const char *remote_user; /* whose remote products; NULL: anybody's */
	const struct compute *compute; /* where those are handed over; NULL: none is */
	const int64_t *datasets; /* rows; NULL: all of `user` */
	int n_datasets;
	bool allow_exec;
};

struct planner;

/* Nothing happens yet; but planner_more() is true. */
struct planner *planner_new(const struct planner_options *o, struct err *e) MUST_CHECK;
/* Starts the thread, which works as this worker (workers.id).  `ring` is called
 * by it when the ledger should ask again. */
void planner_start(struct planner *p, int64_t worker, void (*ring)(void *ctx), void *ctx);

/* May more work come, as of the moment that `token` names?  Any number that
 * changes when somebody has committed; false is said only after the thread has
 * looked at what was there when it was asked with this token for the first
 * time.  For one thread. */
bool planner_more(void *planner, int64_t token);

/* Takes nothing more, and stops the commands. */
void planner_quiet(struct planner *p);
/* The same, and rings no more: to be called before the ledger goes. */
void planner_part(struct planner *p);

/* Reports what has ended, gives back the rest, ends the thread and frees.
 * NULL is fine.  *out is to be released. */
int planner_close(struct planner *p, struct plansum *out, struct err *e) MUST_CHECK;

#endif
