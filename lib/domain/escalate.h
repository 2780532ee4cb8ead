/* escalate: --escalate MODEL=OTHER@DUR: which model a request goes to when the
 * end of its completion window is near.
 *
 *     gpt-4o=gpt-4o-mini@15m
 *
 * When less than DUR is left before the expiry, requests for MODEL go to OTHER.
 * A text has a rule a line; the first one for a model counts.  Names may have
 * at most 256 bytes and any character but '=' in MODEL and control characters;
 * the last '@' begins DUR, which is from 1 ms to 30 days. */
#ifndef FSL_DOMAIN_ESCALATE_H
#define FSL_DOMAIN_ESCALATE_H

#include <stdbool.h>
#include <stdint.h>
#include "base/err.h"
#include "base/str.h"

struct escalate {
	char model[257], other[257];
	int64_t before_ms;
};

/* Are all rules well-formed?  ERR_USAGE. */
int escalate_check(const char *rules, struct err *e) MUST_CHECK;

/* The next rule: false at the end.  Start with *at = the text, which was
 * checked. */
bool escalate_next(const char **at, struct escalate *out);

/* The rule of a model. */
bool escalate_find(const char *rules, const char *model, struct escalate *out);

/* Appends the body with `value`, a part of it, replaced by this model's name as
 * a JSON string; every other byte stays. */
void escalate_body(struct span body, struct span value, const char *model, struct str *out);

#endif
