#include "engine/ratelimit.h"

#include <stdio.h>
#include <string.h>
#include "base/mem.h"
#include "base/rng.h"
#include "unit.h"

/* 2026-11-21T03:12:45Z */
static const int64_t NOW = INT64_C(1795230765) * 1000;

static void resets(void)
{
	static const struct { const char *text; int64_t ms; const char *rule; } all[] = {
		{ "6m0s", 360000, "as OpenAI writes it" }, { "1s", 1000, "OpenAI" },
		{ "20ms", 20, "OpenAI" }, { "1m26.4s", 86400, "OpenAI" }, { "2m59.56s", 179560, "Groq" },
		{ "7.66s", 7660, "Groq" }, { "8.64s", 8640, "Groq" }, { "11h59m59s", 43199000, "hours" },
		{ "1h2m3.5s4ms", 3723504, "all units" }, { "0s", 0, "nothing" }, { "0.5ms", 1, "rounded up" },
		{ "1500us", 2, "microseconds" }, { "1500\xc2\xb5s", 2, "as Go writes them" },
		{ "999999999ns", 0, "nanoseconds are less than is counted" },
		{ "1.23456789s", 1235, "more digits than are counted" },
		{ "168h0m0s", 604800000, "a week" },
		{ "0", 0, "seconds" }, { "30", 30000, "seconds" }, { "1.5", 1500, "seconds" },
		{ "0.0001", 1, "rounded up" }, { "86400", 86400000, "a day in seconds" },
		{ "1795230795", 30000, "Unix seconds (GitHub)" },
		{ "1795230795.5", 30500, "Unix seconds with a fraction" },
		{ "1795230765", 0, "now" }, { "1700000000", 0, "in the past" },
		{ "1795230795000", 30000, "Unix milliseconds (OpenRouter)" },
		{ "1700000000000", 0, "those in the past" },
		{ "2026-11-21T03:13:15Z", 30000, "RFC 3339 (Anthropic)" },
		{ "2026-11-21T03:13:15.999Z", 31000, "with a fraction: the next second" },
		{ "2026-11-21T03:13:15+00:00", 30000, "UTC in other words" },
		{ "2026-11-21T03:12:45Z", 0, "now" }, { "2020-01-01T00:00:00Z", 0, "in the past" },
		{ "2026-12-01T00:00:00Z", 852435000, "next month" },
		{ "", -1, "nothing" }, { " ", -1, "white space" }, { "soon", -1, "a word" }, { "-1", -1, "negative" },
		{ "+1", -1, "a sign" }, { "-1s", -1, "negative" }, { "1x", -1, "no unit" }, { "s", -1, "no number" },
		{ "1.s", -1, "no digit behind the point" }, { ".5s", -1, "none before it" },
		{ "1s2", -1, "a number without a unit behind one with" }, { "1 s", -1, "white space between" },
		{ "1e3", -1, "an exponent" }, { "0x10", -1, "hexadecimal" }, { "1,5", -1, "a comma" },
		{ "NaN", -1, "no number" }, { "1d", -1, "no unit of Go" }, { "1S", -1, "in upper case" },
		{ "99999999999999999999", -1, "more than any number" },
		{ "99999999999999999999h", -1, "more than any number of hours" },
		{ "9999999999h9999999999h9999999999h9999999999h", -1, "a sum of too many" },
		{ "2026-11-21T03:13:15", -1, "a time of no zone" }, { "2026-11-21", -1, "a date" },
		{ "2026-11-21T03:13:15+01:00", -1, "another zone" }, { "2026-11-21T03:13:15Z ", -1, "more behind it" },
		{ "2026-13-21T03:13:15Z", -1, "no month" }, { "2026-11-21T25:13:15Z", -1, "no hour" },
		{ "Sat, 21 Nov 2026 03:13:45 GMT", -1, "an HTTP date" },
		{ "1111111111111111111111111111111111111111111111111111111111111111", -1, "too long" },
	};
	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		CHECK_INT(ratelimit_reset(span_of(all[i].text), NOW), all[i].ms, "reset '%s': %s",
			  all[i].text, all[i].rule);
	CHECK_INT(ratelimit_reset(SPAN_NONE, NOW), -1, "reset: NULL");
	CHECK_INT(ratelimit_reset((struct span){ "1\0s", 3 }, NOW), -1, "reset: a NUL");
	CHECK_INT(ratelimit_reset((struct span){ "30xxxx", 2 }, NOW), 30000, "reset: to its end, no further");
}

