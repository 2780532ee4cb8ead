/* fletcher-plan: plans, their data products and how they stand. */
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/user.h"
#include "cli/cell.h"
#include "cli/plan_columns.h"
#include "cli/plan_opts.h"
#include "cli/words.h"
#include "domain/overview.h"
#include "domain/planjson.h"
#include "domain/planrows.h"
#include "domain/produce.h"
#include "domain/publish.h"
#include "domain/search.h"
#include "domain/steer.h"
#include "engine/rest.h"

static struct steer asked = STEER_INIT;
static struct publish publish = PUBLISH_INIT;
static const char *dataset_name, *run_id, *run_link, *passback;
static struct opt_list sets;
static int64_t older_ms, timeout_ms = -1, page = 1;
static bool all, failed, as_plan;
static struct words words;     /* the operands behind DATASET */
static struct plan plan = PLAN_INIT;
static struct db *db;          /* these three are released by main() */

#define END { .kind = OPT_END }
static const struct opt publish_options[] = {
	STEER_OPTS(publish) DATASET_OPTS(dataset_name, sets) PUBLISH_OPTS(publish) END,
};
static const struct opt check_options[] = { DATASET_OPTS(dataset_name, sets) END };
static const struct opt show_options[] = { PLAN_OPT(as_plan) END };
static const struct opt list_options[] = { PAGE_OPT(page) END };
static const struct opt steer_options[] = { STEER_OPTS(asked) END };
static const struct opt update_options[] = {
	STEER_OPTS(asked) UPDATE_OPTS(run_id, run_link, passback)
	FORCE_OPT(asked, "also if the run is over, or nothing is new") END,
};
static const struct opt clear_options[] = {
	STEER_OPTS(asked) CLEAR_OPTS(failed, all)
	FORCE_OPT(asked, "also if completed requests are sent again") END,
};
static const struct opt delete_options[] = {
	STEER_OPTS(asked) OLDER_OPT(older_ms)
	FORCE_OPT(asked, "also if products of it are success") END,
};
static const struct opt wait_options[] = { TIMEOUT_OPT(timeout_ms) END };

/* What is printed: rows of the list that out_begin() has begun. */
static struct out *list;
static int print(void *ctx, const struct row *r, struct err *e)
{
	(void)ctx;
	return cell_values(list, r, e);
}
static struct planrows rows = { .put = print };

static int open_list(const struct tool *t, const struct out_column *const *columns, struct err *e)
{
	out_free(list);
	list = out_begin(t, columns[t->format], e);
	rows.form = (enum planrows_form)t->format;
	return list ? 0 : -1;
}

static int open_db(const struct tool *t, enum db_mode mode, struct err *e)
{
	db = asked.db = publish.db = rows.db = db_open(t->db, mode, e);
	return db ? 0 : -1;
}

/* What the verbs that only list have in common. */
static int open_both(const struct tool *t, const struct out_column *const *columns, struct err *e)
{
	return open_db(t, DB_EXISTING, e) < 0 ? -1 : open_list(t, columns, e);
}

static int end(int rc, struct err *e)
{
	return rc >= 0 && out_end(list, e) < 0 ? -1 : rc;
}

/* What the verbs about products of a dataset have in common; "-" as an operand
 * stands for lines. */
static int open_words(const struct tool *t, const struct out_column *const *columns, struct err *e)
{
	const struct opt_list given = { (const char **)t->operands + 1, t->n_operands - 1 };
	return words_given(&words, &given, e) < 0 ? -1 : open_both(t, columns, e);
}

/* fn for each operand; without one for every dataset. */
static int each(struct tool *t, tool_operand_fn *fn, struct err *e)
{
	struct str ids CLEANUP(str_release) = STR_INIT;
	int rc = t->n_operands > 0 ? tool_each(t, fn, NULL, e) : search_ids(db, &ids, e);
	for (size_t at = 0; rc == 0 && at < ids.n; at += ID_UUID + 1)
		rc = fn(t, ids.p + at, NULL, e);
	return rc;
}

/* Without a state file this is all that can be checked. */
static int run_check(struct tool *t, struct err *e)
{
	const struct plan_options o = { dataset_name, sets.v, sets.n };
	return plan_read(t->operands[0], &o, &plan, e) < 0 ? -1 :
	       db ? 0 : publish_plan(&publish, &plan, e);
}

