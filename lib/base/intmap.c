#include "base/intmap.h"

#include <stdlib.h>

#include "base/mem.h"

struct intmap_slot {
	int64_t key, value;
	bool used;
};

void intmap_release(struct intmap *m)
{
	free(m->slots);
	*m = (struct intmap)INTMAP_INIT;
}

/* The slot of the key, or the free one where it would go. */
static struct intmap_slot *slot_of(const struct intmap *m, int64_t key)
{
	/* Keys are row numbers, many of them in sequence: the multiplication spreads
	 * them (2^64 divided by the golden ratio). */
	uint64_t h = (uint64_t)key * 0x9e3779b97f4a7c15u;
	int mask = m->cap - 1, i = (int)(h >> 33) & mask;

	while (m->slots[i].used && m->slots[i].key != key)
		i = (i + 1) & mask;
	return &m->slots[i];
}

static void grow(struct intmap *m)
{
	struct intmap old = *m;

	m->cap = old.cap ? old.cap * 2 : 16;
	m->slots = mem_alloc((size_t)m->cap * sizeof *m->slots);
	for (int i = 0; i < old.cap; i++)
		if (old.slots[i].used)
			*slot_of(m, old.slots[i].key) = old.slots[i];
	free(old.slots);
}

void intmap_set(struct intmap *m, int64_t key, int64_t value)
{
	if (m->n * 3 >= m->cap * 2)
		grow(m);
	struct intmap_slot *s = slot_of(m, key);
	m->n += !s->used;
	*s = (struct intmap_slot){ key, value, true };
}

bool intmap_get(const struct intmap *m, int64_t key, int64_t *value)
{
	if (m->cap == 0)
		return false;
	const struct intmap_slot *s = slot_of(m, key);
	if (s->used)
		*value = s->value;
	return s->used;
}
