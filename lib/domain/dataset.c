#include "domain/dataset.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/safe.h"
#include "store/tx.h"

enum { STEP_PAGES = 1024 }; /* given back to the file system at a time */

enum {
	Q_LAST, Q_BY_UUID, Q_BY_PREFIX, Q_BY_NAME, Q_GET, Q_INSERT, Q_SAVE, Q_TEXTS, Q_TEXTS_STORE,
	Q_WORDS_DROP, Q_WORDS_ADD, Q_DROP_EDGES, Q_DROP_EVENTS, Q_DROP_PRODUCTS, Q_DROP,
};
static const char *const texts[] = {
	[Q_LAST] = DATASET_SELECT "WHERE id > 0 ORDER BY id DESC LIMIT 1",
	[Q_BY_UUID] = DATASET_SELECT "WHERE uuid = ?1",
	[Q_BY_PREFIX] = DATASET_SELECT "WHERE uuid BETWEEN ?1 AND ?2 LIMIT 2",
	[Q_BY_NAME] = DATASET_SELECT "WHERE name = ?1",
	[Q_GET] = DATASET_SELECT "WHERE id = ?1",
	[Q_INSERT] = "INSERT INTO datasets (uuid, name, user, paused, modified_by, modified_us,"
		     " active_us) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
	[Q_SAVE] = "UPDATE datasets SET name = ?2, user = ?3, paused = ?4, modified_by = ?5,"
		   " modified_us = ?6, active_us = ?7, products = ?8, events = ?9, waiting = ?10,"
		   " queued = ?11, running = ?12, success = ?13, failed = ?14, disabled = ?15,"
		   " ahead = ?16 WHERE id = ?1",
	[Q_TEXTS] = "SELECT extra, params, dir, words FROM dataset_texts WHERE id = ?1",
	[Q_TEXTS_STORE] = "INSERT INTO dataset_texts (id, extra, params, dir, words)"
			  " VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT (id) DO UPDATE SET"
			  " extra = ?2, params = ?3, dir = ?4, words = ?5",
	[Q_WORDS_DROP] = "INSERT INTO dataset_words (dataset_words, rowid, words)"
			 " VALUES ('delete', ?1, ?2)",
	[Q_WORDS_ADD] = "INSERT INTO dataset_words (rowid, words) VALUES (?1, ?2)",
	[Q_DROP_EDGES] = "DELETE FROM dependencies WHERE parent > ?1 << 32"
			 " AND parent < (?1 + 1) << 32",
	[Q_DROP_EVENTS] = "DELETE FROM events WHERE id > ?1 << 32 AND id < (?1 + 1) << 32",
	[Q_DROP_PRODUCTS] = "DELETE FROM data_products WHERE id > ?1 << 32 AND id < (?1 + 1) << 32",
	[Q_DROP] = "DELETE FROM datasets WHERE id = ?1",
};
const struct stmt_set dataset_sql = { "dataset", texts, ARRAY_LEN(texts) };

void dataset_release(struct dataset *d)
{
	free(d->name);
	free(d->user);
	free(d->modified_by);
	*d = (struct dataset)DATASET_INIT;
}

const char *dataset_label(const struct dataset *d, char *buf)
{
	if (!d->name)
		return id_uuid(d->uuid, buf);
	snprintf(buf, DATASET_LABEL_BUF, "%s", d->name);
	return buf;
}

void dataset_read(struct stmt *q, struct dataset *d)
{
	struct span uuid = stmt_col(q, 1);

	dataset_release(d);
	d->id = stmt_col_int(q, 0);
	if (uuid.n == ID_BYTES)
		memcpy(d->uuid.b, uuid.p, ID_BYTES);
	d->name = stmt_col_copy(q, 2);
	d->user = stmt_col_copy(q, 3);
	d->paused = stmt_col_int(q, 4) != 0;
	d->modified_by = stmt_col_copy(q, 5);
	d->modified_us = stmt_col_int(q, 6);
	d->active_us = stmt_col_int(q, 7);
	d->products = stmt_col_int(q, 8);
	d->events = stmt_col_int(q, 9);
	for (int i = 0; i < STATES; i++)
		d->count[i] = stmt_col_int(q, 10 + i);
	d->ahead = stmt_col_int(q, 10 + STATES);
}

static int first(struct stmt *q, struct dataset *out, struct err *e)
{
	int rc = stmt_step(q, e);

	if (rc > 0)
		dataset_read(q, out);
	return rc;
}

