/* trace: the header by which a request is found again in the traces of those
 * who answered it (W3C Trace Context, https://www.w3.org/TR/trace-context/).
 *
 *     traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01
 *
 * One trace per run: that of $TRACEPARENT, if there is a valid one, else a
 * random one.  Each attempt is a span of its own.  Immutable once made, so that
 * threads may share it: the id of a span is computed from the attempt. */
#ifndef FSL_ENGINE_TRACE_H
#define FSL_ENGINE_TRACE_H

#include <stdbool.h>
#include <stdint.h>

enum { TRACE_ID = 32, TRACE_BUF = 56 };

struct trace {
	char id[TRACE_ID + 1];
	char flags[3];
	uint64_t seed; /* of the spans: another one in each run */
	bool labels;   /* --fusillade-headers (engine/label.h) are sent as well */
};

/* `parent`: a traceparent, whose trace it becomes, with its flags; NULL, or one
 * that is not valid: a random trace, sampled.  Without labels. */
void trace_init(struct trace *t, const char *parent);

/* The header's value for attempt n of a request.  `buf` has TRACE_BUF bytes and
 * is returned. */
char *trace_text(const struct trace *t, int64_t row, int64_t n, char *buf);

#endif
