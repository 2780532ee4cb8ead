#include "base/idmap.h"

#include <string.h>
#include "base/mem.h"
#include "base/rng.h"

enum { FIRST_SLOTS = 1 << 6 };

struct entry {
	struct id key;
	uint32_t value;
};

struct idmap {
	uint64_t seed;
	struct entry *entries;
	size_t n;
	uint32_t *slots; /* entry number + 1, 0 is free; linear probing */
	size_t n_slots;  /* a power of two */
};

struct idmap *idmap_new(void)
{
	struct idmap *m = mem_alloc(sizeof *m);

	rng_fill(&m->seed, sizeof m->seed);
	m->n_slots = FIRST_SLOTS;
	m->slots = mem_alloc(m->n_slots * sizeof *m->slots);
	return m;
}

void idmap_free(struct idmap *m)
{
	if (!m)
		return;
	mem_free(m->entries);
	mem_free(m->slots);
	mem_free(m);
}

void idmap_cleanup(struct idmap **m)
{
	idmap_free(*m);
}

/* Both halves multiplied into 128 bits and folded, as in wyhash. */
static uint64_t mix(const struct idmap *m, struct id key)
{
	uint64_t a, b;

	memcpy(&a, key.b, 8);
	memcpy(&b, key.b + 8, 8);
	unsigned __int128 x = (unsigned __int128)(a ^ m->seed) *
			      (b ^ UINT64_C(0x9e3779b97f4a7c15) ^ (m->seed >> 17));
	return (uint64_t)x ^ (uint64_t)(x >> 64);
}

static uint32_t *find_slot(const struct idmap *m, struct id key)
{
	for (size_t at = (size_t)mix(m, key);; at++) {
		uint32_t *slot = &m->slots[at & (m->n_slots - 1)];
		if (*slot == 0 || id_eq(m->entries[*slot - 1].key, key))
			return slot;
	}
}

static void double_slots(struct idmap *m)
{
	mem_free(m->slots);
	m->n_slots *= 2;
	m->slots = mem_alloc(m->n_slots * sizeof *m->slots);
	for (size_t i = 0; i < m->n; i++)
		*find_slot(m, m->entries[i].key) = (uint32_t)i + 1;
}

bool idmap_put(struct idmap *m, struct id key, uint32_t *value)
{
	uint32_t *slot = find_slot(m, key);

	if (*slot != 0) {
		*value = m->entries[*slot - 1].value;
		return false;
	}
	/* At most half full, so that runs stay short. */
	if ((m->n + 1) * 2 > m->n_slots) {
		double_slots(m);
		slot = find_slot(m, key);
	}
	m->entries = mem_room(m->entries, m->n, sizeof *m->entries);
	m->entries[m->n++] = (struct entry){ key, *value };
	*slot = (uint32_t)m->n;
	return true;
}

bool idmap_get(const struct idmap *m, struct id key, uint32_t *value)
{
	const uint32_t *slot = find_slot(m, key);

	if (*slot == 0)
		return false;
	*value = m->entries[*slot - 1].value;
	return true;
}

struct id idmap_pair(uint64_t a, uint64_t b)
{
	struct id v;

	memcpy(v.b, &a, 8);
	memcpy(v.b + 8, &b, 8);
	return v;
}
