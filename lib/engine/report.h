/* report: what a run tells when it ends: words, JSON, and how its batches
 * stand. */
#ifndef FSL_ENGINE_REPORT_H
#define FSL_ENGINE_REPORT_H

#include <stdint.h>
#include "base/err.h"
#include "base/str.h"
#include "engine/run.h"

/* The batches of a run, added up: requests by how they ended. */
struct report {
	int64_t completed, failed, remaining; /* failed: also cancelled, expired */
	int batches;
};

/* The exit status of the run; `max_failed`: with so many failed requests it is
 * still EXIT_OK ("10", "2.5%" of all: num_portion() takes it), NULL: none.
 * failed data products, of plans that say themselves how many of their requests
 * may fail, count as well.  128 and the number of the signal that stopped it; EXIT_REMAINS while something
 * is left; that of the error if a key was not found and nothing else was done. */
int report_status(const struct report *r, const struct run_summary *s,
		  const char *max_failed);

int report_add(struct report *r, struct db *db, int64_t batch, struct err *e) MUST_CHECK;

/* {"event":"summary","reason":…,"exit":…,…,"usage":{…}}, one line. */
void report_json(const struct report *r, const struct run_summary *s, int status,
		 struct str *out);

/* "drained: 118 completed, 2 failed, 0 left; 131 attempts (again after 429 7)
 * in 1m01s". */
void report_text(const struct report *r, const struct run_summary *s, struct str *out);

/* Says that on stderr, with a hint if something failed: on a terminal always,
 * elsewhere with -v or when something is wrong (cron mails every byte). */
void report_tell(const struct report *r, const struct run_summary *s, int status);

#endif
