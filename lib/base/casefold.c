#include "base/casefold.h"

#include <locale.h>
#include <pthread.h>
#include <wctype.h>
#include "base/safe.h"

static pthread_once_t once = PTHREAD_ONCE_INIT;
static locale_t locale; /* 0: the C library has none, only ASCII is folded */

static void open_locale(void)
{
	locale = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
}

static void put_utf8(struct str *out, uint32_t c)
{
	if (c < 0x80) {
		str_addc(out, (char)c);
	} else if (c < 0x800) {
		str_addc(out, (char)(0xc0 | c >> 6));
		str_addc(out, (char)(0x80 | (c & 0x3f)));
	} else if (c < 0x10000) {
		str_addc(out, (char)(0xe0 | c >> 12));
		str_addc(out, (char)(0x80 | (c >> 6 & 0x3f)));
		str_addc(out, (char)(0x80 | (c & 0x3f)));
	} else {
		str_addc(out, (char)(0xf0 | c >> 18));
		str_addc(out, (char)(0x80 | (c >> 12 & 0x3f)));
		str_addc(out, (char)(0x80 | (c >> 6 & 0x3f)));
		str_addc(out, (char)(0x80 | (c & 0x3f)));
	}
}

void casefold(struct span v, struct str *out)
{
	str_reserve(out, v.n);
	for (size_t i = 0; i < v.n;) {
		unsigned char c = (unsigned char)v.p[i];
		uint32_t code;
		size_t n = c < 0x80 ? 1 : safe_decode(v.p + i, v.n - i, &code);
		if (n <= 1) {
			str_addc(out, c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : (char)c);
			i++;
			continue;
		}
		pthread_once(&once, open_locale);
		put_utf8(out, locale ? (uint32_t)towlower_l(towupper_l(code, locale), locale) : code);
		i += n;
	}
}
