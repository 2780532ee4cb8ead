#include "domain/foldchat.h"

#include "base/mem.h"

#define SHAPE(list, rule) { list, ARRAY_LEN(list), rule }

static const struct merge_field function_fields[] = {
	{ "name", MERGE_FIRST, NULL, NULL, NULL },
	{ "arguments", MERGE_APPEND, NULL, NULL, NULL },
};
static const struct merge_shape function_shape = SHAPE(function_fields, MERGE_APPEND);

static const struct merge_field call_fields[] = {
	{ "index", MERGE_DROP, NULL, NULL, NULL },
	{ "id", MERGE_FIRST, NULL, NULL, NULL },
	{ "type", MERGE_FIRST, NULL, NULL, NULL },
	{ "function", MERGE_OBJECT, &function_shape, NULL, NULL },
	{ "custom", MERGE_OBJECT, &function_shape, NULL, NULL },
};
static const struct merge_shape call_shape = SHAPE(call_fields, MERGE_LAST);

static const struct merge_field audio_fields[] = {
	{ "id", MERGE_FIRST, NULL, NULL, NULL },
	{ "expires_at", MERGE_LAST, NULL, NULL, NULL },
};
static const struct merge_shape audio_shape = SHAPE(audio_fields, MERGE_APPEND);

static const struct merge_field message_fields[] = {
	{ "role", MERGE_FIRST, NULL, NULL, "\"assistant\"" },
	{ "content", MERGE_APPEND, NULL, NULL, "null" },
	{ "refusal", MERGE_APPEND, NULL, NULL, "null" },
	{ "tool_calls", MERGE_LIST, &call_shape, NULL, NULL },
	{ "function_call", MERGE_OBJECT, &function_shape, NULL, NULL },
	{ "audio", MERGE_OBJECT, &audio_shape, NULL, NULL },
};
static const struct merge_shape message_shape = SHAPE(message_fields, MERGE_APPEND);

static const struct merge_shape logprobs_shape = { NULL, 0, MERGE_APPEND };

/* What both kinds of streams are read by. */
static const struct merge_field choice_fields[] = {
	{ "delta", MERGE_OBJECT, &message_shape, NULL, NULL },
	{ "text", MERGE_APPEND, NULL, NULL, NULL },
	{ "logprobs", MERGE_OBJECT, &logprobs_shape, NULL, NULL },
	{ "token_ids", MERGE_APPEND, NULL, NULL, NULL },
};
static const struct merge_shape choice_shape = SHAPE(choice_fields, MERGE_LAST);

static const struct merge_field chunk_fields[] = {
	{ "id", MERGE_FIRST, NULL, NULL, NULL },
	{ "object", MERGE_FIRST, NULL, NULL, NULL },
	{ "created", MERGE_FIRST, NULL, NULL, NULL },
	{ "model", MERGE_FIRST, NULL, NULL, NULL },
	{ "choices", MERGE_LIST, &choice_shape, NULL, NULL },
	{ "obfuscation", MERGE_DROP, NULL, NULL, NULL },
	{ "error", MERGE_DROP, NULL, NULL, NULL }, /* null: domain/fold.h */
};
static const struct merge_shape chunk_shape = SHAPE(chunk_fields, MERGE_LAST);

/* What they are written by. */
static const struct merge_field chat_choice_fields[] = {
	{ "index", MERGE_LAST, NULL, NULL, "0" },
	{ "message", MERGE_OBJECT, &message_shape, NULL, NULL },
	{ "logprobs", MERGE_OBJECT, &logprobs_shape, NULL, "null" },
	{ "finish_reason", MERGE_LAST, NULL, NULL, "null" },
};
static const struct merge_shape chat_choice_shape = SHAPE(chat_choice_fields, MERGE_LAST);

static const struct merge_field text_choice_fields[] = {
	{ "text", MERGE_APPEND, NULL, NULL, "\"\"" },
	{ "index", MERGE_LAST, NULL, NULL, "0" },
	{ "logprobs", MERGE_OBJECT, &logprobs_shape, NULL, "null" },
	{ "finish_reason", MERGE_LAST, NULL, NULL, "null" },
};
static const struct merge_shape text_choice_shape = SHAPE(text_choice_fields, MERGE_LAST);

#define WHOLE_FIELDS(object, shape) \
	{ "id", MERGE_FIRST, NULL, NULL, NULL }, \
	{ "object", MERGE_DROP, NULL, NULL, "\"" object "\"" }, \
	{ "created", MERGE_FIRST, NULL, NULL, NULL }, \
	{ "model", MERGE_FIRST, NULL, NULL, NULL }, \
	{ "choices", MERGE_LIST, &(shape), NULL, "[]" }, \
	{ "usage", MERGE_LAST, NULL, NULL, NULL }, \
	{ "service_tier", MERGE_LAST, NULL, NULL, NULL }, \
	{ "system_fingerprint", MERGE_LAST, NULL, NULL, NULL }

static const struct merge_field chat_fields[] = {
	WHOLE_FIELDS("chat.completion", chat_choice_shape),
};
static const struct merge_shape chat_shape = SHAPE(chat_fields, MERGE_LAST);

static const struct merge_field text_fields[] = {
	WHOLE_FIELDS("text_completion", text_choice_shape),
};
static const struct merge_shape text_shape = SHAPE(text_fields, MERGE_LAST);

int foldchat_add(struct merge *m, struct span chunk)
{
	return merge_add(m, &m->root, &chunk_shape, chunk);
}

bool foldchat_ended(const struct merge *m)
{
	const struct merge_value *choices = merge_find(&m->root, "choices"), *v;

	for (int i = 0; choices && i < choices->n_items; i++) {
		v = merge_find(&choices->items[i].object, "finish_reason");
		if (!v || v->type == MERGE_NULL)
			return false;
	}
	return choices && choices->n_items > 0;
}

/* A choice becomes that of a whole answer; whether it had a delta. */
static bool finish_choice(struct merge_object *choice)
{
	struct merge_value *delta = merge_find(choice, "delta");
	struct merge_value *message = merge_find(choice, "message");

	if (!delta)
		return message != NULL;
	if (message) /* some servers add the whole so far to each chunk */
		message->type = MERGE_GONE;
	str_reset(&delta->name);
	str_addz(&delta->name, "message");
	return true;
}

void foldchat_write(struct merge *m, struct str *out)
{
	struct merge_value *choices = merge_find(&m->root, "choices");
	struct merge_value *object = merge_find(&m->root, "object");
	bool chat = !object || !span_is(str_span(&object->text), "text_completion");

	for (int i = 0; choices && i < choices->n_items; i++)
		chat |= finish_choice(&choices->items[i].object);
	if (object)
		object->type = MERGE_GONE;
	merge_write(&m->root, chat ? &chat_shape : &text_shape, out);
}
