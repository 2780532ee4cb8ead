#include "domain/search.h"

#include "base/clock.h"
#include "plans.h"

static struct plans p;
static char listed[8192];
static int n;

static int list(void *ctx, const struct dataset *d, struct err *e)
{
	char label[DATASET_LABEL_BUF];
	size_t at = strlen(listed);

	(void)ctx, (void)e;
	n++;
	snprintf(listed + at, sizeof listed - at, "%s%s", at ? " " : "", dataset_label(d, label));
	return 0;
}

static bool more;

static const char *page(const char *text, int64_t number)
{
	struct err e = ERR_INIT;

	listed[0] = '\0';
	n = 0;
	if (search_page(p.db, text, number, list, NULL, &more, &e) < 0)
		snprintf(listed, sizeof listed, "%s", e.msg);
	return listed;
}

static void texts(void)
{
	struct publish how CLEANUP(publish_release) = PUBLISH_INIT;

	plans_publish(&p, "papers", "Extract Judge", "");
	plans_publish(&p, "books", "extract", "");
	rows_must(plans_publish_with(&p, &how, SPAN_LIT("{\"dataset\":{\"name\":\"Größe 100%\",\"extra\":"
		"{\"team\":\"Ops \\\"x\\\" _y\"}},\"data_products\":[]}")) == 0, "publish", p.e.msg);
	CHECK_STR(page(NULL, 0), "Größe 100% books papers", "all, the newest first");
	rows_must(plans_update(&p, "papers", "Judge=failed") == 0, "update", p.e.msg);
	CHECK_STR(page("", 0), "papers Größe 100% books", "whatever was last active");
	CHECK_STR(page("EXTRACT", 0), "papers books", "names of products, whatever the case");
	CHECK_STR(page("xtrac", 0), "papers books", "any part of them");
	CHECK_STR(page("PAPER", 0), "papers", "the name");
	CHECK_STR(page("GRÖßE", 0), "Größe 100%", "in all scripts");
	CHECK_STR(page("\"OPS", 0), "Größe 100%", "the extra");
	CHECK_STR(page("0%", 0), "Größe 100%", "no wildcards");
	CHECK_STR(page("_y", 0), "Größe 100%", "of no kind");
	CHECK_STR(page("p%s", 0), "", "at all");
	CHECK_STR(page("k", 0), "books", "one character");
	CHECK_STR(page("books\nextract", 0), "books", "lines are lines");
	CHECK_STR(page("judgebooks", 0), "", "and not one text");
	char id[ID_UUID + 1];
	struct dataset d CLEANUP(dataset_release) = DATASET_INIT;
	rows_must(dataset_find(p.db, "books", &d, &p.e) == 0, "find", p.e.msg);
	id_uuid(d.uuid, id);
	CHECK_STR(page(id, 0), "books", "the id");
	id[30] = '\0';
	CHECK_STR(page(id + 5, 0), "books", "any part of it");
	CHECK_STR(page("\xff", 0), "a text to look for is UTF-8 of at most 1000 bytes", "no UTF-8");

	plans_publish(&p, "books", "extract New", "");
	CHECK_STR(page("new", 0), "books", "words change with a plan");
	struct str long_text CLEANUP(str_release) = STR_INIT;
	for (int i = 0; i < 1001; i++)
		str_addc(&long_text, 'a');
	CHECK_STR(page(str_z(&long_text), 0), "a text to look for is UTF-8 of at most 1000 bytes", "too long");
}

/* So many that what is rare is found by the index. */
static void many(void)
{
	enum { MANY = 700 };
	struct publish how CLEANUP(publish_release) = PUBLISH_INIT;
	struct str json CLEANUP(str_release) = STR_INIT;

	ROWS_DO(p.raw, "PRAGMA synchronous = OFF");
	for (int i = 0; i < MANY; i++) {
		char name[40];
		sprintf(name, "%s-%03d", i % 100 == 7 ? "rare\\\"日本" : "plan", i);
		str_reset(&json);
		str_addf(&json, "{\"dataset\":{\"name\":\"%s\"},\"data_products\":[]}", name);
		rows_must(plans_publish_with(&p, &how, str_span(&json)) == 0, "publish", p.e.msg);
	}
	page("plan-", 0);
	CHECK(n == 50 && more, "a page has fifty");
	CHECK(strncmp(listed, "plan-699 plan-698 ", 18) == 0, "the newest ones");
	page("plan-", 13);
	CHECK(n == 43 && !more, "the last page has the rest");
	page("plan-", 14);
	CHECK(n == 0 && !more, "behind it is nothing");
	CHECK_STR(page("RARE\"日本-", 0), "rare\"日本-607 rare\"日本-507 rare\"日本-407 rare\"日本-307 "
		  "rare\"日本-207 rare\"日本-107 rare\"日本-007", "rare ones, the newest first");
	CHECK_STR(page("日本-0", 0), "rare\"日本-007", "characters of several bytes");
	CHECK_STR(page("papers", 0), "papers", "the oldest of all");
	CHECK_STR(page("no such text", 0), "", "none");
	CHECK_STR(page("zq", 0), "", "none, of two characters");
	page(NULL, 14);
	CHECK(n == 3 && !more, "pages of all");

	struct str ids CLEANUP(str_release) = STR_INIT;
	struct err e = ERR_INIT;
	CHECK(search_ids(p.db, &ids, &e) == 0 && ids.n == (MANY + 3) * (ID_UUID + 1) &&
	      strlen(ids.p) == ID_UUID, "the ids of all");
	struct dataset d CLEANUP(dataset_release) = DATASET_INIT;
	CHECK(dataset_find(p.db, ids.p, &d, &e) == 0 && strcmp(d.name, "plan-699") == 0, "in that order");
}

int main(void)
{
	plans_open(&p, "db");
	texts();
	many();
	CHECK_INT(plans_wrong(p.raw), 0, "the file is sound");
	plans_close(&p);
	return unit_done();
}
