#include "base/wholefile.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/mem.h"
#include "unit.h"

static const char *path_of(const char *name)
{
	static char path[4096];

	snprintf(path, sizeof path, "%s/%s", unit_dir(), name);
	return path;
}

static void put(const char *name, size_t n)
{
	FILE *f = fopen(path_of(name), "w");

	for (size_t i = 0; i < n; i++)
		fputc("abc"[i % 3], f);
	fclose(f);
}

static void read_standard_input(void)
{
	struct str out CLEANUP(str_release) = STR_INIT;
	struct err e = ERR_INIT;

	if (!freopen(path_of("some"), "r", stdin) || wholefile_read("-", 100, &out, &e) < 0 || out.n != 7)
		abort();
}

int main(void)
{
	struct str out CLEANUP(str_release) = STR_INIT;
	struct err e = ERR_INIT;

	put("some", 7);
	put("none", 0);
	put("large", 200000);
	CHECK(wholefile_read(path_of("some"), 7, &out, &e) == 0, "a file of the largest size");
	CHECK_STR(str_z(&out), "abcabca", "its bytes");
	CHECK(wholefile_read(path_of("some"), 6, &out, &e) < 0 && e.code == ERR_INPUT, "one byte more");
	str_reset(&out);
	CHECK(wholefile_read(path_of("none"), 10, &out, &e) == 0 && out.n == 0, "an empty file");
	CHECK(wholefile_read(path_of("large"), 1 << 20, &out, &e) == 0 && out.n == 200000 &&
	      strlen(str_z(&out)) == 200000, "a large one");
	CHECK(wholefile_read(path_of("some"), 10, &out, &e) == 0 && out.n == 200007, "it appends");
	CHECK(wholefile_read(path_of("nosuch"), 10, &out, &e) < 0 && e.code == ERR_NOINPUT &&
	      strstr(e.msg, "nosuch"), "a missing file is named");
	CHECK(wholefile_read(unit_dir(), 10, &out, &e) < 0 && e.code == ERR_NOINPUT, "a directory");
	CHECK_INT(unit_child(read_standard_input, NULL, 0), 0, "- is standard input");

	char *dir = wholefile_directory(path_of("some")), *real = realpath(unit_dir(), NULL);
	CHECK_STR(dir, real, "the directory of a file");
	free(dir);
	CHECK(chdir(unit_dir()) == 0, "in that directory");
	dir = wholefile_directory("some");
	CHECK_STR(dir, real, "a plain name is in the process's directory");
	free(dir);
	dir = wholefile_directory("-");
	CHECK_STR(dir, real, "so is standard input");
	free(dir);
	dir = wholefile_directory("/vmlinuz");
	CHECK_STR(dir, "/", "the root is a directory");
	free(dir);
	free(real);
	CHECK(chdir("/") == 0, "out of it, so that it can go");
	return unit_done();
}
