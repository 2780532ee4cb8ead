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

void hash_add_field(struct hash *h, const void *p, size_t n)
{
	uint8_t length[8];
	for (int i = 0; i < 8; i++)
		length[i] = (uint8_t)((uint64_t)n >> (8 * i));
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
