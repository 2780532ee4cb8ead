#include "domain/diff.h"

#include "base/mem.h"
#include "domain/publishrows.h"
#include "unit.h"

int main(void)
{
	struct str out CLEANUP(str_release) = STR_INIT;

	diff_product(&out, '+', SPAN_LIT("judge"), 0);
	diff_product(&out, '~', SPAN_LIT("su\x1bm"), PUBLISHROWS_VERSION | PUBLISHROWS_EXTRA);
	diff_product(&out, '~', SPAN_LIT("all"), 63);
	diff_edge(&out, '-', SPAN_LIT("a"), SPAN_LIT("b"));
	diff_edge(&out, '~', SPAN_LIT("a"), SPAN_LIT("b"));
	diff_stale(&out, SPAN_LIT("sum"), PUBLISHROWS_PASSTHROUGH, STATE_SUCCESS);
	CHECK_STR(str_z(&out),
		  "+ judge\n"
		  "~ su\\x1bm: version, extra changed\n"
		  "~ all: compute, name, version, eager, passthrough, extra changed\n"
		  "- a -> b\n"
		  "~ a -> b: extra changed\n"
		  "~ sum: passthrough changed, still success (--clear-changed runs it again)\n",
		  "what has come, changed and gone, safe to show");
	return unit_done();
}
