#include "engine/submit.h"

#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "fixture.h"

static char input[600], state[600];
static int cleared;

static void on_clear(void *ctx)
{
	(void)ctx;
	cleared++;
}

static int submit(struct submit *s, struct batch *out, struct err *e)
{
	struct db *db CLEANUP(db_cleanup) = NULL;

	*e = (struct err)ERR_INIT;
	batch_release(out);
	s->db_path = state;
	s->mode = DB_CREATE;
	s->clear = on_clear;
	return submit_batch(s, &db, out, e);
}

static void write_input(const char *text)
{
	FILE *f = fopen(input, "w");

	fputs(text, f);
	fclose(f);
}

static void test_path(void)
{
	struct create_options o = CREATE_OPTIONS_INIT;
	struct batch b CLEANUP(batch_release) = BATCH_INIT;
	struct submit s = { .options = &o, .operand = input, .dry_run = true };
	struct err e;
	char id[FILE_ID_BUF];

	o.base_url = "http://127.0.0.1:1";
	write_input("{\"custom_id\":\"a\",\"url\":\"/v1/x\",\"body\":{}}\n");
	CHECK(submit(&s, &b, &e) == 0 && b.id == 0 && access(state, F_OK) < 0,
	      "a dry run makes no batch and no state file");
	s.dry_run = false;
	CHECK(submit(&s, &b, &e) == 0 && b.total == 1, "a path is imported");
	CHECK(cleared > 0, "the progress line is cleared");
	struct id file = b.file_uuid;
	CHECK(submit(&s, &b, &e) == 0 && id_eq(file, b.file_uuid), "the same content is shared");
	s.operand = file_id_text(file, id);
	CHECK(submit(&s, &b, &e) == 0 && id_eq(file, b.file_uuid), "a file by its id");
	s.operand = "nosuch";
	CHECK(submit(&s, &b, &e) < 0 && e.code == ERR_NOTFOUND, "a file that is not there");
}

static void test_dry_run(void)
{
	struct create_options o = CREATE_OPTIONS_INIT;
	struct batch b CLEANUP(batch_release) = BATCH_INIT;
	struct submit s = { .options = &o, .operand = input };
	struct err e;

	o.base_url = "http://127.0.0.1:1";
	o.name = "night";
	CHECK(submit(&s, &b, &e) == 0, "a batch with a name");
	s.dry_run = true;
	CHECK(submit(&s, &b, &e) < 0 && e.code == ERR_STATE, "a dry run sees that it is taken");
	o.if_absent = true;
	CHECK(submit(&s, &b, &e) == 0, "--if-absent");
	o.name = NULL;
	o.if_absent = false;
	o.endpoint = "/v1/y";
	CHECK(submit(&s, &b, &e) < 0 && e.code == ERR_INPUT, "a url that is not the endpoint");
	s.operand = "@last";
	CHECK(submit(&s, &b, &e) < 0 && e.code == ERR_INPUT, "of a stored file too");
	o.endpoint = NULL;
	o.key = "sk-123";
	CHECK(submit(&s, &b, &e) < 0 && e.code == ERR_USAGE, "options are checked");
}

/* What is said of answers that are there, with and without --reuse, and by a
 * dry run. */
static void reuse(void)
{
	struct create_options o = CREATE_OPTIONS_INIT;
	struct batch b CLEANUP(batch_release) = BATCH_INIT;
	struct submit s = { .options = &o, .operand = input };
	struct err e = ERR_INIT;

	log_set(LOG_INFO, false);
	o.base_url = "http://127.0.0.1:1/reuse";
	write_input("{\"custom_id\":\"a\",\"url\":\"/v1/x\"}\n");
	fixture_must(submit(&s, &b, &e) == 0, "submit", &e);
	struct db *db CLEANUP(db_cleanup) = fixture_db("state.db");
	fixture_complete(db, request_row(b.id, 1), "{}");
	fputs("1:", stderr);
	fixture_must(submit(&s, &b, &e) == 0, "submit", &e);
	o.reuse_ms = 60000;
	s.dry_run = true;
	fputs("2:", stderr);
	fixture_must(submit(&s, &b, &e) == 0, "submit", &e);
	s.operand = "@last";
	fputs("3:", stderr);
	fixture_must(submit(&s, &b, &e) == 0, "submit", &e);
	s.dry_run = false;
	fputs("4:", stderr);
	fixture_must(submit(&s, &b, &e) == 0 && b.status == BATCH_COMPLETED, "submit", &e);
	log_set(LOG_NOTE, false);
	fputs("5:", stderr);
	fixture_must(submit(&s, &b, &e) == 0, "submit", &e);
	fputs("6:", stderr);
}

static void test_reuse(void)
{
	char said[2000];

	CHECK_INT(unit_child(reuse, said, sizeof said), 0, "create, again, --reuse");
	CHECK(strstr(said, "1:fsl: batch_") && strstr(said, " has answers to 1 of 1 request;"
	      " create --reuse would take them\n2:"), "without --reuse: who has the answers");
	CHECK(strstr(said, "\nfsl: 1 of them would take answers that were given before\n3:"),
	      "a dry run tells what would be taken, of a path");
	CHECK(strstr(said, "\nfsl: 1 of them would take answers that were given before\n4:"),
	      "and of a stored file");
	CHECK(strstr(said, "4:fsl: 1 of 1 request takes answers that were given before\n"),
	      "--reuse: what was");
	CHECK(strstr(said, "5:6:") != NULL, "but not off a terminal without -v");
}

static void complain(void)
{
	struct create_options o = CREATE_OPTIONS_INIT;
	struct batch b CLEANUP(batch_release) = BATCH_INIT;
	struct submit s = { .options = &o, .operand = input };
	struct err e;

	o.base_url = "http://127.0.0.1:1";
	o.key = "env:FSL_TEST_NO_SUCH_KEY";
	write_input("{\"custom_id\":\"a\",\"url\":\"/v1/x\"}\n{\"custom_id\":\"a\"}\n");
	if (submit(&s, &b, &e) == 0)
		fputs("stored\n", stderr);
	write_input("{\"custom_id\":\"a\",\"url\":\"/v1/x\"}\n");
	if (submit(&s, &b, &e) < 0)
		fputs("refused\n", stderr);
}

static void test_words(void)
{
	char said[1000];

	unit_child(complain, said, sizeof said);
	CHECK(strstr(said, "in.jsonl:2:") && !strstr(said, "stored"), "bad lines are told");
	CHECK(strstr(said, "warning: key env:FSL_TEST_NO_SUCH_KEY") && !strstr(said, "refused"),
	      "a key that does not resolve is a warning");
}

int main(void)
{
	snprintf(input, sizeof input, "%s/in.jsonl", unit_dir());
	snprintf(state, sizeof state, "%s/state.db", unit_dir());
	test_path();
	test_dry_run();
	test_reuse();
	test_words();
	return unit_done();
}
