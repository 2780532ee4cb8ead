/* How calls fail: tests/unit/http_test.c has those that do not. */
#include "engine/http.h"

#include <errno.h>
#include <sys/resource.h>
#include "base/mem.h"
#include "base/safe.h"
#include "probe.h"
#include "serve.h"
#include "unit.h"

static struct serve server;
static int ended;

static int free_port(void)
{
	struct sockaddr_in a = { .sin_family = AF_INET,
				 .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t n = sizeof(a);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || bind(fd, (struct sockaddr *)&a, n) < 0 ||
	    getsockname(fd, (struct sockaddr *)&a, &n) < 0)
		abort();
	close(fd);
	return ntohs(a.sin_port);
}

static void failures(void)
{
	static const char *const rude[] = { "--rule", "any => drop-before-read", NULL };
	struct serve cutter = serve_start(rude);
	char refused[40], tls[40];
	snprintf(refused, sizeof(refused), "http://127.0.0.1:%d", free_port());
	snprintf(tls, sizeof(tls), "https://127.0.0.1:%d", cutter.port);
	const struct {
		const char *base, *path;
		enum http_code code;
		const char *text;
		int status;
		const char *message;
		bool sent;
	} all[] = {
		{ refused, "/", HTTP_CONNECT, "connect_error", 0, "Failed to connect", false },
		{ "http://name.invalid", "/", HTTP_DNS, "dns_error", 0, "name.invalid", false },
		{ tls, "/", HTTP_TLS, "tls_error", 0, "", false },
		{ server.url, "/drop", HTTP_RECV, "recv_error", 0, "Empty reply", true },
		{ server.url, "/reset", HTTP_RECV, "recv_error", 0, "reset", true },
		{ server.url, "/half-reset", HTTP_RECV, "recv_error", 200, "", true },
		{ server.url, "/truncated", HTTP_TRUNCATED, "truncated", 200, "6 bytes remaining", true },
		{ server.url, "/half-chunked", HTTP_TRUNCATED, "truncated", 200, "", true },
		{ server.url, "/garbage", HTTP_RECV, "recv_error", 0, "HTTP/0.9", true },
		{ server.url, "/big", HTTP_RECV, "recv_error", 200, "", true },
		{ server.url, "/redirect", HTTP_ANSWERED, NULL, 307,
		  "redirect to http://127.0.0.1:1/elsewhere?a, which is not followed", true },
		{ server.url, "/nowhere", HTTP_ANSWERED, NULL, 302, "redirect to http://", true },
		{ server.url, "/error", HTTP_ANSWERED, NULL, 500, "", true },
		{ "file://", "/etc/passwd", HTTP_UNUSABLE, "send_error", 0, "not supported", false },
		{ "gopher://127.0.0.1:1", "/", HTTP_UNUSABLE, "send_error", 0, "not supported", false },
		{ "http://[no", "/", HTTP_UNUSABLE, "send_error", 0, "", false },
		{ "http://127.0.0.1:99999", "/", HTTP_UNUSABLE, "send_error", 0, "", false },
	};
	int64_t before = serve_count(&server, "requests");
	for (size_t i = 0; i < ARRAY_LEN(all); i++) {
		struct http *h = probe_http(1, "", &ended);
		struct probe *p;
		const char *name = all[i].code == HTTP_UNUSABLE || !all[i].path[1] ? all[i].base
										   : all[i].path;
		if (all[i].base != server.url) { /* an answer that must not shine through */
			p = probe_once(h, "POST", server.url, "/", NULL, SPAN_LIT("x"));
			CHECK_INT(p->call.status, 200, "%s: the slot's last call was answered", name);
		}
		before++;
		p = probe_once(h, "POST", all[i].base, all[i].path, NULL, SPAN_LIT("body"));
		CHECK_INT(p->call.code, all[i].code, "%s: the code", name);
		CHECK_STR(http_code_text(p->call.code), all[i].text, "%s: as text", name);
		CHECK_INT(p->call.status, all[i].status, "%s: the status", name);
		CHECK(strstr(p->call.message, all[i].message) && safe_is_utf8(span_of(p->call.message)),
		      "%s: the message: %s", name, p->call.message);
		CHECK(p->ended == 1 && p->call.sent == all[i].sent, "%s: once, and it was%s sent", name,
		      all[i].sent ? "" : " not");
		if (all[i].status && all[i].status != 500)
			CHECK(p->call.telling.n > 0 || all[i].status == 200, "%s: telling headers", name);
		http_free(h);
	}
	CHECK_INT(serve_count(&server, "requests"), before,
		  "nothing is sent twice: no redirect is followed, no answer asked for again");
	serve_stop(&cutter);
}

