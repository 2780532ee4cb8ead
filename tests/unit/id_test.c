#include "base/id.h"

#include <string.h>
#include "unit.h"

static const char DNS[] = "6ba7b8109dad11d180b400c04fd430c8";

static const char *hex(struct id v)
{
	static char buf[ID_HEX + 1];
	return id_hex(v, buf);
}

static void made(void)
{
	struct id a = id_random(), b = id_random();
	CHECK(!id_eq(a, b), "random ids differ");
	CHECK(id_eq(a, a), "an id equals itself");
	CHECK_INT(a.b[6] >> 4, 4, "a random id is a UUID of version 4");
	CHECK_INT(a.b[8] >> 6, 2, "of the RFC 9562 variant");

	struct id dns, v;
	CHECK(id_from_hex(span_of(DNS), &dns), "the namespace of names is read");
	v = id_named(dns, span_of("www.example.com"));
	CHECK_STR(hex(v), "2ed6657de927568b95e12665a8aea6a2", "RFC 9562 appendix A.4");
	CHECK(id_eq(v, id_named(dns, span_of("www.example.com"))),
	      "the same name, the same id");
	CHECK(!id_eq(v, id_named(dns, SPAN_LIT("www.example.com\0"))), "a NUL counts");
	CHECK(!id_eq(v, id_named(v, span_of("www.example.com"))), "the namespace counts");
	CHECK(id_eq(id_named(dns, SPAN_NONE), id_named(dns, span_of(""))),
	      "a name may be empty");
}

static void texts(void)
{
	struct id v, kept;
	CHECK(id_from_hex(span_of("00FFabCDef0123456789000000000001"), &v),
	      "both cases are read");
	CHECK_STR(hex(v), "00ffabcdef0123456789000000000001", "lower case is written");
	kept = v;
	static const char *const bad[] = {
		"", "0", "00ffabcdef012345678900000000000",
		"00ffabcdef01234567890000000000011",
		"00ffabcdef0123456789 00000000001", "g0ffabcdef0123456789000000000001",
		"00ffabcdef012345678900000000000:", "00ffabcd-ef0-1234-5678-900000000001",
		"0x00ffabcdef01234567890000000001", "00ffabcdef0123456789000000000@01",
	};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		CHECK(!id_from_hex(span_of(bad[i]), &v), "'%s' is no id", bad[i]);
	CHECK(!id_from_hex(SPAN_NONE, &v), "an absent text is no id");
	CHECK(!id_from_hex(SPAN_LIT("00ffabcdef01234567890000000000\0001"), &v),
	      "nor one with a NUL");
	CHECK(id_eq(v, kept), "what is no id changes nothing");
}

static void prefixes(void)
{
	struct id low, high;
	CHECK(id_prefix(span_of("Ab3C"), &low, &high), "four digits are a prefix");
	CHECK_STR(hex(low), "ab3c0000000000000000000000000000", "its first id");
	CHECK_STR(hex(high), "ab3cffffffffffffffffffffffffffff", "its last id");
	CHECK(id_prefix(span_of("ab3c5"), &low, &high), "an odd number of digits");
	CHECK_STR(hex(low), "ab3c5000000000000000000000000000", "its first id");
	CHECK_STR(hex(high), "ab3c5fffffffffffffffffffffffffff", "its last id");
	CHECK(id_prefix(span_of(DNS), &low, &high), "32 digits are a prefix");
	CHECK(id_eq(low, high), "of one id");
	CHECK_STR(hex(low), DNS, "which is this one");
	CHECK(!id_prefix(span_of("ab3"), &low, &high), "three digits are too few");
	CHECK(!id_prefix(span_of("6ba7b8109dad11d180b400c04fd430c80"), &low, &high),
	      "33 are too many");
	CHECK(!id_prefix(span_of("ab3g"), &low, &high), "other letters are no prefix");
	CHECK(!id_prefix(SPAN_NONE, &low, &high), "nor is nothing");
	CHECK_STR(hex(low), DNS, "what is no prefix changes nothing");
}

static void uuids(void)
{
	static const char *const bad[] = {
		"", "123e4567-e89b-12d3-a456-42661417400", "123e4567-e89b-12d3-a456-4266141740000",
		"123e4567e-89b-12d3-a456-426614174000", "123e4567-e89b-12d3-a456-42661417400g",
		"123e4567-e89b-12d3-a45642661-4174000", "{23e4567-e89b-12d3-a456-426614174000",
	};
	struct id v, low, high;
	char text[ID_UUID + 1];

	CHECK(id_from_uuid(span_of("123E4567-e89b-12d3-A456-426614174000"), &v), "a UUID");
	CHECK_STR(id_uuid(v, text), "123e4567-e89b-12d3-a456-426614174000", "and back, in lower case");
	CHECK(id_from_uuid(span_of("123e4567e89b12d3a456426614174000"), &low) && id_eq(low, v),
	      "the same without dashes");
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		CHECK(!id_from_uuid(span_of(bad[i]), &low), "'%s' is no UUID", bad[i]);
	CHECK(id_uuid_prefix(span_of("123e4567-e8"), &low, &high), "a prefix with its dash");
	CHECK_STR(hex(low), "123e4567e80000000000000000000000", "its first id");
	CHECK(id_uuid_prefix(span_of("123e4567e8"), &low, &high), "and without");
	CHECK_STR(hex(high), "123e4567e8ffffffffffffffffffffff", "its last id");
	CHECK(id_uuid_prefix(span_of("123e4567-"), &low, &high), "a dash at the end");
	CHECK(id_uuid_prefix(span_of("123e4567-e89b-12d3-a456-426614174000"), &low, &high) &&
	      id_eq(low, high) && id_eq(low, v), "a whole one is a prefix of one id");
	CHECK(!id_uuid_prefix(span_of("123e-4567"), &low, &high), "a dash elsewhere");
	CHECK(!id_uuid_prefix(span_of("123e4567--e8"), &low, &high), "two dashes");
	CHECK(!id_uuid_prefix(span_of("123"), &low, &high), "three digits are too few");
}

int main(void)
{
	made();
	uuids();
	texts();
	prefixes();
	return unit_done();
}
