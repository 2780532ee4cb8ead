#include "domain/batchrows.h"

#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/safe.h"
#include "domain/batch.h"
#include "domain/line.h"
#include "domain/request.h"
#include "domain/reuse.h"
#include "store/tx.h"

enum {
	STEP_ROWS = 10000,
	STEP_ANSWERS = 1000, /* they have bodies */
	STEP_PAGES = 4096,   /* given back to the file system after each step */
};

enum {
	Q_QUEUES, Q_FILL, Q_SHOW, Q_ANSWERS, Q_ATTEMPTS, Q_REQUESTS, Q_DROP_QUEUES, Q_DROP,
	Q_HIDE, Q_LOADERS, Q_ADOPT,
};
static const char *const texts[] = {
	[Q_QUEUES] = "INSERT INTO queues (batch, model)"
		     " SELECT ?1, model FROM file_models WHERE file = ?2",
	[Q_FILL] = "INSERT INTO requests (id, queue, state)"
		   " SELECT (?1 << 32) | (t.id & 4294967295), q.id, 0 FROM templates t"
		   " CROSS JOIN queues q ON q.batch = ?1 AND q.model = t.model"
		   " WHERE t.id > ?2 AND t.id <= ?3 ORDER BY t.id LIMIT ?4",
	[Q_SHOW] = "UPDATE queues SET pending = (SELECT requests FROM file_models"
		   " WHERE file = ?2 AND file_models.model = queues.model) WHERE batch = ?1",
	[Q_ANSWERS] = "DELETE FROM answers WHERE id > ?1 AND id <= coalesce("
			" (SELECT id FROM answers WHERE id > ?1 AND id <= ?2"
			" ORDER BY id LIMIT 1 OFFSET ?3), ?2)",
	[Q_ATTEMPTS] = "DELETE FROM attempts WHERE request > ?1 AND request <= coalesce("
			" (SELECT request FROM attempts WHERE request > ?1 AND request <= ?2"
			" ORDER BY request LIMIT 1 OFFSET ?3), ?2)",
	[Q_REQUESTS] = "DELETE FROM requests WHERE id > ?1 AND id <= coalesce("
			" (SELECT id FROM requests WHERE id > ?1 AND id <= ?2"
			" ORDER BY id LIMIT 1 OFFSET ?3), ?2)",
	[Q_DROP_QUEUES] = "DELETE FROM queues WHERE batch = ?1",
	[Q_DROP] = "DELETE FROM batches WHERE id = ?1",
	[Q_HIDE] = "UPDATE batches SET status = 0, loader = ?2, name = NULL"
		   " WHERE id = ?1 AND status IN (2, 3, 4, 6)",
	[Q_LOADERS] = "SELECT id, loader FROM batches WHERE loader IS NOT NULL AND id > ?1"
		      " ORDER BY id LIMIT 1",
	[Q_ADOPT] = "UPDATE batches SET loader = ?3 WHERE id = ?1 AND loader = ?2",
};
const struct stmt_set batchrows_sql = { "batchrows", texts, ARRAY_LEN(texts) };

int batchrows_enter(struct batchrows *r, struct db *db, struct err *e)
{
	r->slot = side_enter(db_side(db), SIDE_LOADER, e);
	r->db = db;
	return r->slot < 0 ? -1 : 0;
}

void batchrows_leave(struct batchrows *r)
{
	struct err ignored = ERR_INIT;

	/* What cannot be removed now is swept by the next writer. */
	if (r->id && batchrows_drop(r, &ignored) < 0)
		r->id = 0;
	if (r->slot >= 0)
		side_leave(db_side(r->db), r->slot);
	r->slot = -1;
}

struct urls {
	struct str url;     /* of the first line */
	struct str member;  /* "url":"…" as the first line writes it, or empty */
	bool first;         /* the first line was read */
	const char *want;
	const struct file *file;
	bool differ;
};

static void urls_release(struct urls *u)
{
	str_release(&u->url);
	str_release(&u->member);
}

/* Is the usual text of the member in this line, at the outermost level?  Then
 * nothing needs to be parsed.  What stands inside of a JSON string has its
 * quotes escaped, so only nesting can deceive. */
static bool has_member(const struct urls *u, struct span raw)
{
	if (u->member.n == 0 || raw.n == 0)
		return false;
	const char *at = memmem(raw.p, raw.n, u->member.p, u->member.n);
	return at && !memchr(raw.p + 1, '{', (size_t)(at - raw.p) - 1) &&
	       !memchr(raw.p, '[', (size_t)(at - raw.p));
}

