/* rule: 'MATCH => ACTION', read and matched.
 *
 * The language is described at the head of httpd.c.  The first rule that
 * matches wins.  Rules with drop-before-read are asked apart, before a byte
 * of the request is read. */
#ifndef TESTS_HTTP_RULE_H
#define TESTS_HTTP_RULE_H

#include <stdbool.h>
#include <stdint.h>
#include "base/err.h"
#include "base/str.h"
#include "action.h"
#include "request.h"

struct rule;

struct rules {
	struct rule *v;
	size_t n;
	bool any_unread; /* one has drop-before-read */
	bool any_seen;   /* one has key-seen: fill in request.seen */
};

/* -1: the rule is wrong, see *e. */
int rule_add(struct rules *rs, const char *text, struct err *e) MUST_CHECK;
/* One rule per line; empty lines and lines with # at their start are skipped. */
int rule_add_file(struct rules *rs, const char *path, struct err *e) MUST_CHECK;
void rule_release(struct rules *rs);

/* The action for the request, or NULL; counts the hit. */
const struct action *rule_pick(struct rules *rs, const struct request *r);

/* True if the connection on which bytes of a new request wait has to be
 * dropped.  `reused`: it had a request before. */
bool rule_drops_unread(struct rules *rs, bool reused);

#endif
