#include "engine/run.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/jsonw.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/sig.h"

enum { REDRAW_MS = 100, CLOSE_WAIT_MS = 30000 };

struct run {
	const struct run_options *o;
	struct run_summary *sum;
	struct http *http;
	struct ledger *ledger;
	struct ledger_state state;
	struct job_list ready, ended, unsent;
	struct rng rng;
	int signals;
	int stops;             /* 0, 1 draining, 2 aborting */
	int64_t deadline_ms;   /* monotonic: abort what is still in flight then */
};

static void count_retry(struct run_summary *s, const struct job *j)
{
	char name[24];
	const char *code = http_code_text(j->call.code);

	if (code)
		snprintf(name, sizeof name, "%s", code);
	else
		snprintf(name, sizeof name, "%d", j->call.status);
	for (int i = 0; i < s->n_retries; i++)
		if (strcmp(s->retries[i].name, name) == 0) {
			s->retries[i].n++;
			return;
		}
	if (s->n_retries == RUN_REASONS)
		return;
	snprintf(s->retries[s->n_retries].name, sizeof name, "%s", name);
	s->retries[s->n_retries++].n = 1;
}

static void end_job(struct run *r, struct job *j)
{
	struct run_summary *s = r->sum;

	job_judge(j, &r->rng, clock_wall_ms());
	s->attempts++;
	s->sends += j->call.sent;
	if (j->decision.verdict == VERDICT_RETRY)
		count_retry(s, j);
	if (log_shows(LOG_DEBUG))
		log_debug("line %u attempt %lld: %d %s %lld ms", request_line(j->req.row),
			  (long long)j->req.n, j->call.status,
			  http_code_text(j->call.code) ? http_code_text(j->call.code) : "answered",
			  (long long)j->call.took_ms);
	job_push(&r->ended, j);
}

static void on_done(void *ctx, struct http_call *call)
{
	end_job(ctx, call->user);
}

static void send_ready(struct run *r)
{
	struct job *j;

	while (http_free_slots(r->http) > 0 && (j = job_pop(&r->ready))) {
		if (j->call.code == HTTP_UNUSABLE)
			end_job(r, j);
		else
			http_start(r->http, &j->call);
	}
}

/* The first time: nothing new.  The second: nothing at all. */
static void stop(struct run *r, const char *reason, int signal)
{
	r->stops++;
	if (r->stops == 1) {
		r->sum->reason = reason;
		r->sum->signal = signal;
		r->deadline_ms = clock_mono_ms() + r->o->grace_ms;
		ledger_stop(r->ledger);
		if (r->o->stop_fd >= 0) /* it stays readable, or no longer matters */
			http_unwatch(r->http, r->o->stop_fd);
		if (signal && http_in_flight(r->http) > 0)
			log_note("stopping: %d in flight may finish (at most %lld s); "
				 "once more aborts them", http_in_flight(r->http),
				 (long long)r->o->grace_ms / 1000);
	} else if (r->stops == 2) {
		http_abort(r->http);
	}
}

static void say_status(const struct run *r)
{
	const struct ledger_state *l = &r->state;

	log_note("%lld of %lld done, %lld of them failed; %d in flight, %lld wait to be tried again",
		 (long long)l->done, (long long)l->total, (long long)l->done_failed,
		 http_in_flight(r->http), (long long)l->retrying);
}

static void look_at_signals(struct run *r)
{
	int sig;

	while ((sig = sig_next()) > 0)
		if (sig == SIGUSR1)
			say_status(r);
		else
			stop(r, "signal", sig);
	struct pollfd p = { .fd = r->o->stop_fd, .events = POLLIN };
	if (r->stops == 0 && p.fd >= 0 && poll(&p, 1, 0) > 0)
		stop(r, "reader_gone", 0);
	if (r->stops == 1 && clock_mono_ms() > r->deadline_ms)
		stop(r, "", 0);
}

static bool is_over(const struct run *r)
{
	if (http_in_flight(r->http) > 0)
		return false;
	return r->stops > 0 || r->state.failed || (r->state.drained && r->ready.n == 0);
}

