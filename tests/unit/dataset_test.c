#include "domain/dataset.h"

#include "plans.h"

static struct plans p;
static struct dataset d = DATASET_INIT;

static const char *found(const char *operand)
{
	static char label[DATASET_LABEL_BUF];

	return dataset_find(p.db, operand, &d, &p.e) < 0 ? p.e.msg : dataset_label(&d, label);
}

static void finding(void)
{
	plans_publish(&p, "papers", "a", "");
	plans_publish(&p, "books", "a", "");
	const char *id = strdup(ROWS_TEXT(p.raw, "SELECT lower(hex(uuid)) FROM datasets WHERE name = 'papers'"));
	char uuid[ID_UUID + 1], prefix[9];
	struct id v;
	id_from_hex(span_of(id), &v);
	id_uuid(v, uuid);
	snprintf(prefix, sizeof prefix, "%.8s", uuid);
	CHECK_STR(found("papers"), "papers", "by name");
	CHECK_STR(found(uuid), "papers", "by UUID");
	CHECK_STR(found(id), "papers", "without dashes");
	CHECK_STR(found(prefix), "papers", "by a prefix");
	CHECK_STR(found("@last"), "books", "the last one");
	CHECK_STR(found("Papers"), "there is no dataset 'Papers'", "case counts");
	CHECK_STR(found("ffffffff"), "there is no dataset 'ffffffff'", "an unknown prefix");
	CHECK_INT(p.e.code, ERR_NOTFOUND, "is not found");
	ROWS_DO(p.raw, "UPDATE datasets SET uuid = x'abcd0000000000000000000000000001' WHERE name = 'papers'");
	ROWS_DO(p.raw, "UPDATE datasets SET uuid = x'abcd0000000000000000000000000002' WHERE name = 'books'");
	CHECK_STR(found("abcd"), "'abcd' is the beginning of several ids: abcd0000-0000-0000-0000-000000000001, "
		  "abcd0000-0000-0000-0000-000000000002", "an ambiguous prefix");
	ROWS_DO(p.raw, "UPDATE datasets SET name = NULL WHERE name = 'books'");
	CHECK_STR(found("@last"), "abcd0000-0000-0000-0000-000000000002", "without a name it is shown by id");
	CHECK_INT(dataset_get(p.db, 99, &d, &p.e), 0, "no such row");
	free((char *)id);
}

static void rows(void)
{
	struct dataset_texts t CLEANUP(dataset_texts_release) = { 0 };

	rows_must(dataset_find(p.db, "papers", &d, &p.e) == 0, "find", p.e.msg);
	CHECK_INT(dataset_texts(p.db, d.id, &t, &p.e), 1, "the long members");
	CHECK(strstr(t.words, "papers\na\n") && !t.extra && !t.params && strcmp(t.dir, "/") == 0,
	      "words are the id, the name, the extra and names of products");
	CHECK_INT(dataset_texts(p.db, 99, &t, &p.e), 0, "of no dataset");
	free(d.name);
	d.name = strdup("new");
	CHECK_INT(dataset_check_name(p.db, &d, &p.e), 0, "a free name");
	free(d.name);
	d.name = strdup("papers");
	CHECK_INT(dataset_check_name(p.db, &d, &p.e), 0, "its own");
	d.uuid.b[15]++;
	CHECK(dataset_check_name(p.db, &d, &p.e) < 0 && p.e.code == ERR_STATE, "another one's");
	CHECK(strstr(p.e.msg, "abcd0000-0000-0000-0000-000000000001"), "is told");
}

static void verdict(const int64_t *count, enum state worst, int status, const char *rule)
{
	struct dataset v = DATASET_INIT;

	memcpy(v.count, count, sizeof v.count);
	CHECK_INT(dataset_worst(&v), worst, "the worst state: %s", rule);
	CHECK_INT(dataset_exit(&v), status, "the exit status: %s", rule);
}

static void verdicts(void)
{
	/* waiting queued running success failed disabled */
	verdict((int64_t[]){ 0, 0, 0, 0, 0, 0 }, STATE_NONE, 0, "nothing");
	verdict((int64_t[]){ 0, 0, 0, 3, 0, 1 }, STATE_SUCCESS, 0, "all is done");
	verdict((int64_t[]){ 0, 0, 0, 0, 0, 2 }, STATE_DISABLED, 0, "all is disabled");
	verdict((int64_t[]){ 1, 0, 0, 3, 0, 0 }, STATE_WAITING, 4, "something waits");
	verdict((int64_t[]){ 1, 1, 0, 3, 0, 0 }, STATE_QUEUED, 4, "something is queued");
	verdict((int64_t[]){ 1, 1, 1, 3, 0, 0 }, STATE_RUNNING, 4, "something runs");
	verdict((int64_t[]){ 1, 0, 1, 3, 1, 0 }, STATE_FAILED, 4, "something has failed, something runs");
	verdict((int64_t[]){ 1, 0, 0, 3, 1, 0 }, STATE_FAILED, 3, "some have failed");
	verdict((int64_t[]){ 1, 0, 0, 0, 1, 0 }, STATE_FAILED, 1, "none succeeded");
	struct dataset v = { .count = { 1, 2, 3, 4, 5, 6 } };
	CHECK_INT(dataset_live(&v), 15, "the live ones");
}

int main(void)
{
	plans_open(&p, "db");
	finding();
	rows();
	verdicts();
	dataset_release(&d);
	plans_close(&p);
	return unit_done();
}
