#include "domain/sse.h"

#include <string.h>

#include "base/mem.h"

static struct span without_bom(struct span text)
{
	if (span_starts(text, "\xef\xbb\xbf"))
		text = (struct span){ text.p + 3, text.n - 3 };
	return text;
}

struct sse sse_start(struct span text)
{
	return (struct sse){ .rest = without_bom(text) };
}

void sse_release(struct sse *s)
{
	str_release(&s->joined);
}

/* Takes a line off the text, without its end. */
static struct span next_line(struct span *rest)
{
	const char *p = rest->p, *end = p + rest->n;

	while (p < end && *p != '\n' && *p != '\r')
		p++;
	struct span line = { rest->p, (size_t)(p - rest->p) };
	if (p < end)
		p += *p == '\r' && end - p > 1 && p[1] == '\n' ? 2 : 1;
	*rest = (struct span){ p, (size_t)(end - p) };
	return line;
}

/* The value, if the line is this field; without a colon it is empty. */
static bool field_is(struct span line, const char *name, struct span *value)
{
	size_t n = strlen(name);

	if (!span_starts(line, name) || (line.n > n && line.p[n] != ':'))
		return false;
	size_t from = line.n == n ? n : n + 1;
	if (from < line.n && line.p[from] == ' ')
		from++;
	*value = (struct span){ line.p + from, line.n - from };
	return true;
}

static void add_data(struct sse *s, struct sse_event *ev, int n, struct span value)
{
	if (n == 0) {
		ev->data = value;
		return;
	}
	if (n == 1) {
		str_reset(&s->joined);
		str_addspan(&s->joined, ev->data);
	}
	str_addc(&s->joined, '\n');
	str_addspan(&s->joined, value);
}

bool sse_next(struct sse *s, struct sse_event *ev)
{
	int n = 0; /* data lines */

	*ev = (struct sse_event){ .ended = false };
	while (s->rest.n > 0 && !ev->ended) {
		struct span line = next_line(&s->rest), value;
		if (line.n == 0) {
			ev->ended = n > 0;
			ev->type = n > 0 ? ev->type : SPAN_NONE;
		} else if (field_is(line, "data", &value)) {
			add_data(s, ev, n, value);
			n += n < 2;
		} else if (field_is(line, "event", &value)) {
			ev->type = value;
		}
	}
	if (n == 2)
		ev->data = str_span(&s->joined);
	return n > 0;
}

bool sse_begins(struct span text)
{
	static const char *const fields[] = { "data:", "event:", "id:", "retry:", ":" };

	text = without_bom(text);
	while (text.n > 0 && (text.p[0] == '\n' || text.p[0] == '\r'))
		text = (struct span){ text.p + 1, text.n - 1 };
	for (size_t i = 0; i < ARRAY_LEN(fields); i++)
		if (span_starts(text, fields[i]))
			return true;
	return false;
}
