#include "domain/roster.h"

#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "store/side.h"

enum { Q_WORKERS, Q_BLOCKS };
static const char *const texts[] = {
	[Q_WORKERS] = "SELECT id, slot, config FROM workers WHERE ended_ms IS NULL AND slot > 0"
		      " ORDER BY slot, id",
	[Q_BLOCKS] = "SELECT batch, bucket, reason, message, next_ms FROM blocks WHERE worker = ?1",
};
const struct stmt_set roster_sql = { "roster", texts, ARRAY_LEN(texts) };

static void free_worker(struct roster_worker *w)
{
	free(w->user);
	free(w->batches);
	free(w->datasets);
	*w = (struct roster_worker){ 0 };
}

void roster_release(struct roster *r)
{
	for (int i = 0; i < r->n_workers; i++)
		free_worker(&r->workers[i]);
	for (int i = 0; i < r->n_blocks; i++)
		free(r->blocks[i].text);
	free(r->workers);
	free(r->blocks);
	memset(r, 0, sizeof *r); /* ROSTER_INIT; the analyzer follows this */
}

/* An array of rows; an empty one is not NULL: it is not all of them. */
static void read_rows(struct span list, int64_t **rows, int *n)
{
	struct span none, item;
	size_t pos = 0;

	free(*rows);
	*n = 0;
	*rows = mem_alloc(sizeof **rows);
	while (json_each(list, &pos, &none, &item)) {
		*rows = mem_resize(*rows, (size_t)*n + 1, sizeof **rows);
		*n += json_int(item, 0, INT64_MAX, &(*rows)[*n]);
	}
}

static void read_user(struct roster_worker *w, struct span value)
{
	struct str user CLEANUP(str_release) = STR_INIT;

	json_string(value, &user);
	free(w->user);
	w->user = mem_strdup(str_z(&user));
}

/* What engine/run writes of itself. */
static void read_config(struct roster_worker *w, struct span config)
{
	struct json_error je;
	struct span name, value;
	size_t pos = 0;

	if (json_scan(config, NULL, NULL, &je) != 0 || config.p[0] != '{')
		return;
	while (json_each(config, &pos, &name, &value)) {
		if (span_is(name, "jobs"))
			json_int(value, 1, INT32_MAX, &w->jobs);
		else if (span_is(name, "batches") && json_type(value) == JSON_ARRAY)
			read_rows(value, &w->batches, &w->n_batches);
		else if (span_is(name, "datasets") && json_type(value) == JSON_ARRAY)
			read_rows(value, &w->datasets, &w->n_datasets);
		else if (span_is(name, "user") && json_type(value) == JSON_STRING)
			read_user(w, value);
	}
}

static int load_blocks(struct roster *r, struct db *db, int64_t worker, struct err *e)
{
	int rc;

	STMT(q, db, &roster_sql, Q_BLOCKS);
	stmt_int(&q, 1, worker);
	while ((rc = stmt_step(&q, e)) > 0) {
		struct str text CLEANUP(str_release) = STR_INIT;
		str_addspan(&text, stmt_col(&q, 2));
		str_addz(&text, stmt_col(&q, 3).n > 0 ? ": " : "");
		str_addspan(&text, stmt_col(&q, 3));
		r->blocks = mem_resize(r->blocks, (size_t)r->n_blocks + 1, sizeof *r->blocks);
		r->blocks[r->n_blocks++] = (struct roster_block){
			.worker = worker,
			.batch = stmt_col_int(&q, 0), .bucket = stmt_col_int(&q, 1),
			.next_ms = stmt_col_int(&q, 4), .text = str_take(&text),
		};
	}
	return rc;
}

int roster_load(struct roster *r, struct db *db, struct err *e)
{
	struct side *side = db_side(db);
	int rc;

	roster_release(r);
	r->any = side_any_worker(side);
	STMT(q, db, &roster_sql, Q_WORKERS);
	while ((rc = stmt_step(&q, e)) > 0) {
		int64_t slot = stmt_col_int(&q, 1);
		if (!side_alive(side, (int)slot))
			continue;
		/* A slot that was taken again has an older row whose process is gone. */
		if (r->n_workers > 0 && r->workers[r->n_workers - 1].slot == slot)
			free_worker(&r->workers[--r->n_workers]);
		r->workers = mem_resize(r->workers, (size_t)r->n_workers + 1, sizeof *r->workers);
		struct roster_worker *w = &r->workers[r->n_workers++];
		*w = (struct roster_worker){ .id = stmt_col_int(&q, 0), .slot = slot };
		read_config(w, stmt_col(&q, 2));
	}
	for (int i = 0; rc == 0 && i < r->n_workers; i++)
		rc = load_blocks(r, db, r->workers[i].id, e);
	return rc;
}

static bool is_in(const int64_t *rows, int n, int64_t row)
{
	for (int i = 0; i < n; i++)
		if (rows[i] == row)
			return true;
	return false;
}

bool roster_takes(const struct roster_worker *w, int64_t batch, int64_t dataset,
		  const char *user)
{
	if (is_in(w->batches, w->n_batches, batch) ||
	    (dataset > 0 && is_in(w->datasets, w->n_datasets, dataset)))
		return true;
	return !w->batches && (!w->user || strcmp(w->user, user) == 0);
}

const struct roster_block *roster_block(const struct roster *r, const struct roster_worker *w,
					int64_t batch, int64_t bucket)
{
	for (int i = 0; i < r->n_blocks; i++) {
		const struct roster_block *b = &r->blocks[i];
		if (b->worker == w->id && (b->batch == 0 || b->batch == batch) &&
		    (b->bucket == 0 || b->bucket == bucket))
			return b;
	}
	return NULL;
}
