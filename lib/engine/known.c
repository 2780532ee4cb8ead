#include "engine/known.h"

#include <stdlib.h>

#include "base/mem.h"

void known_init(struct known *k, const struct send *defaults, const struct trace *trace)
{
	*k = (struct known){ .defaults = SEND_INIT, .trace = trace };
	if (defaults)
		send_fill(&k->defaults, defaults);
}

void known_release(struct known *k)
{
	for (int i = 0; i < k->n; i++) {
		target_free(k->v[i]->target);
		free(k->v[i]);
	}
	free(k->v);
	intmap_release(&k->by_batch);
	send_release(&k->defaults);
	k->v = NULL;
	k->n = 0;
}

struct known_batch *known_get(struct known *k, struct db *db, int64_t batch, bool *fresh,
			      int64_t *completed, struct err *e)
{
	struct batch row CLEANUP(batch_release) = BATCH_INIT;
	int64_t at;

	*fresh = false;
	if (intmap_get(&k->by_batch, batch, &at))
		return k->v[at];
	if (batch_get(db, batch, &row, e) < 0)
		return NULL;
	if ((k->n & (k->n - 1)) == 0)
		k->v = mem_resize(k->v, k->n ? (size_t)k->n * 2 : 1, sizeof(void *));
	struct known_batch *b = mem_alloc(sizeof *b);
	b->target = target_new(&row, &k->defaults, k->trace);
	b->expires_ms = row.expires_ms;
	k->v[k->n] = b;
	intmap_set(&k->by_batch, batch, k->n++);
	*fresh = true;
	*completed = row.completed;
	return b;
}

int known_count(const struct known *k, struct db *db, struct ledger_state *s, struct err *e)
{
	s->total = s->done = s->done_failed = s->retrying = 0;
	for (int i = 0; i < k->n; i++) {
		struct batch row CLEANUP(batch_release) = BATCH_INIT;
		if (batch_get(db, k->v[i]->target->batch, &row, e) < 0)
			return -1;
		s->total += row.total;
		s->done += row.completed + row.failed + row.cancelled + row.expired;
		s->done_failed += row.failed + row.cancelled + row.expired;
		s->retrying += row.retrying;
	}
	return 0;
}

void known_failed(struct known *k, int64_t batch)
{
	int64_t at;

	if (intmap_get(&k->by_batch, batch, &at))
		k->v[at]->failures++;
}

int64_t *known_started(const struct known *k, int *n)
{
	int64_t *list = mem_alloc((size_t)(k->n + 1) * sizeof *list);

	*n = 0;
	for (int i = 0; i < k->n; i++)
		if (k->v[i]->started)
			list[(*n)++] = k->v[i]->target->batch;
	return list;
}
