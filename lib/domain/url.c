#include "domain/url.h"

#include <string.h>

static size_t scheme_length(struct span url)
{
	static const char *const schemes[] = { "http://", "https://" };
	for (int i = 0; i < 2; i++) {
		size_t n = strlen(schemes[i]);
		if (url.n >= n && span_is_nocase((struct span){ url.p, n }, schemes[i]))
			return n;
	}
	return 0;
}

bool url_is_absolute(struct span url)
{
	return url.p && scheme_length(url) > 0;
}

/* Where the first `c` from there on is; v.n: nowhere. */
static size_t find(struct span v, size_t from, char c)
{
	const char *at = from < v.n ? memchr(v.p + from, c, v.n - from) : NULL;

	return at ? (size_t)(at - v.p) : v.n;
}

/* "http://host:port", path and query of a URL or of a path. */
struct parts {
	struct span authority, path, query; /* query without '?', SPAN_NONE: none */
};

static struct parts split(struct span url)
{
	/* A fragment is never sent; line_check_url() refuses it. */
	url.n = find(url, 0, '#');
	size_t path = scheme_length(url), query = find(url, path, '?');
	if (path > 0)
		path = find((struct span){ url.p, query }, path, '/');
	struct parts p = {
		.authority = { url.p, path },
		.path = { url.p + path, query - path },
		.query = SPAN_NONE,
	};
	if (query < url.n)
		p.query = (struct span){ url.p + query + 1, url.n - query - 1 };
	return p;
}

/* "/v1" before a '/' or at the end. */
static bool has_v1(struct span path)
{
	return span_starts(path, "/v1") && (path.n == 3 || path.p[3] == '/');
}

void url_join(struct span base, struct span url, struct str *out)
{
	if (url_is_absolute(url)) {
		str_addspan(out, url);
		return;
	}
	struct parts b = split(base), u = split(url);
	while (b.path.n > 0 && b.path.p[b.path.n - 1] == '/')
		b.path.n--;
	if (b.path.n > 0 && has_v1(u.path)) {
		u.path.p += 3;
		u.path.n -= 3;
	}
	str_addspan(out, b.authority);
	str_addspan(out, b.path);
	if (b.path.n == 0 && u.path.n == 0)
		str_addc(out, '/');
	str_addspan(out, u.path);
	char mark = '?';
	for (int i = 0; i < 2; i++) {
		struct span q = i == 0 ? b.query : u.query;
		if (q.n == 0)
			continue;
		str_addc(out, mark);
		str_addspan(out, q);
		mark = '&';
	}
}

static void add_lower(struct str *out, struct span v)
{
	for (size_t i = 0; i < v.n; i++)
		str_addc(out, v.p[i] >= 'A' && v.p[i] <= 'Z' ? (char)(v.p[i] | 0x20) : v.p[i]);
}

/* host[:port], without a user before it. */
static struct span host_of(struct span absolute)
{
	size_t scheme = scheme_length(absolute);
	struct span host = split(absolute).authority;
	host.p += scheme;
	host.n -= scheme;
	const char *at = host.n > 0 ? memrchr(host.p, '@', host.n) : NULL;
	if (at) {
		host.n -= (size_t)(at + 1 - host.p);
		host.p = at + 1;
	}
	return host;
}

/* Cuts ":port" off; SPAN_NONE: there is none.  An IPv6 address has colons. */
static struct span cut_port(struct span *host)
{
	const char *colon = host->n > 0 ? memrchr(host->p, ':', host->n) : NULL;
	const char *bracket = host->n > 0 ? memrchr(host->p, ']', host->n) : NULL;
	if (!colon || (bracket && bracket > colon))
		return SPAN_NONE;
	struct span port = { colon + 1, (size_t)(host->p + host->n - colon - 1) };
	host->n = (size_t)(colon - host->p);
	return port;
}

void url_origin(struct span absolute, struct str *out)
{
	struct span scheme = { absolute.p, scheme_length(absolute) };
	struct span host = host_of(absolute), port = cut_port(&host);
	bool tls = scheme.n == strlen("https://");
	add_lower(out, scheme);
	add_lower(out, host);
	if (port.n > 0 && !span_is(port, tls ? "443" : "80")) {
		str_addc(out, ':');
		str_addspan(out, port);
	}
}

bool url_is_local(struct span absolute)
{
	struct span host = host_of(absolute);
	cut_port(&host);
	if (host.n > 0 && host.p[host.n - 1] == '.')
		host.n--;
	if (span_is_nocase(host, "localhost") || span_is(host, "[::1]"))
		return true;
	/* line_check_url() knows addresses in their full form only. */
	if (!span_starts(host, "127."))
		return false;
	int dots = 0;
	for (size_t i = 0; i < host.n; i++) {
		dots += host.p[i] == '.';
		if (host.p[i] != '.' && (host.p[i] < '0' || host.p[i] > '9'))
			return false;
	}
	return dots == 3;
}
