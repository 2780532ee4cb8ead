#include "domain/file.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/safe.h"
#include "domain/ref.h"
#include "store/tx.h"

enum {
	STEP_ROWS = 10000,
	STEP_BYTES = 4 << 20,
	STEP_PAGES = 1024,  /* given back to the file system after each step */
	PAGE_ROWS = 1000,   /* lines read at once */
	PAGE_BYTES = 1 << 20,
	LIST_ROWS = 1000,
	SHOWN = 80,
};

#define FIELDS "id, uuid, name, filename, bytes, requests, hash, created_ms, user," \
	       " automatic, deleted FROM files"
#define VISIBLE "loader IS NULL AND deleted = 0"
#define HIDE "UPDATE files SET deleted = 1, name = NULL, loader = NULL WHERE "

enum {
	Q_GET, Q_BY_NAME, Q_BY_ID, Q_BY_HASH, Q_LIST, Q_MODELS, Q_LINES, Q_LINE, Q_NEEDED,
	Q_HIDE, Q_HIDE_LOADING, Q_HIDE_UNUSED, Q_UNUSED, Q_LENGTHS, Q_DROP_LINES,
	Q_DROP_TEMPLATES, Q_DROP, Q_LOADING, Q_LOOSE,
};
static const char *const texts[] = {
	[Q_GET] = "SELECT " FIELDS " WHERE id = ?1",
	[Q_BY_NAME] = "SELECT " FIELDS " WHERE name = ?1 AND " VISIBLE,
	[Q_BY_ID] = "SELECT " FIELDS " WHERE uuid BETWEEN ?1 AND ?2 AND " VISIBLE " LIMIT 2",
	[Q_BY_HASH] = "SELECT " FIELDS " WHERE hash = ?1 AND " VISIBLE
		      " ORDER BY id DESC LIMIT 1",
	[Q_LIST] = "SELECT " FIELDS " WHERE id < ?1 AND " VISIBLE " ORDER BY id DESC LIMIT ?2",
	[Q_MODELS] = "SELECT m.name, f.requests FROM file_models f JOIN models m"
		     " ON m.id = f.model WHERE f.file = ?1 ORDER BY f.requests DESC, m.name",
	[Q_LINES] = "SELECT id, raw FROM lines WHERE id > ?1 AND id <= ?2 ORDER BY id LIMIT ?3",
	[Q_LINE] = "SELECT raw FROM lines WHERE id = ?1",
	/* validating, in_progress, cancelling */
	[Q_NEEDED] = "SELECT f.uuid, b.uuid FROM batches b JOIN files f ON f.id = b.file"
		     " WHERE b.file = ?1 AND b.status IN (0, 1, 5) LIMIT 1",
	[Q_HIDE] = HIDE "id = ?1",
	[Q_HIDE_LOADING] = HIDE "id = ?1 AND uuid = ?2 AND loader IS NOT NULL",
	[Q_HIDE_UNUSED] = HIDE "id = ?1 AND uuid = ?2 AND (deleted = 1 OR automatic <> 0)"
			  " AND NOT EXISTS (SELECT 1 FROM batches WHERE file = ?1)",
	[Q_UNUSED] = "SELECT 1 FROM files WHERE id = ?1 AND uuid = ?2"
		     " AND NOT EXISTS (SELECT 1 FROM batches WHERE file = ?1)",
	[Q_LENGTHS] = "SELECT id, length(raw) FROM lines WHERE id > ?1 AND id <= ?2"
		      " ORDER BY id DESC LIMIT ?3",
	[Q_DROP_LINES] = "DELETE FROM lines WHERE id >= ?1 AND id <= ?2",
	[Q_DROP_TEMPLATES] = "DELETE FROM templates WHERE id >= ?1 AND id <= ?2",
	[Q_DROP] = "DELETE FROM files WHERE id = ?1",
	[Q_LOADING] = "SELECT id, uuid, loader, automatic FROM files WHERE loader >= 0",
	[Q_LOOSE] = "/*scan*/ SELECT id, uuid, 0, iif(deleted = 1, 0, automatic) FROM files"
		    " WHERE loader IS NULL AND (deleted = 1 OR automatic <> 0)"
		    " AND NOT EXISTS (SELECT 1 FROM batches WHERE file = files.id)",
};
const struct stmt_set file_sql = { "file", texts, ARRAY_LEN(texts) };

