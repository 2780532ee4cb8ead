#include "engine/planner.h"

#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "domain/lease.h"
#include "engine/step.h"
#include "store/db.h"

enum {
	SAFETY_MS = 2000,    /* look again even if nobody rang: files come without a bell */
	ROUND_MS = 20,       /* between two looks, under full load */
	RETRY_MS = 200,      /* after an error that may pass */
	SUSPECT_MS = 500,    /* how long one looks for a dead worker after somebody closed */
	PATIENCE_MS = 2000,
	REMOTE_STEPS = PLANNER_STEPS / 2, /* a platform that is down leaves room for others */
};

struct planner {
	/* Between the threads, behind the lock. */
	pthread_mutex_t lock;
	int wake;                  /* descriptor */
	bool quiet, finish;
	int64_t asked, clear;      /* tokens; -1: none */
	void (*ring)(void *ctx);
	void *ctx;
	/* Set before the thread starts, then the thread's own. */
	struct planner_options o;
	int64_t *datasets;         /* a copy; NULL: all */
	struct db *db;
	int bell;
	pthread_t thread;
	bool started;
	int64_t worker;
	struct step *steps[PLANNER_STEPS];
	int n_steps, commands, most_commands;
	int64_t version;           /* data_version of the last round */
	bool look;                 /* something may have changed */
	bool rescue;               /* somebody may have died */
	int64_t next_round, suspect_until; /* monotonic */
	bool stuck;
	struct plansum sum;
};

static void wake_up(struct planner *p)
{
	uint64_t one = 1;
	ssize_t n = write(p->wake, &one, sizeof one);
	(void)n;
}

static void planner_free(struct planner *p)
{
	for (int i = 0; i < p->n_steps; i++)
		step_free(p->steps[i]);
	db_close(p->db);
	if (p->bell >= 0)
		close(p->bell);
	if (p->wake >= 0)
		close(p->wake);
	pthread_mutex_destroy(&p->lock);
	plansum_release(&p->sum);
	free(p->datasets);
	free(p);
}

struct planner *planner_new(const struct planner_options *o, struct err *e)
{
	struct planner *p = mem_alloc(sizeof *p);
	long processors = sysconf(_SC_NPROCESSORS_ONLN);

	p->o = *o;
	p->asked = p->clear = -1;
	p->bell = -1;
	p->look = p->rescue = true;
	p->most_commands = processors < 2 ? 2 : processors > 16 ? 16 : (int)processors;
	pthread_mutex_init(&p->lock, NULL);
	if (o->datasets) {
		p->datasets = mem_alloc((size_t)(o->n_datasets + 1) * sizeof *p->datasets);
		if (o->n_datasets > 0)
			memcpy(p->datasets, o->datasets, (size_t)o->n_datasets * sizeof *p->datasets);
	}
	p->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (p->wake < 0) {
		err_sys(e, ERR_INTERNAL, "eventfd");
		planner_free(p);
		return NULL;
	}
	p->db = db_open(o->db_path, DB_EXISTING, e);
	if (!p->db || (p->bell = side_listen(db_side(p->db), e)) < 0) {
		planner_free(p);
		return NULL;
	}
	db_patience(p->db, PATIENCE_MS);
	return p;
}

bool planner_more(void *planner, int64_t token)
{
	struct planner *p = planner;

	pthread_mutex_lock(&p->lock);
	bool more = p->clear != token && !(p->quiet && !p->ring);
	bool news = more && p->asked != token;
	p->asked = token;
	pthread_mutex_unlock(&p->lock);
	if (news)
		wake_up(p);
	return more;
}

static void set_quiet(struct planner *p, bool part)
{
	pthread_mutex_lock(&p->lock);
	p->quiet = true;
	if (part)
		p->ring = NULL;
	pthread_mutex_unlock(&p->lock);
	wake_up(p);
}

void planner_quiet(struct planner *p)
{
	if (p)
		set_quiet(p, false);
}

void planner_part(struct planner *p)
{
	if (p)
		set_quiet(p, true);
}

/* --- the thread */

/* A disk that is full, a file that is locked: all is tried again. */
static bool may_pass(struct planner *p, const struct err *e)
{
	if (e->code != ERR_BUSY && e->code != ERR_IO)
		return false;
	if (!p->stuck)
		log_warn("%s; the plans wait", e->msg);
	p->stuck = true;
	p->next_round = clock_mono_ms() + RETRY_MS;
	p->look = true;
	return true;
}

static void count_commands(struct planner *p)
{
	struct pollfd fds[CHILD_FDS];
	int64_t due;

	p->commands = 0;
	for (int i = 0; i < p->n_steps; i++)
		p->commands += step_watch(p->steps[i], fds, &due);
}

