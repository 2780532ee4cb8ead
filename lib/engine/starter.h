/* starter: the half of the book that starts requests: which of those that are
 * claimed have room, at which model, and what goes out. */
#ifndef FSL_ENGINE_STARTER_H
#define FSL_ENGINE_STARTER_H

#include <stdint.h>
#include "base/err.h"
#include "engine/book.h"

/* Starts at most `room` requests, which go to the end of `fresh`; inside the
 * book's transaction. */
int starter_start(struct book *b, int room, struct job_list *fresh, struct err *e) MUST_CHECK;

/* When to do so again although nobody has ended and nobody is hungry: a batch
 * comes so near to its expiry that its requests go to another model (--escalate),
 * or one in flight may race then (wall clock); -1: never. */
int64_t starter_next(const struct book *b, int64_t now_ms);

#endif
