#include "engine/http.h"

#include <curl/curl.h>
#include <stdlib.h>
#include <string.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/safe.h"
#include "engine/httpcode.h"
#include "engine/httphead.h"
#include "engine/poller.h"
#include "engine/wire.h"

_Static_assert(WIRE_PAUSE == CURL_WRITEFUNC_PAUSE, "wire.h does not know libcurl");

enum {
	LANE_SLOTS = 128, TICK_MS = 50, EVENTS = 256,
	LANE_FILES = 2, OTHER_FILES = 64, /* that are open beside the connections */
};

struct lane {
	struct http *http;
	CURLM *multi;
	int64_t due_us;      /* curl's timer; -1: none */
};

struct slot {
	struct http_call *call; /* NULL: free */
	struct lane *lane;
	CURL *easy;
	struct wire wire;       /* what comes and goes, counted */
	struct httphead_nodes head;
	int next_free;
	char error[CURL_ERROR_SIZE];
};

struct http {
	http_done_fn *done;
	void *ctx;
	struct http_options o;
	struct poller *poller;
	struct lane *lanes;
	int n_lanes;
	struct slot *slots;
	int n_slots, free_slot, in_flight;
	struct wire_pool pool;
	struct str agent;      /* "User-Agent: …" */
	int64_t next_tick_us;
};

const char *http_library(void)
{
	static char text[120];
	const curl_version_info_data *v = curl_version_info(CURLVERSION_NOW);

	snprintf(text, sizeof text, "libcurl %s %s", v->version, v->ssl_version ? v->ssl_version : "");
	return text;
}

const char *http_code_text(enum http_code code)
{
	static const char *const texts[] = {
		[HTTP_ANSWERED] = NULL, [HTTP_CONNECT] = "connect_error", [HTTP_DNS] = "dns_error",
		[HTTP_TLS] = "tls_error", [HTTP_CERTIFICATE] = "tls_error",
		[HTTP_SEND] = "send_error", [HTTP_RECV] = "recv_error",
		[HTTP_STALLED] = "stalled", [HTTP_TIMEOUT] = "request_timeout",
		[HTTP_TOO_LARGE] = "response_too_large", [HTTP_TRUNCATED] = "truncated",
		[HTTP_UNUSABLE] = "send_error", [HTTP_ABORTED] = "interrupted",
		[HTTP_SUPERSEDED] = "superseded",
		[HTTP_STREAM_ERROR] = "stream_error",
	};
	return texts[code];
}

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *user, void *sock)
{
	struct lane *lane = user;

	(void)easy;
	(void)sock;
	poller_want(lane->http->poller, fd,
		    what == CURL_POLL_IN ? EPOLLIN : what == CURL_POLL_OUT ? EPOLLOUT :
		    what == CURL_POLL_INOUT ? EPOLLIN | EPOLLOUT : 0, lane);
	return 0;
}

static curl_socket_t on_open(void *user, curlsocktype purpose, struct curl_sockaddr *a)
{
	struct http *h = user;
	int fd = socket(a->family, a->socktype | SOCK_CLOEXEC, a->protocol);

	(void)purpose;
	if (fd < 0)
		return CURL_SOCKET_BAD;
	poller_opened(h->poller, fd);
	return fd;
}

static int on_close(void *user, curl_socket_t fd)
{
	struct http *h = user;

	poller_close(h->poller, fd);
	return 0;
}

static int on_timer(CURLM *multi, long ms, void *user)
{
	struct lane *lane = user;

	(void)multi;
	lane->due_us = ms < 0 ? -1 : clock_mono_us() + (int64_t)ms * 1000;
	return 0;
}

