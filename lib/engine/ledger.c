#include "engine/ledger.h"

#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/num.h"
#include "domain/worker.h"
#include "engine/book.h"
#include "engine/desk.h"
#include "engine/starter.h"
#include "engine/watch.h"
#include "store/tx.h"

enum {
	SAFETY_MS = 2000,      /* look again even if nobody rang (foreign writers) */
	RETRY_MS = 100,        /* after a commit that failed */
	PATIENCE_MS = 500,     /* how long one try waits for other writers */
	PROGRESS_MS = 200,
	SUSPECT_MS = 500,      /* under full load one looks each PROGRESS_MS only */
	AHEAD_MAX = 4096,      /* requests started before there is a slot for them; */
	AHEAD_SLOT = 64,       /* and so many per slot: a slow disk wants large commits */
	PAUSE_US = 2000,       /* to let results gather, if that many come: */
	GATHER = 32,
	LONG_MS = 8,           /* a cycle in which enough of them gather by themselves */
};

struct ledger {
	struct desk desk; /* between the threads */
	/* Set before the thread starts, then the thread's own. */
	struct db *db;
	struct worker worker;
	struct book *book;
	struct watch watch;
	struct ledger_state *mine; /* the book's; becomes `state` under the lock */
	int bell;
	pthread_t thread;
	int jobs;
	bool forever;
	int64_t max_requests;
	struct job_list ended, unsent, fresh;
	struct desk_words words;
	int outstanding;       /* jobs that the network thread has */
	bool check_dead;
	bool late;             /* nobody has rung for SAFETY_MS */
	bool evicted;          /* others have ended our row: nothing may be started */
	int64_t race_ms;       /* wall: when requests go to another model as well; -1: never */
	bool look;             /* somebody may have cancelled, or something expired */
	int64_t suspect_until; /* monotonic: somebody may have died */
	int64_t next_ms;       /* wall: when there may be something to start; -1: unknown */
	int64_t next_mono;     /* and that by the monotonic clock: the other may be set back */
	int64_t version;       /* data_version last seen */
	int64_t commits;       /* of our own */
	bool (*more)(void *ctx, int64_t token);
	void *more_ctx;
	int64_t next_progress; /* monotonic: not counted before */
	bool uncounted;        /* something was committed since */
	double rate, took;     /* settled per ms, and ms that a cycle takes; smoothed */
	int64_t last_us;       /* end of the last cycle */
};

static void measure(struct ledger *l, int settled, int64_t began_us)
{
	int64_t now = clock_mono_us();
	double ms = (double)(now - l->last_us + 1) / 1000, took = (double)(now - began_us) / 1000;
	double weight = ms > 100 ? 1 : 0.2;

	l->last_us = now;
	l->rate += weight * (settled / ms - l->rate);
	l->took += weight * ((took < 100 ? took : 100) - l->took);
}

/* How many may be out: the slots, and what frees while a commit takes place. */
static int capacity(const struct ledger *l)
{
	double ahead = l->rate * 4 * l->took;
	int limit = l->jobs * AHEAD_SLOT < AHEAD_MAX ? l->jobs * AHEAD_SLOT : AHEAD_MAX;

	return book_capacity(l->book, ahead < limit ? (int)ahead : limit);
}

static int room(const struct ledger *l)
{
	return capacity(l) - (l->outstanding - l->ended.n - l->unsent.n);
}

/* All of one transaction but its beginning and its end. */
static int work(struct ledger *l, bool stop, struct err *e)
{
	if (book_begin(l->book, clock_wall_ms(), e) < 0 ||
	    book_settle(l->book, &l->ended, &l->unsent, e) < 0 ||
	    (l->check_dead && book_rescue(l->book, e) < 0) ||
	    (watch_has_work(&l->watch) && book_recall(l->book, &l->watch.now, e) < 0))
		return -1;
	if (!l->evicted) {
		int open = worker_is_open(l->db, l->worker.id, e);
		if (open < 0)
			return -1;
		l->evicted = open == 0;
	}
	if (!stop && !l->evicted && starter_start(l->book, room(l), &l->fresh, e) < 0)
		return -1;
	return book_end(l->book, e);
}

