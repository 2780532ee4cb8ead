#include "domain/send.h"

#include <stddef.h>
#include <string.h>
#include "base/json.h"
#include "base/jsonw.h"
#include "base/mem.h"
#include "base/safe.h"
#include "domain/escalate.h"

#define HOUR_MS INT64_C(3600000)
#define DAY_MS (24 * HOUR_MS)

enum { SHOWN = 60, LIST_BYTES = 1024 };

/* The whole numbers: the name in JSON, the range, and the default. */
static const struct member {
	const char *name;
	size_t at;
	int64_t min, max, dflt;
} members[] = {
#define MEMBER(m, min, max, dflt) { #m, offsetof(struct send, m), min, max, dflt }
	MEMBER(retries, 0, 1000, 5),
	MEMBER(retry_delay_ms, 0, HOUR_MS, 1000),
	MEMBER(retry_factor_micro, 1000000, 100000000, 2000000),
	MEMBER(retry_max_delay_ms, 0, DAY_MS, 60000),
	MEMBER(connect_ms, 1, HOUR_MS, 10000),
	MEMBER(first_byte_ms, 1, HOUR_MS, 600000),
	MEMBER(stall_ms, 1, HOUR_MS, 90000),
	MEMBER(total_ms, 1, 7 * DAY_MS, 600000),
	MEMBER(max_response, 1, 512 << 20, 16 << 20),
	MEMBER(no_idempotency_key, 0, 1, 0),
	MEMBER(stop_before_ms, 0, 30 * DAY_MS, 0),
	MEMBER(at_most_once, 0, 1, 0),
#undef MEMBER
};

static int64_t *value_of(struct send *s, const struct member *m)
{
	return (int64_t *)(void *)((char *)s + m->at);
}

static int64_t value_in(const struct send *s, const struct member *m)
{
	int64_t v;
	memcpy(&v, (const char *)s + m->at, sizeof(v));
	return v;
}

void send_release(struct send *s)
{
	mem_free(s->retry_http);
	mem_free(s->escalate);
	*s = (struct send)SEND_INIT;
}

struct send send_defaults(void)
{
	struct send s = SEND_INIT;
	for (size_t i = 0; i < ARRAY_LEN(members); i++)
		*value_of(&s, &members[i]) = members[i].dflt;
	s.retry_http = mem_strdup("408,425,429,5xx");
	return s;
}

void send_fill(struct send *s, const struct send *other)
{
	for (size_t i = 0; i < ARRAY_LEN(members); i++)
		if (value_in(s, &members[i]) == SEND_UNSET)
			*value_of(s, &members[i]) = value_in(other, &members[i]);
	if (!s->retry_http)
		s->retry_http = mem_strdup(other->retry_http);
	if (!s->escalate)
		s->escalate = mem_strdup(other->escalate);
}

void send_write(const struct send *s, struct str *out)
{
	struct jsonw w = jsonw_start(out);
	jsonw_object(&w);
	for (size_t i = 0; i < ARRAY_LEN(members); i++) {
		int64_t v = value_in(s, &members[i]);
		if (v != SEND_UNSET)
			jsonw_kint(&w, members[i].name, v);
	}
	if (s->retry_http)
		jsonw_kstrz(&w, "retry_http", s->retry_http);
	if (s->escalate)
		jsonw_kstrz(&w, "escalate", s->escalate);
	jsonw_end(&w);
}

static int bad_member(struct span name, struct err *e)
{
	return err_set(e, ERR_INPUT, "bad send options: the value of '%s' is out of range",
		       safe_show(name, SHOWN));
}

static int read_text(char **to, int (*check)(const char *, struct err *), struct span name,
		     struct span value, struct err *e)
{
	struct str text CLEANUP(str_release) = STR_INIT;

	if (json_type(value) != JSON_STRING)
		return bad_member(name, e);
	json_string(value, &text);
	if (strlen(str_z(&text)) != text.n || check(str_z(&text), e) < 0)
		return bad_member(name, e);
	mem_free(*to);
	*to = str_take(&text);
	return 0;
}

static int read_member(struct send *s, struct span name, struct span value, struct err *e)
{
	if (span_is(name, "retry_http"))
		return read_text(&s->retry_http, send_check_http, name, value, e);
	if (span_is(name, "escalate"))
		return read_text(&s->escalate, escalate_check, name, value, e);
	for (size_t i = 0; i < ARRAY_LEN(members); i++) {
		const struct member *m = &members[i];
		if (span_is(name, m->name))
			return json_int(value, m->min, m->max, value_of(s, m))
				? 0 : bad_member(name, e);
	}
	return 0;
}

int send_read(struct send *s, struct span json, struct err *e)
{
	struct json_error je;
	if (json_scan(json, NULL, NULL, &je) != 0)
		return err_set(e, ERR_INPUT, "bad send options: %s at byte %zu", je.what,
			       je.offset);
	size_t pos = 0;
	struct span name, value;
	/* The walker wants the object to begin at once. */
	while (json.p[0] == ' ' || json.p[0] == '\t' || json.p[0] == '\n' || json.p[0] == '\r')
		json.p++, json.n--;
	if (json_type(json) != JSON_OBJECT)
		return err_set(e, ERR_INPUT, "bad send options: not an object");
	while (json_each(json, &pos, &name, &value))
		if (read_member(s, name, value, e) < 0)
			return -1;
	return 0;
}

/* "429" or "5xx" at *p, up to the comma or the end: the status, or the
 * hundred with *class set; -1: neither. */
static int next_status(const char **p, bool *class)
{
	const char *z = *p;
	if (z[0] < '3' || z[0] > '5') /* what comes below is no failure */
		return -1;
	*class = z[1] == 'x' && z[2] == 'x';
	if (!*class && (z[1] < '0' || z[1] > '9' || z[2] < '0' || z[2] > '9'))
		return -1;
	if (z[3] != ',' && z[3] != '\0')
		return -1;
	*p = z + 3 + (z[3] == ',' && z[4] != '\0');
	if (z[3] == ',' && z[4] == '\0')
		return -1;
	return (z[0] - '0') * 100 + (*class ? 0 : (z[1] - '0') * 10 + (z[2] - '0'));
}

int send_check_http(const char *list, struct err *e)
{
	bool class;
	const char *p = list;
	bool ok = strlen(list) <= LIST_BYTES;
	while (ok && *p)
		ok = next_status(&p, &class) >= 0;
	if (ok)
		return 0;
	err_set(e, ERR_USAGE, "'%s' is not a list of HTTP statuses",
		safe_show(span_of(list), SHOWN));
	return err_hint(e, "write statuses and classes with commas between: 408,429,5xx");
}

bool send_http_matches(const char *list, int status)
{
	for (const char *p = list; *p;) {
		bool class;
		int s = next_status(&p, &class);
		if (s < 0)
			return false;
		if (class ? status >= s && status < s + 100 : status == s)
			return true;
	}
	return false;
}
