#include "engine/run.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/sig.h"
#include "engine/desk.h"
#include "engine/gate.h"
#include "engine/profile.h"

enum {
	REDRAW_MS = 100,
	CLOSE_WAIT_MS = 30000,
	SHORT_WAIT_MS = 1000,  /* when the user has waited already */
	WAIT_MS = 500,         /* the loop goes round at least so often */
	GAP_MS = 500,          /* who was away for so much longer asks again before sending */
	LOOK_MS = 1000,        /* how often `tick` is called */
	WALL_MS = 10000,       /* a wrong key, an empty purse (engine/gate.h) */
};

struct run {
	const struct run_options *o;
	struct run_summary *sum;
	struct http *http;
	struct ledger *ledger;
	struct planner *planner; /* NULL: no plans */
	struct ledger_state state;
	struct job_list ready, races, ended, unsent;
	struct desk_words words;
	struct gate gate;
	struct rng rng;
	int signals;
	int stops;             /* 0, 1 draining, 2 aborting */
	int64_t deadline_ms;   /* monotonic: abort what is still in flight then */
	int64_t end_ms;        /* monotonic: --max-time; 0: none */
	int64_t expected_ms;   /* when the wait was to end, also of a sleep (clock_boot_ms()) */
	int64_t next_look_ms;
	int64_t ahead_ms;      /* of the monotonic clock: the wall clock */
	int64_t held;          /* bytes of all jobs taken, also of those given since */
	int64_t given;         /* of these: bytes of those that were given */
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
	if (j->call.hold_ms > 0)
		gate_close(&r->gate, j->req.bucket, clock_mono_ms() + j->call.hold_ms);
	if (j->quota || (j->keyed && job_status(j) == 401)) /* until the ledger knows of it */
		gate_wall(&r->gate, j->req.bucket, clock_mono_ms() + WALL_MS);
	else if (j->decision.verdict == VERDICT_COMPLETED)
		gate_success(&r->gate, j->req.bucket);
	int64_t bytes = job_bytes(j);
	r->held += bytes - j->bytes;
	j->bytes = bytes;
	s->attempts++;
	s->sends += j->call.sent;
	if (j->decision.verdict == VERDICT_RETRY && j->call.code != HTTP_SUPERSEDED)
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

/* What --max-buffer leaves for the answers in flight. */
static int64_t room(const struct run *r)
{
	return r->o->max_buffer > 0 ? r->o->max_buffer - (r->held - r->state.freed) : INT64_MAX;
}

/* Has all that was given been written, so that no room will come of that? */
static bool is_written(const struct run *r)
{
	return r->given == r->state.freed;
}

/* Does memory hold what the disk does not take? */
static bool keeps_results(const struct run *r)
{
	return r->state.stuck && !r->state.failed && !is_written(r);
}

/* One goes on when nothing else can make room. */
static bool has_room(const struct run *r)
{
	return http_held(r->http) < room(r) || (http_in_flight(r->http) == 0 && is_written(r));
}

/* Has its window passed since it was started?  The ledger says so as well, but
 * not while a commit takes long. */
static bool is_past(const struct job *j, int64_t wall_ms)
{
	return j->req.expires_ms > 0 && j->req.expires_ms <= wall_ms;
}

static void send_ready(struct run *r)
{
	int64_t now = clock_mono_ms(), wall = clock_wall_ms();
	struct job *j;

	/* Races go beside what is in the slots. */
	while (has_room(r) &&
	       ((http_free_slots(r->http) > -r->o->http.jobs && (j = job_pop(&r->races))) ||
		(http_free_slots(r->http) > 0 && (j = job_pop(&r->ready))))) {
		if (!gate_is_open(&r->gate, j->req.bucket, now) || is_past(j, wall))
			job_push(&r->unsent, j);
		else if (j->call.code == HTTP_UNUSABLE)
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
		planner_quiet(r->planner);
		r->next_look_ms = 0; /* the tick learns of it, however short it is */
		if (r->o->stop_fd >= 0) /* it stays readable, or no longer matters */
			http_unwatch(r->http, r->o->stop_fd);
		if (signal && keeps_results(r))
			log_note("stopping: what cannot be stored now is waited for (at most %lld s); "
				 "once more gives it up, and it is sent again", (long long)r->o->grace_ms / 1000);
		else if (signal && http_in_flight(r->http) > 0)
			log_note("stopping: %d in flight may finish (at most %lld s); "
				 "once more aborts them", http_in_flight(r->http),
				 (long long)r->o->grace_ms / 1000);
	} else if (r->stops == 2) {
		http_cut(r->http, NULL, NULL, HTTP_ABORTED);
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
}

static void back_with_all(struct run *r)
{
	job_append(&r->unsent, &r->ready);
	job_append(&r->unsent, &r->races);
}

static struct run_progress progress(const struct run *r)
{
	return (struct run_progress){ .ledger = &r->state, .sum = r->sum,
				      .in_flight = http_in_flight(r->http),
				      .held = r->held - r->state.freed + http_held(r->http),
				      .draining = r->stops > 0 };
}

/* What time brings. */
static void look_at_clock(struct run *r)
{
	int64_t now = clock_mono_ms(), ahead = clock_wall_ms() - now;

	/* The ledger's holds are over then: what it starts would come back at once. */
	if (ahead > r->ahead_ms + GAP_MS)
		gate_release(&r->gate);
	r->ahead_ms = ahead;
	if (r->stops == 0 && r->end_ms && now >= r->end_ms)
		stop(r, "max_time", 0);
	if (r->stops == 1 && now > r->deadline_ms)
		stop(r, "", 0);
	if (r->o->tick && now >= r->next_look_ms) {
		struct run_progress p = progress(r);
		r->next_look_ms = now + (r->o->tick_ms ? r->o->tick_ms : LOOK_MS);
		if (r->o->tick(r->o->tick_ctx, &p))
			ledger_limits(r->ledger, r->o->limits);
	}
	/* After a sleep (SIGSTOP, a lid that was closed) what lies ready may have been
	 * cancelled or have expired. */
	if (clock_boot_ms() > r->expected_ms + GAP_MS)
		back_with_all(r);
}

static bool is_cut(void *ctx, const struct http_call *call)
{
	const struct desk_word *w = ctx;
	bool halt = w->what == DESK_HALT_BATCH || w->what == DESK_HALT_ROW;

	return desk_means(w, ((const struct job *)call->user)->req.row) && !(halt && call->sent);
}

static void give_back(struct run *r, struct job_list *list, struct desk_word *w)
{
	struct job_list all;
	struct job *j;

	job_list_init(&all);
	job_append(&all, list);
	while ((j = job_pop(&all)))
		job_push(desk_means(w, j->req.row) ? &r->unsent : list, j);
}

/* Those that may use a slot beyond --jobs. */
static void pick_races(struct run *r, struct job_list *fresh)
{
	struct job *j;

	while ((j = job_pop(fresh))) {
		r->held += j->bytes;
		job_push(j->race ? &r->races : &r->ready, j);
	}
}

/* What the ledger wants at once: jobs that lie ready go back, others are cut. */
static void obey(struct run *r, struct desk_word *w)
{
	give_back(r, &r->ready, w);
	give_back(r, &r->races, w);
	if (w->what != DESK_RECHECK)
		http_cut(r->http, is_cut, w,
			 w->n < 0 ? HTTP_SUPERSEDED : HTTP_ABORTED);
}

static void take(struct run *r)
{
	struct job_list fresh;

	job_list_init(&fresh);
	ledger_take(r->ledger, &fresh, &r->words, &r->state);
	pick_races(r, &fresh);
	for (int i = 0; i < r->words.n; i++)
		obey(r, &r->words.v[i]);
	desk_words_clear(&r->words);
	if (r->stops == 0 && (r->state.failed || r->state.halt))
		stop(r, r->state.failed ? "failed" : r->state.halt, 0);
}

static bool is_over(const struct run *r)
{
	if (http_in_flight(r->http) > 0 || (r->stops == 1 && keeps_results(r)))
		return false;
	return r->stops > 0 || r->state.failed || (r->state.drained && r->ready.n + r->races.n == 0);
}

static void sooner(int64_t *wait, int64_t at_ms)
{
	int64_t left = at_ms - clock_mono_ms();

	if (left < *wait)
		*wait = left < 0 ? 0 : left;
}

static int64_t wait_ms(const struct run *r)
{
	int64_t wait = r->o->progress ? REDRAW_MS : WAIT_MS;

	if (r->stops == 1)
		sooner(&wait, r->deadline_ms + 1);
	if (r->stops == 0 && r->end_ms)
		sooner(&wait, r->end_ms);
	if (r->o->tick)
		sooner(&wait, r->next_look_ms);
	return wait;
}

static void give(struct run *r)
{
	const struct job_list *lists[] = { &r->ended, &r->unsent };

	for (size_t i = 0; i < ARRAY_LEN(lists); i++)
		for (const struct job *j = lists[i]->first; j; j = j->next)
			r->given += j->bytes;
	ledger_give(r->ledger, &r->ended, &r->unsent);
}

static int loop(struct run *r, struct err *e)
{
	for (;;) {
		take(r);
		look_at_clock(r);
		if (r->stops == 0)
			send_ready(r);
		else
			back_with_all(r);
		give(r);
		if (is_over(r))
			return 0;
		/* What is in flight when the disk is full is paid for: it may end. */
		http_room(r->http, room(r), is_written(r) || r->state.stuck);
		int64_t wait = wait_ms(r);
		r->expected_ms = clock_boot_ms() + wait;
		if (http_wait(r->http, wait, e) < 0)
			return -1;
		if (r->o->progress) {
			struct run_progress p = progress(r);
			r->o->progress(r->o->ctx, &p);
		}
		look_at_signals(r);
	}
}

static int start(struct run *r, struct db *db, struct err *e)
{
	static const int caught[] = { SIGINT, SIGTERM, SIGHUP, SIGUSR1 };
	struct str config CLEANUP(str_release) = STR_INIT;

	r->signals = sig_open(caught, (int)ARRAY_LEN(caught), e);
	r->http = r->signals < 0 ? NULL : http_new(&r->o->http, on_done, r, e);
	if (!r->http)
		return -1;
	if (r->o->plans && !(r->planner = planner_new(r->o->plans, e)))
		return -1;
	profile_write(r->o, &config);
	struct ledger_options lo = {
		.batches = r->o->batches, .n_batches = r->o->n_batches, .user = r->o->user,
		.defaults = r->o->defaults, .trace = r->o->trace, .jobs = r->o->http.jobs,
		.limits = r->o->limits,
		.no_adaptive = r->o->no_adaptive, .health = r->o->health, .forever = r->o->forever,
		.alone = r->o->alone, .grace_ms = r->o->grace_ms,
		.prices = r->o->prices, .max_cost = r->o->prices ? r->o->max_cost : -1,
		.max_buffer = r->o->max_buffer,
		.max_requests = r->o->max_requests, .max_failed = r->o->max_failed,
		.version = r->o->version, .config = str_z(&config),
		.more = r->planner ? planner_more : NULL, .more_ctx = r->planner,
	};
	if (r->o->plans && r->o->plans->datasets) {
		lo.datasets = r->o->plans->datasets;
		lo.n_datasets = r->o->plans->n_datasets;
	}
	r->ledger = ledger_open(db, &lo, e);
	if (!r->ledger)
		return -1;
	if (r->planner)
		planner_start(r->planner, ledger_worker(r->ledger), ledger_ring, r->ledger);
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
	planner_part(r->planner);
	if (r->ledger) {
		ledger_take(r->ledger, &r->ready, &r->words, &r->state);
		back_with_all(r);
		ledger_give(r->ledger, &r->ended, &r->unsent);
		int64_t most = r->stops > 1 && keeps_results(r) ? SHORT_WAIT_MS : CLOSE_WAIT_MS;
		if (ledger_close(r->ledger, most, &s->ledger, &s->batches,
				 &s->n_batches, rc < 0 ? &other : e) < 0)
			rc = -1;
	}
	/* At last: what the ledger has just settled may have ended a batch. */
	if (planner_close(r->planner, &s->plans, rc < 0 ? &other : e) < 0)
		rc = -1;
	return rc;
}

int run_loop(struct db *db, const struct run_options *o, struct run_summary *out,
	     struct err *e)
{
	struct run r = { .o = o, .sum = out };
	int64_t began = clock_mono_ms();

	*out = (struct run_summary){ .reason = "drained" };
	job_list_init(&r.ready);
	job_list_init(&r.races);
	job_list_init(&r.ended);
	job_list_init(&r.unsent);
	rng_seed_random(&r.rng);
	r.expected_ms = INT64_MAX - GAP_MS;
	r.end_ms = o->max_time_ms ? began + o->max_time_ms : 0;
	int rc = start(&r, db, e);
	if (rc == 0)
		rc = loop(&r, e);
	rc = finish(&r, rc, e);
	desk_words_clear(&r.words);
	free(r.words.v);
	gate_release(&r.gate);
	out->took_ms = clock_mono_ms() - began;
	if (rc == 0 && r.stops == 0 && out->ledger.block)
		out->reason = out->ledger.block;
	return rc;
}

void run_release(struct run_summary *s)
{
	free(s->batches);
	s->batches = NULL;
	plansum_release(&s->plans);
}
