#include "engine/oneshot.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/lines.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/num.h"
#include "base/outfile.h"
#include "base/safe.h"
#include "domain/result.h"
#include "domain/select.h"
#include "engine/submit.h"

/* The file with this content, imported before: 1, 0. */
static int known_file(struct db *db, const char *path, struct file *f, struct err *e)
{
	struct stat st;
	struct id hash;
	int64_t bytes;

	if (strcmp(path, "-") == 0 || stat(path, &st) < 0 || !S_ISREG(st.st_mode))
		return 0;
	if (lines_hash_file(path, &hash, &bytes, e) < 0)
		return -1;
	return file_by_hash(db, hash, f, e);
}

/* The batch was there. */
static int found(struct db *db, const struct create *c, struct oneshot *o, struct batch *out,
		 struct err *e)
{
	const struct select all = { 0 }; /* whatever did not complete */

	o->finished = batch_terminal(out->status);
	o->resumed = !o->finished;
	if (!o->finished || !o->retry_failed)
		return 0;
	o->reopened = select_retry(db, out, &all, c->batch.window_ms, e);
	if (o->reopened < 0)
		return -1;
	o->finished = o->reopened == 0;
	return batch_get(db, out->id, out, e);
}

int oneshot_batch(struct db *db, struct import *im, struct create *c,
		  struct oneshot *o, struct batch *out, struct err *e)
{
	struct file f CLEANUP(file_release) = FILE_INIT;

	o->resumed = o->finished = false;
	o->reopened = 0;
	o->made = NULL;
	int known = known_file(db, im->path, &f, e);
	if (known < 0)
		return -1;
	if (known == 0) {
		im->automatic = im->if_absent = true;
		if (import_run(db, im, &f, e) < 0)
			return -1;
	}
	c->batch.file = f.id;
	c->batch.oneshot = true;
	c->batch.resume = !o->fresh;
	if (!o->fresh) {
		int rc = batch_by_identity(db, batch_identity(f.hash, &c->batch), out, e);
		if (rc != 0)
			return rc < 0 ? -1 : found(db, c, o, out, e);
	}
	bool existed;
	if (batch_create(db, &c->batch, out, &existed, e) < 0)
		return -1;
	o->made = existed ? NULL : &c->batch;
	return existed ? found(db, c, o, out, e) : 0;
}

void oneshot_tell(struct db *db, const struct oneshot *o, const struct batch *b)
{
	char id[BATCH_ID_BUF], done[NUM_BUF], total[NUM_BUF];
	int64_t ended = b->completed + b->failed + b->cancelled + b->expired;

	batch_id_text(b->uuid, id);
	num_count(ended, done);
	num_count(b->total, total);
	if (o->made && (o->made->reuse || !o->fresh))
		submit_tell_reuse(db, o->made, b);
	else if (o->reopened > 0)
		log_note("%s: %s that had failed %s sent once more", id,
			 num_of(o->reopened, "request", done), o->reopened == 1 ? "is" : "are");
	else if (o->resumed && isatty(STDERR_FILENO))
		log_note("resuming %s (%s of %s done)", id, done, total);
	else if (o->finished)
		log_note("%s had ended: nothing is sent, only written out%s", id,
			 b->completed < b->total ? " (--retry-failed sends what failed, --new everything)" :
			 " (--new sends everything again)");
}

/* One of the two outputs. */
struct sink {
	const char *path;
	struct outfile *file; /* NULL: not wanted */
};

static int put(struct sink *s, struct span line, struct err *e)
{
	if (!s->file)
		return 0;
	if (outfile_write(s->file, line, e) < 0)
		return -1;
	return outfile_write(s->file, SPAN_LIT("\n"), e);
}

static int on_line(void *ctx, int64_t row, bool success, struct span line, struct err *e)
{
	struct sink *sinks = ctx;

	(void)row;
	return put(&sinks[success ? 0 : 1], line, e);
}

/* Standard output or another descriptor of ours (see base/outfile.h): nothing
 * stands beside it. */
static bool is_own(const char *path)
{
	struct span v = span_of(path);

	return span_is(v, "-") || span_is(v, "/dev/stdout") || span_is(v, "/dev/stderr") ||
	       span_starts(v, "/dev/fd/") || span_starts(v, "/proc/self/fd/");
}

/* A FIFO or a device cannot be half written and replaced later. */
static bool is_special(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 &&
	       (S_ISFIFO(st.st_mode) || S_ISCHR(st.st_mode) || S_ISBLK(st.st_mode));
}

static bool is_direct(const char *path)
{
	return is_own(path) || is_special(path);
}

static int check(const char *path, struct err *e)
{
	if (!path)
		return 0;
	if (!is_own(path) && is_special(path)) {
		/* Opening a FIFO would wait for its reader. */
		if (faccessat(AT_FDCWD, path, W_OK, AT_EACCESS) < 0)
			return err_sys(e, ERR_CANTCREAT, "cannot write to '%s'",
				       safe_show(span_of(path), 200));
		return 0;
	}
	struct outfile *o = outfile_open(path, e);
	outfile_close(o);
	return o ? 0 : -1;
}

