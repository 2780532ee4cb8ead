/* fsl-run: the foreground worker. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/harden.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/notify.h"
#include "base/num.h"
#include "base/user.h"
#include "cli/create_opts.h"
#include "cli/intake.h"
#include "cli/pace.h"
#include "cli/run_opts.h"
#include "cli/tool.h"
#include "cli/version.h"
#include "domain/batchset.h"
#include "domain/create.h"
#include "domain/limits.h"
#include "engine/oneshot.h"
#include "engine/report.h"
#include "engine/run.h"
#include "engine/stream.h"

static struct create_options create = CREATE_OPTIONS_INIT;
static struct opt_list metadata, headers;
static struct run_opts asked = RUN_OPTS_INIT;

static const struct opt options[] = {
	RUN_OPTS(asked) SEND_OPTS(create) CREATE_OPTS(create, metadata, headers)
	{ .kind = OPT_END },
};

enum { SHOWN_ID = 15 /* characters of an id on the progress line */ };
static struct progress bar;
static struct notify manager = NOTIFY_INIT;
static struct config_watch watch;
static struct limits limits = LIMITS_INIT;

static int read_limits(const struct opt_list *rules, struct limits *out, struct err *e)
{
	for (int i = 0; i < rules->n; i++)
		if (limits_add(out, rules->v[i], e) < 0)
			return err_wrap(e, "--limit");
	return 0;
}

/* Once a second: tells the service manager, looks at the config file. */
static bool on_tick(void *ctx, const struct run_progress *p)
{
	static bool told;
	struct limits fresh = LIMITS_INIT;
	struct err e = ERR_INIT;
	char text[120];

	(void)ctx;
	if (!told)
		notify_ready(&manager);
	told = true;
	notify_alive(&manager);
	snprintf(text, sizeof text, "%lld of %lld done, %d in flight", (long long)p->ledger->done,
		 (long long)p->ledger->total, p->in_flight);
	notify_status(&manager, text);
	if (p->draining)
		notify_stopping(&manager);
	int changed = config_changed(&watch, &e);
	if (changed > 0)
		changed = read_limits(&watch.values, &fresh, &e) < 0 ? -1 : 1;
	if (changed < 0)
		log_warn("%s; the limits stay as they were", e.msg);
	if (changed <= 0) {
		limits_release(&fresh);
		return false;
	}
	limits_release(&limits);
	limits = fresh;
	return true;
}

static void on_progress(void *ctx, const struct run_progress *p)
{
	static struct pace pace;
	const struct ledger_state *l = p->ledger;
	int64_t now = clock_mono_ms();
	struct progress_state s = {
		.what = ctx, .done = l->done, .total = l->total, .failed = l->done_failed,
		.retrying = l->retrying, .in_flight = p->in_flight,
	};

	if (!progress_due(&bar, now))
		return;
	pace_measure(&pace, &s, now);
	progress_show(&bar, &s, now);
}

/* With --json: on standard output, unless that has results. */
static int print_summary(const struct report *r, const struct run_summary *s, int status,
			 bool to_stderr, struct err *e)
{
	struct str json CLEANUP(str_release) = STR_INIT;

	report_json(r, s, status, &json);
	str_addc(&json, '\n');
	if (!to_stderr)
		return tool_print(str_span(&json), e);
	if (write(STDERR_FILENO, json.p, json.n) < 0)
		return err_sys(e, ERR_IO, "cannot write to standard error");
	return 0;
}

static int add_total(void *ctx, const struct batch *b, struct err *e)
{
	(void)e;
	*(int64_t *)ctx += b->total;
	return 0;
}

/* The failure that is one too many for --max-failed; 0: none is. */
static int fail_stop(struct db *db, const int64_t *ids, int n, int64_t *out, struct err *e)
{
	int64_t total = 0;

	*out = 0;
	if (!asked.max_failed)
		return 0;
	for (int i = 0; i < n; i++) {
		struct batch b CLEANUP(batch_release) = BATCH_INIT;
		if (batch_get(db, ids[i], &b, e) < 0)
			return -1;
		total += b.total;
	}
	if (!ids && batch_open(db, asked.all_users ? NULL : user_name(), add_total, &total, e) < 0)
		return -1;
	if (num_portion(asked.max_failed, total, out, e) < 0)
		return -1;
	++*out;
	return 0;
}

static int send_batches(struct tool *t, struct db *db, const int64_t *ids, int n,
			const char *what, struct err *e)
{
	struct run_summary sum CLEANUP(run_release) = { 0 };
	struct stream *stream = NULL;
	struct report report = { 0 };
	bool to_stdout = asked.output && strcmp(asked.output, "-") == 0;

	int64_t too_many;
	if (fail_stop(db, ids, n, &too_many, e) < 0)
		return -1;
	if (to_stdout && !(stream = stream_start(db_path(db), ids[0], e)))
		return -1;
	struct run_options ro = {
		.batches = ids, .n_batches = n, .user = asked.all_users ? NULL : user_name(),
		.defaults = &create.send, .version = FSL_VERSION, .grace_ms = asked.grace_ms,
		.http = { .jobs = (int)asked.jobs, .user_agent = "fsl-run/" FSL_VERSION,
			  .cacert = asked.cacert, .proxy = asked.proxy },
		.stop_fd = stream ? stream_gone_fd(stream) : -1,
		.progress = bar.mode != PROGRESS_NONE ? on_progress : NULL, .ctx = (void *)what,
		.limits = &limits, .no_adaptive = asked.no_adaptive, .tick = on_tick,
		.health = { .no_hold = asked.no_hold, .no_guard = asked.no_guard,
			    .give_up_ms = asked.forever ? 0 : asked.give_up_ms,
			    .retry = asked.forever },
		.max_time_ms = asked.max_time_ms, .max_requests = asked.max_requests,
		.fail_stop = too_many, .forever = asked.forever,
	};
	int rc = run_loop(db, &ro, &sum, e);
	progress_clear(&bar);
	struct err stream_error = ERR_INIT;
	if (stream && stream_stop(stream, &stream_error) < 0 && rc == 0) {
		*e = stream_error;
		rc = -1;
	}
	const int64_t *mine = ids ? ids : sum.batches;
	for (int i = 0; rc == 0 && i < (ids ? n : sum.n_batches); i++)
		rc = report_add(&report, db, mine[i], e);
	if (rc < 0)
		return -1;
	int status = report_status(&report, &sum, asked.max_failed);
	if (!t->format_given || t->format != TOOL_JSON)
		report_tell(&report, &sum, status);
	else if (print_summary(&report, &sum, status, to_stdout, e) < 0)
		return -1;
	return status;
}

