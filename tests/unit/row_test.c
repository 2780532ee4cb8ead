#include "base/row.h"

#include <signal.h>
#include "base/mem.h"
#include "unit.h"

static void overfull(void)
{
	struct row r = ROW_INIT;

	for (int i = 0; i <= ROW_MAX; i++)
		row_int(&r, i);
}

int main(void)
{
	struct row r CLEANUP(row_release) = ROW_INIT;
	char text[] = "abc";

	row_textz(&r, text);
	text[0] = 'x';
	row_int(&r, -5);
	row_time(&r, 1000);
	row_text(&r, SPAN_LIT(""));
	row_null(&r);
	row_textz(&r, NULL);
	row_time(&r, 0);
	row_int_if(&r, false, 3);
	row_int_if(&r, true, 3);
	row_textz(&r, "second");
	CHECK_INT(r.n, 10, "ten values");
	CHECK(span_is(row_span(&r, 0), "abc") && span_is(row_span(&r, 9), "second"),
	      "texts are copied");
	CHECK(r.v[1].kind == ROW_INT && r.v[1].n == -5, "a number");
	CHECK(r.v[2].kind == ROW_TIME && r.v[2].n == 1000, "a time");
	CHECK(r.v[3].kind == ROW_TEXT && row_span(&r, 3).n == 0, "an empty text is a text");
	CHECK(r.v[4].kind == ROW_NULL && r.v[5].kind == ROW_NULL && r.v[6].kind == ROW_NULL &&
	      r.v[7].kind == ROW_NULL, "null, no text, no time, no number");
	CHECK(r.v[8].kind == ROW_INT && r.v[8].n == 3, "a number that is known");
	row_reset(&r);
	row_textz(&r, "new");
	CHECK(r.n == 1 && span_is(row_span(&r, 0), "new"), "a reset row begins anew");
	CHECK_INT(unit_child(overfull, NULL, 0), SIGABRT, "more values than it has room for: a BUG");
	return unit_done();
}
