/* answer: what a response body is, and what it says of its usage.
 *
 * Pure functions over bytes; storing answers is domain/request. */
#ifndef FSL_DOMAIN_ANSWER_H
#define FSL_DOMAIN_ANSWER_H

#include <stdbool.h>
#include <stdint.h>
#include "base/str.h"

enum answer_kind {
	ANSWER_JSON, ANSWER_TEXT, ANSWER_BYTES, ANSWER_NONE,
	ANSWER_STREAM, /* events that fold to an answer, or to none: domain/fold.h */
};

struct answer_usage {
	int64_t input, cached, output, reasoning; /* tokens; 0: not said */
};

/* What the body is (never ANSWER_STREAM: who asked for one knows), and the usage object of OpenAI's APIs if it has one
 * (prompt_tokens, completion_tokens and their _details; or input_tokens,
 * output_tokens and theirs). */
enum answer_kind answer_read(struct span body, struct answer_usage *usage);

/* The message of an error body: error.message, error (a string), message,
 * detail; else the head of the text; safe to print, at most 300 bytes. */
void answer_message(struct span body, enum answer_kind kind, struct str *out);

/* Is it {"error":{"code":"insufficient_quota"}} or of that type? */
bool answer_is_quota(struct span body, enum answer_kind kind);

/* The HTTP status that an error in a stream amounts to, {"error":…} as
 * fold_stream() gives it, so that it is tried again or not as if the server
 * had answered so.  A number from 400 to 599 as error.code, .status or
 * .status_code is that; else the words in error.code, error.type and
 * error_type count: rate limits and quotas 429, overload 529, unavailable 503,
 * timeouts 504, errors of the server 500, all others 400 (final).  An error
 * that names neither code nor type is 500: what is wrong with a request is
 * told before its answer begins. */
int answer_status(struct span error);

/* Appends the body as it stands in an output line: a stream as what it folds
 * to, or as it came if it folds to no answer; JSON byte for byte but for
 * white space between tokens when it has a line break; text as a JSON string;
 * other bytes as {"$base64":"…"}; none as null. */
void answer_write(struct span body, enum answer_kind kind, struct str *out);

#endif