/* A plan that is refused, or only looked at, makes no state file. */
static int run_publish(struct tool *t, struct err *e)
{
	bool watched = isatty(STDERR_FILENO) || t->verbose > 0, stored = access(t->db, F_OK) == 0,
	     prints = publish.dry_run && t->format != TOOL_JSON;
	enum db_mode mode = t->db_is_default ? DB_CREATE_DIR : DB_CREATE;
	publish.wants_diff = publish.dry_run || watched;
	if ((stored && open_db(t, mode, e) < 0) || run_check(t, e) < 0 ||
	    (!stored && !publish.dry_run && open_db(t, mode, e) < 0) ||
	    (db && publish_plan(&publish, &plan, e) < 0) ||
	    (prints && tool_print(str_span(&publish.diff), e) < 0))
		return -1;
	if (watched && !prints)
		log_notes(str_z(&publish.diff));
	if (publish.c.changed || watched)
		log_notes(str_z(&publish.notes));
	return publish.c.n_moved == 0 ? 0 : open_list(t, plan_moved, e) < 0 ? -1 :
	       end(planrows_moved(&rows, &publish.c, e), e);
}

static int show_one(struct tool *t, const char *name, void *ctx, struct err *e)
{
	struct overview v CLEANUP(overview_release) = OVERVIEW_INIT;
	struct str text CLEANUP(str_release) = STR_INIT;
	(void)ctx;
	if (as_plan || t->format == TOOL_JSON)
		return planjson_read(db, name, as_plan ? PLANJSON_FILE : PLANJSON_RESPONSE, &text, e) < 0
		       ? -1 : tool_print(str_span(&text), e);
	if (overview_read(db, name, NULL, &v, e) < 0)
		return -1;
	overview_verdict(&v.d, &text);
	if ((t->format == TOOL_TABLE && tool_printf(e, "%s\n", str_z(&text)) < 0) ||
	    open_list(t, plan_show, e) < 0)
		return -1;
	return end(planrows_show(&rows, &v, e), e);
}

static int run_show(struct tool *t, struct err *e)
{
	return open_db(t, DB_EXISTING, e) < 0 ? -1 : each(t, show_one, e);
}

static int run_list(struct tool *t, struct err *e)
{
	const char *text = t->n_operands > 0 ? t->operands[0] : NULL;
	bool more = false;
	if (open_both(t, plan_list, e) < 0 || planrows_list(&rows, text, page - 1, &more, e) < 0)
		return -1;
	if (more && isatty(STDERR_FILENO))
		log_note("there are more: --page %lld", (long long)page + 1);
	return end(0, e);
}

static int run_update(struct tool *t, struct err *e)
{
	struct states reports CLEANUP(states_release) = STATES_INIT;
	const struct states_given given = { (const char **)t->operands + 1, t->n_operands - 1, run_id,
					    run_link, passback };
	if (states_read(&reports, &given, e) < 0 || open_both(t, plan_moved, e) < 0 ||
	    steer_update(&asked, t->operands[0], &reports, e) < 0)
		return -1;
	return end(planrows_moved(&rows, &asked.c, e), e);
}

static int run_steer(struct tool *t, struct err *e)
{
	struct chosen_which which = { .all = all ? CHOSEN_ALL : CHOSEN_FAILED };
	if (*t->verb == 'c' && (t->n_operands > 1) + failed + all != 1)
		return err_set(e, ERR_USAGE, "name the data products, or give --failed or --all");
	if (open_words(t, plan_moved, e) < 0)
		return -1;
	which.operands = (const char **)words.v;
	if (steer_run(&asked, t->verb, t->operands[0], &which, e) < 0)
		return -1;
	log_notes(str_z(&asked.notes));
	return end(planrows_moved(&rows, &asked.c, e), e);
}

static int pause_one(struct tool *t, const char *name, void *ctx, struct err *e)
{
	(void)ctx;
	return steer_pause(&asked, name, *t->verb == 'p', e) < 0 ? -1 :
	       planrows_moved(&rows, &asked.c, e);
}

static int run_pause(struct tool *t, struct err *e)
{
	return open_both(t, plan_moved, e) < 0 ? -1 : end(tool_each(t, pause_one, NULL, e), e);
}

static int run_why(struct tool *t, struct err *e)
{
	return open_words(t, plan_why, e) < 0 ? -1 :
	       end(planrows_why(&rows, t->operands[0], (const char **)words.v, e), e);
}

static int ready_one(struct tool *t, const char *name, void *ctx, struct err *e)
{
	(void)t, (void)ctx;
	return planrows_ready(&rows, name, e);
}

static int run_ready(struct tool *t, struct err *e)
{
	return open_both(t, plan_ready, e) < 0 ? -1 :
	       end(t->n_operands > 0 ? tool_each(t, ready_one, NULL, e) : ready_one(t, NULL, NULL, e), e);
}

