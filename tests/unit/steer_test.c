#include "domain/steer.h"

#include "domain/batch.h"
#include "domain/lease.h"
#include "plans.h"

static struct plans p;

static const char *updated(const char *words)
{
	return plans_update(&p, "plan", words) < 0 ? p.e.msg : plans_moved(&p.s.c);
}

static const char *done(const char *verb, const char *products)
{
	return plans_do(&p, verb, "plan", products) < 0 ? p.e.msg : plans_moved(&p.s.c);
}

/* A dataset of its own for each part. */
static void begin(const char *products, const char *edges)
{
	ROWS_DO(p.raw, "UPDATE datasets SET name = NULL WHERE name = 'plan'");
	plans_publish(&p, "other", "x", ""); /* that no other dataset is touched */
	ROWS_DO(p.raw, "UPDATE datasets SET uuid = randomblob(16) WHERE name IS NULL");
	plans_publish(&p, "plan", products, edges);
}

static void paused(void)
{
	CHECK(steer_pause(&p.s, "plan", true, &p.e) >= 0, "a pause");
}

static void sound(const char *when)
{
	CHECK_INT(plans_wrong(p.raw), 0, "the file is sound %s", when);
}

#define R1 "11111111-1111-1111-1111-111111111111"
#define R2 "22222222-2222-2222-2222-222222222222"

static int report(const char *product, enum state state, const char *run_id, const char *passback)
{
	struct states list CLEANUP(states_release) = STATES_INIT;
	struct states_item *i = states_add(&list);

	i->product = strdup(product);
	i->state = state;
	i->has_run = run_id && id_from_uuid(span_of(run_id), &i->run_id);
	i->passback = passback ? strdup(passback) : NULL;
	return steer_update(&p.s, "plan", &list, &p.e);
}

static void updates(void)
{
	begin("a b c k!", "a>b b>c c>k");
	CHECK_STR(updated("a=running"), "a queued>running", "a report");
	CHECK_STR(updated("a=success"), "a running>success, b waiting>queued", "the next is queued");
	CHECK_STR(updated("b=success c=success"), "b queued>success, c waiting>queued",
		  "a list in its order; what is downstream of one in it waits, then is queued");
	CHECK_STR(updated("c=success"), "c queued>success", "what is not eager is not queued");
	CHECK_STR(updated("k=running"), "k waiting>running", "but may be reported");
	CHECK_STR(updated("a=failed"), "a success>failed, b success>waiting, c success>waiting, "
		  "k running>waiting", "all that is downstream waits again");
	CHECK_STR(updated("a=success nosuch=success"), "Data product not found for: 'nosuch'",
		  "an unknown product");
	CHECK_STR(plans_states(&p, "plan"), "a=failed b=waiting c=waiting k=waiting", "all or nothing");
	CHECK_STR(updated("c=success"), "c waiting>success", "anything may be reported at any time");
	CHECK_STR(updated("a=running"), "a failed>running, c success>waiting",
		  "and is reset behind what waits");
	sound("after updates");
}

