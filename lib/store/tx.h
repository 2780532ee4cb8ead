/* tx: transactions.
 *
 *     TX(tx);
 *     if (tx_begin(&tx, db, e) < 0) return -1;
 *     ... statements ...
 *     return tx_commit(&tx, e);
 *
 * A write transaction holds the writers' lock of the side file and is BEGIN
 * IMMEDIATE from its first moment: reading first and writing later would fail
 * with SQLITE_BUSY at once.  Leaving the scope without a commit rolls back.
 *
 * After the commit, still under the lock, the write-ahead log is checkpointed
 * (FULL) when it has grown past 16 MiB; it waits at most 100 ms for readers
 * and, while they keep the log from beginning anew, is tried again each time it
 * has grown by a quarter.  Then the doorbell rings. */
#ifndef FSL_STORE_TX_H
#define FSL_STORE_TX_H

#include <stdbool.h>
#include "base/err.h"
#include "base/mem.h"
#include "store/db.h"

struct tx {
	struct db *db; /* NULL: not open */
	bool write;
};

#define TX(name) struct tx name CLEANUP(tx_end) = { 0 }

/* ERR_BUSY after the patience of the connection; ERR_CONFIG if the state file was
 * moved or replaced since it was opened. */
int tx_begin(struct tx *t, struct db *db, struct err *e) MUST_CHECK;
/* A snapshot for several reads. */
int tx_begin_read(struct tx *t, struct db *db, struct err *e) MUST_CHECK;
int tx_commit(struct tx *t, struct err *e) MUST_CHECK;
void tx_end(struct tx *t);

#endif
