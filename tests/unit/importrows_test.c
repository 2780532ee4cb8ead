/* importrows: chunks, the last transaction, and what is left when it fails. */
#include "domain/importrows.h"

#include <sqlite3.h>

#include "base/hash.h"
#include "fixture.h"
#include "rows.h"

static sqlite3 *raw;

static struct importrows *opened(struct db *db, bool automatic)
{
	struct err e = ERR_INIT;
	struct importrows *r = importrows_open(db, automatic, &e);
	fixture_must(r != NULL, "importrows_open", &e);
	return r;
}

static void add(struct importrows *r, uint32_t number, const char *model, size_t bytes)
{
	struct err e = ERR_INIT;
	char *line CLEANUP(mem_cleanup) = mem_alloc(bytes + 1);
	memset(line, 'x', bytes);
	struct importrows_line l = {
		.number = number, .raw = { line, bytes }, .custom_id = SPAN_LIT("some id"),
		.model = span_of(model), .hash = hash_of(line, bytes),
	};
	fixture_must(importrows_add(r, &l, &e) == 0, "importrows_add", &e);
}

static int64_t stored(void)
{
	return ROWS_INT(raw, "SELECT count(*) FROM lines l JOIN templates t ON t.id = l.id");
}

static struct importrows_end end_of(const char *name, const char *content)
{
	return (struct importrows_end){ .name = name, .filename = "f", .bytes = 7,
					.hash = hash_of(content, strlen(content)) };
}

static void chunks(struct db *db)
{
	struct err e = ERR_INIT;
	struct file f CLEANUP(file_release) = FILE_INIT;
	struct importrows *r = opened(db, false);
	struct importrows_end end = end_of("first", "1");
	bool existed = true;
	CHECK_INT(ROWS_INT(raw, "SELECT count(*) FROM files"), 0, "at first nothing is stored");
	for (uint32_t i = 1; i <= 10000; i++)
		add(r, i, i % 3 ? "m" : "n", 10);
	CHECK_INT(stored(), 0, "10,000 lines wait in memory");
	add(r, 10002, "m", 10);
	CHECK_INT(stored(), 10000, "one more, and they go in");
	CHECK_INT(ROWS_INT(raw, "SELECT loader FROM files"), SIDE_LOADER_FIRST, "under our byte");
	CHECK(side_alive(db_side(db), SIDE_LOADER_FIRST), "which we hold");
	for (uint32_t i = 1; i <= 3; i++)
		add(r, 20000 + i, "m", 1 << 20);
	CHECK_INT(stored(), 10003, "so do 2 MiB");
	add(r, 30000, "m", 5 << 20);
	add(r, 30001, "n", 1);
	CHECK_INT(stored(), 10005, "a long line goes alone");
	CHECK(importrows_finish(r, &end, &f, &existed, &e) == 0 && !existed, "the end");
	importrows_close(r);
	CHECK_INT(stored(), 10006, "all lines are there");
	CHECK(f.requests == 10006 && f.bytes == 7 && !f.automatic, "the file knows how many");
	CHECK_STR(f.name, "first", "and its name");
	CHECK(ROWS_INT(raw, "SELECT loader IS NULL FROM files"), "it is whole");
	CHECK(!side_alive(db_side(db), SIDE_LOADER_FIRST), "and the byte free");
	CHECK_INT(ROWS_INT(raw, "SELECT requests FROM file_models JOIN models ON id = model"
			   " WHERE name = 'n'"), 3334, "models are counted over chunks");
	CHECK_INT(ROWS_INT(raw, "SELECT sum(requests) FROM file_models"), 10006, "all of them");
	CHECK_INT(ROWS_INT(raw, "SELECT id & 4294967295 FROM lines WHERE length(raw) = 5 << 20"),
		  30000, "a key has the line's number");
	CHECK_INT(ROWS_INT(raw, "SELECT count(*) FROM templates WHERE custom_id = 'some id' AND"
			   " length(hash) = 16"), 10006, "a template has id and hash");
}

static void many_models(struct db *db)
{
	struct err e = ERR_INIT;
	struct file f CLEANUP(file_release) = FILE_INIT;
	struct importrows *r = opened(db, false);
	struct importrows_end end = end_of(NULL, "2");
	bool existed;
	for (uint32_t i = 1; i <= 1000; i++) {
		char model[20];
		snprintf(model, sizeof(model), "host-%u", i % 250);
		add(r, i, model, 1);
	}
	CHECK(importrows_finish(r, &end, &f, &existed, &e) == 0, "more models than are remembered");
	importrows_close(r);
	CHECK_INT(ROWS_INT(raw, "SELECT count(*) FROM file_models WHERE file = ?1 AND requests = 4", f.id),
		  250, "are counted right");
}

