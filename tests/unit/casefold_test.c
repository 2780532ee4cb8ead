#include "base/casefold.h"

#include "base/mem.h"
#include "unit.h"

static void folds(struct span v, const char *want, const char *rule)
{
	struct str out CLEANUP(str_release) = STR_INIT;

	casefold(v, &out);
	CHECK_STR(str_z(&out), want, "%s", rule);
}

int main(void)
{
	struct str out CLEANUP(str_release) = STR_INIT;

	folds(SPAN_LIT(""), "", "nothing");
	folds(SPAN_LIT("ABC xyz [\\]^_`{|}~ 09"), "abc xyz [\\]^_`{|}~ 09", "ASCII letters, nothing else");
	folds(SPAN_LIT("Größe ÉCOLE ΣΊΣΥΦΟΣ Москва"), "größe école σίσυφοσ москва", "other scripts");
	folds(SPAN_LIT("σίσυφος"), "σίσυφοσ", "a final sigma is a sigma");
	folds(SPAN_LIT("\U00010400"), "\U00010428", "characters of four bytes");
	folds(SPAN_LIT("日本語 😀"), "日本語 😀", "what has no case stays");
	folds(SPAN_LIT("A\xff\xc3Z\xe2\x82"), "a\xff\xc3z\xe2\x82", "so do bytes that are no UTF-8");
	casefold(SPAN_LIT("A\0B"), &out);
	CHECK(span_eq(str_span(&out), SPAN_LIT("a\0b")), "a NUL is a byte");
	casefold(SPAN_LIT("C"), &out);
	CHECK(span_eq(str_span(&out), SPAN_LIT("a\0bc")), "it appends");
	return unit_done();
}
