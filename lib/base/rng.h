/* rng: random numbers.
 *
 * rng_fill() asks the kernel (getrandom) and is for ids and tokens.  struct
 * rng is a small generator (xoshiro256**) with a seed, for jitter and for
 * tests that must be repeatable. */
#ifndef FSL_BASE_RNG_H
#define FSL_BASE_RNG_H

#include <stddef.h>
#include <stdint.h>

void rng_fill(void *p, size_t n);

struct rng {
	uint64_t s[4];
};

void rng_seed(struct rng *r, uint64_t seed); /* the same seed, the same numbers */
void rng_seed_random(struct rng *r);         /* FSL_TEST_SEED, else the kernel */
uint64_t rng_next(struct rng *r);
uint64_t rng_below(struct rng *r, uint64_t n); /* 0 to n - 1, unbiased; n > 0 */

#endif
