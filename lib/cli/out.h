/* out: lists: one path to a table, to plain text and to JSON.
 *
 *     struct out *o CLEANUP(out_cleanup) = out_begin(t, columns, e);
 *     for each row:
 *             out_text(o, span); out_int(o, 7); out_time(o, ms);
 *             (one call per column, in their order), then out_row(o, e)
 *     out_end(o, e)
 *
 * Plain: TAB separated, no header, safe_plain(), "-" for null, times RFC 3339.
 * JSON: an object a line, the columns' json names, null for null, times RFC 3339.
 * Table: a header, columns aligned, numbers to the right; rows are held back
 * until 1,000 are there or the end, then widths are fixed.  On a terminal the
 * widest text columns are narrowed (to 8 at least) until the table fits, and a
 * text that is wider than its column is cut with "…".  Titles are bold if the
 * tool has color.  --columns picks and orders columns by title or json name
 * (upper or lower case); an unknown one is ERR_USAGE and the message lists
 * those there are.  `columns` must live as long as the struct out. */
#ifndef FSL_CLI_OUT_H
#define FSL_CLI_OUT_H

#include "base/err.h"
#include "base/str.h"
#include "cli/tool.h"

enum out_type {
	OUT_TEXT, OUT_INT, OUT_TIME, OUT_SIZE,
	OUT_RAW,    /* a JSON value; text elsewhere */
	OUT_NUMBER, /* the text of a JSON number; a number elsewhere */
};

struct out_column {
	const char *title; /* "REQUESTS"; NULL closes the list */
	const char *json;  /* "requests" */
	enum out_type type;
};

struct out; /* opaque */

struct out *out_begin(const struct tool *t, const struct out_column *columns,
		      struct err *e) MUST_CHECK;
void out_free(struct out *o);
void out_cleanup(struct out **o);

void out_text(struct out *o, struct span v);   /* also OUT_RAW, OUT_NUMBER; SPAN_NONE: null */
void out_textz(struct out *o, const char *z);  /* NULL: null */
void out_int(struct out *o, int64_t v);        /* also OUT_SIZE: bytes */
void out_time(struct out *o, int64_t wall_ms); /* 0: null */
void out_null(struct out *o);

/* Prints the row (all columns must have been given: a BUG otherwise). */
int out_row(struct out *o, struct err *e) MUST_CHECK;
int out_end(struct out *o, struct err *e) MUST_CHECK;

#endif
