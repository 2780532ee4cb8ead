#include "engine/oneshot.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fixture.h"
#include "rows.h"

#define LINE(id) "{\"custom_id\":\"" id "\",\"url\":\"/v1/x\",\"body\":{\"model\":\"m\"}}\n"
#define FOUR LINE("a") LINE("b") LINE("c") LINE("d")

static struct db *db;
static sqlite3 *raw;
static struct err e;

#define SQL(...) ROWS_INT(raw, __VA_ARGS__)

/* All tests work in unit_dir(): names are paths. */
static void put(const char *name, const char *text)
{
	FILE *f = fopen(name, "w");
	fixture_must(f && fputs(text, f) >= 0 && fclose(f) == 0, name, &e);
}

/* The beginning of a file, what is in a FIFO, or "(none)". */
static const char *get(const char *name)
{
	static char text[4096];
	int fd = open(name, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return "(none)";
	ssize_t n = read(fd, text, sizeof text - 1);
	text[n > 0 ? n : 0] = '\0';
	close(fd);
	return text;
}

/* The custom ids of the lines in a file, in their order. */
static const char *ids(const char *name)
{
	static char found[100];
	size_t n = 0;
	for (const char *p = get(name); (p = strstr(p, "\"custom_id\":\"")) && n < 99;)
		found[n++] = *(p += 13);
	found[n] = '\0';
	return found;
}

/* How many names there are; a temporary file would be one too many. */
static int names_in(const char *path)
{
	DIR *d = opendir(path);
	int n = -2; /* "." and ".." */
	fixture_must(d != NULL, path, &e);
	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

/* Makes the descriptor this file; returns what it was, for dup2(2). */
static int redirect(int fd, const char *name, int flags)
{
	int was = dup(fd), to = open(name, flags | O_CLOEXEC, 0600);
	fixture_must(was >= 0 && to >= 0 && dup2(to, fd) == fd && close(to) == 0, name, &e);
	return was;
}

#define TO(url) .base_url = url, .max_line = 1 << 20, .send = SEND_INIT
#define PLAIN TO("http://127.0.0.1:1/v1")
static const struct create_options plain = { PLAIN };

/* The row of the batch that fsl-run -i would work on for a file with this text,
 * or for standard input if it is NULL; -1: it fails. */
static int64_t batch_of(const char *text, const struct create_options *co, struct oneshot *o)
{
	struct create c CLEANUP(create_release) = CREATE_INIT;
	struct batch b CLEANUP(batch_release) = BATCH_INIT;
	struct import im = IMPORT_INIT;
	if (text)
		put("in", text);
	fixture_must(create_make(co, &c, &e) == 0, "create_make", &e);
	create_import(co, text ? "in" : "-", &im);
	if (oneshot_batch(db, &im, &c, o, &b, &e) < 0)
		return -1;
	return b.oneshot && o->finished == batch_terminal(b.status) ? b.id : -2;
}

static void test_new(void)
{
	struct oneshot o = { .resumed = true, .finished = true, .reopened = 7 };
	int64_t id = batch_of(FOUR, &plain, &o);
	CHECK(id > 0 && !o.resumed && !o.finished && o.reopened == 0, "a new input: a new batch");
	CHECK(batch_of(FOUR, &plain, &o) == id && o.resumed && !o.finished,
	      "again: the same, to go on with");
	int was = redirect(STDIN_FILENO, "in", O_RDONLY);
	CHECK(batch_of(NULL, &plain, &o) == id && o.resumed, "the bytes count, not the name");
	dup2(was, STDIN_FILENO);
	close(was);
	fixture_file(db, LINE("imported"));
	CHECK(batch_of(LINE("imported"), &plain, &o) > id && !o.resumed, "one imported before");
	CHECK(SQL("SELECT count(*) FROM files") == 2 && SQL("SELECT count(*) FROM files"
	      " WHERE automatic > 0") == 1, "each is stored once; ours goes with its batch");
}

static void test_identity(void)
{
	static const char *header[] = { "X-Tenant: a" }, *meta[] = { "k=v" };
	static const struct { const char *name; struct create_options co; } others[] = {
		{ "base URL", { TO("http://127.0.0.1:1") } },
		{ "endpoint", { PLAIN, .endpoint = "/v1/x" } },
		{ "header", { PLAIN, .headers = header, .n_headers = 1 } },
		{ "key", { PLAIN, .key = "env:A" } },
		{ "key header", { PLAIN, .key = "env:A", .key_header = "api-key: {}" } },
	};
	struct create_options like = { PLAIN, .priority = 5, .name = "name", .metadata = meta,
				       .n_metadata = 1 };
	struct oneshot o = { 0 }, fresh = { .fresh = true };
	int64_t id = batch_of(LINE("a"), &plain, &o), last = id;
	for (size_t i = 0; i < ARRAY_LEN(others); i++) {
		int64_t other = batch_of(LINE("a"), &others[i].co, &o);
		CHECK(other > last && !o.resumed, "another %s: another batch", others[i].name);
		CHECK(batch_of(LINE("a"), &others[i].co, &o) == other && o.resumed, "it stays");
		last = other;
	}
	CHECK(batch_of(LINE("a") LINE("b"), &plain, &o) > last && !o.resumed, "or input");
	like.send.retries = 17;
	CHECK(batch_of(LINE("a"), &like, &o) == id && o.resumed,
	      "retries, priority, name and metadata do not count");
	int64_t second = batch_of(LINE("a"), &plain, &fresh);
	CHECK(second > id && !fresh.resumed && !fresh.finished, "--new: another one");
	CHECK(batch_of(LINE("a"), &plain, &o) == second && o.resumed, "then the newest is meant");
}

/* The input is refused, and nothing is stored. */
static void refuses_input(const char *text, const char *endpoint, const char *rule)
{
	struct create_options co = { PLAIN, .endpoint = endpoint };
	struct oneshot o = { 0 };
	static const char sql[] = "SELECT count(*) + (SELECT count(*) FROM batches) FROM files";
	int64_t before = SQL(sql);
	CHECK(batch_of(text, &co, &o) == -1 && e.code == ERR_INPUT && SQL(sql) == before,
	      "refused: %s", rule);
}

static void is_told(const struct oneshot *o, int64_t id, const char *want, const char *rule)
{
	struct batch b CLEANUP(batch_release) = BATCH_INIT;
	int was = redirect(STDERR_FILENO, "said", O_WRONLY | O_CREAT | O_TRUNC);
	fixture_get(db, id, &b);
	oneshot_tell(db, o, &b);
	dup2(was, STDERR_FILENO);
	close(was);
	const char *said = get("said");
	CHECK(*want ? strstr(said, want) != NULL : *said == '\0', "%s: says '%s'", rule, want);
}

static void test_finished(void)
{
	static const char text[] = LINE("x") LINE("y");
	struct create_options named = { PLAIN, .name = "finished", .if_absent = true };
	struct oneshot o = { 0 }, retry = { .retry_failed = true };
	int64_t id = batch_of(text, &named, &o);
	fixture_complete(db, request_row(id, 1), "{}");
	CHECK(batch_of(text, &plain, &retry) == id && retry.resumed && retry.reopened == 0,
	      "--retry-failed waits for the end");
	is_told(&retry, id, "", "resumed, off a terminal");
	fixture_fail(db, request_row(id, 2), 400, NULL, "{}");
	CHECK(batch_of(text, &plain, &o) == id && o.finished && !o.resumed, "it has ended");
	CHECK(batch_of(text, &plain, &retry) == id && !retry.finished && retry.reopened == 1,
	      "--retry-failed: what failed is open again");
	is_told(&retry, id, "1 request that had failed is sent", "reopened");
	CHECK(batch_of(text, &plain, &retry) == id && retry.resumed, "once");
	fixture_must(ending_cancel(db, id, false, &e) == 1, "ending_cancel", &e);
	CHECK(batch_of(text, &plain, &o) == id && o.finished, "it was cancelled");
	is_told(&o, id, "--retry-failed", "ended, not all completed");
	named.key = "env:A";
	CHECK(batch_of(text, &named, &retry) == id && retry.reopened == 1,
	      "which are open again, also if --if-absent found it");
	fixture_complete(db, request_row(id, 2), "{}");
	CHECK(batch_of(text, &plain, &retry) == id && retry.finished && retry.reopened == 0,
	      "all are completed: none is reopened");
	is_told(&retry, id, "(--new sends everything again)", "complete");
	CHECK_INT(rows_wrong(raw), 0, "all counters agree");
}

static void refuses(const char *output, const char *errors, enum err_code code, const char *rule)
{
	e = (struct err)ERR_INIT;
	CHECK(oneshot_check("w/in", output, errors, &e) < 0 && e.code == code,
	      "refused: %s (%s)", rule, e.msg);
}

static void test_check(void)
{
	fixture_must(mkdir("w", 0700) == 0 && mkdir("w/dir", 0700) == 0 &&
		     mkfifo("w/fifo", 0600) == 0 && symlink("dir", "w/to.dir") == 0 &&
		     symlink("fifo", "w/to.fifo") == 0, "mkdir", &e);
	put("w/old", "old");
	CHECK(oneshot_check("-", NULL, NULL, &e) == 0 && oneshot_check("w/in", "w/out", "w/err", &e) == 0 &&
	      oneshot_check("w/in", "w/old", NULL, &e) == 0, "they can be made");
	CHECK(oneshot_check("/dev/null", "/dev/null", "w/fifo", &e) == 0 && oneshot_check("-", "-", NULL, &e) == 0,
	      "a device, a FIFO that nobody reads, standard output");
	refuses("no/out", NULL, ERR_CANTCREAT, "an output in a missing directory");
	refuses("w/out", "no/err", ERR_CANTCREAT, "errors in one");
	refuses("w/dir", NULL, ERR_CANTCREAT, "a directory");
	refuses("w/out", "w/to.dir", ERR_CANTCREAT, "a link to one");
	refuses("w/out", "w/out.part", ERR_USAGE, "the .part of the output");
	refuses("w/./err.part", "w/err", ERR_USAGE, "that of the errors");
	CHECK(names_in("w") == 5 && strcmp(get("w/old"), "old") == 0, "nothing is left behind");
}

/* With standard output in a file. */
static int writes(int64_t id, const char *output, const char *errors)
{
	struct batch b CLEANUP(batch_release) = BATCH_INIT;
	int was = redirect(STDOUT_FILENO, "stdout", O_WRONLY | O_CREAT | O_TRUNC);
	e = (struct err)ERR_INIT;
	fixture_get(db, id, &b);
	int rc = oneshot_write(db, &b, output, errors, &e);
	dup2(was, STDOUT_FILENO);
	close(was);
	return rc;
}

static const char *const own[] = { "-", "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1" };

/* c and a are done, b has failed, d is left. */
static void test_unfinished(int64_t id)
{
	fixture_complete(db, request_row(id, 3), "{}");
	fixture_fail(db, request_row(id, 2), 400, NULL, "{}");
	fixture_complete(db, request_row(id, 1), "{}");
	put("o/out", "old");
	CHECK(writes(id, "o/out", "o/err") == 0 && strcmp(get("o/out"), "old") == 0,
	      "while work remains the output stays as it was");
	CHECK_STR(ids("o/out.part"), "ac", ".part has what is finished, in input order");
	CHECK(strcmp(ids("o/err.part"), "b") == 0 && names_in("o") == 3,
	      "so has that of the errors");
	CHECK(writes(id, "w/fifo", "/dev/full") == 0 && writes(id, "w/to.fifo", "o/e") == 0,
	      "FIFO and device are untouched");
	CHECK(strcmp(ids("o/e.part"), "b") == 0 && names_in("w") == 5,
	      "a file beside them has what is finished");
	for (size_t i = 0; i < ARRAY_LEN(own); i++)
		CHECK(writes(id, NULL, own[i]) == 0 && strcmp(get("stdout"), "") == 0 &&
		      access("-.part", F_OK) < 0 && access("/dev/stdout.part", F_OK) < 0,
		      "nothing goes to %s, nor beside it", own[i]);
}

static void test_ended(int64_t id)
{
	fixture_complete(db, request_row(id, 4), "{}");
	CHECK(writes(id, "o/out", "o/err") == 0 && strcmp(ids("o/out"), "acd") == 0,
	      "at the end the output is whole, in input order");
	CHECK(strcmp(ids("o/err"), "b") == 0 && strstr(get("o/err"), "\"status_code\":400"),
	      "the errors have the others");
	CHECK(writes(id, NULL, NULL) == 0 && writes(id, NULL, "o/e") == 0 &&
	      strcmp(ids("o/e"), "b") == 0, "none or one of them is wanted");
	CHECK_INT(names_in("o"), 3, "each .part is removed");
	put("o/out", "old");
	CHECK(writes(id, "o/out", "no/err") < 0 && e.code == ERR_CANTCREAT &&
	      names_in("o") == 3 && strcmp(get("o/out"), "old") == 0, "no errors: the output stays");
	int64_t none = fixture_batch(db, fixture_lines(db, 1));
	fixture_fail(db, request_row(none, 1), 400, NULL, "{}");
	CHECK(writes(none, "o/out", NULL) == 0 && strcmp(get("o/out"), "") == 0,
	      "no successes: an empty output");
	int fifo = open("w/fifo", O_RDWR | O_NONBLOCK | O_CLOEXEC);
	put("w/fifo.part", "somebody's");
	CHECK(writes(id, "w/fifo", "o/e") == 0 && strcmp(ids("w/fifo"), "acd") == 0 &&
	      writes(id, "w/to.fifo", NULL) == 0 && strcmp(ids("w/fifo"), "acd") == 0,
	      "a FIFO gets the lines, also through a link");
	CHECK_STR(get("w/fifo.part"), "somebody's", "what is beside it is not ours");
	close(fifo);
	for (size_t i = 0; i < ARRAY_LEN(own); i++)
		CHECK(writes(id, NULL, own[i]) == 0 && strcmp(ids("stdout"), "b") == 0,
		      "and so does %s", own[i]);
	CHECK(writes(id, "/dev/full", "o/e") < 0 && e.code == ERR_IO, "a full device: %s", e.msg);
}

static int said; /* how often `clear` was called */

static void on_clear(void *ctx)
{
	++*(int *)ctx;
}

static struct oneshot shot(const char *output, const char *errors)
{
	return (struct oneshot){ .input = "in", .output = output, .errors = errors,
				 .clear = on_clear, .ctx = &said };
}

/* oneshot_begin() with this input; the batch's row, -1 on failure. */
static int64_t begins(struct oneshot *o, const char *text, const struct create_options *co)
{
	struct db *mine CLEANUP(db_cleanup) = NULL;
	struct batch b CLEANUP(batch_release) = BATCH_INIT;

	put("in", text);
	e = (struct err)ERR_INIT;
	int rc = oneshot_begin(o, co, db_path(db), DB_EXISTING, &mine, &b, &e);
	return rc < 0 ? -1 : b.id;
}

static void test_whole(void)
{
	static const char text[] = LINE("p") LINE("q");
	struct create_options bad = { TO("nonsense") };
	struct oneshot o = shot("b/out", "b/err");

	fixture_must(mkdir("b", 0700) == 0, "mkdir", &e);
	int64_t id = begins(&o, text, &plain);
	CHECK(id > 0 && !o.resumed && said == 1, "begin: a batch, and the progress line is cleared");
	CHECK(begins(&o, text, &plain) == id && o.resumed, "again: the same");
	CHECK(begins(&o, text, &bad) == -1 && e.code == ERR_USAGE, "bad options are refused");
	o = shot("b/out", "b/../b/out");
	CHECK(begins(&o, text, &plain) == -1 && e.code == ERR_USAGE, "so is one file for both outputs");
	o = shot("no/out", NULL);
	CHECK(begins(&o, text, &plain) == -1 && e.code == ERR_CANTCREAT && said == 2,
	      "outputs are looked at before anything is read");
	int was = redirect(STDERR_FILENO, "said", O_WRONLY | O_CREAT | O_TRUNC);
	o = shot("b/out", NULL);
	CHECK(begins(&o, "{\n", &plain) == -1 && e.code == ERR_INPUT && said == 4,
	      "a bad line is refused");
	dup2(was, STDERR_FILENO);
	close(was);
	CHECK(strstr(get("said"), "in:1:"), "and told, once the progress line is cleared");

	fixture_complete(db, request_row(id, 1), "{}");
	o = shot("b/out", "b/err");
	CHECK(oneshot_end(&o, db, id, &e) == 0 && strcmp(ids("b/out.part"), "p") == 0,
	      "end: the outputs are written");
	o = shot("-", "b/err");
	fixture_fail(db, request_row(id, 2), 400, NULL, "{}");
	was = redirect(STDOUT_FILENO, "stdout", O_WRONLY | O_CREAT | O_TRUNC);
	int rc = oneshot_end(&o, db, id, &e);
	dup2(was, STDOUT_FILENO);
	close(was);
	CHECK(rc == 0 && strcmp(get("stdout"), "") == 0 && strcmp(ids("b/err"), "q") == 0,
	      "but for -, which has its lines");
	CHECK(oneshot_end(&o, db, 1 << 20, &e) < 0 && e.code == ERR_NOTFOUND,
	      "a batch that is gone is an error");
}

int main(void)
{
	fixture_must(chdir(unit_dir()) == 0 && mkdir("o", 0700) == 0, "chdir", &e);
	db = fixture_db("state.db");
	raw = rows_raw(db_path(db));
	test_new();
	test_identity();
	refuses_input(LINE("new") "{\n", NULL, "a bad line");
	refuses_input(LINE("new"), "/v1/y", "a line with another endpoint");
	refuses_input(FOUR, "/v1/y", "also in a file that is known");
	test_finished();
	test_check();
	int64_t id = fixture_batch(db, fixture_file(db, FOUR));
	test_unfinished(id);
	test_ended(id);
	test_whole();
	sqlite3_close(raw);
	db_close(db);
	return unit_done();
}
