#include "domain/source.h"

#include <string.h>
#include "base/rng.h"
#include "rows.h"

enum { MODELS = 3 };

static struct rows r;
static struct err e;
static int64_t now = 10000000;
static int64_t batch;

static int64_t rooms[8];  /* of queue 1, 2, … of the batch */
static int asked[8], which[8], failing;

static int64_t *room(void *ctx, int64_t of, int64_t queue, struct err *out)
{
	int i = (int)(queue - rows_queue(batch, 0));

	(void)ctx;
	rows_must(of == batch && i >= 1 && i < 8, "room", "of another batch");
	asked[i]++;
	if (failing == i) {
		err_set(out, ERR_BUSY, "not now");
		return NULL;
	}
	return &rooms[which[i]];
}

static const struct claim_gate free_gate, gate = { room, NULL };

static void all_room(int64_t n)
{
	for (int i = 0; i < 8; i++) {
		rooms[i] = n;
		which[i] = i;
		asked[i] = 0;
	}
	failing = 0;
}

/* A new batch; nothing else is in the file. */
static struct source load(int models, int lines)
{
	ROWS_DO(r.raw, "DELETE FROM flights");
	ROWS_DO(r.raw, "DELETE FROM shares");
	ROWS_DO(r.raw, "DELETE FROM requests");
	ROWS_DO(r.raw, "DELETE FROM batches");
	batch = rows_batch(&r, models, lines, 0);
	struct source s = { .batch = batch, .expires = INT64_MAX };
	rows_must(source_load(&s, r.db, &e) == 1, "source_load", e.msg);
	all_room(INT32_MAX);
	return s;
}

/* They are reopened by a reload, as after any commit of others. */
static void reload(struct source *s)
{
	struct source again = { .batch = batch, .expires = s->expires };

	source_release(s);
	rows_must(source_load(&again, r.db, &e) >= 0, "source_load", e.msg);
	*s = again;
}

static int64_t next_due; /* as of the last call, before what it gave was started */

/* One call: takes up to n and starts them.  The lines, or "error". */
static const char *take(struct source *s, const struct claim_gate *g, int n)
{
	static struct str out;
	struct claim_row rows[600];
	struct request_started started;

	str_reset(&out);
	source_begin(s);
	rows_begin(&r);
	int got = source_take(s, r.db, g, now, rows, n, &e);
	if (got < 0) {
		tx_end(&r.tx);
		return "error";
	}
	rows_must(source_due(s, r.db, now, &next_due, &e) == 0, "source_due", e.msg);
	for (int i = 0; i < got; i++) {
		str_addf(&out, "%s%u", i ? " " : "", request_line(rows[i].row));
		rows_must(request_batch(rows[i].row) == batch &&
			  rows[i].queue == ROWS_INT(r.raw, "SELECT queue FROM requests WHERE id = ?1",
						    rows[i].row), "claim_row", "is of another queue");
		rows_must(rows_start(&r, 1, rows[i].row, &started) == 1, "start", "it was not pending");
	}
	rows_must(rows_commit(&r) == 0, "commit", "a counter is wrong");
	return str_z(&out);
}

/* A line that was tried before and is due then. */
static void due_at(uint32_t line, int64_t due)
{
	int64_t row = request_row(batch, line);

	ROWS_DO(r.raw, "UPDATE requests SET due = ?2 WHERE id = ?1", row, due);
	ROWS_DO(r.raw, "UPDATE queues SET retrying = retrying + 1 WHERE id ="
		" (SELECT queue FROM requests WHERE id = ?1)", row);
	ROWS_DO(r.raw, "UPDATE batches SET retrying = retrying + 1 WHERE id = ?1", batch);
}

static void order(void)
{
	struct source s = load(MODELS, 300);
	struct rng rng;
	int next = 1, wrong = 0;

	CHECK_INT(source_pending(&s), 300, "300 are pending");
	CHECK_STR(take(&s, &free_gate, 7), "1 2 3 4 5 6 7", "lines in their order, across three models");
	CHECK_INT(source_pending(&s), 293, "those it gave are not");
	CHECK_INT(next_due, 0, "there is more at once");
	rng_seed(&rng, 4);
	for (next = 8; next <= 300;) {
		int n = 1 + (int)rng_below(&rng, 40);
		struct str want CLEANUP(str_release) = STR_INIT;
		for (int i = 0; i < n && next <= 300; i++)
			str_addf(&want, "%s%d", i ? " " : "", next++);
		wrong += strcmp(take(&s, rng_below(&rng, 2) ? &gate : &free_gate, n), str_z(&want)) != 0;
		if (rng_below(&rng, 4) == 0)
			reload(&s);
	}
	CHECK_INT(wrong, 0, "in portions of any size, also when it is read anew");
	CHECK_STR(take(&s, &gate, 5), "", "then there is none");
	CHECK(next_due == -1 && source_pending(&s) == 0, "and none will come");
	source_release(&s);
	CHECK(!s.feeds && source_pending(&s) == 0, "released: empty");
	source_release(&s);
	s = (struct source){ .batch = batch, .expires = INT64_MAX };
	CHECK_INT(source_load(&s, r.db, &e), 0, "a batch without pending requests is told at once");
	source_release(&s);
}

