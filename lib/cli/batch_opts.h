/* batch_opts: the options of fsl-batch's verbs, as rows of option tables.
 *
 *     static struct deliver d = DELIVER_INIT;  // engine/deliver.h
 *     static const struct opt options[] = {
 *             RESULTS_OPTS(d)
 *             { .kind = OPT_END },
 *     };
 *
 * What the values may be is said in cli/opt.h and, for struct deliver, in
 * engine/deliver.h.  SELECT_OPTS chooses requests (domain/select.h). */
#ifndef FSL_CLI_BATCH_OPTS_H
#define FSL_CLI_BATCH_OPTS_H

#include "cli/opt.h"

#define DRY_RUN_OPT(flag) \
	{ .kind = OPT_FLAG, .letter = 'n', .name = "dry-run", .dst = &(flag), \
	  .help = "check everything, say what would change, change nothing" },

#define LIST_OPTS(statuses, since, limit, after_id) \
	{ .kind = OPT_TEXT, .name = "status", .dst = &(statuses), .arg = "S,...", \
	  .help = "only these: in_progress, completed, failed, expired, cancelling, " \
		  "cancelled", .dflt = "all" }, \
	{ .kind = OPT_DURATION, .name = "since", .dst = &(since), .arg = "DUR", \
	  .help = "only those created within DUR", .dflt = "all" }, \
	{ .kind = OPT_INT, .name = "limit", .dst = &(limit), .arg = "N", \
	  .help = "at most N", .dflt = "all", .min = 1, .max = INT32_MAX }, \
	{ .kind = OPT_TEXT, .name = "after", .dst = &(after_id), .arg = "BATCH", \
	  .help = "only those that are older than BATCH" },

#define WAIT_OPTS(timeout_ms, any) \
	{ .kind = OPT_DURATION, .name = "timeout", .dst = &(timeout_ms), .arg = "DUR", \
	  .help = "exit 4 after DUR", .dflt = "none" }, \
	{ .kind = OPT_FLAG, .name = "any", .dst = &(any), \
	  .help = "until one of them has ended" },

/* In the order of enum deliver_order. */
static const char *const batch_orders[] = { "input", "completion", NULL };

#define RESULTS_OPTS(d) \
	{ .kind = OPT_TEXT, .letter = 'o', .name = "output", .dst = &(d).output, \
	  .arg = "FILE", .help = "the successes, whole or not at all", \
	  .dflt = "standard output" }, \
	{ .kind = OPT_TEXT, .letter = 'e', .name = "errors", .dst = &(d).errors, \
	  .arg = "FILE", .help = "the error lines" }, \
	{ .kind = OPT_FLAG, .name = "failed", .dst = &(d).failed, \
	  .help = "the error lines in place of the successes" }, \
	{ .kind = OPT_FLAG, .name = "all", .dst = &(d).all, .help = "both in one output" }, \
	{ .kind = OPT_CHOICE, .name = "order", .dst = &(d).order, .arg = "ORDER", \
	  .help = "input or completion", .choices = batch_orders, \
	  .dflt = "input when all has ended, else completion" }, \
	{ .kind = OPT_FLAG, .name = "with-input", .dst = &(d).with_input, \
	  .help = "add a member \"input\", the line of the request" }, \
	{ .kind = OPT_FLAG, .letter = 'f', .name = "follow", .dst = &(d).follow, \
	  .help = "wait for results and write them as they come, until the batch ends" }, \
	{ .kind = OPT_TEXT, .name = "after", .dst = &(d).after, .arg = "REQ-ID", \
	  .help = "only what comes behind this line" }, \
	{ .kind = OPT_TEXT, .name = "max-failed", .dst = &(d).max_failed, .arg = "N|P%", \
	  .help = "exit 0 with up to so many error lines" },

/* `g` has the members states, http, codes (const char *) and custom_ids
 * (struct opt_list). */
#define SELECT_OPTS(g) \
	{ .kind = OPT_TEXT, .name = "state", .dst = &(g).states, .arg = "S,...", \
	  .help = "only these states: pending, retrying, processing, completed, failed, " \
		  "cancelled, expired" }, \
	{ .kind = OPT_TEXT, .name = "http", .dst = &(g).http, .arg = "LIST", \
	  .help = "only these statuses of the last attempt, such as 429,5xx" }, \
	{ .kind = OPT_TEXT, .name = "code", .dst = &(g).codes, .arg = "C,...", \
	  .help = "only these codes, such as connect_error,stalled" }, \
	CUSTOM_ID_OPT(g)

#define CUSTOM_ID_OPT(g) \
	{ .kind = OPT_LIST, .name = "custom-id", .dst = &(g).custom_ids, .arg = "ID|-", \
	  .help = "only these requests; - reads ids from standard input, one a line" },

#define REQUESTS_OPTS(g, attempts) \
	SELECT_OPTS(g) \
	{ .kind = OPT_FLAG, .name = "attempts", .dst = &(attempts), \
	  .help = "a line per attempt" },

#define INSPECT_OPTS(attempt, curl) \
	{ .kind = OPT_INT, .name = "attempt", .dst = &(attempt), .arg = "N", \
	  .help = "only this attempt", .dflt = "all", .min = 1 }, \
	{ .kind = OPT_FLAG, .name = "curl", .dst = &(curl), \
	  .help = "the request as a curl command, its key as a variable" },

/* In the order of enum usage_by. */
static const char *const batch_usages[] = { "model", "batch", "day", "status", NULL };

/* `u` is a struct usage_options (domain/usage.h). */
#define USAGE_OPTS(u, since) \
	{ .kind = OPT_CHOICE, .name = "by", .dst = &(u).by, .arg = "WHAT", \
	  .help = "a line per model, batch, day (UTC) or status of the batch", \
	  .choices = batch_usages, .dflt = "model" }, \
	{ .kind = OPT_DURATION, .name = "since", .dst = &(since), .arg = "DUR", \
	  .help = "only what ended within DUR, by whole hours", .dflt = "all" }, \
	{ .kind = OPT_TEXT, .name = "prices", .dst = &(u).prices, .arg = "FILE", \
	  .help = "what models cost, in JSON; - is standard input" },

/* `c` is a struct change (domain/change.h). */
#define RETRY_OPTS(g, c) SELECT_OPTS(g) \
	{ .kind = OPT_FLAG, .name = "new", .dst = &(c).fresh, \
	  .help = "in a batch of their own; the old one stays as it is" }, \
	{ .kind = OPT_DURATION, .name = "completion-window", .dst = &(c).window_ms, \
	  .arg = "DUR", .help = "a new completion window, from now on", \
	  .dflt = "as long as the last, if that has passed", .min = 1, .max = 315360000000 }, \
	DRY_RUN_OPT((c).dry_run)
#define CANCEL_OPTS(g, c) CUSTOM_ID_OPT(g) \
	{ .kind = OPT_FLAG, .name = "now", .dst = &(c).now, \
	  .help = "cut off what is in flight as well" }, \
	DRY_RUN_OPT((c).dry_run)
#define BACKUP_OPTS(c) DRY_RUN_OPT((c).dry_run)
#define DELETE_OPTS(c) \
	{ .kind = OPT_DURATION, .name = "older-than", .dst = &(c).older_than_ms, .arg = "DUR", \
	  .help = "only older batches; without operands all of them that have ended", .min = 1 }, \
	{ .kind = OPT_FLAG, .name = "force", .dst = &(c).force, \
	  .help = "delete completed results too" }, \
	DRY_RUN_OPT((c).dry_run)

#endif
