#include "domain/worker.h"

#include <poll.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/safe.h"
#include "base/user.h"
#include "domain/batch.h"
#include "store/tx.h"

enum {
	PRUNED = 100,    /* rows looked at when somebody enters */
	SHOWN = 80,
	LOOK_MS = 100,   /* while others commit, look this often */
	SUSPECT_MS = 500, SUSPECT_LOOK_MS = 50, /* the kernel tells of a death a moment before */
	SAFETY_MS = 5000, /* in case the bell could not be rung */
};

enum {
	Q_ENTER, Q_IS_OPEN, Q_LEAVE, Q_DROP_SHARES, Q_DROP_BLOCKS, Q_FLIES, Q_COUNT, Q_OPEN,
	Q_LIVING, Q_PRUNE, Q_ONCE,
};
static const char *const texts[] = {
	[Q_ENTER] = "INSERT INTO workers (slot, host, pid, user, version, config, limits,"
		    " started_ms) VALUES (?1, ?2, ?3, ?4, ?5, ?6, coalesce(?7, '[]'), ?8)",
	[Q_IS_OPEN] = "SELECT 1 FROM workers WHERE id = ?1 AND ended_ms IS NULL",
	[Q_LEAVE] = "UPDATE workers SET ended_ms = ?2 WHERE id = ?1",
	[Q_DROP_SHARES] = "DELETE FROM shares WHERE worker = ?1",
	[Q_DROP_BLOCKS] = "DELETE FROM blocks WHERE worker = ?1",
	[Q_FLIES] = "SELECT 1 FROM shares WHERE worker = ?1 AND in_flight > 0 LIMIT 1",
	[Q_COUNT] = "UPDATE workers SET done = done + ?2, failed = failed + ?3 WHERE id = ?1",
	/* A slot that was taken again has an older row whose process is gone. */
	[Q_OPEN] = "SELECT id, slot, EXISTS (SELECT 1 FROM workers n WHERE n.slot = w.slot"
		   " AND n.ended_ms IS NULL AND n.id > w.id) FROM workers w"
		   " WHERE ended_ms IS NULL AND slot > 0 ORDER BY slot, id",
	[Q_LIVING] = "SELECT id, slot, pid, started_ms, done, failed, host, user, version,"
		     " (SELECT coalesce(sum(in_flight), 0) FROM shares WHERE worker = l.id)"
		     " FROM workers l WHERE ended_ms IS NULL AND slot > 0 AND NOT EXISTS"
		     " (SELECT 1 FROM workers n WHERE n.slot = l.slot AND n.ended_ms IS NULL"
		     " AND n.id > l.id) ORDER BY started_ms, id",
	/* The oldest ones, as far as it goes in one step. */
	[Q_PRUNE] = "DELETE FROM workers WHERE ended_ms < ?1 AND id IN"
		    " (SELECT id FROM workers WHERE id < ?2 ORDER BY id LIMIT ?3)",
	[Q_ONCE] = "SELECT 1 FROM workers WHERE id = ?1 AND json_valid(config)"
		   " AND json_extract(config, '$.defaults.at_most_once') = 1",
};
const struct stmt_set worker_sql = { "worker", texts, ARRAY_LEN(texts) };

/* The next living one behind *after, but for `but`: 1, 0. */
static int next_living(struct stmt *q, int64_t but, struct worker_life *w, struct err *e)
{
	int rc;

	while ((rc = stmt_step(q, e)) > 0) {
		if (stmt_col_int(q, 0) == but ||
		    !side_alive(db_side(q->db), (int)stmt_col_int(q, 1)))
			continue;
		*w = (struct worker_life){
			.id = stmt_col_int(q, 0), .pid = stmt_col_int(q, 2),
			.started_ms = stmt_col_int(q, 3), .done = stmt_col_int(q, 4),
			.failed = stmt_col_int(q, 5), .host = stmt_col(q, 6),
			.user = stmt_col(q, 7), .version = stmt_col(q, 8),
			.in_flight = stmt_col_int(q, 9),
		};
		return 1;
	}
	return rc;
}

int worker_each(struct db *db, worker_fn *fn, void *ctx, struct err *e)
{
	struct worker_life w;
	int n = 0, rc;

	STMT(q, db, &worker_sql, Q_LIVING);
	for (; (rc = next_living(&q, 0, &w, e)) > 0; n++)
		if (fn(ctx, &w, e) < 0)
			return -1;
	return rc < 0 ? -1 : n;
}

