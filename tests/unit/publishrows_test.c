#include "domain/publishrows.h"

#include "plans.h"

static char listed[400];

static int edge(void *ctx, int64_t parent, int64_t child, enum state of_parent, struct err *e)
{
	size_t n = strlen(listed);

	(void)ctx, (void)e;
	snprintf(listed + n, sizeof listed - n, "%lld>%lld %s\n", (long long)(parent & UINT32_MAX),
		 (long long)(child & UINT32_MAX), state_text(of_parent));
	return 0;
}

static int live(void *ctx, int64_t id, struct span name, struct err *e)
{
	size_t n = strlen(listed);

	(void)id, (void)e;
	snprintf(listed + n, sizeof listed - n, "%.*s ", (int)name.n, name.p);
	return --*(int *)ctx == 0;
}

int main(void)
{
	struct str words CLEANUP(str_release) = STR_INIT;
	struct publishrows_node n = { .id = 0 };
	struct plans p;
	int stop = -1;

	plans_open(&p, "db");
	plans_publish(&p, "plan", "Aa Bb Cc", "Aa>Bb Bb>Cc");
	int64_t a = plans_row(&p, "plan", "Aa"), ds = a >> 32;
	struct product v CLEANUP(product_release) = PRODUCT_INIT;
	rows_must(product_get(p.db, a, &v, &p.e) == 1, "get", p.e.msg);

	const struct plan_product same = { .name = SPAN_LIT("Aa"), .version = SPAN_LIT("1"),
					   .compute = "cams", .eager = true };
	const struct plan_product other = { .name = SPAN_LIT("x"), .version = SPAN_LIT("2"),
					    .compute = "exec", .eager = false,
					    .passthrough = SPAN_LIT("1"), .extra = SPAN_LIT("2") };
	CHECK(publishrows_find(p.db, ds, v.uuid, &same, &n, &p.e) == 1 && n.id == a && n.differs == 0 &&
	      n.state == STATE_QUEUED, "a stored product that is the same");
	CHECK(publishrows_find(p.db, ds, v.uuid, &other, &n, &p.e) == 1 && n.differs == 63,
	      "one that differs in all");
	CHECK(publishrows_find(p.db, ds, v.uuid, NULL, &n, &p.e) == 1 && strcmp(n.name, "Aa") == 0,
	      "one that is only named");
	free(n.name);
	CHECK_INT(publishrows_find(p.db, ds + 1, v.uuid, &same, &n, &p.e), 0, "of another dataset");
	CHECK_INT(publishrows_edge(p.db, a, a + 1, SPAN_NONE, &p.e), 1, "a stored dependency");
	CHECK_INT(publishrows_edge(p.db, a, a + 1, SPAN_LIT("{}"), &p.e), 2, "with another extra");
	CHECK_INT(publishrows_edge(p.db, a + 1, a, SPAN_NONE, &p.e), 0, "the other way round");

	rows_must(plans_do(&p, "disable", "plan", "Bb") == 0, "disable", p.e.msg);
	rows_must(publishrows_each_edge(p.db, ds, false, edge, NULL, &p.e) == 0, "edges", p.e.msg);
	CHECK_STR(listed, "1>2 queued\n2>3 disabled\n", "all dependencies");
	listed[0] = '\0';
	rows_must(publishrows_each_edge(p.db, ds, true, edge, NULL, &p.e) == 0, "edges", p.e.msg);
	CHECK_STR(listed, "", "the live ones");
	rows_must(publishrows_each_live(p.db, ds, live, &stop, &p.e) == 0, "live", p.e.msg);
	CHECK_STR(listed, "Aa Cc ", "the live products");
	listed[0] = '\0';
	stop = 1;
	rows_must(publishrows_each_live(p.db, ds, live, &stop, &p.e) == 0, "live", p.e.msg);
	CHECK_STR(listed, "Aa ", "until it is enough");
	ROWS_DO(p.raw, "UPDATE data_products SET name = 'AA' WHERE id = ?1", a + 2);
	rows_must(publishrows_words(p.db, ds, &words, &p.e) == 0, "words", p.e.msg);
	CHECK_STR(str_z(&words), "aa\nbb\n", "names, folded, each once");
	const struct { const char *from, *to; int kept; } changes[] = {
		{ "batch", "cams", 0 }, { "cams", "batch", 0 }, { "cams", "dbxaas", 1 }, { "exec", "batch", 1 },
	};
	for (size_t i = 0; i < ARRAY_LEN(changes); i++) {
		struct dataset d CLEANUP(dataset_release) = DATASET_INIT;
		struct cascade c CLEANUP(cascade_release) = CASCADE_INIT;
		struct plan_product now = same;
		n = (struct publishrows_node){ .id = a, .state = STATE_QUEUED, .differs = PUBLISHROWS_COMPUTE };
		now.compute = changes[i].to;
		ROWS_DO(p.raw, strcmp(changes[i].from, "batch") == 0
				       ? "UPDATE data_products SET resume = 1, compute = 'batch'"
			       : strcmp(changes[i].from, "cams") == 0
				       ? "UPDATE data_products SET resume = 1, compute = 'cams'"
				       : "UPDATE data_products SET resume = 1, compute = 'exec'");
		TX(tx);
		rows_must(tx_begin(&tx, p.db, &p.e) == 0 && dataset_get(p.db, ds, &d, &p.e) == 1, "begin", p.e.msg);
		cascade_begin(&c, p.db, &d, "me", "publish");
		rows_must(publishrows_update(&c, &now, &n, &p.e) == 0 && cascade_finish(&c, &p.e) == 0 &&
			  tx_commit(&tx, &p.e) == 0, "update", p.e.msg);
		CHECK_INT(ROWS_INT(p.raw, "SELECT resume FROM data_products WHERE id = ?1", a), changes[i].kept,
			  "%s becomes %s: the batch %s", changes[i].from, changes[i].to,
			  changes[i].kept ? "stays" : "is another thing's");
	}
	plans_close(&p);
	return unit_done();
}
