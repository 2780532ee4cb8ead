#include "domain/lineurl.h"

#include <stdlib.h>
#include <string.h>
#include "base/mem.h"
#include "unit.h"

/* Sanitizers see a read beyond the end of such a copy. */
static int check(struct span text, struct lineurl *u, char **copy, struct err *e)
{
	*copy = malloc(text.n ? text.n : 1);
	memcpy(*copy, text.p, text.n);
	*e = (struct err)ERR_INIT;
	return lineurl_check((struct span){ *copy, text.n }, u, e);
}

static void show(char *to, struct span v)
{
	memcpy(to, v.p ? v.p : "-", v.p ? v.n : 1);
	to[v.p ? v.n : 1] = '\0';
}

static void good(const char *url, const char *authority, const char *query)
{
	struct err e;
	struct lineurl u;
	char *copy, got[300];
	CHECK(check(span_of(url), &u, &copy, &e) == 0, "good: %s %s", url, e.msg);
	show(got, u.authority);
	CHECK_STR(got, authority ? authority : "-", "host and port of %s", url);
	show(got, u.query);
	CHECK_STR(got, query ? query : "-", "query of %s", url);
	free(copy);
}

static void bad(struct span url, const char *message)
{
	struct err e;
	struct lineurl u;
	char *copy;
	CHECK(check(url, &u, &copy, &e) == -1, "bad: %s", message);
	CHECK_STR(e.msg, message, "what is wrong");
	free(copy);
}

#define BAD(url, message) bad(SPAN_LIT(url), message)
#define NOT_A_URL "must be a path that starts with '/' or an http(s) URL, not "

static void paths(void)
{
	good("/", NULL, NULL);
	good("/v1/chat/completions", NULL, NULL);
	good("/v1/x?a=1&b=2", NULL, "a=1&b=2");
	good("/x?", NULL, "");
	good("/x?a?b", NULL, "a?b");
	good("/a@b:c//d;e=%20,(f)", NULL, NULL);
	good("/caf\xc3\xa9", NULL, NULL);
	BAD("", "must not be empty");
	BAD("//host/path", "must not start with '//': a path starts with one '/', a URL with "
	    "http:// or https://");
	BAD("v1/chat", NOT_A_URL "v1...");
	BAD("chat", NOT_A_URL "chat");
	BAD("?a=1", NOT_A_URL "...");
	BAD("./x", NOT_A_URL "....");
	BAD("/a b", "must not hold a space (%20 is one)");
	BAD("/a\tb", "must not hold a control character");
	BAD("/a\r\nX: y", "must not hold a control character");
	BAD("/a\0b", "must not hold a control character");
	BAD("/a\x7f", "must not hold a control character");
	BAD("/a\xc2\x85", "must not hold a control character");
	BAD("/a\\b", "must not hold a backslash");
	BAD("/a#b", "must not hold a fragment ('#'), which no server is ever sent");
	BAD("/a\xff", "must be valid UTF-8");
	BAD("/a\xc2", "must be valid UTF-8");
}

