/* planner: the thread that takes what is queued. */
#include "engine/planner.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/user.h"
#include "steps.h"

static struct steps s;
static struct err e;
static int bell;
static const struct compute *compute; /* NULL: none */

static void on_ring(void *ctx)
{
	uint64_t one = 1;

	(void)ctx;
	if (write(bell, &one, sizeof one) < 0)
		_exit(1);
}

static struct planner *begin(bool allow, const int64_t *datasets, int n)
{
	const struct planner_options o = {
		.db_path = db_path(s.p.db), .user = user_name(), .remote_user = user_name(),
		.compute = compute, .datasets = datasets, .n_datasets = n, .allow_exec = allow,
	};
	struct planner *p = planner_new(&o, &e);

	rows_must(p != NULL, "planner_new", e.msg);
	return p;
}

/* As the ledger does: asks until nothing is left, at most 20 s. */
static bool settle(struct planner *p)
{
	int64_t end = clock_mono_ms() + 20000, version = 0;
	struct pollfd fds = { .fd = bell, .events = POLLIN };

	while (clock_mono_ms() < end) {
		uint64_t count;
		rows_must(db_version(s.p.db, &version, &e) == 0, "db_version", e.msg);
		if (!planner_more(p, version))
			return true;
		if (poll(&fds, 1, 100) > 0 && read(bell, &count, sizeof count) < 0)
			return false;
	}
	return false;
}

static void runs(void)
{
	const struct steps_product v[] = {
		{ "a", "exec", "{\"argv\":[\"true\"]}" }, { "b", "exec", "{\"argv\":[\"true\"]}" },
		{ "c", "exec", "{\"argv\":[\"false\"]}" }, { "d", "cams", "null" },
	};
	struct plansum sum;

	steps_publish(&s, "runs", v, 4, "a>b b>c c>d");
	struct planner *p = begin(true, NULL, 0);
	CHECK(planner_more(p, 1), "before it has begun, more may come");
	planner_start(p, s.me.id, on_ring, NULL);
	CHECK(settle(p), "it says when nothing is left");
	CHECK_STR(plans_states(&s.p, "runs"), "a=success b=success c=failed d=waiting",
		  "one after the other, as far as it goes");
	CHECK(!planner_more(p, -7) || settle(p), "asked again it looks again");
	planner_part(p);
	CHECK_INT(planner_close(p, &sum, &e), 0, "closed");
	CHECK(sum.success == 2 && sum.failed == 1 && sum.queued == 0, "it counts what it has reported");
	CHECK_STR(str_z(&sum.names), "runs/c", "and names what has failed");
	CHECK_STR(sum.dataset, "runs", "and where");
	plansum_release(&sum);
}

static void chosen(void)
{
	struct plansum sum;

	steps_one(&s, "red", "exec", "{\"argv\":[\"true\"]}");
	steps_one(&s, "blue", "exec", "{\"argv\":[\"true\"]}");
	int64_t red = plans_row(&s.p, "red", "work") >> 32;
	struct planner *p = begin(true, &red, 1);
	planner_start(p, s.me.id, on_ring, NULL);
	CHECK(settle(p), "one of two datasets");
	CHECK_STR(plans_states(&s.p, "red"), "work=success", "is run");
	CHECK_STR(plans_states(&s.p, "blue"), "work=queued", "the other is not");
	CHECK_INT(planner_close(p, &sum, &e), 0, "closed");
	plansum_release(&sum);
	p = begin(true, &red, 1);
	planner_start(p, s.me.id, on_ring, NULL);
	CHECK(settle(p) && planner_close(p, &sum, &e) == 0 && sum.success == 1,
	      "a dataset that is named counts, also if nothing was to be done");
	plansum_release(&sum);

	p = begin(false, NULL, 0);
	planner_start(p, s.me.id, on_ring, NULL);
	CHECK(settle(p), "without leave for commands");
	CHECK_STR(plans_states(&s.p, "blue"), "work=queued", "it stays");
	CHECK_INT(planner_close(p, &sum, &e), 0, "closed");
	CHECK_INT(sum.queued, 1, "and is left");
	plansum_release(&sum);
	CHECK_INT(ROWS_INT(s.p.raw, "SELECT count(*) FROM data_products WHERE held LIKE '%--allow-exec%'"), 1,
		  "with the reason");
	CHECK_INT(plans_do(&s.p, "disable", "blue", "work"), 0, "disabled");
}

