/* label: what is told of a batch. */
#include "engine/label.h"

#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "unit.h"

static void add(void *ctx, struct span name, struct span value)
{
	struct str *out = ctx;

	str_addspan(out, name);
	str_addz(out, ": ");
	str_addspan(out, value);
	str_addc(out, '\n');
}

static void is(const struct batch *b, const char *want, const char *rule)
{
	struct str out CLEANUP(str_release) = STR_INIT;

	label_batch(b, add, &out);
	CHECK_STR(str_z(&out), want, "%s", rule);
}

#define ID "X-Fusillade-Batch-Id: batch_01020304050607080910111213141516\n"
#define AT "x-fusillade-batch-created-at: 2025-12-19T13:00:00Z\n"

int main(void)
{
	char endpoint[] = "/v1/chat/completions", empty[] = "{}";
	char meta[] = "{\"team\":\"search\",\"request_source\":\"cron \\u00e9\",\"id\":\"not mine\"}";
	char bad[] = "{\"a b\":\"1\",\"c\":\"x\\r\\nEvil: 1\",\"\":\"2\",\"d\":\"\",\"e\":3,"
		     "\"f\":\"\\u0000\",\"x\\u005fy\":\"4\"}";
	struct batch b = { .uuid = { { 1, 2, 3, 4, 5, 6, 7, 8, 9, 0x10, 0x11, 0x12, 0x13, 0x14, 0x15,
				       0x16 } }, .created_ms = 1766149200123 };

	is(&b, ID AT, "a batch without anything: its id, and when it was made");
	b.endpoint = endpoint;
	b.window_ms = 86400000;
	b.metadata = empty;
	is(&b, ID "x-fusillade-batch-endpoint: /v1/chat/completions\n" AT
	   "x-fusillade-batch-completion-window: 24h\n", "endpoint and completion window");
	b.endpoint = NULL;
	b.window_ms = 0;
	b.metadata = meta;
	is(&b, ID AT "x-fusillade-batch-team: search\nx-fusillade-batch-request-source: cron \xc3\xa9\n"
	   "x-fusillade-batch-id: not mine\n", "metadata, with hyphens; what comes first is meant");
	b.metadata = bad;
	is(&b, ID AT "x-fusillade-batch-x-y: 4\n", "what HTTP forbids is left out, and what is empty");
	return unit_done();
}
