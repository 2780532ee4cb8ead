#include "engine/run.h"

#include <arpa/inet.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
#include "base/log.h"
#include "fixture.h"
#include "rows.h"
#include "serve.h"

static struct db *db;
static sqlite3 *raw; /* looks at what the run does */
static int64_t batch;
static struct serve server;
static struct run_summary sum;
static struct err e;

static atomic_int hours_ahead;

/* In the place of the C library's: somebody sets the wall clock, or the machine
 * has slept, which the monotonic clock does not count. */
int clock_gettime(clockid_t id, struct timespec *t)
{
	int rc = (int)syscall(SYS_clock_gettime, id, t);

	if (id == CLOCK_REALTIME)
		t->tv_sec += hours_ahead * 3600;
	return rc;
}

#define SQL(...) ROWS_INT(raw, __VA_ARGS__)

static struct send quick(void)
{
	struct send s = SEND_INIT;
	s.retries = 5;
	s.retry_delay_ms = 1;
	s.retry_max_delay_ms = 10;
	return s;
}

/* A new state file with a batch of the lines for the server. */
static void make(const char *name, int64_t (*lines)(struct db *, int), int n,
		 const struct send *send, const char *key)
{
	struct batch b CLEANUP(batch_release) = BATCH_INIT;
	bool existed;
	db = fixture_db(name);
	raw = rows_raw(db_path(db));
	struct batch_new new = fixture_new(lines(db, n));
	new.base_url = server.url;
	new.send = send;
	new.key_ref = key;
	fixture_must(batch_create(db, &new, &b, &existed, &e) == 0, "batch_create", &e);
	batch = b.id;
}

static void leave(void)
{
	sqlite3_close(raw);
	db_close(db);
	serve_stop(&server);
	run_release(&sum);
}

static struct run_options options(int jobs)
{
	return (struct run_options){
		.batches = &batch, .n_batches = 1, .version = "0", .grace_ms = 20000,
		.stop_fd = -1,
		.http = { .jobs = jobs, .user_agent = "unit/1", .proxy = "" },
	};
}

static void run(const struct run_options *o, const char *reason)
{
	run_release(&sum);
	CHECK_INT(run_loop(db, o, &sum, &e), 0, "it runs: %s", e.msg);
	CHECK_STR(sum.reason, reason, "and ends: %s", reason);
	CHECK_INT(rows_wrong(raw), 0, "all counters agree");
	CHECK_INT(SQL("SELECT count(*) FROM flights") + SQL("SELECT count(*) FROM requests"
		      " WHERE state = 1"), 0, "nothing is left in flight");
	CHECK_INT(SQL("SELECT count(*) FROM workers WHERE ended_ms IS NULL"), 0, "the worker has left");
}

static void all_complete(void)
{
	static const char *const args[] = { "--mode", "openai", NULL };
	struct send send = quick();
	server = serve_start(args);
	make("complete", fixture_lines, 1000, &send, "none");
	struct run_options o = options(64);
	run(&o, "drained");
	CHECK(sum.ledger.drained && sum.ledger.completed == 1000 && sum.ledger.failures == 0,
	      "1,000 requests complete");
	CHECK(sum.attempts == 1000 && sum.sends == 1000 && sum.n_retries == 0, "in an attempt each");
	CHECK(sum.n_batches == 1 && sum.batches[0] == batch, "of that batch");
	CHECK_INT(SQL("SELECT count(*) FROM attempts"), serve_count(&server, "requests"),
		  "recorded attempts are what the server saw");
	CHECK_INT(serve_count(&server, "requests"), 1000, "each line once");
	CHECK(serve_count(&server, "max_in_flight") <= 64, "never more than --jobs at a time");
	CHECK_INT(SQL("SELECT count(*) FROM answers WHERE status = 200 AND kind = 0 AND"
		      " instr(body, '\"object\":\"chat.completion\"') > 0"), 1000,
		  "the results are on disk");
	CHECK_INT(SQL("SELECT count(DISTINCT request_id) FROM answers"), 1000, "with their ids");
	CHECK(SQL("SELECT output_tokens FROM batches") == 7000 && sum.ledger.output_tokens == 7000,
	      "and their usage");
	CHECK_INT(SQL("SELECT status FROM batches"), BATCH_COMPLETED, "and the batch is completed");
	CHECK_INT(SQL("SELECT count(*) FROM workers WHERE json_extract(config, '$.jobs') = 64 AND"
		      " json_extract(config, '$.batches[0]') = (SELECT id FROM batches) AND"
		      " json_type(config, '$.user') = 'null'"), 1, "the worker has told what it takes");
	run(&o, "drained");
	CHECK(sum.attempts == 0 && sum.n_batches == 0, "again: nothing to do");
	o.batches = NULL;
	o.user = "somebody";
	run(&o, "drained");
	CHECK_INT(SQL("SELECT count(*) FROM workers WHERE json_type(config, '$.batches') = 'null' AND"
		      " json_extract(config, '$.user') = 'somebody'"), 1, "also if that is a user's");
	leave();
}

