#include "base/arena.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "unit.h"

enum { PIECES = 20000 };

int main(void)
{
	static struct span kept[PIECES];
	struct arena a = { NULL };
	char text[32];
	int same = 0;

	arena_release(&a);
	for (int i = 0; i < PIECES; i++) {
		snprintf(text, sizeof text, "piece %d", i);
		kept[i] = arena_keep(&a, span_of(text));
	}
	for (int i = 0; i < PIECES; i++) {
		snprintf(text, sizeof text, "piece %d", i);
		same += span_is(kept[i], text);
	}
	CHECK_INT(same, PIECES, "pieces stay as they were while others come");
	size_t n = 3 << 20;
	char *large = mem_alloc(n);
	memset(large, 'x', n);
	struct span copy = arena_keep(&a, (struct span){ large, n });
	CHECK(copy.p != large && copy.n == n && memcmp(copy.p, large, n) == 0,
	      "one that is larger than a block");
	struct span none = arena_keep(&a, SPAN_LIT(""));
	CHECK(none.p && none.n == 0, "an empty one is one");
	CHECK(!arena_keep(&a, SPAN_NONE).p, "none is none");
	CHECK(span_is(kept[PIECES - 1], "piece 19999"), "the others are still there");
	free(large);
	arena_release(&a);
	CHECK(span_is(arena_keep(&a, SPAN_LIT("again")), "again"), "it can be used again");
	arena_release(&a);
	return unit_done();
}
