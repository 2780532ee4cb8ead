/* The rules of plans, written down once more as simply as possible, beside the
 * programs' own: thousands of random commands must leave both alike. */
#include <stdio.h>
#include <unistd.h>

#include "base/rng.h"
#include "plans.h"

enum { N = 7, PLANS = 30, COMMANDS = 100, RUNS = 4 };
enum { WAITING, QUEUED, RUNNING, SUCCESS, FAILED, DISABLED, ABSENT };

struct model {
	int state[N];
	bool eager[N], edge[N][N], paused;
	int run[N];             /* of the last report that named one; 0: none, RUNS + 1: that of
				 * the last retry */
	bool over[N][RUNS + 2]; /* runs that are over */
};

static bool live(const struct model *m, int i)
{
	return m->state[i] != ABSENT && m->state[i] != DISABLED;
}

static bool parents_done(const struct model *m, int i)
{
	for (int p = 0; p < N; p++)
		if (m->edge[p][i] && live(m, p) && m->state[p] != SUCCESS)
			return false;
	return true;
}

static void set(struct model *m, int i, int to)
{
	if ((to == WAITING || to == DISABLED) && m->run[i])
		m->over[i][m->run[i]] = true;
	m->state[i] = to;
}

static void trigger(struct model *m)
{
	for (int i = 0; i < N && !m->paused; i++)
		if (m->state[i] == WAITING && m->eager[i] && parents_done(m, i))
			set(m, i, QUEUED);
}

/* Marks what is downstream of i in the graph of live products. */
static void mark(const struct model *m, int i, bool *below)
{
	for (int c = 0; c < N; c++)
		if (m->edge[i][c] && live(m, c) && !below[c]) {
			below[c] = true;
			mark(m, c, below);
		}
}

static void reset_below(struct model *m, const bool *listed)
{
	bool below[N] = { false };

	for (int i = 0; i < N; i++)
		if (listed[i] && live(m, i))
			mark(m, i, below);
	for (int i = 0; i < N; i++)
		if (below[i] && m->state[i] != WAITING)
			set(m, i, WAITING);
}

static bool cyclic(const struct model *m)
{
	for (int i = 0; i < N; i++) {
		bool below[N] = { false };
		if (live(m, i))
			mark(m, i, below);
		if (below[i])
			return true;
	}
	return false;
}

/* One report of a list; false: it is refused. */
static bool report(struct model *m, int i, int to, int run, bool force, bool *listed)
{
	if (!live(m, i))
		return false;
	if (run && !force) {
		bool unstarted = m->state[i] == WAITING || m->state[i] == QUEUED;
		if (m->over[i][run] || (!unstarted && m->run[i] && m->run[i] != run))
			return false;
	}
	if (run && force)
		m->over[i][run] = false;
	bool same = m->state[i] == to && (!run || !m->run[i] || m->run[i] == run);
	if (run && m->run[i] && m->run[i] != run && !(same && !force))
		m->over[i][m->run[i]] = true;
	if (run)
		m->run[i] = run;
	if (same && !force)
		return true;
	m->state[i] = to;
	listed[i] = true;
	return true;
}

struct world {
	struct plans p;
	struct model m;
	struct rng r;
	char what[300]; /* the command, for people */
};

static uint64_t below(struct world *w, uint64_t n)
{
	return rng_below(&w->r, n);
}

static const char *name_of(int i)
{
	static const char names[N][2] = { "a", "b", "c", "d", "e", "f", "g" };

	return names[i];
}

static struct id run_of(int run)
{
	struct id v = { { 0 } };

	v.b[0] = 0xaa;
	v.b[15] = (uint8_t)run;
	return v;
}

