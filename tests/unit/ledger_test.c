/* The test is the network thread: it takes jobs, answers them, gives them back. */
#include "engine/desk.h"
#include "engine/ledger.h"

#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
#include "base/log.h"
#include "fixture.h"
#include "proc.h"
#include "rows.h"

static struct db *db;         /* the ledger's */
static sqlite3 *raw;          /* looks at what it does */
static struct ledger *ledger;
static struct ledger_state state;
static struct job_list ready, ended, unsent;
static struct rng rng;
static struct err e;
static int64_t *batches;
static int n_batches;

static atomic_int days_back;

/* In the place of the C library's: somebody sets the wall clock. */
int clock_gettime(clockid_t id, struct timespec *t)
{
	int rc = (int)syscall(SYS_clock_gettime, id, t);

	if (id == CLOCK_REALTIME)
		t->tv_sec -= days_back * 86400;
	return rc;
}

static int64_t make_batch(const char *name, int lines, struct send *send, const char *key)
{
	struct batch b CLEANUP(batch_release) = BATCH_INIT;
	bool existed;
	db = fixture_db(name);
	raw = rows_raw(db_path(db));
	struct batch_new n = fixture_new(fixture_lines(db, lines));
	n.send = send;
	n.key_ref = key;
	fixture_must(batch_create(db, &n, &b, &existed, &e) == 0, "batch_create", &e);
	return b.id;
}

static struct desk_words words;

static void open_ledger(int jobs, int64_t batch)
{
	struct ledger_options o = { .batches = batch ? &batch : NULL, .n_batches = 1,
				    .jobs = jobs, .version = "0", .config = "{}" };
	job_list_init(&ready);
	job_list_init(&ended);
	job_list_init(&unsent);
	ledger = ledger_open(db, &o, &e);
	fixture_must(ledger != NULL, "ledger_open", &e);
	ledger_take(ledger, &ready, &words, &state);
}

static int close_ledger(void)
{
	struct job *j;
	while ((j = job_pop(&ready)))
		job_free(j);
	free(batches);
	return ledger_close(ledger, 20000, &state, &batches, &n_batches, &e);
}

static void close_all(void)
{
	sqlite3_close(raw);
	db_close(db);
}

/* Waits for a ring and takes what there is; false after the limit. */
static bool take(int limit_ms)
{
	bool rung = proc_readable(ledger_fd(ledger), limit_ms);
	ledger_take(ledger, &ready, &words, &state);
	return rung;
}

#define TAKE_UNTIL(cond) (__extension__({ \
	int64_t till_ = clock_mono_ms() + PROC_LIMIT_MS; \
	ledger_take(ledger, &ready, &words, &state); \
	while (!(cond) && clock_mono_ms() < till_) \
		take(100); \
	(cond); }))

static void answer(struct job *j, int status)
{
	j->call.code = HTTP_ANSWERED;
	j->call.status = status;
	j->call.retry_after_ms = -1;
	j->call.sent = true;
	str_addz(&j->call.answer, "{\"usage\":{\"input_tokens\":2,\"output_tokens\":1}}");
	j->call.bytes = (int64_t)j->call.answer.n;
	job_judge(j, &rng, clock_wall_ms());
	job_push(&ended, j);
}

/* Answers all that come until nothing is left, `fails` of each attempt number
 * up to that with 500; how many were answered. */
static int answer_all(int fails)
{
	int n = 0;
	int64_t till = clock_mono_ms() + PROC_LIMIT_MS;
	while (!state.drained && !state.failed && clock_mono_ms() < till) {
		struct job *j;
		while ((j = job_pop(&ready))) {
			answer(j, j->req.n <= fails ? 500 : 200);
			n++;
		}
		ledger_give(ledger, &ended, &unsent);
		take(1000);
	}
	return n;
}

#define SQL(...) ROWS_INT(raw, __VA_ARGS__)

static struct send fast(void)
{
	return (struct send){ .retries = 5, .retry_delay_ms = 1, .retry_factor_micro = 1000000,
			      .retry_max_delay_ms = 1, .connect_ms = -1, .first_byte_ms = -1,
			      .stall_ms = -1, .total_ms = -1, .max_response = -1,
			      .no_idempotency_key = -1 };
}

