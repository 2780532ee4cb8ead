#include "domain/batchset.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/safe.h"
#include "domain/dataset.h"
#include "domain/product.h"

void batchset_release(struct batchset *s)
{
	while (s->n > 0)
		batch_release(&s->v[--s->n]);
	free(s->v);
	free(s->ids);
	free(s->datasets);
	*s = (struct batchset)BATCHSET_INIT;
}

int batchset_find(struct db *db, const char *operand, struct batch *out, struct err *e)
{
	if (!strchr(operand, '/'))
		return batch_find(db, operand, out, e);
	int64_t id = product_batch(db, operand, e);
	return id < 0 ? -1 : batch_get(db, id, out, e);
}

int batchset_add(struct db *db, struct batchset *s, const char *operand, struct err *e)
{
	struct batch b CLEANUP(batch_release) = BATCH_INIT;

	if (batchset_find(db, operand, &b, e) < 0)
		return -1;
	for (int i = 0; i < s->n; i++)
		if (s->ids[i] == b.id)
			return 0;
	s->v = mem_resize(s->v, (size_t)s->n + 1, sizeof *s->v);
	s->ids = mem_resize(s->ids, (size_t)s->n + 1, sizeof *s->ids);
	s->ids[s->n] = b.id;
	s->v[s->n++] = b;
	b = (struct batch)BATCH_INIT;
	return 0;
}

static int add_dataset(struct db *db, struct batchset *s, const char *operand, struct err *e)
{
	struct dataset d CLEANUP(dataset_release) = DATASET_INIT;

	if (dataset_find(db, operand, &d, e) < 0)
		return -1;
	for (int i = 0; i < s->n_datasets; i++)
		if (s->datasets[i] == d.id)
			return 0;
	s->datasets = mem_room(s->datasets, (size_t)s->n_datasets, sizeof *s->datasets);
	s->datasets[s->n_datasets++] = d.id;
	return 0;
}

int batchset_add_any(struct db *db, struct batchset *s, const char *operand, struct err *e)
{
	struct err none = ERR_INIT;

	if (batchset_add(db, s, operand, e) == 0)
		return 0;
	if (e->code != ERR_NOTFOUND || strchr(operand, '/'))
		return -1;
	if (add_dataset(db, s, operand, &none) == 0)
		return 0;
	if (none.code != ERR_NOTFOUND)
		*e = none;
	else if (strncmp(e->msg, "there is no batch", 17) == 0)
		err_set(e, ERR_NOTFOUND, "there is no batch and no dataset '%s'",
			safe_show(span_of(operand), 100));
	return -1;
}

int batchset_statuses(const char *list, unsigned *bits, struct err *e)
{
	*bits = 0;
	for (const char *p = list; p; p = *p ? p + 1 : NULL) {
		size_t n = strcspn(p, ",");
		char *word CLEANUP(mem_cleanup) = mem_copy(p, n);
		int status = batch_status_of(word);
		if (status < 0)
			return err_set(e, ERR_USAGE, "there is no status '%s'",
				       safe_show(span_of(word), 60));
		*bits |= 1u << status;
		p += n;
	}
	return 0;
}
