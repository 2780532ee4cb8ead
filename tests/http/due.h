/* due: what has to happen at a certain time, the earliest first (a heap). */
#ifndef TESTS_HTTP_DUE_H
#define TESTS_HTTP_DUE_H

#include <stddef.h>
#include <stdint.h>

struct due {         /* embedded in what waits; zeroed: waits for nothing */
	int64_t at_us;
	size_t place; /* in the heap, from 1 */
};

struct due_heap {
	struct due **v;
	size_t n;
	size_t cap;
};

void due_set(struct due_heap *h, struct due *d, int64_t at_us); /* or moves it */
void due_unset(struct due_heap *h, struct due *d);              /* if it is set */
struct due *due_first(const struct due_heap *h);                /* NULL: none */
void due_release(struct due_heap *h);

#endif
