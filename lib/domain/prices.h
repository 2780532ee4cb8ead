/* prices: what models cost: a file of a user's, and sums of money.
 *
 *     {"gpt-4o-mini":{"input":0.15,"cached_input":0.075,"output":0.6}}
 *
 * US dollars per million tokens.  A model has the price of the longest name
 * that its own begins with ("" is for any); cached_input, what of the input the
 * server had in its cache, defaults to input; reasoning is part of output.
 * Prices are from 0 to 1,000,000 and have at most 6 digits behind the point.
 *
 * Money is in pico-dollars, 10^-12 USD: a dollar per million tokens is a
 * million of them per token, so prices, costs and sums of costs are exact.
 * Sums go up to PRICES_MAX, 9 million dollars; what is above becomes that.
 *
 * A limit of money is kept like this; all of it is pure but prices_load():
 *
 *     spent     prices_sum(spent, prices_cost(m, usage...))  when an answer comes
 *     reserved  prices_estimate(m, body bytes, max tokens)   from the start of
 *               an attempt to its end, whatever that is
 *     start one if its estimate, what is reserved and what is spent are no more
 *               than the limit */
#ifndef FSL_DOMAIN_PRICES_H
#define FSL_DOMAIN_PRICES_H

#include <stdint.h>
#include "base/err.h"
#include "base/str.h"

#define PRICES_DOLLAR INT64_C(1000000000000)
#define PRICES_MAX (9000000 * PRICES_DOLLAR)

enum {
	PRICES_BYTES_PER_TOKEN = 4, /* of a body, as domain/stats.h estimates */
	PRICES_OUTPUT = 4096,       /* tokens of an answer whose request sets no limit: a guess */
};

struct prices;

/* Pico-dollars per token. */
struct prices_model {
	int64_t input, cached, output;
};

/* Reads the file; "-" is standard input.  ERR_NOINPUT: it cannot be opened.
 * ERR_CONFIG: it is not such a file; the message names the place and what is
 * wrong: "prices.json:3:12: …", "prices.json: gpt-4o-mini.output: …". */
struct prices *prices_load(const char *path, struct err *e) MUST_CHECK;
void prices_free(struct prices *p); /* NULL is fine */
void prices_cleanup(struct prices **p);

/* The price of a model, valid as long as the prices; NULL: it has none, or
 * `p` is NULL. */
const struct prices_model *prices_find(const struct prices *p, struct span model);
/* The same for whoever cannot go on without: ERR_CONFIG, naming the model. */
const struct prices_model *prices_need(const struct prices *p, struct span model,
				       struct err *e) MUST_CHECK;

/* The cost of a usage: `cached` tokens are a part of the `input` ones.  What a
 * server should not say (less than 0 tokens, more of them cached than sent) is
 * taken as the nearest that it may. */
int64_t prices_cost(const struct prices_model *m, int64_t input, int64_t cached,
		    int64_t output);
/* What a request may cost that was not answered yet: its body's bytes as input,
 * nothing cached, and all the output it allows (0: no limit, PRICES_OUTPUT). */
int64_t prices_estimate(const struct prices_model *m, int64_t body_bytes,
			int64_t max_tokens);
int64_t prices_sum(int64_t a, int64_t b); /* of costs */
/* Micro-dollars, as an option OPT_MICRO has them, in pico-dollars. */
int64_t prices_of_micro(int64_t micros);

/* Dollars, a number in JSON too: exact, with two digits behind the point at
 * least: "0.0123", "5.00".  `buf` has PRICES_BUF bytes and is returned. */
enum { PRICES_BUF = 32 };
char *prices_text(int64_t cost, char *buf);

#endif
