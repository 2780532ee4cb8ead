#include "engine/desk.h"

#include <poll.h>
#include <stdlib.h>
#include "base/clock.h"
#include "base/mem.h"
#include "unit.h"

static struct desk desk;
static struct err e;

static bool readable(int fd, int limit_ms)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	return poll(&p, 1, limit_ms) == 1;
}

static struct job *numbered(int64_t row)
{
	struct job *j = job_new();
	j->req.row = row;
	return j;
}

/* Takes the list apart; the rows as digits of a number, the first in front. */
static int64_t rows(struct job_list *l)
{
	int64_t all = 0;
	struct job *j;
	while ((j = job_pop(l))) {
		all = all * 10 + j->req.row;
		job_free(j);
	}
	return all;
}

static struct desk_words words;

static void clear(struct job_list *l)
{
	struct job *j;
	while ((j = job_pop(l)))
		job_free(j);
}

static void there_and_back(void)
{
	struct job_list a, b, got, unsent;
	struct ledger_state state = { .completed = 3 }, seen = { .completed = 9 };
	job_list_init(&a);
	job_list_init(&b);
	job_list_init(&got);
	job_list_init(&unsent);
	CHECK(desk_init(&desk, &e) == 0, "a desk");
	CHECK(!readable(desk.to_network, 0) && !readable(desk.to_ledger, 0), "nothing is new");
	desk_give(&desk, &a, &b);
	CHECK(!readable(desk.to_ledger, 0), "giving nothing rings nobody");
	desk_take(&desk, &got, &words, &seen);
	CHECK(got.n == 0 && seen.completed == 0, "nothing there, nothing taken");

	job_push(&a, numbered(1));
	job_push(&a, numbered(2));
	desk_publish(&desk, &a, &words, &state);
	CHECK(a.n == 0 && readable(desk.to_network, 0), "what was started rings the network");
	job_push(&a, numbered(3));
	state.completed = 4;
	desk_publish(&desk, &a, &words, &state);
	job_push(&got, numbered(9));
	desk_take(&desk, &got, &words, &seen);
	CHECK_INT(rows(&got), 9123, "taken jobs go to the end, in their order");
	CHECK_INT(seen.completed, 4, "with the latest state");
	CHECK(!readable(desk.to_network, 0), "taking empties the descriptor");
	state.drained = true;
	desk_publish(&desk, &a, &words, &state);
	CHECK(readable(desk.to_network, 0), "a new state alone rings as well");
	desk_take(&desk, &got, &words, &seen);
	CHECK(seen.drained && got.n == 0, "and is seen");

	job_push(&a, numbered(4));
	job_push(&b, numbered(5));
	desk_give(&desk, &a, &b);
	job_push(&b, numbered(6));
	desk_give(&desk, &a, &b);
	CHECK(a.n == 0 && b.n == 0 && readable(desk.to_ledger, 0), "what is given rings the ledger");
	struct desk_orders o = desk_collect(&desk, &got, &unsent);
	CHECK(rows(&got) == 4 && rows(&unsent) == 56, "ended and unsent apart");
	CHECK(!o.stop && !o.finish, "without orders");
	CHECK(!readable(desk.to_ledger, 0), "collecting empties the descriptor");
	desk_nudge(&desk);
	struct pollfd nudged = { .fd = desk.to_ledger, .events = POLLIN };
	CHECK_INT(poll(&nudged, 1, 0), 1, "a nudge is heard");
	desk_stop(&desk);
	CHECK(readable(desk.to_ledger, 0), "an order rings");
	o = desk_collect(&desk, &got, &unsent);
	CHECK(o.stop && !o.finish, "stop");

	job_push(&a, numbered(7));
	desk_publish(&desk, &a, &words, &state);
	job_push(&a, numbered(8));
	desk_give(&desk, &a, &b);
	desk_finish(&desk, 77);
	o = desk_collect(&desk, &got, &unsent);
	CHECK(o.stop && o.finish && o.give_up_ms == 77, "finish");
	CHECK(rows(&got) == 8 && rows(&unsent) == 7,
	      "what nobody will take any more comes back as unsent");
	job_push(&a, numbered(1));
	desk_publish(&desk, &a, &words, &state);
	job_push(&a, numbered(1));
	job_push(&b, numbered(1));
	desk_give(&desk, &a, &b);
	desk_release(&desk);
	CHECK(desk.to_network == -1 && desk.to_ledger == -1, "releasing frees what lies there");
}

