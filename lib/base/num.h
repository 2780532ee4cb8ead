/* num: numbers as people write them, every one with a range.
 *
 * All parsers read the whole text (no white space, no sign but a leading
 * minus where min < 0), refuse overflow, and on failure set ERR_USAGE with a
 * message that names the text and the range, such as
 * "'70000' is not a number from 1 to 65535". */
#ifndef FSL_BASE_NUM_H
#define FSL_BASE_NUM_H

#include <stddef.h>
#include <stdint.h>
#include "base/err.h"

int num_int(const char *text, int64_t min, int64_t max, int64_t *out,
	    struct err *e) MUST_CHECK;

/* A decimal with at most 6 digits behind the point, in millionths:
 * "1.5" gives 1500000. */
int num_micro(const char *text, int64_t min, int64_t max, int64_t *out,
	      struct err *e) MUST_CHECK;

/* "250ms", "30s", "10m", "6h", "7d" in milliseconds; a number without a unit
 * is refused, but for 0.  Fractions ("1.5h") are fine. */
int num_duration(const char *text, int64_t min_ms, int64_t max_ms,
		 int64_t *out, struct err *e) MUST_CHECK;

/* "64k", "200M", "2G" (powers of 1024) or plain bytes. */
int num_size(const char *text, int64_t min, int64_t max, int64_t *out,
	     struct err *e) MUST_CHECK;

/* A number, or a percentage of `total` (at most 6 digits behind the point,
 * rounded down): "10", "2.5%"; 0 to INT64_MAX, 0% to 100%. */
int num_portion(const char *text, int64_t total, int64_t *out, struct err *e) MUST_CHECK;

/* The same the other way round, for people.  `buf` has NUM_BUF bytes and is
 * returned. */
enum { NUM_BUF = 48 };
char *num_count(int64_t n, char *buf);        /* 1,234,567 */
/* "1 request", "1,234 requests"; a noun of at most 12 bytes, whose plural ends
 * in s, or in es after ch. */
char *num_of(int64_t n, const char *noun, char *buf);
char *num_duration_text(int64_t ms, char *buf); /* 250ms 3.2s 4m10s 6h05m 7d3h */
char *num_size_text(int64_t bytes, char *buf);  /* 912B 64.0k 1.2M */

#endif
