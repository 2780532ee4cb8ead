/* ref: how people name a file or a batch. */
#include "domain/ref.h"

#include <string.h>

#include "base/mem.h"
#include "unit.h"

#define HEX "0123456789abcdef0123456789abcdef"

static void ids(void)
{
	char low[ID_HEX + 1], high[ID_HEX + 1];
	struct ref r = ref_parse("file-" HEX, "file-");
	CHECK_INT(r.kind, REF_ID, "a full id with its word");
	CHECK_STR(id_hex(r.low, low), HEX, "means itself");
	CHECK(id_eq(r.low, r.high), "and nothing else");
	CHECK(span_is(r.text, "file-" HEX), "the text stays as it was given");
	r = ref_parse(HEX, "file-");
	CHECK(r.kind == REF_ID && id_eq(r.low, r.high), "the word may be left out");
	r = ref_parse("batch_01AB", "batch_");
	CHECK_INT(r.kind, REF_ID, "a prefix of 4 digits, in any case, is an id");
	CHECK_STR(id_hex(r.low, low), "01ab0000000000000000000000000000", "from here");
	CHECK_STR(id_hex(r.high, high), "01abffffffffffffffffffffffffffff", "to there");
	CHECK_INT(ref_parse("01a", "file-").kind, REF_NAME, "3 digits are no prefix");
	CHECK_INT(ref_parse(HEX "0", "file-").kind, REF_NAME, "33 digits are none either");
	CHECK_INT(ref_parse("batch_" HEX, "file-").kind, REF_NAME, "the word of another kind is no id");
	CHECK_INT(ref_parse("@last", "file-").kind, REF_LAST, "@last is the newest");
	CHECK_INT(ref_parse("@first", "file-").kind, REF_NAME, "anything else is a name");
	CHECK_INT(ref_parse("", "file-").kind, REF_NAME, "nothing too");
}

static bool is_name(const char *text)
{
	struct err e = ERR_INIT;
	int rc = ref_check_name(text, &e);
	return rc == 0 || e.code != ERR_USAGE || !e.msg[0];
}

static void names(void)
{
	static const char *const good[] = {
		"rows", "a b", "2026-11-21", "päper", "file-rows", "x", "tag-1.2", "deadbeefs",
	};
	for (size_t i = 0; i < ARRAY_LEN(good); i++)
		CHECK(is_name(good[i]), "'%s' can be a name", good[i]);
	static const struct { const char *text, *why; } bad[] = {
		{ "", "empty" }, { "cafe", "all hex digits" }, { "2026", "all hex digits" },
		{ "ABC", "all hex digits, too few for an id" },
		{ "@x", "begins with @" }, { "-x", "begins with -" }, { "a/b", "has a /" },
		{ "a\nb", "a control character" }, { "a\xc2\x85", "a C1 control" },
		{ "a\xe2\x80\xae", "a bidirectional override" }, { "\xff", "no UTF-8" },
		{ "file-" HEX, "an id" }, { "batch_12", "like an id" }, { "file-", "like an id" },
		{ "batch_req_" HEX "00000001", "a request's id" },
		{ "9f1c6f0e-5a36-4a6b-9f3b-2f8d6a0c1b2d", "a UUID" },
	};
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		CHECK(!is_name(bad[i].text), "no name: %s", bad[i].why);
	char text[130];
	memset(text, 'x', sizeof(text));
	text[128] = '\0';
	CHECK(is_name(text), "128 bytes can be a name");
	text[128] = 'x';
	text[129] = '\0';
	CHECK(!is_name(text), "129 bytes are too many");
}

int main(void)
{
	ids();
	names();
	return unit_done();
}
