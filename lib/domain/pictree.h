/* pictree: a graph as text, such as tree(1) prints directories.
 *
 * What several products need stands under each of them; the first time with what
 * comes below it, then with "(above)" behind it.  A path of more than
 * PICTREE_DEPTH products goes on in a tree of its own: "(below)". */
#ifndef FSL_DOMAIN_PICTREE_H
#define FSL_DOMAIN_PICTREE_H

#include "domain/picture.h"

enum { PICTREE_DEPTH = 32 };

void pictree_write(const struct graph *g, const struct picture *p, struct str *out);

#endif
