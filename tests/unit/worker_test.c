#include "domain/worker.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

#include "base/user.h"
#include "fixture.h"
#include "proc.h"
#include "rows.h"
#include "unit.h"

static struct rows r;

static int64_t of_worker(const char *sql, int64_t id)
{
	return ROWS_INT(r.raw, sql, id);
}

static int64_t state(int64_t row)
{
	return ROWS_INT(r.raw, "SELECT state FROM requests WHERE id = ?1", row);
}

static bool ended(int64_t id)
{
	return of_worker("SELECT ended_ms IS NOT NULL FROM workers WHERE id = ?1", id) == 1;
}

static int64_t three(void *ctx, int64_t worker, int64_t batch)
{
	(void)worker;
	(void)ctx;
	(void)batch;
	return 3;
}

/* Rescues in a transaction of its own; -2 if a counter is wrong. */
static int rescued(void)
{
	struct err e = ERR_INIT;

	rows_begin(&r);
	int n = worker_rescue(&r.t, three, NULL, 2000, &e);
	rows_must(n >= 0, "worker_rescue", e.msg);
	return rows_commit(&r) == 0 ? n : -2;
}

static int enter(struct db *db, const char *version, const char *config, struct worker *out,
		 struct err *e)
{
	const struct worker_new n = { .version = version, .config = config };

	return worker_enter(db, &n, out, e);
}

static int any_dead(void)
{
	struct err e = ERR_INIT;

	return worker_any_dead(r.db, &e);
}

static void entering(void)
{
	struct err e = ERR_INIT;
	struct worker w = { 0 };
	struct utsname host;

	CHECK_INT(any_dead(), 0, "at first nobody is dead");
	CHECK(enter(r.db, "1.2", "{\"jobs\":4}", &w, &e) == 0 && w.id > 0, "a worker enters");
	CHECK(w.slot == 1 && side_mine(db_side(r.db), 1), "and holds a byte of the side file");
	uname(&host);
	CHECK_STR(ROWS_TEXT(r.raw, "SELECT host FROM workers WHERE id = ?1", w.id), host.nodename,
		  "its row has the host");
	CHECK_STR(ROWS_TEXT(r.raw, "SELECT user FROM workers WHERE id = ?1", w.id), user_name(),
		  "the user");
	CHECK_INT(of_worker("SELECT pid FROM workers WHERE id = ?1", w.id), getpid(), "the process");
	CHECK_STR(ROWS_TEXT(r.raw, "SELECT slot || ' ' || version || ' ' || config || ' ' || done"
			    " || failed"
			    " FROM workers WHERE id = ?1", w.id), "1 1.2 {\"jobs\":4} 00",
		  "byte, version and configuration");
	CHECK(of_worker("SELECT started_ms FROM workers WHERE id = ?1", w.id) > 1000000000000,
	      "and when it started");
	CHECK(!ended(w.id) && any_dead() == 0, "it is alive");
	rows_begin(&r);
	CHECK(worker_count(r.db, w.id, 3, 1, &e) == 0 && worker_count(r.db, w.id, 2, 0, &e) == 0,
	      "worker_count() adds");
	rows_commit(&r);
	CHECK_INT(of_worker("SELECT done * 10 + failed FROM workers WHERE id = ?1", w.id), 51,
		  "what is done and what failed");
	int64_t id = w.id;
	CHECK(worker_leave(r.db, &w, &e) == 0 && w.id == 0, "it leaves");
	CHECK(ended(id), "its row is ended");
	CHECK(!side_alive(db_side(r.db), 1), "and its byte is free");
	CHECK_INT(any_dead(), 0, "who has left is not dead");

	sqlite3_exec(r.raw, "BEGIN IMMEDIATE", NULL, NULL, NULL);
	db_patience(r.db, 0);
	CHECK(enter(r.db, "1", "{}", &w, &e) == -1 && e.code == ERR_BUSY,
	      "one that cannot write its row does not enter");
	CHECK(!side_any_worker(db_side(r.db)), "and holds no byte");
	sqlite3_exec(r.raw, "ROLLBACK", NULL, NULL, NULL);
	db_patience(r.db, 10000);
}