/* 0: nobody but `but` lives. */
static int check_alone(struct db *db, int64_t but, struct err *e)
{
	struct worker_life w;
	char since[CLOCK_BUF];

	STMT(q, db, &worker_sql, Q_LIVING);
	int rc = next_living(&q, but, &w, e);
	if (rc <= 0)
		return rc;
	err_set(e, ERR_HELD, "another worker is at work on this state file: process %lld on %s, "
		"since %s", (long long)w.pid, safe_show(w.host, SHOWN),
		clock_text(w.started_ms, since));
	return err_hint(e, "--exclusive=wait waits for its end, fsl-run --workers shows it");
}

int worker_alone(struct db *db, struct err *e)
{
	return check_alone(db, 0, e);
}

static int wait_alone(struct db *db, int bell, struct err *e)
{
	int64_t suspect_until = 0;
	int rc;

	while ((rc = worker_alone(db, e)) < 0 && e->code == ERR_HELD) {
		int64_t looked = clock_mono_ms();
		struct pollfd p = { .fd = bell, .events = POLLIN };
		if (poll(&p, 1, looked < suspect_until ? SUSPECT_LOOK_MS : SAFETY_MS) <= 0)
			continue;
		if (side_heard(bell) & SIDE_CLOSED)
			suspect_until = clock_mono_ms() + SUSPECT_MS;
		else if (clock_mono_ms() - looked < LOOK_MS)
			poll(NULL, 0, LOOK_MS);
	}
	return rc;
}

int worker_wait(struct db *db, struct err *e)
{
	int bell = side_listen(db_side(db), e);

	if (bell < 0)
		return -1;
	int rc = wait_alone(db, bell, e);
	close(bell);
	return rc;
}

static int insert(struct db *db, const struct worker_new *n, int slot, struct err *e)
{
	struct utsname host;

	STMT(q, db, &worker_sql, Q_ENTER);
	stmt_int(&q, 1, slot);
	stmt_textz(&q, 2, uname(&host) == 0 ? host.nodename : "?");
	stmt_int(&q, 3, getpid());
	stmt_textz(&q, 4, user_name());
	stmt_textz(&q, 5, n->version);
	stmt_textz(&q, 6, n->config);
	stmt_textz(&q, 7, n->limits);
	stmt_int(&q, 8, clock_wall_ms());
	return stmt_run(&q, e) < 0 ? -1 : 0;
}

static int prune(struct db *db, int64_t before, struct err *e)
{
	STMT(q, db, &worker_sql, Q_PRUNE);
	stmt_int(&q, 1, clock_wall_ms() - WORKER_KEPT_MS);
	stmt_int(&q, 2, before);
	stmt_int(&q, 3, PRUNED);
	return stmt_run(&q, e) < 0 ? -1 : 0;
}

static int enter(struct db *db, const struct worker_new *n, struct worker *out, struct err *e)
{
	if (insert(db, n, out->slot, e) < 0)
		return -1;
	out->id = stmt_last_rowid(db);
	if (n->alone && check_alone(db, out->id, e) < 0)
		return -1;
	return prune(db, out->id, e);
}

int worker_enter(struct db *db, const struct worker_new *n, struct worker *out, struct err *e)
{
	*out = (struct worker){ 0, 0 };
	TX(tx);
	if (tx_begin(&tx, db, e) < 0)
		return -1;
	/* Within the transaction: a byte without its row would make a dead worker
	 * that had it before seem alive to others who enter. */
	int slot = side_enter(db_side(db), SIDE_WORKER, e);
	if (slot < 0)
		return -1;
	out->slot = slot;
	if (enter(db, n, out, e) == 0 && tx_commit(&tx, e) == 0)
		return 0;
	side_leave(db_side(db), slot);
	*out = (struct worker){ 0, 0 };
	return -1;
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

int worker_is_open(struct db *db, int64_t id, struct err *e)
{
	STMT(q, db, &worker_sql, Q_IS_OPEN);
	stmt_int(&q, 1, id);
	return stmt_step(&q, e);
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

/* Did it send what says nothing else at most once?  1, 0. */
static int sent_once(struct db *db, int64_t worker, struct err *e)
{
	STMT(q, db, &worker_sql, Q_ONCE);
	stmt_int(&q, 1, worker);
	return stmt_step(&q, e);
}

int64_t worker_attempts(struct db *db, int64_t worker, int64_t batch, const struct send *defaults)
{
	struct batch row CLEANUP(batch_release) = BATCH_INIT;
	struct send builtin CLEANUP(send_release) = send_defaults();
	struct err ignored = ERR_INIT;

	if (batch_get(db, batch, &row, &ignored) < 0)
		return 1;
	if (row.send.at_most_once == SEND_UNSET && sent_once(db, worker, &ignored) != 0)
		return 1;
	if (defaults)
		send_fill(&row.send, defaults);
	send_fill(&row.send, &builtin);
	return row.send.at_most_once == 1 ? 1 : row.send.retries + 1;
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
