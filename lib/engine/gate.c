#include "engine/gate.h"

void gate_release(struct gate *g)
{
	intmap_release(&g->until);
	g->last = 0;
}

void gate_close(struct gate *g, int64_t bucket, int64_t until_ms)
{
	int64_t before;

	if (intmap_get(&g->until, bucket, &before) && before >= until_ms)
		return;
	intmap_set(&g->until, bucket, until_ms);
	if (until_ms > g->last)
		g->last = until_ms;
}

bool gate_is_open(const struct gate *g, int64_t bucket, int64_t now_ms)
{
	int64_t until;

	return now_ms >= g->last || !intmap_get(&g->until, bucket, &until) || now_ms >= until;
}
