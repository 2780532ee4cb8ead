/* object: the JSON objects of OpenAI's API. */
#include "domain/object.h"

#include "base/id.h"
#include "fixture.h"

static struct id id_of(const char *hex)
{
	struct id v = { { 0 } };
	id_from_hex(span_of(hex), &v);
	return v;
}

static void files(struct db *db)
{
	struct err e = ERR_INIT;
	struct str out CLEANUP(str_release) = STR_INIT;
	struct file f CLEANUP(file_release) = FILE_INIT;
	int64_t row = fixture_file(db,
		"{\"custom_id\":\"1\",\"url\":\"/a\",\"body\":{\"model\":\"m\"}}\n"
		"{\"custom_id\":\"2\",\"url\":\"/a\",\"body\":{\"model\":\"n\"}}\n"
		"{\"custom_id\":\"3\",\"url\":\"/a\",\"body\":{\"model\":\"n\"}}\n");
	fixture_must(file_get(db, row, &f, &e) == 0, "file_get", &e);
	f.uuid = id_of("0123456789abcdef0123456789abcdef");
	f.hash = id_of("00000000000000000000000000000001");
	f.bytes = 150;
	f.created_ms = 1700000000999;
	CHECK(object_file(db, &f, &out, &e) == 0, "a file");
	CHECK_STR(str_z(&out),
		  "{\"id\":\"file-0123456789abcdef0123456789abcdef\",\"object\":\"file\",\"bytes\":150,"
		  "\"created_at\":1700000000,\"filename\":\"in.jsonl\",\"purpose\":\"batch\","
		  "\"status\":\"processed\",\"fsl\":{\"requests\":3,\"models\":{\"n\":2,\"m\":1},"
		  "\"xxh128\":\"00000000000000000000000000000001\",\"name\":null}}",
		  "has OpenAI's members in their order, then ours");
}

static struct batch sample(void)
{
	return (struct batch){
		.uuid = id_of("0123456789abcdef0123456789abcdef"),
		.file_uuid = id_of("ffffffffffffffffffffffffffffffff"),
		.status = BATCH_IN_PROGRESS, .base_url = mem_strdup("http://h/v1"),
		.key_ref = mem_strdup("none"), .send = SEND_INIT,
		.created_ms = 1700000000000, .in_progress_ms = 1700000001500,
		.total = 10, .pending = 5, .retrying = 2, .processing = 1, .completed = 3, .failed = 1,
		.attempts = 8, .input_tokens = 100, .cached_tokens = 20, .output_tokens = 30,
		.reasoning_tokens = 5,
	};
}

static void batches(struct db *db)
{
	struct err e = ERR_INIT;
	struct str out CLEANUP(str_release) = STR_INIT;
	struct batch b CLEANUP(batch_release) = sample();
	CHECK(object_batch(db, &b, &out, &e) == 0, "a batch");
	CHECK_STR(str_z(&out),
		  "{\"id\":\"batch_0123456789abcdef0123456789abcdef\",\"object\":\"batch\","
		  "\"endpoint\":null,\"errors\":null,"
		  "\"input_file_id\":\"file-ffffffffffffffffffffffffffffffff\","
		  "\"completion_window\":null,\"status\":\"in_progress\",\"output_file_id\":null,"
		  "\"error_file_id\":null,\"created_at\":1700000000,\"in_progress_at\":1700000001,"
		  "\"expires_at\":null,\"finalizing_at\":null,\"completed_at\":null,\"failed_at\":null,"
		  "\"expired_at\":null,\"cancelling_at\":null,\"cancelled_at\":null,"
		  "\"request_counts\":{\"total\":10,\"completed\":3,\"failed\":1},\"metadata\":null,"
		  "\"model\":null,\"usage\":{\"input_tokens\":100,"
		  "\"input_tokens_details\":{\"cached_tokens\":20},\"output_tokens\":30,"
		  "\"output_tokens_details\":{\"reasoning_tokens\":5},\"total_tokens\":130},"
		  "\"fsl\":{\"name\":null,\"base_url\":\"http://h/v1\",\"key\":\"none\","
		  "\"counts\":{\"pending\":3,\"claimed\":0,\"processing\":1,\"retrying\":2,"
		  "\"completed\":3,\"failed\":1,\"cancelled\":0,\"expired\":0},\"attempts\":8,"
		  "\"outcome\":null,\"dataset\":null,\"data_product\":null}}",
		  "has OpenAI's members in their order, null where there is nothing");

	static const struct { int64_t ms; const char *want; } windows[] = {
		{ 86400000, "\"completion_window\":\"24h\"" },
		{ 7 * 86400000, "\"completion_window\":\"168h\"" },
		{ 90000, "\"completion_window\":\"90s\"" },
		{ 1500, "\"completion_window\":\"1500ms\"" },
	};
	for (size_t i = 0; i < ARRAY_LEN(windows); i++) {
		b.window_ms = windows[i].ms;
		str_reset(&out);
		CHECK(object_batch(db, &b, &out, &e) == 0 && strstr(str_z(&out), windows[i].want),
		      "%s", windows[i].want);
	}
	b.status = BATCH_COMPLETED;
	b.pending = b.retrying = b.processing = b.completed = 0;
	b.failed = b.total;
	b.metadata = mem_strdup("{\"k\":\"v\"}");
	b.model = mem_strdup("m\x1b");
	b.name = mem_strdup("night");
	b.product = mem_strdup("papers/a/b\"");
	str_reset(&out);
	CHECK(object_batch(db, &b, &out, &e) == 0 && strstr(str_z(&out), "\"outcome\":\"all_failed\""),
	      "a terminal one has its outcome");
	CHECK(strstr(str_z(&out), "\"metadata\":{\"k\":\"v\"}"), "metadata as they were given");
	CHECK(strstr(str_z(&out), "\"model\":\"m\\u001b\"") && strstr(str_z(&out), "\"name\":\"night\""),
	      "texts are escaped");
	CHECK(strstr(str_z(&out), "\"dataset\":\"papers\",\"data_product\":\"a/b\\\"\"}}"),
	      "dataset and data product of a plan's batch: the former has no slash");
}

int main(void)
{
	struct db *db = fixture_db("db");
	files(db);
	batches(db);
	db_close(db);
	return unit_done();
}
