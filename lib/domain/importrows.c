#include "domain/importrows.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/safe.h"
#include "base/user.h"
#include "domain/model.h"
#include "store/tx.h"

enum {
	CHUNK_BYTES = 2 << 20,
	CHUNK_LINES = 10000,
	MANY = 8,    /* rows of one INSERT */
	MODELS = 64, /* remembered with their rows */
	SHOWN = 128,
};

enum {
	Q_LEFT, Q_FILE, Q_TEMPLATE, Q_LINE, Q_TEMPLATES, Q_LINES, Q_MODEL, Q_NAMED, Q_SHOW, Q_ADOPT, Q_PROTECT,
};
static const char *const texts[] = {
	[Q_LEFT] = "SELECT 1 FROM files WHERE loader = ?1 LIMIT 1",
	[Q_FILE] = "INSERT INTO files (uuid, filename, created_ms, user, automatic, loader)"
		   " VALUES (?1, '', ?2, ?3, ?4, ?5)",
	[Q_TEMPLATE] = "INSERT INTO templates (id, custom_id, model, hash)"
		       " VALUES (?1, ?2, ?3, ?4)",
	[Q_LINE] = "INSERT INTO lines (id, raw) VALUES (?1, ?2)",
	/* The same for eight of them: a statement costs as much as a row. */
	[Q_TEMPLATES] = "/*scan*/ INSERT INTO templates (id, custom_id, model, hash) VALUES"
			" (?1, ?2, ?3, ?4), (?5, ?6, ?7, ?8), (?9, ?10, ?11, ?12),"
			" (?13, ?14, ?15, ?16), (?17, ?18, ?19, ?20), (?21, ?22, ?23, ?24),"
			" (?25, ?26, ?27, ?28), (?29, ?30, ?31, ?32)",
	[Q_LINES] = "/*scan*/ INSERT INTO lines (id, raw) VALUES"
		    " (?1, ?2), (?3, ?4), (?5, ?6), (?7, ?8), (?9, ?10),"
		    " (?11, ?12), (?13, ?14), (?15, ?16)",
	[Q_MODEL] = "INSERT INTO file_models (file, model, requests) VALUES (?1, ?2, ?3)"
		    " ON CONFLICT (file, model) DO UPDATE SET requests = requests + ?3",
	[Q_NAMED] = "SELECT id, uuid FROM files WHERE name = ?1",
	[Q_SHOW] = "UPDATE files SET name = ?2, filename = ?3, bytes = ?4, requests = ?5,"
		   " hash = ?6, created_ms = ?7, loader = NULL WHERE id = ?1",
	[Q_ADOPT] = "UPDATE files SET automatic = 0, name = coalesce(name, ?2) WHERE id = ?1",
	[Q_PROTECT] = "UPDATE files SET automatic = ?2 WHERE id = ?1 AND automatic <> 0",
};
const struct stmt_set importrows_sql = { "importrows", texts, ARRAY_LEN(texts) };

/* A line that waits; its texts follow each other in chunk.bytes. */
struct row {
	uint32_t number;
	size_t at, raw_n, custom_id_n, model_n;
	struct id hash;
};

struct model {
	struct str name;
	int64_t id;
	int64_t requests; /* not yet in file_models */
};

struct importrows {
	struct db *db;
	bool automatic;
	int slot;
	int64_t file;     /* 0: it has no row yet */
	bool stays;       /* the file, or the one whose content we share */
	int64_t requests;
	struct str bytes;
	struct row *rows;
	int n;
	struct model models[MODELS];
};

static int left_over(struct importrows *r, struct err *e)
{
	STMT(q, r->db, &importrows_sql, Q_LEFT);
	stmt_int(&q, 1, r->slot);
	return stmt_step(&q, e);
}

/* Rows that name our byte, left by one who died holding it, would seem to be
 * alive as long as we are. */
static int enter(struct importrows *r, struct err *e)
{
	for (;;) {
		if (file_sweep(r->db, e) < 0)
			return -1;
		r->slot = side_enter(db_side(r->db), SIDE_LOADER, e);
		int rc = r->slot < 0 ? -1 : left_over(r, e);
		if (rc <= 0)
			return rc;
		side_leave(db_side(r->db), r->slot);
	}
}

struct importrows *importrows_open(struct db *db, bool automatic, struct err *e)
{
	struct importrows *r CLEANUP(importrows_cleanup) = mem_alloc(sizeof(*r));
	r->db = db;
	r->automatic = automatic;
	r->slot = -1;
	if (enter(r, e) < 0)
		return NULL;
	r->rows = mem_resize(NULL, CHUNK_LINES, sizeof(*r->rows));
	return TAKE(r);
}

