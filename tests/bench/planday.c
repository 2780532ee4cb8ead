/* planday: what plans cost; for the benchmarks.
 *
 *     planday fill FILE N        N plans in the state file, published in this process
 *     planday day FILE USERS     Fletcher's busiest day: SECONDS COMMANDS P50 P95
 *     planday updates FILE N     2 N updates of the first 300 plans of fill: P50 P95
 *
 * Every command of the last two is a process of fletcher-plan, one after the
 * other; P50 and P95 are milliseconds of an update.  The figures are printed to
 * standard error.  The day is that of Fletcher's load test: 300 users, each with
 * a plan of 11 products and 16 dependencies of which every product is reported
 * as running and as success, who look at the start page, search and open a plan
 * now and then: 12,246 commands in all (300 of them, which log in there, check
 * the plan here). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/num.h"
#include "base/rng.h"
#include "domain/plan.h"
#include "domain/publish.h"

enum { USERS = 300, UPDATES = 22, PAGES = 1682 };

static const struct { const char *name, *eager, *parents; } products[] = {
	{ "heads", "false", "" }, { "items", "false", "" }, { "codes", "false", "" },
	{ "totals", "false", "" }, { "mapping", "false", "" }, { "media", "true", "" },
	{ "ledger", "true", "heads items codes" }, { "balance", "true", "items codes totals" },
	{ "blend", "true", "ledger balance" },
	{ "journals", "true", "ledger balance mapping media" },
	{ "journals 2", "false", "ledger balance mapping media" },
};

static void put_plan(struct str *out, int number)
{
	struct str edges CLEANUP(str_release) = STR_INIT;

	str_addf(out, "{\"dataset\":{\"name\":\"load-%05d\",\"extra\":{\"extra1\":\"%08x\"}},"
		 "\"data_products\":[", number, (unsigned)number * 2654435761u);
	for (size_t i = 0; i < ARRAY_LEN(products); i++) {
		str_addf(out, "%s{\"name\":\"%s\",\"compute\":\"cams\",\"version\":\"1.0.0\",\"eager\":%s,"
			 "\"passthrough\":{\"comp_code\":%zu}}", i ? "," : "", products[i].name,
			 products[i].eager, i * 1000);
		for (const char *p = products[i].parents; *p; p += *p == ' ') {
			int n = (int)strcspn(p, " ");
			str_addf(&edges, "%s{\"parent\":\"%.*s\",\"child\":\"%s\",\"extra\":{\"desc\":\"%.*s\"}}",
				 edges.n ? "," : "", n, p, products[i].name, n, p);
			p += n;
		}
	}
	str_addf(out, "],\"dependencies\":[%s]}", str_z(&edges));
}

static int fill(const char *path, int n, struct err *e)
{
	struct db *db CLEANUP(db_cleanup) = db_open(path, DB_CREATE, e);
	static const struct plan_options none = { NULL, NULL, 0 };

	for (int i = 0; db && i < n; i++) {
		struct publish how CLEANUP(publish_release) = { .db = db, .by = "load" };
		struct plan plan CLEANUP(plan_release) = PLAN_INIT;
		struct str json CLEANUP(str_release) = STR_INIT;
		put_plan(&json, i);
		if (plan_parse("load", str_span(&json), "/", &none, &plan, e) < 0 ||
		    publish_plan(&how, &plan, e) < 0)
			return -1;
	}
	return db ? 0 : -1;
}

/* Runs fletcher-plan -D FILE with these words: the microseconds it took. */
static int64_t command(const char *path, const char *verb, const char *a, const char *b,
		       struct err *e)
{
	const char *argv[] = { "fletcher-plan", "-D", path, verb, a, b, NULL };
	int64_t start = clock_mono_us();
	int status;
	pid_t pid = vfork();

	if (pid == 0) {
		execvp(argv[0], (char **)argv);
		_exit(127);
	}
	if (pid < 0 || waitpid(pid, &status, 0) < 0)
		return err_sys(e, ERR_INTERNAL, "fletcher-plan");
	if (status != 0)
		return err_set(e, ERR_INTERNAL, "fletcher-plan %s %s: status %d", verb, a ? a : "", status);
	return clock_mono_us() - start;
}

struct times {
	int64_t *v;
	size_t n;
};

