/* table: counters by name (a model, an Idempotency-Key), made on first use.
 *
 * The counters stay where they are until table_release(), so that a request
 * in flight may point at one. */
#ifndef TESTS_HTTP_TABLE_H
#define TESTS_HTTP_TABLE_H

#include <stddef.h>
#include <stdint.h>
#include "base/str.h"

struct counter {
	char *name;
	size_t name_n;
	uint64_t sum;
	int64_t requests;
	int64_t in_flight;
	int64_t max_in_flight;
};

struct table {
	struct counter **list; /* in the order they were made */
	size_t n;
	struct counter **slot;
	size_t slots; /* a power of two, or 0 */
};

struct counter *table_get(struct table *t, struct span name);
void table_release(struct table *t);

#endif
