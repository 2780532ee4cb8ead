#include "store/tx.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "proc.h"
#include "rows.h"
#include "store/stmt.h"

enum { Q_MAKE, Q_PUT, Q_COUNT };
static const char *const texts[] = {
	[Q_MAKE] = "CREATE TABLE IF NOT EXISTS things (b BLOB)",
	[Q_PUT] = "INSERT INTO things VALUES (zeroblob(?1))",
	[Q_COUNT] = "/*scan*/ SELECT count(*) FROM things",
};
static const struct stmt_set set = { "things", texts, ARRAY_LEN(texts) };

static int run(struct db *db, int index, int64_t arg, struct err *e)
{
	STMT(q, db, &set, index);
	if (index == Q_PUT)
		stmt_int(&q, 1, arg);
	return stmt_run(&q, e);
}

/* One transaction that adds a thing of so many bytes. */
static int put(struct db *db, int64_t bytes, struct err *e)
{
	TX(tx);
	if (tx_begin(&tx, db, e) < 0 || run(db, Q_MAKE, 0, e) < 0 || run(db, Q_PUT, bytes, e) < 0)
		return -1;
	return tx_commit(&tx, e);
}

static int64_t count(struct db *db)
{
	struct err e = ERR_INIT;

	STMT(q, db, &set, Q_COUNT);
	return stmt_step(&q, &e) > 0 ? stmt_col_int(&q, 0) : -1;
}

static struct db *opened(const char *name)
{
	struct err e = ERR_INIT;
	struct db *db = db_open(rows_path(name), DB_CREATE, &e);

	rows_must(db && put(db, 10, &e) == 0, "db_open", e.msg);
	return db;
}

static int64_t size_of(const char *name)
{
	struct stat st;

	return stat(rows_path(name), &st) < 0 ? -1 : st.st_size;
}

static struct db *shared; /* the connection that children of unit_child() use */

static void nest(void)
{
	struct err e = ERR_INIT;

	TX(one);
	if (tx_begin_read(&one, shared, &e) < 0)
		return;
	TX(two);
	if (tx_begin(&two, shared, &e) < 0)
		printf("# %s\n", e.msg);
}

static void basics(void)
{
	struct err e = ERR_INIT;
	struct db *db = opened("basics"), *other = db_open(rows_path("basics"), DB_EXISTING, &e);
	int bell = side_listen(db_side(other), &e);
	{
		TX(tx);
		CHECK(tx_begin(&tx, db, &e) == 0, "a write transaction");
		CHECK(run(db, Q_PUT, 1, &e) == 1, "that adds a row");
		CHECK(side_lock(db_side(other), 0, &e) == -1 && e.code == ERR_BUSY,
		      "holds the lock of writers");
		CHECK_INT(count(other), 1, "others do not see it");
	}
	CHECK_INT(count(db), 1, "leaving the scope rolls back");
	CHECK_INT(side_heard(bell), 0, "and does not ring");
	CHECK(side_lock(db_side(other), 0, &e) == 0, "the lock is free again");
	side_unlock(db_side(other));
	CHECK(put(db, 1, &e) == 0 && count(other) == 2, "after tx_commit() others see it");
	CHECK(side_heard(bell) & SIDE_RANG, "and it rings");
	CHECK(side_lock(db_side(other), 0, &e) == 0, "and the lock is free");
	side_unlock(db_side(other));
	{
		TX(tx);
		CHECK(tx_begin_read(&tx, db, &e) == 0 && count(db) == 2, "a read transaction");
		CHECK(put(other, 1, &e) == 0, "hinders no writer");
		CHECK_INT(count(db), 2, "and sees one moment");
		CHECK(tx_commit(&tx, &e) == 0 && count(db) == 3, "until its end");
		CHECK(tx_begin_read(&tx, db, &e) == 0, "the variable can be used again");
		tx_end(&tx);
		tx_end(&tx);
	}
	CHECK(put(db, 1, &e) == 0, "tx_end() ends it before the end of the scope, twice too");
	shared = db;
	char said[512];
	CHECK(unit_child(nest, said, sizeof said) == SIGABRT && strstr(said, "open already"),
	      "a second transaction of a connection is a BUG");
	close(bell);
	db_close(other);
	db_close(db);
}

