/* steer: what people tell a stored plan to do, a function per verb of
 * fletcher-plan.
 *
 * Each is one transaction, begun before anything is read: two parents that are
 * reported at the same moment by two processes queue their child once.  A
 * command that changes nothing writes nothing.  Rules: fletcher-plan(1). */
#ifndef FSL_DOMAIN_STEER_H
#define FSL_DOMAIN_STEER_H

#include <stdbool.h>
#include <stdint.h>
#include "base/err.h"
#include "base/str.h"
#include "domain/cascade.h"
#include "domain/chosen.h"
#include "domain/states.h"
#include "store/stmt.h"

extern const struct stmt_set steer_sql;

struct steer {
	struct db *db;
	const char *by;      /* who, for the rows */
	bool dry_run;        /* do all of it and take it back */
	bool force;
	/* what became of it: */
	struct dataset ds;
	struct cascade c;    /* c.moved */
	struct str notes;    /* a line each: what people should know of it */
};

#define STEER_INIT { 0 }
void steer_release(struct steer *s); /* what became of it; usable again */

/* Reports; the list is checked whole, then applied in order.  A product that
 * is disabled is ERR_STATE; so is, without `force`, a run_id that is not that
 * of the current run.  The same state of the same run again changes nothing
 * but link and passback, unless `force`. */
int steer_update(struct steer *s, const char *dataset, const struct states *list,
		 struct err *e) MUST_CHECK;

/* The same from whoever runs it, of one product by its row (i->product is not
 * looked at).  1; 0: the run in it is not the current one, or the product is
 * gone or disabled, or its platform has reported it: nothing is stored. */
int steer_report(struct steer *s, int64_t product, const struct states_item *i,
		 struct err *e) MUST_CHECK;

/* The verb of that name, one of those below.  `which` without operands: all that
 * have failed for retry and clear. */
int steer_run(struct steer *s, const char *verb, const char *dataset,
	      const struct chosen_which *w, struct err *e) MUST_CHECK;

/* Back to waiting, with everything downstream; what can start is queued again,
 * from zero.  ERR_STATE without `force` if completed requests would be sent
 * again. */
int steer_clear(struct steer *s, const char *dataset, const struct chosen_which *w,
		struct err *e) MUST_CHECK;

/* Success or failed -> queued with a new run_id, also if it is not eager or
 * the dataset is paused; a batch product goes on with its batch and sends what
 * failed in it, a remote one is handed over anew.  Everything downstream waits
 * again; so does a product whose parents are not success. */
int steer_retry(struct steer *s, const char *dataset, const struct chosen_which *w,
		struct err *e) MUST_CHECK;

/* Out of the graph, and back as waiting; ERR_STATE: disabled already; enabling
 * would close a cycle.  Enabling an enabled one changes nothing. */
int steer_disable(struct steer *s, const char *dataset, const struct chosen_which *w,
		  struct err *e) MUST_CHECK;
int steer_enable(struct steer *s, const char *dataset, const struct chosen_which *w,
		 struct err *e) MUST_CHECK;

/* Waiting -> queued, also if it is not eager or the dataset is paused.
 * ERR_STATE: its parents are not success, or it has ended. */
int steer_trigger(struct steer *s, const char *dataset, const struct chosen_which *w,
		  struct err *e) MUST_CHECK;

/* 1: it was changed, 0: it was like that. */
int steer_pause(struct steer *s, const char *dataset, bool paused, struct err *e) MUST_CHECK;

/* Removes the dataset; its batches stay.  ERR_STATE: something of it runs, or,
 * without `force`, is success.  With older_than_ms (else 0) only if nothing has
 * changed in it for so long.  1: removed, 0: it is younger. */
int steer_delete(struct steer *s, const char *dataset, int64_t older_than_ms,
		 struct err *e) MUST_CHECK;

#endif
