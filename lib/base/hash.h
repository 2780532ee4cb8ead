/* hash: XXH3 of 128 bits (libxxhash), for content, not for secrets.
 *
 * The canonical (big-endian) form is stored and printed, so that it equals
 * what xxh128sum(1) prints. */
#ifndef FSL_BASE_HASH_H
#define FSL_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>
#include "base/id.h"

struct hash; /* a running sum */

struct hash *hash_new(void);
void hash_free(struct hash *h);
void hash_add(struct hash *h, const void *p, size_t n);
/* Adds the length (8 bytes, little-endian) and then the bytes, so that
 * ("ab","c") and ("a","bc") differ. */
void hash_add_field(struct hash *h, const void *p, size_t n);
struct id hash_sum(const struct hash *h); /* what was added so far */
void hash_reset(struct hash *h);

struct id hash_of(const void *p, size_t n); /* in one go */

/* The same as hash_add_field() for each of n fields, and then hash_sum(). */
struct id hash_fields(const struct span *fields, size_t n);

#endif
