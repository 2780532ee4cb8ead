#include "domain/cascade.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "domain/ending.h"
#include "domain/event.h"

#define ROW "SELECT p.id, p.state, p.parents_left, p.run_id, p.worker, p.batch, p.resume," \
	" p.compute = 'cams' OR p.compute = 'dbxaas'"

enum {
	Q_ROW, Q_CHILDREN, Q_READY, Q_MOVE, Q_RETIRED, Q_RETIRE, Q_ALL_CHILDREN, Q_PARENTS, Q_NAME,
	Q_BATCH,
};
static const char *const texts[] = {
	[Q_ROW] = ROW " FROM data_products p WHERE p.id = ?1",
	[Q_CHILDREN] = ROW " FROM dependencies d JOIN data_products p ON p.id = d.child"
		       " WHERE d.parent = ?1 AND p.state <> 5 AND (?2 OR p.state <> 0)",
	[Q_READY] = ROW " FROM data_products p WHERE p.dataset = ?1 AND p.eager = 1 AND p.state = 0"
		    " AND p.parents_left = 0 ORDER BY p.id",
	[Q_MOVE] = "UPDATE data_products SET state = ?2, run_id = ?3, worker = ?4, resume = ?5,"
		   " held = NULL, since_us = ?6, modified_by = ?7, modified_us = ?6 WHERE id = ?1",
	[Q_RETIRED] = "SELECT 1 FROM retired_runs WHERE product = ?1 AND run_id = ?2",
	[Q_RETIRE] = "INSERT OR IGNORE INTO retired_runs (product, run_id) VALUES (?1, ?2)",
	[Q_ALL_CHILDREN] = ROW " FROM dependencies d JOIN data_products p ON p.id = d.child"
			   " WHERE d.parent = ?1",
	[Q_PARENTS] = "UPDATE data_products SET parents_left = parents_left + ?2 WHERE id = ?1",
	[Q_NAME] = "SELECT uuid, name FROM data_products WHERE id = ?1",
	[Q_BATCH] = "SELECT total, completed FROM batches WHERE id = ?1",
};
const struct stmt_set cascade_sql = { "cascade", texts, ARRAY_LEN(texts) };

void cascade_release(struct cascade *c)
{
	for (int i = 0; i < c->n_moved; i++)
		free(c->moved[i].name);
	free(c->moved);
	free(c->places);
	free(c->batches);
	*c = (struct cascade)CASCADE_INIT;
}

void cascade_begin(struct cascade *c, struct db *db, struct dataset *ds, const char *by,
		   const char *command)
{
	*c = (struct cascade){ .db = db, .ds = ds, .now_us = clock_wall_us(), .by = by,
			       .command = command, .ahead = ds->ahead };
	/* A clock that was set back must not put this before what it follows. */
	if (c->now_us <= ds->active_us)
		c->now_us = ds->active_us + (ds->active_us > 0);
}

static void read_row(struct stmt *q, struct cascade_row *r)
{
	struct span run = stmt_col(q, 3);

	*r = (struct cascade_row){
		.id = stmt_col_int(q, 0), .state = (enum state)stmt_col_int(q, 1),
		.parents_left = stmt_col_int(q, 2), .has_run = run.n == ID_BYTES,
		.worker = stmt_col_int(q, 4), .batch = stmt_col_int(q, 5),
		.resume = (enum product_resume)stmt_col_int(q, 6),
		.remote = stmt_col_int(q, 7) != 0,
	};
	if (r->has_run)
		memcpy(r->run_id.b, run.p, ID_BYTES);
}

int cascade_row(struct cascade *c, int64_t id, struct cascade_row *out, struct err *e)
{
	STMT(q, c->db, &cascade_sql, Q_ROW);
	stmt_int(&q, 1, id);
	int rc = stmt_step(&q, e);
	if (rc > 0)
		read_row(&q, out);
	return rc;
}

int cascade_retired(struct cascade *c, int64_t id, struct id run_id, struct err *e)
{
	STMT(q, c->db, &cascade_sql, Q_RETIRED);
	stmt_int(&q, 1, id);
	stmt_blob(&q, 2, run_id.b, ID_BYTES);
	return stmt_step(&q, e);
}

