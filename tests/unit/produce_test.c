/* produce: a run that is asked how it stands, and what it leaves. */
#include "domain/produce.h"

#include "steps.h"

static struct steps s;
static struct err e;

static void runs(void)
{
	int64_t work;
	struct produce_look look;
	struct str body CLEANUP(str_release) = STR_INIT;

	steps_one(&s, "runs", "exec", "{\"argv\":[\"true\"]}");
	work = plans_row(&s.p, "runs", "work");
	CHECK_INT(produce_look(s.p.db, work, id_random(), &look, &e), 0, "nobody runs it");
	struct id run = steps_claim(&s, work);
	CHECK_INT(produce_look(s.p.db, work, run, &look, &e), 1, "it was claimed");
	CHECK_INT(look.batch, 0, "without a batch");
	CHECK_INT(produce_look(s.p.db, work, id_random(), &look, &e), 0, "not by this run");
	CHECK_INT(produce_store(s.p.db, work, id_random(), SPAN_LIT("x"), &e), 0, "nor is its output kept");
	CHECK_INT(produce_store(s.p.db, work, run, SPAN_LIT("a\0b"), &e), 1, "that of the run is");
	CHECK_INT(produce_read(s.p.db, work, &body, &e), 1, "and can be read");
	CHECK(body.n == 3 && memcmp(body.p, "a\0b", 3) == 0, "byte for byte");
	struct str all CLEANUP(str_release) = STR_INIT;
	CHECK_INT(produce_output(s.p.db, "runs", "work", &all, &e), 0, "people may have it");
	CHECK(span_eq(str_span(&all), str_span(&body)), "the same");
	CHECK_INT(produce_store(s.p.db, work, run, SPAN_NONE, &e), 1, "an empty one is one");
	CHECK_INT(lease_release(s.p.db, work, run, &e), 1, "given back");
	CHECK_INT(produce_look(s.p.db, work, run, &look, &e), 0, "the run is over");
	run = steps_claim(&s, work);
	CHECK_INT(produce_read(s.p.db, work, &body, &e), 0, "the output of an earlier run is none");
	CHECK(produce_output(s.p.db, "runs", "work", &all, &e) < 0 && e.code == ERR_NOTFOUND, "which is said");
	CHECK_INT(plans_do(&s.p, "clear", "runs", "work"), 0, "cleared");
	CHECK_INT(produce_look(s.p.db, work, run, &look, &e), 0, "the run is over");
	CHECK_INT(produce_store(s.p.db, work, run, SPAN_LIT("late"), &e), 0, "its output comes too late");
}

static int sends(int64_t product, struct id run, int64_t batch)
{
	TX(tx);
	rows_must(tx_begin(&tx, s.p.db, &e) == 0, "tx_begin", e.msg);
	int rc = produce_sends(s.p.db, product, run, batch, &e);
	rows_must(tx_commit(&tx, &e) == 0, "tx_commit", e.msg);
	return rc;
}

static void batches(void)
{
	int64_t work, batch;
	struct produce_look look;

	steps_one(&s, "batches", "batch", "{\"file\":\"x\"}");
	work = plans_row(&s.p, "batches", "work");
	struct id run = steps_claim(&s, work);
	batch = fixture_batch(s.p.db, fixture_lines(s.p.db, 3));
	CHECK_INT(sends(work, id_random(), batch), 0, "another run sends nothing");
	CHECK_INT(sends(work, run, batch), 1, "this one does");
	CHECK_INT(produce_look(s.p.db, work, run, &look, &e), 1, "it is asked");
	CHECK(look.batch == batch && look.status == BATCH_IN_PROGRESS && !look.begun && look.total == 3,
	      "nothing was sent yet");
	fixture_complete(s.p.db, batch << 32 | 1, "{}");
	fixture_fail(s.p.db, batch << 32 | 2, 400, NULL, "{}");
	CHECK_INT(produce_look(s.p.db, work, run, &look, &e), 1, "again");
	CHECK(look.begun && look.bad == 1, "something was, and one has failed");
	int64_t bad, may;
	CHECK_INT(produce_may_fail(s.p.db, batch, &bad, &may, &e), 1, "a product has the batch");
	CHECK(bad == 1 && may == 0, "which may not fail at all");
	steps_one(&s, "lenient", "batch", "{\"file\":\"x\",\"max_failed\":\"67%\"}");
	int64_t other = plans_row(&s.p, "lenient", "work");
	CHECK_INT(sends(other, steps_claim(&s, other), batch), 1, "another product");
	rows_must(sqlite3_exec(s.p.raw, "UPDATE data_products SET batch = NULL WHERE name = 'work' AND"
			       " dataset = (SELECT id FROM datasets WHERE name = 'batches')",
			       NULL, NULL, NULL) == SQLITE_OK, "UPDATE", sqlite3_errmsg(s.p.raw));
	CHECK_INT(produce_may_fail(s.p.db, batch, &bad, &may, &e), 1, "has it now");
	CHECK(bad == 1 && may == 2, "and may fail two of three");
	CHECK_INT(produce_may_fail(s.p.db, batch + 1, &bad, &may, &e), 0, "a batch of its own");
}

