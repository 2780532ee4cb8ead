#include "domain/lease.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/user.h"
#include "domain/steer.h"
#include "store/side.h"
#include "store/tx.h"

enum { HELD_MAX = 400 };

/* A remote product whose run was told to its platform, or is about to be. */
#define TOLD "(p.state = 1 AND p.resume = 1 AND (p.compute = 'cams' OR p.compute = 'dbxaas'))"

enum { Q_NEXT, Q_CLAIMS, Q_ADOPT, Q_HOLD };
static const char *const texts[] = {
	[Q_NEXT] = "SELECT p.id FROM data_products p INDEXED BY data_products_queued"
		   " JOIN datasets d ON d.id = p.dataset WHERE p.compute = ?1 AND p.state = 1"
		   " AND p.worker IS NULL AND p.id > ?2 AND p.id < ?3 AND (?4 IS NULL OR d.user = ?4)"
		   " ORDER BY p.id LIMIT 1",
	/* A slot that was taken again has an older row whose process is gone. */
	[Q_CLAIMS] = "SELECT p.id, p.run_id, w.slot, w.ended_ms IS NOT NULL OR EXISTS (SELECT 1"
		     " FROM workers n WHERE n.slot = w.slot AND n.ended_ms IS NULL AND n.id > w.id),"
		     " p.worker FROM data_products p JOIN datasets d ON d.id = p.dataset"
		     " LEFT JOIN workers w ON w.id = p.worker WHERE p.worker > 0 AND " TOLD " = ?1"
		     " AND p.id > ?2 AND p.id < ?3 AND (?4 IS NULL OR d.user = ?4)"
		     " ORDER BY p.worker, p.id",
	[Q_ADOPT] = "UPDATE data_products AS p SET worker = ?2 WHERE id = ?1 AND worker = ?3 AND " TOLD,
	[Q_HOLD] = "UPDATE data_products SET held = ?2 WHERE id = ?1 AND state = 1"
		   " AND worker IS NULL AND held IS NOT ?2",
};
const struct stmt_set lease_sql = { "lease", texts, ARRAY_LEN(texts) };

/* The first row behind all of a dataset; 0: of any. */
static int64_t end_of(int64_t dataset)
{
	return dataset ? (dataset + 1) << 32 : INT64_MAX;
}

static int64_t next_row(struct db *db, const char *user, const char *compute, int64_t dataset,
			int64_t after, struct err *e)
{
	int64_t low = dataset << 32 > after ? dataset << 32 : after;

	STMT(q, db, &lease_sql, Q_NEXT);
	stmt_textz(&q, 1, compute);
	stmt_int(&q, 2, low);
	stmt_int(&q, 3, end_of(dataset));
	stmt_textz(&q, 4, user);
	int rc = stmt_step(&q, e);
	return rc <= 0 ? rc : stmt_col_int(&q, 0);
}

int lease_next(struct db *db, const char *user, const char *compute, int64_t dataset,
	       int64_t after, struct product *out, struct err *e)
{
	int64_t id = next_row(db, user, compute, dataset, after, e);

	return id <= 0 ? (int)id : product_get(db, id, out, e);
}

/* What a call works on: the product, its dataset and the cascade. */
struct work {
	struct dataset ds;
	struct cascade c;
	struct cascade_row row;
};

static void work_release(struct work *w)
{
	dataset_release(&w->ds);
	cascade_release(&w->c);
}

/* Inside a transaction: 1, 0 it is gone, -1. */
static int open_work(struct work *w, struct db *db, int64_t product, const char *command,
		     struct err *e)
{
	int rc = dataset_get(db, product >> 32, &w->ds, e);

	if (rc <= 0)
		return rc;
	cascade_begin(&w->c, db, &w->ds, user_name(), command);
	return cascade_row(&w->c, product, &w->row, e);
}

static int is_current(struct work *w, struct id run_id, struct err *e)
{
	const struct cascade_row *r = &w->row;

	if (!r->worker || !r->has_run || !id_eq(r->run_id, run_id))
		return 0;
	int retired = cascade_retired(&w->c, r->id, run_id, e);
	return retired < 0 ? -1 : !retired;
}

int lease_claim(struct db *db, int64_t product, int64_t worker, struct id *run_id, struct err *e)
{
	struct work w CLEANUP(work_release) = { .ds = DATASET_INIT };

	TX(tx);
	if (tx_begin(&tx, db, e) < 0)
		return -1;
	int rc = open_work(&w, db, product, "claim", e);
	if (rc <= 0 || w.row.state != STATE_QUEUED || w.row.worker)
		return rc < 0 ? -1 : 0;
	*run_id = id_random();
	const struct cascade_to claimed = { .state = STATE_QUEUED, .run_id = run_id, .worker = worker,
					    .resume = w.row.resume };
	return cascade_move(&w.c, &w.row, &claimed, e) < 0 || cascade_finish(&w.c, e) < 0 ||
	       tx_commit(&tx, e) < 0 ? -1 : 1;
}