/* The keys of a file's templates and lines are above first and up to last. */
static int64_t first_key(int64_t file)
{
	return file << 32;
}

static int64_t last_key(int64_t file)
{
	return file << 32 | (int64_t)UINT32_MAX;
}

void file_release(struct file *f)
{
	mem_free(f->name);
	mem_free(f->filename);
	mem_free(f->user);
	*f = (struct file)FILE_INIT;
}

char *file_id_text(struct id uuid, char *buf)
{
	memcpy(buf, "file-", 5);
	id_hex(uuid, buf + 5);
	return buf;
}

static void fill(struct file *f, struct stmt *q)
{
	file_release(f);
	f->id = stmt_col_int(q, 0);
	f->uuid = stmt_col_id(q, 1);
	f->name = stmt_col_copy(q, 2);
	f->filename = stmt_col_copy(q, 3);
	f->bytes = stmt_col_int(q, 4);
	f->requests = stmt_col_int(q, 5);
	f->hash = stmt_col_id(q, 6);
	f->created_ms = stmt_col_int(q, 7);
	f->user = stmt_col_copy(q, 8);
	f->automatic = stmt_col_int(q, 9);
	f->deleted = stmt_col_int(q, 10);
}

static int not_found(struct span operand, struct err *e)
{
	err_set(e, ERR_NOTFOUND, "there is no file '%s'", safe_show(operand, SHOWN));
	return err_hint(e, "fsl-file list shows those there are");
}

static int ambiguous(struct span operand, struct id a, struct id b, struct err *e)
{
	char one[FILE_ID_BUF], other[FILE_ID_BUF];
	err_set(e, ERR_NOTFOUND, "'%s' is ambiguous: %s and %s begin like that",
		safe_show(operand, SHOWN), file_id_text(a, one), file_id_text(b, other));
	return err_hint(e, "give more digits");
}

static int find_last(struct db *db, struct file *out, struct err *e)
{
	STMT(q, db, &file_sql, Q_LIST);
	stmt_int(&q, 1, INT64_MAX);
	stmt_int(&q, 2, 1);
	int rc = stmt_step(&q, e);
	if (rc == 0)
		return err_set(e, ERR_NOTFOUND, "there is no file yet");
	if (rc > 0)
		fill(out, &q);
	return rc < 0 ? -1 : 0;
}

int file_find(struct db *db, const char *operand, struct file *out, struct err *e)
{
	struct ref r = ref_parse(operand, "file-");
	if (r.kind == REF_LAST)
		return find_last(db, out, e);
	STMT(q, db, &file_sql, r.kind == REF_ID ? Q_BY_ID : Q_BY_NAME);
	if (r.kind == REF_ID) {
		stmt_blob(&q, 1, r.low.b, ID_BYTES);
		stmt_blob(&q, 2, r.high.b, ID_BYTES);
	} else {
		stmt_text(&q, 1, r.text);
	}
	int rc = stmt_step(&q, e);
	if (rc <= 0)
		return rc < 0 ? -1 : not_found(r.text, e);
	fill(out, &q);
	rc = stmt_step(&q, e);
	return rc > 0 ? ambiguous(r.text, out->uuid, stmt_col_id(&q, 1), e) : rc;
}

int file_get(struct db *db, int64_t id, struct file *out, struct err *e)
{
	STMT(q, db, &file_sql, Q_GET);
	stmt_int(&q, 1, id);
	int rc = stmt_step(&q, e);
	if (rc == 0)
		return err_set(e, ERR_NOTFOUND, "the file is gone");
	if (rc > 0)
		fill(out, &q);
	return rc < 0 ? -1 : 0;
}

