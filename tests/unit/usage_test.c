/* usage: what was used, by model, batch, day and status. */
#include "domain/usage.h"

#include <string.h>

#include "rows.h"
#include "unit.h"

enum { HOUR = 3600 * 1000, DAY = 24 * HOUR, WORKER = 5 };

static struct rows r;

/* A file of prices; its path. */
static const char *prices_of(const char *name, const char *json)
{
	FILE *f = fopen(rows_path(name), "w");

	fputs(json, f);
	fclose(f);
	return mem_strdup(rows_path(name));
}

/* One attempt of a line, which ends so at r.now; rows_end() says what it used. */
static void attempt(int64_t batch, uint32_t line, enum request_verdict verdict)
{
	struct request_started s;

	rows_begin(&r);
	rows_must(rows_start(&r, WORKER, request_row(batch, line), &s) == 1, "start", "refused");
	struct request_end end = rows_end(&s, WORKER, verdict);
	rows_settle(&r, &end);
	CHECK_INT(rows_commit(&r), 0, "the usage adds up to the batch's counters");
}

static int print(void *ctx, const struct usage_row *u, struct err *e)
{
	(void)e;
	str_addf(ctx, "%.*s: %lld %lld, %lld %lld %lld %lld, %.*s; ",
		 u->what.n > 20 ? 5 : (int)u->what.n, u->what.p,
		 (long long)u->requests, (long long)u->attempts, (long long)u->input_tokens,
		 (long long)u->cached_tokens, (long long)u->output_tokens,
		 (long long)u->reasoning_tokens, u->cost.p ? (int)u->cost.n : 1,
		 u->cost.p ? u->cost.p : "-");
	return 0;
}

struct asked {
	int64_t since_ms;
	const char *prices;
	bool named;
	const char *unpriced;
};

static struct usage *begin(enum usage_by by, const struct asked *a)
{
	const struct usage_options o = { .by = by, .since_ms = a->since_ms, .named = a->named,
					 .prices = a->prices };
	struct err e = ERR_INIT;
	struct usage *u = usage_new(r.db, &o, &e);

	rows_must(u != NULL, "usage_new", e.msg);
	return u;
}

/* All groups of all batches. */
static void shows(enum usage_by by, struct asked a, const char *want, const char *rule)
{
	struct usage *u CLEANUP(usage_cleanup) = begin(by, &a);
	struct str out CLEANUP(str_release) = STR_INIT;
	struct err e = ERR_INIT;
	int64_t last = ROWS_INT(r.raw, "SELECT max(id) FROM batches");

	for (int64_t id = 1; id <= last; id++) {
		struct batch b CLEANUP(batch_release) = BATCH_INIT;
		rows_must(batch_get(r.db, id, &b, &e) == 0, "batch_get", e.msg);
		CHECK(usage_add(u, &b, &e) == 0, "a batch is added");
	}
	CHECK(usage_each(u, print, &out, &e) == 0, "each is called");
	CHECK_STR(str_z(&out), want, "%s", rule);
	CHECK_STR(usage_unpriced(u), a.unpriced ? a.unpriced : "", "%s: without a price", rule);
}

static int stop(void *ctx, const struct usage_row *u, struct err *e)
{
	(void)u;
	++*(int *)ctx;
	return err_set(e, ERR_STATE, "enough");
}

