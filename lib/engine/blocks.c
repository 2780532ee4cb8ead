#include "engine/blocks.h"

#include <stdio.h>

#include "base/log.h"
#include "base/safe.h"

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

/* The first time that something is left alone. */
static void tell_block(const struct scene *b, const struct health_block *h)
{
	const struct limiter_bucket *bucket = h->bucket ? limiter_find(b->limiter, h->bucket) : NULL;
	const char *what = bucket ? place(bucket) : h->batch ? "a batch" :
			   limiter_origin(b->limiter, h->origin);

	if (h->origin >= 0)
		log_warn("%s does not answer well (%s): it is held, its requests stay pending; "
			 "one tries it now and then", safe_show(span_of(what), 120), h->message);
	else
		log_warn("%s is left alone (%s): %s; its requests stay pending", what, h->reason,
			 h->message);
}

void blocks_tell(const struct scene *b, int64_t known)
{
	struct health_block h;

	for (int i = 0; health_block(b->health, i, b->mono_ms, &h); i++)
		if (h.number > known)
			tell_block(b, &h);
}

void blocks_reason(const struct scene *b, struct ledger_state *state)
{
	struct health_block h;
	bool server = false;

	state->block = NULL;
	for (int i = 0; health_block(b->health, i, b->mono_ms, &h); i++)
		if (!state->block || (h.origin >= 0 && !server)) {
			server = h.origin >= 0;
			state->block = h.reason;
			snprintf(state->block_message, sizeof state->block_message, "%s", h.message);
		}
}
