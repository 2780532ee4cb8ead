#include "cli/config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/lines.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/safe.h"

enum {
	LINE_BYTES = 65536,
	RACY_S = 2, /* a file that young may change again without a new time stamp */
	SHOWN = 200,
};

/* What is done with each option that the file gives to the program. */
typedef int option_fn(void *ctx, const struct opt *o, struct span value, int64_t line,
		      struct err *e);

struct reading {
	const struct config_source *source;
	option_fn *fn;
	void *ctx;
	bool mine;    /* we are in a section of the program, or before any */
	bool section; /* we are in one */
	int64_t number;
};

static struct span trim(struct span v)
{
	while (v.n > 0 && strchr(" \t\r", v.p[0])) {
		v.p++;
		v.n--;
	}
	while (v.n > 0 && strchr(" \t\r", v.p[v.n - 1]))
		v.n--;
	return v;
}

static int unknown(const struct config_source *s, struct span name, struct err *e)
{
	char *z CLEANUP(mem_cleanup) = mem_copy(name.p, name.n);
	err_set(e, ERR_CONFIG, "unknown option '%s'", safe_show(name, 60));
	const char *near = opt_nearest_option(s->tables, z);
	if (!near)
		near = opt_nearest_option(s->others, z);
	return near ? err_hint(e, "did you mean %s?", near) : -1;
}

/* A section for a program that there is not would be passed over for ever. */
static int enter(struct reading *r, struct span name, struct err *e)
{
	static const char *const programs[] = {
		"fsl-file", "fsl-batch", "fsl-run", "fletcher-plan", "fletcher-dot", NULL,
	};
	char *z CLEANUP(mem_cleanup) = mem_copy(name.p, name.n);
	r->section = true;
	r->mine = span_is(name, r->source->program);
	for (int i = 0; programs[i]; i++)
		if (r->mine || span_is(name, programs[i]))
			return 0;
	err_set(e, ERR_CONFIG, "there is no program '%s'", safe_show(name, 60));
	const char *near = opt_nearest(z, programs);
	return near ? err_hint(e, "did you mean [%s]?", near) : -1;
}

static int read_line(struct reading *r, struct span line, struct err *e)
{
	const struct config_source *s = r->source;
	line = trim(line);
	if (line.n == 0 || line.p[0] == '#')
		return 0;
	if (memchr(line.p, '\0', line.n))
		return err_set(e, ERR_CONFIG, "a NUL byte");
	if (line.p[0] == '[') {
		if (line.p[line.n - 1] != ']')
			return err_set(e, ERR_CONFIG, "']' is missing");
		return enter(r, trim((struct span){ line.p + 1, line.n - 2 }), e);
	}
	if (line.p[0] == '-')
		return err_set(e, ERR_CONFIG, "an option is written without its dashes here");
	if (!r->mine)
		return 0;
	struct span name = line, value = SPAN_NONE;
	for (size_t i = 0; i < line.n; i++) {
		if (strchr(" \t=", line.p[i])) {
			name.n = i;
			value = trim((struct span){ line.p + i, line.n - i });
			break;
		}
	}
	if (value.n > 0 && value.p[0] == '=')
		value = trim((struct span){ value.p + 1, value.n - 1 });
	const struct opt *o = opt_named(s->tables, name);
	if (o)
		return r->fn(r->ctx, o, value, r->number, e);
	if (opt_named(s->others, name))
		return 0;
	if (!r->section) {
		log_info("%s:%lld: '%s' is no option of %s", safe_show(span_of(s->path), SHOWN),
			 (long long)r->number, safe_show(name, 60), s->program);
		return 0;
	}
	return unknown(s, name, e);
}

static void close_lines(struct lines **l)
{
	lines_close(*l);
}

static int read_file(const struct config_source *s, option_fn *fn, void *ctx, struct err *e)
{
	struct lines *l CLEANUP(close_lines) = lines_open(s->path, LINE_BYTES, e);
	struct reading r = { .source = s, .fn = fn, .ctx = ctx, .mine = true };
	struct span line;
	int rc = l ? 0 : -1;
	while (l && (rc = lines_next(l, &line, e)) > 0) {
		r.number = lines_number(l);
		if (read_line(&r, line, e) < 0) {
			rc = err_wrap(e, "%s:%lld", safe_show(span_of(s->path), SHOWN),
				      (long long)r.number);
			break;
		}
	}
	if (rc < 0)
		e->code = ERR_CONFIG;
	return rc;
}

