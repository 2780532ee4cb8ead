#include "base/hash.h"

#include <string.h>
#include <xxhash.h>
#include "base/err.h"
#include "base/mem.h"

_Static_assert(sizeof(XXH128_canonical_t) == ID_BYTES, "a sum fits an id");

/* The state is the library's to allocate: it wants an alignment of 64. */
struct hash {
	XXH3_state_t *state;
};

struct hash *hash_new(void)
{
	struct hash *h = mem_alloc(sizeof(*h));
	h->state = XXH3_createState();
	if (!h->state)
		BUG("out of memory: the state of a hash");
	hash_reset(h);
	return h;
}

void hash_free(struct hash *h)
{
	if (!h)
		return;
	XXH3_freeState(h->state);
	mem_free(h);
}

void hash_reset(struct hash *h)
{
	XXH3_128bits_reset(h->state);
}

void hash_add(struct hash *h, const void *p, size_t n)
{
	if (n > 0)
		XXH3_128bits_update(h->state, p, n);
}

enum { LENGTH_BYTES = 8 };

static void put_length(uint8_t *to, size_t n)
{
	for (int i = 0; i < LENGTH_BYTES; i++)
		to[i] = (uint8_t)((uint64_t)n >> (8 * i));
}

void hash_add_field(struct hash *h, const void *p, size_t n)
{
	uint8_t length[LENGTH_BYTES];
	put_length(length, n);
	hash_add(h, length, sizeof(length));
	hash_add(h, p, n);
}

static struct id canonical(XXH128_hash_t sum)
{
	XXH128_canonical_t bytes;
	XXH128_canonicalFromHash(&bytes, sum);
	struct id v;
	memcpy(v.b, bytes.digest, ID_BYTES);
	return v;
}

struct id hash_sum(const struct hash *h)
{
	return canonical(XXH3_128bits_digest(h->state));
}

struct id hash_of(const void *p, size_t n)
{
	return canonical(XXH3_128bits(n > 0 ? p : "", n));
}

/* A sum in one go takes half the time of a running one. */
struct id hash_fields(const struct span *fields, size_t n)
{
	uint8_t small[2048];
	size_t used = 0, i;
	for (i = 0; i < n; i++) {
		size_t room = sizeof(small) - used;
		if (room < LENGTH_BYTES || fields[i].n > room - LENGTH_BYTES)
			break;
		put_length(small + used, fields[i].n);
		used += LENGTH_BYTES;
		if (fields[i].n > 0)
			memcpy(small + used, fields[i].p, fields[i].n);
		used += fields[i].n;
	}
	if (i == n)
		return hash_of(small, used);
	struct hash *h = hash_new();
	hash_add(h, small, used);
	for (; i < n; i++)
		hash_add_field(h, fields[i].p, fields[i].n);
	struct id sum = hash_sum(h);
	hash_free(h);
	return sum;
}
