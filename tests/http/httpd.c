/* httpd: a scripted HTTP/1.1 server for tests and benchmarks.
 *
 *     httpd [options]          binds 127.0.0.1, prints the port and a newline
 *     httpd --help
 *
 * One thread, epoll, keep-alive, pipelining; plain HTTP, loopback only.  It
 * runs until SIGTERM or SIGINT, until its stdin ends (--stdin), or until
 * --max-seconds (600) have passed, which is a failure (exit status 1).
 *
 * Options
 *   --port N           this port instead of a free one
 *   --mode MODE        fixed   200, --body-size N bytes (1024) of JSON (default)
 *                      echo    200, the body and the Content-Type of the request
 *                      openai  200, a chat.completion: "The answer is #### N", N
 *                              from 0 to 999 by the hash of the raw "messages"
 *                              (else of the body); model of the body, usage,
 *                              x-request-id "req_<n>"; with "stream":true in
 *                              the body as an event stream, a chunk for each event
 *   --latency MS       answers come after this time, thousands in parallel
 *   --jitter MS        plus 0 to MS more (the same in every run)
 *   --rule RULE        see below; repeatable, the first that matches wins
 *   --rules FILE       a rule per line; empty lines and # lines are skipped
 *   --log FILE         appends a JSON line per request, when it is there whole:
 *                      n        sequence number, from 1, never reset
 *                      conn     number of its connection
 *                      on_conn  how many requests that connection brought
 *                      t_us     monotonic clock
 *                      in_flight, model, of_model (in flight of that model),
 *                      method, path (with the query)
 *                      custom, key, auth   X-Custom-Id, Idempotency-Key,
 *                                          Authorization, or null
 *                      len, xxh            of the body (XXH3-128, 32 hex digits)
 *                      headers  with --log-headers: names as they came,
 *                               repeated ones joined by ", "
 *                      body     with --log-bodies, as a string
 *   --notify PATH      a datagram socket there, as that of a service manager:
 *                      the log gets {"t_us","message"} for each datagram
 *   --bodies DIR       stores the body of request n as DIR/n
 *   --stats FILE       writes the counters there at the end
 *   --stdin            ends when stdin does (a pipe or FIFO)
 *   --max-seconds N    ends after that time
 *
 * Rules: 'MATCH => ACTION'
 *   MATCH, all of a list with commas:
 *     any              every request
 *     path=/x          without the query; a * at the end matches any rest
 *     method=GET
 *     body~TEXT        contains; TEXT may stand in "..." if it has a comma
 *     header~"Name: text"   one of that name contains text ("": is there)
 *     model=M          "model" of the JSON body
 *     every=N          each N-th request that arrives
 *     nth=A  nth=A-B  nth=A-    by sequence number
 *     key-seen<N       its Idempotency-Key (its body, if it has none) came
 *                      less than N times before: "fail the first N times"
 *     reused           not the first request of its connection
 *     limit=N          the rule applies at most N times
 *   ACTION, one or more with " ; " between them:
 *     status=N         without body=: from 400 on an OpenAI error object
 *     header="K: V"    added; replaces Content-Type, Content-Length,
 *                      Transfer-Encoding, Connection, x-request-id of ours
 *     body=TEXT  body-file=F  body-base64=...   instead of the mode's body
 *     redirect=URL     Location, and status 302 if none is given before
 *     sleep=MS         instead of --latency and --jitter; goes with all below
 *     drop             closes without an answer
 *     reset            the same with RST; with truncate=N: after N bytes
 *     drop-before-read closes as soon as bytes of a new request arrive, which
 *                      are neither read nor logged: a kept-alive connection
 *                      that died.  MATCH is of any, reused, every, nth, limit;
 *                      every and nth count the beginnings the rule is asked for
 *     close            answers with Connection: close, then closes
 *     close-silent     closes after the answer, without saying so; a request
 *                      that was already on its way is dropped as above
 *     truncate=N       N bytes of the announced body, then closes
 *     chunked          in two chunks
 *     trickle=MS       a byte of the body each MS
 *     events=MS        the body is an event stream: an event (up to an empty
 *                      line) each MS, in a chunk of its own; with truncate=N
 *                      N bytes of those chunks
 *     stall            the header and half of the body, then nothing
 *     hang             never answers
 *     endless          a chunked body without end
 *     big-header=N     a header line with N bytes
 *     garbage=TEXT     these bytes instead of HTTP (\r \n \t \0 \\ \xNN), then
 *                      closes, or not with "; keep"
 *     exit             the server ends at once
 *
 * Expect: 100-continue is obeyed, Content-Length and chunked bodies are read.
 *
 * GET /__now answers the t_us of now, /__stats the counters, /__reset zeroes
 * them; none of these is counted, logged or matched:
 *   begun         requests whose header arrived (also uploads that broke off)
 *   requests      arrived whole
 *   answered      an answer was sent
 *   given_up      the client left before
 *   connections   that brought a request
 *   in_flight, max_in_flight    arrived whole and not answered yet
 *   dropped_before_read   by that rule, or after close-silent
 *   bytes_in      header and body
 *   models        {"m":{"requests","in_flight","max_in_flight"}} */
