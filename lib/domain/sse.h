/* sse: reading an event stream, text/event-stream of the WHATWG HTML standard
 * ("server-sent events", section "interpreting an event stream").
 *
 * Lines end in LF, CR or CR LF; a byte order mark at the start and comments
 * (lines that begin with a colon) are skipped; one space behind the colon of
 * a field goes; several data lines are joined by LF; an event without a data
 * line is none; fields other than data and event mean nothing here.  Bytes
 * are not decoded: whoever reads the data checks them.
 *
 * One thing is ours: the standard drops an event that the end of the text
 * cuts off before its empty line.  It is given too, with `ended` false, as
 * many servers forget the last empty line; who reads it must see by its data
 * whether it is whole. */
#ifndef FSL_DOMAIN_SSE_H
#define FSL_DOMAIN_SSE_H

#include <stdbool.h>
#include "base/str.h"

struct sse {
	struct span rest;
	struct str joined; /* owned: data of several lines */
};

struct sse_event {
	struct span type;  /* the last event field; SPAN_NONE: none */
	struct span data;
	bool ended;        /* by its empty line */
};

/* `text` must stay. */
struct sse sse_start(struct span text);
void sse_release(struct sse *s);

/* The next event; its spans are valid until the next call.  False: the end. */
bool sse_next(struct sse *s, struct sse_event *ev);

/* Does the text begin as event streams do: with a comment, or with one of the
 * standard's fields and its colon?  Empty lines before it are fine. */
bool sse_begins(struct span text);

#endif
