#include "cli/out.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>
#include "base/mem.h"
#include "unit.h"

static const struct out_column columns[] = {
	{ "NAME", "name", OUT_TEXT },       { "REQUESTS", "requests", OUT_INT },
	{ "CREATED", "created_at", OUT_TIME }, { "BYTES", "bytes", OUT_SIZE },
	{ "META", "metadata", OUT_RAW },    { NULL, NULL, OUT_TEXT },
};

static struct tool tool = { .program = "test" };
static struct err err;
static struct str said = STR_INIT; /* by the last child, on stdout */

/* Runs fn in a child whose stdout is a file, or a terminal of `cols` columns,
 * through tool_main(), which flushes it. */
static int (*body)(void);

static int run_body(struct tool *t, struct err *e)
{
	(void)t;
	int rc = body();
	*e = err;
	return rc;
}

static const struct tool_verb verbs[] = {
	{ .operands = "", .run = run_body }, { .run = NULL },
};
static const struct tool_program program = { .name = "test", .verbs = verbs };

static void read_back(int fd)
{
	char buf[4096];
	ssize_t n;
	str_reset(&said);
	while ((n = read(fd, buf, sizeof(buf))) > 0)
		str_add(&said, buf, (size_t)n);
}

static int open_terminal(int cols, int *slave)
{
	int master = posix_openpt(O_RDWR | O_NOCTTY);
	if (master < 0 || grantpt(master) < 0 || unlockpt(master) < 0)
		abort();
	*slave = open(ptsname(master), O_RDWR | O_NOCTTY);
	struct termios raw;
	struct winsize size = { .ws_row = 24, .ws_col = (unsigned short)cols };
	if (*slave < 0 || tcgetattr(*slave, &raw) < 0)
		abort();
	raw.c_oflag = 0;
	if (tcsetattr(*slave, TCSANOW, &raw) < 0 || ioctl(*slave, TIOCSWINSZ, &size) < 0)
		abort();
	return master;
}

static int run(int (*fn)(void), int cols)
{
	int master = -1, to, status;
	if (cols > 0)
		master = open_terminal(cols, &to);
	else
		to = memfd_create("stdout", 0);
	pid_t child = fork();
	if (child == 0) {
		char *argv[] = { (char[]){ "test" }, NULL };
		body = fn;
		dup2(to, STDOUT_FILENO);
		close(to);
		exit(tool_main(&program, 1, argv));
	}
	if (master >= 0) {
		close(to);
		read_back(master); /* EIO at the end */
		close(master);
	}
	if (child < 0 || waitpid(child, &status, 0) < 0 || !WIFEXITED(status))
		abort();
	if (master < 0) {
		lseek(to, 0, SEEK_SET);
		read_back(to);
		close(to);
	}
	return WEXITSTATUS(status);
}

static void add(struct out *o, const char *name, int64_t n, int64_t t, int64_t size,
		const char *raw)
{
	out_textz(o, name);
	if (n < 0)
		out_null(o);
	else
		out_int(o, n);
	out_time(o, t);
	out_int(o, size);
	out_textz(o, raw);
}

static int print_rows(void)
{
	struct out *o CLEANUP(out_cleanup) = out_begin(&tool, columns, &err);
	if (!o)
		return -1;
	add(o, "one", 7, 1700000000000, 2048, "{ \"a\" : [1, 2] }");
	if (out_row(o, &err) < 0)
		return -1;
	add(o, "zw\xc3\xb6lf\t\\x", 123456, 0, 100, NULL);
	if (out_row(o, &err) < 0)
		return -1;
	add(o, NULL, -1, 1700000000000, 0, "null");
	if (out_row(o, &err) < 0)
		return -1;
	return out_end(o, &err);
}

static void check(enum tool_format format, const char *picked, int cols,
		  const char *want, const char *rule)
{
	tool.format = format;
	tool.columns = picked;
	CHECK_INT(run(print_rows, cols), 0, "a list is printed");
	CHECK_STR(str_z(&said), want, "%s", rule);
}

