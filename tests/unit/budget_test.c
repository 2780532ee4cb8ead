#include "engine/budget.h"

#include <stdio.h>
#include "base/mem.h"
#include "base/rng.h"
#include "unit.h"

/* "a" costs a micro-dollar per token of input, half of that from the cache, and
 * two per token of output; "big" a million times as much. */
#define MICRO INT64_C(1000000)

static struct prices *prices;

static struct budget budget_of(int64_t max)
{
	struct budget b = { .prices = prices, .max = max };

	budget_begin(&b);
	return b;
}

static struct answer_usage used(int64_t input, int64_t output)
{
	return (struct answer_usage){ .input = input, .output = output };
}

static void estimates(void)
{
	struct budget b = budget_of(1000), endless = budget_of(-1);

	CHECK_INT(budget_estimate(&b, "a", 400, 10), 100 * MICRO + 10 * 2 * MICRO,
		  "a request may cost its bytes as tokens, and all the output it allows");
	CHECK_INT(budget_estimate(&b, "a", 0, 0), PRICES_OUTPUT * 2 * MICRO,
		  "without a limit of output a guess");
	CHECK_INT(budget_estimate(&b, "free", 400, 10), 0, "a model may be free");
	CHECK_INT(budget_estimate(&b, "other", 400, 10), -1, "one without a price");
	CHECK_INT(budget_estimate(&endless, "other", 400, 10), 0, "does not matter without a limit");
	CHECK_INT(budget_estimate(&endless, "a", 400, 10), 0, "nothing does then");
}

static void spending(void)
{
	struct budget b = budget_of(100);
	struct answer_usage u = used(0, 0);

	CHECK(budget_take(&b, 60) && b.reserved == 60 && !b.poor, "what is in flight is reserved");
	CHECK(!budget_take(&b, 41) && b.reserved == 60 && b.poor, "nothing above the limit is");
	CHECK(budget_take(&b, 40) && b.reserved == 100 && !b.poor, "but up to it");
	CHECK(!budget_take(&b, 1) && b.poor, "then nothing is left");
	CHECK(budget_take(&b, 0) && !b.poor, "but for what is free");
	budget_end(&b, 60, "a", &u);
	CHECK(b.reserved == 40 && b.spent == 0, "an answer that cost nothing gives it all back");
	budget_end(&b, 40, "a", NULL);
	CHECK(b.reserved == 0 && b.spent == 0, "so does one that was not sent");
	b = budget_of(100 * MICRO);
	CHECK(budget_take(&b, 60 * MICRO), "it is taken again");
	u = used(10, 20);
	budget_end(&b, 60 * MICRO, "a", &u);
	CHECK(b.reserved == 0 && b.spent == 50 * MICRO, "what it has cost is spent, by its usage");
	u = (struct answer_usage){ .input = 10, .cached = 4 };
	CHECK(budget_take(&b, 50 * MICRO), "the rest can be reserved");
	budget_end(&b, 50 * MICRO, "a", &u);
	CHECK_INT(b.spent, 58 * MICRO, "what the server had in its cache costs less");
	u = used(1000000, 0);
	CHECK(budget_take(&b, 1), "a little");
	budget_end(&b, 1, "a", &u);
	CHECK_INT(b.spent, 58 * MICRO + MICRO * MICRO,
		  "an answer may cost more than was thought");
	CHECK(!budget_take(&b, 1) && b.poor, "then nothing starts any more");
	b = budget_of(0);
	CHECK(budget_take(&b, 0) && !budget_take(&b, 1), "a limit of nothing");
}

static void endless(void)
{
	struct budget b = budget_of(-1);
	struct answer_usage u = used(1000, 1000);

	CHECK(budget_take(&b, PRICES_MAX) && budget_take(&b, PRICES_MAX) && !b.poor && b.reserved == 0,
	      "without a limit nothing is reserved");
	budget_end(&b, PRICES_MAX, "a", &u);
	CHECK(b.spent == 0 && b.reserved == 0, "and nothing counted");
}

