#include "request.h"

#include <string.h>
#include <strings.h>

static bool name_is(struct span a, const char *lower)
{
	return strncasecmp(a.p, lower, a.n) == 0;
}

static bool digits(struct span v, int64_t *out)
{
	if (v.n == 0 || v.n > 15)
		return false;
	int64_t n = 0;
	for (size_t i = 0; i < v.n; i++) {
		if (v.p[i] < '0' || v.p[i] > '9')
			return false;
		n = n * 10 + (v.p[i] - '0');
	}
	*out = n;
	return true;
}

/* The length decides which names need to be looked at. */
static bool take_header(struct request *r, struct span name, struct span value)
{
	switch (name.n) {
	case 6:
		if (name_is(name, "expect"))
			r->expect = span_is_nocase(value, "100-continue");
		break;
	case 10:
		if (name_is(name, "connection")) {
			if (span_is_nocase(value, "close"))
				r->keep_alive = false;
			else if (span_is_nocase(value, "keep-alive"))
				r->keep_alive = true;
		}
		break;
	case 11:
		if (name_is(name, "x-custom-id"))
			r->custom = value;
		break;
	case 12:
		if (name_is(name, "content-type"))
			r->type = value;
		break;
	case 13:
		if (name_is(name, "authorization"))
			r->auth = value;
		break;
	case 14:
		if (name_is(name, "content-length"))
			return digits(value, &r->length);
		break;
	case 15:
		if (name_is(name, "idempotency-key"))
			r->key = value;
		break;
	case 17:
		if (name_is(name, "transfer-encoding"))
			r->chunked = span_is_nocase(value, "chunked");
		break;
	}
	return true;
}

static bool take_first_line(struct request *r, struct span line)
{
	const char *sp = memchr(line.p, ' ', line.n);
	if (!sp || sp == line.p)
		return false;
	r->method = (struct span){ line.p, (size_t)(sp - line.p) };
	const char *from = sp + 1;
	const char *end = line.p + line.n;
	sp = memchr(from, ' ', (size_t)(end - from));
	if (!sp || sp == from || end - sp != 9 || memcmp(sp, " HTTP/1.", 8) != 0)
		return false;
	r->target = (struct span){ from, (size_t)(sp - from) };
	const char *q = memchr(from, '?', r->target.n);
	r->path = (struct span){ from, q ? (size_t)(q - from) : r->target.n };
	r->keep_alive = sp[8] != '0';
	return true;
}

