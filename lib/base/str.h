/* str: strings that grow.
 *
 * A str owns its bytes, always keeps a NUL behind them (not counted in n) and
 * starts as STR_INIT; str_release() brings it back there.  A str has no limit
 * of its own: whoever fills it from outside checks a limit first. */
#ifndef FSL_BASE_STR_H
#define FSL_BASE_STR_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include "base/span.h"

struct str {
	char *p; /* NULL only when n = cap = 0 and nothing was ever added */
	size_t n;
	size_t cap;
};

#define STR_INIT { NULL, 0, 0 }

void str_release(struct str *s);   /* frees; usable as CLEANUP(str_release) */
void str_reset(struct str *s);     /* n = 0, memory kept */
void str_cut(struct str *s, size_t n); /* shorter; n beyond the end is a BUG */
void str_reserve(struct str *s, size_t more); /* room for `more` bytes */
void str_add(struct str *s, const void *p, size_t n);
void str_addspan(struct str *s, struct span v);
void str_addz(struct str *s, const char *z);
void str_addc(struct str *s, char c);
void str_addf(struct str *s, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
void str_addv(struct str *s, const char *fmt, va_list ap)
	__attribute__((format(printf, 2, 0)));

const char *str_z(const struct str *s);    /* never NULL: "" when empty */
struct span str_span(const struct str *s); /* valid until the next change */
char *str_take(struct str *s);             /* the bytes, to be freed; s is empty */

#endif
