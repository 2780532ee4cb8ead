#include "engine/rate.h"

#include <stdio.h>
#include <string.h>
#include "base/mem.h"
#include "base/rng.h"
#include "unit.h"

__extension__ typedef __int128 wide;

static const int64_t NOW = INT64_C(1795230765000000); /* 2026-11-21, microseconds */
static const int64_t SECOND = 1000000, DAY = INT64_C(86400000000);

static struct rng rng;

static struct limit_rate per(int64_t n, int64_t interval_ms)
{
	return (struct limit_rate){ n, interval_ms };
}

/* Sees all starts of a simulation in their order.  In no window of any length t
 * may there be more than n * (t + slice) / interval + 1: with u(i) = i * interval -
 * t(i) * n that is u(j) - u(i) <= slice * n for all i < j. */
struct watch {
	struct limit_rate r;
	int64_t started, first_us, last_us;
	wide least;
	bool broken;
};

static void saw(struct watch *w, int64_t now_us, int64_t count)
{
	wide interval = (wide)w->r.interval_ms * 1000, since = now_us - w->first_us;

	if (w->started == 0) {
		w->first_us = now_us;
		since = 0;
	}
	wide first = w->started * interval - since * w->r.n;
	if (w->started == 0 || first < w->least)
		w->least = first;
	w->started += count;
	wide last = (w->started - 1) * interval - since * w->r.n;
	w->broken |= last - w->least > (wide)RATE_SLICE_US * w->r.n;
	w->last_us = now_us;
}

/* How many are right in the time it ran: the slice is no part of a long run. */
static int64_t ideal(const struct watch *w)
{
	return (int64_t)((wide)(w->last_us - w->first_us) * w->r.n /
			 ((wide)w->r.interval_ms * 1000)) + 1;
}

/* Starts all there is room for, whenever rate_wake() or, if late_us is not 0,
 * up to so much later; as the limiter, which wakes in whole milliseconds and
 * starts one by one. */
static struct watch run(struct limit_rate r, int64_t length_us, int64_t most, int64_t late_us,
			bool one_by_one)
{
	struct watch w = { .r = r };
	int64_t now = NOW, at = 0;

	while (now < NOW + length_us && w.started < most) {
		int64_t room = rate_room(at, &r, now);
		if (room > 0)
			saw(&w, now, room);
		for (int64_t i = 0; one_by_one && i < room; i++)
			at = rate_after(at, &r, 1, now);
		if (!one_by_one && room > 0)
			at = rate_after(at, &r, room, now);
		w.broken |= rate_room(at, &r, now) != 0;
		int64_t wake = (rate_wake(at, &r, now) + 999) / 1000 * 1000;
		w.broken |= wake <= now;
		now = wake + (late_us ? (int64_t)rng_below(&rng, (uint64_t)late_us) : 0);
	}
	return w;
}

