#include "domain/foldmessage.h"

#include "base/json.h"
#include "base/mem.h"

#define SHAPE(list, rule) { list, ARRAY_LEN(list), rule }

static const struct merge_shape plain_shape = { NULL, 0, MERGE_LAST };

static const struct merge_field block_fields[] = {
	{ "type", MERGE_FIRST, NULL, NULL, NULL },
	{ "citations", MERGE_APPEND, NULL, NULL, NULL },
};
static const struct merge_shape block_shape = SHAPE(block_fields, MERGE_LAST);

/* citations_delta has one citation. */
static const struct merge_field delta_fields[] = {
	{ "type", MERGE_DROP, NULL, NULL, NULL },
	{ "citation", MERGE_ELEMENT, NULL, "citations", NULL },
};
static const struct merge_shape delta_shape = SHAPE(delta_fields, MERGE_APPEND);

static const struct merge_field message_fields[] = {
	{ "id", MERGE_FIRST, NULL, NULL, NULL },
	{ "type", MERGE_FIRST, NULL, NULL, "\"message\"" },
	{ "role", MERGE_FIRST, NULL, NULL, "\"assistant\"" },
	{ "model", MERGE_FIRST, NULL, NULL, NULL },
	/* Its blocks come one by one. */
	{ "content", MERGE_DROP, &block_shape, NULL, "[]" },
	{ "stop_reason", MERGE_LAST, NULL, NULL, "null" },
	{ "stop_sequence", MERGE_LAST, NULL, NULL, "null" },
	{ "usage", MERGE_OBJECT, &plain_shape, NULL, NULL },
};
static const struct merge_shape message_shape = SHAPE(message_fields, MERGE_LAST);

/* Of an event: what it brings, merged by a shape. */
static const struct merge_field usage_fields[] = {
	{ "type", MERGE_DROP, NULL, NULL, NULL },
	{ "delta", MERGE_DROP, NULL, NULL, NULL },
	{ "usage", MERGE_OBJECT, &plain_shape, NULL, NULL },
};
static const struct merge_shape end_shape = SHAPE(usage_fields, MERGE_DROP);

static struct span member(struct span object, const char *name, enum json_type type)
{
	struct span key, value, found = SPAN_NONE;
	size_t pos = 0;

	while (json_each(object, &pos, &key, &value))
		if (span_is(key, name) && json_type(value) == type)
			found = value;
	return found;
}

static int add_block(struct merge *m, struct span event, struct span piece,
		     const struct merge_shape *shape)
{
	struct span number = member(event, "index", JSON_NUMBER);
	int64_t index = 0;

	if (!piece.p)
		return 0;
	json_int(number, 0, INT32_MAX, &index);
	struct merge_object *block = merge_item(m, &m->root, "content", index);
	return block ? merge_add(m, block, shape, piece) : -1;
}

static int add_end(struct merge *m, struct span event)
{
	struct span delta = member(event, "delta", JSON_OBJECT);

	if (delta.p && merge_add(m, &m->root, &message_shape, delta) < 0)
		return -1;
	return merge_add(m, &m->root, &end_shape, event);
}

int foldmessage_add(struct merge *m, struct span event)
{
	struct span type = member(event, "type", JSON_STRING);

	if (span_is(type, "\"message_start\"")) {
		struct span message = member(event, "message", JSON_OBJECT);
		return message.p ? merge_add(m, &m->root, &message_shape, message) : 0;
	}
	if (span_is(type, "\"content_block_start\""))
		return add_block(m, event, member(event, "content_block", JSON_OBJECT),
				 &block_shape);
	if (span_is(type, "\"content_block_delta\""))
		return add_block(m, event, member(event, "delta", JSON_OBJECT), &delta_shape);
	if (span_is(type, "\"message_delta\""))
		return add_end(m, event);
	return 0;
}

/* What came as text in pieces is JSON. */
static void finish_input(struct merge_object *block)
{
	struct str text CLEANUP(str_release) = STR_INIT;
	struct merge_value *pieces = merge_find(block, "partial_json");
	struct merge_value *input = merge_find(block, "input");
	struct json_error je;

	if (!pieces)
		return;
	if (pieces->type == MERGE_STRING && pieces->text.n > 0) {
		if (!input)
			input = pieces;
		str_reset(&input->name);
		str_addz(&input->name, "input");
		json_unescape(str_span(&pieces->text), &text);
		bool whole = json_scan(str_span(&text), NULL, NULL, &je) == 0;
		input->type = whole ? MERGE_RAW : MERGE_STRING;
		if (whole || input != pieces) {
			str_reset(&input->text);
			str_addspan(&input->text, str_span(whole ? &text : &pieces->text));
		}
	}
	if (input != pieces)
		pieces->type = MERGE_GONE;
}

void foldmessage_write(struct merge *m, struct str *out)
{
	struct merge_value *content = merge_find(&m->root, "content");

	for (int i = 0; content && i < content->n_items; i++)
		finish_input(&content->items[i].object);
	merge_write(&m->root, &message_shape, out);
}
