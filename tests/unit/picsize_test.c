#include "domain/picsize.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "unit.h"

static bool about(double got, double want)
{
	if (fabs(got - want) < 0.01)
		return true;
	printf("# %.3f, not %.3f\n", got, want);
	return false;
}

int main(void)
{
	/* Helvetica.afm: a 556, i 222, M 833 thousandths; a tenth and more beside them. */
	CHECK(about(picsize_text(SPAN_LIT("aiM"), 10), (5.56 + 2.22 + 8.33) * 1.12), "the widths of Helvetica");
	CHECK(about(picsize_text(SPAN_LIT("~ "), 10), (5.84 + 2.78) * 1.12), "from the first to the last of ASCII");
	CHECK(about(picsize_text(SPAN_LIT(""), 10), 0), "nothing is as wide as nothing");
	CHECK(about(picsize_text(SPAN_LIT("漢😀"), 10), 20 * 1.12), "ideographs and pictures are square");
	CHECK(about(picsize_text(SPAN_LIT("e\u0301"), 10), picsize_text(SPAN_LIT("e"), 10)),
	      "what stands on a letter takes no room");
	CHECK(picsize_text(SPAN_LIT("\xff\xff"), 10) > 0, "bytes that are no UTF-8 are letters");

	struct picsize one = picsize_box(SPAN_LIT("a"), false);
	CHECK(about(one.w, 54) && about(one.h, 36), "the smallest box");
	CHECK(about(picsize_box(SPAN_LIT("a\nb"), false).h, 52) && about(picsize_box(SPAN_LIT("a\nb\nc"), false).h, 68),
	      "higher with each line");
	CHECK(about(picsize_box(SPAN_LIT("a"), true).h, 44), "room for a bar");
	static char name[61] = "";
	memset(name, 'm', sizeof name - 1);
	struct span wide = { name, sizeof name - 1 };
	CHECK(about(picsize_box(wide, false).w, ceil(picsize_text(wide, PICSIZE_NAME)) + 20), "as wide as the name");
	static char words[63] = "a\n";
	memset(words + 2, 'm', 60);
	CHECK(about(picsize_box((struct span){ words, 62 }, false).w, ceil(picsize_text(wide, PICSIZE_WORDS)) + 20),
	      "or as the words below it");
	CHECK(about(picsize_box((struct span){ NULL, 0 }, false).h, 36), "also without a name");
	return unit_done();
}
