#include "domain/select.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/num.h"
#include "base/safe.h"
#include "domain/answer.h"
#include "domain/ending.h"
#include "domain/tally.h"
#include "store/tx.h"

enum {
	PAGE_ROWS = 1000,
	STEP_REOPEN = 10000,
	HTTP_CLASS = 1000,  /* 5xx is 500 + 1000 */
	SHOWN = 60,
};

#define RETRYABLE (1u << REQUEST_FAILED | 1u << REQUEST_CANCELLED | 1u << REQUEST_EXPIRED)

enum { Q_EACH, Q_CUSTOM_ID, Q_BODY, Q_TEMPLATES, Q_REOPEN };
static const char *const texts[] = {
	[Q_EACH] = "SELECT r.id, r.state, r.due, r.tries, t.custom_id, m.name, a.status, a.took_ms,"
		   " a.code, a.message, r.answer FROM requests r"
		   " CROSS JOIN templates t ON t.id = (?1 << 32) | (r.id & 4294967295)"
		   " CROSS JOIN models m ON m.id = t.model"
		   " LEFT JOIN attempts a ON a.request = r.id"
		   " AND a.n = (SELECT max(n) FROM attempts WHERE request = r.id)"
		   " WHERE r.id > ?2 AND r.id <= ?3 AND (?4 >> r.state) & 1 ORDER BY r.id LIMIT ?5",
	/* One pass over the narrow rows of the file: nothing is indexed by it. */
	[Q_CUSTOM_ID] = "SELECT id FROM templates WHERE id > ?1 AND id <= ?2 AND custom_id = ?3",
	/* A reused answer cost nothing. */
	[Q_BODY] = "SELECT body FROM answers WHERE id = ?1 AND source IS NULL",
	[Q_TEMPLATES] = "SELECT 1 FROM templates WHERE id > ?1 AND id <= ?2 LIMIT 1",
	[Q_REOPEN] = "UPDATE batches SET status = 1, finalizing_ms = NULL, completed_ms = NULL,"
		     " expired_ms = NULL, cancelling_ms = NULL, cancelled_ms = NULL,"
		     " abort_ms = NULL, window_ms = coalesce(?3, window_ms), expires_ms ="
		     " coalesce(?4, iif(expires_ms <= ?2, ?2 + window_ms, expires_ms))"
		     " WHERE id = ?1 AND status IN (1, 2, 4, 6)",
};
const struct stmt_set select_sql = { "select", texts, ARRAY_LEN(texts) };

/* Calls fn for each word of "a,b,c"; an empty one is refused. */
typedef int word_fn(struct select *f, const char *word, struct err *e);
static int each_word(struct select *f, const char *list, word_fn *fn, struct err *e)
{
	for (const char *p = list;; p++) {
		size_t n = strcspn(p, ",");
		char *word CLEANUP(mem_cleanup) = mem_copy(p, n);
		if (n == 0)
			return err_set(e, ERR_USAGE, "'%s' is no list of words with commas between",
				       safe_show(span_of(list), SHOWN));
		if (fn(f, word, e) < 0)
			return -1;
		p += n;
		if (!*p)
			return 0;
	}
}

static int add_http(struct select *f, const char *word, struct err *e)
{
	int64_t status;

	if (f->n_http == (int)ARRAY_LEN(f->http))
		return err_set(e, ERR_USAGE, "more than %d HTTP statuses", f->n_http);
	if (strlen(word) == 3 && word[0] >= '1' && word[0] <= '5' && strcmp(word + 1, "xx") == 0)
		status = (word[0] - '0') * 100 + HTTP_CLASS;
	else if (num_int(word, 100, 599, &status, e) < 0)
		return err_set(e, ERR_USAGE, "'%s' is no HTTP status such as 429 or 5xx",
			       safe_show(span_of(word), SHOWN));
	f->http[f->n_http++] = (int)status;
	return 0;
}

int select_http(struct select *f, const char *list, struct err *e)
{
	return each_word(f, list, add_http, e);
}

static int add_state(struct select *f, const char *word, struct err *e)
{
	int state = request_state_of(word);

	if (strcmp(word, "retrying") == 0)
		f->retrying = true;
	else if (state >= 0)
		f->states |= 1u << state;
	else
		return err_set(e, ERR_USAGE, "'%s' is no state: pending, retrying, processing, "
			       "completed, failed, cancelled or expired",
			       safe_show(span_of(word), SHOWN));
	return 0;
}

