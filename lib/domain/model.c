#include "domain/model.h"

#include "base/mem.h"

enum { Q_FIND, Q_ADD, Q_NAME };
static const char *const texts[] = {
	[Q_FIND] = "SELECT id FROM models WHERE name = ?1",
	[Q_ADD] = "INSERT INTO models (name) VALUES (?1)",
	[Q_NAME] = "SELECT name FROM models WHERE id = ?1",
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

int model_name(struct db *db, int64_t id, struct str *out, struct err *e)
{
	STMT(q, db, &model_sql, Q_NAME);
	stmt_int(&q, 1, id);
	int rc = stmt_step(&q, e);
	if (rc == 0)
		return err_set(e, ERR_INTERNAL, "model row %lld is not there", (long long)id);
	if (rc > 0)
		str_addspan(out, stmt_col(&q, 0));
	return rc < 0 ? -1 : 0;
}
