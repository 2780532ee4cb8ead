/* metrics: what a run has done, in the text format of Prometheus 0.0.4, in a
 * file for the textfile collector of node_exporter.
 *
 * The file is written beside and renamed, so that nobody reads half of it, about
 * once a second and at the end.  It does not wait for the disk, is never opened
 * where it stands, and never stops a run: the first write that fails is a
 * warning, the others are silent.
 *
 * Each sample has the label run, the name of the file without ".prom": two runs
 * in one directory have series of their own.  Counters begin at 0 with each run. */
#ifndef FSL_ENGINE_METRICS_H
#define FSL_ENGINE_METRICS_H

#include <stdbool.h>
#include <stdint.h>
#include "base/err.h"
#include "base/str.h"
#include "engine/run.h"

/* Of one moment. */
struct metrics {
	const char *run;      /* the label; any bytes */
	const char *version;
	bool up, draining;
	int exit;             /* status; -1: it runs */
	int64_t started_ms, changed_ms; /* wall clock; a request or an attempt ended */
	int in_flight;
	int64_t held;         /* bytes in memory */
	const struct ledger_state *ledger;
	const struct run_summary *sum; /* attempts and retries */
};
void metrics_write(const struct metrics *m, struct str *out);

struct metrics_file {
	const char *path;     /* the caller's; NULL: nothing is written */
	const char *version;
	int64_t started_ms, changed_ms, ended; /* ended: requests and attempts that had */
	int64_t next_ms;      /* monotonic */
	bool failed;
};

/* ERR_USAGE if the path can be none: "-", a device, a FIFO, a directory.  NULL
 * is fine. */
int metrics_start(struct metrics_file *f, const char *path, const char *version,
		  struct err *e) MUST_CHECK;
/* Writes it if a second has passed. */
void metrics_tick(struct metrics_file *f, const struct run_progress *p);
/* The run has ended with this exit status: writes it in any case. */
void metrics_end(struct metrics_file *f, const struct run_summary *sum, int status);

#endif