static int64_t wait_ms(const struct run *r)
{
	int64_t wait = r->o->progress ? REDRAW_MS : -1;

	if (r->stops == 1) {
		int64_t left = r->deadline_ms - clock_mono_ms() + 1;
		left = left < 0 ? 0 : left;
		wait = wait < 0 || left < wait ? left : wait;
	}
	return wait;
}

static int loop(struct run *r, struct err *e)
{
	for (;;) {
		ledger_take(r->ledger, &r->ready, &r->state);
		if (r->state.failed && r->stops == 0)
			stop(r, "failed", 0);
		if (r->stops == 0)
			send_ready(r);
		else
			job_append(&r->unsent, &r->ready);
		ledger_give(r->ledger, &r->ended, &r->unsent);
		if (is_over(r))
			return 0;
		if (http_wait(r->http, wait_ms(r), e) < 0)
			return -1;
		if (r->o->progress) {
			struct run_progress p = { &r->state, http_in_flight(r->http), r->stops > 0 };
			r->o->progress(r->o->ctx, &p);
		}
		look_at_signals(r);
	}
}

/* What a worker's row tells of how it was started; no secrets are in it. */
static void write_config(const struct run_options *o, struct str *out)
{
	struct jsonw w = jsonw_start(out);
	struct str send CLEANUP(str_release) = STR_INIT;

	jsonw_object(&w);
	jsonw_kint(&w, "jobs", o->http.jobs);
	if (o->defaults) {
		send_write(o->defaults, &send);
		jsonw_kraw(&w, "defaults", str_span(&send));
	}
	jsonw_end(&w);
}

static int start(struct run *r, struct db *db, struct err *e)
{
	static const int caught[] = { SIGINT, SIGTERM, SIGHUP, SIGUSR1 };
	struct str config CLEANUP(str_release) = STR_INIT;

	r->signals = sig_open(caught, (int)ARRAY_LEN(caught), e);
	if (r->signals < 0)
		return -1;
	r->http = http_new(&r->o->http, on_done, r, e);
	if (!r->http)
		return -1;
	write_config(r->o, &config);
	struct ledger_options lo = {
		.batches = r->o->batches, .n_batches = r->o->n_batches, .user = r->o->user,
		.defaults = r->o->defaults, .jobs = r->o->http.jobs,
		.version = r->o->version, .config = str_z(&config), .alone = r->o->alone,
	};
	r->ledger = ledger_open(db, &lo, e);
	if (!r->ledger)
		return -1;
	http_watch(r->http, r->signals);
	http_watch(r->http, ledger_fd(r->ledger));
	if (r->o->stop_fd >= 0)
		http_watch(r->http, r->o->stop_fd);
	return 0;
}

static int finish(struct run *r, int rc, struct err *e)
{
	struct run_summary *s = r->sum;
	struct err other = ERR_INIT;

	/* After a failure of the loop jobs may be in flight: they stay flights in
	 * the file, and the next worker rescues them. */
	http_free(r->http);
	if (r->ledger) {
		ledger_take(r->ledger, &r->ready, &r->state);
		job_append(&r->unsent, &r->ready);
		ledger_give(r->ledger, &r->ended, &r->unsent);
		if (ledger_close(r->ledger, CLOSE_WAIT_MS, &s->ledger, &s->batches,
				 &s->n_batches, rc < 0 ? &other : e) < 0)
			rc = -1;
	}
	return rc;
}

int run_loop(struct db *db, const struct run_options *o, struct run_summary *out,
	     struct err *e)
{
	struct run r = { .o = o, .sum = out };
	int64_t began = clock_mono_ms();

	*out = (struct run_summary){ .reason = "drained" };
	job_list_init(&r.ready);
	job_list_init(&r.ended);
	job_list_init(&r.unsent);
	rng_seed_random(&r.rng);
	int rc = start(&r, db, e);
	if (rc == 0)
		rc = loop(&r, e);
	rc = finish(&r, rc, e);
	out->took_ms = clock_mono_ms() - began;
	if (rc == 0 && out->ledger.key_missing && r.stops == 0)
		out->reason = "key_unresolved";
	return rc;
}

void run_release(struct run_summary *s)
{
	free(s->batches);
	s->batches = NULL;
}
