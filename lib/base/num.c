#include "base/num.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include "base/mem.h"
#include "base/safe.h"

/* Room for INT64_MAX in millionths times the largest unit. */
typedef __int128 wide;

enum { MILLION = 1000000, SHOWN = 60 };

/* From the largest to the smallest, which is 1; other spellings behind. */
struct unit {
	const char *name;
	int64_t size;
};

static const struct unit duration_units[] = {
	{ "d", 86400000 }, { "h", 3600000 }, { "m", 60000 }, { "s", 1000 },
	{ "ms", 1 }, { NULL, 0 },
};

static const struct unit size_units[] = {
	{ "T", INT64_C(1) << 40 }, { "G", 1 << 30 }, { "M", 1 << 20 },
	{ "k", 1 << 10 }, { "", 1 }, { "t", INT64_C(1) << 40 }, { "g", 1 << 30 },
	{ "m", 1 << 20 }, { "K", 1 << 10 }, { NULL, 0 },
};

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Reads [-]digits[.digits] in millionths and moves *text behind it.  False
 * when there is none, when it has more than `fraction` digits behind the
 * point, or when no int64_t could hold what is before it. */
static bool read_decimal(const char **text, bool minus, int fraction, wide *out)
{
	const char *p = *text;
	bool negative = minus && *p == '-';
	if (negative)
		p++;
	if (!is_digit(*p))
		return false;
	wide v = 0;
	for (; is_digit(*p); p++) {
		v = v * 10 + (*p - '0');
		if (v > (wide)INT64_MAX + negative)
			return false;
	}
	v *= MILLION;
	if (fraction > 0 && *p == '.') {
		if (!is_digit(*++p))
			return false;
		wide place = MILLION;
		for (; is_digit(*p); p++) {
			if (fraction-- == 0)
				return false;
			place /= 10;
			v += (*p - '0') * place;
		}
	}
	*out = negative ? -v : v;
	*text = p;
	return true;
}

static const struct unit *find_unit(const struct unit *units, const char *name)
{
	for (; units->name; units++)
		if (strcmp(units->name, name) == 0)
			return units;
	return NULL;
}

/* Without loss, for the ranges in messages: 90s, not 1m30s or 1.5m. */
static const char *exact_text(const struct unit *units, int64_t v, char *buf)
{
	while (units->size > 1 && (v == 0 || v % units->size != 0))
		units++;
	snprintf(buf, NUM_BUF, "%lld%s", (long long)(v / units->size),
		 v == 0 ? "" : units->name);
	return buf;
}

static char *micro_text(int64_t v, char *buf)
{
	uint64_t u = v < 0 ? 0 - (uint64_t)v : (uint64_t)v;
	int n = snprintf(buf, NUM_BUF, "%s%llu.%06llu", v < 0 ? "-" : "",
			 (unsigned long long)(u / MILLION),
			 (unsigned long long)(u % MILLION));
	while (buf[n - 1] == '0')
		buf[--n] = '\0';
	if (buf[n - 1] == '.')
		buf[n - 1] = '\0';
	return buf;
}

static int refuse(struct err *e, const char *text, const char *what,
		  const char *min, const char *max)
{
	return err_set(e, ERR_USAGE, "'%s' is not a %s from %s to %s",
		       safe_show(span_of(text), SHOWN), what, min, max);
}

int num_int(const char *text, int64_t min, int64_t max, int64_t *out,
	    struct err *e)
{
	const char *p = text;
	wide micros;
	if (read_decimal(&p, min < 0, 0, &micros) && *p == '\0' &&
	    micros / MILLION >= min && micros / MILLION <= max) {
		*out = (int64_t)(micros / MILLION);
		return 0;
	}
	char low[NUM_BUF], high[NUM_BUF];
	snprintf(low, sizeof(low), "%lld", (long long)min);
	snprintf(high, sizeof(high), "%lld", (long long)max);
	return refuse(e, text, "number", low, high);
}

int num_micro(const char *text, int64_t min, int64_t max, int64_t *out,
	      struct err *e)
{
	const char *p = text;
	wide micros;
	if (read_decimal(&p, min < 0, 6, &micros) && *p == '\0' &&
	    micros >= min && micros <= max) {
		*out = (int64_t)micros;
		return 0;
	}
	char low[NUM_BUF], high[NUM_BUF];
	return refuse(e, text, "decimal", micro_text(min, low), micro_text(max, high));
}

/* A number with a unit, rounded to the smallest unit.  What is more than
 * nothing never becomes 0, since 0 often means "off". */