static int cycle(struct ledger *l, bool stop, struct err *e)
{
	TX(tx);

	if (tx_begin(&tx, l->db, e) < 0)
		return -1;
	if (work(l, stop, e) < 0 || tx_commit(&tx, e) < 0) {
		book_rollback(l->book, &l->fresh);
		return -1;
	}
	book_commit(l->book, &l->words);
	l->commits++;
	l->check_dead = false;
	l->next_ms = book_next(l->book, clock_wall_ms());
	l->next_mono = clock_mono_ms() + (l->next_ms - clock_wall_ms());
	l->race_ms = stop || l->evicted ? -1 : starter_next(l->book, clock_wall_ms());
	return 0;
}

static void publish(struct ledger *l)
{
	l->mine->next_due_ms = l->next_ms > 0 ? l->next_ms : 0;
	desk_publish(&l->desk, &l->fresh, &l->words, l->mine);
}

/* What time and other processes have done; `late`: nobody rang for long. */
static void hear(struct ledger *l, bool late)
{
	struct err ignored = ERR_INIT;
	int64_t version = l->version;
	int heard = side_heard(l->bell);

	l->late = late;
	if (db_version(l->db, &version, &ignored) == 0 && version != l->version) {
		l->version = version;
		l->look = true;
		book_hungry(l->book);
	}
	if (l->next_ms > 0 && (l->next_ms <= clock_wall_ms() || l->next_mono <= clock_mono_ms()))
		book_hungry(l->book);
	if (watch_next(&l->watch) > 0 && watch_next(&l->watch) <= clock_wall_ms())
		l->look = true;
	/* A file that was closed may mean a process that died; the kernel may tell
	 * so a moment before it gives the byte back. */
	int64_t now = clock_mono_ms();
	if (heard & SIDE_CLOSED)
		l->suspect_until = now + SUSPECT_MS;
	if (now < l->suspect_until || late)
		l->check_dead |= worker_any_dead(l->db, &ignored) > 0;
}

/* Counts for progress, if there is something to count and the time has come. */
static bool count(struct ledger *l)
{
	struct err ignored = ERR_INIT;
	int64_t now = clock_mono_ms();

	if (!l->uncounted || now < l->next_progress)
		return false;
	l->uncounted = false;
	l->next_progress = now + PROGRESS_MS;
	if (book_count(l->book, &ignored) < 0)
		log_debug("%s", ignored.msg);
	return true;
}

/* Has this run done what it was to do at most? */
static void look_for_halt(struct ledger *l)
{
	struct ledger_state *s = l->mine;
	struct err problem = ERR_INIT;
	int many = book_too_many(l->book, &problem);

	if (many < 0) /* it is asked again after the next commit */
		log_debug("%s", problem.msg);
	if (many > 0)
		s->halt = "max_failed";
	else if (l->max_requests > 0 && s->started >= l->max_requests && l->outstanding == 0)
		s->halt = "max_requests";
	else if (s->poor && l->outstanding == 0)
		s->halt = "max_cost";
}

/* After a commit: what was settled is over, what was started goes out. */
static void deliver(struct ledger *l, int64_t began_us)
{
	measure(l, l->ended.n, began_us);
	l->outstanding += l->fresh.n - l->ended.n - l->unsent.n;
	l->mine->freed += book_drop(l->book, &l->ended) + book_drop(l->book, &l->unsent);
	look_for_halt(l);
	l->uncounted = true;
	if (count(l))
		hear(l, false); /* under full load nobody waits for news */
	publish(l);
}

/* Not longer than until that moment of wall time, if there is one. */
static void until(int64_t *wait, int64_t at_ms)
{
	int64_t left = at_ms - clock_wall_ms();

	if (at_ms > 0 && left < *wait)
		*wait = left < 0 ? 0 : left;
}

