#include "engine/poller.h"

#include <errno.h>
#include <limits.h>
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
	bool opened;            /* poller_close() will be called */
};

/* Descriptors, in the order in which they came. */
struct fds {
	int *v;
	int n, cap;
};

struct poller {
	int epoll;
	struct watched *fds;    /* by descriptor */
	int n_fds;
	struct fds changed;     /* whose wanted may differ from known */
	struct fds closing;
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

static void close_all(struct poller *p)
{
	for (int i = 0; i < p->closing.n; i++)
		close(p->closing.v[i]);
	p->closing.n = 0;
}

void poller_free(struct poller *p)
{
	if (!p)
		return;
	close_all(p);
	close(p->epoll);
	free(p->fds);
	free(p->changed.v);
	free(p->closing.v);
	free(p);
}

static void add(struct fds *l, int fd)
{
	if (l->n == l->cap) {
		l->cap = l->cap ? l->cap * 2 : 64;
		l->v = mem_resize(l->v, (size_t)l->cap, sizeof *l->v);
	}
	l->v[l->n++] = fd;
}

static struct watched *watched(struct poller *p, int fd)
{
	if (fd >= p->n_fds) {
		int n = fd + 64;
		p->fds = mem_resize(p->fds, (size_t)n, sizeof *p->fds);
		memset(p->fds + p->n_fds, 0, (size_t)(n - p->n_fds) * sizeof *p->fds);
		p->n_fds = n;
	}
	return &p->fds[fd];
}

static void tell_kernel(struct poller *p, int fd)
{
	struct watched *w = &p->fds[fd];
	struct epoll_event ev = { .events = w->wanted, .data.fd = fd };
	int op = !w->wanted ? EPOLL_CTL_DEL : w->known ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;

	if (w->wanted != w->known)
		epoll_ctl(p->epoll, op, fd, &ev);
	w->known = w->wanted;
}

void poller_want(struct poller *p, int fd, uint32_t events, void *owner)
{
	struct watched *w = watched(p, fd);

	w->owner = owner;
	w->wanted = events;
	if (!events && !w->opened) {
		tell_kernel(p, fd);
	} else if (!w->listed) {
		add(&p->changed, fd);
		w->listed = true;
	}
}

void poller_opened(struct poller *p, int fd)
{
	watched(p, fd)->opened = true;
}

void poller_close(struct poller *p, int fd)
{
	struct watched *w = watched(p, fd);

	/* The kernel forgets it when it is closed. */
	w->wanted = w->known = 0;
	w->opened = false;
	add(&p->closing, fd);
}

int poller_wait(struct poller *p, int64_t timeout_us, struct poller_event *events,
		int n, struct err *e)
{
	struct epoll_event got[EVENTS];
	int64_t ms = timeout_us < 0 ? -1 : (timeout_us + 999) / 1000;

	close_all(p);
	for (int i = 0; i < p->changed.n; i++) {
		p->fds[p->changed.v[i]].listed = false;
		tell_kernel(p, p->changed.v[i]);
	}
	p->changed.n = 0;
	int count = epoll_wait(p->epoll, got, n < EVENTS ? n : EVENTS,
			       ms < INT_MAX ? (int)ms : INT_MAX);
	if (count < 0 && errno != EINTR)
		return err_sys(e, ERR_INTERNAL, "epoll_wait");
	for (int i = 0; i < count; i++)
		events[i] = (struct poller_event){ got[i].data.fd, got[i].events,
						   p->fds[got[i].data.fd].owner };
	return count < 0 ? 0 : count;
}