static void check_time(struct http *h, const char *path, struct http_limits l, size_t body,
		       enum http_code code, int64_t limit, const char *rule)
{
	char *bytes CLEANUP(mem_cleanup) = mem_alloc(body + 1);
	memset(bytes, 'b', body);
	struct probe *p = probe_once(h, "POST", server.url, path, &l, (struct span){ bytes, body });
	CHECK_INT(p->call.code, code, "%s: the code", rule);
	CHECK(p->call.took_ms >= limit && p->call.took_ms < limit + 5000 && p->ended == 1,
	      "%s: after its limit: %lld ms", rule, (long long)p->call.took_ms);
}

/* A socket that listens and accepts nobody; `full`: nor lets more connect. */
static int deaf(char *url, size_t size, bool full)
{
	struct sockaddr_in a = { .sin_family = AF_INET,
				 .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t n = sizeof(a);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || bind(fd, (struct sockaddr *)&a, n) < 0 || listen(fd, full ? 0 : 10) < 0 ||
	    getsockname(fd, (struct sockaddr *)&a, &n) < 0)
		abort();
	for (int i = 0; full && i < 3; i++) {
		int c = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
		if (connect(c, (struct sockaddr *)&a, n) < 0 && errno != EINPROGRESS)
			abort();
	}
	snprintf(url, size, "http://127.0.0.1:%d", ntohs(a.sin_port));
	return fd;
}

static void times(void)
{
	struct http *h = probe_http(4, "", &ended);
	char url[40];
	check_time(h, "/hang", (struct http_limits){ 5000, 100, 5000, 5000, 1000 }, 4,
		   HTTP_TIMEOUT, 100, "no first byte");
	check_time(h, "/stall", (struct http_limits){ 5000, 5000, 100, 5000, 100000 }, 1000,
		   HTTP_STALLED, 100, "no further byte");
	check_time(h, "/trickle", (struct http_limits){ 5000, 5000, 5000, 200, 100000 }, 1000,
		   HTTP_TIMEOUT, 200, "a byte now and then, for too long in all");
	check_time(h, "/trickle", (struct http_limits){ 5000, 5000, 1000, 30000, 100000 }, 20,
		   HTTP_ANSWERED, 50, "a byte now and then, in time: an answer");
	/* All has been sent: then stall is no limit for the first byte. */
	check_time(h, "/hang", (struct http_limits){ 5000, 400, 50, 5000, 1000 }, 4,
		   HTTP_TIMEOUT, 400, "a small body, sent");
	check_time(h, "/hang", (struct http_limits){ 5000, 400, 150, 5000, 1000 }, 100000,
		   HTTP_TIMEOUT, 400, "a larger body, sent");
	check_time(h, "/hang", (struct http_limits){ 5000, 800, 300, 5000, 1000 }, 3 << 20,
		   HTTP_TIMEOUT, 800, "a large body, sent");
	struct http_limits l = { 5000, 5000, 100, 5000, 1000 };
	char *bytes CLEANUP(mem_cleanup) = mem_alloc(16 << 20);
	int fd = deaf(url, sizeof(url), false);
	struct probe *p = probe_once(h, "POST", url, "/", &l, (struct span){ bytes, 16 << 20 });
	CHECK_INT(p->call.code, HTTP_STALLED, "a server that does not read: stalled");
	CHECK(strstr(p->call.message, "no byte of the request accepted within 100ms"),
	      "with its message: %s", p->call.message);
	close(fd);
	fd = deaf(url, sizeof(url), true);
	l = (struct http_limits){ 100, 5000, 5000, 5000, 1000 };
	p = probe_once(h, "GET", url, "/", &l, SPAN_NONE);
	CHECK_INT(p->call.code, HTTP_CONNECT, "a server that does not let us connect");
	CHECK(p->call.took_ms >= 100 && p->call.took_ms < 5000 && !p->call.sent,
	      "after the connect limit: %s", p->call.message);
	close(fd);
	http_free(h);
}

static int64_t peak_kib(void)
{
	struct rusage u;
	getrusage(RUSAGE_SELF, &u);
	return u.ru_maxrss;
}

