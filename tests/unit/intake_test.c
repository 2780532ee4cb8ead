#include "cli/intake.h"

#include <string.h>

#include "cli/progress.h"
#include "unit.h"

static void show_some(void)
{
	struct tool t = { .program = "test", .progress = PROGRESS_JSON, .progress_ms = 1 };
	struct progress bar;

	progress_start(&bar, &t);
	bar.next_ms = 0;
	intake_progress(&bar, 12, 345);
	intake_clear(&bar);
}

int main(void)
{
	char said[500];

	unit_child(show_some, said, sizeof said);
	CHECK(strstr(said, "importing") && strstr(said, "12"), "lines that were read are shown");
	return unit_done();
}