/* All of them once.  How many have ended. */
static int work_steps(struct planner *p, bool all, bool quiet, struct err *e)
{
	int64_t now = clock_mono_ms(), due;
	struct pollfd fds[CHILD_FDS];
	int kept = 0, ended = 0, rc = 0;

	for (int i = 0; i < p->n_steps; i++) {
		struct step *s = p->steps[i];
		bool command = step_watch(s, fds, &due);
		if (quiet)
			step_stop(s, now);
		int one = rc == 0 && (all || command) ? step_work(s, now, e) : 0;
		if (one < 0 && !may_pass(p, e))
			rc = -1;
		if (one <= 0) {
			p->steps[kept++] = s;
			continue;
		}
		ended++;
		plansum_end(&p->sum, s);
		step_free(s);
	}
	p->n_steps = kept;
	return rc < 0 ? -1 : ended;
}

static struct step_options options(const struct planner *p)
{
	return (struct step_options){ .db = p->db, .worker = p->worker, .compute = p->o.compute,
				      .allow_exec = p->o.allow_exec,
				      .may_command = p->commands < p->most_commands };
}

/* One queued product.  1: it is ours, 0: it is not. */
static int take(struct planner *p, const struct product *v, struct err *e)
{
	const struct step_options o = options(p);
	struct str why CLEANUP(str_release) = STR_INIT;
	struct step *s = NULL;
	int rc = step_claim(&o, v, &s, &why, e);

	if (rc < 0)
		return -1;
	if (rc > 0 || why.n > 0)
		plansum_touch(&p->sum, v->dataset);
	if (rc == 0)
		return why.n > 0 && (!v->held || strcmp(v->held, str_z(&why)) != 0)
			       ? lease_hold(p->db, v->id, str_z(&why), e) : 0;
	p->steps[p->n_steps++] = s;
	rc = step_work(s, clock_mono_ms(), e);
	if (rc > 0) {
		plansum_end(&p->sum, s);
		step_free(s);
		p->n_steps--;
	}
	count_commands(p);
	return rc < 0 && !may_pass(p, e) ? -1 : 1;
}

/* What others have left of the remote products that they were handing over. */
static int adopt(struct planner *p, int64_t dataset, struct err *e)
{
	struct product v CLEANUP(product_release) = PRODUCT_INIT;
	const struct step_options o = options(p);
	int rc, taken = 0;

	while (p->n_steps < REMOTE_STEPS &&
	       (rc = lease_adopt(p->db, p->o.remote_user, dataset, p->worker, &v, e)) != 0) {
		if (rc < 0 || (rc = step_adopt(&o, &v, &p->steps[p->n_steps], e)) < 0)
			return -1;
		plansum_touch(&p->sum, v.dataset);
		p->n_steps += rc;
		taken++;
	}
	return taken;
}

static int scan_one(struct planner *p, const char *compute, int64_t dataset, struct err *e)
{
	const char *user = state_remote(compute) ? p->o.remote_user : p->o.user;
	struct product v CLEANUP(product_release) = PRODUCT_INIT;
	int most = state_remote(compute) ? REMOTE_STEPS : PLANNER_STEPS;
	int64_t after = 0;
	int rc, taken = 0;

	while (p->n_steps < most &&
	       (rc = lease_next(p->db, user, compute, dataset, after, &v, e)) != 0) {
		int one = rc < 0 ? -1 : take(p, &v, e);
		if (one < 0)
			return -1;
		after = v.id;
		taken += one;
	}
	return taken;
}

/* Takes what is queued, and what the dead have left.  How many. */
static int scan(struct planner *p, bool rescue, struct err *e)
{
	static const char *const computes[] = { NULL, "exec", "batch", "cams", "dbxaas" };
	int taken = 0;

	for (size_t i = rescue ? 0 : 1; i < ARRAY_LEN(computes); i++) {
		const char *compute = computes[i];
		int n = p->datasets ? p->o.n_datasets : 1;
		if (compute && state_remote(compute) && !compute_url(p->o.compute, compute))
			continue;
		for (int k = 0; k < n; k++) {
			int64_t dataset = p->datasets ? p->datasets[k] : 0;
			int one = compute ? scan_one(p, compute, dataset, e) : adopt(p, dataset, e);
			if (one < 0)
				return -1;
			taken += one;
		}
	}
	return taken;
}

/* Looks at everything.  How much has changed by it. */
static int look_round(struct planner *p, bool quiet, struct err *e)
{
	int64_t began = clock_mono_ms();
	int rescued = p->rescue ? lease_rescue(p->db, e) : 0;
	int ended = rescued < 0 ? -1 : work_steps(p, true, quiet, e);
	int taken = ended < 0 || quiet ? 0 : scan(p, p->rescue, e);
	int64_t now = clock_mono_ms(), rest = (now - began) * 10;

	p->rescue &= rescued < 0 || taken < 0;
	/* A look that takes long, as there are many to look at, comes less often. */
	p->next_round = now + (rest < ROUND_MS ? ROUND_MS : rest < SAFETY_MS ? rest : SAFETY_MS);
	return rescued < 0 || ended < 0 || taken < 0 ? -1 : rescued + ended + taken;
}

/* Nothing is to be done: tell who has asked. */
static void clear_for(struct planner *p, int64_t asked)
{
	pthread_mutex_lock(&p->lock);
	bool news = p->clear != asked;
	p->clear = asked;
	if (news && p->ring)
		p->ring(p->ctx);
	pthread_mutex_unlock(&p->lock);
}

