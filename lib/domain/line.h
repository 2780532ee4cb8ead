/* line: one line of input, strictly checked and cut into its members.
 *
 * The input line of fsl-jsonl(5) (OpenAI Batch API, "input file format"):
 *   custom_id  string, required, 1 to 512 bytes, no control characters
 *   url        string, required: a path that starts with "/", or an absolute
 *              http:// or https:// URL with a host and without user:password
 *              (all of it: domain/lineurl.h); at most 8,192 bytes, no control
 *              characters, no spaces, ASCII or UTF-8
 *   method     string; default POST; a token of RFC 9110 section 9.1 that is
 *              one of GET HEAD POST PUT PATCH DELETE OPTIONS, in any case
 *              (upper-cased)
 *   headers    object of strings; names are tokens (RFC 9110 section 5.6.2),
 *              values have no control bytes but tab; at most 100 and 64 KiB;
 *              Host, Content-Length, Transfer-Encoding, Connection, Expect,
 *              TE, Upgrade and Trailer are refused
 *   body       any JSON value; sent byte for byte as it stands.  A string is
 *              sent as the characters it stands for; null and no body at all
 *              send none
 *   model      string: the key for limits; else body.model (if it is a string
 *              and not empty), else line_rules.default_model, else the host of
 *              an absolute url ("host" or "host:port" in lower case), else "-";
 *              1 to 256 bytes, no control characters
 *   metadata   any JSON value, given back with the result
 * Other members are ignored.  A member given twice is refused, and so is a
 * header (in any case); of two in the body the last one counts.
 *
 * Secrets in a line are refused unless allowed: headers Authorization,
 * Proxy-Authorization, Cookie, x-api-key, api-key; a top-level member
 * api_key; key, api_key, access_token or apikey in the query of the url. */
#ifndef FSL_DOMAIN_LINE_H
#define FSL_DOMAIN_LINE_H

#include <stdbool.h>
#include <stdint.h>
#include "base/id.h"
#include "base/str.h"

/* Codes of a bad line or file; the texts are those of the OpenAI Batch API
 * where it has one ("duplicate_custom_id"). */
enum line_code {
	LINE_OK = 0, LINE_INVALID_JSON, LINE_MISSING_PARAMETER,
	LINE_INVALID_CUSTOM_ID, LINE_DUPLICATE_CUSTOM_ID, LINE_INVALID_URL,
	LINE_INVALID_METHOD, LINE_INVALID_HEADER, LINE_INVALID_UTF8,
	LINE_INVALID_MODEL, LINE_TOO_LONG, LINE_EMPTY_FILE, LINE_SECRET,
	LINE_URL_MISMATCH, LINE_MODEL_MISMATCH, LINE_TOO_MANY_TASKS,
	LINE_FILE_TOO_LARGE, LINE_NOT_STRICT,
};
const char *line_code_text(enum line_code code); /* "invalid_json_line", … */

struct line_problem {
	enum line_code code;
	size_t column;   /* byte offset in the line, from 1: where it is not JSON;
			  * the first byte of a wrong value; the name of a member
			  * or header that is wrong in itself; 1 if one is missing */
	char text[256];  /* safe to print, without the code */
};

/* Members as they stand in the raw line (body, headers, metadata with their
 * JSON syntax), and decoded where that is said.  The spans point into the raw
 * text or into `scratch`. */
struct line {
	struct span raw;       /* all of it */
	struct span custom_id; /* decoded */
	struct span method;    /* decoded, upper case */
	struct span url;       /* decoded */
	struct span headers;   /* raw JSON object; SPAN_NONE: none */
	struct span body;      /* raw JSON value; SPAN_NONE: none (absent or null) */
	struct span model;     /* decoded */
	struct span metadata;  /* raw JSON value; SPAN_NONE: none */
	struct span body_model;/* raw value of body.model with its quotes; SPAN_NONE: none */
	int64_t max_tokens;    /* body.max_completion_tokens, else max_tokens,
				* else max_output_tokens; 0: none */
	bool stream;           /* body.stream is true */
	struct str scratch;    /* owned */
};

#define LINE_INIT { .scratch = STR_INIT }

struct line_rules {
	bool allow_secrets;
	const char *default_url;   /* for lines without url (--url), or NULL; such
				    * a line points to it */
	const char *default_model; /* key for limits of lines without a model, or NULL */
};

/* Reads one line (without its LF; a CR at the end is white space).  `l` is
 * filled and keeps pointing into `raw`, which must stay.  0, or -1 and *why.
 * `rules` NULL: the line was checked before (by import): the same work, with
 * nothing refused that import might have allowed; a line without url has
 * l->url SPAN_NONE then, and no default model.  On failure `l` is good for
 * line_release() and another line_read() only. */
int line_read(struct line *l, struct span raw, const struct line_rules *rules,
	      struct line_problem *why);
void line_release(struct line *l);

/* What is sent as the body: the raw value, or for a string its characters.
 * `out` is used only for a string with escapes; the span may point into it. */
struct span line_body_bytes(const struct line *l, struct str *out);

/* Walks over the headers, decoded; start with *pos = 0; false at the end.
 * `scratch` owns the decoded bytes until its next use. */
bool line_header(const struct line *l, size_t *pos, struct str *scratch,
		 struct span *name, struct span *value);

/* XXH3-128 over method, url, headers and body, each with its length: equal
 * requests have equal hashes (for reuse). */
struct id line_hash(const struct line *l);

/* The checks of a header "Name: value" that stands outside a line (--header).
 * 0, or -1 and *why (column counts in "Name: value"). */
int line_check_header(struct span name, struct span value, bool allow_secrets,
		      struct line_problem *why);

/* The check of an absolute http(s) URL (--base-url).  The text reads on from
 * the name of what was checked: "must have a port from 1 to 65535, …". */
int line_check_url(struct span url, bool allow_path_only, bool allow_secrets,
		   struct line_problem *why);

#endif
