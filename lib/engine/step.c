#include "engine/step.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/num.h"
#include "base/safe.h"
#include "domain/create.h"
#include "domain/file.h"
#include "domain/lease.h"
#include "domain/passthrough.h"
#include "domain/produce.h"
#include "domain/select.h"
#include "engine/errand.h"
#include "engine/needs.h"
#include "engine/parents.h"
#include "engine/passback.h"
#include "engine/post.h"
#include "store/tx.h"

enum { SHOWN = 60, PATH_SHOWN = 160 };

enum phase { BEGIN, COMMAND, INPUT, SENDS, REPORT };
enum { WAITS, OVER, AGAIN }; /* what a phase says; AGAIN: the next one at once */

struct step {
	struct db *db;
	struct errand work;
	int64_t batch;
	struct id run_id;
	enum product_resume resume;
	struct passthrough pass;
	bool is_batch, is_remote;
	struct str line;         /* what tells the platform */
	enum phase phase;
	struct child *child;
	bool running;            /* it was reported as such */
	bool late;               /* the run is over, as was found while its batch was made */
	enum state result;       /* to be reported */
	enum state outcome;      /* that was */
	struct str link, passback;
	char problem[400];       /* the first bad line of an input */
};

void step_free(struct step *s)
{
	if (!s)
		return;
	child_free(s->child);
	passthrough_release(&s->pass);
	errand_release(&s->work);
	str_release(&s->line);
	str_release(&s->link);
	str_release(&s->passback);
	free(s);
}

static void step_cleanup(struct step **s)
{
	step_free(*s);
}

/* --- before the claim */

static struct needs needs_of(const struct step *s, const struct step_options *o)
{
	return (struct needs){ .db = s->db, .pass = &s->pass, .dir = s->work.dir,
			       .allow_exec = o && o->allow_exec, .may_command = o && o->may_command };
}

static struct step *new_step(const struct step_options *o, const struct product *p)
{
	struct step *s = mem_alloc(sizeof *s);

	*s = (struct step){
		.db = o->db, .work = ERRAND_INIT, .pass = PASSTHROUGH_INIT,
		.is_batch = strcmp(p->compute, "batch") == 0, .is_remote = state_remote(p->compute),
		.outcome = STATE_NONE, .line = STR_INIT, .link = STR_INIT, .passback = STR_INIT,
		.resume = p->resume,
	};
	return s;
}

/* May it begin?  1; 0, with *why if people should know. */
static int may_begin(struct step *s, const struct step_options *o, const struct product *p,
		     struct str *why, struct err *e)
{
	struct span passthrough = span_of(s->work.passthrough);

	if (s->is_remote) {
		s->pass.options.base_url = compute_url(o->compute, p->compute);
		s->pass.options.key = compute_key(o->compute, p->compute);
		return s->pass.options.base_url != NULL;
	}
	if (passthrough_parse(p->compute, passthrough, s->work.dir, &s->pass, e) < 0) {
		str_addz(why, e->msg);
		return 0;
	}
	const struct needs needs = needs_of(s, o);
	if (!s->is_batch || p->batch == 0 || p->resume == PRODUCT_AFRESH)
		return needs_met(&needs, why, e);
	s->batch = p->batch;
	return 1;
}

int step_claim(const struct step_options *o, const struct product *p, struct step **out,
	       struct str *why, struct err *e)
{
	struct step *s CLEANUP(step_cleanup) = new_step(o, p);
	int rc = errand_load(o->db, p, &s->work, e);

	if (rc > 0)
		rc = may_begin(s, o, p, why, e);
	if (rc > 0)
		rc = lease_claim(s->db, s->work.product, o->worker, &s->run_id, e);
	if (rc <= 0)
		return rc;
	if (s->is_remote)
		post_line(s->pass.options.base_url, s->work.dataset_uuid, p, s->run_id,
			  span_of(s->work.passthrough), &s->line);
	*out = TAKE(s);
	return 1;
}

int step_adopt(const struct step_options *o, const struct product *p, struct step **out,
	       struct err *e)
{
	struct step *s CLEANUP(step_cleanup) = new_step(o, p);
	int rc = errand_load(o->db, p, &s->work, e);