/* Enters when it is told, starts the lines that it is told, leaves when it is
 * told 0. */
static void process(struct proc *parent)
{
	struct err e = ERR_INIT;
	struct request_started s;
	struct worker w;
	int line = proc_hear(parent);
	struct rows mine = { .db = db_open(rows_path("db"), DB_EXISTING, &e), .now = 1500 };

	if (!mine.db || enter(mine.db, "1", "{}", &w, &e) < 0)
		rows_must(false, "worker_enter", e.msg);
	proc_say(parent, (char)w.id);
	while ((line = proc_hear(parent)) > 0) {
		rows_begin(&mine);
		rows_must(rows_start(&mine, w.id, request_row(1, (uint32_t)line), &s) == 1, "start",
			  "no");
		rows_must(tally_flush(&mine.t, 1, &e) == 0 && tx_commit(&mine.tx, &e) == 0, "tx",
			  e.msg);
		proc_say(parent, (char)line);
	}
	if (line == 0 && worker_leave(mine.db, &w, &e) == 0)
		proc_say(parent, 'l');
}

static int64_t enters(struct proc *p)
{
	proc_say(p, 'e');
	return proc_hear(p);
}

static void does(struct proc *p, int line)
{
	proc_say(p, (char)line);
	rows_must(proc_hear(p) == line, "process", "did not start the request");
}

static void dying(struct proc *a, struct proc *b)
{
	int64_t id = rows_batch(&r, 2, 20, 0);
	int64_t ida = enters(a), idb = enters(b);

	CHECK(id == 1 && ida > 0 && idb > ida, "two processes are workers");
	does(a, 1);
	does(a, 2);
	does(b, 3);
	CHECK_INT(any_dead(), 0, "both live");
	CHECK_INT(rescued(), 0, "so there is nothing to rescue");
	int status;
	kill(a->pid, SIGSTOP);
	waitpid(a->pid, &status, WUNTRACED);
	CHECK_INT(any_dead(), 0, "one that is stopped is not dead");
	proc_kill(a);
	CHECK_INT(any_dead(), 1, "one that is killed is");
	CHECK_INT(state(request_row(id, 1)), REQUEST_PROCESSING, "its requests are still in flight");
	CHECK_INT(rescued(), 2, "they are rescued");
	CHECK(state(request_row(id, 1)) == REQUEST_PENDING &&
	      state(request_row(id, 2)) == REQUEST_PENDING,
	      "and pending again");
	CHECK_INT(state(request_row(id, 3)), REQUEST_PROCESSING, "those of the living stay in flight");
	CHECK(ended(ida) && !ended(idb), "the row of the dead is ended, that of the living is not");
	CHECK_INT(any_dead(), 0, "nobody is dead any more");
	CHECK_INT(rescued(), 0, "and nothing left to rescue");
	CHECK_INT(ROWS_INT(r.raw, "SELECT count(*) FROM attempts WHERE code = 'interrupted' AND"
			   " worker = ?1",
			   ida), 2, "both attempts are recorded as interrupted");

	proc_say(b, 0);
	CHECK_INT(proc_hear(b), 'l', "the other leaves");
	proc_end(b);
	CHECK(!ended(idb) && any_dead() == 1, "with a request in flight its row stays open");
	CHECK_INT(rescued(), 1, "so that somebody rescues that");
	CHECK(ended(idb) && any_dead() == 0, "and ends the row");
}

