/* gate: buckets that the server wants to be left alone, as the network thread
 * knows them: what the ledger started before it heard of it goes back unsent. */
#ifndef FSL_ENGINE_GATE_H
#define FSL_ENGINE_GATE_H

#include <stdbool.h>
#include <stdint.h>
#include "base/intmap.h"

struct gate {
	struct intmap until, walls; /* bucket to monotonic ms */
	int64_t last;        /* when the last of them opens */
};

#define GATE_INIT { INTMAP_INIT, INTMAP_INIT, 0 }
void gate_release(struct gate *g);

/* Nothing of the bucket leaves before; the later of two times counts. */
void gate_close(struct gate *g, int64_t bucket, int64_t until_ms);
/* Nor what would run into the same wall (a wrong key), but only until something of
 * the bucket succeeds, as in engine/health.h: in the same order, or what the
 * ledger starts again would come back at once, again and again. */
void gate_wall(struct gate *g, int64_t bucket, int64_t until_ms);
void gate_success(struct gate *g, int64_t bucket);
bool gate_is_open(const struct gate *g, int64_t bucket, int64_t now_ms);

#endif