static void other_models(void)
{
	struct budget b = budget_of(1000);
	struct answer_usage u = used(1, 1);

	CHECK(budget_take(&b, 10), "one starts");
	budget_end(&b, 10, "other", &u);
	CHECK(b.reserved == 0 && b.spent == 0, "an answer of a model without a price is not counted");
	b.max = PRICES_MAX;
	u = used(INT64_MAX, INT64_MAX);
	for (int i = 0; i < 3; i++)
		budget_end(&b, 0, "big", &u);
	CHECK_INT(b.spent, PRICES_MAX, "sums go up to a limit, not over");
	u = used(-5, -5);
	budget_end(&b, 0, "a", &u);
	CHECK_INT(b.spent, PRICES_MAX, "and a usage below nothing is none");
}

/* A transaction that is rolled back has not happened, however often. */
static void rollback(void)
{
	struct budget b = budget_of(1000 * MICRO);
	struct answer_usage u = used(10, 20);

	budget_take(&b, 100 * MICRO);
	budget_commit(&b);
	for (int i = 0; i < 3; i++) {
		budget_begin(&b);
		CHECK(b.reserved == 100 * MICRO && b.spent == 0, "as it was committed");
		budget_end(&b, 100 * MICRO, "a", &u);
		budget_take(&b, 300 * MICRO);
	}
	CHECK(b.reserved == 300 * MICRO && b.spent == 50 * MICRO, "once, when it is committed at last");
	budget_commit(&b);
	budget_begin(&b);
	CHECK(b.reserved == 300 * MICRO && b.spent == 50 * MICRO, "which stays");
}

/* The sum of what is spent and reserved is never above the limit if no answer
 * costs more than was thought; whatever is rolled back. */
static void random_moves(void)
{
	enum { FLYING = 64 };
	int64_t fly[FLYING], kept[FLYING], max = 1000000;
	struct budget b = budget_of(max * MICRO);
	struct rng rng;
	int64_t total = 0, kept_total = 0;
	int wrong = 0, n = 0, n_kept = 0, refused = 0;

	rng_seed(&rng, 5);
	for (int i = 0; i < 200000; i++) {
		if (n < FLYING && rng_below(&rng, 2)) {
			int64_t tokens = (int64_t)rng_below(&rng, 100000);
			if (budget_take(&b, tokens * MICRO))
				fly[n++] = tokens;
			else
				refused++;
		} else if (n > 0) {
			/* It may have cost as much. */
			struct answer_usage u = used((int64_t)rng_below(&rng, (uint64_t)fly[--n] + 1) / 1000, 0);
			budget_end(&b, fly[n] * MICRO, "a", i % 3 ? &u : NULL);
			total += i % 3 ? u.input : 0;
		}
		int64_t sum = 0;
		for (int k = 0; k < n; k++)
			sum += fly[k];
		wrong += b.reserved != sum * MICRO || b.spent != total * MICRO ||
			 b.spent + b.reserved > max * MICRO;
		if (rng_below(&rng, 10) == 0) {
			budget_commit(&b);
			kept_total = total;
			for (n_kept = 0; n_kept < n; n_kept++)
				kept[n_kept] = fly[n_kept];
		} else if (rng_below(&rng, 10) == 0) {
			budget_begin(&b);
			total = kept_total;
			for (n = 0; n < n_kept; n++)
				fly[n] = kept[n];
		}
	}
	CHECK_INT(wrong, 0, "what is reserved is what flies, and all of it within the limit");
	CHECK(refused > 1000, "which was reached (%d times)", refused);
}

int main(void)
{
	struct err e = ERR_INIT;
	char path[4096];

	snprintf(path, sizeof path, "%s/prices.json", unit_dir());
	FILE *f = fopen(path, "w");
	fputs("{\"a\":{\"input\":1,\"cached_input\":0.5,\"output\":2},\"free\":{\"input\":0,\"output\":0},"
	      "\"big\":{\"input\":1000000,\"output\":1000000}}", f);
	fclose(f);
	prices = prices_load(path, &e);
	CHECK(prices, "prices: %s", e.msg);
	estimates();
	spending();
	endless();
	other_models();
	rollback();
	random_moves();
	prices_free(prices);
	return unit_done();
}
