#include "domain/worker.h"

#include <string.h>
#include <sys/utsname.h>

#include "base/user.h"
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

static int64_t three(void *ctx, int64_t batch)
{
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
	CHECK(worker_enter(r.db, "1.2", "{\"jobs\":4}", &w, &e) == 0 && w.id > 0, "a worker enters");
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
	CHECK(worker_enter(r.db, "1", "{}", &w, &e) == -1 && e.code == ERR_BUSY,
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

	if (!mine.db || worker_enter(mine.db, "1", "{}", &w, &e) < 0)
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

	rows_must(db && worker_enter(db, "1", "{}", &one, &e) == 0 &&
		  worker_enter(r.db, "1", "{}", &two, &e) == 0, "worker_enter", e.msg);
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

int main(void)
{
	struct proc p[5];

	unit_dir();
	for (int i = 0; i < 5; i++)
		p[i] = proc_start(process);
	rows_open(&r, "db");
	entering();
	dying(&p[0], &p[1]);
	used_again(&p[2], &p[3], &p[4]);
	own_process();
	rows_close(&r);
	return unit_done();
}