static void test_formats(void)
{
	check(TOOL_PLAIN, NULL, 0,
	      "one\t7\t2023-11-14T22:13:20Z\t2048\t{ \"a\" : [1, 2] }\n"
	      "zw\xc3\xb6lf\\t\\\\x\t123456\t-\t100\t-\n"
	      "-\t-\t2023-11-14T22:13:20Z\t0\tnull\n",
	      "plain: TABs, no header, escaped, - for null");
	check(TOOL_JSON, NULL, 0,
	      "{\"name\":\"one\",\"requests\":7,\"created_at\":\"2023-11-14T22:13:20Z\","
	      "\"bytes\":2048,\"metadata\":{\"a\":[1,2]}}\n"
	      "{\"name\":\"zw\xc3\xb6lf\\t\\\\x\",\"requests\":123456,\"created_at\":null,"
	      "\"bytes\":100,\"metadata\":null}\n"
	      "{\"name\":null,\"requests\":null,\"created_at\":\"2023-11-14T22:13:20Z\","
	      "\"bytes\":0,\"metadata\":null}\n",
	      "JSON: an object a line, null for null, raw values compacted");
	check(TOOL_TABLE, NULL, 0,
	      "NAME         REQUESTS  CREATED               BYTES  META\n"
	      "one                 7  2023-11-14T22:13:20Z   2.0k  { \"a\" : [1, 2] }\n"
	      "zw\xc3\xb6lf\\x09\\x    123456  -                      100B  -\n"
	      "-                   -  2023-11-14T22:13:20Z     0B  null\n",
	      "table: a header, aligned by characters, numbers to the right");
}

static void test_columns(void)
{
	check(TOOL_PLAIN, "bytes,NAME", 0, "2048\tone\n100\tzw\xc3\xb6lf\\t\\\\x\n0\t-\n",
	      "--columns picks and orders, in either case");
	check(TOOL_JSON, "requests,created", 0,
	      "{\"requests\":7,\"created_at\":\"2023-11-14T22:13:20Z\"}\n"
	      "{\"requests\":123456,\"created_at\":null}\n"
	      "{\"requests\":null,\"created_at\":\"2023-11-14T22:13:20Z\"}\n",
	      "also for JSON");
	check(TOOL_TABLE, "REQUESTS,name", 0,
	      "REQUESTS  NAME\n       7  one\n  123456  zw\xc3\xb6lf\\x09\\x\n       -  -\n",
	      "and for a table");
	check(TOOL_PLAIN, "created_at", 0, "2023-11-14T22:13:20Z\n-\n2023-11-14T22:13:20Z\n",
	      "the JSON name is a name too");

	tool.columns = "NAME,size\033";
	CHECK(!out_begin(&tool, columns, &err), "an unknown column is refused");
	CHECK_INT(err.code, ERR_USAGE, "as a usage error");
	CHECK_STR(err.msg, "--columns: there is no column 'size\\x1b'; there are NAME, "
		  "REQUESTS, CREATED, BYTES, META", "which lists those there are");
	tool.columns = "NAME,name";
	CHECK(!out_begin(&tool, columns, &err), "a column twice is refused");
	tool.columns = "NAME,";
	CHECK(!out_begin(&tool, columns, &err), "an empty name is refused");
	tool.columns = "";
	CHECK(!out_begin(&tool, columns, &err), "no name at all too");
	tool.columns = NULL;
}

static int print_none(void)
{
	struct out *o CLEANUP(out_cleanup) = out_begin(&tool, columns, &err);
	return o ? out_end(o, &err) : -1;
}

static const struct out_column costs[] = {
	{ "COST", "cost", OUT_NUMBER }, { "TEXT", "text", OUT_TEXT }, { NULL, NULL, OUT_TEXT },
};

static int print_costs(void)
{
	static const char *const rows[] = { "0.000123", "12.50", NULL };
	struct out *o CLEANUP(out_cleanup) = out_begin(&tool, costs, &err);
	for (int i = 0; o && i < 3; i++) {
		out_textz(o, rows[i]);
		out_textz(o, "a text that is long");
		if (out_row(o, &err) < 0)
			return -1;
	}
	return o ? out_end(o, &err) : -1;
}

static void test_numbers(void)
{
	tool.format = TOOL_JSON;
	CHECK_INT(run(print_costs, 0), 0, "numbers are printed");
	CHECK_STR(str_z(&said), "{\"cost\":0.000123,\"text\":\"a text that is long\"}\n"
		  "{\"cost\":12.50,\"text\":\"a text that is long\"}\n"
		  "{\"cost\":null,\"text\":\"a text that is long\"}\n", "JSON: numbers as they are");
	tool.format = TOOL_TABLE;
	CHECK_INT(run(print_costs, 18), 0, "numbers are printed");
	CHECK_STR(str_z(&said), "    COST  TEXT\n0.000123  a text \xe2\x80\xa6\n"
		  "   12.50  a text \xe2\x80\xa6\n       -  a text \xe2\x80\xa6\n",
		  "table: to the right, and never cut");
}

static const struct out_column two[] = {
	{ "ID", "id", OUT_INT }, { "TEXT", "text", OUT_TEXT }, { NULL, NULL, OUT_TEXT },
};