static void runs(void)
{
	begin("a b", "a>b");
	CHECK(report("a", STATE_RUNNING, R1, NULL) == 0, "a run is reported");
	CHECK(report("a", STATE_SUCCESS, R2, NULL) < 0 && p.e.code == ERR_STATE, "another one is refused");
	CHECK_STR(p.e.msg, "'a': the current run is " R1 ", not " R2, "and both are named");
	CHECK(report("a", STATE_SUCCESS, R1, "{\"n\":1}") == 0, "its end");
	plans_update(&p, "plan", "b=success");
	CHECK(report("a", STATE_SUCCESS, R1, "{\"n\":1}") == 0 && !p.s.c.changed, "its end once more");
	CHECK_STR(plans_states(&p, "plan"), "a=success b=success", "resets nothing");
	CHECK(report("a", STATE_SUCCESS, R1, "{\"n\":2}") == 0 && p.s.c.changed && p.s.c.n_moved == 0,
	      "another passback is stored");
	CHECK_STR(plans_states(&p, "plan"), "a=success b=success", "without resetting anything");
	CHECK_STR(ROWS_TEXT(p.raw, "SELECT passback FROM product_texts WHERE id = ?1",
			    plans_row(&p, "plan", "a")), "{\"n\":2}", "as it is");
	p.s.force = true;
	CHECK(report("a", STATE_SUCCESS, R1, NULL) == 0, "--force");
	p.s.force = false;
	CHECK_STR(plans_moved(&p.s.c), "a success>success, b success>queued", "does it all the same");
	CHECK_STR(ROWS_TEXT(p.raw, "SELECT passback FROM product_texts WHERE id = ?1",
			    plans_row(&p, "plan", "a")), "{\"n\":2}", "what is omitted is kept");
	done("clear", "a");
	CHECK(report("a", STATE_SUCCESS, R1, NULL) < 0, "the run of a cleared product");
	CHECK_STR(p.e.msg, "'a': the run " R1 " is over: the product was cleared or run again since",
		  "comes too late");
	CHECK(report("a", STATE_RUNNING, R2, NULL) == 0, "another one is welcome");
	CHECK(report("a", STATE_SUCCESS, R1, NULL) < 0, "the old one is late for ever");
	p.s.force = true;
	CHECK(report("a", STATE_SUCCESS, R1, NULL) == 0, "unless it is forced");
	p.s.force = false;
	CHECK(report("a", STATE_FAILED, R1, NULL) == 0, "and then is the current one");
	CHECK(report("b", STATE_RUNNING, NULL, NULL) == 0 && report("b", STATE_RUNNING, R1, NULL) == 0 &&
	      p.s.c.n_moved == 0, "a run that had no id gets one");
	sound("after runs");
}

static void clears(void)
{
	begin("a b c", "a>b b>c");
	updated("a=success b=success c=success a=success b=success");
	plans_update(&p, "plan", "b=success c=failed");
	CHECK_STR(done("clear", "b"), "b success>queued, c queued>waiting", "clear, with what is downstream");
	CHECK_STR(done("clear", "c"), "", "what waits already does not change");
	CHECK_STR(done("clear", "nosuch"), "Data product not found for: 'nosuch'", "an unknown product");
	updated("b=failed");
	CHECK_STR(done("clear", NULL), "b failed>queued", "all that have failed");
	paused();
	CHECK_STR(done("clear", "b"), "b queued>waiting", "paused: nothing is queued");
	CHECK_STR(updated("a=failed"), "a success>failed", "but the rest works");
	CHECK_INT(steer_pause(&p.s, "plan", true, &p.e), 0, "paused already");
	CHECK_STR(updated("a=success"), "a failed>success", "a report");
	CHECK_INT(steer_pause(&p.s, "plan", false, &p.e), 1, "unpaused");
	CHECK_STR(plans_moved(&p.s.c), "b waiting>queued", "what could start is queued");
	sound("after clears");
}

static void retries(void)
{
	begin("a b c!", "a>b b>c");
	updated("a=failed");
	CHECK_STR(done("retry", "b"), "'b' is waiting: there is nothing to retry", "what has not ended");
	CHECK_STR(done("retry", NULL), "a failed>queued", "all that have failed");
	const char *run = ROWS_TEXT(p.raw, "SELECT hex(run_id) FROM data_products WHERE id = ?1",
				    plans_row(&p, "plan", "a"));
	CHECK_INT(strlen(run), 32, "with a new run");
	updated("a=success");
	updated("b=success");
	updated("c=failed");
	CHECK_STR(done("retry", "c"), "c failed>queued", "also what is not eager");
	CHECK_STR(done("retry", "b"), "b success>queued, c queued>waiting", "also what succeeded");
	updated("b=failed");
	paused();
	CHECK_STR(done("retry", NULL), "b failed>queued", "also in a paused dataset");
	updated("b=failed");
	updated("a=running");
	plans_update(&p, "plan", "b=failed");
	CHECK_STR(done("retry", NULL), "b failed>waiting", "below a parent that is not done it waits");
	CHECK_STR(done("retry", NULL), "", "nothing has failed: nothing to do");
	sound("after retries");
}

