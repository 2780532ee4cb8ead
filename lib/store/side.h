/* side: the file beside the state file, "<db>-fsl".  It holds no data.
 *
 * Three services, all of which the kernel takes back when a process dies:
 *  - flock(2) around each write transaction: a queue that is fair, which
 *    SQLite's busy handler is not;
 *  - a byte per living process, locked with F_OFD_SETLK: workers in 1..1023,
 *    loaders (import, create) in 1024..2047.  Who lives is not a matter of
 *    clocks: a stopped process keeps its byte, a killed one loses it at once;
 *  - a doorbell: byte 0 is written after each commit, and inotify(7) tells
 *    whoever waits; a process that dies closes the file, which tells them too.
 *
 * The descriptor is close-on-exec.  A file that was removed or replaced while
 * it is open is an error of side_lock(). */
#ifndef FSL_STORE_SIDE_H
#define FSL_STORE_SIDE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include "base/err.h"

struct side;

enum side_kind { SIDE_WORKER, SIDE_LOADER };
enum { SIDE_WORKER_FIRST = 1, SIDE_LOADER_FIRST = 1024, SIDE_END = 2048 };

/* Opens or makes the file for a state file with this mode, owner and group. */
struct side *side_open(const char *db_path, mode_t mode, uid_t uid, gid_t gid,
		       struct err *e) MUST_CHECK;
void side_close(struct side *s);

/* The writers' lock.  Waits at most wait_ms (-1: for ever); ERR_BUSY then. */
int side_lock(struct side *s, int64_t wait_ms, struct err *e) MUST_CHECK;
void side_unlock(struct side *s);

/* Takes a free byte of the kind and returns its number; ERR_BUSY if all are
 * taken.  It stays taken until side_leave() or the end of the process. */
int side_enter(struct side *s, enum side_kind kind, struct err *e) MUST_CHECK;
void side_leave(struct side *s, int slot);

/* Is the byte held by a living process?  One's own bytes count as held. */
bool side_alive(struct side *s, int slot);
/* Is it one of our own? */
bool side_mine(const struct side *s, int slot);

/* Does any worker live? */
bool side_any_worker(struct side *s);

/* Rings the doorbell. */
void side_ring(struct side *s);

/* A descriptor that becomes readable when somebody rings or dies (inotify);
 * -1 and *e on failure.  The caller owns it and empties it with side_heard(). */
int side_listen(struct side *s, struct err *e) MUST_CHECK;

/* Empties the descriptor.  Bits: 1 somebody rang, 2 somebody closed the file
 * (perhaps died; the kernel tells it just before it frees the bytes, so look
 * again a moment later). */
enum { SIDE_RANG = 1, SIDE_CLOSED = 2 };
int side_heard(int fd);

#endif
