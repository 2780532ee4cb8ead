/* exchange: one request as it is sent, and its attempts, told to people.
 *
 * No key is read.  Where it goes stands its reference, <env:NAME>, and in a
 * command for the shell what finds it, "$NAME". */
#ifndef FSL_DOMAIN_EXCHANGE_H
#define FSL_DOMAIN_EXCHANGE_H

#include <stdint.h>
#include "base/err.h"
#include "base/jsonw.h"
#include "base/str.h"
#include "domain/attempt.h"
#include "domain/batch.h"
#include "domain/line.h"

extern const struct stmt_set exchange_sql;

enum { EXCHANGE_HEADERS = 256 };

struct exchange_header {
	char *name, *value;
	char *key;   /* a key for sh(1): `value` before it, `after` behind; else NULL */
	char *after;
	char *ref;   /* "env:NAME" */
};

struct exchange {
	int64_t row;
	struct line line;         /* points into raw */
	struct str raw, url, scratch;
	struct span body;         /* SPAN_NONE: none */
	struct exchange_header headers[EXCHANGE_HEADERS];
	int n_headers;
};

#define EXCHANGE_INIT { .line = LINE_INIT }
void exchange_release(struct exchange *x);

/* Reads the request.  ERR_NOTFOUND if its line is gone. */
int exchange_load(struct db *db, const struct batch *b, int64_t row,
		  struct exchange *x, struct err *e) MUST_CHECK;

/* The request that a line would be in a batch that is not made yet: of `b` the
 * base URL, key and headers count.  It has no id, and so no Idempotency-Key. */
int exchange_line(const struct batch *b, struct span raw, struct exchange *x,
		  struct err *e) MUST_CHECK;

/* "POST URL", the headers, an empty line and the body, safe to show; headers
 * that hold a secret are shown as ***. */
void exchange_text(const struct exchange *x, struct str *out);

/* A curl(1) command for sh(1). */
void exchange_curl(const struct exchange *x, struct str *out);

/* {"method","url","headers":{…},"body"} */
void exchange_json(const struct exchange *x, struct jsonw *w);

/* "attempt 2: 2026-11-21T03:12:45.123Z, HTTP 503 after 1.2s, …", the telling
 * headers and the head of a failed body below it. */
void exchange_attempt_text(const struct attempt *a, struct str *out);
void exchange_attempt_json(const struct attempt *a, struct jsonw *w);

/* All of it: the request and its attempts, or only attempt n (0: all);
 * ERR_NOTFOUND if there is no such attempt.  As text; as one JSON object
 * {"batch_id","line","custom_id","request","attempts":[…]}; or the request as
 * a curl(1) command. */
enum exchange_form { EXCHANGE_TEXT, EXCHANGE_JSON, EXCHANGE_CURL };
int exchange_inspect(struct db *db, const struct batch *b, struct span custom_id, int64_t n,
		     enum exchange_form form, struct str *out, struct err *e) MUST_CHECK;

#endif
