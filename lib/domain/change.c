#include "domain/change.h"

#include "base/clock.h"
#include "base/num.h"
#include "domain/ending.h"
#include "domain/renew.h"
#include "domain/select.h"

static int64_t cancel(struct db *db, const struct batch *b, const struct change *c,
		      struct err *e)
{
	const char *const *ids = c->chosen ? c->chosen->custom_ids : NULL;
	bool due = ending_due(b, clock_wall_ms());

	if (!ids && !c->dry_run)
		return ending_cancel(db, b->id, c->now, e);
	if (due && !c->dry_run && ending_expire(db, b->id, e) < 0)
		return -1;
	int64_t n = ids ? ending_cancel_ids(db, b, ids, c->now, c->dry_run, e) : b->pending;
	return due && n > 0 ? 0 : n;
}

static int64_t retry(struct db *db, const struct batch *b, const struct change *c,
		     struct id *batch, struct err *e)
{
	struct batch made CLEANUP(batch_release) = BATCH_INIT;
	const char *const *ids = c->chosen->custom_ids;

	if (ids && select_check_ids(db, b, ids, e) < 0)
		return -1;
	if (c->dry_run)
		return (c->fresh ? renew_count : select_retry_count)(db, b, c->chosen, e);
	if (!c->fresh)
		return select_retry(db, b, c->chosen, c->window_ms, e);
	if (ending_due(b, clock_wall_ms()) && ending_expire(db, b->id, e) < 0)
		return -1;
	int64_t n = renew_batch(db, b, c->chosen, c->window_ms, &made, e);
	if (n > 0)
		*batch = made.uuid;
	return n;
}

/* Has it ended, or would it before it is deleted? */
static bool is_over(const struct batch *b, bool dry_run)
{
	return batch_terminal(b->status) ||
	       (dry_run && b->processing == 0 && ending_due(b, clock_wall_ms()));
}

static int64_t delete(struct db *db, const struct batch *b, const struct change *c,
		      struct err *e)
{
	char id[BATCH_ID_BUF], count[NUM_BUF];

	batch_id_text(b->uuid, id);
	if (!is_over(b, c->dry_run)) {
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

/* 0: it is left alone. */
static int delete_if(struct db *db, const struct batch *b, const struct change *c, int64_t *n,
		     struct err *e)
{
	struct batch now CLEANUP(batch_release) = BATCH_INIT;

	if (c->older_than_ms && b->created_ms > clock_wall_ms() - c->older_than_ms)
		return 0;
	if (!c->dry_run && ending_due(b, clock_wall_ms())) {
		if (ending_expire(db, b->id, e) < 0 || batch_get(db, b->id, &now, e) < 0)
			return -1;
		b = &now;
	}
	if (c->every && !is_over(b, c->dry_run))
		return 0;
	*n = delete(db, b, c, e);
	return *n < 0 ? -1 : 1;
}

int change_batch(struct db *db, const struct batch *b, const struct change *c,
		 struct change_done *done, struct err *e)
{
	int64_t *n = &done->requests;

	done->batch = b->uuid;
	switch (c->what) {
	case CHANGE_RETRY:
		*n = retry(db, b, c, &done->batch, e);
		if (c->fresh && *n == 0)
			return 0; /* there is no new batch to be named */
		break;
	case CHANGE_CANCEL:
		*n = cancel(db, b, c, e);
		break;
	case CHANGE_DELETE:
		return delete_if(db, b, c, n, e);
	}
	return *n < 0 ? -1 : 1;
}
