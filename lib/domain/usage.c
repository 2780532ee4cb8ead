#include "domain/usage.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/idset.h"
#include "base/mem.h"

enum { HOUR_MS = 3600 * 1000, DAY_HOURS = 24, DAY_TEXT = 10 };

enum { Q_BATCH, Q_MODELS };
static const char *const texts[] = {
	[Q_BATCH] = "SELECT m.name, u.hour / 24, sum(u.requests), sum(u.attempts),"
		    " sum(u.input_tokens), sum(u.cached_tokens), sum(u.output_tokens),"
		    " sum(u.reasoning_tokens) FROM usage u CROSS JOIN models m ON m.id = u.model"
		    " WHERE u.batch = ?1 AND u.hour >= ?2 GROUP BY u.model, u.hour / 24",
	[Q_MODELS] = "SELECT m.name FROM queues q CROSS JOIN models m ON m.id = q.model"
		     " WHERE q.batch = ?1",
};
const struct stmt_set usage_sql = { "usage", texts, ARRAY_LEN(texts) };

struct group {
	char *what;
	size_t n;
	int64_t order;
	struct usage_row sum; /* but for `what` */
};

struct usage {
	enum usage_by by;
	int64_t since;         /* an hour */
	bool all;
	const struct prices *prices;
	struct idset *numbers; /* of the groups' texts, from 1 */
	struct group *groups;
	uint32_t n_groups;
	struct idset *unpriced;
	struct str unpriced_list;
	uint32_t n_unpriced;
};

struct usage *usage_new(enum usage_by by, int64_t since_ms, const struct prices *prices)
{
	struct usage *u = mem_alloc(sizeof *u);

	u->by = by;
	u->since = since_ms / HOUR_MS;
	u->all = since_ms == 0;
	u->prices = prices;
	u->numbers = idset_new();
	u->unpriced = idset_new();
	return u;
}

void usage_free(struct usage *u)
{
	if (!u)
		return;
	for (uint32_t i = 0; i < u->n_groups; i++)
		free(u->groups[i].what);
	free(u->groups);
	idset_free(u->numbers);
	idset_free(u->unpriced);
	str_release(&u->unpriced_list);
	free(u);
}

void usage_cleanup(struct usage **u)
{
	usage_free(*u);
}

static struct group *find(struct usage *u, struct span what, int64_t order)
{
	uint32_t number = idset_add(u->numbers, what, u->n_groups + 1);

	if (number > 0)
		return &u->groups[number - 1];
	if ((u->n_groups & (u->n_groups - 1)) == 0)
		u->groups = mem_resize(u->groups, u->n_groups ? 2 * (size_t)u->n_groups : 1,
				       sizeof *u->groups);
	struct group *g = &u->groups[u->n_groups++];
	*g = (struct group){ .what = mem_copy(what.p, what.n), .n = what.n, .order = order };
	return g;
}

/* Where usage of this batch, model and day belongs. */
static struct group *group_of(struct usage *u, const struct batch *b, struct span model,
			      int64_t day)
{
	char text[BATCH_ID_BUF + CLOCK_BUF];

	switch (u->by) {
	case USAGE_MODEL:
		return find(u, model, 0);
	case USAGE_BATCH:
		return find(u, span_of(batch_id_text(b->uuid, text)), 0);
	case USAGE_DAY:
		clock_text(day * DAY_HOURS * HOUR_MS, text);
		return find(u, (struct span){ text, DAY_TEXT }, day);
	case USAGE_STATUS:
		return find(u, span_of(batch_status_text(b->status)), b->status);
	}
	BUG("no such grouping: %d", u->by);
}

/* Nothing costs nothing, whatever the price. */
static int64_t cost_of(struct usage *u, struct span model, const struct usage_row *r)
{
	if (!u->prices || (r->input_tokens == 0 && r->output_tokens == 0))
		return u->prices ? 0 : -1;
	const struct prices_model *m = prices_find(u->prices, model);
	if (m)
		return prices_cost(m, r->input_tokens, r->cached_tokens, r->output_tokens);
	if (idset_add(u->unpriced, model, 1) == 0) {
		str_addz(&u->unpriced_list, u->n_unpriced++ ? ", " : "");
		str_addspan(&u->unpriced_list, model);
	}
	return -1;
}

