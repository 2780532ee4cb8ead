/* picsvg: a graph as SVG, when somebody has found places for its nodes.
 *
 * Graphviz only says where things are; every byte is written here, so that names
 * and links of strangers cannot break it.  A node is a group with the id
 * "p-UUID", a tooltip (title) and, if the product has one, a link; in a page it leads to the element
 * "r-UUID" there.  The picture follows the page's light or dark colours. */
#ifndef FSL_DOMAIN_PICSVG_H
#define FSL_DOMAIN_PICSVG_H

#include "domain/picture.h"

struct picsvg_point {
	double x, y;
};

struct picsvg_line {
	struct picsvg_point *points; /* cubic Bézier: 1, 4, 7, ... of them */
	size_t n;
	bool has_tip;                /* an arrow from the last point to tip */
	struct picsvg_point tip;
};

/* Where things are: in points, y grows downwards. */
struct picsvg_layout {
	double width, height;
	struct picsvg_box { double x, y, w, h; } *boxes; /* x, y: the middle; n_nodes of them */
	struct picsvg_line *lines;
	size_t n_lines;
};
#define PICSVG_LAYOUT_INIT { .boxes = NULL }
void picsvg_layout_release(struct picsvg_layout *l);

enum picsvg_place { PICSVG_FILE, PICSVG_INLINE /* in HTML: no XML declaration */ };

void picsvg_write(const struct graph *g, const struct picture *p, const struct picsvg_layout *l,
		  enum picsvg_place place, struct str *out);

#endif