static void others(void)
{
	struct plansum sum;

	steps_one(&s, "theirs", "exec", "{\"argv\":[\"true\"]}");
	CHECK_INT(sqlite3_exec(s.p.raw, "UPDATE datasets SET user = 'somebody' WHERE name = 'theirs'",
			       NULL, NULL, NULL), SQLITE_OK, "a plan of somebody else");
	struct planner *p = begin(true, NULL, 0);
	planner_start(p, s.me.id, on_ring, NULL);
	CHECK(settle(p) && planner_close(p, &sum, &e) == 0, "is left alone");
	plansum_release(&sum);
	CHECK_STR(plans_states(&s.p, "theirs"), "work=queued", "it is theirs to start");
}

static void rescues(void)
{
	struct plansum sum;

	steps_one(&s, "lost", "exec", "{\"argv\":[\"true\"]}");
	int64_t work = plans_row(&s.p, "lost", "work");
	struct id run;
	CHECK_INT(lease_claim(s.p.db, work, 9999, &run, &e), 1, "claimed by a worker that is gone");
	struct planner *p = begin(true, NULL, 0);
	planner_start(p, s.me.id, on_ring, NULL);
	CHECK(settle(p) && planner_close(p, &sum, &e) == 0, "is rescued");
	plansum_release(&sum);
	CHECK_STR(plans_states(&s.p, "lost"), "work=success", "and run");
}

static void stops(void)
{
	struct plansum sum;

	steps_one(&s, "long", "exec", "{\"argv\":[\"sleep\",\"60\"]}");
	struct planner *p = begin(true, NULL, 0);
	planner_start(p, s.me.id, on_ring, NULL);
	for (int i = 0; i < 4000 && strcmp(plans_states(&s.p, "long"), "work=running") != 0; i++)
		poll(NULL, 0, 5);
	CHECK_STR(plans_states(&s.p, "long"), "work=running", "a command runs");
	CHECK(planner_more(p, 42), "more may come");
	planner_quiet(p);
	planner_part(p);
	int64_t began = clock_mono_ms();
	CHECK_INT(planner_close(p, &sum, &e), 0, "closed");
	CHECK(clock_mono_ms() - began < 10000, "without waiting for it");
	CHECK_INT(sum.queued, 1, "it is left");
	CHECK_STR(plans_states(&s.p, "long"), "work=queued", "for the next worker");
	plansum_release(&sum);
	CHECK(planner_close(NULL, &sum, &e) == 0 && sum.queued == 0, "no planner has nothing to say");
}

/* A remote product is handed over when its one request is completed. */
static void hands_over(void)
{
	struct compute c CLEANUP(compute_release) = COMPUTE_INIT;
	struct plansum sum;
	const char *url = "dbxaas=http://h/";

	rows_must(compute_read(&c, &url, 1, NULL, 0, &e) == 0 &&
		  plans_do(&s.p, "disable", "long", "work") == 0, url, e.msg);
	steps_one(&s, "far", "dbxaas", "null");
	compute = &c;
	struct planner *p = begin(false, NULL, 0);
	planner_start(p, s.me.id, on_ring, NULL);
	CHECK(settle(p), "a remote product");
	planner_part(p);
	CHECK_INT(planner_close(p, &sum, &e), 0, "of a run that ends");
	CHECK_INT(sum.queued, 1, "is left");
	plansum_release(&sum);
	CHECK_INT(ROWS_INT(s.p.raw, "SELECT worker = ?1 AND resume = 1 FROM data_products WHERE compute = 'dbxaas'",
			   s.me.id), 1, "claimed, with its batch");
	int64_t batch = ROWS_INT(s.p.raw, "SELECT batch FROM data_products WHERE compute = 'dbxaas'");
	fixture_complete(s.p.db, batch << 32 | 1, "{}");
	ROWS_DO(s.p.raw, "UPDATE data_products SET worker = 9998 WHERE compute = 'dbxaas'");
	compute = NULL;
	p = begin(false, NULL, 0);
	planner_start(p, s.me.id, on_ring, NULL);
	CHECK(settle(p), "the next one takes it up, without an URL as well");
	CHECK_STR(plans_states(&s.p, "far"), "work=running", "and finds it handed over");
	CHECK_INT(planner_close(p, &sum, &e), 0, "closed");
	CHECK(sum.handed == 1 && sum.queued == 0, "as it says");
	plansum_release(&sum);
}

int main(void)
{
	steps_open(&s, "planner.db");
	bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	fixture_must(freopen("/dev/null", "w", stderr) != NULL, "freopen", &e); /* the warnings */
	runs();
	chosen();
	others();
	rescues();
	stops();
	hands_over();
	CHECK_INT(plans_wrong(s.p.raw), 0, "the plans are as they must be");
	close(bell);
	steps_close(&s);
	return unit_done();
}