	s->run_id = p->run_id;
	s->batch = p->batch;
	s->phase = SENDS;
	if (rc > 0)
		*out = TAKE(s);
	return rc;
}

/* --- what is reported */

static int report(struct step *s, enum state result)
{
	s->result = result;
	s->phase = REPORT;
	return AGAIN;
}

/* The product has failed, without a batch that says why. */
static int fail(struct step *s, const char *why)
{
	passback_error(s->work.label, why, &s->passback);
	return report(s, STATE_FAILED);
}

/* An error of a phase: not now, or never. */
static int judge(struct step *s, struct err *e)
{
	return e->code == ERR_BUSY || e->code == ERR_IO ? -1 : fail(s, e->msg);
}

/* What was there when it was claimed is not there any more. */
static int hold(struct step *s, const char *why, struct err *e)
{
	return lease_release(s->db, s->work.product, s->run_id, e) < 0 ||
	       lease_hold(s->db, s->work.product, why, e) < 0 ? -1 : OVER;
}

static int say_running(struct step *s, struct err *e)
{
	struct span link = s->link.n > 0 ? str_span(&s->link) : SPAN_NONE;
	int rc = s->running ? 1 : lease_report(s->db, s->work.product, s->run_id, STATE_RUNNING, link,
					       SPAN_NONE, e);

	s->running = rc > 0;
	return rc;
}

/* --- commands */

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

static int start_command(struct step *s, struct err *e)
{
	struct str products CLEANUP(str_release) = STR_INIT;
	int input CLEANUP(close_fd) = child_spool(db_path(s->db), e);

	if (input < 0)
		return -1;
	/* The names of the parents are wanted in any case. */
	if (parents_write(s->db, s->work.product, input, &products, e) < 0)
		return judge(s, e);
	if (lseek(input, 0, SEEK_SET) < 0)
		return err_sys(e, ERR_IO, "lseek");
	const struct parents_env v = { db_path(s->db), s->work.dataset_name, s->work.name, str_z(&products),
				       s->run_id, s->work.params };
	char **env = parents_env(&v);
	const struct child_new n = {
		.argv = s->pass.argv, .dir = s->work.dir, .env = env,
		.input = s->pass.parents ? input : -1, .timeout_ms = s->pass.timeout_ms,
		.max_output = s->pass.max_output, .beside = db_path(s->db),
	};
	s->child = child_start(&n, e);
	parents_env_free(env);
	if (!s->child && e->code == ERR_NOINPUT)
		return hold(s, e->msg, e);
	if (!s->child)
		return judge(s, e);
	log_info("%s runs %s", s->work.label, safe_show(span_of(s->pass.argv[0]), SHOWN));
	s->phase = COMMAND;
	return AGAIN;
}

/* What an exec wrote is its output. */
static int store_output(struct step *s, struct err *e)
{
	int64_t bytes;
	FILE *f = fopen(child_output(s->child, &bytes), "re");
	void *map = f && bytes > 0 ? mmap(NULL, (size_t)bytes, PROT_READ, MAP_PRIVATE, fileno(f), 0)
				   : NULL;
	int rc;

	if (!f || map == MAP_FAILED)
		rc = err_sys(e, ERR_IO, "cannot read what %s wrote", s->work.label);
	else
		rc = produce_store(s->db, s->work.product, s->run_id,
				   (struct span){ map, (size_t)bytes }, e);
	if (map && map != MAP_FAILED)
		munmap(map, (size_t)bytes);
	if (f)
		fclose(f);
	return rc;
}

static int watch_command(struct step *s, int64_t now_ms, struct err *e)
{
	struct produce_look look;
	int status, rc = produce_look(s->db, s->work.product, s->run_id, &look, e);

	if (rc <= 0) /* cleared: nobody wants it any more */
		return rc < 0 ? -1 : OVER;
	if (!s->is_batch && !s->running && (rc = say_running(s, e)) <= 0)
		return rc < 0 ? -1 : OVER;
	if (!child_work(s->child, now_ms))
		return WAITS;
	if (child_how(s->child, &status) == CHILD_STOPPED)
		return step_give_back(s, e) < 0 ? -1 : OVER;
	if (!passback_command(s->child, &s->pass, s->work.label, &s->passback))
		return report(s, STATE_FAILED);
	if (s->is_batch) {
		s->phase = INPUT;
		return AGAIN;
	}
	rc = store_output(s, e);
	return rc < 0 ? -1 : rc == 0 ? OVER : report(s, STATE_SUCCESS);
}

