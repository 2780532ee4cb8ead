#include "engine/wire.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "base/clock.h"
#include "base/jsonw.h"
#include "base/mem.h"
#include "base/num.h"
#include "base/safe.h"
#include "engine/retry.h"

enum { HEAD_KEPT = 4096, RESERVE_MAX = 1 << 20, HEADERS_MAX = 8192, CONNECT_SLACK_MS = 500 };

void wire_start(struct wire *w, struct http_call *call, int64_t now_us)
{
	struct str headers = w->headers;

	str_reset(&headers);
	*w = (struct wire){ .call = call, .pool = w->pool, .headers = headers,
			    .start_us = now_us, .last_sent_us = now_us, .length = -1 };
	call->code = HTTP_ANSWERED;
	call->status = 0;
	str_reset(&call->answer);
	str_reset(&call->telling);
	call->bytes = 0;
	call->request_id[0] = call->message[0] = '\0';
	call->retry_after_ms = -1;
	call->hold_ms = 0;
	call->took_ms = 0;
	call->sent = call->stale = false;
	call->event_stream = false;
}

void wire_release(struct wire *w)
{
	str_release(&w->headers);
}

static void count(struct wire *w)
{
	int64_t now = (int64_t)w->call->answer.n;

	if (w->pool)
		w->pool->held += now - w->counted;
	w->counted = now;
}

static bool must_wait(const struct wire *w)
{
	const struct wire_pool *p = w->pool;

	return p && !w->shared && p->held >= p->most && (!p->one || (p->chosen && p->chosen != w));
}

bool wire_resume(struct wire *w, int64_t now_us)
{
	if (!w->paused_at_us || must_wait(w))
		return false;
	w->paused_us += now_us - w->paused_at_us;
	w->last_us = now_us;
	w->paused_at_us = 0;
	w->pool->paused--;
	return true;
}

/* What is left of a body that is too large; its memory goes. */
static void keep_head(struct str *answer, const char *p, size_t n)
{
	struct str head = STR_INIT;
	size_t had = answer->n < HEAD_KEPT ? answer->n : HEAD_KEPT, room = HEAD_KEPT - had;

	str_add(&head, answer->p, had);
	str_add(&head, p, n < room ? n : room);
	str_release(answer);
	*answer = head;
}

size_t wire_on_body(char *p, size_t size, size_t n, void *user)
{
	struct wire *w = user;
	struct http_call *call = w->call;

	n *= size;
	w->last_us = clock_mono_us();
	bool fits = call->bytes + (int64_t)n <= call->limits->max_response;
	if (fits && must_wait(w)) {
		w->paused_at_us = w->last_us;
		w->pool->paused++;
		return WIRE_PAUSE;
	}
	call->bytes += (int64_t)n;
	if (!fits) {
		w->verdict = HTTP_TOO_LARGE;
		keep_head(&call->answer, p, n);
		count(w);
		return 0;
	}
	str_add(&call->answer, p, n);
	count(w);
	if (w->pool && !w->shared && w->pool->held >= w->pool->most && !w->pool->chosen)
		w->pool->chosen = w;
	return n;
}

static bool is_space(char c)
{
	return c == ' ' || c == '\t';
}

/* "Name: value\r\n" with this name?  Then its value, trimmed. */
static bool header_is(struct span line, const char *name, struct span *value)
{
	size_t n = strlen(name);

	if (line.n <= n || line.p[n] != ':' || strncasecmp(line.p, name, n) != 0)
		return false;
	const char *p = line.p + n + 1, *end = line.p + line.n;
	while (p < end && is_space(*p))
		p++;
	while (end > p && (is_space(end[-1]) || end[-1] == '\r' || end[-1] == '\n'))
		end--;
	*value = (struct span){ p, (size_t)(end - p) };
	return true;
}

static bool as_text(struct span value, char *text, size_t size)
{
	if (value.n == 0 || value.n >= size || memchr(value.p, '\0', value.n))
		return false;
	memcpy(text, value.p, value.n);
	text[value.n] = '\0';
	return true;
}

/* A decimal in thousandths, rounded up; -1: it is none.  Some servers send
 * fractions of any length: not in the RFC, and plain enough. */
static int64_t thousandths(char *text)
{
	struct err ignored = ERR_INIT;
	char *point = strchr(text, '.');
	size_t digits = point ? strspn(point + 1, "0123456789") : 0;
	int64_t micros;

	if (digits > 6 && point[1 + digits] == '\0')
		point[7] = '\0';
	if (num_micro(text, 0, INT64_MAX, &micros, &ignored) < 0)
		return -1;
	return micros / 1000 + (micros % 1000 > 0);
}

