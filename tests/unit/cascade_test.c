#include "domain/cascade.h"

#include "base/clock.h"
#include "plans.h"

static struct plans p;
static struct dataset ds;
static struct tx tx;

static void begin(struct cascade *c)
{
	rows_must(tx_begin(&tx, p.db, &p.e) == 0 && dataset_find(p.db, "plan", &ds, &p.e) == 0, "begin",
		  p.e.msg);
	cascade_begin(c, p.db, &ds, "me", "test");
}

static void end(struct cascade *c)
{
	rows_must(cascade_finish(c, &p.e) == 0 && tx_commit(&tx, &p.e) == 0 &&
		  cascade_after(c, &p.e) == 0, "end", p.e.msg);
}

static int move(struct cascade *c, const char *product, enum state state)
{
	struct cascade_row r;
	struct product v CLEANUP(product_release) = PRODUCT_INIT;

	rows_must(product_find(p.db, ds.id, product, &v, &p.e) == 0 &&
		  cascade_row(c, v.id, &r, &p.e) == 1, product, p.e.msg);
	return cascade_move(c, &r, &(struct cascade_to){ .state = state }, &p.e);
}

static void parts(void)
{
	struct cascade c CLEANUP(cascade_release) = CASCADE_INIT;
	struct cascade_row r;

	plans_publish(&p, "plan", "a b c k", "a>b a>c b>k c>k");
	begin(&c);
	CHECK_INT(cascade_row(&c, 7, &r, &p.e), 0, "no such product");
	rows_must(move(&c, "a", STATE_SUCCESS) == 0, "move", p.e.msg);
	CHECK_INT(ds.count[STATE_SUCCESS], 1, "the counters go along");
	rows_must(cascade_trigger(&c, &p.e) == 0, "trigger", p.e.msg);
	CHECK_INT(c.n_moved, 3, "b and c can start");
	CHECK(!c.moved[0].name, "names come at the end");
	end(&c);
	CHECK_STR(plans_moved(&c), "a queued>success, b waiting>queued, c waiting>queued",
		  "a move each, with its name");
	CHECK_INT(plans_wrong(p.raw), 0, "the file is sound");
	cascade_release(&c);

	begin(&c);
	end(&c);
	CHECK(!c.changed, "a command that does nothing changes nothing");
	CHECK_INT(ROWS_INT(p.raw, "SELECT max(at_us) = (SELECT active_us FROM datasets) FROM events"), 1,
		  "not even when something was done last");
}

/* All moves of a command have one stamp, later than that of the one before,
 * also when the clock was set back. */
static void stamps(void)
{
	struct cascade c CLEANUP(cascade_release) = CASCADE_INIT;

	ROWS_DO(p.raw, "UPDATE datasets SET active_us = active_us + 3600000000");
	begin(&c);
	rows_must(move(&c, "b", STATE_SUCCESS) == 0 && move(&c, "c", STATE_SUCCESS) == 0 &&
		  cascade_trigger(&c, &p.e) == 0, "move", p.e.msg);
	end(&c);
	CHECK_INT(ROWS_INT(p.raw, "SELECT count(DISTINCT at_us) FROM events WHERE command = 'test' AND"
			   " at_us = (SELECT active_us FROM datasets)"), 1, "one time stamp");
	CHECK_INT(ROWS_INT(p.raw, "SELECT active_us - (SELECT max(modified_us) FROM data_products) FROM"
			   " datasets"), 0, "that of the dataset's activity");
	CHECK(ROWS_INT(p.raw, "SELECT active_us > (unixepoch() + 3000) * 1000000 FROM datasets"),
	      "behind the one before, whatever the clock says");
	CHECK_STR(plans_states(&p, "plan"), "a=success b=success c=success k=queued", "k was queued once");
	CHECK_INT(plans_wrong(p.raw), 0, "the file is sound");
}

/* While nothing is ahead of its parents, what waits is not walked through. */
static void cost(void)
{
	enum { LONG = 20000 };
	struct str products CLEANUP(str_release) = STR_INIT, edges CLEANUP(str_release) = STR_INIT;

	for (int i = 0; i < LONG; i++) {
		str_addf(&products, "p%d ", i);
		if (i > 0)
			str_addf(&edges, "p%d>p%d ", i - 1, i);
	}
	plans_publish(&p, "chain", str_z(&products), str_z(&edges));
	rows_must(plans_update(&p, "chain", "p0=running") == 0, "update", p.e.msg);
	int64_t start = clock_mono_us();
	rows_must(plans_update(&p, "chain", "p0=failed") == 0, "update", p.e.msg);
	int64_t first = clock_mono_us() - start;
	rows_must(plans_update(&p, "chain", "p19999=success") == 0, "update", p.e.msg);
	CHECK_INT(ROWS_INT(p.raw, "SELECT ahead FROM datasets WHERE name = 'chain'"), 1, "one is ahead");
	start = clock_mono_us();
	rows_must(plans_update(&p, "chain", "p0=running") == 0, "update", p.e.msg);
	int64_t second = clock_mono_us() - start;
	CHECK_STR(plans_moved(&p.s.c), "p0 failed>running, p19999 success>waiting",
		  "it is found at the end of a chain of 20,000");
	CHECK(first < second / 2, "which takes a walk (%lld us) that other commands do not take (%lld us)",
	      (long long)second, (long long)first);
	CHECK_INT(plans_wrong(p.raw), 0, "the file is sound");
}

int main(void)
{
	plans_open(&p, "db");
	parts();
	stamps();
	cost();
	dataset_release(&ds);
	plans_close(&p);
	return unit_done();
}
