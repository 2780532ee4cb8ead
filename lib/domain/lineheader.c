#include "domain/lineheader.h"

#include <string.h>
#include "base/safe.h"

enum { SHOWN = 40 };

static bool is_token(struct span v)
{
	for (size_t i = 0; i < v.n; i++) {
		char c = v.p[i];
		bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
		bool digit = c >= '0' && c <= '9';
		if (!letter && !digit && (c == '\0' || !strchr("!#$%&'*+-.^_`|~", c)))
			return false;
	}
	return v.n > 0;
}

static bool is_one_of(struct span name, const char *const *list)
{
	while (*list && !span_is_nocase(name, *list))
		list++;
	return *list;
}

static bool has_control(struct span v)
{
	for (size_t i = 0; i < v.n; i++) {
		unsigned char c = (unsigned char)v.p[i];
		if ((c < 0x20 && c != '\t') || c == 0x7f)
			return true;
	}
	return false;
}

int lineheader_check(struct span name, struct span value, bool *in_value, struct err *e)
{
	static const char *const connection[] = {
		"Host", "Content-Length", "Transfer-Encoding", "Connection", "Expect",
		"TE", "Upgrade", "Trailer", NULL
	};
	*in_value = false;
	if (!is_token(name))
		return err_set(e, ERR_INPUT, "'%s' is not a header name (letters, digits and "
			       "!#$%%&'*+-.^_`|~ only)", safe_show(name, SHOWN));
	if (is_one_of(name, connection))
		return err_set(e, ERR_INPUT, "header '%s' must not be given: "
			       "it belongs to the connection", safe_show(name, SHOWN));
	*in_value = true;
	if (has_control(value))
		return err_set(e, ERR_INPUT, "the value of header '%s' must not hold "
			       "control characters", safe_show(name, SHOWN));
	if (!safe_is_utf8(value))
		return err_set(e, ERR_INPUT, "the value of header '%s' must be valid UTF-8",
			       safe_show(name, SHOWN));
	return 0;
}

bool lineheader_is_secret(struct span name)
{
	static const char *const secrets[] = {
		"Authorization", "Proxy-Authorization", "Cookie", "x-api-key", "api-key",
		NULL
	};
	return is_one_of(name, secrets);
}

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
}

bool lineheader_same(struct span a, struct span b)
{
	if (a.n != b.n)
		return false;
	size_t i = 0;
	while (i < a.n && lower(a.p[i]) == lower(b.p[i]))
		i++;
	return i == a.n;
}
