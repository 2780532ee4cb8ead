/* import: from a JSONL file to the state file, whole or not at all. */
#include "domain/import.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/hash.h"
#include "fixture.h"
#include "proc.h"
#include "rows.h"

#define LINE(id) "{\"custom_id\":\"" id "\",\"url\":\"/v1/x\",\"body\":{\"model\":\"m\"}}"

static sqlite3 *raw;
static struct str told; /* "1:2:code " per problem */

static void tell(void *ctx, const char *file, int64_t line, const struct line_problem *why)
{
	(void)ctx;
	(void)file;
	str_addf(&told, "%lld:%zu:%s ", (long long)line, why->column, line_code_text(why->code));
}

static const char *write_file(const char *name, struct span text)
{
	static char path[512];
	struct err e = ERR_INIT;
	snprintf(path, sizeof(path), "%s/%s", unit_dir(), name);
	FILE *f = fopen(path, "w");
	fixture_must(f && fwrite(text.p, 1, text.n, f) == text.n && fclose(f) == 0, path, &e);
	return path;
}

static struct import import_of(const char *path)
{
	struct import im = IMPORT_INIT;
	im.path = path;
	im.problem = tell;
	str_reset(&told);
	return im;
}

static int64_t rows(void)
{
	return ROWS_INT(raw, "SELECT (SELECT count(*) FROM files) + (SELECT count(*) FROM lines)"
			" + (SELECT count(*) FROM templates)");
}

static int add_line(void *ctx, uint32_t line, struct span bytes, struct err *e)
{
	(void)e;
	str_addf(ctx, "%lu:%.*s|", (unsigned long)line, (int)bytes.n, bytes.p);
	return 0;
}

/* Imports the text, looks at what is stored, deletes it. */
static void stores(struct db *db, struct span text, const char *want, const char *rule)
{
	struct err e = ERR_INIT;
	struct file f CLEANUP(file_release) = FILE_INIT;
	struct str got CLEANUP(str_release) = STR_INIT;
	struct import im = import_of(write_file("in", text));
	if (!CHECK(import_run(db, &im, &f, &e) == 0, "%s", rule)) {
		printf("# %s; %s\n", e.msg, str_z(&told));
		return;
	}
	CHECK(file_lines(db, f.id, add_line, &got, &e) == 0, "and can be read");
	CHECK_STR(str_z(&got), want, "as it was");
	CHECK(f.bytes == (int64_t)text.n && id_eq(f.hash, hash_of(text.p, text.n)),
	      "size and hash are those of the input");
	fixture_must(file_delete(db, f.id, &e) == 0, "file_delete", &e);
}
#define STORES(text, want, rule) stores(db, SPAN_LIT(text), want, rule)

static void good(struct db *db)
{
	STORES(LINE("a") "\n" LINE("b") "\n", "1:" LINE("a") "|2:" LINE("b") "|", "two lines");
	STORES(LINE("a"), "1:" LINE("a") "|", "a missing last newline");
	STORES("\xef\xbb\xbf" LINE("a") "\n", "1:" LINE("a") "|", "a byte order mark");
	STORES(LINE("a") "\r\n" LINE("b") "\r\n", "1:" LINE("a") "\r|2:" LINE("b") "\r|", "CR LF");
	STORES("\n  \t\n\r\n" LINE("a") "\n\n", "4:" LINE("a") "|", "blank lines");
}

/* The text is refused with these problems, and nothing is stored. */
static void refuses(struct db *db, struct span text, bool strict, const char *want, const char *rule)
{
	struct err e = ERR_INIT;
	struct file f CLEANUP(file_release) = FILE_INIT;
	struct import im = import_of(write_file("in", text));
	int64_t before = rows();
	im.strict = strict;
	CHECK(import_run(db, &im, &f, &e) < 0 && e.code == ERR_INPUT, "%s is refused", rule);
	CHECK_STR(str_z(&told), want, "with line, column and reason");
	CHECK_INT(rows(), before, "nothing is stored");
	im = import_of(im.path);
	im.strict = strict;
	CHECK(import_check(&im, &e) < 0 && e.code == ERR_INPUT && strcmp(str_z(&told), want) == 0,
	      "checking says the same");
}
#define REFUSES(text, want, rule) refuses(db, SPAN_LIT(text), false, want, rule)
#define STRICTLY(text, want, rule) refuses(db, SPAN_LIT(text), true, want, rule)

