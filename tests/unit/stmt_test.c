#include "store/stmt.h"

#include <signal.h>
#include <string.h>

#include "rows.h"
#include "store/tx.h"
#include "unit.h"

enum {
	Q_MAKE, Q_PUT, Q_GET, Q_ALL, Q_RAISE, Q_SCAN, Q_MARKED, Q_SEARCH, Q_CONSTANT, Q_WRONG,
	Q_NONE, Q_ECHO, Q_INDEX, Q_COUNT,
};
static const char *const texts[] = {
	[Q_MAKE] = "CREATE TABLE things (id INTEGER PRIMARY KEY, n INTEGER UNIQUE, t TEXT, b BLOB)",
	[Q_PUT] = "INSERT INTO things (n, t, b) VALUES (?1, ?2, ?3)",
	[Q_GET] = "SELECT n, t, b, typeof(t), typeof(b) FROM things WHERE id = ?1",
	[Q_ALL] = "/*scan*/ SELECT id FROM things ORDER BY id",
	[Q_RAISE] = "UPDATE things SET n = n + 100 WHERE id >= ?1",
	[Q_SCAN] = "SELECT id FROM things WHERE t = ?1",
	[Q_MARKED] = "/*scan*/ SELECT id FROM things WHERE t = ?1",
	[Q_SEARCH] = "SELECT id FROM things WHERE n = ?1",
	[Q_CONSTANT] = "SELECT ?1 + 1",
	[Q_WRONG] = "SELECT missing FROM nowhere WHERE id = ?1",
	[Q_NONE] = NULL,
	[Q_ECHO] = "SELECT ?1, ?2, ?3, ?4",
	[Q_INDEX] = "SELECT n FROM things ORDER BY n",
	[Q_COUNT] = "SELECT count(*) FROM things WHERE id IN (SELECT id FROM things WHERE t = ?1)",
};
static const struct stmt_set set = { "things", texts, ARRAY_LEN(texts) };

static struct db *db;

static void must(bool ok, const struct err *e)
{
	rows_must(ok, "statement", e->msg);
}

static int64_t put(int64_t n, struct span t, const void *b, size_t len)
{
	struct err e = ERR_INIT;

	STMT(q, db, &set, Q_PUT);
	stmt_int(&q, 1, n);
	stmt_text(&q, 2, t);
	stmt_blob(&q, 3, b, len);
	CHECK_INT(stmt_run(&q, &e), 1, "stmt_run() returns how many rows were changed");
	return stmt_last_rowid(db);
}

