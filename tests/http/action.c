#include "action.h"

#include <limits.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include "base/mem.h"
#include "base/num.h"

static int hex_digit(char c)
{
	const char *all = "0123456789abcdef";
	const char *p = c ? strchr(all, c | 0x20) : NULL;
	return p ? (int)(p - all) : -1;
}

/* \r \n \t \0 \\ \xNN; any other backslash stays. */
static void unescape(struct str *out, struct span v)
{
	const char *names = "rnt0\\";
	for (size_t i = 0; i < v.n; i++) {
		char c = v.p[i];
		char next = i + 1 < v.n ? v.p[i + 1] : '\0';
		const char *at = next ? strchr(names, next) : NULL;
		if (c == '\\' && at) {
			str_addc(out, "\r\n\t\0\\"[at - names]);
			i++;
		} else if (c == '\\' && next == 'x' && i + 3 < v.n &&
			   hex_digit(v.p[i + 2]) >= 0 && hex_digit(v.p[i + 3]) >= 0) {
			str_addc(out, (char)(hex_digit(v.p[i + 2]) * 16 +
					     hex_digit(v.p[i + 3])));
			i += 3;
		} else {
			str_addc(out, c);
		}
	}
}

static int base64(struct str *out, struct span v, struct err *e)
{
	const char *abc = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
			  "0123456789+/";
	unsigned bits = 0;
	int have = 0;
	for (size_t i = 0; i < v.n && v.p[i] != '='; i++) {
		const char *at = v.p[i] ? strchr(abc, v.p[i]) : NULL;
		if (!at)
			return err_set(e, ERR_USAGE, "this is no base64");
		bits = bits << 6 | (unsigned)(at - abc);
		have += 6;
		if (have >= 8) {
			have -= 8;
			str_addc(out, (char)(bits >> have & 0xff));
		}
	}
	return 0;
}

static void close_file(FILE **f)
{
	if (*f)
		fclose(*f);
}

static int load(struct str *out, struct span path, struct err *e)
{
	char *z CLEANUP(mem_cleanup) = mem_copy(path.p, path.n);
	FILE *f CLEANUP(close_file) = fopen(z, "re");
	if (!f)
		return err_sys(e, ERR_NOINPUT, "%s", z);
	char buf[16384];
	size_t n;
	while ((n = fread(buf, 1, sizeof(buf), f)) > 0)
		str_add(out, buf, n);
	return ferror(f) ? err_sys(e, ERR_IO, "%s", z) : 0;
}

static int number(struct span v, int64_t min, int64_t max, int64_t *out, struct err *e)
{
	char *z CLEANUP(mem_cleanup) = mem_copy(v.p, v.n);
	return num_int(z, min, max, out, e);
}

static int read_header(struct action *a, struct span v, struct err *e)
{
	if (v.n >= 2 && v.p[0] == '"' && v.p[v.n - 1] == '"')
		v = (struct span){ v.p + 1, v.n - 2 };
	const char *colon = memchr(v.p, ':', v.n);
	if (!colon)
		return err_set(e, ERR_USAGE, "header= wants \"Name: value\"");
	struct span name = { v.p, (size_t)(colon - v.p) };
	a->own_type |= span_is_nocase(name, "content-type");
	a->own_length |= span_is_nocase(name, "content-length") ||
			 span_is_nocase(name, "transfer-encoding");
	a->own_connection |= span_is_nocase(name, "connection");
	a->own_id |= span_is_nocase(name, "x-request-id");
	str_addspan(&a->headers, v);
	str_addz(&a->headers, "\r\n");
	return 0;
}

static void redirect_to(struct action *a, struct span url)
{
	if (!a->status)
		a->status = 302;
	str_addz(&a->headers, "Location: ");
	str_addspan(&a->headers, url);
	str_addz(&a->headers, "\r\n");
}

