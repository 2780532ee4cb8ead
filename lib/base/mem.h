/* mem: memory that is there or the process is not.
 *
 * Out of memory aborts with a message: a program that sends requests cannot
 * do anything better, and its state is safe on disk.  Everything returned
 * here is freed with free() or mem_free(). */
#ifndef FSL_BASE_MEM_H
#define FSL_BASE_MEM_H

#include <stddef.h>

/* n zeroed bytes; n = 0 gives a pointer that can be freed. */
void *mem_alloc(size_t n);

/* Grown or shrunk to n * size bytes; new bytes are not initialised.  An
 * overflow of the product aborts. */
void *mem_resize(void *p, size_t n, size_t size);

/* Room for one more behind n of them, in an array that grows by nothing else:
 * it is doubled when n is 0, 1, 2, 4, 8, ... */
void *mem_room(void *p, size_t n, size_t size);

/* A copy of n bytes with a NUL behind them. */
char *mem_copy(const void *p, size_t n);

/* A copy of a string; NULL gives NULL. */
char *mem_strdup(const char *s);

void mem_free(void *p);

/* CLEANUP(fn): fn(&variable) runs when the variable leaves its scope. */
#define CLEANUP(fn) __attribute__((cleanup(fn)))

/* char *s CLEANUP(mem_cleanup) = ...;  frees what a pointer points to. */
void mem_cleanup(void *pointer_to_pointer);

/* TAKE(p): the value of p, which becomes NULL: ownership moves on. */
#define TAKE(p) (__extension__({ __typeof__(p) take_ = (p); (p) = NULL; take_; }))

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

#endif
