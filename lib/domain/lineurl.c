#include "domain/lineurl.h"

#include <arpa/inet.h>
#include <stdbool.h>
#include <string.h>
#include "base/mem.h"
#include "base/safe.h"

enum { HOST_MAX = 253, LABEL_MAX = 63, SHOWN = 40 };

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_alnum(char c)
{
	return is_digit(c) || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
}

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
}

/* The text up to the first of these two bytes, or all of it. */
static struct span until(struct span t, char a, char b)
{
	size_t n = 0;
	while (n < t.n && t.p[n] != a && t.p[n] != b)
		n++;
	return (struct span){ t.p, n };
}

static struct span after(struct span t, size_t n)
{
	return (struct span){ t.p + n, t.n - n };
}

static int check_bytes(struct span t, struct err *e)
{
	bool ascii = true;
	for (size_t i = 0; i < t.n; i++) {
		unsigned char c = (unsigned char)t.p[i];
		bool c1 = c == 0xc2 && i + 1 < t.n && (unsigned char)t.p[i + 1] < 0xa0;
		if (c == ' ')
			return err_set(e, ERR_INPUT, "must not hold a space (%%20 is one)");
		if (c < 0x20 || c == 0x7f || c1)
			return err_set(e, ERR_INPUT, "must not hold a control character");
		if (c == '\\')
			return err_set(e, ERR_INPUT, "must not hold a backslash");
		if (c == '#')
			return err_set(e, ERR_INPUT, "must not hold a fragment ('#'), "
				       "which no server is ever sent");
		ascii = ascii && c < 0x80;
	}
	return ascii || safe_is_utf8(t) ? 0 : err_set(e, ERR_INPUT, "must be valid UTF-8");
}

/* Shows how it starts, but never what can be a password or a key. */
static int not_a_url(struct span t, struct err *e)
{
	struct span start = until(until(t, '/', '?'), ':', '@');
	if (start.n < t.n && t.p[start.n] == ':') {
		start.n++;
		if (span_starts(after(t, start.n), "//"))
			start.n += 2;
	}
	return err_set(e, ERR_INPUT,
		       "must be a path that starts with '/' or an http(s) URL, not %s%s",
		       safe_show(start, SHOWN),
		       start.n < t.n && start.n <= SHOWN ? "..." : "");
}

static struct span last_label(struct span host)
{
	host.n -= host.p[host.n - 1] == '.';
	const char *dot = memrchr(host.p, '.', host.n);
	return dot ? after(host, (size_t)(dot + 1 - host.p)) : host;
}

/* "1", "0x7f": what inet_aton() and with it a resolver takes for a number. */
static bool is_number(struct span label)
{
	bool hex = label.n > 1 && label.p[0] == '0' && lower(label.p[1]) == 'x';
	for (size_t i = hex ? 2 : 0; i < label.n; i++) {
		bool letter = lower(label.p[i]) >= 'a' && lower(label.p[i]) <= 'f';
		if (!is_digit(label.p[i]) && !(hex && letter))
			return false;
	}
	return label.n > 0;
}

/* inet_pton() knows the strict forms only; `text` has no NUL behind it. */
static bool is_address(int family, struct span text)
{
	char z[INET6_ADDRSTRLEN];
	struct in6_addr a;
	if (text.n >= sizeof(z) || memchr(text.p, '\0', text.n))
		return false;
	memcpy(z, text.p, text.n);
	z[text.n] = '\0';
	return inet_pton(family, z, &a) == 1;
}

static bool is_name(struct span host)
{
	size_t label = 0;
	for (size_t i = 0; i < host.n; i++) {
		char c = host.p[i];
		bool edge = label == 0 || i + 1 == host.n || host.p[i + 1] == '.';
		if (c == '.' && label > 0)
			label = 0;
		else if (is_alnum(c) || c == '_' || (c == '-' && !edge))
			label++;
		else
			return false;
		if (label > LABEL_MAX)
			return false;
	}
	return host.n > 0 && host.n <= HOST_MAX;
}

static int check_host(struct span host, struct err *e)
{
	if (host.n == 0)
		return err_set(e, ERR_INPUT, "must have a host behind '://'");
	for (size_t i = 0; i < host.n; i++)
		if ((unsigned char)host.p[i] >= 0x80)
			return err_set(e, ERR_INPUT,
				       "must have its host in ASCII (xn--...), not '%s'",
				       safe_show(host, SHOWN));
	bool ok;
	if (host.p[0] == '[')
		ok = host.p[host.n - 1] == ']'
		     && is_address(AF_INET6, (struct span){ host.p + 1, host.n - 2 });
	else if (is_number(last_label(host)))
		ok = is_address(AF_INET, host);
	else
		ok = is_name(host);
	return ok ? 0 : err_set(e, ERR_INPUT, "must have a valid host, not '%s'",
				safe_show(host, SHOWN));
}

