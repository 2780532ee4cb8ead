#include "domain/lease.h"

#include "base/user.h"
#include "domain/worker.h"
#include "plans.h"

static struct plans p;
static struct err e;

static const char *next(const char *user, const char *compute, int64_t dataset, int64_t after)
{
	static char name[200];
	struct product v CLEANUP(product_release) = PRODUCT_INIT;
	int rc = lease_next(p.db, user, compute, dataset, after, &v, &e);

	rows_must(rc >= 0, "lease_next", e.msg);
	snprintf(name, sizeof name, "%s", rc ? v.name : "-");
	return name;
}

static void nexts(void)
{
	plans_publish(&p, "one", "a b c!", "a>b");
	plans_publish(&p, "two", "x y", "");
	ROWS_DO(p.raw, "UPDATE data_products SET compute = 'batch'");
	ROWS_DO(p.raw, "UPDATE data_products SET compute = 'exec' WHERE name = 'y'");
	int64_t a = plans_row(&p, "one", "a"), two = plans_row(&p, "two", "x") >> 32;
	CHECK_STR(next(NULL, "batch", 0, 0), "a", "what is queued");
	CHECK_STR(next(NULL, "batch", 0, a), "x", "one after the other");
	CHECK_STR(next(NULL, "batch", two, 0), "x", "of one dataset");
	CHECK_STR(next(NULL, "batch", two, two << 32 | 1), "-", "to its end");
	CHECK_STR(next(NULL, "exec", 0, 0), "y", "by what computes it");
	CHECK_STR(next(user_name(), "batch", 0, 0), "a", "of datasets of this user");
	CHECK_STR(next("nobody-else", "batch", 0, 0), "-", "and of no other");
	rows_must(steer_pause(&p.s, "one", true, &e) == 1, "pause", e.msg);
	CHECK_STR(next(NULL, "batch", 0, 0), "a", "what was queued before a pause");
	rows_must(steer_pause(&p.s, "one", false, &e) == 1, "unpause", e.msg);
}

static void a_run(void)
{
	struct rows r = { .db = p.db, .raw = p.raw };
	int64_t a = plans_row(&p, "one", "a"), batch = rows_batch(&r, 1, 1, 0);
	struct id run, other = { { 9 } };

	CHECK_INT(lease_claim(p.db, a, 5, &run, &e), 1, "claimed");
	CHECK_INT(lease_claim(p.db, a, 6, &other, &e), 0, "by one worker");
	CHECK_STR(next(NULL, "batch", 0, 0), "x", "what is claimed is not next");
	CHECK_STR(plans_states(&p, "one"), "a=queued b=waiting c=waiting", "it stays queued");
	CHECK_INT(plans_sends(&p, a, other, batch), 0, "another run sends nothing");
	CHECK_INT(plans_sends(&p, a, run, batch), 1, "its batch");
	CHECK_INT(ROWS_INT(p.raw, "SELECT batch = ?1 AND resume = 1 AND worker = 5 FROM data_products WHERE"
			   " id = ?2", batch, a), 1, "is noted");
	CHECK_INT(lease_report(p.db, a, other, STATE_RUNNING, SPAN_NONE, SPAN_NONE, &e), 0,
		  "another run reports nothing");
	CHECK_INT(lease_report(p.db, a, run, STATE_RUNNING, SPAN_LIT("fsl:batch_1"), SPAN_NONE, &e), 1,
		  "running");
	CHECK_INT(lease_report(p.db, a, run, STATE_SUCCESS, SPAN_NONE, SPAN_LIT("{\"n\":1}"), &e), 1,
		  "success");
	CHECK_STR(plans_states(&p, "one"), "a=success b=queued c=waiting", "and what follows from it");
	CHECK_STR(ROWS_TEXT(p.raw, "SELECT link || ' ' || passback FROM product_texts WHERE id = ?1", a),
		  "fsl:batch_1 {\"n\":1}", "link and passback");
	CHECK_INT(ROWS_INT(p.raw, "SELECT worker IS NULL FROM data_products WHERE id = ?1", a), 1,
		  "it is nobody's any more");
	CHECK_INT(plans_wrong(p.raw), 0, "the file is sound");
}

