/* casefold: text in which upper and lower case are the same, for searching.
 *
 * Each character becomes the lower case of its upper case, in all scripts
 * that the C library knows (the simple mappings of Unicode; "ß" stays "ß").
 * Bytes that are no UTF-8 stay as they are. */
#ifndef FSL_BASE_CASEFOLD_H
#define FSL_BASE_CASEFOLD_H

#include "base/str.h"

/* Appends the folded text. */
void casefold(struct span v, struct str *out);

#endif
