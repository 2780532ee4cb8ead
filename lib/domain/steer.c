#include "domain/steer.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/num.h"
#include "base/safe.h"
#include "domain/event.h"
#include "domain/reach.h"
#include "store/tx.h"

enum { SHOWN = 100, FREED_SHOWN = 200 };

enum { Q_UNRETIRE, Q_TEXTS, Q_FIELDS, Q_CLAIMED };
static const char *const texts[] = {
	[Q_UNRETIRE] = "DELETE FROM retired_runs WHERE product = ?1 AND run_id = ?2",
	[Q_TEXTS] = "INSERT INTO product_texts (id, link, passback) VALUES (?1, ?2, ?3)"
		    " ON CONFLICT (id) DO UPDATE SET link = coalesce(?2, link),"
		    " passback = coalesce(?3, passback)"
		    " WHERE link IS NOT coalesce(?2, link) OR passback IS NOT coalesce(?3, passback)",
	[Q_FIELDS] = "UPDATE data_products SET run_id = ?2, modified_by = ?3, modified_us = ?4"
		     " WHERE id = ?1",
	[Q_CLAIMED] = "SELECT 1 FROM data_products WHERE dataset = ?1 AND state = 2 UNION ALL"
		      " SELECT 1 FROM data_products WHERE dataset = ?1 AND state = 1"
		      " AND worker IS NOT NULL LIMIT 1",
};
const struct stmt_set steer_sql = { "steer", texts, ARRAY_LEN(texts) };

void steer_release(struct steer *s)
{
	dataset_release(&s->ds);
	cascade_release(&s->c);
	str_release(&s->notes);
}

static int begin(struct steer *s, struct tx *tx, const char *dataset, const char *command,
		 struct err *e)
{
	steer_release(s);
	if (tx_begin(tx, s->db, e) < 0 || dataset_find(s->db, dataset, &s->ds, e) < 0)
		return -1;
	cascade_begin(&s->c, s->db, &s->ds, s->by, command);
	return 0;
}

static int end(struct steer *s, struct tx *tx, struct err *e)
{
	if (cascade_finish(&s->c, e) < 0)
		return -1;
	if (s->dry_run || !s->c.changed) {
		tx_end(tx);
		return 0;
	}
	return tx_commit(tx, e) < 0 || cascade_after(&s->c, e) < 0 ? -1 : 0;
}

static int locked(const char *name, struct err *e)
{
	err_set(e, ERR_STATE, "Data product is locked: '%s'", safe_show(span_of(name), SHOWN));
	return err_hint(e, "it is disabled; fletcher-plan enable brings it back");
}

/* --- update */

static int unretire(struct cascade *c, int64_t id, struct id run_id, struct err *e)
{
	STMT(q, c->db, &steer_sql, Q_UNRETIRE);
	stmt_int(&q, 1, id);
	stmt_blob(&q, 2, run_id.b, ID_BYTES);
	return stmt_run(&q, e) < 0 ? -1 : 0;
}

/* Only a product that nobody has started takes up a run that is not known. */
static int check_run(struct steer *s, const struct cascade_row *r, const struct states_item *i,
		     struct err *e)
{
	bool unstarted = r->state == STATE_WAITING || (r->state == STATE_QUEUED && !r->worker);
	char have[ID_UUID + 1], given[ID_UUID + 1];

	if (!i->has_run)
		return 0;
	int retired = cascade_retired(&s->c, r->id, i->run_id, e);
	if (retired < 0)
		return -1;
	if (s->force)
		return retired ? unretire(&s->c, r->id, i->run_id, e) : 0;
	const char *name = safe_show(span_of(i->product), SHOWN);
	if (retired) {
		err_set(e, ERR_STATE, "'%s': the run %s is over: the product was cleared or run again"
			" since", name, id_uuid(i->run_id, given));
		return err_hint(e, "--force stores the report all the same");
	}
	if (unstarted || !r->has_run || id_eq(r->run_id, i->run_id))
		return 0;
	err_set(e, ERR_STATE, "'%s': the current run is %s, not %s", name, id_uuid(r->run_id, have),
		id_uuid(i->run_id, given));
	return err_hint(e, "clear or retry begins another run; --force stores the report all the same");
}

