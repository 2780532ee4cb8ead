#include "domain/batchload.h"

#include <string.h>

#include "base/mem.h"

static struct id col_id(struct stmt *q, int i)
{
	struct id v = { { 0 } };
	struct span bytes = stmt_col(q, i);

	if (bytes.n == ID_BYTES)
		memcpy(v.b, bytes.p, ID_BYTES);
	return v;
}

static char *col_text(struct stmt *q, int i)
{
	struct span v = stmt_col(q, i);

	return v.p ? mem_copy(v.p, v.n) : NULL;
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
	b->uuid = col_id(q, 1);
	b->name = col_text(q, 2);
	b->file = stmt_col_int(q, 3);
	b->file_uuid = col_id(q, 4);
	b->identity = col_id(q, 5);
	b->oneshot = stmt_col_int(q, 6) != 0;
	b->status = (enum batch_status)stmt_col_int(q, 7);
	b->user = col_text(q, 8);
	b->base_url = col_text(q, 9);
	b->endpoint = col_text(q, 10);
	b->model = col_text(q, 11);
	b->key_ref = col_text(q, 12);
	b->key_header = col_text(q, 13);
	b->headers = col_text(q, 14);
	b->metadata = col_text(q, 15);
	b->priority = stmt_col_int(q, 16);
	for (size_t i = 0; i < ARRAY_LEN(numbers); i++)
		*numbers[i] = stmt_col_int(q, 18 + (int)i);
	return send_read(&b->send, stmt_col(q, 17), e);
}

int batchload_first(struct stmt *q, struct batch *out, struct id *second, struct err *e)
{
	int rc = stmt_step(q, e);

	if (rc <= 0 || batchload_row(q, out, e) < 0)
		return rc <= 0 ? rc : -1;
	rc = stmt_step(q, e);
	if (rc > 0)
		*second = col_id(q, 1);
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
