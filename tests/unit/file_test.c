/* file: finding, reading, deleting and sweeping what was imported. */
#include "domain/file.h"

#include <sqlite3.h>

#include "base/id.h"
#include "domain/importrows.h"
#include "fixture.h"
#include "proc.h"
#include "rows.h"

static sqlite3 *raw; /* looks, and makes what no program would make */

static struct file get(struct db *db, int64_t id)
{
	struct err e = ERR_INIT;
	struct file f = FILE_INIT;
	fixture_must(file_get(db, id, &f, &e) == 0, "file_get", &e);
	return f;
}

static int64_t lines_of(int64_t file)
{
	return ROWS_INT(raw, "SELECT count(*) FROM lines WHERE id >> 32 = ?1", file);
}

static int64_t templates_of(int64_t file)
{
	return ROWS_INT(raw, "SELECT count(*) FROM templates WHERE id >> 32 = ?1", file);
}

static bool gone(struct db *db, int64_t id)
{
	struct err e = ERR_INIT;
	struct file f CLEANUP(file_release) = FILE_INIT;
	return file_get(db, id, &f, &e) < 0 && e.code == ERR_NOTFOUND &&
	       lines_of(id) == 0 && templates_of(id) == 0;
}

/* A file row with this uuid and hash, whole. */
static int64_t plain_row(const char *hex)
{
	struct id uuid;
	sqlite3_stmt *q = rows_prepare(raw, "INSERT INTO files (uuid, hash, filename, created_ms,"
				       " user) VALUES (?1, ?1, 'x', 1, 'me')", NULL, 0);
	id_from_hex(span_of(hex), &uuid);
	sqlite3_bind_blob(q, 1, uuid.b, ID_BYTES, SQLITE_STATIC);
	rows_must(sqlite3_step(q) == SQLITE_DONE, hex, sqlite3_errmsg(raw));
	sqlite3_finalize(q);
	return sqlite3_last_insert_rowid(raw);
}

static int found(struct db *db, const char *operand, int64_t *id, struct err *e)
{
	struct file f CLEANUP(file_release) = FILE_INIT;
	int rc = file_find(db, operand, &f, e);
	*id = f.id;
	return rc;
}

static void finding(struct db *db)
{
	struct err e = ERR_INIT;
	int64_t id;
	CHECK(found(db, "@last", &id, &e) < 0 && e.code == ERR_NOTFOUND, "no file yet, no @last");
	int64_t a = plain_row("aabb0000000000000000000000000001");
	int64_t b = plain_row("aabb0000000000000000000000000002");
	ROWS_DO(raw, "UPDATE files SET name = 'rows' WHERE id = ?1", a);
	CHECK(found(db, "@last", &id, &e) == 0 && id == b, "@last is the newest");
	CHECK(found(db, "rows", &id, &e) == 0 && id == a, "a name");
	CHECK(found(db, "file-aabb0000000000000000000000000002", &id, &e) == 0 && id == b, "an id");
	CHECK(found(db, "AABB0000000000000000000000000001", &id, &e) == 0 && id == a,
	      "without its word, in any case");
	CHECK(found(db, "aabb", &id, &e) < 0 && e.code == ERR_NOTFOUND, "a prefix of two ids is none");
	CHECK(strstr(e.msg, "file-aabb0000000000000000000000000001") &&
	      strstr(e.msg, "file-aabb0000000000000000000000000002"), "the message names both");
	CHECK(found(db, "ffff", &id, &e) < 0 && e.code == ERR_NOTFOUND && e.hint[0],
	      "what is not there is ERR_NOTFOUND, with a hint");
	CHECK(found(db, "x'; DROP TABLE files; --", &id, &e) < 0 && e.code == ERR_NOTFOUND,
	      "an operand is no SQL");

	struct file f CLEANUP(file_release) = FILE_INIT;
	struct id hash, other;
	id_from_hex(SPAN_LIT("aabb0000000000000000000000000001"), &hash);
	id_from_hex(SPAN_LIT("aabb0000000000000000000000000009"), &other);
	CHECK(file_by_hash(db, hash, &f, &e) == 1 && f.id == a, "by content");
	CHECK_INT(file_by_hash(db, other, &f, &e), 0, "another content is not there");
	char text[FILE_ID_BUF];
	CHECK_STR(file_id_text(f.uuid, text), "file-aabb0000000000000000000000000001",
		  "the text of an id");

	ROWS_DO(raw, "UPDATE files SET deleted = 1 WHERE id = ?1", b);
	CHECK(found(db, "@last", &id, &e) == 0 && id == a, "a deleted file is not found");
	ROWS_DO(raw, "UPDATE files SET deleted = 0, loader = 2047 WHERE id = ?1", b);
	CHECK(found(db, "@last", &id, &e) == 0 && id == a, "nor one that is being imported");
	CHECK(found(db, "aabb", &id, &e) == 0 && id == a, "nor does it make a prefix ambiguous");
	f = (file_release(&f), get(db, b));
	CHECK_INT(f.id, b, "by row they are");
	ROWS_DO(raw, "DELETE FROM files");
}

