/* picsize: how large the box around a label is, whatever fonts are there.
 *
 * Pictures are looked at elsewhere than they are made, so the letters here are of
 * Helvetica as its metrics say (Adobe's AFM; Arial and Liberation Sans have the
 * same), with room for those a third wider or so at the edges, such as DejaVu
 * Sans.  The same label has the same size on every machine. */
#ifndef FSL_DOMAIN_PICSIZE_H
#define FSL_DOMAIN_PICSIZE_H

#include "base/str.h"

/* Points: the sizes of the first line of a label and of the others, and how far
 * below the one before a line stands. */
enum { PICSIZE_NAME = 14, PICSIZE_WORDS = 12, PICSIZE_LINE = 16 };
enum { PICSIZE_BAR = 8 /* room for a bar below the text */ };

struct picsize {
	double w, h; /* points */
};

/* How wide a line of UTF-8 is, in letters of `points`. */
double picsize_text(struct span v, double points);

/* The box of a label of one or more lines, parted by newlines. */
struct picsize picsize_box(struct span label, bool bar);

#endif
