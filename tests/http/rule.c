#include "rule.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "base/mem.h"
#include "base/num.h"

enum what { ANY, PATH, METHOD, BODY, EVERY, NTH, SEEN, MODEL, HEADER, REUSED };

enum { CONDS = 16 };

struct cond {
	enum what what;
	int64_t from, to;
	struct span text; /* into rule.text */
	struct span name;
};

struct rule {
	char *text; /* a copy of the left side */
	struct cond cond[CONDS];
	int conds;
	int64_t limit; /* -1: none */
	int64_t hits;
	int64_t asked; /* drop-before-read only: beginnings of requests */
	struct action action;
};

static int number(struct span v, int64_t min, int64_t *out, struct err *e)
{
	char *z CLEANUP(mem_cleanup) = mem_copy(v.p, v.n);
	return num_int(z, min, INT64_MAX / 2, out, e);
}

/* key=value, key~value, key<value: what is behind the sign, or NULL. */
static const char *value_of(struct span v, const char *key)
{
	return span_starts(v, key) ? v.p + strlen(key) : NULL;
}

static struct span unquoted(const char *from, struct span of)
{
	struct span v = { from, (size_t)(of.p + of.n - from) };
	if (v.n >= 2 && v.p[0] == '"' && v.p[v.n - 1] == '"')
		v = (struct span){ v.p + 1, v.n - 2 };
	return v;
}

static int text_cond(struct cond *c, enum what what, struct span text)
{
	c->what = what;
	c->text = text;
	return 0;
}

static int read_nth(struct cond *c, struct span v, struct err *e)
{
	c->what = NTH;
	const char *dash = memchr(v.p, '-', v.n);
	if (!dash) {
		if (number(v, 1, &c->from, e) < 0)
			return -1;
		c->to = c->from;
		return 0;
	}
	struct span a = { v.p, (size_t)(dash - v.p) };
	struct span b = { dash + 1, v.n - a.n - 1 };
	if (number(a, 1, &c->from, e) < 0)
		return -1;
	c->to = INT64_MAX;
	return b.n ? number(b, c->from, &c->to, e) : 0;
}

static int read_header_cond(struct cond *c, struct span v, struct err *e)
{
	const char *colon = memchr(v.p, ':', v.n);
	if (!colon)
		return err_set(e, ERR_USAGE, "header~ wants \"Name: text\"");
	c->name = (struct span){ v.p, (size_t)(colon - v.p) };
	const char *text = colon + 1;
	while (text < v.p + v.n && *text == ' ')
		text++;
	return text_cond(c, HEADER, (struct span){ text, (size_t)(v.p + v.n - text) });
}

static int read_cond(struct rule *r, struct span v, struct err *e)
{
	struct cond *c = &r->cond[r->conds];
	const char *to;

	if ((to = value_of(v, "limit=")) != NULL)
		return number(unquoted(to, v), 0, &r->limit, e);
	if (r->conds == CONDS)
		return err_set(e, ERR_USAGE, "more than %d conditions", (int)CONDS);
	r->conds++;
	if (span_is(v, "any"))
		return text_cond(c, ANY, SPAN_NONE);
	if (span_is(v, "reused"))
		return text_cond(c, REUSED, SPAN_NONE);
	if ((to = value_of(v, "path=")) != NULL)
		return text_cond(c, PATH, unquoted(to, v));
	if ((to = value_of(v, "method=")) != NULL)
		return text_cond(c, METHOD, unquoted(to, v));
	if ((to = value_of(v, "body~")) != NULL)
		return text_cond(c, BODY, unquoted(to, v));
	if ((to = value_of(v, "model=")) != NULL)
		return text_cond(c, MODEL, unquoted(to, v));
	if ((to = value_of(v, "header~")) != NULL)
		return read_header_cond(c, unquoted(to, v), e);
	if ((to = value_of(v, "nth=")) != NULL)
		return read_nth(c, unquoted(to, v), e);
	if ((to = value_of(v, "every=")) != NULL) {
		c->what = EVERY;
		return number(unquoted(to, v), 1, &c->from, e);
	}
	if ((to = value_of(v, "key-seen<")) != NULL) {
		c->what = SEEN;
		return number(unquoted(to, v), 0, &c->from, e);
	}
	return err_set(e, ERR_USAGE, "'%.*s' is no condition", (int)v.n, v.p);
}

/* A comma separates, but not within a "..." that begins behind = ~ or <. */
static size_t cond_end(const char *p, size_t n)
{
	bool quoted = false;
	for (size_t i = 0; i < n; i++) {
		if (p[i] == ',' && !quoted)
			return i;
		if (p[i] != '"')
			continue;
		if (!quoted && i > 0 && strchr("=~<", p[i - 1]))
			quoted = true;
		else if (quoted && (i + 1 == n || p[i + 1] == ','))
			quoted = false;
	}
	return n;
}

static int read_conds(struct rule *r, struct err *e)
{
	const char *p = r->text;
	size_t left = strlen(p);

	for (;;) {
		size_t n = cond_end(p, left);
		struct span v = { p, n };
		while (v.n && v.p[0] == ' ')
			v = (struct span){ v.p + 1, v.n - 1 };
		while (v.n && v.p[v.n - 1] == ' ')
			v.n--;
		if (read_cond(r, v, e) < 0)
			return -1;
		if (n == left)
			return 0;
		p += n + 1;
		left -= n + 1;
	}
}

