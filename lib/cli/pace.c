#include "cli/pace.h"

#include "base/clock.h"

enum { SETTLED_MS = 500 };

void pace_measure(struct pace *p, struct progress_state *s, int64_t now_ms)
{
	s->rate_milli = s->eta_ms = -1;
	if (!p->begun && s->total > 0)
		*p = (struct pace){ true, s->done, now_ms };
	int64_t ms = now_ms - p->first_ms, did = s->done - p->first_done;
	if (!p->begun || ms <= SETTLED_MS)
		return;
	s->rate_milli = did * 1000000 / ms;
	if (did > 0)
		s->eta_ms = (int64_t)((__int128)(s->total - s->done) * ms / did);
}

void pace_show(struct pace *p, struct progress *bar, struct progress_state *s)
{
	int64_t now = clock_mono_ms();

	if (!progress_due(bar, now))
		return;
	pace_measure(p, s, now);
	progress_show(bar, s, now);
}