int file_by_hash(struct db *db, struct id hash, struct file *out, struct err *e)
{
	STMT(q, db, &file_sql, Q_BY_HASH);
	stmt_blob(&q, 1, hash.b, ID_BYTES);
	int rc = stmt_step(&q, e);
	if (rc > 0)
		fill(out, &q);
	return rc;
}

struct page {
	struct file *files;
	int n;
};

static void page_release(struct page *p)
{
	while (p->n > 0)
		file_release(&p->files[--p->n]);
	free(p->files);
}

/* A whole page is read before the first call: fn may write, or wait for who
 * reads what it prints. */
static int read_page(struct db *db, int64_t after, int limit, struct page *p,
		     struct err *e)
{
	STMT(q, db, &file_sql, Q_LIST);
	stmt_int(&q, 1, after > 0 ? after : INT64_MAX);
	stmt_int(&q, 2, limit);
	p->files = mem_alloc((size_t)limit * sizeof(*p->files));
	int rc;
	while ((rc = stmt_step(&q, e)) > 0)
		fill(&p->files[p->n++], &q);
	return rc;
}

int file_list(struct db *db, int64_t *after, int limit, file_fn *fn, void *ctx,
	      struct err *e)
{
	int given = 0;
	while (given < limit) {
		struct page p CLEANUP(page_release) = { NULL, 0 };
		int want = limit - given < LIST_ROWS ? limit - given : LIST_ROWS;
		if (read_page(db, *after, want, &p, e) < 0)
			return -1;
		for (int i = 0; i < p.n; i++, given++) {
			*after = p.files[i].id;
			if (fn(ctx, &p.files[i], e) < 0)
				return -1;
		}
		if (p.n < want)
			break;
	}
	return given;
}

int file_models(struct db *db, int64_t id, file_model_fn *fn, void *ctx, struct err *e)
{
	STMT(q, db, &file_sql, Q_MODELS);
	stmt_int(&q, 1, id);
	int rc;
	while ((rc = stmt_step(&q, e)) > 0)
		if (fn(ctx, stmt_col(&q, 0), stmt_col_int(&q, 1), e) < 0)
			return -1;
	return rc;
}

struct lines_page {
	struct str bytes;
	uint32_t line[PAGE_ROWS];
	size_t end[PAGE_ROWS]; /* of the line in bytes */
	int n;
};

static int read_lines(struct db *db, int64_t after, int64_t last, struct lines_page *p,
		      struct err *e)
{
	STMT(q, db, &file_sql, Q_LINES);
	stmt_int(&q, 1, after);
	stmt_int(&q, 2, last);
	stmt_int(&q, 3, PAGE_ROWS);
	int rc = 1;
	str_reset(&p->bytes);
	p->n = 0;
	while (p->bytes.n < PAGE_BYTES && (rc = stmt_step(&q, e)) > 0) {
		p->line[p->n] = (uint32_t)stmt_col_int(&q, 0);
		str_addspan(&p->bytes, stmt_col(&q, 1));
		p->end[p->n++] = p->bytes.n;
	}
	return rc < 0 ? -1 : p->n;
}

static void lines_page_free(struct lines_page **p)
{
	str_release(&(*p)->bytes);
	free(*p);
}

/* Between two pages the file can be deleted, and its key used again. */
static int check_whole(struct db *db, int64_t id, struct id uuid, int64_t given,
		       struct err *e)
{
	struct file now CLEANUP(file_release) = FILE_INIT;
	if (file_get(db, id, &now, e) < 0)
		return -1;
	if (id_eq(now.uuid, uuid) && now.requests == given)
		return 0;
	return err_set(e, ERR_NOTFOUND, "the file was deleted while it was read");
}

