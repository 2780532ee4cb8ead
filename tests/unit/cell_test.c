#include "cli/cell.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "unit.h"

static const struct out_column columns[] = {
	{ "A", "a", OUT_INT }, { "B", "b", OUT_INT }, { "C", "c", OUT_TEXT }, { "D", "d", OUT_TEXT },
	{ "E", "e", OUT_TIME }, { 0 },
};

/* What is printed, through standard output and back. */
static const char *printed(enum tool_format format, const struct cell *cells, size_t n)
{
	static char text[500];
	char path[500];
	struct tool t = { .program = "test", .format = format };
	struct err e = ERR_INIT;

	snprintf(path, sizeof path, "%s/out", unit_dir());
	fflush(stdout);
	int saved = dup(STDOUT_FILENO), fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
	dup2(fd, STDOUT_FILENO);
	struct out *o = out_begin(&t, columns, &e);
	bool good = o && cell_row(o, cells, n, &e) == 0 && out_end(o, &e) == 0;
	out_free(o);
	fflush(NULL); /* cli/tool prints through a stream of its own */
	dup2(saved, STDOUT_FILENO);
	close(saved);
	ssize_t got = pread(fd, text, sizeof text - 1, 0);
	close(fd);
	text[good && got > 0 ? got : 0] = '\0';
	return text;
}

/* The same of a row that was made elsewhere. */
static void values(void)
{
	struct tool t = { .program = "test", .format = TOOL_PLAIN };
	struct row r CLEANUP(row_release) = ROW_INIT;
	struct err e = ERR_INIT;
	char text[200], path[500];

	row_int(&r, 7);
	row_null(&r);
	row_textz(&r, "x\ty");
	row_textz(&r, NULL);
	row_time(&r, 1000);
	snprintf(path, sizeof path, "%s/values", unit_dir());
	fflush(stdout);
	int saved = dup(STDOUT_FILENO), fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
	dup2(fd, STDOUT_FILENO);
	struct out *o = out_begin(&t, columns, &e);
	bool good = o && cell_values(o, &r, &e) == 0 && out_end(o, &e) == 0;
	out_free(o);
	fflush(NULL);
	dup2(saved, STDOUT_FILENO);
	close(saved);
	ssize_t got = pread(fd, text, sizeof text - 1, 0);
	close(fd);
	text[good && got > 0 ? got : 0] = '\0';
	CHECK_STR(text, "7\t-\tx\\ty\t-\t1970-01-01T00:00:01Z\n", "a row of values");
}

int main(void)
{
	const struct cell some[] = {
		cell_int(7), cell_int_if(true, 8), cell_text(SPAN_LIT("x\ty")), cell_textz("z"),
		cell_time(1000),
	};
	const struct cell none[] = {
		cell_int(-1), cell_int_if(false, 8), cell_text(SPAN_NONE), cell_textz(NULL),
		cell_time(0),
	};

	CHECK_STR(printed(TOOL_PLAIN, some, ARRAY_LEN(some)),
		  "7\t8\tx\\ty\tz\t1970-01-01T00:00:01Z\n", "each kind of cell");
	CHECK_STR(printed(TOOL_JSON, some, ARRAY_LEN(some)),
		  "{\"a\":7,\"b\":8,\"c\":\"x\\ty\",\"d\":\"z\",\"e\":\"1970-01-01T00:00:01Z\"}\n",
		  "as JSON");
	CHECK_STR(printed(TOOL_JSON, none, ARRAY_LEN(none)),
		  "{\"a\":-1,\"b\":null,\"c\":null,\"d\":null,\"e\":null}\n", "and what is not there");
	values();
	return unit_done();
}
