#include "domain/attempt.h"

#include <stdlib.h>

#include "base/mem.h"
#include "domain/request.h"

enum { Q_NEXT, Q_FLIGHT, Q_GROUPS, Q_CUSTOM_ID };
static const char *const texts[] = {
	[Q_NEXT] = "SELECT n, worker, started_ms, took_ms, status, bytes, next_ms, code, message,"
		   " headers, head FROM attempts WHERE request = ?1 AND n > ?2 ORDER BY n LIMIT 1",
	[Q_FLIGHT] = "SELECT n, worker, started_ms FROM flights WHERE request = ?1 AND n > ?2"
		     " UNION ALL SELECT n, worker, started_ms FROM races WHERE request = ?1"
		     " AND n > ?2 ORDER BY n LIMIT 1",
	[Q_GROUPS] = "SELECT a.status, a.code, a.message, count(*) AS many, min(r.id) AS first"
		     " FROM requests r CROSS JOIN answers a ON a.id = (?1 << 32) | r.answer"
		     " WHERE r.id > ?2 AND r.id <= ?3 AND r.state = 3"
		     " GROUP BY a.status, a.code, a.message ORDER BY many DESC, first",
	[Q_CUSTOM_ID] = "SELECT custom_id FROM templates WHERE id = ?1",
};
const struct stmt_set attempt_sql = { "attempt", texts, ARRAY_LEN(texts) };

static struct span keep(struct str *into, struct span v)
{
	str_reset(into);
	str_addspan(into, v);
	return v.p ? (struct span){ str_z(into), into->n } : SPAN_NONE;
}

/* Texts of the current row, that outlive the statement: nothing is held while
 * somebody prints. */
struct texts {
	struct str code, message, headers, head;
};

static void texts_release(struct texts *t)
{
	str_release(&t->code);
	str_release(&t->message);
	str_release(&t->headers);
	str_release(&t->head);
}

static int read_next(struct db *db, struct attempt *a, struct texts *t, struct err *e)
{
	STMT(q, db, &attempt_sql, Q_NEXT);
	stmt_int(&q, 1, a->row);
	stmt_int(&q, 2, a->n);
	int rc = stmt_step(&q, e);
	if (rc <= 0)
		return rc;
	*a = (struct attempt){
		.row = a->row, .n = stmt_col_int(&q, 0), .worker = stmt_col_int(&q, 1),
		.started_ms = stmt_col_int(&q, 2),
		.took_ms = stmt_col_null(&q, 3) ? -1 : stmt_col_int(&q, 3),
		.status = stmt_col_int(&q, 4), .bytes = stmt_col_int(&q, 5),
		.next_ms = stmt_col_int(&q, 6), .code = keep(&t->code, stmt_col(&q, 7)),
		.message = keep(&t->message, stmt_col(&q, 8)),
		.headers = keep(&t->headers, stmt_col(&q, 9)),
		.head = keep(&t->head, stmt_col(&q, 10)),
	};
	return 1;
}

/* The next in flight; there may be two. */
static int read_flight(struct db *db, int64_t row, struct attempt *a, struct err *e)
{
	STMT(q, db, &attempt_sql, Q_FLIGHT);
	stmt_int(&q, 1, row);
	stmt_int(&q, 2, a->n);
	int rc = stmt_step(&q, e);
	if (rc > 0)
		*a = (struct attempt){
			.row = row, .n = stmt_col_int(&q, 0), .worker = stmt_col_int(&q, 1),
			.started_ms = stmt_col_int(&q, 2), .took_ms = -1, .in_flight = true,
		};
	return rc;
}