/* Each returns what the program said: 0, or -1; the model is moved if it may be. */
static int do_update(struct world *w, struct model *next, bool *refused)
{
	static const int states[] = { RUNNING, SUCCESS, SUCCESS, FAILED };
	struct states list CLEANUP(states_release) = STATES_INIT;
	bool listed[N] = { false };
	int n = 1 + (below(w, 4) == 0) * (int)below(w, 3);

	w->p.s.force = below(w, 8) == 0;
	for (int k = 0; k < n; k++) {
		int i = (int)below(w, N), to = states[below(w, 4)], run = below(w, 2) ? (int)below(w, RUNS) + 1
										   : 0;
		struct states_item *item = states_add(&list);
		item->product = strdup(name_of(i));
		item->state = (enum state)to;
		item->has_run = run > 0;
		item->run_id = run_of(run);
		sprintf(w->what + strlen(w->what), " %s=%d/%d%s", name_of(i), to, run,
			w->p.s.force ? "!" : "");
		if (!*refused && !report(next, i, to, run, w->p.s.force, listed))
			*refused = true;
	}
	if (!*refused) {
		reset_below(next, listed);
		trigger(next);
	}
	return steer_update(&w->p.s, "plan", &list, &w->p.e);
}

static int do_steer(struct world *w, struct model *next, const char *verb, bool *refused)
{
	bool listed[N] = { false };
	char names[40] = "";
	int n = 1 + (below(w, 3) == 0);

	w->p.s.force = false;
	for (int k = 0; k < n; k++) {
		int i = (int)below(w, N);
		if (listed[i])
			continue;
		listed[i] = true;
		sprintf(names + strlen(names), "%s%s", *names ? " " : "", name_of(i));
		int s = next->state[i];
		if (s == ABSENT || (s == DISABLED && *verb != 'e'))
			*refused = true;
		if (*refused)
			continue;
		if (*verb == 'c') {
			set(next, i, WAITING);
		} else if (*verb == 'd') {
			set(next, i, DISABLED);
		} else if (*verb == 'e') {
			if (s == DISABLED)
				set(next, i, WAITING);
		} else if (*verb == 't') {
			if (s == SUCCESS || s == FAILED || (s == WAITING && !parents_done(next, i)))
				*refused = true;
			else if (s == WAITING)
				set(next, i, QUEUED);
		} else { /* retry */
			if (s != SUCCESS && s != FAILED) {
				*refused = true;
				continue;
			}
			if (next->run[i])
				next->over[i][next->run[i]] = true;
			set(next, i, parents_done(next, i) ? QUEUED : WAITING);
			if (next->state[i] == QUEUED)
				next->run[i] = RUNS + 1; /* a new one, that no report here names */
		}
	}
	sprintf(w->what + strlen(w->what), " %s %s", verb, names);
	if (*verb == 'e' && cyclic(next))
		*refused = true;
	if (!*refused) {
		if (*verb == 'c' || *verb == 'r')
			reset_below(next, listed);
		trigger(next);
	}
	return plans_do(&w->p, verb, "plan", names);
}

static int do_pause(struct world *w, struct model *next)
{
	next->paused = below(w, 2);
	trigger(next);
	sprintf(w->what + strlen(w->what), " pause=%d", next->paused);
	return steer_pause(&w->p.s, "plan", next->paused, &w->p.e) < 0 ? -1 : 0;
}

/* Some products, and some edges among them; with prune nothing else stays. */
static int do_publish(struct world *w, struct model *next, bool *refused)
{
	struct publish how CLEANUP(publish_release) = { .prune = below(w, 4) == 0 };
	char products[60] = "", edges[200] = "";
	bool listed[N] = { false }, named[N][N] = { { false } };
	struct model all; /* the union that must have no cycle */

	for (int i = 0; i < N; i++) {
		listed[i] = below(w, 2) || next->state[i] == ABSENT;
		if (!listed[i])
			continue;
		bool lazy = below(w, 4) == 0;
		sprintf(products + strlen(products), "%s%s%s", *products ? " " : "", name_of(i),
			lazy ? "!" : "");
		next->eager[i] = !lazy;
	}
	for (int k = (int)below(w, 5); k > 0; k--) {
		int a = (int)below(w, N), b = (int)below(w, N);
		/* Mostly downwards, so that most plans have no cycle. */
		if (a > b && below(w, 6)) {
			int other = a;
			a = b;
			b = other;
		}
		if (named[a][b])
			continue;
		named[a][b] = true;
		sprintf(edges + strlen(edges), "%s%s>%s", *edges ? " " : "", name_of(a), name_of(b));
		bool a_there = listed[a] || (live(next, a) && !how.prune);
		bool b_there = listed[b] || (live(next, b) && !how.prune);
		if (!a_there || !b_there)
			*refused = true;
	}
	sprintf(w->what + strlen(w->what), " publish%s [%s] [%s]", how.prune ? " --prune" : "", products,
		edges);
	all = *next;
	for (int i = 0; i < N; i++) {
		if (listed[i] && (next->state[i] == ABSENT || next->state[i] == DISABLED))
			all.state[i] = WAITING;
		for (int c = 0; c < N; c++) {
			bool stored = next->edge[i][c] && live(next, i) && live(next, c) && !how.prune;
			all.edge[i][c] = stored || named[i][c];
		}
	}
	if (cyclic(&all))
		*refused = true;
	for (int i = 0; !*refused && i < N; i++) {
		if (next->state[i] == ABSENT && listed[i])
			next->state[i] = WAITING;
		if (how.prune && !listed[i] && live(next, i))
			set(next, i, DISABLED);
		for (int c = 0; c < N; c++)
			next->edge[i][c] = named[i][c] || (next->edge[i][c] && !how.prune);
	}
	if (!*refused)
		trigger(next);
	return plans_try(&w->p, &how, "plan", products, edges);
}

