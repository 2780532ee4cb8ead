/* escalate: --escalate MODEL=OTHER@DUR: which model a request goes to when the
 * end of its completion window is near.
 *
 *     gpt-4o=gpt-4o-mini@15m
 *
 * When less than DUR is left before the expiry, requests for MODEL go to OTHER.
 * A text has a rule a line; the first one for a model counts.  Names may have
 * any character but '=' in MODEL, and the last '@' begins DUR. */
#ifndef FSL_DOMAIN_ESCALATE_H
#define FSL_DOMAIN_ESCALATE_H

#include <stdbool.h>
#include <stdint.h>
#include "base/err.h"
#include "base/str.h"

struct escalate {
	char model[256], other[256];
	int64_t before_ms;
};

/* Are all rules well-formed?  ERR_USAGE. */
int escalate_check(const char *rules, struct err *e) MUST_CHECK;

/* The next rule: false at the end.  Start with *at = the text, which was
 * checked. */
bool escalate_next(const char **at, struct escalate *out);

/* The rule of a model. */
bool escalate_find(const char *rules, const char *model, struct escalate *out);

/* Appends a JSON body with the value of its outermost member "model" replaced;
 * every other byte stays.  false: it has no such member, which is a string. */
bool escalate_body(struct span body, const char *model, struct str *out);

#endif
