#include "cli/out.h"

#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include "base/clock.h"
#include "base/json.h"
#include "base/jsonw.h"
#include "base/mem.h"
#include "base/num.h"
#include "base/safe.h"

enum {
	HOLD_ROWS = 1000,
	NARROWEST = 8,  /* no column is cut below this */
	GAP = 2,        /* between columns */
	SCREEN = 80,    /* of a terminal that does not tell */
};

/* A value as it will be printed, in the bytes of out.row or out.held. */
struct cell {
	size_t start, n, width;
};

struct out {
	const struct out_column *columns;
	enum tool_format format;
	bool color;
	size_t screen;      /* 0: no terminal, nothing is cut */
	int n_columns;
	int *picked;        /* the columns that are printed, in order */
	int n_picked;
	int *rank;          /* of each column in `picked`, -1: not printed */
	struct str row;     /* the row that is being made, cells by rank */
	struct cell *cells;
	int given;          /* columns given so far */
	struct str held;    /* rows that wait for their widths */
	struct cell *held_cells;
	int n_held;
	size_t *widths;     /* by rank */
	bool fixed;         /* widths are, and the header is printed */
	struct str line;    /* scratch */
};

void out_free(struct out *o)
{
	if (!o)
		return;
	str_release(&o->row);
	str_release(&o->held);
	str_release(&o->line);
	free(o->picked);
	free(o->rank);
	free(o->cells);
	free(o->held_cells);
	free(o->widths);
	free(o);
}

void out_cleanup(struct out **o)
{
	out_free(*o);
}

static int column_error(const struct out *o, const char *what, struct span name,
			struct err *e)
{
	struct str all CLEANUP(str_release) = STR_INIT;
	for (int i = 0; i < o->n_columns; i++)
		str_addf(&all, "%s%s", i ? ", " : "", o->columns[i].title);
	return err_set(e, ERR_USAGE, "--columns: %s '%s'; there are %s", what,
		       safe_show(name, 40), str_z(&all));
}

static int pick(struct out *o, struct span name, struct err *e)
{
	int i = 0;
	while (i < o->n_columns && !span_is_nocase(name, o->columns[i].title) &&
	       !span_is_nocase(name, o->columns[i].json))
		i++;
	if (i == o->n_columns)
		return column_error(o, "there is no column", name, e);
	if (o->rank[i] >= 0)
		return column_error(o, "named twice:", name, e);
	o->rank[i] = o->n_picked;
	o->picked[o->n_picked++] = i;
	return 0;
}

static int pick_columns(struct out *o, const char *names, struct err *e)
{
	for (int i = 0; i < o->n_columns; i++)
		o->rank[i] = -1;
	for (int i = 0; !names && i < o->n_columns; i++)
		o->rank[i] = o->picked[o->n_picked++] = i;
	while (names) {
		size_t n = strcspn(names, ",");
		if (pick(o, (struct span){ names, n }, e) < 0)
			return -1;
		names = names[n] ? names + n + 1 : NULL;
	}
	return 0;
}

static size_t screen_width(void)
{
	struct winsize w;
	if (!isatty(STDOUT_FILENO))
		return 0;
	return ioctl(STDOUT_FILENO, TIOCGWINSZ, &w) == 0 && w.ws_col > 0 ? w.ws_col : SCREEN;
}

struct out *out_begin(const struct tool *t, const struct out_column *columns,
		      struct err *e)
{
	struct out *o CLEANUP(out_cleanup) = mem_alloc(sizeof(*o));
	o->columns = columns;
	o->format = t->format;
	o->color = t->color;
	while (columns[o->n_columns].title)
		o->n_columns++;
	const size_t n = (size_t)o->n_columns;
	o->picked = mem_alloc(n * sizeof(*o->picked));
	o->rank = mem_alloc(n * sizeof(*o->rank));
	if (pick_columns(o, t->columns, e) < 0)
		return NULL;
	o->cells = mem_alloc(n * sizeof(*o->cells));
	str_reserve(&o->row, 1);
	str_reserve(&o->held, 1);
	if (o->format == TOOL_TABLE) {
		o->screen = screen_width();
		o->held_cells = mem_alloc(n * HOLD_ROWS * sizeof(*o->held_cells));
		o->widths = mem_alloc(n * sizeof(*o->widths));
	}
	return TAKE(o);
}

