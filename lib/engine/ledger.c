#include "engine/ledger.h"

#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "domain/claim.h"
#include "domain/file.h"
#include "domain/worker.h"
#include "engine/desk.h"
#include "store/tx.h"

enum {
	SAFETY_MS = 2000,      /* look again even if nobody rang (foreign writers) */
	RETRY_MS = 100,        /* after a commit that failed */
	PATIENCE_MS = 500,     /* how long one try waits for other writers */
	PROGRESS_MS = 200,
	SUSPECT_MS = 500,      /* under full load one looks each PROGRESS_MS only */
	AHEAD_MAX = 4096,
	SPARE_MAX = 1024,
};

/* A batch that was met, and whether this run has started a request of it. */
struct known {
	struct target *target;
	bool started;
};

struct ledger {
	struct desk desk; /* between the threads */
	/* Set before the thread starts, then the thread's own. */
	struct db *db;
	struct send defaults;
	struct worker worker;
	struct claim *claim;
	struct tally tally;
	struct known *known;
	int n_known;
	int bell;
	pthread_t thread;
	int jobs;
	struct job_list ended, unsent, fresh, spare;
	int outstanding;       /* jobs that the network thread has */
	bool hungry;           /* there may be something to claim */
	bool again;            /* requests became pending in this cycle */
	bool check_dead;
	int64_t suspect_until; /* monotonic: somebody may have died */
	int64_t due_ms;        /* wall: the next retry; -1: none */
	int64_t version;       /* data_version last seen */
	int64_t next_progress;
	double rate, took;     /* settled per ms, and ms that a cycle takes; smoothed */
	int64_t last_us;       /* end of the last cycle */
	struct ledger_state mine; /* becomes `state` under the lock */
};

static struct known *known_of(struct ledger *l, int64_t batch, struct err *e)
{
	for (int i = l->n_known; i-- > 0;)
		if (l->known[i].target->batch == batch)
			return &l->known[i];

	struct batch b CLEANUP(batch_release) = BATCH_INIT;
	if (batch_get(l->db, batch, &b, e) < 0)
		return NULL;
	l->known = mem_resize(l->known, (size_t)l->n_known + 1, sizeof *l->known);
	l->known[l->n_known] = (struct known){ target_new(&b, &l->defaults), false };
	return &l->known[l->n_known++];
}

/* For requests of dead workers, whose batch need not be ours to send. */
static int64_t attempt_limit(void *ctx, int64_t batch)
{
	struct ledger *l = ctx;
	struct batch b CLEANUP(batch_release) = BATCH_INIT;
	struct send builtin CLEANUP(send_release) = send_defaults();
	struct err ignored = ERR_INIT;

	if (batch_get(l->db, batch, &b, &ignored) < 0)
		return 1;
	send_fill(&b.send, &l->defaults);
	send_fill(&b.send, &builtin);
	return b.send.retries + 1;
}

static void pending_again(struct ledger *l)
{
	claim_forget(l->claim);
	l->hungry = l->again = true;
}

/* Jobs that are over are used again: their buffers have the right size. */
static void drop_jobs(struct ledger *l, struct job_list *list)
{
	struct job *j;

	while ((j = job_pop(list)) && l->spare.n < SPARE_MAX) {
		job_reset(j);
		job_push(&l->spare, j);
	}
	for (; j; j = job_pop(list))
		job_free(j);
}

static int settle_all(struct ledger *l, int64_t now_ms, struct err *e)
{
	struct ledger_state *s = &l->mine;

	for (struct job *j = l->ended.first; j; j = j->next) {
		struct request_end end = job_end(j, l->worker.id);
		int rc = request_settle(&l->tally, &end, now_ms, e);
		if (rc < 0)
			return -1;
		if (rc == 0) {
			s->lost++;
			log_info("%s attempt %lld came too late and was dropped (lost_ownership)",
				 str_z(&j->url), (long long)j->req.n);
		} else if (end.verdict == VERDICT_COMPLETED) {
			s->completed++;
			s->input_tokens += end.input_tokens;
			s->cached_tokens += end.cached_tokens;
			s->output_tokens += end.output_tokens;
			s->reasoning_tokens += end.reasoning_tokens;
		} else if (end.verdict == VERDICT_FAILED) {
			s->failures++;
		} else {
			pending_again(l);
		}
	}
	for (struct job *j = l->unsent.first; j; j = j->next) {
		if (request_release(&l->tally, l->worker.id, &j->req, now_ms, e) < 0)
			return -1;
		pending_again(l);
	}
	return 0;
}

