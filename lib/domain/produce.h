/* produce: one run of a data product: how it stands, and what it leaves.
 *
 * domain/lease takes, reports and gives back; here is what a worker asks and
 * stores meanwhile.  A run is named by its product and its run_id. */
#ifndef FSL_DOMAIN_PRODUCE_H
#define FSL_DOMAIN_PRODUCE_H

#include <stdbool.h>
#include <stdint.h>
#include "base/err.h"
#include "base/id.h"
#include "base/str.h"
#include "domain/batch.h"
#include "domain/compute.h"
#include "domain/dataset.h"
#include "store/stmt.h"

extern const struct stmt_set produce_sql;

/* How the run's batch stands. */
struct produce_look {
	int64_t batch;           /* batches.id; 0: there is none (any more) */
	enum batch_status status;
	bool begun;              /* a request of it was started, or needs no sending */
	int64_t total, bad;      /* requests; and those that failed, expired, were cancelled */
};
/* 1; 0: the run is over: the product was cleared, disabled, deleted, or has
 * another run.  Costs a few rows. */
int produce_look(struct db *db, int64_t product, struct id run_id, struct produce_look *out,
		 struct err *e) MUST_CHECK;

/* The batch of the run, stored inside a write transaction that the caller has
 * begun: with the one that shows a new batch, so that none is there which no
 * product knows.  1, or 0: the run is over. */
int produce_sends(struct db *db, int64_t product, struct id run_id, int64_t batch,
		  struct err *e) MUST_CHECK;

/* What the command of an `exec` wrote: its output for the children.  Replaces
 * that of earlier runs.  Own transaction.  1, or 0: the run is over. */
int produce_store(struct db *db, int64_t product, struct id run_id, struct span body,
		  struct err *e) MUST_CHECK;
/* Appends it; 1, 0: there is none of the product's last run. */
int produce_read(struct db *db, int64_t product, struct str *body, struct err *e) MUST_CHECK;

/* The same of an operand; ERR_NOTFOUND if it has none, or is no command. */
int produce_output(struct db *db, const char *dataset, const char *product, struct str *body,
		   struct err *e) MUST_CHECK;

/* Has the platform of a remote product reported this run, before a worker did? */
int produce_reported(struct db *db, int64_t product, struct id run_id, struct err *e) MUST_CHECK;

/* How the newest request of a batch has ended.  Owned. */
struct produce_answer {
	int64_t status;          /* HTTP; 0: none */
	char *code, *message;    /* NULL: none */
};
void produce_answer_release(struct produce_answer *a);
/* 1; 0: none has, or it was cancelled or has expired. */
int produce_answer(struct db *db, int64_t batch, struct produce_answer *out,
		   struct err *e) MUST_CHECK;

/* How many requests of a batch have not completed, and how many may not, as the
 * product says that it belongs to.  1; 0: it belongs to none. */
int produce_may_fail(struct db *db, int64_t batch, int64_t *bad, int64_t *may,
		     struct err *e) MUST_CHECK;

/* What is left of a dataset for fsl-run: products of a batch or a command that
 * are queued or running, remote ones that are queued and have an URL or that this
 * worker is handing over, and if it is paused those that would be queued. */
int64_t produce_left(struct db *db, const struct dataset *d, const struct compute *c,
		     int64_t worker, struct err *e) MUST_CHECK;

#endif