static void disables(void)
{
	begin("a b c k", "a>b b>c k>c");
	CHECK_STR(done("disable", "a k"), "a queued>disabled, k queued>disabled, b waiting>queued",
		  "out of the graph: children go on");
	CHECK_STR(str_z(&p.s.notes), "warning: what is disabled holds these back no longer: b\n",
		  "and are named");
	CHECK_STR(updated("a=success"), "Data product is locked: 'a'", "locked for reports");
	CHECK_INT(p.e.code, ERR_STATE, "which is a matter of state");
	CHECK_STR(done("clear", "b a"), "Data product is locked: 'a'", "for clear");
	CHECK_STR(done("disable", "a"), "Data product is locked: 'a'", "for disable");
	CHECK_STR(done("retry", "a"), "Data product is locked: 'a'", "for retry");
	CHECK_STR(done("trigger", "a"), "Data product is locked: 'a'", "and for trigger");
	CHECK_STR(done("enable", "a b"), "a disabled>queued", "enable brings it back; b is enabled");
	CHECK_STR(plans_states(&p, "plan"), "a=queued b=queued c=waiting k=disabled", "children stay");
	updated("b=success");
	CHECK_STR(plans_states(&p, "plan"), "a=queued b=success c=queued k=disabled", "k holds nothing back");
	done("enable", "k");
	CHECK_STR(updated("k=running"), "k queued>running, c queued>waiting", "but does again");
	struct chosen_which all = { NULL, CHOSEN_ALL };
	done("disable", "k");
	CHECK(steer_clear(&p.s, "plan", &all, &p.e) == 0, "clear --all");
	CHECK_STR(plans_moved(&p.s.c), "a queued>queued, b success>waiting, c queued>waiting",
		  "means all but the disabled");
	sound("after disables");
}

static void triggers(void)
{
	begin("a b!", "a>b");
	CHECK_STR(done("trigger", "b"), "'b' waits for 1 of its parents", "not before its parents");
	updated("a=success");
	CHECK_STR(done("trigger", "b"), "b waiting>queued", "what is not eager");
	CHECK_STR(done("trigger", "b"), "", "once is enough");
	updated("b=failed");
	CHECK_STR(done("trigger", "b"), "'b' is failed already", "what has ended");
	CHECK_STR(p.e.hint, "fletcher-plan retry runs it again", "with the way on");
	done("clear", "a b");
	paused();
	done("clear", "a");
	CHECK_STR(done("trigger", "a"), "a waiting>queued", "a person may in a paused dataset");
	sound("after triggers");
}

static void dry_runs(void)
{
	begin("a b", "a>b");
	int64_t events = ROWS_INT(p.raw, "SELECT count(*) FROM events");
	p.s.dry_run = true;
	CHECK_STR(updated("a=success"), "a queued>success, b waiting>queued", "-n tells what would happen");
	CHECK_STR(done("disable", "a"), "a queued>disabled, b waiting>queued", "of every verb");
	CHECK_INT(steer_pause(&p.s, "plan", true, &p.e), 1, "of pause");
	CHECK_INT(steer_delete(&p.s, "plan", 0, &p.e), 1, "of delete");
	p.s.dry_run = false;
	CHECK_STR(plans_states(&p, "plan"), "a=queued b=waiting", "and changes nothing");
	CHECK_INT(ROWS_INT(p.raw, "SELECT count(*) FROM events"), events, "not even the history");
}

