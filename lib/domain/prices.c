#include "domain/prices.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/lines.h"
#include "base/mem.h"
#include "base/safe.h"

enum { FILE_BYTES = 4 << 20, SHOWN = 100, DIGITS = 6, EXPONENT_MAX = 1000 };

static const int64_t PRICE_MAX = PRICES_DOLLAR; /* a dollar for one token */

__extension__ typedef __int128 wide;

struct entry {
	char *name;
	size_t n;
	struct prices_model model;
};

struct prices {
	char *file; /* safe to show */
	struct entry *v;
	int n;
};

void prices_free(struct prices *p)
{
	if (!p)
		return;
	for (int i = 0; i < p->n; i++)
		free(p->v[i].name);
	free(p->v);
	free(p->file);
	free(p);
}

void prices_cleanup(struct prices **p)
{
	prices_free(*p);
}

/* A JSON number times 10^DIGITS, as it is written: no double is near 0.1.
 * NULL, or what is wrong with it. */
static const char *read_price(struct span text, int64_t *out)
{
	static const char large[] = "is not from 0 to 1,000,000";
	wide m = 0;
	int exponent = 0, given = 0;
	bool point = false, lost = false;
	size_t i = 0;

	if (text.p[0] == '-')
		return large;
	for (; i < text.n && text.p[i] != 'e' && text.p[i] != 'E'; i++) {
		if (text.p[i] == '.') {
			point = true;
			continue;
		}
		exponent -= point;
		if (m > PRICE_MAX * 1000000) { /* the rest cannot matter, but for being there */
			exponent++;
			lost |= text.p[i] != '0';
		} else {
			m = m * 10 + (text.p[i] - '0');
		}
	}
	bool negative = i + 1 < text.n && text.p[i + 1] == '-';
	for (i++; i < text.n; i++)
		if (text.p[i] >= '0' && text.p[i] <= '9' && given < EXPONENT_MAX)
			given = given * 10 + (text.p[i] - '0');
	exponent += (negative ? -given : given) + DIGITS;
	for (; exponent < 0 && m != 0; exponent++, m /= 10)
		lost |= m % 10 != 0;
	for (; exponent > 0 && m != 0 && m <= PRICE_MAX; exponent--)
		m *= 10;
	if (m > PRICE_MAX)
		return large;
	*out = (int64_t)m;
	return lost ? "has more than 6 digits behind the point" : NULL;
}

/* Says which member it is; returns -1. */
static int wrong(const struct prices *p, struct span model, const char *member, const char *why,
		 struct err *e)
{
	return err_set(e, ERR_CONFIG, "%s: %s%s%s: %s", p->file, safe_show(model, SHOWN),
		       *member ? "." : "", member, why);
}

static int read_member(const struct prices *p, struct span model, struct span raw,
		       struct span value, struct prices_model *m, unsigned *seen, struct err *e)
{
	static const char *const names[] = { "input", "cached_input", "output" };
	int64_t *const to[] = { &m->input, &m->cached, &m->output };
	struct str name CLEANUP(str_release) = STR_INIT;

	json_unescape(raw, &name);
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		if (!span_is(str_span(&name), names[i]))
			continue;
		const char *why = *seen & 1u << i ? "is there twice" :
				  json_type(value) != JSON_NUMBER ? "is no number" :
				  read_price(value, to[i]);
		*seen |= 1u << i;
		return why ? wrong(p, model, names[i], why, e) : 0;
	}
	return wrong(p, model, safe_show(str_span(&name), SHOWN),
		     "is not known; there are input, cached_input and output", e);
}

static int read_model(struct prices *p, struct span name, struct span value, struct err *e)
{
	struct prices_model m = { 0 };
	struct span raw, item;
	unsigned seen = 0;
	size_t pos = 0;

	for (int i = 0; i < p->n; i++)
		if (span_eq(name, (struct span){ p->v[i].name, p->v[i].n }))
			return wrong(p, name, "", "is there twice", e);
	if (json_type(value) != JSON_OBJECT)
		return wrong(p, name, "", "is no object {\"input\":…,\"output\":…}", e);
	while (json_each(value, &pos, &raw, &item))
		if (read_member(p, name, raw, item, &m, &seen, e) < 0)
			return -1;
	if (!(seen & 1))
		return wrong(p, name, "input", "is missing", e);
	if (!(seen & 4))
		return wrong(p, name, "output", "is missing; 0 for a model that has none", e);
	if (!(seen & 2))
		m.cached = m.input;
	if ((p->n & (p->n - 1)) == 0)
		p->v = mem_resize(p->v, p->n ? 2 * (size_t)p->n : 1, sizeof *p->v);
	p->v[p->n++] = (struct entry){ mem_copy(name.p, name.n), name.n, m };
	return 0;
}