static void used_again(struct proc *a, struct proc *b, struct proc *c)
{
	int64_t ida = enters(a);

	does(a, 5);
	proc_kill(a);
	int64_t idb = enters(b);
	CHECK(idb > ida && of_worker("SELECT slot FROM workers WHERE id = ?1", idb) ==
	      of_worker("SELECT slot FROM workers WHERE id = ?1", ida),
	      "the byte of a dead worker is used again by a new one");
	does(b, 6);
	CHECK_INT(any_dead(), 1, "the old row is dead though its byte is held");
	CHECK_INT(rescued(), 1, "its request is rescued");
	CHECK(state(request_row(1, 5)) == REQUEST_PENDING &&
	      state(request_row(1, 6)) == REQUEST_PROCESSING,
	      "and that of the new one is not");
	CHECK(ended(ida) && !ended(idb), "only the old row is ended");
	proc_kill(b);
	int64_t idc = enters(c);
	does(c, 7);
	proc_kill(c);
	CHECK_INT(rescued(), 2, "two dead workers of one byte are rescued together");
	CHECK(ended(idb) && ended(idc) && any_dead() == 0, "both rows are ended");
	CHECK_INT(ROWS_INT(r.raw, "SELECT count(*) FROM flights"), 0, "nothing is in flight");
}

static void own_process(void)
{
	struct err e = ERR_INIT;
	struct worker one, two;
	struct db *db = db_open(db_path(r.db), DB_EXISTING, &e);

	rows_must(db && enter(db, "1", "{}", &one, &e) == 0 &&
		  enter(r.db, "1", "{}", &two, &e) == 0, "worker_enter", e.msg);
	CHECK(one.slot != two.slot && any_dead() == 0, "two connections of a process are two workers");
	db_close(db);
	CHECK_INT(any_dead(), 1, "one that closes without leaving is dead");
	rows_begin(&r);
	CHECK_INT(worker_rescue(&r.t, three, NULL, 2000, &e), 0, "it had nothing in flight");
	tx_end(&r.tx);
	CHECK(!ended(one.id) && any_dead() == 1, "a rollback takes the rescue back");
	CHECK_INT(rescued(), 0, "once more");
	CHECK(ended(one.id) && !ended(two.id), "its row is ended");
	CHECK_INT(worker_leave(r.db, &two, &e), 0, "the other leaves");
}

/* Told a mode, it enters alone ('a') or beside others ('b') and says 'e' or, if
 * somebody lives, 'h'; or it waits until nobody lives ('w') and says 'n'; then
 * it is told to leave. */
static void guest(struct proc *parent)
{
	struct err e = ERR_INIT;
	struct worker w;
	int mode;
	struct db *db = NULL;

	while ((mode = proc_hear(parent)) > 0) {
		struct worker_new n = { .version = "2", .config = "{}", .alone = mode != 'b' };
		if (!db)
			db = db_open(rows_path("db"), DB_EXISTING, &e);
		rows_must(db != NULL, "db_open", e.msg);
		if (mode == 'w') {
			proc_say(parent, 'b');
			rows_must(worker_wait(db, &e) == 0, "worker_wait", e.msg);
			proc_say(parent, 'n');
			continue;
		}
		int rc = worker_enter(db, &n, &w, &e);
		rows_must(rc == 0 || e.code == ERR_HELD, "worker_enter", e.msg);
		proc_say(parent, rc == 0 ? 'e' : 'h');
		if (rc == 0 && proc_hear(parent) > 0)
			rows_must(worker_leave(db, &w, &e) == 0, "worker_leave", e.msg);
		if (rc == 0)
			proc_say(parent, 'l');
	}
	db_close(db);
}

enum { GUESTS = 4, ROUNDS = 100 };

static void leaves(struct proc *p)
{
	proc_say(p, 'x');
	CHECK_INT(proc_hear(p), 'l', "it leaves");
}