static int set(void *ctx, const struct opt *o, struct span value, int64_t line, struct err *e)
{
	(void)ctx;
	return opt_set_file(o, value, line, e);
}

int config_read(const struct config_source *s, struct err *e)
{
	if (!s->path)
		return 0;
	if (access(s->path, F_OK) < 0) {
		if (!s->must_exist)
			return 0;
		return err_sys(e, ERR_CONFIG, "config file %s",
			       safe_show(span_of(s->path), SHOWN));
	}
	return read_file(s, set, NULL, e);
}

static void add(struct opt_list *l, char *value)
{
	l->v = mem_resize(l->v, (size_t)l->n + 1, sizeof(*l->v));
	l->v[l->n++] = value;
}

static void release(struct opt_list *l)
{
	for (int i = 0; i < l->n; i++)
		free((char *)(uintptr_t)l->v[i]);
	opt_list_release(l);
}

static bool same_list(const struct opt_list *a, const struct opt_list *b)
{
	for (int i = 0; i < a->n && i < b->n; i++)
		if (strcmp(a->v[i], b->v[i]) != 0)
			return false;
	return a->n == b->n;
}

static struct config_mark look(const char *path)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return (struct config_mark){ .exists = false };
	return (struct config_mark){
		.exists = true, .regular = S_ISREG(st.st_mode), .dev = st.st_dev,
		.ino = st.st_ino, .size = st.st_size,
		.mtime_ns = (int64_t)st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec,
	};
}

void config_watch_start(struct config_watch *w, const struct config_source *s,
			const struct opt *row)
{
	const struct opt_list *now = row->dst;
	struct span source = span_of(opt_source(row));
	bool follows = s && s->path && (source.n == 0 || span_starts(source, "config:"));
	struct config_mark mark = follows ? look(s->path) : (struct config_mark){ false };

	if (mark.exists && !mark.regular)
		follows = false;
	*w = (struct config_watch){ .source = follows ? s : NULL, .row = row };
	for (int i = 0; i < now->n; i++)
		add(&w->values, mem_strdup(now->v[i]));
}

void config_watch_release(struct config_watch *w)
{
	release(&w->values);
	w->source = NULL;
}

static bool same_mark(const struct config_mark *a, const struct config_mark *b)
{
	return a->exists == b->exists && a->dev == b->dev && a->ino == b->ino &&
	       a->size == b->size && a->mtime_ns == b->mtime_ns;
}

struct gathering {
	const struct opt *row;
	struct opt_list values;
};

static int gather(void *ctx, const struct opt *o, struct span value, int64_t line,
		  struct err *e)
{
	struct gathering *g = ctx;

	(void)line;
	if (opt_check_file(o, value, e) < 0)
		return -1;
	if (o == g->row)
		add(&g->values, mem_copy(value.p, value.n));
	return 0;
}

static int lost(const struct config_watch *w, struct err *e)
{
	return err_set(e, ERR_CONFIG, "config file %s is %s; --%s stays as it was",
		       safe_show(span_of(w->source->path), SHOWN),
		       w->seen.exists ? "no file any more" : "gone", w->row->name);
}

/* The values that the file gives now: 1 other ones, 0 the same. */
static int read_values(struct config_watch *w, struct err *e)
{
	struct gathering g = { .row = w->row };

	if (read_file(w->source, gather, &g, e) < 0) {
		release(&g.values);
		return -1;
	}
	if (same_list(&g.values, &w->values)) {
		release(&g.values);
		return 0;
	}
	release(&w->values);
	w->values = g.values;
	return 1;
}

int config_changed(struct config_watch *w, struct err *e)
{
	if (!w->source)
		return 0;
	struct config_mark now = look(w->source->path);
	bool same = w->begun && same_mark(&now, &w->seen);
	if (same && w->settled)
		return 0;
	bool was_there = w->seen.exists || w->source->must_exist || w->values.n > 0;
	bool told = same && w->failed;
	int64_t age = time(NULL) - now.mtime_ns / 1000000000;

	w->seen = now;
	w->begun = true;
	w->settled = !now.exists || age > RACY_S || age < -RACY_S;
	/* A pipe in its place would have us wait for its writer. */
	int rc = now.regular ? read_values(w, e) : now.exists || was_there ? lost(w, e) : 0;
	w->failed = rc < 0;
	return rc < 0 && told ? 0 : rc;
}
