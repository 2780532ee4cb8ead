#include "engine/blocks.h"

#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/safe.h"
#include "domain/batch.h"

/* Which way the request took, for people. */
static const char *place(const struct limiter_bucket *bucket)
{
	static _Thread_local char text[200];

	snprintf(text, sizeof text, "%s at %s", safe_show(span_of(bucket->row.model), 80),
		 safe_show(span_of(bucket->row.origin), 100));
	return text;
}

/* Why something is left alone, for others to read. */
int blocks_write(const struct scene *b, int64_t known, struct err *e)
{
	struct health_block h;

	if (health_version(b->health) == known)
		return 0;
	if (bucket_unblock(b->db, b->worker, e) < 0)
		return -1;
	for (int i = 0; health_block(b->health, i, b->mono_ms, &h); i++) {
		struct bucket_block row = {
			.worker = b->worker, .batch = h.batch, .bucket = h.bucket, .reason = h.reason,
			.message = h.message, .since_ms = b->now_ms - (b->mono_ms - h.since_ms),
			.next_ms = h.next_ms ? b->now_ms + (h.next_ms - b->mono_ms) : 0,
		};
		if (h.origin < 0 && bucket_block(b->db, &row, e) < 0)
			return -1;
		/* Of a server, each of its buckets. */
		for (int k = 0; h.origin >= 0; k++) {
			const struct limiter_bucket *bucket = limiter_at(b->limiter, k);
			if (!bucket)
				break;
			row.bucket = bucket->row.id;
			if (bucket->origin == h.origin && bucket_block(b->db, &row, e) < 0)
				return -1;
		}
	}
	return 0;
}

/* What is left alone, for people. */
static const char *name(const struct scene *b, const struct health_block *h)
{
	static _Thread_local char text[BATCH_ID_BUF];
	const struct limiter_bucket *bucket = h->bucket ? limiter_find(b->limiter, h->bucket) : NULL;
	struct batch row CLEANUP(batch_release) = BATCH_INIT;
	struct err ignored = ERR_INIT;

	if (bucket)
		return place(bucket);
	if (h->origin >= 0)
		return safe_show(span_of(limiter_origin(b->limiter, h->origin)), 120);
	return batch_get(b->db, h->batch, &row, &ignored) == 0 ? batch_id_text(row.uuid, text)
							       : "a batch";
}

/* The first time that something is left alone. */
static void tell_block(const struct scene *b, const struct health_block *h)
{
	/* What ends a run with a failure is told also with -q. */
	enum log_level level = strcmp(h->reason, BLOCKS_NO_KEY) == 0 ? LOG_ERROR : LOG_WARNING;

	if (h->origin >= 0)
		log_warn("%s does not answer well (%s): it is held, its requests stay pending; "
			 "one tries it now and then", name(b, h), h->message);
	else
		log_msg(level, "%s is left alone (%s): %s; its requests stay pending", name(b, h),
			h->reason, h->message);
}

void blocks_tell(const struct scene *b, int64_t known)
{
	struct health_block h;

	for (int i = 0; health_block(b->health, i, b->mono_ms, &h); i++)
		if (h.number > known)
			tell_block(b, &h);
}

void blocks_blame(const struct scene *b, const struct health_block *h, struct ledger_state *state)
{
	const struct limiter_bucket *bucket = h->bucket ? limiter_find(b->limiter, h->bucket) : NULL;

	if (state->block && (h->origin < 0 || state->block_server))
		return;
	state->block = h->reason;
	state->block_server = h->origin >= 0;
	snprintf(state->block_message, sizeof state->block_message, "%s", h->message);
	snprintf(state->block_what, sizeof state->block_what, "%s", name(b, h));
	snprintf(state->block_key, sizeof state->block_key, "%s",
		 bucket ? safe_show(span_of(bucket->row.key_ref), 80) : "");
}

void blocks_reason(const struct scene *b, struct ledger_state *state)
{
	struct health_block h;

	state->block = NULL;
	for (int i = 0; health_block(b->health, i, b->mono_ms, &h); i++)
		blocks_blame(b, &h, state);
}