static void rooms_of_queues(void)
{
	struct source s = load(MODELS, 30);

	rooms[1] = 2;
	rooms[2] = 0;
	rooms[3] = 4;
	CHECK_STR(take(&s, &gate, 100), "1 3 4 6 9 12", "a queue without room is passed over");
	CHECK(rooms[1] == 0 && rooms[2] == 0 && rooms[3] == 0, "rooms are counted down");
	CHECK(asked[1] == 1 && asked[2] == 1 && asked[3] == 1, "each is asked once in a call");
	CHECK_INT(next_due, -1, "all wait for room");
	CHECK_INT(source_pending(&s), 24, "and are pending");
	all_room(1);
	CHECK_STR(take(&s, &gate, 100), "2 7 15", "the next call asks again, and begins where each was");
	all_room(100);
	CHECK_STR(take(&s, &gate, 3), "5 8 10", "in line order again");
	CHECK_INT(next_due, 0, "there is room for more");
	all_room(0);
	which[1] = which[2] = which[3] = 5;
	rooms[5] = 4;
	CHECK_STR(take(&s, &gate, 100), "11 13 14 16", "several queues may share one room");
	CHECK_INT(rooms[5], 0, "which is counted down by all");
	CHECK_INT(next_due, -1, "then all wait for it");
	all_room(100);
	failing = 2;
	CHECK_STR(take(&s, &gate, 100), "error", "a room that cannot be told is an error");
	CHECK_INT(e.code, ERR_BUSY, "with its code");
	reload(&s);
	all_room(100);
	CHECK_STR(take(&s, &gate, 100), "17 18 19 20 21 22 23 24 25 26 27 28 29 30",
		  "nothing was lost by it");
	all_room(100);
	take(&s, &gate, 100);
	CHECK(asked[1] + asked[2] + asked[3] == 0, "a queue that has nothing is not asked for");
	source_release(&s);

	s = load(2, 4);
	rooms[1] = rooms[2] = -3;
	CHECK_STR(take(&s, &gate, 9), "", "less than no room is none");
	source_release(&s);
}

static void again(void)
{
	struct source s = load(MODELS, 12);

	due_at(4, now);
	due_at(2, now - 5);
	due_at(9, now - 9);
	due_at(6, now + 1);
	due_at(7, now + 60000);
	reload(&s);
	CHECK_STR(take(&s, &gate, 2), "9 2", "what is due again comes first, the longest due in front");
	CHECK_STR(take(&s, &gate, 100), "4 1 3 5 8 10 11 12", "then the others");
	CHECK_INT(next_due, now + 1, "the next is due a moment later");
	CHECK_STR(take(&s, &gate, 100), "", "not before");
	now++;
	CHECK_STR(take(&s, &gate, 100), "6", "but then");
	CHECK_INT(next_due, now + 59999, "and the last");
	now += 59999;
	CHECK_STR(take(&s, &gate, 100), "7", "when its time has come");
	CHECK_INT(next_due, -1, "none is left");
	source_release(&s);

	s = load(2, 10);
	for (uint32_t i = 1; i <= 10; i++)
		due_at(i, now - 100 + i);
	reload(&s);
	rooms[1] = 2;
	rooms[2] = 1;
	CHECK_STR(take(&s, &gate, 100), "1 2 3", "what is due goes by room as well");
	CHECK_INT(next_due, -1, "and waits for it");
	all_room(100);
	rooms[2] = 0;
	CHECK_STR(take(&s, &gate, 1), "5", "a queue without room is passed over");
	CHECK_INT(next_due, now - 93, "what is past due and was not given is told");
	source_release(&s);

	s = load(1, 5);
	due_at(3, now - 1);
	reload(&s);
	rooms[1] = 1;
	CHECK_STR(take(&s, &gate, 5), "3", "the last room goes to what is due");
	rooms[1] = 3;
	CHECK_STR(take(&s, &gate, 5), "1 2 4", "then to the first lines");
	source_release(&s);
}

/* A source that shares a call with others is asked several times in it. */
static void turns(void)
{
	struct source s = load(2, 12);
	struct claim_row rows[3];
	struct str got CLEANUP(str_release) = STR_INIT;
	int n;

	for (uint32_t i = 1; i <= 8; i++)
		due_at(i, now - 100 + i);
	due_at(9, now + 5);
	reload(&s);
	source_begin(&s);
	while ((n = source_take(&s, r.db, &gate, now, rows, 3, &e)) > 0)
		for (int i = 0; i < n; i++)
			str_addf(&got, " %u", request_line(rows[i].row));
	CHECK_STR(str_z(&got), " 1 2 3 4 5 6 7 8 10 11 12", "in turns of one call each row is given once");
	CHECK(asked[1] == 1 && asked[2] == 1, "and rooms are asked for once");
	rows_must(source_due(&s, r.db, now, &next_due, &e) == 0, "source_due", e.msg);
	CHECK_INT(next_due, now + 5, "what is due next is what was not given");
	source_release(&s);
}