static void whole_life(void)
{
	struct send send = fast();
	int64_t batch = make_batch("life", 500, &send, "none");
	open_ledger(16, batch);
	CHECK(TAKE_UNTIL(ready.n > 0), "requests are started at once");
	int64_t flying = SQL("SELECT count(*) FROM flights");
	CHECK(ready.n >= 16 && flying >= ready.n, "as many as there are slots, each on disk before");
	CHECK_INT(SQL("SELECT count(*) FROM requests WHERE state = 1"), flying, "as processing");
	uint32_t line = 1;
	bool in_order = true;
	for (struct job *j = ready.first; j; j = j->next)
		in_order &= request_line(j->req.row) == line++ && j->req.n == 1;
	CHECK(in_order, "in the order of their lines");
	CHECK_INT(answer_all(0), 500, "all are started once");
	CHECK(state.drained && !state.failed, "then it is drained");
	CHECK_INT(state.completed, 500, "the state counts them");
	CHECK(state.input_tokens == 1000 && state.output_tokens == 500, "and their tokens");
	CHECK(state.total == 500 && state.done == 500 && state.done_failed == 0, "and the progress");
	CHECK_INT(SQL("SELECT status FROM batches"), 2, "the batch is completed on disk by then");
	CHECK_INT(SQL("SELECT count(*) FROM attempts"), 500, "an attempt each");
	CHECK_INT(close_ledger(), 0, "closing: %s", e.msg);
	CHECK(n_batches == 1 && batches[0] == batch, "tells the batches");
	CHECK_INT(rows_wrong(raw), 0, "all counters agree");
	CHECK_INT(SQL("SELECT done FROM workers WHERE ended_ms > 0"), 500, "the worker has left");
	open_ledger(16, batch);
	CHECK(TAKE_UNTIL(state.drained) && ready.n == 0, "nothing to do: drained at once");
	CHECK(close_ledger() == 0 && n_batches == 0, "no request of it was started in this run");
	close_all();
}

static void retries(void)
{
	struct send send = fast();
	int64_t batch = make_batch("retries", 40, &send, "none");
	open_ledger(4, batch);
	CHECK_INT(answer_all(2), 120, "what failed twice is tried three times");
	CHECK(state.drained && state.completed == 40 && state.failures == 0, "and completes");
	CHECK_INT(SQL("SELECT count(*) FROM attempts WHERE status = 500 AND next_ms > 0"), 80,
		  "each failure is recorded with its next time");
	close_ledger();
	CHECK_INT(rows_wrong(raw), 0, "all counters agree");
	close_all();
	batch = make_batch("exhausted", 3, &send, "none");
	open_ledger(4, batch);
	CHECK_INT(answer_all(100), 18, "six attempts each");
	CHECK(state.failures == 3 && state.done_failed == 3, "then they have failed");
	close_ledger();
	CHECK_INT(rows_wrong(raw), 0, "all counters agree");
	close_all();
}

static void clock_set_back(void)
{
	struct send send = fast();
	int64_t batch = make_batch("clock", 1, &send, "none");
	open_ledger(2, batch);
	CHECK(TAKE_UNTIL(ready.n > 0), "a job");
	struct job *j = job_pop(&ready);
	answer(j, 500);
	j->next_ms = clock_wall_ms() + 700;
	ledger_give(ledger, &ended, &unsent);
	CHECK(PROC_UNTIL(SQL("SELECT count(*) FROM requests WHERE due > 0") == 1), "is due again later");
	days_back = 4;
	CHECK_INT(answer_all(0), 1, "the clock is set back by days: it is not put off for days");
	CHECK_INT(close_ledger(), 0, "closing: %s", e.msg);
	days_back = 0;
	CHECK_INT(rows_wrong(raw), 0, "all counters agree");
	close_all();
}

static int64_t cpu_ms(const struct rusage *u)
{
	return (u->ru_utime.tv_sec + u->ru_stime.tv_sec) * 1000 +
	       (u->ru_utime.tv_usec + u->ru_stime.tv_usec) / 1000;
}

/* For 400 ms nothing happens, and the process does next to nothing. */
static void check_sleep(const char *rule)
{
	struct rusage before, after;
	while (take(300)) /* until it is quiet, and counted */
		;
	getrusage(RUSAGE_SELF, &before);
	bool rung = proc_readable(ledger_fd(ledger), 400);
	getrusage(RUSAGE_SELF, &after);
	long switches = after.ru_nvcsw - before.ru_nvcsw;
	int64_t cpu = cpu_ms(&after) - cpu_ms(&before);
	CHECK(!rung && switches < 200 && cpu < 100, "%s: %ld switches, %lld ms of CPU", rule,
	      switches, (long long)cpu);
}