/* Starts one request; 0 if it was not to be had. */
static int start_one(struct ledger *l, int64_t row, int64_t now_ms, struct err *e)
{
	struct known *k = known_of(l, request_batch(row), e);

	if (!k)
		return -1;
	struct target *t = k->target;
	if (t->problem.code != ERR_NONE) {
		claim_skip(l->claim, t->batch);
		if (!l->mine.key_missing) {
			l->mine.error = t->problem;
			log_error("%s (key_unresolved)", t->problem.msg);
		}
		l->mine.key_missing = true;
		return 0;
	}
	struct job *j = l->spare.n > 0 ? job_pop(&l->spare) : job_new();
	int rc = request_start(&l->tally, l->worker.id, 0, row, now_ms, &j->req, e);
	/* A line that is gone is an empty one, which cannot be prepared. */
	if (rc > 0 && file_line(l->db, t->file, request_line(row), &j->raw, e) < 0)
		rc = -1;
	if (rc <= 0) {
		job_free(j);
		return rc;
	}
	j->target = t;
	j->started_ms = now_ms;
	/* A line that cannot be prepared ends without having been sent; the
	 * network thread sees it by the code and judges it at once. */
	job_prepare(j);
	job_push(&l->fresh, j);
	k->started = true;
	return 1;
}

/* How many may be out: the slots, and what frees while a commit takes place. */
static int capacity(const struct ledger *l)
{
	double ahead = l->rate * 4 * l->took;
	int limit = l->jobs * 16 < AHEAD_MAX ? l->jobs * 16 : AHEAD_MAX;

	return l->jobs + (ahead < limit ? (int)ahead : limit);
}

static int start_some(struct ledger *l, int64_t now_ms, struct err *e)
{
	int room = capacity(l) - (l->outstanding - l->ended.n - l->unsent.n);
	int64_t rows[512];

	while (room > 0 && l->hungry) {
		int want = room < (int)ARRAY_LEN(rows) ? room : (int)ARRAY_LEN(rows);
		int n = claim_next(l->claim, l->db, now_ms, rows, want, e);
		if (n < 0)
			return -1;
		for (int i = 0, rc; i < n; i++, room -= rc)
			if ((rc = start_one(l, rows[i], now_ms, e)) < 0)
				return -1;
		l->hungry = n == want;
		l->due_ms = claim_due(l->claim);
	}
	return 0;
}

static void measure(struct ledger *l, int settled, int64_t began_us)
{
	int64_t now = clock_mono_us();
	double ms = (double)(now - l->last_us + 1) / 1000, took = (double)(now - began_us) / 1000;
	double weight = ms > 100 ? 1 : 0.2;

	l->last_us = now;
	l->rate += weight * (settled / ms - l->rate);
	l->took += weight * ((took < 100 ? took : 100) - l->took);
}

static int cycle(struct ledger *l, bool stop, struct err *e)
{
	int64_t now_ms = clock_wall_ms();
	int64_t completed = l->mine.completed, failures = l->mine.failures;
	struct ledger_state before = l->mine;
	TX(tx);

	tally_begin(&l->tally, l->db);
	l->again = false;
	if (tx_begin(&tx, l->db, e) < 0)
		return -1;
	int rc = settle_all(l, now_ms, e);
	if (rc == 0 && l->check_dead) {
		int n = worker_rescue(&l->tally, attempt_limit, l, now_ms, e);
		rc = n < 0 ? -1 : 0;
		if (n > 0) {
			log_info("%d requests of dead workers are pending again", n);
			pending_again(l);
		}
	}
	/* Claims go by the counters, which have to know of them first. */
	if (rc == 0 && l->again) {
		rc = tally_flush(&l->tally, now_ms, e);
		tally_begin(&l->tally, l->db);
	}
	if (rc == 0 && !stop)
		rc = start_some(l, now_ms, e);
	if (rc == 0)
		rc = tally_flush(&l->tally, now_ms, e);
	if (rc == 0 && l->mine.completed + l->mine.failures > completed + failures)
		rc = worker_count(l->db, l->worker.id, l->mine.completed - completed,
				  l->mine.failures - failures, e);
	if (rc == 0)
		rc = tx_commit(&tx, e);
	if (rc < 0) {
		/* A batch that is left alone stays so, and is not met again. */
		before.key_missing = l->mine.key_missing;
		before.error = l->mine.error;
		l->mine = before;
		l->hungry = true;
		claim_forget(l->claim);
		drop_jobs(l, &l->fresh);
		return -1;
	}
	l->check_dead = false;
	return 0;
}

