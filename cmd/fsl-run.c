/* fsl-run: the foreground worker. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/harden.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/num.h"
#include "base/user.h"
#include "cli/cell.h"
#include "cli/create_opts.h"
#include "cli/intake.h"
#include "cli/pace.h"
#include "cli/run_opts.h"
#include "cli/tool.h"
#include "cli/version.h"
#include "domain/batchset.h"
#include "domain/compute.h"
#include "domain/create.h"
#include "domain/limits.h"
#include "domain/worker.h"
#include "engine/oneshot.h"
#include "engine/preview.h"
#include "engine/session.h"

static struct create_options create = CREATE_OPTIONS_INIT;
static struct opt_list metadata, headers, escalations;
static struct run_opts asked = RUN_OPTS_INIT;

static const struct opt options[] = {
	RUN_OPTS(asked) SEND_OPTS(create, escalations) CREATE_OPTS(create, metadata, headers)
	{ .kind = OPT_END },
};

enum { SHOWN_ID = 15 /* characters of an id on the progress line */ };
static struct progress bar;
static struct db *db; /* closed by main() */
static struct config_watch watch;
static struct limits limits = LIMITS_INIT;
static struct compute compute = COMPUTE_INIT;

static int read_limits(const struct opt_list *rules, struct limits *out, struct err *e)
{
	for (int i = 0; i < rules->n; i++)
		if (limits_add(out, rules->v[i], e) < 0)
			return err_wrap(e, "--limit");
	return 0;
}

/* Has the config file other limits now? */
static bool on_tick(void *ctx, const struct run_progress *p)
{
	struct limits fresh = LIMITS_INIT;
	struct err e = ERR_INIT;
	int rc = config_changed(&watch, &e);

	(void)ctx;
	(void)p;
	if (rc > 0)
		rc = read_limits(&watch.values, &fresh, &e) < 0 ? -1 : 1;
	if (rc < 0)
		log_warn("%s; the limits stay as they were", e.msg);
	limits_release(rc > 0 ? &limits : &fresh);
	if (rc > 0)
		limits = fresh;
	return rc > 0;
}

static void on_progress(void *ctx, const struct run_progress *p)
{
	static struct pace pace;
	const struct ledger_state *l = p->ledger;
	struct progress_state s = {
		.what = ctx, .done = l->done, .total = l->total, .failed = l->done_failed,
		.retrying = l->retrying, .in_flight = p->in_flight,
	};
	pace_show(&pace, &bar, &s);
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
	return write(STDERR_FILENO, json.p, json.n) < 0
		       ? err_sys(e, ERR_IO, "cannot write to standard error") : 0;
}

