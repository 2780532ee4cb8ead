/* fsl-batch: batches, their requests and their results. */
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "cli/batch_columns.h"
#include "cli/batch_opts.h"
#include "cli/create_opts.h"
#include "cli/intake.h"
#include "cli/progress.h"
#include "cli/words.h"
#include "domain/attempt.h"
#include "domain/batchset.h"
#include "domain/change.h"
#include "domain/exchange.h"
#include "domain/object.h"
#include "domain/queue.h"
#include "domain/usage.h"
#include "engine/deliver.h"
#include "engine/follow.h"
#include "engine/submit.h"
#include "store/backup.h"

static struct create_options create = CREATE_OPTIONS_INIT;
static struct deliver deliver = DELIVER_INIT;
static struct opt_list metadata, headers, escalations;
static const char *statuses, *list_after;
static int64_t since, limit = INT32_MAX, timeout_ms = -1, attempt;
static bool any, attempts, curl;
static struct usage_options usage;
static struct { const char *states, *http, *codes; struct opt_list custom_ids; } given;
static struct select chosen;   /* by what is given */
static struct change asked = { .chosen = &chosen };
static struct words code_words, id_words;
static struct db *db;          /* these three are released by main() */

static int open_db(const struct tool *t, struct err *e)
{
	if (!db)
		db = db_open(t->db, DB_EXISTING, e);
	return db ? 0 : -1;
}

static int choose(struct err *e)
{
	if ((given.states && select_states(&chosen, given.states, e) < 0) ||
	    (given.http && select_http(&chosen, given.http, e) < 0) ||
	    words_split(&code_words, given.codes, e) < 0 ||
	    words_given(&id_words, &given.custom_ids, e) < 0)
		return -1;
	chosen.codes = (const char *const *)code_words.v;
	chosen.custom_ids = (const char *const *)id_words.v;
	return 0;
}

/* For tool_each(): the batch that the operand names, given to `named`. */
static batch_fn *named;

static int find_one(struct tool *t, const char *operand, void *ctx, struct err *e)
{
	struct batch b CLEANUP(batch_release) = BATCH_INIT;
	(void)t;
	return batchset_find(db, operand, &b, e) < 0 ? -1 : named(ctx, &b, e);
}

/* Calls fn for each operand; without operands, for every batch.  Its context
 * is a list with these columns, if there are any. */
static int each_batch(struct tool *t, const struct out_column *columns, batch_fn *fn, void *ctx,
		      struct err *e)
{
	struct out *o CLEANUP(out_cleanup) = columns ? out_begin(t, columns, e) : NULL;
	int64_t after = 0;
	if ((columns && !o) || open_db(t, e) < 0)
		return -1;
	named = fn;
	ctx = o ? o : ctx;
	int rc = t->n_operands > 0 ? tool_each(t, find_one, ctx, e) :
		 batch_list(db, &(struct batch_filter){ 0 }, &after, INT32_MAX, fn, ctx, e) < 0 ? -1 : 0;
	return rc >= 0 && o && out_end(o, e) < 0 ? -1 : rc;
}

static int show_batch(void *ctx, const struct batch *b, struct err *e)
{
	struct str object CLEANUP(str_release) = STR_INIT;
	(void)ctx;
	if (object_batch(db, b, &object, e) < 0)
		return -1;
	str_addc(&object, '\n');
	return tool_print(str_span(&object), e);
}

static int run_show(struct tool *t, struct err *e)
{
	return each_batch(t, NULL, show_batch, NULL, e);
}

static int run_create(struct tool *t, struct err *e)
{
	struct batch b CLEANUP(batch_release) = BATCH_INIT;
	struct progress bar;
	const struct submit s = {
		.options = &create, .operand = t->operands[0], .dry_run = asked.dry_run, .db_path = t->db,
		.mode = t->db_is_default ? DB_CREATE_DIR : DB_CREATE,
		.progress = intake_progress, .clear = intake_clear, .ctx = &bar,
	};
	char id[BATCH_ID_BUF];
	create.metadata = metadata.v, create.n_metadata = metadata.n;
	create.headers = headers.v, create.n_headers = headers.n;
	create.escalations = escalations.v, create.n_escalations = escalations.n;
	progress_start(&bar, t);
	if (submit_batch(&s, &db, &b, e) < 0)
		return -1;
	if (asked.dry_run || t->format == TOOL_JSON)
		return asked.dry_run ? EXIT_OK : show_batch(NULL, &b, e);
	return tool_printf(e, "%s\n", batch_id_text(b.uuid, id));
}