static char *text_of(struct span v)
{
	return v.p ? mem_copy(v.p, v.n) : NULL;
}

int lease_report(struct db *db, int64_t product, struct id run_id, enum state state,
		 struct span link, struct span passback, struct err *e)
{
	char *url CLEANUP(mem_cleanup) = text_of(link), *json CLEANUP(mem_cleanup) = text_of(passback);
	const struct states_item item = { .product = (char *)"", .state = state, .has_run = true,
					  .run_id = run_id, .link = url, .passback = json };
	struct steer s CLEANUP(steer_release) = { .db = db, .by = user_name() };

	return steer_report(&s, product, &item, e);
}

int lease_release(struct db *db, int64_t product, struct id run_id, struct err *e)
{
	struct work w CLEANUP(work_release) = { .ds = DATASET_INIT };

	TX(tx);
	if (tx_begin(&tx, db, e) < 0)
		return -1;
	int rc = open_work(&w, db, product, "release", e);
	if (rc <= 0 || (rc = is_current(&w, run_id, e)) <= 0)
		return rc;
	const struct cascade_to queued = { .state = STATE_QUEUED, .resume = w.row.resume,
					   .retire = true };
	return cascade_move(&w.c, &w.row, &queued, e) < 0 || cascade_finish(&w.c, e) < 0 ||
	       tx_commit(&tx, e) < 0 ? -1 : 1;
}

/* A claim whose worker is gone. */
struct dead {
	int64_t product, worker;
	struct id run_id;
};

/* The next one, with the platform told or not; 1, 0, -1. */
static int next_dead(struct db *db, bool told, const char *user, int64_t dataset,
		     struct dead *out, struct err *e)
{
	int rc;

	STMT(q, db, &lease_sql, Q_CLAIMS);
	stmt_int(&q, 1, told);
	stmt_int(&q, 2, dataset << 32);
	stmt_int(&q, 3, end_of(dataset));
	stmt_textz(&q, 4, user);
	while ((rc = stmt_step(&q, e)) > 0) {
		struct span run = stmt_col(&q, 1);
		bool gone = stmt_col_null(&q, 2) || stmt_col_int(&q, 3) ||
			    !side_alive(db_side(db), (int)stmt_col_int(&q, 2));
		if (!gone || run.n != ID_BYTES)
			continue;
		memcpy(out->run_id.b, run.p, ID_BYTES);
		out->product = stmt_col_int(&q, 0);
		out->worker = stmt_col_int(&q, 4);
		return 1;
	}
	return rc;
}

int lease_rescue(struct db *db, struct err *e)
{
	struct dead d;
	int n = 0, more;

	/* A product that was released is not claimed any more. */
	while ((more = next_dead(db, false, NULL, 0, &d, e)) > 0) {
		int rc = lease_release(db, d.product, d.run_id, e);
		if (rc < 0)
			return -1;
		n += rc;
	}
	return more < 0 ? -1 : n;
}

/* 1: it is ours, 0: somebody was faster. */
static int adopt(struct db *db, const struct dead *d, int64_t worker, struct err *e)
{
	TX(tx);
	if (tx_begin(&tx, db, e) < 0)
		return -1;
	STMT(q, db, &lease_sql, Q_ADOPT);
	stmt_int(&q, 1, d->product);
	stmt_int(&q, 2, worker);
	stmt_int(&q, 3, d->worker);
	int n = stmt_run(&q, e);
	stmt_end(&q);
	return n <= 0 ? n : tx_commit(&tx, e) < 0 ? -1 : 1;
}

int lease_adopt(struct db *db, const char *user, int64_t dataset, int64_t worker,
		struct product *out, struct err *e)
{
	struct dead d;
	int rc, ours = 0;

	while (!ours && (rc = next_dead(db, true, user, dataset, &d, e)) != 0) {
		ours = rc < 0 ? -1 : adopt(db, &d, worker, e);
		if (ours < 0)
			return -1;
	}
	return ours ? product_get(db, d.product, out, e) : 0;
}

int lease_hold(struct db *db, int64_t product, const char *why, struct err *e)
{
	struct span text = span_of(why);

	if (text.n > HELD_MAX)
		text.n = HELD_MAX;
	TX(tx);
	if (tx_begin(&tx, db, e) < 0)
		return -1;
	STMT(q, db, &lease_sql, Q_HOLD);
	stmt_int(&q, 1, product);
	stmt_text(&q, 2, text);
	int n = stmt_run(&q, e);
	stmt_end(&q);
	return n <= 0 ? n : tx_commit(&tx, e);
}
