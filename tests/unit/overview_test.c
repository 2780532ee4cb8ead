#include "domain/overview.h"

#include "plans.h"

static struct plans p;
static struct overview o = OVERVIEW_INIT;

static const char *rows_of(const char *const *products)
{
	static char text[1000];
	size_t n = 0;

	text[0] = '\0';
	if (overview_read(p.db, "plan", products, &o, &p.e) < 0)
		return p.e.msg;
	for (size_t i = 0; i < o.n; i++)
		n += (size_t)snprintf(text + n, sizeof text - n, "%s%s", i ? " " : "", o.rows[i].p.name);
	return text;
}

static const char *verdict(void)
{
	static struct str text = STR_INIT;
	struct dataset d CLEANUP(dataset_release) = DATASET_INIT;

	str_reset(&text);
	rows_must(dataset_find(p.db, "plan", &d, &p.e) == 0, "find", p.e.msg);
	overview_verdict(&d, &text);
	return str_z(&text);
}

int main(void)
{
	static const char *const some[] = { "k", "a", NULL }, *const wrong[] = { "x", NULL };

	plans_open(&p, "db");
	struct rows r = { .db = p.db, .raw = p.raw };
	plans_publish(&p, "plan", "k c b a", "a>b b>c c>k a>k");
	CHECK_STR(rows_of(NULL), "a b c k", "parents before children");
	CHECK_STR(rows_of(some), "k a", "or those that are named");
	CHECK_STR(rows_of(wrong), "Data product not found for: 'x'", "which must be there");
	CHECK_STR(verdict(), "plan: queued, 0 of 4 done, 1 queued, 3 waiting", "how it stands");
	rows_must(plans_update(&p, "plan", "a=success") == 0 && plans_update(&p, "plan", "b=failed") == 0 &&
		  plans_do(&p, "disable", "plan", "c") == 0 && steer_pause(&p.s, "plan", true, &p.e) == 1,
		  "commands", p.e.msg);
	CHECK_STR(verdict(), "plan: failed, 1 of 3 done, 1 failed, 1 queued, 1 disabled; paused", "later");
	int64_t batch = rows_batch(&r, 1, 5, 0), b = plans_row(&p, "plan", "b");
	ROWS_DO(p.raw, "UPDATE batches SET pending = 1, completed = 2, failed = 1, cancelled = 1 WHERE id = ?1",
		batch);
	ROWS_DO(p.raw, "UPDATE data_products SET batch = ?1, resume = 1 WHERE id = ?2", batch, b);
	rows_of(NULL);
	CHECK(!o.rows[2].has_batch, "what hands it over is no progress");
	ROWS_DO(p.raw, "UPDATE data_products SET compute = 'batch' WHERE id = ?1", b);
	CHECK_STR(rows_of(NULL), "a k b c", "the disabled stand at the end");
	CHECK(o.rows[2].has_batch && o.rows[2].done == 2 && o.rows[2].total == 5 && o.rows[2].failed == 2,
	      "requests of its batch");
	CHECK(!o.rows[0].has_batch && !o.rows[0].why && o.rows[2].why, "and why it is so");
	plans_publish(&p, "plan", "x", "");
	CHECK_STR(rows_of(NULL), "a x k b c", "those that depend on nothing come first, in their order");
	ROWS_DO(p.raw, "UPDATE data_products SET resume = 0 WHERE id = ?1", b);
	rows_of(NULL);
	CHECK(!o.rows[3].has_batch, "a batch that the next run will not go on with is not shown");
	overview_release(&o);
	plans_close(&p);
	return unit_done();
}
