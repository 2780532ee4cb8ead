/* row: a row of a list as typed values, for whoever prints it. */
#ifndef FSL_BASE_ROW_H
#define FSL_BASE_ROW_H

#include <stdbool.h>
#include <stdint.h>
#include "base/str.h"

enum { ROW_MAX = 16 };

struct row {
	struct row_value {
		enum { ROW_NULL, ROW_INT, ROW_TEXT, ROW_TIME } kind;
		int64_t n;        /* the number; of a time, wall clock milliseconds */
		size_t at, len;   /* of a text, in `text` */
	} v[ROW_MAX];
	int n;
	struct str text;          /* copies of the texts */
};

#define ROW_INIT { .n = 0 }
void row_release(struct row *r);
void row_reset(struct row *r);  /* no values, memory kept */

/* Append a value; one more than ROW_MAX is a BUG. */
void row_null(struct row *r);
void row_int(struct row *r, int64_t v);
void row_int_if(struct row *r, bool known, int64_t v); /* else null */
void row_text(struct row *r, struct span v);           /* SPAN_NONE: null */
void row_textz(struct row *r, const char *z);          /* NULL: null */
void row_time(struct row *r, int64_t wall_ms);         /* 0: null */

/* Of a text, valid until the row changes. */
struct span row_span(const struct row *r, int i);

#endif