void importrows_close(struct importrows *r)
{
	struct err e = ERR_INIT;
	if (!r)
		return;
	if (r->file > 0 && file_delete(r->db, r->file, &e) < 0)
		log_info("what was stored is removed by the next program that writes: %s",
			 e.msg);
	if (r->slot >= 0 && !(r->stays && r->automatic))
		side_leave(db_side(r->db), r->slot);
	for (int i = 0; i < MODELS; i++)
		str_release(&r->models[i].name);
	str_release(&r->bytes);
	free(r->rows);
	free(r);
}

void importrows_cleanup(struct importrows **r)
{
	importrows_close(*r);
}

static int count_models(struct importrows *r, struct model *m, struct err *e)
{
	if (m->requests == 0)
		return 0;
	STMT(q, r->db, &importrows_sql, Q_MODEL);
	stmt_int(&q, 1, r->file);
	stmt_int(&q, 2, m->id);
	stmt_int(&q, 3, m->requests);
	m->requests = 0;
	return stmt_run(&q, e) < 0 ? -1 : 0;
}

/* The row of a model, and counts a request for it. */
static int64_t model_row(struct importrows *r, struct span name, struct err *e)
{
	struct model *m = &r->models[hash_of(name.p, name.n).b[0] % MODELS];
	if (m->id == 0 || !span_eq(name, str_span(&m->name))) {
		if (count_models(r, m, e) < 0)
			return -1;
		m->id = model_intern(r->db, name, e);
		if (m->id < 0)
			return -1;
		str_reset(&m->name);
		str_addspan(&m->name, name);
	}
	m->requests++;
	return m->id;
}

static int insert_file(struct importrows *r, struct err *e)
{
	struct id uuid = id_random();
	STMT(q, r->db, &importrows_sql, Q_FILE);
	stmt_blob(&q, 1, uuid.b, ID_BYTES);
	stmt_int(&q, 2, clock_wall_ms());
	stmt_textz(&q, 3, user_name());
	stmt_int(&q, 4, r->automatic ? r->slot : 0);
	stmt_int(&q, 5, r->slot);
	if (stmt_run(&q, e) < 0)
		return -1;
	r->file = stmt_last_rowid(r->db);
	return 0;
}

/* `n` rows from the given one on: one, or MANY. */
static int insert_some(struct importrows *r, const struct row *w, int n, struct err *e)
{
	STMT(template, r->db, &importrows_sql, n == MANY ? Q_TEMPLATES : Q_TEMPLATE);
	STMT(line, r->db, &importrows_sql, n == MANY ? Q_LINES : Q_LINE);
	for (int i = 0; i < n; i++, w++) {
		struct span raw = { r->bytes.p + w->at, w->raw_n };
		struct span custom_id = { raw.p + raw.n, w->custom_id_n };
		struct span model = { custom_id.p + custom_id.n, w->model_n };
		int64_t key = r->file << 32 | w->number, m = model_row(r, model, e);
		if (m < 0)
			return -1;
		stmt_int(&template, 4 * i + 1, key);
		stmt_text(&template, 4 * i + 2, custom_id);
		stmt_int(&template, 4 * i + 3, m);
		stmt_blob(&template, 4 * i + 4, w->hash.b, ID_BYTES);
		stmt_int(&line, 2 * i + 1, key);
		stmt_blob(&line, 2 * i + 2, raw.p, raw.n);
	}
	return stmt_step(&template, e) < 0 || stmt_step(&line, e) < 0 ? -1 : 0;
}

static int insert_rows(struct importrows *r, struct err *e)
{
	for (int i = 0, n; i < r->n; i += n) {
		n = r->n - i < MANY ? 1 : MANY;
		if (insert_some(r, &r->rows[i], n, e) < 0)
			return -1;
	}
	for (int i = 0; i < MODELS; i++)
		if (count_models(r, &r->models[i], e) < 0)
			return -1;
	return 0;
}

/* Stores what waits; inside a transaction.  What is known of models is only
 * right if that is committed. */
static int store(struct importrows *r, struct err *e)
{
	if ((r->file == 0 && insert_file(r, e) < 0) || insert_rows(r, e) < 0)
		return -1;
	r->requests += r->n;
	r->n = 0;
	str_reset(&r->bytes);
	if (r->bytes.cap > 2 * CHUNK_BYTES)
		str_release(&r->bytes);
	return 0;
}

static int store_chunk(struct importrows *r, struct err *e)
{
	int64_t before = r->file;
	TX(tx);
	if (tx_begin(&tx, r->db, e) == 0 && store(r, e) == 0 && tx_commit(&tx, e) == 0)
		return 0;
	r->file = before;
	return -1;
}

