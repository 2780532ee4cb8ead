/* fsl-file: files of request templates. */
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/outfile.h"
#include "base/safe.h"
#include "cli/out.h"
#include "cli/progress.h"
#include "cli/tool.h"
#include "domain/batch.h"
#include "domain/file.h"
#include "domain/import.h"
#include "domain/object.h"
#include "domain/stats.h"
#include "store/db.h"

enum { PAGE = 1000, SHOWN = 200, MAX_LINE = 512 << 20 };

static const char *skip_invalid, *output;
static int64_t older_than = -1;
static bool dry_run, force;
static struct import asked = IMPORT_INIT;

#define DRY_RUN { .kind = OPT_FLAG, .letter = 'n', .name = "dry-run", .dst = &dry_run, \
		  .help = "check everything, say what would change, change nothing" }

static const struct opt import_options[] = {
	{ .kind = OPT_TEXT, .name = "name", .dst = &asked.name, .arg = "NAME",
	  .help = "a name to use in place of the id; nothing else may have it" },
	{ .kind = OPT_TEXT, .name = "url", .dst = &asked.rules.default_url, .arg = "PATH",
	  .help = "url of the lines that have none; it is appended to them" },
	{ .kind = OPT_TEXT, .name = "model", .dst = &asked.rules.default_model, .arg = "MODEL",
	  .help = "the key for limits of the lines that name no model; it is appended to them" },
	{ .kind = OPT_FLAG, .name = "if-absent", .dst = &asked.if_absent,
	  .help = "the same content again prints the id of the file that is there" },
	{ .kind = OPT_TEXT, .name = "skip-invalid", .dst = &skip_invalid, .arg = "FILE",
	  .help = "write bad lines to FILE, go on with the good ones, exit 3" },
	{ .kind = OPT_INT, .name = "max-errors", .dst = &asked.max_errors, .arg = "N",
	  .help = "problems to report before giving up", .dflt = "20", .min = 1, .max = 1000000 },
	{ .kind = OPT_FLAG, .name = "strict", .dst = &asked.strict,
	  .help = "the limits of OpenAI's service as well: one url, one model, POST only, "
		  "50,000 requests, 200 MB; no byte order mark, CR LF or blank lines" },
	{ .kind = OPT_FLAG, .name = "allow-inline-secrets", .dst = &asked.rules.allow_secrets,
	  .help = "accept keys in headers, in a url or in api_key; they are stored" },
	{ .kind = OPT_SIZE, .name = "max-line", .dst = &asked.max_line, .arg = "SIZE",
	  .help = "the longest line to accept", .dflt = "32M", .min = 1, .max = MAX_LINE },
	DRY_RUN,
	{ .kind = OPT_END },
};

static const struct opt export_options[] = {
	{ .kind = OPT_TEXT, .letter = 'o', .name = "output", .dst = &output, .arg = "FILE",
	  .help = "write to FILE, whole or not at all", .dflt = "standard output" },
	{ .kind = OPT_END },
};

static const struct opt delete_options[] = {
	{ .kind = OPT_DURATION, .name = "older-than", .dst = &older_than, .arg = "DUR",
	  .help = "only files older than that; without operands all that no batch needs" },
	{ .kind = OPT_FLAG, .name = "force", .dst = &force,
	  .help = "accepted and not needed: a file holds no results" },
	DRY_RUN,
	{ .kind = OPT_END },
};

static const char import_help[] =
	"Prints the id of the file.  It is stored whole or not at all, whatever happens.\n"
	"Each line is checked; problems are told as FILE:LINE:COLUMN: CODE: WHY, with\n"
	"lines and columns as they stand in the input, and nothing is stored then.\n"
	"\n"
	"A line that gets its url from --url or its model from --model is stored with\n"
	"that member behind its last one, and export gives it like that.\n";

static struct db *open_to_write(const struct tool *t, struct err *e)
{
	return db_open(t->db, t->db_is_default ? DB_CREATE_DIR : DB_CREATE, e);
}

static struct db *open_to_read(const struct tool *t, struct err *e)
{
	return db_open(t->db, DB_EXISTING, e);
}

static struct {
	struct progress bar;
	int64_t start_ms;
} shown;

