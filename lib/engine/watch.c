#include "engine/watch.h"

#include <stdlib.h>

#include "base/mem.h"

void watch_init(struct watch *w, int64_t worker, int64_t grace_ms)
{
	*w = (struct watch){ .worker = worker, .grace_ms = grace_ms };
}

void watch_release(struct watch *w)
{
	recall_release(&w->now);
}

/* A number for what is recalled: the same things, the same number (FNV-1a). */
static void add(uint64_t *sum, uint64_t v)
{
	*sum = (*sum ^ v) * 0x100000001b3u;
}

static uint64_t sum_of(const struct recall *r)
{
	uint64_t sum = 0xcbf29ce484222325u;

	for (int i = 0; i < r->n_batches; i++)
		add(&sum, (uint64_t)r->batches[i].batch << 1 | r->batches[i].cut);
	add(&sum, UINT64_MAX);
	for (int i = 0; i < r->n_rows; i++)
		add(&sum, (uint64_t)r->rows[i].row << 1 | r->rows[i].cut);
	return sum;
}

/* Others have ended some of what flies here: nobody wants those any more. */
static int keep_ours(const struct watch *w, struct db *db, int outstanding,
		     struct desk_words *words, struct err *e)
{
	int64_t *rows = mem_alloc((size_t)outstanding * sizeof *rows);
	int n = recall_mine(db, w->worker, rows, outstanding, e);

	if (n < 0)
		free(rows);
	else
		desk_keep(words, rows, n);
	return n < 0 ? -1 : 0;
}

int watch_look(struct watch *w, struct db *db, int outstanding, int64_t now_ms,
	       struct desk_words *words, struct err *e)
{
	if (recall_read(db, w->worker, w->grace_ms, now_ms, &w->now, e) < 0)
		return -1;
	const struct recall *r = &w->now;
	if (r->flights < outstanding && keep_ours(w, db, outstanding, words, e) < 0)
		return -1;
	uint64_t sum = sum_of(r);
	if (sum == w->said)
		return 0;
	w->said = sum;
	if (r->n_batches + r->n_rows == 0)
		return 0;
	/* What lies ready comes back, and is cancelled or expires by that.  What has
	 * a slot may finish, if it has not to wait for a connection still. */
	desk_say(words, DESK_RECHECK, 0, 0);
	for (int i = 0; i < r->n_batches; i++)
		desk_say(words, r->batches[i].cut ? DESK_CUT_BATCH : DESK_HALT_BATCH,
			 r->batches[i].batch, 0);
	for (int i = 0; i < r->n_rows; i++)
		desk_say(words, r->rows[i].cut ? DESK_CUT_ROW : DESK_HALT_ROW, r->rows[i].row, 0);
	return 0;
}

bool watch_has_work(const struct watch *w)
{
	return w->now.overdue || w->now.expire > 0;
}

int64_t watch_next(const struct watch *w)
{
	return w->now.next_ms;
}
