#include "domain/event.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

enum { PAGE = 500 };

#define SELECT \
	"SELECT v.id, v.at_us, v.user, v.command, p.name, p.uuid, v.old, v.new, v.run_id," \
	" v.product FROM events v LEFT JOIN data_products p ON p.id = v.product "

enum { Q_ADD, Q_ALL, Q_OF_PRODUCT };
static const char *const texts[] = {
	[Q_ADD] = "INSERT INTO events (id, product, at_us, user, command, old, new, run_id)"
		  " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
	[Q_ALL] = SELECT "WHERE v.id > ?1 AND v.id < (?2 + 1) << 32 ORDER BY v.id LIMIT ?3",
	[Q_OF_PRODUCT] = SELECT "WHERE v.product = ?2 AND v.product IS NOT NULL AND v.id > ?1"
			 " ORDER BY v.id LIMIT ?3",
};
const struct stmt_set event_sql = { "event", texts, ARRAY_LEN(texts) };

int event_add(struct db *db, struct dataset *d, int64_t product, int64_t at_us, const char *user,
	      const char *command, int old, int new, const struct id *run_id, struct err *e)
{
	STMT(q, db, &event_sql, Q_ADD);
	stmt_int(&q, 1, d->id << 32 | ++d->events);
	if (product)
		stmt_int(&q, 2, product);
	else
		stmt_null(&q, 2);
	stmt_int(&q, 3, at_us);
	stmt_textz(&q, 4, user);
	stmt_textz(&q, 5, command);
	for (int i = 0; i < 2; i++) {
		int state = i ? new : old;
		if (state == STATE_NONE)
			stmt_null(&q, 6 + i);
		else
			stmt_int(&q, 6 + i, state);
	}
	stmt_blob(&q, 8, run_id ? run_id->b : NULL, ID_BYTES);
	return stmt_run(&q, e) < 0 ? -1 : 0;
}

/* The texts of a row, so that no snapshot is held while somebody prints. */
struct row {
	int64_t id;
	struct event v;
	char *user, *command, *product;
};

struct page {
	struct row rows[PAGE];
	int n;
};

static void page_release(struct page *p)
{
	for (; p->n > 0; p->n--) {
		struct row *r = &p->rows[p->n - 1];
		free(r->user);
		free(r->command);
		free(r->product);
	}
}

static void free_page(struct page **p)
{
	page_release(*p);
	free(*p);
}

static const char *state_of_column(struct stmt *q, int i, bool product)
{
	static const char *const datasets[] = { [EVENT_ACTIVE] = "active", [EVENT_PAUSED] = "paused" };

	if (stmt_col_null(q, i))
		return NULL;
	int64_t state = stmt_col_int(q, i);
	return product ? state_text((enum state)state) : datasets[state == EVENT_PAUSED];
}

static void read_row(struct stmt *q, struct row *r)
{
	bool product = !stmt_col_null(q, 9);

	*r = (struct row){ .id = stmt_col_int(q, 0), .user = stmt_col_copy(q, 2),
			   .command = stmt_col_copy(q, 3), .product = stmt_col_copy(q, 4) };
	r->v = (struct event){
		.at_us = stmt_col_int(q, 1), .user = r->user, .command = r->command,
		.product = r->product, .old = state_of_column(q, 6, product),
		.new = state_of_column(q, 7, product),
	};
	r->v.product_uuid = stmt_col_id(q, 5);
	r->v.has_run = !stmt_col_null(q, 8);
	r->v.run_id = stmt_col_id(q, 8);
}

static int read_page(struct db *db, int query, int64_t after, int64_t of, struct page *p,
		     struct err *e)
{
	int rc = 0;

	page_release(p);
	STMT(q, db, &event_sql, query);
	stmt_int(&q, 1, after);
	stmt_int(&q, 2, of);
	stmt_int(&q, 3, PAGE);
	while (p->n < PAGE && (rc = stmt_step(&q, e)) > 0)
		read_row(&q, &p->rows[p->n++]);
	return rc < 0 ? -1 : p->n;
}

int event_each(struct db *db, int64_t dataset, int64_t product, event_fn *fn, void *ctx,
	       struct err *e)
{
	struct page *p CLEANUP(free_page) = mem_alloc(sizeof *p);
	int64_t after = dataset << 32;
	int n = PAGE;

	while (n == PAGE) {
		n = read_page(db, product ? Q_OF_PRODUCT : Q_ALL, after,
			      product ? product : dataset, p, e);
		for (int i = 0; i < n; i++)
			if (fn(ctx, &p->rows[i].v, e) < 0)
				return -1;
		if (n > 0)
			after = p->rows[n - 1].id;
	}
	return n < 0 ? -1 : 0;
}
