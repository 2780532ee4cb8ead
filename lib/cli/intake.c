#include "cli/intake.h"

#include "base/clock.h"
#include "cli/progress.h"

void intake_progress(void *bar, int64_t lines, int64_t bytes)
{
	const struct progress_state s = {
		.what = "importing", .done = lines, .total = -1, .failed = -1, .retrying = -1,
		.in_flight = -1, .rate_milli = -1, .eta_ms = -1,
	};
	int64_t now = clock_mono_ms();

	(void)bytes;
	if (progress_due(bar, now))
		progress_show(bar, &s, now);
}

void intake_clear(void *bar)
{
	progress_clear(bar);
}