static void late(void)
{
	int64_t b = plans_row(&p, "one", "b");
	struct id run, again;

	CHECK_INT(lease_claim(p.db, b, 5, &run, &e), 1, "claimed");
	CHECK_INT(lease_report(p.db, b, run, STATE_RUNNING, SPAN_NONE, SPAN_NONE, &e), 1, "running");
	rows_must(plans_do(&p, "clear", "one", "b") == 0, "clear", p.e.msg);
	CHECK_INT(lease_report(p.db, b, run, STATE_SUCCESS, SPAN_NONE, SPAN_NONE, &e), 0,
		  "a report of a cleared run comes too late");
	CHECK_INT(plans_sends(&p, b, run, 1), 0, "it sends nothing");
	CHECK_INT(lease_release(p.db, b, run, &e), 0, "and cannot be given back");
	CHECK_INT(lease_claim(p.db, b, 6, &again, &e), 1, "another one is claimed");
	CHECK_INT(lease_report(p.db, b, run, STATE_RUNNING, SPAN_NONE, SPAN_NONE, &e), 0, "the old stays late");
	rows_must(plans_do(&p, "disable", "one", "b") == 0, "disable", p.e.msg);
	CHECK_INT(lease_report(p.db, b, again, STATE_RUNNING, SPAN_NONE, SPAN_NONE, &e), 0, "disabled");
	CHECK_INT(lease_claim(p.db, b, 6, &again, &e), 0, "what is disabled is not claimed");
	CHECK_INT(lease_claim(p.db, 12345, 6, &again, &e), 0, "nor what is not there");
	CHECK_INT(lease_report(p.db, 12345, again, STATE_RUNNING, SPAN_NONE, SPAN_NONE, &e), 0, "or reported");
	CHECK_INT(plans_wrong(p.raw), 0, "the file is sound");
}

static void released(void)
{
	struct rows r = { .db = p.db, .raw = p.raw };
	int64_t x = plans_row(&p, "two", "x"), y = plans_row(&p, "two", "y"), batch = rows_batch(&r, 1, 1, 0);
	struct worker w = { 0, 0 };
	struct id run, mine = { { 0 } };

	rows_must(worker_enter(p.db, &(struct worker_new){ .version = "1", .config = "{}" }, &w, &e) == 0, "worker_enter", e.msg);
	rows_must(lease_claim(p.db, x, 12345, &run, &e) == 1 && plans_sends(&p, x, run, batch) == 1 &&
		  lease_report(p.db, x, run, STATE_RUNNING, SPAN_NONE, SPAN_NONE, &e) == 1 &&
		  lease_claim(p.db, y, w.id, &mine, &e) == 1, "claims", e.msg);
	CHECK_INT(lease_rescue(p.db, &e), 1, "the claims of a worker that is not there are rescued");
	CHECK_STR(plans_states(&p, "two"), "x=queued y=queued", "they are queued again");
	CHECK_INT(ROWS_INT(p.raw, "SELECT resume = 1 AND batch = ?1 AND worker IS NULL FROM data_products"
			   " WHERE id = ?2", batch, x), 1, "and go on with their batch");
	CHECK_INT(lease_report(p.db, x, run, STATE_SUCCESS, SPAN_NONE, SPAN_NONE, &e), 0,
		  "the run of the dead comes too late");
	CHECK_INT(lease_rescue(p.db, &e), 0, "a living worker keeps its own");
	CHECK_INT(lease_release(p.db, y, mine, &e), 1, "unless it gives it back");
	CHECK_STR(next(NULL, "exec", 0, 0), "y", "for others");
	rows_must(lease_claim(p.db, y, w.id, &mine, &e) == 1 && worker_leave(p.db, &w, &e) == 0, "leave", e.msg);
	CHECK_INT(lease_rescue(p.db, &e), 1, "what a worker leaves behind is rescued too");
	CHECK_INT(plans_wrong(p.raw), 0, "the file is sound");
}

/* A claim of this worker whose platform is being told. */
static struct id told(int64_t product, int64_t worker, int64_t batch)
{
	struct id run;

	rows_must(lease_claim(p.db, product, worker, &run, &e) == 1 &&
		  plans_sends(&p, product, run, batch) == 1, "told", e.msg);
	return run;
}

