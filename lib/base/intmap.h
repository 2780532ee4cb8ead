/* intmap: from one 64-bit number to another. */
#ifndef FSL_BASE_INTMAP_H
#define FSL_BASE_INTMAP_H

#include <stdbool.h>
#include <stdint.h>

struct intmap {
	struct intmap_slot *slots;
	int n, cap; /* cap is a power of two, at most two thirds full */
};

#define INTMAP_INIT { 0, 0, 0 }
void intmap_release(struct intmap *m); /* empty and usable again */

/* Sets the value of the key, whether it had one or not. */
void intmap_set(struct intmap *m, int64_t key, int64_t value);

/* True and *value if the key has one. */
bool intmap_get(const struct intmap *m, int64_t key, int64_t *value);

#endif