static int list_row(void *ctx, const struct batch *b, struct err *e)
{
	char id[BATCH_ID_BUF];
	const struct cell cells[] = { BATCH_CELLS(b, batch_id_text(b->uuid, id)) };
	return cell_row(ctx, cells, ARRAY_LEN(cells), e);
}

static int run_list(struct tool *t, struct err *e)
{
	struct out *o CLEANUP(out_cleanup) = out_begin(t, batch_columns, e);
	struct batch last CLEANUP(batch_release) = BATCH_INIT;
	struct batch_filter f = { .since_ms = since ? clock_wall_ms() - since : 0 };
	if (!o || batchset_statuses(statuses, &f.statuses, e) < 0 || open_db(t, e) < 0 ||
	    (list_after && batch_find(db, list_after, &last, e) < 0))
		return -1;
	return batch_list(db, &f, &last.id, (int)limit, list_row, o, e) < 0 ? -1 : out_end(o, e);
}

static int add_operand(struct tool *t, const char *operand, void *ctx, struct err *e)
{
	(void)t;
	return batchset_add(db, ctx, operand, e);
}

/* wait and results: an operand that is wrong ends them before they begin. */
static int run_together(struct tool *t, struct err *e)
{
	struct batchset s CLEANUP(batchset_release) = BATCHSET_INIT;
	int rc = open_db(t, e) < 0 ? -1 : tool_each(t, add_operand, &s, e);
	if (rc != 0 || s.n == 0)
		return rc;
	return strcmp(t->verb, "wait") == 0 ? follow_exit(db, s.ids, s.n, any, timeout_ms, e) :
	       deliver_batches(db, s.v, s.n, &deliver, e);
}

static int print_request(void *ctx, const struct select_row *r, struct err *e)
{
	const struct cell cells[] = { REQUEST_CELLS(r) };
	return cell_row(ctx, cells, ARRAY_LEN(cells), e);
}

static int list_requests(void *ctx, const struct batch *b, struct err *e)
{
	return (attempts ? attempt_rows : select_each)(db, b, &chosen, print_request, ctx, e) < 0
	       ? -1 : 0;
}

static int print_group(void *ctx, const struct attempt_group *g, struct err *e)
{
	const struct cell cells[] = { ERROR_CELLS(g) };
	return cell_row(ctx, cells, ARRAY_LEN(cells), e);
}

static int list_errors(void *ctx, const struct batch *b, struct err *e)
{
	return attempt_groups(db, b, print_group, ctx, e) < 0 ? -1 : 0;
}

/* requests and errors */
static int run_details(struct tool *t, struct err *e)
{
	bool errors = *t->verb == 'e';
	return choose(e) < 0 ? -1 : each_batch(t, errors ? error_columns : request_columns,
					       errors ? list_errors : list_requests, NULL, e);
}

static int print_usage(void *ctx, const struct usage_row *u, struct err *e)
{
	const struct cell cells[] = { USAGE_CELLS(u) };
	return cell_row(ctx, cells, ARRAY_LEN(cells), e);
}

static int run_usage(struct tool *t, struct err *e)
{
	struct out *o CLEANUP(out_cleanup) = out_begin(t, usage_columns[usage.by], e);
	usage.since_ms = since ? clock_wall_ms() - since : 0;
	usage.named = t->n_operands > 0;
	struct usage *u CLEANUP(usage_cleanup) = NULL;
	if (o && open_db(t, e) == 0)
		u = usage_new(db, &usage, e);
	int rc = u ? each_batch(t, NULL, usage_add, u, e) : -1;
	if (rc < 0 || usage_each(u, print_usage, o, e) < 0 || out_end(o, e) < 0)
		return -1;
	usage_complain(u);
	return rc;
}

static int print_queue(void *ctx, const struct queue_row *q, struct err *e)
{
	const struct cell cells[] = { QUEUE_CELLS(q) };
	return cell_row(ctx, cells, ARRAY_LEN(cells), e);
}

static int run_queue(struct tool *t, struct err *e)
{
	struct out *o CLEANUP(out_cleanup) = out_begin(t, queue_columns, e);
	if (!o || open_db(t, e) < 0 || queue_each(db, clock_wall_ms(), print_queue, o, e) < 0)
		return -1;
	return out_end(o, e);
}