/* Two requests: one is due again in `ms`, the other is in flight. */
static int64_t one_waits(const char *name, int64_t ms)
{
	struct send send = fast();
	open_ledger(4, make_batch(name, 2, &send, "none"));
	CHECK(TAKE_UNTIL(ready.n == 2), "two jobs");
	struct job *j = job_pop(&ready);
	answer(j, 500);
	int64_t due = j->next_ms = clock_wall_ms() + ms;
	ledger_give(ledger, &ended, &unsent);
	CHECK(TAKE_UNTIL(state.next_due_ms == due), "one is due later, and the state says when");
	return due;
}

static void idle(void)
{
	int64_t due = one_waits("idle", 1500);
	check_sleep("until a retry is due the ledger sleeps");
	CHECK(TAKE_UNTIL(ready.n == 2), "then it starts again");
	int64_t late = clock_wall_ms() - due;
	CHECK(late >= 0 && late < 1000, "on time: %lld ms after", (long long)late);
	check_sleep("while all is in flight it sleeps");
	CHECK(!state.drained, "and is not drained");
	CHECK_INT(close_ledger(), 0, "closing: %s", e.msg);
	close_all();
	due = one_waits("stopped", 300);
	ledger_stop(ledger);
	CHECK(PROC_UNTIL(clock_wall_ms() > due), "a retry is due after the stop");
	check_sleep("it is not asked for again and again");
	CHECK_INT(ready.n, 1, "and not started");
	CHECK_INT(close_ledger(), 0, "closing: %s", e.msg);
	close_all();
}

static void stopping(void)
{
	struct send send = fast();
	int64_t batch = make_batch("stop", 200, &send, "none");
	open_ledger(8, batch);
	CHECK(TAKE_UNTIL(ready.n >= 8), "jobs");
	ledger_stop(ledger);
	int sent = 3, took = 0;
	struct job *j;
	for (int i = 0; i < sent; i++)
		answer(job_pop(&ready), i == 0 ? 500 : 200);
	ledger_give(ledger, &ended, &unsent);
	CHECK(TAKE_UNTIL(state.completed == 2), "what was in flight is settled");
	while ((j = job_pop(&ready))) {
		job_push(&unsent, j);
		took++;
	}
	ledger_give(ledger, &ended, &unsent);
	CHECK(PROC_UNTIL(SQL("SELECT count(*) FROM flights") == 0), "what was not is given back");
	CHECK_INT(close_ledger(), 0, "closing: %s", e.msg);
	CHECK(!state.drained && ready.n == 0 && took > 0, "nothing new was started");
	CHECK_INT(SQL("SELECT count(*) FROM attempts"), sent, "unsent ones leave no attempt");
	CHECK_INT(SQL("SELECT count(*) FROM requests WHERE state = 0"), 198, "they are pending");
	CHECK_INT(SQL("SELECT count(*) FROM requests WHERE tries > 0"), sent, "as if never started");
	CHECK_INT(rows_wrong(raw), 0, "all counters agree");

	open_ledger(8, batch);
	CHECK(proc_readable(ledger_fd(ledger), PROC_LIMIT_MS), "jobs were started");
	CHECK_INT(close_ledger(), 0, "nobody took them before the end");
	CHECK(SQL("SELECT count(*) FROM flights") == 0 &&
	      SQL("SELECT count(*) FROM requests WHERE state = 0") == 198,
	      "they are pending again: no row is left to nobody");
	CHECK_INT(rows_wrong(raw), 0, "all counters agree");

	open_ledger(8, batch);
	CHECK(TAKE_UNTIL(ready.n > 0), "jobs");
	while ((j = job_pop(&ready)))
		job_push(&unsent, j);
	ledger_give(ledger, &ended, &unsent);
	CHECK_INT(answer_all(0), 198, "given back without a stop they come again");
	CHECK(state.drained, "to the last");
	close_ledger();
	CHECK_INT(rows_wrong(raw), 0, "all counters agree");
	close_all();
}

