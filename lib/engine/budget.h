/* budget: how much a run may spend (--max-cost).  Pure.
 *
 * What is in flight is reserved by estimate; what an answer has cost is spent,
 * whatever was reserved for it (domain/prices.h). */
#ifndef FSL_ENGINE_BUDGET_H
#define FSL_ENGINE_BUDGET_H

#include <stdbool.h>
#include <stdint.h>
#include "domain/answer.h"
#include "domain/prices.h"

struct budget {
	const struct prices *prices;
	int64_t max;             /* pico-dollars; -1: no limit */
	int64_t spent, reserved;
	int64_t kept_spent, kept_reserved; /* at the last commit */
	bool poor;               /* since then something was not affordable */
};

/* What a request may cost; 0 without a limit, -1: its model has no price. */
int64_t budget_estimate(const struct budget *b, const char *model, int64_t body_bytes,
			int64_t max_tokens);

/* Reserves it: true; false: it is not affordable now. */
bool budget_take(struct budget *b, int64_t estimate);

/* Its end: nothing is reserved any more, and this is spent (NULL: nothing). */
void budget_end(struct budget *b, int64_t estimate, const char *model,
		const struct answer_usage *used);

/* A transaction begins (what was done since the last commit is forgotten), and
 * was committed. */
void budget_begin(struct budget *b);
void budget_commit(struct budget *b);

#endif