struct rows {
	struct cascade_row *v;
	size_t n, cap;
};

static void rows_release(struct rows *r)
{
	free(r->v);
}

static int read_rows(struct stmt *q, struct rows *out, struct err *e)
{
	int rc;

	for (out->n = 0; (rc = stmt_step(q, e)) > 0; out->n++) {
		if (out->n == out->cap) {
			out->v = mem_room(out->v, out->cap, sizeof *out->v);
			out->cap = out->cap ? out->cap * 2 : 1;
		}
		read_row(q, &out->v[out->n]);
	}
	return rc;
}

static int read_children(struct cascade *c, int64_t id, bool all, struct rows *out,
			 struct err *e)
{
	STMT(q, c->db, &cascade_sql, Q_CHILDREN);
	stmt_int(&q, 1, id);
	stmt_int(&q, 2, all);
	return read_rows(&q, out, e);
}

/* Zeroed pages cost nothing until they are touched: a command that moves a few
 * products of many touches a few. */
static void remember_place(struct cascade *c, int64_t number)
{
	if (number >= c->n_places) {
		int64_t n = c->ds->products * 2 + 64;
		uint32_t *places = mem_alloc((size_t)n * sizeof *places);
		if (c->n_places > 0)
			memcpy(places, c->places, (size_t)c->n_places * sizeof *places);
		free(c->places);
		c->places = places;
		c->n_places = n;
	}
	c->places[number] = (uint32_t)c->n_moved;
}

static void remember(struct cascade *c, int64_t id, enum state old, enum state new)
{
	int64_t number = id & UINT32_MAX;
	uint32_t place = number < c->n_places ? c->places[number] : 0;

	if (place) {
		c->moved[place - 1].new = new;
		return;
	}
	c->moved = mem_room(c->moved, (size_t)c->n_moved, sizeof *c->moved);
	c->moved[c->n_moved++] = (struct cascade_moved){ .id = id, .old = old, .new = new };
	remember_place(c, number);
}

static bool is_ahead(enum state s, int64_t parents_left)
{
	return state_active(s) && parents_left > 0;
}

static int add_parents(struct cascade *c, const struct cascade_row *r, int64_t more,
		       struct err *e)
{
	c->ds->ahead += is_ahead(r->state, r->parents_left + more) -
			is_ahead(r->state, r->parents_left);
	STMT(q, c->db, &cascade_sql, Q_PARENTS);
	stmt_int(&q, 1, r->id);
	stmt_int(&q, 2, more);
	return stmt_run(&q, e) < 0 ? -1 : 0;
}

/* The product begins (1) or ceases (-1) to hold back its children.  One by one:
 * UPDATE ... WHERE id IN (SELECT ...) would make a table each time. */
static int adjust(struct cascade *c, int64_t id, int by, struct err *e)
{
	struct rows children CLEANUP(rows_release) = { 0 };

	STMT(q, c->db, &cascade_sql, Q_ALL_CHILDREN);
	stmt_int(&q, 1, id);
	if (read_rows(&q, &children, e) < 0)
		return -1;
	for (size_t i = 0; i < children.n; i++)
		if (add_parents(c, &children.v[i], by, e) < 0)
			return -1;
	return 0;
}

static int retire(struct cascade *c, const struct cascade_row *r, struct err *e)
{
	STMT(q, c->db, &cascade_sql, Q_RETIRE);
	stmt_int(&q, 1, r->id);
	stmt_blob(&q, 2, r->run_id.b, ID_BYTES);
	return stmt_run(&q, e) < 0 ? -1 : 0;
}

static void drop_batch(struct cascade *c, const struct cascade_row *r, bool over)
{
	bool flies = r->state == STATE_QUEUED || r->state == STATE_RUNNING;

	c->batches = mem_resize(c->batches, (size_t)c->n_batches + 1, sizeof *c->batches);
	c->batches[c->n_batches++] = (struct cascade_batch){
		.id = r->batch, .cancel = flies && r->resume == PRODUCT_GOES_ON, .now = over,
		.again = over && !r->remote,
	};
}

