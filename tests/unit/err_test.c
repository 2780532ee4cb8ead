#include "base/err.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include "unit.h"

static void set_and_wrap(void)
{
	struct err e = ERR_INIT;
	CHECK_INT(e.code, ERR_NONE, "ERR_INIT is no error");
	CHECK_INT(err_set(&e, ERR_INPUT, "line %d: %s", 7, "bad"), -1,
		  "err_set gives -1");
	CHECK_INT(e.code, ERR_INPUT, "err_set sets the code");
	CHECK_STR(e.msg, "line 7: bad", "err_set sets the message");
	CHECK_STR(e.hint, "", "there is no hint unless one is given");

	CHECK_INT(err_hint(&e, "try %s", "again"), -1, "err_hint gives -1");
	CHECK_STR(e.hint, "try again", "err_hint sets the hint");
	CHECK_STR(e.msg, "line 7: bad", "err_hint keeps the message");

	CHECK_INT(err_wrap(&e, "file %s", "x"), -1, "err_wrap gives -1");
	CHECK_STR(e.msg, "file x: line 7: bad", "err_wrap puts context before");
	CHECK_STR(e.hint, "try again", "err_wrap keeps the hint");
	CHECK_INT(e.code, ERR_INPUT, "err_wrap keeps the code");

	err_wrap(&e, "again %s", e.msg);
	CHECK_STR(e.msg, "again file x: line 7: bad: file x: line 7: bad",
		  "arguments of err_wrap may point into the error");
	err_set(&e, ERR_BUSY, "busy: %s", e.msg);
	CHECK_STR(e.msg, "busy: again file x: line 7: bad: file x: line 7: bad",
		  "arguments of err_set may point into the error");
	CHECK_STR(e.hint, "", "err_set forgets the hint");
	CHECK_INT(e.code, ERR_BUSY, "err_set forgets the code");
}

static void one_line(void)
{
	struct err e = ERR_INIT;
	err_set(&e, ERR_INTERNAL, "%s", "two\nlines\x1b[2J\r\n\n");
	CHECK_STR(e.msg, "two lines [2J", "a message is one line without controls");
}

static void too_long(void)
{
	struct err e = ERR_INIT;
	char big[2000];
	memset(big, 'x', sizeof(big) - 1);
	big[sizeof(big) - 1] = '\0';
	err_set(&e, ERR_INPUT, "%s", big);
	CHECK_INT(strlen(e.msg), sizeof(e.msg) - 1, "a long message is cut");
	err_wrap(&e, "context");
	CHECK_INT(strlen(e.msg), sizeof(e.msg) - 1, "a long wrapped message is cut");
	CHECK(strncmp(e.msg, "context: xxx", 12) == 0, "and its context is kept");
	err_hint(&e, "%s", big);
	CHECK_INT(strlen(e.hint), sizeof(e.hint) - 1, "a long hint is cut");

	static const char *const chars[] = { "é", "€", "\U0001f600" };
	for (size_t i = 0; i < 3; i++)
		for (size_t before = 1; before <= strlen(chars[i]); before++) {
			size_t at = sizeof(e.msg) - 1 - before;
			strcpy(big + at, chars[i]);
			strcat(big, "tail");
			err_set(&e, ERR_INPUT, "%s", big);
			bool whole = before == strlen(chars[i]);
			CHECK_INT(strlen(e.msg), whole ? at + before : at,
				  "a %zu-byte character with room for %zu is %s",
				  strlen(chars[i]), before, whole ? "kept" : "dropped");
			memset(big, 'x', sizeof(big) - 1);
		}
	memset(big, 0x80, sizeof(big) - 1);
	err_set(&e, ERR_INPUT, "%s", big);
	CHECK(strlen(e.msg) >= sizeof(e.msg) - 5, "what is no UTF-8 is cut all the same");
}

static void statuses(void)
{
	static const struct { enum err_code code; int status; } all[] = {
		{ ERR_NONE, 0 }, { ERR_PIPE, 0 }, { ERR_NOTFOUND, 5 }, { ERR_STATE, 6 },
		{ ERR_USAGE, 64 }, { ERR_INPUT, 65 }, { ERR_NOINPUT, 66 }, { ERR_UNAVAILABLE, 69 },
		{ ERR_INTERNAL, 70 }, { ERR_CANTCREAT, 73 }, { ERR_IO, 74 }, { ERR_BUSY, 75 },
		{ ERR_HELD, 75 },
		{ ERR_NOPERM, 77 }, { ERR_CONFIG, 78 },
	};
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		CHECK_INT(err_status(all[i].code), all[i].status, "exit status of error %d",
			  (int)all[i].code);
}

static void system_errors(void)
{
	struct err e = ERR_INIT;
	errno = ENOENT;
	CHECK_INT(err_sys(&e, ERR_NOINPUT, "open %s", "a"), -1, "err_sys gives -1");
	CHECK_STR(e.msg, "open a: No such file or directory", "err_sys explains errno");
	CHECK_INT(e.code, ERR_NOINPUT, "err_sys sets the code");
	errno = EACCES;
	err_sys(&e, ERR_IO, "%s", e.msg);
	CHECK_STR(e.msg, "open a: No such file or directory: Permission denied",
		  "arguments of err_sys may point into the error");
}

enum { BUG_LINE = __LINE__ + 4 };

static void make_bug(void)
{
	BUG("number %d\n", 42);
}

static void bugs(void)
{
	char said[300], want[300];
	CHECK_INT(unit_child(make_bug, said, sizeof(said)), SIGABRT, "BUG() aborts");
	snprintf(want, sizeof(want), "bug: %s:%d: number 42\n", __FILE__, BUG_LINE);
	CHECK_STR(said, want, "BUG() prints file, line and message");
}

int main(void)
{
	set_and_wrap();
	one_line();
	too_long();
	statuses();
	system_errors();
	bugs();
	return unit_done();
}