static void values(void)
{
	struct err e = ERR_INIT;
	{
		STMT(q, db, &set, Q_MAKE);
		must(stmt_run(&q, &e) >= 0, &e);
	}
	int64_t one = put(INT64_MAX, SPAN_LIT("a\0b"), "\xff\0\x01", 3);
	int64_t two = put(INT64_MIN, SPAN_LIT(""), "", 0);
	CHECK_INT(two, one + 1, "stmt_last_rowid() is the row of the last insert");
	put(7, SPAN_NONE, NULL, 5);

	STMT(q, db, &set, Q_GET);
	stmt_int(&q, 1, one);
	CHECK_INT(stmt_step(&q, &e), 1, "a row is 1");
	CHECK_INT(stmt_col_int(&q, 0), INT64_MAX, "the largest number comes back");
	CHECK(span_eq(stmt_col(&q, 1), SPAN_LIT("a\0b")), "so does a text with NUL");
	CHECK(span_eq(stmt_col(&q, 2), SPAN_LIT("\xff\0\x01")), "so do bytes");
	CHECK(!stmt_col_null(&q, 2), "which are not NULL");
	char *copy CLEANUP(mem_cleanup) = stmt_col_copy(&q, 1);
	CHECK(memcmp(copy, "a\0b", 4) == 0, "a copy has them all, and a NUL behind");
	CHECK_INT(stmt_step(&q, &e), 0, "the end is 0");

	stmt_again(&q);
	stmt_int(&q, 1, two);
	CHECK_INT(stmt_step(&q, &e), 1, "after stmt_again() another row is found");
	CHECK_INT(stmt_col_int(&q, 0), INT64_MIN, "the smallest number");
	CHECK(stmt_col(&q, 1).p && stmt_col(&q, 1).n == 0, "an empty text is not absent");
	CHECK(stmt_col(&q, 2).p && stmt_col(&q, 2).n == 0, "nor are no bytes");
	CHECK(span_is(stmt_col(&q, 4), "blob"), "which are a BLOB");

	stmt_again(&q);
	stmt_int(&q, 1, two + 1);
	CHECK_INT(stmt_step(&q, &e), 1, "a third");
	CHECK(stmt_col_null(&q, 1) && !stmt_col(&q, 1).p, "SPAN_NONE is NULL and back");
	CHECK(!stmt_col_copy(&q, 1), "a copy of NULL is none");
	CHECK(id_eq(stmt_col_id(&q, 1), (struct id){ { 0 } }), "as an id it is zeros");
	CHECK(stmt_col_null(&q, 2) && !stmt_col(&q, 2).p, "bytes at NULL are NULL");

	stmt_again(&q);
	CHECK_INT(stmt_step(&q, &e), 1, "bindings stay over stmt_again()");
	CHECK_INT(stmt_col_int(&q, 0), 7, "it is the same row");
	stmt_again(&q);
	stmt_int(&q, 1, 12345);
	CHECK_INT(stmt_step(&q, &e), 0, "no row is 0");
}

static void uses(void)
{
	struct err e = ERR_INIT;
	const void *first;
	{
		STMT(q, db, &set, Q_ECHO);
		first = q.handle;
		stmt_int(&q, 1, 42);
		stmt_textz(&q, 2, "z");
		stmt_textz(&q, 3, NULL);
		stmt_null(&q, 4);
		CHECK_INT(stmt_step(&q, &e), 1, "a statement is left in the middle");
		CHECK(span_is(stmt_col(&q, 1), "z") && stmt_col_null(&q, 2), "text of a C string");
	}
	{
		STMT(q, db, &set, Q_ECHO);
		CHECK(q.handle == first, "it is prepared once per connection");
		CHECK_INT(stmt_step(&q, &e), 1, "and begins anew at the next use");
		CHECK(stmt_col_null(&q, 0) && stmt_col_null(&q, 1), "without the values of the last");
		stmt_end(&q);
		stmt_end(&q);
		STMT(again, db, &set, Q_ECHO);
		CHECK(again.handle == first, "stmt_end() before the end of the scope frees it,"
		      " twice too");
	}
	struct err ignored;
	struct db *other = db_open(db_path(db), DB_EXISTING, &ignored);
	{
		STMT(q, db, &set, Q_ECHO);
		STMT(p, other, &set, Q_ECHO);
		CHECK(p.handle && p.handle != q.handle, "another connection has its own");
	}
	db_close(other);
	STMT(q, db, &set, Q_RAISE);
	stmt_int(&q, 1, 3);
	CHECK_INT(stmt_run(&q, &e), 1, "an update tells how many rows it changed");
	stmt_again(&q);
	stmt_int(&q, 1, 1000);
	CHECK_INT(stmt_run(&q, &e), 0, "none is 0");
}

