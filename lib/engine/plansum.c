#include "engine/plansum.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/safe.h"
#include "domain/batch.h"
#include "domain/dataset.h"
#include "domain/produce.h"

enum { NAMES = 5, SHOWN = 60 };

void plansum_release(struct plansum *s)
{
	str_release(&s->names);
	free(s->dataset);
	free(s->waits);
	free(s->batches);
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

static int count_spared(struct plansum *s, struct db *db, struct err *e)
{
	for (int i = 0; i < s->n_batches; i++) {
		struct batch b CLEANUP(batch_release) = BATCH_INIT;
		if (batch_get(db, s->batches[i], &b, e) == 0)
			s->spared += b.failed + b.cancelled + b.expired;
		else if (e->code != ERR_NOTFOUND)
			return -1;
	}
	return 0;
}

void plansum_end(struct plansum *s, const struct step *step)
{
	enum state outcome = step_outcome(step);

	s->success += outcome == STATE_SUCCESS;
	s->failed += outcome == STATE_FAILED;
	s->handed += outcome == STATE_RUNNING;
	s->ended += outcome != STATE_NONE;
	if (outcome != STATE_FAILED && step_batch(step)) {
		s->batches = mem_room(s->batches, (size_t)s->n_batches, sizeof *s->batches);
		s->batches[s->n_batches++] = step_batch(step);
	}
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
	if (count_spared(s, db, e) < 0)
		return -1;
	for (int i = 0; i < n; i++) {
		struct dataset d CLEANUP(dataset_release) = DATASET_INIT;
		char label[DATASET_LABEL_BUF];
		int rc = dataset_get(db, datasets ? datasets[i] : s->touched[i], &d, e);
		if (rc < 0)
			return -1;
		if (rc == 0)
			continue;
		int64_t left = produce_left(db, &d, c, worker, e);
		if (left < 0)
			return -1;
		s->queued += left;
		const char *name = safe_show(span_of(dataset_label(&d, label)), SHOWN);
		if (left > 0 && !s->waits)
			s->waits = mem_strdup(name);
		if (datasets && d.count[STATE_FAILED] > 0 && !s->dataset)
			s->dataset = mem_strdup(name);
		if (datasets) {
			s->success += d.count[STATE_SUCCESS];
			s->failed += d.count[STATE_FAILED];
		}
	}
	return 0;
}