static int print_many(void)
{
	struct out *o CLEANUP(out_cleanup) = out_begin(&tool, two, &err);
	for (int i = 0; o && i < 2500; i++) {
		out_int(o, i == 1999 ? 123456789 : i);
		out_textz(o, i == 999 ? "wide text" : "x");
		if (out_row(o, &err) < 0)
			return -1;
	}
	return o ? out_end(o, &err) : -1;
}

static void test_table(void)
{
	tool.format = TOOL_TABLE;
	CHECK_INT(run(print_none, 0), 0, "a table without rows");
	CHECK_STR(str_z(&said), "NAME  REQUESTS  CREATED  BYTES  META\n", "has a header");
	tool.format = TOOL_PLAIN;
	CHECK_INT(run(print_none, 0), 0, "a plain list without rows");
	CHECK_STR(str_z(&said), "", "is empty");

	tool.format = TOOL_TABLE;
	CHECK_INT(run(print_many, 0), 0, "2,500 rows");
	int lines = 0;
	for (const char *p = str_z(&said); (p = strchr(p, '\n')); p++)
		lines++;
	CHECK_INT(lines, 2501, "and a header");
	CHECK(strncmp(str_z(&said), " ID  TEXT\n  0  x\n", 17) == 0,
	      "the first 1,000 rows give the widths");
	CHECK(strstr(str_z(&said), "\n999  wide text\n1000  x\n"), "then they are fixed");
	CHECK(strstr(str_z(&said), "\n123456789  x\n"), "and what is wider stands out");

	tool.format = TOOL_TABLE;
	tool.color = true;
	CHECK_INT(run(print_none, 0), 0, "with color");
	CHECK_STR(str_z(&said), "\033[1mNAME  REQUESTS  CREATED  BYTES  META\033[0m\n",
		  "the titles are bold");
	tool.color = false;
}

static const struct out_column three[] = {
	{ "ID", "id", OUT_INT }, { "TEXT", "text", OUT_TEXT }, { "MESSAGE", "message", OUT_TEXT },
	{ NULL, NULL, OUT_TEXT },
};

static int print_wide(void)
{
	struct out *o CLEANUP(out_cleanup) = out_begin(&tool, three, &err);
	if (!o)
		return -1;
	out_int(o, 1234567);
	out_textz(o, "\xc3\xa4\xc3\xb6\xc3\xbc\xe2\x82\xac \xf0\x9f\x99\x82 ten more");
	out_textz(o, "\033[31mred\xe2\x80\xae and something that goes on and on");
	if (out_row(o, &err) < 0)
		return -1;
	return out_end(o, &err);
}

static void test_terminal(void)
{
	tool.format = TOOL_TABLE;
	CHECK_INT(run(print_wide, 40), 0, "a terminal of 40 columns");
	CHECK_STR(str_z(&said),
		  "     ID  TEXT            MESSAGE\n"
		  "1234567  \xc3\xa4\xc3\xb6\xc3\xbc\xe2\x82\xac \xf0\x9f\x99\x82 ten mo…  \\x1b[31mred\\xe…\n",
		  "cuts the widest texts, between characters, at 40");
	CHECK_INT(run(print_wide, 12), 0, "a terminal that is too narrow");
	CHECK_STR(str_z(&said),
		  "     ID  TEXT      MESSAGE\n"
		  "1234567  \xc3\xa4\xc3\xb6\xc3\xbc\xe2\x82\xac \xf0\x9f\x99\x82 …  \\x1b[31…\n",
		  "cuts texts to 8 and no more");
	CHECK_INT(run(print_wide, 0), 0, "no terminal");
	CHECK(strstr(str_z(&said), "\\x1b[31mred\\xe2\\x80\\xae and something that goes on and on\n"),
	      "cuts nothing, and shows no control character");
}

static struct out *o; /* of a child that aborts */

static void too_few(void)
{
	o = out_begin(&tool, two, &err);
	out_int(o, 1);
	(void)!out_row(o, &err);
}

static void too_many(void)
{
	o = out_begin(&tool, two, &err);
	out_int(o, 1);
	out_textz(o, "x");
	out_textz(o, "y");
}

static void wrong_type(void)
{
	o = out_begin(&tool, two, &err);
	out_time(o, 1);
}

static void test_bugs(void)
{
	tool.columns = "TEXT";
	CHECK(unit_child(too_few, NULL, 0) > 0, "a row with a column missing is a bug");
	CHECK(unit_child(too_many, NULL, 0) > 0, "one with too many too");
	CHECK(unit_child(wrong_type, NULL, 0) > 0, "and a value of another type");
	tool.columns = NULL;
}

int main(void)
{
	test_formats();
	test_columns();
	test_numbers();
	test_table();
	test_terminal();
	test_bugs();
	out_free(NULL);
	str_release(&said);
	return unit_done();
}