static int send_batches(struct tool *t, const struct batchset *set, const char *what,
			struct err *e)
{
	bool named = set->n + set->n_datasets > 0;
	const int64_t none = 0;
	struct send defaults CLEANUP(send_release) = SEND_INIT;
	struct run_summary sum CLEANUP(run_release) = { 0 };
	struct report report = { .anew = asked.fresh };
	if (create_send(&create, &defaults, e) < 0)
		return -1;
	const struct planner_options plans = {
		.db_path = t->db, .user = user_name(), .allow_exec = asked.allow_exec,
		.remote_user = asked.all_users ? NULL : user_name(),
		.datasets = set->datasets, .n_datasets = set->n_datasets, .compute = &compute,
	};
	struct session s = {
		.run = {
			.batches = set->n ? set->ids : named ? &none : NULL, .n_batches = set->n,
			.plans = !asked.no_plans && (!named || set->n_datasets) ? &plans : NULL,
			.user = asked.all_users ? NULL : user_name(),
			.defaults = &defaults, .version = FSL_VERSION, .grace_ms = asked.grace_ms,
			.http = { .jobs = (int)asked.jobs, .user_agent = "fsl-run/" FSL_VERSION,
				  .cacert = asked.cacert, .proxy = asked.proxy },
			.progress = bar.mode != PROGRESS_NONE ? on_progress : NULL,
			.ctx = (void *)(uintptr_t)what, .http.http2 = asked.http2,
			.limits = &limits, .no_adaptive = asked.no_adaptive, .tick = on_tick,
			.health = { .no_hold = asked.no_hold, .no_guard = asked.no_guard,
				    .give_up_ms = asked.forever ? 0 : asked.give_up_ms,
				    .retry = asked.forever }, .max_buffer = asked.max_buffer,
			.max_time_ms = asked.max_time_ms, .max_requests = asked.max_requests,
			.max_failed = asked.max_failed,
			.forever = asked.forever, .alone = asked.exclusive != EXCLUSIVE_NO,
		},
		.labels = asked.labels, .metrics = asked.metrics,
		.prices = asked.prices, .max_cost_micro = asked.max_cost_micro,
		.wait = asked.exclusive == EXCLUSIVE_WAIT, .clear = intake_clear, .clear_ctx = &bar,
		.to_stdout = asked.output && strcmp(asked.output, "-") == 0,
	};
	if (session_run(db, &s, &sum, &report, e) < 0)
		return -1;
	int status = report_status(&report, &sum, asked.max_failed);
	if (!t->format_given || t->format != TOOL_JSON)
		report_tell(&report, &sum, status);
	else if (print_summary(&report, &sum, status, s.to_stdout, e) < 0)
		return -1;
	return status;
}

static int preview(struct tool *t, const struct oneshot *o, const struct batchset *set,
		   struct err *e)
{
	struct str text CLEANUP(str_release) = STR_INIT;
	const struct preview p = {
		.shot = o, .create = &create, .compute = asked.no_plans ? NULL : &compute,
		.batches = set && set->n ? set->ids : NULL, .n_batches = set ? set->n : 0,
		.user = asked.all_users ? NULL : user_name(), .prices = asked.prices,
		.json = t->format_given && t->format == TOOL_JSON, .db_path = t->db, .db = db,
	};

	return preview_run(&p, &text, e) < 0 ? -1 : tool_print(str_span(&text), e);
}

static int one_shot(struct tool *t, struct err *e)
{
	struct batch b CLEANUP(batch_release) = BATCH_INIT;
	struct oneshot o = {
		.input = asked.input, .output = asked.output, .errors = asked.errors,
		.fresh = asked.fresh, .retry_failed = asked.retry_failed,
		.progress = intake_progress, .clear = intake_clear, .ctx = &bar,
	};
	char id[BATCH_ID_BUF];

	if (asked.dry_run)
		return preview(t, &o, NULL, e);
	if (oneshot_begin(&o, &create, t->db, t->db_is_default ? DB_CREATE_DIR : DB_CREATE, &db,
			  &b, e) < 0)
		return -1;
	batch_id_text(b.uuid, id)[SHOWN_ID] = '\0';
	const struct batchset set = { .ids = &b.id, .n = 1 };
	int status = send_batches(t, &set, id, e);
	return status < 0 || oneshot_end(&o, db, b.id, e) < 0 ? -1 : status;
}

static int add_named(struct tool *t, const char *operand, void *set, struct err *e)
{
	(void)t;
	return batchset_add_any(db, set, operand, e) < 0 ? -1 : EXIT_OK;
}

/* What would be ignored silently, and was meant. */
static int check_options(const struct tool *t, struct err *e)
{
	const void *const one_shot[] = { RUN_ONE_SHOT(asked, create, metadata, headers) };
	const struct opt *o = opt_given(options, one_shot, ARRAY_LEN(one_shot));
	int64_t ignored;

	if ((asked.input || asked.workers) && t->n_operands > 0)
		return err_set(e, ERR_USAGE, "%s takes no batches beside it",
			       asked.input ? "-i" : "--workers");
	if (asked.input && asked.workers)
		return err_set(e, ERR_USAGE, "-i and --workers exclude each other");
	if (!asked.input && o)
		return err_set(e, ERR_USAGE, "--%s goes with -i", o->name);
	return asked.max_failed && num_portion(asked.max_failed, 0, &ignored, e) < 0
		       ? err_wrap(e, "--max-failed") : 0;
}

