#include "base/mem.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Not BUG(), for it is none, and nothing that needs memory itself. */
_Noreturn static void out_of_memory(size_t n, size_t size)
{
	char text[96];
	int length = snprintf(text, sizeof(text),
			      "out of memory: %zu times %zu bytes\n", n, size);
	ssize_t ignored = write(STDERR_FILENO, text, (size_t)length);
	(void)ignored;
	abort();
}

/* What no object can have is refused before an allocator sees it. */
static size_t checked_product(size_t n, size_t size)
{
	size_t bytes;
	if (__builtin_mul_overflow(n, size, &bytes) || bytes > PTRDIFF_MAX)
		out_of_memory(n, size);
	return bytes > 0 ? bytes : 1;
}

void *mem_alloc(size_t n)
{
	void *p = calloc(1, checked_product(n, 1));
	if (!p)
		out_of_memory(n, 1);
	return p;
}

void *mem_resize(void *p, size_t n, size_t size)
{
	void *q = realloc(p, checked_product(n, size));
	if (!q)
		out_of_memory(n, size);
	return q;
}

void *mem_room(void *p, size_t n, size_t size)
{
	return n & (n - 1) ? p : mem_resize(p, n ? 2 * n : 1, size);
}

char *mem_copy(const void *p, size_t n)
{
	if (n >= PTRDIFF_MAX)
		out_of_memory(n, 1);
	char *copy = mem_resize(NULL, n + 1, 1);
	if (n > 0)
		memcpy(copy, p, n);
	copy[n] = '\0';
	return copy;
}

char *mem_strdup(const char *s)
{
	return s ? mem_copy(s, strlen(s)) : NULL;
}

void mem_free(void *p)
{
	free(p);
}

void mem_cleanup(void *pointer_to_pointer)
{
	/* memcpy, since a char * is not to be read as a void *. */
	void *p;
	memcpy(&p, pointer_to_pointer, sizeof(p));
	free(p);
}
