/* batchload: rows of the table batches as struct batch; for domain/batch. */
#ifndef FSL_DOMAIN_BATCHLOAD_H
#define FSL_DOMAIN_BATCHLOAD_H

#include "base/err.h"
#include "base/id.h"
#include "domain/batch.h"
#include "store/stmt.h"

/* The beginning of a query: the columns in the order batchload_row() reads. */
#define BATCHLOAD_SELECT \
	"SELECT id, uuid, name, file, (SELECT uuid FROM files WHERE files.id = file)," \
	" identity, oneshot, status, user, base_url, endpoint, model, key_ref, key_header," \
	" headers, metadata, priority, options, window_ms, expires_ms, created_ms," \
	" in_progress_ms, finalizing_ms, completed_ms, failed_ms, expired_ms, cancelling_ms," \
	" cancelled_ms, total, pending, retrying, processing, completed, failed, cancelled," \
	" expired, attempts, input_tokens, cached_tokens, output_tokens, reasoning_tokens," \
	/* A name of a dataset is never all hex digits. */ \
	" (SELECT ifnull(d.name, hex(d.uuid)) || '/' || p.name FROM data_products p" \
	" CROSS JOIN datasets d ON d.id = p.dataset WHERE p.batch = batches.id LIMIT 1)" \
	" FROM batches "

/* The current row; what was in *b is released. */
int batchload_row(struct stmt *q, struct batch *b, struct err *e) MUST_CHECK;

/* The first row, and how many there are: 0, 1, or 2 for more than one; then
 * *second is the next one's id. */
int batchload_first(struct stmt *q, struct batch *b, struct id *second,
		    struct err *e) MUST_CHECK;

/* Some rows, read before anybody is called with them, so that no snapshot is
 * held while somebody prints.  Starts as { .n = 0 }. */
enum { BATCHLOAD_PAGE = 100 };
struct batchload_page {
	struct batch rows[BATCHLOAD_PAGE];
	int n;
};
/* Up to a page full of rows; how many. */
int batchload_page(struct stmt *q, struct batchload_page *p, struct err *e) MUST_CHECK;
void batchload_release(struct batchload_page *p);

#endif
