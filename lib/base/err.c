#include "base/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A message that was cut must not end in half a character. */
static void drop_partial_utf8(char *s)
{
	size_t n = strlen(s), lead = n;
	while (lead > 0 && n - lead < 3 && ((unsigned char)s[lead - 1] & 0xc0) == 0x80)
		lead--;
	if (lead == 0)
		return;
	unsigned char c = (unsigned char)s[--lead];
	size_t want = c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : c >= 0xc0 ? 2 : 1;
	if (n - lead < want)
		s[lead] = '\0';
}

/* Libraries put newlines into their messages; ours are one line. */
static void make_one_line(char *s)
{
	size_t n = strlen(s);
	while (n > 0 && (s[n - 1] == '\n' || s[n - 1] == '\r'))
		s[--n] = '\0';
	for (; *s; s++)
		if ((unsigned char)*s < 0x20 || *s == 0x7f)
			*s = ' ';
}

__attribute__((format(printf, 3, 0)))
static void vfill(char *out, size_t size, const char *fmt, va_list ap)
{
	int n = vsnprintf(out, size, fmt, ap);
	if (n < 0)
		out[0] = '\0';
	else if ((size_t)n >= size)
		drop_partial_utf8(out);
	make_one_line(out);
}

__attribute__((format(printf, 3, 4)))
static void fill(char *out, size_t size, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	vfill(out, size, fmt, ap);
	va_end(ap);
}

/* All of these format into a buffer of their own first, because arguments
 * may point into `e`. */

int err_set(struct err *e, enum err_code code, const char *fmt, ...)
{
	char text[sizeof(e->msg)];
	va_list ap;
	va_start(ap, fmt);
	vfill(text, sizeof(text), fmt, ap);
	va_end(ap);
	e->code = code;
	memcpy(e->msg, text, strlen(text) + 1);
	e->hint[0] = '\0';
	return -1;
}

int err_wrap(struct err *e, const char *fmt, ...)
{
	char context[sizeof(e->msg)], text[sizeof(e->msg)];
	va_list ap;
	va_start(ap, fmt);
	vfill(context, sizeof(context), fmt, ap);
	va_end(ap);
	fill(text, sizeof(text), "%s: %s", context, e->msg);
	memcpy(e->msg, text, strlen(text) + 1);
	return -1;
}

int err_hint(struct err *e, const char *fmt, ...)
{
	char text[sizeof(e->hint)];
	va_list ap;
	va_start(ap, fmt);
	vfill(text, sizeof(text), fmt, ap);
	va_end(ap);
	memcpy(e->hint, text, strlen(text) + 1);
	return -1;
}

int err_sys(struct err *e, enum err_code code, const char *fmt, ...)
{
	int number = errno;
	char context[sizeof(e->msg)], reason[128];
	va_list ap;
	va_start(ap, fmt);
	vfill(context, sizeof(context), fmt, ap);
	va_end(ap);
	return err_set(e, code, "%s: %s", context,
		       strerror_r(number, reason, sizeof(reason)));
}

int err_status(enum err_code code)
{
	switch (code) {
	case ERR_NONE:
	case ERR_PIPE: return EXIT_OK;
	case ERR_NOTFOUND: return 5;
	case ERR_STATE: return 6;
	case ERR_USAGE: return 64;
	case ERR_INPUT: return 65;
	case ERR_NOINPUT: return 66;
	case ERR_UNAVAILABLE: return 69;
	case ERR_INTERNAL: return 70;
	case ERR_CANTCREAT: return 73;
	case ERR_IO: return 74;
	case ERR_BUSY:
	case ERR_HELD: return 75;
	case ERR_NOPERM: return 77;
	case ERR_CONFIG: return 78;
	}
	BUG("unknown error code %d", (int)code);
}

void err_bug(const char *file, int line, const char *fmt, ...)
{
	char what[512], text[1024];
	va_list ap;
	va_start(ap, fmt);
	vfill(what, sizeof(what), fmt, ap);
	va_end(ap);
	fill(text, sizeof(text) - 1, "bug: %s:%d: %s", file, line, what);
	memcpy(text + strlen(text), "\n", 2);
	/* Not stdio: its lock may be held, its buffer broken. */
	ssize_t ignored = write(STDERR_FILENO, text, strlen(text));
	(void)ignored;
	abort();
}
