/* fsl-file: files of request templates. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/outfile.h"
#include "base/num.h"
#include "base/safe.h"
#include "cli/import_opts.h"
#include "cli/out.h"
#include "cli/progress.h"
#include "cli/tool.h"
#include "domain/batch.h"
#include "domain/file.h"
#include "domain/import.h"
#include "domain/importrows.h"
#include "domain/object.h"
#include "domain/stats.h"
#include "store/db.h"

enum { PAGE = 1000, SHOWN = 200 };

static struct import asked = IMPORT_INIT;
static const char *skip_invalid, *output = "-";
static int64_t older_than = -1;
static bool dry_run, force;
static struct progress bar;
static struct db *db; /* closed by main() */

#define DRY_RUN { .kind = OPT_FLAG, .letter = 'n', .name = "dry-run", .dst = &dry_run, \
		  .help = "check everything, say what would change, change nothing" },

static const struct opt import_options[] = {
	IMPORT_OPTS(asked, skip_invalid)
	DRY_RUN { .kind = OPT_END },
};
static const struct opt export_options[] = {
	{ .kind = OPT_TEXT, .letter = 'o', .name = "output", .dst = &output, .arg = "FILE",
	  .help = "write to FILE, whole or not at all", .dflt = "standard output" },
	{ .kind = OPT_END },
};
static const struct opt delete_options[] = {
	{ .kind = OPT_DURATION, .name = "older-than", .dst = &older_than, .arg = "DUR",
	  .help = "only older files; without operands all that no batch needs", .min = 1 },
	{ .kind = OPT_FLAG, .name = "force", .dst = &force,
	  .help = "accepted, but not needed: a file holds no results" },
	DRY_RUN { .kind = OPT_END },
};

static void on_progress(void *ctx, int64_t lines, int64_t bytes)
{
	struct progress_state s = { "reading", lines, -1, -1, -1, -1, -1, -1 };
	(void)ctx, (void)bytes;
	progress_show(&bar, &s, clock_mono_ms());
}

static void on_problem(void *ctx, const char *file, int64_t line,
		       const struct line_problem *why)
{
	(void)ctx;
	progress_clear(&bar);
	import_complain(file, line, why);
}

static int open_db(const struct tool *t, enum db_mode mode, struct err *e)
{
	db = db_open(t->db, mode, e);
	return db ? 0 : -1;
}

/* For tool_each(): the file that the operand names, given to `named`. */
static file_fn *named;

static int find_one(struct tool *t, const char *operand, void *ctx, struct err *e)
{
	struct file f CLEANUP(file_release) = FILE_INIT;
	(void)ctx;
	return file_find(db, operand, &f, e) < 0 ? -1 : named(t, &f, e);
}

static int print_object(void *ctx, const struct file *f, struct err *e)
{
	struct str object CLEANUP(str_release) = STR_INIT;
	(void)ctx;
	if (object_file(db, f, &object, e) < 0)
		return -1;
	str_addc(&object, '\n');
	return tool_print(str_span(&object), e);
}

static int store(const struct tool *t, struct err *e)
{
	struct file f CLEANUP(file_release) = FILE_INIT;
	char id[FILE_ID_BUF];
	if (open_db(t, t->db_is_default ? DB_CREATE_DIR : DB_CREATE, e) < 0 ||
	    import_run(db, &asked, &f, e) < 0)
		return -1;
	progress_clear(&bar);
	if (asked.existed && asked.name && f.name && strcmp(f.name, asked.name) != 0)
		log_note("the same content is there already, its name stays '%s'",
			 safe_show(span_of(f.name), SHOWN));
	if (t->format == TOOL_JSON)
		return print_object(NULL, &f, e);
	return tool_printf(e, "%s\n", file_id_text(f.uuid, id));
}

