#include "engine/session.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/notify.h"
#include "base/num.h"
#include "base/sig.h"
#include "domain/prices.h"
#include "domain/queue.h"
#include "domain/worker.h"
#include "engine/metrics.h"
#include "engine/stream.h"
#include "engine/trace.h"

enum { TICK_MS = 1000 };

static int alone(struct db *db, bool wait, struct err *e)
{
	int rc = worker_alone(db, e);

	return rc < 0 && e->code == ERR_HELD && wait ? worker_wait(db, e) : rc;
}

int session_alone(const char *db_path, bool wait, struct err *e)
{
	if (access(db_path, F_OK) < 0)
		return 0;
	struct db *db CLEANUP(db_cleanup) = db_open(db_path, DB_EXISTING, e);
	return db ? alone(db, wait, e) : -1;
}

struct ticking {
	const struct session *session;
	struct notify *manager;
	struct metrics_file metrics;
	bool ready, stopping; /* it was told */
};

static void tell(struct ticking *t, const struct run_progress *p)
{
	char text[120];

	if (!t->ready)
		notify_ready(t->manager);
	t->ready = true;
	notify_alive(t->manager);
	snprintf(text, sizeof text, "%lld of %lld done, %d in flight", (long long)p->ledger->done,
		 (long long)p->ledger->total, p->in_flight);
	notify_status(t->manager, text);
	if (p->draining && !t->stopping)
		notify_stopping(t->manager);
	t->stopping = p->draining;
}

static bool on_tick(void *ctx, const struct run_progress *p)
{
	struct ticking *t = ctx;
	const struct run_options *o = &t->session->run;

	tell(t, p);
	metrics_tick(&t->metrics, p);
	return o->tick && o->tick(o->tick_ctx, p);
}

/* Two that found nobody enter at the same moment: one of them has to look, and
 * perhaps to wait, once more. */
static int enter_and_run(struct db *db, const struct run_options *o, bool wait,
			 struct run_summary *sum, struct err *e)
{
	int rc;

	while ((rc = run_loop(db, o, sum, e)) < 0 && e->code == ERR_HELD) {
		sig_restore(); /* nothing is in flight that would have to finish */
		run_release(sum);
		if (alone(db, wait, e) < 0)
			return -1;
	}
	return rc;
}

static int need_price(void *ctx, struct span model, struct err *e)
{
	return prices_need(ctx, model, e) ? 0 : -1;
}

/* --max-cost: every model that may be sent to has a price. */
static int read_prices(struct db *db, const struct session *s, struct run_options *o,
		       struct prices **prices, struct err *e)
{
	if (s->max_cost_micro <= 0)
		return 0;
	if (!s->prices)
		return err_set(e, ERR_USAGE, "--max-cost needs --prices");
	*prices = prices_load(s->prices, e);
	if (!*prices)
		return -1;
	o->prices = *prices;
	o->max_cost = prices_of_micro(s->max_cost_micro);
	return queue_models(db, o->batches, o->n_batches, o->user,
			    o->defaults ? o->defaults->escalate : NULL, need_price, *prices, e);
}

static bool is_named(const struct run_options *o, int64_t batch)
{
	for (int i = 0; o->batches && i < o->n_batches; i++)
		if (o->batches[i] == batch)
			return true;
	return false;
}

int session_run(struct db *db, const struct session *s, struct run_summary *sum,
		struct report *report, struct err *e)
{
	struct notify manager CLEANUP(notify_close) = NOTIFY_INIT;
	struct ticking ticking = { .session = s, .manager = &manager };
	struct run_options o = s->run;
	struct stream *stream = NULL;
	struct trace trace;
	struct err other = ERR_INIT;

	trace_init(&trace, getenv("TRACEPARENT"));
	trace.labels = s->labels;
	o.trace = &trace;
	o.tick = on_tick;
	o.tick_ctx = &ticking;
	struct prices *prices CLEANUP(prices_cleanup) = NULL;
	if (read_prices(db, s, &o, &prices, e) < 0 || notify_open(&manager, e) < 0 ||
	    metrics_start(&ticking.metrics, s->metrics, o.version, e) < 0)
		return -1;
	o.tick_ms = notify_watchdog_ms(&manager) < TICK_MS ? notify_watchdog_ms(&manager) : TICK_MS;
	if (s->to_stdout && !(stream = stream_start(db_path(db), o.batches[0], e)))
		return -1;
	o.stop_fd = stream ? stream_gone_fd(stream) : -1;
	int rc = enter_and_run(db, &o, s->wait, sum, e);
	if (s->clear)
		s->clear(s->clear_ctx);
	if (stream && stream_stop(stream, &other) < 0 && rc == 0) {
		*e = other;
		rc = -1;
	}
	for (int i = 0; rc == 0 && o.batches && i < o.n_batches; i++)
		rc = report_add(report, db, o.batches[i], e);
	bool all = !o.batches || (o.plans && o.plans->datasets);
	for (int i = 0; rc == 0 && all && i < sum->n_batches; i++)
		if (!is_named(&o, sum->batches[i]))
			rc = report_add(report, db, sum->batches[i], e);
	metrics_end(&ticking.metrics, sum, rc < 0 ? err_status(e->code)
						   : report_status(report, sum, o.max_failed));
	return rc;
}
