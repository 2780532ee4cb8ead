/* forecast: what sending would come to, by base URL, key and model. */
#include "domain/forecast.h"

#include "fixture.h"

static const char text[] =
	"{\"custom_id\":\"1\",\"url\":\"/v1/a\",\"body\":{\"model\":\"m\",\"max_tokens\":10}}\n"
	"{\"custom_id\":\"2\",\"url\":\"/v1/a\",\"body\":{\"model\":\"n\"}}\n"
	"{\"custom_id\":\"3\",\"url\":\"http://127.0.0.1:1/b\",\"body\":{\"model\":\"n\"}}\n"
	"{\"custom_id\":\"4\",\"url\":\"https://Other/a\",\"body\":{\"model\":\"m\",\"max_tokens\":5}}\n"
	"{\"custom_id\":\"5\",\"url\":\"/v1/a\",\"body\":{\"model\":\"m\"}}\n"
	"{\"custom_id\":\"6\",\"url\":\"/v1/a\",\"body\":\"t\\u00e4xt\",\"model\":\"k\"}\n";

static int add(void *ctx, const struct forecast_group *g, struct err *e)
{
	(void)e;
	str_addf(ctx, "%.*s %.*s %.*s: %lld requests of %lld bytes, %lld + %lld tokens, %lld not"
		 " limited, first %lld/%u", (int)g->base_url.n, g->base_url.p, (int)g->key.n, g->key.p,
		 (int)g->model.n, g->model.p, (long long)g->requests, (long long)g->body_bytes,
		 (long long)g->input_tokens, (long long)g->max_output_tokens,
		 (long long)g->unlimited, (long long)g->batch,
		 g->batch ? request_line(g->row) : (uint32_t)g->raw.n);
	str_addz(ctx, "\n");
	return 0;
}

static void shows(const struct forecast *f, const char *want, const char *rule)
{
	struct str out CLEANUP(str_release) = STR_INIT;
	struct err e = ERR_INIT;

	CHECK(forecast_each(f, add, &out, &e) == 0, "each is called");
	CHECK_STR(str_z(&out), want, "%s", rule);
}

static int stop(void *ctx, const struct forecast_group *g, struct err *e)
{
	(void)g;
	++*(int *)ctx;
	return err_set(e, ERR_STATE, "enough");
}

static void lines(void)
{
	struct forecast *f CLEANUP(forecast_cleanup) = forecast_new();
	struct line l CLEANUP(line_release) = LINE_INIT;
	struct batch future = { .base_url = (char *)"http://127.0.0.1:1/v1", .key_ref = (char *)"env:K" };
	struct line_problem why;
	struct err e = ERR_INIT;
	int calls = 0;

	for (const char *p = text; *p; p = strchr(p, '\n') + 1) {
		struct span raw = { p, strcspn(p, "\n") };
		fixture_must(line_read(&l, raw, NULL, &why) == 0, "line_read", &e);
		forecast_line(f, &future, &l);
	}
	shows(f, "http://127.0.0.1:1/v1 env:K m: 2 requests of 42 bytes, 10 + 10 tokens, 1 not limited,"
	      " first 0/68\n"
	      "http://127.0.0.1:1/v1 env:K n: 2 requests of 26 bytes, 6 + 0 tokens, 2 not limited,"
	      " first 0/52\n"
	      "https://other none m: 1 requests of 28 bytes, 7 + 5 tokens, 0 not limited, first 0/77\n"
	      "http://127.0.0.1:1/v1 env:K k: 1 requests of 5 bytes, 1 + 0 tokens, 1 not limited,"
	      " first 0/62\n",
	      "lines of no batch: an absolute url of the same origin stays, of another has no key");
	CHECK(forecast_each(f, stop, &calls, &e) < 0 && e.code == ERR_STATE && calls == 1,
	      "the callback may stop it");
}

static void batches(struct db *db)
{
	struct forecast *f CLEANUP(forecast_cleanup) = forecast_new();
	struct batch b CLEANUP(batch_release) = BATCH_INIT;
	int64_t id = fixture_batch(db, fixture_file(db, text));
	struct err e = ERR_INIT;

	fixture_complete(db, request_row(id, 1), "{}");
	fixture_fail(db, request_row(id, 2), 400, NULL, "{}");
	fixture_retry(db, request_row(id, 5), 500, 99);
	fixture_get(db, id, &b);
	CHECK(forecast_batch(f, db, &b, 1u << REQUEST_PENDING, &e) == 0, "a batch is read");
	shows(f, "http://127.0.0.1:1/v1 none n: 1 requests of 13 bytes, 3 + 0 tokens, 1 not limited,"
	      " first 1/3\n"
	      "https://other none m: 1 requests of 28 bytes, 7 + 5 tokens, 0 not limited, first 1/4\n"
	      "http://127.0.0.1:1/v1 none m: 1 requests of 13 bytes, 3 + 0 tokens, 1 not limited,"
	      " first 1/5\n"
	      "http://127.0.0.1:1/v1 none k: 1 requests of 5 bytes, 1 + 0 tokens, 1 not limited,"
	      " first 1/6\n", "what is pending, also as a retry");
	CHECK(forecast_batch(f, db, &b, 1u << REQUEST_FAILED | 1u << REQUEST_CANCELLED, &e) == 0,
	      "other states");
	int64_t other = fixture_batch(db, b.file);
	fixture_get(db, other, &b);
	CHECK(forecast_batch(f, db, &b, 1u << REQUEST_PENDING, &e) == 0, "another batch");
	shows(f, "http://127.0.0.1:1/v1 none n: 4 requests of 52 bytes, 13 + 0 tokens, 4 not limited,"
	      " first 1/3\n"
	      "https://other none m: 2 requests of 56 bytes, 14 + 10 tokens, 0 not limited,"
	      " first 1/4\n"
	      "http://127.0.0.1:1/v1 none m: 3 requests of 55 bytes, 13 + 10 tokens, 2 not limited,"
	      " first 1/5\n"
	      "http://127.0.0.1:1/v1 none k: 2 requests of 10 bytes, 2 + 0 tokens, 2 not limited,"
	      " first 1/6\n", "sums go on, the first stays the first");
}

/* More than a page of lines. */
static void large(struct db *db)
{
	struct forecast *f CLEANUP(forecast_cleanup) = forecast_new();
	struct batch b CLEANUP(batch_release) = BATCH_INIT;
	struct str all CLEANUP(str_release) = STR_INIT, out CLEANUP(str_release) = STR_INIT;
	struct err e = ERR_INIT;

	for (int i = 0; i < 10; i++)
		str_addf(&all, "{\"custom_id\":\"%d\",\"url\":\"/v1/a\",\"model\":\"m\","
			 "\"body\":\"%01000000d\"}\n", i, i);
	fixture_get(db, fixture_batch(db, fixture_file(db, str_z(&all))), &b);
	CHECK(forecast_batch(f, db, &b, ~0u, &e) == 0, "many bytes");
	CHECK(forecast_each(f, add, &out, &e) == 0, "each is called");
	CHECK(strstr(str_z(&out), "10 requests of 10000000 bytes, 2500000 + 0 tokens"),
	      "are all counted once");
}

int main(void)
{
	struct db *db = fixture_db("db");
	struct forecast *none CLEANUP(forecast_cleanup) = forecast_new();

	shows(none, "", "nothing of nothing");
	lines();
	batches(db);
	large(db);
	forecast_free(NULL);
	db_close(db);
	return unit_done();
}
