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
#include "base/safe.h"
#include "base/user.h"
#include "cli/create_opts.h"
#include "cli/intake.h"
#include "cli/progress.h"
#include "cli/tool.h"
#include "cli/version.h"
#include "domain/create.h"
#include "engine/oneshot.h"
#include "engine/report.h"
#include "engine/run.h"
#include "engine/stream.h"

static struct create_options create = CREATE_OPTIONS_INIT;
static struct opt_list metadata, headers;
static const char *input, *output, *errors, *cacert, *proxy;
static int64_t jobs = 16, grace_ms = RUN_GRACE_MS;
static bool fresh, retry_failed, all_users;

static const struct opt options[] = {
	{ .kind = OPT_TEXT, .letter = 'i', .name = "input", .dst = &input, .arg = "FILE",
	  .help = "one shot: import this file (- is stdin), send it, write the results" },
	{ .kind = OPT_TEXT, .letter = 'o', .name = "output", .dst = &output, .arg = "FILE",
	  .help = "with -i: the output lines; - writes them to stdout as they come" },
	{ .kind = OPT_TEXT, .letter = 'e', .name = "errors", .dst = &errors, .arg = "FILE",
	  .help = "with -i: the error lines" },
	{ .kind = OPT_FLAG, .name = "new", .dst = &fresh,
	  .help = "with -i: send everything anew, also what was sent before" },
	{ .kind = OPT_FLAG, .name = "retry-failed", .dst = &retry_failed,
	  .help = "with -i: when the batch has ended, send what failed once more" },
	{ .kind = OPT_INT, .letter = 'j', .name = "jobs", .dst = &jobs, .arg = "N",
	  .help = "requests in flight at once", .dflt = "16", .env = "FSL_JOBS",
	  .min = 1, .max = 10000 },
	{ .kind = OPT_DURATION, .name = "grace", .dst = &grace_ms, .arg = "DUR",
	  .help = "after a signal: how long what is in flight may take", .dflt = "30s",
	  .max = 86400000 },
	{ .kind = OPT_FLAG, .name = "all-users", .dst = &all_users,
	  .help = "without operands: batches of every user" },
	{ .kind = OPT_TEXT, .name = "cacert", .dst = &cacert, .arg = "FILE",
	  .help = "trust these certificates (PEM)", .dflt = "the system's" },
	{ .kind = OPT_TEXT, .name = "proxy", .dst = &proxy, .arg = "URL",
	  .help = "send through this proxy", .dflt = "http_proxy, https_proxy, no_proxy" },
	SEND_OPTS(create)
	CREATE_OPTS(create, metadata, headers)
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
	bool to_stdout = output && strcmp(output, "-") == 0;

	if (to_stdout && !(stream = stream_start(db_path(db), ids[0], e)))
		return -1;
	struct run_options ro = {
		.batches = ids, .n_batches = n, .user = all_users ? NULL : user_name(),
		.defaults = &create.send, .version = FSL_VERSION, .grace_ms = grace_ms,
		.http = { .jobs = (int)jobs, .user_agent = "fsl-run/" FSL_VERSION,
			  .cacert = cacert, .proxy = proxy },
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
	struct oneshot o = { .fresh = fresh, .retry_failed = retry_failed };

	if (errors && output && (outfile_same(output, errors)))
		return err_set(e, ERR_USAGE, "-o and -e are the same file");
	if (create_make(&create, &c, e) < 0 || oneshot_check(output, errors, e) < 0)
		return -1;
	struct db *db CLEANUP(db_cleanup) =
		db_open(t->db, t->db_is_default ? DB_CREATE_DIR : DB_CREATE, e);
	if (!db)
		return -1;
	struct import im = IMPORT_INIT;
	create_import(&create, input, &im);
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
	    oneshot_write(db, &b, output && strcmp(output, "-") != 0 ? output : NULL, errors, e) < 0)
		return -1;
	return status;
}

static int run(struct tool *t, struct err *e)
{
	create.metadata = metadata.v;
	create.n_metadata = metadata.n;
	create.headers = headers.v;
	create.n_headers = headers.n;
	if (create.retry_http && send_check_http(create.retry_http, e) < 0)
		return -1;
	harden();
	progress_start(&bar, t);
	if (!input && (output || errors || fresh || retry_failed))
		return err_set(e, ERR_USAGE, "-o, -e, --new and --retry-failed go with -i");
	if (input && t->n_operands > 0)
		return err_set(e, ERR_USAGE, "-i takes no batches beside it");
	if (input)
		return one_shot(t, e);
	struct db *db CLEANUP(db_cleanup) = db_open(t->db, DB_EXISTING, e);
	if (!db)
		return -1;
	int64_t *ids CLEANUP(mem_cleanup) = mem_alloc((size_t)(t->n_operands + 1) * sizeof *ids);
	for (int i = 0; i < t->n_operands; i++) {
		struct batch b CLEANUP(batch_release) = BATCH_INIT;
		if (batch_find(db, t->operands[i], &b, e) < 0)
			return -1;
		ids[i] = b.id;
	}
	create.send.retry_http = (char *)create.retry_http;
	create.send.no_idempotency_key = create.no_idempotency_key ? 1 : SEND_UNSET;
	return send_batches(t, db, t->n_operands ? ids : NULL, t->n_operands, "sending", e);
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