static void deletes(void)
{
	begin("a b", "a>b");
	updated("a=running");
	CHECK(steer_delete(&p.s, "plan", 0, &p.e) < 0 && p.e.code == ERR_STATE, "what runs is not deleted");
	updated("a=success");
	CHECK(steer_delete(&p.s, "plan", 0, &p.e) < 0 && p.e.code == ERR_STATE, "nor what is success");
	rows_must(ROWS_INT(p.raw, "INSERT INTO product_outputs (product, run_id, body) SELECT id, zeroblob(16),"
			   " zeroblob(20000000) FROM data_products WHERE name = 'a' RETURNING 1") == 1, "output", "");
	int64_t pages = ROWS_INT(p.raw, "PRAGMA page_count");
	p.s.force = true;
	CHECK_INT(steer_delete(&p.s, "plan", 3600000, &p.e), 0, "what is younger is left alone");
	CHECK_INT(steer_delete(&p.s, "plan", 0, &p.e), 1, "unless it is forced");
	p.s.force = false;
	CHECK(steer_delete(&p.s, "plan", 0, &p.e) < 0 && p.e.code == ERR_NOTFOUND, "it is gone");
	CHECK_STR(plans_states(&p, "other"), "x=queued", "others are not");
	CHECK(ROWS_INT(p.raw, "PRAGMA page_count") < pages - 2400, "its pages are given back");
	CHECK_INT(ROWS_INT(p.raw, "PRAGMA freelist_count"), 0, "all of them");
	CHECK_INT(ROWS_INT(p.raw, "SELECT (SELECT count(*) FROM events WHERE id >> 32 NOT IN (SELECT id FROM"
			   " datasets)) + (SELECT count(*) FROM dataset_texts WHERE id NOT IN (SELECT id FROM"
			   " datasets)) + (SELECT count(*) FROM retired_runs WHERE product NOT IN (SELECT id FROM"
			   " data_products))"), 0, "with all that was in it");
	CHECK_INT(ROWS_INT(p.raw, "SELECT count(*) FROM dataset_words WHERE dataset_words MATCH '\"pla\"'"
			   " AND rowid NOT IN (SELECT id FROM datasets)"), 0,
		  "also from the index of words");
	sound("after deletes");
}

/* A batch whose requests are 2 completed and 1 failed; its row. */
static int64_t batch(int64_t product, int resume)
{
	struct rows r = { .db = p.db, .raw = p.raw };
	int64_t b = rows_batch(&r, 1, 3, 0);

	ROWS_DO(p.raw, "UPDATE batches SET pending = 0, completed = 2, failed = 1, status = 2 WHERE id = ?1", b);
	ROWS_DO(p.raw, "UPDATE data_products SET batch = ?2, resume = ?3, compute = 'batch' WHERE id = ?1",
		product, b, resume);
	return b;
}

static void batches(void)
{
	begin("a b", "a>b");
	int64_t a = plans_row(&p, "plan", "a");
	updated("a=failed");
	batch(a, 1);
	CHECK_STR(done("retry", "a"), "a failed>queued", "a batch product is retried");
	CHECK_INT(ROWS_INT(p.raw, "SELECT resume FROM data_products WHERE id = ?1", a), 2,
		  "with what failed in its batch");
	CHECK_STR(done("clear", "a"), "clear resends 3 requests, and 2 of them are completed",
		  "clear would send all again");
	CHECK_INT(p.e.code, ERR_STATE, "and is refused");
	p.s.force = true;
	CHECK_STR(done("clear", "a"), "a queued>queued", "unless it is forced");
	p.s.force = false;
	CHECK_STR(str_z(&p.s.notes), "resends 3 requests\n", "and says what it costs");
	CHECK_INT(ROWS_INT(p.raw, "SELECT resume FROM data_products WHERE id = ?1", a), 0,
		  "from zero then");
	updated("a=running");
	int64_t b = batch(a, 1);
	ROWS_DO(p.raw, "UPDATE batches SET pending = 3, completed = 0, failed = 0, status = 1 WHERE id = ?1", b);
	CHECK_STR(done("clear", "a"), "a running>queued", "what runs is cleared");
	CHECK_INT(ROWS_INT(p.raw, "SELECT status FROM batches WHERE id = ?1", b), BATCH_CANCELLED,
		  "its batch is cancelled");
	CHECK_INT(ROWS_INT(p.raw, "SELECT cancelled FROM batches WHERE id = ?1", b), 3, "to the end");
	ROWS_DO(p.raw, "DELETE FROM requests WHERE id >> 32 = ?1", b);
	ROWS_DO(p.raw, "DELETE FROM batches WHERE id = ?1", b);
	CHECK_INT(ROWS_INT(p.raw, "SELECT batch IS NULL FROM data_products WHERE id = ?1", a), 1,
		  "a product forgets a batch that is deleted");
	sound("after batches");
}

