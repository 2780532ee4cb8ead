/* A child streams a batch to its standard output, a pipe, and is told what to
 * do; the test is the worker and the reader. */
#include "engine/stream.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/resource.h>

#include "fixture.h"
#include "proc.h"
#include "rows.h"

static struct db *db;
static char path[512]; /* of the state file: the child opens it anew */
static int64_t batch;
static int ends[2];    /* of the pipe; the first is ours, the other the child's */
static struct err e;

/* What a failure looks like from here. */
static char letter(void)
{
	switch (e.code) {
	case ERR_IO:
		return strstr(e.msg, "No space left") ? 'f' : '?';
	case ERR_NOTFOUND:
		return 'n';
	default:
		return '?';
	}
}

/* The child answers 's' start, 'q' has the reader gone?, 'g' the same when it
 * has, 'e' stop. */
static void streamer(struct proc *parent)
{
	struct stream *s = NULL;
	int c, rc;

	close(ends[0]);
	dup2(ends[1], STDOUT_FILENO);
	close(ends[1]);
	while ((c = proc_hear(parent)) >= 0)
		if (c == 's') {
			s = stream_start(path, batch, &e);
			proc_say(parent, s ? 's' : letter());
		} else if (c == 'e') {
			rc = stream_stop(s, &e);
			proc_say(parent, rc < 0 ? letter() : rc > 0 ? '1' : '0');
		} else {
			int limit = c == 'g' ? PROC_LIMIT_MS : 0;
			proc_say(parent, proc_readable(stream_gone_fd(s), limit) ? 'y' : 'n');
		}
	exit(0); /* not _exit(2): the leak checker looks */
}

static int ask(struct proc *p, char c)
{
	proc_say(p, c);
	return proc_hear(p);
}

/* A new state file with a batch of so many lines, and a child whose standard
 * output is `to`, or a pipe. */
static struct proc begin(const char *name, int lines, const char *to)
{
	db = fixture_db(name);
	snprintf(path, sizeof path, "%s", db_path(db));
	batch = fixture_batch(db, fixture_lines(db, lines));
	db_close(db);
	fixture_must(pipe(ends) == 0, "pipe", &e);
	if (to) {
		int fd = open(to, O_WRONLY);
		fixture_must(fd >= 0 && dup2(fd, ends[1]) >= 0 && close(fd) == 0, to, &e);
	}
	struct proc p = proc_start(streamer);
	close(ends[1]);
	db = fixture_db(name);
	return p;
}

/* The child must end well, which is also said by a sanitizer. */
static void end(struct proc *p)
{
	CHECK_INT(proc_end(p), 0, "that was all");
	db_close(db);
}

static void complete(unsigned from, unsigned to, const char *body)
{
	for (unsigned i = from; i <= to; i++)
		fixture_complete(db, request_row(batch, i), body);
}

/* 16 KiB: a few fill a pipe. */
static const char *large(void)
{
	static char body[16384];

	memset(body, 'x', sizeof body - 1);
	body[0] = body[sizeof body - 2] = '"';
	return body;
}

static bool is_full(void)
{
	int n = 0;

	return ioctl(ends[0], FIONREAD, &n) == 0 && n > fcntl(ends[0], F_GETPIPE_SZ) - 4096;
}

/* The custom id of the next line, within the limit. */
static const char *next_id(void)
{
	static struct str got = STR_INIT; /* read and not given yet */
	static char id[32];
	char buf[4096];
	const char *lf;

	while (!(lf = strchr(str_z(&got), '\n'))) {
		ssize_t n = proc_readable(ends[0], PROC_LIMIT_MS)
			    ? read(ends[0], buf, sizeof buf) : -1;
		if (n < 0)
			return "(silence)";
		if (n == 0)
			return got.n > 0 ? "(half a line)" : "(end)";
		str_add(&got, buf, (size_t)n);
	}
	struct span line = { got.p, (size_t)(lf - got.p) };
	bool whole = span_starts(line, "{\"id\":\"batch_req_") &&
		     memcmp(lf - 14, ",\"error\":null}", 14) == 0 &&
		     sscanf(got.p, "{\"id\":\"%*[^\"]\",\"custom_id\":\"%31[^\"]\"", id) == 1;
	struct str rest = STR_INIT;
	str_addz(&rest, lf + 1);
	str_release(&got);
	got = rest;
	return whole ? id : "(something else)";
}

/* How many of the next lines have the ids from r1 on. */
static int in_order(int n)
{
	char want[16];

	for (int i = 1; i <= n; i++) {
		snprintf(want, sizeof want, "r%d", i);
		if (strcmp(next_id(), want) != 0)
			return i - 1;
	}
	return n;
}

