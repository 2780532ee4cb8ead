/* fsl-batch: batches, their requests and their results. */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "cli/batch_opts.h"
#include "cli/cell.h"
#include "cli/create_opts.h"
#include "cli/intake.h"
#include "cli/progress.h"
#include "cli/words.h"
#include "domain/attempt.h"
#include "domain/batchset.h"
#include "domain/change.h"
#include "domain/exchange.h"
#include "domain/object.h"
#include "engine/deliver.h"
#include "engine/follow.h"
#include "engine/submit.h"

static struct create_options create = CREATE_OPTIONS_INIT;
static struct deliver deliver = DELIVER_INIT;
static struct opt_list metadata, headers, custom_ids;
static const char *statuses, *list_after, *states, *http, *codes;
static int64_t since, limit = INT32_MAX, timeout_ms = -1, attempt;
static bool any, attempts, curl;
static struct select chosen;   /* by --state, --http, --code and --custom-id */
static struct change asked = { .chosen = &chosen };
static struct words code_words, id_words;
static struct db *db;          /* these three are released by main() */

#define END { .kind = OPT_END }
static const struct opt create_options[] = {
	CREATE_OPTS(create, metadata, headers) SEND_OPTS(create) DRY_RUN_OPT(asked.dry_run) END,
};
static const struct opt list_options[] = { LIST_OPTS(statuses, since, limit, list_after) END };
static const struct opt wait_options[] = { WAIT_OPTS(timeout_ms, any) END };
static const struct opt results_options[] = { RESULTS_OPTS(deliver) END };
static const struct opt requests_options[] = {
	REQUESTS_OPTS(states, http, codes, custom_ids, attempts) END,
};
static const struct opt inspect_options[] = { INSPECT_OPTS(attempt, curl) END };
static const struct opt retry_options[] = {
	RETRY_OPTS(states, http, codes, custom_ids, asked) END,
};
static const struct opt cancel_options[] = { CANCEL_OPTS(custom_ids, asked) END };
static const struct opt delete_options[] = { DELETE_OPTS(asked) END };

static int open_db(const struct tool *t, struct err *e)
{
	db = db_open(t->db, DB_EXISTING, e);
	return db ? 0 : -1;
}

static int choose(struct err *e)
{
	if ((states && select_states(&chosen, states, e) < 0) ||
	    (http && select_http(&chosen, http, e) < 0) ||
	    words_split(&code_words, codes, e) < 0 || words_given(&id_words, &custom_ids, e) < 0)
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
	return batch_find(db, operand, &b, e) < 0 ? -1 : named(ctx, &b, e);
}

/* Calls fn for each operand; without operands, for every batch.  Its context
 * is a list with these columns, if there are any. */
static int each_batch(struct tool *t, const struct out_column *columns, batch_fn *fn,
		      struct err *e)
{
	struct out *o CLEANUP(out_cleanup) = columns ? out_begin(t, columns, e) : NULL;
	int64_t after = 0;
	if ((columns && !o) || open_db(t, e) < 0)
		return -1;
	named = fn;
	int rc = t->n_operands > 0 ? tool_each(t, find_one, o, e) :
		 batch_list(db, &(struct batch_filter){ 0 }, &after, INT32_MAX, fn, o, e) < 0 ? -1 : 0;
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
	return each_batch(t, NULL, show_batch, e);
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
	const struct cell cells[] = {
		cell_textz(batch_id_text(b->uuid, id)), cell_time(b->created_ms),
		cell_textz(batch_status_text(b->status)), cell_int(b->total),
		cell_int(b->completed), cell_int(b->failed), cell_textz(b->name),
	};
	return cell_row(ctx, cells, ARRAY_LEN(cells), e);
}

static int run_list(struct tool *t, struct err *e)
{
	static const struct out_column columns[] = {
		{ "BATCH_ID", "batch_id", OUT_TEXT }, { "CREATED", "created", OUT_TIME },
		{ "STATUS", "status", OUT_TEXT }, { "TOTAL", "total", OUT_INT },
		{ "COMPLETED", "completed", OUT_INT }, { "FAILED", "failed", OUT_INT },
		{ "NAME", "name", OUT_TEXT }, { 0 },
	};
	struct out *o CLEANUP(out_cleanup) = out_begin(t, columns, e);
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
	const struct cell cells[] = {
		cell_int(request_line(r->row)), cell_text(r->custom_id),
		cell_textz(r->retrying ? "retrying" : request_state_text(r->state)),
		cell_int(r->attempts), cell_int_if(r->status > 0, r->status),
		cell_int_if(r->took_ms >= 0, r->took_ms),
		cell_int_if(r->input_tokens >= 0, r->input_tokens + r->output_tokens),
		cell_text(r->model), cell_time(r->next_ms), cell_text(r->code), cell_text(r->message),
	};
	return cell_row(ctx, cells, ARRAY_LEN(cells), e);
}

static int list_requests(void *ctx, const struct batch *b, struct err *e)
{
	return (attempts ? attempt_rows : select_each)(db, b, &chosen, print_request, ctx, e) < 0
	       ? -1 : 0;
}