/* link and passback: 1 if they are others now. */
static int store_texts(struct cascade *c, int64_t id, const struct states_item *i, struct err *e)
{
	if (!i->link && !i->passback)
		return 0;
	STMT(q, c->db, &steer_sql, Q_TEXTS);
	stmt_int(&q, 1, id);
	stmt_textz(&q, 2, i->link);
	stmt_textz(&q, 3, i->passback);
	int n = stmt_run(&q, e);
	return n < 0 ? -1 : n > 0;
}

/* The same state again: not a move, nothing downstream has to wait. */
static int store_fields(struct cascade *c, const struct cascade_row *r,
			const struct states_item *i, struct err *e)
{
	const struct id *run_id = i->has_run ? &i->run_id : r->has_run ? &r->run_id : NULL;
	int n = store_texts(c, r->id, i, e);

	if (n < 0 || (n == 0 && (!i->has_run || r->has_run)))
		return n < 0 ? -1 : 0;
	STMT(q, c->db, &steer_sql, Q_FIELDS);
	stmt_int(&q, 1, r->id);
	stmt_blob(&q, 2, run_id ? run_id->b : NULL, ID_BYTES);
	stmt_textz(&q, 3, c->by);
	stmt_int(&q, 4, c->now_us);
	c->changed = true;
	return stmt_run(&q, e) < 0 ||
	       event_add(c->db, c->ds, r->id, c->now_us, c->by, c->command, r->state, r->state,
			 run_id, e) < 0 ? -1 : 0;
}

/* 1: it moved, 0: it did not. */
static int report(struct steer *s, const struct cascade_row *r, const struct states_item *i,
		  struct err *e)
{
	bool same_run = !i->has_run || !r->has_run || id_eq(r->run_id, i->run_id);
	const struct cascade_to to = {
		.state = i->state, .run_id = i->has_run ? &i->run_id : NULL, .resume = r->resume,
		.worker = same_run && i->state == STATE_RUNNING && !r->remote ? r->worker : 0,
	};

	if (r->state == STATE_DISABLED)
		return locked(i->product, e);
	if (check_run(s, r, i, e) < 0)
		return -1;
	if (r->state == i->state && same_run && !s->force)
		return store_fields(&s->c, r, i, e) < 0 ? -1 : 0;
	if (cascade_move(&s->c, r, &to, e) < 0 || store_texts(&s->c, r->id, i, e) < 0)
		return -1;
	return 1;
}

int steer_update(struct steer *s, const char *dataset, const struct states *list, struct err *e)
{
	int64_t *ids CLEANUP(mem_cleanup) = mem_alloc((size_t)list->n * sizeof *ids);
	struct product p CLEANUP(product_release) = PRODUCT_INIT;
	struct cascade_row r;
	int n = 0;

	TX(tx);
	if (begin(s, &tx, dataset, "update", e) < 0)
		return -1;
	for (int i = 0; i < list->n; i++) {
		const struct states_item *v = &list->v[i];
		int rc = product_find(s->db, s->ds.id, v->product, &p, e) < 0 ||
			 cascade_row(&s->c, p.id, &r, e) < 0 ? -1 : report(s, &r, v, e);
		if (rc < 0)
			return v->place[0] ? err_wrap(e, "%s", v->place) : -1;
		if (rc > 0)
			ids[n++] = p.id;
	}
	if (cascade_below(&s->c, ids, n, e) < 0 || cascade_trigger(&s->c, e) < 0)
		return -1;
	return end(s, &tx, e);
}

/* Is it the run that the product has now? */
static int is_current(struct steer *s, const struct cascade_row *r, struct id run_id,
		      struct err *e)
{
	if (!state_active(r->state) || !r->has_run || !id_eq(r->run_id, run_id))
		return 0;
	int retired = cascade_retired(&s->c, r->id, run_id, e);
	return retired < 0 ? -1 : !retired;
}