static void exactness(void)
{
	static const struct { int64_t n, interval_ms, length_us; const char *text; } all[] = {
		{ 1, 1000, 0, "1/s" }, { 7, 1000, 0, "7/s" }, { 500, 60000, 0, "500/m" },
		{ 3, 1, 0, "3/1ms" }, { 5, 15000, 0, "5/15s" }, { 1, 604800000, 0, "1/7d" },
		{ 10, 604800000, 0, "10/7d" }, { 999, 86400000, 0, "999/d" }, { 100, 1000, 0, "100/s" },
		{ 9973, 60000, 0, "9973/m" }, { 30000, 60000, 0, "30k/m" },
		{ 100000, 1000, 0, "100k/s" }, { 1000000, 1000, 0, "1M/s" },
	};
	for (size_t i = 0; i < ARRAY_LEN(all); i++) {
		struct limit_rate r = per(all[i].n, all[i].interval_ms);
		struct watch w = run(r, INT64_MAX / 2, 200000, 0, true);
		/* Each start may be rounded up by a microsecond, and the last wait by a
		 * millisecond. */
		wide step = (wide)r.interval_ms * 1000 / r.n;
		int64_t least = (int64_t)((wide)ideal(&w) * step / (step + 1)) - r.n / r.interval_ms - 2;
		CHECK(!w.broken && w.started <= ideal(&w) + 1 && w.started >= least,
		      "%s: %lld starts in %lld s, %lld are right", all[i].text, (long long)w.started,
		      (long long)((w.last_us - w.first_us) / SECOND), (long long)ideal(&w));
		w = run(r, INT64_MAX / 2, 200000, 0, false);
		CHECK(!w.broken && w.started <= ideal(&w) + all[i].n / 10 / all[i].interval_ms * 1000 + 1 &&
		      w.started >= least, "%s: no less when many are taken at once", all[i].text);
	}
	struct limit_rate half = per(30, 60000);
	struct watch w = run(half, 365 * DAY, INT64_MAX, 0, true);
	CHECK(!w.broken && w.started == 365 * 24 * 3600 / 2, "30/m for a year: no drift, one each 2 s");
	/* What is late by less than the slice is caught up, every time. */
	w = run(per(1, 1000), 10 * DAY, INT64_MAX, RATE_SLICE_US - 1000, true);
	CHECK(!w.broken && ideal(&w) - w.started <= 1, "waking late by less than the slice loses nothing:"
	      " %lld of %lld", (long long)w.started, (long long)ideal(&w));
	w = run(per(1000, 1000), 3600 * SECOND, INT64_MAX, RATE_SLICE_US - RATE_WAKE_US - 1000, true);
	CHECK(!w.broken && ideal(&w) - w.started <= 101, "of a fast rate too: %lld of %lld",
	      (long long)w.started, (long long)ideal(&w));
	w = run(per(1, 1000), DAY, INT64_MAX, 3 * SECOND, true);
	CHECK(!w.broken && w.started > 86400 / 4 && w.started < 86400 / 2,
	      "who wakes late by more does not catch it up: %lld a day", (long long)w.started);
}

/* Several processes with one moment, that come when they like, take some of
 * what they may, and give back what they have not sent. */
static void property(void)
{
	enum { ROUNDS = 400, STEPS = 500 };
	int broken = 0, negative = 0, early = 0;
	int64_t starts = 0;

	for (int round = 0; round < ROUNDS; round++) {
		struct limit_rate r = per(1 + (int64_t)rng_below(&rng, round % 3 ? 1000 : 1000000000),
					  1 + (int64_t)rng_below(&rng, round % 2 ? 5000 : 604800000));
		struct watch w = { .r = r };
		int64_t now = NOW, at = 0;
		for (int step = 0; step < STEPS; step++) {
			int64_t room = rate_room(at, &r, now);
			int64_t take = room > 0 ? (int64_t)rng_below(&rng, (uint64_t)room + 1) : 0;
			negative += room < 0;
			if (take > 0)
				at = rate_after(at, &r, take, now);
			int64_t back = take > 0 && rng_below(&rng, 4) == 0
					       ? (int64_t)rng_below(&rng, (uint64_t)take + 1) : 0;
			if (back > 0)
				at = rate_after(at, &r, -back, now);
			if (take > back)
				saw(&w, now, take - back);
			int64_t wake = rate_wake(at, &r, now);
			if (rate_room(at, &r, now) == 0)
				early += wake <= now || rate_room(at, &r, wake) == 0;
			now = rng_below(&rng, 2) && wake > now ? wake
							       : now + (int64_t)rng_below(&rng, 300000);
		}
		broken += w.broken;
		starts += w.started;
	}
	CHECK(broken == 0 && starts > ROUNDS * STEPS, "400 random rates: in no window of any length more"
	      " than n an interval and the slice, of %lld starts", (long long)starts);
	CHECK_INT(negative, 0, "room is never less than none");
	CHECK_INT(early, 0, "at rate_wake() there is some");
}

