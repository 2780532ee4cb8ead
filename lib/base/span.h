/* span: bytes that somebody else owns.
 *
 * A pointer and a length; the bytes may hold NUL and need not end in one. */
#ifndef FSL_BASE_SPAN_H
#define FSL_BASE_SPAN_H

#include <stdbool.h>
#include <stddef.h>

struct span {
	const char *p; /* NULL: absent, which is not the same as empty */
	size_t n;
};

#define SPAN_NONE ((struct span){ NULL, 0 })
/* A span over a string literal. */
#define SPAN_LIT(s) ((struct span){ "" s, sizeof(s) - 1 })

struct span span_of(const char *z);          /* NULL gives SPAN_NONE */
bool span_eq(struct span a, struct span b);
bool span_is(struct span a, const char *z);
bool span_starts(struct span a, const char *z);
bool span_is_nocase(struct span a, const char *z); /* ASCII only */
/* The last line with anything but blanks and line breaks in it, without those
 * at its end; empty if there is none. */
struct span span_last_line(struct span v);

#endif