static void at_once(struct proc *g)
{
	int entered = 0, held = 0, strange = 0;

	for (int i = 0; i < ROUNDS; i++) {
		/* Dead ones of every byte: one that holds theirs is not one of them. */
		ROWS_DO(r.raw, "INSERT INTO workers (slot, host, pid, user, version, config,"
			" started_ms) WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1"
			" FROM n WHERE i < 5) SELECT i, 'dead', 1, 'me', '1', '{}', 1 FROM n");
		for (int k = 0; k < GUESTS; k++)
			proc_say(&g[k], 'a');
		int in = 0;
		bool is_in[GUESTS] = { false };
		for (int k = 0; k < GUESTS; k++) {
			int c = proc_hear(&g[k]);
			is_in[k] = c == 'e';
			in += c == 'e';
			held += c == 'h';
			strange += c != 'e' && c != 'h';
		}
		entered += in;
		strange += in != 1;
		for (int k = 0; k < GUESTS; k++) {
			if (!is_in[k])
				continue;
			proc_say(&g[k], 'x');
			strange += proc_hear(&g[k]) != 'l';
		}
		rescued();
	}
	CHECK_INT(strange, 0, "of those that enter alone at the same moment");
	CHECK_INT(entered, ROUNDS, "exactly one does, each time");
	CHECK_INT(held, ROUNDS * (GUESTS - 1), "the others are told so");
	CHECK(!side_any_worker(db_side(r.db)), "and hold no byte");
}

/* What worker_each() tells, a line for each. */
static struct str told = STR_INIT;

static int tell(void *ctx, const struct worker_life *w, struct err *e)
{
	(void)e;
	*(int64_t *)ctx = w->id;
	str_addf(&told, "%.*s %.*s %lld %lld %lld;", (int)w->user.n, w->user.p, (int)w->version.n,
		 w->version.p, (long long)w->done, (long long)w->failed, (long long)w->in_flight);
	return 0;
}

static void is_told(int want, const char *text, const char *rule)
{
	struct err e = ERR_INIT;
	int64_t last;

	str_reset(&told);
	CHECK_INT(worker_each(r.db, tell, &last, &e), want, "%s: so many live", rule);
	CHECK_STR(str_z(&told), text, "%s: these", rule);
}

static void living(struct proc *g)
{
	struct err e = ERR_INIT;
	struct worker w;
	struct utsname host;
	char both[200], want[300], mine[100];
	int status;

	is_told(0, "", "nobody");
	CHECK_INT(worker_alone(r.db, &e), 0, "one is alone then");
	proc_say(&g[0], 'b');
	CHECK_INT(proc_hear(&g[0]), 'e', "one enters");
	snprintf(mine, sizeof mine, "%s 2 0 0 0;", user_name());
	is_told(1, mine, "one");
	proc_say(&g[1], 'b');
	CHECK_INT(proc_hear(&g[1]), 'e', "another beside it");
	snprintf(both, sizeof both, "%s%s", mine, mine);
	is_told(2, both, "two");
	ROWS_DO(r.raw, "UPDATE workers SET done = 7, failed = 2 WHERE pid = ?1", g[1].pid);
	ROWS_DO(r.raw, "INSERT INTO shares (bucket, worker, in_flight) SELECT 1, id, 3 FROM workers"
		" WHERE pid = ?1", g[1].pid);
	ROWS_DO(r.raw, "INSERT INTO shares (bucket, worker, in_flight) SELECT 2, id, 2 FROM workers"
		" WHERE pid = ?1", g[1].pid);
	snprintf(both, sizeof both, "%s%s 2 7 2 5;", mine, user_name());
	is_told(2, both, "what they have done, and have in flight of all buckets");
	ROWS_DO(r.raw, "DELETE FROM shares");

	uname(&host);
	CHECK(worker_alone(r.db, &e) == -1 && e.code == ERR_HELD, "one is not alone");
	snprintf(want, sizeof want, "process %d on %s, since 20", (int)g[0].pid, host.nodename);
	CHECK(strstr(e.msg, want) != NULL, "the message names the first of them: %s", e.msg);
	struct worker_new n = { .version = "1", .config = "{}", .limits = "[1]", .alone = true };
	int64_t rows = ROWS_INT(r.raw, "SELECT count(*) FROM workers");
	CHECK(worker_enter(r.db, &n, &w, &e) == -1 && e.code == ERR_HELD && w.id == 0,
	      "who wants to be alone does not enter");
	CHECK_INT(ROWS_INT(r.raw, "SELECT count(*) FROM workers"), rows, "and leaves no row");
	n.alone = false;
	CHECK(worker_enter(r.db, &n, &w, &e) == 0, "who does not, does");
	CHECK_STR(ROWS_TEXT(r.raw, "SELECT limits FROM workers WHERE id = ?1", w.id), "[1]",
		  "with its limits");
	CHECK(worker_leave(r.db, &w, &e) == 0, "and leaves");

	kill(g[0].pid, SIGSTOP);
	waitpid(g[0].pid, &status, WUNTRACED);
	snprintf(both, sizeof both, "%s%s 2 7 2 0;", mine, user_name());
	is_told(2, both, "one that is stopped lives");
	leaves(&g[1]);
	CHECK(worker_alone(r.db, &e) == -1 && e.code == ERR_HELD, "and is not alone");
	proc_kill(&g[0]);
	is_told(0, "", "one that was killed does not, though its row is open");
	CHECK_INT(any_dead(), 1, "which is another matter");
	CHECK(worker_alone(r.db, &e) == 0, "one is alone");
	CHECK_INT(rescued(), 0, "its row is ended");
}

