/* jsonsort: a JSON value in a form in which equal values have equal bytes.
 *
 * Compact, the members of every object in the order of the bytes of their
 * names, strings in the one spelling of base/jsonw.  Numbers keep their
 * digits: 1 and 1.0 stay different. */
#ifndef FSL_BASE_JSONSORT_H
#define FSL_BASE_JSONSORT_H

#include <stdbool.h>
#include "base/str.h"

/* Appends the valid value. */
void jsonsort(struct span value, struct str *out);

/* Are two valid values equal, whatever the order of their members?  SPAN_NONE
 * equals SPAN_NONE only. */
bool jsonsort_eq(struct span a, struct span b);

#endif
