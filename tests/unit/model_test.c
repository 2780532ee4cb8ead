/* model: each text once. */
#include "domain/model.h"

#include "fixture.h"

int main(void)
{
	struct err e = ERR_INIT;
	struct db *db = fixture_db("db");
	fixture_check_plans(db, &model_sql);
	int64_t a = 0, b = 0, again = 0;
	{
		TX(tx);
		fixture_must(tx_begin(&tx, db, &e) == 0, "tx_begin", &e);
		a = model_intern(db, SPAN_LIT("gpt-4o-mini"), &e);
		b = model_intern(db, SPAN_LIT("gpt-4o"), &e);
		again = model_intern(db, SPAN_LIT("gpt-4o-mini"), &e);
		fixture_must(tx_commit(&tx, &e) == 0, "tx_commit", &e);
	}
	CHECK(a > 0 && b > 0 && a != b, "two models have two rows");
	CHECK_INT(again, a, "the same text has the same row");
	db_close(db);
	return unit_done();
}