static void bad(struct db *db)
{
	REFUSES("", "1:1:empty_file ", "an empty file");
	REFUSES("\n\n", "3:1:empty_file ", "a file of blank lines");
	REFUSES(LINE("a") "\n\n" LINE("b") "\n" LINE("a") "\n", "4:14:duplicate_custom_id ",
		"the same custom_id");
	REFUSES(LINE("a") "\n{\"url\":\"/x\",  \"custom_id\":\"\\u0061\"}\n",
		"2:27:duplicate_custom_id ", "the same one written otherwise");
	REFUSES("\xef\xbb\xbf{\n{}\n", "1:5:invalid_json_line 2:1:missing_required_parameter ",
		"two bad lines: columns count from the byte order mark, and all");
	REFUSES(LINE("a") "\n{\"custom_id\":\"b\",\"url\":\"/\xff\"}\n", "2:26:invalid_utf8 ", "invalid UTF-8");
	REFUSES(LINE("a\0") "\n", "1:16:invalid_json_line ", "NUL");
	REFUSES("{\"custom_id\":\"b\",\"url\":\"file:///etc/passwd\"}\n", "1:24:invalid_url ",
		"file://");
	REFUSES("{\"custom_id\":\"b\",\"url\":\"/x\",\"api_key\":\"k\"}\n", "1:39:secret_in_line ",
		"a secret");
	STRICTLY("\xef\xbb\xbf" LINE("a") "\n", "1:1:not_strict ", "strictly, a byte order mark");
	STRICTLY(LINE("a") "\r\n", "1:53:not_strict ", "strictly, CR LF");
	STRICTLY("\n" LINE("a") "\n", "1:1:not_strict ", "strictly, a blank line");
	STRICTLY(LINE("a"), "1:53:not_strict ", "strictly, a missing newline");
	STRICTLY(LINE("a") "\n{\"custom_id\":\"b\",\"url\":\"/v1/y\",\"model\":\"m\"}\n",
		 "2:24:url_mismatch ", "strictly, another url");
	STRICTLY(LINE("a") "\n{\"custom_id\":\"b\",\"model\":\"n\",\"url\":\"/v1/x\"}\n",
		 "2:26:model_mismatch ", "strictly, another model");
	STRICTLY("{\"custom_id\":\"b\",\"url\":\"/x\",\"method\":\"GET\"}\n", "1:38:invalid_method ",
		 "strictly, another method than POST");
	STRICTLY("{\"custom_id\":\"b\",\"url\":\"http://h/x\"}\n", "1:24:invalid_url ",
		 "strictly, an absolute url");
}

static void limits(struct db *db)
{
	struct err e = ERR_INIT;
	struct file f CLEANUP(file_release) = FILE_INIT;
	struct str text CLEANUP(str_release) = STR_INIT;
	int64_t before = rows();
	for (int i = 0; i < 50; i++)
		str_addz(&text, "{}\n");
	struct import im = import_of(write_file("in", str_span(&text)));
	CHECK(import_run(db, &im, &f, &e) < 0 && im.bad == 20, "after 20 problems it gives up");
	im = import_of(im.path);
	im.max_errors = 100;
	CHECK(import_run(db, &im, &f, &e) < 0 && im.bad == 50, "or later");

	str_reset(&text);
	str_addf(&text, "%s\n%0200d\n%s\n", LINE("a"), 0, LINE("b"));
	im = import_of(write_file("in", str_span(&text)));
	im.max_line = 100;
	CHECK(import_run(db, &im, &f, &e) < 0 && e.code == ERR_INPUT, "a line above the limit is refused");
	CHECK_STR(str_z(&told), "2:101:line_too_long ", "with its number; the next ones are read");

	str_reset(&text);
	for (int i = 0; i <= 50000; i++)
		str_addf(&text, "{\"custom_id\":\"%d\",\"url\":\"/v1/x\"}\n", i);
	im = import_of(write_file("in", str_span(&text)));
	im.strict = true;
	CHECK(import_run(db, &im, &f, &e) < 0, "strictly, 50,001 requests are too many");
	CHECK_STR(str_z(&told), "50001:1:too_many_tasks ", "the line says where");
	CHECK_INT(rows(), before, "the 50,000 before it are gone");
	CHECK_STR(ROWS_TEXT(raw, "SELECT count(*) FROM files WHERE loader IS NOT NULL"), "0",
		  "no row is left loading");
	im = import_of(im.path);
	CHECK(import_run(db, &im, &f, &e) == 0 && im.lines == 50001, "else they are fine");
	fixture_must(file_delete(db, f.id, &e) == 0, "file_delete", &e);

	im = import_of("/nonexistent/in");
	CHECK(import_run(db, &im, &f, &e) < 0 && e.code == ERR_NOINPUT, "a file that is not there");
	im = import_of(unit_dir());
	CHECK(import_run(db, &im, &f, &e) < 0 && e.code == ERR_NOINPUT, "a directory");
}