static void waiting(struct proc *g)
{
	struct err e = ERR_INIT;

	CHECK_INT(worker_wait(r.db, &e), 0, "there is nobody to wait for");
	proc_say(&g[1], 'b');
	CHECK_INT(proc_hear(&g[1]), 'e', "one enters");
	proc_say(&g[2], 'w');
	CHECK_INT(proc_hear(&g[2]), 'b', "another waits");
	CHECK(!proc_readable(g[2].in, 0), "for it");
	for (int i = 0; i < 20; i++) { /* commits ring the bell */
		rows_begin(&r);
		rows_commit(&r);
	}
	CHECK(!proc_readable(g[2].in, 50), "whatever is written meanwhile");
	leaves(&g[1]);
	CHECK_INT(proc_hear(&g[2]), 'n', "until it has left");
	proc_say(&g[1], 'b');
	CHECK_INT(proc_hear(&g[1]), 'e', "one enters again");
	proc_say(&g[2], 'w');
	CHECK_INT(proc_hear(&g[2]), 'b', "another waits");
	proc_kill(&g[1]);
	int64_t at = clock_mono_ms();
	CHECK_INT(proc_hear(&g[2]), 'n', "until it is killed");
	CHECK(clock_mono_ms() - at < 3000, "it is told, and need not look (%lld ms)",
	      (long long)(clock_mono_ms() - at));
	rescued();
}

static void enter_and_leave(void)
{
	struct err e = ERR_INIT;
	struct worker w;

	rows_must(enter(r.db, "1", "{}", &w, &e) == 0 && worker_leave(r.db, &w, &e) == 0, "enter",
		  e.msg);
}

static void pruning(void)
{
	struct err e = ERR_INIT;
	struct worker w;
	int64_t week = clock_wall_ms() - WORKER_KEPT_MS;

	ROWS_DO(r.raw, "DELETE FROM workers");
	rows_must(enter(r.db, "1", "{}", &w, &e) == 0, "enter", e.msg);
	ROWS_DO(r.raw, "INSERT INTO workers (slot, host, pid, user, version, config, started_ms,"
		" ended_ms) WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n"
		" WHERE i < 250) SELECT 1, 'h', i, 'me', '1', '{}', 1, ?1 + iif(i > 245, 60000,"
		" -60000) FROM n", week);
	enter_and_leave();
	CHECK_INT(ROWS_INT(r.raw, "SELECT count(*) FROM workers WHERE pid <= 245"), 245 - 99,
		  "who enters removes some of the rows that ended a week ago");
	enter_and_leave();
	enter_and_leave();
	CHECK_INT(ROWS_INT(r.raw, "SELECT count(*) FROM workers WHERE pid <= 245"), 0,
		  "in the end all of them");
	CHECK_INT(ROWS_INT(r.raw, "SELECT count(*) FROM workers WHERE host = 'h'"), 5,
		  "and none that is younger");
	CHECK(!ended(w.id) && any_dead() == 0, "nor the row of one that lives, however old");
	CHECK_INT(worker_leave(r.db, &w, &e), 0, "it leaves");
	int64_t last = ROWS_INT(r.raw, "SELECT max(id) FROM workers");
	ROWS_DO(r.raw, "UPDATE workers SET ended_ms = 1");
	enter_and_leave();
	CHECK(ROWS_INT(r.raw, "SELECT min(id) FROM workers") > last,
	      "numbers are not used again: they fence what is in flight");
}

