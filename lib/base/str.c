#include "base/str.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/err.h"
#include "base/mem.h"

void str_release(struct str *s)
{
	free(s->p);
	*s = (struct str)STR_INIT;
}

void str_reset(struct str *s)
{
	s->n = 0;
	if (s->p)
		s->p[0] = '\0';
}

void str_cut(struct str *s, size_t n)
{
	if (n > s->n)
		BUG("str_cut: %zu bytes of %zu", n, s->n);
	s->n = n;
	if (s->p)
		s->p[n] = '\0';
}

/* cap counts the NUL too; doubling it keeps appending linear. */
void str_reserve(struct str *s, size_t more)
{
	if (s->p && more < s->cap - s->n)
		return;
	size_t need;
	if (__builtin_add_overflow(s->n + 1, more, &need))
		need = SIZE_MAX; /* for mem_resize() to refuse */
	size_t cap = s->cap < 32 ? 32 : s->cap;
	while (cap < need)
		cap = cap > PTRDIFF_MAX / 2 ? need : cap * 2;
	s->p = mem_resize(s->p, cap, 1);
	s->p[s->n] = '\0';
	s->cap = cap;
}

void str_add(struct str *s, const void *p, size_t n)
{
	str_reserve(s, n);
	if (n > 0)
		memcpy(s->p + s->n, p, n);
	s->n += n;
	s->p[s->n] = '\0';
}

void str_addspan(struct str *s, struct span v)
{
	str_add(s, v.p, v.n);
}

void str_addz(struct str *s, const char *z)
{
	str_add(s, z, strlen(z));
}

void str_addc(struct str *s, char c)
{
	str_add(s, &c, 1);
}

void str_addf(struct str *s, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	str_addv(s, fmt, ap);
	va_end(ap);
}

void str_addv(struct str *s, const char *fmt, va_list ap)
{
	str_reserve(s, 0);
	for (;;) {
		va_list again;
		va_copy(again, ap);
		size_t room = s->cap - s->n;
		int n = vsnprintf(s->p + s->n, room, fmt, again);
		va_end(again);
		if (n < 0)
			BUG("str_addv: format '%s'", fmt);
		if ((size_t)n < room) {
			s->n += (size_t)n;
			return;
		}
		str_reserve(s, (size_t)n);
	}
}

const char *str_z(const struct str *s)
{
	return s->p ? s->p : "";
}

struct span str_span(const struct str *s)
{
	return (struct span){ str_z(s), s->n };
}

char *str_take(struct str *s)
{
	str_reserve(s, 0);
	char *p = s->p;
	*s = (struct str)STR_INIT;
	return p;
}