static void clocks(void)
{
	struct source s = load(1, 4);

	due_at(1, now + SOURCE_DUE_MAX_MS + 1);
	due_at(2, now + 10 * INT64_C(86400000));
	due_at(3, now + SOURCE_DUE_MAX_MS);
	reload(&s);
	CHECK_STR(take(&s, &gate, 1), "4", "a line that was never tried is there at once");
	CHECK_INT(next_due, now + SOURCE_DUE_MAX_MS, "what is due in 25 hours is waited for");
	CHECK_STR(take(&s, &gate, 9), "", "and does not come before");
	ROWS_DO(r.raw, "UPDATE requests SET due = due + 2 WHERE id = ?1", request_row(batch, 3));
	rooms[1] = 1;
	CHECK_STR(take(&s, &gate, 9), "1", "what is due later was put off by a wrong clock: it is due now");
	CHECK_INT(next_due, -1, "if there is room");
	rooms[1] = 9;
	CHECK_STR(take(&s, &gate, 1), "3", "the first due first");
	CHECK_INT(next_due, now, "now is when the rest is due");
	CHECK_STR(take(&s, &gate, 9), "2", "and comes");
	source_release(&s);
}

static void expiry(void)
{
	struct source s = load(1, 4);

	due_at(2, now - 1);
	reload(&s);
	s.expires = now;
	CHECK_STR(take(&s, &gate, 9), "", "at its expiry nothing of a batch starts");
	CHECK_INT(next_due, -1, "nor ever after");
	s.expires = now + 1;
	CHECK_STR(take(&s, &gate, 2), "2 1", "a millisecond before it does");
	source_release(&s);
}

static void strange_hands(void)
{
	struct source s = load(2, 200);

	CHECK_STR(take(&s, &gate, 2), "1 2", "rows are read ahead");
	ROWS_DO(r.raw, "DELETE FROM requests WHERE state = 0");
	source_begin(&s);
	struct claim_row rows[600];
	int total = 0, n;
	while ((n = source_take(&s, r.db, &gate, now, rows, 600, &e)) > 0)
		total += n;
	CHECK(n == 0 && total <= 128, "rows that are gone, though the counters promise them: it ends"
	      " (%d were read ahead)", total);
	rows_must(source_due(&s, r.db, now, &next_due, &e) == 0, "source_due", e.msg);
	CHECK_INT(next_due, -1, "and is not looked for again");
	source_release(&s);
}

/* All that is pending is given once, whatever rooms there are. */
static void property(void)
{
	struct rng rng;
	int wrong = 0, unordered = 0;

	rng_seed(&rng, 8);
	for (int round = 0; round < 30; round++) {
		int models = 1 + (int)rng_below(&rng, 6), lines = 1 + (int)rng_below(&rng, 300);
		struct source s = load(models, lines);
		for (uint32_t i = 1; i <= (uint32_t)lines; i++)
			if (rng_below(&rng, 5) == 0)
				due_at(i, now + 50 - (int64_t)rng_below(&rng, 100));
		reload(&s);
		int left = lines;
		for (int calls = 0; left > 0 && calls < 3000; calls++) {
			for (int i = 0; i < 8; i++) {
				rooms[i] = (int64_t)rng_below(&rng, 20);
				which[i] = rng_below(&rng, 3) ? i : 1;
			}
			char *text CLEANUP(mem_cleanup) = mem_strdup(take(&s, &gate, 1 + (int)rng_below(&rng, 70)));
			long last = 0, seen = 0;
			for (char *p = text; *p; seen++) {
				long line = strtol(p, &p, 10);
				/* Fresh ones, behind those that were due. */
				bool fresh = ROWS_INT(r.raw, "SELECT due FROM requests WHERE id = ?1",
						      request_row(batch, (uint32_t)line)) == 0;
				unordered += fresh && line <= last;
				last = fresh ? line : 0;
			}
			left -= (int)seen;
			wrong += source_pending(&s) != left;
			now += (int64_t)rng_below(&rng, 3);
			if (rng_below(&rng, 20) == 0)
				reload(&s);
		}
		wrong += left != 0 || ROWS_INT(r.raw, "SELECT count(*) FROM requests WHERE state = 0") != 0;
		source_release(&s);
	}
	CHECK_INT(wrong, 0, "30 random batches and rooms: each line is given once, and counted");
	CHECK_INT(unordered, 0, "in each call in line order");
}

int main(void)
{
	rows_open(&r, "source");
	order();
	rooms_of_queues();
	again();
	turns();
	clocks();
	expiry();
	strange_hands();
	property();
	source_release(&(struct source){ 0 });
	rows_close(&r);
	return unit_done();
}
