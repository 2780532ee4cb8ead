/* answer: what a response body is, and what it says of its usage.
 *
 * Pure functions over bytes; storing answers is domain/request. */
#ifndef FSL_DOMAIN_ANSWER_H
#define FSL_DOMAIN_ANSWER_H

#include <stdbool.h>
#include <stdint.h>
#include "base/str.h"

enum answer_kind { ANSWER_JSON, ANSWER_TEXT, ANSWER_BYTES, ANSWER_NONE };

struct answer_usage {
	int64_t input, cached, output, reasoning; /* tokens; 0: not said */
};

/* What the body is, and the usage object of OpenAI's APIs if it has one
 * (prompt_tokens, completion_tokens and their _details; or input_tokens,
 * output_tokens and theirs). */
enum answer_kind answer_read(struct span body, struct answer_usage *usage);

/* The message of an error body: error.message, error (a string), message,
 * detail; else the head of the text; safe to print, at most 300 bytes. */
void answer_message(struct span body, enum answer_kind kind, struct str *out);

/* Is it {"error":{"code":"insufficient_quota"}} or of that type? */
bool answer_is_quota(struct span body, enum answer_kind kind);

/* Appends the body as it stands in an output line: JSON byte for byte but for
 * white space between tokens when it has a line break; text as a JSON string;
 * other bytes as {"$base64":"…"}; none as null. */
void answer_write(struct span body, enum answer_kind kind, struct str *out);

#endif
