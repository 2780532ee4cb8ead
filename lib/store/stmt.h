/* stmt: prepared statements.
 *
 * Each domain file has one table of SQL texts:
 *
 *     enum { Q_FIND, Q_INSERT };
 *     static const char *const texts[] = { [Q_FIND] = "SELECT ... ?1", ... };
 *     const struct stmt_set file_sql = { "file", texts, ARRAY_LEN(texts) };
 *
 * A text is prepared once per connection, at its first use.  Parameters are
 * ?1, ?2 ... and bound by number.  A failed bind is remembered and reported
 * by the next step.  A text that reads a whole table or index on purpose
 * begins with the comment "/" "*scan*" "/".  Stepping one that writes outside of a
 * write transaction (store/tx.h) is a BUG.
 *
 *     STMT(q, db, &file_sql, Q_FIND);
 *     stmt_blob(&q, 1, uuid, 16);
 *     int rc = stmt_step(&q, e);   // 1: a row, 0: the end, -1: an error
 *
 * The statement is reset when q leaves its scope.  Using one that is already
 * in use on the same connection is a BUG. */
#ifndef FSL_STORE_STMT_H
#define FSL_STORE_STMT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/err.h"
#include "base/id.h"
#include "base/mem.h"
#include "base/str.h"
#include "store/db.h"

struct stmt_set {
	const char *name;
	const char *const *texts;
	int n;
};

struct stmt {
	struct db *db;
	void *handle;    /* sqlite3_stmt; NULL if it could not be prepared */
	int failed;      /* SQLite code of the first thing that went wrong */
	bool *in_use;
};

#define STMT(name, db, set, index) \
	struct stmt name CLEANUP(stmt_end) = stmt_use((db), (set), (index))

struct stmt stmt_use(struct db *db, const struct stmt_set *set, int index);
void stmt_end(struct stmt *q);
void stmt_again(struct stmt *q); /* reset for another round; bindings stay */

/* Bytes bound must stay valid until the next stmt_again() or the end. */
void stmt_int(struct stmt *q, int i, int64_t v);
void stmt_text(struct stmt *q, int i, struct span v); /* SPAN_NONE: NULL */
void stmt_textz(struct stmt *q, int i, const char *z);
void stmt_blob(struct stmt *q, int i, const void *p, size_t n); /* p NULL: NULL */
void stmt_null(struct stmt *q, int i);

int stmt_step(struct stmt *q, struct err *e) MUST_CHECK;
/* Steps to the end of a statement that changes rows; how many it changed. */
int stmt_run(struct stmt *q, struct err *e) MUST_CHECK;

/* Columns of the current row, from 0.  Spans are valid until the next step. */
int64_t stmt_col_int(struct stmt *q, int i);
struct span stmt_col(struct stmt *q, int i); /* NULL gives SPAN_NONE */
bool stmt_col_null(struct stmt *q, int i);
char *stmt_col_copy(struct stmt *q, int i); /* to be freed; NULL gives NULL */
struct id stmt_col_id(struct stmt *q, int i); /* NULL gives zeros */

int64_t stmt_last_rowid(struct db *db);

/* For the test that reads every query plan: 0, or -1 with the complaint. */
int stmt_check_plan(struct db *db, const struct stmt_set *set, int index,
		    struct err *e) MUST_CHECK;

#endif