#include <errno.h>
#include <getopt.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "base/num.h"
#include "conn.h"

static const char HELP[] =
	"usage: httpd [options]\n"
	"A scripted HTTP server on 127.0.0.1; prints its port when it listens.\n"
	"\n"
	"  --port N          this port, not a free one\n"
	"  --mode MODE       echo, openai or fixed (default)\n"
	"  --body-size N     bytes of a fixed answer (1024)\n"
	"  --latency MS      answer after that time\n"
	"  --jitter MS       plus 0 to MS\n"
	"  --rule RULE       'MATCH => ACTION', repeatable, the first match wins\n"
	"  --rules FILE      a rule per line\n"
	"  --log FILE        a JSON line per request (appended)\n"
	"  --log-headers     with the headers\n"
	"  --log-bodies      with the bodies\n"
	"  --notify PATH     log the datagrams sent to a socket there\n"
	"  --bodies DIR      store each body as DIR/n\n"
	"  --stats FILE      write the counters at the end\n"
	"  --stdin           end when stdin ends\n"
	"  --max-seconds N   end after that time (600)\n"
	"  --help\n"
	"\n"
	"MATCH: any path=/x method=M body~TEXT header~\"Name: text\" model=M every=N\n"
	"  nth=A nth=A-B key-seen<N reused limit=N, with commas between them\n"
	"ACTION: status=N header=\"K: V\" body=TEXT body-file=F body-base64=B\n"
	"  redirect=URL sleep=MS drop reset drop-before-read close close-silent\n"
	"  truncate=N chunked trickle=MS stall hang endless big-header=N garbage=TEXT\n"
	"  keep exit, with ' ; ' between them\n"
	"GET /__stats answers the counters, GET /__reset zeroes them, GET /__now: t_us.\n";

struct options {
	int64_t port, body_size, latency, jitter, max_seconds;
	enum mode mode;
	const char *log, *bodies, *stats, *notify;
	bool log_headers, log_bodies, watch_stdin, help;
};

enum { PORT = 256, MODE, BODY_SIZE, LATENCY, JITTER, RULE, RULES, LOG, LOG_HEADERS,
       LOG_BODIES, NOTIFY, BODIES, STATS, STDIN, MAX_SECONDS, HELP_WANTED };

static const struct option LONG[] = {
	{ "port", 1, NULL, PORT }, { "mode", 1, NULL, MODE },
	{ "body-size", 1, NULL, BODY_SIZE }, { "latency", 1, NULL, LATENCY },
	{ "jitter", 1, NULL, JITTER }, { "rule", 1, NULL, RULE },
	{ "rules", 1, NULL, RULES }, { "log", 1, NULL, LOG },
	{ "log-headers", 0, NULL, LOG_HEADERS }, { "log-bodies", 0, NULL, LOG_BODIES },
	{ "notify", 1, NULL, NOTIFY }, { "bodies", 1, NULL, BODIES }, { "stats", 1, NULL, STATS },
	{ "stdin", 0, NULL, STDIN }, { "max-seconds", 1, NULL, MAX_SECONDS },
	{ "help", 0, NULL, HELP_WANTED }, { NULL, 0, NULL, 0 },
};

