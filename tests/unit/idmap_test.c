#include "base/idmap.h"

#include <string.h>
#include "base/clock.h"
#include "base/mem.h"
#include "unit.h"

enum { MANY = 200000 };

int main(void)
{
	struct idmap *m CLEANUP(idmap_cleanup) = idmap_new();
	uint32_t v = 7;

	CHECK(!idmap_get(m, idmap_pair(1, 2), &v) && v == 7, "an empty map has nothing");
	CHECK(idmap_put(m, idmap_pair(1, 2), &v) && v == 7, "a new id gets its value");
	v = 8;
	CHECK(!idmap_put(m, idmap_pair(1, 2), &v) && v == 7, "one that is there keeps its value");
	CHECK(idmap_put(m, idmap_pair(2, 1), &v), "a pair is another one the other way round");
	v = 9;
	CHECK(idmap_put(m, idmap_pair(0, 0), &v) && idmap_get(m, idmap_pair(0, 0), &v) && v == 9,
	      "zeros are an id like any other");

	int64_t start = clock_mono_ms();
	bool right = true;
	for (uint32_t i = 0; i < MANY; i++) {
		uint32_t value = i;
		right = right && idmap_put(m, idmap_pair(10, i), &value);
		right = right && idmap_put(m, idmap_pair((uint64_t)i << 32, 11), &value);
	}
	for (uint32_t i = 0; i < MANY; i++) {
		uint32_t a = 0, b = 0;
		right = right && idmap_get(m, idmap_pair(10, i), &a) && a == i;
		right = right && idmap_get(m, idmap_pair((uint64_t)i << 32, 11), &b) && b == i;
	}
	CHECK(right, "%d ids that differ in few bits are all found", 2 * MANY);
	CHECK(clock_mono_ms() - start < 5000, "and soon");
	CHECK(!idmap_get(m, idmap_pair(10, MANY), &v), "what is not there is not found among them");
	idmap_free(NULL);
	return unit_done();
}