/* A stranger that does not know of the lock: b begins to write, e ends. */
static void stranger(struct proc *parent)
{
	sqlite3 *raw = NULL;
	int command;

	while ((command = proc_hear(parent)) > 0) {
		raw = raw ? raw : rows_raw(rows_path("busy"));
		ROWS_DO(raw, command == 'b' ? "BEGIN IMMEDIATE" : "ROLLBACK");
		proc_say(parent, (char)command);
	}
}

static void locker(struct proc *parent)
{
	struct err e = ERR_INIT;

	proc_hear(parent);
	struct db *db = db_open(rows_path("busy"), DB_EXISTING, &e);
	if (db && side_lock(db_side(db), -1, &e) == 0)
		proc_say(parent, 'l');
	proc_hear(parent);
}

static void busy(void)
{
	struct err e = ERR_INIT;
	struct proc p = proc_start(stranger), l = proc_start(locker);
	struct db *db = opened("busy");

	proc_say(&p, 'b');
	CHECK_INT(proc_hear(&p), 'b', "a foreign program holds BEGIN IMMEDIATE");
	db_patience(db, 150);
	int64_t start = clock_mono_ms();
	CHECK(put(db, 1, &e) == -1 && e.code == ERR_BUSY, "a write is ERR_BUSY");
	int64_t took = clock_mono_ms() - start;
	CHECK(took >= 150 && took < 5000, "after the patience (%lld ms)", (long long)took);
	CHECK(strstr(e.msg, "another program holds the state file"), "and the message says why");
	db_patience(db, 0);
	start = clock_mono_ms();
	CHECK(put(db, 1, &e) == -1 && e.code == ERR_BUSY && clock_mono_ms() - start < 100,
	      "without patience at once");
	CHECK_INT(side_lock(db_side(db), 0, &e), 0, "the lock of writers was given back");
	side_unlock(db_side(db));
	CHECK_INT(count(db), 1, "reading goes on");
	db_patience(db, -1);
	proc_say(&p, 'e');
	CHECK(put(db, 1, &e) == 0, "a patient one waits until it has ended");
	proc_end(&p);

	proc_say(&l, 'l');
	CHECK_INT(proc_hear(&l), 'l', "another of our programs is writing");
	db_patience(db, 50);
	CHECK(put(db, 1, &e) == -1 && e.code == ERR_BUSY, "that is ERR_BUSY as well");
	proc_kill(&l);
	CHECK(put(db, 1, &e) == 0, "and over when it is killed");
	db_close(db);
}

static void half(struct proc *parent)
{
	struct err e = ERR_INIT;

	proc_hear(parent);
	struct db *db = db_open(rows_path("killed"), DB_EXISTING, &e);
	TX(tx);
	if (db && tx_begin(&tx, db, &e) == 0 && run(db, Q_PUT, 1000000, &e) == 1)
		proc_say(parent, 'h');
	proc_hear(parent);
}

static void killed(void)
{
	struct err e = ERR_INIT;
	struct proc p = proc_start(half);
	struct db *db = opened("killed");

	proc_say(&p, 'g');
	CHECK_INT(proc_hear(&p), 'h', "a process is in the middle of a transaction");
	proc_kill(&p);
	db_patience(db, 0);
	CHECK(put(db, 1, &e) == 0, "when it is killed others write at once");
	CHECK_INT(count(db), 2, "and nothing of it is there");
	db_close(db);
}

static void moved(void)
{
	struct err e = ERR_INIT;
	struct db *db = opened("moved");
	char path[4096], away[4200];

	snprintf(path, sizeof path, "%s", db_path(db));
	snprintf(away, sizeof away, "%s.away", path);
	rename(path, away);
	CHECK(put(db, 1, &e) == -1 && e.code == ERR_CONFIG,
	      "a state file that was moved is ERR_CONFIG");
	CHECK(strstr(e.msg, "moved, removed or replaced"), "and the message says so");
	fclose(fopen(path, "w"));
	CHECK(put(db, 1, &e) == -1 && e.code == ERR_CONFIG, "so is one that was replaced");
	rename(away, path);
	CHECK(put(db, 1, &e) == 0, "put back, it is good again");
	unlink(path);
	CHECK(put(db, 1, &e) == -1 && e.code == ERR_CONFIG, "one that was removed is ERR_CONFIG");
	db_close(db);
}

