#include "engine/parents.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/safe.h"
#include "domain/produce.h"
#include "domain/product.h"
#include "domain/result.h"

enum { BUFFER = 65536 };

struct writing {
	struct db *db;
	int fd;
	struct str buffer;
	struct str *products;
};

static void writing_release(struct writing *w)
{
	str_release(&w->buffer);
}

static int flush(struct writing *w, struct err *e)
{
	for (size_t at = 0; at < w->buffer.n;) {
		ssize_t n = write(w->fd, w->buffer.p + at, w->buffer.n - at);
		if (n < 0 && errno != EINTR)
			return err_sys(e, ERR_IO, "cannot write the lines for a command");
		at += n > 0 ? (size_t)n : 0;
	}
	str_reset(&w->buffer);
	return 0;
}

static int add(struct writing *w, struct span v, struct err *e)
{
	str_addspan(&w->buffer, v);
	return w->buffer.n < BUFFER ? 0 : flush(w, e);
}

static int on_line(void *ctx, int64_t row, bool success, struct span line, struct err *e)
{
	(void)row;
	(void)success;
	/* The byte behind it is an LF. */
	return add(ctx, (struct span){ line.p, line.n + 1 }, e);
}

static int add_batch(struct writing *w, int64_t batch, char *id, struct err *e)
{
	static const struct result_options successes = { .successes = true };
	struct batch b CLEANUP(batch_release) = BATCH_INIT;
	struct result_counts counts = { 0 };

	if (batch_get(w->db, batch, &b, e) < 0)
		return -1;
	batch_id_text(b.uuid, id);
	return result_each(w->db, &b, &successes, NULL, on_line, w, &counts, e);
}

static int add_output(struct writing *w, int64_t product, struct err *e)
{
	struct str body CLEANUP(str_release) = STR_INIT;

	if (produce_read(w->db, product, &body, e) < 0)
		return -1;
	/* What comes behind it begins a line. */
	if (body.n > 0 && body.p[body.n - 1] != '\n')
		str_addc(&body, '\n');
	return add(w, str_span(&body), e);
}

static int on_parent(void *ctx, const struct product *p, struct err *e)
{
	struct writing *w = ctx;
	char id[BATCH_ID_BUF];
	bool batch = strcmp(p->compute, "batch") == 0 && p->batch > 0;
	bool exec = strcmp(p->compute, "exec") == 0;

	if (p->state != STATE_SUCCESS)
		return 0;
	if (strcmp(p->compute, "batch") == 0 && !batch)
		return err_set(e, ERR_STATE, "the batch of '%s' was deleted, and with it the lines "
			       "that are wanted", safe_show(span_of(p->name), 60));
	if ((batch && add_batch(w, p->batch, id, e) < 0) || (exec && add_output(w, p->id, e) < 0))
		return -1;
	if (w->products)
		str_addf(w->products, "%s%s=%s", w->products->n ? " " : "", p->name,
			 batch ? id : p->compute);
	return 0;
}

int parents_write(struct db *db, int64_t product, int fd, struct str *products, struct err *e)
{
	struct writing w CLEANUP(writing_release) = { db, fd, STR_INIT, products };

	return product_each_parent(db, product, on_parent, &w, e) < 0 ? -1 : flush(&w, e);
}

struct list {
	char **v;
	size_t n;
};

static void put(struct list *l, const char *name, size_t name_n, const char *value)
{
	struct str s CLEANUP(str_release) = STR_INIT;

	str_add(&s, name, name_n);
	str_addf(&s, "=%s", value ? value : "");
	l->v = mem_room(l->v, l->n, sizeof *l->v);
	l->v[l->n++] = str_take(&s);
}

static void put_params(struct list *l, const char *params)
{
	struct span name, value;
	size_t pos = 0;

	while (params && json_each(span_of(params), &pos, &name, &value)) {
		struct str key CLEANUP(str_release) = STR_INIT, text CLEANUP(str_release) = STR_INIT;
		str_addz(&key, "FLETCHER_PARAM_");
		str_addspan(&key, name);
		if (json_type(value) == JSON_STRING)
			json_string(value, &text);
		else
			str_addspan(&text, value);
		put(l, str_z(&key), key.n, str_z(&text));
	}
}

char **parents_env(const struct parents_env *v)
{
	struct list l = { NULL, 0 };
	char run[ID_UUID + 1];
	const char *const pairs[][2] = {
		{ "FSL_DB", v->db_path }, { "FLETCHER_DATASET", v->dataset },
		{ "FLETCHER_DATA_PRODUCT", v->product }, { "FLETCHER_RUN_ID", id_uuid(v->run_id, run) },
		{ "FLETCHER_PARENTS", v->products },
	};

	for (size_t i = 0; i < ARRAY_LEN(pairs); i++)
		put(&l, pairs[i][0], strlen(pairs[i][0]), pairs[i][1]);
	put_params(&l, v->params);
	l.v = mem_room(l.v, l.n, sizeof *l.v);
	l.v[l.n] = NULL;
	return l.v;
}

void parents_env_free(char **env)
{
	for (char **v = env; v && *v; v++)
		free(*v);
	free(env);
}