static const char *contents(const char *name)
{
	static char text[4096];
	char path[512];
	snprintf(path, sizeof(path), "%s/%s", unit_dir(), name);
	FILE *f = fopen(path, "r");
	size_t n = f ? fread(text, 1, sizeof(text) - 1, f) : 0;
	if (f)
		fclose(f);
	text[n] = '\0';
	return text;
}

static void skipping(struct db *db)
{
	struct err e = ERR_INIT;
	struct file f CLEANUP(file_release) = FILE_INIT;
	char path[512];
	struct span text = SPAN_LIT(LINE("a") "\n{bad\r\n" LINE("a") "\n\n" LINE("b") "\n{}");
	struct import im = import_of(write_file("in", text));
	snprintf(path, sizeof(path), "%s/skipped", unit_dir());
	struct outfile *o = outfile_open(path, &e);
	im.skipped = o;
	im.max_errors = 1;
	CHECK(import_run(db, &im, &f, &e) == 0 && outfile_commit(o, &e) == 0, "bad lines left out");
	outfile_close(o);
	CHECK(im.lines == 2 && im.bad == 3 && f.requests == 2, "the good ones are in");
	CHECK_STR(contents("skipped"), "{bad\r\n" LINE("a") "\n{}\n", "the bad ones are there, as they were");
	CHECK_STR(str_z(&told), "2:2:invalid_json_line ",
		  "problems are told up to the limit");
	CHECK(!id_eq(f.hash, hash_of(text.p, text.n)), "the content is not the input");

	im = import_of(im.path);
	im.if_absent = true;
	struct file again CLEANUP(file_release) = FILE_INIT;
	CHECK(import_run(db, &im, &again, &e) < 0, "so the input itself is not there already");
	fixture_must(file_delete(db, f.id, &e) == 0, "file_delete", &e);

	int64_t before = rows();
	im = import_of(write_file("in", SPAN_LIT("{}\n{}\n")));
	im.skipped = o = outfile_open("/dev/null", &e);
	CHECK(import_run(db, &im, &f, &e) < 0 && e.code == ERR_INPUT && rows() == before,
	      "no good line is no file");
	outfile_close(o);
}

