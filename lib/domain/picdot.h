/* picdot: a graph in the language of Graphviz.
 *
 * Nodes are named by the UUIDs of the products and have it as id ("p-UUID"), for
 * those who look for them in what `dot` makes of it.  Links are not in it:
 * Graphviz 2.42 writes them into SVG without escaping them. */
#ifndef FSL_DOMAIN_PICDOT_H
#define FSL_DOMAIN_PICDOT_H

#include "domain/picture.h"

/* Above so many nodes and edges a layout by `dot` is told to hurry, and above so
 * many steps of edges from one level to the next: `dot` puts a node of its own
 * into each. */
enum { PICDOT_LARGE = 400, PICDOT_HUGE = 1500 };
enum { PICDOT_HUGE_STEPS = 6000, PICDOT_LONG_STEPS = 12000 };

void picdot_write(const struct graph *g, const struct picture *p, struct str *out);

/* The same for a layout only: boxes of the sizes that picsize.h gives, in the same
 * order, and no texts, so that the places do not hang on the fonts of a machine. */
void picdot_layout(const struct graph *g, const struct picture *p, struct str *out);

/* Appends a string with its quotes, whose escapes mean nothing ("\N") and whose
 * entities ("&foo;") stay text, also in the SVG that Graphviz 2.42 writes. */
void picdot_quote(struct str *out, struct span v);

#endif
