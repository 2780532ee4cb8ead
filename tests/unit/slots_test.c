/* slots: half of them is kept for those that have little, half is for whoever
 * comes first; what is started ahead goes by how many end. */
#include "engine/slots.h"

#include "unit.h"

enum { JOBS = 16, MOST = 200 };

static struct limiter_bucket buckets[MOST];
static struct slots slots;
static int64_t now;

static void begin_anew(void)
{
	for (int i = 0; i < MOST; i++)
		buckets[i] = (struct limiter_bucket){ .room = 0 };
	slots = (struct slots){ .n = 0 };
	now = 1000;
}

static int64_t busy(void)
{
	int64_t n = 0;

	for (int i = 0; i < MOST; i++)
		n += buckets[i].mine;
	return n;
}

static void begin_round(int64_t jobs, int64_t ahead)
{
	slots_begin(&slots, jobs, ahead, busy(), now);
}

/* How much the i-th bucket may use, if there is so much. */
static int64_t ask(int i, int64_t room)
{
	buckets[i].room = room;
	return *slots_room(&slots, &buckets[i]);
}

static int64_t part(int i)
{
	return buckets[i].slots.part;
}

/* It is given all it may have, but n at most; as one does who claims. */
static int64_t give(int i, int64_t n)
{
	int64_t *p = slots_room(&slots, &buckets[i]);
	int64_t got = *p < n ? *p : n;

	*p -= got;
	return got;
}

/* And it was started. */
static void start(int i, int64_t n)
{
	buckets[i].mine += n;
	buckets[i].room -= n;
}

static void end(int i, int64_t n)
{
	buckets[i].mine -= n;
	for (; n > 0; n--)
		slots_turn(&slots, &buckets[i]);
}

static void few(void)
{
	begin_anew();
	begin_round(JOBS, 0);
	CHECK_INT(ask(0, INT32_MAX), INT32_MAX, "one alone has all it may have");
	CHECK_INT(ask(1, INT32_MAX), 12, "of two each may have three quarters");
	CHECK_INT(part(0), 12, "so the first has less from then on");
	CHECK_INT(give(0, 100), 12, "it comes first and takes that");
	CHECK_INT(ask(2, 3), 2, "a third: the equal part of half of the slots");
	CHECK_INT(part(1), 2, "as for the second");
	CHECK_INT(part(0), 0, "the first has had more than its part");
	CHECK_INT(ask(0, INT32_MAX), 0, "to ask again changes nothing: it is told once in a round");

	begin_anew();
	begin_round(JOBS, 0);
	ask(0, INT32_MAX);
	CHECK_INT(ask(1, 1), 1, "what has room for one is kept one");
	CHECK_INT(part(0), 15, "and others have the rest");
	begin_round(JOBS, 0);
	ask(0, INT32_MAX);
	CHECK_INT(ask(1, 0), 0, "what has no room takes no part");
	CHECK_INT(part(0), INT32_MAX, "others have all");

	begin_anew();
	begin_round(1, 0);
	ask(0, 9);
	ask(1, 9);
	CHECK(part(0) == 1 && part(1) == 1, "one slot for two: whoever comes first");
	begin_anew();
	begin_round(4, 0);
	for (int i = 0; i < 20; i++)
		ask(i, 9);
	int64_t got = 0;
	for (int i = 0; i < 20; i++)
		got += part(i);
	CHECK_INT(got, 20, "more of them than slots: one each, to the first that come");
	begin_anew();
	begin_round(1000, 0);
	for (int i = 0; i < MOST; i++)
		ask(i, 50);
	CHECK(part(SLOTS_SHARERS) == 50 && part(MOST - 1) == 50, "what is beyond so many is not divided");
	CHECK_INT(give(MOST - 1, 10) + ask(MOST - 1, 50), 50, "but counted, too");
}

/* A slow one comes first; the other one ends all the time. */
static void slow(void)
{
	int64_t most = 0, least = JOBS, ended = 0;

	begin_anew();
	for (int i = 0; i < 2000; i++, now += 5) {
		begin_round(JOBS, i % 100);
		ask(0, 1000000);
		ask(1, 1000000);
		int64_t free = JOBS + i % 100 - busy(), a = give(0, free), b = give(1, free - a);
		start(0, a);
		start(1, b);
		most = buckets[0].mine > most ? buckets[0].mine : most;
		least = i > 100 && buckets[1].mine < least ? buckets[1].mine : least;
		ended += buckets[1].mine < 4 ? buckets[1].mine : 4;
		end(1, buckets[1].mine < 4 ? buckets[1].mine : 4);
		if (i % 100 == 99)
			end(0, buckets[0].mine);
	}
	CHECK(most <= 14, "a slow model has three quarters of the slots, and little ahead: %lld", (long long)most);
	CHECK(least >= 3, "the other one is never without: %lld", (long long)least);
	CHECK(ended >= 2000 * 3, "and goes on: %lld in 2000 rounds", (long long)ended);
}

static void ahead(void)
{
	begin_anew();
	begin_round(JOBS, 40);
	ask(0, 1000);
	ask(1, 1000);
	CHECK(part(0) == 32 && part(1) == 32, "what is ahead is halved as long as nothing is known");
	for (int i = 0; i < 8; i++)
		slots_turn(&slots, &buckets[1]);
	begin_round(JOBS, 40);
	ask(0, 1000);
	ask(1, 1000);
	CHECK_INT(part(0), 12 + 4, "then goes by how many have ended: 0 + 1 of 8 + 2");
	CHECK_INT(part(1), 12 + 36, "and 8 + 1 of 8 + 2");
	now += SLOTS_WINDOW_MS;
	begin_round(JOBS, 40);
	ask(0, 1000);
	ask(1, 1000);
	CHECK_INT(part(0), 12 + 4, "in this window and the one before");
	now += 2 * SLOTS_WINDOW_MS;
	begin_round(JOBS, 40);
	ask(0, 1000);
	ask(1, 1000);
	CHECK_INT(part(0), 32, "and no longer");
	begin_round(JOBS, -5);
	ask(0, 1000);
	CHECK_INT(ask(1, 1000), 12, "less than the slots is nothing ahead");
}

int main(void)
{
	few();
	slow();
	ahead();
	return unit_done();
}
