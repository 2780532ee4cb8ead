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
	struct opt_list limits;
	bool no_adaptive, no_hold, no_guard, forever, http2;
	int64_t give_up_ms, max_time_ms, max_requests; /* the last two 0: no limit */
	int64_t max_buffer;
	const char *cacert, *proxy, *metrics;
	int exclusive;
	bool workers, labels, allow_exec, no_plans;
	bool dry_run;
	struct opt_list computes, compute_keys;
	const char *prices;     /* a file */
	int64_t max_cost_micro; /* millionths of a dollar; -1: no limit */
};

#define RUN_OPTS_INIT \
	{ .jobs = 16, .grace_ms = 30000, .give_up_ms = 600000, .exclusive = EXCLUSIVE_NO, \
	  .max_cost_micro = -1, .max_buffer = 256 << 20 }

/* What goes with -i only: the destinations of these options and of those in
 * cli/create_opts.h that say what the batch is. */
#define RUN_ONE_SHOT(a, o, metadata_list, header_list) \
	&(a).output, &(a).errors, &(a).fresh, &(a).retry_failed, &(o).base_url, \
	&(o).endpoint, &(o).name, &(o).if_absent, &(metadata_list), &(o).key, \
	&(o).key_header, &(header_list), &(o).priority, &(o).reuse_ms, &(o).window_ms

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
	{ .kind = OPT_FLAG, .letter = 'n', .name = "dry-run", .dst = &(a).dry_run, \
	  .help = "send nothing: say what would be sent and what it may cost" }, \
	{ .kind = OPT_INT, .letter = 'j', .name = "jobs", .dst = &(a).jobs, .arg = "N", \
	  .help = "requests in flight at once", .dflt = "16", .env = "FSL_JOBS", \
	  .min = 1, .max = 10000 }, \
	{ .kind = OPT_LIST, .name = "limit", .dst = &(a).limits, .arg = "MODEL:LIMIT", \
	  .help = "jobs=N, rate=N/s, tokens=N/m of a model, over all workers; * is any other" }, \
	{ .kind = OPT_FLAG, .name = "no-adaptive", .dst = &(a).no_adaptive, \
	  .help = "do not halve a model's limit when the server answers 429 or 529" }, \
	{ .kind = OPT_DURATION, .name = "max-time", .dst = &(a).max_time_ms, .arg = "DUR", \
	  .help = "stop after that time", .min = 1, .max = 31536000000 }, \
	{ .kind = OPT_INT, .name = "max-requests", .dst = &(a).max_requests, .arg = "N", \
	  .help = "stop after sending so many requests", .min = 1, .max = 1000000000000 }, \
	{ .kind = OPT_TEXT, .name = "max-failed", .dst = &(a).max_failed, .arg = "N|P%", \
	  .help = "exit 0 with up to so many failed requests, stop after one more" }, \
	{ .kind = OPT_MICRO, .name = "max-cost", .dst = &(a).max_cost_micro, .arg = "USD", \
	  .help = "with --prices: stop before more than that is spent", \
	  .min = 1, .max = 9000000000000 }, \
	{ .kind = OPT_TEXT, .name = "prices", .dst = &(a).prices, .arg = "FILE", \
	  .help = "what models cost, in JSON" }, \
	{ .kind = OPT_DURATION, .name = "grace", .dst = &(a).grace_ms, .arg = "DUR", \
	  .help = "after a signal: how long what is in flight may take", .dflt = "30s", \
	  .max = 86400000 }, \
	{ .kind = OPT_DURATION, .name = "give-up-after", .dst = &(a).give_up_ms, .arg = "DUR", \
	  .help = "how long a server that is down is tried", .dflt = "10m; with --forever for ever", \
	  .min = 1000, .max = 604800000 }, \
	{ .kind = OPT_FLAG, .name = "no-hold", .dst = &(a).no_hold, \
	  .help = "go on sending to a server that is down" }, \
	{ .kind = OPT_FLAG, .name = "no-guard", .dst = &(a).no_guard, \
	  .help = "go on with a batch whose first 20 requests all failed in the same way" }, \
	{ .kind = OPT_FLAG, .name = "forever", .dst = &(a).forever, \
	  .help = "wait for work until a signal; tells a service manager how it is" }, \
	{ .kind = OPT_SIZE, .name = "max-buffer", .dst = &(a).max_buffer, .arg = "SIZE", \
	  .help = "bytes of requests and answers in memory; above that nothing is started", \
	  .dflt = "256M", .min = 65536, .max = 1099511627776 }, \
	{ .kind = OPT_CHOICE, .name = "exclusive", .dst = &(a).exclusive, \
	  .arg = "fail|skip|wait", .choices = run_exclusive, .bare = "fail", \
	  .help = "if another worker lives on the state file: exit 75, or exit 0 without a " \
		  "word, or wait for its end" }, \
	{ .kind = OPT_FLAG, .name = "allow-exec", .dst = &(a).allow_exec, \
	  .help = "run the commands of plans too" }, \
	{ .kind = OPT_LIST, .name = "compute", .dst = &(a).computes, .arg = "NAME=URL", \
	  .help = "hand data products of cams or dbxaas over: POST them to this URL" }, \
	{ .kind = OPT_LIST, .name = "compute-key", .dst = &(a).compute_keys, .arg = "NAME=REF", \
	  .help = "the key for that URL: env:NAME, file:PATH, cred:NAME or none", .dflt = "none" }, \
	{ .kind = OPT_FLAG, .name = "no-plans", .dst = &(a).no_plans, \
	  .help = "start no data products" }, \
	{ .kind = OPT_FLAG, .name = "all-users", .dst = &(a).all_users, \
	  .help = "without operands: batches of every user" }, \
	{ .kind = OPT_FLAG, .name = "workers", .dst = &(a).workers, \
	  .help = "list the workers that live, and exit" }, \
	{ .kind = OPT_FLAG, .name = "fusillade-headers", .dst = &(a).labels, \
	  .help = "send X-Fusillade-Request-Id and the like: request, custom id, batch, its " \
		  "metadata" }, \
	{ .kind = OPT_TEXT, .name = "metrics-file", .dst = &(a).metrics, .arg = "FILE", \
	  .help = "write counters there once a second, as Prometheus' node_exporter reads them" }, \
	{ .kind = OPT_TEXT, .name = "cacert", .dst = &(a).cacert, .arg = "FILE", \
	  .help = "trust these certificates (PEM)", .dflt = "the system's" }, \
	{ .kind = OPT_FLAG, .name = "http2", .dst = &(a).http2, \
	  .help = "many requests on a connection, where a server offers HTTP/2 over TLS" }, \
	{ .kind = OPT_TEXT, .name = "proxy", .dst = &(a).proxy, .arg = "URL", \
	  .help = "send through this proxy", .dflt = "http_proxy, https_proxy, no_proxy" },

#endif
