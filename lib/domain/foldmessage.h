/* foldmessage: the events of a streamed message, put together.
 *
 * Those of the Anthropic Messages API ("Streaming messages"): message_start
 * brings the message without content, content_block_start a block of it,
 * content_block_delta more of a block (text_delta, thinking_delta,
 * signature_delta, citations_delta, input_json_delta), message_delta what is
 * known at the end and the usage, message_stop is the end.  Events of other
 * types say nothing here.
 *
 * The input of a tool is the JSON that its pieces are when they are joined;
 * pieces that are none (the answer was cut at max_tokens) stay a string. */
#ifndef FSL_DOMAIN_FOLDMESSAGE_H
#define FSL_DOMAIN_FOLDMESSAGE_H

#include "domain/merge.h"

/* One more event, a valid JSON object.  -1: more than fits. */
int foldmessage_add(struct merge *m, struct span event);

/* Appends the whole message. */
void foldmessage_write(struct merge *m, struct str *out);

#endif
