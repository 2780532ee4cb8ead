#include "domain/claim.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

enum { Q_OPEN, Q_ONE, Q_OF, Q_ALL_OPEN, Q_ONE_OPEN, Q_OPEN_OF, Q_QUEUES };

/* The batches of the products of a dataset that are queued or running. */
#define OF_DATASET \
	" FROM data_products p CROSS JOIN batches b ON b.id = p.batch WHERE p.dataset = ?1" \
	" AND p.state IN (1, 2) AND p.state IN (1, 2, 4)"

static const char *const texts[] = {
	[Q_OPEN] = "SELECT id, priority, expires_ms FROM batches WHERE status IN (1, 5)"
		   " AND status = 1 AND (?1 IS NULL OR user = ?1)",
	[Q_ONE] = "SELECT id, priority, expires_ms FROM batches WHERE id = ?1 AND status = 1",
	[Q_OF] = "SELECT b.id, b.priority, b.expires_ms" OF_DATASET " AND b.status = 1",
	[Q_ALL_OPEN] = "SELECT id, processing FROM batches WHERE status IN (1, 5)"
		       " AND (?1 IS NULL OR user = ?1)",
	[Q_ONE_OPEN] = "SELECT id, processing FROM batches WHERE id = ?1 AND status IN (1, 5)",
	[Q_OPEN_OF] = "SELECT b.id, b.processing" OF_DATASET " AND b.status IN (1, 5)",
	[Q_QUEUES] = "SELECT id FROM queues WHERE batch = ?1 AND pending > 0",
};
const struct stmt_set claim_sql = { "claim", texts, ARRAY_LEN(texts) };

struct claim {
	int64_t *wanted;         /* NULL: by user */
	int n_wanted;
	int64_t *datasets;       /* with `wanted`: and what their products send */
	int n_datasets;
	char *user;
	struct claim_gate gate;
	struct source *sources;  /* in order of their turn */
	int n_sources, cap_sources;
	int64_t version;         /* data_version they were read at */
	bool fresh;              /* sources may be used */
	int64_t last_batch;      /* who had the last turn among equals */
	int64_t due;
};

static bool is_in(const int64_t *list, int n, int64_t batch)
{
	for (int i = 0; i < n; i++)
		if (list[i] == batch)
			return true;
	return false;
}

struct claim *claim_new(const int64_t *batches, int n, const char *user)
{
	struct claim *c = mem_alloc(sizeof *c);

	if (batches) {
		c->wanted = mem_alloc((size_t)n * sizeof *c->wanted);
		for (int i = 0; i < n; i++)
			if (!is_in(c->wanted, c->n_wanted, batches[i]))
				c->wanted[c->n_wanted++] = batches[i];
	}
	c->user = mem_strdup(user);
	return c;
}

void claim_datasets(struct claim *c, const int64_t *datasets, int n)
{
	for (int i = 0; i < n; i++) {
		c->datasets = mem_room(c->datasets, (size_t)c->n_datasets, sizeof *c->datasets);
		c->datasets[c->n_datasets++] = datasets[i];
	}
}

void claim_limit(struct claim *c, claim_room_fn *room, void *ctx)
{
	c->gate = (struct claim_gate){ room, ctx };
}

void claim_forget(struct claim *c)
{
	for (int i = 0; i < c->n_sources; i++)
		source_release(&c->sources[i]);
	c->n_sources = 0;
	c->fresh = false;
}

void claim_free(struct claim *c)
{
	if (!c)
		return;
	claim_forget(c);
	free(c->sources);
	free(c->wanted);
	free(c->datasets);
	free(c->user);
	free(c);
}

/* Is there a queue with pending requests that is not given up?  1, 0. */
static int has_hope(struct db *db, int64_t batch, claim_given_up_fn *given_up, void *ctx,
		    struct err *e)
{
	int rc;

	STMT(q, db, &claim_sql, Q_QUEUES);
	stmt_int(&q, 1, batch);
	while ((rc = stmt_step(&q, e)) > 0)
		if (!given_up || !given_up(ctx, batch, stmt_col_int(&q, 0)))
			return 1;
	return rc;
}