int dataset_get(struct db *db, int64_t id, struct dataset *out, struct err *e)
{
	STMT(q, db, &dataset_sql, Q_GET);
	stmt_int(&q, 1, id);
	return first(&q, out, e);
}

int dataset_by_uuid(struct db *db, struct id uuid, struct dataset *out, struct err *e)
{
	STMT(q, db, &dataset_sql, Q_BY_UUID);
	stmt_blob(&q, 1, uuid.b, ID_BYTES);
	return first(&q, out, e);
}

int dataset_by_name(struct db *db, struct span name, struct dataset *out, struct err *e)
{
	STMT(q, db, &dataset_sql, Q_BY_NAME);
	stmt_text(&q, 1, name);
	return first(&q, out, e);
}

static int last(struct db *db, struct dataset *out, struct err *e)
{
	STMT(q, db, &dataset_sql, Q_LAST);
	return first(&q, out, e);
}

static int by_prefix(struct db *db, const char *operand, struct dataset *out, struct err *e)
{
	struct id low, high;
	struct dataset second CLEANUP(dataset_release) = DATASET_INIT;
	char one[ID_UUID + 1], two[ID_UUID + 1];

	if (!id_uuid_prefix(span_of(operand), &low, &high))
		return 0;
	STMT(q, db, &dataset_sql, Q_BY_PREFIX);
	stmt_blob(&q, 1, low.b, ID_BYTES);
	stmt_blob(&q, 2, high.b, ID_BYTES);
	int rc = first(&q, out, e);
	if (rc <= 0)
		return rc;
	rc = first(&q, &second, e);
	if (rc > 0)
		return err_set(e, ERR_NOTFOUND, "'%s' is the beginning of several ids: %s, %s",
			       safe_show(span_of(operand), 60), id_uuid(out->uuid, one),
			       id_uuid(second.uuid, two));
	return rc < 0 ? -1 : 1;
}

int dataset_find(struct db *db, const char *operand, struct dataset *out, struct err *e)
{
	struct id uuid;
	int rc;

	if (strcmp(operand, "@last") == 0)
		rc = last(db, out, e);
	else if (id_from_uuid(span_of(operand), &uuid))
		rc = dataset_by_uuid(db, uuid, out, e);
	else
		rc = dataset_by_name(db, span_of(operand), out, e);
	if (rc == 0)
		rc = by_prefix(db, operand, out, e);
	if (rc != 0)
		return rc < 0 ? -1 : 0;
	err_set(e, ERR_NOTFOUND, "there is no dataset '%s'", safe_show(span_of(operand), 100));
	return err_hint(e, "fletcher-plan list shows what there is");
}

int dataset_check_name(struct db *db, const struct dataset *d, struct err *e)
{
	struct dataset other CLEANUP(dataset_release) = DATASET_INIT;
	char id[ID_UUID + 1];
	int rc = d->name ? dataset_by_name(db, span_of(d->name), &other, e) : 0;

	if (rc <= 0 || id_eq(other.uuid, d->uuid))
		return rc < 0 ? -1 : 0;
	return err_set(e, ERR_STATE, "the name '%s' is taken by the dataset %s",
		       safe_show(span_of(d->name), 128), id_uuid(other.uuid, id));
}

int dataset_insert(struct db *db, struct dataset *d, struct err *e)
{
	if (dataset_check_name(db, d, e) < 0)
		return -1;
	STMT(q, db, &dataset_sql, Q_INSERT);
	stmt_blob(&q, 1, d->uuid.b, ID_BYTES);
	stmt_textz(&q, 2, d->name);
	stmt_textz(&q, 3, d->user);
	stmt_int(&q, 4, d->paused);
	stmt_textz(&q, 5, d->modified_by);
	stmt_int(&q, 6, d->modified_us);
	stmt_int(&q, 7, d->active_us);
	if (stmt_run(&q, e) < 0)
		return -1;
	d->id = stmt_last_rowid(db);
	return 0;
}

int dataset_save(struct db *db, const struct dataset *d, struct err *e)
{
	STMT(q, db, &dataset_sql, Q_SAVE);
	stmt_int(&q, 1, d->id);
	stmt_textz(&q, 2, d->name);
	stmt_textz(&q, 3, d->user);
	stmt_int(&q, 4, d->paused);
	stmt_textz(&q, 5, d->modified_by);
	stmt_int(&q, 6, d->modified_us);
	stmt_int(&q, 7, d->active_us);
	stmt_int(&q, 8, d->products);
	stmt_int(&q, 9, d->events);
	for (int i = 0; i < STATES; i++)
		stmt_int(&q, 10 + i, d->count[i]);
	stmt_int(&q, 10 + STATES, d->ahead);
	return stmt_run(&q, e) < 0 ? -1 : 0;
}