static void hosts(void)
{
	good("http://a", "a", NULL);
	good("https://api.openai.com/v1", "api.openai.com", NULL);
	good("HTTPS://Example.COM/", "Example.COM", NULL);
	good("http://localhost:8000/v1?x=1", "localhost:8000", "x=1");
	good("http://a?x", "a", "x");
	good("http://a/@b:c", "a", NULL);
	good("http://a:1", "a:1", NULL);
	good("http://a:65535/", "a:65535", NULL);
	good("http://example.com./", "example.com.", NULL);
	good("http://my_host-1.x", "my_host-1.x", NULL);
	good("http://127.0.0.1:11434/", "127.0.0.1:11434", NULL);
	good("http://0.0.0.0", "0.0.0.0", NULL);
	good("http://255.255.255.255", "255.255.255.255", NULL);
	good("http://1.2.3.4a", "1.2.3.4a", NULL);
	good("http://3com.com", "3com.com", NULL);
	good("http://0xyz", "0xyz", NULL);
	good("http://[::1]", "[::1]", NULL);
	good("http://[::1]:8080/x", "[::1]:8080", NULL);
	good("http://[2001:DB8::1]", "[2001:DB8::1]", NULL);
	good("http://[::ffff:1.2.3.4]", "[::ffff:1.2.3.4]", NULL);
	good("http://xn--bcher-kva.example", "xn--bcher-kva.example", NULL);

	BAD("http://", "must have a host behind '://'");
	BAD("http:///x", "must have a host behind '://'");
	BAD("http://:80/", "must have a host behind '://'");
	BAD("http://?x", "must have a host behind '://'");
	BAD("http:/x", "must have '//' and a host behind 'http:'");
	BAD("https:x", "must have '//' and a host behind 'https:'");
	BAD("http", "must have '//' and a host behind 'http:'");
	BAD("ftp://host/x", NOT_A_URL "ftp://...");
	BAD("file:///etc/passwd", NOT_A_URL "file://...");
	BAD("gopher://x", NOT_A_URL "gopher://...");
	BAD("javascript:alert(1)", NOT_A_URL "javascript:...");
	BAD("localhost:8000/v1", NOT_A_URL "localhost:...");
	BAD("httpx://a", NOT_A_URL "httpx://...");
	BAD("user:pass@host/x", NOT_A_URL "user:...");
	BAD("x?key=secret", NOT_A_URL "x...");
	BAD("secret@host", NOT_A_URL "secret...");
#define PASSWORD "must not hold a user or a password before its host; --key REF sends a " \
		 "key without storing it"
	BAD("http://user:pass@host/", PASSWORD);
	BAD("http://user@host/", PASSWORD);
	BAD("http://@host/", PASSWORD);
	BAD("http://a:80@b/", PASSWORD);
	BAD("http://a@b@c/", PASSWORD);
#define HOST "must have a valid host, not "
	BAD("http://.", HOST "'.'");
	BAD("http://.a", HOST "'.a'");
	BAD("http://a..b", HOST "'a..b'");
	BAD("http://-a", HOST "'-a'");
	BAD("http://a-", HOST "'a-'");
	BAD("http://a.-b", HOST "'a.-b'");
	BAD("http://a-.b", HOST "'a-.b'");
	BAD("http://a!b", HOST "'a!b'");
	BAD("http://a%20b", HOST "'a%20b'");
	BAD("http://a,b", HOST "'a,b'");
	BAD("http://a$(x)", HOST "'a$(x)'");
	BAD("http://*", HOST "'*'");
	BAD("http://1.2.3", HOST "'1.2.3'");
	BAD("http://127.1", HOST "'127.1'");
	BAD("http://2130706433", HOST "'2130706433'");
	BAD("http://0x7f000001", HOST "'0x7f000001'");
	BAD("http://0x7f.0.0.0x1", HOST "'0x7f.0.0.0x1'");
	BAD("http://1.2.3.4.", HOST "'1.2.3.4.'");
	BAD("http://1.2.3.256", HOST "'1.2.3.256'");
	BAD("http://1.2.3.4.5", HOST "'1.2.3.4.5'");
	BAD("http://01.2.3.4", HOST "'01.2.3.4'");
	BAD("http://a.1", HOST "'a.1'");
	BAD("http://[", HOST "'['");
	BAD("http://[]", HOST "'[]'");
	BAD("http://[::1", HOST "'[::1'");
	BAD("http://[::1]x", HOST "'[::1]x'");
	BAD("http://[1.2.3.4]", HOST "'[1.2.3.4]'");
	BAD("http://[::1%25eth0]", HOST "'[::1%25eth0]'");
	BAD("http://[:::1]", HOST "'[:::1]'");
	BAD("http://[1:2:3:4:5:6:7:8:9]", HOST "'[1:2:3:4:5:6:7:8:9]'");
	BAD("http://::1/", "must have a host behind '://'");
	BAD("http://b\xc3\xbc" "cher.example/",
	    "must have its host in ASCII (xn--...), not 'b\xc3\xbc" "cher.example'");
	BAD("http://a\xe3\x80\x82" "b", "must have its host in ASCII (xn--...), not 'a\xe3\x80\x82"
	    "b'");
#define PORT "must have a port from 1 to 65535, not "
	BAD("http://a:", PORT "''");
	BAD("http://a:/", PORT "''");
	BAD("http://a:0", PORT "'0'");
	BAD("http://a:080", PORT "'080'");
	BAD("http://a:65536", PORT "'65536'");
	BAD("http://a:99999999999999999999", PORT "'99999999999999999999'");
	BAD("http://a:8x", PORT "'8x'");
	BAD("http://a:-1", PORT "'-1'");
	BAD("http://a:1:2", PORT "'1:2'");
	BAD("http://[::1]:x", PORT "'x'");
	BAD("http://fe80::1/", PORT "':1'");
	BAD("http://2001:db8::1/", HOST "'2001'");
	BAD("http://good\\@evil/", "must not hold a backslash");
	BAD("http://a/ b", "must not hold a space (%20 is one)");
}