static void as_they_come(void)
{
	struct proc p = begin("come.db", 5, NULL);
	struct batch b CLEANUP(batch_release) = BATCH_INIT;

	complete(4, 4, "{}");
	CHECK(ask(&p, 's') == 's', "it starts");
	CHECK_STR(next_id(), "r4", "what was there before comes first");
	complete(2, 2, "{}");
	CHECK_STR(next_id(), "r2", "a line comes when it is committed");
	complete(1, 1, "{}");
	CHECK_STR(next_id(), "r1", "and the next, in the order of completion");
	fixture_get(db, batch, &b);
	CHECK(b.status == BATCH_IN_PROGRESS && ask(&p, 'q') == 'n', "while the batch goes on");
	fixture_fail(db, request_row(batch, 3), 400, NULL, "{}");
	complete(5, 5, "{}");
	CHECK_STR(next_id(), "r5", "failures are left out");
	CHECK_INT(ask(&p, 'e'), '1', "all was written");
	end(&p);
	CHECK_STR(next_id(), "(end)", "and nothing twice");
	close(ends[0]);
}

static void stopped(void)
{
	struct proc p = begin("stop.db", 20, NULL);
	sqlite3 *raw = rows_raw(path);

	complete(1, 10, large());
	CHECK(ask(&p, 's') == 's' && PROC_UNTIL(is_full()), "the reader does not read");
	complete(11, 11, "{}");
	CHECK_INT(ROWS_INT(raw, "PRAGMA wal_checkpoint(TRUNCATE)"), 0,
		  "which holds up neither a commit nor a checkpoint");
	proc_say(&p, 'e');
	CHECK_INT(in_order(11), 11, "told to stop it writes what is finished, in its order");
	CHECK_INT(proc_hear(&p), '1', "all of it");
	sqlite3_close(raw);
	end(&p);
	CHECK_STR(next_id(), "(end)", "and no more");
	close(ends[0]);
}

static void reader_gone(void)
{
	struct proc p = begin("waits.db", 3, NULL);

	complete(1, 1, "{}");
	CHECK(ask(&p, 's') == 's' && strcmp(next_id(), "r1") == 0 && ask(&p, 'q') == 'n',
	      "a reader has the first line and is there");
	close(ends[0]);
	CHECK(ask(&p, 'g') == 'y', "it goes away while nothing is written: this is told");
	CHECK_INT(ask(&p, 'e'), '0', "and is no error");
	end(&p);
	p = begin("writes.db", 20, NULL);
	complete(1, 10, large());
	CHECK(ask(&p, 's') == 's' && PROC_UNTIL(is_full()), "a reader does not read");
	close(ends[0]);
	CHECK(ask(&p, 'g') == 'y' && ask(&p, 'e') == '0', "it goes away during a write: the same");
	end(&p);
}

static void failures(void)
{
	struct proc p = begin("full.db", 3, "/dev/full");

	complete(1, 1, "{}");
	CHECK(ask(&p, 's') == 's' && ask(&p, 'g') == 'y', "a full disk: this is told");
	CHECK_INT(ask(&p, 'e'), 'f', "as the error that it is");
	end(&p);
	close(ends[0]);
	p = begin("late.db", 3, "/dev/full");
	complete(1, 1, "{}");
	CHECK(ask(&p, 's') == 's' && ask(&p, 'e') == 'f', "also if nobody asks before the end");
	end(&p);
	close(ends[0]);
	p = begin("none.db", 1, "/dev/null");
	fixture_must(ending_cancel(db, batch, false, &e) == 1 && batch_delete(db, batch, &e) == 0, "delete",
		     &e);
	CHECK(ask(&p, 's') == 's' && ask(&p, 'g') == 'y' && ask(&p, 'e') == 'n',
	      "a batch that is deleted");
	fixture_must(unlink(path) == 0, "unlink", &e);
	CHECK_INT(ask(&p, 's'), 'n', "a state file that is missing: it does not start");
	end(&p);
	close(ends[0]);
}

static void closed_output(void)
{
	close(STDOUT_FILENO);
	struct stream *s = stream_start(path, batch, &e);
	if (s || e.code != ERR_CANTCREAT)
		_exit(1);
}

/* Everything that is opened fails once for want of descriptors. */
static void few_descriptors(void)
{
	int refused = 0, failed = 0, done = 0;
	struct rlimit limit;

	getrlimit(RLIMIT_NOFILE, &limit);
	for (limit.rlim_cur = 3; limit.rlim_cur < 40; limit.rlim_cur++) {
		setrlimit(RLIMIT_NOFILE, &limit);
		e = (struct err)ERR_INIT;
		struct stream *s = stream_start(path, batch, &e);
		int rc = s ? stream_stop(s, &e) : -1;
		if (rc < 0 && (e.code == ERR_NONE || e.msg[0] == '\0'))
			_exit(1);
		refused += !s;
		failed += s && rc < 0;
		done += rc == 1;
	}
	if (refused == 0 || failed == 0 || done == 0)
		_exit(1);
}

static void descriptors(void)
{
	char said[1000];

	db = fixture_db("few.db");
	snprintf(path, sizeof path, "%s", db_path(db));
	batch = fixture_batch(db, fixture_lines(db, 1));
	db_close(db);
	CHECK(unit_child(closed_output, said, sizeof said) == 0,
	      "a closed standard output is refused: another file would get the lines");
	CHECK(unit_child(few_descriptors, said, sizeof said) == 0,
	      "without descriptors there is an error%s%s", *said ? ": " : "", said);
}

int main(void)
{
	as_they_come();
	stopped();
	reader_gone();
	failures();
	descriptors();
	return unit_done();
}
