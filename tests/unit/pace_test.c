/* pace: rates and the time left. */
#include "cli/pace.h"

#include "unit.h"

static struct pace pace;

static void is(int64_t now_ms, int64_t done, int64_t total, int64_t rate_milli, int64_t eta_ms,
	       const char *rule)
{
	struct progress_state s = { .done = done, .total = total };

	pace_measure(&pace, &s, now_ms);
	CHECK_INT(s.rate_milli, rate_milli, "%s: the rate", rule);
	CHECK_INT(s.eta_ms, eta_ms, "%s: the time left", rule);
	CHECK(s.done == done && s.total == total, "%s: the numbers stay", rule);
}

int main(void)
{
	is(5000, 0, 0, -1, -1, "while nobody knows the total nothing is known");
	is(7000, 100, 1000, -1, -1, "the first numbers are where it begins");
	is(7500, 110, 1000, -1, -1, "half a second is too short");
	is(7501, 100, 1000, 0, -1, "nothing done is no speed, and no end");
	is(9000, 300, 1000, 100000, 7000, "200 in 2 s, 700 are left");
	is(17000, 1000, 1000, 90000, 0, "at the end nothing is left");
	is(17000, 1000, 1900, 90000, 10000, "more work appears");
	pace = (struct pace){ false, 0, 0 };
	is(0, 0, INT64_C(10000000000), -1, -1, "a new one begins anew");
	is(86400000, 1000000000, INT64_C(10000000000), 11574074, 777600000,
	   "ten billion in ten days do not overflow");
	struct progress none = { .mode = PROGRESS_NONE };
	struct progress_state s = { .done = 5, .total = 9, .rate_milli = 77 };
	pace_show(&pace, &none, &s);
	CHECK_INT(s.rate_milli, 77, "nothing is measured for a line that is not shown");
	return unit_done();
}
