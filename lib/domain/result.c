#include "domain/result.h"

#include <stdlib.h>
#include <string.h>

#include "base/idset.h"
#include "base/jsonw.h"
#include "base/mem.h"
#include "base/safe.h"
#include "domain/answer.h"
#include "domain/line.h"
#include "domain/request.h"

enum {
	PAGE_ROWS = 500,
	PAGE_BYTES = 1 << 20,
};

/* Behind the last answer number: cancelled and expired requests, by line. */
#define TAIL (INT64_C(1) << 32)

/* What build() reads.  CROSS JOIN keeps the order of the tables. */
#define COLUMNS \
	"SELECT r.id, r.state, t.custom_id, l.raw, a.status, a.code, a.message, a.request_id," \
	" a.kind, a.body, a.id "
#define INPUT \
	" CROSS JOIN templates t ON t.id = (?1 << 32) | (r.id & 4294967295)" \
	" CROSS JOIN lines l ON l.id = t.id "

enum { Q_BY_LINE, Q_BY_NUMBER, Q_TAIL, Q_ANSWER, Q_IDS };
static const char *const texts[] = {
	[Q_BY_LINE] = COLUMNS "FROM requests r" INPUT
		      "LEFT JOIN answers a ON a.id = (?2 << 32) | r.answer"
		      " WHERE r.id > ?3 AND r.id <= ?4 AND (?5 >> r.state) & 1"
		      " ORDER BY r.id LIMIT ?6",
	/* An answer that is not the current one of its request is history. */
	[Q_BY_NUMBER] = COLUMNS "FROM answers a CROSS JOIN requests r"
			" ON r.id = (?2 << 32) | a.line AND r.answer = (a.id & 4294967295)" INPUT
			"WHERE a.id > ?3 AND a.id <= ?4 AND (?5 >> r.state) & 1"
			" ORDER BY a.id LIMIT ?6",
	[Q_TAIL] = COLUMNS "FROM requests r" INPUT "LEFT JOIN answers a ON a.id = NULL"
		   " WHERE r.id > ?3 AND r.id <= ?4 AND r.state >= 4 AND (?5 >> r.state) & 1"
		   " ORDER BY r.id LIMIT ?6",
	[Q_ANSWER] = "SELECT answer, state FROM requests WHERE id = ?1",
	[Q_IDS] = "SELECT r.id, r.state, t.custom_id FROM requests r CROSS JOIN templates t"
		  " ON t.id = (?1 << 32) | (r.id & 4294967295)"
		  " WHERE r.id > ?2 AND r.id <= ?3 AND r.state >= 2 ORDER BY r.id LIMIT ?4",
};
const struct stmt_set result_sql = { "result", texts, ARRAY_LEN(texts) };

/* Lines are built a page at a time, so that no snapshot is held while somebody
 * writes them to a slow reader. */
struct built {
	int64_t row, position;
	bool success;
	size_t end; /* behind its LF */
};
struct page {
	struct str bytes;
	struct built lines[PAGE_ROWS];
	int n, rows;
	int64_t position; /* of the last row read */
};

/* Of several batches: which rows of this one are the best of their custom id. */
struct choice {
	struct idset *winners;
	uint32_t rank[2]; /* of this batch's failures and successes */
};

static void free_page(struct page **p)
{
	str_release(&(*p)->bytes);
	free(*p);
}

static void write_response(struct jsonw *w, struct stmt *q)
{
	jsonw_object(w);
	jsonw_kint(w, "status_code", stmt_col_int(q, 4));
	jsonw_kstr(w, "request_id", stmt_col(q, 7));
	jsonw_key(w, "body");
	struct str body CLEANUP(str_release) = STR_INIT;
	answer_write(stmt_col(q, 9), (enum answer_kind)stmt_col_int(q, 8), &body);
	jsonw_raw(w, str_span(&body));
	jsonw_end(w);
}

static void write_error(struct jsonw *w, struct span code, struct span message)
{
	jsonw_object(w);
	jsonw_kstr(w, "code", code);
	jsonw_kstr(w, "message", message);
	jsonw_end(w);
}

static void write_outcome(struct jsonw *w, enum request_state state, struct stmt *q)
{
	/* An answer that came but is no result (truncated) is told as an error. */
	bool response = !stmt_col_null(q, 4) && stmt_col_null(q, 5) && state < REQUEST_CANCELLED;

	jsonw_key(w, "response");
	if (response)
		write_response(w, q);
	else
		jsonw_null(w);
	jsonw_key(w, "error");
	if (response)
		jsonw_null(w);
	else if (state == REQUEST_CANCELLED)
		write_error(w, SPAN_LIT("batch_cancelled"),
			    SPAN_LIT("This request was cancelled before it was completed."));
	else if (state == REQUEST_EXPIRED)
		write_error(w, SPAN_LIT("batch_expired"),
			    SPAN_LIT("This request could not be executed before the completion "
				     "window expired."));
	else
		write_error(w, stmt_col(q, 5), stmt_col(q, 6));
}