int steer_report(struct steer *s, int64_t product, const struct states_item *i, struct err *e)
{
	struct cascade_row r;

	TX(tx);
	steer_release(s);
	if (tx_begin(&tx, s->db, e) < 0)
		return -1;
	int rc = dataset_get(s->db, product >> 32, &s->ds, e);
	if (rc <= 0)
		return rc;
	cascade_begin(&s->c, s->db, &s->ds, s->by, "run");
	rc = cascade_row(&s->c, product, &r, e);
	if (rc <= 0 || (rc = is_current(s, &r, i->run_id, e)) <= 0)
		return rc;
	if (r.remote && r.state != STATE_QUEUED) /* the platform's own word counts */
		return 0;
	rc = report(s, &r, i, e);
	if (rc < 0 || cascade_below(&s->c, &product, rc, e) < 0 || cascade_trigger(&s->c, e) < 0)
		return -1;
	return end(s, &tx, e) < 0 ? -1 : 1;
}

/* --- the others */

/* What a verb does to one product. */
typedef int one_fn(struct steer *s, const struct cascade_row *r, const char *name,
		   struct err *e);

static int each_chosen(struct steer *s, const struct chosen *c, one_fn *fn, struct err *e)
{
	struct cascade_row r;

	for (int i = 0; i < c->n; i++)
		if (cascade_row(&s->c, c->ids[i], &r, e) < 0 || fn(s, &r, c->names[i], e) < 0)
			return -1;
	return 0;
}

static int clear_one(struct steer *s, const struct cascade_row *r, const char *name,
		     struct err *e)
{
	const struct cascade_to waiting = { .state = STATE_WAITING };

	if (r->state == STATE_DISABLED)
		return locked(name, e);
	return r->state == STATE_WAITING ? 0 : cascade_move(&s->c, r, &waiting, e);
}

int steer_clear(struct steer *s, const char *dataset, const struct chosen_which *w,
		struct err *e)
{
	struct chosen c CLEANUP(chosen_release) = CHOSEN_INIT;
	char resent[NUM_BUF], lost[NUM_BUF];
	int64_t requests, completed;

	TX(tx);
	if (begin(s, &tx, dataset, "clear", e) < 0 || chosen_read(s->db, s->ds.id, w, &c, e) < 0 ||
	    each_chosen(s, &c, clear_one, e) < 0 || cascade_below(&s->c, c.ids, c.n, e) < 0 ||
	    cascade_dropped(&s->c, &requests, &completed, e) < 0 || cascade_trigger(&s->c, e) < 0)
		return -1;
	num_count(requests, resent);
	if (completed > 0 && !s->force) {
		err_set(e, ERR_STATE, "clear resends %s requests, and %s of them are completed", resent,
			num_count(completed, lost));
		return err_hint(e, "--force does it; fletcher-plan retry sends only what failed");
	}
	if (requests > 0)
		str_addf(&s->notes, "resends %s requests\n", resent);
	return end(s, &tx, e);
}

static int retry_one(struct steer *s, const struct cascade_row *r, const char *name,
		     struct err *e)
{
	/* What told a platform of a run tells nothing of another one. */
	bool has_batch = r->batch > 0 && r->resume != PRODUCT_AFRESH && !r->remote;
	struct id run_id = id_random();
	const struct cascade_to queued = { .state = STATE_QUEUED, .run_id = &run_id,
					   .resume = has_batch ? PRODUCT_RETRIES : PRODUCT_AFRESH };

	if (r->state == STATE_DISABLED)
		return locked(name, e);
	if (r->state != STATE_SUCCESS && r->state != STATE_FAILED)
		return err_set(e, ERR_STATE, "'%s' is %s: there is nothing to retry",
			       safe_show(span_of(name), SHOWN), state_text(r->state));
	return r->parents_left > 0 ? clear_one(s, r, name, e) : cascade_move(&s->c, r, &queued, e);
}