static enum out_type next_type(const struct out *o)
{
	if (o->given >= o->n_columns)
		BUG("a row has more than its %d columns", o->n_columns);
	return o->columns[o->given].type;
}

/* Where the next value goes; NULL when its column is not printed. */
static struct str *cell_open(struct out *o)
{
	if (o->given == 0)
		str_reset(&o->row);
	int rank = o->rank[o->given];
	if (rank < 0) {
		o->given++;
		return NULL;
	}
	o->cells[rank].start = o->row.n;
	return &o->row;
}

static size_t text_width(const char *p, size_t n)
{
	size_t w = 0;
	for (size_t i = 0; i < n; i++)
		w += ((unsigned char)p[i] & 0xc0) != 0x80;
	return w;
}

static void cell_close(struct out *o)
{
	struct cell *c = &o->cells[o->rank[o->given++]];
	c->n = o->row.n - c->start;
	c->width = o->format == TOOL_TABLE ? text_width(o->row.p + c->start, c->n) : 0;
}

void out_null(struct out *o)
{
	next_type(o);
	struct str *s = cell_open(o);
	if (!s)
		return;
	str_addz(s, o->format == TOOL_JSON ? "null" : "-");
	cell_close(o);
}

void out_text(struct out *o, struct span v)
{
	enum out_type type = next_type(o);
	if (type != OUT_TEXT && type != OUT_RAW && type != OUT_NUMBER)
		BUG("column %s is no text", o->columns[o->given].title);
	if (!v.p) {
		out_null(o);
		return;
	}
	struct str *s = cell_open(o);
	if (!s)
		return;
	if (o->format == TOOL_JSON && type != OUT_TEXT)
		json_compact(v, s);
	else if (o->format == TOOL_JSON)
		jsonw_quote(s, v);
	else if (o->format == TOOL_PLAIN)
		safe_plain(s, v);
	else
		safe_text(s, v);
	cell_close(o);
}

void out_textz(struct out *o, const char *z)
{
	out_text(o, span_of(z));
}

void out_int(struct out *o, int64_t v)
{
	enum out_type type = next_type(o);
	if (type != OUT_INT && type != OUT_SIZE)
		BUG("column %s is no number", o->columns[o->given].title);
	struct str *s = cell_open(o);
	if (!s)
		return;
	char buf[NUM_BUF];
	if (type == OUT_SIZE && o->format == TOOL_TABLE)
		str_addz(s, num_size_text(v, buf));
	else
		str_addf(s, "%lld", (long long)v);
	cell_close(o);
}

void out_time(struct out *o, int64_t wall_ms)
{
	if (next_type(o) != OUT_TIME)
		BUG("column %s is no time", o->columns[o->given].title);
	if (wall_ms == 0) {
		out_null(o);
		return;
	}
	struct str *s = cell_open(o);
	if (!s)
		return;
	char buf[CLOCK_BUF];
	str_addf(s, o->format == TOOL_JSON ? "\"%s\"" : "%s", clock_text(wall_ms, buf));
	cell_close(o);
}

static struct span cell_span(const struct str *bytes, const struct cell *c)
{
	return (struct span){ bytes->p + c->start, c->n };
}

static bool is_text(const struct out *o, int rank)
{
	enum out_type type = o->columns[o->picked[rank]].type;
	return type == OUT_TEXT || type == OUT_RAW;
}

static bool is_number(const struct out *o, int rank)
{
	enum out_type type = o->columns[o->picked[rank]].type;
	return type == OUT_INT || type == OUT_SIZE || type == OUT_NUMBER;
}

/* Appends one cell of a table to the line, cut or padded to its width. */
static void add_cell(struct out *o, int rank, struct span v, size_t width)
{
	const size_t limit = o->widths[rank];
	if (o->screen > 0 && is_text(o, rank) && width > limit) {
		size_t n = 0;
		for (size_t w = 1; w < limit; w++)
			n += safe_utf8(v.p + n, v.n - n);
		str_add(&o->line, v.p, n);
		v = SPAN_LIT("…");
		width = limit;
	}
	const int pad = width < limit ? (int)(limit - width) : 0;
	if (is_number(o, rank))
		str_addf(&o->line, "%*s", pad, "");
	str_addspan(&o->line, v);
	if (rank + 1 < o->n_picked)
		str_addf(&o->line, "%*s", GAP + (is_number(o, rank) ? 0 : pad), "");
}