static int count_progress(struct ledger *l, struct err *e)
{
	struct ledger_state *s = &l->mine;

	s->total = s->done = s->done_failed = s->retrying = 0;
	for (int i = 0; i < l->n_known; i++) {
		struct batch b CLEANUP(batch_release) = BATCH_INIT;
		if (batch_get(l->db, l->known[i].target->batch, &b, e) < 0)
			return -1;
		s->total += b.total;
		s->done += b.completed + b.failed + b.cancelled + b.expired;
		s->done_failed += b.failed + b.cancelled + b.expired;
		s->retrying += b.retrying;
	}
	return 0;
}

static void publish(struct ledger *l)
{
	l->mine.next_due_ms = l->due_ms > 0 ? l->due_ms : 0;
	desk_publish(&l->desk, &l->fresh, &l->mine);
}

/* What time and other processes have done; `late`: nobody rang for long. */
static void hear(struct ledger *l, bool late)
{
	struct err ignored = ERR_INIT;
	int64_t version = l->version;
	int heard = side_heard(l->bell);

	if (db_version(l->db, &version, &ignored) == 0 && version != l->version) {
		l->version = version;
		l->hungry = true;
	}
	if (l->due_ms > 0 && l->due_ms <= clock_wall_ms())
		l->hungry = true;
	/* A file that was closed may mean a process that died; the kernel may tell
	 * so a moment before it gives the byte back. */
	int64_t now = clock_mono_ms();
	if (heard & SIDE_CLOSED)
		l->suspect_until = now + SUSPECT_MS;
	if (now < l->suspect_until || late)
		l->check_dead |= worker_any_dead(l->db, &ignored) > 0;
}

/* After a commit: what was settled is over, what was started goes out. */
static void deliver(struct ledger *l, int64_t began_us)
{
	measure(l, l->ended.n, began_us);
	l->outstanding += l->fresh.n - l->ended.n - l->unsent.n;
	drop_jobs(l, &l->ended);
	drop_jobs(l, &l->unsent);
	int64_t now = clock_mono_ms();
	struct err ignored = ERR_INIT;
	if (now >= l->next_progress) {
		l->next_progress = now + PROGRESS_MS;
		if (count_progress(l, &ignored) < 0)
			log_debug("%s", ignored.msg);
		hear(l, false); /* under full load nobody waits for news */
	}
	publish(l);
}

/* Sleeps until somebody has something for us. */
static void wait_for_news(struct ledger *l)
{
	struct pollfd fds[2] = { { .fd = l->desk.to_ledger, .events = POLLIN },
				 { .fd = l->bell, .events = POLLIN } };
	int64_t wait = SAFETY_MS;

	/* Who is hungry already waits for room, not for the next retry. */
	if (l->due_ms > 0 && !l->hungry) {
		int64_t left = l->due_ms - clock_wall_ms();
		wait = left < 0 ? 0 : left < wait ? left : wait;
	}
	if (clock_mono_ms() < l->suspect_until && wait > SUSPECT_MS / 8)
		wait = SUSPECT_MS / 8;
	int n = poll(fds, 2, (int)wait);
	hear(l, n == 0);
}

/* Nothing to do: is there nothing left either? */
static int look_for_end(struct ledger *l, struct err *e)
{
	if (l->outstanding > 0 || l->hungry || l->due_ms > 0 || l->mine.drained)
		return 0;
	int open = claim_open(l->claim, l->db, e);
	if (open < 0)
		return -1;
	if (open > 0)
		return 0;
	l->mine.drained = true;
	int rc = count_progress(l, e);
	publish(l);
	return rc;
}

static bool can_go_on(const struct err *e)
{
	return e->code == ERR_BUSY || e->code == ERR_IO;
}

static void give_up(struct ledger *l, const struct err *e)
{
	l->mine.failed = true;
	l->mine.error = *e;
	publish(l);
}