/* Is it where the other one goes while work remains? */
static bool is_part(const char *path, const char *other)
{
	struct str part CLEANUP(str_release) = STR_INIT;

	str_addf(&part, "%s.part", other);
	return !is_direct(other) && outfile_same(path, str_z(&part));
}

/* Neither an output nor its .part may take the place of the input. */
static int spare(const char *path, const char *input, struct err *e)
{
	struct str part CLEANUP(str_release) = STR_INIT;

	if (!path || is_direct(path))
		return 0;
	str_addf(&part, "%s.part", path);
	return outfile_spares(path, input, e) < 0 ? -1 : outfile_spares(str_z(&part), input, e);
}

int oneshot_check(const char *input, const char *output, const char *errors, struct err *e)
{
	if (spare(output, input, e) < 0 || spare(errors, input, e) < 0)
		return -1;
	if (output && errors && outfile_same(output, errors))
		return err_set(e, ERR_USAGE, "-o and -e are the same file");
	if (output && errors && (is_part(output, errors) || is_part(errors, output)))
		return err_set(e, ERR_USAGE, "one output is the other's .part, which has what is "
			       "finished while work remains");
	return check(output, e) < 0 || check(errors, e) < 0 ? -1 : 0;
}

static int open_sink(struct sink *s, bool whole, struct err *e)
{
	struct str part CLEANUP(str_release) = STR_INIT;

	if (!s->path || (!whole && is_direct(s->path)))
		return 0;
	str_addf(&part, "%s%s", s->path, whole ? "" : ".part");
	s->file = outfile_open(str_z(&part), e);
	return s->file ? 0 : -1;
}

static int close_sink(struct sink *s, bool whole, struct err *e)
{
	struct str part CLEANUP(str_release) = STR_INIT;

	if (!s->file)
		return 0;
	if (outfile_commit(s->file, e) < 0)
		return -1;
	str_addf(&part, "%s.part", s->path);
	if (whole && !is_direct(s->path) && unlink(str_z(&part)) < 0 && errno != ENOENT)
		log_warn("%s: cannot be removed: %s", safe_show(str_span(&part), 200),
			 strerror(errno));
	return 0;
}

int oneshot_write(struct db *db, const struct batch *b, const char *output,
		  const char *errors, struct err *e)
{
	struct sink sinks[2] = { { .path = output }, { .path = errors } };
	struct result_counts counts = { 0 };
	bool whole = batch_terminal(b->status);
	int rc = 0;

	for (int i = 0; i < 2 && rc == 0; i++)
		rc = open_sink(&sinks[i], whole, e);
	const struct result_options o = { .successes = sinks[0].file, .errors = sinks[1].file };
	if (rc == 0 && (sinks[0].file || sinks[1].file))
		rc = result_each(db, b, &o, NULL, on_line, sinks, &counts, e);
	for (int i = 0; i < 2 && rc == 0; i++)
		rc = close_sink(&sinks[i], whole, e);
	outfile_close(sinks[0].file);
	outfile_close(sinks[1].file);
	return rc < 0 ? -1 : 0;
}

static void clear(const struct oneshot *o)
{
	if (o->clear)
		o->clear(o->ctx);
}

static void on_progress(void *ctx, int64_t lines, int64_t bytes)
{
	const struct oneshot *o = ctx;

	if (o->progress)
		o->progress(o->ctx, lines, bytes);
}

static void on_problem(void *ctx, const char *file, int64_t line,
		       const struct line_problem *why)
{
	clear(ctx);
	import_complain(file, line, why);
}

int oneshot_begin(struct oneshot *o, const struct create_options *co, const char *db_path,
		  enum db_mode mode, struct db **db, struct batch *out, struct err *e)
{
	struct create c CLEANUP(create_release) = CREATE_INIT;
	struct import im = IMPORT_INIT;

	if (create_make(co, &c, e) < 0 || oneshot_check(o->input, o->output, o->errors, e) < 0)
		return -1;
	*db = db_open(db_path, mode, e);
	if (!*db)
		return -1;
	create_import(co, o->input, &im);
	im.problem = on_problem;
	im.progress = on_progress;
	im.ctx = o;
	int rc = oneshot_batch(*db, &im, &c, o, out, e);
	clear(o);
	if (rc == 0)
		oneshot_tell(*db, o, out);
	return rc;
}

int oneshot_end(const struct oneshot *o, struct db *db, int64_t batch, struct err *e)
{
	struct batch b CLEANUP(batch_release) = BATCH_INIT;
	bool streamed = o->output && strcmp(o->output, "-") == 0;

	if (batch_get(db, batch, &b, e) < 0)
		return -1;
	return oneshot_write(db, &b, streamed ? NULL : o->output, o->errors, e);
}
