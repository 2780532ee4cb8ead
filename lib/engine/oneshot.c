#include "engine/oneshot.h"

#include <errno.h>
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

static void note(struct oneshot *o, const struct batch *b, bool existed)
{
	o->finished = existed && batch_terminal(b->status);
	o->resumed = existed && !o->finished;
}

static int known_batch(struct db *db, const struct file *f, struct create *c,
		       struct oneshot *o, struct batch *out, struct err *e)
{
	int rc = batch_by_identity(db, batch_identity(f->hash, &c->batch), out, e);

	if (rc <= 0)
		return rc;
	note(o, out, true);
	if (!o->finished || !o->retry_failed)
		return 1;
	const struct select all = { 0 }; /* whatever did not complete */
	o->reopened = select_retry(db, out, &all, e);
	if (o->reopened < 0)
		return -1;
	o->finished = o->reopened == 0;
	int64_t id = out->id;
	batch_release(out);
	return batch_get(db, id, out, e) < 0 ? -1 : 1;
}

int oneshot_batch(struct db *db, struct import *im, struct create *c,
		  struct oneshot *o, struct batch *out, struct err *e)
{
	struct file f CLEANUP(file_release) = FILE_INIT;
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
		int rc = known_batch(db, &f, c, o, out, e);
		if (rc != 0)
			return rc < 0 ? -1 : 0;
	}
	bool existed;
	if (batch_create(db, &c->batch, out, &existed, e) < 0)
		return -1;
	note(o, out, existed);
	return 0;
}

void oneshot_tell(const struct oneshot *o, const struct batch *b)
{
	char id[BATCH_ID_BUF], done[NUM_BUF], total[NUM_BUF];
	int64_t ended = b->completed + b->failed + b->cancelled + b->expired;

	batch_id_text(b->uuid, id);
	num_count(ended, done);
	num_count(b->total, total);
	if (o->reopened > 0)
		log_note("%s: %lld requests that had failed are sent once more", id,
			 (long long)o->reopened);
	else if (o->resumed && isatty(STDERR_FILENO))
		log_note("resuming %s (%s of %s done)", id, done, total);
	else if (o->finished)
		log_note("%s had ended: nothing is sent, only written out%s", id,
			 b->failed > 0 ? " (--retry-failed sends what failed, --new everything)" :
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

/* A FIFO or a device cannot be half written and replaced later. */
static bool is_special(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && !S_ISREG(st.st_mode);
}

static int check(const char *path, struct err *e)
{
	/* Opening a FIFO would wait for its reader. */
	if (!path || is_special(path))
		return 0;
	struct outfile *o = outfile_open(path, e);
	outfile_close(o);
	return o ? 0 : -1;
}

int oneshot_check(const char *output, const char *errors, struct err *e)
{
	return check(output, e) < 0 || check(errors, e) < 0 ? -1 : 0;
}

static int open_sink(struct sink *s, bool whole, struct err *e)
{
	struct str part CLEANUP(str_release) = STR_INIT;

	if (!s->path || (!whole && is_special(s->path)))
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
	if (whole && !is_special(s->path) && unlink(str_z(&part)) < 0 && errno != ENOENT)
		log_warn("%s: cannot be removed: %s", safe_show(str_span(&part), 200),
			 strerror(errno));
	return 0;
}

int oneshot_write(struct db *db, const struct batch *b, const char *output,
		  const char *errors, struct err *e)
{
	struct sink sinks[2] = { { .path = output }, { .path = errors } };
	struct result_options o = { .successes = output, .errors = errors };
	struct result_counts counts = { 0 };
	bool whole = batch_terminal(b->status);
	int rc = 0;

	for (int i = 0; i < 2 && rc == 0; i++)
		rc = open_sink(&sinks[i], whole, e);
	if (rc == 0 && (sinks[0].file || sinks[1].file))
		rc = result_each(db, b, &o, NULL, on_line, sinks, &counts, e);
	for (int i = 0; i < 2 && rc == 0; i++)
		rc = close_sink(&sinks[i], whole, e);
	outfile_close(sinks[0].file);
	outfile_close(sinks[1].file);
	return rc < 0 ? -1 : 0;
}