static void bursts(void)
{
	struct limit_rate r = per(100, 1000), slow = per(1, 60000), huge = per(1000000000, 1);

	CHECK_INT(rate_room(0, &r, NOW), 1, "the first ever has nothing to catch up");
	CHECK_INT(rate_room(NOW - 3600 * SECOND, &r, NOW), 11, "after an idle hour: a slice of 100 ms"
		  " and the one that is due");
	CHECK_INT(rate_room(1, &r, NOW), 11, "after 50 years as well");
	CHECK_INT(rate_room(NOW - 3600 * SECOND, &slow, NOW), 1, "of a slow rate one");
	CHECK_INT(rate_room(NOW, &slow, NOW), 1, "what is due now may start");
	CHECK_INT(rate_room(NOW + 1, &slow, NOW), 0, "a microsecond before it may not");
	CHECK_INT(rate_room(NOW - 20000, &r, NOW), 3, "20 ms late at 10 ms each: three");
	CHECK_INT(rate_room(NOW - 19999, &r, NOW), 2, "not quite: two");
	CHECK_INT(rate_room(1, &huge, NOW), INT64_C(100000000001), "the fastest rate");
	CHECK_INT(rate_after(NOW, &slow, 1, NOW), NOW + 60 * SECOND, "a start moves it by interval / n");
	CHECK_INT(rate_after(1, &slow, 1, NOW), NOW - RATE_SLICE_US + 60 * SECOND,
		  "from what may be caught up on");
	CHECK_INT(rate_after(0, &slow, 1, NOW), NOW + 60 * SECOND, "the first from now on");
	CHECK_INT(rate_after(NOW, &(struct limit_rate){ 3, 1000 }, 1, NOW), NOW + 333334,
		  "rounded up to a microsecond");
	CHECK_INT(rate_after(NOW, &(struct limit_rate){ 3, 1000 }, 3, NOW), NOW + SECOND,
		  "once, however many start");
	CHECK_INT(rate_after(NOW, &huge, 1, NOW), NOW + 1, "to a whole one");
	CHECK_INT(rate_after(NOW + SECOND, &slow, -1, NOW), NOW - 59 * SECOND,
		  "what has not been sent comes back");
	int64_t odd = rate_after(rate_after(NOW, &(struct limit_rate){ 7, 1000 }, 1, NOW),
				 &(struct limit_rate){ 7, 1000 }, -1, NOW);
	CHECK(odd >= NOW && odd <= NOW + 1, "and never more than was taken");
	CHECK_INT(rate_after(NOW, &slow, 2000000, NOW), NOW + INT64_C(2000000) * 60 * SECOND,
		  "two million tokens at one a minute: no overflow");
	CHECK(rate_after(NOW, &(struct limit_rate){ 1, 604800000 }, 15000000, NOW) > NOW,
	      "15 million at one in 7 days neither");
	CHECK_INT(rate_wake(NOW + 60 * SECOND, &slow, NOW), NOW + 60 * SECOND, "wake: when it is due");
	CHECK_INT(rate_wake(NOW + 10000, &r, NOW), NOW + 10000 + RATE_WAKE_US,
		  "of a fast rate for some of them at once");
	CHECK_INT(rate_wake(NOW + 20000, &(struct limit_rate){ 50, 1000 }, NOW), NOW + 20000,
		  "20 ms each is not fast");
}

/* The wall clock jumps by `jump` in the middle of a run that lasts 20 intervals
 * of real time; how many started after it. */
static int64_t after_jump(struct limit_rate r, int64_t jump, struct watch *after)
{
	int64_t real = 0, at = 0, length = r.interval_ms * 1000 * 20;
	bool jumped = false;

	*after = (struct watch){ .r = r };
	while (real < length) {
		int64_t now = NOW + real + (real > length / 2 ? jump : 0);
		if (real > length / 2 && !jumped) {
			jumped = true;
			after->started = 0;
		}
		at = rate_cut(at, &r, 1, now);
		int64_t room = rate_room(at, &r, now);
		if (room > 0) {
			if (jumped)
				saw(after, real, room);
			at = rate_after(at, &r, room, now);
		}
		int64_t wait = rate_wake(at, &r, now) - now;
		real += wait > 0 && wait < length ? wait : length / 200;
	}
	return after->started;
}

