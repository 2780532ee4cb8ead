#include "base/str.h"

#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "base/mem.h"
#include "unit.h"

static void appending(void)
{
	struct str s CLEANUP(str_release) = STR_INIT;
	CHECK_STR(str_z(&s), "", "a new str is empty");
	CHECK(str_span(&s).p != NULL, "the span of a new str is empty, not absent");
	str_add(&s, NULL, 0);
	CHECK(s.p != NULL, "a str has bytes once anything was added");
	str_addz(&s, "abc");
	str_addc(&s, '-');
	str_addspan(&s, SPAN_LIT("d\0e"));
	str_addspan(&s, SPAN_NONE);
	CHECK_INT(s.n, 7, "the length counts NUL bytes");
	CHECK(memcmp(s.p, "abc-d\0e", 8) == 0, "the bytes are there and a NUL behind");
	CHECK(span_eq(str_span(&s), SPAN_LIT("abc-d\0e")), "str_span has them all");
	str_cut(&s, 3);
	CHECK_STR(str_z(&s), "abc", "str_cut shortens");
	str_cut(&s, 3);
	CHECK_INT(s.n, 3, "str_cut to the same length changes nothing");
	size_t cap = s.cap;
	str_reset(&s);
	CHECK_STR(str_z(&s), "", "str_reset empties");
	CHECK_INT(s.cap, cap, "str_reset keeps the memory");
	str_reserve(&s, 5000);
	const char *before = s.p;
	for (int i = 0; i < 5000; i++)
		str_addc(&s, 'x');
	CHECK(s.p == before, "str_reserve makes room, bytes do not move in it");
	CHECK_INT(strlen(s.p), 5000, "the NUL stays behind the bytes");
	str_release(&s);
	CHECK(!s.p && !s.n && !s.cap, "str_release goes back to STR_INIT");
	str_release(&s);
}

static void formats(void)
{
	struct str s CLEANUP(str_release) = STR_INIT;
	str_addf(&s, "%d %s", 7, "seven");
	CHECK_STR(str_z(&s), "7 seven", "str_addf formats");
	str_addf(&s, "%s", "");
	CHECK_INT(s.n, 7, "str_addf can add nothing");
	str_addf(&s, "%1000d", 1);
	CHECK_INT(s.n, 1007, "str_addf grows as needed");
	CHECK(strncmp(s.p, "7 seven   ", 10) == 0, "str_addf appends");
	for (size_t n = 0; n < 70; n++) {
		struct str t CLEANUP(str_release) = STR_INIT;
		str_addf(&t, "%*s", (int)n, "");
		if (t.n != n || strlen(str_z(&t)) != n)
			CHECK(false, "str_addf of %zu bytes into a new str", n);
	}
}

static void taking(void)
{
	struct str s = STR_INIT;
	char *p = str_take(&s);
	CHECK_STR(p, "", "taken from a new str: an empty string, to be freed");
	free(p);
	str_addz(&s, "mine");
	p = str_take(&s);
	CHECK_STR(p, "mine", "str_take gives the bytes");
	CHECK(!s.p && !s.n && !s.cap, "and leaves STR_INIT");
	free(p);
}

static void cut_beyond(void)
{
	struct str s CLEANUP(str_release) = STR_INIT;
	str_addz(&s, "abc");
	str_cut(&s, 4);
}

static void reserve_all(void)
{
	struct str s CLEANUP(str_release) = STR_INIT;
	str_addz(&s, "abc");
	str_reserve(&s, SIZE_MAX - 3);
}

int main(void)
{
	CHECK_INT(unit_child(cut_beyond, NULL, 0), SIGABRT,
		  "str_cut beyond the end is a BUG");
	CHECK_INT(unit_child(reserve_all, NULL, 0), SIGABRT,
		  "room for all memory aborts");
	appending();
	formats();
	taking();
	return unit_done();
}
