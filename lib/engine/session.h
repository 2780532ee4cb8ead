/* session: a run from the look for other workers to the report. */
#ifndef FSL_ENGINE_SESSION_H
#define FSL_ENGINE_SESSION_H

#include <stdbool.h>
#include "base/err.h"
#include "engine/report.h"
#include "engine/run.h"

struct session {
	struct run_options run;  /* stop_fd and trace are the session's */
	bool labels;             /* --fusillade-headers */
	const char *prices;      /* file, for max_cost_micro; NULL: none */
	int64_t max_cost_micro;  /* --max-cost; 0 or less: none */
	bool wait;               /* with run.alone: wait until nobody else lives */
	const char *metrics;     /* --metrics-file; NULL: none */
	bool to_stdout;          /* results as they come; of the one batch */
	void (*clear)(void *ctx);/* before more is said on stderr; may be NULL */
	void *clear_ctx;
};

/* --exclusive, before anything is read: an input that nobody will send is not
 * to be imported.  0: nobody lives, any more if `wait`, or there is no state
 * file.  ERR_HELD: somebody does.  While it waits signals do what they do to any
 * program. */
int session_alone(const char *db_path, bool wait, struct err *e) MUST_CHECK;

/* Runs, as a part of the trace of $TRACEPARENT, and tells a service manager how
 * it is (base/notify.h); adds up the batches that were named, or else those of
 * which it has started a request.  ERR_HELD: with run.alone and without `wait`,
 * somebody lives. */
int session_run(struct db *db, const struct session *s, struct run_summary *sum,
		struct report *report, struct err *e) MUST_CHECK;

#endif
