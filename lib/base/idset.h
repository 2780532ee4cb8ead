/* idset: which texts were seen, and on which line: 28 bytes each.
 *
 * Keeps the 128-bit hash of each text, not the text: a false "seen" would
 * need two texts with the same XXH3-128 (about 1 in 10^26 for a million). */
#ifndef FSL_BASE_IDSET_H
#define FSL_BASE_IDSET_H

#include <stdint.h>
#include "base/str.h"

struct idset;

struct idset *idset_new(void);
void idset_free(struct idset *s); /* NULL is fine */

/* 0: the text was not there and is now, with this line.  Else the line it
 * was added with.  Lines are 1 to 2^32 - 1. */
uint32_t idset_add(struct idset *s, struct span text, uint32_t line);

/* The line it was added with; 0: it is not there. */
uint32_t idset_find(const struct idset *s, struct span text);

#endif
