#include "base/id.h"

#include <string.h>
#include <uuid/uuid.h>

_Static_assert(sizeof(uuid_t) == ID_BYTES, "an id has the bytes of a UUID");

struct id id_random(void)
{
	struct id v;
	uuid_generate_random(v.b);
	return v;
}

struct id id_named(struct id space, struct span name)
{
	struct id v;
	uuid_generate_sha1(v.b, space.b, name.n > 0 ? name.p : "", name.n);
	return v;
}

bool id_eq(struct id a, struct id b)
{
	return memcmp(a.b, b.b, ID_BYTES) == 0;
}

char *id_hex(struct id v, char *buf)
{
	static const char digits[] = "0123456789abcdef";
	char *p = buf;
	for (int i = 0; i < ID_BYTES; i++) {
		*p++ = digits[v.b[i] >> 4];
		*p++ = digits[v.b[i] & 15];
	}
	*p = '\0';
	return buf;
}

static int digit_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

bool id_prefix(struct span text, struct id *low, struct id *high)
{
	if (text.n < 4 || text.n > ID_HEX)
		return false;
	struct id first, last;
	memset(first.b, 0x00, ID_BYTES);
	memset(last.b, 0xff, ID_BYTES);
	for (size_t i = 0; i < text.n; i++) {
		int value = digit_value(text.p[i]);
		if (value < 0)
			return false;
		int shift = i % 2 == 0 ? 4 : 0;
		first.b[i / 2] |= (uint8_t)(value << shift);
		last.b[i / 2] &= (uint8_t)~((15 - value) << shift);
	}
	*low = first;
	*high = last;
	return true;
}

bool id_from_hex(struct span text, struct id *out)
{
	struct id high;
	return text.n == ID_HEX && id_prefix(text, out, &high);
}

/* Behind how many digits a dash stands (RFC 9562 section 4). */
static bool dash_behind(int digits)
{
	return digits == 8 || digits == 12 || digits == 16 || digits == 20;
}

char *id_uuid(struct id v, char *buf)
{
	char hex[ID_HEX + 1], *p = buf;
	id_hex(v, hex);
	for (int i = 0; i < ID_HEX; i++) {
		if (dash_behind(i))
			*p++ = '-';
		*p++ = hex[i];
	}
	*p = '\0';
	return buf;
}

bool id_from_uuid(struct span text, struct id *out)
{
	char hex[ID_HEX];
	if (text.n != ID_UUID)
		return id_from_hex(text, out);
	const char *p = text.p;
	for (int i = 0; i < ID_HEX; i++) {
		if (dash_behind(i) && *p++ != '-')
			return false;
		hex[i] = *p++;
	}
	return id_from_hex((struct span){ hex, ID_HEX }, out);
}

bool id_uuid_prefix(struct span text, struct id *low, struct id *high)
{
	char hex[ID_UUID];
	int digits = 0;
	if (text.n > ID_UUID)
		return false;
	for (size_t i = 0; i < text.n; i++) {
		bool dashed = i > 0 && text.p[i] == '-' && text.p[i - 1] != '-' && dash_behind(digits);
		if (!dashed)
			hex[digits++] = text.p[i];
	}
	return id_prefix((struct span){ hex, (size_t)digits }, low, high);
}
