#include "base/idset.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include "unit.h"

enum { MILLION = 1000000, LIMIT_KB = 32 * 1024 };

static struct span numbered(char *buf, uint32_t i)
{
	int n = sprintf(buf, "request-%u", i);
	return (struct span){ buf, (size_t)n };
}

static void small(void)
{
	struct idset *s = idset_new();
	CHECK_INT(idset_add(s, span_of("a"), 1), 0, "a new text is not there");
	CHECK_INT(idset_add(s, span_of("a"), 2), 1, "seen again: the line it came with");
	CHECK_INT(idset_add(s, span_of("a"), 3), 1, "which stays");
	CHECK_INT(idset_add(s, span_of("A"), 4), 0, "case counts");
	CHECK_INT(idset_add(s, span_of(""), 5), 0, "the empty text is a text");
	CHECK_INT(idset_add(s, SPAN_LIT("a\0"), UINT32_MAX), 0, "a NUL counts");
	CHECK_INT(idset_add(s, SPAN_LIT("a\0"), 6), UINT32_MAX, "the last line number");
	CHECK_INT(idset_add(s, span_of(""), 6), 5, "the empty text is seen again");
	CHECK_INT(idset_find(s, span_of("A")), 4, "found: the line it came with");
	CHECK_INT(idset_find(s, span_of("b")), 0, "not there");
	CHECK_INT(idset_add(s, span_of("b"), 7), 0, "and not added by looking");
	idset_free(s);
	idset_free(NULL);
	idset_free(idset_new());
}

static void line_zero(void)
{
	struct idset *s = idset_new();
	idset_add(s, span_of("a"), 0);
}

static void million(void)
{
	struct idset *s = idset_new();
	char buf[32];
	uint32_t wrong = 0;
	for (uint32_t i = 1; i <= MILLION; i++)
		wrong += idset_add(s, numbered(buf, i), i) != 0;
	CHECK_INT(wrong, 0, "a million texts are new");
	for (uint32_t i = 1; i <= MILLION; i++)
		wrong += idset_add(s, numbered(buf, i), 7) != i;
	CHECK_INT(wrong, 0, "and all seen again, with their lines");
	idset_free(s);
}

static long peak_kb(void)
{
	struct rusage u;
	getrusage(RUSAGE_SELF, &u);
	return u.ru_maxrss;
}

static void print_growth(void)
{
	char buf[32];
	long before = peak_kb();
	struct idset *s = idset_new();
	for (uint32_t i = 1; i <= MILLION; i++)
		idset_add(s, numbered(buf, i), i);
	fprintf(stderr, "%ld", peak_kb() - before);
	idset_free(s);
}

/* Under a sanitizer or valgrind memory is not what the program uses. */
static bool memory_is_real(void)
{
#ifdef __has_feature
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
	return false;
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
	return false;
#endif
	const char *preload = getenv("LD_PRELOAD");
	return !preload || !strstr(preload, "vgpreload");
}

static void memory(void)
{
	char said[100];
	CHECK_INT(unit_child(print_growth, said, sizeof(said)), 0,
		  "a million texts in a child");
	long kb = strtol(said, NULL, 10);
	printf("# %ld kB\n", kb);
	CHECK(kb > 0 && (kb < LIMIT_KB || !memory_is_real()),
	      "need less than 32 MB, at every moment");
}

/* The same after large blocks were freed, when malloc() of the C library no
 * longer maps each block for itself. */
static void memory_later(void)
{
	enum { BLOCK = 30 << 20 };
	char *p = malloc(BLOCK);
	if (p)
		memset(p, 1, BLOCK);
	free(p);
	memory();
}

int main(void)
{
	small();
	CHECK_INT(unit_child(line_zero, NULL, 0), SIGABRT, "line 0 is a BUG");
	memory();
	memory_later();
	million();
	return unit_done();
}
