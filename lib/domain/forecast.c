#include "domain/forecast.h"

#include <stdlib.h>
#include <string.h>

#include "base/idset.h"
#include "base/mem.h"
#include "domain/prices.h"
#include "domain/request.h"
#include "domain/url.h"

enum { PAGE_BYTES = 4 << 20 };

enum { Q_LINES };
static const char *const texts[] = {
	[Q_LINES] = "SELECT r.id, l.raw FROM requests r"
		    " CROSS JOIN lines l ON l.id = (?1 << 32) | (r.id & 4294967295)"
		    " WHERE r.id > ?2 AND r.id <= ?3 AND (?4 >> r.state) & 1 ORDER BY r.id",
};
const struct stmt_set forecast_sql = { "forecast", texts, ARRAY_LEN(texts) };

struct group {
	struct forecast_group out;
	char *base_url, *key, *model, *raw;
};

struct forecast {
	struct idset *numbers; /* of the groups' keys, from 1 */
	struct group *groups;
	uint32_t n;
	struct line line;
	struct str body, name, elsewhere;
};

struct forecast *forecast_new(void)
{
	struct forecast *f = mem_alloc(sizeof *f);

	f->numbers = idset_new();
	return f;
}

void forecast_free(struct forecast *f)
{
	if (!f)
		return;
	for (uint32_t i = 0; i < f->n; i++) {
		struct group *g = &f->groups[i];
		char *const owned[] = { g->base_url, g->key, g->model, g->raw };
		for (size_t k = 0; k < ARRAY_LEN(owned); k++)
			free(owned[k]);
	}
	free(f->groups);
	idset_free(f->numbers);
	line_release(&f->line);
	str_release(&f->body);
	str_release(&f->name);
	str_release(&f->elsewhere);
	free(f);
}

void forecast_cleanup(struct forecast **f)
{
	forecast_free(*f);
}

/* The group of these three; *fresh: it was not there. */
static struct group *find(struct forecast *f, struct span url, struct span key,
			  struct span model, bool *fresh)
{
	const struct span parts[] = { url, key, model };

	str_reset(&f->name);
	for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
		str_addspan(&f->name, parts[i]);
		str_addc(&f->name, '\0');
	}
	uint32_t number = idset_add(f->numbers, str_span(&f->name), f->n + 1);
	*fresh = number == 0;
	if (number > 0)
		return &f->groups[number - 1];
	if ((f->n & (f->n - 1)) == 0)
		f->groups = mem_resize(f->groups, f->n ? 2 * (size_t)f->n : 1, sizeof *f->groups);
	struct group *g = &f->groups[f->n++];
	*g = (struct group){ .base_url = mem_copy(url.p, url.n), .key = mem_copy(key.p, key.n),
			     .model = mem_copy(model.p, model.n) };
	g->out.base_url = (struct span){ g->base_url, url.n };
	g->out.key = (struct span){ g->key, key.n };
	g->out.model = (struct span){ g->model, model.n };
	return g;
}

/* An absolute url of another origin than the batch's: the key stays here. */
static bool goes_elsewhere(struct forecast *f, const struct batch *b, const struct line *l)
{
	struct str home CLEANUP(str_release) = STR_INIT;

	if (!url_is_absolute(l->url))
		return false;
	str_reset(&f->elsewhere);
	url_origin(l->url, &f->elsewhere);
	url_origin(span_of(b->base_url), &home);
	return !span_eq(str_span(&home), str_span(&f->elsewhere));
}

static void add(struct forecast *f, const struct batch *b, const struct line *l, int64_t row)
{
	bool fresh, elsewhere = goes_elsewhere(f, b, l);
	struct span url = elsewhere ? str_span(&f->elsewhere) : span_of(b->base_url);
	struct span key = elsewhere ? SPAN_LIT("none") : span_of(b->key_ref);
	struct group *g = find(f, url, key, l->model, &fresh);

	if (fresh && row) {
		g->out.batch = b->id;
		g->out.row = row;
	} else if (fresh) {
		g->raw = mem_copy(l->raw.p, l->raw.n);
		g->out.raw = (struct span){ g->raw, l->raw.n };
	}
	g->out.requests++;
	g->out.body_bytes += (int64_t)line_body_bytes(l, &f->body).n;
	g->out.max_output_tokens += l->max_tokens;
	g->out.unlimited += l->max_tokens == 0;
}

void forecast_line(struct forecast *f, const struct batch *b, const struct line *l)
{
	add(f, b, l, 0);
}

/* Some MiB of lines behind *after: 1 there are more, 0 that was the last. */
static int add_page(struct forecast *f, struct db *db, const struct batch *b, unsigned states,
		    int64_t *after, struct err *e)
{
	struct line_problem why;
	size_t bytes = 0;
	int rc = 0;

	STMT(q, db, &forecast_sql, Q_LINES);
	stmt_int(&q, 1, b->file);
	stmt_int(&q, 2, *after);
	stmt_int(&q, 3, request_row(b->id, UINT32_MAX));
	stmt_int(&q, 4, states);
	while (bytes < PAGE_BYTES && (rc = stmt_step(&q, e)) > 0) {
		struct span raw = stmt_col(&q, 1);
		*after = stmt_col_int(&q, 0);
		bytes += raw.n;
		if (line_read(&f->line, raw, NULL, &why) < 0)
			return err_set(e, ERR_INTERNAL, "line %lu of the file cannot be read: %s",
				       (unsigned long)request_line(*after), why.text);
		add(f, b, &f->line, *after);
	}
	return bytes < PAGE_BYTES ? rc : 1;
}

int forecast_batch(struct forecast *f, struct db *db, const struct batch *b, unsigned states,
		   struct err *e)
{
	int64_t after = b->id << 32;
	int rc;

	while ((rc = add_page(f, db, b, states, &after, e)) > 0)
		;
	return rc;
}

int forecast_each(const struct forecast *f, forecast_fn *fn, void *ctx, struct err *e)
{
	for (uint32_t i = 0; i < f->n; i++) {
		struct forecast_group g = f->groups[i].out;
		g.input_tokens = g.body_bytes / PRICES_BYTES_PER_TOKEN;
		if (fn(ctx, &g, e) < 0)
			return -1;
	}
	return 0;
}