static void clocks(void)
{
	static const struct { int64_t n, interval_ms; const char *text; } rates[] = {
		{ 1, 1000, "1/s" }, { 100, 1000, "100/s" }, { 500, 60000, "500/m" }, { 1, 86400000, "1/d" },
	};
	static const struct { int64_t jump; const char *text; } jumps[] = {
		{ 10 * INT64_C(86400000000), "ten days forward" },
		{ -10 * INT64_C(86400000000), "ten days back" },
		{ -3600 * INT64_C(1000000), "an hour back" }, { 3600 * INT64_C(1000000), "an hour forward" },
		{ -2000000, "two seconds back" },
	};
	for (size_t i = 0; i < ARRAY_LEN(rates); i++)
		for (size_t k = 0; k < ARRAY_LEN(jumps); k++) {
			struct limit_rate r = per(rates[i].n, rates[i].interval_ms);
			struct watch w;
			int64_t got = after_jump(r, jumps[k].jump, &w), want = 10 * r.n;
			/* A start of the slice and one at the jump, on either side. */
			int64_t extra = r.n * RATE_SLICE_US / (r.interval_ms * 1000) + 2;
			CHECK(!w.broken && got <= want + extra && got >= want - extra - r.n / 50,
			      "%s, the clock is set %s: %lld of %lld follow in the same time",
			      rates[i].text, jumps[k].text, (long long)got, (long long)want);
		}
	struct limit_rate fast = per(100, 1000), slow = per(1, 86400000);
	CHECK_INT(rate_cut(NOW + 10000, &fast, 1, NOW), NOW + 10000, "what a start brings stays");
	CHECK_INT(rate_cut(1, &fast, 1, NOW), 1, "what is past stays");
	CHECK_INT(rate_cut(0, &fast, 1, NOW), 0, "none stays none");
	CHECK_INT(rate_cut(NOW + DAY, &slow, 1, NOW), NOW + DAY, "so does a slow rate's next day");
	CHECK_INT(rate_cut(NOW + DAY, &fast, 1, NOW), NOW + RATE_SLICE_US + 10000,
		  "but not when the limit became 100/s since: a tenth of a second is waited");
	CHECK_INT(rate_cut(INT64_MAX, &fast, 1, NOW), NOW + RATE_SLICE_US + 10000, "nor whatever else");
	CHECK_INT(rate_cut(NOW + 600 * SECOND, &(struct limit_rate){ 1000, 60000 }, 10000, NOW),
		  NOW + 600 * SECOND, "of tokens one start takes many");
	CHECK_INT(rate_cut(INT64_MAX, &(struct limit_rate){ 1, 1000 }, 2000000, NOW),
		  NOW + RATE_SLICE_US + DAY + SECOND, "a day and an interval are the most");
	int64_t at = rate_cut(NOW + 10 * DAY, &fast, 1, NOW);
	CHECK(rate_room(at, &fast, NOW) == 0 && rate_room(at, &fast, NOW + 110000) == 1,
	      "what was cut is due soon, when it is kept so");
}

/* Shares as text: "me 3 w1 s5 | 2 | 0 w" = I have 3, wanted 1 s ago, was served at
 * 5; others have 2, and none and wants now. */
static int64_t share(int64_t jobs, const char *text)
{
	struct bucket_share v[8];
	int64_t now = 1000000;
	int n = 0;

	while (*text) {
		struct bucket_share *s = &v[n++];
		*s = (struct bucket_share){ .worker = n };
		if (strncmp(text, "me ", 3) == 0) {
			s->worker = 77;
			text += 3;
		}
		for (; *text && *text != '|'; text++) {
			if (*text >= '0' && *text <= '9')
				s->in_flight = s->in_flight * 10 + *text - '0';
			if (*text == 'w')
				s->wants_ms = now;
			if (*text == 'o') /* long ago: gone since */
				s->wants_ms = now - RATE_WANTS_MS;
			if (*text == 'j')
				s->wants_ms = now - RATE_WANTS_MS + 1;
			if (*text == 'f')
				s->wants_ms = now + RATE_WANTS_MS + 1;
			if (*text == 'n')
				s->wants_ms = now + RATE_WANTS_MS;
			if (*text == 'A')
				s->served_ms = 100;
			if (*text == 'B')
				s->served_ms = 200;
			if (*text == 'Z') /* in ten days */
				s->served_ms = now + 864000000;
		}
		if (*text)
			text += 2;
	}
	return rate_share(jobs, v, n, 77, now);
}