bool request_parse(struct request *r, struct span head)
{
	const char *p = head.p;
	const char *end = head.p + head.n - 2; /* the empty line */

	r->headers = 0;
	r->custom = r->key = r->auth = r->type = SPAN_NONE;
	r->length = 0;
	r->chunked = r->expect = false;

	const char *nl = memchr(p, '\n', head.n);
	if (!nl || nl == p || nl[-1] != '\r')
		return false;
	if (!take_first_line(r, (struct span){ p, (size_t)(nl - 1 - p) }))
		return false;
	for (p = nl + 1; p < end; p = nl + 1) {
		nl = memchr(p, '\n', (size_t)(end - p));
		if (!nl || nl == p || nl[-1] != '\r' || r->headers == REQUEST_HEADERS)
			return false;
		const char *colon = memchr(p, ':', (size_t)(nl - p));
		if (!colon || colon == p || colon[-1] == ' ' || *p == ' ' || *p == '\t')
			return false;
		const char *v = colon + 1;
		const char *v_end = nl - 1;
		while (v < v_end && (*v == ' ' || *v == '\t'))
			v++;
		while (v_end > v && (v_end[-1] == ' ' || v_end[-1] == '\t'))
			v_end--;
		struct span name = { p, (size_t)(colon - p) };
		struct span value = { v, (size_t)(v_end - v) };
		r->header[r->headers].name = name;
		r->header[r->headers++].value = value;
		if (!take_header(r, name, value))
			return false;
	}
	return true;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static int unchunk_trailer(struct span raw, size_t from, size_t *at)
{
	for (;;) {
		const char *nl = memchr(raw.p + from, '\n', raw.n - from);
		if (!nl)
			return 0;
		size_t len = (size_t)(nl - (raw.p + from));
		from += len + 1;
		if (len <= 1) {
			*at = from;
			return 1;
		}
	}
}

int request_unchunk(struct span raw, size_t *at, struct str *body)
{
	while (*at < raw.n) {
		const char *p = raw.p + *at;
		const char *nl = memchr(p, '\n', raw.n - *at);
		if (!nl)
			return raw.n - *at > 1024 ? -1 : 0;
		size_t len = 0;
		const char *q = p;
		for (; hex_digit(*q) >= 0; q++) {
			if (q - p >= 8)
				return -1;
			len = len * 16 + (size_t)hex_digit(*q);
		}
		if (q == p || (*q != '\r' && *q != ';'))
			return -1;
		size_t data = (size_t)(nl + 1 - raw.p);
		if (len == 0)
			return unchunk_trailer(raw, data, at);
		if (raw.n - data < len + 2)
			return 0;
		if (memcmp(raw.p + data + len, "\r\n", 2) != 0)
			return -1;
		str_add(body, raw.p + data, len);
		*at = data + len + 2;
	}
	return 0;
}

/* p[i] is the opening quote; the place behind the closing one, or n. */
static size_t skip_string(const char *p, size_t n, size_t i)
{
	size_t start = i + 1;
	for (i = start; i < n;) {
		const char *q = memchr(p + i, '"', n - i);
		if (!q)
			return n;
		size_t end = (size_t)(q - p);
		size_t k = end;
		while (k > start && p[k - 1] == '\\')
			k--;
		if ((end - k) % 2 == 0)
			return end + 1;
		i = end + 1;
	}
	return n;
}

static size_t skip_space(const char *p, size_t n, size_t i)
{
	while (i < n && (p[i] == ' ' || p[i] == '\n' || p[i] == '\t' || p[i] == '\r'))
		i++;
	return i;
}

static size_t skip_value(const char *p, size_t n, size_t i)
{
	int depth = 0;
	while (i < n) {
		char c = p[i];
		if (c == '"') {
			i = skip_string(p, n, i);
		} else if (c == '{' || c == '[') {
			depth++;
			i++;
		} else if (c == '}' || c == ']') {
			if (depth == 0)
				return i;
			depth--;
			i++;
		} else if (depth == 0) {
			while (i < n && !strchr(",}] \t\r\n", p[i]))
				i++;
			return i;
		} else {
			i++;
			continue;
		}
		if (depth == 0)
			return i;
	}
	return n;
}

struct span request_member(struct span body, const char *name)
{
	const char *p = body.p;
	size_t n = body.n;
	size_t name_n = strlen(name);
	size_t i = skip_space(p, n, 0);

	if (i >= n || p[i] != '{')
		return SPAN_NONE;
	for (i++; i < n; i++) {
		i = skip_space(p, n, i);
		if (i >= n || p[i] != '"')
			break;
		size_t key_end = skip_string(p, n, i);
		bool hit = key_end - i == name_n + 2 && !memcmp(p + i + 1, name, name_n);
		i = skip_space(p, n, key_end);
		if (i >= n || p[i] != ':')
			break;
		i = skip_space(p, n, i + 1);
		size_t end = skip_value(p, n, i);
		if (hit)
			return (struct span){ p + i, end - i };
		i = skip_space(p, n, end);
		if (i >= n || p[i] != ',')
			break;
	}
	return SPAN_NONE;
}

struct span request_text(struct span body, const char *name)
{
	struct span v = request_member(body, name);
	if (!v.p || v.n < 2 || v.p[0] != '"')
		return SPAN_NONE;
	return (struct span){ v.p + 1, v.n - 2 };
}