static int differs(struct urls *u, uint32_t line, struct span url, struct err *e)
{
	u->differ = true;
	if (!u->want)
		return -1; /* enough is known */
	return err_set(e, ERR_INPUT, "%s:%lu: url_mismatch: the url is %s, the endpoint %s",
		       safe_show(span_of(u->file->filename), 200), (unsigned long)line,
		       safe_show(url, 200), safe_show(span_of(u->want), 200));
}

static void learn_member(struct urls *u, struct span raw)
{
	static const char *const forms[] = { "\"url\":\"", "\"url\": \"" };

	for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
		str_reset(&u->member);
		str_addz(&u->member, forms[i]);
		str_addspan(&u->member, str_span(&u->url));
		str_addc(&u->member, '"');
		if (has_member(u, raw))
			return;
	}
	str_reset(&u->member); /* written with an escape: each line is parsed */
}

static int on_line(void *ctx, uint32_t number, struct span raw, struct err *e)
{
	struct urls *u = ctx;
	struct line line CLEANUP(line_release) = LINE_INIT;
	struct line_problem why;

	if (has_member(u, raw))
		return 0;
	if (line_read(&line, raw, NULL, &why) < 0)
		return err_set(e, ERR_INTERNAL, "line %lu of the file cannot be read: %s",
			       (unsigned long)number, why.text);
	if (u->first)
		return span_eq(line.url, str_span(&u->url)) ? 0 : differs(u, number, line.url, e);
	u->first = true;
	if (u->want && !span_is(line.url, u->want))
		return differs(u, number, line.url, e);
	str_addspan(&u->url, line.url);
	learn_member(u, raw);
	return 0;
}

int batchrows_url(struct db *db, const struct file *f, const char *want, struct str *url,
		  struct err *e)
{
	struct urls u CLEANUP(urls_release) = { .want = want, .file = f };

	if (file_lines(db, f->id, on_line, &u, e) < 0)
		return u.differ && !want ? 0 : -1;
	str_addspan(url, str_span(&u.url));
	return u.url.n > 0;
}

static int make_queues(struct batchrows *r, int64_t file, struct err *e)
{
	TX(tx);
	if (tx_begin(&tx, r->db, e) < 0)
		return -1;
	STMT(q, r->db, &batchrows_sql, Q_QUEUES);
	stmt_int(&q, 1, r->id);
	stmt_int(&q, 2, file);
	if (stmt_run(&q, e) < 0)
		return -1;
	stmt_end(&q);
	return tx_commit(&tx, e);
}

static struct reuse *reuse_of(const struct batchrows *r)
{
	return r->n ? r->n->reuse : NULL;
}

static int take_answers(struct batchrows *r, int64_t file, int64_t total, struct err *e)
{
	struct reuse *u = reuse_of(r);
	int64_t now = clock_wall_ms();

	if (!u)
		return 0;
	if (reuse_file(u, r->db, file, total, e) < 0)
		return -1;
	int64_t found = reuse_find(u, r->db, r->n, now, e);
	return found > 0 ? reuse_take(u, r->db, r->id, file, now, e) : found < 0 ? -1 : 0;
}

int64_t batchrows_fill(struct batchrows *r, int64_t file, struct err *e)
{
	int64_t total = 0, after = file << 32;

	if (make_queues(r, file, e) < 0)
		return -1;
	for (int n = STEP_ROWS; n == STEP_ROWS;) {
		TX(tx);
		if (tx_begin(&tx, r->db, e) < 0)
			return -1;
		STMT(q, r->db, &batchrows_sql, Q_FILL);
		stmt_int(&q, 1, r->id);
		stmt_int(&q, 2, after);
		stmt_int(&q, 3, request_row(file, UINT32_MAX));
		stmt_int(&q, 4, STEP_ROWS);
		n = stmt_run(&q, e);
		if (n < 0)
			return -1;
		stmt_end(&q);
		if (n > 0)
			after = request_row(file, request_line(stmt_last_rowid(r->db)));
		total += n;
		if (tx_commit(&tx, e) < 0)
			return -1;
	}
	return take_answers(r, file, total, e) < 0 ? -1 : total;
}

int batchrows_show(struct batchrows *r, int64_t file, struct err *e)
{
	struct reuse *u = reuse_of(r);

	STMT(q, r->db, &batchrows_sql, Q_SHOW);
	stmt_int(&q, 1, r->id);
	stmt_int(&q, 2, file);
	if (stmt_run(&q, e) < 0)
		return -1;
	if (u && reuse_show(u, r->db, r->id, clock_wall_ms(), e) < 0)
		return -1;
	if (u)
		reuse_release(u); /* what it has found is not needed any more */
	return 0;
}