int file_lines(struct db *db, int64_t id, file_line_fn *fn, void *ctx, struct err *e)
{
	struct file f CLEANUP(file_release) = FILE_INIT;
	if (file_get(db, id, &f, e) < 0)
		return -1;
	struct lines_page *p CLEANUP(lines_page_free) = mem_alloc(sizeof(*p));
	int64_t after = first_key(id), given = 0;
	int n;
	while ((n = read_lines(db, after, last_key(id), p, e)) > 0) {
		for (int i = 0; i < n; i++) {
			size_t from = i > 0 ? p->end[i - 1] : 0;
			struct span raw = { p->bytes.p + from, p->end[i] - from };
			if (fn(ctx, p->line[i], raw, e) < 0)
				return -1;
		}
		given += n;
		after = first_key(id) | p->line[n - 1];
	}
	return n < 0 ? -1 : check_whole(db, id, f.uuid, given, e);
}

int file_line(struct db *db, int64_t id, uint32_t line, struct str *raw, struct err *e)
{
	STMT(q, db, &file_sql, Q_LINE);
	stmt_int(&q, 1, first_key(id) | line);
	int rc = stmt_step(&q, e);
	if (rc > 0)
		str_addspan(raw, stmt_col(&q, 0));
	return rc;
}

/* 1: the row is still that file, and no batch refers to it. */
static int unused(struct db *db, int64_t id, struct id uuid, struct err *e)
{
	STMT(q, db, &file_sql, Q_UNUSED);
	stmt_int(&q, 1, id);
	stmt_blob(&q, 2, uuid.b, ID_BYTES);
	return stmt_step(&q, e);
}

/* Where one step begins that goes to the last line: pages at the end of the
 * state file can be given back without moving others into their places.
 * *more tells whether lines are left before it. */
static int step_start(struct db *db, int64_t id, int64_t *start, bool *more, struct err *e)
{
	STMT(q, db, &file_sql, Q_LENGTHS);
	stmt_int(&q, 1, first_key(id));
	stmt_int(&q, 2, last_key(id));
	stmt_int(&q, 3, STEP_ROWS);
	int64_t bytes = 0;
	int n = 0, rc = 1;
	while (bytes < STEP_BYTES && (rc = stmt_step(&q, e)) > 0) {
		*start = stmt_col_int(&q, 0);
		bytes += stmt_col_int(&q, 1);
		n++;
	}
	*more = rc > 0 || n == STEP_ROWS;
	if (!*more)
		*start = first_key(id);
	return rc < 0 ? -1 : 0;
}

static int drop_from(struct db *db, int index, int64_t id, int64_t start, struct err *e)
{
	STMT(q, db, &file_sql, index);
	stmt_int(&q, 1, start);
	stmt_int(&q, 2, last_key(id));
	return stmt_run(&q, e) < 0 ? -1 : 0;
}

static int drop_row(struct db *db, int64_t id, struct err *e)
{
	STMT(q, db, &file_sql, Q_DROP);
	stmt_int(&q, 1, id);
	return stmt_run(&q, e) < 0 ? -1 : 0;
}

/* Removes the rows of a hidden file and at last its own.  Somebody else may be
 * at it too, and its key may be used again: each step looks. */
static int remove_rows(struct db *db, int64_t id, struct id uuid, struct err *e)
{
	for (bool more = true; more;) {
		TX(tx);
		int64_t start;
		if (tx_begin(&tx, db, e) < 0)
			return -1;
		int rc = unused(db, id, uuid, e);
		if (rc <= 0)
			return rc;
		if (step_start(db, id, &start, &more, e) < 0 ||
		    drop_from(db, Q_DROP_LINES, id, start, e) < 0 ||
		    drop_from(db, Q_DROP_TEMPLATES, id, start, e) < 0 ||
		    (!more && drop_row(db, id, e) < 0) ||
		    db_vacuum_some(db, STEP_PAGES, e) < 0 || tx_commit(&tx, e) < 0)
			return -1;
	}
	return 0;
}

