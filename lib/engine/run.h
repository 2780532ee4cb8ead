/* run: the network loop: takes started jobs from the ledger, sends them, judges
 * what comes back, gives it to the ledger; watches signals. */
#ifndef FSL_ENGINE_RUN_H
#define FSL_ENGINE_RUN_H

#include <stdbool.h>
#include <stdint.h>
#include "base/err.h"
#include "domain/send.h"
#include "engine/http.h"
#include "engine/ledger.h"
#include "engine/planner.h"

enum { RUN_GRACE_MS = 30000 };

/* Where a run stands; for progress lines. */
struct run_progress {
	const struct ledger_state *ledger;
	const struct run_summary *sum; /* attempts and retries so far */
	int in_flight;
	int64_t held;              /* bytes of requests and answers in memory */
	bool draining;
};

struct run_options {
	const int64_t *batches;  /* NULL: all of `user` that are open */
	int n_batches;
	const char *user;        /* NULL: anybody's */
	/* Plans are run; with `batches` those of plans->datasets.  NULL: none is. */
	const struct planner_options *plans;
	const struct send *defaults;
	const struct trace *trace; /* NULL: none */
	struct http_options http;
	const char *version;
	bool alone;              /* ERR_HELD if another worker lives */
	int64_t grace_ms;        /* how long what is in flight may go on after a stop */
	const struct limits *limits;   /* of --limit; NULL: none */
	bool no_adaptive;
	struct health_options health;
	int64_t max_time_ms, max_requests; /* 0: no limit */
	int64_t max_buffer;      /* bytes of requests and answers in memory; 0: no limit */
	const struct prices *prices; /* NULL: no limit of cost */
	int64_t max_cost;        /* pico-dollars, with prices */
	const char *max_failed;  /* ends when more have failed, as engine/ledger.h says; or NULL */
	bool forever;            /* waits for work; only a signal ends it */
	/* Each tick_ms (0: a second); true: `limits` are other ones now.  Or NULL. */
	bool (*tick)(void *ctx, const struct run_progress *p);
	void *tick_ctx;
	int64_t tick_ms;
	int stop_fd;             /* readable: stop as for a signal ("reader_gone"); -1: none */
	void (*progress)(void *ctx, const struct run_progress *p); /* at least 10 times a second; or NULL */
	void *ctx;
};

enum { RUN_REASONS = 16 };

struct run_summary {
	const char *reason;      /* "drained", "signal", "reader_gone", "max_time", "max_requests",
				  * "max_failed", or why something was left alone */
	int signal;              /* the one that stopped it, or 0 */
	struct ledger_state ledger;
	int64_t attempts, sends; /* ended; and of them those that may have left */
	struct {
		char name[24];   /* "429" or "connect_error" */
		int64_t n;
	} retries[RUN_REASONS];
	int n_retries;
	int64_t took_ms;
	struct plansum plans;
	int64_t *batches;        /* those with a request started in this run; owned */
	int n_batches;
};

void run_release(struct run_summary *s);

/* Sends until nothing is left, or it is stopped.  The connection is the
 * ledger's until it returns.  -1: the state file or libcurl failed. */
int run_loop(struct db *db, const struct run_options *o, struct run_summary *out,
	     struct err *e) MUST_CHECK;

#endif