static void times_release(struct times *t)
{
	free(t->v);
}

static int compare(const void *a, const void *b)
{
	const int64_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

static double percentile(struct times *t, int p)
{
	qsort(t->v, t->n, sizeof *t->v, compare);
	return (double)t->v[(t->n - 1) * (size_t)p / 100] / 1000;
}

static int update(const char *path, int plan, int step, struct times *t, struct err *e)
{
	char dataset[32], report[64];

	snprintf(dataset, sizeof dataset, "load-%05d", plan);
	snprintf(report, sizeof report, "%s=%s", products[step / 2].name,
		 step % 2 ? "success" : "running");
	int64_t us = command(path, "update", dataset, report, e);
	t->v = mem_room(t->v, t->n, sizeof *t->v);
	t->v[t->n++] = us;
	return us < 0 ? -1 : 0;
}

/* The start page, a search, a plan. */
static int look(const char *path, int plan, struct err *e)
{
	char dataset[32];

	snprintf(dataset, sizeof dataset, "load-%05d", plan);
	return command(path, "list", NULL, NULL, e) < 0 || command(path, "list", dataset, NULL, e) < 0 ||
	       command(path, "show", "--json", dataset, e) < 0 ? -1 : 0;
}

static int publish(const char *path, int plan, struct err *e)
{
	struct str json CLEANUP(str_release) = STR_INIT, file CLEANUP(str_release) = STR_INIT;

	put_plan(&json, plan);
	str_addf(&file, "%s.json", path);
	FILE *f = fopen(str_z(&file), "we");
	if (!f || fputs(str_z(&json), f) < 0 || fclose(f) != 0)
		return err_sys(e, ERR_CANTCREAT, "%s", str_z(&file));
	return command(path, "check", str_z(&file), NULL, e) < 0 ||
	       command(path, "publish", str_z(&file), NULL, e) < 0 ? -1 : 0;
}

static int day(const char *path, int users, struct err *e)
{
	struct times t CLEANUP(times_release) = { NULL, 0 };
	int64_t start = clock_mono_us();
	int pages = 0, done = 0;

	for (int i = 0; i < users; i++)
		if (publish(path, i, e) < 0)
			return -1;
	for (int step = 0; step < UPDATES; step++)
		for (int i = 0; i < users; i++) {
			if (update(path, i, step, &t, e) < 0)
				return -1;
			for (done++; pages < PAGES * done / (USERS * UPDATES); pages++)
				if (look(path, i, e) < 0)
					return -1;
		}
	fprintf(stderr, "%.3f %d %.3f %.3f\n", (double)(clock_mono_us() - start) / 1e6,
		2 * users + done + 3 * pages, percentile(&t, 50), percentile(&t, 95));
	return 0;
}

static int updates(const char *path, int n, struct err *e)
{
	struct times t CLEANUP(times_release) = { NULL, 0 };
	struct rng r;

	rng_seed_random(&r);
	for (int i = 0; i < n; i++) {
		int plan = (int)rng_below(&r, USERS), step = 2 * (int)rng_below(&r, UPDATES / 2);
		if (update(path, plan, step, &t, e) < 0 || update(path, plan, step + 1, &t, e) < 0)
			return -1;
	}
	fprintf(stderr, "%.3f %.3f\n", percentile(&t, 50), percentile(&t, 95));
	return 0;
}

int main(int argc, char **argv)
{
	struct err e = ERR_INIT;
	int64_t n = 0;
	int rc;

	log_init("planday", LOG_NOTE, false);
	if (argc > 3 && num_int(argv[3], 1, 1000000, &n, &e) < 0)
		rc = -1;
	else if (argc == 4 && strcmp(argv[1], "fill") == 0)
		rc = fill(argv[2], (int)n, &e);
	else if (argc == 4 && strcmp(argv[1], "day") == 0)
		rc = day(argv[2], (int)n, &e);
	else if (argc == 4 && strcmp(argv[1], "updates") == 0)
		rc = updates(argv[2], (int)n, &e);
	else
		rc = err_set(&e, ERR_USAGE, "planday fill FILE N | day FILE USERS | updates FILE N");
	if (rc < 0)
		log_error("%s", e.msg);
	return rc < 0;
}
