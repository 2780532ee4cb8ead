#include "domain/state.h"

#include <string.h>

#include "base/mem.h"

static const char *const texts[] = {
	[STATE_WAITING] = "waiting", [STATE_QUEUED] = "queued", [STATE_RUNNING] = "running",
	[STATE_SUCCESS] = "success", [STATE_FAILED] = "failed", [STATE_DISABLED] = "disabled",
};

const char *state_text(enum state s)
{
	return s == STATE_NONE ? NULL : texts[s];
}

enum state state_of(struct span text)
{
	for (int i = 0; i < STATES; i++)
		if (span_is(text, texts[i]))
			return (enum state)i;
	return STATE_NONE;
}

bool state_blocks(enum state s)
{
	return s != STATE_SUCCESS && s != STATE_DISABLED;
}

bool state_active(enum state s)
{
	return s != STATE_WAITING && s != STATE_DISABLED;
}

bool state_reportable(enum state s)
{
	return s == STATE_RUNNING || s == STATE_SUCCESS || s == STATE_FAILED;
}

const char *state_compute(struct span text)
{
	static const char *const computes[] = { "batch", "cams", "dbxaas", "exec" };

	for (size_t i = 0; i < ARRAY_LEN(computes); i++)
		if (span_is(text, computes[i]))
			return computes[i];
	return NULL;
}

bool state_remote(const char *compute)
{
	return strcmp(compute, "cams") == 0 || strcmp(compute, "dbxaas") == 0;
}