static int run_inspect(struct tool *t, struct err *e)
{
	struct batch b CLEANUP(batch_release) = BATCH_INIT;
	struct str text CLEANUP(str_release) = STR_INIT;
	int form = curl ? EXCHANGE_CURL : t->format == TOOL_JSON ? EXCHANGE_JSON : EXCHANGE_TEXT;
	if (open_db(t, e) < 0 || batchset_find(db, t->operands[0], &b, e) < 0 ||
	    exchange_inspect(db, &b, span_of(t->operands[1]), attempt, form, &text, e) < 0)
		return -1;
	return tool_print(str_span(&text), e);
}

static int change_one(void *ctx, const struct batch *b, struct err *e)
{
	char id[BATCH_ID_BUF];
	struct change_done done;
	int rc = change_batch(db, b, &asked, &done, e);
	const struct cell cells[] = { CHANGE_CELLS(batch_id_text(done.batch, id), done.requests) };
	return rc <= 0 ? rc : cell_row(ctx, cells, ARRAY_LEN(cells), e);
}

static int run_change(struct tool *t, struct err *e)
{
	asked.what = *t->verb == 'r' ? CHANGE_RETRY : *t->verb == 'c' ? CHANGE_CANCEL : CHANGE_DELETE;
	asked.every = t->n_operands == 0;
	if (asked.every && !asked.older_than_ms)
		return err_set(e, ERR_USAGE, "name the batches, or give --older-than DUR");
	return choose(e) < 0 ? -1 : each_batch(t, change_columns, change_one, NULL, e);
}

static int run_backup(struct tool *t, struct err *e)
{
	return open_db(t, e) < 0 ? -1 : backup_make(db, t->operands[0], asked.dry_run, e);
}

#define OPTIONS(...) (const struct opt[]){ __VA_ARGS__ { .kind = OPT_END } }
static const struct tool_verb verbs[] = {
	{ "create", "FILE-ID|FILE|-", 1, 1, "make a batch and print its id; a path is imported first",
	  NULL, OPTIONS(CREATE_OPTS(create, metadata, headers) SEND_OPTS(create, escalations)
			DRY_RUN_OPT(asked.dry_run)), run_create },
	{ "list", "", 0, 0, "list the batches, newest first", NULL,
	  OPTIONS(LIST_OPTS(statuses, since, limit, list_after)), run_list },
	{ "show", "BATCH...", 1, -1, "print batches as JSON objects", NULL, NULL, run_show },
	{ "wait", "BATCH...", 1, -1, "wait until they have ended", NULL,
	  OPTIONS(WAIT_OPTS(timeout_ms, any)), run_together },
	{ "results", "BATCH...", 1, -1, "write the output and error lines of batches", NULL,
	  OPTIONS(RESULTS_OPTS(deliver)), run_together },
	{ "requests", "BATCH...", 1, -1, "list requests and where they stand", NULL,
	  OPTIONS(REQUESTS_OPTS(given, attempts)), run_details },
	{ "inspect", "BATCH CUSTOM-ID", 2, 2, "show one request and its attempts", NULL,
	  OPTIONS(INSPECT_OPTS(attempt, curl)), run_inspect },
	{ "errors", "BATCH...", 1, -1, "count what failed, and why", NULL, NULL, run_details },
	{ "usage", "[BATCH]...", 0, -1, "add up requests, tokens and what they cost", NULL,
	  OPTIONS(USAGE_OPTS(usage, since)), run_usage },
	{ "queue", "", 0, 0, "tell what waits to be sent, and why", NULL, NULL, run_queue },
	{ "cancel", "BATCH...", 1, -1, "cancel what is not sent", NULL,
	  OPTIONS(CANCEL_OPTS(given, asked)), run_change },
	{ "retry", "BATCH...", 1, -1, "send failed, expired and cancelled requests once more", NULL,
	  OPTIONS(RETRY_OPTS(given, asked)), run_change },
	{ "backup", "FILE", 1, 1, "copy the state file while others work on it", NULL,
	  OPTIONS(BACKUP_OPTS(asked)), run_backup },
	{ "delete", "[BATCH]...", 0, -1, "delete batches, their requests and results", NULL,
	  OPTIONS(DELETE_OPTS(asked)), run_change },
	{ .run = NULL },
};

int main(int argc, char **argv)
{
	static const struct tool_program program = {
		"fsl-batch", "create, watch and read batches", .verbs = verbs, .libraries = db_about,
		.examples = "fsl-batch create --name nightly rows.jsonl && fsl-run nightly\n"
			    "fsl-batch results -e bad.jsonl nightly > out.jsonl\n"
			    "fsl-batch errors @last; fsl-batch retry @last && fsl-run @last\n",
	};
	int status = tool_main(&program, argc, argv);
	words_release(&code_words);
	words_release(&id_words);
	db_close(db);
	return status;
}