int main(void)
{
	struct err e = ERR_INIT;
	struct asked all = { 0 };

	rows_open(&r, "db");
	shows(USAGE_MODEL, all, "", "nothing of nothing");
	int64_t a = rows_batch(&r, 2, 4, 0), b = rows_batch(&r, 1, 2, 0);
	shows(USAGE_MODEL, all, "m1: 0 0, 0 0 0 0, -; m2: 0 0, 0 0 0 0, -; ",
	      "models of which nothing was used yet are there");
	shows(USAGE_STATUS, all, "in_progress: 0 0, 0 0 0 0, -; ", "and statuses");
	shows(USAGE_DAY, all, "", "but no days");

	/* Batch a: lines 1 and 3 are of m1, 2 and 4 of m2. */
	r.now = 10 * (int64_t)DAY + 22 * HOUR;
	attempt(a, 1, VERDICT_RETRY);
	attempt(a, 1, VERDICT_COMPLETED);
	r.now += HOUR;
	attempt(a, 2, VERDICT_COMPLETED);
	r.now += HOUR; /* the next day */
	attempt(a, 3, VERDICT_FAILED);
	attempt(a, 4, VERDICT_COMPLETED);
	attempt(b, 1, VERDICT_COMPLETED);

	static const char by_day[] = "1970-01-11: 2 3, 20 8 6 2, -; 1970-01-12: 3 3, 30 12 9 3, -; ";
	shows(USAGE_MODEL, all, "m1: 3 4, 30 12 9 3, -; m2: 2 2, 20 8 6 2, -; ",
	      "by model: most tokens first");
	shows(USAGE_BATCH, all, "batch: 4 5, 40 16 12 4, -; batch: 1 1, 10 4 3 1, -; ", "by batch");
	shows(USAGE_DAY, all, by_day, "by day, the oldest first");
	shows(USAGE_STATUS, all, "in_progress: 1 1, 10 4 3 1, -; completed: 4 5, 40 16 12 4, -; ",
	      "by status, in their order");

	shows(USAGE_MODEL, (struct asked){ .since_ms = r.now },
	      "m1: 2 2, 20 8 6 2, -; m2: 1 1, 10 4 3 1, -; ", "since an hour");
	shows(USAGE_DAY, (struct asked){ .since_ms = r.now - 1 },
	      "1970-01-11: 1 1, 10 4 3 1, -; 1970-01-12: 3 3, 30 12 9 3, -; ",
	      "the hour in which it begins counts as a whole");
	shows(USAGE_BATCH, (struct asked){ .since_ms = r.now + HOUR }, "",
	      "what has used nothing since then is left out");
	shows(USAGE_BATCH, (struct asked){ .since_ms = r.now + HOUR, .named = true },
	      "batch: 0 0, 0 0 0 0, -; batch: 0 0, 0 0 0 0, -; ", "unless it was asked for");

	const char *both = prices_of("both", "{\"m1\":{\"input\":1,"
		"\"cached_input\":0.5,\"output\":2},\"m\":{\"input\":100,\"output\":0}}");
	const char *one = prices_of("one", "{\"m1\":{\"input\":1,\"output\":2}}");
	shows(USAGE_MODEL, (struct asked){ .prices = both },
	      "m1: 3 4, 30 12 9 3, 0.000042; m2: 2 2, 20 8 6 2, 0.002; ",
	      "18 full tokens, 12 cached ones, 9 of output; 20 of the other model");
	shows(USAGE_BATCH, (struct asked){ .prices = both },
	      "batch: 4 5, 40 16 12 4, 0.002028; batch: 1 1, 10 4 3 1, 0.000014; ",
	      "the cost of a batch is that of its models");
	shows(USAGE_BATCH, (struct asked){ .prices = one, .unpriced = "m2" },
	      "batch: 4 5, 40 16 12 4, -; batch: 1 1, 10 4 3 1, 0.000016; ",
	      "a model without a price makes the cost unknown, where it was used");

	CHECK(!usage_new(r.db, &(struct usage_options){ .prices = rows_path("none") }, &e) &&
	      e.code == ERR_NOINPUT, "prices that are not there are an error");
	free((void *)(uintptr_t)both);
	free((void *)(uintptr_t)one);

	/* The answer of line 3 is taken back. */
	rows_begin(&r);
	r.now += 5 * HOUR;
	CHECK_INT(request_reopen(&r.t, request_row(a, 3), &e), 1, "a failed request is reopened");
	CHECK_INT(rows_commit(&r), 0, "and is not counted as ended");
	ROWS_DO(r.raw, "UPDATE batches SET status = 1 WHERE id = ?1", a);
	shows(USAGE_DAY, all, "1970-01-11: 2 3, 20 8 6 2, -; 1970-01-12: 2 3, 30 12 9 3, -; ",
	      "what it has used stays");
	r.now += DAY;
	attempt(a, 3, VERDICT_COMPLETED);
	shows(USAGE_DAY, (struct asked){ .since_ms = r.now }, "1970-01-13: 1 1, 10 4 3 1, -; ",
	      "it counts when it ends again");

	/* An attempt that went to a bucket of another model. */
	ROWS_DO(r.raw, "INSERT INTO buckets (id, origin, key_ref, model) VALUES (1, 'o', 'none', 2)");
	attempt(b, 2, VERDICT_COMPLETED);
	shows(USAGE_MODEL, (struct asked){ .since_ms = r.now },
	      "m1: 2 1, 10 4 3 1, -; m2: 0 1, 10 4 3 1, -; ",
	      "tokens are of the model that was asked, the request of its own");

	struct usage *u CLEANUP(usage_cleanup) = begin(USAGE_MODEL, &all);
	struct batch first CLEANUP(batch_release) = BATCH_INIT;
	int calls = 0;
	rows_must(batch_get(r.db, a, &first, &e) == 0, "batch_get", e.msg);
	CHECK(usage_add(u, &first, &e) == 0, "a batch is added");
	CHECK(usage_each(u, stop, &calls, &e) < 0 && e.code == ERR_STATE && calls == 1,
	      "the callback may stop it");
	usage_free(NULL);

	ROWS_DO(r.raw, "DELETE FROM queues WHERE batch = ?1", a);
	ROWS_DO(r.raw, "DELETE FROM batches WHERE id = ?1", a);
	CHECK_INT(ROWS_INT(r.raw, "SELECT count(*) FROM usage WHERE batch = ?1", a), 0,
		  "it goes with its batch");
	rows_close(&r);
	return unit_done();
}
