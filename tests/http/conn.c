#include "conn.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>
#include "base/clock.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/mem.h"

enum {
	HEAD_MAX = 256 * 1024,
	READ_STEP = 16 * 1024,
	READ_STEP_BODY = 1024 * 1024,
	STACK_MAX = 256 * 1024, /* answers of pipelined requests sent in one go */
	ENDLESS_US = 1000,
};

enum state {
	READING,
	WAITING,  /* for the time of the answer */
	SENDING,
	TRICKLING,
	HANGING,
	ENDLESS,
	LEAVING,  /* our side is closed */
};

struct conn {
	struct due due; /* first: a due is a conn */
	int fd;         /* -1: closed */
	enum state state;
	int64_t id;
	int64_t on_conn;
	struct str in;
	size_t at;      /* of in: begin of the current request */
	size_t searched; /* of the current request: no end of the header in here */
	size_t head;    /* length of its header, 0: not there yet */
	size_t body;    /* length of its body as far as announced */
	bool chunked, expect, keep_alive, control;
	size_t chunk_at;
	struct str chunks;
	struct str out;
	size_t sent, limit; /* of out: what is sent, what may be */
	struct how how;
	struct counter *model;
	bool in_flight, begun, counted, eof;
	struct conn *next, **back;
};

static void end_request(struct server *s, struct conn *c)
{
	if (c->in_flight)
		record_done(&s->record, c->model);
	c->in_flight = false;
	c->model = NULL;
}

static void shut(struct server *s, struct conn *c)
{
	if (c->fd < 0)
		return;
	if (c->in_flight && c->state != READING && c->eof)
		s->record.given_up++;
	if (c->begun)
		s->record.bytes_in += (int64_t)(c->in.n - c->at);
	end_request(s, c);
	due_unset(&s->waiting, &c->due);
	close(c->fd);
	c->fd = -1;
	*c->back = c->next;
	if (c->next)
		c->next->back = c->back;
	c->next = s->dead;
	s->dead = c;
}

static void reset(struct server *s, struct conn *c)
{
	struct linger now = { 1, 0 };
	setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	shut(s, c);
}

/* Did the client send another request before it saw that we had left? */
static void look_behind(struct server *s, struct conn *c)
{
	if (c->fd < 0 || c->state != LEAVING || c->in.n <= c->at)
		return;
	s->record.dropped_before_read++;
	shut(s, c);
}

/* The last byte that may be sent of the current answer is sent. */
static void answered(struct server *s, struct conn *c)
{
	switch (c->how.then) {
	case THEN_NEXT:
	case THEN_CLOSE:
		s->record.answered += c->in_flight && c->out.n;
		end_request(s, c);
		str_reset(&c->out);
		c->sent = c->limit = 0;
		c->state = READING;
		if (c->how.then == THEN_CLOSE)
			shut(s, c);
		break;
	case THEN_LEAVE:
		s->record.answered++;
		end_request(s, c);
		c->state = LEAVING;
		shutdown(c->fd, SHUT_WR);
		look_behind(s, c);
		break;
	case THEN_RESET:
		reset(s, c);
		break;
	case THEN_HANG:
		c->state = HANGING;
		break;
	case THEN_ENDLESS:
		c->state = ENDLESS;
		str_reset(&c->out);
		c->sent = c->limit = 0;
		due_set(&s->waiting, &c->due, clock_mono_us() + ENDLESS_US);
		break;
	case THEN_EXIT:
		s->stop = true;
		break;
	}
}

static void flush(struct server *s, struct conn *c)
{
	while (c->sent < c->limit) {
		ssize_t n = send(c->fd, c->out.p + c->sent, c->limit - c->sent,
				 MSG_NOSIGNAL);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return; /* EPOLLOUT will come */
		if (n < 0) {
			c->eof = true;
			shut(s, c);
			return;
		}
		c->sent += (size_t)n;
	}
	if (c->state == READING) {
		str_reset(&c->out);
		c->sent = c->limit = 0;
	} else if (c->state == SENDING || c->state == TRICKLING) {
		if (c->limit == c->out.n) {
			answered(s, c);
		} else {
			c->state = TRICKLING;
			due_set(&s->waiting, &c->due,
				clock_mono_us() + c->how.trickle_us);
		}
	} else if (c->state == ENDLESS) {
		answered(s, c);
	}
}

static void start_sending(struct server *s, struct conn *c)
{
	c->state = SENDING;
	c->limit = c->how.trickle_us ? c->how.trickle_from : c->out.n;
	flush(s, c);
}

static void refuse(struct server *s, struct conn *c, int status, const char *why)
{
	log_warn("connection %lld: %s", (long long)c->id, why);
	answer_plain(&c->out, status, true, SPAN_LIT("{\"error\":\"bad request\"}"));
	c->how = (struct how){ .then = THEN_CLOSE };
	start_sending(s, c);
}

