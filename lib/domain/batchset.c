#include "domain/batchset.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/safe.h"

void batchset_release(struct batchset *s)
{
	while (s->n > 0)
		batch_release(&s->v[--s->n]);
	free(s->v);
	free(s->ids);
	*s = (struct batchset)BATCHSET_INIT;
}

int batchset_add(struct db *db, struct batchset *s, const char *operand, struct err *e)
{
	struct batch b CLEANUP(batch_release) = BATCH_INIT;

	if (batch_find(db, operand, &b, e) < 0)
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