/* Has the platform got it, whatever became of our request? */
static bool is_handed(const struct cascade_row *r, enum state to)
{
	return r->remote && r->state == STATE_QUEUED && to != STATE_QUEUED;
}

static int store(struct cascade *c, const struct cascade_row *r, const struct cascade_to *to,
		 const struct id *run_id, struct err *e)
{
	STMT(q, c->db, &cascade_sql, Q_MOVE);
	stmt_int(&q, 1, r->id);
	stmt_int(&q, 2, to->state);
	stmt_blob(&q, 3, run_id ? run_id->b : NULL, ID_BYTES);
	if (to->worker)
		stmt_int(&q, 4, to->worker);
	else
		stmt_null(&q, 4);
	stmt_int(&q, 5, to->resume);
	stmt_int(&q, 6, c->now_us);
	stmt_textz(&q, 7, c->by);
	return stmt_run(&q, e) < 0 ? -1 : 0;
}

int cascade_move(struct cascade *c, const struct cascade_row *r, const struct cascade_to *to,
		 struct err *e)
{
	bool blocked = state_blocks(r->state), blocks = state_blocks(to->state);
	const struct id *run_id = to->run_id ? to->run_id : r->has_run ? &r->run_id : NULL;
	bool over = to->retire || !state_active(to->state) ||
		    (r->has_run && !id_eq(*run_id, r->run_id));

	if (blocked != blocks && adjust(c, r->id, blocks ? 1 : -1, e) < 0)
		return -1;
	c->ds->ahead += is_ahead(to->state, r->parents_left) - is_ahead(r->state, r->parents_left);
	c->ds->count[r->state]--;
	c->ds->count[to->state]++;
	c->changed = true;
	if (over && r->has_run && retire(c, r, e) < 0)
		return -1;
	if (r->batch > 0 && r->resume != PRODUCT_AFRESH &&
	    (!state_active(to->state) || is_handed(r, to->state)))
		drop_batch(c, r, !state_active(to->state));
	if (store(c, r, to, run_id, e) < 0 ||
	    event_add(c->db, c->ds, r->id, c->now_us, c->by, c->command, r->state, to->state,
		      run_id, e) < 0)
		return -1;
	remember(c, r->id, r->state, to->state);
	return 0;
}

int cascade_added(struct cascade *c, int64_t id, struct id uuid, struct span name, struct err *e)
{
	c->ds->count[STATE_WAITING]++;
	c->changed = true;
	remember(c, id, STATE_NONE, STATE_WAITING);
	c->moved[c->n_moved - 1].uuid = uuid;
	c->moved[c->n_moved - 1].name = mem_copy(name.p, name.n);
	return event_add(c->db, c->ds, id, c->now_us, c->by, c->command, STATE_NONE,
			 STATE_WAITING, NULL, e);
}

int cascade_parents(struct cascade *c, int64_t id, int64_t more, struct err *e)
{
	struct cascade_row r;
	int rc = cascade_row(c, id, &r, e);

	if (rc <= 0 || more == 0)
		return rc < 0 ? -1 : 0;
	c->changed = true;
	return add_parents(c, &r, more, e);
}

/* While nothing is ahead, all that is downstream of a product which is no
 * success waits: the children of a waiting product need not be looked at.  That
 * holds after the command's own moves as well unless one of them is ahead. */
static int look_everywhere(struct cascade *c, const int64_t *ids, int n, struct err *e)
{
	struct cascade_row r;

	if (c->ahead > 0)
		return 1;
	for (int i = 0; i < n && c->ds->ahead > 0; i++) {
		int rc = cascade_row(c, ids[i], &r, e);
		if (rc < 0 || (rc > 0 && is_ahead(r.state, r.parents_left)))
			return rc;
	}
	return 0;
}

struct walk {
	int64_t *ids;
	size_t n;
	uint8_t *seen; /* a bit per number: its children are in ids, or were */
};

static void walk_release(struct walk *w)
{
	free(w->ids);
	free(w->seen);
}

