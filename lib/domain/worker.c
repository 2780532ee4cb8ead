#include "domain/worker.h"

#include <sys/utsname.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/user.h"
#include "store/tx.h"

enum { Q_ENTER, Q_LEAVE, Q_DROP_SHARES, Q_DROP_BLOCKS, Q_FLIES, Q_COUNT, Q_OPEN };
static const char *const texts[] = {
	[Q_ENTER] = "INSERT INTO workers (slot, host, pid, user, version, config, started_ms)"
		    " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
	[Q_LEAVE] = "UPDATE workers SET ended_ms = ?2 WHERE id = ?1",
	[Q_DROP_SHARES] = "DELETE FROM shares WHERE worker = ?1",
	[Q_DROP_BLOCKS] = "DELETE FROM blocks WHERE worker = ?1",
	[Q_FLIES] = "SELECT 1 FROM shares WHERE worker = ?1 AND in_flight > 0 LIMIT 1",
	[Q_COUNT] = "UPDATE workers SET done = done + ?2, failed = failed + ?3 WHERE id = ?1",
	/* A slot that was taken again has an older row whose process is gone. */
	[Q_OPEN] = "SELECT id, slot, EXISTS (SELECT 1 FROM workers n WHERE n.slot = w.slot"
		   " AND n.ended_ms IS NULL AND n.id > w.id) FROM workers w"
		   " WHERE ended_ms IS NULL AND slot > 0 ORDER BY slot, id",
};
const struct stmt_set worker_sql = { "worker", texts, ARRAY_LEN(texts) };

int worker_enter(struct db *db, const char *version, const char *config,
		 struct worker *out, struct err *e)
{
	struct utsname host;
	int slot = side_enter(db_side(db), SIDE_WORKER, e);

	if (slot < 0)
		return -1;
	TX(tx);
	if (tx_begin(&tx, db, e) < 0) {
		side_leave(db_side(db), slot);
		return -1;
	}
	STMT(q, db, &worker_sql, Q_ENTER);
	stmt_int(&q, 1, slot);
	stmt_textz(&q, 2, uname(&host) == 0 ? host.nodename : "?");
	stmt_int(&q, 3, getpid());
	stmt_textz(&q, 4, user_name());
	stmt_textz(&q, 5, version);
	stmt_textz(&q, 6, config);
	stmt_int(&q, 7, clock_wall_ms());
	if (stmt_run(&q, e) < 0) {
		side_leave(db_side(db), slot);
		return -1;
	}
	out->id = stmt_last_rowid(db);
	out->slot = slot;
	stmt_end(&q);
	if (tx_commit(&tx, e) < 0) {
		side_leave(db_side(db), slot);
		return -1;
	}
	return 0;
}

static int end_row(struct db *db, int64_t id, int64_t now_ms, struct err *e)
{
	static const int gone[] = { Q_DROP_SHARES, Q_DROP_BLOCKS };

	for (size_t i = 0; i < ARRAY_LEN(gone); i++) {
		STMT(q, db, &worker_sql, gone[i]);
		stmt_int(&q, 1, id);
		if (stmt_run(&q, e) < 0)
			return -1;
	}
	STMT(q, db, &worker_sql, Q_LEAVE);
	stmt_int(&q, 1, id);
	stmt_int(&q, 2, now_ms);
	return stmt_run(&q, e) < 0 ? -1 : 0;
}

/* Has it left something in flight?  1, 0. */
static int flies(struct db *db, int64_t id, struct err *e)
{
	STMT(q, db, &worker_sql, Q_FLIES);
	stmt_int(&q, 1, id);
	return stmt_step(&q, e);
}

int worker_leave(struct db *db, struct worker *w, struct err *e)
{
	TX(tx);
	if (tx_begin(&tx, db, e) < 0)
		return -1;
	int left = flies(db, w->id, e);
	if (left < 0 || (!left && end_row(db, w->id, clock_wall_ms(), e) < 0) ||
	    tx_commit(&tx, e) < 0)
		return -1;
	side_leave(db_side(db), w->slot);
	*w = (struct worker){ 0, 0 };
	return 0;
}

int worker_count(struct db *db, int64_t id, int64_t done, int64_t failed, struct err *e)
{
	STMT(q, db, &worker_sql, Q_COUNT);
	stmt_int(&q, 1, id);
	stmt_int(&q, 2, done);
	stmt_int(&q, 3, failed);
	return stmt_run(&q, e) < 0 ? -1 : 0;
}

/* An open row whose process is gone: its id, 0 if there is none. */
static int64_t next_dead(struct db *db, struct err *e)
{
	int rc;

	STMT(q, db, &worker_sql, Q_OPEN);
	while ((rc = stmt_step(&q, e)) > 0) {
		if (stmt_col_int(&q, 2) || !side_alive(db_side(db), (int)stmt_col_int(&q, 1)))
			return stmt_col_int(&q, 0);
	}
	return rc < 0 ? -1 : 0;
}

int worker_any_dead(struct db *db, struct err *e)
{
	int64_t id = next_dead(db, e);

	return id < 0 ? -1 : id > 0;
}

int worker_rescue(struct tally *t, request_limit_fn *max_attempts, void *ctx,
		  int64_t now_ms, struct err *e)
{
	int64_t id;
	int n = 0;

	/* Its row is ended, so that the next search does not find it again. */
	while ((id = next_dead(t->db, e)) > 0) {
		int rc = request_rescue(t, id, max_attempts, ctx, now_ms, e);
		tally_fly_gone(t, id);
		if (rc < 0 || end_row(t->db, id, now_ms, e) < 0)
			return -1;
		n += rc;
	}
	return id < 0 ? -1 : n;
}
