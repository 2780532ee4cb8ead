#include "engine/submit.h"

#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/num.h"
#include "base/safe.h"
#include "domain/batchrows.h"
#include "domain/reuse.h"
#include "engine/key.h"

enum { SHOWN = 200 };

static void clear(const struct submit *s)
{
	if (s->clear)
		s->clear(s->ctx);
}

static void on_progress(void *ctx, int64_t lines, int64_t bytes)
{
	const struct submit *s = ctx;

	if (s->progress)
		s->progress(s->ctx, lines, bytes);
}

static void on_problem(void *ctx, const char *file, int64_t line,
		       const struct line_problem *why)
{
	clear(ctx);
	import_complain(file, line, why);
}

static void on_line(void *ctx, const struct line *l)
{
	reuse_add(ctx, line_hash(l));
}

/* The file of the operand; a path that is only checked gives its requests,
 * also to `u` unless that is NULL. */
static int find_input(const struct submit *s, struct db **db, struct file *f, struct reuse *u,
		      struct err *e)
{
	struct import im = IMPORT_INIT;
	bool path = create_is_path(s->operand);

	create_import(s->options, s->operand, &im);
	im.problem = on_problem;
	im.progress = on_progress;
	im.ctx = (void *)(uintptr_t)s;
	if (path && s->dry_run) {
		im.line = u ? on_line : NULL;
		im.line_ctx = u;
		int rc = import_check(&im, e);
		f->requests = im.lines;
		return rc;
	}
	*db = db_open(s->db_path, path ? s->mode : DB_EXISTING, e);
	if (!*db)
		return -1;
	return path ? import_run(*db, &im, f, e) : file_find(*db, s->operand, f, e);
}

/* What --reuse would take, in c->reuse.taken. */
static int check_reuse(struct db *db, struct create *c, const struct file *f, struct err *e)
{
	struct reuse *u = c->batch.reuse;

	if (!u || (f->id && reuse_file(u, db, f->id, f->requests, e) < 0))
		return u ? -1 : 0;
	u->taken = reuse_find(u, db, &c->batch, clock_wall_ms(), e);
	return u->taken < 0 ? -1 : 0;
}

/* What batch_create() would refuse; the state file need not exist. */
static int check(const struct submit *s, struct db **db, struct create *c,
		 const struct file *f, struct err *e)
{
	struct batch b CLEANUP(batch_release) = BATCH_INIT;
	struct str url CLEANUP(str_release) = STR_INIT;
	struct err none = ERR_INIT;
	char id[BATCH_ID_BUF];

	if (f->id && c->batch.endpoint && batchrows_url(*db, f, c->batch.endpoint, &url, e) < 0)
		return -1;
	if (!*db && access(s->db_path, F_OK) == 0 && !(*db = db_open(s->db_path, DB_EXISTING, e)))
		return -1;
	if (*db && check_reuse(*db, c, f, e) < 0)
		return -1;
	if (!*db || !c->batch.name || c->batch.if_absent ||
	    batch_find(*db, c->batch.name, &b, &none) < 0)
		return 0;
	return err_set(e, ERR_STATE, "the name '%s' is taken by %s",
		       safe_show(span_of(c->batch.name), SHOWN), batch_id_text(b.uuid, id));
}

static void warn_of_key(const char *ref)
{
	struct str key CLEANUP(str_release) = STR_INIT;
	struct err e = ERR_INIT;

	if (key_resolve(ref, &key, &e) < 0)
		log_warn("%s; fsl-run will need it", e.msg);
	if (key.p)
		explicit_bzero(key.p, key.n);
}

void submit_tell_reuse(struct db *db, const struct batch_new *n, const struct batch *b)
{
	enum log_level level = isatty(STDERR_FILENO) ? LOG_NOTE : LOG_INFO;
	struct batch other CLEANUP(batch_release) = BATCH_INIT;
	char id[BATCH_ID_BUF], some[NUM_BUF], all[NUM_BUF];
	struct err ignored = ERR_INIT;

	if (!log_shows(level))
		return;
	num_of(b->total, "request", all);
	if (n->reuse)
		log_msg(level, "%s of %s take%s answers that were given before",
			num_count(n->reuse->taken, some), all, n->reuse->taken == 1 ? "s" : "");
	else if (reuse_guess(db, b, &other, &ignored) > 0)
		log_msg(level, "%s has answers to %s of %s; create --reuse would take them",
			batch_id_text(other.uuid, id), num_count(other.completed, some), all);
}

int submit_batch(const struct submit *s, struct db **db, struct batch *out, struct err *e)
{
	struct create c CLEANUP(create_release) = CREATE_INIT;
	struct file f CLEANUP(file_release) = FILE_INIT;
	char n[NUM_BUF];
	bool existed;

	if (create_make(s->options, &c, e) < 0)
		return -1;
	int rc = find_input(s, db, &f, c.batch.reuse, e);
	clear(s);
	if (rc < 0)
		return -1;
	c.batch.file = f.id;
	if (s->dry_run ? check(s, db, &c, &f, e) < 0
		       : batch_create(*db, &c.batch, out, &existed, e) < 0)
		return -1;
	if (!s->dry_run && !existed)
		submit_tell_reuse(*db, &c.batch, out);
	warn_of_key(c.batch.key_ref);
	if (s->dry_run)
		log_note("would create a batch of %s to %s, key %s", num_of(f.requests, "request", n),
			 safe_show(span_of(c.batch.base_url), SHOWN),
			 safe_show(span_of(c.batch.key_ref), SHOWN));
	if (s->dry_run && c.batch.reuse)
		log_note("%lld of them would take answers that were given before",
			 (long long)c.reuse.taken);
	return 0;
}
