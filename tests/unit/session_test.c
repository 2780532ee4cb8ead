/* session: other workers, the stream, and the report of a run. */
#include "engine/session.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "domain/worker.h"
#include "fixture.h"
#include "proc.h"
#include "serve.h"

static struct serve server;
static struct db *db;
static struct run_summary sum;
static struct report report;
static struct err e;
static int cleared;

static const char *path(void)
{
	static char text[512];

	snprintf(text, sizeof text, "%s/state.db", unit_dir());
	return text;
}

/* Another worker: enters and leaves when it is told. */
static void other(struct proc *parent)
{
	const struct worker_new n = { .version = "1", .config = "{}" };
	struct worker w;
	struct db *mine = NULL;

	while (proc_hear(parent) > 0) {
		if (!mine)
			mine = db_open(path(), DB_EXISTING, &e);
		fixture_must(mine && worker_enter(mine, &n, &w, &e) == 0, "worker_enter", &e);
		proc_say(parent, 'e');
		if (proc_hear(parent) > 0)
			fixture_must(worker_leave(mine, &w, &e) == 0, "worker_leave", &e);
		proc_say(parent, 'l');
	}
	db_close(mine);
}

static void on_clear(void *ctx)
{
	++*(int *)ctx;
}

static int64_t make_batch(int lines)
{
	struct batch b CLEANUP(batch_release) = BATCH_INIT;
	struct batch_new n = fixture_new(fixture_lines(db, lines));
	bool existed;

	n.base_url = server.url;
	fixture_must(batch_create(db, &n, &b, &existed, &e) == 0, "batch_create", &e);
	return b.id;
}

static struct session session(const int64_t *batches, int n)
{
	return (struct session){
		.run = { .batches = batches, .n_batches = n, .version = "0", .grace_ms = 20000,
			 .http = { .jobs = 4, .user_agent = "unit/1", .proxy = "" } },
		.max_cost_micro = -1, .clear = on_clear, .clear_ctx = &cleared,
	};
}

