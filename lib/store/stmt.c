#include "store/stmt.h"

#include <stdlib.h>
#include <string.h>

#include "store/internal.h"

static struct db_prepared *set_of(struct db *db, const struct stmt_set *set)
{
	for (int i = 0; i < db->n_sets; i++)
		if (db->sets[i].set == set)
			return &db->sets[i];
	if (db->n_sets == DB_SETS_MAX)
		BUG("more than %d statement sets", DB_SETS_MAX);
	struct db_prepared *p = &db->sets[db->n_sets++];
	p->set = set;
	p->stmts = mem_alloc((size_t)set->n * sizeof *p->stmts);
	p->in_use = mem_alloc((size_t)set->n * sizeof *p->in_use);
	return p;
}

struct stmt stmt_use(struct db *db, const struct stmt_set *set, int index)
{
	struct db_prepared *p = set_of(db, set);
	struct stmt q = { .db = db, .in_use = &p->in_use[index] };

	if (p->in_use[index])
		BUG("statement %s/%d is in use already", set->name, index);
	p->in_use[index] = true;
	if (!p->stmts[index])
		q.failed = sqlite3_prepare_v3(db->handle, set->texts[index], -1,
					      SQLITE_PREPARE_PERSISTENT, &p->stmts[index], NULL);
	q.handle = p->stmts[index];
	return q;
}

void stmt_end(struct stmt *q)
{
	if (!q->in_use)
		return;
	if (q->handle) {
		sqlite3_reset(q->handle);
		/* Bound bytes belong to callers that go away now. */
		sqlite3_clear_bindings(q->handle);
	}
	*q->in_use = false;
	q->in_use = NULL;
}

void stmt_again(struct stmt *q)
{
	if (q->handle)
		sqlite3_reset(q->handle);
}

static void bound(struct stmt *q, int rc)
{
	if (rc != SQLITE_OK && q->failed == SQLITE_OK)
		q->failed = rc;
}

void stmt_int(struct stmt *q, int i, int64_t v)
{
	bound(q, sqlite3_bind_int64(q->handle, i, v));
}

void stmt_text(struct stmt *q, int i, struct span v)
{
	if (!v.p)
		stmt_null(q, i);
	else
		bound(q, sqlite3_bind_text64(q->handle, i, v.p, v.n, SQLITE_STATIC, SQLITE_UTF8));
}

void stmt_textz(struct stmt *q, int i, const char *z)
{
	stmt_text(q, i, span_of(z));
}

void stmt_blob(struct stmt *q, int i, const void *p, size_t n)
{
	if (!p)
		stmt_null(q, i);
	else
		bound(q, sqlite3_bind_blob64(q->handle, i, p, n, SQLITE_STATIC));
}

void stmt_null(struct stmt *q, int i)
{
	bound(q, sqlite3_bind_null(q->handle, i));
}

int stmt_step(struct stmt *q, struct err *e)
{
	int rc = q->failed;

	/* It would not wait for its turn, and a checkpoint might race its commit. */
	if (rc == SQLITE_OK && !sqlite3_stmt_readonly(q->handle) &&
	    sqlite3_get_autocommit(q->db->handle))
		BUG("outside of a transaction: %s", sqlite3_sql(q->handle));
	if (rc == SQLITE_OK)
		rc = sqlite3_step(q->handle);
	if (rc == SQLITE_ROW)
		return 1;
	if (rc == SQLITE_DONE)
		return 0;
	if (q->failed == SQLITE_OK)
		q->failed = rc;
	return db_fail(q->db, rc, e, q->handle ? "a statement failed" :
		       "a statement could not be prepared");
}

int stmt_run(struct stmt *q, struct err *e)
{
	int rc;

	while ((rc = stmt_step(q, e)) > 0)
		;
	return rc < 0 ? -1 : sqlite3_changes(q->db->handle);
}

int64_t stmt_col_int(struct stmt *q, int i)
{
	return sqlite3_column_int64(q->handle, i);
}

struct span stmt_col(struct stmt *q, int i)
{
	if (sqlite3_column_type(q->handle, i) == SQLITE_NULL)
		return SPAN_NONE;
	/* An empty BLOB comes as a null pointer. */
	const void *p = sqlite3_column_blob(q->handle, i);
	return (struct span){ p ? p : "", (size_t)sqlite3_column_bytes(q->handle, i) };
}

bool stmt_col_null(struct stmt *q, int i)
{
	return sqlite3_column_type(q->handle, i) == SQLITE_NULL;
}

char *stmt_col_copy(struct stmt *q, int i)
{
	struct span v = stmt_col(q, i);

	return v.p ? mem_copy(v.p, v.n) : NULL;
}

struct id stmt_col_id(struct stmt *q, int i)
{
	struct span v = stmt_col(q, i);
	struct id id = { { 0 } };

	if (v.n == ID_BYTES)
		memcpy(id.b, v.p, ID_BYTES);
	return id;
}

int64_t stmt_last_rowid(struct db *db)
{
	return sqlite3_last_insert_rowid(db->handle);
}

int stmt_check_plan(struct db *db, const struct stmt_set *set, int index, struct err *e)
{
	const char *text = set->texts[index];
	struct str sql CLEANUP(str_release) = STR_INIT;
	sqlite3_stmt *s = NULL;

	if (!text)
		return err_set(e, ERR_INTERNAL, "%s/%d: has no text", set->name, index);
	str_addf(&sql, "EXPLAIN QUERY PLAN %s", text);
	int rc = sqlite3_prepare_v2(db->handle, str_z(&sql), -1, &s, NULL);
	if (rc != SQLITE_OK)
		return err_set(e, ERR_INTERNAL, "%s/%d: %s: %s", set->name, index,
			       sqlite3_errmsg(db->handle), text);
	bool bad = false;
	while (!bad && sqlite3_step(s) == SQLITE_ROW) {
		const char *detail = (const char *)sqlite3_column_text(s, 3);
		if (detail && !strncmp(detail, "SCAN ", 5) && strncmp(text, "/*scan*/", 8) != 0 &&
		    strcmp(detail, "SCAN CONSTANT ROW") != 0) {
			err_set(e, ERR_INTERNAL, "%s/%d: %s: %.200s", set->name, index, detail, text);
			bad = true;
		}
	}
	sqlite3_finalize(s);
	return bad ? -1 : 0;
}
