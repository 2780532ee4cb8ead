/* notify: tells a service manager how the process is.
 *
 * The protocol of sd_notify(3) without its library: datagrams of lines
 * "READY=1", "STATUS=…", "WATCHDOG=1", "STOPPING=1" to the socket that
 * NOTIFY_SOCKET names, a path or "@name" in the abstract namespace.  Without
 * the variable nothing is done.  Nobody is told when a message does not
 * arrive; sending takes 100 ms at most, also when nobody reads. */
#ifndef FSL_BASE_NOTIFY_H
#define FSL_BASE_NOTIFY_H

#include <stdint.h>
#include <sys/socket.h>
#include <sys/un.h>
#include "base/err.h"

struct notify {
	int fd;               /* -1: nobody wants to know */
	struct sockaddr_un to;
	socklen_t to_size;
	int64_t watchdog_ms;
};

#define NOTIFY_INIT { .fd = -1 }

/* Reads the environment.  1: there is somebody to tell; 0: there is not; -1 and
 * ERR_CONFIG: NOTIFY_SOCKET cannot be used (then nothing is sent). */
int notify_open(struct notify *n, struct err *e) MUST_CHECK;
void notify_close(struct notify *n);

/* How often notify_alive() is expected: half of WATCHDOG_USEC; 0: not at all, or
 * WATCHDOG_PID is another process. */
int64_t notify_watchdog_ms(const struct notify *n);

void notify_ready(const struct notify *n);
void notify_stopping(const struct notify *n);
void notify_alive(const struct notify *n);
/* One line for people, cut at 400 bytes; control characters become spaces. */
void notify_status(const struct notify *n, const char *text);

#endif
