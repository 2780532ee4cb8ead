#include "engine/budget.h"

int64_t budget_estimate(const struct budget *b, const char *model, int64_t body_bytes,
			int64_t max_tokens)
{
	if (b->max < 0)
		return 0;
	const struct prices_model *m = prices_find(b->prices, span_of(model));
	return m ? prices_estimate(m, body_bytes, max_tokens) : -1;
}

bool budget_take(struct budget *b, int64_t estimate)
{
	if (b->max < 0)
		return true;
	b->poor = prices_sum(prices_sum(b->spent, b->reserved), estimate) > b->max;
	if (!b->poor)
		b->reserved += estimate;
	return !b->poor;
}

void budget_end(struct budget *b, int64_t estimate, const char *model,
		const struct answer_usage *used)
{
	if (b->max < 0)
		return;
	b->reserved -= estimate;
	const struct prices_model *m = used ? prices_find(b->prices, span_of(model)) : NULL;
	if (m)
		b->spent = prices_sum(b->spent, prices_cost(m, used->input, used->cached,
							    used->output));
}

void budget_begin(struct budget *b)
{
	b->spent = b->kept_spent;
	b->reserved = b->kept_reserved;
}

void budget_commit(struct budget *b)
{
	b->kept_spent = b->spent;
	b->kept_reserved = b->reserved;
}
