#include "domain/ref.h"

#include <string.h>
#include "base/safe.h"

enum { NAME_BYTES = 128, SHOWN = 60, UUID_TEXT = 36 };

struct ref ref_parse(const char *text, const char *word)
{
	struct ref r = { .kind = REF_NAME, .text = span_of(text) };
	struct span digits = r.text;
	if (strcmp(text, "@last") == 0) {
		r.kind = REF_LAST;
		return r;
	}
	if (span_starts(digits, word)) {
		digits.p += strlen(word);
		digits.n -= strlen(word);
	}
	if (id_prefix(digits, &r.low, &r.high))
		r.kind = REF_ID;
	return r;
}

static bool is_hex(char c)
{
	return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'f');
}

static bool all_hex(struct span v, bool dashes)
{
	for (size_t i = 0; i < v.n; i++)
		if (!is_hex(v.p[i]) && !(dashes && v.p[i] == '-'))
			return false;
	return true;
}

/* Full ids and prefixes of any length, so that none becomes one later. */
static bool looks_like_id(struct span name)
{
	static const char *const words[] = { "", "file-", "batch_", "batch_req_" };
	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++) {
		size_t n = strlen(words[i]);
		if (span_starts(name, words[i]) &&
		    all_hex((struct span){ name.p + n, name.n - n }, false))
			return true;
	}
	return name.n == UUID_TEXT && all_hex(name, true);
}

static bool printable(struct span name)
{
	for (size_t i = 0; i < name.n;) {
		uint32_t code;
		size_t n = safe_decode(name.p + i, name.n - i, &code);
		if (n == 0 || safe_control(code))
			return false;
		i += n;
	}
	return true;
}

int ref_check_name(const char *name, struct err *e)
{
	struct span v = span_of(name);
	const char *why = NULL;
	if (v.n == 0 || v.n > NAME_BYTES)
		why = "has 1 to 128 bytes";
	else if (!printable(v))
		why = "is UTF-8 without control characters";
	else if (v.p[0] == '@' || v.p[0] == '-')
		why = "does not begin with '@' or '-'";
	else if (memchr(v.p, '/', v.n))
		why = "has no '/'";
	else if (looks_like_id(v))
		why = "is not all hex digits and does not look like an id";
	if (!why)
		return 0;
	return err_set(e, ERR_USAGE, "'%s' cannot be a name: a name %s",
		       safe_show(v, SHOWN), why);
}
