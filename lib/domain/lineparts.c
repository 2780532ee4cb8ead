#include "domain/lineparts.h"

#include <string.h>
#include "base/idset.h"
#include "base/mem.h"

const struct span lineparts_names[PART_COUNT] = {
	[PART_CUSTOM_ID] = SPAN_LIT("custom_id"), [PART_URL] = SPAN_LIT("url"),
	[PART_METHOD] = SPAN_LIT("method"),       [PART_HEADERS] = SPAN_LIT("headers"),
	[PART_BODY] = SPAN_LIT("body"),           [PART_MODEL] = SPAN_LIT("model"),
	[PART_METADATA] = SPAN_LIT("metadata"),   [PART_API_KEY] = SPAN_LIT("api_key"),
};

static const struct span body_names[BODY_COUNT] = {
	[BODY_MAX_COMPLETION_TOKENS] = SPAN_LIT("max_completion_tokens"),
	[BODY_MAX_TOKENS] = SPAN_LIT("max_tokens"),
	[BODY_MAX_OUTPUT_TOKENS] = SPAN_LIT("max_output_tokens"),
	[BODY_MODEL] = SPAN_LIT("model"),
	[BODY_STREAM] = SPAN_LIT("stream"),
};

/* Names that we do not know, to see when one comes again. */
enum { FEW = 16 };

struct reading {
	struct lineparts *parts;
	struct span few[FEW]; /* raw */
	size_t n_few;
	struct idset *many;   /* all of them, decoded, when there are more; else NULL */
};

static int find_name(struct span raw, const struct span *names, int n)
{
	for (int i = 0; i < n; i++)
		if (raw.n == names[i].n && memcmp(raw.p, names[i].p, raw.n) == 0)
			return i;
	if (json_plain(raw))
		return -1;
	struct str name CLEANUP(str_release) = STR_INIT;
	json_unescape(raw, &name);
	for (int i = 0; i < n; i++)
		if (span_eq(str_span(&name), names[i]))
			return i;
	return -1;
}

static bool same_name(struct span a, struct span b)
{
	if (json_plain(a) && json_plain(b))
		return span_eq(a, b);
	struct str x CLEANUP(str_release) = STR_INIT;
	struct str y CLEANUP(str_release) = STR_INIT;
	json_unescape(a, &x);
	json_unescape(b, &y);
	return span_eq(str_span(&x), str_span(&y));
}

static bool add_to_many(struct reading *r, struct span raw)
{
	struct str name CLEANUP(str_release) = STR_INIT;
	json_unescape(raw, &name);
	return idset_add(r->many, str_span(&name), 1) == 0;
}

/* False if it is there already. */
static bool add_unknown(struct reading *r, struct span raw)
{
	if (r->many)
		return add_to_many(r, raw);
	for (size_t i = 0; i < r->n_few; i++)
		if (same_name(r->few[i], raw))
			return false;
	if (r->n_few < FEW) {
		r->few[r->n_few++] = raw;
		return true;
	}
	r->many = idset_new();
	for (size_t i = 0; i < r->n_few; i++)
		add_to_many(r, r->few[i]);
	return add_to_many(r, raw);
}

/* A json_member_fn.  It goes on after a name that came twice: that the rest
 * is not JSON would be worse. */
static int gather(void *ctx, int depth, struct span parent, struct span name,
		  struct span value)
{
	struct reading *r = ctx;
	struct lineparts *parts = r->parts;
	if (depth == 2) {
		int i = -1;
		if (find_name(parent, &lineparts_names[PART_BODY], 1) == 0)
			i = find_name(name, body_names, BODY_COUNT);
		if (i >= 0)
			parts->body[i] = value;
		return 0;
	}
	int i = find_name(name, lineparts_names, PART_COUNT);
	bool first = i >= 0 ? !parts->value[i].p : add_unknown(r, name);
	if (i >= 0)
		parts->value[i] = value;
	if (!first && !parts->twice.p)
		parts->twice = name;
	return 0;
}

int lineparts_read(struct lineparts *out, struct span raw, struct json_error *je)
{
	*out = (struct lineparts){ .object = false };
	struct reading r = { .parts = out };
	int failed = json_scan(raw, gather, &r, je);
	idset_free(r.many);
	if (failed)
		return -1;
	size_t i = 0;
	while (raw.p[i] == ' ' || raw.p[i] == '\t' || raw.p[i] == '\r' || raw.p[i] == '\n')
		i++;
	out->start = i;
	out->object = raw.p[i] == '{';
	return 0;
}
