#include "engine/rest.h"

#include "base/clock.h"
#include "domain/worker.h"
#include "plans.h"
#include "proc.h"

static struct plans p;

static int waited(int64_t timeout_ms)
{
	int rc = rest_wait(p.db, "plan", timeout_ms, &p.e);

	rows_must(rc >= 0, "rest_wait", p.e.msg);
	return rc;
}

/* Another process: a worker that reports what it is told to. */
static void reporter(struct proc *parent)
{
	struct plans other;
	struct worker w = { 0, 0 };
	int c;

	plans_open(&other, "db");
	rows_must(worker_enter(other.db, &(struct worker_new){ .version = "1", .config = "{}" }, &w, &other.e) == 0, "worker_enter", other.e.msg);
	proc_say(parent, 'r');
	while ((c = proc_hear(parent)) > 0) {
		if (c == 'l')
			break;
		rows_must(plans_update(&other, "plan", c == 's' ? "a=success b=failed" : "b=running") == 0,
			  "update", other.e.msg);
	}
	plans_close(&other);
}

int main(void)
{
	unit_dir(); /* the same for both */
	struct proc other = proc_start(reporter);

	CHECK(proc_hear(&other) == 'r', "another process, a worker");
	plans_open(&p, "db");
	plans_publish(&p, "plan", "a b", "");
	ROWS_DO(p.raw, "UPDATE data_products SET compute = 'exec'");
	CHECK_INT(waited(0), 4, "something is queued and the time is over");
	proc_say(&other, 's');
	CHECK_INT(waited(PROC_LIMIT_MS), 3, "woken by what others report: some failed");
	proc_say(&other, 'b');
	CHECK(PROC_UNTIL(strcmp(plans_states(&p, "plan"), "a=success b=running") == 0), "it runs again");
	proc_say(&other, 'l');
	proc_end(&other);
	CHECK_INT(waited(10), 4, "what runs elsewhere is waited for without a worker");
	rows_must(plans_do(&p, "clear", "plan", "b") == 0, "clear", p.e.msg);
	int64_t start = clock_mono_ms();
	CHECK_INT(waited(-1), 4, "what is queued for a worker is not, if there is none");
	CHECK(clock_mono_ms() - start < PROC_LIMIT_MS, "not even for ever");
	rows_must(plans_update(&p, "plan", "b=success") == 0, "update", p.e.msg);
	CHECK_INT(waited(-1), 0, "all is done");
	plans_publish(&p, "plan", "c!", "");
	CHECK_INT(waited(-1), 4, "what waits for a person remains");
	CHECK(rest_wait(p.db, "nosuch", -1, &p.e) < 0 && p.e.code == ERR_NOTFOUND, "no such dataset");
	plans_close(&p);
	return unit_done();
}
