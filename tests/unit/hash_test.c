#include "base/hash.h"

#include <string.h>
#include "unit.h"

static const char *hex(struct id v)
{
	static char buf[ID_HEX + 1];
	return id_hex(v, buf);
}

/* What xxh128sum(1) prints; the lengths are those where XXH3 changes its way:
 * 16, 128, 240 bytes and its blocks. */
static void known_sums(void)
{
	static const struct { size_t n; const char *sum; } want[] = {
		{ 0, "99aa06d3014798d86001c324468d497f" },
		{ 1, "a6cd5e9392000f6ac44bdff4074eecdb" },
		{ 3, "4af3603b5bd30dfe3698b80191e625f9" },
		{ 4, "11527735d62fce43eecdfa5a3b083ba8" },
		{ 8, "791e22cdc30880ba073a25812fe4f600" },
		{ 9, "22775b5e55c2ace94557529981ebbef0" },
		{ 16, "8d0b1cd2088b9620843f49fff931d541" },
		{ 17, "340f6f9202ad1131a378e80882221151" },
		{ 128, "9ac3a2d505dc8bbaffb5b9abed8b314d" },
		{ 129, "4f3f783d604d0184c83022477e6bf25a" },
		{ 240, "550b8ce07c44bc98c018ce69a32b5a7c" },
		{ 241, "8e7e1f2fe4156df918773c512b008a63" },
		{ 1024, "ea65234127f4dd7b5a1893edffa2577c" },
		{ 1025, "0fabde917fb0af22550abe5d45dd663b" },
		{ 100000, "1ceab015e15e2ba199dbd27fc89c5372" },
	};
	static unsigned char bytes[100000];
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (unsigned char)(i * 31 + (i >> 8));
	struct hash *h = hash_new();
	for (size_t i = 0; i < sizeof(want) / sizeof(want[0]); i++) {
		CHECK_STR(hex(hash_of(bytes, want[i].n)), want[i].sum,
			  "the sum of %zu bytes", want[i].n);
		hash_reset(h);
		for (size_t at = 0, step = 1; at < want[i].n; at += step++) {
			if (step > want[i].n - at)
				step = want[i].n - at;
			hash_add(h, bytes + at, step);
		}
		CHECK_STR(hex(hash_sum(h)), want[i].sum, "... and in pieces");
	}
	hash_free(h);
	hash_free(NULL);
}

static void running(void)
{
	struct hash *h = hash_new();
	hash_add(h, "ab", 2);
	CHECK(id_eq(hash_sum(h), hash_of("ab", 2)), "a sum can be asked for on the way");
	hash_add(h, NULL, 0);
	hash_add(h, "c", 1);
	CHECK(id_eq(hash_sum(h), hash_of("abc", 3)), "and goes on");
	hash_reset(h);
	CHECK(id_eq(hash_sum(h), hash_of(NULL, 0)), "reset, it is the sum of nothing");
	hash_free(h);
}

static struct id two_fields(struct span a, struct span b)
{
	struct hash *h = hash_new();
	hash_add_field(h, a.p, a.n);
	hash_add_field(h, b.p, b.n);
	struct id sum = hash_sum(h);
	hash_free(h);
	return sum;
}

static void fields(void)
{
	struct id sum = two_fields(span_of("ab"), span_of("c"));
	CHECK(!id_eq(sum, two_fields(span_of("a"), span_of("bc"))),
	      "where a field ends counts");
	CHECK(!id_eq(two_fields(span_of(""), span_of("x")),
		     two_fields(span_of("x"), span_of(""))), "an empty field counts");
	CHECK(id_eq(sum, hash_of("\2\0\0\0\0\0\0\0ab\1\0\0\0\0\0\0\0c", 19)),
	      "a field is its length in 8 little-endian bytes and its bytes");
}

/* Around the size up to which they are put together first. */
static void fields_at_once(void)
{
	static char big[5000];
	memset(big, 'x', sizeof(big));
	bool same = true;
	for (size_t n = 0; n <= sizeof(big); n += n < 2000 || n > 2100 ? 50 : 1) {
		const struct span f[] = {
			SPAN_LIT("POST"), { big, n }, SPAN_NONE, SPAN_LIT("tail"),
		};
		struct hash *h = hash_new();
		for (size_t i = 0; i < 4; i++)
			hash_add_field(h, f[i].p, f[i].n);
		same = same && id_eq(hash_fields(f, 4), hash_sum(h));
		hash_free(h);
	}
	CHECK(same, "fields at once are the fields one by one, whatever their size");
	CHECK(id_eq(hash_fields(NULL, 0), hash_of("", 0)), "no fields are no bytes");
}

int main(void)
{
	known_sums();
	running();
	fields();
	fields_at_once();
	return unit_done();
}