int64_t wire_retry_after(struct span value, int64_t now_wall_ms)
{
	/* Two of the three are obsolete and to be accepted (RFC 9110 section 5.6.7). */
	static const char *const formats[] = {
		"%a, %d %b %Y %H:%M:%S GMT", "%A, %d-%b-%y %H:%M:%S GMT", "%a %b %e %H:%M:%S %Y",
	};
	char text[64];

	if (!as_text(value, text, sizeof text))
		return -1;
	int64_t ms = thousandths(text);
	for (size_t i = 0; ms < 0 && i < ARRAY_LEN(formats); i++) {
		struct tm tm = { 0 };
		const char *end = strptime(text, formats[i], &tm);
		if (!end || *end)
			continue;
		int64_t at = (int64_t)timegm(&tm) * 1000;
		ms = at > now_wall_ms ? at - now_wall_ms : 0;
	}
	return ms;
}

static void remember(struct wire *w, struct span line)
{
	struct http_call *call = w->call;
	struct span v;
	char text[64];

	if (header_is(line, "x-request-id", &v) && v.n < sizeof call->request_id &&
	    safe_is_utf8(v)) {
		memcpy(call->request_id, v.p, v.n);
		call->request_id[v.n] = '\0';
	} else if (header_is(line, "retry-after", &v)) {
		int64_t ms = wire_retry_after(v, clock_wall_ms());
		if (ms >= 0)
			call->retry_after_ms = ms;
	} else if (header_is(line, "retry-after-ms", &v) && call->retry_after_ms < 0 &&
		   as_text(v, text, sizeof text)) {
		int64_t us = thousandths(text);
		call->retry_after_ms = us < 0 ? -1 : us / 1000 + (us % 1000 > 0);
	}
	if (w->headers.n + line.n <= HEADERS_MAX)
		str_addspan(&w->headers, line);
}

/* "text/event-stream; charset=utf-8" (RFC 9110 section 8.3.1). */
static bool is_event_stream(struct span type)
{
	const char *end = type.n > 0 ? memchr(type.p, ';', type.n) : NULL;

	if (end)
		type.n = (size_t)(end - type.p);
	while (type.n > 0 && is_space(type.p[type.n - 1]))
		type.n--;
	return span_is_nocase(type, "text/event-stream");
}

/* What the server has left for us, if the line begins so. */
static void remember_limit(struct wire *w, struct span line, const char *prefix)
{
	const char *colon = line.n > strlen(prefix) ? memchr(line.p, ':', line.n) : NULL;

	if (!colon || strncasecmp(line.p, prefix, strlen(prefix)) != 0)
		return;
	struct span name = { line.p, (size_t)(colon - line.p) };
	struct span value = { colon + 1, line.n - name.n - 1 };
	while (value.n > 0 && is_space(*value.p))
		value.p++, value.n--;
	while (value.n > 0 && strchr(" \t\r\n", value.p[value.n - 1]))
		value.n--;
	ratelimit_header(&w->limits, name, value, clock_wall_ms());
	remember(w, line);
}

__attribute__((format(printf, 2, 3)))
static void say(struct http_call *call, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(call->message, sizeof call->message, fmt, ap);
	va_end(ap);
	/* What was too long may have been cut within a character. */
	for (size_t n = strlen(call->message); !safe_is_utf8(span_of(call->message));)
		call->message[--n] = '\0';
}

/* libcurl takes the last of two lengths, and one that is too large for it as
 * none: a part of an answer would be a result (RFC 9112 section 6.3). */
static bool take_length(struct wire *w, struct span value)
{
	struct err ignored = ERR_INIT;
	char text[24] = "";
	int64_t length = -1;

	if (value.n < sizeof text)
		memcpy(text, value.p, value.n);
	if (num_int(text, 0, INT64_MAX, &length, &ignored) < 0) {
		for (size_t i = 0; i < value.n; i++)
			if (value.p[i] < '0' || value.p[i] > '9')
				return true; /* libcurl judges that */
	}
	if (length < 0 || (w->length >= 0 && w->length != length)) {
		w->verdict = HTTP_RECV;
		say(w->call, length < 0 ? "the Content-Length of the answer is too large"
					: "the answer has two lengths");
		return false;
	}
	w->length = length;
	if (length > 0 && length <= RESERVE_MAX)
		str_reserve(&w->call->answer, (size_t)length);
	return true;
}

