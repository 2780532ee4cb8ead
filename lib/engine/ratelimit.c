#include "engine/ratelimit.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/mem.h"
#include "base/num.h"

enum { VALUE_MAX = 64, UNIX_FROM = 1000000000 /* 2001: more than any wait */ };
/* As seconds the year 33658, as milliseconds 2001. */
static const int64_t UNIX_MS_FROM = INT64_C(1000000000000);

/* A decimal at *p in millionths; false if there is none. */
static bool decimal(const char **p, int64_t *micro)
{
	size_t n = strspn(*p, "0123456789");
	char text[VALUE_MAX];
	struct err ignored = ERR_INIT;

	if (n == 0)
		return false;
	if ((*p)[n] == '.')
		n += 1 + strspn(*p + n + 1, "0123456789");
	snprintf(text, sizeof text, "%.*s", (int)n, *p);
	char *point = strchr(text, '.');
	if (point && strlen(point) > 7)
		point[7] = '\0'; /* more digits than count */
	if (point && point[1] == '\0')
		return false;
	*p += n;
	return num_micro(text, 0, INT64_MAX, micro, &ignored) == 0;
}

/* "1h2m3.5s", "12ms": what Go's time.Duration prints. */
static int64_t go_duration(const char *p)
{
	static const struct {
		const char *unit;
		int64_t us;
	} units[] = { { "ms", 1000 }, { "us", 1 }, { "\xc2\xb5s", 1 }, { "ns", 0 },
		      { "h", 3600000000 }, { "m", 60000000 }, { "s", 1000000 } };
	static const double MOST_US = 1e16;
	int64_t us = 0, micro;

	do {
		size_t i = 0;
		if (!decimal(&p, &micro))
			return -1;
		while (i < ARRAY_LEN(units) && strncmp(p, units[i].unit, strlen(units[i].unit)) != 0)
			i++;
		if (i == ARRAY_LEN(units))
			return -1;
		p += strlen(units[i].unit);
		double more = (double)micro / 1000000 * (double)units[i].us;
		if (more > MOST_US) /* of each of those that a text has room for */
			return -1;
		us += (int64_t)more;
	} while (*p);
	return (us + 999) / 1000;
}

static int64_t date(const char *text, int64_t now_wall_ms)
{
	struct tm tm = { 0 };
	const char *end = strptime(text, "%Y-%m-%dT%H:%M:%S", &tm);
	bool fraction = end && *end == '.';

	if (fraction)
		end += 1 + strspn(end + 1, "0123456789");
	if (!end || (strcmp(end, "Z") != 0 && strcmp(end, "+00:00") != 0))
		return -1;
	int64_t at = ((int64_t)timegm(&tm) + fraction) * 1000;
	return at > now_wall_ms ? at - now_wall_ms : 0;
}

int64_t ratelimit_reset(struct span value, int64_t now_wall_ms)
{
	char text[VALUE_MAX];
	const char *p = text;
	int64_t micro;

	if (value.n == 0 || value.n >= sizeof text || memchr(value.p, '\0', value.n))
		return -1;
	memcpy(text, value.p, value.n);
	text[value.n] = '\0';
	if (decimal(&p, &micro) && *p == '\0') {
		int64_t ms = micro / 1000 + (micro % 1000 > 0);
		if (micro / 1000000 < UNIX_FROM)
			return ms;
		if (micro / 1000000 >= UNIX_MS_FROM)
			ms /= 1000;
		return ms > now_wall_ms ? ms - now_wall_ms : 0;
	}
	int64_t ms = go_duration(text);
	return ms >= 0 ? ms : date(text, now_wall_ms);
}

/* The entry of this name, or NULL if there are too many. */
static struct ratelimit_kind *kind_of(struct ratelimit *r, const char *name)
{
	for (int i = 0; i < r->n; i++)
		if (strcmp(r->kinds[i].name, name) == 0)
			return &r->kinds[i];
	if (r->n == RATELIMIT_KINDS)
		return NULL;
	struct ratelimit_kind *k = &r->kinds[r->n++];
	snprintf(k->name, sizeof k->name, "%s", name);
	k->empty = false;
	k->reset_ms = -1;
	return k;
}

/* "remaining-requests" or "requests-remaining" less "remaining": "requests". */
static bool without(const char *text, const char *word, char *rest)
{
	const char *at = strstr(text, word);
	size_t n = strlen(word), before = at ? (size_t)(at - text) : 0;

	if (!at || strlen(text) - n > RATELIMIT_NAME)
		return false;
	const char *behind = at + n;
	if (before > 0 && text[before - 1] == '-')
		before--;
	if (before == 0 && *behind == '-')
		behind++;
	snprintf(rest, RATELIMIT_NAME, "%.*s%s", (int)before, text, behind);
	return true;
}

void ratelimit_header(struct ratelimit *r, struct span name, struct span value,
		      int64_t now_wall_ms)
{
	static const char *const prefixes[] = { "x-ratelimit-", "anthropic-ratelimit-", "ratelimit-" };
	char text[VALUE_MAX], kind[RATELIMIT_NAME];
	const char *p = NULL;

	if (name.n == 0 || name.n >= sizeof text)
		return;
	for (size_t i = 0; i < name.n; i++)
		text[i] = (char)tolower((unsigned char)name.p[i]);
	text[name.n] = '\0';
	for (size_t i = 0; i < ARRAY_LEN(prefixes) && !p; i++)
		if (strncmp(text, prefixes[i], strlen(prefixes[i])) == 0)
			p = text + strlen(prefixes[i]);
	if (!p)
		return;
	bool remaining = without(p, "remaining", kind);
	if (!remaining && !without(p, "reset", kind))
		return;
	struct ratelimit_kind *k = kind_of(r, kind);
	if (k && remaining)
		k->empty = span_is(value, "0");
	else if (k)
		k->reset_ms = ratelimit_reset(value, now_wall_ms);
}

int64_t ratelimit_wait(const struct ratelimit *r, const char **kind)
{
	int64_t wait = 0;

	for (int i = 0; i < r->n; i++)
		if (r->kinds[i].empty && r->kinds[i].reset_ms > wait) {
			wait = r->kinds[i].reset_ms;
			if (kind)
				*kind = r->kinds[i].name;
		}
	return wait;
}