/* --- batches */

static void on_problem(void *ctx, const char *file, int64_t line, const struct line_problem *why)
{
	struct step *s = ctx;

	if (!s->problem[0])
		snprintf(s->problem, sizeof s->problem, "%s, line %lld:%zu: %s",
			 s->pass.file ? safe_show(span_of(file), PATH_SHOWN) : "what prepare wrote",
			 (long long)line, why->column, why->text);
}

static int on_shown(void *ctx, struct db *db, int64_t batch, struct err *e)
{
	struct step *s = ctx;
	int rc = produce_sends(db, s->work.product, s->run_id, batch, e);

	s->late = rc == 0;
	return rc > 0 ? 0 : rc < 0 ? -1 : err_set(e, ERR_STATE, "the run is over");
}

static int import_lines(struct step *s, struct file *f, struct err *e)
{
	struct str path CLEANUP(str_release) = STR_INIT, name CLEANUP(str_release) = STR_INIT;
	struct import im = IMPORT_INIT;
	const struct needs needs = needs_of(s, NULL);
	int64_t bytes;

	if (s->pass.file && passthrough_is_id(s->pass.file))
		return file_find(s->db, s->pass.file, f, e);
	int spool CLEANUP(close_fd) = s->is_remote ? post_spool(s->db, str_span(&s->line), e) : -1;
	if (s->is_remote && spool < 0)
		return -1;
	str_addf(&name, "%s.jsonl", s->work.name);
	if (s->is_remote)
		str_addf(&path, "/proc/self/fd/%d", spool);
	create_import(&s->pass.options,
		      s->is_remote ? str_z(&path) : s->pass.file ? needs_path(&needs, &path)
					: child_output(s->child, &bytes), &im);
	if (!s->pass.file)
		im.filename = str_z(&name);
	im.problem = on_problem;
	im.ctx = s;
	s->problem[0] = '\0';
	return import_run(s->db, &im, f, e);
}

static int make_batch(struct step *s, struct err *e)
{
	struct create c CLEANUP(create_release) = CREATE_INIT;
	struct file f CLEANUP(file_release) = FILE_INIT;
	struct batch b CLEANUP(batch_release) = BATCH_INIT;
	bool existed;

	if (create_make(&s->pass.options, &c, e) < 0)
		return judge(s, e);
	if (import_lines(s, &f, e) < 0) {
		if (s->pass.file && (e->code == ERR_NOINPUT || e->code == ERR_NOTFOUND))
			return hold(s, e->msg, e);
		if (e->code == ERR_INPUT && s->problem[0])
			return fail(s, s->problem);
		return judge(s, e);
	}
	c.batch.file = f.id;
	c.batch.shown = on_shown;
	c.batch.ctx = s;
	if (batch_create(s->db, &c.batch, &b, &existed, e) < 0)
		return s->late ? OVER : judge(s, e);
	s->batch = b.id;
	s->phase = SENDS;
	child_free(s->child);
	s->child = NULL;
	return AGAIN;
}

/* It goes on with the batch it has. */
static int go_on(struct step *s, struct err *e)
{
	static const struct select unfinished = { 0 };
	struct batch b CLEANUP(batch_release) = BATCH_INIT;

	if (batch_get(s->db, s->batch, &b, e) < 0)
		return judge(s, e);
	if (s->resume == PRODUCT_RETRIES && b.status == BATCH_CANCELLING)
		return WAITS;
	if (s->resume == PRODUCT_RETRIES && select_retry(s->db, &b, &unfinished, 0, e) < 0)
		return judge(s, e);
	TX(tx);
	if (tx_begin(&tx, s->db, e) < 0)
		return -1;
	int rc = produce_sends(s->db, s->work.product, s->run_id, s->batch, e);
	if (rc <= 0)
		return rc < 0 ? -1 : OVER;
	s->phase = SENDS;
	return tx_commit(&tx, e) < 0 ? -1 : AGAIN;
}

