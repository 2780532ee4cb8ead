/* key: the secret behind a key reference, fetched when it is needed.
 *
 *   env:NAME    the environment variable
 *   file:PATH   first line of a file that is ours (or root's) and that nobody
 *               else can read (mode 0600 or stricter)
 *   cred:NAME   the file NAME in $CREDENTIALS_DIRECTORY (systemd.exec(5))
 *   none        no key
 *
 * A key is 1 to 8,192 bytes without control characters.  Spaces at its ends are no
 * part of it: HTTP does not send them, and what is sent is what messages hide. */
#ifndef FSL_ENGINE_KEY_H
#define FSL_ENGINE_KEY_H

#include "base/err.h"
#include "base/str.h"

/* 1: the key is appended to *out; 0: the reference is "none"; -1: it does not
 * resolve (ERR_NOPERM, the message names the reference and the reason, never
 * the secret, which may have been given in the reference's place). */
int key_resolve(const char *ref, struct str *out, struct err *e) MUST_CHECK;

/* Splits a header template "Name: text {} text" and puts the key in: name and
 * value are appended.  NULL is "Authorization: Bearer {}".  ERR_USAGE if there
 * is no ':' or not exactly one "{}". */
int key_header(const char *template_text, struct span key, struct str *name,
	       struct str *value, struct err *e) MUST_CHECK;

#endif