/* session_run(), with standard output in the file "stdout". */
static int runs(const struct session *s)
{
	int was = dup(STDOUT_FILENO);
	int to = open("stdout", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	run_release(&sum);
	sum = (struct run_summary){ 0 };
	report = (struct report){ 0 };
	e = (struct err)ERR_INIT;
	fflush(stdout);
	fixture_must(was >= 0 && to >= 0 && dup2(to, STDOUT_FILENO) >= 0, "stdout", &e);
	int rc = session_run(db, s, &sum, &report, &e);
	dup2(was, STDOUT_FILENO);
	close(was);
	close(to);
	return rc;
}

static int lines_in(const char *name)
{
	FILE *f = fopen(name, "r");
	int c, n = 0;

	while (f && (c = getc(f)) != EOF)
		n += c == '\n';
	if (f)
		fclose(f);
	return n;
}

static void reporting(void)
{
	int64_t named[] = { make_batch(5), make_batch(7) };
	struct session s = session(named, 2);

	CHECK(runs(&s) == 0 && report.batches == 2 && report.completed == 12 &&
	      report.remaining == 0, "the report counts the batches that were named");
	CHECK_INT(cleared, 1, "the progress line is cleared once");
	CHECK_INT(lines_in("stdout"), 0, "nothing goes to standard output");
	CHECK(runs(&s) == 0 && report.batches == 2 && report.completed == 12 && sum.attempts == 0,
	      "also if nothing is left to do");
	make_batch(3);
	s = session(NULL, 0);
	CHECK(runs(&s) == 0 && report.batches == 1 && report.completed == 3,
	      "without names: those of which it has sent something");
	int64_t streamed = make_batch(9);
	s = session(&streamed, 1);
	s.to_stdout = true;
	CHECK(runs(&s) == 0 && report.completed == 9 && lines_in("stdout") == 9,
	      "the results of one go to standard output");
}

/* Told to, it waits until nobody lives and sends batch 1 of a state file of its
 * own connection; then it says how many have completed. */
static void waiter(struct proc *parent)
{
	int64_t batch = proc_hear(parent);
	struct session s = session(&batch, 1);

	s.run.alone = s.wait = true;
	proc_say(parent, 'w');
	if (batch <= 0 || session_alone(path(), true, &e) < 0 ||
	    !(db = db_open(path(), DB_EXISTING, &e)))
		return;
	proc_say(parent, runs(&s) == 0 ? (char)report.completed : 'x');
	db_close(db);
}

static void alone(struct proc *p)
{
	int64_t batch = make_batch(4);
	struct session s = session(&batch, 1);

	CHECK_INT(session_alone("/nonexistent/db", true, &e), 0, "without a state file one is alone");
	CHECK_INT(session_alone(path(), false, &e), 0, "and without workers");
	proc_say(p, 'e');
	CHECK_INT(proc_hear(p), 'e', "another worker enters");
	CHECK(session_alone(path(), false, &e) == -1 && e.code == ERR_HELD, "then one is not");
	s.run.alone = true;
	CHECK(runs(&s) == -1 && e.code == ERR_HELD && sum.attempts == 0, "and nothing is sent");
	s.run.alone = false;
	CHECK(runs(&s) == 0 && report.completed == 4, "but by those who do not mind");
	proc_say(p, 'l');
	CHECK_INT(proc_hear(p), 'l', "it leaves");
	batch = make_batch(4);
	s.run.alone = true;
	CHECK(runs(&s) == 0 && report.completed == 4, "then it is sent");
}

static void waiting(struct proc *p, struct proc *w)
{
	int64_t batch = make_batch(6);

	proc_say(p, 'e');
	CHECK_INT(proc_hear(p), 'e', "another worker enters");
	proc_say(w, (char)batch);
	CHECK_INT(proc_hear(w), 'w', "one waits for it");
	CHECK(!proc_readable(w->in, 50), "and sends nothing");
	proc_say(p, 'l');
	CHECK_INT(proc_hear(p), 'l', "until it leaves");
	CHECK_INT(proc_hear(w), 6, "then it sends");
	CHECK_INT(proc_end(w), 0, "and ends");
}

/* 20 lines of which 10 fail. */
static int64_t half(void)
{
	struct str text CLEANUP(str_release) = STR_INIT;
	struct batch b CLEANUP(batch_release) = BATCH_INIT;
	bool existed;

	for (int i = 1; i <= 20; i++)
		str_addf(&text, "{\"custom_id\":\"r%d\",\"url\":\"/v1/chat/completions\","
			 "\"body\":{\"model\":\"m\",\"%s\":1}}\n", i, i % 2 ? "good" : "bad");
	struct batch_new n = fixture_new(fixture_file(db, str_z(&text)));
	n.base_url = server.url;
	fixture_must(batch_create(db, &n, &b, &existed, &e) == 0, "batch_create", &e);
	return b.id;
}

static void failing(void)
{
	int64_t batch = half();
	struct session s = session(&batch, 1);

	s.run.http.jobs = 1;
	s.run.max_failed = "3";
	CHECK(runs(&s) == 0 && strcmp(sum.reason, "max_failed") == 0 && report.failed >= 4 &&
	      report.remaining > 0, "one failure more than --max-failed stops it (%s, %lld)",
	      sum.reason, (long long)report.failed);
	s.run.max_failed = "50%";
	CHECK(runs(&s) == 0 && strcmp(sum.reason, "drained") == 0 && report.failed == 10 &&
	      report.remaining == 0, "a share is one of the batches that were named");
	batch = half();
	s = session(NULL, 0);
	s.run.max_failed = "0";
	s.run.http.jobs = 1;
	CHECK(runs(&s) == 0 && strcmp(sum.reason, "max_failed") == 0, "or of those that are open");
	s.run.max_failed = NULL;
	CHECK(runs(&s) == 0 && report.failed == 10 && report.remaining == 0, "without it nothing");
}

static void costing(void)
{
	int64_t batch = make_batch(2);
	struct session s = session(&batch, 1);

	s.max_cost_micro = 1000000;
	CHECK(runs(&s) == -1 && e.code == ERR_USAGE && sum.attempts == 0,
	      "a limit of cost without prices is refused");
	s.prices = "nonexistent";
	CHECK(runs(&s) == -1 && sum.attempts == 0, "so is one with a file that is not there");
	FILE *f = fopen("prices.json", "w");
	fputs("{\"other\":{\"input\":1,\"output\":1}}", f);
	fclose(f);
	s.prices = "prices.json";
	CHECK(runs(&s) == -1 && e.code == ERR_CONFIG && sum.attempts == 0,
	      "and one that does not name the model, before anything is sent: %s", e.msg);
	f = fopen("prices.json", "w");
	fputs("{\"m\":{\"input\":1,\"output\":1}}", f);
	fclose(f);
	CHECK(runs(&s) == 0 && report.completed == 2, "with a price it runs");
}

static bool ticked;

static bool on_tick(void *ctx, const struct run_progress *p)
{
	(void)p;
	ticked = ctx == &ticked;
	return false;
}

static void managed(void)
{
	int64_t batch = make_batch(3);
	struct session s = session(&batch, 1);
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	char said[200];
	bool ready = false, alive = false, status = false;
	ssize_t n;

	snprintf(at.sun_path, sizeof at.sun_path, "manager");
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	fixture_must(fd >= 0 && bind(fd, (struct sockaddr *)&at, sizeof at) == 0, "bind", &e);
	snprintf(said, sizeof said, "%s/manager", unit_dir());
	setenv("NOTIFY_SOCKET", said, 1);
	s.run.tick = on_tick;
	s.run.tick_ctx = &ticked;
	CHECK(runs(&s) == 0 && ticked, "it ticks");
	while ((n = recv(fd, said, sizeof said - 1, 0)) > 0) {
		said[n] = '\0';
		ready |= strcmp(said, "READY=1") == 0;
		alive |= strcmp(said, "WATCHDOG=1") == 0;
		status |= strncmp(said, "STATUS=", 7) == 0 && strstr(said, "in flight");
	}
	CHECK(ready && alive && status, "and tells a service manager how it is");
	setenv("NOTIFY_SOCKET", "nonsense", 1);
	CHECK(runs(&s) == -1 && e.code == ERR_CONFIG, "if that makes sense");
	unsetenv("NOTIFY_SOCKET");
	close(fd);
}

int main(void)
{
	static const char *const args[] = { "--mode", "openai", "--rule",
					    "body~\"bad\" => status=400", NULL };

	fixture_must(chdir(unit_dir()) == 0, "chdir", &e);
	struct proc p = proc_start(other), w = proc_start(waiter);
	server = serve_start(args);
	db = fixture_db("state.db");
	reporting();
	failing();
	costing();
	managed();
	alone(&p);
	waiting(&p, &w);
	serve_stop(&server); /* it has our ends of the lines, too */
	proc_end(&p);
	run_release(&sum);
	db_close(db);
	return unit_done();
}
