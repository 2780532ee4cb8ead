#include "base/span.h"

#include <string.h>

struct span span_of(const char *z)
{
	return z ? (struct span){ z, strlen(z) } : SPAN_NONE;
}

bool span_eq(struct span a, struct span b)
{
	if (!a.p || !b.p)
		return a.p == b.p;
	return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

bool span_is(struct span a, const char *z)
{
	return span_eq(a, span_of(z));
}

bool span_starts(struct span a, const char *z)
{
	size_t n = strlen(z);
	return a.p && a.n >= n && memcmp(a.p, z, n) == 0;
}

/* Not strncasecmp(), which asks the locale and stops at a NUL. */
static char ascii_lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

bool span_is_nocase(struct span a, const char *z)
{
	if (!a.p || !z || a.n != strlen(z))
		return !a.p && !z;
	for (size_t i = 0; i < a.n; i++)
		if (ascii_lower(a.p[i]) != ascii_lower(z[i]))
			return false;
	return true;
}

struct span span_last_line(struct span v)
{
	while (v.n > 0 && v.p[v.n - 1] && strchr("\r\n\t ", v.p[v.n - 1]))
		v.n--;
	const char *lf = v.n > 0 ? memrchr(v.p, '\n', v.n) : NULL;
	return lf ? (struct span){ lf + 1, v.n - (size_t)(lf + 1 - v.p) } : v;
}
