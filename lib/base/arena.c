#include "base/arena.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

enum { BLOCK = 1 << 16 };

struct arena_block {
	struct arena_block *next;
	size_t used, cap;
	char bytes[];
};

struct span arena_keep(struct arena *a, struct span v)
{
	struct arena_block *b = a->blocks;

	if (!v.p)
		return v;
	if (!b || b->cap - b->used < v.n) {
		size_t cap = v.n > BLOCK ? v.n : BLOCK;
		b = mem_alloc(sizeof *b + cap);
		b->cap = cap;
		b->next = a->blocks;
		a->blocks = b;
	}
	char *to = b->bytes + b->used;
	if (v.n > 0)
		memcpy(to, v.p, v.n);
	b->used += v.n;
	return (struct span){ to, v.n };
}

void arena_release(struct arena *a)
{
	while (a->blocks) {
		struct arena_block *next = a->blocks->next;
		free(a->blocks);
		a->blocks = next;
	}
}