static int count_open(struct db *db, struct stmt *q,
		      claim_given_up_fn *given_up, void *ctx, int *n, struct err *e)
{
	int rc;

	while ((rc = stmt_step(q, e)) > 0) {
		int64_t batch = stmt_col_int(q, 0);
		int open = stmt_col_int(q, 1) > 0 ? 1 : has_hope(db, batch, given_up, ctx, e);
		if (open < 0)
			return -1;
		*n += open;
	}
	return rc;
}

int claim_open(struct claim *c, struct db *db, claim_given_up_fn *given_up, void *ctx,
	       struct err *e)
{
	int n = 0;

	for (int i = 0; i < c->n_wanted; i++) {
		STMT(q, db, &claim_sql, Q_ONE_OPEN);
		stmt_int(&q, 1, c->wanted[i]);
		if (count_open(db, &q, given_up, ctx, &n, e) < 0)
			return -1;
	}
	for (int i = 0; i < c->n_datasets; i++) {
		STMT(q, db, &claim_sql, Q_OPEN_OF);
		stmt_int(&q, 1, c->datasets[i]);
		if (count_open(db, &q, given_up, ctx, &n, e) < 0)
			return -1;
	}
	if (!c->wanted) {
		STMT(q, db, &claim_sql, Q_ALL_OPEN);
		stmt_textz(&q, 1, c->user);
		if (count_open(db, &q, given_up, ctx, &n, e) < 0)
			return -1;
	}
	return n;
}

static int each_open(struct stmt *q, claim_batch_fn *fn, void *ctx, struct err *e)
{
	int rc;

	while ((rc = stmt_step(q, e)) > 0)
		if (fn(ctx, stmt_col_int(q, 0), e) < 0)
			return -1;
	return rc;
}

int claim_each(struct claim *c, struct db *db, claim_batch_fn *fn, void *ctx, struct err *e)
{
	for (int i = 0; i < c->n_wanted; i++)
		if (fn(ctx, c->wanted[i], e) < 0)
			return -1;
	for (int i = 0; i < c->n_datasets; i++) {
		STMT(q, db, &claim_sql, Q_OPEN_OF);
		stmt_int(&q, 1, c->datasets[i]);
		if (each_open(&q, fn, ctx, e) < 0)
			return -1;
	}
	if (c->wanted)
		return 0;
	STMT(q, db, &claim_sql, Q_ALL_OPEN);
	stmt_textz(&q, 1, c->user);
	return each_open(&q, fn, ctx, e);
}

/* A batch may be named, and be that of a product. */
static bool has_source(const struct claim *c, int64_t batch)
{
	for (int i = 0; c->n_datasets > 0 && i < c->n_sources; i++)
		if (c->sources[i].batch == batch)
			return true;
	return false;
}

/* Reads the open batches that the query gives. */
static int read_sources(struct claim *c, struct db *db, struct stmt *q, struct err *e)
{
	int rc;

	while ((rc = stmt_step(q, e)) > 0) {
		struct source s = { .batch = stmt_col_int(q, 0), .priority = stmt_col_int(q, 1),
				    .expires = stmt_col_null(q, 2) ? INT64_MAX
								   : stmt_col_int(q, 2) };
		if (has_source(c, s.batch))
			continue;
		if (c->n_sources == c->cap_sources) {
			c->cap_sources = c->cap_sources ? c->cap_sources * 2 : 8;
			c->sources = mem_resize(c->sources, (size_t)c->cap_sources,
						sizeof *c->sources);
		}
		int some = source_load(&s, db, e);
		if (some > 0)
			c->sources[c->n_sources++] = s;
		else
			source_release(&s);
		if (some < 0)
			return -1;
	}
	return rc;
}

static int same_turn(const struct source *a, const struct source *b)
{
	return a->priority == b->priority && a->expires == b->expires;
}

