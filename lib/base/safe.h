/* safe: text of strangers, made safe to show.
 *
 * Control characters, DEL, C1 controls (U+0080..U+009F), bidirectional
 * overrides and isolates (U+202A..U+202E, U+2066..U+2069, U+200E, U+200F,
 * U+061C), and bytes that are no UTF-8 become \xNN, byte by byte. */
#ifndef FSL_BASE_SAFE_H
#define FSL_BASE_SAFE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/str.h"

/* Appends `v` for a person's eyes. */
void safe_text(struct str *out, struct span v);

/* Appends `v` as one field of --plain output: as safe_text(), but tab,
 * newline and backslash become \t \n \\. */
void safe_plain(struct str *out, struct span v);

/* At most `max` bytes of `v` through safe_text(), with "..." behind what was
 * cut, in one of four static buffers taken in turn (per thread): for
 * messages.  max is at most 200. */
const char *safe_show(struct span v, size_t max);

/* Appends `v` as one word for sh(1): as it is if that is safe, else in single
 * quotes, or as "$(printf '...')" if it holds what safe_text() replaces. */
void safe_shell(struct str *out, struct span v);

/* The length of the valid UTF-8 sequence at p (1 to 4), 0 if there is none
 * (RFC 3629: no overlong forms, no surrogates, nothing above U+10FFFF). */
size_t safe_utf8(const char *p, size_t n);
bool safe_is_utf8(struct span v);
/* The same, and the code point. */
size_t safe_decode(const char *p, size_t n, uint32_t *code);
/* True for the controls named above, which safe_text() replaces. */
bool safe_control(uint32_t code);

/* Replaces each occurrence of the secret (at least 4 bytes long, else
 * nothing is done) in s by "***": as it is, with bytes of it escaped as in JSON
 * (RFC 8259 section 7), in a URL (RFC 3986 section 2.1) or by safe_text(), and
 * the beginning of it that a cut has left: 4 bytes before "...", 8 at the end of
 * s.  For messages: s is short. */
void safe_redact(struct str *s, struct span secret);

#endif
