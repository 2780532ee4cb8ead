#include "table.h"

#include <stdlib.h>
#include <string.h>
#include "base/mem.h"

static uint64_t sum_of(struct span v)
{
	uint64_t h = 0xcbf29ce484222325u; /* FNV-1a */
	for (size_t i = 0; i < v.n; i++)
		h = (h ^ (unsigned char)v.p[i]) * 0x100000001b3u;
	return h ^ h >> 29;
}

static void place(struct table *t, struct counter *c)
{
	size_t i = c->sum & (t->slots - 1);
	while (t->slot[i])
		i = (i + 1) & (t->slots - 1);
	t->slot[i] = c;
}

static void grow(struct table *t)
{
	free(t->slot);
	t->slots = t->slots ? t->slots * 2 : 64;
	t->slot = mem_alloc(t->slots * sizeof(*t->slot));
	t->list = mem_resize(t->list, t->slots, sizeof(*t->list));
	for (size_t i = 0; i < t->n; i++)
		place(t, t->list[i]);
}

struct counter *table_get(struct table *t, struct span name)
{
	uint64_t sum = sum_of(name);

	if (t->n * 2 >= t->slots)
		grow(t);
	for (size_t i = sum & (t->slots - 1); t->slot[i]; i = (i + 1) & (t->slots - 1)) {
		struct counter *c = t->slot[i];
		if (c->sum == sum && c->name_n == name.n &&
		    !memcmp(c->name, name.p, name.n))
			return c;
	}
	struct counter *c = mem_alloc(sizeof(*c));
	c->name = mem_copy(name.p, name.n);
	c->name_n = name.n;
	c->sum = sum;
	t->list[t->n++] = c;
	place(t, c);
	return c;
}

void table_release(struct table *t)
{
	for (size_t i = 0; i < t->n; i++) {
		free(t->list[i]->name);
		free(t->list[i]);
	}
	free(t->list);
	free(t->slot);
	*t = (struct table){ 0 };
}