/* Bodies with bytes that are easily damaged on the way. */
static int64_t odd_lines(struct db *to, int n)
{
	struct str text CLEANUP(str_release) = STR_INIT;
	for (int i = 1; i <= n; i++)
		str_addf(&text, "{\"custom_id\":\"r%d\",\"url\":\"/x\",\"body\":{\"z\" : 1e2, \"a\":"
			 "12345678901234567890123,\"u\":\"\\u00e9\\u0000 \xc3\xa9 %d\"}}\n", i, i);
	return fixture_file(to, str_z(&text));
}

static void byte_for_byte(void)
{
	static const char *const args[] = { "--mode", "echo", NULL };
	struct send send = quick();
	server = serve_start(args);
	make("echo", odd_lines, 100, &send, "none");
	struct run_options o = options(8);
	run(&o, "drained");
	CHECK_INT(SQL("SELECT count(*) FROM answers a JOIN batches b ON b.id = a.id >> 32"
		      " JOIN lines l ON l.id = (b.file << 32) | a.line WHERE"
		      " instr(l.raw, CAST('\"body\":' AS BLOB) || a.body || CAST('}' AS BLOB)) > 0"
		      " AND length(a.body) > 60"), 100,
		  "what is stored is what was sent is what stands in the line");
	leave();
}

static void failing(void)
{
	static const char *const args[] = {
		"--rule", "key-seen<1 => status=500", "--rule", "key-seen<2 => status=429 ; header=\"Retry-After: 0\"",
		"--rule", "key-seen<3 => drop", "--rule", "every=10 => status=404", NULL,
	};
	struct send send = quick();
	server = serve_start(args);
	make("failing", fixture_lines, 200, &send, "none");
	struct run_options o = options(16);
	run(&o, "drained");
	int64_t failed = sum.ledger.failures;
	CHECK(sum.ledger.completed + failed == 200 && failed > 0, "all end, %d have failed",
	      (int)failed);
	CHECK_INT(sum.attempts, 800, "500, 429 and a dropped connection are tried again");
	CHECK_INT(SQL("SELECT count(*) FROM attempts"), serve_count(&server, "requests"),
		  "recorded attempts are what the server saw");
	CHECK_INT(SQL("SELECT count(*) FROM attempts WHERE status = 404 AND next_ms IS NULL"), failed,
		  "404 is final");
	CHECK_INT(SQL("SELECT sum(throttled) FROM requests"), 200, "429 is throttling");
	CHECK_INT(SQL("SELECT sum(counted) FROM requests"), 600, "the others count");
	struct str named CLEANUP(str_release) = STR_INIT;
	for (int i = 0; i < sum.n_retries; i++)
		str_addf(&named, " %s %lld", sum.retries[i].name, (long long)sum.retries[i].n);
	CHECK(strstr(str_z(&named), " 500 200") && strstr(str_z(&named), " 429 200") &&
	      strstr(str_z(&named), " recv_error 200") && sum.n_retries == 3,
	      "the summary names what was tried again:%s", str_z(&named));
	leave();
}

