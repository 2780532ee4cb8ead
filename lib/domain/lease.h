/* lease: a data product in the hands of a worker: taken, reported, given back.
 *
 * Each call is a transaction of its own, and a change is what one of
 * `fletcher-plan` would be: the same history, the same products downstream. */
#ifndef FSL_DOMAIN_LEASE_H
#define FSL_DOMAIN_LEASE_H

#include <stdint.h>
#include "base/err.h"
#include "base/id.h"
#include "domain/product.h"
#include "store/stmt.h"

extern const struct stmt_set lease_sql;

/* The next product behind `after` (a row; 0 to begin) that is queued and
 * unclaimed, is computed so ("batch", "exec", ...), and belongs to a dataset
 * that this user published last (NULL: anybody); `dataset` 0: to any.  Queued
 * ones of a paused dataset are among them: pausing holds back what queues, not
 * what is queued.  1, 0: none, -1.  Costs the same however many products there
 * are; another user's are passed one by one. */
int lease_next(struct db *db, const char *user, const char *compute, int64_t dataset,
	       int64_t after, struct product *out, struct err *e) MUST_CHECK;

/* Takes a queued product for a worker (workers.id): exactly one of many gets
 * it.  It stays queued until it is reported.  1: it is ours, and *run_id, a new
 * one, is what reports must name; 0: somebody was faster, or it is not queued
 * any more. */
int lease_claim(struct db *db, int64_t product, int64_t worker, struct id *run_id,
		struct err *e) MUST_CHECK;

/* Reports a claimed run: running, success or failed.  link and passback (JSON)
 * SPAN_NONE: what is there stays.  1: it is stored; 0: too late, the product
 * was cleared, disabled or deleted, or has another run: what this one does is
 * to be cancelled. */
int lease_report(struct db *db, int64_t product, struct id run_id, enum state state,
		 struct span link, struct span passback, struct err *e) MUST_CHECK;

/* Gives a claimed run up: queued or running -> queued, for the next worker,
 * which goes on with its batch if it has one.  The run is retired.  1, or 0 as
 * above. */
int lease_release(struct db *db, int64_t product, struct id run_id, struct err *e) MUST_CHECK;
/* The same for the claims of all workers that have left or died, but for those
 * below.  How many. */
int lease_rescue(struct db *db, struct err *e) MUST_CHECK;

/* A queued product whose platform was told of its run, or will be by the batch
 * that is there, keeps that run: a report names it.  Such a claim is not given up
 * when its worker leaves or dies, but goes to the next one, here.  As
 * lease_next() otherwise.  1 and *out, 0: there is none, -1. */
int lease_adopt(struct db *db, const char *user, int64_t dataset, int64_t worker,
		struct product *out, struct err *e) MUST_CHECK;

/* Why a queued product is not started, for domain/reason; NULL: no reason any
 * more.  Does nothing to one that is claimed or not queued.  At most 400 bytes
 * are kept. */
int lease_hold(struct db *db, int64_t product, const char *why, struct err *e) MUST_CHECK;

#endif