/* Reads "name: value" lines; how long to wait, and *kind. */
static int64_t waits(const char *text, const char **kind)
{
	static struct ratelimit r;

	r = (struct ratelimit){ .n = 0 };
	*kind = "?";
	while (*text) {
		size_t name = strcspn(text, ":"), line = strcspn(text, "\n");
		const char *value = text + name + 1;
		ratelimit_header(&r, (struct span){ text, name },
				 (struct span){ value + 1, line - name - 2 }, NOW);
		text += line + (text[line] == '\n');
	}
	return ratelimit_wait(&r, kind);
}

static void headers(void)
{
	static const struct { const char *headers; int64_t ms; const char *kind, *rule; } all[] = {
		{ "", 0, "?", "no headers: nothing to wait for" },
		{ "x-ratelimit-limit-requests: 60\nx-ratelimit-limit-tokens: 150000\n"
		  "x-ratelimit-remaining-requests: 59\nx-ratelimit-remaining-tokens: 149984\n"
		  "x-ratelimit-reset-requests: 1s\nx-ratelimit-reset-tokens: 6m0s\n", 0, "?",
		  "OpenAI: all is left" },
		{ "x-ratelimit-remaining-requests: 0\nx-ratelimit-remaining-tokens: 149984\n"
		  "x-ratelimit-reset-requests: 1s\nx-ratelimit-reset-tokens: 6m0s\n", 1000, "requests",
		  "OpenAI: no requests" },
		{ "x-ratelimit-remaining-requests: 5\nx-ratelimit-remaining-tokens: 0\n"
		  "x-ratelimit-reset-requests: 1s\nx-ratelimit-reset-tokens: 6m0s\n", 360000, "tokens",
		  "OpenAI: no tokens" },
		{ "x-ratelimit-reset-tokens: 6m0s\nx-ratelimit-reset-requests: 1s\n"
		  "x-ratelimit-remaining-tokens: 0\nx-ratelimit-remaining-requests: 0\n", 360000, "tokens",
		  "neither: the longer of both, in any order" },
		{ "X-RateLimit-Remaining-Requests: 0\nX-RATELIMIT-RESET-REQUESTS: 2s\n", 2000, "requests",
		  "in any case of letters" },
		{ "anthropic-ratelimit-requests-limit: 50\nanthropic-ratelimit-requests-remaining: 0\n"
		  "anthropic-ratelimit-requests-reset: 2026-11-21T03:12:55Z\n"
		  "anthropic-ratelimit-tokens-remaining: 1000\n"
		  "anthropic-ratelimit-tokens-reset: 2026-11-21T04:12:45Z\n", 10000, "requests",
		  "Anthropic: no requests" },
		{ "anthropic-ratelimit-input-tokens-remaining: 0\n"
		  "anthropic-ratelimit-input-tokens-reset: 2026-11-21T03:13:45Z\n"
		  "anthropic-ratelimit-output-tokens-remaining: 8000\n"
		  "anthropic-ratelimit-output-tokens-reset: 2026-11-21T03:14:45Z\n", 60000, "input-tokens",
		  "Anthropic: no input tokens" },
		{ "x-ratelimit-remaining-requests-day: 0\nx-ratelimit-reset-requests-day: 33011.38\n"
		  "x-ratelimit-remaining-tokens-minute: 0\nx-ratelimit-reset-tokens-minute: 11.38\n",
		  33011380, "requests-day", "Cerebras: the day's requests" },
		{ "RateLimit-Limit: 100\nRateLimit-Remaining: 0\nRateLimit-Reset: 50\n", 50000, "",
		  "IETF draft: seconds" },
		{ "RateLimit-Remaining: 10\nRateLimit-Reset: 50\n", 0, "?", "IETF draft: some are left" },
		{ "x-ratelimit-remaining: 0\nx-ratelimit-reset: 1795230825\n", 60000, "",
		  "GitHub: Unix seconds" },
		{ "x-ratelimit-remaining-requests: 0\n", 0, "?", "no reset: nobody knows how long" },
		{ "x-ratelimit-reset-requests: 10s\n", 0, "?", "a reset alone: nothing is empty" },
		{ "x-ratelimit-remaining-requests: 0\nx-ratelimit-reset-tokens: 10s\n", 0, "?",
		  "a reset of another limit is not its own" },
		{ "x-ratelimit-remaining-requests: 0\nx-ratelimit-reset-requests: soon\n", 0, "?",
		  "a reset that is junk says nothing" },
		{ "x-ratelimit-remaining-requests: 0\nx-ratelimit-reset-requests: 0s\n", 0, "?",
		  "a reset that is over" },
		{ "x-ratelimit-remaining-requests: \nx-ratelimit-reset-requests: 9s\n", 0, "?",
		  "an empty value is not 0" },
		{ "x-ratelimit-remaining-requests: 00\nx-ratelimit-reset-requests: 9s\n", 0, "?", "nor is 00" },
		{ "x-ratelimit-remaining-requests: -1\nx-ratelimit-reset-requests: 9s\n", 0, "?", "nor is -1" },
		{ "x-ratelimit-remaining-requests: 0\nx-ratelimit-remaining-requests: 5\n"
		  "x-ratelimit-reset-requests: 9s\n", 0, "?", "of two values the later one counts" },
		{ "ratelimit: limit=10, remaining=0, reset=9\n", 0, "?", "other headers say nothing" },
		{ "my-ratelimit-remaining: 0\nmy-ratelimit-reset: 9\n", 0, "?", "nor those of other names" },
		{ "ratelimit-policy: 10;w=1\nx-ratelimit-limit: 0\n", 0, "?", "nor what is no remaining or reset" },
		{ "x-ratelimit-: 0\nratelimit-: 0\nx-ratelimit: 0\n", 0, "?", "nor a name that stops there" },
		{ "x-ratelimit-remaining-aaaaaaaaaaaaaaaaaaaaaaa: 0\n"
		  "x-ratelimit-reset-aaaaaaaaaaaaaaaaaaaaaaa: 9s\n", 9000, "aaaaaaaaaaaaaaaaaaaaaaa",
		  "a limit's name of 23 bytes" },
		{ "x-ratelimit-remaining-aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa: 0\n"
		  "x-ratelimit-reset-aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa: 9s\n", 0, "?", "a longer one is none" },
		{ "x-ratelimit-remaining-aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa: 0\n", 0,
		  "?", "nor a name of 80 bytes" },
	};
	for (size_t i = 0; i < ARRAY_LEN(all); i++) {
		const char *kind;
		CHECK_INT(waits(all[i].headers, &kind), all[i].ms, "%s", all[i].rule);
		CHECK_STR(kind, all[i].kind, "%s: which", all[i].rule);
	}
	struct ratelimit r = { .n = 0 };
	for (int i = 0; i < 20; i++) {
		char name[40];
		snprintf(name, sizeof name, "x-ratelimit-remaining-k%d", i);
		ratelimit_header(&r, span_of(name), SPAN_LIT("0"), NOW);
		snprintf(name, sizeof name, "x-ratelimit-reset-k%d", i);
		ratelimit_header(&r, span_of(name), i == 19 ? SPAN_LIT("99") : SPAN_LIT("5"), NOW);
	}
	CHECK_INT(r.n, RATELIMIT_KINDS, "so many limits are kept");
	CHECK_INT(ratelimit_wait(&r, NULL), 5000, "and no more; the name need not be asked for");
}