static void dying_connections(void)
{
	static const char *const args[] = { "--rule", "reused => drop-before-read", NULL };
	struct send send = quick();
	send.retries = 1000;
	send.retry_delay_ms = 0;
	server = serve_start(args);
	make("dying", fixture_lines, 1000, &send, "none");
	struct run_options o = options(32);
	run(&o, "drained");
	int64_t seen = serve_count(&server, "requests"), dropped = serve_count(&server, "dropped_before_read");
	CHECK(sum.ledger.completed == 1000 && dropped > 100,
	      "a server that drops reused connections: all complete in the end");
	CHECK_INT(seen, 1000, "none is read twice");
	CHECK_INT(SQL("SELECT count(*) FROM attempts"), seen + dropped,
		  "recorded attempts are its sends, %lld of them dropped", (long long)dropped);
	CHECK_INT(SQL("SELECT count(*) FROM attempts WHERE code = 'recv_error'"), dropped,
		  "as recv_error");
	leave();
}

static int stop_at, raised; /* completed requests, signals */

static void stop_run(void *ctx, const struct run_progress *p)
{
	(void)ctx;
	if (raised == 0 && p->ledger->completed >= stop_at && p->in_flight > 0) {
		raised++;
		raise(SIGTERM);
	}
}

static void draining(void)
{
	static const char *const args[] = { "--latency", "40", NULL };
	struct send send = quick();
	server = serve_start(args);
	make("drain", fixture_lines, 500, &send, "none");
	struct run_options o = options(8);
	o.progress = stop_run;
	stop_at = 20;
	raised = 0;
	run(&o, "signal");
	int64_t done = SQL("SELECT completed FROM batches");
	CHECK(raised == 1 && sum.signal == SIGTERM && done >= 20 && done < 500,
	      "SIGTERM stops it: %d are done", (int)done);
	CHECK(serve_count(&server, "requests") == done && serve_count(&server, "given_up") == 0,
	      "what was in flight has finished, nothing new was started");
	CHECK_INT(SQL("SELECT count(*) FROM attempts"), done, "unsent requests leave no attempt");
	CHECK_INT(SQL("SELECT count(*) FROM requests WHERE state = 0 AND tries = 0 AND due = 0"),
		  500 - done, "and are pending as if nothing had been");
	CHECK_INT(SQL("SELECT status FROM batches"), BATCH_IN_PROGRESS, "the batch goes on");
	o.progress = NULL;
	run(&o, "drained");
	CHECK_INT(SQL("SELECT completed FROM batches"), 500, "the next run finishes it");
	CHECK_INT(serve_count(&server, "requests"), 500, "with no request sent twice");
	leave();
}

static int64_t most; /* requests that had begun when it was stopped */

static void stop_busy_run(void *ctx, const struct run_progress *p)
{
	(void)ctx;
	if (raised == 0 && p->ledger->completed >= stop_at) {
		raised++;
		most = serve_count(&server, "requests") + p->in_flight;
		raise(SIGHUP);
	}
}

/* A fast server: requests are started ahead of the slots. */
static void nothing_new(void)
{
	static const char *const args[] = { NULL };
	struct send send = quick();
	server = serve_start(args);
	make("ahead", fixture_lines, 20000, &send, "none");
	struct run_options o = options(4);
	o.progress = stop_busy_run;
	stop_at = 300;
	raised = 0;
	run(&o, "signal");
	int64_t seen = serve_count(&server, "requests");
	CHECK(seen >= 300 && seen <= most && most < 20000,
	      "what was started ahead is not sent after a stop: %lld of at most %lld",
	      (long long)seen, (long long)most);
	CHECK_INT(SQL("SELECT count(*) FROM attempts"), seen, "and leaves no attempt");
	CHECK_INT(SQL("SELECT count(*) FROM requests WHERE state = 0 AND tries = 0"), 20000 - seen,
		  "but is pending");
	leave();
}

static void stop_twice(void *ctx, const struct run_progress *p)
{
	int *wanted = ctx;
	if (raised < *wanted && p->in_flight == 4 && p->draining == (raised > 0) &&
	    serve_count(&server, "in_flight") == 4) {
		raised++;
		raise(SIGINT);
	}
}