/* A batch that says this itself. */
static int64_t batch_with(int64_t retries, int64_t at_most_once)
{
	struct err e = ERR_INIT;
	struct batch b CLEANUP(batch_release) = BATCH_INIT;
	struct batch_new n = fixture_new(fixture_lines(r.db, 1));
	struct send send = SEND_INIT;
	bool existed;

	send.retries = retries;
	send.at_most_once = at_most_once;
	n.send = &send;
	fixture_must(batch_create(r.db, &n, &b, &existed, &e) == 0, "batch_create", &e);
	return b.id;
}

static int64_t worker_with(const char *config)
{
	struct err e = ERR_INIT;
	struct worker w = { 0 };

	rows_must(enter(r.db, "1", config, &w, &e) == 0, "worker_enter", e.msg);
	int64_t id = w.id;
	rows_must(worker_leave(r.db, &w, &e) == 0, "worker_leave", e.msg);
	return id;
}

static void attempts(void)
{
	struct send defaults = SEND_INIT;
	int64_t none = batch_with(SEND_UNSET, SEND_UNSET), two = batch_with(2, SEND_UNSET);
	int64_t once = batch_with(8, 1), often = batch_with(8, 0);
	int64_t plain = worker_with("{}"), other = worker_with("{\"defaults\":{\"retries\":7}}");
	int64_t careful = worker_with("{\"defaults\":{\"at_most_once\":1}}");

	CHECK_INT(worker_attempts(r.db, plain, two, NULL), 3, "one attempt and the batch's retries");
	CHECK(worker_attempts(r.db, plain, none, NULL) == 6 && worker_attempts(r.db, other, none, NULL) == 6,
	      "or the usual ones");
	CHECK_INT(worker_attempts(r.db, plain, once, NULL), 1, "one with --at-most-once");
	CHECK(worker_attempts(r.db, careful, none, NULL) == 1 && worker_attempts(r.db, careful, two, NULL) == 1,
	      "one of a worker with --at-most-once, whoever asks");
	CHECK_INT(worker_attempts(r.db, careful, often, NULL), 9, "but of a batch that says otherwise");
	CHECK_INT(worker_attempts(r.db, plain, 4711, NULL), 1, "and one if nobody knows");
	defaults.retries = 3;
	CHECK(worker_attempts(r.db, plain, none, &defaults) == 4 &&
	      worker_attempts(r.db, plain, two, &defaults) == 3, "the run's for batches without their own");
	defaults.at_most_once = 1;
	CHECK(worker_attempts(r.db, plain, none, &defaults) == 1 &&
	      worker_attempts(r.db, plain, two, &defaults) == 1, "--at-most-once of the run as well");
}

int main(void)
{
	struct proc p[5], g[GUESTS];

	unit_dir();
	for (int i = 0; i < 5; i++)
		p[i] = proc_start(process);
	for (int i = 0; i < GUESTS; i++)
		g[i] = proc_start(guest);
	rows_open(&r, "db");
	entering();
	dying(&p[0], &p[1]);
	used_again(&p[2], &p[3], &p[4]);
	own_process();
	at_once(g);
	living(g);
	waiting(g);
	pruning();
	attempts();
	for (int i = 0; i < GUESTS; i++)
		proc_end(&g[i]);
	str_release(&told);
	rows_close(&r);
	return unit_done();
}
