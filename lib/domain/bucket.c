#include "domain/bucket.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "domain/file.h"
#include "domain/line.h"
#include "domain/model.h"
#include "domain/request.h"
#include "domain/url.h"

enum {
	Q_QUEUE, Q_FIRST, Q_FIND, Q_ADD, Q_MEET, Q_GET, Q_REREAD, Q_WRITE, Q_SHARES,
	Q_QUEUE_UP, Q_BLOCK, Q_UNBLOCK,
};
static const char *const texts[] = {
	[Q_QUEUE] = "SELECT q.bucket, q.model, b.file, b.base_url, b.endpoint, b.key_ref"
		    " FROM queues q JOIN batches b ON b.id = q.batch WHERE q.id = ?1",
	[Q_FIRST] = "SELECT id FROM requests WHERE queue = ?1 AND state = 0 ORDER BY due, id LIMIT 1",
	[Q_FIND] = "SELECT id FROM buckets WHERE origin = ?1 AND key_ref = ?2 AND model = ?3",
	[Q_ADD] = "INSERT INTO buckets (origin, key_ref, model) VALUES (?1, ?2, ?3)",
	[Q_MEET] = "UPDATE queues SET bucket = ?2 WHERE id = ?1",
	[Q_GET] = "SELECT b.origin, b.key_ref, m.name FROM buckets b JOIN models m ON m.id = b.model"
		  " WHERE b.id = ?1",
	[Q_REREAD] = "SELECT hold_ms, hold_why, cap, halved_ms, rate_us, tokens_us FROM buckets"
		     " WHERE id = ?1",
	[Q_WRITE] = "UPDATE buckets SET hold_ms = ?2, hold_why = ?3, cap = nullif(?4, 0),"
		    " halved_ms = ?5, rate_us = ?6, tokens_us = ?7 WHERE id = ?1",
	[Q_SHARES] = "SELECT worker, in_flight, wants_ms, served_ms FROM shares WHERE bucket = ?1",
	[Q_QUEUE_UP] = "INSERT INTO shares (bucket, worker, wants_ms, served_ms)"
		       " VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO UPDATE"
		       " SET wants_ms = ?3, served_ms = ?4",
	[Q_BLOCK] = "INSERT OR REPLACE INTO blocks (worker, batch, bucket, reason, message,"
		    " since_ms, next_ms) VALUES (?1, ?2, ?3, ?4, ?5, ?6, nullif(?7, 0))",
	[Q_UNBLOCK] = "DELETE FROM blocks WHERE worker = ?1",
};
const struct stmt_set bucket_sql = { "bucket", texts, ARRAY_LEN(texts) };

void bucket_release(struct bucket *b)
{
	free(b->origin);
	free(b->key_ref);
	free(b->model);
	*b = (struct bucket)BUCKET_INIT;
}

static int64_t find(struct db *db, struct span origin, struct span key_ref, int64_t model,
		    struct err *e)
{
	STMT(q, db, &bucket_sql, Q_FIND);
	stmt_text(&q, 1, origin);
	stmt_text(&q, 2, key_ref);
	stmt_int(&q, 3, model);
	int rc = stmt_step(&q, e);
	if (rc != 0)
		return rc < 0 ? -1 : stmt_col_int(&q, 0);
	STMT(add, db, &bucket_sql, Q_ADD);
	stmt_text(&add, 1, origin);
	stmt_text(&add, 2, key_ref);
	stmt_int(&add, 3, model);
	return stmt_run(&add, e) < 0 ? -1 : stmt_last_rowid(db);
}

/* What is known of a queue before it has a bucket. */
struct met {
	int64_t bucket, model, file;
	struct str base_url, url, key_ref;
};

static void met_release(struct met *m)
{
	str_release(&m->base_url);
	str_release(&m->url);
	str_release(&m->key_ref);
}

static int read_queue(struct db *db, int64_t queue, struct met *m, struct err *e)
{
	STMT(q, db, &bucket_sql, Q_QUEUE);
	stmt_int(&q, 1, queue);
	int rc = stmt_step(&q, e);
	if (rc == 0)
		return err_set(e, ERR_INTERNAL, "queue row %lld is gone", (long long)queue);
	if (rc < 0)
		return -1;
	m->bucket = stmt_col_int(&q, 0);
	m->model = stmt_col_int(&q, 1);
	m->file = stmt_col_int(&q, 2);
	str_addspan(&m->base_url, stmt_col(&q, 3));
	str_addspan(&m->url, stmt_col(&q, 4));
	str_addspan(&m->key_ref, stmt_col(&q, 5));
	return 0;
}

/* The url of the queue's first pending line, if the batch has several. */
static int read_url(struct db *db, int64_t queue, struct met *m, struct err *e)
{
	struct str raw CLEANUP(str_release) = STR_INIT;
	struct line line CLEANUP(line_release) = LINE_INIT;
	struct line_problem why;

	if (m->url.n > 0)
		return 0;
	STMT(q, db, &bucket_sql, Q_FIRST);
	stmt_int(&q, 1, queue);
	int rc = stmt_step(&q, e);
	if (rc > 0)
		rc = file_line(db, m->file, request_line(stmt_col_int(&q, 0)), &raw, e);
	if (rc < 0)
		return -1;
	if (raw.n > 0 && line_read(&line, str_span(&raw), NULL, &why) == 0)
		str_addspan(&m->url, line.url);
	return 0;
}

