/* report: what a run tells when it ends: words, JSON, and how its batches
 * stand. */
#ifndef FSL_ENGINE_REPORT_H
#define FSL_ENGINE_REPORT_H

#include <stdbool.h>
#include <stdint.h>
#include "base/err.h"
#include "base/str.h"
#include "engine/run.h"

enum { REPORT_PREFIX = 8 };

/* The batches of a run, added up: requests by how they ended. */
struct report {
	int64_t completed, failed, remaining; /* failed: also cancelled, expired */
	int batches;
	bool anew;           /* the same command would begin once more (--new) */
	char failing[REPORT_PREFIX + 1]; /* of the id of the batch that has failed ones, digits
			      * enough to name it; "BATCH": several have; "": none */
};

/* The exit status of the run; `max_failed`: with so many failed requests it is
 * still EXIT_OK ("10", "2.5%" of all: num_portion() takes it), NULL: none.
 * failed data products, of plans that say themselves how many of their requests
 * may fail, count as well.  128 and the number of the signal that stopped it;
 * EXIT_REMAINS while something is left, or was left alone; that of the error if a
 * key was not found and nothing else was done. */
int report_status(const struct report *r, const struct run_summary *s,
		  const char *max_failed);

int report_add(struct report *r, struct db *db, int64_t batch, struct err *e) MUST_CHECK;

/* {"event":"summary","reason":…,"exit":…,…,"usage":{…},"message":…}, one line; the
 * message is that of the server which was left alone, or what is missing. */
void report_json(const struct report *r, const struct run_summary *s, int status,
		 struct str *out);

/* "drained: 118 completed, 2 failed, 0 left; 131 attempts (again after 429 7)
 * in 1m01s". */
void report_text(const struct report *r, const struct run_summary *s, struct str *out);

/* What was left alone, why, and what the server said; nothing if nothing was. */
void report_why(const struct run_summary *s, struct str *out);
/* What to do about what is left; nothing if nothing is. */
void report_next(const struct report *r, const struct run_summary *s, struct str *out);

/* Says all that on stderr, with a hint if something failed: on a terminal always,
 * elsewhere with -v or when something is wrong (cron mails every byte). */
void report_tell(const struct report *r, const struct run_summary *s, int status);

#endif
