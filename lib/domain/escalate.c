#include "domain/escalate.h"

#include <string.h>

#include "base/jsonw.h"
#include "base/mem.h"
#include "base/num.h"
#include "base/safe.h"

enum { DAY_MS = 86400000, BEFORE_DAYS = 30, SHOWN = 120 };

static bool take(char *to, size_t size, const char *from, const char *end)
{
	size_t n = (size_t)(end - from);

	if (n == 0 || n >= size)
		return false;
	memcpy(to, from, n);
	to[n] = '\0';
	return true;
}

/* May it be the name of a model? */
static bool is_name(const char *text)
{
	for (const char *p = text; *p; p++)
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			return false;
	return safe_is_utf8(span_of(text));
}

/* One rule, from `p` to `end`. */
static bool parse(const char *p, const char *end, struct escalate *out)
{
	const char *equals = memchr(p, '=', (size_t)(end - p));
	const char *at = equals ? memrchr(equals, '@', (size_t)(end - equals)) : NULL;
	char duration[NUM_BUF];
	struct err ignored = ERR_INIT;

	return at && take(out->model, sizeof out->model, p, equals) &&
	       take(out->other, sizeof out->other, equals + 1, at) &&
	       is_name(out->model) && is_name(out->other) &&
	       take(duration, sizeof duration, at + 1, end) &&
	       num_duration(duration, 1, (int64_t)BEFORE_DAYS * DAY_MS, &out->before_ms,
			    &ignored) == 0;
}

static const char *line_end(const char *p)
{
	return p + strcspn(p, "\n");
}

int escalate_check(const char *rules, struct err *e)
{
	struct escalate r;

	for (const char *p = rules, *end; *p; p = *end ? end + 1 : end) {
		end = line_end(p);
		if (parse(p, end, &r) && strcmp(r.model, r.other) != 0)
			continue;
		err_set(e, ERR_USAGE, "'%s' is no escalation",
			safe_show((struct span){ p, (size_t)(end - p) }, SHOWN));
		return err_hint(e, "write MODEL=OTHER@DUR: gpt-4o=gpt-4o-mini@15m");
	}
	return 0;
}

bool escalate_next(const char **at, struct escalate *out)
{
	const char *p = *at, *end = line_end(p);

	if (!*p || !parse(p, end, out))
		return false;
	*at = *end ? end + 1 : end;
	return true;
}

bool escalate_find(const char *rules, const char *model, struct escalate *out)
{
	while (escalate_next(&rules, out))
		if (strcmp(out->model, model) == 0)
			return true;
	return false;
}

void escalate_body(struct span body, struct span value, const char *model, struct str *out)
{
	const char *rest = value.p + value.n;

	str_add(out, body.p, (size_t)(value.p - body.p));
	jsonw_quote(out, span_of(model));
	str_add(out, rest, body.n - (size_t)(rest - body.p));
}
