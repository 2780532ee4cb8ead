#include "engine/poller.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>
#include "base/clock.h"
#include "unit.h"

static struct err e;
static struct poller_event events[300];
static int one, two; /* owners */

static int wait_now(struct poller *p)
{
	return poller_wait(p, 0, events, 300, &e);
}

static void pair(int ends[2])
{
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
		abort();
}

static void say(int fd)
{
	if (write(fd, "x", 1) != 1)
		abort();
}

static void wishes(struct poller *p)
{
	int ends[2];
	pair(ends);
	poller_opened(p, ends[0]);
	CHECK_INT(wait_now(p), 0, "nothing wanted, nothing told");
	poller_want(p, ends[0], EPOLLIN, &one);
	CHECK_INT(wait_now(p), 0, "no byte, no event");
	say(ends[1]);
	CHECK_INT(wait_now(p), 1, "a byte is an event");
	CHECK(events[0].fd == ends[0] && events[0].events == EPOLLIN && events[0].owner == &one,
	      "with descriptor, events and owner");
	CHECK_INT(wait_now(p), 1, "again while the byte is there");
	poller_want(p, ends[0], EPOLLOUT, &two);
	poller_want(p, ends[0], 0, &two);
	poller_want(p, ends[0], EPOLLOUT, &two);
	CHECK_INT(wait_now(p), 1, "the last of several wishes holds");
	CHECK(events[0].events == EPOLLOUT && events[0].owner == &two, "and the last owner");
	poller_want(p, ends[0], EPOLLIN | EPOLLOUT, &two);
	CHECK(wait_now(p) == 1 && events[0].events == (EPOLLIN | EPOLLOUT), "both ways");
	poller_want(p, ends[0], 0, &two);
	CHECK_INT(wait_now(p), 0, "none is none");
	poller_want(p, ends[0], EPOLLIN, &one);
	CHECK(wait_now(p) == 1 && events[0].owner == &one, "and it can be wanted again");
	close(ends[1]);
	CHECK(wait_now(p) == 1 && (events[0].events & EPOLLHUP), "the other end went away");
	poller_close(p, ends[0]);
	CHECK_INT(wait_now(p), 0, "a closed one is forgotten");
}

/* A socket that has the number of an older one; `old` is closed. */
static void same_number(int old, int ends[2])
{
	pair(ends);
	if (ends[0] == old)
		return;
	if (ends[1] == old) {
		ends[1] = ends[0];
		ends[0] = old;
		return;
	}
	if (dup2(ends[0], old) < 0)
		abort();
	close(ends[0]);
	ends[0] = old;
}

static void numbers_come_back(struct poller *p)
{
	int first[2], second[2], probe;
	pair(first);
	poller_opened(p, first[0]);
	poller_want(p, first[0], EPOLLIN, &one);
	CHECK_INT(wait_now(p), 0, "a socket, waited for");
	poller_want(p, first[0], 0, &one);
	poller_close(p, first[0]);
	probe = eventfd(0, EFD_CLOEXEC);
	CHECK(probe != first[0], "its number does not come back before the next wait");
	CHECK_INT(wait_now(p), 0, "which closes it");
	CHECK_INT(fcntl(first[0], F_GETFD), -1, "then it is free");
	same_number(first[0], second);
	poller_opened(p, second[0]);
	poller_want(p, second[0], EPOLLIN, &two);
	say(second[1]);
	CHECK(wait_now(p) == 1 && events[0].owner == &two, "the new one with its number is heard");
	poller_close(p, second[0]);
	close(first[1]);
	close(second[1]);
	close(probe);

	/* As libcurl's resolver does: not wanted any more, closed, a socket again,
	 * all between two waits. */
	pair(first);
	poller_want(p, first[0], EPOLLIN, &one);
	CHECK_INT(wait_now(p), 0, "a descriptor that is not ours to close");
	poller_want(p, first[0], 0, &one);
	close(first[0]);
	same_number(first[0], second);
	poller_opened(p, second[0]);
	poller_want(p, second[0], EPOLLIN, &two);
	say(second[1]);
	CHECK(wait_now(p) == 1 && events[0].owner == &two,
	      "closed behind our back: the next with its number is heard, wanting the same");
	poller_close(p, second[0]);
	close(first[1]);
	close(second[1]);
	CHECK_INT(wait_now(p), 0, "nothing is left");
}

