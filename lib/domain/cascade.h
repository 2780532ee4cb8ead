/* cascade: what one command does to the products of a dataset, and what
 * follows from it.  The only place that writes data_products.state.
 *
 *     TX(tx);
 *     struct cascade c CLEANUP(cascade_release) = CASCADE_INIT;
 *     tx_begin(), dataset_find(), then
 *     cascade_begin(&c, db, &dataset, by, "update");
 *     cascade_move() ...         // what the command says itself
 *     cascade_below(&c, ids, n)  // everything downstream of those waits again
 *     cascade_trigger(&c)        // what can start is queued, unless paused
 *     cascade_finish(&c)         // the dataset's row
 *     tx_commit(), cascade_after(&c)
 *
 * Kept with every move: the children's parents_left, the dataset's counters,
 * its history, and which runs are over.  It touches the rows that change and,
 * where a product ceases or begins to hold back its children, theirs. */
#ifndef FSL_DOMAIN_CASCADE_H
#define FSL_DOMAIN_CASCADE_H

#include <stdbool.h>
#include <stdint.h>
#include "base/err.h"
#include "base/id.h"
#include "domain/dataset.h"
#include "domain/product.h"
#include "store/stmt.h"

extern const struct stmt_set cascade_sql;

/* What has become of one product, first and last. */
struct cascade_moved {
	int64_t id;
	enum state old, new; /* old STATE_NONE: it is new; the same: it starts again */
	struct id uuid;      /* this and the name from cascade_finish() on */
	char *name;
};

struct cascade {
	struct db *db;
	struct dataset *ds;
	int64_t now_us;
	const char *by, *command;
	bool changed;            /* there is something to store */
	int64_t ahead;           /* ds->ahead when it began */
	struct cascade_moved *moved; /* in the order of the first move */
	int n_moved;
	uint32_t *places;        /* by number of the product: index in moved + 1 */
	int64_t n_places;
	struct cascade_batch {
		int64_t id;
		bool cancel;     /* its run is not over */
		bool now;        /* what is in flight is cut off */
		bool again;      /* its requests are sent again: the product starts from zero */
	} *batches;              /* that products have left behind */
	int n_batches;
};

#define CASCADE_INIT { 0 }
void cascade_release(struct cascade *c);

/* Inside a write transaction, with the dataset as it is stored; `ds`, `by` and
 * `command` are borrowed.  One time stamp for all that follows. */
void cascade_begin(struct cascade *c, struct db *db, struct dataset *ds, const char *by,
		   const char *command);

/* The part of a product's row that moves. */
struct cascade_row {
	int64_t id;
	enum state state;
	int64_t parents_left;
	bool has_run;
	struct id run_id;
	int64_t worker, batch;
	enum product_resume resume;
	bool remote;             /* state_remote() of its compute */
};
/* 1, 0: there is none, -1. */
int cascade_row(struct cascade *c, int64_t id, struct cascade_row *out, struct err *e) MUST_CHECK;

/* Is the run of the product over, so that a report of it comes too late?  1, 0. */
int cascade_retired(struct cascade *c, int64_t id, struct id run_id, struct err *e) MUST_CHECK;

struct cascade_to {
	enum state state;
	const struct id *run_id;    /* NULL: the one it has */
	int64_t worker;             /* 0: nobody's */
	enum product_resume resume;
	bool retire;                /* the run it has is over */
};
/* A product that becomes waiting or disabled, or gets another run, retires the
 * run it has; a batch of that run which still runs is cancelled.  The batch of a
 * remote product hands it over: nothing more of it is sent once the product is
 * not queued any more. */
int cascade_move(struct cascade *c, const struct cascade_row *r, const struct cascade_to *to,
		 struct err *e) MUST_CHECK;

/* Counts and records a product that publish has inserted as waiting. */
int cascade_added(struct cascade *c, int64_t id, struct id uuid, struct span name,
		  struct err *e) MUST_CHECK;

/* Adds to parents_left of a product, as one of its dependencies has come, gone
 * or got another parent. */
int cascade_parents(struct cascade *c, int64_t id, int64_t more, struct err *e) MUST_CHECK;

/* Everything downstream of these products that is not waiting or disabled
 * becomes waiting, also what is among them.  To be called once, when they have
 * been moved.  Costs what changes; if products had begun before their parents
 * were done (datasets.ahead), what is downstream. */
int cascade_below(struct cascade *c, const int64_t *ids, int n, struct err *e) MUST_CHECK;

/* Every waiting eager product whose live parents are all success becomes
 * queued, unless the dataset is paused. */
int cascade_trigger(struct cascade *c, struct err *e) MUST_CHECK;

/* What is in the batches that were left behind so far: it will be sent again. */
int cascade_dropped(struct cascade *c, int64_t *requests, int64_t *completed,
		    struct err *e) MUST_CHECK;

/* Stores the dataset's row, and begins to cancel what is to be cancelled. */
int cascade_finish(struct cascade *c, struct err *e) MUST_CHECK;

/* After the commit: cancels those batches to the end, in steps. */
int cascade_after(struct cascade *c, struct err *e) MUST_CHECK;

#endif
