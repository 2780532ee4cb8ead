#include "engine/retry.h"

int64_t retry_ceiling(const struct send *s, int64_t n)
{
	/* In millionths: a delay of 1 ms grows by fractions too. */
	__extension__ typedef unsigned __int128 wide;
	wide delay = (wide)s->retry_delay_ms * 1000000;
	wide limit = (wide)s->retry_max_delay_ms * 1000000;

	/* Stops when it is past the limit: no overflow, whatever n. */
	for (int64_t i = 0; i < n && delay < limit; i++) {
		wide next = delay * (wide)s->retry_factor_micro / 1000000;
		if (next == delay)
			break; /* no delay, or factor 1 */
		delay = next;
	}
	return (int64_t)((delay < limit ? delay : limit) / 1000000);
}

static bool may_retry(const struct send *s, const struct retry_facts *f)
{
	switch (f->code) {
	case HTTP_ANSWERED:
		return send_http_matches(s->retry_http, f->status) &&
		       !(f->status == 429 && f->quota);
	case HTTP_CERTIFICATE:
	case HTTP_TOO_LARGE:
	case HTTP_UNUSABLE:
		return false;
	default:
		return true;
	}
}

struct retry_decision retry_decide(const struct send *s, const struct retry_facts *f,
				   struct rng *rng)
{
	struct retry_decision d = { .verdict = VERDICT_FAILED, .counts = true };
	bool answered = f->code == HTTP_ANSWERED;

	if (answered && f->status >= 200 && f->status < 300) {
		d.verdict = VERDICT_COMPLETED;
		return d;
	}
	if (!may_retry(s, f))
		return d;
	if (s->at_most_once == 1 && f->sent && !answered && f->code != HTTP_SUPERSEDED) {
		d.interrupted = true;
		return d;
	}
	if (f->code == HTTP_ABORTED || f->code == HTTP_SUPERSEDED) { /* we stopped it ourselves */
		d.verdict = VERDICT_RETRY;
		d.counts = false;
		return d;
	}
	d.throttled = answered && (f->status == 429 || f->status == 529);
	d.counts = !d.throttled;
	int64_t before = d.throttled ? f->throttled : f->counted;
	int64_t most = d.throttled ? RETRY_THROTTLED - 1 : s->retries;
	if (before >= most) {
		d.exhausted = true;
		return d;
	}
	d.verdict = VERDICT_RETRY;
	d.delay_ms = (int64_t)rng_below(rng, (uint64_t)retry_ceiling(s, before) + 1);
	if ((d.throttled || (answered && f->status == 503)) && f->retry_after_ms > 0)
		d.delay_ms += f->retry_after_ms < RETRY_AFTER_MAX_MS ? f->retry_after_ms
								     : RETRY_AFTER_MAX_MS;
	return d;
}

void retry_deadline(struct retry_decision *d, int64_t expires_ms, int64_t stop_before_ms,
		    int64_t now_ms)
{
	if (d->verdict != VERDICT_RETRY || !d->counts || expires_ms <= now_ms ||
	    now_ms + d->delay_ms < expires_ms - stop_before_ms)
		return;
	d->verdict = VERDICT_FAILED;
	d->no_time = true;
}
