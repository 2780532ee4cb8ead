#include "domain/change.h"

#include "base/clock.h"
#include "base/num.h"

static int64_t cancel(struct db *db, const struct batch *b, const struct change *c,
		      struct err *e)
{
	if (c->chosen && c->chosen->custom_ids)
		return select_cancel(db, b, c->chosen->custom_ids, c->dry_run, e);
	return c->dry_run ? b->pending : batch_cancel(db, b->id, e);
}

static int64_t delete(struct db *db, const struct batch *b, const struct change *c,
		      struct err *e)
{
	char id[BATCH_ID_BUF], count[NUM_BUF];

	batch_id_text(b->uuid, id);
	if (!batch_terminal(b->status)) {
		err_set(e, ERR_STATE, "%s has not ended, it is %s", id, batch_status_text(b->status));
		return err_hint(e, "fsl-batch cancel %s ends it", id);
	}
	if (b->completed > 0 && !c->force) {
		err_set(e, ERR_STATE, "%s has completed results (%s), which would be lost", id,
			num_count(b->completed, count));
		return err_hint(e, "--force deletes them; fsl-batch results writes them out");
	}
	return !c->dry_run && batch_delete(db, b->id, e) < 0 ? -1 : b->total;
}

int change_batch(struct db *db, const struct batch *b, const struct change *c, int64_t *n,
		 struct err *e)
{
	switch (c->what) {
	case CHANGE_RETRY:
		*n = (c->dry_run ? select_retry_count : select_retry)(db, b, c->chosen, e);
		break;
	case CHANGE_CANCEL:
		*n = cancel(db, b, c, e);
		break;
	case CHANGE_DELETE:
		if ((c->older_than_ms && b->created_ms > clock_wall_ms() - c->older_than_ms) ||
		    (c->every && !batch_terminal(b->status)))
			return 0;
		*n = delete(db, b, c, e);
		break;
	}
	return *n < 0 ? -1 : 1;
}
