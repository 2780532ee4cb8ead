/* stream: fsl-run -o -: results on standard output as they are committed.
 *
 * A thread of its own with a connection of its own that only reads: a reader
 * who is slow or stuck must delay neither the network nor the ledger.  It
 * follows the batch as `fsl-batch results --follow` does; what it writes is on
 * disk before. */
#ifndef FSL_ENGINE_STREAM_H
#define FSL_ENGINE_STREAM_H

#include <stdint.h>
#include "base/err.h"

struct stream;

/* Starts writing the successes of the batch to standard output. */
struct stream *stream_start(const char *db_path, int64_t batch, struct err *e) MUST_CHECK;

/* Becomes readable when the reader has gone away, or writing failed. */
int stream_gone_fd(const struct stream *s);

/* Writes what was finished so far and ends the thread.  1 if all was written,
 * 0 if the reader went away, -1 and *e if writing or reading failed.  While it
 * waits for the reader, signals do what they do to any program. */
int stream_stop(struct stream *s, struct err *e) MUST_CHECK;

#endif