/* Connection A's close and connection B's last event in one batch. */
static void stale_events(struct poller *p)
{
	int a[2], b[2], c[2];
	pair(a);
	pair(b);
	poller_opened(p, a[0]);
	poller_opened(p, b[0]);
	poller_want(p, a[0], EPOLLIN, &one);
	poller_want(p, b[0], EPOLLIN, &two);
	close(a[1]);
	close(b[1]);
	CHECK_INT(wait_now(p), 2, "two sockets are hung up");
	poller_close(p, a[0]);
	poller_close(p, b[0]);
	pair(c);
	CHECK(c[0] != a[0] && c[0] != b[0], "while their events wait nobody has their numbers");
	CHECK_INT(wait_now(p), 0, "and then they are gone");
	close(c[0]);
	close(c[1]);
}

static void *wake(void *fd)
{
	say(*(int *)fd);
	return NULL;
}

static void on_alarm(int number)
{
	(void)number;
}

static void interrupted(struct poller *p)
{
	struct sigaction act = { .sa_handler = on_alarm };
	/* Again and again: the first may come before the wait. */
	struct itimerval often = { { 0, 5000 }, { 0, 5000 } }, never = { { 0, 0 }, { 0, 0 } };
	sigaction(SIGALRM, &act, NULL);
	setitimer(ITIMER_REAL, &often, NULL);
	int64_t start = clock_mono_ms();
	CHECK_INT(poller_wait(p, 10000000, events, 300, &e), 0, "a signal ends the wait");
	CHECK(clock_mono_ms() - start < 9000, "at once");
	setitimer(ITIMER_REAL, &never, NULL);
}

static void waiting(struct poller *p)
{
	int ends[2];
	pthread_t t;
	pair(ends);
	poller_want(p, ends[0], EPOLLIN, &one);
	int64_t start = clock_mono_us();
	CHECK_INT(poller_wait(p, 20500, events, 300, &e), 0, "a limit passes");
	CHECK(clock_mono_us() - start >= 20500, "never early, fractions of milliseconds too");
	pthread_create(&t, NULL, wake, &ends[1]);
	CHECK_INT(poller_wait(p, -1, events, 300, &e), 1, "no limit: until something comes");
	pthread_join(t, NULL);
	CHECK_INT(poller_wait(p, INT64_MAX / 2, events, 300, &e), 1, "the longest limit is one");
	poller_want(p, ends[0], 0, NULL);
	close(ends[0]);
	close(ends[1]);
}

static void many(struct poller *p)
{
	enum { MANY = 300 };
	static int ends[MANY][2];
	for (int i = 0; i < MANY; i++) {
		pair(ends[i]);
		poller_opened(p, ends[i][0]);
		poller_want(p, ends[i][0], EPOLLIN, &ends[i]);
		say(ends[i][1]);
	}
	int n = poller_wait(p, 0, events, 10, &e);
	CHECK_INT(n, 10, "not more events than there is room for");
	static bool heard[MANY];
	int total = 0, wrong = 0;
	for (int round = 0; round < 10 && total < MANY; round++) {
		n = wait_now(p);
		for (int i = 0; i < n; i++) {
			int *owner = events[i].owner;
			int which = (int)((int (*)[2])owner - ends);
			char byte;
			wrong += heard[which] || events[i].fd != owner[0] ||
				 read(events[i].fd, &byte, 1) != 1;
			heard[which] = true;
			total++;
		}
	}
	CHECK_INT(total, MANY, "300 sockets are heard");
	CHECK_INT(wrong, 0, "each once, with its own owner");
	for (int i = 0; i < MANY; i++) {
		poller_close(p, ends[i][0]);
		close(ends[i][1]);
	}
}

int main(void)
{
	struct poller *p = poller_new(&e);
	if (!CHECK(p != NULL, "a poller"))
		return unit_done();
	wishes(p);
	numbers_come_back(p);
	stale_events(p);
	waiting(p);
	interrupted(p);
	many(p);
	poller_free(p);
	poller_free(NULL);
	return unit_done();
}
