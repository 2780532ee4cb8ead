/* create: what a user says of a new batch, checked and made into values.
 *
 * `fsl-batch create` and `fsl-run -i` take the same options; their rows are in
 * cli/create_opts.h and fill this struct. */
#ifndef FSL_DOMAIN_CREATE_H
#define FSL_DOMAIN_CREATE_H

#include <stdbool.h>
#include <stdint.h>
#include "base/err.h"
#include "base/str.h"
#include "domain/batch.h"
#include "domain/import.h"
#include "domain/reuse.h"
#include "domain/send.h"

struct create_options {
	const char *base_url;  /* NULL: OPENAI_BASE_URL, else https://api.openai.com */
	const char *endpoint;  /* NULL: as the lines say */
	const char *name;      /* NULL: none */
	bool if_absent;
	const char **metadata; /* "K=V", n_metadata of them */
	int n_metadata;
	const char *key;       /* NULL: the default, see create_make() */
	const char *key_header;/* "api-key: {}"; NULL: "Authorization: Bearer {}" */
	const char **headers;  /* "K: V", n_headers of them */
	int n_headers;
	int64_t priority;
	int64_t reuse_ms;      /* --reuse: answers at most so old; 0: none */
	int64_t window_ms;     /* --completion-window; 0: none */
	bool allow_secrets;    /* --allow-inline-secrets */
	int64_t max_line;      /* bytes, for the import */
	const char **escalations; /* MODEL=OTHER@DUR, n_escalations of them */
	int n_escalations;
	struct send send;      /* but for the next three */
	const char *retry_http;
	bool no_idempotency_key, at_most_once;
};

#define CREATE_OPTIONS_INIT { .max_line = 32 << 20, .send = SEND_INIT }

/* The checked values.  `batch` points into the rest: do not copy.  Its file
 * and oneshot are left to the caller. */
struct create {
	struct batch_new batch;
	char *base_url, *key_ref;
	struct str headers, metadata;
	struct send send;
	struct reuse reuse;
};

#define CREATE_INIT { .headers = STR_INIT, .metadata = STR_INIT, .send = SEND_INIT, \
		      .reuse = REUSE_INIT }
void create_release(struct create *c);

/* ERR_USAGE with the option's name.
 *  key       env:NAME, file:PATH (made absolute), cred:NAME or none.  Default:
 *            env:OPENAI_API_KEY if the origin is https://api.openai.com or the
 *            base URL came from OPENAI_BASE_URL, else none.  The message never
 *            shows what was given: it might be the key itself.
 *  headers   as domain/line says; at most 100.
 *  metadata  at most 16 pairs, keys of 1 to 64 and values of up to 512
 *            characters (OpenAI API reference, "metadata"). */
int create_make(const struct create_options *o, struct create *out, struct err *e) MUST_CHECK;

/* What the options say of sending, the rest unset; *out is to be released.
 * ERR_USAGE as above. */
int create_send(const struct create_options *o, struct send *out, struct err *e) MUST_CHECK;

/* The input: "-" or a path that exists is a path, anything else names a file
 * of the state file. */
bool create_is_path(const char *operand);
/* What the options say of the import of a path, which is automatic. */
void create_import(const struct create_options *o, const char *path, struct import *im);

#endif