static int one_shot(struct tool *t, struct err *e)
{
	struct db *db CLEANUP(db_cleanup) = NULL;
	struct batch b CLEANUP(batch_release) = BATCH_INIT;
	struct oneshot o = {
		.input = asked.input, .output = asked.output, .errors = asked.errors,
		.fresh = asked.fresh, .retry_failed = asked.retry_failed,
		.progress = intake_progress, .clear = intake_clear, .ctx = &bar,
	};
	char id[BATCH_ID_BUF];

	if (oneshot_begin(&o, &create, t->db, t->db_is_default ? DB_CREATE_DIR : DB_CREATE, &db,
			  &b, e) < 0)
		return -1;
	batch_id_text(b.uuid, id)[SHOWN_ID] = '\0';
	int status = send_batches(t, db, &b.id, 1, id, e);
	return status < 0 || oneshot_end(&o, db, b.id, e) < 0 ? -1 : status;
}

struct named {
	struct db *db;
	struct batchset *set;
};

static int add_named(struct tool *t, const char *operand, void *ctx, struct err *e)
{
	struct named *n = ctx;

	(void)t;
	return batchset_add(n->db, n->set, operand, e) < 0 ? -1 : EXIT_OK;
}

/* What would be ignored silently, and was meant. */
static int check_options(const struct tool *t, struct err *e)
{
	const void *const one_shot_only[] = {
		&asked.output, &asked.errors, &asked.fresh, &asked.retry_failed,
		&create.base_url, &create.endpoint,
		&create.name, &create.if_absent, &metadata, &create.key, &create.key_header,
		&headers, &create.priority, &create.reuse_ms,
	};

	if (asked.input && t->n_operands > 0)
		return err_set(e, ERR_USAGE, "-i takes no batches beside it");
	for (const struct opt *o = options; !asked.input && o->kind != OPT_END; o++)
		for (size_t i = 0; i < ARRAY_LEN(one_shot_only); i++)
			if (o->dst == one_shot_only[i] && opt_source(o)[0] == '-')
				return err_set(e, ERR_USAGE, "--%s goes with -i", o->name);
	int64_t ignored;
	if (asked.max_failed && num_portion(asked.max_failed, 0, &ignored, e) < 0)
		return err_wrap(e, "--max-failed");
	return create.retry_http && send_check_http(create.retry_http, e) < 0
		       ? err_wrap(e, "--retry-http") : 0;
}

static int run(struct tool *t, struct err *e)
{
	create.metadata = metadata.v;
	create.n_metadata = metadata.n;
	create.headers = headers.v;
	create.n_headers = headers.n;
	if (check_options(t, e) < 0)
		return -1;
	if (read_limits(&asked.limits, &limits, e) < 0 || notify_open(&manager, e) < 0)
		return -1;
	for (const struct opt *o = options; o->kind != OPT_END; o++)
		if (o->dst == &asked.limits)
			config_watch_start(&watch, t->config, o);
	harden_process();
	progress_start(&bar, t);
	if (asked.input)
		return one_shot(t, e);
	struct db *db CLEANUP(db_cleanup) = db_open(t->db, DB_EXISTING, e);
	if (!db)
		return -1;
	struct batchset set CLEANUP(batchset_release) = BATCHSET_INIT;
	struct named named = { db, &set };
	int missing = tool_each(t, add_named, &named, e);
	if (missing < 0 || (t->n_operands > 0 && set.n == 0))
		return missing;
	create.send.retry_http = (char *)create.retry_http;
	create.send.no_idempotency_key = create.no_idempotency_key ? 1 : SEND_UNSET;
	int status = send_batches(t, db, set.n ? set.ids : NULL, set.n, "sending", e);
	return status < 0 || missing < status ? status : missing;
}

static const struct tool_verb verbs[] = {
	{ .operands = "[BATCH...]", .max_operands = -1,
	  .summary = "send the requests of batches until none is left",
	  .options = options, .run = run },
	{ 0 },
};

static const char *libraries(void)
{
	static char text[200];

	snprintf(text, sizeof text, "%s, SQLite %s", http_library(), db_library());
	return text;
}

static const struct tool_program program = {
	.name = "fsl-run",
	.summary = "send the requests of batches, with retries, and record every result",
	.examples = "fsl-run -i in.jsonl -o out.jsonl -e bad.jsonl -j 32\n"
		    "fsl-run -i in.jsonl -o - --base-url http://localhost:11434/v1 | jq .\n"
		    "fsl-run nightly",
	.verbs = verbs, .libraries = libraries,
};

int main(int argc, char **argv)
{
	return tool_main(&program, argc, argv);
}