static void defaults(struct db *db)
{
	struct err e = ERR_INIT;
	struct file f CLEANUP(file_release) = FILE_INIT;
	struct str got CLEANUP(str_release) = STR_INIT;
	struct span text = SPAN_LIT(
		"{\"custom_id\":\"a\" } \r\n"
		"{\"custom_id\":\"b\",\"url\":\"/v1/y\",\"body\":{\"model\":\"k\"}}\n"
		"{\"custom_id\":\"c\",\"url\":\"http://h/\"}\n"
		"{\"custom_id\":\"d\",\"model\":\"j\",\"body\":\"}\"}\n");
	struct import im = import_of(write_file("in", text));
	im.rules.default_url = "/v1/\"x";
	im.rules.default_model = "m";
	CHECK(import_run(db, &im, &f, &e) == 0, "--url and --model");
	CHECK(file_lines(db, f.id, add_line, &got, &e) == 0, "the lines have them");
	CHECK_STR(str_z(&got),
		  "1:{\"custom_id\":\"a\" ,\"url\":\"/v1/\\\"x\",\"model\":\"m\"} \r|"
		  "2:{\"custom_id\":\"b\",\"url\":\"/v1/y\",\"body\":{\"model\":\"k\"}}|"
		  "3:{\"custom_id\":\"c\",\"url\":\"http://h/\",\"model\":\"m\"}|"
		  "4:{\"custom_id\":\"d\",\"model\":\"j\",\"body\":\"}\",\"url\":\"/v1/\\\"x\"}|",
		  "behind their last member, where they were missing");
	CHECK_INT(ROWS_INT(raw, "SELECT requests FROM file_models f JOIN models m ON m.id = f.model"
			   " WHERE f.file = ?1 AND m.name = 'm'", f.id), 2, "the model is counted");
	struct line l CLEANUP(line_release) = LINE_INIT;
	struct str line CLEANUP(str_release) = STR_INIT;
	struct line_problem why;
	bool same = true;
	for (uint32_t i = 1; i <= 4; i++) {
		str_reset(&line);
		fixture_must(file_line(db, f.id, i, &line, &e) == 1 &&
			     line_read(&l, str_span(&line), NULL, &why) == 0, "line_read", &e);
		struct id now = line_hash(&l);
		sqlite3_stmt *q = NULL;
		sqlite3_prepare_v2(raw, "SELECT hash FROM templates WHERE id = ?1", -1, &q, NULL);
		sqlite3_bind_int64(q, 1, f.id << 32 | i);
		same = same && sqlite3_step(q) == SQLITE_ROW &&
		       memcmp(sqlite3_column_blob(q, 0), now.b, ID_BYTES) == 0;
		sqlite3_finalize(q);
	}
	CHECK(same, "the hash of a template is that of its line as it is read again");

	struct file plain CLEANUP(file_release) = FILE_INIT, again CLEANUP(file_release) = FILE_INIT;
	im = import_of(write_file("in", text));
	im.if_absent = true;
	im.rules.default_url = "/v1/z";
	CHECK(import_run(db, &im, &plain, &e) == 0 && !im.existed, "with another --url it is other content");
	CHECK(import_check(&im, &e) == 0 && id_eq(im.hash, plain.hash),
	      "a check tells the hash that it would have");
	CHECK(import_run(db, &im, &again, &e) == 0 && im.existed && again.id == plain.id,
	      "with the same one it is the same");
	fixture_must(file_delete(db, f.id, &e) == 0 && file_delete(db, plain.id, &e) == 0, "delete", &e);

	im.rules.default_url = "x y";
	CHECK(import_run(db, &im, &f, &e) < 0 && e.code == ERR_USAGE, "a --url that is none is refused");
	im.rules = (struct line_rules){ .default_model = "" };
	CHECK(import_run(db, &im, &f, &e) < 0 && e.code == ERR_USAGE, "and an empty --model");
	im.rules = (struct line_rules){ .default_model = "a\nb" };
	CHECK(import_check(&im, &e) < 0 && e.code == ERR_USAGE, "or one with control characters");
	im.rules = (struct line_rules){ .allow_secrets = false };
	im.name = "file-12";
	CHECK(import_run(db, &im, &f, &e) < 0 && e.code == ERR_USAGE, "and a name that is none");
	im = import_of(write_file("in", SPAN_LIT(LINE("a") "\n{\"custom_id\":\"b\",\"url\":\"/y\"}\n")));
	im.endpoint = "/v1/x";
	CHECK(import_run(db, &im, &f, &e) < 0, "a line with another url than the endpoint is refused");
	CHECK_STR(str_z(&told), "2:24:url_mismatch ", "with its place");
}