static int watch_batch(struct step *s, struct err *e)
{
	struct batch b CLEANUP(batch_release) = BATCH_INIT;
	struct produce_look look;
	char bad[NUM_BUF], total[NUM_BUF];
	int64_t may = 0;
	int rc = produce_look(s->db, s->work.product, s->run_id, &look, e);

	if (rc <= 0)
		return rc < 0 ? -1 : OVER;
	if (look.batch == 0)
		return fail(s, "its batch was deleted");
	bool over = batch_terminal(look.status);
	if (!over && (s->running || !look.begun))
		return WAITS;
	if (batch_get(s->db, look.batch, &b, e) < 0)
		return -1;
	passback_batch(&b, &s->link, &s->passback);
	if ((rc = say_running(s, e)) <= 0)
		return rc < 0 ? -1 : OVER;
	if (!over)
		return WAITS;
	if (num_portion(s->pass.max_failed, look.total, &may, e) < 0)
		BUG("max_failed: %s", e->msg);
	if (b.status != BATCH_FAILED && look.bad <= may)
		return report(s, STATE_SUCCESS);
	log_warn("%s failed: %s of %s requests did not complete", s->work.label,
		 num_count(look.bad, bad), num_count(look.total, total));
	return report(s, STATE_FAILED);
}

static int watch_post(struct step *s, struct err *e)
{
	enum post_how how;

	if (post_look(s->db, s->work.label, s->work.product, s->run_id, s->batch, &how, &s->link,
		      &s->passback, e) < 0)
		return -1;
	switch (how) {
	case POST_WAITS:
		return WAITS;
	case POST_HANDED:
		return report(s, STATE_RUNNING);
	case POST_FAILED:
		return report(s, STATE_FAILED);
	case POST_REPORTED:
		s->outcome = STATE_RUNNING;
		return OVER;
	default:
		return OVER;
	}
}

static int say_result(struct step *s, struct err *e)
{
	struct span link = s->link.n > 0 ? str_span(&s->link) : SPAN_NONE;
	int rc = lease_report(s->db, s->work.product, s->run_id, s->result, link,
			      str_span(&s->passback), e);

	if (rc < 0)
		return -1;
	if (rc > 0)
		s->outcome = s->result;
	log_info("%s: %s", s->work.label, rc > 0 ? state_text(s->result) : "the report came too late");
	return OVER;
}

static int one_phase(struct step *s, int64_t now_ms, struct err *e)
{
	switch (s->phase) {
	case BEGIN:
		if (s->batch)
			return go_on(s, e);
		if (s->pass.argv)
			return start_command(s, e);
		s->phase = INPUT;
		return AGAIN;
	case COMMAND:
		return watch_command(s, now_ms, e);
	case INPUT:
		return make_batch(s, e);
	case SENDS:
		return s->is_remote ? watch_post(s, e) : watch_batch(s, e);
	default:
		return say_result(s, e);
	}
}

int step_work(struct step *s, int64_t now_ms, struct err *e)
{
	int rc;

	while ((rc = one_phase(s, now_ms, e)) == AGAIN)
		;
	return rc;
}

bool step_watch(const struct step *s, struct pollfd *fds, int64_t *due_ms)
{
	if (s->phase != COMMAND || !s->child)
		return false;
	child_watch(s->child, fds);
	*due_ms = child_due(s->child);
	return true;
}

void step_stop(struct step *s, int64_t now_ms)
{
	if (s->phase == COMMAND && s->child)
		child_stop(s->child, now_ms);
}

int step_give_back(struct step *s, struct err *e)
{
	if (s->is_remote && s->batch > 0)
		return 0;
	return lease_release(s->db, s->work.product, s->run_id, e) < 0 ? -1 : 0;
}

const char *step_label(const struct step *s)
{
	return s->work.label;
}

enum state step_outcome(const struct step *s)
{
	return s->outcome;
}

int64_t step_dataset(const struct step *s)
{
	return s->work.dataset;
}

int64_t step_batch(const struct step *s)
{
	return s->batch;
}