static int read_mode(const char *text, enum mode *mode, struct err *e)
{
	static const char *const NAMES[] = { "echo", "openai", "fixed" };
	for (int i = 0; i < 3; i++)
		if (!strcmp(text, NAMES[i])) {
			*mode = (enum mode)i;
			return 0;
		}
	return err_set(e, ERR_USAGE, "--mode is echo, openai or fixed, not '%s'", text);
}

static int read_option(struct options *o, struct rules *rules, int opt, struct err *e)
{
	switch (opt) {
	case PORT: return num_int(optarg, 1, 65535, &o->port, e);
	case MODE: return read_mode(optarg, &o->mode, e);
	case BODY_SIZE: return num_int(optarg, 0, 1 << 30, &o->body_size, e);
	case LATENCY: return num_int(optarg, 0, 3600000, &o->latency, e);
	case JITTER: return num_int(optarg, 0, 3600000, &o->jitter, e);
	case MAX_SECONDS: return num_int(optarg, 1, 86400, &o->max_seconds, e);
	case RULE: return rule_add(rules, optarg, e);
	case RULES: return rule_add_file(rules, optarg, e);
	case LOG: o->log = optarg; break;
	case LOG_HEADERS: o->log_headers = true; break;
	case LOG_BODIES: o->log_bodies = true; break;
	case NOTIFY: o->notify = optarg; break;
	case BODIES: o->bodies = optarg; break;
	case STATS: o->stats = optarg; break;
	case STDIN: o->watch_stdin = true; break;
	case HELP_WANTED: o->help = true; break;
	default: return err_set(e, ERR_USAGE, "see httpd --help");
	}
	return 0;
}

static int read_options(struct options *o, struct rules *rules, int argc, char **argv,
			struct err *e)
{
	*o = (struct options){ .mode = MODE_FIXED, .body_size = 1024,
			       .max_seconds = 600 };
	int opt;
	while ((opt = getopt_long(argc, argv, "", LONG, NULL)) != -1)
		if (read_option(o, rules, opt, e) < 0)
			return -1;
	if (optind < argc)
		return err_set(e, ERR_USAGE, "'%s' is too much", argv[optind]);
	return 0;
}

static int watch(struct server *s, int fd, void *what, struct err *e)
{
	struct epoll_event ev = { .events = EPOLLIN, .data.ptr = what };
	if (epoll_ctl(s->epoll, EPOLL_CTL_ADD, fd, &ev) < 0)
		return err_sys(e, ERR_IO, "descriptor %d cannot be watched", fd);
	return 0;
}

static int listen_on(struct server *s, int64_t port, struct err *e)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port),
				 .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t n = sizeof(a);
	int one = 1;

	s->listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (s->listener < 0 ||
	    setsockopt(s->listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) < 0 ||
	    bind(s->listener, (struct sockaddr *)&a, n) < 0 ||
	    listen(s->listener, 8192) < 0 ||
	    getsockname(s->listener, (struct sockaddr *)&a, &n) < 0)
		return err_sys(e, ERR_UNAVAILABLE, "127.0.0.1:%lld", (long long)port);
	if (printf("%d\n", ntohs(a.sin_port)) < 0 || fflush(stdout) != 0)
		return err_sys(e, ERR_IO, "stdout");
	return 0;
}

/* What data.ptr points to for the descriptors that are no connections. */
static char SIGNALS, STDIN_ENDS, LISTENER, DATAGRAMS;

static int listen_for_messages(struct server *s, const char *path, struct err *e)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };

	if (strlen(path) >= sizeof(a.sun_path))
		return err_set(e, ERR_USAGE, "--notify: the path is too long");
	memcpy(a.sun_path, path, strlen(path));
	s->datagrams = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (s->datagrams < 0 || bind(s->datagrams, (struct sockaddr *)&a, sizeof(a)) < 0)
		return err_sys(e, ERR_CANTCREAT, "%s", path);
	return watch(s, s->datagrams, &DATAGRAMS, e);
}

static void hear(struct server *s)
{
	char text[4096];
	ssize_t n;

	while ((n = recv(s->datagrams, text, sizeof(text), 0)) >= 0)
		record_message(&s->record, (struct span){ text, (size_t)n });
}

