/* jsonstr: what stands between the quotes of a JSON string.
 *
 * The inner loops of base/json, which is what everybody else includes.  RFC
 * 8259 section 7: no control characters (U+0000..U+001F), the escapes \" \\ \/
 * \b \f \n \r \t and \uXXXX, surrogates as high and low in that order only;
 * and valid UTF-8 (RFC 3629). */
#ifndef FSL_BASE_JSONSTR_H
#define FSL_BASE_JSONSTR_H

#include "base/str.h"

/* Checks a string, *p standing behind its opening quote.  NULL: it is valid
 * and *p stands behind the closing one.  Else what is wrong with the byte at
 * *p (a static text; of an escape it is the backslash), or that *p is the end
 * of the text. */
const char *jsonstr_check(const char **p, const char *end);

/* Behind the closing quote of a valid string, p standing behind the opening
 * one. */
const char *jsonstr_end(const char *p, const char *end);

/* Appends what the valid raw text between the quotes stands for. */
void jsonstr_decode(struct span raw, struct str *out);

#endif
