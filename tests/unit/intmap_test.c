#include "base/intmap.h"

#include "base/mem.h"
#include "base/rng.h"
#include "unit.h"

enum { MANY = 50000 };

static int64_t got(const struct intmap *m, int64_t key)
{
	int64_t value = -77;

	return intmap_get(m, key, &value) ? value : -1;
}

static void few(void)
{
	static const int64_t keys[] = { 0, 1, -1, INT64_MIN, INT64_MAX, INT64_C(1) << 32,
					-(INT64_C(1) << 32), 42 };
	struct intmap m = INTMAP_INIT;
	int64_t value = 5;
	int right = 0;

	CHECK(!intmap_get(&m, 0, &value), "an empty map has no key, not even 0");
	CHECK_INT(value, 5, "and leaves the value alone");
	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		intmap_set(&m, keys[i], (int64_t)i + 100);
	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		right += got(&m, keys[i]) == (int64_t)i + 100;
	CHECK_INT(right, ARRAY_LEN(keys), "any key may be set: 0, negative, the largest");
	CHECK_INT(m.n, ARRAY_LEN(keys), "and counts once");
	CHECK(!intmap_get(&m, 43, &value) && value == 5, "others are not there");
	intmap_set(&m, 42, INT64_MIN);
	CHECK_INT(got(&m, 42), INT64_MIN, "a key that is set again has the later value");
	CHECK_INT(m.n, ARRAY_LEN(keys), "and is still one");
	intmap_release(&m);
	CHECK(m.n == 0 && !intmap_get(&m, 42, &value), "released: empty");
	intmap_set(&m, 42, 1);
	CHECK_INT(got(&m, 42), 1, "and usable again");
	intmap_release(&m);
	intmap_release(&m);
}

/* Row numbers come in sequences, and as batch << 32 | line. */
static void many(int64_t first, int64_t step, const char *what)
{
	struct intmap m = INTMAP_INIT;
	int64_t value;
	int right = 0, strange = 0, full = 0;

	for (int64_t i = 0; i < MANY; i++) {
		intmap_set(&m, first + i * step, i);
		full += m.n * 3 > m.cap * 2 + 3;
	}
	for (int64_t i = 0; i < MANY; i++) {
		right += got(&m, first + i * step) == i;
		strange += intmap_get(&m, first + i * step + 1, &value) && step != 1;
	}
	CHECK(right == MANY && strange == 0 && m.n == MANY, "50,000 keys: %s", what);
	CHECK(full == 0 && (m.cap & (m.cap - 1)) == 0 && m.cap < MANY * 4,
	      "at most two thirds full, and no larger than it must: %d", m.cap);
	intmap_release(&m);
}

static void anything(void)
{
	static int64_t keys[MANY], values[MANY];
	struct intmap m = INTMAP_INIT;
	struct rng rng;
	int wrong = 0;

	rng_seed(&rng, 3);
	for (int i = 0; i < MANY; i++) {
		/* Of a thousand slots, so that many are set again. */
		int at = (int)rng_below(&rng, 1000);
		if (!keys[at])
			keys[at] = (int64_t)rng_next(&rng) | 1;
		values[at] = (int64_t)rng_next(&rng);
		intmap_set(&m, keys[at], values[at]);
		at = (int)rng_below(&rng, 1000);
		int64_t value;
		wrong += keys[at] ? !intmap_get(&m, keys[at], &value) || value != values[at]
				  : intmap_get(&m, (int64_t)rng_next(&rng) | 1, &value);
	}
	CHECK_INT(wrong, 0, "50,000 random steps: it is what an array of pairs is");
	intmap_release(&m);
}

int main(void)
{
	few();
	many(1, 1, "in sequence");
	many(-1000000, 1000, "in steps of a thousand");
	many(INT64_C(7) << 32, INT64_C(1) << 32, "that differ in their upper halves");
	many(INT64_MIN, INT64_C(1) << 40, "far apart");
	anything();
	return unit_done();
}
