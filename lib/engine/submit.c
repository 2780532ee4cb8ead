#include "engine/submit.h"

#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/safe.h"
#include "domain/batchrows.h"
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

/* The file of the operand; a path that is only checked gives its requests. */
static int find_input(const struct submit *s, struct db **db, struct file *f, struct err *e)
{
	struct import im = IMPORT_INIT;
	bool path = create_is_path(s->operand);

	create_import(s->options, s->operand, &im);
	im.problem = on_problem;
	im.progress = on_progress;
	im.ctx = (void *)(uintptr_t)s;
	if (path && s->dry_run) {
		int rc = import_check(&im, e);
		f->requests = im.lines;
		return rc;
	}
	*db = db_open(s->db_path, path ? s->mode : DB_EXISTING, e);
	if (!*db)
		return -1;
	return path ? import_run(*db, &im, f, e) : file_find(*db, s->operand, f, e);
}

/* What batch_create() would refuse; the state file need not exist. */
static int check(const struct submit *s, struct db **db, const struct create *c,
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

int submit_batch(const struct submit *s, struct db **db, struct batch *out, struct err *e)
{
	struct create c CLEANUP(create_release) = CREATE_INIT;
	struct file f CLEANUP(file_release) = FILE_INIT;
	bool existed;

	if (create_make(s->options, &c, e) < 0)
		return -1;
	int rc = find_input(s, db, &f, e);
	clear(s);
	if (rc < 0)
		return -1;
	c.batch.file = f.id;
	if (s->dry_run ? check(s, db, &c, &f, e) < 0
		       : batch_create(*db, &c.batch, out, &existed, e) < 0)
		return -1;
	warn_of_key(c.batch.key_ref);
	if (s->dry_run)
		log_note("would create a batch of %lld requests to %s, key %s", (long long)f.requests,
			 safe_show(span_of(c.batch.base_url), SHOWN),
			 safe_show(span_of(c.batch.key_ref), SHOWN));
	return 0;
}