static const struct flag {
	const char *name;
	size_t at;
} FLAGS[] = {
	{ "drop", offsetof(struct action, drop) },
	{ "reset", offsetof(struct action, reset) },
	{ "drop-before-read", offsetof(struct action, drop_unread) },
	{ "close", offsetof(struct action, close) },
	{ "close-silent", offsetof(struct action, close_silent) },
	{ "keep", offsetof(struct action, keep) },
	{ "chunked", offsetof(struct action, chunked) },
	{ "stall", offsetof(struct action, stall) },
	{ "hang", offsetof(struct action, hang) },
	{ "endless", offsetof(struct action, endless) },
	{ "exit", offsetof(struct action, exit) },
};

static int read_flag(struct action *a, struct span v, struct err *e)
{
	for (size_t i = 0; i < ARRAY_LEN(FLAGS); i++)
		if (span_is(v, FLAGS[i].name)) {
			*(bool *)((char *)a + FLAGS[i].at) = true;
			return 0;
		}
	return err_set(e, ERR_USAGE, "'%.*s' is no action", (int)v.n, v.p);
}

static int read_one(struct action *a, struct span v, struct err *e)
{
	const char *eq = memchr(v.p, '=', v.n);
	if (!eq)
		return read_flag(a, v, e);

	struct span name = { v.p, (size_t)(eq - v.p) };
	struct span value = { eq + 1, v.n - name.n - 1 };
	if (span_is(name, "status")) {
		int64_t n;
		if (number(value, 100, 999, &n, e) < 0)
			return -1;
		a->status = (int)n;
		return 0;
	}
	if (span_is(name, "header"))
		return read_header(a, value, e);
	if (span_is(name, "sleep"))
		return number(value, 0, INT_MAX, &a->sleep_ms, e);
	if (span_is(name, "truncate"))
		return number(value, 0, INT64_MAX / 2, &a->truncate, e);
	if (span_is(name, "trickle"))
		return number(value, 1, INT_MAX, &a->trickle_ms, e);
	if (span_is(name, "events"))
		return number(value, 1, INT_MAX, &a->events_ms, e);
	if (span_is(name, "big-header"))
		return number(value, 1, 64 << 20, &a->big_header, e);
	if (span_is(name, "redirect")) {
		redirect_to(a, value);
		return 0;
	}
	if (span_is(name, "garbage")) {
		a->has_garbage = true;
		unescape(&a->garbage, value);
		return 0;
	}
	a->has_body = true;
	if (span_is(name, "body")) {
		str_addspan(&a->body, value);
		return 0;
	}
	if (span_is(name, "body-file"))
		return load(&a->body, value, e);
	if (span_is(name, "body-base64"))
		return base64(&a->body, value, e);
	return err_set(e, ERR_USAGE, "'%.*s' is no action", (int)name.n, name.p);
}

/* " ; " separates, but not within header="...". */
static const char *one_end(const char *p)
{
	bool quoted = !strncmp(p, "header=\"", 8);
	for (const char *q = quoted ? p + 8 : p; *q; q++) {
		if (quoted && *q == '"' && (!q[1] || !strncmp(q + 1, " ;", 2)))
			quoted = false;
		else if (!quoted && !strncmp(q, " ;", 2) && (q[2] == ' ' || !q[2]))
			return q;
	}
	return p + strlen(p);
}

int action_read(struct action *a, const char *text, struct err *e)
{
	*a = (struct action){ .sleep_ms = -1, .truncate = -1 };
	for (const char *p = text;;) {
		p += strspn(p, " ");
		const char *end = one_end(p);
		struct span v = { p, (size_t)(end - p) };
		while (v.n && v.p[v.n - 1] == ' ' && !*end)
			v.n--;
		if (read_one(a, v, e) < 0)
			return -1;
		if (!*end)
			return 0;
		p = end + 2;
	}
}

void action_release(struct action *a)
{
	str_release(&a->headers);
	str_release(&a->body);
	str_release(&a->garbage);
}