static void left(void)
{
	struct dataset d CLEANUP(dataset_release) = DATASET_INIT;
	const struct steps_product v[] = {
		{ "a", "exec", "{\"argv\":[\"true\"]}" }, { "b", "cams", "null" },
		{ "c", "batch", "{\"file\":\"x\"}" },
	};

	steps_publish(&s, "left", v, 3, "a>c");
	CHECK_INT(dataset_find(s.p.db, "left", &d, &e), 0, "a dataset");
	CHECK_INT(produce_left(s.p.db, &d, NULL, s.me.id, &e), 1, "what others compute does not count");
	CHECK_INT(steer_pause(&s.p.s, "left", true, &e), 1, "paused");
	CHECK_INT(plans_update(&s.p, "left", "a=success"), 0, "a is success");
	CHECK_INT(dataset_find(s.p.db, "left", &d, &e), 0, "read again");
	CHECK_INT(produce_left(s.p.db, &d, NULL, s.me.id, &e), 1, "what would be queued counts");
}

static void remote(void)
{
	struct dataset d CLEANUP(dataset_release) = DATASET_INIT;
	struct produce_answer a CLEANUP(produce_answer_release) = { 0 };
	struct compute c CLEANUP(compute_release) = COMPUTE_INIT;
	const struct steps_product v[] = { { "a", "cams", "null" }, { "b", "dbxaas", "null" } };
	const char *url = "cams=http://h/";

	steps_publish(&s, "remote", v, 2, "");
	rows_must(compute_read(&c, &url, 1, NULL, 0, &e) == 0 && dataset_find(s.p.db, "remote", &d, &e) == 0,
		  "compute", e.msg);
	CHECK_INT(produce_left(s.p.db, &d, NULL, s.me.id, &e), 0, "without --compute nothing is left");
	CHECK_INT(produce_left(s.p.db, &d, &c, s.me.id, &e), 1, "with it what has an URL");
	int64_t work = plans_row(&s.p, "remote", "a"), batch = fixture_batch(s.p.db, fixture_lines(s.p.db, 1));
	struct id run = steps_claim(&s, work);
	CHECK_INT(sends(work, run, batch), 1, "it is handed over");
	CHECK_INT(produce_left(s.p.db, &d, NULL, s.me.id, &e), 1, "and left until it is");
	CHECK_INT(produce_left(s.p.db, &d, NULL, s.me.id + 1, &e), 0, "for who does it");
	CHECK_INT(produce_answer(s.p.db, batch, &a, &e), 0, "without an answer");
	CHECK_INT(produce_reported(s.p.db, work, run, &e), 0, "its platform has not spoken");
	fixture_fail(s.p.db, batch << 32 | 1, 404, NULL, "{\"message\":\"no\"}");
	CHECK_INT(produce_answer(s.p.db, batch, &a, &e), 1, "an answer");
	CHECK_INT(a.status, 404, "is told");
	CHECK_INT(plans_update(&s.p, "remote", "a=running"), 0, "the platform speaks");
	CHECK_INT(produce_reported(s.p.db, work, run, &e), 1, "which is seen");
	CHECK_INT(produce_reported(s.p.db, work, id_random(), &e), 0, "of this run");
	CHECK_INT(dataset_find(s.p.db, "remote", &d, &e), 0, "read again");
	CHECK_INT(produce_left(s.p.db, &d, &c, s.me.id, &e), 0, "what runs elsewhere is not left");
}

int main(void)
{
	steps_open(&s, "produce.db");
	fixture_check_plans(s.p.db, &produce_sql);
	runs();
	batches();
	left();
	remote();
	CHECK_INT(plans_wrong(s.p.raw), 0, "the plans are as they must be");
	steps_close(&s);
	return unit_done();
}
