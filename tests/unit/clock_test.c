#include "base/clock.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "unit.h"

/* The variable is read once in a process, so each value has a child. */

static void print_wall(void)
{
	static char later[] = "FSL_TEST_NOW=1";
	int64_t first = clock_wall_ms();
	putenv(later);
	fprintf(stderr, "%lld %lld", (long long)first,
		(long long)(clock_wall_ms() - first));
}

static void real_ms(int64_t *now)
{
	struct timespec t;
	clock_gettime(CLOCK_REALTIME, &t);
	*now = (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static int child_wall(const char *value, int64_t *wall, int64_t *step)
{
	/* putenv(), as setenv() hides its copies from valgrind. */
	static char variable[100];
	snprintf(variable, sizeof(variable), "FSL_TEST_NOW=%s", value);
	putenv(variable);
	char said[200];
	int end = unit_child(print_wall, said, sizeof(said));
	unsetenv("FSL_TEST_NOW");
	long long a = -1, b = -1;
	if (end == 0)
		sscanf(said, "%lld %lld", &a, &b);
	*wall = a;
	*step = b;
	return end;
}

static void test_now(void)
{
	int64_t wall, step, before, after;
	CHECK_INT(child_wall("1795230765123", &wall, &step), 0, "FSL_TEST_NOW is read");
	CHECK_INT(wall, INT64_C(1795230765123), "a plain number is the time");
	CHECK_INT(step, 0, "where it stands still, and is read once");

	static const struct { const char *value; int64_t away; } moved[] = {
		{ "", 0 }, { "+0", 0 }, { "+3600000", 3600000 },
		{ "-86400000", -86400000 },
	};
	for (int i = 0; i < 4; i++) {
		real_ms(&before);
		CHECK_INT(child_wall(moved[i].value, &wall, &step), 0,
			  "FSL_TEST_NOW='%s'", moved[i].value);
		real_ms(&after);
		CHECK(wall >= before + moved[i].away && wall <= after + moved[i].away,
		      "'%s' moves the real time", moved[i].value);
		CHECK(step >= 0 && step < 60000, "which goes on, and is read once");
	}

	static const char *const bad[] = {
		"x", "+", "-", "+-1", "12x", "1.5", " 1", "99999999999999999999",
	};
	for (int i = 0; i < 8; i++)
		CHECK_INT(child_wall(bad[i], &wall, &step), SIGABRT,
			  "'%s' is refused", bad[i]);
}

static void *call_wall(void *arg)
{
	*(int64_t *)arg = clock_wall_ms();
	return NULL;
}

static void from_threads(void)
{
	enum { THREADS = 8 };
	pthread_t id[THREADS];
	int64_t seen[THREADS];
	setenv("FSL_TEST_NOW", "5000", 1);
	for (int i = 0; i < THREADS; i++)
		pthread_create(&id[i], NULL, call_wall, &seen[i]);
	for (int i = 0; i < THREADS; i++)
		pthread_join(id[i], NULL);
	fprintf(stderr, "wall");
	for (int i = 0; i < THREADS; i++)
		if (seen[i] != 5000)
			fprintf(stderr, " %lld", (long long)seen[i]);
}

static void monotonic(void)
{
	int64_t a = clock_mono_us(), b = clock_mono_us(), c = clock_mono_ms();
	CHECK(b >= a, "the monotonic clock does not go back");
	CHECK(c >= b / 1000, "its milliseconds are a thousand microseconds");
	CHECK(c - b / 1000 < 60000, "and of the same clock");
}

static void texts(void)
{
	static const struct { int64_t ms; const char *text, *text_ms; } t[] = {
		{ 0, "1970-01-01T00:00:00Z", "1970-01-01T00:00:00.000Z" },
		{ 999, "1970-01-01T00:00:00Z", "1970-01-01T00:00:00.999Z" },
		{ 951782400007, "2000-02-29T00:00:00Z", "2000-02-29T00:00:00.007Z" },
		{ 1795230765123, "2026-11-21T03:12:45Z", "2026-11-21T03:12:45.123Z" },
		{ 2147483648000, "2038-01-19T03:14:08Z", "2038-01-19T03:14:08.000Z" },
		{ 253402300799999, "9999-12-31T23:59:59Z", "9999-12-31T23:59:59.999Z" },
		{ 253402300800000, "9999-12-31T23:59:59Z", "9999-12-31T23:59:59.999Z" },
		{ INT64_MAX, "9999-12-31T23:59:59Z", "9999-12-31T23:59:59.999Z" },
		{ -1, "1970-01-01T00:00:00Z", "1970-01-01T00:00:00.000Z" },
		{ INT64_MIN, "1970-01-01T00:00:00Z", "1970-01-01T00:00:00.000Z" },
	};
	char buf[CLOCK_BUF];
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		CHECK_STR(clock_text(t[i].ms, buf), t[i].text,
			  "%lld in seconds", (long long)t[i].ms);
		CHECK_STR(clock_text_ms(t[i].ms, buf), t[i].text_ms,
			  "... with milliseconds");
	}
	setenv("TZ", "Asia/Kathmandu", 1);
	tzset();
	CHECK_STR(clock_text(0, buf), "1970-01-01T00:00:00Z",
		  "the time zone does not matter");
}

static void microseconds(void)
{
	char buf[CLOCK_BUF];
	int64_t ms = clock_wall_ms(), us = clock_wall_us();

	CHECK(us / 1000 - ms >= 0 && us / 1000 - ms < 5000, "microseconds are of the same clock");
	CHECK_STR(clock_text_us(INT64_C(1795230765123456), buf), "2026-11-21T03:12:45.123456+00:00",
		  "as text");
	CHECK_STR(clock_text_us(INT64_C(1795230765000000), buf), "2026-11-21T03:12:45.000000+00:00",
		  "with all their digits");
	CHECK_STR(clock_text_us(0, buf), "1970-01-01T00:00:00.000000+00:00", "the first");
	CHECK_STR(clock_text_us(-1, buf), "1970-01-01T00:00:00.000000+00:00", "before it: clamped");
	CHECK_STR(clock_text_us(INT64_MAX, buf), "9999-12-31T23:59:59.775807+00:00", "after the last");
}

int main(void)
{
	char said[400];
	test_now();
	CHECK_INT(unit_child(from_threads, said, sizeof(said)), 0,
		  "several first calls at once");
	CHECK_STR(said, "wall", "all see the variable");
	monotonic();
	texts();
	microseconds(); /* the last: it reads the variable in this process */
	return unit_done();
}