static int hide(struct db *db, int64_t id, struct err *e)
{
	STMT(q, db, &file_sql, Q_HIDE);
	stmt_int(&q, 1, id);
	return stmt_run(&q, e) < 0 ? -1 : 0;
}

int file_check_delete(struct db *db, int64_t id, struct err *e)
{
	char text[FILE_ID_BUF], hex[ID_HEX + 1];
	STMT(q, db, &file_sql, Q_NEEDED);
	stmt_int(&q, 1, id);
	int rc = stmt_step(&q, e);
	if (rc <= 0)
		return rc;
	err_set(e, ERR_STATE, "%s is needed by batch_%s, which is not finished",
		file_id_text(stmt_col_id(&q, 0), text), id_hex(stmt_col_id(&q, 1), hex));
	return err_hint(e, "cancel the batch first, or wait for it");
}

int file_delete(struct db *db, int64_t id, struct err *e)
{
	struct file f CLEANUP(file_release) = FILE_INIT;
	TX(tx);
	if (tx_begin(&tx, db, e) < 0 || file_get(db, id, &f, e) < 0 ||
	    file_check_delete(db, id, e) < 0 || hide(db, id, e) < 0 || tx_commit(&tx, e) < 0)
		return -1;
	return remove_rows(db, id, f.uuid, e);
}

/* A file that has to go, as it was read before anything was written. */
struct loose {
	int64_t id;
	struct id uuid;
};

struct loose_list {
	struct loose *v;
	size_t n;
};

static void loose_release(struct loose_list *l)
{
	free(l->v);
}

/* The byte in `loader` says whose import it is, that in `automatic` who may be
 * about to make its batch: we would know that we are not. */
static bool is_loose(struct side *s, int loader, int automatic)
{
	if (loader > 0)
		return !side_alive(s, loader);
	return automatic < SIDE_LOADER_FIRST || side_mine(s, automatic) ||
	       !side_alive(s, automatic);
}

static int find_loose(struct db *db, int index, struct loose_list *l, struct err *e)
{
	STMT(q, db, &file_sql, index);
	int rc;
	while ((rc = stmt_step(&q, e)) > 0) {
		if (!is_loose(db_side(db), (int)stmt_col_int(&q, 2), (int)stmt_col_int(&q, 3)))
			continue;
		if ((l->n & (l->n - 1)) == 0)
			l->v = mem_resize(l->v, l->n ? l->n * 2 : 1, sizeof(*l->v));
		l->v[l->n++] = (struct loose){ stmt_col_int(&q, 0), stmt_col_id(&q, 1) };
	}
	return rc;
}

/* 1: it is hidden now; 0: in the meantime it was finished, made explicit, used
 * by a batch, or swept by somebody else. */
static int hide_loose(struct db *db, int index, const struct loose *f, struct err *e)
{
	TX(tx);
	if (tx_begin(&tx, db, e) < 0)
		return -1;
	STMT(q, db, &file_sql, index == Q_LOADING ? Q_HIDE_LOADING : Q_HIDE_UNUSED);
	stmt_int(&q, 1, f->id);
	stmt_blob(&q, 2, f->uuid.b, ID_BYTES);
	int n = stmt_run(&q, e);
	stmt_end(&q);
	return n < 0 || tx_commit(&tx, e) < 0 ? -1 : n;
}

int file_sweep(struct db *db, struct err *e)
{
	static const int queries[] = { Q_LOADING, Q_LOOSE };
	for (size_t i = 0; i < ARRAY_LEN(queries); i++) {
		struct loose_list l CLEANUP(loose_release) = { NULL, 0 };
		if (find_loose(db, queries[i], &l, e) < 0)
			return -1;
		for (size_t k = 0; k < l.n; k++) {
			int rc = hide_loose(db, queries[i], &l.v[k], e);
			if (rc < 0 || (rc > 0 && remove_rows(db, l.v[k].id, l.v[k].uuid, e) < 0))
				return -1;
		}
	}
	return 0;
}