static void locked_file(void)
{
	struct send send = fast();
	int64_t batch = make_batch("locked", 100, &send, "none");
	open_ledger(8, batch);
	CHECK(TAKE_UNTIL(ready.n >= 8), "jobs");
	ROWS_DO(raw, "BEGIN IMMEDIATE");
	int64_t start = clock_mono_ms(), longest = 0;
	int given = 0;
	struct job *j;
	while (!state.stuck && clock_mono_ms() - start < PROC_LIMIT_MS) {
		int64_t before = clock_mono_ms();
		if ((j = job_pop(&ready))) {
			answer(j, 200);
			given++;
		}
		ledger_give(ledger, &ended, &unsent);
		ledger_take(ledger, &ready, &words, &state);
		int64_t took = clock_mono_ms() - before;
		longest = took > longest ? took : longest;
		proc_readable(ledger_fd(ledger), 20);
	}
	CHECK(state.stuck && !state.failed, "somebody holds the file: the state says stuck");
	CHECK(longest < 200, "giving and taking never wait for it: %lld ms", (long long)longest);
	CHECK(state.completed == 0 && given > 0, "results wait in memory");
	check_sleep("it tries now and then");
	ROWS_DO(raw, "COMMIT");
	CHECK(TAKE_UNTIL(!state.stuck && state.completed == given), "then all of them are settled");
	CHECK_INT(answer_all(0) + given, 100, "and the rest goes on");
	CHECK_INT(close_ledger(), 0, "closing: %s", e.msg);
	CHECK_INT(SQL("SELECT count(*) FROM attempts"), 100, "an attempt each");
	CHECK_INT(rows_wrong(raw), 0, "all counters agree");
	close_all();
}

static void full_disk(void)
{
	struct send send = fast();
	int64_t batch = make_batch("full", 100, &send, "none");
	struct rlimit was, none;
	open_ledger(8, batch);
	CHECK(TAKE_UNTIL(ready.n >= 8), "jobs");
	signal(SIGXFSZ, SIG_IGN);
	getrlimit(RLIMIT_FSIZE, &was);
	none = was;
	none.rlim_cur = 16384; /* less than the log has: each write fails at once */
	setrlimit(RLIMIT_FSIZE, &none);
	struct job *j;
	while ((j = job_pop(&ready)))
		answer(j, 200);
	ledger_give(ledger, &ended, &unsent);
	bool stuck = TAKE_UNTIL(state.stuck || state.failed);
	bool failed = state.failed;
	check_sleep("it tries now and then");
	setrlimit(RLIMIT_FSIZE, &was);
	CHECK(stuck && !failed, "nothing can be written: stuck, not failed: %s", state.error.msg);
	answer_all(0);
	CHECK(state.drained && state.completed == 100, "with room again all is settled");
	CHECK_INT(close_ledger(), 0, "closing: %s", e.msg);
	CHECK_INT(rows_wrong(raw), 0, "all counters agree");
	close_all();
}

static void missing_key(void)
{
	struct send send = fast();
	unsetenv("FSL_UNIT_KEY");
	int64_t without = make_batch("key", 10, &send, "env:FSL_UNIT_KEY");
	int64_t with = fixture_batch(db, fixture_lines(db, 11));
	open_ledger(4, 0);
	CHECK_INT(answer_all(0), 11, "the batch whose key does not resolve is left alone");
	CHECK(state.drained && state.key_missing && !state.failed, "the state says so");
	CHECK(strstr(state.error.msg, "env:FSL_UNIT_KEY"), "and which: %s", state.error.msg);
	CHECK_INT(SQL("SELECT pending FROM batches WHERE id = ?1", without), 10, "it stays pending");
	CHECK_INT(SQL("SELECT status FROM batches WHERE id = ?1", without), 1, "in progress");
	CHECK_INT(SQL("SELECT completed FROM batches WHERE id = ?1", with), 11, "others go on");
	close_ledger();
	CHECK(n_batches == 1 && batches[0] == with, "it was not begun");
	CHECK_INT(rows_wrong(raw), 0, "all counters agree");
	close_all();
}

static void odd_rows(void)
{
	struct send send = fast();
	int64_t batch = make_batch("odd", 20, &send, "none");
	ROWS_DO(raw, "DELETE FROM lines WHERE id & 4294967295 = 2");
	open_ledger(4, batch);
	CHECK(TAKE_UNTIL(ready.n > 2), "jobs");
	CHECK_INT(ready.first->next->call.code, HTTP_UNUSABLE, "a line that is gone cannot be sent");
	struct job *j = job_pop(&ready);
	ROWS_DO(raw, "BEGIN IMMEDIATE"); /* as who rescued it */
	ROWS_DO(raw, "DELETE FROM flights WHERE request = ?1", j->req.row);
	ROWS_DO(raw, "UPDATE shares SET in_flight = in_flight - 1");
	ROWS_DO(raw, "UPDATE requests SET state = 4, tries = 0 WHERE id = ?1", j->req.row);
	ROWS_DO(raw, "UPDATE batches SET processing = processing - 1, cancelled = 1");
	ROWS_DO(raw, "COMMIT");
	answer(j, 200);
	j = job_pop(&ready);
	job_judge(j, &rng, clock_wall_ms());
	job_push(&ended, j);
	ledger_give(ledger, &ended, &unsent);
	CHECK(TAKE_UNTIL(state.lost == 1 && state.failures == 1), "it fails alone; what was settled by "
	      "somebody else is lost");
	CHECK_INT(answer_all(0), 18, "the rest goes on");
	CHECK(state.completed == 18 && SQL("SELECT cancelled FROM batches") == 1,
	      "a late answer changes nothing");
	CHECK_INT(close_ledger(), 0, "closing: %s", e.msg);
	CHECK_INT(rows_wrong(raw), 0, "all counters agree");
	close_all();
}

