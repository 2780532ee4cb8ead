/* limits: what --limit says: how much of a model may go on at once.
 *
 *     gpt-4o:jobs=5,rate=500/m,tokens=30k/m
 *     *:jobs=2                      each other model, by itself
 *
 * jobs is a number in flight, rate one of starts and tokens one of estimated
 * tokens (a byte of the body is a quarter of a token, and what the request
 * allows the model to write is added; corrected by the answer's usage) in an
 * interval.  A rule for the very name comes before "*"; of two rules for the
 * same name the later one counts, member by member. */
#ifndef FSL_DOMAIN_LIMITS_H
#define FSL_DOMAIN_LIMITS_H

#include <stdbool.h>
#include <stdint.h>
#include "base/err.h"
#include "base/str.h"

/* Numbers per interval; n 0: no such limit. */
struct limit_rate {
	int64_t n;           /* 1 to 10^9 */
	int64_t interval_ms; /* 1 ms to 7 d */
};

struct limit {
	int64_t jobs;        /* 0: no such limit; to 10,000 */
	struct limit_rate rate, tokens;
};

struct limits_rule {
	char *model;         /* "*": any other */
	struct limit limit;
};

struct limits {
	struct limits_rule *v;
	int n;
};

#define LIMITS_INIT { NULL, 0 }
void limits_release(struct limits *l);

/* Adds a rule; ERR_USAGE with what is wrong about it. */
int limits_add(struct limits *l, const char *rule, struct err *e) MUST_CHECK;

/* What holds for the model; all 0: nothing. */
struct limit limits_of(const struct limits *l, const char *model);

/* Member by member the smaller one of both goes to *l. */
void limits_least(struct limit *l, const struct limit *other);

/* As a JSON array of the rules' texts, and back.  What cannot be read (written
 * by a newer program) is passed over. */
void limits_write(const struct limits *l, struct str *out);
void limits_read(struct limits *l, struct span json);

/* "500/m", "5/15s", "30k/m". */
int limits_rate(const char *text, struct limit_rate *out, struct err *e) MUST_CHECK;
/* "500/m" again, for people. */
void limits_rate_text(const struct limit_rate *r, struct str *out);

#endif
