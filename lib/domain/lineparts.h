/* lineparts: the members of an input line as they stand in it.
 *
 * One scan of the JSON text (base/json) that says where everything is; what
 * the members must look like is domain/line's affair.  Names compare after
 * their escapes are resolved. */
#ifndef FSL_DOMAIN_LINEPARTS_H
#define FSL_DOMAIN_LINEPARTS_H

#include <stdbool.h>
#include "base/json.h"
#include "base/str.h"

enum lineparts_member {
	PART_CUSTOM_ID, PART_URL, PART_METHOD, PART_HEADERS, PART_BODY, PART_MODEL,
	PART_METADATA, PART_API_KEY, PART_COUNT
};
extern const struct span lineparts_names[PART_COUNT]; /* each with a NUL behind it */

/* Members of a body that is an object.  The limits of tokens stand in the
 * order in which they count. */
enum lineparts_of_body {
	BODY_MAX_COMPLETION_TOKENS, BODY_MAX_TOKENS, BODY_MAX_OUTPUT_TOKENS,
	BODY_MODEL, BODY_STREAM, BODY_COUNT
};

struct lineparts {
	bool object;                   /* the line is a JSON object */
	size_t start;                  /* where it begins, behind white space */
	struct span value[PART_COUNT]; /* raw; SPAN_NONE: absent */
	struct span body[BODY_COUNT];  /* raw; of two the last */
	struct span twice;             /* raw name of the first member of the line
					* that was given before; SPAN_NONE: none */
};

/* 0, or -1 and *je if it is not JSON.  The spans point into `raw`. */
int lineparts_read(struct lineparts *out, struct span raw, struct json_error *je);

#endif