static void adopted(void)
{
	struct product v CLEANUP(product_release) = PRODUCT_INIT;
	struct rows r = { .db = p.db, .raw = p.raw };
	struct worker w = { 0, 0 };
	int64_t batch = rows_batch(&r, 1, 1, 0);

	rows_must(lease_rescue(p.db, &e) >= 0, "lease_rescue", e.msg);
	plans_publish(&p, "far", "f g h", "");
	int64_t f = plans_row(&p, "far", "f"), g = plans_row(&p, "far", "g"), h = plans_row(&p, "far", "h");
	rows_must(worker_enter(p.db, &(struct worker_new){ .version = "1", .config = "{}" }, &w, &e) == 0,
		  "worker_enter", e.msg);
	struct id run = told(f, 12345, batch), other;
	told(g, w.id, batch);
	rows_must(lease_claim(p.db, h, 12345, &other, &e) == 1, "claim", e.msg);
	CHECK_INT(lease_rescue(p.db, &e), 1, "a run that was not told yet is given up");
	CHECK_STR(plans_states(&p, "far"), "f=queued g=queued h=queued", "one that was stays what it is");
	CHECK_INT(lease_adopt(p.db, "nobody", 0, w.id, &v, &e), 0, "another user does not take it");
	CHECK_INT(lease_adopt(p.db, NULL, (f >> 32) + 1, w.id, &v, &e), 0, "nor a run of another dataset");
	CHECK_INT(lease_adopt(p.db, NULL, f >> 32, w.id, &v, &e), 1, "the next worker takes it");
	CHECK(v.id == f && v.worker == w.id && v.batch == batch && id_eq(v.run_id, run),
	      "with its run and its batch");
	CHECK_INT(lease_adopt(p.db, NULL, 0, w.id, &v, &e), 0, "and leaves those of the living");
	CHECK_INT(lease_report(p.db, f, run, STATE_RUNNING, SPAN_NONE, SPAN_NONE, &e), 1, "it reports that run");
	CHECK_INT(ROWS_INT(p.raw, "SELECT state = 2 AND worker IS NULL FROM data_products WHERE id = ?1", f), 1,
		  "which is nobody's then");
	rows_must(worker_leave(p.db, &w, &e) == 0, "leave", e.msg);
	CHECK_INT(lease_rescue(p.db, &e), 0, "what a worker leaves behind");
	CHECK_INT(lease_adopt(p.db, NULL, 0, 77, &v, &e), 1, "is there for the next, too");
	CHECK_INT(v.id, g, "once");
	CHECK_INT(plans_wrong(p.raw), 0, "the file is sound");
}

static void held(void)
{
	int64_t y = plans_row(&p, "two", "y");
	struct str many CLEANUP(str_release) = STR_INIT;
	struct id run;

	CHECK_INT(lease_hold(p.db, y, "pages.jsonl: no such file", &e), 0, "a reason");
	CHECK_STR(ROWS_TEXT(p.raw, "SELECT held FROM data_products WHERE id = ?1", y),
		  "pages.jsonl: no such file", "is kept");
	for (int i = 0; i < 1000; i++)
		str_addc(&many, 'x');
	CHECK_INT(lease_hold(p.db, y, str_z(&many), &e), 0, "a long one");
	CHECK_INT(ROWS_INT(p.raw, "SELECT length(held) FROM data_products WHERE id = ?1", y), 400, "in part");
	CHECK_INT(lease_hold(p.db, y, NULL, &e), 0, "none any more");
	CHECK_INT(ROWS_INT(p.raw, "SELECT held IS NULL FROM data_products WHERE id = ?1", y), 1, "is forgotten");
	CHECK_INT(lease_hold(p.db, y, "again", &e), 0, "another one");
	rows_must(lease_claim(p.db, y, 7, &run, &e) == 1, "claim", e.msg);
	CHECK_INT(ROWS_INT(p.raw, "SELECT held IS NULL FROM data_products WHERE id = ?1", y), 1,
		  "a claim ends it");
	CHECK_INT(lease_hold(p.db, y, "late", &e), 0, "what is claimed is not held");
	CHECK_INT(ROWS_INT(p.raw, "SELECT held IS NULL FROM data_products WHERE id = ?1", y), 1, "at all");
}

int main(void)
{
	plans_open(&p, "db");
	nexts();
	a_run();
	late();
	released();
	held();
	adopted();
	plans_close(&p);
	return unit_done();
}
