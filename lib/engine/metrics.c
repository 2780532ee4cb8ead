#include "engine/metrics.h"

#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/outfile.h"
#include "base/safe.h"

enum { EVERY_MS = 1000, SHOWN = 200, MODE = 0644 /* the collector is another user */ };

/* What every sample has. */
struct page {
	struct str *out;
	struct str labels; /* run="…" */
};

/* A label's value: any UTF-8 (prometheus.io, Exposition formats). */
static void add_value(struct str *out, const char *text)
{
	if (!safe_is_utf8(span_of(text)))
		text = safe_show(span_of(text), SHOWN);
	for (; *text; text++) {
		if (*text == '\\' || *text == '"')
			str_addc(out, '\\');
		if (*text == '\n')
			str_addz(out, "\\n");
		else
			str_addc(out, *text);
	}
}

static void head(struct page *p, const char *name, const char *type, const char *help)
{
	str_addf(p->out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

/* One more sample; `label` with a value, or NULL. */
static void sample(struct page *p, const char *name, const char *label, const char *value,
		   int64_t n)
{
	str_addf(p->out, "%s{%s", name, str_z(&p->labels));
	if (label) {
		str_addf(p->out, ",%s=\"", label);
		add_value(p->out, value);
		str_addc(p->out, '"');
	}
	str_addf(p->out, "} %lld\n", (long long)n);
}

static void counter(struct page *p, const char *name, const char *help, int64_t n)
{
	head(p, name, "counter", help);
	sample(p, name, NULL, NULL, n);
}

static void gauge(struct page *p, const char *name, const char *help, int64_t n)
{
	head(p, name, "gauge", help);
	sample(p, name, NULL, NULL, n);
}

static void stamp(struct page *p, const char *name, const char *help, int64_t ms)
{
	head(p, name, "gauge", help);
	str_addf(p->out, "%s{%s} %lld.%03d\n", name, str_z(&p->labels), (long long)(ms / 1000),
		 (int)(ms % 1000));
}

static void write_counters(struct page *p, const struct metrics *m)
{
	const struct ledger_state *l = m->ledger;
	const struct run_summary *s = m->sum;

	counter(p, "fsl_requests_completed_total", "Requests that this run has completed.",
		l->completed);
	counter(p, "fsl_requests_failed_total", "Requests that have failed for good in this run.",
		l->failures);
	counter(p, "fsl_attempts_total", "Attempts of this run that have ended.", s->attempts);
	head(p, "fsl_retries_total", "counter",
	     "Attempts of this run after which the request is tried again, by status or code.");
	for (int i = 0; i < s->n_retries; i++)
		sample(p, "fsl_retries_total", "reason", s->retries[i].name, s->retries[i].n);
	counter(p, "fsl_results_dropped_total",
		"Results that came too late, as others had settled the request.", l->lost);
	head(p, "fsl_tokens_total", "counter", "Tokens that the answers of this run count.");
	sample(p, "fsl_tokens_total", "kind", "input", l->input_tokens);
	sample(p, "fsl_tokens_total", "kind", "output", l->output_tokens);
	counter(p, "fsl_cached_tokens_total", "Tokens of input that were cached, of those.",
		l->cached_tokens);
	counter(p, "fsl_reasoning_tokens_total", "Tokens of output that were reasoning, of those.",
		l->reasoning_tokens);
}

static void write_gauges(struct page *p, const struct metrics *m)
{
	const struct ledger_state *l = m->ledger;
	int64_t pending = l->total - l->done - m->in_flight; /* of two moments */

	gauge(p, "fsl_in_flight", "Requests that this run has in flight.", m->in_flight);
	gauge(p, "fsl_pending", "Requests of the batches that this run has met that have not ended, "
	      "without those it has in flight.", pending > 0 ? pending : 0);
	gauge(p, "fsl_retrying", "Requests of these batches that wait to be tried again.", l->retrying);
	gauge(p, "fsl_buffered_bytes", "Bytes of requests and answers in memory (--max-buffer).",
	      m->held);
	gauge(p, "fsl_draining", "1: nothing new is started, what is in flight may finish.",
	      m->draining);
	gauge(p, "fsl_stuck", "1: the state file cannot be written, results wait in memory.",
	      l->stuck);
	head(p, "fsl_left_alone", "gauge", "1: a server, model or batch is left alone.");
	if (l->block)
		sample(p, "fsl_left_alone", "reason", l->block, 1);
	stamp(p, "fsl_start_timestamp_seconds", "When this run began.", m->started_ms);
	stamp(p, "fsl_last_change_timestamp_seconds",
	      "When a request or an attempt ended last, or this run began.", m->changed_ms);
}

void metrics_write(const struct metrics *m, struct str *out)
{
	struct page p = { .out = out };

	str_addz(&p.labels, "run=\"");
	add_value(&p.labels, m->run);
	str_addc(&p.labels, '"');
	gauge(&p, "fsl_up", "1: the run goes on; 0: it has ended.", m->up);
	head(&p, "fsl_info", "gauge", "The version, always 1.");
	sample(&p, "fsl_info", "version", m->version, 1);
	write_counters(&p, m);
	write_gauges(&p, m);
	if (m->exit >= 0)
		gauge(&p, "fsl_exit_status", "The exit status of the run, when it has ended.", m->exit);
	str_release(&p.labels);
}

int metrics_start(struct metrics_file *f, const char *path, const char *version, struct err *e)
{
	struct stat st;

	*f = (struct metrics_file){ .path = path, .version = version,
				    .started_ms = clock_wall_ms() };
	f->changed_ms = f->started_ms;
	if (path && (strcmp(path, "-") == 0 || (stat(path, &st) == 0 && !S_ISREG(st.st_mode))))
		return err_set(e, ERR_USAGE, "--metrics-file: '%s' is no regular file",
			       safe_show(span_of(path), SHOWN));
	return 0;
}

/* The name of the file, without directory and ".prom". */
static void add_name(const char *path, struct str *out)
{
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
	size_t n = strlen(name);

	if (n > 5 && strcmp(name + n - 5, ".prom") == 0)
		n -= 5;
	str_add(out, name, n);
}

static int put(const char *path, struct span text, struct err *e)
{
	struct metrics_file ignored;

	/* Opening a FIFO might wait for ever. */
	if (metrics_start(&ignored, path, NULL, e) < 0)
		return -1;
	struct outfile *o CLEANUP(outfile_cleanup) = outfile_open(path, e);
	return !o || outfile_write(o, text, e) < 0 ? -1 : outfile_publish(o, MODE, e);
}

static void write_file(struct metrics_file *f, struct metrics *m)
{
	struct str text CLEANUP(str_release) = STR_INIT, run CLEANUP(str_release) = STR_INIT;
	struct err e = ERR_INIT;
	int64_t ended = m->ledger->completed + m->ledger->failures + m->sum->attempts;

	if (ended != f->ended)
		f->changed_ms = clock_wall_ms();
	f->ended = ended;
	add_name(f->path, &run);
	m->run = str_z(&run);
	m->version = f->version;
	m->started_ms = f->started_ms;
	m->changed_ms = f->changed_ms;
	metrics_write(m, &text);
	if (put(f->path, str_span(&text), &e) == 0 || f->failed)
		return;
	f->failed = true;
	log_warn("%s; the run goes on, and --metrics-file is tried again", e.msg);
}

void metrics_tick(struct metrics_file *f, const struct run_progress *p)
{
	int64_t now = clock_mono_ms();
	struct metrics m = { .up = true, .draining = p->draining, .exit = -1,
			     .in_flight = p->in_flight, .held = p->held, .ledger = p->ledger,
			     .sum = p->sum };

	if (!f->path || now < f->next_ms)
		return;
	f->next_ms = now + EVERY_MS;
	write_file(f, &m);
}

void metrics_end(struct metrics_file *f, const struct run_summary *sum, int status)
{
	struct metrics m = { .exit = status, .ledger = &sum->ledger, .sum = sum };

	if (f->path)
		write_file(f, &m);
}
