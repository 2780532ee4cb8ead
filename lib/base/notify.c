#include "base/notify.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/num.h"
#include "base/safe.h"

enum { STATUS_BYTES = 400, SHOWN = 100, SEND_US = 100000 };

/* A whole number of the environment; 0: none, or junk. */
static int64_t number(const char *name)
{
	const char *text = getenv(name);
	struct err ignored = ERR_INIT;
	int64_t v;

	return text && num_int(text, 1, INT64_MAX, &v, &ignored) == 0 ? v : 0;
}

static int64_t watchdog(void)
{
	int64_t usec = number("WATCHDOG_USEC"), pid = number("WATCHDOG_PID");

	if (usec == 0 || (pid != 0 && pid != getpid()))
		return 0;
	return usec / 2000 > 0 ? usec / 2000 : 1;
}

int notify_open(struct notify *n, struct err *e)
{
	const char *name = getenv("NOTIFY_SOCKET");
	size_t size = name ? strlen(name) : 0;
	struct timeval limit = { .tv_usec = SEND_US };

	*n = (struct notify){ .fd = -1, .to = { .sun_family = AF_UNIX } };
	if (size == 0)
		return 0;
	/* A path has its NUL, an abstract name has not: it ends with the address. */
	if ((name[0] != '/' && name[0] != '@') || size < 2 ||
	    size + (name[0] == '/') > sizeof n->to.sun_path)
		return err_set(e, ERR_CONFIG, "NOTIFY_SOCKET: '%s' is neither the path of a socket "
			       "nor @NAME", safe_show(span_of(name), SHOWN));
	memcpy(n->to.sun_path, name, size);
	if (name[0] == '@')
		n->to.sun_path[0] = '\0';
	n->to_size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + size + (name[0] == '/'));
	n->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (n->fd < 0)
		return err_sys(e, ERR_CONFIG, "NOTIFY_SOCKET");
	setsockopt(n->fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
	n->watchdog_ms = watchdog();
	return 1;
}

void notify_close(struct notify *n)
{
	if (n->fd >= 0)
		close(n->fd);
	*n = (struct notify)NOTIFY_INIT;
}

int64_t notify_watchdog_ms(const struct notify *n)
{
	return n->watchdog_ms;
}

static void tell(const struct notify *n, const char *text)
{
	if (n->fd < 0)
		return;
	/* Not connected: a manager that was started again has a new socket. */
	ssize_t ignored = sendto(n->fd, text, strlen(text), MSG_NOSIGNAL,
				 (const struct sockaddr *)&n->to, n->to_size);
	(void)ignored;
}

void notify_ready(const struct notify *n)
{
	tell(n, "READY=1");
}

void notify_stopping(const struct notify *n)
{
	tell(n, "STOPPING=1");
}

void notify_alive(const struct notify *n)
{
	tell(n, "WATCHDOG=1");
}

void notify_status(const struct notify *n, const char *text)
{
	char line[7 + STATUS_BYTES + 1];

	snprintf(line, sizeof line, "STATUS=%s", text);
	for (char *p = line; *p; p++)
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			*p = ' ';
	/* What was too long may have been cut within a character. */
	for (size_t len = strlen(line); len > 7 && !safe_is_utf8(span_of(line));)
		line[--len] = '\0';
	tell(n, line);
}
