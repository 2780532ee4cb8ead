#include "domain/lineheader.h"

#include <string.h>
#include "base/mem.h"
#include "unit.h"

static void good(const char *name, struct span value, const char *rule)
{
	struct err e = ERR_INIT;
	bool in_value;
	CHECK(lineheader_check(span_of(name), value, &in_value, &e) == 0, "%s: %s %s",
	      rule, name, e.msg);
}

static void bad(struct span name, struct span value, bool in_value, const char *message,
		const char *rule)
{
	struct err e = ERR_INIT;
	bool where = !in_value;
	CHECK_INT(lineheader_check(name, value, &where, &e), -1, "%s", rule);
	CHECK_STR(e.msg, message, "%s: the message", rule);
	CHECK(where == in_value, "%s: it is the %s", rule, in_value ? "value" : "name");
}

int main(void)
{
	good("Content-Type", SPAN_LIT("application/json"), "the usual");
	good("x", SPAN_LIT(""), "an empty value");
	good("X-1_2.3~!#$%&'*+^`|", SPAN_LIT("a\tb c"), "every character of a token, tab");
	good("X-Name", SPAN_LIT("Ren\xc3\xa9"), "UTF-8 in a value");
	good("Hosts", SPAN_LIT("a"), "what only looks like one of the connection's");
	good("TES", SPAN_LIT("a"), "what only looks like one of the connection's");

	bad(SPAN_LIT(""), SPAN_LIT("v"), false,
	    "'' is not a header name (letters, digits and !#$%&'*+-.^_`|~ only)",
	    "a name is not empty");
	static const char *const no_tokens[] = {
		"a b", "a:", ":a", " a", "a\t", "a\r\nb", "(a)", "a/b", "a@b", "[a]", "{a}",
		"a;b", "a=b", "a\"b", "a\\b", "a,b", "a?", "<a>", "n\xc3\xa4me", "a\x7f",
	};
	for (size_t i = 0; i < ARRAY_LEN(no_tokens); i++) {
		struct err e;
		bool in_value = true;
		CHECK(lineheader_check(span_of(no_tokens[i]), SPAN_LIT("v"), &in_value, &e) < 0
		      && !in_value, "'%s' is no token", no_tokens[i]);
	}
	bad((struct span){ "a\0b", 3 }, SPAN_LIT("v"), false,
	    "'a\\x00b' is not a header name (letters, digits and !#$%&'*+-.^_`|~ only)",
	    "a name has no NUL");
	static const char *const connection[] = {
		"Host", "content-length", "TRANSFER-ENCODING", "Connection", "expect", "te",
		"Upgrade", "Trailer",
	};
	for (size_t i = 0; i < ARRAY_LEN(connection); i++) {
		struct err e;
		bool in_value = true;
		CHECK(lineheader_check(span_of(connection[i]), SPAN_LIT("v"), &in_value, &e) < 0
		      && !in_value && strstr(e.msg, "belongs to the connection"),
		      "%s belongs to the connection", connection[i]);
	}
	bad(SPAN_LIT("X"), SPAN_LIT("a\r\nEvil: 1"), true,
	    "the value of header 'X' must not hold control characters",
	    "no line ends: no second header is smuggled in");
	bad(SPAN_LIT("X"), SPAN_LIT("a\nb"), true,
	    "the value of header 'X' must not hold control characters", "no LF");
	bad(SPAN_LIT("X"), SPAN_LIT("a\0b"), true,
	    "the value of header 'X' must not hold control characters", "no NUL");
	bad(SPAN_LIT("X"), SPAN_LIT("a\x7f"), true,
	    "the value of header 'X' must not hold control characters", "no DEL");
	bad(SPAN_LIT("Authorization"), SPAN_LIT("Bearer \xff"), true,
	    "the value of header 'Authorization' must be valid UTF-8",
	    "a value is UTF-8, and is not shown");

	static const char *const secrets[] = {
		"Authorization", "authorization", "PROXY-AUTHORIZATION", "Cookie", "x-api-key",
		"X-API-Key", "api-key",
	};
	for (size_t i = 0; i < ARRAY_LEN(secrets); i++)
		CHECK(lineheader_is_secret(span_of(secrets[i])), "%s holds a secret", secrets[i]);
	CHECK(!lineheader_is_secret(SPAN_LIT("Content-Type")), "Content-Type holds none");
	CHECK(!lineheader_is_secret(SPAN_LIT("Authorizatio")), "nor does half a name");

	CHECK(lineheader_same(SPAN_LIT("Content-Type"), SPAN_LIT("content-TYPE")), "in any case");
	CHECK(!lineheader_same(SPAN_LIT("a"), SPAN_LIT("ab")), "not by the beginning");
	CHECK(!lineheader_same(SPAN_LIT("a^"), SPAN_LIT("a~")), "only letters have a case");
	return unit_done();
}
