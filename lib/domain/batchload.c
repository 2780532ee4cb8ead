#include "domain/batchload.h"

#include <string.h>

#include "base/mem.h"

/* "DATASET/PRODUCT", where a dataset without a name stands with its UUID. */
static char *col_product(struct stmt *q, int i)
{
	struct span v = stmt_col(q, i);
	const char *slash = v.p ? memchr(v.p, '/', v.n) : NULL;
	struct str text CLEANUP(str_release) = STR_INIT;
	char uuid[ID_UUID + 1];
	struct id id;

	if (!slash)
		return NULL;
	size_t n = (size_t)(slash - v.p);
	if (id_from_hex((struct span){ v.p, n }, &id))
		str_addz(&text, id_uuid(id, uuid));
	else
		str_add(&text, v.p, n);
	str_add(&text, slash, v.n - n);
	return str_take(&text);
}

int batchload_row(struct stmt *q, struct batch *b, struct err *e)
{
	int64_t *const numbers[] = {
		&b->window_ms, &b->expires_ms, &b->created_ms, &b->in_progress_ms,
		&b->finalizing_ms, &b->completed_ms, &b->failed_ms, &b->expired_ms,
		&b->cancelling_ms, &b->cancelled_ms, &b->total, &b->pending, &b->retrying,
		&b->processing, &b->completed, &b->failed, &b->cancelled, &b->expired,
		&b->attempts, &b->input_tokens, &b->cached_tokens, &b->output_tokens,
		&b->reasoning_tokens,
	};

	batch_release(b);
	b->id = stmt_col_int(q, 0);
	b->uuid = stmt_col_id(q, 1);
	b->name = stmt_col_copy(q, 2);
	b->file = stmt_col_int(q, 3);
	b->file_uuid = stmt_col_id(q, 4);
	b->identity = stmt_col_id(q, 5);
	b->oneshot = stmt_col_int(q, 6) != 0;
	b->status = (enum batch_status)stmt_col_int(q, 7);
	b->user = stmt_col_copy(q, 8);
	b->base_url = stmt_col_copy(q, 9);
	b->endpoint = stmt_col_copy(q, 10);
	b->model = stmt_col_copy(q, 11);
	b->key_ref = stmt_col_copy(q, 12);
	b->key_header = stmt_col_copy(q, 13);
	b->headers = stmt_col_copy(q, 14);
	b->metadata = stmt_col_copy(q, 15);
	b->priority = stmt_col_int(q, 16);
	for (size_t i = 0; i < ARRAY_LEN(numbers); i++)
		*numbers[i] = stmt_col_int(q, 18 + (int)i);
	b->product = col_product(q, 18 + (int)ARRAY_LEN(numbers));
	return send_read(&b->send, stmt_col(q, 17), e);
}

int batchload_first(struct stmt *q, struct batch *out, struct id *second, struct err *e)
{
	int rc = stmt_step(q, e);

	if (rc <= 0 || batchload_row(q, out, e) < 0)
		return rc <= 0 ? rc : -1;
	rc = stmt_step(q, e);
	if (rc > 0)
		*second = stmt_col_id(q, 1);
	return rc < 0 ? -1 : rc + 1;
}

void batchload_release(struct batchload_page *p)
{
	for (int i = 0; i < p->n; i++)
		batch_release(&p->rows[i]);
	p->n = 0;
}

int batchload_page(struct stmt *q, struct batchload_page *p, struct err *e)
{
	int rc = 0;

	batchload_release(p);
	while (p->n < BATCHLOAD_PAGE && (rc = stmt_step(q, e)) > 0) {
		struct batch *b = &p->rows[p->n++];
		*b = (struct batch)BATCH_INIT;
		if (batchload_row(q, b, e) < 0)
			return -1;
	}
	return rc < 0 ? -1 : p->n;
}