static bool alike(struct world *w)
{
	struct str want CLEANUP(str_release) = STR_INIT;
	static const int states[] = { STATE_WAITING, STATE_QUEUED, STATE_RUNNING, STATE_SUCCESS,
				      STATE_FAILED, STATE_DISABLED };

	for (int i = 0; i < N; i++)
		str_addf(&want, "%s%s=%s", i ? " " : "", name_of(i), state_text((enum state)
			 states[w->m.state[i]]));
	const char *got = plans_states(&w->p, "plan");
	if (strcmp(got, str_z(&want)) == 0)
		return true;
	printf("# got  %s\n# want %s\n", got, str_z(&want));
	return false;
}

static bool one_command(struct world *w)
{
	static const char *const verbs[] = { "clear", "retry", "disable", "enable", "enable", "trigger" };
	struct model next = w->m;
	bool refused = false;
	int rc;

	w->what[0] = '\0';
	switch (below(w, 12)) {
	case 0:
		rc = do_publish(w, &next, &refused);
		break;
	case 1:
		rc = do_pause(w, &next);
		break;
	case 2 ... 5:
		rc = do_steer(w, &next, verbs[below(w, 6)], &refused);
		break;
	default:
		rc = do_update(w, &next, &refused);
	}
	if (!refused)
		w->m = next;
	if ((rc < 0) == refused && alike(w) && plans_wrong(w->p.raw) == 0)
		return true;
	printf("#%s: %s, and should be %s: %s\n", w->what, rc < 0 ? "refused" : "done",
	       refused ? "refused" : "done", rc < 0 ? w->p.e.msg : "");
	return false;
}

int main(void)
{
	int plans = getenv("PLAN_MODEL_PLANS") ? atoi(getenv("PLAN_MODEL_PLANS")) : PLANS, good = 0;
	uint64_t seed = getenv("FSL_TEST_SEED") ? strtoull(getenv("FSL_TEST_SEED"), NULL, 10) : 1;

	for (int k = 0; k < plans; k++) {
		struct world w = { .m = { .paused = false } };
		char name[40];
		int n = 0;
		snprintf(name, sizeof name, "db%d", k);
		plans_open(&w.p, name);
		ROWS_DO(w.p.raw, "PRAGMA synchronous = OFF");
		rng_seed(&w.r, seed + (uint64_t)k);
		for (int i = 0; i < N; i++) {
			w.m.state[i] = WAITING;
			w.m.eager[i] = true;
		}
		plans_publish(&w.p, "plan", "a b c d e f g", "");
		trigger(&w.m);
		while (n < COMMANDS && one_command(&w))
			n++;
		plans_close(&w.p);
		unlink(rows_path(name));
		good += n == COMMANDS;
		if (n < COMMANDS)
			printf("# plan %d (seed %llu), command %d\n", k, (unsigned long long)seed + (unsigned)k, n);
	}
	CHECK_INT(good, plans, "%d plans of %d products: %d random commands each leave them as the "
		  "rules say", plans, N, COMMANDS);
	return unit_done();
}
