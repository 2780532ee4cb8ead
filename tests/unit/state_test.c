#include "domain/state.h"

#include "unit.h"

int main(void)
{
	static const char *const texts[] = { "waiting", "queued", "running", "success", "failed",
					     "disabled" };

	for (int i = 0; i < STATES; i++) {
		CHECK_STR(state_text((enum state)i), texts[i], "its text");
		CHECK_INT(state_of(span_of(texts[i])), i, "and back");
	}
	CHECK(!state_text(STATE_NONE), "what is not there has no text");
	CHECK_INT(state_of(span_of("Success")), STATE_NONE, "case counts");
	CHECK_INT(state_of(SPAN_NONE), STATE_NONE, "no text is no state");
	CHECK(state_blocks(STATE_WAITING) && state_blocks(STATE_QUEUED) && state_blocks(STATE_RUNNING) &&
	      state_blocks(STATE_FAILED), "what is not done holds its children back");
	CHECK(!state_blocks(STATE_SUCCESS) && !state_blocks(STATE_DISABLED),
	      "success does not, nor what is not in the graph");
	CHECK(!state_active(STATE_WAITING) && !state_active(STATE_DISABLED) &&
	      state_active(STATE_QUEUED) && state_active(STATE_FAILED), "what has begun");
	CHECK(state_reportable(STATE_RUNNING) && state_reportable(STATE_SUCCESS) &&
	      state_reportable(STATE_FAILED) && !state_reportable(STATE_QUEUED) &&
	      !state_reportable(STATE_WAITING) && !state_reportable(STATE_DISABLED) &&
	      !state_reportable(STATE_NONE), "what may be reported");
	CHECK_STR(state_compute(span_of("dbxaas")), "dbxaas", "a compute");
	CHECK(!state_compute(span_of("Batch")) && !state_compute(SPAN_NONE), "and none");
	CHECK(state_remote("cams") && state_remote("dbxaas") && !state_remote("batch") &&
	      !state_remote("exec"), "what a platform elsewhere runs");
	return unit_done();
}
