/* diff: what a plan changes, in lines for people.
 *
 *     + judge
 *     ~ summarize: version, passthrough changed
 *     - extract -> judge
 *
 * `differs` is in the bits of domain/publishrows.h. */
#ifndef FSL_DOMAIN_DIFF_H
#define FSL_DOMAIN_DIFF_H

#include "base/str.h"
#include "domain/state.h"

/* mark: '+', '~' or '-' */
void diff_product(struct str *out, char mark, struct span name, unsigned differs);
void diff_edge(struct str *out, char mark, struct span parent, struct span child);

/* "~ summarize: version changed, still success (--clear-changed runs it again)" */
void diff_stale(struct str *out, struct span name, unsigned differs, enum state state);

#endif
