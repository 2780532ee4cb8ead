/* foldchat: the chunks of a streamed completion, put together.
 *
 * "chat.completion.chunk" objects of OpenAI's API become one
 * "chat.completion", streamed "text_completion" objects one of those (API
 * reference, "chat completion object" and "completion object").  What other
 * servers add stays:
 *
 *   id, created, model   the first that says something (one server begins
 *                        with a chunk in which they are empty)
 *   choices              by index; in each, finish_reason and unknown
 *                        members: the last
 *   delta                becomes message: content, refusal, reasoning_content
 *                        and unknown members are joined if they are strings
 *                        or arrays, else the last counts; role is the first
 *   tool_calls           by index, without one by id; id, type and name are
 *                        the first, arguments are joined
 *   function_call, audio likewise
 *   logprobs             their arrays are joined
 *   usage and the rest   the last that is not null
 *   obfuscation          goes
 *
 * A message always has role, content and refusal, a choice always index,
 * logprobs and finish_reason, as without a stream. */
#ifndef FSL_DOMAIN_FOLDCHAT_H
#define FSL_DOMAIN_FOLDCHAT_H

#include "domain/merge.h"

/* One more chunk, a valid JSON object.  -1: it is none of these, or more than
 * fits. */
int foldchat_add(struct merge *m, struct span chunk);

/* There is a choice, and each has its finish_reason. */
bool foldchat_ended(const struct merge *m);

/* Appends the whole object. */
void foldchat_write(struct merge *m, struct str *out);

#endif