size_t wire_on_header(char *p, size_t size, size_t n, void *user)
{
	struct wire *w = user;
	struct span line = { p, n * size }, v;

	w->last_us = clock_mono_us();
	bool status = span_starts(line, "HTTP/");
	if (status) { /* "HTTP/1.1 103 Early Hints", "HTTP/2 200 " */
		w->shared = line.p[5] == '2';
		w->interim = line.n > 9 && line.p[w->shared ? 7 : 9] == '1';
	}
	if (!w->first_us && !w->interim)
		w->first_us = w->last_us;
	if (status) { /* an interim answer may have come before */
		str_reset(&w->headers);
		w->call->retry_after_ms = -1;
		w->limits.n = 0;
		w->length = -1;
		w->call->request_id[0] = '\0';
		w->call->event_stream = false;
		return line.n;
	}
	switch (line.p[0] | 0x20) {
	case 'c':
		if (header_is(line, "content-length", &v)) {
			if (v.n > 0 && !take_length(w, v))
				return 0;
		} else if (header_is(line, "content-type", &v)) {
			w->call->event_stream = is_event_stream(v);
		}
		break;
	case 'a':
		remember_limit(w, line, "anthropic-ratelimit-");
		break;
	case 'r':
		if (header_is(line, "retry-after", &v) || header_is(line, "retry-after-ms", &v))
			remember(w, line);
		else
			remember_limit(w, line, "ratelimit-");
		break;
	case 's':
		if (header_is(line, "server", &v))
			remember(w, line);
		break;
	case 'l':
		if (header_is(line, "location", &v))
			remember(w, line);
		break;
	case 'x':
		if (header_is(line, "x-request-id", &v))
			remember(w, line);
		else
			remember_limit(w, line, "x-ratelimit-");
		break;
	default:
		break;
	}
	return line.n;
}

int wire_on_send(void *user, char *remote_ip, char *local_ip, int remote_port,
		 int local_port)
{
	struct wire *w = user;

	(void)remote_ip;
	(void)local_ip;
	(void)remote_port;
	(void)local_port;
	w->last_sent_us = clock_mono_us();
	if (w->verdict != HTTP_ANSWERED) /* it was cut off while it waited for this */
		return 1;
	w->call->sent = true;
	if (++w->sends == 1)
		return 0;
	/* libcurl is about to send the request again by itself: that is a new
	 * attempt, and it is ours to decide on and to record. */
	w->verdict = HTTP_RECV;
	return 1;
}

static bool late(struct wire *w, enum http_code code, const char *what, int64_t limit_ms)
{
	char text[NUM_BUF];

	w->verdict = code;
	say(w->call, "%s within %s", what, num_duration_text(limit_ms, text));
	return true;
}

bool wire_late(struct wire *w, int64_t sent, int64_t now_us)
{
	const struct http_limits *l = w->call->limits;
	int64_t age_ms = (now_us - w->start_us - w->paused_us) / 1000;

	if (w->verdict != HTTP_ANSWERED)
		return true;
	if (w->paused_at_us)
		return false;
	if (age_ms > l->total_ms)
		return late(w, HTTP_TIMEOUT, "no whole answer", l->total_ms);
	if (w->first_us)
		return (now_us - w->last_us) / 1000 > l->stall_ms &&
		       late(w, HTTP_STALLED, "no further byte of the answer", l->stall_ms);
	/* libcurl has that limit, too, but not for who waits for another's connection. */
	if (w->sends == 0 && age_ms > l->connect_ms + CONNECT_SLACK_MS)
		return late(w, HTTP_CONNECT, "no connection", l->connect_ms);
	if (age_ms > l->first_byte_ms)
		return late(w, HTTP_TIMEOUT, "no answer", l->first_byte_ms);
	if (sent != w->sent) {
		w->sent = sent;
		w->last_sent_us = now_us;
	}
	return w->sends > 0 && sent < (int64_t)w->call->body.n &&
	       (now_us - w->last_sent_us) / 1000 > l->stall_ms &&
	       late(w, HTTP_STALLED, "no byte of the request accepted", l->stall_ms);
}