static int check_unread(const struct rule *r, struct err *e)
{
	for (int i = 0; i < r->conds; i++) {
		enum what w = r->cond[i].what;
		if (w != ANY && w != REUSED && w != EVERY && w != NTH)
			return err_set(e, ERR_USAGE, "drop-before-read goes with"
				       " any, reused, every, nth and limit only");
	}
	return 0;
}

static void forget(struct rule *r)
{
	free(r->text);
	action_release(&r->action);
}

static int read_rule(struct rule *r, const char *text, struct err *e)
{
	const char *arrow = strstr(text, "=>");
	if (!arrow)
		return err_set(e, ERR_USAGE, "there is no =>");
	r->limit = -1;
	r->text = mem_copy(text, (size_t)(arrow - text));
	if (read_conds(r, e) < 0 || action_read(&r->action, arrow + 2, e) < 0)
		return -1;
	return r->action.drop_unread ? check_unread(r, e) : 0;
}

int rule_add(struct rules *rs, const char *text, struct err *e)
{
	struct rule r = { 0 };

	if (read_rule(&r, text, e) < 0) {
		forget(&r);
		return err_wrap(e, "rule '%s'", text);
	}
	for (int i = 0; i < r.conds; i++)
		rs->any_seen |= r.cond[i].what == SEEN;
	rs->any_unread |= r.action.drop_unread;
	rs->v = mem_resize(rs->v, rs->n + 1, sizeof(r));
	rs->v[rs->n++] = r;
	return 0;
}

static void close_file(FILE **f)
{
	if (*f)
		fclose(*f);
}

int rule_add_file(struct rules *rs, const char *path, struct err *e)
{
	FILE *f CLEANUP(close_file) = fopen(path, "re");
	if (!f)
		return err_sys(e, ERR_NOINPUT, "%s", path);

	char *line CLEANUP(mem_cleanup) = NULL;
	size_t cap = 0;
	ssize_t n;
	while ((n = getline(&line, &cap, f)) > 0) {
		if (line[n - 1] == '\n')
			line[n - 1] = '\0';
		if (line[0] && line[0] != '#' && rule_add(rs, line, e) < 0)
			return err_wrap(e, "%s", path);
	}
	return 0;
}

void rule_release(struct rules *rs)
{
	for (size_t i = 0; i < rs->n; i++)
		forget(&rs->v[i]);
	free(rs->v);
	*rs = (struct rules){ 0 };
}

static bool contains(struct span in, struct span what)
{
	return what.n == 0 || (in.n >= what.n && memmem(in.p, in.n, what.p, what.n));
}

static bool header_holds(const struct request *r, const struct cond *c)
{
	for (int i = 0; i < r->headers; i++)
		if (r->header[i].name.n == c->name.n &&
		    !strncasecmp(r->header[i].name.p, c->name.p, c->name.n) &&
		    contains(r->header[i].value, c->text))
			return true;
	return false;
}

static bool path_is(struct span path, struct span want)
{
	if (want.n && want.p[want.n - 1] == '*')
		return path.n >= want.n - 1 && !memcmp(path.p, want.p, want.n - 1);
	return span_eq(path, want);
}

static bool holds(const struct cond *c, const struct request *r)
{
	switch (c->what) {
	case ANY: return true;
	case PATH: return path_is(r->path, c->text);
	case METHOD: return span_eq(r->method, c->text);
	case BODY: return contains(r->body, c->text);
	case EVERY: return r->n % c->from == 0;
	case NTH: return r->n >= c->from && r->n <= c->to;
	case SEEN: return r->seen < c->from;
	case MODEL: return r->model.p && span_eq(r->model, c->text);
	case HEADER: return header_holds(r, c);
	case REUSED: return r->on_conn > 1;
	}
	return false;
}

static bool spent(const struct rule *u)
{
	return u->limit >= 0 && u->hits >= u->limit;
}

const struct action *rule_pick(struct rules *rs, const struct request *r)
{
	for (size_t i = 0; i < rs->n; i++) {
		struct rule *u = &rs->v[i];
		if (u->action.drop_unread || spent(u))
			continue;
		int k = 0;
		while (k < u->conds && holds(&u->cond[k], r))
			k++;
		if (k < u->conds)
			continue;
		u->hits++;
		return &u->action;
	}
	return NULL;
}

static bool holds_unread(const struct rule *u)
{
	for (int k = 0; k < u->conds; k++) {
		const struct cond *c = &u->cond[k];
		if (c->what == EVERY && u->asked % c->from != 0)
			return false;
		if (c->what == NTH && (u->asked < c->from || u->asked > c->to))
			return false;
	}
	return true;
}

static bool wants_reused(const struct rule *u)
{
	for (int k = 0; k < u->conds; k++)
		if (u->cond[k].what == REUSED)
			return true;
	return false;
}

bool rule_drops_unread(struct rules *rs, bool reused)
{
	for (size_t i = 0; i < rs->n; i++) {
		struct rule *u = &rs->v[i];
		if (!u->action.drop_unread || spent(u) || (!reused && wants_reused(u)))
			continue;
		u->asked++;
		if (!holds_unread(u))
			continue;
		u->hits++;
		return true;
	}
	return false;
}
