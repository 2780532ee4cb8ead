#include "due.h"

#include <stdlib.h>
#include "base/mem.h"

static void put(struct due_heap *h, size_t i, struct due *d)
{
	h->v[i - 1] = d;
	d->place = i;
}

static void settle(struct due_heap *h, size_t i, struct due *d)
{
	for (; i > 1 && h->v[i / 2 - 1]->at_us > d->at_us; i /= 2)
		put(h, i, h->v[i / 2 - 1]);
	for (;;) {
		size_t kid = i * 2;
		if (kid > h->n)
			break;
		if (kid < h->n && h->v[kid]->at_us < h->v[kid - 1]->at_us)
			kid++;
		if (h->v[kid - 1]->at_us >= d->at_us)
			break;
		put(h, i, h->v[kid - 1]);
		i = kid;
	}
	put(h, i, d);
}

void due_set(struct due_heap *h, struct due *d, int64_t at_us)
{
	d->at_us = at_us;
	if (!d->place) {
		if (h->n == h->cap) {
			h->cap = h->cap ? h->cap * 2 : 256;
			h->v = mem_resize(h->v, h->cap, sizeof(struct due *));
		}
		h->v[h->n++] = d;
		d->place = h->n;
	}
	settle(h, d->place, d);
}

void due_unset(struct due_heap *h, struct due *d)
{
	if (!d->place)
		return;
	struct due *last = h->v[--h->n];
	if (last != d)
		settle(h, d->place, last);
	d->place = 0;
}

struct due *due_first(const struct due_heap *h)
{
	return h->n ? h->v[0] : NULL;
}

void due_release(struct due_heap *h)
{
	free(h->v);
	*h = (struct due_heap){ 0 };
}
