/* batch: one sending of one file, its status and its counters. */
#ifndef FSL_DOMAIN_BATCH_H
#define FSL_DOMAIN_BATCH_H

#include <stdbool.h>
#include <stdint.h>
#include "base/err.h"
#include "base/id.h"
#include "base/str.h"
#include "domain/send.h"
#include "store/stmt.h"

extern const struct stmt_set batch_sql;

enum batch_status {
	BATCH_VALIDATING, BATCH_IN_PROGRESS, BATCH_COMPLETED, BATCH_FAILED,
	BATCH_EXPIRED, BATCH_CANCELLING, BATCH_CANCELLED,
};
const char *batch_status_text(enum batch_status s);
/* -1 if there is no such status */
int batch_status_of(const char *text);
bool batch_terminal(enum batch_status s);

struct batch {
	int64_t id;
	struct id uuid;
	char *name;      /* NULL: none */
	int64_t file;
	struct id file_uuid, identity;
	bool oneshot;
	enum batch_status status;
	char *user;
	char *base_url, *endpoint, *model; /* the last two may be NULL */
	char *key_ref, *key_header;        /* key_header may be NULL */
	char *headers;   /* JSON array of "Name: value", or NULL */
	char *metadata;  /* JSON object, or NULL */
	char *product;   /* "DATASET/PRODUCT", whose newest batch it is, or NULL; the
			  * former by name, else UUID, so that it ends at the first '/' */
	int64_t priority;
	struct send send;
	int64_t window_ms, expires_ms; /* 0: none */
	int64_t created_ms, in_progress_ms, finalizing_ms, completed_ms, failed_ms,
		expired_ms, cancelling_ms, cancelled_ms; /* 0: not yet */
	int64_t total, pending, retrying, processing, completed, failed, cancelled,
		expired, attempts;
	int64_t input_tokens, cached_tokens, output_tokens, reasoning_tokens;
};

#define BATCH_INIT { .send = SEND_INIT }
void batch_release(struct batch *b);

enum { BATCH_ID_BUF = 6 + ID_HEX + 1, REQUEST_ID_BUF = 10 + ID_HEX + 8 + 1 };
char *batch_id_text(struct id uuid, char *buf);                  /* batch_<32 hex> */
char *batch_request_text(struct id uuid, uint32_t line, char *buf); /* batch_req_<40 hex> */
/* Reads "batch_req_<40 hex>". */
bool batch_request_of(const char *text, struct id *uuid, uint32_t *line);

/* Visible (not validating) ones only; ERR_NOTFOUND as file_find(). */
int batch_find(struct db *db, const char *operand, struct batch *out, struct err *e) MUST_CHECK;
int batch_get(struct db *db, int64_t id, struct batch *out, struct err *e) MUST_CHECK;
/* The newest oneshot batch with this identity: 1, none 0, -1. */
int batch_by_identity(struct db *db, struct id identity, struct batch *out,
		      struct err *e) MUST_CHECK;

/* Newest first, by pages.  Start with *after = 0. */
struct batch_filter {
	unsigned statuses;   /* bit per status; 0: all */
	int64_t since_ms;    /* created at or after; 0: any */
	const char *user;    /* NULL: any */
};
typedef int batch_fn(void *ctx, const struct batch *b, struct err *e);
int batch_list(struct db *db, const struct batch_filter *f, int64_t *after,
	       int limit, batch_fn *fn, void *ctx, struct err *e) MUST_CHECK;

/* In progress or cancelling, of this user (NULL: anybody), oldest first. */
int batch_open(struct db *db, const char *user, batch_fn *fn, void *ctx,
	       struct err *e) MUST_CHECK;

struct reuse;

struct batch_new {
	int64_t file;
	const char *name;      /* or NULL */
	bool if_absent;        /* the name may exist for the same input, base URL, endpoint */
	bool oneshot;
	bool resume;           /* oneshot: one of the same identity is as good */
	const char *base_url;  /* checked already (line_check_url) */
	const char *endpoint;  /* NULL: as the lines say */
	const char *key_ref;
	const char *key_header;/* or NULL */
	const char *headers;   /* JSON array, or NULL */
	const char *metadata;  /* JSON object, or NULL */
	int64_t priority;      /* -1,000 to 1,000 */
	int64_t window_ms;     /* from when it is whole to its expiry; 0: none */
	const struct send *send;
	struct reuse *reuse;   /* domain/reuse.h; NULL: every request is sent */
	/* Called in the transaction that shows it, with its row; -1: there will be
	 * no batch.  May be NULL. */
	int (*shown)(void *ctx, struct db *db, int64_t batch, struct err *e);
	void *ctx;
};

/* XXH3-128 over input, base URL, endpoint, headers and key reference: the
 * same values, the same batch (one-shot runs resume by it). */
struct id batch_identity(struct id input, const struct batch_new *n);

/* Makes the batch and its requests; nobody sees it before it is whole.
 * *existed: --if-absent or `resume` found one that is there, made by somebody
 * else at the same time at the latest.  ERR_STATE: the name is taken. */
int batch_create(struct db *db, const struct batch_new *n, struct batch *out,
		 bool *existed, struct err *e) MUST_CHECK;

/* Deletes batch, requests, attempts and answers, then its file if that was
 * automatic or hidden and nobody else needs it.  ERR_STATE unless terminal. */
int batch_delete(struct db *db, int64_t id, struct err *e) MUST_CHECK;

/* Removes batches whose creation died.  Takes its own transactions. */
int batch_sweep(struct db *db, struct err *e) MUST_CHECK;

/* The exit status of a batch: 0 all completed, 1 none, 3 some, 4 not terminal. */
int batch_exit(const struct batch *b);
/* "all_completed", "all_failed", "some_failed", "cancelled", "expired",
 * "empty", or NULL while it is not terminal. */
const char *batch_outcome(const struct batch *b);

#endif