/* The telling lines as a JSON object with lower-case names. */
static void write_telling(const struct wire *w, struct str *out)
{
	struct jsonw j = jsonw_start(out);
	const char *p = w->headers.p, *end = p + w->headers.n;
	char name[64];

	if (w->headers.n == 0)
		return;
	jsonw_object(&j);
	while (p < end) {
		const char *nl = memchr(p, '\n', (size_t)(end - p));
		struct span line = { p, (size_t)((nl ? nl : end) - p) }, v;
		const char *colon = memchr(line.p, ':', line.n);
		size_t n = colon ? (size_t)(colon - line.p) : sizeof name;
		if (n < sizeof name) {
			for (size_t i = 0; i < n; i++)
				name[i] = line.p[i] >= 'A' && line.p[i] <= 'Z' ? line.p[i] | 0x20 : line.p[i];
			name[n] = '\0';
			if (header_is(line, name, &v))
				jsonw_kstr(&j, name, v);
		}
		p += line.n + 1;
	}
	jsonw_end(&j);
}

/* Does the server want to be left alone for some time?  Retry-After comes before
 * what its limits say, also if it is nothing. */
static void hold(const struct wire *w, int status)
{
	struct http_call *call = w->call;
	const char *kind = "";
	int64_t left = ratelimit_wait(&w->limits, &kind);
	bool told = status == 429 || status == 503 || status == 529;

	call->hold_ms = call->retry_after_ms >= 0 && (told || left > 0) ? call->retry_after_ms : left;
	if (call->hold_ms > RETRY_AFTER_MAX_MS)
		call->hold_ms = RETRY_AFTER_MAX_MS;
	if (told && call->retry_after_ms > 0)
		snprintf(call->hold_why, sizeof call->hold_why, "%d", status);
	else if (call->hold_ms > 0)
		snprintf(call->hold_why, sizeof call->hold_why, "no %s left",
			 *kind ? kind : "requests");
}

void wire_end(struct wire *w, enum http_code code, int status, const char *redirect,
	      const char *error)
{
	struct http_call *call = w->call;

	if (w->pool) {
		w->pool->held -= w->counted; /* it is the caller's now */
		w->pool->paused -= w->paused_at_us != 0;
		w->pool->chosen = w->pool->chosen == w ? NULL : w->pool->chosen;
	}
	if (code == HTTP_TRUNCATED && !w->first_us) /* so ends HTTP/2 without an answer */
		code = HTTP_RECV;
	call->code = w->verdict != HTTP_ANSWERED ? w->verdict : code;
	call->status = status;
	call->took_ms = (clock_mono_us() - w->start_us) / 1000;
	call->sent = w->sends > 0;
	call->stale = w->sends > 1 || !error;
	if (call->stale)
		say(call, "the kept-alive connection died before the answer");
	else if (call->code == HTTP_TOO_LARGE)
		say(call, "the answer is larger than %lld bytes",
		    (long long)call->limits->max_response);
	else if (call->code == HTTP_ABORTED)
		say(call, "stopped while the request was in flight");
	else if (call->code == HTTP_SUPERSEDED)
		say(call, "the request's other attempt was faster");
	else if (call->code != HTTP_ANSWERED && !call->message[0])
		say(call, "%s", safe_show(span_of(error), 190));
	else if (redirect && call->code == HTTP_ANSWERED)
		say(call, "redirect to %s, which is not followed",
		    safe_show(span_of(redirect), 140));
	if (call->code == HTTP_ANSWERED)
		hold(w, status);
	/* What a stream has in it is seen later. */
	if (call->code != HTTP_ANSWERED || status >= 300 || call->event_stream)
		write_telling(w, &call->telling);
}

static bool is_token(struct span v)
{
	for (size_t i = 0; i < v.n; i++)
		if (v.p[i] <= ' ' || v.p[i] >= 0x7f || strchr("\"(),/:;<=>?@[\\]{}", v.p[i]))
			return false;
	return v.n > 0;
}

int wire_header(struct str *out, struct span name, struct span value)
{
	if (!is_token(name))
		return -1;
	for (size_t i = 0; i < value.n; i++) {
		unsigned char c = (unsigned char)value.p[i];
		if ((c < ' ' && c != '\t') || c == 0x7f)
			return -1;
	}
	while (value.n > 0 && is_space(value.p[0]))
		value = (struct span){ value.p + 1, value.n - 1 };
	while (value.n > 0 && is_space(value.p[value.n - 1]))
		value.n--;
	str_addspan(out, name);
	/* libcurl drops "Name:"; a header with no value is written "Name;". */
	str_addz(out, value.n > 0 ? ": " : ";");
	str_addspan(out, value);
	return 0;
}