static void share_table(void)
{
	static const struct { int64_t jobs; const char *shares; int64_t room; const char *rule; } all[] = {
		{ 5, "", 5, "alone: all" },
		{ 5, "me 2", 3, "alone: what is left" },
		{ 5, "me 5", 0, "alone: nothing is left" },
		{ 5, "me 7", 0, "more are in flight than may be (the limit was lowered): none" },
		{ 5, "3", 2, "the other has 3 and wants no more: the rest" },
		{ 5, "me 1 | 3", 1, "one is left" },
		{ 5, "5", 0, "the other has all: none" },
		{ 4, "me 0 | 0 w", 2, "two that want: half each" },
		{ 4, "me 2 | 0 w", 0, "who has its half leaves the other's alone" },
		{ 4, "me 2 | 1 w", 0, "one of the two left is the other's, the other one too" },
		{ 4, "me 1 | 2 w", 1, "the other has its half, I get mine" },
		{ 4, "me 0 | 3 w", 1, "never more than are free" },
		{ 5, "me 2 | 2 w", 1, "the odd one: whoever comes" },
		{ 4, "me 0 | 4 w", 0, "all in flight: none, who waits longest or not" },
		{ 4, "me 0 | 0 o", 4, "who has not asked for 3 s does not wait" },
		{ 4, "me 0 | 0 j", 2, "who has asked a moment before does" },
		{ 4, "me 0 | 0 f", 4, "nor who asked in the future: the clock was set" },
		{ 4, "me 0 | 0 n", 2, "but for as much as is not sure" },
		{ 4, "me 0 | 2 o", 2, "what a worker that is gone has in flight still counts" },
		{ 6, "me 0 | 0 w | 0 w", 2, "three that want: a third each" },
		{ 6, "me 0 | 1 w | 1", 3, "one of three does not want: half, though it still has one" },
		{ 7, "me 3 | 1 w | 0 ", 1, "two want: 3 is my half, the other's 2 are kept, one is over" },
		{ 1, "me 0 | 0 w", 1, "one for two, never served: whoever comes" },
		{ 1, "me 0 A | 0 w", 0, "the other was never served: it is its turn" },
		{ 1, "me 0 A | 0 w B", 1, "I was served longest ago: mine" },
		{ 1, "me 0 B | 0 w A", 0, "the other was: its turn" },
		{ 1, "me 0 B | 0 A", 1, "but it does not want any" },
		{ 1, "me 0 B | 0 o A", 1, "nor if it is gone" },
		{ 1, "me 0 Z | 0 w B", 1, "who was served in the future was never served" },
		{ 1, "me 0 B | 0 w Z", 0, "nor was the other" },
		{ 2, "me 0 B | 0 w A | 0 w A", 0, "two for three: the two that wait longer" },
		{ 2, "me 0 B | 1 w A | 0 w A", 0, "one of them has its own, the other waits longer" },
		{ 2, "me 0 A | 1 w B | 0 w B", 1, "I wait longest" },
		{ 2, "me 1 A | 0 w B | 0 w B", 0, "I have one: the other is for those without" },
		{ 2, "me 0 | 2 | 0 w", 0, "two for three, both in flight: none" },
	};
	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		CHECK_INT(share(all[i].jobs, all[i].shares), all[i].room, "jobs=%lld, %s: %s",
			  (long long)all[i].jobs, all[i].shares, all[i].rule);
}

