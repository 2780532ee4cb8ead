/* plansum: what a run has come to. */
#include "engine/plansum.h"

#include "base/clock.h"
#include "steps.h"

static struct steps s;
static struct err e;

/* A step of the dataset's product, worked to its end. */
static struct step *ended(const char *dataset, const char *compute, const char *json)
{
	struct product p CLEANUP(product_release) = PRODUCT_INIT;
	const struct step_options o = { .db = s.p.db, .worker = s.me.id, .allow_exec = true,
					.may_command = true };
	struct str why CLEANUP(str_release) = STR_INIT;
	struct pollfd fds[CHILD_FDS];
	struct step *t = NULL;
	int64_t due;

	steps_one(&s, dataset, compute, json);
	rows_must(product_get(s.p.db, plans_row(&s.p, dataset, "work"), &p, &e) == 1 &&
		  step_claim(&o, &p, &t, &why, &e) == 1, dataset, str_z(&why));
	for (int i = 0; i < 4000 && step_work(t, clock_mono_ms(), &e) == 0; i++)
		if (step_watch(t, fds, &due))
			poll(fds, CHILD_FDS, 5);
	return t;
}

int main(void)
{
	struct plansum sum = PLANSUM_INIT;
	char name[20];

	steps_open(&s, "plansum.db");
	fixture_must(freopen("/dev/null", "w", stderr) != NULL, "freopen", &e); /* the warnings */
	struct step *good = ended("good", "exec", "{\"argv\":[\"true\"]}");
	plansum_end(&sum, good);
	CHECK(sum.success == 1 && sum.failed == 0 && sum.names.n == 0 && !sum.dataset, "one that is success");
	for (int i = 0; i < 7; i++) {
		snprintf(name, sizeof name, "poor%d", i);
		struct step *bad = ended(name, "exec", "{\"argv\":[\"false\"]}");
		plansum_end(&sum, bad);
		plansum_touch(&sum, step_dataset(bad));
		step_free(bad);
	}
	CHECK_INT(sum.failed, 7, "some that have failed");
	CHECK_STR(str_z(&sum.names), "poor0/work, poor1/work, poor2/work, poor3/work, poor4/work", "the first are named");
	CHECK_STR(sum.dataset, "poor0", "and the dataset of the first");
	plansum_touch(&sum, step_dataset(good));
	plansum_touch(&sum, step_dataset(good));
	CHECK_INT(sum.n_touched, 8, "datasets that were touched, each once");
	CHECK_INT(plansum_left(&sum, s.p.db, NULL, 0, NULL, s.me.id, &e), 0, "nothing is left");
	CHECK_INT(sum.queued, 0, "of them");
	steps_one(&s, "more", "exec", "{\"argv\":[\"true\"]}");
	plansum_touch(&sum, plans_row(&s.p, "more", "work") >> 32);
	plansum_touch(&sum, 12345);
	CHECK_INT(plansum_left(&sum, s.p.db, NULL, 0, NULL, s.me.id, &e), 0, "later");
	CHECK_INT(sum.queued, 1, "something is; a dataset that is gone is nothing");
	int64_t one = step_dataset(good);
	sum.queued = 0;
	CHECK_INT(plansum_left(&sum, s.p.db, &one, 1, NULL, s.me.id, &e), 0, "of a dataset that was named");
	CHECK(sum.success == 1 && sum.failed == 0 && sum.queued == 0, "its own products count");
	step_free(good);
	plansum_release(&sum);
	CHECK(!sum.touched && !sum.dataset, "released");
	steps_close(&s);
	return unit_done();
}
