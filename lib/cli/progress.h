/* progress: one line on stderr that is redrawn, or JSON lines.
 *
 * PROGRESS_AUTO draws only if stderr is a terminal, PROGRESS_JSON prints one
 * object every `every_ms`, PROGRESS_NONE nothing.  A drawn line is cut at the
 * terminal's width, redrawn at most 10 times a second and cleared before
 * anything else is logged (progress_clear()) and at the end.  AUTO does not
 * draw with -q or on a terminal that calls itself dumb. */
#ifndef FSL_CLI_PROGRESS_H
#define FSL_CLI_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>
#include "cli/tool.h"

struct progress {
	enum tool_progress mode; /* never AUTO once started */
	int64_t every_ms;
	int64_t next_ms;         /* monotonic: not before this */
	bool drawn;
	int width;
};

/* What there is to tell.  Numbers below 0 are unknown: left out
 * of the line, null in JSON. */
struct progress_state {
	const char *what;     /* "importing", "batch_5c0d…" */
	int64_t done, total;  /* lines, requests */
	int64_t failed, retrying, in_flight;
	int64_t rate_milli;   /* per second, in thousandths */
	int64_t eta_ms;
};

void progress_start(struct progress *p, const struct tool *t);
bool progress_due(const struct progress *p, int64_t now_ms); /* cheap: ask before computing */
void progress_show(struct progress *p, const struct progress_state *s, int64_t now_ms);
void progress_clear(struct progress *p);

#endif
