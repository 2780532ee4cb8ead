#include "domain/limits.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/jsonw.h"
#include "base/mem.h"
#include "base/num.h"
#include "base/safe.h"

enum { JOBS_MAX = 10000, RATE_MAX = 1000000000, SECOND_MS = 1000, MINUTE_MS = 60000,
       HOUR_MS = 3600000, DAY_MS = 86400000, NAME_MAX_BYTES = 256, SHOWN = 100 };

void limits_release(struct limits *l)
{
	for (int i = 0; i < l->n; i++)
		free(l->v[i].model);
	free(l->v);
	*l = (struct limits)LIMITS_INIT;
}

static int bad_rate(const char *text, struct err *e)
{
	err_set(e, ERR_USAGE, "'%s' is no rate", safe_show(span_of(text), SHOWN));
	return err_hint(e, "write N/s, N/m, N/h, N/d or N per another interval: 5/15s; "
			"k and M after the number are thousands and millions");
}

/* "s", or "15s". */
static bool interval_of(const char *text, int64_t *ms)
{
	static const struct {
		const char *name;
		int64_t ms;
	} units[] = { { "s", SECOND_MS }, { "m", MINUTE_MS }, { "h", HOUR_MS }, { "d", DAY_MS } };
	struct err ignored = ERR_INIT;

	for (size_t i = 0; i < ARRAY_LEN(units); i++)
		if (strcmp(text, units[i].name) == 0) {
			*ms = units[i].ms;
			return true;
		}
	return num_duration(text, 1, 7 * (int64_t)DAY_MS, ms, &ignored) == 0;
}

int limits_rate(const char *text, struct limit_rate *out, struct err *e)
{
	const char *slash = strchr(text, '/');
	char number[24];
	struct err ignored = ERR_INIT;
	int64_t unit = 1;

	if (!slash || slash == text || (size_t)(slash - text) >= sizeof number)
		return bad_rate(text, e);
	size_t n = (size_t)(slash - text);
	memcpy(number, text, n);
	number[n] = '\0';
	if (number[n - 1] == 'k' || number[n - 1] == 'M') {
		unit = number[n - 1] == 'k' ? 1000 : 1000000;
		number[n - 1] = '\0';
	}
	if (num_int(number, 1, RATE_MAX / unit, &out->n, &ignored) < 0 ||
	    !interval_of(slash + 1, &out->interval_ms))
		return bad_rate(text, e);
	out->n *= unit;
	return 0;
}

void limits_rate_text(const struct limit_rate *r, struct str *out)
{
	char text[NUM_BUF];

	str_addf(out, "%lld", (long long)r->n);
	switch (r->interval_ms) {
	case SECOND_MS: str_addz(out, "/s"); break;
	case MINUTE_MS: str_addz(out, "/m"); break;
	case HOUR_MS: str_addz(out, "/h"); break;
	case DAY_MS: str_addz(out, "/d"); break;
	default:
		/* In ms unless it is a whole number of seconds, so that it is read back
		 * as it was. */
		if (r->interval_ms % SECOND_MS == 0)
			snprintf(text, sizeof text, "%llds", (long long)(r->interval_ms / SECOND_MS));
		else
			snprintf(text, sizeof text, "%lldms", (long long)r->interval_ms);
		str_addf(out, "/%s", text);
	}
}

/* "jobs=5": 0; -1 and *e. */
static int member(struct limit *l, struct span text, const char *rule, struct err *e)
{
	char *z CLEANUP(mem_cleanup) = mem_copy(text.p, text.n);
	char *value = strchr(z, '=');
	int rc;

	if (value)
		*value++ = '\0';
	if (value && strcmp(z, "jobs") == 0)
		rc = num_int(value, 1, JOBS_MAX, &l->jobs, e);
	else if (value && strcmp(z, "rate") == 0)
		rc = limits_rate(value, &l->rate, e);
	else if (value && strcmp(z, "tokens") == 0)
		rc = limits_rate(value, &l->tokens, e);
	else
		rc = err_set(e, ERR_USAGE, "'%s' is none of jobs=N, rate=N/U, tokens=N/U",
			     safe_show(text, SHOWN));
	return rc < 0 ? err_wrap(e, "%s", safe_show(span_of(rule), SHOWN)) : 0;
}

static int no_rule(const char *rule, struct err *e)
{
	err_set(e, ERR_USAGE, "'%s' is no limit", safe_show(span_of(rule), SHOWN));
	return err_hint(e, "write MODEL:jobs=N,rate=N/s,tokens=N/m; * is any other model");
}