static int list_worker(void *ctx, const struct worker_life *w, struct err *e)
{
	const struct cell cells[] = {
		cell_int(w->id), cell_text(w->host), cell_int(w->pid), cell_text(w->user),
		cell_text(w->version), cell_time(w->started_ms), cell_int(w->done),
		cell_int(w->failed), cell_int(w->in_flight),
	};
	return cell_row(ctx, cells, ARRAY_LEN(cells), e);
}

static int list_workers(struct tool *t, struct err *e)
{
	static const struct out_column columns[] = {
		{ "WORKER", "worker", OUT_INT }, { "HOST", "host", OUT_TEXT },
		{ "PID", "pid", OUT_INT }, { "USER", "user", OUT_TEXT },
		{ "VERSION", "version", OUT_TEXT }, { "SINCE", "since", OUT_TIME },
		{ "DONE", "done", OUT_INT }, { "FAILED", "failed", OUT_INT },
		{ "IN_FLIGHT", "in_flight", OUT_INT }, { 0 },
	};
	struct out *o CLEANUP(out_cleanup) = out_begin(t, columns, e);

	return !o || worker_each(db, list_worker, o, e) < 0 ? -1 : out_end(o, e);
}

static int run_named(struct tool *t, struct err *e)
{
	struct batchset set CLEANUP(batchset_release) = BATCHSET_INIT;

	if (!(db = db_open(t->db, DB_EXISTING, e)))
		return -1;
	if (asked.workers)
		return list_workers(t, e);
	int missing = tool_each(t, add_named, &set, e);
	if (missing < 0 || (t->n_operands > 0 && set.n + set.n_datasets == 0))
		return missing;
	if (set.n_datasets > 0 && (asked.dry_run || asked.no_plans))
		return err_set(e, ERR_USAGE, "%s takes no datasets: what they send is not known "
			       "before they run", asked.dry_run ? "-n" : "--no-plans");
	int status = asked.dry_run ? preview(t, NULL, &set, e)
			: send_batches(t, &set, "sending", e);
	return status < 0 || missing < status ? status : missing;
}

static int run(struct tool *t, struct err *e)
{
	bool alone = asked.exclusive != EXCLUSIVE_NO && !asked.workers;

	create.metadata = metadata.v;
	create.n_metadata = metadata.n;
	create.headers = headers.v;
	create.n_headers = headers.n;
	create.escalations = escalations.v;
	create.n_escalations = escalations.n;
	if (check_options(t, e) < 0 || read_limits(&asked.limits, &limits, e) < 0 ||
	    compute_read(&compute, asked.computes.v, asked.computes.n, asked.compute_keys.v,
			 asked.compute_keys.n, e) < 0)
		return -1;
	for (const struct opt *o = options; o->kind != OPT_END; o++)
		if (o->dst == &asked.limits)
			config_watch_start(&watch, t->config, o);
	harden_process();
	progress_start(&bar, t);
	int status = alone && session_alone(t->db, asked.exclusive == EXCLUSIVE_WAIT, e) < 0 ? -1 :
		     asked.input ? one_shot(t, e) : run_named(t, e);
	return status < 0 && e->code == ERR_HELD && asked.exclusive == EXCLUSIVE_SKIP ? EXIT_OK
										       : status;
}

static const struct tool_verb verbs[] = {
	{ .operands = "[BATCH|DATASET...]", .max_operands = -1,
	  .summary = "send the requests of batches, and run plans, until nothing is left",
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
	int status = tool_main(&program, argc, argv);

	db_close(db);
	return status;
}
