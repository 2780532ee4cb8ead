#include "engine/gate.h"

void gate_release(struct gate *g)
{
	intmap_release(&g->until);
	intmap_release(&g->walls);
	g->last = 0;
}

static void close_in(struct gate *g, struct intmap *m, int64_t bucket, int64_t until_ms)
{
	int64_t before;

	if (intmap_get(m, bucket, &before) && before >= until_ms)
		return;
	intmap_set(m, bucket, until_ms);
	if (until_ms > g->last)
		g->last = until_ms;
}

void gate_close(struct gate *g, int64_t bucket, int64_t until_ms)
{
	close_in(g, &g->until, bucket, until_ms);
}

void gate_wall(struct gate *g, int64_t bucket, int64_t until_ms)
{
	close_in(g, &g->walls, bucket, until_ms);
}

void gate_success(struct gate *g, int64_t bucket)
{
	int64_t before;

	if (intmap_get(&g->walls, bucket, &before))
		intmap_set(&g->walls, bucket, 0);
}

static bool is_over(const struct intmap *m, int64_t bucket, int64_t now_ms)
{
	int64_t until;

	return !intmap_get(m, bucket, &until) || now_ms >= until;
}

bool gate_is_open(const struct gate *g, int64_t bucket, int64_t now_ms)
{
	return now_ms >= g->last ||
	       (is_over(&g->until, bucket, now_ms) && is_over(&g->walls, bucket, now_ms));
}