/* Deletes the rows of one table, step by step. */
static int drop_rows(struct batchrows *r, int index, int limit, struct err *e)
{
	int n;

	do {
		TX(tx);
		if (tx_begin(&tx, r->db, e) < 0)
			return -1;
		STMT(q, r->db, &batchrows_sql, index);
		stmt_int(&q, 1, r->id << 32);
		stmt_int(&q, 2, request_row(r->id, UINT32_MAX));
		stmt_int(&q, 3, limit);
		n = stmt_run(&q, e);
		if (n < 0)
			return -1;
		stmt_end(&q);
		if (n > 0 && db_vacuum_some(r->db, STEP_PAGES, e) < 0)
			return -1;
		if (tx_commit(&tx, e) < 0)
			return -1;
	} while (n > 0);
	return 0;
}

int batchrows_drop(struct batchrows *r, struct err *e)
{
	static const int last[] = { Q_DROP_QUEUES, Q_DROP };

	if (drop_rows(r, Q_ANSWERS, STEP_ANSWERS, e) < 0 ||
	    drop_rows(r, Q_ATTEMPTS, STEP_ROWS, e) < 0 ||
	    drop_rows(r, Q_REQUESTS, STEP_ROWS, e) < 0)
		return -1;
	TX(tx);
	if (tx_begin(&tx, r->db, e) < 0)
		return -1;
	for (size_t i = 0; i < ARRAY_LEN(last); i++) {
		STMT(q, r->db, &batchrows_sql, last[i]);
		stmt_int(&q, 1, r->id);
		if (stmt_run(&q, e) < 0)
			return -1;
	}
	if (tx_commit(&tx, e) < 0)
		return -1;
	r->id = 0;
	return 0;
}

int batchrows_hide(struct batchrows *r, int64_t id, struct err *e)
{
	TX(tx);
	if (tx_begin(&tx, r->db, e) < 0)
		return -1;
	STMT(q, r->db, &batchrows_sql, Q_HIDE);
	stmt_int(&q, 1, id);
	stmt_int(&q, 2, r->slot);
	int rc = stmt_run(&q, e);
	if (rc == 0) {
		err_set(e, ERR_STATE, "the batch has not ended");
		return err_hint(e, "fsl-batch cancel ends it");
	}
	if (rc < 0)
		return -1;
	stmt_end(&q);
	if (tx_commit(&tx, e) < 0)
		return -1;
	r->id = id;
	return 0;
}

/* A batch whose loader died, behind *after: 1, 0 there is none. */
static int next_orphan(struct db *db, int64_t *after, int64_t *loader, struct err *e)
{
	int rc;

	STMT(q, db, &batchrows_sql, Q_LOADERS);
	stmt_int(&q, 1, *after);
	while ((rc = stmt_step(&q, e)) > 0) {
		*after = stmt_col_int(&q, 0);
		*loader = stmt_col_int(&q, 1);
		if (!side_alive(db_side(db), (int)*loader))
			return 1;
		stmt_again(&q);
		stmt_int(&q, 1, *after);
	}
	return rc;
}

/* Is it ours now?  Another sweeper may have been faster: then r->id is 0. */
static int adopt(struct batchrows *r, int64_t id, int64_t loader, struct err *e)
{
	TX(tx);
	if (tx_begin(&tx, r->db, e) < 0)
		return -1;
	STMT(q, r->db, &batchrows_sql, Q_ADOPT);
	stmt_int(&q, 1, id);
	stmt_int(&q, 2, loader);
	stmt_int(&q, 3, r->slot);
	int n = stmt_run(&q, e);
	if (n < 0)
		return -1;
	stmt_end(&q);
	if (tx_commit(&tx, e) < 0)
		return -1;
	r->id = n > 0 ? id : 0;
	return 0;
}

int batchrows_sweep(struct db *db, struct err *e)
{
	struct batchrows r CLEANUP(batchrows_leave) = BATCHROWS_INIT;
	int64_t after = 0, loader;
	int rc;

	while ((rc = next_orphan(db, &after, &loader, e)) > 0) {
		if (r.slot < 0 && batchrows_enter(&r, db, e) < 0)
			return -1;
		if (adopt(&r, after, loader, e) < 0 || (r.id && batchrows_drop(&r, e) < 0))
			return -1;
	}
	return rc;
}