int select_states(struct select *f, const char *list, struct err *e)
{
	return each_word(f, list, add_state, e);
}

static bool http_matches(const struct select *f, int64_t status)
{
	for (int i = 0; i < f->n_http; i++)
		if (f->http[i] < HTTP_CLASS ? status == f->http[i]
					    : status / 100 == (f->http[i] - HTTP_CLASS) / 100)
			return true;
	return f->n_http == 0;
}

static int compare_texts(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* A NULL-terminated list, sorted to be searched.  An empty one has no text. */
struct texts {
	bool given;
	const char **v;
	size_t n;
};

static struct texts texts_of(const char *const *list)
{
	struct texts t = { .given = list != NULL };

	while (list && list[t.n])
		t.n++;
	if (t.n > 0) {
		t.v = mem_resize(NULL, t.n, sizeof *t.v);
		memcpy(t.v, list, t.n * sizeof *t.v);
		qsort(t.v, t.n, sizeof *t.v, compare_texts);
	}
	return t;
}

static void texts_release(struct texts *t)
{
	free(t->v);
}

static bool texts_have(const struct texts *t, struct span v, struct str *scratch)
{
	str_reset(scratch);
	str_addspan(scratch, v);
	const char *z = str_z(scratch);
	return t->n > 0 && bsearch(&z, t->v, t->n, sizeof *t->v, compare_texts) != NULL;
}

struct page {
	struct select_row rows[PAGE_ROWS];
	char *texts[PAGE_ROWS]; /* what the spans of each row point into */
	int64_t answers[PAGE_ROWS];
	int n, seen;
	int64_t last;
	struct str scratch;
};

static void reset_page(struct page *p)
{
	while (p->n > 0)
		free(p->texts[--p->n]);
	p->seen = 0;
}

static void free_page(struct page **p)
{
	reset_page(*p);
	str_release(&(*p)->scratch);
	free(*p);
}

struct search {
	struct db *db;
	const struct batch *b;
	const struct select *f;
	unsigned states;
	struct texts codes, custom_ids;
};

static void search_release(struct search *s)
{
	texts_release(&s->codes);
	texts_release(&s->custom_ids);
}

static struct search search_for(struct db *db, const struct batch *b, const struct select *f)
{
	struct search s = { .db = db, .b = b, .f = f, .states = f->states,
			    .codes = texts_of(f->codes),
			    .custom_ids = texts_of(f->custom_ids) };

	if (f->retrying)
		s.states |= 1u << REQUEST_PENDING;
	if (s.states == 0)
		s.states = ~0u;
	return s;
}

static bool matches(const struct search *s, const struct select_row *r, struct str *scratch)
{
	/* "retrying" alone leaves out pending requests that were never tried. */
	if (r->state == REQUEST_PENDING && s->f->retrying && !r->retrying &&
	    !(s->f->states & 1u << REQUEST_PENDING))
		return false;
	return http_matches(s->f, r->status) &&
	       (!s->codes.given || (r->code.p && texts_have(&s->codes, r->code, scratch))) &&
	       (!s->custom_ids.given || texts_have(&s->custom_ids, r->custom_id, scratch));
}

static void load(struct stmt *q, struct select_row *r)
{
	int64_t due = stmt_col_int(q, 2);

	*r = (struct select_row){
		.row = stmt_col_int(q, 0), .state = (enum request_state)stmt_col_int(q, 1),
		.attempts = stmt_col_int(q, 3), .custom_id = stmt_col(q, 4),
		.model = stmt_col(q, 5), .status = stmt_col_int(q, 6),
		.took_ms = stmt_col_null(q, 7) ? -1 : stmt_col_int(q, 7),
		.code = stmt_col(q, 8), .message = stmt_col(q, 9),
		.input_tokens = -1, .output_tokens = -1,
	};
	r->retrying = r->state == REQUEST_PENDING && due > 0;
	r->next_ms = r->retrying ? due : 0;
}

/* The current row's spans go with the statement: moves them into one text. */
static char *keep_texts(struct select_row *r)
{
	struct span *const spans[] = { &r->custom_id, &r->model, &r->code, &r->message };
	struct str all CLEANUP(str_release) = STR_INIT;

	for (size_t i = 0; i < ARRAY_LEN(spans); i++)
		str_addspan(&all, *spans[i]);
	char *text = str_take(&all), *at = text;
	for (size_t i = 0; i < ARRAY_LEN(spans); i++) {
		if (spans[i]->p)
			spans[i]->p = at;
		at += spans[i]->n;
	}
	return text;
}

static int read_page(const struct search *s, int64_t after, struct page *p, struct err *e)
{
	int rc;

	reset_page(p);
	STMT(q, s->db, &select_sql, Q_EACH);
	stmt_int(&q, 1, s->b->file);
	stmt_int(&q, 2, after);
	stmt_int(&q, 3, request_row(s->b->id, UINT32_MAX));
	stmt_int(&q, 4, s->states);
	stmt_int(&q, 5, PAGE_ROWS);
	while ((rc = stmt_step(&q, e)) > 0) {
		struct select_row *r = &p->rows[p->n];
		load(&q, r);
		p->last = r->row;
		p->seen++;
		if (!matches(s, r, &p->scratch))
			continue;
		p->answers[p->n] = stmt_col_int(&q, 10);
		p->texts[p->n++] = keep_texts(r);
	}
	return rc < 0 ? -1 : p->seen;
}

/* What the answer's body says of its usage. */
static int read_tokens(struct db *db, struct select_row *r, int64_t answer, struct err *e)
{
	struct answer_usage usage;

	STMT(q, db, &select_sql, Q_BODY);
	stmt_int(&q, 1, request_row(request_batch(r->row), (uint32_t)answer));
	int rc = stmt_step(&q, e);
	if (rc <= 0)
		return rc;
	if (answer_read(stmt_col(&q, 0), &usage) == ANSWER_JSON &&
	    usage.input + usage.output > 0) {
		r->input_tokens = usage.input;
		r->output_tokens = usage.output;
	}
	return 0;
}

int64_t select_each(struct db *db, const struct batch *b, const struct select *f,
		    select_fn *fn, void *ctx, struct err *e)
{
	struct search s CLEANUP(search_release) = search_for(db, b, f);
	struct page *p CLEANUP(free_page) = mem_alloc(sizeof *p);
	int64_t total = 0;
	int n;

	for (int64_t at = b->id << 32; (n = read_page(&s, at, p, e)) > 0; at = p->last) {
		for (int i = 0; i < p->n; i++) {
			struct select_row *r = &p->rows[i];
			if (!f->bare && p->answers[i] > 0 && read_tokens(db, r, p->answers[i], e) < 0)
				return -1;
			if (fn(ctx, r, e) < 0)
				return -1;
		}
		total += p->n;
	}
	return n < 0 ? -1 : total;
}

int select_custom_id(struct db *db, const struct batch *b, struct span custom_id,
		     int64_t *row, struct err *e)
{
	STMT(q, db, &select_sql, Q_CUSTOM_ID);
	stmt_int(&q, 1, b->file << 32);
	stmt_int(&q, 2, request_row(b->file, UINT32_MAX));
	stmt_text(&q, 3, custom_id);
	int rc = stmt_step(&q, e);
	if (rc > 0)
		*row = request_row(b->id, request_line(stmt_col_int(&q, 0)));
	return rc;
}

static int pass(void *ctx, const struct select_row *r, struct err *e)
{
	(void)ctx;
	(void)r;
	(void)e;
	return 0;
}

/* One pass over the batch tells whether all are there, one each which is not. */
int select_check_ids(struct db *db, const struct batch *b, const char *const *custom_ids,
		     struct err *e)
{
	const struct select all = { .custom_ids = custom_ids, .bare = true };
	int64_t row, given = 0, found = select_each(db, b, &all, pass, NULL, e);

	while (custom_ids[given])
		given++;
	if (found < 0 || found == given)
		return found < 0 ? -1 : 0;
	for (; *custom_ids; custom_ids++) {
		int rc = select_custom_id(db, b, span_of(*custom_ids), &row, e);
		if (rc == 0)
			return err_set(e, ERR_NOTFOUND, "the batch has no request '%s'",
				       safe_show(span_of(*custom_ids), SHOWN));
		if (rc < 0)
			return -1;
	}
	return 0;
}

static int have_templates(struct db *db, const struct batch *b, struct err *e)
{
	STMT(q, db, &select_sql, Q_TEMPLATES);
	stmt_int(&q, 1, b->file << 32);
	stmt_int(&q, 2, request_row(b->file, UINT32_MAX));
	return stmt_step(&q, e);
}

/* A batch that is reopened; window_ms and expires_ms 0: none is asked for. */
struct again {
	int64_t batch, window_ms, expires_ms;
};

static int reopen_batch(struct db *db, const struct again *a, int64_t now_ms, struct err *e)
{
	STMT(q, db, &select_sql, Q_REOPEN);
	stmt_int(&q, 1, a->batch);
	stmt_int(&q, 2, now_ms);
	if (a->window_ms > 0) {
		stmt_int(&q, 3, a->window_ms);
		stmt_int(&q, 4, a->expires_ms);
	}
	int n = stmt_run(&q, e);
	if (n == 0)
		return err_set(e, ERR_STATE, "the batch is being cancelled, or was deleted");
	return n < 0 ? -1 : 0;
}

/* A step: what was found before, without the lock of writers, is put back if
 * it is still as it was. */
static int64_t reopen_rows(struct db *db, const struct again *a, const int64_t *rows, int n,
			   struct err *e)
{
	struct tally t CLEANUP(tally_release) = { 0 };
	int64_t now = clock_wall_ms(), reopened = 0;

	TX(tx);
	if (tx_begin(&tx, db, e) < 0)
		return -1;
	tally_begin(&t, db);
	for (int i = 0; i < n; i++) {
		int rc = request_reopen(&t, rows[i], e);
		if (rc < 0)
			return -1;
		reopened += rc;
	}
	if (reopened > 0 && (tally_flush(&t, now, e) < 0 || reopen_batch(db, a, now, e) < 0))
		return -1;
	return tx_commit(&tx, e) < 0 ? -1 : reopened;
}

static int retry_states(struct search *s, struct err *e)
{
	if (s->f->states == 0 && !s->f->retrying)
		s->states = RETRYABLE;
	s->states &= RETRYABLE;
	if (s->states != 0)
		return 0;
	return err_set(e, ERR_USAGE, "only failed, cancelled and expired requests can be sent again");
}

int64_t select_retry_count(struct db *db, const struct batch *b, const struct select *f,
			   struct err *e)
{
	struct search s CLEANUP(search_release) = search_for(db, b, f);
	struct page *p CLEANUP(free_page) = mem_alloc(sizeof *p);
	int64_t total = 0;
	int n;

	if (retry_states(&s, e) < 0)
		return -1;
	/* They would have expired before. */
	if (ending_due(b, clock_wall_ms()) && s.states & 1u << REQUEST_EXPIRED)
		s.states |= 1u << REQUEST_PENDING;
	for (int64_t at = b->id << 32; (n = read_page(&s, at, p, e)) > 0; at = p->last)
		total += p->n;
	return n < 0 ? -1 : total;
}

int64_t select_retry(struct db *db, const struct batch *b, const struct select *f,
		     int64_t window_ms, struct err *e)
{
	const struct again again = { b->id, window_ms, clock_wall_ms() + window_ms };
	struct search s CLEANUP(search_release) = search_for(db, b, f);
	struct page *p CLEANUP(free_page) = mem_alloc(sizeof *p);
	int64_t *rows CLEANUP(mem_cleanup) = mem_alloc((STEP_REOPEN + PAGE_ROWS) * sizeof *rows);
	int64_t total = 0, at = b->id << 32, rc;
	int n = 0, found = 0;

	if (retry_states(&s, e) < 0)
		return -1;
	if (b->status == BATCH_CANCELLING || b->status == BATCH_FAILED)
		return err_set(e, ERR_STATE, "the batch is %s", batch_status_text(b->status));
	rc = have_templates(db, b, e);
	if (rc <= 0)
		return rc < 0 ? -1 : err_set(e, ERR_STATE, "its file was deleted: there is "
					     "nothing to send again");
	if (ending_due(b, clock_wall_ms()) && ending_expire(db, b->id, e) < 0)
		return -1;
	do {
		n = read_page(&s, at, p, e);
		if (n < 0)
			return -1;
		at = p->last;
		for (int i = 0; i < p->n; i++)
			rows[found++] = p->rows[i].row;
		if (found == 0 || (n > 0 && found < STEP_REOPEN))
			continue;
		rc = reopen_rows(db, &again, rows, found, e);
		if (rc < 0)
			return -1;
		total += rc;
		found = 0;
	} while (n > 0);
	return total;
}