static void sizes(void)
{
	struct str s CLEANUP(str_release) = STR_INIT;
	struct err e;
	struct lineurl u;
	str_addc(&s, '/');
	while (s.n < LINEURL_MAX)
		str_addc(&s, 'a');
	CHECK_INT(lineurl_check(str_span(&s), &u, &e), 0, "8,192 bytes are fine");
	str_addc(&s, 'a');
	CHECK_INT(lineurl_check(str_span(&s), &u, &e), -1, "8,193 are not");
	CHECK_STR(e.msg, "must have at most 8192 bytes, not 8193", "and it says so");
	/* 63 + 1 + 63 + 1 + 63 + 1 + 61 = 253 */
	for (size_t n = 253; n <= 254; n++) {
		str_reset(&s);
		str_addz(&s, "http://");
		for (size_t i = 1; i <= n; i++)
			str_addc(&s, i % 64 == 0 ? '.' : 'a');
		str_addz(&s, ":65535/");
		CHECK_INT(lineurl_check(str_span(&s), &u, &e), n == 253 ? 0 : -1,
			  "a host of %zu bytes", n);
	}
	CHECK(LINEURL_AUTHORITY_MAX >= 253 + 6, "the longest host and port fit");
	str_reset(&s);
	str_addz(&s, "http://");
	for (int i = 0; i < 64; i++)
		str_addc(&s, 'a');
	CHECK_INT(lineurl_check(str_span(&s), &u, &e), -1, "a label has at most 63 bytes");
}

static void secrets(void)
{
	static const struct { const char *query, *name; } t[] = {
		{ "key=1", "key" }, { "a=1&key=2", "key" }, { "api_key=x&b=1", "api_key" },
		{ "access_token=x", "access_token" }, { "apikey=x", "apikey" },
		{ "apiKey=x", "apikey" }, { "KEY=x", "key" }, { "key", "key" },
		{ "key=", "key" }, { "%6bey=1", "key" }, { "api%5Fkey=1", "api_key" },
		{ "&&key=1", "key" }, { "a=b=c&key=1", "key" },
		{ "", NULL }, { "a=1", NULL }, { "keys=1", NULL }, { "ke=1", NULL },
		{ "monkey=1", NULL }, { "a=key", NULL }, { "a=1&b=key=2", NULL },
		{ "%6=1", NULL }, { "%", NULL }, { "key%00=1", NULL }, { "&", NULL },
		{ "api-version=2024-10-21", NULL },
	};
	for (size_t i = 0; i < ARRAY_LEN(t); i++)
		CHECK_STR(lineurl_secret(span_of(t[i].query)), t[i].name,
			  "the secret in '%s'", t[i].query);
	CHECK(!lineurl_secret(SPAN_NONE), "no query has no secret");
}

int main(void)
{
	paths();
	hosts();
	sizes();
	secrets();
	struct str s CLEANUP(str_release) = STR_INIT;
	str_addz(&s, "X");
	lineurl_lower(SPAN_LIT("API.Example.com:80"), &s);
	CHECK_STR(str_z(&s), "Xapi.example.com:80", "lower case is appended");
	return unit_done();
}
