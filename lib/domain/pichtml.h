/* pichtml: a graph as a page: one file that needs no network and no script, for
 * light and dark screens, large and small.
 *
 * The picture, a table of the products (state, counts, run, link, since when)
 * and the plan, folded.  A content security policy forbids whatever else. */
#ifndef FSL_DOMAIN_PICHTML_H
#define FSL_DOMAIN_PICHTML_H

#include "domain/picsvg.h"

/* plan: its JSON as text. */
void pichtml_write(const struct graph *g, const struct picture *p, const struct picsvg_layout *l,
		   struct span plan, struct str *out);

#endif