static int64_t *numbers(int64_t a, int64_t b)
{
	int64_t *rows = mem_alloc(2 * sizeof *rows);

	rows[0] = a;
	rows[1] = b;
	return rows;
}

static void what_is_said(void)
{
	struct desk_words said = { NULL, 0, 0 }, heard = { NULL, 0, 0 };
	struct job_list jobs, got;
	struct ledger_state state = { .completed = 0 };

	job_list_init(&jobs);
	job_list_init(&got);
	if (desk_init(&desk, &e) < 0)
		abort();
	desk_say(&said, DESK_RECHECK, 0, 0);
	desk_say(&said, DESK_CUT_BATCH, 7, 0);
	desk_say(&said, DESK_CUT_ROW, 8, 2);
	desk_publish(&desk, &jobs, &said, &state);
	CHECK(said.n == 0 && readable(desk.to_network, 0), "words alone ring");
	desk_keep(&said, numbers(3, 5), 2);
	job_push(&jobs, numbered(1));
	desk_publish(&desk, &jobs, &said, &state);
	desk_take(&desk, &got, &heard, &state);
	CHECK(heard.n == 4 && heard.v[0].what == DESK_RECHECK && heard.v[1].what == DESK_CUT_BATCH &&
	      heard.v[1].id == 7 && heard.v[2].what == DESK_CUT_ROW && heard.v[2].id == 8 &&
	      heard.v[2].n == 2, "they are heard in their order, with what they are about");
	CHECK(desk_means(&heard.v[0], 1) && desk_means(&heard.v[1], request_row(7, 3)) &&
	      !desk_means(&heard.v[1], request_row(8, 3)) && desk_means(&heard.v[2], 8) &&
	      !desk_means(&heard.v[2], 9) && !desk_means(&heard.v[3], 3) && desk_means(&heard.v[3], 2),
	      "all, those of a batch, one, and all but some");
	CHECK(heard.v[3].what == DESK_KEEP && heard.v[3].n == 2 && heard.v[3].rows[0] == 3 &&
	      heard.v[3].rows[1] == 5, "and with their rows");
	CHECK_INT(rows(&got), 1, "beside the jobs");
	desk_take(&desk, &got, &heard, &state);
	CHECK(heard.n == 4 && got.n == 0, "nothing is heard twice");
	for (int i = 0; i < 100; i++)
		desk_say(&said, DESK_CUT_ROW, i, 0);
	desk_publish(&desk, &jobs, &said, &state);
	desk_take(&desk, &got, &heard, &state);
	CHECK(heard.n == 104 && heard.v[3].rows[1] == 5 && heard.v[4].id == 0 && heard.v[103].id == 99,
	      "what comes later goes to the end");
	desk_words_clear(&heard);
	CHECK(heard.n == 0 && heard.v, "cleared: none, the memory stays");
	desk_keep(&said, numbers(1, 2), 2);
	desk_publish(&desk, &jobs, &said, &state);
	desk_keep(&said, numbers(3, 4), 2);
	desk_publish(&desk, &jobs, &said, &state);
	desk_release(&desk);
	CHECK_INT(said.n, 0, "what nobody has heard goes with the desk");
	free(said.v);
	free(heard.v);
}

static const char *limits_of_orders(const struct desk_orders *o)
{
	static struct str text;

	str_reset(&text);
	limits_write(&o->limits, &text);
	return str_z(&text);
}