static void evicted(void)
{
	struct send send = fast();
	make_batch("evicted", 200, &send, "none");
	open_ledger(4, 0);
	CHECK(TAKE_UNTIL(ready.n > 0), "jobs");
	ROWS_DO(raw, "UPDATE workers SET ended_ms = 1"); /* as who took it for dead */
	answer_all(0);
	CHECK(state.failed && state.error.code == ERR_CONFIG && strstr(state.error.msg, "for dead"),
	      "a worker whose row was ended by others says so: %s", state.error.msg);
	int64_t tried = SQL("SELECT sum(tries) FROM requests");
	CHECK(tried < 200 && SQL("SELECT count(*) FROM flights") == 0,
	      "what it has started ends, and it starts no more: %lld of 200", (long long)tried);
	CHECK(close_ledger() < 0 && e.code == ERR_CONFIG, "closing: %s", e.msg);
	CHECK_INT(rows_wrong(raw), 0, "all counters agree");
	close_all();
}

static void news(void)
{
	struct send send = fast();
	make_batch("news", 1, &send, "none");
	open_ledger(16, 0);
	CHECK(TAKE_UNTIL(ready.n == 1), "a job");
	while (take(200)) /* until it is quiet */
		;
	CHECK(ready.n == 1 && !state.drained, "and nothing else");
	struct db *other = db_open(db_path(db), DB_EXISTING, &e);
	int64_t start = clock_mono_ms();
	fixture_batch(other, fixture_lines(other, 5));
	CHECK(TAKE_UNTIL(ready.n == 6), "another process makes a batch: it is started");
	CHECK(clock_mono_ms() - start < 1000, "at once, not when the next look is due");
	CHECK(answer_all(0) == 6 && state.drained, "and is finished");
	CHECK_INT(close_ledger(), 0, "closing: %s", e.msg);
	db_close(other);
	close_all();
}

/* Another worker: takes what it gets and dies with it. */
static void worker(struct proc *parent)
{
	db = fixture_db("dead");
	open_ledger(4, 0);
	if (!TAKE_UNTIL(ready.n >= 4))
		_exit(1);
	proc_say(parent, 'r');
	for (;;)
		pause();
}

static void dead_worker(void)
{
	struct send send = fast();
	make_batch("dead", 20, &send, "none");
	close_all();
	struct proc p = proc_start(worker);
	CHECK_INT(proc_hear(&p), 'r', "another worker has taken some");
	db = fixture_db("dead");
	raw = rows_raw(db_path(db));
	int64_t taken = SQL("SELECT count(*) FROM flights");
	open_ledger(4, 0);
	struct job *j;
	int answered = 0;
	while (answered < 20 - taken && take(PROC_LIMIT_MS)) {
		while ((j = job_pop(&ready))) {
			answer(j, 200);
			answered++;
		}
		ledger_give(ledger, &ended, &unsent);
	}
	CHECK_INT(answered, 20 - taken, "we take the others");
	while (take(300))
		;
	CHECK(!state.drained && ready.n == 0, "while it lives its rows are its own");
	int64_t start = clock_mono_ms();
	proc_kill(&p);
	CHECK(TAKE_UNTIL(ready.n > 0), "it dies: its rows are started again");
	CHECK(clock_mono_ms() - start < 1000 && ready.first->req.n == 2, "within a second");
	CHECK_INT(SQL("SELECT count(*) FROM attempts WHERE code = 'interrupted'"), taken,
		  "their attempts are recorded");
	CHECK(answer_all(0) == taken && state.drained, "and then it is drained");
	CHECK_INT(close_ledger(), 0, "closing: %s", e.msg);
	CHECK_INT(rows_wrong(raw), 0, "all counters agree");
	close_all();
}

int main(void)
{
	rng_seed(&rng, 1);
	dead_worker(); /* first: it forks, the others have threads */
	whole_life();
	retries();
	clock_set_back();
	idle();
	stopping();
	news();
	odd_rows();
	evicted();
	log_set(LOG_ERROR, false); /* what comes is warned of */
	locked_file();
	full_disk();
	missing_key();
	free(batches);
	return unit_done();
}
