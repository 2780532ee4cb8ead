/* cell: a row of cli/out as an array, printed in one call.
 *
 *     const struct cell cells[] = { cell_int(7), cell_text(name) };
 *     return cell_row(o, cells, ARRAY_LEN(cells), e); */
#ifndef FSL_CLI_CELL_H
#define FSL_CLI_CELL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/err.h"
#include "base/row.h"
#include "base/str.h"
#include "cli/out.h"

struct cell {
	enum { CELL_NULL, CELL_INT, CELL_TEXT, CELL_TIME } kind;
	int64_t n;
	struct span text;
};

struct cell cell_int(int64_t v);
struct cell cell_int_if(bool known, int64_t v); /* else null */
struct cell cell_text(struct span v);           /* SPAN_NONE: null; so NULL: */
struct cell cell_textz(const char *z);
struct cell cell_time(int64_t wall_ms);         /* 0: null */

/* A row that was made elsewhere (base/row.h): one value per column of `o`. */
int cell_values(struct out *o, const struct row *r, struct err *e) MUST_CHECK;

/* One cell per column of `o`. */
int cell_row(struct out *o, const struct cell *cells, size_t n, struct err *e) MUST_CHECK;

#endif
