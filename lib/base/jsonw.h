/* jsonw: the one writer of JSON.
 *
 * Appends compact JSON to a str: no white space, members in the order of the
 * calls, commas put where they belong.  Strings are escaped as RFC 8259
 * section 7 demands, and in addition DEL, C1 controls and bidirectional
 * controls (see base/safe.h) as \uXXXX, so that a terminal is not fooled.
 * Bytes that are no UTF-8 become U+FFFD.  Nesting: at most 32 levels (a BUG
 * beyond). */
#ifndef FSL_BASE_JSONW_H
#define FSL_BASE_JSONW_H

#include <stdbool.h>
#include <stdint.h>
#include "base/str.h"

struct jsonw {
	struct str *out;
	uint32_t has_items; /* a bit per level: a comma is due */
	int depth;
};

struct jsonw jsonw_start(struct str *out);

void jsonw_object(struct jsonw *w);   /* { */
void jsonw_end(struct jsonw *w);      /* } */
void jsonw_array(struct jsonw *w);    /* [ */
void jsonw_array_end(struct jsonw *w);/* ] */
void jsonw_key(struct jsonw *w, const char *name);

void jsonw_str(struct jsonw *w, struct span v);  /* SPAN_NONE gives null */
void jsonw_strz(struct jsonw *w, const char *z); /* NULL gives null */
void jsonw_int(struct jsonw *w, int64_t v);
void jsonw_int_or_null(struct jsonw *w, int64_t v, bool is_null);
void jsonw_micro(struct jsonw *w, int64_t micros); /* 1500000 gives 1.5 */
void jsonw_bool(struct jsonw *w, bool v);
void jsonw_null(struct jsonw *w);
void jsonw_raw(struct jsonw *w, struct span json); /* valid JSON, as it is */

/* key and value in one call */
void jsonw_kstr(struct jsonw *w, const char *name, struct span v);
void jsonw_kstrz(struct jsonw *w, const char *name, const char *z);
void jsonw_kint(struct jsonw *w, const char *name, int64_t v);
void jsonw_kbool(struct jsonw *w, const char *name, bool v);
void jsonw_knull(struct jsonw *w, const char *name);
void jsonw_kraw(struct jsonw *w, const char *name, struct span json);

/* The quoted and escaped string alone, without a writer. */
void jsonw_quote(struct str *out, struct span v);

/* {"$base64":"…"} of any bytes (RFC 4648 section 4, padded). */
void jsonw_base64(struct jsonw *w, struct span v);

#endif