static int not_json(const struct prices *p, struct span text, const struct json_error *je,
		    struct err *e)
{
	size_t line = 1, start = 0;

	for (size_t i = 0; i < je->offset && i < text.n; i++)
		if (text.p[i] == '\n') {
			line++;
			start = i + 1;
		}
	return err_set(e, ERR_CONFIG, "%s:%zu:%zu: %s", p->file, line, je->offset - start + 1,
		       je->what);
}

static int parse(struct prices *p, struct span text, struct err *e)
{
	struct json_error je;
	struct span raw, item;
	size_t pos = 0;

	if (json_scan(text, NULL, NULL, &je) != 0)
		return not_json(p, text, &je, e);
	while (strchr(" \t\r\n", text.p[0])) /* the walker wants it to begin at once */
		text.p++, text.n--;
	if (json_type(text) != JSON_OBJECT)
		return err_set(e, ERR_CONFIG, "%s: is no object {\"MODEL\":{\"input\":…,"
			       "\"output\":…}}", p->file);
	while (json_each(text, &pos, &raw, &item)) {
		struct str name CLEANUP(str_release) = STR_INIT;
		json_unescape(raw, &name);
		if (read_model(p, (struct span){ str_z(&name), name.n }, item, e) < 0)
			return -1;
	}
	return 0;
}

static void close_lines(struct lines **l)
{
	lines_close(*l);
}

static int read_file(struct prices *p, const char *path, struct str *text, struct err *e)
{
	struct lines *in CLEANUP(close_lines) = lines_open(path, FILE_BYTES, e);
	struct span line;
	int rc;

	if (!in)
		return -1;
	p->file = mem_strdup(safe_show(span_of(lines_name(in)), SHOWN));
	while ((rc = lines_next(in, &line, e)) > 0 && text->n + line.n < FILE_BYTES) {
		str_addspan(text, line);
		str_addc(text, '\n');
	}
	if (rc > 0 || (rc < 0 && e->code == ERR_INPUT))
		return err_set(e, ERR_CONFIG, "%s: has more than 4 MiB", p->file);
	return rc;
}

struct prices *prices_load(const char *path, struct err *e)
{
	struct prices *p CLEANUP(prices_cleanup) = mem_alloc(sizeof *p);
	struct str text CLEANUP(str_release) = STR_INIT;

	if (read_file(p, path, &text, e) < 0 ||
	    parse(p, (struct span){ str_z(&text), text.n }, e) < 0)
		return NULL;
	return TAKE(p);
}

const struct prices_model *prices_find(const struct prices *p, struct span model)
{
	const struct entry *best = NULL;

	for (int i = 0; p && i < p->n; i++) {
		const struct entry *v = &p->v[i];
		if (v->n <= model.n && (v->n == 0 || memcmp(v->name, model.p, v->n) == 0) &&
		    (!best || v->n > best->n))
			best = v;
	}
	return best ? &best->model : NULL;
}

const struct prices_model *prices_need(const struct prices *p, struct span model, struct err *e)
{
	const struct prices_model *m = prices_find(p, model);

	if (!m) {
		err_set(e, ERR_CONFIG, "%s: no price for the model '%s'", p ? p->file : "--prices",
			safe_show(model, SHOWN));
		err_hint(e, "a name is for all models that begin with it, \"\" for any");
	}
	return m;
}

static int64_t within(wide v, int64_t max)
{
	return v < 0 ? 0 : v > max ? max : (int64_t)v;
}

int64_t prices_cost(const struct prices_model *m, int64_t input, int64_t cached, int64_t output)
{
	input = within(input, INT64_MAX);
	output = within(output, INT64_MAX);
	cached = within(cached, input);
	return within((wide)(input - cached) * m->input + (wide)cached * m->cached +
		      (wide)output * m->output, PRICES_MAX);
}

int64_t prices_estimate(const struct prices_model *m, int64_t body_bytes, int64_t max_tokens)
{
	int64_t input = body_bytes / PRICES_BYTES_PER_TOKEN +
			(body_bytes % PRICES_BYTES_PER_TOKEN != 0);

	return prices_cost(m, input, 0, max_tokens > 0 ? max_tokens : PRICES_OUTPUT);
}

int64_t prices_sum(int64_t a, int64_t b)
{
	return within((wide)a + b, PRICES_MAX);
}

int64_t prices_of_micro(int64_t micros)
{
	return within((wide)micros * (PRICES_DOLLAR / 1000000), PRICES_MAX);
}

char *prices_text(int64_t cost, char *buf)
{
	int n = snprintf(buf, PRICES_BUF, "%lld.%012lld", (long long)(cost / PRICES_DOLLAR),
			 (long long)(cost % PRICES_DOLLAR));

	for (int i = 0; i < 10 && buf[n - 1] == '0'; i++)
		buf[--n] = '\0';
	return buf;
}