/* Sleeps until somebody has something for us. */
static void wait_for_news(struct ledger *l)
{
	struct pollfd fds[2] = { { .fd = l->desk.to_ledger, .events = POLLIN },
				 { .fd = l->bell, .events = POLLIN } };
	int64_t wait = SAFETY_MS;

	if (count(l))
		publish(l);
	int64_t left = l->next_progress - clock_mono_ms();
	if (l->uncounted && left < wait)
		wait = left < 0 ? 0 : left;
	/* Who is hungry already waits for room, not for the next retry. */
	if (!book_is_hungry(l->book))
		until(&wait, l->next_ms);
	until(&wait, watch_next(&l->watch));
	until(&wait, l->race_ms);
	if (clock_mono_ms() < l->suspect_until && wait > SUSPECT_MS / 8)
		wait = SUSPECT_MS / 8;
	int n = poll(fds, 2, (int)wait);
	hear(l, n == 0);
}

/* Nothing to do: is there nothing left either? */
static int look_for_end(struct ledger *l, struct err *e)
{
	bool goes_on = book_is_hungry(l->book) || l->next_ms > 0 || l->forever;
	if (l->outstanding > 0 || l->mine->drained || (goes_on && !l->evicted))
		return 0;
	/* First: what it has made by then is open. */
	if (!l->evicted && l->more && l->more(l->more_ctx, l->commits << 32 ^ (l->version & UINT32_MAX)))
		return 0;
	int open = book_open(l->book, e);
	if (open < 0)
		return -1;
	if (l->evicted && (open > 0 || l->forever))
		return err_set(e, ERR_CONFIG, "another process took this worker for dead and its "
			       "requests away; start it again");
	if (open > 0)
		return 0;
	l->mine->drained = true;
	int rc = book_count(l->book, e);
	publish(l);
	return rc;
}

/* A commit costs the same for few results and for many.  While many come and the
 * network thread has enough to start meanwhile, they are let gather. */
static void gather(const struct ledger *l)
{
	double come = l->rate * PAUSE_US / 1000;
	int ahead = l->outstanding - l->jobs;

	if (come < GATHER || ahead < come * 1.5 || l->took > LONG_MS)
		return;
	struct timespec pause = { .tv_nsec = PAUSE_US * 1000L };
	ppoll(NULL, 0, &pause, NULL);
}

static bool can_go_on(const struct err *e)
{
	return e->code == ERR_BUSY || e->code == ERR_IO;
}

static void give_up(struct ledger *l, const struct err *e)
{
	l->mine->failed = true;
	l->mine->error = *e;
	publish(l);
}

/* Was something cancelled, or has it expired?  After our own work as well: a
 * batch that expires does so in steps. */
static int look(struct ledger *l, struct err *e)
{
	/* Nobody rings at a file that is gone. */
	if (l->late && db_in_place(l->db, e) < 0)
		return -1;
	l->late = false;
	if (!l->look && !watch_has_work(&l->watch))
		return 0;
	l->look = false;
	if (watch_look(&l->watch, l->db, l->outstanding, clock_wall_ms(), &l->words, e) < 0)
		return -1;
	if (l->words.n > 0)
		publish(l);
	return 0;
}

