#include "engine/known.h"

#include "fixture.h"
#include "rows.h"

static struct db *db;
static sqlite3 *raw;
static struct err e;

/* A batch that sets these options itself. */
static int64_t add_batch(int lines, struct send *send, int64_t window_ms)
{
	struct batch b CLEANUP(batch_release) = BATCH_INIT;
	struct batch_new n = fixture_new(fixture_lines(db, lines));
	bool existed;

	n.send = send;
	n.window_ms = window_ms;
	fixture_must(batch_create(db, &n, &b, &existed, &e) == 0, "batch_create", &e);
	return b.id;
}

static struct known_batch *get(struct known *k, int64_t batch, bool *fresh, int64_t *completed)
{
	struct known_batch *b = known_get(k, db, batch, fresh, completed, &e);

	fixture_must(b != NULL, "known_get", &e);
	return b;
}

static void meeting(void)
{
	struct known k CLEANUP(known_release);
	struct send own = SEND_INIT, defaults = SEND_INIT;
	int64_t completed = -1;
	bool fresh;

	own.retries = 2;
	defaults.retries = 7;
	defaults.stall_ms = 4000;
	int64_t id = add_batch(3, &own, 0), other = add_batch(1, &(struct send)SEND_INIT, 3600000);
	fixture_complete(db, request_row(id, 1), "{}");
	known_init(&k, &defaults, NULL);
	struct known_batch *a = get(&k, id, &fresh, &completed);
	CHECK(fresh && completed == 1, "a batch is met, with what was completed of it before");
	CHECK(a->target->batch == id && !a->started && a->expires_ms == 0, "it was not started yet");
	CHECK(a->target->send.retries == 2 && a->target->send.stall_ms == 4000 &&
	      a->target->send.connect_ms == 10000,
	      "it is sent as it says itself, then as the run does, then as ever");
	completed = -1;
	CHECK(get(&k, id, &fresh, &completed) == a && !fresh && completed == -1,
	      "it is met once; how many are completed is told then");
	struct known_batch *b = get(&k, other, &fresh, &completed);
	CHECK(fresh && b != a && completed == 0 && b->target->send.retries == 7, "another one");
	CHECK_INT(b->expires_ms, ROWS_INT(raw, "SELECT expires_ms FROM batches WHERE id = ?1", other),
		  "when its window ends is known");
	defaults.retries = 9; /* the run's are copied */
	CHECK(!known_get(&k, db, 4711, &fresh, &completed, &e) && e.code != ERR_NONE && k.n == 2,
	      "one that is not there is not met");
}

static void many(void)
{
	enum { BATCHES = 40 };
	struct known k CLEANUP(known_release);
	struct known_batch *met[BATCHES];
	int64_t ids[BATCHES], completed;
	int wrong = 0, n;
	bool fresh;

	known_init(&k, NULL, NULL);
	for (int i = 0; i < BATCHES; i++) {
		ids[i] = add_batch(1, &(struct send)SEND_INIT, 0);
		met[i] = get(&k, ids[i], &fresh, &completed);
		met[i]->started = i % 3 == 0;
	}
	for (int i = 0; i < BATCHES; i++)
		wrong += get(&k, ids[i], &fresh, &completed) != met[i] || fresh;
	CHECK_INT(wrong, 0, "what was met stays where it is");
	int64_t *started = known_started(&k, &n);
	CHECK_INT(n, (BATCHES + 2) / 3, "those of which something was started");
	for (int i = 0; i < n; i++)
		wrong += started[i] != ids[3 * i];
	CHECK_INT(wrong, 0, "in the order in which they were met");
	free(started);
}

static void counting(void)
{
	struct known k CLEANUP(known_release);
	struct ledger_state s = { .total = 99, .done = 99, .done_failed = 99, .retrying = 99 };
	int64_t completed, id = add_batch(6, &(struct send)SEND_INIT, 0);
	int64_t other = add_batch(4, &(struct send)SEND_INIT, 0);
	bool fresh;

	known_init(&k, NULL, NULL);
	CHECK(known_count(&k, db, &s, &e) == 0 && s.total == 0 && s.done == 0, "nothing is known: nothing");
	fixture_complete(db, request_row(id, 1), "{}");
	fixture_fail(db, request_row(id, 2), 400, NULL, "{}");
	fixture_retry(db, request_row(id, 3), 500, clock_wall_ms() + 100000);
	fixture_complete(db, request_row(other, 1), "{}");
	get(&k, id, &fresh, &completed);
	CHECK(known_count(&k, db, &s, &e) == 0 && s.total == 6 && s.done == 2 && s.done_failed == 1 &&
	      s.retrying == 1, "a batch: lines, ended, failed, to be tried again");
	get(&k, other, &fresh, &completed);
	fixture_must(ending_cancel(db, id, false, &e) == 4, "cancel", &e);
	CHECK(known_count(&k, db, &s, &e) == 0 && s.total == 10 && s.done == 7 && s.done_failed == 5 &&
	      s.retrying == 0, "two, as they are now; what is cancelled has ended");
	CHECK(s.completed == 0 && s.failures == 0, "what this run has settled is another matter");
	ROWS_DO(raw, "DELETE FROM queues WHERE batch = ?1", other);
	ROWS_DO(raw, "DELETE FROM requests WHERE id >> 32 = ?1", other);
	ROWS_DO(raw, "DELETE FROM batches WHERE id = ?1", other);
	CHECK(known_count(&k, db, &s, &e) < 0, "one that was deleted is told");
}

int main(void)
{
	db = fixture_db("db");
	raw = rows_raw(db_path(db));
	meeting();
	many();
	counting();
	sqlite3_close(raw);
	db_close(db);
	return unit_done();
}