int64_t bucket_of_queue(struct db *db, int64_t queue, struct err *e)
{
	struct met m CLEANUP(met_release) = { 0 };
	struct str origin CLEANUP(str_release) = STR_INIT, own CLEANUP(str_release) = STR_INIT;

	if (read_queue(db, queue, &m, e) < 0)
		return -1;
	if (m.bucket > 0)
		return m.bucket;
	if (read_url(db, queue, &m, e) < 0)
		return -1;
	url_origin(str_span(&m.base_url), &own);
	url_origin(url_is_absolute(str_span(&m.url)) ? str_span(&m.url) : str_span(&m.base_url),
		   &origin);
	bool keyed = span_eq(str_span(&origin), str_span(&own));
	int64_t id = find(db, str_span(&origin), keyed ? str_span(&m.key_ref) : SPAN_LIT("none"),
			  m.model, e);
	if (id < 0)
		return -1;
	STMT(q, db, &bucket_sql, Q_MEET);
	stmt_int(&q, 1, queue);
	stmt_int(&q, 2, id);
	return stmt_run(&q, e) < 0 ? -1 : id;
}

int64_t bucket_for_model(struct db *db, const struct bucket *b, const char *model,
			 struct err *e)
{
	int64_t id = model_intern(db, span_of(model), e);

	return id < 0 ? -1 : find(db, span_of(b->origin), span_of(b->key_ref), id, e);
}

static char *copy(struct span v)
{
	return mem_copy(v.p, v.n);
}

int bucket_get(struct db *db, int64_t id, struct bucket *b, struct err *e)
{
	STMT(q, db, &bucket_sql, Q_GET);
	stmt_int(&q, 1, id);
	int rc = stmt_step(&q, e);
	if (rc == 0)
		return err_set(e, ERR_INTERNAL, "bucket row %lld is gone", (long long)id);
	if (rc < 0)
		return -1;
	bucket_release(b);
	b->id = id;
	b->origin = copy(stmt_col(&q, 0));
	b->key_ref = copy(stmt_col(&q, 1));
	b->model = copy(stmt_col(&q, 2));
	return bucket_reread(db, b, e);
}

int bucket_reread(struct db *db, struct bucket *b, struct err *e)
{
	STMT(q, db, &bucket_sql, Q_REREAD);
	stmt_int(&q, 1, b->id);
	int rc = stmt_step(&q, e);
	if (rc == 0)
		return err_set(e, ERR_INTERNAL, "bucket row %lld is gone", (long long)b->id);
	if (rc < 0)
		return -1;
	struct span why = stmt_col(&q, 1);
	b->hold_ms = stmt_col_int(&q, 0);
	snprintf(b->hold_why, sizeof b->hold_why, "%.*s", (int)why.n, why.p ? why.p : "");
	b->cap = stmt_col_int(&q, 2);
	b->halved_ms = stmt_col_int(&q, 3);
	b->rate_us = stmt_col_int(&q, 4);
	b->tokens_us = stmt_col_int(&q, 5);
	return 0;
}

int bucket_write(struct db *db, const struct bucket *b, struct err *e)
{
	STMT(q, db, &bucket_sql, Q_WRITE);
	stmt_int(&q, 1, b->id);
	stmt_int(&q, 2, b->hold_ms);
	stmt_textz(&q, 3, b->hold_why[0] ? b->hold_why : NULL);
	stmt_int(&q, 4, b->cap);
	stmt_int(&q, 5, b->halved_ms);
	stmt_int(&q, 6, b->rate_us);
	stmt_int(&q, 7, b->tokens_us);
	return stmt_run(&q, e) < 0 ? -1 : 0;
}

int bucket_shares(struct db *db, int64_t id, struct bucket_share *out, int n, struct err *e)
{
	int total = 0, rc;

	STMT(q, db, &bucket_sql, Q_SHARES);
	stmt_int(&q, 1, id);
	while ((rc = stmt_step(&q, e)) > 0 && total < n)
		out[total++] = (struct bucket_share){
			.worker = stmt_col_int(&q, 0), .in_flight = stmt_col_int(&q, 1),
			.wants_ms = stmt_col_int(&q, 2), .served_ms = stmt_col_int(&q, 3),
		};
	return rc < 0 ? -1 : total;
}

int bucket_queue_up(struct db *db, int64_t id, const struct bucket_share *s, struct err *e)
{
	STMT(q, db, &bucket_sql, Q_QUEUE_UP);
	stmt_int(&q, 1, id);
	stmt_int(&q, 2, s->worker);
	stmt_int(&q, 3, s->wants_ms);
	stmt_int(&q, 4, s->served_ms);
	return stmt_run(&q, e) < 0 ? -1 : 0;
}

int bucket_block(struct db *db, const struct bucket_block *b, struct err *e)
{
	STMT(q, db, &bucket_sql, Q_BLOCK);
	stmt_int(&q, 1, b->worker);
	stmt_int(&q, 2, b->batch);
	stmt_int(&q, 3, b->bucket);
	stmt_textz(&q, 4, b->reason);
	stmt_textz(&q, 5, b->message);
	stmt_int(&q, 6, b->since_ms);
	stmt_int(&q, 7, b->next_ms);
	return stmt_run(&q, e) < 0 ? -1 : 0;
}

int bucket_unblock(struct db *db, int64_t worker, struct err *e)
{
	STMT(q, db, &bucket_sql, Q_UNBLOCK);
	stmt_int(&q, 1, worker);
	return stmt_run(&q, e) < 0 ? -1 : 0;
}
