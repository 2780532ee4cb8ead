#include "engine/label.h"

#include "base/clock.h"
#include "base/json.h"
#include "base/mem.h"
#include "domain/object.h"
#include "engine/wire.h"

struct giving {
	label_fn *fn;
	void *ctx;
	int n;
};

static void give(struct giving *g, const char *prefix, struct span key, struct span value)
{
	struct str name CLEANUP(str_release) = STR_INIT, line CLEANUP(str_release) = STR_INIT;

	str_addz(&name, prefix);
	for (size_t i = 0; i < key.n; i++)
		str_addc(&name, key.p[i] == '_' ? '-' : key.p[i]);
	if (g->n == LABEL_MAX || key.n == 0 || value.n == 0 ||
	    wire_header(&line, str_span(&name), value) < 0)
		return;
	g->n++;
	g->fn(g->ctx, str_span(&name), value);
}

static void give_metadata(struct giving *g, const char *prefix, const char *json)
{
	struct span object = span_of(json), name, value;
	size_t pos = 0;

	while (object.p && json_each(object, &pos, &name, &value)) {
		struct str key CLEANUP(str_release) = STR_INIT, text CLEANUP(str_release) = STR_INIT;
		if (json_type(value) != JSON_STRING)
			continue;
		json_unescape(name, &key);
		json_string(value, &text);
		give(g, prefix, str_span(&key), str_span(&text));
	}
}

void label_batch(const struct batch *b, label_fn *fn, void *ctx)
{
	static const char prefix[] = "x-fusillade-batch-";
	struct giving g = { fn, ctx, 0 };
	struct str window CLEANUP(str_release) = STR_INIT;
	char id[BATCH_ID_BUF], created[CLOCK_BUF];

	give(&g, "X-Fusillade-Batch-", SPAN_LIT("Id"), span_of(batch_id_text(b->uuid, id)));
	give(&g, prefix, SPAN_LIT("endpoint"), span_of(b->endpoint));
	give(&g, prefix, SPAN_LIT("created_at"), span_of(clock_text(b->created_ms, created)));
	if (b->window_ms > 0)
		object_window(b->window_ms, &window);
	give(&g, prefix, SPAN_LIT("completion_window"), str_span(&window));
	give_metadata(&g, prefix, b->metadata);
}
