#include "cli/cell.h"

struct cell cell_int(int64_t v)
{
	return (struct cell){ .kind = CELL_INT, .n = v };
}

struct cell cell_int_if(bool known, int64_t v)
{
	return known ? cell_int(v) : (struct cell){ .kind = CELL_NULL };
}

struct cell cell_text(struct span v)
{
	return (struct cell){ .kind = CELL_TEXT, .text = v };
}

struct cell cell_textz(const char *z)
{
	return cell_text(span_of(z));
}

struct cell cell_time(int64_t wall_ms)
{
	return (struct cell){ .kind = CELL_TIME, .n = wall_ms };
}

int cell_row(struct out *o, const struct cell *cells, size_t n, struct err *e)
{
	for (size_t i = 0; i < n; i++) {
		switch (cells[i].kind) {
		case CELL_NULL:
			out_null(o);
			break;
		case CELL_INT:
			out_int(o, cells[i].n);
			break;
		case CELL_TEXT:
			out_text(o, cells[i].text);
			break;
		case CELL_TIME:
			out_time(o, cells[i].n);
			break;
		}
	}
	return out_row(o, e);
}

int cell_values(struct out *o, const struct row *r, struct err *e)
{
	for (int i = 0; i < r->n; i++) {
		switch (r->v[i].kind) {
		case ROW_NULL:
			out_null(o);
			break;
		case ROW_INT:
			out_int(o, r->v[i].n);
			break;
		case ROW_TEXT:
			out_text(o, row_span(r, i));
			break;
		case ROW_TIME:
			out_time(o, r->v[i].n);
			break;
		}
	}
	return out_row(o, e);
}