enum { MIB = 1 << 20, LOG_MAX = 21 * MIB };

/* So many MiB, each a transaction.  How many of them took longer than `slow`
 * milliseconds, and the longest. */
static int put_many(struct db *db, int n, int64_t slow, int64_t *longest)
{
	struct err e = ERR_INIT;
	int slow_ones = 0;

	for (int i = 0; i < n; i++) {
		int64_t start = clock_mono_ms();
		rows_must(put(db, MIB, &e) == 0, "put", e.msg);
		int64_t took = clock_mono_ms() - start;
		slow_ones += took >= slow;
		if (longest && took > *longest)
			*longest = took;
	}
	return slow_ones;
}

static void checkpoints(void)
{
	struct db *db = opened("log");
	int64_t longest = 0;

	put_many(db, 14, 0, NULL);
	CHECK(size_of("log") < MIB && size_of("log-wal") > 14 * MIB,
	      "up to 16 MiB are only in the log");
	put_many(db, 26, 0, NULL);
	CHECK(size_of("log") > 16 * MIB, "then it is checkpointed");
	CHECK(size_of("log-wal") < LOG_MAX, "and begins anew: 40 MiB never made it long");

	/* The reader is at an old moment: a checkpoint waits for it in vain. */
	sqlite3 *raw = rows_raw(rows_path("log"));
	ROWS_DO(raw, "BEGIN /* reads only */");
	CHECK_INT(ROWS_INT(raw, "SELECT count(*) FROM things"), 41, "a reader stays where it is");
	int slow = put_many(db, 40, 90, &longest);
	CHECK(size_of("log-wal") > 40 * MIB, "the log grows, for the reader needs it");
	CHECK(slow <= 20, "writers do not wait at every commit: %d of 40", slow);
	CHECK(longest < 1000, "nor long for it: %lld ms", (long long)longest);
	CHECK_INT(ROWS_INT(raw, "SELECT count(*) FROM things"), 41, "the reader sees its moment");
	ROWS_DO(raw, "ROLLBACK");
	int64_t size = size_of("log-wal");
	put_many(db, 16, 0, NULL);
	CHECK(size_of("log-wal") <= size + 6 * MIB, "without it the log begins anew");

	ROWS_DO(raw, "BEGIN /* reads only */");
	ROWS_INT(raw, "SELECT count(*) FROM things");
	put_many(db, 40, 0, NULL);
	ROWS_DO(raw, "ROLLBACK");
	CHECK_INT(ROWS_INT(raw, "PRAGMA wal_checkpoint(TRUNCATE)"), 0, "somebody else checkpoints");
	CHECK_INT(size_of("log-wal"), 0, "the log begins anew");
	put_many(db, 30, 0, NULL);
	CHECK(size_of("log-wal") < LOG_MAX, "from then on 16 MiB are the limit again");
	sqlite3_close(raw);
	db_close(db);
	CHECK_INT(size_of("log-wal"), -1, "the last to close it removes the log");
}

static void long_log(struct proc *parent)
{
	struct err e = ERR_INIT;

	proc_hear(parent);
	struct db *db = db_open(rows_path("under"), DB_EXISTING, &e);
	if (db && put(db, 17 * MIB, &e) == 0)
		proc_say(parent, 'c');
	proc_hear(parent);
}

