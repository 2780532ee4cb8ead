/* A worker's results against somebody who holds it for dead, on two connections
 * at once: whoever comes first, what is done stays done and is not sent again. */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

#include "base/rng.h"
#include "domain/request.h"
#include "rows.h"
#include "unit.h"

enum { ROUNDS = 500, EACH = 20, PER_COMMIT = 2, WORKER = 1, OTHER = 2 };
enum { WAITS, BEGINS, DONE };

static struct rows ours, theirs;
static int64_t batch;
static pthread_barrier_t gate;
static atomic_int commits, rescue_at; /* of this round: begun so far; the rescue comes then */
static atomic_int stage;              /* of the rescue */
static atomic_bool over;
static int rescued;                   /* by this round's rescue; after the gate */

static int64_t limit_of(void *ctx, int64_t worker, int64_t id)
{
	(void)worker;
	(void)ctx;
	(void)id;
	return 10;
}

static void commit(struct rows *r)
{
	struct err e = ERR_INIT;

	rows_must(tally_flush(&r->t, r->now, &e) == 0, "tally_flush", e.msg);
	rows_must(tx_commit(&r->tx, &e) == 0, "tx_commit", e.msg);
}

static void *rescuer(void *unused)
{
	for (;;) {
		struct err e = ERR_INIT;
		pthread_barrier_wait(&gate);
		if (over)
			return unused;
		while (commits < rescue_at)
			sched_yield();
		stage = BEGINS;
		rows_begin(&theirs);
		rescued = request_rescue(&theirs.t, WORKER, limit_of, NULL, theirs.now, &e);
		rows_must(rescued >= 0, "request_rescue", e.msg);
		commit(&theirs);
		stage = DONE;
		pthread_barrier_wait(&gate);
	}
}

static int64_t state(int64_t row)
{
	return ROWS_INT(ours.raw, "SELECT state FROM requests WHERE id = ?1", row);
}

struct seen {
	int settled, late, rescued, again, wrong, mixed;
};

/* The rescue comes when `at` commits were begun; at the same moment as the next
 * one, or before it. */
static void round_of(uint32_t first, int at, int before, struct seen *s)
{
	struct request_started v[EACH], w;
	int won[EACH], settled = 0;

	rows_begin(&ours);
	for (int i = 0; i < EACH; i++)
		s->wrong += !rows_start(&ours, WORKER, request_row(batch, first + (uint32_t)i), &v[i]);
	commit(&ours);
	commits = 0;
	rescue_at = at;
	stage = WAITS;
	pthread_barrier_wait(&gate);
	for (int i = 0; i < EACH; i += PER_COMMIT) {
		while (commits >= at && stage < before)
			sched_yield();
		commits++;
		rows_begin(&ours);
		for (int k = i; k < i + PER_COMMIT; k++) {
			struct request_end end = rows_end(&v[k], WORKER, VERDICT_COMPLETED);
			end.body = SPAN_LIT("{\"by\":1}");
			won[k] = rows_settle(&ours, &end);
			settled += won[k];
		}
		commit(&ours);
	}
	commits = EACH;
	pthread_barrier_wait(&gate);
	s->wrong += settled + rescued != EACH;
	s->settled += settled;
	s->late += EACH - settled;
	s->rescued += rescued;
	s->mixed += settled > 0 && rescued > 0;

	rows_begin(&ours);
	for (int i = 0; i < EACH; i++) {
		s->wrong += state(v[i].row) != (won[i] ? REQUEST_COMPLETED : REQUEST_PENDING);
		int got = rows_start(&ours, OTHER, v[i].row, &w);
		s->wrong += got == won[i];
		s->again += got;
		if (!got)
			continue;
		struct request_end late = rows_end(&v[i], WORKER, VERDICT_COMPLETED);
		struct request_end end = rows_end(&w, OTHER, VERDICT_COMPLETED);
		end.body = SPAN_LIT("{\"by\":2}");
		s->wrong += rows_settle(&ours, &late) != 0; /* while the new attempt flies */
		s->wrong += rows_settle(&ours, &end) != 1;
		s->wrong += rows_settle(&ours, &late) != 0; /* and when it is answered */
	}
	commit(&ours);
}

int main(void)
{
	struct seen s = { 0 };
	struct rng rng;
	pthread_t thread;

	rows_open(&ours, "fsl.db");
	rows_open(&theirs, "fsl.db");
	batch = rows_batch(&ours, 1, ROUNDS * EACH, 0);
	pthread_barrier_init(&gate, NULL, 2);
	rows_must(pthread_create(&thread, NULL, rescuer, NULL) == 0, "pthread_create", "");
	rng_seed(&rng, 11);
	for (int i = 0; i < ROUNDS; i++)
		round_of((uint32_t)(i * EACH) + 1, (int)rng_below(&rng, EACH / PER_COMMIT + 2),
			 rng_below(&rng, 2) ? BEGINS : DONE, &s);
	over = true;
	pthread_barrier_wait(&gate);
	pthread_join(thread, NULL);

	CHECK_INT(s.settled + s.late, ROUNDS * EACH, "%d results come while their worker is held for"
		  " dead: %d in time, %d too late, in %d of %d rounds both", ROUNDS * EACH, s.settled,
		  s.late, s.mixed, ROUNDS);
	CHECK(s.settled > 1000 && s.late > 1000 && s.mixed > ROUNDS / 4, "at any moment");
	CHECK_INT(s.wrong, 0, "each is either done or pending again, as its worker was told");
	CHECK_INT(s.again, s.late, "what was done is not started again");
	CHECK_INT(s.rescued, s.late, "and what was not, once");
	CHECK_INT(ROWS_INT(ours.raw, "SELECT sum(state = 2) FROM requests"), ROUNDS * EACH,
		  "all are done in the end");
	CHECK_INT(ROWS_INT(ours.raw, "SELECT count(DISTINCT line) FROM answers"), ROUNDS * EACH,
		  "each has an answer");
	CHECK_INT(ROWS_INT(ours.raw, "SELECT count(*) FROM answers WHERE body = CAST('{\"by\":1}' AS BLOB)"),
		  s.settled, "and the one that came in time");
	CHECK_INT(ROWS_INT(ours.raw, "SELECT count(*) FROM attempts"), ROUNDS * EACH + s.late,
		  "attempts are recorded once");
	CHECK_INT(rows_wrong(ours.raw), 0, "the counters are those of the rows");
	rows_close(&theirs);
	rows_close(&ours);
	pthread_barrier_destroy(&gate);
	return unit_done();
}
