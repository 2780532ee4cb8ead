/* parents: the lines that a command gets, and its environment. */
#include "engine/parents.h"

#include <fcntl.h>
#include <unistd.h>

#include "domain/produce.h"
#include "steps.h"

static struct steps s;
static struct err e;

static const char *written(int64_t product, struct str *names)
{
	static char text[4096];
	int fd = open(rows_path("lines"), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	str_reset(names);
	CHECK_INT(parents_write(s.p.db, product, fd, names, &e), 0, "written");
	ssize_t n = pread(fd, text, sizeof text - 1, 0);
	text[n < 0 ? 0 : n] = '\0';
	close(fd);
	return text;
}

static void lines(void)
{
	const struct steps_product v[] = {
		{ "two", "exec", "{\"argv\":[\"true\"]}" }, { "one", "batch", "{\"file\":\"x\"}" },
		{ "three", "cams", "null" }, { "child", "exec", "{\"argv\":[\"cat\"]}" },
	};
	struct str names CLEANUP(str_release) = STR_INIT, want CLEANUP(str_release) = STR_INIT;
	struct batch b CLEANUP(batch_release) = BATCH_INIT;
	char id[BATCH_ID_BUF];

	steps_publish(&s, "lines", v, 4, "one>child two>child three>child");
	int64_t two = plans_row(&s.p, "lines", "two"), one = plans_row(&s.p, "lines", "one");
	int64_t child = plans_row(&s.p, "lines", "child");
	CHECK_STR(written(child, &names), "", "while no parent is success there is nothing");
	struct id run = steps_claim(&s, two);
	CHECK_INT(produce_store(s.p.db, two, run, SPAN_LIT("no newline"), &e), 1, "what an exec wrote");
	CHECK_INT(lease_report(s.p.db, two, run, STATE_SUCCESS, SPAN_NONE, SPAN_NONE, &e), 1, "is success");
	run = steps_claim(&s, one);
	int64_t batch = fixture_batch(s.p.db, fixture_lines(s.p.db, 3));
	TX(tx);
	rows_must(tx_begin(&tx, s.p.db, &e) == 0 && produce_sends(s.p.db, one, run, batch, &e) == 1 &&
		  tx_commit(&tx, &e) == 0, "sends", e.msg);
	fixture_complete(s.p.db, batch << 32 | 3, "{\"n\":3}");
	fixture_complete(s.p.db, batch << 32 | 1, "{\"n\":1}");
	fixture_fail(s.p.db, batch << 32 | 2, 400, NULL, "{}");
	CHECK_INT(lease_report(s.p.db, one, run, STATE_SUCCESS, SPAN_NONE, SPAN_NONE, &e), 1, "one");
	CHECK_INT(plans_update(&s.p, "lines", "three=success"), 0, "three");
	const char *text = written(child, &names);
	CHECK(strncmp(text, "no newline\n{\"id\":\"batch_req_", 28) == 0,
	      "the parents in the order of publication, each beginning a line");
	const char *first = strstr(text, "\"r1\""), *third = strstr(text, "\"r3\"");
	CHECK(first && third && first < third && !strstr(text, "\"r2\""),
	      "of a batch the completed lines in the order of the input");
	fixture_get(s.p.db, batch, &b);
	str_addf(&want, "two=exec one=%s three=cams", batch_id_text(b.uuid, id));
	CHECK_STR(str_z(&names), str_z(&want), "who they are");
	CHECK_INT(batch_delete(s.p.db, batch, &e), 0, "the batch is deleted");
	CHECK(parents_write(s.p.db, child, STDERR_FILENO, NULL, &e) < 0 && strstr(e.msg, "one"),
	      "then what is missing is no empty input");
}

static void environment(void)
{
	const struct parents_env v = { "/x/fsl.db", "papers", "judge", "a=exec", { { 0 } },
				       "{\"day\":\"2026 \\\"7\\\"\",\"n\":5}" };
	static const char *const want[] = {
		"FSL_DB=/x/fsl.db", "FLETCHER_DATASET=papers", "FLETCHER_DATA_PRODUCT=judge",
		"FLETCHER_RUN_ID=00000000-0000-0000-0000-000000000000", "FLETCHER_PARENTS=a=exec",
		"FLETCHER_PARAM_day=2026 \"7\"", "FLETCHER_PARAM_n=5", NULL,
	};
	char **env = parents_env(&v);

	for (int i = 0; want[i]; i++)
		CHECK_STR(env[i] ? env[i] : "nothing", want[i], "the environment");
	CHECK(!env[7], "and no more");
	parents_env_free(env);
}

int main(void)
{
	steps_open(&s, "parents.db");
	lines();
	environment();
	steps_close(&s);
	return unit_done();
}
