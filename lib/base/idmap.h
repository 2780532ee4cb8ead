/* idmap: a number for each 16-byte id: 20 bytes each and a table.
 *
 * Ids of strangers may be chosen to collide; a random seed per map keeps them
 * from making it slow. */
#ifndef FSL_BASE_IDMAP_H
#define FSL_BASE_IDMAP_H

#include <stdbool.h>
#include <stdint.h>
#include "base/id.h"

struct idmap;

struct idmap *idmap_new(void);
void idmap_free(struct idmap *m); /* NULL is fine */
void idmap_cleanup(struct idmap **m);

/* True: the id was not there and has this value now.  False: it was there, and
 * *value becomes the one it has. */
bool idmap_put(struct idmap *m, struct id key, uint32_t *value);
/* True and *value, if it is there. */
bool idmap_get(const struct idmap *m, struct id key, uint32_t *value);

/* Two numbers as an id, for keys that are pairs. */
struct id idmap_pair(uint64_t a, uint64_t b);

#endif
