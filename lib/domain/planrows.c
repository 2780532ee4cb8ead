#include "domain/planrows.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/num.h"
#include "domain/event.h"
#include "domain/search.h"

static void put_uuid(struct row *out, bool known, struct id v)
{
	char text[ID_UUID + 1];

	row_textz(out, known ? id_uuid(v, text) : NULL);
}

static void put_progress(struct row *out, bool known, int64_t done, int64_t total)
{
	char text[64];

	snprintf(text, sizeof text, "%lld/%lld", (long long)done, (long long)total);
	row_textz(out, known ? text : NULL);
}

int planrows_moved(const struct planrows *p, const struct cascade *c, struct err *e)
{
	struct row r CLEANUP(row_release) = ROW_INIT;

	for (int i = 0; i < c->n_moved; i++) {
		const struct cascade_moved *m = &c->moved[i];
		row_reset(&r);
		row_textz(&r, m->name);
		row_textz(&r, state_text(m->old));
		row_textz(&r, state_text(m->new));
		if (p->form == PLANROWS_JSON)
			put_uuid(&r, true, m->uuid);
		if (p->put(p->ctx, &r, e) < 0)
			return -1;
	}
	return 0;
}

static void dataset_for_people(const struct dataset *d, enum planrows_form form, struct row *out)
{
	char age[NUM_BUF];

	put_progress(out, true, d->count[STATE_SUCCESS], dataset_live(d));
	if (form == PLANROWS_TABLE)
		row_textz(out, num_duration_text((clock_wall_us() - d->active_us) / 1000000 * 1000, age));
	else
		row_time(out, d->active_us / 1000);
	row_textz(out, d->paused ? "paused" : NULL);
	put_uuid(out, true, d->uuid);
}

static void dataset_for_programs(const struct dataset *d, const char *extra, struct row *out)
{
	row_int(out, d->count[STATE_SUCCESS]);
	row_int(out, dataset_live(d));
	row_int(out, d->count[STATE_FAILED]);
	row_time(out, d->active_us / 1000);
	row_textz(out, d->paused ? "true" : "false");
	put_uuid(out, true, d->uuid);
	row_textz(out, extra);
}

static int put_dataset(void *ctx, const struct dataset *d, struct err *e)
{
	const struct planrows *p = ctx;
	struct dataset_texts t CLEANUP(dataset_texts_release) = { 0 };
	struct row r CLEANUP(row_release) = ROW_INIT;

	row_textz(&r, d->name);
	row_textz(&r, state_text(dataset_worst(d)));
	if (p->form != PLANROWS_JSON)
		dataset_for_people(d, p->form, &r);
	else if (dataset_texts(p->db, d->id, &t, e) < 0)
		return -1;
	else
		dataset_for_programs(d, t.extra, &r);
	return p->put(p->ctx, &r, e);
}

int planrows_list(const struct planrows *p, const char *text, int64_t page, bool *more,
		  struct err *e)
{
	return search_page(p->db, text, page, put_dataset, (void *)p, more, e);
}

int planrows_show(const struct planrows *p, const struct overview *o, struct err *e)
{
	struct row r CLEANUP(row_release) = ROW_INIT;
	char label[DATASET_LABEL_BUF];

	for (size_t i = 0; i < o->n; i++) {
		const struct overview_row *v = &o->rows[i];
		row_reset(&r);
		row_textz(&r, v->p.name);
		row_textz(&r, state_text(v->p.state));
		put_progress(&r, v->has_batch, v->done, v->total);
		row_int_if(&r, v->has_batch, v->failed);
		row_time(&r, v->p.since_us / 1000);
		row_textz(&r, v->why);
		if (p->form != PLANROWS_TABLE)
			row_textz(&r, dataset_label(&o->d, label));
		if (p->put(p->ctx, &r, e) < 0)
			return -1;
	}
	return 0;
}

int planrows_why(const struct planrows *p, const char *dataset, const char *const *products,
		 struct err *e)
{
	struct overview o CLEANUP(overview_release) = OVERVIEW_INIT;
	struct row r CLEANUP(row_release) = ROW_INIT;

	if (overview_read(p->db, dataset, products, &o, e) < 0)
		return -1;
	for (size_t i = 0; i < o.n; i++) {
		const struct overview_row *v = &o.rows[i];
		if (!products && !v->why)
			continue;
		row_reset(&r);
		row_textz(&r, v->p.name);
		row_textz(&r, state_text(v->p.state));
		row_textz(&r, v->why);
		if (p->put(p->ctx, &r, e) < 0)
			return -1;
	}
	return 0;
}

static int put_ready(void *ctx, const struct product *v, struct err *e)
{
	const struct planrows *p = ctx;
	struct product_texts t CLEANUP(product_texts_release) = { 0 };
	struct dataset d CLEANUP(dataset_release) = DATASET_INIT;
	struct row r CLEANUP(row_release) = ROW_INIT;
	char label[DATASET_LABEL_BUF];

	if (dataset_get(p->db, v->dataset, &d, e) < 0 ||
	    (p->form == PLANROWS_JSON && product_texts(p->db, v->id, &t, e) < 0))
		return -1;
	row_textz(&r, dataset_label(&d, label));
	row_textz(&r, v->name);
	row_textz(&r, state_text(v->state));
	row_textz(&r, v->compute);
	row_textz(&r, v->version);
	put_uuid(&r, true, v->uuid);
	put_uuid(&r, true, d.uuid);
	if (p->form == PLANROWS_JSON)
		row_textz(&r, t.passthrough);
	return p->put(p->ctx, &r, e);
}

int planrows_ready(const struct planrows *p, const char *dataset, struct err *e)
{
	struct dataset d CLEANUP(dataset_release) = DATASET_INIT;

	if (dataset && dataset_find(p->db, dataset, &d, e) < 0)
		return -1;
	return product_each_ready(p->db, d.id, put_ready, (void *)p, e);
}

static int put_event(void *ctx, const struct event *v, struct err *e)
{
	const struct planrows *p = ctx;
	struct row r CLEANUP(row_release) = ROW_INIT;

	row_time(&r, v->at_us / 1000);
	row_textz(&r, v->user);
	row_textz(&r, v->command);
	row_textz(&r, v->product);
	row_textz(&r, v->old);
	row_textz(&r, v->new);
	put_uuid(&r, v->has_run, v->run_id);
	return p->put(p->ctx, &r, e);
}

int planrows_history(const struct planrows *p, const char *dataset, const char *product,
		     struct err *e)
{
	struct dataset d CLEANUP(dataset_release) = DATASET_INIT;
	struct product v CLEANUP(product_release) = PRODUCT_INIT;

	if (dataset_find(p->db, dataset, &d, e) < 0 ||
	    (product && product_find(p->db, d.id, product, &v, e) < 0))
		return -1;
	return event_each(p->db, d.id, v.id, put_event, (void *)p, e);
}
