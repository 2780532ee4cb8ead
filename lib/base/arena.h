/* arena: many small pieces of memory that go together. */
#ifndef FSL_BASE_ARENA_H
#define FSL_BASE_ARENA_H

#include "base/str.h"

struct arena {
	struct arena_block *blocks;
};

/* A copy, of any size, that lives until arena_release(), without a NUL behind it.
 * SPAN_NONE stays so. */
struct span arena_keep(struct arena *a, struct span v);
/* Frees all of it; the arena may be used again. */
void arena_release(struct arena *a);

#endif