static int print_table_row(struct out *o, const struct str *bytes,
			   const struct cell *cells, struct err *e)
{
	str_reset(&o->line);
	for (int i = 0; i < o->n_picked; i++)
		add_cell(o, i, cell_span(bytes, &cells[i]), cells[i].width);
	str_addc(&o->line, '\n');
	return tool_print(str_span(&o->line), e);
}

/* Narrows the widest text columns until the table fits on the screen, or
 * until all of them are narrow enough. */
static void fit_widths(struct out *o)
{
	size_t total = 0;
	for (int i = 0; i < o->n_picked; i++) {
		if (is_text(o, i) && o->widths[i] > o->screen)
			o->widths[i] = o->screen;
		total += o->widths[i] + (i ? GAP : 0);
	}
	for (; total > o->screen; total--) {
		size_t *widest = NULL;
		for (int i = 0; i < o->n_picked; i++)
			if (is_text(o, i) && (!widest || o->widths[i] > *widest))
				widest = &o->widths[i];
		if (!widest || *widest <= NARROWEST)
			return;
		--*widest;
	}
}

/* Fixes the widths by the rows that are held and prints the header. */
static int print_header(struct out *o, struct err *e)
{
	for (int i = 0; i < o->n_picked; i++) {
		const char *title = o->columns[o->picked[i]].title;
		o->widths[i] = text_width(title, strlen(title));
		for (int r = 0; r < o->n_held; r++) {
			size_t w = o->held_cells[r * o->n_picked + i].width;
			if (w > o->widths[i])
				o->widths[i] = w;
		}
	}
	if (o->screen > 0)
		fit_widths(o);
	o->fixed = true;
	str_reset(&o->line);
	if (o->color)
		str_addz(&o->line, "\033[1m");
	for (int i = 0; i < o->n_picked; i++) {
		struct span title = span_of(o->columns[o->picked[i]].title);
		add_cell(o, i, title, text_width(title.p, title.n));
	}
	str_addz(&o->line, o->color ? "\033[0m\n" : "\n");
	return tool_print(str_span(&o->line), e);
}

static int flush_held(struct out *o, struct err *e)
{
	if (!o->fixed && print_header(o, e) < 0)
		return -1;
	for (int r = 0; r < o->n_held; r++)
		if (print_table_row(o, &o->held, &o->held_cells[r * o->n_picked], e) < 0)
			return -1;
	o->n_held = 0;
	str_reset(&o->held);
	return 0;
}

static int table_row(struct out *o, struct err *e)
{
	if (o->fixed)
		return print_table_row(o, &o->row, o->cells, e);
	struct cell *to = &o->held_cells[o->n_held++ * o->n_picked];
	for (int i = 0; i < o->n_picked; i++) {
		to[i] = o->cells[i];
		to[i].start += o->held.n;
	}
	str_addspan(&o->held, str_span(&o->row));
	return o->n_held == HOLD_ROWS ? flush_held(o, e) : 0;
}

int out_row(struct out *o, struct err *e)
{
	if (o->given != o->n_columns)
		BUG("a row has %d of its %d columns", o->given, o->n_columns);
	o->given = 0;
	if (o->format == TOOL_TABLE)
		return table_row(o, e);
	str_reset(&o->line);
	if (o->format == TOOL_JSON) {
		struct jsonw w = jsonw_start(&o->line);
		jsonw_object(&w);
		for (int i = 0; i < o->n_picked; i++)
			jsonw_kraw(&w, o->columns[o->picked[i]].json,
				   cell_span(&o->row, &o->cells[i]));
		jsonw_end(&w);
	} else {
		for (int i = 0; i < o->n_picked; i++) {
			if (i > 0)
				str_addc(&o->line, '\t');
			str_addspan(&o->line, cell_span(&o->row, &o->cells[i]));
		}
	}
	str_addc(&o->line, '\n');
	return tool_print(str_span(&o->line), e);
}

int out_end(struct out *o, struct err *e)
{
	if (o->given != 0)
		BUG("a row was not ended");
	return o->format == TOOL_TABLE ? flush_held(o, e) : 0;
}