static void absent(struct db *db)
{
	struct err e = ERR_INIT;
	struct file a CLEANUP(file_release) = FILE_INIT, b CLEANUP(file_release) = FILE_INIT;
	const char *path = write_file("in", SPAN_LIT(LINE("a") "\n"));
	struct import im = import_of(path);
	im.name = "rows";
	CHECK(import_run(db, &im, &a, &e) == 0, "a file with a name");
	int64_t before = rows();
	CHECK(import_run(db, &im, &b, &e) < 0 && e.code == ERR_STATE, "the name is taken then");
	im.if_absent = true;
	CHECK(import_run(db, &im, &b, &e) == 0 && im.existed && b.id == a.id && im.lines == 1,
	      "the same content, if absent: the file that is there");
	CHECK_INT(rows(), before, "and nothing more");
	path = write_file("in", SPAN_LIT(LINE("other") "\n"));
	CHECK(import_run(db, &im, &b, &e) < 0 && e.code == ERR_STATE, "other content does not get the name");
	CHECK_INT(rows(), before, "and is not stored");
	im.name = NULL;
	im.if_absent = false;
	CHECK(import_run(db, &im, &b, &e) == 0 && b.id != a.id, "without it, it is");
	file_release(&b);
	CHECK(import_run(db, &im, &b, &e) == 0 && rows() > before, "twice, if asked for twice");
	im = import_of(write_file("in", SPAN_LIT("{}\n" LINE("a") "\n")));
	im.if_absent = true;
	CHECK(import_run(db, &im, &b, &e) < 0 && e.code == ERR_INPUT, "bad content is never there");

	path = write_file("in", SPAN_LIT(LINE("auto") "\n"));
	im = import_of(path);
	im.automatic = true;
	CHECK(import_run(db, &im, &a, &e) == 0 && a.automatic && !im.existed, "an automatic file");
	int64_t id = a.id;
	fixture_batch(db, id);
	CHECK(import_run(db, &im, &a, &e) == 0 && im.existed && a.id == id, "is shared by its content");
	im = import_of(path);
	im.if_absent = true;
	im.name = "now";
	CHECK(import_run(db, &im, &a, &e) == 0 && a.id == id && !a.automatic && a.name,
	      "an explicit import, if absent, makes it explicit and names it");
	im = import_of(path);
	im.automatic = true;
	CHECK(import_run(db, &im, &a, &e) == 0 && a.id == id && !a.automatic,
	      "an automatic one shares that and changes nothing");
	im.automatic = false;
	CHECK(import_run(db, &im, &a, &e) == 0 && a.id != id, "an explicit one stores it again");
}

/* An import from a FIFO, killed when the reader has taken so much. */
static char db_file[512], fifo[512];

static void import_fifo(struct proc *parent)
{
	struct err e = ERR_INIT;
	struct file f = FILE_INIT;
	struct import im = IMPORT_INIT;
	struct db *db = db_open(db_file, DB_EXISTING, &e);
	im.path = fifo;
	proc_say(parent, db && import_run(db, &im, &f, &e) == 0 ? 'k' : '-');
	db_close(db);
}

static void killed(struct db *db)
{
	struct err e = ERR_INIT;
	int64_t before = rows();
	snprintf(fifo, sizeof(fifo), "%s/fifo", unit_dir());
	fixture_must(mkfifo(fifo, 0600) == 0, "mkfifo", &e);
	struct proc p = proc_start(import_fifo);
	FILE *out = fopen(fifo, "w");
	for (int i = 0; i < 25000; i++)
		fprintf(out, "{\"custom_id\":\"%d\",\"url\":\"/v1/x\"}\n", i);
	fflush(out);
	CHECK(PROC_UNTIL(rows() > before + 40000), "two chunks are stored while it reads on");
	TX(tx);
	CHECK(tx_begin(&tx, db, &e) == 0, "it holds no lock while it waits for input");
	tx_end(&tx);
	proc_kill(&p);
	fclose(out);
	CHECK(rows() > before + 40000, "kill -9 leaves them");
	struct file f CLEANUP(file_release) = FILE_INIT;
	CHECK(file_find(db, "@last", &f, &e) < 0 || f.requests != 25000, "but nobody sees them");
	struct import im = import_of(write_file("in", SPAN_LIT(LINE("next") "\n")));
	CHECK(import_run(db, &im, &f, &e) == 0, "the next import");
	CHECK_INT(rows(), before + 3, "sweeps them");
}

int main(void)
{
	struct db *db = fixture_db("db");
	snprintf(db_file, sizeof(db_file), "%s", db_path(db));
	raw = rows_raw(db_file);
	good(db);
	bad(db);
	limits(db);
	skipping(db);
	defaults(db);
	absent(db);
	killed(db);
	CHECK_STR(ROWS_TEXT(raw, "PRAGMA integrity_check"), "ok", "the state file is sound");
	str_release(&told);
	sqlite3_close(raw);
	db_close(db);
	return unit_done();
}
