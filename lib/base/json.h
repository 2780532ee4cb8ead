/* json: the strict reader of JSON texts of strangers.
 *
 * RFC 8259, all of it and nothing else: valid UTF-8 (RFC 3629), escapes of
 * section 7 (a \u surrogate must be one of a pair: a lone one is refused, as
 * no UTF-8 can hold it), numbers of section 6 of any length, the four white
 * space characters, depth at most JSON_DEPTH, no text behind the value.
 * Nothing is converted: callers get byte ranges and send them on unchanged.
 * No recursion: an explicit stack of one bit per level. */
#ifndef FSL_BASE_JSON_H
#define FSL_BASE_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/str.h"

enum { JSON_DEPTH = 512 };

enum json_type {
	JSON_NULL, JSON_FALSE, JSON_TRUE, JSON_NUMBER, JSON_STRING, JSON_ARRAY,
	JSON_OBJECT
};

struct json_error {
	size_t offset;    /* of the byte where it went wrong; of a bad escape,
			   * the backslash; of a text cut off, its end */
	const char *what; /* static: "unexpected character", "invalid UTF-8", … */
	bool utf8;        /* it is the UTF-8 that is bad */
};

/* Called for each member of the outermost object (depth 1) and of objects
 * that are themselves members of it (depth 2, with `parent` the raw name of
 * the outer member), after its value has been checked: members of depth 2
 * come before the member of depth 1 that holds them.  `name` is the raw text
 * between the quotes (escapes not resolved), `value` the raw value without
 * white space around it.  Returning non-zero stops the scan, which returns
 * that value. */
typedef int json_member_fn(void *ctx, int depth, struct span parent,
			   struct span name, struct span value);

/* Checks one whole text.  0: it is valid.  -1: it is not, see *je.  Else what
 * the callback returned.  fn may be NULL. */
int json_scan(struct span text, json_member_fn *fn, void *ctx,
	      struct json_error *je);

/* The type of a value whose text is valid and starts at its first byte. */
enum json_type json_type(struct span value);

/* Appends the decoded string; `value` is a valid JSON string with its quotes.
 * The result may hold NUL (from \u0000). */
void json_string(struct span value, struct str *out);

/* Same for the raw text between the quotes, and whether it has no escapes
 * (then the raw text is the string). */
void json_unescape(struct span raw, struct str *out);
bool json_plain(struct span raw);

/* True and *out if a valid JSON number is an integer from min to max that is
 * written without point and exponent. */
bool json_int(struct span value, int64_t min, int64_t max, int64_t *out);

/* Appends valid JSON without the white space between its tokens, so that it
 * fits on a line; every other byte stays. */
void json_compact(struct span value, struct str *out);

/* Walks over the members of a valid object (or the elements of a valid array,
 * name is then SPAN_NONE), in order.  Start with *pos = 0; false at the end. */
bool json_each(struct span value, size_t *pos, struct span *name,
	       struct span *item);

#endif