static void *thread_main(void *arg)
{
	struct ledger *l = arg;

	for (;;) {
		struct err e = ERR_INIT;
		int64_t began_us = clock_mono_us();
		gather(l);
		struct desk_orders o = desk_collect(&l->desk, &l->ended, &l->unsent);
		if (o.changed)
			book_limits(l->book, &o.limits);
		limits_release(&o.limits);
		bool given = l->ended.n > 0 || l->unsent.n > 0;
		if (o.finish && !given)
			return NULL;
		/* A commit for one more job is worth it only when slots are free. */
		int least = l->outstanding < l->jobs ? 1 : l->jobs / 2 + 1;
		bool start = book_is_hungry(l->book) && !o.stop && !l->evicted &&
			     capacity(l) - l->outstanding >= least;
		if (o.stop)
			l->race_ms = -1;
		int rc = look(l, &e);
		bool busy = given || start || l->check_dead || watch_has_work(&l->watch) ||
			    (l->race_ms > 0 && l->race_ms <= clock_wall_ms());
		if (rc == 0)
			rc = busy ? cycle(l, o.stop, &e) : look_for_end(l, &e);
		if (rc == 0 && l->mine->stuck) {
			log_note("the state file can be written again");
			l->mine->stuck = false;
			if (!busy) /* else deliver() does, and counts what goes out */
				publish(l);
		}
		if (rc == 0 && busy)
			deliver(l, began_us);
		else if (rc == 0)
			wait_for_news(l);
		if (rc == 0)
			continue;
		if (!can_go_on(&e) || (o.finish && clock_mono_ms() > o.give_up_ms)) {
			give_up(l, &e);
			return NULL;
		}
		if (!l->mine->stuck) {
			char n[NUM_BUF];
			log_warn("%s; %s wait%s in memory", e.msg, num_of(l->ended.n, "result", n),
				 l->ended.n == 1 ? "s" : "");
			l->mine->stuck = true;
			publish(l);
		}
		/* Not for news: what comes meanwhile would fail as well.  But what was
		 * cancelled by then, or has expired, is not to be sent. */
		poll(NULL, 0, RETRY_MS);
		hear(l, false);
	}
}

static void free_ledger(struct ledger *l)
{
	struct job_list *lists[] = { &l->ended, &l->unsent, &l->fresh };
	struct job *j;

	for (size_t i = 0; i < ARRAY_LEN(lists); i++)
		while ((j = job_pop(lists[i])))
			job_free(j);
	desk_release(&l->desk);
	watch_release(&l->watch);
	book_free(l->book);
	desk_words_clear(&l->words);
	free(l->words.v);
	if (l->bell >= 0)
		close(l->bell);
	free(l);
}

struct ledger *ledger_open(struct db *db, const struct ledger_options *o, struct err *e)
{
	struct ledger *l = mem_alloc(sizeof *l);

	l->db = db;
	l->jobs = o->jobs;
	l->forever = o->forever;
	l->more = o->more;
	l->more_ctx = o->more_ctx;
	l->max_requests = o->max_requests;
	l->check_dead = true;
	l->next_ms = l->race_ms = -1;
	l->last_us = clock_mono_us();
	job_list_init(&l->ended);
	job_list_init(&l->unsent);
	job_list_init(&l->fresh);
	l->bell = -1;
	const struct worker_new me = { .version = o->version, .config = o->config,
				       .alone = o->alone };
	if (desk_init(&l->desk, e) < 0 || db_large_cache(db, e) < 0 ||
	    (l->bell = side_listen(db_side(db), e)) < 0 ||
	    worker_enter(db, &me, &l->worker, e) < 0) {
		free_ledger(l);
		return NULL;
	}
	l->book = book_new(db, l->worker.id, o);
	l->mine = book_state(l->book);
	watch_init(&l->watch, l->worker.id, o->grace_ms);
	l->look = true;
	db_patience(db, PATIENCE_MS);
	if (pthread_create(&l->thread, NULL, thread_main, l) != 0)
		BUG("cannot start a thread");
	return l;
}

int64_t ledger_worker(const struct ledger *l)
{
	return l->worker.id;
}

void ledger_ring(void *ledger)
{
	struct ledger *l = ledger;

	desk_nudge(&l->desk);
}

int ledger_fd(const struct ledger *l)
{
	return l->desk.to_network;
}

void ledger_take(struct ledger *l, struct job_list *jobs, struct desk_words *words,
		 struct ledger_state *state)
{
	desk_take(&l->desk, jobs, words, state);
}

void ledger_give(struct ledger *l, struct job_list *ended, struct job_list *unsent)
{
	desk_give(&l->desk, ended, unsent);
}

void ledger_limits(struct ledger *l, const struct limits *limits)
{
	desk_limits(&l->desk, limits);
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
	l->next_progress = 0;
	count(l);
	*state = *l->mine;
	*batches = book_batches(l->book, n_batches);
	db_patience(l->db, 10000);
	int rc = state->failed ? -1 : worker_leave(l->db, &l->worker, e);
	if (state->failed)
		*e = state->error;
	free_ledger(l);
	return rc;
}
