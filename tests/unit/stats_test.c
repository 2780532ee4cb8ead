/* stats: requests, bytes and tokens per model. */
#include "domain/stats.h"

#include "fixture.h"

static const char text[] =
	"{\"custom_id\":\"1\",\"url\":\"/a\",\"body\":{\"model\":\"m\",\"max_tokens\":10}}\n"
	"{\"custom_id\":\"2\",\"url\":\"/a\",\"body\":{\"model\":\"n\"}}\n"
	"{\"custom_id\":\"3\",\"url\":\"/a\",\"body\":{\"model\":\"n\"}}\n"
	"{\"custom_id\":\"4\",\"url\":\"/a\",\"body\":{\"model\":\"m\",\"max_tokens\":5}}\n"
	"{\"custom_id\":\"5\",\"url\":\"/a\",\"body\":\"t\\u00e4xt\",\"model\":\"k\"}\n";

static int add(void *ctx, const struct stats_model *m, struct err *e)
{
	(void)e;
	str_addf(ctx, "%.*s:%lld,%lld,%lld,%lld ", (int)m->model.n, m->model.p,
		 (long long)m->requests, (long long)m->body_bytes, (long long)m->input_tokens,
		 (long long)m->max_output_tokens);
	return 0;
}

static void shows(struct stats *s, const char *want, const char *rule)
{
	struct err e = ERR_INIT;
	struct str out CLEANUP(str_release) = STR_INIT;
	CHECK(stats_each(s, add, &out, &e) == 0, "each is called");
	CHECK_STR(str_z(&out), want, "%s", rule);
}

static int stop(void *ctx, const struct stats_model *m, struct err *e)
{
	(void)m;
	++*(int *)ctx;
	return err_set(e, ERR_STATE, "enough");
}

int main(void)
{
	/* body sizes: 29, 13, 13, 28, 5 bytes */
	static const char want[] = "m:2,57,14,15 n:2,26,6,-1 k:1,5,1,-1 ";
	struct err e = ERR_INIT;
	struct stats *s CLEANUP(stats_cleanup) = stats_new();
	struct stats *in CLEANUP(stats_cleanup) = stats_new();
	shows(s, "", "nothing of nothing");
	struct db *db = fixture_db("db");
	int64_t file = fixture_file(db, text);
	CHECK(stats_add_file(s, db, file, &e) == 0, "a stored file is read");
	shows(s, want, "most requests first, then by name; text bodies as they are sent");
	CHECK(stats_add_file(s, db, file, &e) == 0, "and once more");
	shows(s, "m:4,114,28,30 n:4,52,13,-1 k:2,10,2,-1 ", "sums go on");
	CHECK(stats_add_file(s, db, 99, &e) < 0 && e.code == ERR_NOTFOUND, "a file that is gone");

	struct import im = IMPORT_INIT;
	char path[512];
	snprintf(path, sizeof(path), "%s/in.jsonl", unit_dir()); /* fixture_file() made it */
	im.path = path;
	CHECK(stats_add_input(in, &im, &e) == 0, "an input is read");
	shows(in, want, "with the same result");

	int calls = 0;
	CHECK(stats_each(s, stop, &calls, &e) < 0 && calls == 1, "an error ends it");
	stats_free(NULL);
	db_close(db);
	return unit_done();
}