static void under_lock(void)
{
	struct err e = ERR_INIT;
	struct proc p = proc_start(long_log);
	struct db *db = opened("under");
	int64_t before, now;

	/* Our reader makes the checkpoint of the other last 100 ms. */
	sqlite3 *raw = rows_raw(rows_path("under"));
	ROWS_DO(raw, "BEGIN /* reads only */");
	ROWS_INT(raw, "SELECT count(*) FROM things");
	rows_must(db_version(db, &before, &e) == 0, "db_version", e.msg);
	now = before;
	proc_say(&p, 'g');
	while (now == before && !proc_readable(p.in, 0))
		rows_must(db_version(db, &now, &e) == 0, "db_version", e.msg);
	CHECK(now != before && side_lock(db_side(db), 0, &e) == -1 && e.code == ERR_BUSY,
	      "the commit is there and the lock still held: the checkpoint is under it");
	int64_t start = clock_mono_ms();
	CHECK(side_lock(db_side(db), 10000, &e) == 0, "then it is given back");
	int64_t took = clock_mono_ms() - start;
	CHECK(took < 2000, "after 100 ms of waiting for a reader (%lld)", (long long)took);
	side_unlock(db_side(db));
	CHECK_INT(proc_hear(&p), 'c', "and the other goes on");
	proc_end(&p);
	sqlite3_close(raw);
	db_close(db);
}

/* On a file system of 6 MiB that only this process sees.  Says what happened
 * on stderr. */
static void fill_disk(void)
{
	struct err e = ERR_INIT;
	const char *dir = rows_path("disk");
	char ballast[4200];

	mkdir(dir, 0700);
	if (unshare(CLONE_NEWNS) < 0 ||
	    mount("none", "/", "none", MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("none", dir, "tmpfs", 0, "size=6m") < 0) {
		fprintf(stderr, "skip: %s", strerror(errno));
		return;
	}
	snprintf(ballast, sizeof ballast, "%s/ballast", dir);
	int fd = open(ballast, O_RDWR | O_CREAT, 0600);
	if (fd < 0 || ftruncate(fd, 0) < 0 || posix_fallocate(fd, 0, 2 * MIB) != 0)
		return;
	close(fd);
	struct db *db = db_open(rows_path("disk/db"), DB_CREATE, &e);
	int n = 0;
	while (db && n < 100 && put(db, 300000, &e) == 0)
		n++;
	fprintf(stderr, "%d rows were committed and are %s; code %d: %s; ", n,
		db && count(db) == n ? "there" : "lost", (int)e.code, e.msg);
	unlink(ballast);
	fprintf(stderr, "with room %s", db && put(db, 300000, &e) == 0 ? "it goes on" : e.msg);
	db_close(db);
}

static void limit_files(void)
{
	struct err e = ERR_INIT;
	struct rlimit small = { 2 * MIB, 2 * MIB };
	struct db *db = db_open(rows_path("limited"), DB_CREATE, &e);

	signal(SIGXFSZ, SIG_IGN);
	setrlimit(RLIMIT_FSIZE, &small);
	int n = 0;
	while (db && n < 100 && put(db, 300000, &e) == 0)
		n++;
	fprintf(stderr, "code %d: %s; %s", (int)e.code, e.msg,
		db && count(db) == n ? "all are there" : "lost");
	db_close(db);
}

static void disk_full(void)
{
	char said[1024], code[16];

	snprintf(code, sizeof code, "code %d: ", (int)ERR_IO);
	CHECK_INT(unit_child(limit_files, said, sizeof said), 0, "a file may grow no more");
	CHECK(strstr(said, code) && strstr(said, "all are there"),
	      "a write is ERR_IO and what was committed stays");
	CHECK_INT(unit_child(fill_disk, said, sizeof said), 0, "a disk is full");
	if (strncmp(said, "skip", 4) == 0) {
		CHECK(true, "a full disk is ERR_IO # SKIP cannot mount a small one");
		return;
	}
	CHECK(strstr(said, code) && strstr(said, "the disk is full"),
	      "a write is ERR_IO, \"the disk is full\"");
	CHECK(strstr(said, "are there; "), "what was committed stays");
	CHECK(strstr(said, "with room it goes on"), "and when there is room it goes on");
}

int main(void)
{
	unit_dir();
	basics();
	busy();
	killed();
	moved();
	checkpoints();
	under_lock();
	disk_full();
	return unit_done();
}