static void limits_on_the_desk(void)
{
	struct limits l = LIMITS_INIT;
	struct job_list a, b;

	job_list_init(&a);
	job_list_init(&b);
	if (desk_init(&desk, &e) < 0 || limits_add(&l, "a:jobs=1", &e) < 0)
		abort();
	struct desk_orders o = desk_collect(&desk, &a, &b);
	CHECK(!o.changed && o.limits.n == 0, "no new limits");
	desk_limits(&desk, &l);
	CHECK(readable(desk.to_ledger, 0), "new limits ring");
	limits_release(&l);
	if (limits_add(&l, "b:rate=2/s", &e) < 0)
		abort();
	desk_limits(&desk, &l);
	limits_release(&l);
	o = desk_collect(&desk, &a, &b);
	CHECK(o.changed && !o.stop && !o.finish, "they are an order of their own");
	CHECK_STR(limits_of_orders(&o), "[\"b:rate=2/s\"]", "the latest, a copy");
	limits_release(&o.limits);
	o = desk_collect(&desk, &a, &b);
	CHECK(!o.changed && o.limits.n == 0, "once");
	desk_limits(&desk, &l);
	desk_stop(&desk);
	o = desk_collect(&desk, &a, &b);
	CHECK(o.changed && o.stop && o.limits.n == 0, "none at all are new limits, beside other orders");
	o = desk_collect(&desk, &a, &b);
	CHECK(!o.changed && o.stop, "a stop is never taken back");
	if (limits_add(&l, "c:jobs=1", &e) < 0)
		abort();
	desk_limits(&desk, &l);
	limits_release(&l);
	desk_release(&desk);
	CHECK(desk.to_ledger == -1, "those that nobody has read go with the desk");
}

enum { JOBS = 20000 };

/* Both sides wait without limit for as long as they have something to come:
 * one lost ring and the test would not end. */
static void *network(void *arg)
{
	struct job_list ready, ended, unsent;
	struct ledger_state state;
	struct job *j;
	int64_t *last = arg;
	job_list_init(&ready);
	job_list_init(&ended);
	job_list_init(&unsent);
	for (int n = 0; n < JOBS;) {
		if (!readable(desk.to_network, 30000))
			return NULL;
		desk_take(&desk, &ready, &words, &state);
		while ((j = job_pop(&ready))) {
			*last += j->req.row == n;
			job_push(n++ % 3 ? &ended : &unsent, j);
			if (n % 7 == 0)
				desk_give(&desk, &ended, &unsent);
		}
		desk_give(&desk, &ended, &unsent);
	}
	desk_stop(&desk);
	return NULL;
}

static void two_threads(void)
{
	pthread_t t;
	struct job_list fresh, ended, unsent;
	struct ledger_state state = { .total = JOBS };
	int64_t in_order = 0, back = 0, started = 0;
	bool quiet = false;
	job_list_init(&fresh);
	job_list_init(&ended);
	job_list_init(&unsent);
	if (desk_init(&desk, &e) < 0)
		abort();
	pthread_create(&t, NULL, network, &in_order);
	for (;;) {
		for (int i = 0; i < 3 && started < JOBS && started - back < 100; i++)
			job_push(&fresh, numbered(started++));
		if (fresh.n > 0)
			desk_publish(&desk, &fresh, &words, &state);
		struct desk_orders o = desk_collect(&desk, &ended, &unsent);
		back += ended.n + unsent.n;
		clear(&ended);
		clear(&unsent);
		if (o.stop && back == JOBS)
			break;
		if (back < started || started == JOBS)
			quiet = !readable(desk.to_ledger, 30000);
		if (quiet)
			break;
	}
	pthread_join(t, NULL);
	CHECK(!quiet, "20,000 jobs there and back between two threads: no ring is lost");
	CHECK_INT(in_order, JOBS, "in their order");
	CHECK_INT(back, JOBS, "and none is lost");
	desk_release(&desk);
}

int main(void)
{
	there_and_back();
	what_is_said();
	limits_on_the_desk();
	two_threads();
	return unit_done();
}
