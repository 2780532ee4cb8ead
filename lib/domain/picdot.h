/* picdot: a graph in the language of Graphviz.
 *
 * Nodes are named by the UUIDs of the products and have it as id ("p-UUID"), for
 * those who look for them in what `dot` makes of it.  Links are not in it:
 * Graphviz 2.42 writes them into SVG without escaping them. */
#ifndef FSL_DOMAIN_PICDOT_H
#define FSL_DOMAIN_PICDOT_H

#include "domain/picture.h"

/* Above so many nodes and edges a layout by `dot` is told to hurry. */
enum { PICDOT_LARGE = 400, PICDOT_HUGE = 1500 };

void picdot_write(const struct graph *g, const struct picture *p, struct str *out);

/* Appends a string with its quotes, whose escapes mean nothing ("\N") and whose
 * entities ("&foo;") stay text, also in the SVG that Graphviz 2.42 writes. */
void picdot_quote(struct str *out, struct span v);

#endif