static void failures(void)
{
	struct err e = ERR_INIT;
	{
		STMT(q, db, &set, Q_GET);
		stmt_int(&q, 2, 1);
		stmt_int(&q, 1, 1);
		CHECK_INT(stmt_step(&q, &e), -1, "a failed bind is reported by the step");
		CHECK(e.code == ERR_INTERNAL && strstr(e.msg, "out of range"),
		      "with what was wrong, though a later bind was right");
		CHECK_INT(stmt_step(&q, &e), -1, "and by the next step");
	}
	{
		STMT(q, db, &set, Q_GET);
		stmt_int(&q, 1, 1);
		CHECK_INT(stmt_step(&q, &e), 1, "the next use knows nothing of it");
	}
	{
		STMT(q, db, &set, Q_WRONG);
		stmt_int(&q, 1, 1);
		stmt_text(&q, 2, SPAN_LIT("x"));
		CHECK(stmt_step(&q, &e) == -1 && e.code == ERR_INTERNAL,
		      "a text that cannot be prepared is ERR_INTERNAL at the first step");
		CHECK(strstr(e.msg, "could not be prepared"), "and says so");
	}
	STMT(q, db, &set, Q_PUT);
	stmt_int(&q, 1, INT64_MAX);
	CHECK(stmt_run(&q, &e) == -1 && e.code == ERR_INTERNAL, "a broken constraint is an error");
	CHECK(strstr(e.msg, "UNIQUE constraint failed: things.n"), "that names the column");
	stmt_again(&q);
	stmt_int(&q, 1, 1);
	CHECK_INT(stmt_run(&q, &e), -1, "what has failed stays failed until its end");
}

static void use_twice(void)
{
	STMT(q, db, &set, Q_GET);
	STMT(p, db, &set, Q_GET);
	stmt_end(&q);
	stmt_end(&p);
}

static void write_alone(void)
{
	struct err e = ERR_INIT;

	db = db_open(rows_path("alone"), DB_CREATE, &e);
	must(db != NULL, &e);
	STMT(q, db, &set, Q_MAKE);
	must(stmt_run(&q, &e) >= 0, &e);
}

static void too_many(void)
{
	struct stmt_set many[49];

	for (int i = 0; i < 49; i++) {
		many[i] = set;
		STMT(q, db, &many[i], Q_ECHO);
		stmt_end(&q);
	}
}

static void bugs(void)
{
	char said[512];

	CHECK_INT(unit_child(use_twice, said, sizeof said), SIGABRT,
		  "a statement that is in use already is a BUG");
	CHECK(strstr(said, "statement things/2 is in use already"), "that names it");
	CHECK_INT(unit_child(write_alone, said, sizeof said), SIGABRT,
		  "to write outside of a transaction, without the writers' lock, is a BUG");
	CHECK(strstr(said, "outside of a transaction: CREATE TABLE things"), "that names it");
	CHECK_INT(unit_child(too_many, said, sizeof said), SIGABRT,
		  "more sets than there is room for are a BUG");
}

static int plan(int index, struct err *e)
{
	*e = (struct err)ERR_INIT;
	return stmt_check_plan(db, &set, index, e);
}

static void plans(void)
{
	struct err e;

	CHECK_INT(plan(Q_SEARCH, &e), 0, "a search is fine");
	CHECK_INT(plan(Q_CONSTANT, &e), 0, "so is a statement without a table");
	CHECK_INT(plan(Q_MARKED, &e), 0, "so is a scan that says so");
	CHECK_INT(plan(Q_SCAN, &e), -1, "a scan that does not is refused");
	CHECK(strstr(e.msg, "things/5: SCAN things: SELECT id"), "with name, plan and text");
	CHECK_INT(plan(Q_INDEX, &e), -1, "a whole index is a scan too");
	CHECK_INT(plan(Q_COUNT, &e), -1, "so is one in a subquery");
	CHECK_INT(plan(Q_NONE, &e), -1, "an index without a text is refused");
	CHECK_INT(plan(Q_WRONG, &e), -1, "and so is a text that is no SQL of this schema");
	CHECK(strstr(e.msg, "no such table: nowhere"), "with the reason");
}

int main(void)
{
	struct err e = ERR_INIT;

	db = db_open(rows_path("db"), DB_CREATE, &e);
	must(db != NULL, &e);
	TX(tx);
	must(tx_begin(&tx, db, &e) == 0, &e);
	values();
	uses();
	failures();
	bugs();
	plans();
	tx_end(&tx);
	db_close(db);
	return unit_done();
}