/* A remote product that is being handed over by worker 7; its batch has a
 * request left. */
static int64_t told(struct id *run)
{
	struct rows r = { .db = p.db, .raw = p.raw };
	struct err e = ERR_INIT;

	begin("a b", "a>b");
	int64_t a = plans_row(&p, "plan", "a"), b = rows_batch(&r, 1, 1, 0);
	rows_must(lease_claim(p.db, a, 7, run, &e) == 1 && plans_sends(&p, a, *run, b) == 1, "claim",
		  e.msg);
	return b;
}

static int says(struct id run, enum state state)
{
	const struct states_item item = { .product = (char *)"a", .state = state, .has_run = true,
					  .run_id = run };
	struct err e = ERR_INIT;
	int rc = steer_report(&p.s, plans_row(&p, "plan", "a"), &item, &e);

	rows_must(rc >= 0, "steer_report", e.msg);
	return rc;
}

static int64_t status(int64_t batch)
{
	return ROWS_INT(p.raw, "SELECT status FROM batches WHERE id = ?1", batch);
}

static void remote(void)
{
	struct id run;
	int64_t b = told(&run);

	CHECK_INT(says(run, STATE_RUNNING), 1, "a remote product is handed over");
	CHECK_INT(ROWS_INT(p.raw, "SELECT state = 2 AND worker IS NULL AND resume = 1 FROM data_products"
			   " WHERE id = ?1", plans_row(&p, "plan", "a")), 1, "and runs in nobody's hands here");
	CHECK_INT(status(b), BATCH_CANCELLED, "nothing more of its batch is sent");
	CHECK_INT(says(run, STATE_RUNNING), 0, "from then on its platform's word counts");
	CHECK_INT(says(run, STATE_FAILED), 0, "not a worker's");
	CHECK_STR(done("clear", "a"), "a running>queued", "clear resends nothing of ours");
	b = told(&run);
	updated("a=success");
	CHECK_INT(says(run, STATE_RUNNING), 0, "a late answer moves nothing back");
	CHECK_INT(status(b), BATCH_CANCELLED, "and is not asked for again");
	b = told(&run);
	updated("a=failed");
	CHECK_STR(done("retry", "a"), "a failed>queued", "retry");
	CHECK_INT(ROWS_INT(p.raw, "SELECT resume FROM data_products WHERE id = ?1",
			   plans_row(&p, "plan", "a")), 0, "hands it over anew");
	b = told(&run);
	rows_must(steer_pause(&p.s, "plan", true, &p.e) == 1, "pause", p.e.msg);
	CHECK_STR(done("clear", "a"), "a queued>waiting", "clear while it is handed over");
	CHECK_INT(status(b), BATCH_CANCELLED, "cancels it");
	CHECK_INT(says(run, STATE_RUNNING), 0, "and the answer comes too late");
	sound("after handing over");
}

int main(void)
{
	plans_open(&p, "db");
	updates();
	runs();
	clears();
	retries();
	disables();
	triggers();
	dry_runs();
	deletes();
	batches();
	remote();
	plans_close(&p);
	return unit_done();
}
