#include "engine/follow.h"

#include <sys/wait.h>
#include <unistd.h>

#include "domain/worker.h"
#include "fixture.h"

struct seen {
	int lines, rounds;
	int to;  /* a pipe: a byte after each round; -1: none */
};

static int on_line(void *ctx, int64_t row, bool success, struct span line, struct err *e)
{
	struct seen *s = ctx;

	(void)row, (void)success, (void)line, (void)e;
	s->lines++;
	return 0;
}

static int on_caught_up(void *ctx, struct err *e)
{
	struct seen *s = ctx;

	(void)e;
	s->rounds++;
	if (s->to >= 0 && write(s->to, "x", 1) != 1)
		return -1;
	return 0;
}

/* A worker that completes one line for each byte it reads. */
static pid_t start_worker(int64_t batch, int lines, int from)
{
	pid_t child = fork();
	struct worker w = { 0, 0 };
	struct err e = ERR_INIT;
	char c;

	if (child != 0)
		return child;
	struct db *db = fixture_db("state.db");
	fixture_must(worker_enter(db, &(struct worker_new){ "1", "{}", NULL, false }, &w, &e) == 0, "worker_enter", &e);
	for (int i = 1; i <= lines && read(from, &c, 1) == 1; i++)
		fixture_complete(db, request_row(batch, (uint32_t)i), "{}");
	fixture_must(worker_leave(db, &w, &e) == 0, "worker_leave", &e);
	db_close(db);
	_exit(0);
}

static void test_results(struct db *db)
{
	int64_t id = fixture_batch(db, fixture_lines(db, 3));
	struct seen s = { .to = -1 };
	struct result_counts counts;
	struct err e = ERR_INIT;
	int word[2];

	fixture_must(pipe(word) == 0, "pipe", &e);
	pid_t child = start_worker(id, 3, word[0]);
	struct follow f = FOLLOW_INIT;
	f.results.successes = true;
	f.caught_up = on_caught_up;
	s.to = word[1];
	CHECK_INT(follow_results(db, id, &f, on_line, &s, &counts, &e), 1, "the batch ended");
	CHECK(s.lines == 3 && counts.successes == 3 && counts.unfinished == 0,
	      "each result was given once");
	CHECK(s.rounds > 1 && f.after == 3, "as they came, and it knows how far it is");
	waitpid(child, NULL, 0);
	CHECK_INT(follow_results(db, id, &f, on_line, &s, &counts, &e), 1,
		  "an ended batch is not waited for");
	CHECK_INT(s.lines, 3, "and nothing is given twice");
	close(word[0]);
	close(word[1]);
}

static void test_stop(struct db *db)
{
	int64_t id = fixture_batch(db, fixture_lines(db, 3));
	struct seen s = { .to = -1 };
	struct result_counts counts;
	struct err e = ERR_INIT;
	int stop[2], reader[2];

	fixture_must(pipe(stop) == 0 && pipe(reader) == 0, "pipe", &e);
	fixture_complete(db, request_row(id, 2), "{}");
	fixture_must(write(stop[1], "x", 1) == 1, "write", &e);
	struct follow f = FOLLOW_INIT;
	f.results.successes = true;
	f.stop_fd = stop[0];
	CHECK(follow_results(db, id, &f, on_line, &s, &counts, &e) == 0 && s.lines == 1,
	      "told to stop: what is finished is given first");
	f.stop_fd = -1;
	f.reader_fd = reader[1];
	close(reader[0]);
	CHECK(follow_results(db, id, &f, on_line, &s, &counts, &e) < 0 && e.code == ERR_PIPE,
	      "a reader that went away is seen while nothing is written");
	f = (struct follow)FOLLOW_INIT;
	CHECK(follow_results(db, 1 << 20, &f, on_line, &s, &counts, &e) < 0 &&
	      e.code == ERR_NOTFOUND, "a batch that is gone");
	close(stop[0]);
	close(stop[1]);
	close(reader[1]);
}

static void test_wait(struct db *db)
{
	int64_t file = fixture_lines(db, 1);
	int64_t ids[] = { fixture_batch(db, file), fixture_batch(db, file) };
	struct err e = ERR_INIT;
	int word[2];

	CHECK_INT(follow_wait(db, ids, 2, false, -1, &e), FOLLOW_NOBODY,
		  "no worker lives: it does not wait");
	fixture_must(ending_cancel(db, ids[0], false, &e) == 1, "cancel", &e);
	CHECK_INT(follow_wait(db, ids, 2, true, -1, &e), FOLLOW_ENDED, "any has ended");
	CHECK_INT(follow_wait(db, ids, 1, false, -1, &e), FOLLOW_ENDED,
		  "one that has ended needs no worker");
	fixture_must(pipe(word) == 0, "pipe", &e);
	int slot = side_enter(db_side(db), SIDE_WORKER, &e);
	CHECK_INT(follow_wait(db, ids, 2, false, 20, &e), FOLLOW_TIMEOUT, "the time is over");
	pid_t child = start_worker(ids[1], 1, word[0]);
	fixture_must(write(word[1], "x", 1) == 1, "write", &e);
	CHECK_INT(follow_wait(db, ids, 2, false, 60000, &e), FOLLOW_ENDED, "both have ended");
	waitpid(child, NULL, 0);
	side_leave(db_side(db), slot);
	close(word[0]);
	close(word[1]);
}

static void test_exit(struct db *db)
{
	int64_t file = fixture_lines(db, 2);
	int64_t ids[] = { fixture_batch(db, file), fixture_batch(db, file), fixture_batch(db, file) };
	struct err e = ERR_INIT;

	for (uint32_t line = 1; line <= 2; line++)
		fixture_complete(db, request_row(ids[0], line), "{}");
	CHECK_INT(follow_exit(db, ids, 1, false, -1, &e), 0, "all completed");
	fixture_complete(db, request_row(ids[1], 1), "{}");
	CHECK_INT(follow_exit(db, ids, 2, false, -1, &e), 4, "one has not ended, nobody works");
	CHECK_INT(follow_exit(db, ids, 2, true, -1, &e), 0, "any: of those that have ended");
	fixture_fail(db, request_row(ids[1], 2), 400, NULL, "{}");
	CHECK_INT(follow_exit(db, ids, 2, false, -1, &e), 3, "some failed");
	fixture_must(ending_cancel(db, ids[2], false, &e) == 2, "cancel", &e);
	CHECK_INT(follow_exit(db, ids, 3, false, -1, &e), 1, "the worst: nothing succeeded");
}

int main(void)
{
	struct db *db = fixture_db("state.db");

	test_results(db);
	test_stop(db);
	test_wait(db);
	test_exit(db);
	db_close(db);
	return unit_done();
}
