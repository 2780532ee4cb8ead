#include "engine/rate.h"

#include <stdbool.h>

__extension__ typedef __int128 wide;

static const int64_t DAY_US = INT64_C(86400) * 1000000;

static int64_t step_of(const struct limit_rate *r, int64_t n)
{
	wide step = (wide)r->interval_ms * 1000 * n;

	/* Rounded up: the rate is never exceeded. */
	return (int64_t)((step + (n > 0 ? r->n - 1 : 0)) / r->n);
}

int64_t rate_cut(int64_t at_us, const struct limit_rate *r, int64_t most, int64_t now_us)
{
	wide step = (wide)r->interval_ms * 1000 * most / r->n;
	int64_t day = r->interval_ms * 1000 + DAY_US;
	int64_t last = now_us + RATE_SLICE_US + (step < day ? (int64_t)step : day);

	return at_us < last ? at_us : last;
}

/* No further back than can be caught up; the first ever has nothing to. */
static int64_t begin_of(int64_t at_us, int64_t now_us)
{
	if (at_us == 0)
		return now_us;
	return at_us > now_us - RATE_SLICE_US ? at_us : now_us - RATE_SLICE_US;
}

int64_t rate_room(int64_t at_us, const struct limit_rate *r, int64_t now_us)
{
	at_us = begin_of(at_us, now_us);
	if (at_us > now_us)
		return 0;
	return (int64_t)((wide)(now_us - at_us) * r->n / ((wide)r->interval_ms * 1000)) + 1;
}

int64_t rate_after(int64_t at_us, const struct limit_rate *r, int64_t n, int64_t now_us)
{
	return begin_of(at_us, now_us) + step_of(r, n);
}

int64_t rate_wake(int64_t at_us, const struct limit_rate *r, int64_t now_us)
{
	at_us = begin_of(at_us, now_us);
	return step_of(r, 1) < RATE_WAKE_US ? at_us + RATE_WAKE_US : at_us;
}

static bool wants(const struct bucket_share *s, int64_t now_ms)
{
	/* Also not from the future: a clock may have been set. */
	return s->wants_ms > now_ms - RATE_WANTS_MS && s->wants_ms <= now_ms + RATE_WANTS_MS;
}

static int64_t less(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static int64_t served(const struct bucket_share *s, int64_t now_ms)
{
	return s->served_ms <= now_ms ? s->served_ms : 0;
}

int64_t rate_share(int64_t jobs, const struct bucket_share *shares, int n, int64_t me,
		   int64_t now_ms)
{
	struct bucket_share mine = { .worker = me };
	int64_t flying = 0, seekers = 1, reserved = 0, earlier = 0;

	for (int i = 0; i < n; i++) {
		flying += shares[i].in_flight;
		if (shares[i].worker == me)
			mine = shares[i];
		else
			seekers += wants(&shares[i], now_ms);
	}
	if (flying >= jobs)
		return 0;
	int64_t free = jobs - flying, part = jobs / seekers > 0 ? jobs / seekers : 1;
	for (int i = 0; i < n; i++) {
		const struct bucket_share *s = &shares[i];
		if (s->worker == me || !wants(s, now_ms) || s->in_flight >= part)
			continue;
		reserved += part - s->in_flight;
		if (served(s, now_ms) < served(&mine, now_ms))
			earlier += part - s->in_flight;
	}
	int64_t beyond = free - reserved;
	int64_t owed = mine.in_flight >= part ? 0 :
		       less(part - mine.in_flight, jobs < seekers ? free - earlier : free);
	int64_t room = owed > beyond ? owed : beyond;
	return room > 0 ? room : 0;
}
