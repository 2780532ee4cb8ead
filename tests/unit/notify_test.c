/* notify: what arrives at a real socket. */
#include "base/notify.h"

#include <fcntl.h>
#include <poll.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "unit.h"

static struct err e;

/* A socket that listens at this name; NOTIFY_SOCKET is set to it. */
static int manager(const char *name)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	size_t n = strlen(name);
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	memcpy(at.sun_path, name, n);
	if (name[0] == '@')
		at.sun_path[0] = '\0';
	socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n);
	if (fd < 0 || bind(fd, (struct sockaddr *)&at, size) < 0) {
		printf("Bail out! bind %s\n", name);
		exit(1);
	}
	setenv("NOTIFY_SOCKET", name, 1);
	return fd;
}

/* The next datagram; "(none)" when there is none. */
static const char *heard(int fd)
{
	static char text[1000];
	struct pollfd p = { .fd = fd, .events = POLLIN };

	if (poll(&p, 1, 0) != 1)
		return "(none)";
	ssize_t n = recv(fd, text, sizeof(text) - 1, 0);
	text[n > 0 ? n : 0] = '\0';
	return text;
}

static void all_messages(const char *name, const char *kind)
{
	int fd = manager(name);
	struct notify n = NOTIFY_INIT;

	CHECK_INT(notify_open(&n, &e), 1, "%s: there is somebody to tell", kind);
	CHECK(fcntl(n.fd, F_GETFD) & FD_CLOEXEC, "%s: a child does not get the socket", kind);
	CHECK_STR(heard(fd), "(none)", "%s: nothing is said by itself", kind);
	notify_ready(&n);
	CHECK_STR(heard(fd), "READY=1", "%s: it is ready", kind);
	notify_status(&n, "3 of 5 done");
	CHECK_STR(heard(fd), "STATUS=3 of 5 done", "%s: how far it is", kind);
	notify_alive(&n);
	CHECK_STR(heard(fd), "WATCHDOG=1", "%s: it is alive", kind);
	notify_stopping(&n);
	CHECK_STR(heard(fd), "STOPPING=1", "%s: it stops", kind);
	notify_status(&n, "a\nREADY=1\x7f!");
	CHECK_STR(heard(fd), "STATUS=a READY=1 !", "%s: a status is one line", kind);
	char big[2000];
	memset(big, 'x', sizeof(big));
	memcpy(big + 398, "\xe2\x82\xac", 3);
	big[sizeof(big) - 1] = '\0';
	notify_status(&n, big);
	CHECK_INT(strlen(heard(fd)), 7 + 398, "%s: and cut at a character", kind);
	notify_close(&n);
	notify_ready(&n);
	CHECK_STR(heard(fd), "(none)", "%s: closed is closed", kind);
	close(fd);
}

static void nobody(void)
{
	struct notify n = NOTIFY_INIT;

	notify_ready(&n);
	unsetenv("NOTIFY_SOCKET");
	CHECK_INT(notify_open(&n, &e), 0, "without the variable there is nobody");
	setenv("NOTIFY_SOCKET", "", 1);
	CHECK_INT(notify_open(&n, &e), 0, "an empty one is none");
	notify_ready(&n);
	notify_status(&n, "unheard");
	notify_stopping(&n);
	CHECK_INT(notify_watchdog_ms(&n), 0, "and all of it does nothing");
	notify_close(&n);

	static const char *const bad[] = { "run/notify", "vsock:2:1234", "@", "/" };
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		setenv("NOTIFY_SOCKET", bad[i], 1);
		CHECK(notify_open(&n, &e) == -1 && e.code == ERR_CONFIG && n.fd == -1,
		      "refused: %s", e.msg);
	}
	char longest[200] = "/";
	memset(longest + 1, 'x', 107);
	setenv("NOTIFY_SOCKET", longest, 1);
	CHECK_INT(notify_open(&n, &e), -1, "a path of 108 bytes has no room for its NUL");
	longest[0] = '@';
	setenv("NOTIFY_SOCKET", longest, 1);
	CHECK_INT(notify_open(&n, &e), 1, "an abstract name of 108 needs none");
	notify_ready(&n);
	notify_close(&n);
	setenv("NOTIFY_SOCKET", "/nonexistent/socket", 1);
	CHECK_INT(notify_open(&n, &e), 1, "whether somebody listens is seen later");
	notify_ready(&n);
	notify_close(&n);
	CHECK(true, "and if nobody does, nothing happens");
}

static void deaf(const char *name)
{
	int fd = manager(name);
	struct notify n = NOTIFY_INIT;
	int64_t before = clock_mono_ms(), longest = 0;

	CHECK_INT(notify_open(&n, &e), 1, "somebody who does not read");
	for (int i = 0; i < 2000 && longest < 50; i++) {
		int64_t at = clock_mono_ms();
		notify_alive(&n);
		longest = clock_mono_ms() - at;
	}
	CHECK(longest >= 50 && clock_mono_ms() - before < 10000,
	      "holds nobody up for long (%lld ms)", (long long)longest);
	notify_close(&n);
	close(fd);
}

static void watchdog(const char *usec, const char *pid, int64_t want, const char *rule)
{
	struct notify n = NOTIFY_INIT;

	setenv("WATCHDOG_USEC", usec, 1);
	if (pid)
		setenv("WATCHDOG_PID", pid, 1);
	else
		unsetenv("WATCHDOG_PID");
	if (notify_open(&n, &e) != 1)
		CHECK(false, "%s: opened", rule);
	CHECK_INT(notify_watchdog_ms(&n), want, "watchdog: %s", rule);
	notify_close(&n);
}

static void watchdogs(const char *name)
{
	int fd = manager(name);
	char mine[20];

	snprintf(mine, sizeof(mine), "%d", (int)getpid());
	watchdog("30000000", NULL, 15000, "half of the time");
	watchdog("30000000", mine, 15000, "that of this process");
	watchdog("30000000", "1", 0, "that of another one is not ours");
	watchdog("1500", NULL, 1, "at least a millisecond");
	watchdog("0", NULL, 0, "0 is none");
	watchdog("soon", NULL, 0, "nor is junk");
	watchdog("9223372036854775807", NULL, 4611686018427387, "nor does a large one overflow");
	close(fd);
}

int main(void)
{
	char path[100], name[100];

	snprintf(path, sizeof(path), "%s/s", unit_dir());
	snprintf(name, sizeof(name), "@fsl-unit-%d", (int)getpid());
	all_messages(path, "a path");
	all_messages(name, "an abstract name");
	nobody();
	snprintf(path, sizeof(path), "%s/deaf", unit_dir());
	deaf(path);
	snprintf(path, sizeof(path), "%s/dog", unit_dir());
	watchdogs(path);
	return unit_done();
}
