#include "domain/usage.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/idset.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/safe.h"
#include "domain/prices.h"

enum { HOUR_MS = 3600 * 1000, DAY_HOURS = 24, DAY_TEXT = 10, SHOWN = 100 };

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
	struct usage_row sum; /* but for its texts */
	int64_t cost;         /* -1: not known */
};

struct usage {
	struct db *db;
	struct usage_options o;
	struct prices *prices;
	struct idset *numbers; /* of the groups' texts, from 1 */
	struct group *groups;
	uint32_t n_groups;
	struct idset *without; /* a price: the models that are in `unpriced` */
	struct str unpriced;
};

struct usage *usage_new(struct db *db, const struct usage_options *o, struct err *e)
{
	struct prices *prices = o->prices ? prices_load(o->prices, e) : NULL;

	if (o->prices && !prices)
		return NULL;
	struct usage *u = mem_alloc(sizeof *u);
	u->db = db;
	u->o = *o;
	u->prices = prices;
	u->numbers = idset_new();
	u->without = idset_new();
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
	idset_free(u->without);
	str_release(&u->unpriced);
	prices_free(u->prices);
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

	switch ((enum usage_by)u->o.by) {
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
	BUG("no such grouping: %d", u->o.by);
}

/* Nothing costs nothing, whatever the price. */
static int64_t cost_of(struct usage *u, struct span model, const struct usage_row *r)
{
	if (!u->prices || (r->input_tokens == 0 && r->output_tokens == 0))
		return u->prices ? 0 : -1;
	const struct prices_model *m = prices_find(u->prices, model);
	if (m)
		return prices_cost(m, r->input_tokens, r->cached_tokens, r->output_tokens);
	if (idset_add(u->without, model, 1) == 0) {
		str_addz(&u->unpriced, u->unpriced.n > 0 ? ", " : "");
		str_addspan(&u->unpriced, model);
	}
	return -1;
}

static void add(struct group *g, const struct usage_row *r, int64_t cost)
{
	struct usage_row *sum = &g->sum;

	sum->requests += r->requests;
	sum->attempts += r->attempts;
	sum->input_tokens += r->input_tokens;
	sum->cached_tokens += r->cached_tokens;
	sum->output_tokens += r->output_tokens;
	sum->reasoning_tokens += r->reasoning_tokens;
	g->cost = g->cost < 0 || cost < 0 ? -1 : prices_sum(g->cost, cost);
}

/* Groups are there without having used anything. */
static int add_empty(struct usage *u, const struct batch *b, struct err *e)
{
	const struct usage_row nothing = { 0 };
	int rc;

	if (u->o.by == USAGE_DAY)
		return 0;
	STMT(q, u->db, &usage_sql, Q_MODELS);
	stmt_int(&q, 1, b->id);
	while ((rc = stmt_step(&q, e)) > 0)
		add(group_of(u, b, stmt_col(&q, 0), 0), &nothing, u->prices ? 0 : -1);
	return rc;
}

int usage_add(void *usage, const struct batch *b, struct err *e)
{
	struct usage *u = usage;
	int rc;

	if ((u->o.since_ms == 0 || u->o.named) && add_empty(u, b, e) < 0)
		return -1;
	STMT(q, u->db, &usage_sql, Q_BATCH);
	stmt_int(&q, 1, b->id);
	stmt_int(&q, 2, u->o.since_ms / HOUR_MS);
	while ((rc = stmt_step(&q, e)) > 0) {
		struct span model = stmt_col(&q, 0);
		const struct usage_row r = {
			.requests = stmt_col_int(&q, 2), .attempts = stmt_col_int(&q, 3),
			.input_tokens = stmt_col_int(&q, 4),
			.cached_tokens = stmt_col_int(&q, 5),
			.output_tokens = stmt_col_int(&q, 6),
			.reasoning_tokens = stmt_col_int(&q, 7),
		};
		add(group_of(u, b, model, stmt_col_int(&q, 1)), &r, cost_of(u, model, &r));
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
	if (u->o.by != USAGE_BATCH)
		qsort(v, u->n_groups, sizeof *v, u->o.by == USAGE_MODEL ? by_tokens : by_order);
	for (uint32_t i = 0; i < u->n_groups; i++) {
		char cost[PRICES_BUF];
		struct usage_row r = v[i].sum;
		r.what = (struct span){ v[i].what, v[i].n };
		r.cost = v[i].cost < 0 ? SPAN_NONE : span_of(prices_text(v[i].cost, cost));
		if (fn(ctx, &r, e) < 0)
			return -1;
	}
	return 0;
}

const char *usage_unpriced(const struct usage *u)
{
	return str_z(&u->unpriced);
}

void usage_complain(const struct usage *u)
{
	if (u->unpriced.n > 0)
		log_warn("%s has no price for %s", safe_show(span_of(u->o.prices), SHOWN),
			 safe_show(str_span(&u->unpriced), 2 * SHOWN));
}
