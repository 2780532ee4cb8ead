/* batch_columns: the columns of fsl-batch's lists, and beside each list what
 * stands in them, of a row of the domain:
 *
 *     const struct cell cells[] = { REQUEST_CELLS(r) };  // struct select_row *r
 *     return cell_row(o, cells, ARRAY_LEN(cells), e);
 *
 * New columns are added at the end. */
#ifndef FSL_CLI_BATCH_COLUMNS_H
#define FSL_CLI_BATCH_COLUMNS_H

#include "cli/cell.h"

/* `b` is a struct batch (domain/batch.h), `id` its text. */
static const struct out_column batch_columns[] = {
	{ "BATCH_ID", "batch_id", OUT_TEXT }, { "CREATED", "created", OUT_TIME },
	{ "STATUS", "status", OUT_TEXT }, { "TOTAL", "total", OUT_INT },
	{ "COMPLETED", "completed", OUT_INT }, { "FAILED", "failed", OUT_INT },
	{ "NAME", "name", OUT_TEXT }, { "PRODUCT", "product", OUT_TEXT }, { 0 },
};
#define BATCH_CELLS(b, id) \
	cell_textz(id), cell_time((b)->created_ms), cell_textz(batch_status_text((b)->status)), \
	cell_int((b)->total), cell_int((b)->completed), cell_int((b)->failed), cell_textz((b)->name), \
	cell_textz((b)->product)

/* cancel, retry, delete: the batch and how many of its requests. */
static const struct out_column change_columns[] = {
	{ "BATCH_ID", "batch_id", OUT_TEXT }, { "REQUESTS", "requests", OUT_INT }, { 0 },
};
#define CHANGE_CELLS(id, n) cell_textz(id), cell_int(n)

/* domain/select.h */
static const struct out_column request_columns[] = {
	{ "LINE", "line", OUT_INT }, { "CUSTOM_ID", "custom_id", OUT_TEXT },
	{ "STATE", "state", OUT_TEXT }, { "ATTEMPTS", "attempts", OUT_INT },
	{ "HTTP", "http", OUT_INT }, { "MS", "ms", OUT_INT }, { "TOKENS", "tokens", OUT_INT },
	{ "MODEL", "model", OUT_TEXT }, { "NEXT", "next", OUT_TIME },
	{ "CODE", "code", OUT_TEXT }, { "MESSAGE", "message", OUT_TEXT }, { 0 },
};
#define REQUEST_CELLS(r) \
	cell_int(request_line((r)->row)), cell_text((r)->custom_id), \
	cell_textz((r)->retrying ? "retrying" : request_state_text((r)->state)), \
	cell_int((r)->attempts), cell_int_if((r)->status > 0, (r)->status), \
	cell_int_if((r)->took_ms >= 0, (r)->took_ms), \
	cell_int_if((r)->input_tokens >= 0, (r)->input_tokens + (r)->output_tokens), \
	cell_text((r)->model), cell_time((r)->next_ms), cell_text((r)->code), \
	cell_text((r)->message)

/* struct attempt_group (domain/attempt.h) */
static const struct out_column error_columns[] = {
	{ "STATUS", "status", OUT_INT }, { "CODE", "code", OUT_TEXT },
	{ "COUNT", "count", OUT_INT }, { "EXAMPLE", "example", OUT_TEXT },
	{ "MESSAGE", "message", OUT_TEXT }, { 0 },
};
#define ERROR_CELLS(g) \
	cell_int_if((g)->status > 0, (g)->status), cell_text((g)->code), cell_int((g)->count), \
	cell_text((g)->custom_id), cell_text((g)->message)

/* domain/usage.h; in the order of enum usage_by. */
#define USAGE_COLUMNS(title, json) { \
	{ title, json, OUT_TEXT }, { "REQUESTS", "requests", OUT_INT }, \
	{ "ATTEMPTS", "attempts", OUT_INT }, { "INPUT_TOKENS", "input_tokens", OUT_INT }, \
	{ "CACHED_TOKENS", "cached_tokens", OUT_INT }, \
	{ "OUTPUT_TOKENS", "output_tokens", OUT_INT }, \
	{ "REASONING_TOKENS", "reasoning_tokens", OUT_INT }, { "COST", "cost", OUT_NUMBER }, { 0 } }
static const struct out_column usage_columns[][9] = {
	USAGE_COLUMNS("MODEL", "model"), USAGE_COLUMNS("BATCH_ID", "batch_id"),
	USAGE_COLUMNS("DAY", "day"), USAGE_COLUMNS("STATUS", "status"),
};
#define USAGE_CELLS(u) \
	cell_text((u)->what), cell_int((u)->requests), cell_int((u)->attempts), \
	cell_int((u)->input_tokens), cell_int((u)->cached_tokens), cell_int((u)->output_tokens), \
	cell_int((u)->reasoning_tokens), cell_text((u)->cost)

/* domain/queue.h */
static const struct out_column queue_columns[] = {
	{ "MODEL", "model", OUT_TEXT }, { "ORIGIN", "origin", OUT_TEXT },
	{ "PENDING", "pending", OUT_INT }, { "RETRYING", "retrying", OUT_INT },
	{ "IN_FLIGHT", "in_flight", OUT_INT }, { "LIMIT", "limit", OUT_INT },
	{ "WHY", "why", OUT_TEXT }, { "NEXT", "next", OUT_TIME }, { "KEY", "key", OUT_TEXT }, { 0 },
};
#define QUEUE_CELLS(q) \
	cell_text((q)->model), cell_text((q)->origin), cell_int((q)->pending), \
	cell_int((q)->retrying), cell_int((q)->in_flight), \
	cell_int_if((q)->limit >= 0, (q)->limit), cell_text((q)->why), cell_time((q)->next_ms), \
	cell_text((q)->key)

#endif
