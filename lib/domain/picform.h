/* picform: which format a picture has, and those that need no layout. */
#ifndef FSL_DOMAIN_PICFORM_H
#define FSL_DOMAIN_PICFORM_H

#include "domain/picture.h"

/* The format: `type` (-T; may be NULL), else the suffix of `file` (-o; may be
 * NULL), else "dot"; other names of ours ("gv" "htm" "mmd" "txt") become the
 * usual ones.  One of the two, or static. */
const char *picform_of(const char *type, const char *file);

/* svg and html are laid out by Graphviz and written here. */
bool picform_is_drawn(const char *form);

/* Writes dot, mermaid, tree and json; false: it is none of them. */
bool picform_write(const char *form, const struct graph *g, const struct picture *p,
		   struct str *out);

#endif
