#include "engine/trace.h"

#include <stdbool.h>
#include <string.h>

#include "base/rng.h"

enum { SPAN_AT = 3 + TRACE_ID + 1, SPAN = 16, FLAGS_AT = SPAN_AT + SPAN + 1 };

static void write_hex(char *p, uint64_t v, int digits)
{
	for (int i = digits; i-- > 0; v >>= 4)
		p[i] = "0123456789abcdef"[v & 15];
}

static bool is_hex(const char *p, int n)
{
	for (int i = 0; i < n; i++)
		if (!((p[i] >= '0' && p[i] <= '9') || (p[i] >= 'a' && p[i] <= 'f')))
			return false;
	return true;
}

static bool is_zero(const char *p, int n)
{
	for (int i = 0; i < n; i++)
		if (p[i] != '0')
			return false;
	return true;
}

/* Section 3.2: version, trace, parent, flags.  A later version may go on behind
 * another dash. */
static bool is_valid(const char *p)
{
	size_t n = strlen(p);

	if (n < TRACE_BUF - 1 || p[2] != '-' || p[SPAN_AT - 1] != '-' || p[FLAGS_AT - 1] != '-')
		return false;
	bool first = strncmp(p, "00", 2) == 0;
	return is_hex(p, 2) && strncmp(p, "ff", 2) != 0 && is_hex(p + 3, TRACE_ID) &&
	       !is_zero(p + 3, TRACE_ID) && is_hex(p + SPAN_AT, SPAN) &&
	       !is_zero(p + SPAN_AT, SPAN) && is_hex(p + FLAGS_AT, 2) &&
	       (n == TRACE_BUF - 1 || (!first && p[TRACE_BUF - 1] == '-'));
}

void trace_init(struct trace *t, const char *parent)
{
	struct rng r;

	*t = (struct trace){ .flags = "01" };
	rng_seed_random(&r);
	t->seed = rng_next(&r);
	if (parent && is_valid(parent)) {
		memcpy(t->id, parent + 3, TRACE_ID);
		/* Of the flags of a later version only "sampled" is known. */
		if (strncmp(parent, "00", 2) == 0)
			memcpy(t->flags, parent + FLAGS_AT, 2);
		else
			t->flags[1] = strchr("13579bdf", parent[FLAGS_AT + 1]) ? '1' : '0';
		return;
	}
	write_hex(t->id, rng_next(&r) | 1, TRACE_ID / 2);
	write_hex(t->id + TRACE_ID / 2, rng_next(&r), TRACE_ID / 2);
}

char *trace_text(const struct trace *t, int64_t row, int64_t n, char *buf)
{
	struct rng r;

	rng_seed(&r, t->seed ^ ((uint64_t)row * UINT64_C(0x9e3779b97f4a7c15) + (uint64_t)n));
	uint64_t span = rng_next(&r);
	memcpy(buf, "00-", 3);
	memcpy(buf + 3, t->id, TRACE_ID);
	buf[SPAN_AT - 1] = '-';
	write_hex(buf + SPAN_AT, span ? span : 1, SPAN);
	buf[FLAGS_AT - 1] = '-';
	memcpy(buf + FLAGS_AT, t->flags, 3);
	return buf;
}
