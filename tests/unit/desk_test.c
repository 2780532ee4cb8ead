#include "engine/desk.h"

#include <poll.h>
#include <stdlib.h>
#include "base/clock.h"
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
	two_threads();
	return unit_done();
}