static void add(struct usage_row *sum, const struct usage_row *r)
{
	sum->requests += r->requests;
	sum->attempts += r->attempts;
	sum->input_tokens += r->input_tokens;
	sum->cached_tokens += r->cached_tokens;
	sum->output_tokens += r->output_tokens;
	sum->reasoning_tokens += r->reasoning_tokens;
	sum->cost = sum->cost < 0 || r->cost < 0 ? -1 : prices_sum(sum->cost, r->cost);
}

/* Groups are there without having used anything. */
static int add_empty(struct usage *u, struct db *db, const struct batch *b, struct err *e)
{
	int rc;

	if (u->by == USAGE_DAY)
		return 0;
	STMT(q, db, &usage_sql, Q_MODELS);
	stmt_int(&q, 1, b->id);
	while ((rc = stmt_step(&q, e)) > 0)
		add(&group_of(u, b, stmt_col(&q, 0), 0)->sum,
		    &(struct usage_row){ .cost = u->prices ? 0 : -1 });
	return rc;
}

int usage_add(struct usage *u, struct db *db, const struct batch *b, bool named,
	      struct err *e)
{
	int rc;

	if ((u->all || named) && add_empty(u, db, b, e) < 0)
		return -1;
	STMT(q, db, &usage_sql, Q_BATCH);
	stmt_int(&q, 1, b->id);
	stmt_int(&q, 2, u->since);
	while ((rc = stmt_step(&q, e)) > 0) {
		struct usage_row r = {
			.what = stmt_col(&q, 0), .requests = stmt_col_int(&q, 2),
			.attempts = stmt_col_int(&q, 3), .input_tokens = stmt_col_int(&q, 4),
			.cached_tokens = stmt_col_int(&q, 5), .output_tokens = stmt_col_int(&q, 6),
			.reasoning_tokens = stmt_col_int(&q, 7),
		};
		r.cost = cost_of(u, r.what, &r);
		add(&group_of(u, b, r.what, stmt_col_int(&q, 1))->sum, &r);
	}
	return rc;
}

static int compare(const struct group *a, const struct group *b)
{
	size_t n = a->n < b->n ? a->n : b->n;
	int by_text = memcmp(a->what, b->what, n);

	return by_text ? by_text : a->n < b->n ? -1 : a->n > b->n;
}

static int by_tokens(const void *pa, const void *pb)
{
	const struct group *a = pa, *b = pb;
	int64_t x = a->sum.input_tokens + a->sum.output_tokens;
	int64_t y = b->sum.input_tokens + b->sum.output_tokens;

	return x != y ? (x < y ? 1 : -1) : compare(a, b);
}

static int by_order(const void *pa, const void *pb)
{
	const struct group *a = pa, *b = pb;

	return a->order < b->order ? -1 : a->order > b->order;
}

int usage_each(const struct usage *u, usage_fn *fn, void *ctx, struct err *e)
{
	/* Sorted in a copy: the numbers of those in place go on being right. */
	struct group *v CLEANUP(mem_cleanup) = mem_alloc(u->n_groups * sizeof *v);

	if (u->n_groups == 0)
		return 0;
	memcpy(v, u->groups, u->n_groups * sizeof *v);
	if (u->by != USAGE_BATCH)
		qsort(v, u->n_groups, sizeof *v, u->by == USAGE_MODEL ? by_tokens : by_order);
	for (uint32_t i = 0; i < u->n_groups; i++) {
		struct usage_row r = v[i].sum;
		r.what = (struct span){ v[i].what, v[i].n };
		if (fn(ctx, &r, e) < 0)
			return -1;
	}
	return 0;
}

int usage_unpriced(const struct usage *u, struct str *out)
{
	str_addspan(out, str_span(&u->unpriced_list));
	return (int)u->n_unpriced;
}
