#include "base/rng.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include "base/err.h"
#include "base/num.h"

void rng_fill(void *p, size_t n)
{
	unsigned char *at = p;
	while (n > 0) {
		ssize_t got = getrandom(at, n, 0);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			BUG("getrandom: %s", strerror(errno));
		at += got;
		n -= (size_t)got;
	}
}

/* splitmix64, as the authors of xoshiro256** advise for its seeding
 * (https://prng.di.unimi.it): it never gives the state of all zeros. */
void rng_seed(struct rng *r, uint64_t seed)
{
	for (int i = 0; i < 4; i++) {
		uint64_t z = (seed += UINT64_C(0x9e3779b97f4a7c15));
		z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
		z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
		r->s[i] = z ^ (z >> 31);
	}
}

void rng_seed_random(struct rng *r)
{
	const char *text = getenv("FSL_TEST_SEED");
	if (text && *text) {
		struct err e = ERR_INIT;
		int64_t seed;
		if (num_int(text, 0, INT64_MAX, &seed, &e) < 0)
			BUG("FSL_TEST_SEED: %s", e.msg);
		rng_seed(r, (uint64_t)seed);
		return;
	}
	uint64_t seed;
	rng_fill(&seed, sizeof(seed));
	rng_seed(r, seed);
}

static uint64_t rotate_left(uint64_t x, int by)
{
	return x << by | x >> (64 - by);
}

uint64_t rng_next(struct rng *r)
{
	uint64_t *s = r->s;
	uint64_t result = rotate_left(s[1] * 5, 7) * 9;
	uint64_t t = s[1] << 17;
	s[2] ^= s[0];
	s[3] ^= s[1];
	s[1] ^= s[2];
	s[0] ^= s[3];
	s[2] ^= t;
	s[3] = rotate_left(s[3], 45);
	return result;
}

uint64_t rng_below(struct rng *r, uint64_t n)
{
	if (n == 0)
		BUG("rng_below(0)");
	/* The first 2^64 mod n numbers are one too many of their residues. */
	uint64_t surplus = (0 - n) % n;
	uint64_t v;
	do
		v = rng_next(r);
	while (v < surplus);
	return v % n;
}