static int set_up(struct server *s, const struct options *o, struct err *e)
{
	struct rlimit files;
	sigset_t set;

	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
	if (record_open(&s->record, o->log, o->bodies, e) < 0)
		return -1;
	s->record.log_headers = o->log_headers;
	s->record.log_bodies = o->log_bodies;
	answer_init(&s->answerer, o->mode, o->body_size);
	s->answerer.latency_us = o->latency * 1000;
	s->answerer.jitter_us = o->jitter * 1000;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigprocmask(SIG_BLOCK, &set, NULL);
	int signals = signalfd(-1, &set, SFD_CLOEXEC);
	s->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (signals < 0 || s->epoll < 0)
		return err_sys(e, ERR_INTERNAL, "signalfd or epoll_create1");
	if (watch(s, signals, &SIGNALS, e) < 0)
		return -1;
	if (o->watch_stdin && watch(s, STDIN_FILENO, &STDIN_ENDS, e) < 0)
		return err_wrap(e, "--stdin");
	if (o->notify && listen_for_messages(s, o->notify, e) < 0)
		return -1;
	if (listen_on(s, o->port, e) < 0)
		return -1;
	return watch(s, s->listener, &LISTENER, e);
}

static bool stdin_ended(void)
{
	char buf[256];
	ssize_t n = read(STDIN_FILENO, buf, sizeof(buf));
	return n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR);
}

static void happen(struct server *s, const struct epoll_event *ev)
{
	void *what = ev->data.ptr;
	if (what == &LISTENER)
		conn_accept(s);
	else if (what == &SIGNALS)
		s->stop = true;
	else if (what == &STDIN_ENDS)
		s->stop = stdin_ended();
	else if (what == &DATAGRAMS)
		hear(s);
	else
		conn_event(s, what, ev->events);
}

static int run(struct server *s, int64_t max_ms, struct err *e)
{
	struct epoll_event ev[256];
	int64_t end = clock_mono_ms() + max_ms;

	while (!s->stop) {
		int64_t left = end - clock_mono_ms();
		if (left <= 0)
			return err_set(e, ERR_STATE, "ended after %lld seconds, see"
				       " --max-seconds", (long long)max_ms / 1000);
		int wait = conn_due(s);
		if (wait < 0 || wait > left)
			wait = (int)left;
		int n = s->stop ? 0 : epoll_wait(s->epoll, ev, 256, wait);
		if (n < 0 && errno != EINTR)
			return err_sys(e, ERR_INTERNAL, "epoll_wait");
		for (int i = 0; i < n && !s->stop; i++)
			happen(s, &ev[i]);
	}
	return 0;
}

static int write_stats(const struct server *s, const char *path, struct err *e)
{
	struct str json = STR_INIT;
	record_stats(&s->record, &json);
	FILE *f = fopen(path, "we");
	bool bad = !f || fprintf(f, "%s\n", str_z(&json)) < 0;
	if (f)
		bad |= fclose(f) != 0;
	str_release(&json);
	return bad ? err_sys(e, ERR_CANTCREAT, "%s", path) : 0;
}

static int serve(struct server *s, int argc, char **argv, struct err *e)
{
	struct options o;

	if (read_options(&o, &s->rules, argc, argv, e) < 0)
		return -1;
	if (o.help) {
		fputs(HELP, stdout);
		return 0;
	}
	if (set_up(s, &o, e) < 0)
		return -1;
	int ended = run(s, o.max_seconds * 1000, e);
	if (o.stats && write_stats(s, o.stats, e) < 0)
		return -1;
	return ended;
}

int main(int argc, char **argv)
{
	static struct server s;
	struct err e = ERR_INIT;

	s.record.log_fd = -1;
	log_init("httpd", LOG_NOTE, false);
	int bad = serve(&s, argc, argv, &e);
	if (bad)
		log_error("%s", e.msg);
	conn_close_all(&s);
	rule_release(&s.rules);
	record_close(&s.record);
	answer_release(&s.answerer);
	table_release(&s.seen);
	due_release(&s.waiting);
	return bad ? 1 : 0;
}