/* The rule of this very name, made if there is none. */
static struct limits_rule *rule_of(struct limits *l, const char *model, size_t n)
{
	for (int i = 0; i < l->n; i++)
		if (strlen(l->v[i].model) == n && memcmp(l->v[i].model, model, n) == 0)
			return &l->v[i];
	l->v = mem_resize(l->v, (size_t)l->n + 1, sizeof *l->v);
	l->v[l->n] = (struct limits_rule){ .model = mem_copy(model, n) };
	return &l->v[l->n++];
}

int limits_add(struct limits *l, const char *rule, struct err *e)
{
	/* Names of models have colons too: "llama3:8b:jobs=2". */
	const char *colon = strrchr(rule, ':');
	struct limit limit = { 0 };

	if (!colon || colon == rule || !colon[1] || colon - rule > NAME_MAX_BYTES)
		return no_rule(rule, e);
	for (const char *p = colon + 1; p;) {
		const char *comma = strchr(p, ',');
		struct span text = { p, comma ? (size_t)(comma - p) : strlen(p) };
		if (member(&limit, text, rule, e) < 0)
			return -1;
		p = comma ? comma + 1 : NULL;
	}
	struct limits_rule *r = rule_of(l, rule, (size_t)(colon - rule));
	if (limit.jobs)
		r->limit.jobs = limit.jobs;
	if (limit.rate.n)
		r->limit.rate = limit.rate;
	if (limit.tokens.n)
		r->limit.tokens = limit.tokens;
	return 0;
}

struct limit limits_of(const struct limits *l, const char *model)
{
	const struct limit *any = NULL;

	for (int i = 0; i < l->n; i++) {
		if (strcmp(l->v[i].model, model) == 0)
			return l->v[i].limit;
		if (strcmp(l->v[i].model, "*") == 0)
			any = &l->v[i].limit;
	}
	return any ? *any : (struct limit){ 0 };
}

/* Is a slower than b?  n per interval, compared without division. */
static bool slower(const struct limit_rate *a, const struct limit_rate *b)
{
	__extension__ typedef __int128 wide;
	return (wide)a->n * b->interval_ms < (wide)b->n * a->interval_ms;
}

void limits_least(struct limit *l, const struct limit *other)
{
	if (other->jobs && (!l->jobs || other->jobs < l->jobs))
		l->jobs = other->jobs;
	if (other->rate.n && (!l->rate.n || slower(&other->rate, &l->rate)))
		l->rate = other->rate;
	if (other->tokens.n && (!l->tokens.n || slower(&other->tokens, &l->tokens)))
		l->tokens = other->tokens;
}

static void rule_text(const struct limits_rule *r, struct str *out)
{
	const char *comma = "";

	str_addf(out, "%s:", r->model);
	if (r->limit.jobs) {
		str_addf(out, "jobs=%lld", (long long)r->limit.jobs);
		comma = ",";
	}
	if (r->limit.rate.n) {
		str_addf(out, "%srate=", comma);
		limits_rate_text(&r->limit.rate, out);
		comma = ",";
	}
	if (r->limit.tokens.n) {
		str_addf(out, "%stokens=", comma);
		limits_rate_text(&r->limit.tokens, out);
	}
}

void limits_write(const struct limits *l, struct str *out)
{
	struct jsonw w = jsonw_start(out);

	jsonw_array(&w);
	for (int i = 0; i < l->n; i++) {
		struct str text CLEANUP(str_release) = STR_INIT;
		rule_text(&l->v[i], &text);
		jsonw_str(&w, str_span(&text));
	}
	jsonw_array_end(&w);
}

void limits_read(struct limits *l, struct span json)
{
	struct json_error bad;
	struct span none, item;
	size_t pos = 0;

	if (!json.p || json_scan(json, NULL, NULL, &bad) != 0)
		return;
	while (strchr(" \t\r\n", json.p[0])) /* the walker wants it to begin at once */
		json.p++, json.n--;
	if (json_type(json) != JSON_ARRAY)
		return;
	while (json_each(json, &pos, &none, &item)) {
		struct str text CLEANUP(str_release) = STR_INIT;
		struct err ignored = ERR_INIT;
		if (json_type(item) != JSON_STRING)
			continue;
		json_string(item, &text);
		if (limits_add(l, str_z(&text), &ignored) < 0)
			continue;
	}
}