/* Requests to the server itself: they count nowhere. */
static void control(struct server *s, struct conn *c, const struct request *r)
{
	struct str json CLEANUP(str_release) = STR_INIT;
	int status = record_control(&s->record, r->path, &json);

	answer_plain(&c->out, status, !r->keep_alive, str_span(&json));
	c->how = (struct how){ .then = r->keep_alive ? THEN_NEXT : THEN_CLOSE };
	start_sending(s, c);
}

static int64_t seen_before(struct server *s, const struct request *r)
{
	struct id sum;
	struct span name = r->key;
	if (!name.p) {
		sum = hash_of(r->body.p, r->body.n);
		name = (struct span){ (const char *)sum.b, sizeof(sum.b) };
	}
	return table_get(&s->seen, name)->requests++;
}

/* The request is there whole: s->request is filled in. */
static void serve(struct server *s, struct conn *c, bool more)
{
	struct request *r = &s->request;

	if (c->control) {
		control(s, c, r);
		return;
	}
	r->n = ++s->requests;
	r->conn = c->id;
	r->on_conn = c->on_conn;
	r->model = request_text(r->body, "model");
	r->seen = s->rules.any_seen ? seen_before(s, r) : 0;
	c->model = record_arrived(&s->record, r);
	c->in_flight = true;

	const struct action *act = s->rules.n ? rule_pick(&s->rules, r) : NULL;
	c->how = answer_build(&s->answerer, r, act, &c->out);
	if (c->how.delay_us) {
		c->state = WAITING;
		due_set(&s->waiting, &c->due, clock_mono_us() + c->how.delay_us);
	} else if (more && c->how.then == THEN_NEXT && !c->how.trickle_us &&
		   c->out.n - c->sent < STACK_MAX) {
		c->limit = c->out.n;
		s->record.answered++;
		end_request(s, c);
	} else {
		start_sending(s, c);
	}
}

/* One that only asks for the counters is none. */
static void count_conn(struct server *s, struct conn *c)
{
	s->record.connections += !c->counted;
	c->counted = true;
}

/* A header is there.  false: the connection has an answer or is closed. */
static bool begin_request(struct server *s, struct conn *c, struct span head)
{
	struct request *r = &s->request;

	if (!request_parse(r, head)) {
		refuse(s, c, 400, "this is no HTTP request");
		return false;
	}
	c->head = head.n;
	c->body = (size_t)r->length;
	c->chunked = r->chunked;
	c->chunk_at = 0;
	str_reset(&c->chunks);
	c->control = span_starts(r->path, "/__");
	if (c->control)
		return true;
	count_conn(s, c);
	c->begun = true;
	c->on_conn++;
	s->record.begun++;
	return true;
}

static void go_on(struct conn *c)
{
	str_addz(&c->out, "HTTP/1.1 100 Continue\r\n\r\n");
	c->limit = c->out.n;
}

/* Serves the next request in the buffer.  false: there is none, or an error. */
static bool take_request(struct server *s, struct conn *c)
{
	struct request *r = &s->request;
	bool parsed = false;

	if (!c->head) {
		while (c->at + 2 <= c->in.n && !memcmp(c->in.p + c->at, "\r\n", 2))
			c->at += 2;
		struct span in = { c->in.p + c->at, c->in.n - c->at };
		if (in.n < c->searched + 4)
			return false;
		const char *end = memmem(in.p + c->searched, in.n - c->searched,
					 "\r\n\r\n", 4);
		if (!end) {
			c->searched = in.n - 3;
			if (in.n > HEAD_MAX)
				refuse(s, c, 431, "the header has no end");
			return false;
		}
		if (!begin_request(s, c, (struct span){ in.p, (size_t)(end + 4 - in.p) }))
			return false;
		parsed = true;
	}
	struct span head = { c->in.p + c->at, c->head };
	struct span rest = { head.p + c->head, c->in.n - c->at - c->head };
	int whole = rest.n >= c->body;
	if (c->chunked) {
		whole = request_unchunk(rest, &c->chunk_at, &c->chunks);
		if (whole < 0) {
			refuse(s, c, 400, "the chunks are bad");
			return false;
		}
		c->body = c->chunk_at;
	}
	if (!whole) {
		if (parsed && r->expect)
			go_on(c);
		return false;
	}
	if (!parsed && !request_parse(r, head))
		BUG("parsed once but not twice");
	r->body = c->chunked ? str_span(&c->chunks) : (struct span){ rest.p, c->body };
	if (!r->body.p)
		r->body = SPAN_LIT("");
	if (!c->control)
		s->record.bytes_in += (int64_t)(c->head + c->body);
	c->at += c->head + c->body;
	c->head = c->searched = 0;
	c->begun = false;
	serve(s, c, c->at < c->in.n);
	return true;
}

/* Forgets what is served of the input buffer. */
static void compact(struct conn *c)
{
	if (c->at == c->in.n) {
		str_reset(&c->in);
		c->at = 0;
	} else if (c->at > 64 * 1024) {
		memmove(c->in.p, c->in.p + c->at, c->in.n - c->at);
		str_cut(&c->in, c->in.n - c->at);
		c->at = 0;
	}
}

