#include "domain/batch.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/mem.h"
#include "base/safe.h"
#include "base/user.h"
#include "domain/batchload.h"
#include "domain/batchrows.h"
#include "domain/file.h"
#include "domain/ref.h"
#include "domain/request.h"
#include "store/tx.h"

enum {
	Q_LAST, Q_BY_UUID, Q_BY_NAME, Q_GET, Q_BY_IDENTITY, Q_LIST, Q_OPEN, Q_INSERT, Q_SHOW,
	Q_FILE_MODEL,
};
static const char *const texts[] = {
	[Q_LAST] = BATCHLOAD_SELECT "WHERE id > 0 AND status > 0 ORDER BY id DESC LIMIT 1",
	[Q_BY_UUID] = BATCHLOAD_SELECT "WHERE uuid BETWEEN ?1 AND ?2 AND status > 0 LIMIT 2",
	[Q_BY_NAME] = BATCHLOAD_SELECT "WHERE name = ?1 AND status > 0",
	[Q_GET] = BATCHLOAD_SELECT "WHERE id = ?1 AND status > 0",
	[Q_BY_IDENTITY] = BATCHLOAD_SELECT "WHERE identity = ?1 AND oneshot = 1 AND status > 0"
			  " ORDER BY id DESC LIMIT 1",
	[Q_LIST] = BATCHLOAD_SELECT "WHERE id < ?1 AND status > 0 AND (?2 >> status) & 1"
		   " AND created_ms >= ?3 AND (?4 IS NULL OR user = ?4) ORDER BY id DESC LIMIT ?5",
	[Q_OPEN] = BATCHLOAD_SELECT "WHERE status IN (1, 5) AND id > ?1 AND (?2 IS NULL OR user = ?2)"
		   " ORDER BY id LIMIT ?3",
	[Q_INSERT] = "INSERT INTO batches (uuid, file, identity, oneshot, status, loader, user,"
		     " base_url, endpoint, model, key_ref, key_header, headers, metadata,"
		     " priority, options, created_ms, window_ms)"
		     " SELECT ?1, id, ?3, ?4, 0, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14,"
		     " ?15, ?16, ?17 FROM files WHERE id = ?2 AND deleted = 0",
	[Q_SHOW] = "UPDATE batches SET status = 1, loader = NULL, name = ?2, total = ?3,"
		   " pending = ?3, in_progress_ms = ?4, expires_ms = ?4 + window_ms WHERE id = ?1",
	[Q_FILE_MODEL] = "SELECT m.name FROM file_models f JOIN models m ON m.id = f.model"
			 " WHERE f.file = ?1 LIMIT 2",
};
const struct stmt_set batch_sql = { "batch", texts, ARRAY_LEN(texts) };

static const char *const status_texts[] = {
	"validating", "in_progress", "completed", "failed", "expired", "cancelling", "cancelled",
};

const char *batch_status_text(enum batch_status s)
{
	return status_texts[s];
}

int batch_status_of(const char *text)
{
	for (size_t i = 0; i < ARRAY_LEN(status_texts); i++)
		if (strcmp(text, status_texts[i]) == 0)
			return (int)i;
	return -1;
}

bool batch_terminal(enum batch_status s)
{
	return s == BATCH_COMPLETED || s == BATCH_FAILED || s == BATCH_EXPIRED ||
	       s == BATCH_CANCELLED;
}

void batch_release(struct batch *b)
{
	char *owned[] = { b->name, b->user, b->base_url, b->endpoint, b->model, b->key_ref,
			  b->key_header, b->headers, b->metadata, b->product };

	for (size_t i = 0; i < ARRAY_LEN(owned); i++)
		free(owned[i]);
	send_release(&b->send);
	*b = (struct batch)BATCH_INIT;
}

static char *id_text(const char *word, struct id uuid, char *buf)
{
	size_t n = strlen(word);

	memcpy(buf, word, n);
	id_hex(uuid, buf + n);
	return buf;
}

char *batch_id_text(struct id uuid, char *buf)
{
	return id_text("batch_", uuid, buf);
}

char *batch_request_text(struct id uuid, uint32_t line, char *buf)
{
	static const char digits[] = "0123456789abcdef";
	char *p = id_text("batch_req_", uuid, buf) + 10 + ID_HEX;

	for (int shift = 28; shift >= 0; shift -= 4)
		*p++ = digits[line >> shift & 15];
	*p = '\0';
	return buf;
}

