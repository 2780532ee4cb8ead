#include "domain/object.h"

#include <string.h>

#include "base/jsonw.h"
#include "base/mem.h"

static int add_model(void *ctx, struct span model, int64_t requests, struct err *e)
{
	struct jsonw *w = ctx;
	struct str name CLEANUP(str_release) = STR_INIT;
	(void)e;
	str_addspan(&name, model);
	jsonw_kint(w, str_z(&name), requests);
	return 0;
}

int object_file(struct db *db, const struct file *f, struct str *out, struct err *e)
{
	char text[FILE_ID_BUF], hash[ID_HEX + 1];
	struct jsonw w = jsonw_start(out);
	jsonw_object(&w);
	jsonw_kstrz(&w, "id", file_id_text(f->uuid, text));
	jsonw_kstrz(&w, "object", "file");
	jsonw_kint(&w, "bytes", f->bytes);
	jsonw_kint(&w, "created_at", f->created_ms / 1000);
	jsonw_kstrz(&w, "filename", f->filename);
	jsonw_kstrz(&w, "purpose", "batch");
	jsonw_kstrz(&w, "status", "processed");
	jsonw_key(&w, "fsl");
	jsonw_object(&w);
	jsonw_kint(&w, "requests", f->requests);
	jsonw_key(&w, "models");
	jsonw_object(&w);
	if (file_models(db, f->id, add_model, &w, e) < 0)
		return -1;
	jsonw_end(&w);
	jsonw_kstrz(&w, "xxh128", id_hex(f->hash, hash));
	jsonw_kstrz(&w, "name", f->name);
	jsonw_end(&w);
	jsonw_end(&w);
	return 0;
}

static void key_seconds(struct jsonw *w, const char *name, int64_t ms)
{
	jsonw_key(w, name);
	jsonw_int_or_null(w, ms / 1000, ms == 0);
}

/* The largest unit that leaves no rest; days are written as hours. */
void object_window(int64_t ms, struct str *out)
{
	static const struct { int64_t ms; const char *unit; } units[] = {
		{ 3600000, "h" }, { 60000, "m" }, { 1000, "s" }, { 1, "ms" },
	};
	size_t i = 0;
	while (ms % units[i].ms != 0)
		i++;
	str_addf(out, "%lld%s", (long long)(ms / units[i].ms), units[i].unit);
}

static void key_window(struct jsonw *w, const char *name, int64_t ms)
{
	struct str text CLEANUP(str_release) = STR_INIT;
	object_window(ms, &text);
	jsonw_kstrz(w, name, ms > 0 ? str_z(&text) : NULL);
}

static void add_times(struct jsonw *w, const struct batch *b)
{
	key_seconds(w, "created_at", b->created_ms);
	key_seconds(w, "in_progress_at", b->in_progress_ms);
	key_seconds(w, "expires_at", b->expires_ms);
	key_seconds(w, "finalizing_at", b->finalizing_ms);
	key_seconds(w, "completed_at", b->completed_ms);
	key_seconds(w, "failed_at", b->failed_ms);
	key_seconds(w, "expired_at", b->expired_ms);
	key_seconds(w, "cancelling_at", b->cancelling_ms);
	key_seconds(w, "cancelled_at", b->cancelled_ms);
}

static void add_usage(struct jsonw *w, const struct batch *b)
{
	jsonw_key(w, "usage");
	jsonw_object(w);
	jsonw_kint(w, "input_tokens", b->input_tokens);
	jsonw_key(w, "input_tokens_details");
	jsonw_object(w);
	jsonw_kint(w, "cached_tokens", b->cached_tokens);
	jsonw_end(w);
	jsonw_kint(w, "output_tokens", b->output_tokens);
	jsonw_key(w, "output_tokens_details");
	jsonw_object(w);
	jsonw_kint(w, "reasoning_tokens", b->reasoning_tokens);
	jsonw_end(w);
	jsonw_kint(w, "total_tokens", b->input_tokens + b->output_tokens);
	jsonw_end(w);
}

/* Every request is counted once: their sum is the total. */
static void add_counts(struct jsonw *w, const struct batch *b)
{
	jsonw_key(w, "counts");
	jsonw_object(w);
	jsonw_kint(w, "pending", b->pending - b->retrying);
	jsonw_kint(w, "claimed", 0); /* a claim is started in the same commit */
	jsonw_kint(w, "processing", b->processing);
	jsonw_kint(w, "retrying", b->retrying);
	jsonw_kint(w, "completed", b->completed);
	jsonw_kint(w, "failed", b->failed);
	jsonw_kint(w, "cancelled", b->cancelled);
	jsonw_kint(w, "expired", b->expired);
	jsonw_end(w);
}

static void add_product(struct jsonw *w, const char *product)
{
	const char *slash = product ? strchr(product, '/') : NULL;

	jsonw_kstr(w, "dataset", slash ? (struct span){ product, (size_t)(slash - product) } : SPAN_NONE);
	jsonw_kstrz(w, "data_product", slash ? slash + 1 : NULL);
}

static void add_ours(struct jsonw *w, const struct batch *b)
{
	jsonw_key(w, "fsl");
	jsonw_object(w);
	jsonw_kstrz(w, "name", b->name);
	jsonw_kstrz(w, "base_url", b->base_url);
	jsonw_kstrz(w, "key", b->key_ref);
	add_counts(w, b);
	jsonw_kint(w, "attempts", b->attempts);
	jsonw_kstrz(w, "outcome", batch_outcome(b));
	add_product(w, b->product);
	jsonw_end(w);
}

int object_batch(struct db *db, const struct batch *b, struct str *out, struct err *e)
{
	char text[BATCH_ID_BUF], file[FILE_ID_BUF];
	struct jsonw w = jsonw_start(out);
	(void)db;
	(void)e;
	jsonw_object(&w);
	jsonw_kstrz(&w, "id", batch_id_text(b->uuid, text));
	jsonw_kstrz(&w, "object", "batch");
	jsonw_kstrz(&w, "endpoint", b->endpoint);
	jsonw_knull(&w, "errors");
	jsonw_kstrz(&w, "input_file_id", file_id_text(b->file_uuid, file));
	key_window(&w, "completion_window", b->window_ms);
	jsonw_kstrz(&w, "status", batch_status_text(b->status));
	/* Results are read from the batch: they are files of their own nowhere. */
	jsonw_knull(&w, "output_file_id");
	jsonw_knull(&w, "error_file_id");
	add_times(&w, b);
	jsonw_key(&w, "request_counts");
	jsonw_object(&w);
	jsonw_kint(&w, "total", b->total);
	jsonw_kint(&w, "completed", b->completed);
	jsonw_kint(&w, "failed", b->failed);
	jsonw_end(&w);
	if (b->metadata)
		jsonw_kraw(&w, "metadata", span_of(b->metadata));
	else
		jsonw_knull(&w, "metadata");
	jsonw_kstrz(&w, "model", b->model);
	add_usage(&w, b);
	add_ours(&w, b);
	jsonw_end(&w);
	return 0;
}
