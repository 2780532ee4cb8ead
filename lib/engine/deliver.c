#include "engine/deliver.h"

#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/num.h"
#include "base/outfile.h"
#include "base/safe.h"
#include "domain/result.h"
#include "engine/follow.h"

enum { SHOWN = 80, STATUS_SOME = 3, STATUS_REMAINS = 4 };

struct outputs {
	const struct deliver *d;
	struct outfile *out, *errors; /* the second may be NULL */
};

static void outputs_release(struct outputs *o)
{
	outfile_close(o->out);
	outfile_close(o->errors);
}

static int check(const struct deliver *d, int n, struct err *e)
{
	if (d->errors && outfile_same(d->output, d->errors))
		return err_set(e, ERR_USAGE, "-o and -e are the same file");
	if (d->failed && d->all)
		return err_set(e, ERR_USAGE, "--failed and --all exclude each other");
	if (d->follow && d->order == DELIVER_INPUT)
		return err_set(e, ERR_USAGE, "--follow gives results in the order of completion");
	if (n == 1 || (!d->follow && !d->after))
		return 0;
	err_set(e, ERR_USAGE, "--follow and --after take one batch");
	return err_hint(e, "results of several batches are merged when all have ended; "
			"fsl-batch wait waits for that");
}

/* How many error lines are fine; -1: nothing was said. */
static int read_max_failed(const char *text, int64_t total, int64_t *max, struct err *e)
{
	*max = -1;
	if (!text || num_portion(text, total, max, e) == 0)
		return 0;
	return err_wrap(e, "--max-failed");
}

static int on_line(void *ctx, int64_t row, bool success, struct span line, struct err *e)
{
	struct outputs *o = ctx;
	bool out = success ? !o->d->failed : o->d->failed || o->d->all;

	(void)row;
	line.n++; /* with its LF: a full buffer is flushed between two lines */
	if (out && outfile_write(o->out, line, e) < 0)
		return -1;
	return !success && o->errors ? outfile_write(o->errors, line, e) : 0;
}

static int flush(void *ctx, struct err *e)
{
	struct outputs *o = ctx;

	if (outfile_flush(o->out, e) < 0)
		return -1;
	return o->errors ? outfile_flush(o->errors, e) : 0;
}

static int start_position(struct db *db, const struct batch *b, const struct deliver *d,
			  bool completion, int64_t *after, struct err *e)
{
	struct id uuid;
	uint32_t line;

	*after = 0;
	if (!d->after)
		return 0;
	if (!batch_request_of(d->after, &uuid, &line))
		return err_set(e, ERR_USAGE, "--after: '%s' is no request id (batch_req_...)",
			       safe_show(span_of(d->after), SHOWN));
	if (!id_eq(uuid, b->uuid))
		return err_set(e, ERR_NOTFOUND, "--after: %s is of another batch", d->after);
	return result_position(db, b, line, completion, after, e);
}

/* Writes the lines; 1: all batches are terminal. */
static int write_lines(struct db *db, const struct batch *list, int n, struct outputs *o,
		       struct result_counts *counts, struct err *e)
{
	const struct deliver *d = o->d;
	bool terminal = true;
	int rc;

	for (int i = 0; i < n; i++)
		terminal = terminal && batch_terminal(list[i].status);
	struct result_options ro = {
		.successes = !d->failed, .errors = d->failed || d->all || d->errors,
		.completion_order = d->follow || d->order == DELIVER_COMPLETION ||
				    (d->order == DELIVER_AUTO && !terminal),
		.with_input = d->with_input,
	};
	if (n > 1) {
		rc = result_merge(db, list, n, &ro, on_line, o, counts, e);
		return rc < 0 ? -1 : terminal;
	}
	struct follow f = FOLLOW_INIT;
	if (start_position(db, list, d, ro.completion_order, &f.after, e) < 0)
		return -1;
	if (!d->follow) {
		rc = result_each(db, list, &ro, &f.after, on_line, o, counts, e);
		return rc < 0 ? -1 : terminal;
	}
	f.results = ro;
	f.reader_fd = strcmp(d->output, "-") == 0 ? STDOUT_FILENO : -1;
	f.tell_idle = true;
	f.caught_up = flush;
	return follow_results(db, list->id, &f, on_line, o, counts, e);
}

int deliver_batches(struct db *db, const struct batch *list, int n, const struct deliver *d,
		    struct err *e)
{
	struct outputs o CLEANUP(outputs_release) = { .d = d };
	struct result_counts counts = { 0, 0, 0 };
	int64_t total = 0, max;
	char count[NUM_BUF];

	for (int i = 0; i < n; i++)
		total += list[i].total;
	if (check(d, n, e) < 0 || read_max_failed(d->max_failed, total, &max, e) < 0)
		return -1;
	o.out = outfile_open(d->output, e);
	if (!o.out || (d->errors && !(o.errors = outfile_open(d->errors, e))))
		return -1;
	int terminal = write_lines(db, list, n, &o, &counts, e);
	if (terminal < 0 || outfile_commit(o.out, e) < 0 ||
	    (o.errors && outfile_commit(o.errors, e) < 0))
		return -1;
	if (!terminal) {
		log_note("%s %s not ended: --follow waits for the rest",
			 num_of(counts.unfinished, "request", count),
			 counts.unfinished == 1 ? "has" : "have");
		return STATUS_REMAINS;
	}
	bool expected = max >= 0 ? counts.errors <= max : d->errors || d->failed || d->all;
	if (counts.errors == 0 || expected)
		return 0;
	if (!d->errors && !d->failed && !d->all)
		log_note("%s ended without success: -e FILE writes the error lines",
			 num_of(counts.errors, "request", count));
	return STATUS_SOME;
}