bool batch_request_of(const char *text, struct id *uuid, uint32_t *line)
{
	struct span v = span_of(text);
	struct id low, high;

	if (!span_starts(v, "batch_req_") || v.n != REQUEST_ID_BUF - 1 ||
	    !id_from_hex((struct span){ v.p + 10, ID_HEX }, uuid) ||
	    !id_prefix((struct span){ v.p + 10 + ID_HEX, 8 }, &low, &high))
		return false;
	*line = (uint32_t)low.b[0] << 24 | (uint32_t)low.b[1] << 16 | (uint32_t)low.b[2] << 8 |
		low.b[3];
	return true;
}

static int unknown(const char *operand, struct err *e)
{
	err_set(e, ERR_NOTFOUND, "there is no batch '%s'", safe_show(span_of(operand), 100));
	return err_hint(e, "fsl-batch list shows what there is");
}

int batch_find(struct db *db, const char *operand, struct batch *out, struct err *e)
{
	static const int queries[] = { [REF_LAST] = Q_LAST, [REF_ID] = Q_BY_UUID,
				       [REF_NAME] = Q_BY_NAME };
	struct ref ref = ref_parse(operand, "batch_");
	char one[BATCH_ID_BUF], two[BATCH_ID_BUF];
	struct id second;

	STMT(q, db, &batch_sql, queries[ref.kind]);
	if (ref.kind == REF_ID) {
		stmt_blob(&q, 1, ref.low.b, ID_BYTES);
		stmt_blob(&q, 2, ref.high.b, ID_BYTES);
	} else if (ref.kind == REF_NAME) {
		stmt_text(&q, 1, ref.text);
	}
	int n = batchload_first(&q, out, &second, e);
	if (n == 2)
		return err_set(e, ERR_NOTFOUND, "'%s' is the beginning of several ids: %s, %s",
			       safe_show(span_of(operand), 100), batch_id_text(out->uuid, one),
			       batch_id_text(second, two));
	return n < 0 ? -1 : n == 0 ? unknown(operand, e) : 0;
}

int batch_get(struct db *db, int64_t id, struct batch *out, struct err *e)
{
	struct id second;

	STMT(q, db, &batch_sql, Q_GET);
	stmt_int(&q, 1, id);
	int n = batchload_first(&q, out, &second, e);
	if (n == 0)
		return err_set(e, ERR_NOTFOUND, "the batch was deleted");
	return n < 0 ? -1 : 0;
}

int batch_by_identity(struct db *db, struct id identity, struct batch *out, struct err *e)
{
	struct id second;

	STMT(q, db, &batch_sql, Q_BY_IDENTITY);
	stmt_blob(&q, 1, identity.b, ID_BYTES);
	return batchload_first(&q, out, &second, e);
}

static int read_list(struct db *db, const struct batch_filter *f, int64_t after, int limit,
		     struct batchload_page *p, struct err *e)
{
	STMT(q, db, &batch_sql, Q_LIST);
	stmt_int(&q, 1, after ? after : INT64_MAX);
	stmt_int(&q, 2, f->statuses ? f->statuses : ~0u);
	stmt_int(&q, 3, f->since_ms);
	stmt_textz(&q, 4, f->user);
	stmt_int(&q, 5, limit < BATCHLOAD_PAGE ? limit : BATCHLOAD_PAGE);
	return batchload_page(&q, p, e);
}

int batch_list(struct db *db, const struct batch_filter *f, int64_t *after, int limit,
	       batch_fn *fn, void *ctx, struct err *e)
{
	struct batchload_page p CLEANUP(batchload_release) = { .n = 0 };
	int total = 0, n;

	while (total < limit && (n = read_list(db, f, *after, limit - total, &p, e)) != 0) {
		if (n < 0)
			return -1;
		for (int i = 0; i < n; i++) {
			*after = p.rows[i].id;
			if (fn(ctx, &p.rows[i], e) < 0)
				return -1;
		}
		total += n;
	}
	return total;
}

static int read_open(struct db *db, const char *user, int64_t after, struct batchload_page *p,
		     struct err *e)
{
	STMT(q, db, &batch_sql, Q_OPEN);
	stmt_int(&q, 1, after);
	stmt_textz(&q, 2, user);
	stmt_int(&q, 3, BATCHLOAD_PAGE);
	return batchload_page(&q, p, e);
}

int batch_open(struct db *db, const char *user, batch_fn *fn, void *ctx, struct err *e)
{
	struct batchload_page p CLEANUP(batchload_release) = { .n = 0 };
	int total = 0, n;

	for (int64_t after = 0; (n = read_open(db, user, after, &p, e)) != 0; total += n) {
		if (n < 0)
			return -1;
		after = p.rows[n - 1].id;
		for (int i = 0; i < n; i++)
			if (fn(ctx, &p.rows[i], e) < 0)
				return -1;
	}
	return total;
}

