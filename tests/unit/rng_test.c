#include "base/rng.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include "unit.h"

static void known_numbers(void)
{
	/* From the authors' xoshiro256starstar.c with the state 1, 2, 3, 4. */
	static const uint64_t want[] = {
		11520, 0, 1509978240, UINT64_C(1215971899390074240),
		UINT64_C(1216172134540287360), UINT64_C(607988272756665600),
		UINT64_C(16172922978634559625), UINT64_C(8476171486693032832),
		UINT64_C(10595114339597558777), UINT64_C(2904607092377533576),
	};
	struct rng r = { { 1, 2, 3, 4 } };
	for (size_t i = 0; i < sizeof(want) / sizeof(want[0]); i++)
		CHECK_INT(rng_next(&r), want[i], "xoshiro256**, number %zu", i + 1);
	/* The first number of the authors' splitmix64.c. */
	rng_seed(&r, 0);
	CHECK_INT(r.s[0], UINT64_C(0xe220a8397b1dcdaf), "seeded by splitmix64");
}

static bool same_numbers(struct rng a, struct rng b)
{
	for (int i = 0; i < 10; i++)
		if (rng_next(&a) != rng_next(&b))
			return false;
	return true;
}

static void bad_seed(void)
{
	struct rng r;
	rng_seed_random(&r);
}

static void seeds(void)
{
	struct rng a, b;
	rng_seed(&a, 7);
	rng_seed(&b, 7);
	CHECK(same_numbers(a, b), "the same seed, the same numbers");
	rng_seed(&b, 8);
	CHECK(!same_numbers(a, b), "another seed, other numbers");
	setenv("FSL_TEST_SEED", "7", 1);
	rng_seed_random(&b);
	CHECK(same_numbers(a, b), "FSL_TEST_SEED is the seed");
	setenv("FSL_TEST_SEED", "seven", 1);
	CHECK_INT(unit_child(bad_seed, NULL, 0), SIGABRT, "which must be a number");
	unsetenv("FSL_TEST_SEED");
	rng_seed_random(&a);
	rng_seed_random(&b);
	CHECK(!same_numbers(a, b), "without it no two seeds are the same");
}

static void below_none(void)
{
	struct rng r;
	rng_seed(&r, 1);
	rng_below(&r, 0);
}

static void ranges(void)
{
	struct rng r;
	rng_seed(&r, 1);
	int count[3] = { 0, 0, 0 };
	for (int i = 0; i < 30000; i++)
		count[rng_below(&r, 3)]++;
	for (int i = 0; i < 3; i++)
		CHECK(count[i] > 9500 && count[i] < 10500,
		      "below 3: about a third are %d", i);
	CHECK_INT(rng_below(&r, 1), 0, "below 1 is only 0");
	/* The remainder alone would fold the upper quarter of all numbers onto
	 * the lowest third, which then came twice as often as the others. */
	const uint64_t most = UINT64_C(3) << 62;
	int upper = 0, beyond = 0;
	for (int i = 0; i < 30000; i++) {
		uint64_t v = rng_below(&r, most);
		upper += v >= UINT64_C(2) << 62;
		beyond += v >= most;
	}
	CHECK_INT(beyond, 0, "below 3/4 of all: none beyond");
	CHECK(upper > 9500 && upper < 10500, "below 3/4 of all: a third in each third");
	CHECK_INT(unit_child(below_none, NULL, 0), SIGABRT, "below 0 is a BUG");
}

static void kernel(void)
{
	unsigned char a[1000], b[1000];
	memset(a, 0, sizeof(a));
	memset(b, 0, sizeof(b));
	rng_fill(a, sizeof(a));
	rng_fill(b, sizeof(b));
	CHECK(memcmp(a, b, sizeof(a)) != 0, "the kernel's bytes differ each time");
	CHECK(memcmp(a + 900, b + 900, 100) != 0, "to the end");
	unsigned char edge[3] = { 1, 1, 1 };
	rng_fill(edge + 1, 0);
	CHECK(edge[0] == 1 && edge[1] == 1 && edge[2] == 1, "no bytes are no bytes");
}

int main(void)
{
	known_numbers();
	seeds();
	ranges();
	kernel();
	return unit_done();
}