enum { WORKERS_MAX = 9, ASK_MS = 1000, FLIES_MS = 2000, FLIGHTS_MAX = 64 };

/* Workers that ask when something has ended, and at least each ASK_MS while they
 * wait (engine/limiter); requests that take up to FLIES_MS. */
struct world {
	int64_t jobs, now_ms;
	int n;
	struct bucket_share shares[WORKERS_MAX];
	struct flight {
		int owner;
		int64_t ends_ms;
	} flights[FLIGHTS_MAX];
	int n_flights, most;
	bool idle[WORKERS_MAX];             /* it has nothing to start */
	int64_t asks_ms[WORKERS_MAX];
	int64_t without_ms[WORKERS_MAX];    /* since when it wants and has none in flight */
	int64_t longest_ms, starts;
};

static void ask(struct world *w, int me)
{
	struct bucket_share *s = &w->shares[me];
	int64_t room = rate_share(w->jobs, w->shares, w->n, s->worker, w->now_ms);
	/* Mostly there is more to do than room. */
	int64_t take = w->idle[me] ? 0 :
		       rng_below(&rng, 5) ? room : (int64_t)rng_below(&rng, (uint64_t)room + 1);

	for (int64_t i = 0; i < take && w->n_flights < FLIGHTS_MAX; i++)
		w->flights[w->n_flights++] = (struct flight){
			me, w->now_ms + 1 + (int64_t)rng_below(&rng, FLIES_MS) };
	s->in_flight += take;
	s->wants_ms = w->idle[me] || take < room ? 0 : w->now_ms;
	s->served_ms = take > 0 ? w->now_ms : s->served_ms;
	w->starts += take;
	w->most = w->n_flights > w->most ? w->n_flights : w->most;
	if (s->in_flight > 0 || s->wants_ms == 0)
		w->without_ms[me] = w->now_ms;
	if (w->now_ms - w->without_ms[me] > w->longest_ms)
		w->longest_ms = w->now_ms - w->without_ms[me];
	w->asks_ms[me] = w->now_ms + 1 + (int64_t)rng_below(&rng, ASK_MS);
}

static void end_flights(struct world *w)
{
	for (int i = 0; i < w->n_flights;) {
		if (w->flights[i].ends_ms > w->now_ms) {
			i++;
			continue;
		}
		int owner = w->flights[i].owner;
		w->flights[i] = w->flights[--w->n_flights];
		w->shares[owner].in_flight--;
		w->without_ms[owner] = w->now_ms;
		for (int k = 0; k < w->n; k++) { /* its commit is news for all */
			int64_t soon = w->now_ms + (int64_t)rng_below(&rng, 5);
			w->asks_ms[k] = soon < w->asks_ms[k] ? soon : w->asks_ms[k];
		}
	}
}

static struct world live(int64_t jobs, int n, int64_t until_ms, bool moods)
{
	struct world w = { .jobs = jobs, .n = n, .now_ms = 5000000 };

	for (int i = 0; i < n; i++) {
		w.shares[i].worker = i + 1;
		w.asks_ms[i] = w.now_ms + (int64_t)rng_below(&rng, ASK_MS);
		w.without_ms[i] = w.now_ms;
	}
	for (until_ms += w.now_ms; w.now_ms < until_ms; w.now_ms++) {
		end_flights(&w);
		int k = (int)rng_below(&rng, 1000);
		if (moods && k < n)
			w.idle[k] = !w.idle[k];
		for (int i = 0; i < n; i++)
			if (w.asks_ms[i] <= w.now_ms)
				ask(&w, i);
	}
	return w;
}