int attempt_each(struct db *db, int64_t row, attempt_fn *fn, void *ctx, struct err *e)
{
	struct texts t CLEANUP(texts_release) = { .code = STR_INIT };
	struct attempt a = { .row = row };
	int total = 0, rc;

	for (; (rc = read_next(db, &a, &t, e)) > 0; total++)
		if (fn(ctx, &a, e) < 0)
			return -1;
	a = (struct attempt){ .row = row };
	for (; rc == 0 && (rc = read_flight(db, row, &a, e)) > 0; rc = 0, total++)
		if (fn(ctx, &a, e) < 0)
			return -1;
	return rc < 0 ? -1 : total;
}

/* All groups, read before anybody is called. */
struct groups {
	struct attempt_group *v;
	int n;
};

static void groups_release(struct groups *g)
{
	for (int i = 0; i < g->n; i++) {
		const struct span owned[] = { g->v[i].code, g->v[i].message, g->v[i].custom_id };
		for (size_t k = 0; k < ARRAY_LEN(owned); k++)
			free((char *)(uintptr_t)owned[k].p);
	}
	free(g->v);
}

static struct span copy(struct span v)
{
	return v.p ? (struct span){ mem_copy(v.p, v.n), v.n } : SPAN_NONE;
}

static int read_groups(struct db *db, const struct batch *b, struct groups *all, struct err *e)
{
	int rc;

	STMT(q, db, &attempt_sql, Q_GROUPS);
	stmt_int(&q, 1, b->id);
	stmt_int(&q, 2, b->id << 32);
	stmt_int(&q, 3, request_row(b->id, UINT32_MAX));
	while ((rc = stmt_step(&q, e)) > 0) {
		all->v = mem_resize(all->v, (size_t)all->n + 1, sizeof *all->v);
		all->v[all->n++] = (struct attempt_group){
			.status = stmt_col_int(&q, 0), .code = copy(stmt_col(&q, 1)),
			.message = copy(stmt_col(&q, 2)), .count = stmt_col_int(&q, 3),
			.line = request_line(stmt_col_int(&q, 4)),
		};
	}
	return rc;
}

static int read_custom_id(struct db *db, const struct batch *b, struct attempt_group *g,
			  struct err *e)
{
	STMT(q, db, &attempt_sql, Q_CUSTOM_ID);
	stmt_int(&q, 1, request_row(b->file, g->line));
	int rc = stmt_step(&q, e);
	if (rc > 0)
		g->custom_id = copy(stmt_col(&q, 0));
	return rc;
}

int attempt_groups(struct db *db, const struct batch *b, attempt_group_fn *fn, void *ctx,
		   struct err *e)
{
	struct groups all CLEANUP(groups_release) = { NULL, 0 };

	if (read_groups(db, b, &all, e) < 0)
		return -1;
	for (int i = 0; i < all.n; i++)
		if (read_custom_id(db, b, &all.v[i], e) < 0 || fn(ctx, &all.v[i], e) < 0)
			return -1;
	return all.n;
}

struct row {
	struct db *db;
	select_fn *fn;
	void *ctx;
	const struct select_row *request;
	int64_t total;
};

static int on_attempt(void *ctx, const struct attempt *a, struct err *e)
{
	const struct row *to = ctx;
	struct select_row r = *to->request;

	r.attempts = a->n;
	r.status = a->status;
	r.took_ms = a->took_ms;
	r.next_ms = a->next_ms;
	r.code = a->code;
	r.message = a->message;
	r.input_tokens = r.output_tokens = -1;
	return to->fn(to->ctx, &r, e);
}

static int on_request(void *ctx, const struct select_row *r, struct err *e)
{
	struct row *to = ctx;

	to->request = r;
	int n = attempt_each(to->db, r->row, on_attempt, to, e);
	to->total += n;
	return n < 0 ? -1 : 0;
}

int64_t attempt_rows(struct db *db, const struct batch *b, const struct select *f,
		     select_fn *fn, void *ctx, struct err *e)
{
	struct row to = { .db = db, .fn = fn, .ctx = ctx };

	return select_each(db, b, f, on_request, &to, e) < 0 ? -1 : to.total;
}