static void work(struct server *s, struct conn *c)
{
	bool full;
	do {
		full = false;
		while (c->fd >= 0 && c->state == READING && !full)
			if (c->out.n - c->sent >= STACK_MAX)
				full = true;
			else if (!take_request(s, c))
				break;
		if (c->fd < 0)
			return;
		compact(c);
		if (c->sent < c->limit)
			flush(s, c);
	} while (c->fd >= 0 && full && c->sent == c->limit);
	if (c->fd >= 0 && c->eof)
		shut(s, c);
}

/* Reads what is there; false: the connection is closed. */
static bool fill(struct server *s, struct conn *c)
{
	for (;;) {
		size_t step = READ_STEP;
		if (c->head && c->body > READ_STEP)
			step = READ_STEP_BODY;
		str_reserve(&c->in, step);
		ssize_t n = recv(c->fd, c->in.p + c->in.n, step, 0);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return true;
		if (n < 0) {
			c->eof = true;
			shut(s, c);
			return false;
		}
		if (n == 0) {
			c->eof = true;
			return true;
		}
		c->in.n += (size_t)n;
		c->in.p[c->in.n] = '\0';
		if ((size_t)n < step)
			return true;
	}
}

/* Bytes of a further request wait, and a rule says that nobody reads them. */
static bool dropped_unread(struct server *s, struct conn *c)
{
	char byte;
	if (c->state != READING || c->in.n > c->at ||
	    recv(c->fd, &byte, 1, MSG_PEEK) <= 0 ||
	    !rule_drops_unread(&s->rules, c->on_conn > 0))
		return false;
	count_conn(s, c);
	s->record.dropped_before_read++;
	shut(s, c);
	return true;
}

void conn_event(struct server *s, struct conn *c, uint32_t events)
{
	if (c->fd < 0)
		return;
	if (events & EPOLLOUT && c->sent < c->limit)
		flush(s, c);
	if (c->fd >= 0 && events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) {
		if (s->rules.any_unread && dropped_unread(s, c))
			return;
		if (!fill(s, c))
			return;
		/* a short read may hide the end that came right behind it */
		if (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR) && !c->eof && !fill(s, c))
			return;
	}
	look_behind(s, c);
	work(s, c);
}

/* Where the next piece of a trickle ends: a byte, or the chunk of an event. */
static size_t next_piece(const struct conn *c)
{
	const char *from = c->out.p + c->limit;
	const char *end = c->how.by_event ? memmem(from, c->out.n - c->limit, "\n\r\n", 3) : NULL;

	if (!c->how.by_event)
		return c->limit + 1;
	return end ? (size_t)(end + 3 - c->out.p) : c->out.n;
}

static void wake(struct server *s, struct conn *c)
{
	switch (c->state) {
	case WAITING:
		start_sending(s, c);
		break;
	case TRICKLING:
		c->limit = next_piece(c);
		flush(s, c);
		break;
	case ENDLESS:
		answer_more(&c->out);
		c->limit = c->out.n;
		flush(s, c);
		break;
	default:
		BUG("a connection woke up in state %d", (int)c->state);
	}
	work(s, c);
}

static void bury(struct server *s)
{
	while (s->dead) {
		struct conn *c = s->dead;
		s->dead = c->next;
		str_release(&c->in);
		str_release(&c->out);
		str_release(&c->chunks);
		free(c);
	}
}

int conn_due(struct server *s)
{
	struct due *d;
	int64_t left = -1;

	bury(s);
	if (!due_first(&s->waiting))
		return -1;
	int64_t now = clock_mono_us();
	while ((d = due_first(&s->waiting)) != NULL) {
		left = d->at_us - now;
		if (left > 0 || s->stop)
			break;
		due_unset(&s->waiting, d);
		wake(s, (struct conn *)d);
		left = -1;
	}
	bury(s);
	return left < 0 ? -1 : (int)((left + 999) / 1000);
}

void conn_accept(struct server *s)
{
	for (;;) {
		int fd = accept4(s->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd < 0 && (errno == EINTR || errno == ECONNABORTED))
			continue;
		if (fd < 0) {
			if (errno == EAGAIN)
				return;
			log_error("accept: %s", strerror(errno));
			s->stop = true;
			return;
		}
		int one = 1;
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
		struct conn *c = mem_alloc(sizeof(*c));
		c->fd = fd;
		c->id = ++s->conns;
		c->next = s->all;
		c->back = &s->all;
		if (c->next)
			c->next->back = &c->next;
		s->all = c;
		struct epoll_event ev = {
			.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET,
			.data.ptr = c,
		};
		if (epoll_ctl(s->epoll, EPOLL_CTL_ADD, fd, &ev) < 0)
			BUG("epoll_ctl: %s", strerror(errno));
	}
}

void conn_close_all(struct server *s)
{
	while (s->all)
		shut(s, s->all);
	bury(s);
}
