/* plan_opts: the options of fletcher-plan's verbs, as rows of option tables.
 *
 *     static struct steer asked = STEER_INIT;  // domain/steer.h
 *     static const struct opt retry_options[] = { STEER_OPTS(asked) { .kind = OPT_END } };
 *
 * What the values may be is said in cli/opt.h and fletcher-plan(1). */
#ifndef FSL_CLI_PLAN_OPTS_H
#define FSL_CLI_PLAN_OPTS_H

#include "cli/opt.h"

/* `s` is a struct steer or a struct publish. */
#define STEER_OPTS(s) \
	{ .kind = OPT_FLAG, .letter = 'n', .name = "dry-run", .dst = &(s).dry_run, \
	  .help = "check everything, say what would change, change nothing" }, \
	{ .kind = OPT_TEXT, .name = "as", .dst = &(s).by, .arg = "NAME", \
	  .help = "who does it, for the history", .dflt = "FSL_USER, else the user", \
	  .min = 1, .max = 63 },

#define FORCE_OPT(s, what) \
	{ .kind = OPT_FLAG, .name = "force", .dst = &(s).force, .help = what },

#define DATASET_OPTS(name_, sets) \
	{ .kind = OPT_TEXT, .name = "dataset", .dst = &(name_), .arg = "NAME", \
	  .help = "the dataset, by name or UUID", .dflt = "the one in the file" }, \
	{ .kind = OPT_LIST, .name = "set", .dst = &(sets), .arg = "NAME=VALUE", \
	  .help = "a value for a parameter of the plan" },

#define PUBLISH_OPTS(p) \
	{ .kind = OPT_FLAG, .name = "prune", .dst = &(p).prune, \
	  .help = "disable stored products and remove stored dependencies that are not in " \
		  "the file" }, \
	{ .kind = OPT_FLAG, .name = "paused", .dst = &(p).paused, \
	  .help = "a new dataset begins paused" }, \
	{ .kind = OPT_FLAG, .name = "clear-changed", .dst = &(p).clear_changed, \
	  .help = "clear products whose compute, version or passthrough has changed" },

#define UPDATE_OPTS(run_id_, link_, passback_) \
	{ .kind = OPT_TEXT, .name = "run-id", .dst = &(run_id_), .arg = "UUID", \
	  .help = "the run that is reported", .dflt = "the current one" }, \
	{ .kind = OPT_TEXT, .name = "link", .dst = &(link_), .arg = "URL", \
	  .help = "where people can look at it", .dflt = "what is stored" }, \
	{ .kind = OPT_TEXT, .name = "passback", .dst = &(passback_), .arg = "JSON", \
	  .help = "what it gives back", .dflt = "what is stored" },

#define CLEAR_OPTS(failed_, all_) \
	{ .kind = OPT_FLAG, .name = "failed", .dst = &(failed_), \
	  .help = "all products that have failed" }, \
	{ .kind = OPT_FLAG, .name = "all", .dst = &(all_), \
	  .help = "all products that are not disabled" },

#define OLDER_OPT(older_ms) \
	{ .kind = OPT_DURATION, .name = "older-than", .dst = &(older_ms), .arg = "DUR", \
	  .help = "only where nothing has changed for DUR; without operands all such datasets", \
	  .min = 1 },

#define PAGE_OPT(page_) \
	{ .kind = OPT_INT, .name = "page", .dst = &(page_), .arg = "N", \
	  .help = "the N-th page of 50", .dflt = "1", .min = 1, .max = 1000000000 },

#define PLAN_OPT(file_) \
	{ .kind = OPT_FLAG, .name = "plan", .dst = &(file_), \
	  .help = "as a plan, such as publish reads" },

#define TIMEOUT_OPT(timeout_ms) \
	{ .kind = OPT_DURATION, .name = "timeout", .dst = &(timeout_ms), .arg = "DUR", \
	  .help = "exit 4 after DUR", .dflt = "none" },

#endif
