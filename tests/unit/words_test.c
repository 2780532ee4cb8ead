#include "cli/words.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/str.h"
#include "unit.h"

static const char *joined(const struct words *w)
{
	static char text[200];

	text[0] = '\0';
	for (int i = 0; i < w->n; i++) {
		strcat(text, "[");
		strcat(text, w->v[i]);
		strcat(text, "]");
	}
	return text;
}

static void test_split(void)
{
	struct words w CLEANUP(words_release) = WORDS_INIT;
	struct err e = ERR_INIT;

	CHECK(words_split(&w, NULL, &e) == 0 && !w.v, "nothing given is no list");
	CHECK(words_split(&w, "a,bc,d", &e) == 0, "words between commas");
	CHECK_STR(joined(&w), "[a][bc][d]", "as they are");
	CHECK(w.v[3] == NULL, "the list ends in NULL");
	CHECK(words_split(&w, "e", &e) == 0 && w.n == 4, "more are appended");
	CHECK(words_split(&w, "", &e) < 0 && e.code == ERR_USAGE, "an empty list is refused");
	CHECK(words_split(&w, "a,,b", &e) < 0 && e.code == ERR_USAGE, "an empty word too");
	CHECK(words_split(&w, "a,", &e) < 0 && e.code == ERR_USAGE, "at the end too");
}

static void stdin_from(const char *text)
{
	char path[500];

	snprintf(path, sizeof path, "%s/stdin", unit_dir());
	FILE *f = fopen(path, "w");
	fputs(text, f);
	fclose(f);
	int fd = open(path, O_RDONLY);
	dup2(fd, STDIN_FILENO);
	close(fd);
}

static void test_given(void)
{
	struct words w CLEANUP(words_release) = WORDS_INIT, none CLEANUP(words_release) = WORDS_INIT;
	const char *values[] = { "x", "-", "y" };
	struct opt_list given = { values, 3 }, nothing = { NULL, 0 }, dash = { values + 1, 1 };
	struct err e = ERR_INIT;

	CHECK(words_given(&none, &nothing, &e) == 0 && !none.v, "not given: no list");
	stdin_from("r1\r\n\nr 2\nr3");
	CHECK(words_given(&w, &given, &e) == 0, "values and standard input");
	CHECK_STR(joined(&w), "[x][r1][r 2][r3][y]", "- stands for its lines");
	stdin_from("\n");
	CHECK(words_given(&none, &dash, &e) == 0 && none.n == 0 && none.v && !none.v[0],
	      "given but empty: an empty list, which is not the same as none");
}

int main(void)
{
	test_split();
	test_given();
	return unit_done();
}