static void too_large(void)
{
	enum { CALLS = 64 };
	static struct probe calls[CALLS];
	struct http_limits l = probe_limits;
	struct http *h = probe_http(CALLS, "", &ended);
	int right = 0;
	char *million CLEANUP(mem_cleanup) = mem_alloc(1000000);
	l.max_response = 200000;
	int64_t before = peak_kib();
	for (int round = 0; round < 4; round++) {
		for (int i = 0; i < CALLS; i++) {
			probe_forget(&calls[i]);
			calls[i].call.limits = &l;
			probe_start(h, &calls[i], "POST", server.url, i & 1 ? "/endless" : "/",
				    i & 1 ? SPAN_LIT("x") : (struct span){ million, 1000000 });
		}
		probe_finish(h);
		for (int i = 0; i < CALLS; i++) {
			struct http_call *c = &calls[i].call;
			right += c->code == HTTP_TOO_LARGE && c->status == 200 && c->answer.n == 4096 &&
				 c->bytes > l.max_response && c->bytes < l.max_response + 500000;
		}
	}
	CHECK_INT(right, CALLS * 4, "more than max_response: response_too_large, with its head");
	CHECK_STR(http_code_text(HTTP_TOO_LARGE), "response_too_large", "by that name");
	CHECK_STR(calls[1].call.message, "the answer is larger than 200000 bytes", "and message");
	/* The sanitizers keep what was freed. */
	CHECK(peak_kib() - before < 200 * 1024, "memory stays flat: %lld KiB more",
	      (long long)(peak_kib() - before));
	for (int i = 0; i < CALLS; i++)
		probe_forget(&calls[i]);
	http_free(h);
}

static void dying_connections(const char *method, struct span body)
{
	static const char *const args[] = { "--rule", "reused => drop-before-read", NULL };
	enum { CALLS = 40 };
	struct serve s = serve_start(args);
	struct http *h = probe_http(1, "", &ended);
	int answered = 0, broken = 0, alternate = 0, told = 0;
	for (int i = 0; i < CALLS; i++) {
		struct probe *p = probe_once(h, method, s.url, "/", NULL, body);
		answered += p->call.code == HTTP_ANSWERED;
		broken += p->call.code == HTTP_RECV && p->call.sent && p->ended == 1;
		told += !strcmp(p->call.message, "the kept-alive connection died before the answer");
		alternate += (p->call.code == HTTP_ANSWERED) == (i % 2 == 0);
	}
	CHECK_INT(alternate, CALLS, "%s: on a new connection answered, on a dead one not", method);
	CHECK_INT(broken, CALLS / 2, "%s: that ends as recv_error", method);
	CHECK(told > 0, "%s: most of them because the second send was refused", method);
	CHECK_INT(serve_count(&s, "requests"), answered, "%s: the server saw no call twice", method);
	CHECK_INT(serve_count(&s, "dropped_before_read"), broken, "%s: and each call once", method);
	http_free(h);
	h = probe_http(64, "", &ended);
	static struct probe many[400];
	int64_t before = serve_count(&s, "requests"), dropped = serve_count(&s, "dropped_before_read");
	answered = broken = 0;
	for (int i = 0; i < 400;) {
		while (i < 400 && http_free_slots(h) > 0)
			probe_start(h, &many[i++], method, s.url, "/", body);
		probe_wait(h, 1000);
	}
	probe_finish(h);
	for (int i = 0; i < 400; i++) {
		answered += many[i].call.code == HTTP_ANSWERED && many[i].ended == 1;
		broken += many[i].call.code == HTTP_RECV && many[i].ended == 1;
		probe_forget(&many[i]);
	}
	CHECK_INT(answered + broken, 400, "%s: 400 at a time of 64 end once", method);
	CHECK(serve_count(&s, "requests") - before == answered &&
	      serve_count(&s, "dropped_before_read") - dropped == broken,
	      "%s: %d answered, %d not, as the server counts", method, answered, broken);
	http_free(h);
	serve_stop(&s);
}

int main(void)
{
	static const char *const args[] = {
		"--mode", "echo",
		"--rule", "path=/drop => drop", "--rule", "path=/reset => reset",
		"--rule", "path=/half-reset => reset ; truncate=2",
		"--rule", "path=/truncated => truncate=10 ; body=0123456789abcdef",
		"--rule", "path=/half-chunked => chunked ; truncate=5",
		"--rule", "path=/garbage => garbage=SSH-2.0-OpenSSH\\r\\n",
		"--rule", "path=/big => big-header=1048576",
		"--rule", "path=/redirect => status=307 ; redirect=http://127.0.0.1:1/elsewhere?a",
		"--rule", "path=/nowhere => redirect=/drop", "--rule", "path=/error => status=500",
		"--rule", "path=/hang => hang", "--rule", "path=/stall => stall",
		"--rule", "path=/trickle => trickle=5", "--rule", "path=/endless => endless", NULL,
	};
	/* A machine without a name server is not waited for. */
	setenv("RES_OPTIONS", "attempts:1 timeout:1", 1);
	server = serve_start(args);
	failures();
	times();
	too_large();
	dying_connections("POST", SPAN_LIT("body"));
	dying_connections("GET", SPAN_NONE);
	serve_stop(&server);
	return unit_done();
}
