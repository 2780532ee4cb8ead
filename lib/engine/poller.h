/* poller: epoll with second thoughts.
 *
 * libcurl changes its mind about a socket several times per request (in, out,
 * in, none, in again); telling the kernel each time would cost more than the
 * request.  Wishes are noted and brought to the kernel right before waiting:
 * most of them have undone each other by then.
 *
 * That works for sockets that poller_opened() was told of.  Any other
 * descriptor may be closed behind our back as soon as nothing is wanted of it
 * (the resolver's are), and its number come back: of those the kernel is told
 * at once. */
#ifndef FSL_ENGINE_POLLER_H
#define FSL_ENGINE_POLLER_H

#include <stdint.h>
#include "base/err.h"

struct poller;

struct poller_event {
	int fd;
	uint32_t events;  /* EPOLLIN … */
	void *owner;      /* of the last poller_want() */
};

struct poller *poller_new(struct err *e) MUST_CHECK;
void poller_free(struct poller *p);

/* From the next wait on: these events (0: none) of this descriptor. */
void poller_want(struct poller *p, int fd, uint32_t events, void *owner);

/* A new socket, which nobody closes but poller_close(). */
void poller_opened(struct poller *p, int fd);

/* Closes it, at the next wait: until then no other socket gets its number, so
 * that events which came together with the last of this one meet nobody else. */
void poller_close(struct poller *p, int fd);

/* Waits at most timeout_us (-1: as long as it takes); returns how many of the
 * events were filled, 0 also for a signal. */
int poller_wait(struct poller *p, int64_t timeout_us, struct poller_event *events,
		int n, struct err *e) MUST_CHECK;

#endif
