#include "base/mem.h"

#include <signal.h>
#include <stdint.h>
#include <string.h>
#include "unit.h"

/* volatile: the compilers know such sizes to be wrong. */
static volatile size_t huge = SIZE_MAX, half = SIZE_MAX / 2 + 1;

static void alloc_huge(void) { mem_free(mem_alloc(huge)); }
static void alloc_half(void) { mem_free(mem_alloc(half)); }
static void resize_overflow(void) { mem_free(mem_resize(NULL, half, 2)); }
static void resize_wrapped(void) { mem_free(mem_resize(NULL, half + 1, 2)); }
static void copy_huge(void) { mem_free(mem_copy("x", huge)); }

static void must_abort(void (*fn)(void), const char *rule)
{
	char said[100];
	CHECK_INT(unit_child(fn, said, sizeof(said)), SIGABRT, "%s", rule);
	CHECK(strncmp(said, "out of memory: ", 15) == 0, "... with a message");
}

static void aborts(void)
{
	must_abort(alloc_huge, "an allocation of all memory aborts");
	must_abort(alloc_half, "an allocation no pointer can span aborts");
	must_abort(resize_overflow, "a product that overflows to 0 aborts");
	must_abort(resize_wrapped, "a product that overflows to 2 aborts");
	must_abort(copy_huge, "a copy without room for its NUL aborts");
}

static void rooms(void)
{
	int *v = NULL;
	bool right = true;

	for (int i = 0; i < 1000; i++) {
		v = mem_room(v, (size_t)i, sizeof *v);
		v[i] = i;
	}
	for (int i = 0; i < 1000; i++)
		right = right && v[i] == i;
	CHECK(right, "an array that grows by one keeps what is in it");
	mem_free(v);
}

static void allocation(void)
{
	unsigned char *p = mem_alloc(100);
	int sum = 0;
	for (int i = 0; i < 100; i++)
		sum += p[i];
	CHECK_INT(sum, 0, "new memory is zero");
	memset(p, 7, 100);
	p = mem_resize(p, 1000, 4);
	CHECK(p[0] == 7 && p[99] == 7, "resized memory keeps its bytes");
	p[3999] = 1;
	p = mem_resize(p, 10, 1);
	CHECK(p[9] == 7, "memory can shrink");
	p = mem_resize(p, 0, 8);
	CHECK(p != NULL, "resized to nothing it can still be freed");
	mem_free(p);
	p = mem_alloc(0);
	CHECK(p != NULL, "nothing allocated can be freed");
	mem_free(p);
	mem_free(NULL);
}

static void copies(void)
{
	char *p = mem_copy("a\0bc", 3);
	CHECK(memcmp(p, "a\0b", 4) == 0, "a copy has its bytes and a NUL");
	mem_free(p);
	p = mem_copy(NULL, 0);
	CHECK_STR(p, "", "a copy of nothing is the empty string");
	mem_free(p);
	p = mem_strdup("text");
	CHECK_STR(p, "text", "a string is copied");
	mem_free(p);
	CHECK(mem_strdup(NULL) == NULL, "a copy of NULL is NULL");
}

static void ownership(void)
{
	char *kept CLEANUP(mem_cleanup) = NULL;
	{
		char *p CLEANUP(mem_cleanup) = mem_strdup("moved");
		char *gone CLEANUP(mem_cleanup) = mem_strdup("freed at the brace");
		CHECK_STR(gone, "freed at the brace",
			  "CLEANUP waits for the end of the scope");
		kept = TAKE(p);
		CHECK(p == NULL, "TAKE leaves NULL");
	}
	CHECK_STR(kept, "moved", "TAKE moves the pointer out of the scope");
	static const int three[] = { 1, 2, 3 };
	CHECK_INT(ARRAY_LEN(three), 3, "ARRAY_LEN counts elements");
}

int main(void)
{
	aborts();
	allocation();
	copies();
	ownership();
	rooms();
	return unit_done();
}