static void wait_for_news(struct planner *p)
{
	struct pollfd fds[2 + PLANNER_STEPS * CHILD_FDS];
	int64_t now = clock_mono_ms(), until = now + SAFETY_MS, due;
	int n = 2;

	fds[0] = (struct pollfd){ .fd = p->wake, .events = POLLIN };
	fds[1] = (struct pollfd){ .fd = p->look ? -1 : p->bell, .events = POLLIN };
	if (p->look && p->next_round < until)
		until = p->next_round;
	if (now < p->suspect_until && now + SUSPECT_MS / 8 < until)
		until = now + SUSPECT_MS / 8;
	for (int i = 0; i < p->n_steps; i++)
		if (step_watch(p->steps[i], fds + n, &due)) {
			n += CHILD_FDS;
			until = due < until ? due : until;
		}
	int rc = poll(fds, (nfds_t)n, until > now ? (int)(until - now) : 0);
	uint64_t count;
	ssize_t ignored = read(p->wake, &count, sizeof count);
	(void)ignored;
	if (rc == 0 && clock_mono_ms() >= now + SAFETY_MS)
		p->look = p->rescue = true;
}

static void hear(struct planner *p)
{
	struct err ignored = ERR_INIT;
	int64_t version = p->version;

	/* The kernel tells of a dead process a moment before it gives the byte back. */
	if (side_heard(p->bell) & SIDE_CLOSED)
		p->suspect_until = clock_mono_ms() + SUSPECT_MS;
	if (clock_mono_ms() < p->suspect_until)
		p->look = p->rescue = true;
	if (db_version(p->db, &version, &ignored) == 0 && version != p->version) {
		p->version = version;
		p->look = true;
	}
}

/* The last look: what has ended is reported, the rest is for others. */
static int give_back(struct planner *p, struct err *e)
{
	struct err first = ERR_INIT;
	int rc = 0;

	for (int i = 0; i < p->n_steps; i++) {
		int one = step_work(p->steps[i], clock_mono_ms(), e);
		if (one > 0)
			plansum_end(&p->sum, p->steps[i]);
		if (one == 0)
			one = step_give_back(p->steps[i], e);
		if (one < 0 && rc == 0)
			first = *e;
		rc = one < 0 ? -1 : rc;
		step_free(p->steps[i]);
	}
	p->n_steps = 0;
	if (rc < 0)
		*e = first;
	return rc;
}

static int thread_loop(struct planner *p, struct err *e)
{
	for (;;) {
		pthread_mutex_lock(&p->lock);
		int64_t asked = p->asked;
		bool quiet = p->quiet, finish = p->finish;
		pthread_mutex_unlock(&p->lock);
		hear(p);
		int64_t now = clock_mono_ms();
		bool round = p->look && (now >= p->next_round || (asked != p->clear && !p->stuck));
		if (round)
			p->look = false;
		int changed = round ? look_round(p, quiet, e)
				    : work_steps(p, false, quiet, e);
		if (changed < 0 && !may_pass(p, e))
			return -1;
		if (round && changed >= 0 && p->stuck && !p->look) {
			log_note("the plans go on");
			p->stuck = false;
		}
		p->look |= changed > 0;
		count_commands(p);
		if (finish && p->commands == 0)
			return give_back(p, e);
		if (!p->look && p->commands == 0 && changed == 0)
			clear_for(p, asked);
		wait_for_news(p);
	}
}

static void *thread_main(void *arg)
{
	struct planner *p = arg;
	struct err e = ERR_INIT;

	if (thread_loop(p, &e) < 0) {
		log_error("plans: %s", e.msg);
		/* Nobody shall wait for us; what we had is rescued by the next worker. */
		pthread_mutex_lock(&p->lock);
		p->quiet = true;
		void (*ring)(void *) = p->ring;
		p->ring = NULL;
		if (ring)
			ring(p->ctx);
		pthread_mutex_unlock(&p->lock);
	}
	return NULL;
}

void planner_start(struct planner *p, int64_t worker, void (*ring)(void *ctx), void *ctx)
{
	p->worker = worker;
	p->ring = ring;
	p->ctx = ctx;
	p->started = true;
	if (pthread_create(&p->thread, NULL, thread_main, p) != 0)
		BUG("cannot start a thread");
}

int planner_close(struct planner *p, struct plansum *out, struct err *e)
{
	int rc = 0;

	*out = (struct plansum)PLANSUM_INIT;
	if (!p)
		return 0;
	if (p->started) {
		pthread_mutex_lock(&p->lock);
		p->quiet = p->finish = true;
		pthread_mutex_unlock(&p->lock);
		wake_up(p);
		pthread_join(p->thread, NULL);
		rc = plansum_left(&p->sum, p->db, p->datasets, p->o.n_datasets, p->o.compute, p->worker,
				  e);
	}
	*out = p->sum;
	p->sum = (struct plansum)PLANSUM_INIT;
	planner_free(p);
	return rc;
}