static int run_history(struct tool *t, struct err *e)
{
	return open_both(t, plan_history, e) < 0 ? -1 :
	       end(planrows_history(&rows, t->operands[0], t->n_operands > 1 ? t->operands[1] : NULL, e), e);
}

static int run_output(struct tool *t, struct err *e)
{
	struct str body CLEANUP(str_release) = STR_INIT;
	return open_db(t, DB_EXISTING, e) < 0 ||
	       produce_output(db, t->operands[0], t->operands[1], &body, e) < 0 ? -1 :
	       tool_print(str_span(&body), e);
}

static int run_wait(struct tool *t, struct err *e)
{
	return open_db(t, DB_EXISTING, e) < 0 ? -1 : rest_wait(db, t->operands[0], timeout_ms, e);
}

static int delete_one(struct tool *t, const char *name, void *ctx, struct err *e)
{
	char id[ID_UUID + 1];
	int rc = steer_delete(&asked, name, older_ms, e);
	(void)ctx;
	if (rc <= 0) /* of those that nobody has named, what is in use stays */
		return rc < 0 && t->n_operands == 0 && e->code == ERR_STATE ? 0 : rc;
	return tool_printf(e, t->format != TOOL_JSON ? "%s\n" :
			   "{\"id\":\"%s\",\"object\":\"dataset\",\"deleted\":%s}\n",
			   id_uuid(asked.ds.uuid, id), asked.dry_run ? "false" : "true");
}

static int run_delete(struct tool *t, struct err *e)
{
	if (t->n_operands == 0 && older_ms == 0)
		return err_set(e, ERR_USAGE, "name the datasets, or give --older-than DUR");
	return open_db(t, DB_EXISTING, e) < 0 ? -1 : each(t, delete_one, e);
}

#define SOME "DATASET PRODUCT..."
#define ANY "DATASET [PRODUCT]..."
static const struct tool_verb verbs[] = {
	{ "publish", "FILE|-", 1, 1, "store a plan or its changes", NULL, publish_options, run_publish },
	{ "check", "FILE|-", 1, 1, "check a plan, store nothing", NULL, check_options, run_check },
	{ "show", "[DATASET]...", 0, -1, "show how datasets stand", NULL, show_options, run_show },
	{ "list", "[TEXT]", 0, 1, "list datasets, or those with TEXT", NULL, list_options, run_list },
	{ "update", "DATASET PRODUCT=STATE...|-", 2, -1, "report how products stand", NULL,
	  update_options, run_update },
	{ "retry", ANY, 1, -1, "run again what failed", NULL, steer_options, run_steer },
	{ "clear", ANY, 1, -1, "start again from zero", NULL, clear_options, run_steer },
	{ "pause", "DATASET...", 1, -1, "queue nothing more", NULL, steer_options, run_pause },
	{ "unpause", "DATASET...", 1, -1, "go on", NULL, steer_options, run_pause },
	{ "disable", SOME, 2, -1, "take products out of the plan", NULL, steer_options, run_steer },
	{ "enable", SOME, 2, -1, "bring them back", NULL, steer_options, run_steer },
	{ "trigger", SOME, 2, -1, "queue what is not eager", NULL, steer_options, run_steer },
	{ "why", ANY, 1, -1, "say why products are where they are", NULL, NULL, run_why },
	{ "ready", "[DATASET]...", 0, -1, "list what waits only for a person", NULL, NULL, run_ready },
	{ "wait", "DATASET", 1, 1, "wait until a dataset is at rest", NULL, wait_options, run_wait },
	{ "output", "DATASET PRODUCT", 2, 2, "write what its command has written", NULL, NULL, run_output },
	{ "history", "DATASET [PRODUCT]", 1, 2, "list every change", NULL, NULL, run_history },
	{ "delete", "[DATASET]...", 0, -1, "forget datasets", NULL, delete_options, run_delete },
	{ .run = NULL },
};

int main(int argc, char **argv)
{
	static const struct tool_program program = {
		"fletcher-plan", "keep plans of data products and trigger what is ready", .verbs = verbs,
		.libraries = db_about,
		.examples = "fletcher-plan publish --dataset papers plan.json && fletcher-plan show papers\n"
			    "fletcher-plan update papers extract=success\nfletcher-plan retry papers\n",
	};
	asked.by = publish.by = user_name();
	int status = tool_main(&program, argc, argv);
	steer_release(&asked);
	publish_release(&publish);
	plan_release(&plan);
	words_release(&words);
	out_free(list);
	db_close(db);
	return status;
}