static int new_lane(struct http *h, struct lane *lane, struct err *e)
{
	lane->http = h;
	lane->due_us = -1;
	lane->multi = curl_multi_init();
	if (!lane->multi)
		return err_set(e, ERR_INTERNAL, "libcurl cannot be used");
	curl_multi_setopt(lane->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
	curl_multi_setopt(lane->multi, CURLMOPT_SOCKETDATA, lane);
	curl_multi_setopt(lane->multi, CURLMOPT_TIMERFUNCTION, on_timer);
	curl_multi_setopt(lane->multi, CURLMOPT_TIMERDATA, lane);
	curl_multi_setopt(lane->multi, CURLMOPT_MAXCONNECTS, (long)LANE_SLOTS);
	curl_multi_setopt(lane->multi, CURLMOPT_PIPELINING,
			  (long)(h->o.http2 ? CURLPIPE_MULTIPLEX : CURLPIPE_NOTHING));
	return 0;
}

static bool may_proxy(const struct http_options *o)
{
	static const char *const names[] = {
		"http_proxy", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY",
	};

	if (o->proxy)
		return *o->proxy;
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (getenv(names[i]))
			return true;
	return false;
}

static int new_slot(struct http *h, struct slot *s, const struct http_options *o,
		    struct err *e)
{
	CURL *c = s->easy = curl_easy_init();

	if (!c)
		return err_set(e, ERR_INTERNAL, "libcurl cannot be used");
	curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(c, CURLOPT_QUICK_EXIT, 1L);
	curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(c, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
	curl_easy_setopt(c, CURLOPT_ERRORBUFFER, s->error);
	curl_easy_setopt(c, CURLOPT_TCP_NODELAY, 1L);
	curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, wire_on_body);
	curl_easy_setopt(c, CURLOPT_WRITEDATA, &s->wire);
	curl_easy_setopt(c, CURLOPT_HEADERFUNCTION, wire_on_header);
	curl_easy_setopt(c, CURLOPT_HEADERDATA, &s->wire);
	curl_easy_setopt(c, CURLOPT_PREREQFUNCTION, wire_on_send);
	curl_easy_setopt(c, CURLOPT_PREREQDATA, &s->wire);
	curl_easy_setopt(c, CURLOPT_OPENSOCKETFUNCTION, on_open);
	curl_easy_setopt(c, CURLOPT_OPENSOCKETDATA, h);
	curl_easy_setopt(c, CURLOPT_CLOSESOCKETFUNCTION, on_close);
	curl_easy_setopt(c, CURLOPT_CLOSESOCKETDATA, h);
	curl_easy_setopt(c, CURLOPT_PRIVATE, s);
	long version = o->http2 ? CURL_HTTP_VERSION_2TLS : CURL_HTTP_VERSION_1_1;
	if (curl_easy_setopt(c, CURLOPT_HTTP_VERSION, version) != CURLE_OK)
		return err_set(e, ERR_UNAVAILABLE, "this libcurl has no HTTP/2");
	if (o->cacert && curl_easy_setopt(c, CURLOPT_CAINFO, o->cacert) != CURLE_OK)
		return err_set(e, ERR_CONFIG, "libcurl cannot use a file of certificates");
	/* libcurl would read the environment for each request, and make a line of the
	 * name for each, which only a proxy wants that way. */
	if (!may_proxy(o))
		curl_easy_setopt(c, CURLOPT_PROXY, "");
	else
		curl_easy_setopt(c, CURLOPT_USERAGENT, o->user_agent);
	if (o->proxy)
		curl_easy_setopt(c, CURLOPT_PROXY, o->proxy);
	return 0;
}

static int lanes_of(int slots)
{
	return (slots + LANE_SLOTS - 1) / LANE_SLOTS;
}

/* With too few of them connections would fail as if the server were down. */
static int check_files(int jobs, struct err *e)
{
	struct rlimit files;
	int more = LANE_FILES * lanes_of(jobs * 2) + OTHER_FILES;

	if (getrlimit(RLIMIT_NOFILE, &files) < 0 || files.rlim_cur >= (rlim_t)(jobs + more))
		return 0;
	err_set(e, ERR_CONFIG, "%d requests at a time need %d open files, and the system allows "
		"%llu", jobs, jobs + more, (unsigned long long)files.rlim_cur);
	return err_hint(e, "fewer with -j N, or more files with ulimit -n (LimitNOFILE= of systemd)");
}

struct http *http_new(const struct http_options *o, http_done_fn *done, void *ctx,
		      struct err *e)
{
	if (check_files(o->jobs, e) < 0)
		return NULL;
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
		err_set(e, ERR_INTERNAL, "libcurl cannot be used");
		return NULL;
	}
	struct http *h = mem_alloc(sizeof *h);
	h->done = done;
	h->ctx = ctx;
	h->poller = poller_new(e);
	h->o = *o;
	h->pool.most = INT64_MAX;
	str_addf(&h->agent, "User-Agent: %s", o->user_agent);
	h->n_slots = o->jobs * 2;
	h->n_lanes = lanes_of(h->n_slots);
	h->lanes = mem_alloc((size_t)h->n_lanes * sizeof *h->lanes);
	h->slots = mem_alloc((size_t)h->n_slots * sizeof *h->slots);
	int rc = h->poller ? 0 : -1;
	for (int i = 0; rc == 0 && i < h->n_lanes; i++)
		rc = new_lane(h, &h->lanes[i], e);
	for (int i = 0; rc == 0 && i < h->n_slots; i++) {
		h->slots[i].lane = &h->lanes[i % h->n_lanes];
		h->slots[i].wire.pool = &h->pool;
		h->slots[i].next_free = i + 1 < h->n_slots ? i + 1 : -1;
		if (i < o->jobs) /* the others when they are needed */
			rc = new_slot(h, &h->slots[i], o, e);
	}
	if (rc < 0) {
		http_free(h);
		return NULL;
	}
	return h;
}