static bool read_scaled(const char *text, const struct unit *units, int64_t min,
			int64_t max, int64_t *out)
{
	wide micros;
	if (!read_decimal(&text, min < 0, 6, &micros))
		return false;
	const struct unit *unit = find_unit(units, text);
	if (!unit && *text == '\0' && micros == 0)
		unit = units;
	if (!unit)
		return false;
	wide scaled = micros * unit->size;
	wide v = (scaled + (scaled < 0 ? -MILLION / 2 : MILLION / 2)) / MILLION;
	if (v < min || v > max || (v == 0 && micros != 0))
		return false;
	if (unit->name[0] == '\0' && micros % MILLION != 0)
		return false;
	*out = (int64_t)v;
	return true;
}

int num_duration(const char *text, int64_t min_ms, int64_t max_ms, int64_t *out,
		 struct err *e)
{
	if (read_scaled(text, duration_units, min_ms, max_ms, out))
		return 0;
	char low[NUM_BUF], high[NUM_BUF];
	refuse(e, text, "duration", exact_text(duration_units, min_ms, low),
	       exact_text(duration_units, max_ms, high));
	return err_hint(e, "write it with a unit: 250ms, 30s, 10m, 6h or 7d");
}

int num_size(const char *text, int64_t min, int64_t max, int64_t *out,
	     struct err *e)
{
	if (read_scaled(text, size_units, min, max, out))
		return 0;
	char low[NUM_BUF], high[NUM_BUF];
	refuse(e, text, "size", exact_text(size_units, min, low),
	       exact_text(size_units, max, high));
	return err_hint(e, "write it in bytes or with a unit: 64k, 200M or 2G");
}

int num_portion(const char *text, int64_t total, int64_t *out, struct err *e)
{
	size_t n = strlen(text);
	int64_t micro = 0;

	if (n > 0 && text[n - 1] == '%') {
		char *number CLEANUP(mem_cleanup) = mem_copy(text, n - 1);
		if (num_micro(number, 0, INT64_C(100) * MILLION, &micro, e) == 0) {
			*out = (int64_t)((wide)total * micro / (INT64_C(100) * MILLION));
			return 0;
		}
	} else if (num_int(text, 0, INT64_MAX, out, e) == 0) {
		return 0;
	}
	return err_set(e, ERR_USAGE, "'%s' is neither a number nor a percentage",
		       safe_show(span_of(text), SHOWN));
}

char *num_count(int64_t n, char *buf)
{
	uint64_t u = n < 0 ? 0 - (uint64_t)n : (uint64_t)n;
	char *p = buf + NUM_BUF;
	*--p = '\0';
	int digits = 0;
	do {
		if (digits > 0 && digits % 3 == 0)
			*--p = ',';
		*--p = (char)('0' + u % 10);
		digits++;
		u /= 10;
	} while (u > 0);
	if (n < 0)
		*--p = '-';
	return memmove(buf, p, (size_t)(buf + NUM_BUF - p));
}

/* Two units at most, cut and not rounded: a duration has not reached what is
 * shown of it before its time. */
char *num_of(int64_t n, const char *noun, char *buf)
{
	size_t at = strlen(num_count(n, buf)), length = strlen(noun);
	bool hiss = length > 2 && strcmp(noun + length - 2, "ch") == 0;

	snprintf(buf + at, NUM_BUF - at, " %.12s%s", noun, n == 1 ? "" : hiss ? "es" : "s");
	return buf;
}

char *num_duration_text(int64_t ms, char *buf)
{
	const char *sign = ms < 0 ? "-" : "";
	unsigned long long u = ms < 0 ? 0 - (uint64_t)ms : (uint64_t)ms;
	unsigned long long s = u / 1000, m = s / 60, h = m / 60, d = h / 24;
	if (s == 0)
		snprintf(buf, NUM_BUF, "%s%llums", sign, u);
	else if (m == 0)
		snprintf(buf, NUM_BUF, "%s%llu.%llus", sign, s, u % 1000 / 100);
	else if (h == 0)
		snprintf(buf, NUM_BUF, "%s%llum%02llus", sign, m, s % 60);
	else if (d == 0)
		snprintf(buf, NUM_BUF, "%s%lluh%02llum", sign, h, m % 60);
	else
		snprintf(buf, NUM_BUF, "%s%llud%lluh", sign, d, h % 24);
	return buf;
}

char *num_size_text(int64_t bytes, char *buf)
{
	const char *sign = bytes < 0 ? "-" : "";
	unsigned long long u = bytes < 0 ? 0 - (uint64_t)bytes : (uint64_t)bytes;
	if (u < 1024) {
		snprintf(buf, NUM_BUF, "%s%lluB", sign, u);
		return buf;
	}
	static const char units[] = "kMGTPE";
	wide unit = 1024, tenths = ((wide)u * 10 + unit / 2) / unit;
	int i = 0;
	while (tenths >= 10240) {
		i++;
		unit *= 1024;
		tenths = ((wide)u * 10 + unit / 2) / unit;
	}
	snprintf(buf, NUM_BUF, "%s%llu.%llu%c", sign,
		 (unsigned long long)(tenths / 10),
		 (unsigned long long)(tenths % 10), units[i]);
	return buf;
}
