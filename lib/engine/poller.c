#include "engine/poller.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/mem.h"

enum { EVENTS = 256 };

struct watched {
	void *owner;
	uint32_t wanted, known; /* by us, by the kernel */
	bool listed;
};

struct poller {
	int epoll;
	struct watched *fds;    /* by descriptor */
	int n_fds;
	int *changed;           /* whose wanted may differ from known */
	int n_changed, cap_changed;
};

struct poller *poller_new(struct err *e)
{
	int fd = epoll_create1(EPOLL_CLOEXEC);

	if (fd < 0) {
		err_sys(e, ERR_INTERNAL, "epoll_create1");
		return NULL;
	}
	struct poller *p = mem_alloc(sizeof *p);
	p->epoll = fd;
	return p;
}

void poller_free(struct poller *p)
{
	if (!p)
		return;
	close(p->epoll);
	free(p->fds);
	free(p->changed);
	free(p);
}

void poller_want(struct poller *p, int fd, uint32_t events, void *owner)
{
	if (fd >= p->n_fds) {
		int n = fd + 64;
		p->fds = mem_resize(p->fds, (size_t)n, sizeof *p->fds);
		memset(p->fds + p->n_fds, 0, (size_t)(n - p->n_fds) * sizeof *p->fds);
		p->n_fds = n;
	}
	struct watched *w = &p->fds[fd];
	w->owner = owner;
	w->wanted = events;
	if (w->listed)
		return;
	if (p->n_changed == p->cap_changed) {
		p->cap_changed = p->cap_changed ? p->cap_changed * 2 : 64;
		p->changed = mem_resize(p->changed, (size_t)p->cap_changed, sizeof *p->changed);
	}
	p->changed[p->n_changed++] = fd;
	w->listed = true;
}

void poller_closed(struct poller *p, int fd)
{
	if (fd < p->n_fds)
		p->fds[fd].known = p->fds[fd].wanted = 0;
}

static void tell_kernel(struct poller *p)
{
	for (int i = 0; i < p->n_changed; i++) {
		int fd = p->changed[i];
		struct watched *w = &p->fds[fd];
		w->listed = false;
		if (w->wanted == w->known)
			continue;
		struct epoll_event ev = { .events = w->wanted, .data.fd = fd };
		int op = !w->wanted ? EPOLL_CTL_DEL : w->known ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;
		/* libcurl also closes descriptors of its own (the resolver's) without a
		 * word: what we believe may be out of date. */
		if (epoll_ctl(p->epoll, op, fd, &ev) < 0 && w->wanted) {
			op = errno == ENOENT ? EPOLL_CTL_ADD : EPOLL_CTL_MOD;
			epoll_ctl(p->epoll, op, fd, &ev);
		}
		w->known = w->wanted;
	}
	p->n_changed = 0;
}

int poller_wait(struct poller *p, int64_t timeout_us, struct poller_event *events,
		int n, struct err *e)
{
	struct epoll_event got[EVENTS];

	tell_kernel(p);
	int count = epoll_wait(p->epoll, got, n < EVENTS ? n : EVENTS,
			       timeout_us < 0 ? -1 : (int)((timeout_us + 999) / 1000));
	if (count < 0 && errno != EINTR)
		return err_sys(e, ERR_INTERNAL, "epoll_wait");
	for (int i = 0; i < count; i++)
		events[i] = (struct poller_event){ got[i].data.fd, got[i].events,
						   p->fds[got[i].data.fd].owner };
	return count < 0 ? 0 : count;
}