static void walk_add(struct walk *w, int64_t id)
{
	size_t number = (size_t)(id & UINT32_MAX);

	if (w->seen[number / 8] >> number % 8 & 1)
		return;
	w->seen[number / 8] |= (uint8_t)(1u << number % 8);
	w->ids = mem_room(w->ids, w->n, sizeof *w->ids);
	w->ids[w->n++] = id;
}

int cascade_below(struct cascade *c, const int64_t *ids, int n, struct err *e)
{
	static const struct cascade_to waiting = { .state = STATE_WAITING };
	struct walk w CLEANUP(walk_release) = { 0 };
	struct rows children CLEANUP(rows_release) = { 0 };
	int all = look_everywhere(c, ids, n, e);

	if (all < 0)
		return -1;
	w.seen = mem_alloc((size_t)c->ds->products / 8 + 1);
	for (int i = 0; i < n; i++)
		walk_add(&w, ids[i]);
	for (size_t at = 0; at < w.n; at++) {
		if (read_children(c, w.ids[at], all, &children, e) < 0)
			return -1;
		for (size_t i = 0; i < children.n; i++) {
			/* Once more: one of them may be the parent of another. */
			struct cascade_row r = children.v[i];
			if (r.state != STATE_WAITING && (cascade_row(c, r.id, &r, e) < 0 ||
							 cascade_move(c, &r, &waiting, e) < 0))
				return -1;
			walk_add(&w, r.id);
		}
	}
	return 0;
}

int cascade_trigger(struct cascade *c, struct err *e)
{
	struct rows ready CLEANUP(rows_release) = { 0 };

	if (c->ds->paused)
		return 0;
	STMT(q, c->db, &cascade_sql, Q_READY);
	stmt_int(&q, 1, c->ds->id);
	if (read_rows(&q, &ready, e) < 0)
		return -1;
	stmt_end(&q);
	for (size_t i = 0; i < ready.n; i++) {
		const struct cascade_to queued = { .state = STATE_QUEUED, .resume = ready.v[i].resume };
		if (cascade_move(c, &ready.v[i], &queued, e) < 0)
			return -1;
	}
	return 0;
}

int cascade_dropped(struct cascade *c, int64_t *requests, int64_t *completed, struct err *e)
{
	*requests = *completed = 0;
	STMT(q, c->db, &cascade_sql, Q_BATCH);
	for (int i = 0; i < c->n_batches; i++) {
		if (!c->batches[i].again)
			continue;
		stmt_again(&q);
		stmt_int(&q, 1, c->batches[i].id);
		int rc = stmt_step(&q, e);
		if (rc < 0)
			return -1;
		*requests += rc ? stmt_col_int(&q, 0) : 0;
		*completed += rc ? stmt_col_int(&q, 1) : 0;
	}
	return 0;
}

static int read_names(struct cascade *c, struct err *e)
{
	STMT(q, c->db, &cascade_sql, Q_NAME);
	for (int i = 0; i < c->n_moved; i++) {
		if (c->moved[i].name)
			continue;
		stmt_again(&q);
		stmt_int(&q, 1, c->moved[i].id);
		if (stmt_step(&q, e) < 0)
			return -1;
		struct span uuid = stmt_col(&q, 0), name = stmt_col(&q, 1);
		if (uuid.n == ID_BYTES)
			memcpy(c->moved[i].uuid.b, uuid.p, ID_BYTES);
		c->moved[i].name = mem_copy(name.p, name.n);
	}
	return 0;
}

int cascade_finish(struct cascade *c, struct err *e)
{
	if (!c->changed)
		return 0;
	c->ds->active_us = c->now_us;
	if (read_names(c, e) < 0 || dataset_save(c->db, c->ds, e) < 0)
		return -1;
	for (int i = 0; i < c->n_batches; i++)
		if (c->batches[i].cancel &&
		    ending_start(c->db, c->batches[i].id, c->batches[i].now, c->now_us / 1000, e) < 0)
			return -1;
	return 0;
}

int cascade_after(struct cascade *c, struct err *e)
{
	for (int i = 0; i < c->n_batches; i++)
		if (c->batches[i].cancel &&
		    ending_cancel(c->db, c->batches[i].id, c->batches[i].now, e) < 0)
			return -1;
	return 0;
}
