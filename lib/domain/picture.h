/* picture: what all pictures of a graph have in common: colours, words, and how
 * text of strangers is made harmless in each format.
 *
 * Each format has a file of its own: picdot picmermaid pictree picjson picsvg
 * pichtml; how large labels are, in picsize.  They are pure: the same graph and options, the same bytes. */
#ifndef FSL_DOMAIN_PICTURE_H
#define FSL_DOMAIN_PICTURE_H

#include <stdbool.h>
#include <stddef.h>
#include "base/str.h"
#include "domain/graph.h"

enum picture_theme { PICTURE_FLETCHER, PICTURE_COLORBLIND };

struct picture {
	int theme;         /* enum picture_theme */
	bool top_down;     /* --rankdir TB */
	bool progress;     /* states and counts in words */
	bool states;       /* states in words, without progress too */
	bool legend;
	const char *title; /* NULL: none is shown */
};

#define PICTURE_INIT { .theme = PICTURE_FLETCHER }

/* Code points of a label, of a tooltip; what is longer is cut with "…". */
enum { PICTURE_LABEL = 60, PICTURE_TIP = 300 };

struct picture_color {
	const char *line;       /* of the box, "#rrggbb" */
	const char *edge;       /* around a line that is too pale for a white page; or NULL */
	const char *fill, *text;
	const char *dark_fill, *dark_text; /* on a dark page */
	bool dashed;
};
/* Of a state; STATE_NONE: neither stored nor coloured. */
const struct picture_color *picture_color(const struct picture *p, enum state s);

/* What stands for the state where no text is: the fill, of a box that is only a
 * frame its line. */
const char *picture_solid(const struct picture_color *c, bool dark);

/* A sign for the state that needs no colour: "✓"; STATE_NONE: "". */
const char *picture_sign(enum state s);

/* Appends at most `max` code points of v, without controls (base/safe.h). */
void picture_cut(struct str *out, struct span v, size_t max);
/* Appends "name:version", or the name alone if there is no version, so cut. */
void picture_name(struct str *out, const struct graph_node *v, size_t max);
/* Appends "running, 3 of 10 done (30 %), 1 failed, about 4m10s left"; nothing
 * for what is not stored. */
void picture_words(struct str *out, const struct graph_node *v);
/* Appends the lines of a label: the name, with states the state, and with progress
 * the words on one or two more; the lines are harmless and parted by newlines. */
void picture_label(struct str *out, const struct picture *p, const struct graph_node *v);
/* Is how much of a batch is done drawn as a bar too? */
bool picture_has_bar(const struct picture *p, const struct graph_node *v);
/* Appends the lines of a tooltip. */
void picture_tip(struct str *out, const struct graph_node *v);

/* Appends v for XML and HTML, as text or between quotes: what is special is
 * escaped, what XML may not hold is \xNN; newlines stay. */
void picture_xml(struct str *out, struct span v);

/* Is it a link: http:// or https://, printable ASCII without quotes, brackets,
 * white space and backslashes, at most 2,000 bytes?  javascript: is none. */
bool picture_is_link(struct span v);

#endif
