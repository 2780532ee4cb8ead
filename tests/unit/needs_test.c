/* needs: what keeps a product queued. */
#include "engine/needs.h"

#include "steps.h"

static struct steps s;
static struct err e;
static struct str why = STR_INIT;

static int met(const char *compute, const char *json, bool allow, bool room)
{
	struct passthrough p CLEANUP(passthrough_release) = PASSTHROUGH_INIT;

	str_reset(&why);
	rows_must(passthrough_parse(compute, span_of(json), unit_dir(), &p, &e) == 0, json, e.msg);
	const struct needs n = { s.p.db, &p, unit_dir(), allow, room };
	return needs_met(&n, &why, &e);
}

int main(void)
{
	char json[100];
	struct file f CLEANUP(file_release) = FILE_INIT;
	char id[FILE_ID_BUF];

	steps_open(&s, "needs.db");
	CHECK_INT(met("batch", "{\"file\":\"pages.jsonl\"}", false, true), 0, "a file that is not there");
	CHECK(strstr(str_z(&why), "pages.jsonl: No such file"), "is the reason (%s)", str_z(&why));
	steps_file("pages.jsonl", "{}\n");
	CHECK_INT(met("batch", "{\"file\":\"pages.jsonl\"}", false, true), 1, "it is looked for beside the plan");
	CHECK_INT(met("batch", "{\"file\":\"/no/such\"}", false, true), 0, "an absolute path is one");
	CHECK_INT(met("batch", "{\"file\":\"file-0123456789\"}", false, true), 0, "no such file of ours");
	CHECK(strstr(str_z(&why), "file-0123456789"), "is named");
	rows_must(file_get(s.p.db, fixture_lines(s.p.db, 1), &f, &e) == 0, "file_get", e.msg);
	snprintf(json, sizeof json, "{\"file\":\"%s\"}", file_id_text(f.uuid, id));
	CHECK_INT(met("batch", json, false, true), 1, "one that is there");
	CHECK_INT(met("exec", "{\"argv\":[\"true\"]}", false, true), 0, "a command without --allow-exec");
	CHECK(strstr(str_z(&why), "--allow-exec"), "says so");
	CHECK_INT(met("exec", "{\"argv\":[\"true\"]}", true, true), 1, "with it");
	CHECK_INT(met("exec", "{\"argv\":[\"true\"]}", true, false), 0, "no room for one more");
	CHECK_STR(str_z(&why), "", "is no reason that people should read");
	CHECK_INT(met("batch", "{\"prepare\":[\"no-such-program\"]}", true, true), 0, "no such program");
	CHECK(strstr(str_z(&why), "no-such-program"), "is named");
	str_release(&why);
	steps_close(&s);
	return unit_done();
}