static void hash_cleanup(struct hash **h)
{
	hash_free(*h);
}

struct id batch_identity(struct id input, const struct batch_new *n)
{
	const char *const fields[] = { n->base_url, n->endpoint, n->headers, n->key_ref,
				       n->key_header };
	struct hash *h CLEANUP(hash_cleanup) = hash_new();

	hash_add_field(h, input.b, ID_BYTES);
	for (size_t i = 0; i < ARRAY_LEN(fields); i++)
		hash_add_field(h, fields[i] ? fields[i] : "", fields[i] ? strlen(fields[i]) : 0);
	return hash_sum(h);
}

/* Is the name in use?  0: no.  1: by a batch of the same input, base URL and
 * endpoint, which --if-absent accepts.  -1: by another one. */
static int name_taken(struct db *db, const struct batch_new *n, const struct file *f,
		      struct batch *out, struct err *e)
{
	struct batch b CLEANUP(batch_release) = BATCH_INIT;
	struct file other CLEANUP(file_release) = FILE_INIT;
	char id[BATCH_ID_BUF];
	struct id second;

	STMT(q, db, &batch_sql, Q_BY_NAME);
	stmt_textz(&q, 1, n->name);
	int rc = batchload_first(&q, &b, &second, e);
	if (rc <= 0)
		return rc;
	if (file_get(db, b.file, &other, e) < 0)
		return -1;
	batch_id_text(b.uuid, id);
	const char *name = safe_show(span_of(n->name), 128);
	/* The same command, at the same time: it was not there a moment ago. */
	bool twin = n->resume && b.oneshot && id_eq(b.identity, batch_identity(f->hash, n));
	if (!n->if_absent && !twin) {
		err_set(e, ERR_STATE, "the name '%s' is taken by %s", name, id);
		return err_hint(e, "--if-absent prints the id of the one that is there");
	}
	if (!twin && (!id_eq(other.hash, f->hash) || strcmp(b.base_url, n->base_url) != 0 ||
		      (n->endpoint && (!b.endpoint || strcmp(b.endpoint, n->endpoint) != 0))))
		return err_set(e, ERR_STATE, "the name '%s' is taken by %s, which has another "
			       "input, base URL or endpoint", name, id);
	batch_release(out);
	*out = b;
	b = (struct batch)BATCH_INIT;
	return 1;
}

/* A batch that will do: 1, none: 0. */
static int is_there(struct db *db, const struct batch_new *n, const struct file *f,
		    struct batch *out, struct err *e)
{
	int rc = n->resume ? batch_by_identity(db, batch_identity(f->hash, n), out, e) : 0;

	return rc == 0 && n->name ? name_taken(db, n, f, out, e) : rc;
}

static int only_model(struct db *db, int64_t file, struct str *name, struct err *e)
{
	STMT(q, db, &batch_sql, Q_FILE_MODEL);
	stmt_int(&q, 1, file);
	int rc = stmt_step(&q, e);
	if (rc <= 0)
		return rc;
	str_addspan(name, stmt_col(&q, 0));
	rc = stmt_step(&q, e);
	return rc < 0 ? -1 : rc == 0;
}

/* The row, validating and unseen. */
static int insert(struct batchrows *r, const struct batch_new *n, const struct file *f,
		  const char *endpoint, const char *model, struct err *e)
{
	struct str options CLEANUP(str_release) = STR_INIT;
	struct id uuid = id_random(), identity = batch_identity(f->hash, n);

	send_write(n->send, &options);
	TX(tx);
	if (tx_begin(&tx, r->db, e) < 0)
		return -1;
	STMT(q, r->db, &batch_sql, Q_INSERT);
	stmt_blob(&q, 1, uuid.b, ID_BYTES);
	stmt_int(&q, 2, f->id);
	stmt_blob(&q, 3, identity.b, ID_BYTES);
	stmt_int(&q, 4, n->oneshot);
	stmt_int(&q, 5, r->slot);
	stmt_textz(&q, 6, user_name());
	stmt_textz(&q, 7, n->base_url);
	stmt_textz(&q, 8, endpoint);
	stmt_textz(&q, 9, model);
	stmt_textz(&q, 10, n->key_ref);
	stmt_textz(&q, 11, n->key_header);
	stmt_textz(&q, 12, n->headers);
	stmt_textz(&q, 13, n->metadata);
	stmt_int(&q, 14, n->priority);
	stmt_text(&q, 15, str_span(&options));
	stmt_int(&q, 16, clock_wall_ms());
	if (n->window_ms > 0)
		stmt_int(&q, 17, n->window_ms);
	int rc = stmt_run(&q, e);
	if (rc == 0)
		return err_set(e, ERR_NOTFOUND, "the file was deleted");
	if (rc < 0)
		return -1;
	stmt_end(&q);
	int64_t id = stmt_last_rowid(r->db);
	if (tx_commit(&tx, e) < 0)
		return -1;
	r->id = id;
	return 0;
}