void http_free(struct http *h)
{
	if (!h)
		return;
	for (int i = 0; i < h->n_slots; i++) {
		struct slot *s = &h->slots[i];
		if (s->call)
			curl_multi_remove_handle(s->lane->multi, s->easy);
		curl_easy_cleanup(s->easy);
		wire_release(&s->wire);
		httphead_release(&s->head);
	}
	for (int i = 0; i < h->n_lanes; i++)
		curl_multi_cleanup(h->lanes[i].multi);
	poller_free(h->poller);
	str_release(&h->agent);
	free(h->lanes);
	free(h->slots);
	free(h);
	curl_global_cleanup();
}

int http_free_slots(const struct http *h)
{
	return h->o.jobs - h->in_flight;
}

int http_in_flight(const struct http *h)
{
	return h->in_flight;
}

int64_t http_held(const struct http *h)
{
	return h->pool.held;
}

void http_room(struct http *h, int64_t bytes, bool one_by_one)
{
	h->pool.most = bytes;
	h->pool.one = one_by_one;
}

/* Who had to wait, and need not any more. */
static void resume(struct http *h)
{
	for (int i = 0; i < h->n_slots && h->pool.paused > 0; i++)
		if (h->slots[i].call && wire_resume(&h->slots[i].wire, clock_mono_us()))
			curl_easy_pause(h->slots[i].easy, CURLPAUSE_CONT);
}

static void set_method(struct slot *s)
{
	const struct http_call *call = s->call;
	const char *method = call->method;
	bool head = strcmp(method, "HEAD") == 0, get = strcmp(method, "GET") == 0;
	bool post = strcmp(method, "POST") == 0;
	/* These mean something even without a body (RFC 9110 section 8.6). */
	bool wants_length = post || strcmp(method, "PUT") == 0 || strcmp(method, "PATCH") == 0;
	bool body = !head && (call->body.p || wants_length);

	curl_easy_setopt(s->easy, CURLOPT_NOBODY, 0L);
	if (body) {
		curl_easy_setopt(s->easy, CURLOPT_POST, 1L);
		curl_easy_setopt(s->easy, CURLOPT_POSTFIELDS, call->body.p ? call->body.p : "");
		curl_easy_setopt(s->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)call->body.n);
	} else if (head) {
		curl_easy_setopt(s->easy, CURLOPT_NOBODY, 1L);
	} else {
		curl_easy_setopt(s->easy, CURLOPT_HTTPGET, 1L);
	}
	bool plain = post || head || (get && !body);
	curl_easy_setopt(s->easy, CURLOPT_CUSTOMREQUEST, plain ? NULL : method);
}

void http_start(struct http *h, struct http_call *call)
{
	struct err ignored = ERR_INIT;
	struct slot *s = h->free_slot < 0 ? NULL : &h->slots[h->free_slot];
	if (!s || (!s->easy && new_slot(h, s, &h->o, &ignored) < 0))
		BUG("no free slot");
	call->slot = h->free_slot;
	h->free_slot = s->next_free;
	h->in_flight++;
	s->call = call;
	s->error[0] = '\0';
	wire_start(&s->wire, call, clock_mono_us());
	CURLcode rc = curl_easy_setopt(s->easy, CURLOPT_URL, call->url);
	/* Who would connect waits for what the server chooses on the first connection:
	 * over TLS it does so at once, else with the first answer. */
	curl_easy_setopt(s->easy, CURLOPT_PIPEWAIT,
			 (long)(h->o.http2 && strncasecmp(call->url, "https:", 6) == 0));
	set_method(s);
	curl_easy_setopt(s->easy, CURLOPT_HTTPHEADER,
			 httphead_list(&s->head, &call->own, h->agent.p, call->headers));
	curl_easy_setopt(s->easy, CURLOPT_CONNECTTIMEOUT_MS, (long)call->limits->connect_ms);
	if (rc != CURLE_OK)
		s->wire.verdict = HTTP_UNUSABLE;
	else if (curl_multi_add_handle(s->lane->multi, s->easy) != CURLM_OK)
		BUG("libcurl does not take a handle");
}