static int by_turn(const void *pa, const void *pb)
{
	const struct source *a = pa, *b = pb;

	if (a->priority != b->priority)
		return a->priority > b->priority ? -1 : 1;
	if (a->expires != b->expires)
		return a->expires < b->expires ? -1 : 1;
	return a->batch < b->batch ? -1 : a->batch > b->batch;
}

static int refresh(struct claim *c, struct db *db, struct err *e)
{
	int64_t version;

	if (db_version(db, &version, e) < 0)
		return -1;
	if (c->fresh && version == c->version)
		return 0;
	claim_forget(c);
	if (c->wanted) {
		for (int i = 0; i < c->n_wanted; i++) {
			STMT(q, db, &claim_sql, Q_ONE);
			stmt_int(&q, 1, c->wanted[i]);
			if (read_sources(c, db, &q, e) < 0)
				return -1;
		}
		for (int i = 0; i < c->n_datasets; i++) {
			STMT(q, db, &claim_sql, Q_OF);
			stmt_int(&q, 1, c->datasets[i]);
			if (read_sources(c, db, &q, e) < 0)
				return -1;
		}
	} else {
		STMT(q, db, &claim_sql, Q_OPEN);
		stmt_textz(&q, 1, c->user);
		if (read_sources(c, db, &q, e) < 0)
			return -1;
	}
	if (c->n_sources > 1)
		qsort(c->sources, (size_t)c->n_sources, sizeof *c->sources, by_turn);
	c->version = version;
	c->fresh = true;
	return 0;
}

/* Sources first..end-1 are equals: each gets its share, turn by turn. */
static int take_turns(struct claim *c, struct db *db, int first, int end, int64_t now_ms,
		      struct claim_row *rows, int n, struct err *e)
{
	int count = end - first, got = 0, start = first;

	while (start < end && c->sources[start].batch <= c->last_batch)
		start++;
	for (int givers = count; got < n && givers > 0;) {
		int share = (n - got) / givers > 0 ? (n - got) / givers : 1;
		givers = 0;
		for (int k = 0; k < count && got < n; k++) {
			struct source *s = &c->sources[first + (start - first + k) % count];
			int most = share < n - got ? share : n - got;
			int rc = source_take(s, db, &c->gate, now_ms, rows + got, most, e);
			if (rc < 0)
				return -1;
			if (rc > 0 && count > 1) /* one alone does not disturb the turns */
				c->last_batch = s->batch;
			givers += rc > 0;
			got += rc;
		}
	}
	return got;
}

/* When the next row is due that this call did not give. */
static int find_due(struct claim *c, struct db *db, int64_t now_ms, struct err *e)
{
	c->due = -1;
	for (int i = 0; i < c->n_sources && c->due != 0; i++) {
		int64_t due;
		if (source_due(&c->sources[i], db, now_ms, &due, e) < 0)
			return -1;
		if (due >= 0 && (c->due < 0 || due < c->due))
			c->due = due;
	}
	return 0;
}

int claim_next(struct claim *c, struct db *db, int64_t now_ms, struct claim_row *rows, int n,
	       struct err *e)
{
	int got = 0;

	if (refresh(c, db, e) < 0)
		return -1;
	for (int i = 0; i < c->n_sources; i++)
		source_begin(&c->sources[i]);
	for (int first = 0, end; first < c->n_sources && got < n; first = end) {
		for (end = first + 1; end < c->n_sources &&
		     same_turn(&c->sources[first], &c->sources[end]); end++)
			;
		int rc = take_turns(c, db, first, end, now_ms, rows + got, n - got, e);
		if (rc < 0)
			return -1;
		got += rc;
	}
	return find_due(c, db, now_ms, e) < 0 ? -1 : got;
}

int64_t claim_pending(const struct claim *c)
{
	int64_t n = 0;

	for (int i = 0; i < c->n_sources; i++)
		n += source_pending(&c->sources[i]);
	return n;
}

int64_t claim_due(const struct claim *c)
{
	return c->due;
}
