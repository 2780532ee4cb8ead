#include "domain/stats.h"

#include <stdlib.h>
#include <string.h>
#include "base/idset.h"
#include "base/mem.h"

enum { BYTES_PER_TOKEN = 4 };

struct model {
	char *name;
	size_t name_n;
	int64_t requests, body_bytes, max_output;
	bool limited; /* a line said how many tokens it wants at most */
};

struct stats {
	struct idset *numbers; /* of each name, from 1 */
	struct model *models;
	uint32_t n;
	struct str scratch;
};

struct stats *stats_new(void)
{
	struct stats *s = mem_alloc(sizeof(*s));
	s->numbers = idset_new();
	return s;
}

void stats_free(struct stats *s)
{
	if (!s)
		return;
	for (uint32_t i = 0; i < s->n; i++)
		mem_free(s->models[i].name);
	mem_free(s->models);
	idset_free(s->numbers);
	str_release(&s->scratch);
	mem_free(s);
}

void stats_cleanup(struct stats **s)
{
	stats_free(*s);
}

static struct model *find(struct stats *s, struct span name)
{
	uint32_t number = idset_add(s->numbers, name, s->n + 1);
	if (number > 0)
		return &s->models[number - 1];
	if ((s->n & (s->n - 1)) == 0)
		s->models = mem_resize(s->models, s->n ? 2 * (size_t)s->n : 1, sizeof(*s->models));
	struct model *m = &s->models[s->n++];
	*m = (struct model){ .name = mem_copy(name.p, name.n), .name_n = name.n };
	return m;
}

void stats_add(struct stats *s, const struct line *l)
{
	struct model *m = find(s, l->model);
	m->requests++;
	m->body_bytes += (int64_t)line_body_bytes(l, &s->scratch).n;
	m->max_output += l->max_tokens;
	m->limited = m->limited || l->max_tokens > 0;
}

/* A stored line, checked when it was imported. */
struct stored {
	struct stats *s;
	struct line line;
};

static void stored_release(struct stored *f)
{
	line_release(&f->line);
}

static int on_stored(void *ctx, uint32_t number, struct span raw, struct err *e)
{
	struct stored *f = ctx;
	struct line_problem why;
	if (line_read(&f->line, raw, NULL, &why) < 0)
		return err_set(e, ERR_INTERNAL, "line %lu of the file: %s",
			       (unsigned long)number, why.text);
	stats_add(f->s, &f->line);
	return 0;
}

int stats_add_file(struct stats *s, struct db *db, int64_t file, struct err *e)
{
	struct stored f CLEANUP(stored_release) = { s, LINE_INIT };
	return file_lines(db, file, on_stored, &f, e);
}

static void on_line(void *ctx, const struct line *l)
{
	stats_add(ctx, l);
}

int stats_add_input(struct stats *s, struct import *im, struct err *e)
{
	im->rules = (struct line_rules){ .allow_secrets = true, .default_url = "/" };
	im->line = on_line;
	im->line_ctx = s;
	return import_check(im, e);
}

static int by_requests(const void *a, const void *b)
{
	const struct model *x = a, *y = b;
	if (x->requests != y->requests)
		return x->requests < y->requests ? 1 : -1;
	return strcmp(x->name, y->name);
}

int stats_each(struct stats *s, stats_fn *fn, void *ctx, struct err *e)
{
	/* Sorted in a copy: the numbers of those in place go on being right. */
	struct model *sorted CLEANUP(mem_cleanup) = mem_alloc((size_t)s->n * sizeof(*sorted));
	if (s->n > 0)
		memcpy(sorted, s->models, (size_t)s->n * sizeof(*sorted));
	qsort(sorted, s->n, sizeof(*sorted), by_requests);
	for (uint32_t i = 0; i < s->n; i++) {
		const struct model *m = &sorted[i];
		struct stats_model out = {
			.model = { m->name, m->name_n },
			.requests = m->requests,
			.body_bytes = m->body_bytes,
			.input_tokens = m->body_bytes / BYTES_PER_TOKEN,
			.max_output_tokens = m->limited ? m->max_output : -1,
		};
		if (fn(ctx, &out, e) < 0)
			return -1;
	}
	return 0;
}