static void finish(struct http *h, struct slot *s, CURLcode rc)
{
	struct http_call *call = s->call;
	long status = 0;
	char *redirect = NULL;

	if (s->wire.sends > 0) /* else it would be that of the slot's last call */
		curl_easy_getinfo(s->easy, CURLINFO_RESPONSE_CODE, &status);
	if (status >= 300 && status < 400)
		curl_easy_getinfo(s->easy, CURLINFO_REDIRECT_URL, &redirect);
	bool died = httpcode_has_died(s->easy, (int)rc, call->body.n);
	if (!s->error[0])
		snprintf(s->error, sizeof s->error, "%s", curl_easy_strerror(rc));
	const char *words = httpcode_words(s->error);
	wire_end(&s->wire, died ? HTTP_RECV : httpcode_of((int)rc, s->wire.sends > 0),
		 (int)status, redirect, died ? NULL : words);
	curl_multi_remove_handle(s->lane->multi, s->easy);
	s->call = NULL;
	s->next_free = h->free_slot;
	h->free_slot = (int)(s - h->slots);
	h->in_flight--;
	h->done(h->ctx, call);
}

static void finish_done(struct http *h, struct lane *lane)
{
	CURLMsg *m;
	int left;

	while ((m = curl_multi_info_read(lane->multi, &left))) {
		struct slot *s = NULL;
		CURLcode rc = m->data.result;
		if (m->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, (char **)&s);
		finish(h, s, rc);
	}
}

void http_cut(struct http *h, http_which_fn *which, void *ctx, enum http_code code)
{
	for (int i = 0; i < h->n_slots; i++) {
		struct slot *s = &h->slots[i];
		if (s->call && s->wire.verdict == HTTP_ANSWERED && (!which || which(ctx, s->call)))
			s->wire.verdict = code;
	}
	h->next_tick_us = 0;
}

/* Our own time limits, looked at twenty times a second. */
static void tick(struct http *h, int64_t now_us)
{
	if (now_us < h->next_tick_us)
		return;
	h->next_tick_us = now_us + TICK_MS * 1000;
	for (int i = 0; i < h->n_slots; i++) {
		struct slot *s = &h->slots[i];
		curl_off_t sent = 0;
		if (!s->call)
			continue;
		if (!s->wire.first_us)
			curl_easy_getinfo(s->easy, CURLINFO_SIZE_UPLOAD_T, &sent);
		if (wire_late(&s->wire, sent, now_us))
			finish(h, s, CURLE_ABORTED_BY_CALLBACK);
	}
}

void http_watch(struct http *h, int fd)
{
	poller_want(h->poller, fd, EPOLLIN, NULL);
}

void http_unwatch(struct http *h, int fd)
{
	poller_want(h->poller, fd, 0, NULL);
}

/* How long to sleep, in microseconds: until curl's next timer or our tick. */
static int64_t sleep_us(const struct http *h, int64_t timeout_ms, int64_t now_us)
{
	int64_t wait = timeout_ms < 0 ? INT64_MAX : timeout_ms * 1000;

	if (h->in_flight > 0 && h->next_tick_us - now_us < wait)
		wait = h->next_tick_us - now_us;
	for (int i = 0; i < h->n_lanes; i++)
		if (h->lanes[i].due_us >= 0 && h->lanes[i].due_us - now_us < wait)
			wait = h->lanes[i].due_us - now_us;
	return wait < 0 ? 0 : wait;
}

static void run_timers(struct http *h, int64_t now_us)
{
	int running;

	for (int i = 0; i < h->n_lanes; i++) {
		struct lane *lane = &h->lanes[i];
		if (lane->due_us < 0 || lane->due_us > now_us)
			continue;
		lane->due_us = -1;
		curl_multi_socket_action(lane->multi, CURL_SOCKET_TIMEOUT, 0, &running);
		finish_done(h, lane);
	}
}

int http_wait(struct http *h, int64_t timeout_ms, struct err *e)
{
	struct poller_event events[EVENTS];
	int running;

	int before = h->in_flight;
	resume(h);
	run_timers(h, clock_mono_us());
	/* A call that ended just now is news for the caller: no sleep then. */
	int64_t wait = h->in_flight < before ? 0 : sleep_us(h, timeout_ms, clock_mono_us());
	int n = poller_wait(h->poller, wait == INT64_MAX ? -1 : wait, events, EVENTS, e);
	if (n < 0)
		return -1;
	for (int i = 0; i < n; i++) {
		struct lane *lane = events[i].owner;
		uint32_t ev = events[i].events;
		if (!lane)
			continue;
		int mask = (ev & (EPOLLIN | EPOLLHUP) ? CURL_CSELECT_IN : 0) |
			   (ev & EPOLLOUT ? CURL_CSELECT_OUT : 0) |
			   (ev & EPOLLERR ? CURL_CSELECT_ERR : 0);
		curl_multi_socket_action(lane->multi, events[i].fd, mask, &running);
	}
	for (int i = 0; n > 0 && i < h->n_lanes; i++)
		finish_done(h, &h->lanes[i]);
	int64_t now_us = clock_mono_us();
	run_timers(h, now_us);
	tick(h, now_us);
	return 0;
}