/* Bytes of strangers. */
static void junk(void)
{
	static const char *const names[] = { "x-ratelimit-remaining-", "anthropic-ratelimit-", "ratelimit-reset",
					     "x-ratelimit-reset-requests", "x-ratelimit-remaining-requests" };
	static const char parts[] = "0123456789.:-+TZhmsun\xc2\xb5 \xff";
	struct rng rng;
	int wrong = 0;

	rng_seed(&rng, 6);
	for (int i = 0; i < 200000; i++) {
		struct ratelimit r = { .n = 0 };
		char name[80] = "", value[80];
		for (int k = 0; k < 6; k++) {
			int n = snprintf(name, sizeof name, "%s", names[rng_below(&rng, ARRAY_LEN(names))]);
			size_t length = rng_below(&rng, 70);
			while (rng_below(&rng, 3) && n < 79)
				name[n++] = (char)rng_below(&rng, 256);
			for (size_t v = 0; v < length; v++)
				value[v] = rng_below(&rng, 50) ? parts[rng_below(&rng, sizeof parts - 1)]
							       : (char)rng_below(&rng, 256);
			ratelimit_header(&r, (struct span){ name, (size_t)n }, (struct span){ value, length },
					 NOW);
			wrong += ratelimit_reset((struct span){ value, length }, NOW) < -1;
		}
		wrong += r.n > RATELIMIT_KINDS || ratelimit_wait(&r, NULL) < 0;
	}
	CHECK_INT(wrong, 0, "whatever bytes come, a time is none or not negative");
}

int main(void)
{
	resets();
	headers();
	junk();
	return unit_done();
}
