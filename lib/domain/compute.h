/* compute: where the platforms of remote products are told to start one, as
 * --compute and --compute-key say.
 *
 *     cams=https://cams.example/jobs?tenant=7
 *
 * Names are those of state_remote(). */
#ifndef FSL_DOMAIN_COMPUTE_H
#define FSL_DOMAIN_COMPUTE_H

#include "base/err.h"

enum { COMPUTE_REMOTE = 2 };
extern const char *const compute_remote[COMPUTE_REMOTE]; /* "cams", "dbxaas" */

struct compute {
	char *url[COMPUTE_REMOTE]; /* NULL: none was given */
	char *key[COMPUTE_REMOTE]; /* a reference as of --key; NULL: none was given */
};

#define COMPUTE_INIT { { NULL }, { NULL } }
void compute_release(struct compute *c);

/* Reads NAME=URL, n_urls of them, and NAME=REF.  The URL is absolute, http or
 * https, and holds no secret.  ERR_USAGE with what is wrong: no such name, given
 * twice, a key without an URL; no message shows what was given as a key. */
int compute_read(struct compute *c, const char *const *urls, int n_urls,
		 const char *const *keys, int n_keys, struct err *e) MUST_CHECK;

/* NULL: there is none; also if `c` is NULL. */
const char *compute_url(const struct compute *c, const char *name);
/* "none" unless given. */
const char *compute_key(const struct compute *c, const char *name);

#endif
