#include "engine/plansum.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "domain/batch.h"
#include "domain/dataset.h"
#include "domain/produce.h"

enum { NAMES = 5 };

void plansum_release(struct plansum *s)
{
	str_release(&s->names);
	free(s->dataset);
	free(s->touched);
	*s = (struct plansum)PLANSUM_INIT;
}

void plansum_touch(struct plansum *s, int64_t dataset)
{
	for (int i = 0; i < s->n_touched; i++)
		if (s->touched[i] == dataset)
			return;
	s->touched = mem_room(s->touched, (size_t)s->n_touched, sizeof *s->touched);
	s->touched[s->n_touched++] = dataset;
}

static void count_spared(struct plansum *s, struct db *db, const struct step *step)
{
	struct batch b CLEANUP(batch_release) = BATCH_INIT;
	struct err ignored = ERR_INIT;

	if (step_batch(step) && batch_get(db, step_batch(step), &b, &ignored) == 0)
		s->spared += b.failed + b.cancelled + b.expired;
}

void plansum_end(struct plansum *s, struct db *db, const struct step *step)
{
	enum state outcome = step_outcome(step);

	s->success += outcome == STATE_SUCCESS;
	s->failed += outcome == STATE_FAILED;
	s->handed += outcome == STATE_RUNNING;
	if (outcome == STATE_SUCCESS || outcome == STATE_RUNNING)
		count_spared(s, db, step);
	if (outcome != STATE_FAILED || s->n_names++ >= NAMES)
		return;
	str_addf(&s->names, "%s%s", s->names.n ? ", " : "", step_label(step));
	if (!s->dataset) {
		const char *label = step_label(step);
		s->dataset = mem_copy(label, strcspn(label, "/"));
	}
}

int plansum_left(struct plansum *s, struct db *db, const int64_t *datasets, int n,
		 const struct compute *c, int64_t worker, struct err *e)
{
	if (datasets)
		s->success = s->failed = 0;
	else
		n = s->n_touched;
	for (int i = 0; i < n; i++) {
		struct dataset d CLEANUP(dataset_release) = DATASET_INIT;
		int rc = dataset_get(db, datasets ? datasets[i] : s->touched[i], &d, e);
		if (rc < 0)
			return -1;
		if (rc == 0)
			continue;
		int64_t left = produce_left(db, &d, c, worker, e);
		if (left < 0)
			return -1;
		s->queued += left;
		if (datasets) {
			s->success += d.count[STATE_SUCCESS];
			s->failed += d.count[STATE_FAILED];
		}
	}
	return 0;
}
