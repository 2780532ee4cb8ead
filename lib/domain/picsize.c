#include "domain/picsize.h"

#include <string.h>

#include "base/safe.h"

/* Of " " to "~", in thousandths of the letter size. */
static const uint16_t widths[] = {
	278, 278, 355, 556, 556, 889, 667, 191, 333, 333, 389, 584, 278, 333, 278, 278, /* space to / */
	556, 556, 556, 556, 556, 556, 556, 556, 556, 556, 278, 278, 584, 584, 584, 556, /* 0 to ? */
	1015, 667, 667, 722, 722, 667, 611, 778, 722, 278, 500, 667, 556, 833, 722, 778, /* @ to O */
	667, 778, 722, 667, 611, 722, 667, 944, 667, 667, 611, 278, 278, 278, 469, 556, /* P to _ */
	333, 556, 556, 500, 556, 556, 278, 556, 556, 222, 222, 500, 222, 833, 556, 556, /* ` to o */
	556, 556, 333, 500, 278, 556, 500, 722, 500, 500, 500, 334, 260, 334, 584,      /* p to ~ */
};
enum { LETTER = 620, SIGN = 850, WIDE = 1000 };
static const double slack = 1.12; /* see picsize.h */
enum { PAD_X = 10, PAD_Y = 10, LEAST_W = 54 };

static int width_of(uint32_t c)
{
	if (c >= ' ' && c <= '~')
		return widths[c - ' '];
	if ((c >= 0x300 && c <= 0x36f) || (c >= 0x200b && c <= 0x200f) || (c >= 0xfe00 && c <= 0xfe0f))
		return 0; /* stands on the one before, or is not seen */
	if (c < 0x1100 || (c >= 0x1200 && c < 0x2190))
		return c == 0x2026 ? WIDE : LETTER;
	return c >= 0x2190 && c < 0x2e80 ? SIGN : WIDE;
}

double picsize_text(struct span v, double points)
{
	int64_t sum = 0;

	for (size_t at = 0; at < v.n;) {
		uint32_t c = 0;
		size_t len = safe_decode(v.p + at, v.n - at, &c);
		sum += width_of(len > 0 ? c : 'x');
		at += len > 0 ? len : 1;
	}
	return (double)sum * points / 1000 * slack;
}

struct picsize picsize_box(struct span label, bool bar)
{
	struct picsize box = { LEAST_W, 2 * PAD_Y + PICSIZE_LINE + (bar ? PICSIZE_BAR : 0) };

	for (size_t at = 0, first = 1; at <= label.n; first = 0) {
		const char *end = at < label.n ? memchr(label.p + at, '\n', label.n - at) : NULL;
		size_t len = end ? (size_t)(end - label.p) - at : label.n - at;
		double w = picsize_text((struct span){ label.p + at, len },
					first ? PICSIZE_NAME : PICSIZE_WORDS) + 2 * PAD_X;
		if (w > box.w)
			box.w = w;
		if (!first)
			box.h += PICSIZE_LINE;
		at += len + 1;
	}
	box.w = (double)(int64_t)(box.w + 0.999);
	return box;
}
