/* fsl-run: the foreground worker. */
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/num.h"
#include "base/outfile.h"
#include "base/user.h"
#include "cli/create_opts.h"
#include "cli/intake.h"
#include "cli/progress.h"
#include "cli/run_opts.h"
#include "cli/tool.h"
#include "cli/version.h"
#include "domain/batchset.h"
#include "domain/create.h"
#include "engine/oneshot.h"
#include "engine/report.h"
#include "engine/run.h"
#include "engine/stream.h"

static struct create_options create = CREATE_OPTIONS_INIT;
static struct opt_list metadata, headers;
static struct {
	const char *input, *output, *errors, *cacert, *proxy;
	int64_t jobs, grace_ms;
	bool fresh, retry_failed, all_users;
} asked = { .jobs = 16, .grace_ms = RUN_GRACE_MS };

static const struct opt options[] = {
	RUN_OPTS(asked) SEND_OPTS(create) CREATE_OPTS(create, metadata, headers)
	{ .kind = OPT_END },
};

/* What the programs of one user may not see of another, and what nobody needs
 * on disk: no core with keys in it, no TLS keys in a file. */
static void harden(void)
{
	struct rlimit none = { 0, 0 }, files;

	setrlimit(RLIMIT_CORE, &none);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
	prctl(PR_SET_DUMPABLE, 0); /* the leak checker would need it */
#endif
	unsetenv("SSLKEYLOGFILE");
	if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur < files.rlim_max) {
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
	/* Answers are freed and made again all the time: do not give their pages
	 * back each time. */
	mallopt(M_TRIM_THRESHOLD, 64 << 20);
}

static struct progress bar;

static void on_progress(void *ctx, const struct run_progress *p)
{
	static int64_t first_done = -1, first_ms;
	const struct ledger_state *l = p->ledger;
	int64_t now = clock_mono_ms();

	if (!progress_due(&bar, now))
		return;
	if (first_done < 0 && l->total > 0) {
		first_done = l->done;
		first_ms = now;
	}
	int64_t ms = now - first_ms, did = l->done - first_done;
	struct progress_state s = {
		.what = ctx, .done = l->done, .total = l->total, .failed = l->done_failed,
		.retrying = l->retrying, .in_flight = p->in_flight,
		.rate_milli = first_done >= 0 && ms > 500 ? did * 1000000 / ms : -1,
		.eta_ms = first_done >= 0 && ms > 500 && did > 0 ? (l->total - l->done) * ms / did : -1,
	};
	progress_show(&bar, &s, now);
}

static void on_problem(void *ctx, const char *file, int64_t line,
		       const struct line_problem *why)
{
	progress_clear(ctx);
	import_complain(file, line, why);
}

static int exit_status(const struct report *o, const struct run_summary *s)
{
	if (s->signal)
		return 128 + s->signal;
	if (s->ledger.key_missing && s->ledger.completed + s->ledger.failures == 0)
		return tool_status(s->ledger.error.code);
	if (o->remaining > 0)
		return EXIT_REMAINS;
	if (o->failed == 0)
		return EXIT_OK;
	return o->completed == 0 ? EXIT_NOTHING : EXIT_SOME;
}

/* Words for people: on a terminal always, elsewhere only when something is
 * wrong (cron mails every byte). */
static void say_summary(const struct tool *t, const struct report *r,
			const struct run_summary *s, int status)
{
	struct str text CLEANUP(str_release) = STR_INIT;

	if (t->quiet || (status == EXIT_OK && !isatty(STDERR_FILENO) && t->verbose == 0))
		return;
	report_text(r, s, &text);
	log_note("%s", str_z(&text));
	if (r->failed > 0)
		log_note("hint: fsl-batch errors @last says why, fsl-batch retry @last sends "
			 "those once more");
}

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

static int send_batches(struct tool *t, struct db *db, const int64_t *ids, int n,
			const char *what, struct err *e)
{
	struct run_summary sum CLEANUP(run_release) = { 0 };
	struct stream *stream = NULL;
	struct report report = { 0 };
	bool to_stdout = asked.output && strcmp(asked.output, "-") == 0;

	if (to_stdout && !(stream = stream_start(db_path(db), ids[0], e)))
		return -1;
	struct run_options ro = {
		.batches = ids, .n_batches = n, .user = asked.all_users ? NULL : user_name(),
		.defaults = &create.send, .version = FSL_VERSION, .grace_ms = asked.grace_ms,
		.http = { .jobs = (int)asked.jobs, .user_agent = "fsl-run/" FSL_VERSION,
			  .cacert = asked.cacert, .proxy = asked.proxy },
		.stop_fd = stream ? stream_gone_fd(stream) : -1,
		.progress = bar.mode != PROGRESS_NONE ? on_progress : NULL, .ctx = (void *)what,
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
	int status = exit_status(&report, &sum);
	if (!t->format_given || t->format != TOOL_JSON)
		say_summary(t, &report, &sum, status);
	else if (print_summary(&report, &sum, status, to_stdout, e) < 0)
		return -1;
	return status;
}

static int one_shot(struct tool *t, struct err *e)
{
	struct create c CLEANUP(create_release) = CREATE_INIT;
	struct batch b CLEANUP(batch_release) = BATCH_INIT;
	struct oneshot o = { .fresh = asked.fresh, .retry_failed = asked.retry_failed };

	if (asked.errors && asked.output && (outfile_same(asked.output, asked.errors)))
		return err_set(e, ERR_USAGE, "-o and -e are the same file");
	if (create_make(&create, &c, e) < 0 || oneshot_check(asked.output, asked.errors, e) < 0)
		return -1;
	struct db *db CLEANUP(db_cleanup) =
		db_open(t->db, t->db_is_default ? DB_CREATE_DIR : DB_CREATE, e);
	if (!db)
		return -1;
	struct import im = IMPORT_INIT;
	create_import(&create, asked.input, &im);
	im.problem = on_problem;
	im.progress = intake_progress;
	im.ctx = &bar;
	int rc = oneshot_batch(db, &im, &c, &o, &b, e);
	progress_clear(&bar);
	if (rc < 0)
		return -1;
	oneshot_tell(&o, &b);
	char id[BATCH_ID_BUF], what[16];
	memcpy(what, batch_id_text(b.uuid, id), sizeof what - 1);
	what[sizeof what - 1] = '\0';
	int64_t row = b.id;
	int status = send_batches(t, db, &row, 1, what, e);
	if (status < 0)
		return -1;
	batch_release(&b);
	if (batch_get(db, row, &b, e) < 0 ||
	    oneshot_write(db, &b, asked.output && strcmp(asked.output, "-") != 0 ? asked.output
			  : NULL, asked.errors, e) < 0)
		return -1;
	return status;
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
		&headers, &create.priority, &create.window_ms,
	};

	if (asked.input && t->n_operands > 0)
		return err_set(e, ERR_USAGE, "-i takes no batches beside it");
	for (const struct opt *o = options; !asked.input && o->kind != OPT_END; o++)
		for (size_t i = 0; i < ARRAY_LEN(one_shot_only); i++)
			if (o->dst == one_shot_only[i] && opt_source(o)[0] == '-')
				return err_set(e, ERR_USAGE, "--%s goes with -i", o->name);
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
	harden();
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