static void giving_up(struct db *db)
{
	struct err e = ERR_INIT;
	struct importrows *r = opened(db, true);
	int64_t before = stored(), files = ROWS_INT(raw, "SELECT count(*) FROM files");
	for (uint32_t i = 1; i <= 10001; i++)
		add(r, i, "m", 1);
	CHECK_INT(stored(), before + 10000, "a chunk is stored");
	importrows_close(r);
	CHECK(stored() == before && ROWS_INT(raw, "SELECT count(*) FROM files") == files,
	      "closed without an end, nothing is left");
	CHECK(!side_alive(db_side(db), SIDE_LOADER_FIRST), "and the byte free");
	importrows_close(NULL);

	/* Left by one who died holding the byte we get. */
	ROWS_DO(raw, "INSERT INTO files (uuid, filename, created_ms, user, loader)"
		" VALUES (randomblob(16), 'x', 1, 'me', 1024)");
	r = opened(db, false);
	CHECK_INT(ROWS_INT(raw, "SELECT count(*) FROM files"), files, "what names our byte is swept first");
	importrows_close(r);
	CHECK(importrows_check_name(db, "first", &e) < 0 && e.code == ERR_STATE && e.hint[0],
	      "a name that is taken");
	CHECK_INT(importrows_check_name(db, "free", &e), 0, "one that is free");
}

static void sharing(struct db *db)
{
	struct err e = ERR_INIT;
	struct file f CLEANUP(file_release) = FILE_INIT;
	bool existed;
	int64_t first = ROWS_INT(raw, "SELECT id FROM files WHERE name = 'first'"), lines = stored();

	struct importrows_end end = end_of("first", "other");
	struct importrows *r = opened(db, false);
	add(r, 1, "m", 1);
	CHECK(importrows_finish(r, &end, &f, &existed, &e) < 0 && e.code == ERR_STATE,
	      "a name that is taken is refused");
	importrows_close(r);
	CHECK_INT(stored(), lines, "and nothing stays");
	end = end_of("first", "1");
	r = opened(db, false);
	add(r, 1, "m", 1);
	CHECK(importrows_finish(r, &end, &f, &existed, &e) < 0 && e.code == ERR_STATE,
	      "also for the same content, unless it is to be shared");
	end.share = true;
	CHECK(importrows_finish(r, &end, &f, &existed, &e) == 0 && existed && f.id == first,
	      "then it is the file that is there");
	importrows_close(r);
	CHECK_INT(stored(), lines, "and nothing is stored");
	end = end_of("first", "other");
	end.share = true;
	r = opened(db, false);
	CHECK(importrows_finish(r, &end, &f, &existed, &e) < 0 && e.code == ERR_STATE &&
	      strstr(e.msg, "other content"), "sharing does not take a name from other content");
	end = end_of("second", "1");
	end.share = true;
	CHECK(importrows_share(r, &end, &f, &e) == 1 && strcmp(f.name, "first") == 0,
	      "a file keeps the name it has");
	end = end_of(NULL, "nobody's");
	end.share = true;
	CHECK_INT(importrows_share(r, &end, &f, &e), 0, "content that is not there");
	importrows_close(r);
}

static void automatic(struct db *db)
{
	struct err e = ERR_INIT;
	struct file f CLEANUP(file_release) = FILE_INIT;
	bool existed;
	struct importrows_end end = end_of(NULL, "auto");
	end.automatic = end.share = true;
	struct importrows *r = opened(db, true);
	add(r, 1, "m", 1);
	CHECK(importrows_finish(r, &end, &f, &existed, &e) == 0 && !existed && f.automatic,
	      "an automatic file");
	importrows_close(r);
	int64_t slot = ROWS_INT(raw, "SELECT automatic FROM files WHERE id = ?1", f.id);
	CHECK(side_alive(db_side(db), (int)slot), "is kept by our byte until we end");
	struct db *other = fixture_db("db");
	CHECK(file_sweep(other, &e) == 0 && ROWS_INT(raw, "SELECT count(*) FROM files WHERE id = ?1", f.id),
	      "others do not sweep it");
	r = opened(other, true);
	CHECK(importrows_share(r, &end, &f, &e) == 1 && f.automatic, "another import shares it");
	importrows_close(r);
	CHECK(ROWS_INT(raw, "SELECT automatic FROM files WHERE id = ?1", f.id) != slot &&
	      ROWS_INT(raw, "SELECT automatic FROM files WHERE id = ?1", f.id) >= SIDE_LOADER_FIRST,
	      "and keeps it by its own byte");
	end.automatic = false;
	end.name = "explicit";
	r = opened(db, false);
	CHECK(importrows_share(r, &end, &f, &e) == 1 && !f.automatic && strcmp(f.name, "explicit") == 0,
	      "an explicit import makes it explicit and names it");
	importrows_close(r);
	db_close(other);
}

int main(void)
{
	struct db *db = fixture_db("db");
	raw = rows_raw(db_path(db));
	fixture_check_plans(db, &importrows_sql);
	chunks(db);
	many_models(db);
	giving_up(db);
	sharing(db);
	automatic(db);
	sqlite3_close(raw);
	db_close(db);
	return unit_done();
}