int importrows_add(struct importrows *r, const struct importrows_line *l, struct err *e)
{
	size_t n = l->raw.n + l->custom_id.n + l->model.n;
	if (r->n == CHUNK_LINES || (r->n > 0 && r->bytes.n + n > CHUNK_BYTES))
		if (store_chunk(r, e) < 0)
			return -1;
	r->rows[r->n++] = (struct row){
		.number = l->number, .at = r->bytes.n, .raw_n = l->raw.n,
		.custom_id_n = l->custom_id.n, .model_n = l->model.n, .hash = l->hash,
	};
	str_reserve(&r->bytes, n > CHUNK_BYTES ? n : CHUNK_BYTES - r->bytes.n);
	str_addspan(&r->bytes, l->raw);
	str_addspan(&r->bytes, l->custom_id);
	str_addspan(&r->bytes, l->model);
	return 0;
}

static int name_taken(const char *name, struct id uuid, struct err *e)
{
	char text[FILE_ID_BUF];
	return err_set(e, ERR_STATE, "the name '%s' is taken by %s",
		       safe_show(span_of(name), SHOWN), file_id_text(uuid, text));
}

/* The file that has the name: 1, none: 0. */
static int find_named(struct db *db, const char *name, int64_t *id, struct id *uuid,
		      struct err *e)
{
	STMT(q, db, &importrows_sql, Q_NAMED);
	stmt_textz(&q, 1, name);
	int rc = stmt_step(&q, e);
	if (rc > 0) {
		*id = stmt_col_int(&q, 0);
		memcpy(uuid->b, stmt_col(&q, 1).p, ID_BYTES);
	}
	return rc;
}

int importrows_check_name(struct db *db, const char *name, struct err *e)
{
	int64_t id;
	struct id uuid;
	int rc = find_named(db, name, &id, &uuid, e);
	if (rc <= 0)
		return rc;
	name_taken(name, uuid, e);
	return err_hint(e, "--if-absent prints its id if the content is the same");
}

/* The file with this content: 1, none: 0.  The name must be free, or its. */
static int find_same(struct importrows *r, const struct importrows_end *end,
		     struct file *out, struct err *e)
{
	int64_t id = 0;
	struct id uuid;
	int named = end->name ? find_named(r->db, end->name, &id, &uuid, e) : 0;
	if (named < 0)
		return -1;
	if (named > 0 && !end->share)
		return importrows_check_name(r->db, end->name, e);
	if (named > 0) {
		if (file_get(r->db, id, out, e) < 0)
			return -1;
		if (id_eq(out->hash, end->hash))
			return 1;
		name_taken(end->name, uuid, e);
		return err_wrap(e, "this is other content, and");
	}
	return end->share ? file_by_hash(r->db, end->hash, out, e) : 0;
}

static int adopt(struct importrows *r, const struct importrows_end *end, struct file *out,
		 struct err *e)
{
	STMT(q, r->db, &importrows_sql, end->automatic ? Q_PROTECT : Q_ADOPT);
	stmt_int(&q, 1, out->id);
	if (end->automatic)
		stmt_int(&q, 2, r->slot);
	else
		stmt_textz(&q, 2, end->name);
	return stmt_run(&q, e) < 0 || file_get(r->db, out->id, out, e) < 0 ? -1 : 0;
}

static int show(struct importrows *r, const struct importrows_end *end, struct err *e)
{
	STMT(q, r->db, &importrows_sql, Q_SHOW);
	stmt_int(&q, 1, r->file);
	stmt_textz(&q, 2, end->name);
	stmt_textz(&q, 3, end->filename);
	stmt_int(&q, 4, end->bytes);
	stmt_int(&q, 5, r->requests);
	stmt_blob(&q, 6, end->hash.b, ID_BYTES);
	stmt_int(&q, 7, clock_wall_ms());
	return stmt_run(&q, e) < 0 ? -1 : 0;
}

/* 1: the content is there, 0: it is not, or it is now, if we are to show it. */
static int last_transaction(struct importrows *r, const struct importrows_end *end,
			    bool ours, struct file *out, struct err *e)
{
	TX(tx);
	if (tx_begin(&tx, r->db, e) < 0)
		return -1;
	int rc = find_same(r, end, out, e);
	if (rc < 0 || (rc == 0 && !ours))
		return rc;
	if (rc > 0 && adopt(r, end, out, e) < 0)
		return -1;
	if (rc == 0 && (store(r, e) < 0 || show(r, end, e) < 0 ||
			file_get(r->db, r->file, out, e) < 0))
		return -1;
	return tx_commit(&tx, e) < 0 ? -1 : rc;
}

int importrows_share(struct importrows *r, const struct importrows_end *end,
		     struct file *out, struct err *e)
{
	int rc = last_transaction(r, end, false, out, e);
	r->stays = rc > 0;
	return rc;
}

int importrows_finish(struct importrows *r, const struct importrows_end *end,
		      struct file *out, bool *existed, struct err *e)
{
	int64_t before = r->file;
	int rc = last_transaction(r, end, true, out, e);
	if (rc < 0) {
		r->file = before;
		return -1;
	}
	*existed = rc > 0;
	r->stays = true;
	if (rc == 0)
		r->file = 0; /* not ours to remove any more */
	return 0;
}