void dataset_texts_release(struct dataset_texts *t)
{
	free(t->extra);
	free(t->params);
	free(t->dir);
	free(t->words);
	*t = (struct dataset_texts){ 0 };
}

int dataset_texts(struct db *db, int64_t id, struct dataset_texts *out, struct err *e)
{
	STMT(q, db, &dataset_sql, Q_TEXTS);
	stmt_int(&q, 1, id);
	int rc = stmt_step(&q, e);
	dataset_texts_release(out);
	if (rc <= 0)
		return rc;
	out->extra = stmt_col_copy(&q, 0);
	out->params = stmt_col_copy(&q, 1);
	out->dir = stmt_col_copy(&q, 2);
	out->words = stmt_col_copy(&q, 3);
	return 1;
}

static int change_words(struct db *db, int query, int64_t id, const char *words, struct err *e)
{
	STMT(q, db, &dataset_sql, query);
	stmt_int(&q, 1, id);
	stmt_textz(&q, 2, words);
	return stmt_run(&q, e) < 0 ? -1 : 0;
}

int dataset_texts_store(struct db *db, int64_t id, const struct dataset_texts *t,
			const struct dataset_texts *old, struct err *e)
{
	bool same = old && old->words && strcmp(old->words, t->words) == 0;

	/* An index without content has to be told what it forgets. */
	if (!same && old && old->words && change_words(db, Q_WORDS_DROP, id, old->words, e) < 0)
		return -1;
	if (!same && change_words(db, Q_WORDS_ADD, id, t->words, e) < 0)
		return -1;
	STMT(q, db, &dataset_sql, Q_TEXTS_STORE);
	stmt_int(&q, 1, id);
	stmt_textz(&q, 2, t->extra);
	stmt_textz(&q, 3, t->params);
	stmt_textz(&q, 4, t->dir);
	stmt_textz(&q, 5, t->words);
	return stmt_run(&q, e) < 0 ? -1 : 0;
}

int64_t dataset_live(const struct dataset *d)
{
	int64_t n = 0;

	for (int i = 0; i < STATES; i++)
		n += i == STATE_DISABLED ? 0 : d->count[i];
	return n;
}

enum state dataset_worst(const struct dataset *d)
{
	static const enum state order[] = { STATE_FAILED, STATE_RUNNING, STATE_QUEUED, STATE_WAITING,
					    STATE_SUCCESS, STATE_DISABLED };

	for (size_t i = 0; i < ARRAY_LEN(order); i++)
		if (d->count[order[i]] > 0)
			return order[i];
	return STATE_NONE;
}

int dataset_exit(const struct dataset *d)
{
	bool moves = d->count[STATE_QUEUED] + d->count[STATE_RUNNING] > 0;

	if (moves || (d->count[STATE_WAITING] > 0 && d->count[STATE_FAILED] == 0))
		return 4;
	if (d->count[STATE_FAILED] == 0)
		return 0;
	return d->count[STATE_SUCCESS] > 0 ? 3 : 1;
}

int dataset_shrink(struct db *db, struct err *e)
{
	int n;

	do {
		TX(tx);
		if (tx_begin(&tx, db, e) < 0 || (n = db_vacuum_some(db, STEP_PAGES, e)) < 0 ||
		    (n > 0 && tx_commit(&tx, e) < 0))
			return -1;
	} while (n == STEP_PAGES);
	return 0;
}

int dataset_delete(struct db *db, int64_t id, struct err *e)
{
	static const int steps[] = { Q_DROP_EDGES, Q_DROP_EVENTS, Q_DROP_PRODUCTS, Q_DROP };
	struct dataset_texts t CLEANUP(dataset_texts_release) = { 0 };
	int rc = dataset_texts(db, id, &t, e);

	if (rc < 0 || (rc > 0 && change_words(db, Q_WORDS_DROP, id, t.words, e) < 0))
		return -1;
	for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
		STMT(q, db, &dataset_sql, steps[i]);
		stmt_int(&q, 1, id);
		if (stmt_run(&q, e) < 0)
			return -1;
	}
	return 0;
}