/* The metadata of the line, if it has some; most lines need no parsing to
 * tell.  The name may be written with escapes. */
static int write_metadata(struct jsonw *w, struct span raw, struct err *e)
{
	struct line line CLEANUP(line_release) = LINE_INIT;
	struct line_problem why;

	if (!memmem(raw.p, raw.n, "\"metadata\"", 10) && !memmem(raw.p, raw.n, "\\u00", 4))
		return 0;
	if (line_read(&line, raw, NULL, &why) < 0)
		return err_set(e, ERR_INTERNAL, "a line of the input cannot be read: %s", why.text);
	if (line.metadata.p)
		jsonw_kraw(w, "metadata", line.metadata);
	return 0;
}

static struct span trimmed(struct span raw)
{
	while (raw.n > 0 && strchr(" \t\r", raw.p[raw.n - 1]))
		raw.n--;
	return raw;
}

static int build(struct page *p, const struct batch *b, const struct result_options *o,
		 struct stmt *q, struct err *e)
{
	char id[REQUEST_ID_BUF];
	int64_t row = stmt_col_int(q, 0);
	enum request_state state = (enum request_state)stmt_col_int(q, 1);
	struct span raw = trimmed(stmt_col(q, 3));
	struct jsonw w = jsonw_start(&p->bytes);

	jsonw_object(&w);
	jsonw_kstrz(&w, "id", batch_request_text(b->uuid, request_line(row), id));
	jsonw_kstr(&w, "custom_id", stmt_col(q, 2));
	write_outcome(&w, state, q);
	if (o->with_input)
		jsonw_kraw(&w, "input", raw);
	if (write_metadata(&w, raw, e) < 0)
		return -1;
	jsonw_end(&w);
	str_addc(&p->bytes, '\n');
	p->lines[p->n++] = (struct built){ .row = row, .position = p->position,
					   .success = state == REQUEST_COMPLETED,
					   .end = p->bytes.n };
	return 0;
}

static bool chosen(const struct choice *c, bool success, struct span custom_id)
{
	uint32_t mine = c->rank[success], best = idset_add(c->winners, custom_id, mine);

	return best == 0 || best == mine;
}

/* A walk over the rows of one batch in one order. */
struct walk {
	struct db *db;
	const struct batch *b;
	const struct result_options *o;
	const struct choice *choice; /* NULL: every row */
	struct result_counts *counts;/* of what was chosen, wanted or not */
	int query;
	int64_t first, last;         /* keys */
};

static unsigned states_of(const struct walk *k)
{
	unsigned success = 1u << REQUEST_COMPLETED, errors = 7u << REQUEST_FAILED;

	if (k->choice)
		return success | errors;
	return (k->o->successes ? success : 0) | (k->o->errors ? errors : 0);
}

static int take_row(const struct walk *k, struct page *p, struct stmt *q, struct err *e)
{
	bool success = stmt_col_int(q, 1) == REQUEST_COMPLETED;

	p->rows++;
	p->position = stmt_col_int(q, k->query == Q_BY_NUMBER ? 10 : 0);
	if (k->choice && !chosen(k->choice, success, stmt_col(q, 2)))
		return 0;
	k->counts->successes += success;
	k->counts->errors += !success;
	return (success ? k->o->successes : k->o->errors) ? build(p, k->b, k->o, q, e) : 0;
}

static int read_page(const struct walk *k, int64_t after, struct page *p, struct err *e)
{
	int rc = 0;

	str_reset(&p->bytes);
	p->n = p->rows = 0;
	STMT(q, k->db, &result_sql, k->query);
	stmt_int(&q, 1, k->b->file);
	stmt_int(&q, 2, k->b->id);
	stmt_int(&q, 3, after);
	stmt_int(&q, 4, k->last);
	stmt_int(&q, 5, states_of(k));
	stmt_int(&q, 6, PAGE_ROWS);
	while (p->bytes.n < PAGE_BYTES && (rc = stmt_step(&q, e)) > 0)
		if (take_row(k, p, &q, e) < 0)
			return -1;
	return rc < 0 ? -1 : p->rows;
}

/* *after is what the caller keeps: a line or a number, from `base` up. */
static int walk(const struct walk *k, int64_t base, int64_t *after, result_fn *fn, void *ctx,
		struct err *e)
{
	struct page *p CLEANUP(free_page) = mem_alloc(sizeof *p);
	int64_t at = k->first + (*after > base ? *after - base : 0);
	int n;

