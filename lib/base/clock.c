#include "base/clock.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include "base/err.h"
#include "base/num.h"

/* The last millisecond of 9999. */
static const int64_t LAST_MS = INT64_C(253402300799999);

static pthread_once_t test_once = PTHREAD_ONCE_INIT;
static bool test_fixed;   /* test_ms is the time, else it is added to it */
static int64_t test_ms;

static void read_test_now(void)
{
	const char *text = getenv("FSL_TEST_NOW");
	if (!text || !*text)
		return;
	struct err e = ERR_INIT;
	int64_t min = *text == '-' ? -LAST_MS : 0;
	test_fixed = *text != '+' && *text != '-';
	if (*text == '+')
		text++;
	if (num_int(text, min, LAST_MS, &test_ms, &e) < 0)
		BUG("FSL_TEST_NOW: %s", e.msg);
}

static int64_t read_us(clockid_t which)
{
	struct timespec t;
	if (clock_gettime(which, &t) != 0)
		BUG("clock_gettime(%d) failed", (int)which);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

int64_t clock_mono_ms(void)
{
	return read_us(CLOCK_MONOTONIC) / 1000;
}

int64_t clock_boot_ms(void)
{
	return read_us(CLOCK_BOOTTIME) / 1000;
}

int64_t clock_mono_us(void)
{
	return read_us(CLOCK_MONOTONIC);
}

int64_t clock_wall_us(void)
{
	pthread_once(&test_once, read_test_now);
	return (test_fixed ? 0 : read_us(CLOCK_REALTIME)) + test_ms * 1000;
}

int64_t clock_wall_ms(void)
{
	return clock_wall_us() / 1000;
}

static int64_t clamp(int64_t wall_ms)
{
	return wall_ms < 0 ? 0 : wall_ms > LAST_MS ? LAST_MS : wall_ms;
}

/* Writes what both texts begin with and returns its end. */
static char *put_seconds(int64_t wall_ms, char *buf)
{
	time_t seconds = (time_t)(wall_ms / 1000);
	struct tm t;
	if (!gmtime_r(&seconds, &t))
		BUG("gmtime_r(%lld) failed", (long long)seconds);
	return buf + strftime(buf, CLOCK_BUF, "%Y-%m-%dT%H:%M:%S", &t);
}

char *clock_text(int64_t wall_ms, char *buf)
{
	char *end = put_seconds(clamp(wall_ms), buf);
	end[0] = 'Z';
	end[1] = '\0';
	return buf;
}

char *clock_text_ms(int64_t wall_ms, char *buf)
{
	wall_ms = clamp(wall_ms);
	char *end = put_seconds(wall_ms, buf);
	int ms = (int)(wall_ms % 1000);
	end[0] = '.';
	end[1] = (char)('0' + ms / 100);
	end[2] = (char)('0' + ms / 10 % 10);
	end[3] = (char)('0' + ms % 10);
	end[4] = 'Z';
	end[5] = '\0';
	return buf;
}

char *clock_text_us(int64_t wall_us, char *buf)
{
	int64_t seconds = clamp(wall_us / 1000) / 1000;
	char *end = put_seconds(seconds * 1000, buf);
	int us = (int)(wall_us < 0 ? 0 : wall_us % 1000000);
	snprintf(end, (size_t)(buf + CLOCK_BUF - end), ".%06d+00:00", us);
	return buf;
}