struct seen {
	int64_t ids[100];
	int n, stop_at;
};

static int see(void *ctx, const struct file *f, struct err *e)
{
	struct seen *s = ctx;
	s->ids[s->n++] = f->id;
	return s->n == s->stop_at ? err_set(e, ERR_STATE, "enough") : 0;
}

static void listing(struct db *db)
{
	struct err e = ERR_INIT;
	struct seen s = { .n = 0 };
	int64_t after = 0;
	CHECK_INT(file_list(db, &after, 10, see, &s, &e), 0, "nothing to list");
	for (int i = 0; i < 25; i++) {
		struct str uuid CLEANUP(str_release) = STR_INIT;
		str_addf(&uuid, "%032d", i);
		plain_row(str_z(&uuid));
	}
	ROWS_DO(raw, "UPDATE files SET loader = 2047 WHERE id % 5 = 0");
	int n, pages = 0;
	while ((n = file_list(db, &after, 8, see, &s, &e)) > 0)
		pages++;
	CHECK(n == 0 && pages == 3 && s.n == 20, "20 whole ones in pages of 8 (%d, %d)", pages, s.n);
	bool falling = true;
	for (int i = 1; i < s.n; i++)
		falling = falling && s.ids[i] < s.ids[i - 1];
	CHECK(falling, "newest first, none twice");
	s = (struct seen){ .stop_at = 3 };
	after = 0;
	CHECK(file_list(db, &after, 8, see, &s, &e) < 0 && s.n == 3, "an error of the caller ends it");
	ROWS_DO(raw, "DELETE FROM files");
}

struct reading {
	struct db *db;
	struct str text;
	int64_t delete_at, n;
	bool nested;
};

static int read_line(void *ctx, uint32_t line, struct span bytes, struct err *e)
{
	struct reading *r = ctx;
	if (r->nested) {
		struct str again CLEANUP(str_release) = STR_INIT;
		fixture_must(file_line(r->db, r->delete_at, line, &again, e) == 1 &&
			     span_eq(str_span(&again), bytes), "file_line", e);
	} else if (r->delete_at && r->n == 0) {
		fixture_must(file_delete(r->db, r->delete_at, e) == 0, "file_delete", e);
	}
	r->n++;
	str_addf(&r->text, "%lu:", (unsigned long)line);
	str_addspan(&r->text, bytes);
	str_addc(&r->text, '\n');
	return 0;
}

static void reading_release(struct reading *r)
{
	str_release(&r->text);
}

static int add_model(void *ctx, struct span model, int64_t requests, struct err *e)
{
	(void)e;
	str_addf(ctx, "%.*s=%lld ", (int)model.n, model.p, (long long)requests);
	return 0;
}