static void *thread_main(void *arg)
{
	struct ledger *l = arg;

	for (;;) {
		struct err e = ERR_INIT;
		struct desk_orders o = desk_collect(&l->desk, &l->ended, &l->unsent);
		bool given = l->ended.n > 0 || l->unsent.n > 0;
		if (o.finish && !given)
			return NULL;
		/* A commit for one more job is worth it only when slots are free. */
		int least = l->outstanding < l->jobs ? 1 : l->jobs / 2 + 1;
		bool room = l->hungry && !o.stop && capacity(l) - l->outstanding >= least;
		bool work = given || room || l->check_dead;
		int64_t began_us = clock_mono_us();
		int rc = work ? cycle(l, o.stop, &e) : look_for_end(l, &e);
		if (rc == 0 && l->mine.stuck) {
			log_note("the state file can be written again");
			l->mine.stuck = false;
			publish(l);
		}
		if (rc == 0 && work)
			deliver(l, began_us);
		else if (rc == 0)
			wait_for_news(l);
		if (rc == 0)
			continue;
		if (!can_go_on(&e) || (o.finish && clock_mono_ms() > o.give_up_ms)) {
			give_up(l, &e);
			return NULL;
		}
		if (!l->mine.stuck) {
			log_warn("%s; %d results wait in memory", e.msg, l->ended.n);
			l->mine.stuck = true;
			publish(l);
		}
		/* Not for news: what comes meanwhile would fail as well. */
		poll(NULL, 0, RETRY_MS);
	}
}

static void free_ledger(struct ledger *l)
{
	struct job *j;

	while ((j = job_pop(&l->ended)) || (j = job_pop(&l->unsent)) ||
	       (j = job_pop(&l->fresh)) || (j = job_pop(&l->spare)))
		job_free(j);
	desk_release(&l->desk);
	for (int i = 0; i < l->n_known; i++)
		target_free(l->known[i].target);
	free(l->known);
	tally_release(&l->tally);
	claim_free(l->claim);
	send_release(&l->defaults);
	if (l->bell >= 0)
		close(l->bell);
	free(l);
}

struct ledger *ledger_open(struct db *db, const struct ledger_options *o, struct err *e)
{
	struct ledger *l = mem_alloc(sizeof *l);

	l->db = db;
	l->jobs = o->jobs;
	l->defaults = (struct send)SEND_INIT;
	if (o->defaults)
		send_fill(&l->defaults, o->defaults);
	l->claim = claim_new(o->batches, o->n_batches, o->user);
	l->hungry = l->check_dead = true;
	l->due_ms = -1;
	l->last_us = clock_mono_us();
	struct job_list *lists[] = { &l->ended, &l->unsent, &l->fresh, &l->spare };
	for (size_t i = 0; i < ARRAY_LEN(lists); i++)
		job_list_init(lists[i]);
	l->bell = -1;
	if (desk_init(&l->desk, e) < 0 || db_large_cache(db, e) < 0 || (l->bell = side_listen(db_side(db), e)) < 0 ||
	    worker_enter(db, o->version, o->config, &l->worker, e) < 0) {
		free_ledger(l);
		return NULL;
	}
	db_patience(db, PATIENCE_MS);
	if (pthread_create(&l->thread, NULL, thread_main, l) != 0)
		BUG("cannot start a thread");
	return l;
}

int ledger_fd(const struct ledger *l)
{
	return l->desk.to_network;
}

void ledger_take(struct ledger *l, struct job_list *jobs, struct ledger_state *state)
{
	desk_take(&l->desk, jobs, state);
}

void ledger_give(struct ledger *l, struct job_list *ended, struct job_list *unsent)
{
	desk_give(&l->desk, ended, unsent);
}

void ledger_stop(struct ledger *l)
{
	desk_stop(&l->desk);
}

int ledger_close(struct ledger *l, int64_t wait_ms, struct ledger_state *state,
		 int64_t **batches, int *n_batches, struct err *e)
{
	desk_finish(&l->desk, clock_mono_ms() + wait_ms);
	pthread_join(l->thread, NULL);
	*state = l->mine;
	*n_batches = 0;
	*batches = mem_alloc((size_t)(l->n_known + 1) * sizeof **batches);
	for (int i = 0; i < l->n_known; i++)
		if (l->known[i].started)
			(*batches)[(*n_batches)++] = l->known[i].target->batch;
	db_patience(l->db, 10000);
	int rc = state->failed ? -1 : worker_leave(l->db, &l->worker, e);
	if (state->failed)
		*e = state->error;
	free_ledger(l);
	return rc;
}