static int run_import(struct tool *t, struct err *e)
{
	bool checks = strcmp(t->verb, "check") == 0;
	const char *bad_lines = dry_run ? "/dev/null" : skip_invalid;
	struct outfile *skipped CLEANUP(outfile_cleanup) = NULL;
	int worst = EXIT_OK;
	int64_t bad = 0;
	char n[NUM_BUF];
	if (dry_run && asked.name && !asked.if_absent && access(t->db, F_OK) == 0 &&
	    (open_db(t, DB_EXISTING, e) < 0 || importrows_check_name(db, asked.name, e) < 0))
		return -1;
	for (int i = 0; skip_invalid && i < t->n_operands; i++)
		if (outfile_spares(bad_lines, t->operands[i], e) < 0)
			return -1;
	if (skip_invalid && !(skipped = outfile_open(bad_lines, e)))
		return -1;
	asked.skipped = skipped;
	progress_start(&bar, t);
	for (int i = 0; i < t->n_operands; i++) {
		asked.path = t->operands[i];
		int rc = checks || dry_run ? import_check(&asked, e) : store(t, e);
		progress_clear(&bar);
		bad += asked.bad;
		if (rc < 0)
			tool_complain(e);
		if (rc < 0 && err_status(e->code) > worst)
			worst = err_status(e->code);
	}
	if (skipped && outfile_commit(skipped, e) < 0)
		return -1;
	if (dry_run && !checks && worst == EXIT_OK)
		log_note("would import %s", num_of(asked.lines, "request", n));
	if (skipped && bad > 0)
		log_note("%s %s %s", num_of(bad, "bad line", n),
			 dry_run ? "would go to" : bad == 1 ? "is in" : "are in",
			 safe_show(span_of(skip_invalid), SHOWN));
	return worst ? worst : bad > 0 ? EXIT_SOME : EXIT_OK;
}

static int write_line(void *ctx, uint32_t line, struct span raw, struct err *e)
{
	(void)line;
	return outfile_write(ctx, raw, e) < 0 ? -1 : outfile_write(ctx, SPAN_LIT("\n"), e);
}

static int run_export(struct tool *t, struct err *e)
{
	struct file f CLEANUP(file_release) = FILE_INIT;
	if (open_db(t, DB_EXISTING, e) < 0 || file_find(db, t->operands[0], &f, e) < 0)
		return -1;
	struct outfile *o CLEANUP(outfile_cleanup) = outfile_open(output, e);
	return !o || file_lines(db, f.id, write_line, o, e) < 0 ? -1 : outfile_commit(o, e);
}

static int each_file(file_fn *fn, void *ctx, struct err *e)
{
	int64_t after = 0;
	int n = PAGE;
	while (n == PAGE)
		n = file_list(db, &after, PAGE, fn, ctx, e);
	return n < 0 ? -1 : 0;
}

static int list_row(void *ctx, const struct file *f, struct err *e)
{
	char id[FILE_ID_BUF];
	out_textz(ctx, file_id_text(f->uuid, id));
	out_time(ctx, f->created_ms);
	out_int(ctx, f->bytes);
	out_int(ctx, f->requests);
	out_textz(ctx, f->name);
	return out_row(ctx, e);
}

static int run_list(struct tool *t, struct err *e)
{
	static const struct out_column columns[] = {
		{ "FILE_ID", "file_id", OUT_TEXT }, { "CREATED", "created", OUT_TIME },
		{ "BYTES", "bytes", OUT_SIZE }, { "REQUESTS", "requests", OUT_INT },
		{ "NAME", "name", OUT_TEXT }, { .title = NULL },
	};
	struct out *o CLEANUP(out_cleanup) = out_begin(t, columns, e);
	bool ok = o && open_db(t, DB_EXISTING, e) == 0 && each_file(list_row, o, e) == 0;
	return ok ? out_end(o, e) : -1;
}

static int run_show(struct tool *t, struct err *e)
{
	named = print_object;
	return open_db(t, DB_EXISTING, e) < 0 ? -1 : tool_each(t, find_one, NULL, e);
}

static int stats_row(void *ctx, const struct stats_model *m, struct err *e)
{
	out_text(ctx, m->model);
	out_int(ctx, m->requests);
	out_int(ctx, m->body_bytes);
	out_int(ctx, m->input_tokens);
	m->max_output_tokens < 0 ? out_null(ctx) : out_int(ctx, m->max_output_tokens);
	return out_row(ctx, e);
}

static int add_stats(const struct tool *t, struct stats *s, const char *operand, struct err *e)
{
	struct file f CLEANUP(file_release) = FILE_INIT;
	asked.path = operand;
	if (strcmp(operand, "-") == 0 || access(operand, F_OK) == 0)
		return stats_add_input(s, &asked, e);
	bool found = (db || open_db(t, DB_EXISTING, e) == 0) && file_find(db, operand, &f, e) == 0;
	return found ? stats_add_file(s, db, f.id, e) : -1;
}

