/* trace: traceparent, as W3C Trace Context has it. */
#include "engine/trace.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "unit.h"

#define ID "0af7651916cd43dd8448eb211c80319c"
#define SPAN "b7ad6b7169203331"

static char buf[TRACE_BUF];

static bool is_hex(const char *p, size_t n)
{
	return strspn(p, "0123456789abcdef") >= n;
}

static bool is_header(const char *h)
{
	return strlen(h) == 55 && strncmp(h, "00-", 3) == 0 && is_hex(h + 3, 32) && h[35] == '-' &&
	       is_hex(h + 36, 16) && h[52] == '-' && is_hex(h + 53, 2) &&
	       strspn(h + 3, "0") < 32 && strspn(h + 36, "0") < 16;
}

static void parents(void)
{
	static const struct { const char *parent, *flags, *rule; } good[] = {
		{ "00-" ID "-" SPAN "-01", "01", "sampled" },
		{ "00-" ID "-" SPAN "-00", "00", "not sampled" },
		{ "00-" ID "-" SPAN "-ff", "ff", "all flags" },
		{ "01-" ID "-" SPAN "-03", "01", "a later version: only sampled is known" },
		{ "cc-" ID "-" SPAN "-02", "00", "a later version, not sampled" },
		{ "cc-" ID "-" SPAN "-01-what-the-future-holds", "01", "a later version, longer" },
	};
	static const char *const bad[] = {
		"", "00", "ff-" ID "-" SPAN "-01", "00-" ID "-" SPAN "-01-", "00-" ID "-" SPAN "-01x",
		"cc-" ID "-" SPAN "-01.x", "00-" ID "-" SPAN "-0", "00-" ID "-" SPAN "-0G",
		"00-00000000000000000000000000000000-" SPAN "-01", "00-" ID "-0000000000000000-01",
		"00-0AF7651916CD43DD8448EB211C80319C-" SPAN "-01", "00-" ID "-B7AD6B7169203331-01",
		"00_" ID "-" SPAN "-01", "00-" ID "_" SPAN "-01", "0g-" ID "-" SPAN "-01",
		" 00-" ID "-" SPAN "-01",
	};
	struct trace t;

	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		trace_init(&t, good[i].parent);
		trace_text(&t, 7, 1, buf);
		CHECK(is_header(buf) && strncmp(buf + 3, ID, 32) == 0, "the trace of the parent: %s",
		      good[i].rule);
		CHECK_STR(buf + 53, good[i].flags, "and its flags: %s", good[i].rule);
		CHECK(strncmp(buf + 36, SPAN, 16) != 0, "but a span of its own");
	}
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		trace_init(&t, bad[i]);
		trace_text(&t, 7, 1, buf);
		CHECK(is_header(buf) && strncasecmp(buf + 3, ID, 32) != 0 &&
		      strcmp(buf + 53, "01") == 0, "a trace of its own after '%s'", bad[i]);
	}
}

static void random_ones(void)
{
	struct trace a, b;
	char other[TRACE_BUF];

	trace_init(&a, NULL);
	trace_init(&b, NULL);
	CHECK(is_header(trace_text(&a, 1, 1, buf)) && is_header(trace_text(&b, 1, 1, other)) &&
	      strncmp(buf + 3, other + 3, 32) != 0 && strncmp(buf + 36, other + 36, 16) != 0,
	      "two runs have two traces");
	trace_init(&b, "00-" ID "-" SPAN "-01");
	trace_init(&a, "00-" ID "-" SPAN "-01");
	CHECK(strncmp(trace_text(&a, 1, 1, buf) + 36, trace_text(&b, 1, 1, other) + 36, 16) != 0,
	      "two runs of one parent have other spans");
	CHECK_STR(trace_text(&a, 9, 2, buf), trace_text(&a, 9, 2, other),
		  "of one attempt it is the same");
	setenv("FSL_TEST_SEED", "5", 1);
	trace_init(&a, NULL);
	trace_init(&b, NULL);
	unsetenv("FSL_TEST_SEED");
	CHECK_STR(trace_text(&a, 9, 2, buf), trace_text(&b, 9, 2, other), "with a seed all is the same");
}

static int by_span(const void *a, const void *b)
{
	return memcmp(a, b, 16);
}

static void spans(void)
{
	enum { ROWS = 20000, TRIES = 5 };
	char (*all)[16] = mem_alloc(sizeof(*all) * ROWS * TRIES);
	struct trace t;
	int same = 0;

	trace_init(&t, NULL);
	int64_t before = clock_mono_us();
	for (int64_t row = 0; row < ROWS; row++)
		for (int64_t n = 0; n < TRIES; n++) {
			int64_t batch = row % 3 + 1;
			trace_text(&t, batch << 32 | (row + 1), n + 1, buf);
			memcpy(all[row * TRIES + n], buf + 36, 16);
		}
	int64_t took = clock_mono_us() - before;
	qsort(all, ROWS * TRIES, 16, by_span);
	for (int i = 1; i < ROWS * TRIES; i++)
		same += memcmp(all[i - 1], all[i], 16) == 0;
	CHECK_INT(same, 0, "each attempt of each request has a span of its own (%lld ns)",
		  (long long)(took * 1000 / (ROWS * TRIES)));
	mem_free(all);
}

int main(void)
{
	parents();
	random_ones();
	spans();
	return unit_done();
}