static void contents(struct db *db)
{
	static const char a[] = "{\"custom_id\":\"a\",\"url\":\"/x\",\"model\":\"n\"}";
	static const char b[] = "{\"custom_id\":\"b\",\"url\":\"/x\",\"model\":\"m\"} ";
	static const char c[] = "{\"custom_id\":\"c\",\"url\":\"/x\",\"model\":\"m\"}\r";
	struct err e = ERR_INIT;
	struct str text CLEANUP(str_release) = STR_INIT, want CLEANUP(str_release) = STR_INIT;
	str_addf(&text, "%s\n\n%s\n%s\n", a, b, c);
	str_addf(&want, "1:%s\n3:%s\n4:%s\n", a, b, c);
	int64_t id = fixture_file(db, str_z(&text));

	struct reading r CLEANUP(reading_release) = { .db = db, .delete_at = id, .nested = true };
	CHECK(file_lines(db, id, read_line, &r, &e) == 0, "its lines can be read, one by one too");
	CHECK_STR(str_z(&r.text), str_z(&want), "with their numbers and bytes");
	struct str line CLEANUP(str_release) = STR_INIT;
	CHECK(file_line(db, id, 4, &line, &e) == 1 && span_is(str_span(&line), c), "one line");
	CHECK_INT(file_line(db, id, 2, &line, &e), 0, "a blank line is none");
	CHECK_INT(file_line(db, id, 5, &line, &e), 0, "nor is one behind the end");
	struct str models CLEANUP(str_release) = STR_INIT;
	CHECK(file_models(db, id, add_model, &models, &e) == 0, "its models");
	CHECK_STR(str_z(&models), "m=2 n=1 ", "most requests first");

	struct file f CLEANUP(file_release) = get(db, id);
	CHECK_INT(f.bytes, text.n, "bytes are those of the input");
	CHECK_INT(f.requests, 3, "requests are its lines");
	CHECK_STR(f.filename, "in.jsonl", "the name without the directory");
	CHECK(!f.name && !f.automatic && !f.deleted && f.user[0], "and the rest");
	fixture_must(file_delete(db, id, &e) == 0, "file_delete", &e);
}

static void paging(struct db *db)
{
	struct err e = ERR_INIT;
	int64_t id = fixture_lines(db, 2500), other = fixture_lines(db, 10);
	struct reading r CLEANUP(reading_release) = { .db = db };
	CHECK(file_lines(db, id, read_line, &r, &e) == 0 && r.n == 2500,
	      "a file of several pages is read to its end and no further");
	r.delete_at = id;
	r.n = 0;
	CHECK(file_lines(db, id, read_line, &r, &e) < 0 && e.code == ERR_NOTFOUND && r.n == 1000,
	      "deleted while it is read: no end that looks like one");
	CHECK(gone(db, id), "and it is gone");
	CHECK_INT(lines_of(other), 10, "the neighbour is not");
	fixture_must(file_delete(db, other, &e) == 0, "file_delete", &e);
}

static void deleting(struct db *db)
{
	struct err e = ERR_INIT;
	int64_t id = fixture_lines(db, 25000), batch = fixture_batch(db, id);
	ROWS_DO(raw, "UPDATE files SET name = 'mine' WHERE id = ?1", id);
	CHECK(file_check_delete(db, id, &e) < 0 && e.code == ERR_STATE && e.hint[0],
	      "a batch in progress needs it");
	CHECK(file_delete(db, id, &e) < 0 && e.code == ERR_STATE, "so it stays");
	CHECK(strstr(e.msg, "is needed by batch_"), "and the message names the batch");
	struct file f CLEANUP(file_release) = get(db, id);
	CHECK(!f.deleted && f.name, "nothing has changed");

	fixture_must(ending_cancel(db, batch, false, &e) >= 0, "ending_cancel", &e);
	CHECK_INT(file_check_delete(db, id, &e), 0, "a terminal batch does not need it");
	CHECK(file_delete(db, id, &e) == 0, "it can be deleted");
	file_release(&f);
	f = get(db, id);
	CHECK(f.deleted && !f.name, "but the batch shows it: it is hidden, its name free");
	CHECK_INT(templates_of(id), 25000, "with its templates");
	CHECK(file_sweep(db, &e) == 0 && lines_of(id) == 25000, "a sweep leaves it");
	fixture_must(batch_delete(db, batch, &e) == 0, "batch_delete", &e);
	CHECK(gone(db, id), "it goes with its last batch");
	CHECK_INT(ROWS_INT(raw, "SELECT count(*) FROM file_models"), 0, "and its models too");

	id = fixture_lines(db, 25000);
	int64_t pages = ROWS_INT(raw, "PRAGMA page_count");
	CHECK(file_delete(db, id, &e) == 0 && gone(db, id), "one that no batch shows goes at once");
	CHECK(ROWS_INT(raw, "PRAGMA page_count") < pages / 2, "its pages are given back");
	CHECK(file_delete(db, id, &e) < 0 && e.code == ERR_NOTFOUND, "a second time there is nothing");
}

