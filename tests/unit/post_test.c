/* post: the request that tells a platform, and what becomes of it. */
#include "engine/post.h"

#include <unistd.h>

#include "domain/line.h"
#include "domain/produce.h"
#include "steps.h"

static struct steps s;
static struct err e;
static struct str link_ = STR_INIT, passback = STR_INIT;

static void lines(void)
{
	struct str out CLEANUP(str_release) = STR_INIT, long_name CLEANUP(str_release) = STR_INIT;
	struct product p = { .name = (char *)"a \"b\"", .version = (char *)"1.0" };
	struct line l CLEANUP(line_release) = LINE_INIT;
	struct line_rules rules = { .allow_secrets = false };
	struct line_problem why;
	struct id dataset = { { 0 } }, run = { { 0 } };

	rows_must(id_from_uuid(SPAN_LIT("0da7772b-b08e-561e-a4f0-107affcb9127"), &dataset) &&
		  id_from_uuid(SPAN_LIT("80b57843-6f9d-5a1e-8bcd-b502f3569d5e"), &p.uuid) &&
		  id_from_uuid(SPAN_LIT("e4385135-546b-42d7-b9bf-bd53d896ab0a"), &run), "ids", "");
	post_line("http://h/jobs?a=b", dataset, &p, run, SPAN_LIT("{\"z\":1e2,\"z\":\"\\u00e9\"}"), &out);
	CHECK_INT(line_read(&l, str_span(&out), &rules, &why), 0, "it is an input line");
	CHECK(span_is(l.custom_id, "a \"b\"") && span_is(l.method, "POST") && span_is(l.url, "http://h/jobs?a=b"),
	      "a POST to the URL, by the product's name");
	CHECK(span_is(l.body, "{\"dataset\":\"0da7772b-b08e-561e-a4f0-107affcb9127\","
		      "\"product\":\"80b57843-6f9d-5a1e-8bcd-b502f3569d5e\","
		      "\"run_id\":\"e4385135-546b-42d7-b9bf-bd53d896ab0a\",\"name\":\"a \\\"b\\\"\","
		      "\"version\":\"1.0\",\"passthrough\":{\"z\":1e2,\"z\":\"\\u00e9\"}}"),
	      "the passthrough as it is stored");
	p.name = (char *)"a\nb";
	str_reset(&out);
	post_line("http://h/", dataset, &p, run, SPAN_NONE, &out);
	CHECK_INT(line_read(&l, str_span(&out), &rules, &why), 0, "a name that may be no custom_id");
	CHECK(span_is(l.custom_id, "80b57843-6f9d-5a1e-8bcd-b502f3569d5e"), "gives way to the id");
	CHECK(strstr(str_z(&out), "\"passthrough\":null}}"), "no passthrough is null");
	for (int i = 0; i < 513; i++)
		str_addc(&long_name, 'x');
	p.name = (char *)(uintptr_t)str_z(&long_name);
	str_reset(&out);
	post_line("http://h/", dataset, &p, run, SPAN_NONE, &out);
	CHECK(line_read(&l, str_span(&out), &rules, &why) == 0 && l.custom_id.n == ID_UUID, "a long one likewise");
}

static void spools(void)
{
	char text[100], path[40];
	int fd = post_spool(s.p.db, SPAN_LIT("{\"a\":1}"), &e);

	rows_must(fd >= 0, "post_spool", e.msg);
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	FILE *f = fopen(path, "r");
	rows_must(f != NULL, path, "cannot be opened");
	CHECK_STR(fgets(text, sizeof text, f), "{\"a\":1}", "the line can be read by a path");
	fclose(f);
	close(fd);
}

static enum post_how look(int64_t product, struct id run, int64_t batch)
{
	enum post_how how;

	rows_must(post_look(s.p.db, "d/p", product, run, batch, &how, &link_, &passback, &e) == 0, "post_look",
		  e.msg);
	return how;
}

/* A product of a dataset of this name that is being handed over. */
static int64_t told(const char *dataset, struct id *run, int64_t *batch)
{
	steps_one(&s, dataset, "cams", "null");
	int64_t work = plans_row(&s.p, dataset, "work");
	*run = steps_claim(&s, work);
	*batch = fixture_batch(s.p.db, fixture_lines(s.p.db, 1));
	rows_must(plans_sends(&s.p, work, *run, *batch) == 1, "plans_sends", e.msg);
	return work;
}

static void looks(void)
{
	int64_t batch, work;
	struct id run;

	work = told("good", &run, &batch);
	CHECK_INT(look(work, run, batch), POST_WAITS, "nothing was answered");
	fixture_complete(s.p.db, batch << 32 | 1, "{}");
	CHECK_INT(look(work, run, batch), POST_HANDED, "a 2xx");
	CHECK(strstr(str_z(&passback), "\"status\":200") && strncmp(str_z(&link_), "fsl:batch_", 10) == 0,
	      "its status and batch");
	CHECK_INT(plans_update(&s.p, "good", "work=failed"), 0, "reported meanwhile");
	CHECK_INT(look(work, run, batch), POST_REPORTED, "that counts");
	CHECK_INT(look(work, id_random(), batch), POST_OVER, "for this run");

	work = told("poor", &run, &batch);
	fixture_fail(s.p.db, batch << 32 | 1, 500, NULL, "{}");
	CHECK_INT(look(work, run, batch), POST_FAILED, "a failure");
	CHECK(strstr(str_z(&passback), "\"status\":500"), "with its status");
	rows_must(batch_delete(s.p.db, batch, &e) == 0, "batch_delete", e.msg);
	CHECK_INT(look(work, run, batch), POST_FAILED, "a batch that is gone is one");

	work = told("cleared", &run, &batch);
	CHECK_INT(plans_do(&s.p, "disable", "cleared", "work"), 0, "disabled");
	CHECK_INT(look(work, run, batch), POST_OVER, "nobody wants it");
}

int main(void)
{
	steps_open(&s, "post.db");
	fixture_must(freopen("/dev/null", "w", stderr) != NULL, "freopen", &e); /* the warnings */
	lines();
	spools();
	looks();
	str_release(&link_);
	str_release(&passback);
	steps_close(&s);
	return unit_done();
}