	while ((n = read_page(k, at, p, e)) > 0) {
		for (int i = 0; i < p->n; i++) {
			struct built *line = &p->lines[i];
			size_t from = i > 0 ? p->lines[i - 1].end : 0;
			struct span text = { p->bytes.p + from, line->end - from - 1 };
			if (fn(ctx, line->row, line->success, text, e) < 0)
				return -1;
			*after = base + line->position - k->first;
		}
		at = p->position;
		*after = base + at - k->first;
	}
	return n;
}

static int each(struct db *db, const struct batch *b, const struct result_options *o,
		const struct choice *choice, int64_t *after, result_fn *fn, void *ctx,
		struct result_counts *counts, struct err *e)
{
	struct walk k = { .db = db, .b = b, .o = o, .choice = choice, .counts = counts,
			  .query = o->completion_order ? Q_BY_NUMBER : Q_BY_LINE,
			  .first = b->id << 32, .last = request_row(b->id, UINT32_MAX) };

	if ((!o->completion_order || *after < TAIL) && walk(&k, 0, after, fn, ctx, e) < 0)
		return -1;
	if (!o->completion_order || !batch_terminal(b->status))
		return 0;
	k.query = Q_TAIL;
	return walk(&k, TAIL, after, fn, ctx, e);
}

int result_each(struct db *db, const struct batch *b, const struct result_options *o,
		int64_t *after, result_fn *fn, void *ctx, struct result_counts *counts,
		struct err *e)
{
	int64_t from = after ? *after : 0;

	int rc = each(db, b, o, NULL, &from, fn, ctx, counts, e);
	if (after)
		*after = from;
	counts->successes = b->completed;
	counts->errors = b->failed + b->cancelled + b->expired;
	counts->unfinished = b->pending + b->processing;
	return rc;
}

/* Adds the custom ids of one batch and one kind, unless a better line has
 * them. */
static int add_ids(struct db *db, const struct batch *b, bool success, struct idset *winners,
		   uint32_t rank, struct err *e)
{
	int64_t after = b->id << 32;
	int n = PAGE_ROWS;

	while (n == PAGE_ROWS) {
		int rc;
		n = 0;
		STMT(q, db, &result_sql, Q_IDS);
		stmt_int(&q, 1, b->file);
		stmt_int(&q, 2, after);
		stmt_int(&q, 3, request_row(b->id, UINT32_MAX));
		stmt_int(&q, 4, PAGE_ROWS);
		while ((rc = stmt_step(&q, e)) > 0) {
			after = stmt_col_int(&q, 0);
			if ((stmt_col_int(&q, 1) == REQUEST_COMPLETED) == success)
				idset_add(winners, stmt_col(&q, 2), rank);
			n++;
		}
		if (rc < 0)
			return -1;
	}
	return 0;
}

static void free_idset(struct idset **s)
{
	idset_free(*s);
}

int result_merge(struct db *db, const struct batch *list, int n,
		 const struct result_options *o, result_fn *fn, void *ctx,
		 struct result_counts *counts, struct err *e)
{
	struct idset *winners CLEANUP(free_idset) = idset_new();
	*counts = (struct result_counts){ 0, 0, 0 };

	for (int success = 1; success >= 0; success--)
		for (int i = n; i-- > 0;)
			if (add_ids(db, &list[i], success, winners,
				    1 + (uint32_t)(2 * i + success), e) < 0)
				return -1;
	for (int i = 0; i < n; i++) {
		struct choice c = { winners, { 1 + 2 * (uint32_t)i, 2 + 2 * (uint32_t)i } };
		int64_t after = 0;
		if (each(db, &list[i], o, &c, &after, fn, ctx, counts, e) < 0)
			return -1;
		counts->unfinished += list[i].pending + list[i].processing;
	}
	return 0;
}

int result_position(struct db *db, const struct batch *b, uint32_t line,
		    bool completion_order, int64_t *after, struct err *e)
{
	char id[REQUEST_ID_BUF];

	STMT(q, db, &result_sql, Q_ANSWER);
	stmt_int(&q, 1, request_row(b->id, line));
	int rc = stmt_step(&q, e);
	if (rc < 0)
		return -1;
	if (rc == 0)
		return err_set(e, ERR_NOTFOUND, "there is no request %s",
			       batch_request_text(b->uuid, line, id));
	enum request_state state = (enum request_state)stmt_col_int(&q, 1);
	if (completion_order && state < REQUEST_COMPLETED)
		return err_set(e, ERR_STATE, "%s is not finished",
			       batch_request_text(b->uuid, line, id));
	*after = !completion_order ? line
		 : !stmt_col_null(&q, 0) ? stmt_col_int(&q, 0) : TAIL + line;
	return 0;
}
