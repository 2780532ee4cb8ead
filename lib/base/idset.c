#include "base/idset.h"

#include <string.h>
#include "base/err.h"
#include "base/hash.h"
#include "base/id.h"
#include "base/mem.h"

/* Entries stand in chunks that never move: growing copies nothing, whatever
 * realloc() does, so that the peak is what is kept. */
enum { CHUNK = 1 << 15, FIRST_SLOTS = 1 << 10 };

struct entry {
	struct id hash;
	uint32_t line;
};

struct idset {
	struct entry **chunks;
	uint32_t n;      /* entries */
	uint32_t *slots; /* entry number + 1, 0 is free; linear probing */
	size_t n_slots;  /* a power of two */
};

struct idset *idset_new(void)
{
	struct idset *s = mem_alloc(sizeof(*s));
	s->n_slots = FIRST_SLOTS;
	s->slots = mem_alloc(s->n_slots * sizeof(*s->slots));
	return s;
}

void idset_free(struct idset *s)
{
	if (!s)
		return;
	for (size_t i = 0; i * CHUNK < s->n; i++)
		mem_free(s->chunks[i]);
	mem_free(s->chunks);
	mem_free(s->slots);
	mem_free(s);
}

static struct entry *entry_at(const struct idset *s, uint32_t i)
{
	return &s->chunks[i / CHUNK][i % CHUNK];
}

/* The slot that holds the hash, or the free one where it belongs. */
static uint32_t *find_slot(const struct idset *s, struct id hash)
{
	uint64_t start;
	memcpy(&start, hash.b, sizeof(start));
	for (size_t at = (size_t)start;; at++) {
		uint32_t *slot = &s->slots[at & (s->n_slots - 1)];
		if (*slot == 0 || id_eq(entry_at(s, *slot - 1)->hash, hash))
			return slot;
	}
}

/* The old table goes before the new one comes: the entries have it all. */
static void double_slots(struct idset *s)
{
	mem_free(s->slots);
	s->n_slots *= 2;
	s->slots = mem_alloc(s->n_slots * sizeof(*s->slots));
	for (uint32_t i = 0; i < s->n; i++)
		*find_slot(s, entry_at(s, i)->hash) = i + 1;
}

static void append(struct idset *s, struct id hash, uint32_t line)
{
	if (s->n % CHUNK == 0) {
		size_t used = s->n / CHUNK;
		s->chunks = mem_resize(s->chunks, used + 1, sizeof(*s->chunks));
		s->chunks[used] = mem_resize(NULL, CHUNK, sizeof(struct entry));
	}
	*entry_at(s, s->n++) = (struct entry){ hash, line };
}

uint32_t idset_add(struct idset *s, struct span text, uint32_t line)
{
	if (line == 0 || s->n == UINT32_MAX)
		BUG("idset_add: line %u, %u entries", line, s->n);
	struct id hash = hash_of(text.p, text.n);
	uint32_t *slot = find_slot(s, hash);
	if (*slot != 0)
		return entry_at(s, *slot - 1)->line;
	/* At most three quarters full, so that runs stay short. */
	if ((s->n + UINT64_C(1)) * 4 > s->n_slots * UINT64_C(3)) {
		double_slots(s);
		slot = find_slot(s, hash);
	}
	append(s, hash, line);
	*slot = s->n;
	return 0;
}

uint32_t idset_find(const struct idset *s, struct span text)
{
	uint32_t slot = *find_slot(s, hash_of(text.p, text.n));
	return slot == 0 ? 0 : entry_at(s, slot - 1)->line;
}