static int check_port(struct span port, struct err *e)
{
	long v = 0;
	for (size_t i = 0; i < port.n && v <= 65535; i++)
		v = is_digit(port.p[i]) ? v * 10 + (port.p[i] - '0') : 65536;
	if (port.n == 0 || port.p[0] == '0' || v > 65535)
		return err_set(e, ERR_INPUT, "must have a port from 1 to 65535, not '%s'",
			       safe_show(port, SHOWN));
	return 0;
}

static int check_authority(struct span t, struct err *e)
{
	if (t.n > 0 && memchr(t.p, '@', t.n))
		return err_set(e, ERR_INPUT, "must not hold a user or a password before its "
			       "host; --key REF sends a key without storing it");
	struct span host = until(t, ':', ':');
	if (t.n > 0 && t.p[0] == '[') {
		host = until(t, ']', ']');
		host.n += host.n < t.n;
	}
	if (check_host(host, e) < 0)
		return -1;
	if (host.n == t.n)
		return 0;
	if (t.p[host.n] != ':')
		return err_set(e, ERR_INPUT, "must have a valid host, not '%s'",
			       safe_show(t, SHOWN));
	return check_port(after(t, host.n + 1), e);
}

int lineurl_check(struct span text, struct lineurl *out, struct err *e)
{
	*out = (struct lineurl){ SPAN_NONE, SPAN_NONE };
	if (text.n == 0)
		return err_set(e, ERR_INPUT, "must not be empty");
	if (text.n > LINEURL_MAX)
		return err_set(e, ERR_INPUT, "must have at most %d bytes, not %zu",
			       LINEURL_MAX, text.n);
	if (check_bytes(text, e) < 0)
		return -1;
	struct span rest = text;
	if (text.p[0] == '/') {
		if (span_starts(text, "//"))
			return err_set(e, ERR_INPUT, "must not start with '//': "
				       "a path starts with one '/', a URL with http:// "
				       "or https://");
	} else {
		struct span scheme = until(text, ':', ':');
		if (!span_is_nocase(scheme, "http") && !span_is_nocase(scheme, "https"))
			return not_a_url(text, e);
		if (!span_starts(after(text, scheme.n), "://"))
			return err_set(e, ERR_INPUT, "must have '//' and a host behind '%s:'",
				       safe_show(scheme, SHOWN));
		rest = after(text, scheme.n + 3);
		struct span authority = until(rest, '/', '?');
		if (check_authority(authority, e) < 0)
			return -1;
		out->authority = authority;
		rest = after(rest, authority.n);
	}
	struct span path = until(rest, '?', '?');
	if (path.n < rest.n)
		out->query = after(rest, path.n + 1);
	return 0;
}

void lineurl_lower(struct span authority, struct str *out)
{
	size_t from = out->n;
	str_addspan(out, authority);
	for (size_t i = from; i < out->n; i++)
		out->p[i] = lower(out->p[i]);
}

static int hex_digit(char c)
{
	return is_digit(c) ? c - '0' : lower(c) >= 'a' && lower(c) <= 'f'
		? lower(c) - 'a' + 10 : -1;
}

/* Is that the name, after its %XX are resolved? */
static bool names(struct span raw, const char *name)
{
	size_t i = 0;
	for (; i < raw.n && *name; i++, name++) {
		char c = raw.p[i];
		if (c == '%' && raw.n - i > 2 && hex_digit(raw.p[i + 1]) >= 0
		    && hex_digit(raw.p[i + 2]) >= 0) {
			c = (char)(hex_digit(raw.p[i + 1]) << 4 | hex_digit(raw.p[i + 2]));
			i += 2;
		}
		if (lower(c) != *name)
			return false;
	}
	return i == raw.n && !*name;
}

const char *lineurl_secret(struct span query)
{
	static const char *const secrets[] = { "key", "api_key", "access_token", "apikey" };
	while (query.n > 0) {
		struct span member = until(query, '&', '&');
		struct span name = until(member, '=', '=');
		for (size_t i = 0; i < ARRAY_LEN(secrets); i++)
			if (names(name, secrets[i]))
				return secrets[i];
		query = after(query, member.n + (member.n < query.n));
	}
	return NULL;
}
