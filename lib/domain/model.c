#include "domain/model.h"

#include "base/mem.h"

enum { Q_FIND, Q_ADD };
static const char *const texts[] = {
	[Q_FIND] = "SELECT id FROM models WHERE name = ?1",
	[Q_ADD] = "INSERT INTO models (name) VALUES (?1)",
};
const struct stmt_set model_sql = { "model", texts, ARRAY_LEN(texts) };

int64_t model_intern(struct db *db, struct span name, struct err *e)
{
	STMT(find, db, &model_sql, Q_FIND);
	stmt_text(&find, 1, name);
	int rc = stmt_step(&find, e);
	if (rc != 0)
		return rc < 0 ? -1 : stmt_col_int(&find, 0);
	STMT(add, db, &model_sql, Q_ADD);
	stmt_text(&add, 1, name);
	return stmt_run(&add, e) < 0 ? -1 : stmt_last_rowid(db);
}