static void share_property(void)
{
	int over = 0, unused = 0, starved = 0, waste = 0;
	int64_t longest = 0;

	for (int n = 1; n <= WORKERS_MAX; n++)
		for (int64_t jobs = 1; jobs <= 20; jobs += n > 3 ? 3 : 1)
			for (int moods = 0; moods < 2; moods++) {
				struct world w = live(jobs, n, 120000, moods);
				/* Each of those before it may start one more, and one that has
				 * fallen idle is waited for. */
				int64_t limit = (n / jobs + 2) * FLIES_MS + ASK_MS +
						(moods ? 2 * RATE_WANTS_MS : 0);
				over += w.most > jobs;
				unused += w.most < jobs;
				starved += w.longest_ms > limit;
				/* Half of the time a flight takes half of FLIES_MS. */
				waste += !moods && w.starts < 120 * jobs * 1000 / FLIES_MS * 3 / 2;
				longest = w.longest_ms > longest ? w.longest_ms : longest;
			}
	CHECK_INT(over, 0, "1 to 9 workers, 1 to 20 jobs, two minutes each: never more in flight than jobs");
	CHECK_INT(unused, 0, "and as many at some time");
	CHECK_INT(starved, 0, "no worker waits for ever while others go on: the longest %lld ms",
		  (long long)longest);
	CHECK_INT(waste, 0, "and slots are not kept empty");
}

static int64_t all_ask(struct world *w, int n)
{
	for (int i = 0; i < n; i++) {
		struct bucket_share *s = &w->shares[i];
		s->in_flight += rate_share(w->jobs, w->shares, w->n, s->worker, w->now_ms);
		s->wants_ms = w->now_ms;
	}
	int64_t flying = 0;
	for (int i = 0; i < w->n; i++)
		flying += w->shares[i].in_flight;
	return flying;
}

/* The last of four has wanted, and is gone. */
static void vanished(void)
{
	struct world w = { .jobs = 10, .n = 4, .now_ms = 5000000 };

	for (int i = 0; i < 4; i++)
		w.shares[i] = (struct bucket_share){ .worker = i + 1, .wants_ms = w.now_ms };
	CHECK_INT(all_ask(&w, 3), 8, "10 jobs: 2 of them are kept for one of four that wants some");
	for (int64_t end = w.now_ms + RATE_WANTS_MS; w.now_ms < end - 1; w.now_ms++)
		if (all_ask(&w, 3) != 8)
			break;
	CHECK_INT(all_ask(&w, 3), 8, "as long as it may come back");
	w.now_ms++;
	CHECK_INT(all_ask(&w, 3), 10, "after RATE_WANTS_MS it does not count any more");
	w.shares[3].in_flight = 4;
	w.shares[0].in_flight = w.shares[1].in_flight = w.shares[2].in_flight = 0;
	for (int i = 0; i < 9; i++)
		all_ask(&w, 3);
	CHECK_INT(all_ask(&w, 3), 10, "but what it has in flight does, until it is found dead");
	CHECK_INT(w.shares[3].in_flight, 4, "and is nobody else's");

	/* Both ways of clocks: what was written under another time. */
	for (int back = 0; back < 2; back++) {
		w = (struct world){ .jobs = 1, .n = 2, .now_ms = 5000000000 };
		int64_t other = back ? w.now_ms + 864000000 : w.now_ms - 864000000;
		for (int i = 0; i < 2; i++)
			w.shares[i] = (struct bucket_share){ i + 1, 0, other, other + i };
		int got[2] = { 0, 0 };
		for (int turn = 0; turn < 100; turn++) {
			for (int i = 0; i < 2; i++) {
				struct bucket_share *s = &w.shares[i];
				int64_t room = rate_share(1, w.shares, 2, i + 1, w.now_ms);
				got[i] += (int)room;
				s->in_flight += room;
				s->wants_ms = w.now_ms;
				s->served_ms = room ? w.now_ms : s->served_ms;
			}
			w.shares[0].in_flight = w.shares[1].in_flight = 0;
			w.now_ms += 10;
		}
		CHECK(got[0] + got[1] == 100 && got[0] >= 49 && got[1] >= 49,
		      "one job for two, the clock was set %s by ten days: they take turns (%d, %d)",
		      back ? "back" : "forward", got[0], got[1]);
	}
}

int main(void)
{
	rng_seed(&rng, 11);
	exactness();
	property();
	bursts();
	clocks();
	share_table();
	share_property();
	vanished();
	return unit_done();
}