static void on_progress(void *ctx, int64_t lines, int64_t bytes)
{
	int64_t now = clock_mono_ms(), took = now - shown.start_ms;
	struct progress_state s = {
		.what = "reading", .done = lines, .total = -1, .failed = -1, .retrying = -1,
		.in_flight = -1, .eta_ms = -1,
		.rate_milli = took > 0 ? lines * 1000000 / took : -1,
	};
	(void)ctx;
	(void)bytes;
	if (progress_due(&shown.bar, now))
		progress_show(&shown.bar, &s, now);
}

static void on_problem(void *ctx, const char *file, int64_t line,
		       const struct line_problem *why)
{
	(void)ctx;
	progress_clear(&shown.bar);
	log_error("%s:%lld:%zu: %s: %s", safe_show(span_of(file), SHOWN), (long long)line,
		  why->column, line_code_text(why->code), why->text);
}

static int print_object(struct db *db, const struct file *f, struct err *e)
{
	struct str object CLEANUP(str_release) = STR_INIT;
	if (object_file(db, f, &object, e) < 0)
		return -1;
	str_addc(&object, '\n');
	return tool_print(str_span(&object), e);
}

static int store(const struct tool *t, struct import *im, struct err *e)
{
	struct db *db CLEANUP(db_cleanup) = open_to_write(t, e);
	struct file f CLEANUP(file_release) = FILE_INIT;
	char id[FILE_ID_BUF];
	if (!db || import_run(db, im, &f, e) < 0)
		return -1;
	progress_clear(&shown.bar);
	if (im->existed && im->name && strcmp(f.name ? f.name : "", im->name) != 0)
		log_note("the same content is there already, its name stays '%s'",
			 safe_show(span_of(f.name), SHOWN));
	if (t->format == TOOL_JSON)
		return print_object(db, &f, e);
	return tool_printf(e, "%s\n", file_id_text(f.uuid, id));
}

/* Would the name be free?  No state file: it would. */
static int check_name(const struct tool *t, struct err *e)
{
	struct file f CLEANUP(file_release) = FILE_INIT;
	struct db *db CLEANUP(db_cleanup) = open_to_read(t, e);
	if ((!db && e->code == ERR_NOTFOUND) || (db && file_find(db, asked.name, &f, e) < 0))
		return e->code == ERR_NOTFOUND ? 0 : -1;
	return !db ? -1 : err_set(e, ERR_STATE, "the name '%s' is taken",
				  safe_show(span_of(asked.name), SHOWN));
}

static int check_only(const struct tool *t, struct import *im, struct err *e)
{
	bool imports = strcmp(t->verb, "import") == 0;
	if (import_check(im, e) < 0)
		return -1;
	progress_clear(&shown.bar);
	if (imports && im->name && !im->if_absent && check_name(t, e) < 0)
		return -1;
	if (imports)
		log_note("%s: would import %lld requests", safe_show(span_of(im->path), SHOWN),
			 (long long)im->lines);
	return 0;
}

/* import and check, all operands one after the other. */
static int run_import(struct tool *t, struct err *e)
{
	struct outfile *skipped CLEANUP(outfile_cleanup) = NULL;
	bool stores = strcmp(t->verb, "import") == 0 && !dry_run;
	int worst = EXIT_OK;
	int64_t bad = 0;
	if (skip_invalid && !(dry_run && strcmp(t->verb, "import") == 0)) {
		skipped = outfile_open(skip_invalid, e);
		if (!skipped)
			return -1;
	}
	progress_start(&shown.bar, t);
	shown.start_ms = clock_mono_ms();
	for (int i = 0; i < t->n_operands; i++) {
		struct import im = asked;
		im.path = t->operands[i];
		im.problem = on_problem;
		im.progress = on_progress;
		im.skipped = skipped;
		int rc = (stores ? store : check_only)(t, &im, e);
		progress_clear(&shown.bar);
		bad += im.bad;
		if (rc == 0)
			continue;
		if (t->n_operands == 1 || (e->code != ERR_INPUT && e->code != ERR_NOINPUT))
			return -1;
		tool_complain(e);
		worst = tool_status(e->code) > worst ? tool_status(e->code) : worst;
	}
	if (skipped && outfile_commit(skipped, e) < 0)
		return -1;
	if (skipped && bad > 0)
		log_note("%lld bad lines are in %s", (long long)bad,
			 safe_show(span_of(skip_invalid), SHOWN));
	return worst ? worst : bad > 0 ? EXIT_SOME : EXIT_OK;
}