/* Imports half a file and dies, or waits to be killed. */
static char db_file[512];

static void import_half(struct proc *parent)
{
	struct err e = ERR_INIT;
	struct db *db = db_open(db_file, DB_EXISTING, &e);
	struct importrows *r = db ? importrows_open(db, false, &e) : NULL;
	for (uint32_t i = 1; r && i <= 15000; i++) {
		struct importrows_line l = { .number = i, .raw = SPAN_LIT("{}"),
					     .custom_id = SPAN_LIT("c"), .model = SPAN_LIT("m") };
		if (importrows_add(r, &l, &e) < 0)
			break;
	}
	proc_say(parent, r ? 'h' : '-');
	proc_hear(parent);
}

static void sweeping(struct db *db)
{
	struct err e = ERR_INIT;
	struct proc p = proc_start(import_half);
	CHECK_INT(proc_hear(&p), 'h', "a process is half through with an import");
	int64_t id = ROWS_INT(raw, "SELECT id FROM files WHERE loader IS NOT NULL");
	CHECK(id > 0 && lines_of(id) == 10000, "a chunk of it is stored");
	struct seen s = { .n = 0 };
	int64_t after = 0;
	CHECK_INT(file_list(db, &after, 10, see, &s, &e), 0, "nobody sees it");
	CHECK(file_sweep(db, &e) == 0 && lines_of(id) == 10000, "while it lives a sweep leaves it");
	kill(p.pid, SIGSTOP);
	CHECK(file_sweep(db, &e) == 0 && lines_of(id) == 10000, "also when it is stopped");
	proc_kill(&p);
	CHECK(file_sweep(db, &e) == 0 && gone(db, id), "killed, it is swept");

	id = fixture_lines(db, 3);
	ROWS_DO(raw, "UPDATE files SET automatic = 1 WHERE id = ?1", id);
	int64_t batch = fixture_batch(db, id);
	CHECK(file_sweep(db, &e) == 0 && lines_of(id) == 3, "an automatic file stays with its batch");
	fixture_must(ending_cancel(db, batch, false, &e) == 3 && batch_delete(db, batch, &e) == 0, "batch", &e);
	CHECK(gone(db, id), "and goes with it");

	/* Another connection is another process to the side file. */
	struct db *other = fixture_db("db");
	int slot = side_enter(db_side(other), SIDE_LOADER, &e);
	id = fixture_lines(db, 3);
	ROWS_DO(raw, "UPDATE files SET automatic = ?2 WHERE id = ?1", id, slot);
	CHECK(file_sweep(db, &e) == 0 && lines_of(id) == 3,
	      "an automatic file without a batch stays while its importer lives");
	db_close(other);
	CHECK(file_sweep(db, &e) == 0 && gone(db, id), "and no longer");
	id = fixture_lines(db, 3);
	CHECK(file_sweep(db, &e) == 0 && lines_of(id) == 3, "an explicit one stays anyway");
	ROWS_DO(raw, "UPDATE files SET deleted = 1 WHERE id = ?1", id);
	CHECK(file_sweep(db, &e) == 0 && gone(db, id), "a hidden one without a batch is swept");
}

int main(void)
{
	struct db *db = fixture_db("db");
	snprintf(db_file, sizeof(db_file), "%s", db_path(db));
	raw = rows_raw(db_file);
	fixture_check_plans(db, &file_sql);
	finding(db);
	listing(db);
	contents(db);
	paging(db);
	deleting(db);
	sweeping(db);
	file_release(&(struct file)FILE_INIT);
	CHECK_STR(ROWS_TEXT(raw, "PRAGMA integrity_check"), "ok", "the state file is sound");
	CHECK_STR(ROWS_TEXT(raw, "PRAGMA foreign_key_check"), "", "and its references too");
	sqlite3_close(raw);
	db_close(db);
	return unit_done();
}