int steer_retry(struct steer *s, const char *dataset, const struct chosen_which *w,
		struct err *e)
{
	struct chosen c CLEANUP(chosen_release) = CHOSEN_INIT;

	TX(tx);
	if (begin(s, &tx, dataset, "retry", e) < 0 || chosen_read(s->db, s->ds.id, w, &c, e) < 0 ||
	    each_chosen(s, &c, retry_one, e) < 0 || cascade_below(&s->c, c.ids, c.n, e) < 0 ||
	    cascade_trigger(&s->c, e) < 0)
		return -1;
	return end(s, &tx, e);
}

static int free_child(void *ctx, const struct product *p, struct err *e)
{
	struct str *notes = ctx;

	(void)e;
	if (p->state != STATE_WAITING || p->parents_left > 0 || notes->n > FREED_SHOWN)
		return 0;
	str_addz(notes, notes->n > 0 ? ", " : "warning: what is disabled holds these back no longer: ");
	safe_text(notes, span_of(p->name));
	if (notes->n > FREED_SHOWN)
		str_addz(notes, ", …");
	return 0;
}

static int disable_one(struct steer *s, const struct cascade_row *r, const char *name,
		       struct err *e)
{
	const struct cascade_to disabled = { .state = STATE_DISABLED };

	if (r->state == STATE_DISABLED)
		return locked(name, e);
	if (cascade_move(&s->c, r, &disabled, e) < 0)
		return -1;
	return state_blocks(r->state) ? product_each_child(s->db, r->id, free_child, &s->notes, e) : 0;
}

int steer_disable(struct steer *s, const char *dataset, const struct chosen_which *w,
		  struct err *e)
{
	struct chosen c CLEANUP(chosen_release) = CHOSEN_INIT;

	TX(tx);
	if (begin(s, &tx, dataset, "disable", e) < 0 || chosen_read(s->db, s->ds.id, w, &c, e) < 0 ||
	    each_chosen(s, &c, disable_one, e) < 0 || cascade_trigger(&s->c, e) < 0)
		return -1;
	if (s->notes.n > 0)
		str_addc(&s->notes, '\n');
	return end(s, &tx, e);
}

static int enable_one(struct steer *s, const struct cascade_row *r, const char *name,
		      struct err *e)
{
	const struct cascade_to waiting = { .state = STATE_WAITING };

	(void)name;
	return r->state != STATE_DISABLED ? 0 : cascade_move(&s->c, r, &waiting, e);
}

int steer_enable(struct steer *s, const char *dataset, const struct chosen_which *w,
		 struct err *e)
{
	struct chosen c CLEANUP(chosen_release) = CHOSEN_INIT;

	TX(tx);
	if (begin(s, &tx, dataset, "enable", e) < 0 || chosen_read(s->db, s->ds.id, w, &c, e) < 0 ||
	    each_chosen(s, &c, enable_one, e) < 0 ||
	    (s->c.n_moved > 0 && reach_check(s->db, c.ids, c.n, e) < 0) ||
	    cascade_trigger(&s->c, e) < 0)
		return -1;
	return end(s, &tx, e);
}

static int trigger_one(struct steer *s, const struct cascade_row *r, const char *name,
		       struct err *e)
{
	const struct cascade_to queued = { .state = STATE_QUEUED, .resume = r->resume };
	const char *shown = safe_show(span_of(name), SHOWN);
	bool ended = r->state == STATE_SUCCESS || r->state == STATE_FAILED;

	if (r->state == STATE_DISABLED)
		return locked(name, e);
	if (ended) {
		err_set(e, ERR_STATE, "'%s' is %s already", shown, state_text(r->state));
		return err_hint(e, "fletcher-plan %s runs it again",
				r->state == STATE_FAILED ? "retry" : "clear");
	}
	if (r->state == STATE_WAITING && r->parents_left > 0) {
		err_set(e, ERR_STATE, "'%s' waits for %lld of its parents", shown,
			(long long)r->parents_left);
		return err_hint(e, "fletcher-plan why names them");
	}
	return r->state == STATE_WAITING ? cascade_move(&s->c, r, &queued, e) : 0;
}