static int run_requests(struct tool *t, struct err *e)
{
	static const struct out_column columns[] = {
		{ "LINE", "line", OUT_INT }, { "CUSTOM_ID", "custom_id", OUT_TEXT },
		{ "STATE", "state", OUT_TEXT }, { "ATTEMPTS", "attempts", OUT_INT },
		{ "HTTP", "http", OUT_INT }, { "MS", "ms", OUT_INT }, { "TOKENS", "tokens", OUT_INT },
		{ "MODEL", "model", OUT_TEXT }, { "NEXT", "next", OUT_TIME },
		{ "CODE", "code", OUT_TEXT }, { "MESSAGE", "message", OUT_TEXT }, { 0 },
	};
	return choose(e) < 0 ? -1 : each_batch(t, columns, list_requests, e);
}

static int print_group(void *ctx, const struct attempt_group *g, struct err *e)
{
	const struct cell cells[] = {
		cell_int_if(g->status > 0, g->status), cell_text(g->code), cell_int(g->count),
		cell_text(g->custom_id), cell_text(g->message),
	};
	return cell_row(ctx, cells, ARRAY_LEN(cells), e);
}

static int list_errors(void *ctx, const struct batch *b, struct err *e)
{
	return attempt_groups(db, b, print_group, ctx, e) < 0 ? -1 : 0;
}

static int run_errors(struct tool *t, struct err *e)
{
	static const struct out_column columns[] = {
		{ "STATUS", "status", OUT_INT }, { "CODE", "code", OUT_TEXT },
		{ "COUNT", "count", OUT_INT }, { "EXAMPLE", "example", OUT_TEXT },
		{ "MESSAGE", "message", OUT_TEXT }, { 0 },
	};
	return each_batch(t, columns, list_errors, e);
}

static int run_inspect(struct tool *t, struct err *e)
{
	struct batch b CLEANUP(batch_release) = BATCH_INIT;
	struct str text CLEANUP(str_release) = STR_INIT;
	int form = curl ? EXCHANGE_CURL : t->format == TOOL_JSON ? EXCHANGE_JSON : EXCHANGE_TEXT;
	if (open_db(t, e) < 0 || batch_find(db, t->operands[0], &b, e) < 0 ||
	    exchange_inspect(db, &b, span_of(t->operands[1]), attempt, form, &text, e) < 0)
		return -1;
	return tool_print(str_span(&text), e);
}

static int change_one(void *ctx, const struct batch *b, struct err *e)
{
	char id[BATCH_ID_BUF];
	struct change_done done;
	int rc = change_batch(db, b, &asked, &done, e);
	const struct cell cells[] = { cell_textz(batch_id_text(done.batch, id)), cell_int(done.requests) };
	return rc <= 0 ? rc : cell_row(ctx, cells, ARRAY_LEN(cells), e);
}

static int run_change(struct tool *t, struct err *e)
{
	static const struct out_column columns[] = {
		{ "BATCH_ID", "batch_id", OUT_TEXT }, { "REQUESTS", "requests", OUT_INT }, { 0 },
	};
	asked.what = *t->verb == 'r' ? CHANGE_RETRY : *t->verb == 'c' ? CHANGE_CANCEL : CHANGE_DELETE;
	asked.every = t->n_operands == 0;
	if (asked.every && !asked.older_than_ms)
		return err_set(e, ERR_USAGE, "name the batches, or give --older-than DUR");
	return choose(e) < 0 ? -1 : each_batch(t, columns, change_one, e);
}

static const struct tool_verb verbs[] = {
	{ "create", "FILE-ID|FILE|-", 1, 1, "make a batch and print its id; a path is imported first",
	  NULL, create_options, run_create },
	{ "list", "", 0, 0, "list the batches, newest first", NULL, list_options, run_list },
	{ "show", "BATCH...", 1, -1, "print batches as JSON objects", NULL, NULL, run_show },
	{ "wait", "BATCH...", 1, -1, "wait until they have ended", NULL, wait_options, run_together },
	{ "results", "BATCH...", 1, -1, "write the output and error lines of batches", NULL,
	  results_options, run_together },
	{ "requests", "BATCH...", 1, -1, "list requests and where they stand", NULL,
	  requests_options, run_requests },
	{ "inspect", "BATCH CUSTOM-ID", 2, 2, "show one request and its attempts", NULL,
	  inspect_options, run_inspect },
	{ "errors", "BATCH...", 1, -1, "count what failed, and why", NULL, NULL, run_errors },
	{ "cancel", "BATCH...", 1, -1, "cancel what is not sent", NULL, cancel_options, run_change },
	{ "retry", "BATCH...", 1, -1, "send failed, expired and cancelled requests once more", NULL,
	  retry_options, run_change },
	{ "delete", "[BATCH]...", 0, -1, "delete batches, their requests and results", NULL,
	  delete_options, run_change },
	{ .run = NULL },
};

static const char *libraries(void)
{
	static char text[32];
	snprintf(text, sizeof(text), "SQLite %s", db_library());
	return text;
}

int main(int argc, char **argv)
{
	static const struct tool_program program = {
		"fsl-batch", "create, watch and read batches", .verbs = verbs, .libraries = libraries,
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
