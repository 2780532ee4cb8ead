/* run_opts: what fsl-run itself is told, as rows of an option table.
 *
 *     static struct run_opts asked = RUN_OPTS_INIT;
 *     static const struct opt options[] = {
 *             RUN_OPTS(asked)
 *             { .kind = OPT_END },
 *     }; */
#ifndef FSL_CLI_RUN_OPTS_H
#define FSL_CLI_RUN_OPTS_H

#include "cli/opt.h"

/* What --exclusive does when another worker lives. */
enum { EXCLUSIVE_NO = -1, EXCLUSIVE_FAIL, EXCLUSIVE_SKIP, EXCLUSIVE_WAIT };
static const char *const run_exclusive[] = { "fail", "skip", "wait", NULL };

struct run_opts {
	const char *input, *output, *errors; /* NULL: not given */
	bool fresh, retry_failed;
	int64_t jobs, grace_ms;
	bool all_users;
	const char *max_failed; /* base/num.h, num_portion(); NULL: none */
	const char *cacert, *proxy;
	int exclusive;
	bool workers;
};

#define RUN_OPTS_INIT { .jobs = 16, .grace_ms = 30000, .exclusive = EXCLUSIVE_NO }

#define RUN_OPTS(a) \
	{ .kind = OPT_TEXT, .letter = 'i', .name = "input", .dst = &(a).input, .arg = "FILE", \
	  .help = "one shot: import this file (- is stdin), send it, write the results" }, \
	{ .kind = OPT_TEXT, .letter = 'o', .name = "output", .dst = &(a).output, .arg = "FILE", \
	  .help = "with -i: the output lines; - writes them to stdout as they come" }, \
	{ .kind = OPT_TEXT, .letter = 'e', .name = "errors", .dst = &(a).errors, .arg = "FILE", \
	  .help = "with -i: the error lines" }, \
	{ .kind = OPT_FLAG, .name = "new", .dst = &(a).fresh, \
	  .help = "with -i: send everything anew, also what was sent before" }, \
	{ .kind = OPT_FLAG, .name = "retry-failed", .dst = &(a).retry_failed, \
	  .help = "with -i: when the batch has ended, send what failed once more" }, \
	{ .kind = OPT_INT, .letter = 'j', .name = "jobs", .dst = &(a).jobs, .arg = "N", \
	  .help = "requests in flight at once", .dflt = "16", .env = "FSL_JOBS", \
	  .min = 1, .max = 10000 }, \
	{ .kind = OPT_DURATION, .name = "grace", .dst = &(a).grace_ms, .arg = "DUR", \
	  .help = "after a signal: how long what is in flight may take", .dflt = "30s", \
	  .max = 86400000 }, \
	{ .kind = OPT_TEXT, .name = "max-failed", .dst = &(a).max_failed, .arg = "N|P%", \
	  .help = "exit 0 with up to so many failed requests" }, \
	{ .kind = OPT_FLAG, .name = "all-users", .dst = &(a).all_users, \
	  .help = "without operands: batches of every user" }, \
	{ .kind = OPT_CHOICE, .name = "exclusive", .dst = &(a).exclusive, \
	  .arg = "fail|skip|wait", .choices = run_exclusive, .bare = "fail", \
	  .help = "if another worker lives on the state file: exit 75, or exit 0 without a " \
		  "word, or wait for its end" }, \
	{ .kind = OPT_FLAG, .name = "workers", .dst = &(a).workers, \
	  .help = "list the workers that live, and exit" }, \
	{ .kind = OPT_TEXT, .name = "cacert", .dst = &(a).cacert, .arg = "FILE", \
	  .help = "trust these certificates (PEM)", .dflt = "the system's" }, \
	{ .kind = OPT_TEXT, .name = "proxy", .dst = &(a).proxy, .arg = "URL", \
	  .help = "send through this proxy", .dflt = "http_proxy, https_proxy, no_proxy" },

#endif