int steer_trigger(struct steer *s, const char *dataset, const struct chosen_which *w,
		  struct err *e)
{
	struct chosen c CLEANUP(chosen_release) = CHOSEN_INIT;

	TX(tx);
	if (begin(s, &tx, dataset, "trigger", e) < 0 || chosen_read(s->db, s->ds.id, w, &c, e) < 0 ||
	    each_chosen(s, &c, trigger_one, e) < 0 || cascade_trigger(&s->c, e) < 0)
		return -1;
	return end(s, &tx, e);
}

int steer_run(struct steer *s, const char *verb, const char *dataset,
	      const struct chosen_which *w, struct err *e)
{
	static const struct {
		const char *name;
		int (*run)(struct steer *, const char *, const struct chosen_which *, struct err *);
	} verbs[] = {
		{ "clear", steer_clear }, { "retry", steer_retry }, { "disable", steer_disable },
		{ "enable", steer_enable }, { "trigger", steer_trigger },
	};

	for (size_t i = 0; i < ARRAY_LEN(verbs); i++)
		if (strcmp(verbs[i].name, verb) == 0)
			return verbs[i].run(s, dataset, w, e);
	BUG("no verb '%s'", verb);
}

int steer_pause(struct steer *s, const char *dataset, bool paused, struct err *e)
{
	TX(tx);
	if (begin(s, &tx, dataset, paused ? "pause" : "unpause", e) < 0)
		return -1;
	if (s->ds.paused == paused)
		return 0;
	s->ds.paused = paused;
	free(s->ds.modified_by);
	s->ds.modified_by = mem_strdup(s->by);
	s->ds.modified_us = s->c.now_us;
	s->c.changed = true;
	if (event_add(s->db, &s->ds, 0, s->c.now_us, s->by, s->c.command,
		      paused ? EVENT_ACTIVE : EVENT_PAUSED, paused ? EVENT_PAUSED : EVENT_ACTIVE,
		      NULL, e) < 0 ||
	    cascade_trigger(&s->c, e) < 0)
		return -1;
	return end(s, &tx, e) < 0 ? -1 : 1;
}

/* 1: a product of it runs, or a worker is about to run it. */
static int is_busy(struct steer *s, struct err *e)
{
	STMT(q, s->db, &steer_sql, Q_CLAIMED);
	stmt_int(&q, 1, s->ds.id);
	return stmt_step(&q, e);
}

int steer_delete(struct steer *s, const char *dataset, int64_t older_than_ms, struct err *e)
{
	char label[DATASET_LABEL_BUF], count[NUM_BUF];

	TX(tx);
	if (begin(s, &tx, dataset, "delete", e) < 0)
		return -1;
	if (older_than_ms > 0 && s->ds.active_us > clock_wall_us() - older_than_ms * 1000)
		return 0;
	const char *name = safe_show(span_of(dataset_label(&s->ds, label)), SHOWN);
	int busy = is_busy(s, e);
	if (busy < 0)
		return -1;
	if (busy) {
		err_set(e, ERR_STATE, "'%s' has data products that are running", name);
		return err_hint(e, "fletcher-plan disable takes them out; then delete it");
	}
	if (s->ds.count[STATE_SUCCESS] > 0 && !s->force) {
		err_set(e, ERR_STATE, "'%s' has data products that are success (%s), which would be "
			"forgotten", name, num_count(s->ds.count[STATE_SUCCESS], count));
		return err_hint(e, "--force deletes it all the same; their batches stay");
	}
	if (s->dry_run)
		return 1;
	return dataset_delete(s->db, s->ds.id, e) < 0 || tx_commit(&tx, e) < 0 ? -1 : 1;
}
