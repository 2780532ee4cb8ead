/* serve: the scripted server (tests/http/httpd.c) as a child of a unit test.
 *
 * It is $BUILD/tests/httpd (build/tests/httpd without BUILD) and ends with the
 * test, whatever ends that. */
#ifndef FSL_SERVE_H
#define FSL_SERVE_H

#include <arpa/inet.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/str.h"

struct serve {
	pid_t pid;
	int life;     /* it ends when this is closed */
	int port;
	char url[40]; /* "http://127.0.0.1:port" */
};

static inline _Noreturn void serve_give_up(const char *what)
{
	printf("Bail out! the scripted server: %s\n", what);
	exit(1);
}

/* With these arguments (NULL at their end); waits until it listens. */
static inline struct serve serve_start(const char *const *args)
{
	const char *build = getenv("BUILD"), *argv[64];
	struct str path = STR_INIT;
	int in[2], out[2], n = 0;
	struct serve s = { .port = 0 };

	str_addf(&path, "%s/tests/httpd", build && *build ? build : "build");
	argv[n++] = str_z(&path);
	argv[n++] = "--stdin";
	while (*args && n < 63)
		argv[n++] = *args++;
	argv[n] = NULL;
	if (pipe2(in, O_CLOEXEC) < 0 || pipe2(out, O_CLOEXEC) < 0)
		serve_give_up("no pipe");
	s.pid = fork();
	if (s.pid == 0) {
		dup2(in[0], STDIN_FILENO);
		dup2(out[1], STDOUT_FILENO);
		execv(argv[0], (char *const *)(void *)argv);
		_exit(127);
	}
	close(in[0]);
	close(out[1]);
	str_release(&path);
	s.life = in[1];
	char line[16] = "";
	size_t have = 0;
	ssize_t got;
	while (!strchr(line, '\n') && have < sizeof(line) - 1 &&
	       (got = read(out[0], line + have, sizeof(line) - 1 - have)) > 0)
		have += (size_t)got;
	close(out[0]);
	s.port = atoi(line);
	if (s.port <= 0)
		serve_give_up("it does not listen; is BUILD right?");
	snprintf(s.url, sizeof(s.url), "http://127.0.0.1:%d", s.port);
	return s;
}

static inline void serve_stop(struct serve *s)
{
	close(s->life);
	waitpid(s->pid, NULL, 0);
}

/* One of its counters ("requests", "in_flight", ...). */
static inline int64_t serve_count(const struct serve *s, const char *name)
{
	static const char ask[] = "GET /__stats HTTP/1.1\r\nConnection: close\r\n\r\n";
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons((uint16_t)s->port),
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct str all = STR_INIT, key = STR_INIT;
	char buf[4096];
	ssize_t n;

	if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0 ||
	    write(fd, ask, sizeof(ask) - 1) != sizeof(ask) - 1)
		serve_give_up("it does not answer");
	while ((n = read(fd, buf, sizeof(buf))) > 0)
		str_add(&all, buf, (size_t)n);
	close(fd);
	str_addf(&key, "\"%s\":", name);
	const char *at = strstr(str_z(&all), str_z(&key));
	if (!at)
		serve_give_up("it has no such counter");
	int64_t value = strtoll(at + key.n, NULL, 10);
	str_release(&all);
	str_release(&key);
	return value;
}

#endif