static void aborting(void)
{
	static const char *const args[] = { "--rule", "any => hang", NULL };
	struct send send = quick();
	int wanted = 2;
	server = serve_start(args);
	make("abort", fixture_lines, 50, &send, "none");
	struct run_options o = options(4);
	o.progress = stop_twice;
	o.ctx = &wanted;
	raised = 0;
	run(&o, "signal");
	CHECK(raised == 2 && sum.signal == SIGINT && sum.took_ms < 10000, "the second signal aborts");
	CHECK_INT(SQL("SELECT count(*) FROM attempts WHERE code = 'interrupted'"), 4,
		  "what was in flight is recorded");
	CHECK_INT(SQL("SELECT count(*) FROM requests WHERE state = 0 AND counted = 0"), 50,
		  "and pending again, uncounted");
	o.grace_ms = 200;
	raised = 0;
	wanted = 1;
	run(&o, "signal");
	CHECK(raised == 1 && sum.took_ms >= 200 && sum.took_ms < 10000, "so does the end of --grace");
	CHECK_INT(SQL("SELECT count(*) FROM attempts WHERE code = 'interrupted'"), 8, "in the same way");
	leave();
}

static int64_t cpu_ms(void)
{
	struct rusage u;
	getrusage(RUSAGE_SELF, &u);
	return (u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1000 +
	       (u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1000;
}

static void close_pipe(void *ctx, const struct run_progress *p)
{
	int *fd = ctx;
	if (*fd >= 0 && p->in_flight == 8) {
		close(*fd);
		*fd = -1;
	}
}

static void reader_gone(void)
{
	static const char *const args[] = { "--latency", "500", NULL };
	struct send send = quick();
	int ends[2];
	server = serve_start(args);
	make("reader", fixture_lines, 50, &send, "none");
	if (pipe(ends) < 0)
		abort();
	struct run_options o = options(8);
	o.stop_fd = ends[0];
	o.progress = close_pipe;
	o.ctx = &ends[1];
	int64_t before = cpu_ms();
	run(&o, "reader_gone");
	CHECK(sum.signal == 0 && SQL("SELECT completed FROM batches") == 8,
	      "a descriptor that becomes readable stops it as a signal does");
	CHECK(cpu_ms() - before < 250, "and is not asked again and again: %d ms of CPU",
	      (int)(cpu_ms() - before));
	close(ends[0]);
	leave();
}

static void cancel(void *ctx, const struct run_progress *p)
{
	if (raised == 0 && p->ledger->completed >= 10) {
		raised++;
		fixture_must(ending_cancel(ctx, batch, false, &e) >= 0, "ending_cancel", &e);
	}
}

static void cancelled(void)
{
	static const char *const args[] = { "--latency", "20", NULL };
	struct send send = quick();
	server = serve_start(args);
	make("cancel", fixture_lines, 500, &send, "none");
	struct db *other = db_open(db_path(db), DB_EXISTING, &e);
	struct run_options o = options(4);
	o.progress = cancel;
	o.ctx = other;
	raised = 0;
	run(&o, "drained");
	int64_t done = SQL("SELECT completed FROM batches");
	CHECK(done >= 10 && done < 500 && SQL("SELECT cancelled FROM batches") == 500 - done,
	      "a batch cancelled meanwhile ends: %d are done", (int)done);
	CHECK_INT(SQL("SELECT status FROM batches"), BATCH_CANCELLED, "as cancelled");
	CHECK_INT(serve_count(&server, "requests"), done, "what was in flight has finished");
	db_close(other);
	leave();
}

static void cancel_waiting(void *ctx, const struct run_progress *p)
{
	if (raised == 0 && p->in_flight == 2) {
		raised++;
		fixture_must(ending_cancel(ctx, batch, false, &e) >= 0, "ending_cancel", &e);
	}
}

/* A server that takes connections and says nothing: TLS has no end. */
static void unsent(void)
{
	struct send send = quick();
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t n = sizeof a;
	int mute = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (bind(mute, (struct sockaddr *)&a, n) < 0 || listen(mute, 16) < 0 ||
	    getsockname(mute, (struct sockaddr *)&a, &n) < 0)
		serve_give_up("no mute server");
	snprintf(server.url, sizeof server.url, "https://127.0.0.1:%d", ntohs(a.sin_port));
	make("unsent", fixture_lines, 3, &send, "none");
	struct db *other = db_open(db_path(db), DB_EXISTING, &e);
	struct run_options o = options(2);
	o.progress = cancel_waiting;
	o.ctx = other;
	raised = 0;
	run(&o, "drained");
	CHECK(raised == 1 && sum.took_ms < 5000, "a batch is cancelled while requests wait for a connection: %lld ms",
	      (long long)sum.took_ms);
	CHECK(sum.sends == 0 && SQL("SELECT cancelled FROM batches") == 3, "they are not sent when they have one");
	CHECK_INT(SQL("SELECT sum(counted) FROM requests"), 0, "and no attempt counts");
	close(mute);
	db_close(other);
	sqlite3_close(raw);
	db_close(db);
	run_release(&sum);
}

static int64_t expires_ms, seen_early, seen_late;
static int stage;

/* Somebody holds the state file from the first results on until long after the
 * window has passed. */
static void hold_file(void *ctx, const struct run_progress *p)
{
	int64_t past = clock_wall_ms() - expires_ms;

	(void)ctx;
	if (stage == 0 && p->ledger->completed >= 300) {
		stage++;
		ROWS_DO(raw, "BEGIN IMMEDIATE");
	} else if (stage == 1 && past >= 400) {
		stage++;
		seen_early = serve_count(&server, "requests");
	} else if (stage == 2 && past >= 1200) {
		stage++;
		seen_late = serve_count(&server, "requests");
		ROWS_DO(raw, "COMMIT");
	}
}

static void expired_meanwhile(void)
{
	static const char *const args[] = { "--rule", "nth=400-20000 => sleep=500", NULL };
	struct send send = quick();
	server = serve_start(args);
	make("expired", fixture_lines, 20000, &send, "none");
	struct run_options o = options(4);
	o.progress = hold_file;
	expires_ms = clock_wall_ms() + 1500;
	ROWS_DO(raw, "UPDATE batches SET expires_ms = ?1", expires_ms);
	run(&o, "drained");
	CHECK_INT(stage, 3, "the window passes while nothing can be written");
	CHECK_INT(seen_late, seen_early, "nothing is sent any more, although it was started before");
	CHECK_INT(serve_count(&server, "requests"), seen_late, "nor afterwards");
	CHECK(SQL("SELECT completed FROM batches") == seen_late &&
	      SQL("SELECT expired FROM batches") == 20000 - seen_late, "what was not sent has expired");
	leave();
}

static void set_clock(void *ctx, const struct run_progress *p)
{
	(void)ctx;
	if (p->sum->n_retries > 0 && p->ledger->retrying > 0)
		hours_ahead = 1;
}

static void clock_set(void)
{
	static const char *const args[] = { "--rule", "nth=1 => status=429 ; header=\"Retry-After: 9\"",
					    NULL };
	struct send send = quick();
	server = serve_start(args);
	make("clock", fixture_lines, 5, &send, "none");
	struct run_options o = options(1);
	o.progress = set_clock;
	run(&o, "drained");
	CHECK(hours_ahead == 1 && sum.took_ms < 6000, "the clock is set while the server wants to be left "
	      "alone: what is over for one thread is over for the other: %lld ms", (long long)sum.took_ms);
	CHECK(SQL("SELECT completed FROM batches") == 5 && sum.attempts == 6, "all complete");
	hours_ahead = 0;
	leave();
}

static void missing_key(void)
{
	static const char *const args[] = { NULL };
	struct send send = quick();
	unsetenv("FSL_UNIT_KEY");
	server = serve_start(args);
	make("key", fixture_lines, 10, &send, "env:FSL_UNIT_KEY");
	struct run_options o = options(4);
	run(&o, "key_unresolved");
	CHECK(sum.ledger.key_missing && strstr(sum.ledger.error.msg, "env:FSL_UNIT_KEY"),
	      "the summary says which: %s", sum.ledger.error.msg);
	CHECK(SQL("SELECT pending FROM batches") == 10 && sum.n_batches == 0, "the batch stays pending");
	CHECK_INT(serve_count(&server, "requests"), 0, "nothing is sent");
	setenv("FSL_UNIT_KEY", "sk-canary", 1);
	run(&o, "drained");
	CHECK_INT(SQL("SELECT completed FROM batches"), 10, "with the key it is finished");
	leave();
}

/* Requests for "m" hang; near the end of their window, which begins in a moment,
 * they go to "n", for which there is this rule. */
static void make_races(const char *name, int n, const char *rule)
{
	const char *args[] = { "--mode", "openai", "--rule", "model=m => hang", "--rule", rule, NULL };
	static char rules[] = "m=n@10s";
	struct send send = quick();

	server = serve_start(args);
	send.escalate = rules;
	make(name, fixture_lines, n, &send, "none");
	ROWS_DO(raw, "UPDATE batches SET expires_ms = ?1", clock_wall_ms() + 10300);
}

static void racing(void)
{
	make_races("race", 60, "any => sleep=20");
	struct run_options o = options(4);
	run(&o, "drained");
	CHECK(sum.ledger.completed == 60 && sum.ledger.failures == 0 && sum.ledger.lost == 0,
	      "what hangs at one model is answered by the other");
	CHECK(sum.took_ms >= 250 && sum.took_ms < 8000, "when the end is near: %lld ms",
	      (long long)sum.took_ms);
	CHECK_INT(SQL("SELECT count(*) FROM attempts WHERE code = 'superseded'"), 4,
		  "the slower attempt is superseded");
	CHECK_INT(SQL("SELECT count(*) FROM attempts"), serve_count(&server, "requests"),
		  "recorded attempts are what the server saw");
	CHECK(sum.attempts == 64 && sum.n_retries == 0, "and none of them is a retry");
	int64_t together = serve_count(&server, "max_in_flight");
	CHECK(together > 4 && together <= 8, "races go beside the slots, as many as there are: %lld",
	      (long long)together);
	CHECK_INT(SQL("SELECT count(*) FROM races"), 0, "no race is left");
	leave();
}

/* When both race it is stopped. */
static void stop_race(void *ctx, const struct run_progress *p)
{
	(void)ctx;
	if (raised == 0 && p->in_flight == 4 && serve_count(&server, "in_flight") == 4) {
		raised++;
		raise(SIGTERM);
	}
}

static void cancel_race(void *ctx, const struct run_progress *p)
{
	if (raised == 0 && p->in_flight == 4 && serve_count(&server, "in_flight") == 4) {
		raised++;
		fixture_must(ending_cancel(ctx, batch, true, &e) >= 0, "ending_cancel", &e);
	}
}

static void stopped_races(void)
{
	make_races("stop", 2, "any => hang");
	struct run_options o = options(2);
	o.progress = stop_race;
	o.grace_ms = 100;
	raised = 0;
	run(&o, "signal");
	CHECK(raised == 1 && sum.took_ms < 8000, "a run with races is stopped");
	CHECK_INT(SQL("SELECT count(*) FROM attempts WHERE code = 'interrupted'"), 4,
		  "both attempts of each are cut off and recorded");
	CHECK_INT(SQL("SELECT count(*) FROM requests WHERE state = 0 AND counted = 0 AND tries = 2"), 2,
		  "the requests are pending, and no attempt counts");
	CHECK_INT(SQL("SELECT count(*) FROM races"), 0, "no race is left");
	leave();

	make_races("cancel races", 2, "any => hang");
	struct db *other = db_open(db_path(db), DB_EXISTING, &e);
	o = options(2);
	o.progress = cancel_race;
	o.ctx = other;
	raised = 0;
	run(&o, "drained");
	CHECK(raised == 1 && SQL("SELECT cancelled FROM batches") == 2 && sum.took_ms < 8000,
	      "cancel --now cuts off both attempts");
	CHECK_INT(SQL("SELECT count(*) FROM attempts"), 4, "which are recorded");
	CHECK_INT(SQL("SELECT count(*) FROM races"), 0, "no race is left");
	db_close(other);
	leave();
}

int main(void)
{
	log_set(LOG_ERROR, false);
	all_complete();
	byte_for_byte();
	failing();
	dying_connections();
	draining();
	nothing_new();
	aborting();
	reader_gone();
	cancelled();
	unsent();
	expired_meanwhile();
	clock_set();
	missing_key();
	racing();
	stopped_races();
	return unit_done();
}