/* The last transaction.  1: somebody was faster with the same name, or with the
 * same one-shot command. */
static int show(struct batchrows *r, const struct batch_new *n, const struct file *f,
		int64_t total, struct batch *out, struct err *e)
{
	TX(tx);
	if (tx_begin(&tx, r->db, e) < 0)
		return -1;
	int rc = is_there(r->db, n, f, out, e);
	if (rc != 0)
		return rc;
	STMT(q, r->db, &batch_sql, Q_SHOW);
	stmt_int(&q, 1, r->id);
	stmt_textz(&q, 2, n->name);
	stmt_int(&q, 3, total);
	stmt_int(&q, 4, clock_wall_ms());
	if (stmt_run(&q, e) < 0 || batchrows_show(r, f->id, e) < 0)
		return -1;
	stmt_end(&q);
	if (n->shown && n->shown(n->ctx, r->db, r->id, e) < 0)
		return -1;
	return tx_commit(&tx, e);
}

int batch_create(struct db *db, const struct batch_new *n, struct batch *out, bool *existed,
		 struct err *e)
{
	struct file f CLEANUP(file_release) = FILE_INIT;
	struct str url CLEANUP(str_release) = STR_INIT, model CLEANUP(str_release) = STR_INIT;
	struct batchrows r CLEANUP(batchrows_leave) = BATCHROWS_FOR(n);
	int rc;

	*existed = false;
	if ((n->name && ref_check_name(n->name, e) < 0) || batch_sweep(db, e) < 0 ||
	    file_get(db, n->file, &f, e) < 0)
		return -1;
	rc = is_there(db, n, &f, out, e);
	if (rc != 0) {
		*existed = rc > 0;
		return rc < 0 ? -1 : 0;
	}
	int one_url = batchrows_url(db, &f, n->endpoint, &url, e);
	int one_model = one_url < 0 ? -1 : only_model(db, f.id, &model, e);
	if (one_model < 0 || batchrows_enter(&r, db, e) < 0)
		return -1;
	if (insert(&r, n, &f, one_url ? str_z(&url) : NULL, one_model ? str_z(&model) : NULL,
		   e) < 0)
		return -1;
	int64_t total = batchrows_fill(&r, f.id, e);
	if (total < 0)
		return -1;
	if (total != f.requests)
		return err_set(e, ERR_INTERNAL, "the file has %lld requests and not %lld",
			       (long long)total, (long long)f.requests);
	rc = show(&r, n, &f, total, out, e);
	*existed = rc > 0;
	if (rc != 0)
		return rc < 0 ? -1 : 0;
	int64_t id = r.id;
	r.id = 0; /* it stays */
	return batch_get(db, id, out, e);
}

/* Hidden first: whatever kills this leaves what the next writer sweeps. */
int batch_delete(struct db *db, int64_t id, struct err *e)
{
	struct batchrows r CLEANUP(batchrows_leave) = BATCHROWS_INIT;

	if (batchrows_enter(&r, db, e) < 0 || batchrows_hide(&r, id, e) < 0 ||
	    batchrows_drop(&r, e) < 0)
		return -1;
	return file_sweep(db, e);
}

int batch_sweep(struct db *db, struct err *e)
{
	return batchrows_sweep(db, e);
}

int batch_exit(const struct batch *b)
{
	if (!batch_terminal(b->status))
		return 4;
	if (b->status == BATCH_FAILED)
		return 1;
	return b->completed == b->total ? 0 : b->completed > 0 ? 3 : 1;
}

const char *batch_outcome(const struct batch *b)
{
	if (!batch_terminal(b->status))
		return NULL;
	if (b->status == BATCH_CANCELLED)
		return "cancelled";
	if (b->status == BATCH_EXPIRED)
		return "expired";
	if (b->total == 0)
		return "empty";
	if (b->completed == b->total)
		return "all_completed";
	return b->completed > 0 ? "some_failed" : "all_failed";
}
