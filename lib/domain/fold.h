/* fold: a streamed answer, folded into the one that the same request would
 * have had without "stream":true.
 *
 * An answer that was streamed is stored as it came.  It is folded when it is
 * judged and when a line is written.  What is known:
 *
 *   OpenAI Chat Completions and Completions (domain/foldchat.h); whole with
 *     "data: [DONE]", or when every choice has its finish_reason
 *   OpenAI Responses: the object in response.completed, response.incomplete
 *     or response.failed is the whole answer
 *   Anthropic Messages (domain/foldmessage.h); whole with message_stop
 *
 * An error in the stream is an event of type "error", an object with "error"
 * (not null, false or ""), or one whose "object" or "type" is "error"; the
 * first one counts, whatever came before it.
 *
 * Kind to servers: events of one line each without the empty lines between
 * them, and a last event without its empty line if its data is whole (the
 * standard drops it, see domain/sse.h). */
#ifndef FSL_DOMAIN_FOLD_H
#define FSL_DOMAIN_FOLD_H

#include "base/str.h"

enum fold_kind {
	FOLD_NONE,      /* no stream we know, or a part of it is no JSON */
	FOLD_WHOLE,     /* the answer */
	FOLD_ERROR,     /* {"error":…}: the event's object if it has that form, else
			 * {"error":<its object, or its text as {"message":"…"}>} */
	FOLD_TRUNCATED, /* the stream ended before its end, or said nothing at all */
};

/* Folds a body that is known to be an event stream.  Appends valid JSON to
 * `out` for FOLD_WHOLE and FOLD_ERROR, nothing else.  Linear time; memory: a
 * few times the body. */
enum fold_kind fold_stream(struct span body, struct str *out);

#endif