static int run_stats(struct tool *t, struct err *e)
{
	static const struct out_column columns[] = {
		{ "MODEL", "model", OUT_TEXT }, { "REQUESTS", "requests", OUT_INT },
		{ "BODY_BYTES", "body_bytes", OUT_SIZE },
		{ "EST_INPUT_TOKENS", "est_input_tokens", OUT_INT },
		{ "MAX_OUTPUT_TOKENS", "max_output_tokens", OUT_INT }, { .title = NULL },
	};
	struct stats *s CLEANUP(stats_cleanup) = stats_new();
	struct out *o CLEANUP(out_cleanup) = out_begin(t, columns, e);
	progress_start(&bar, t);
	for (int i = 0; o && i < t->n_operands; i++)
		if (add_stats(t, s, t->operands[i], e) < 0)
			return -1;
	progress_clear(&bar);
	return !o || stats_each(s, stats_row, o, e) < 0 ? -1 : out_end(o, e);
}

/* With no operands what is needed stays, and that is no error. */
static int delete_file(void *ctx, const struct file *f, struct err *e)
{
	const struct tool *t = ctx;
	char id[FILE_ID_BUF];
	if (older_than >= 0 && f->created_ms > clock_wall_ms() - older_than)
		return 0;
	if ((dry_run ? file_check_delete : file_delete)(db, f->id, e) < 0)
		return t->n_operands == 0 && e->code == ERR_STATE ? 0 : -1;
	return tool_printf(e, t->format != TOOL_JSON ? "%s\n" :
			   "{\"id\":\"%s\",\"object\":\"file\",\"deleted\":%s}\n",
			   file_id_text(f->uuid, id), dry_run ? "false" : "true");
}

static int run_delete(struct tool *t, struct err *e)
{
	if (t->n_operands == 0 && older_than < 0)
		return err_set(e, ERR_USAGE, "name the files, or give --older-than DUR");
	if (open_db(t, DB_EXISTING, e) < 0 ||
	    (!dry_run && (batch_sweep(db, e) < 0 || file_sweep(db, e) < 0)))
		return -1;
	named = delete_file;
	return t->n_operands > 0 ? tool_each(t, find_one, NULL, e) : each_file(delete_file, t, e);
}

static const char import_help[] =
	"Prints the id.  If a line is bad (FILE:LINE:COLUMN: CODE: WHY), nothing is stored.\n"
	"A line that gets its url from --url or its model from --model is stored with that\n"
	"as its last member, and exported like that.\n";

static const struct tool_verb verbs[] = {
	{ "import", "FILE|-", 1, 1, "import a file of requests, one JSON object per line",
	  import_help, import_options, run_import },
	{ "check", "FILE|-...", 1, -1, "check files as import does, and store nothing", NULL,
	  import_options, run_import },
	{ "export", "FILE-ID", 1, 1, "write the lines of a file", NULL, export_options, run_export },
	{ "list", "", 0, 0, "list the files, newest first", NULL, NULL, run_list },
	{ "show", "FILE-ID...", 1, -1, "print files as JSON objects", NULL, NULL, run_show },
	{ "stats", "FILE-ID|FILE|-...", 1, -1, "count requests, bytes and tokens per model", NULL,
	  NULL, run_stats },
	{ "delete", "[FILE-ID]...", 0, -1, "delete files and print their ids", NULL,
	  delete_options, run_delete },
	{ .run = NULL },
};

int main(int argc, char **argv)
{
	static const struct tool_program program = {
		"fsl-file", "keep files of request templates", .verbs = verbs, .libraries = db_about,
		.examples = "fsl-file import --name rows --skip-invalid bad.jsonl rows.jsonl\n"
			    "fsl-file check --strict rows.jsonl && fsl-file stats rows.jsonl\n"
			    "fsl-file export rows | head -n 1\n"
			    "fsl-file delete --older-than 30d\n",
	};
	asked.problem = on_problem;
	asked.progress = on_progress;
	int status = tool_main(&program, argc, argv);
	db_close(db);
	return status;
}
