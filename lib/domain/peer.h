/* peer: what the workers of one state file tell each other about limits. */
#ifndef FSL_DOMAIN_PEER_H
#define FSL_DOMAIN_PEER_H

#include <stdint.h>
#include "base/err.h"
#include "domain/limits.h"
#include "store/stmt.h"

extern const struct stmt_set peer_sql;

/* The limits that the other living workers announced, one set each. */
struct peers {
	struct limits *v;
	int n;
};

#define PEERS_INIT { NULL, 0 }
void peer_release(struct peers *p);

/* Reads them anew; `me` is left out. */
int peer_read(struct db *db, int64_t me, struct peers *out, struct err *e) MUST_CHECK;

/* Writes the worker's own; inside a write transaction. */
int peer_announce(struct db *db, int64_t me, const struct limits *l, struct err *e) MUST_CHECK;

#endif
