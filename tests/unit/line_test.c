#include "domain/line.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/hash.h"
#include "base/mem.h"
#include "base/safe.h"
#include "unit.h"

static const struct line_rules strict;
static const struct line_rules lax = { .allow_secrets = true };

/* Sanitizers see a read beyond the end of such a copy, and one after it. */
struct reading {
	char *copy;
	struct span raw;
	struct line l;
	struct line_problem why;
	int result;
};

static struct reading read_span(struct span text, const struct line_rules *rules)
{
	struct reading r = { .copy = malloc(text.n ? text.n : 1), .l = LINE_INIT };
	memcpy(r.copy, text.p, text.n);
	r.raw = (struct span){ r.copy, text.n };
	r.result = line_read(&r.l, r.raw, rules, &r.why);
	return r;
}

static void drop(struct reading *r)
{
	line_release(&r->l);
	free(r->copy);
}

static void span_is_text(struct span v, const char *want, const char *rule)
{
	struct str s CLEANUP(str_release) = STR_INIT;
	if (v.p)
		str_addspan(&s, v);
	CHECK_STR(v.p ? str_z(&s) : NULL, want, "%s", rule);
}

static struct reading good(const char *text, const struct line_rules *rules)
{
	struct reading r = read_span(span_of(text), rules);
	CHECK(r.result == 0, "good: %s %s", text, r.result ? r.why.text : "");
	return r;
}

static void bad_span(struct span text, const struct line_rules *rules, enum line_code code,
		     size_t column, const char *message)
{
	struct reading r = read_span(text, rules);
	const char *shown = safe_show(text, 100);
	if (CHECK_INT(r.result, -1, "bad: %s", shown)) {
		CHECK_STR(line_code_text(r.why.code), line_code_text(code), "code of %s", shown);
		CHECK_INT(r.why.column, column, "column of %s", shown);
		CHECK_STR(r.why.text, message, "message of %s", shown);
	}
	drop(&r);
}

static void bad(const char *text, enum line_code code, size_t column, const char *message)
{
	bad_span(span_of(text), &strict, code, column, message);
}

#define WITH(members) "{\"custom_id\":\"a\",\"url\":\"/u\"," members "}"
enum { AT = 29 }; /* the column where those members begin */
#define WAY_OUT ": --key REF sends a key without storing it; --allow-inline-secrets stores it"

static void usual(void)
{
	struct reading r = good(
		"{\"custom_id\":\"r1\",\"method\":\"POST\",\"url\":\"/v1/chat/completions\","
		"\"body\":{\"model\":\"gpt-4o-mini\",\"messages\":[{\"role\":\"user\","
		"\"content\":\"hi\"}],\"max_tokens\":512,\"temperature\":0}}", &strict);
	CHECK(r.l.raw.p == r.raw.p && r.l.raw.n == r.raw.n, "all of it");
	span_is_text(r.l.custom_id, "r1", "custom_id");
	span_is_text(r.l.method, "POST", "method");
	span_is_text(r.l.url, "/v1/chat/completions", "url");
	span_is_text(r.l.headers, NULL, "no headers");
	span_is_text(r.l.body, "{\"model\":\"gpt-4o-mini\",\"messages\":[{\"role\":\"user\","
		     "\"content\":\"hi\"}],\"max_tokens\":512,\"temperature\":0}", "body");
	span_is_text(r.l.model, "gpt-4o-mini", "model of the body");
	span_is_text(r.l.body_model, "\"gpt-4o-mini\"", "as it stands there");
	span_is_text(r.l.metadata, NULL, "no metadata");
	CHECK_INT(r.l.max_tokens, 512, "max_tokens");
	CHECK(!r.l.stream, "no stream");
	CHECK(r.l.custom_id.p > r.raw.p && r.l.model.p > r.raw.p && r.l.scratch.n == 0,
	      "what has no escapes points into the line");
	drop(&r);

	r = good("\t{\"url\":\"/u\" , \"custom_id\" : \"a\" }\r", &strict);
	span_is_text(r.l.method, "POST", "POST is the default");
	span_is_text(r.l.model, "-", "no model at all");
	span_is_text(r.l.body, NULL, "no body at all");
	drop(&r);

	r = good(WITH("\"metadata\":{\"a\":[1]},\"unknown\":1,\"response\":null"), &strict);
	span_is_text(r.l.metadata, "{\"a\":[1]}", "metadata, raw; other members are ignored");
	drop(&r);
	r = good(WITH("\"metadata\":null"), &strict);
	span_is_text(r.l.metadata, "null", "metadata can be any value");
	drop(&r);
}

static void decoded(void)
{
	struct reading r = good(
		"{\"custom\\u005fid\":\"\\u00e9\\ud83d\\ude00\\\"\",\"url\":\"HTTP:\\/\\/API.x:80\\/v1\","
		"\"method\":\"p\\u0061tch\"}", &strict);
	span_is_text(r.l.custom_id, "\xc3\xa9\xf0\x9f\x98\x80\"", "custom_id, decoded");
	span_is_text(r.l.url, "HTTP://API.x:80/v1", "url, decoded");
	span_is_text(r.l.method, "PATCH", "method, decoded and in upper case");
	span_is_text(r.l.model, "api.x:80", "the host is the model, in lower case");
	drop(&r);
	r = good(WITH("\"model\":\"\\u006d\",\"body\":{\"model\":\"n\"}"), &strict);
	span_is_text(r.l.model, "m", "the line's model comes before the body's");
	span_is_text(r.l.body_model, "\"n\"", "which is told as well");
	drop(&r);

	/* All decoded texts live in one buffer, which must not move. */
	struct str s CLEANUP(str_release) = STR_INIT;
	str_addz(&s, "{\"custom_id\":\"");
	for (int i = 0; i < 512; i++)
		str_addz(&s, "\\u0061");
	str_addz(&s, "\",\"url\":\"HTTP:\\/\\/");
	for (int i = 1; i <= 253; i++)
		str_addz(&s, i % 60 ? "A" : ".");
	str_addz(&s, ":65535\\/\",\"method\":\"\\u0047ET\"}");
	r = good(str_z(&s), &strict);
	CHECK(r.l.custom_id.n == 512 && !memchr(r.l.custom_id.p, '\\', 512), "custom_id");
	CHECK(r.l.url.n == 7 + 253 + 7, "url");
	CHECK(r.l.model.n == 253 + 6 && r.l.model.p[0] == 'a', "model");
	drop(&r);
}

static void not_json(void)
{
	bad("", LINE_INVALID_JSON, 1, "unexpected end of the line");
	bad(" \r", LINE_INVALID_JSON, 3, "unexpected end of the line");
	bad("{\"custom_id\":\"a\"", LINE_INVALID_JSON, 17, "unexpected end of the line");
	bad("{\"custom_id\":\"a\",}", LINE_INVALID_JSON, 18, "trailing comma at '}'");
	bad("{\"custom_id\" \"a\"}", LINE_INVALID_JSON, 14, "expected ':' at '\"'");
	bad("{'custom_id':1}", LINE_INVALID_JSON, 2, "strings need double quotes at '''");
	bad("{\"a\":\"\t\"}", LINE_INVALID_JSON, 7, "control character in string at '\\x09'");
	bad("{\"a\":\"\\x41\"}", LINE_INVALID_JSON, 7, "invalid escape at '\\x'");
	bad("{\"a\":\"\\ud800-secret\"}", LINE_INVALID_JSON, 7, "lone surrogate at '\\ud800'");
	bad("{\"a\":1}{", LINE_INVALID_JSON, 8, "text after the value at '{'");
	bad("{\"a\":\xe2\x82\xac}", LINE_INVALID_JSON, 6, "unexpected character at '\xe2\x82\xac'");
	bad("\xef\xbb\xbf{}", LINE_INVALID_JSON, 1,
	    "unexpected byte order mark at '\xef\xbb\xbf'");
	bad("{\"a\":\"\xff\"}", LINE_INVALID_UTF8, 7, "invalid UTF-8 at '\\xff'");
	bad("{\"a\xc3\":1}", LINE_INVALID_UTF8, 4, "invalid UTF-8 at '\\xc3'");
	bad("{\"body\":{\"x\":[\"\xed\xa0\x80\"]}}", LINE_INVALID_UTF8, 16,
	    "invalid UTF-8 at '\\xed'");
	bad("\xfe", LINE_INVALID_UTF8, 1, "invalid UTF-8 at '\\xfe'");
	bad_span(SPAN_LIT("{\"a\":\"\0\"}"), &strict, LINE_INVALID_JSON, 7,
		 "control character in string at '\\x00'");
	bad("[1]", LINE_INVALID_JSON, 1, "a line must be a JSON object, not an array");
	bad("  \"x\"", LINE_INVALID_JSON, 3, "a line must be a JSON object, not a string");
	bad("5", LINE_INVALID_JSON, 1, "a line must be a JSON object, not a number");
	bad("null", LINE_INVALID_JSON, 1, "a line must be a JSON object, not null");
	bad(WITH("\"url\":\"/v\""), LINE_INVALID_JSON, AT, "member 'url' is given twice");
	bad(WITH("\"\\u0075rl\":1"), LINE_INVALID_JSON, AT, "member 'url' is given twice");
	bad(WITH("\"x\":1, \"x\":2"), LINE_INVALID_JSON, AT + 7, "member 'x' is given twice");
	bad(WITH("\"x\":1,\"x\":2,\"y\":\"\xff\""), LINE_INVALID_UTF8, AT + 17,
	    "invalid UTF-8 at '\\xff'");
	bad("{\"\\u001b\":1,\"\\u001b\":1}", LINE_INVALID_JSON, 13,
	    "member '\\x1b' is given twice");
	bad(WITH("\"body\":1,\"body\":null"), LINE_INVALID_JSON, AT + 9,
	    "member 'body' is given twice");
}

static void custom_ids(void)
{
	bad("{}", LINE_MISSING_PARAMETER, 1,
	    "'custom_id' is missing: each line needs one, to find its result by");
	bad(" {\"url\":\"/u\"}", LINE_MISSING_PARAMETER, 1,
	    "'custom_id' is missing: each line needs one, to find its result by");
	bad("{\"custom_id\":5,\"url\":\"/u\"}", LINE_INVALID_CUSTOM_ID, 14,
	    "'custom_id' must be a string, not a number");
	bad("{\"custom_id\": null}", LINE_INVALID_CUSTOM_ID, 15,
	    "'custom_id' must be a string, not null");
	bad("{\"custom_id\":[]}", LINE_INVALID_CUSTOM_ID, 14,
	    "'custom_id' must be a string, not an array");
	bad("{\"custom_id\":\"\"}", LINE_INVALID_CUSTOM_ID, 14, "'custom_id' must not be empty");
	bad("{\"custom_id\":\"a\\u0000\"}", LINE_INVALID_CUSTOM_ID, 14,
	    "'custom_id' must not hold control characters: 'a\\x00'");
	bad("{\"custom_id\":\"a\\nb\"}", LINE_INVALID_CUSTOM_ID, 14,
	    "'custom_id' must not hold control characters: 'a\\x0ab'");
	bad("{\"custom_id\":\"\x7f\"}", LINE_INVALID_CUSTOM_ID, 14,
	    "'custom_id' must not hold control characters: '\\x7f'");
	bad("{\"custom_id\":\"\xc2\x9b\"}", LINE_INVALID_CUSTOM_ID, 14,
	    "'custom_id' must not hold control characters: '\\xc2\\x9b'");
	struct reading r = good("{\"custom_id\":\"\xc2\xa0 \\u00a0\xe2\x80\x8b\",\"url\":\"/\"}",
				&strict);
	drop(&r);
	for (int n = 512; n <= 513; n++) {
		struct str s CLEANUP(str_release) = STR_INIT;
		str_addz(&s, "{\"url\":\"/u\",\"custom_id\":\"");
		for (int i = 0; i < n; i++)
			str_addc(&s, 'x');
		str_addz(&s, "\"}");
		if (n == 512) {
			r = good(str_z(&s), &strict);
			drop(&r);
		} else {
			bad(str_z(&s), LINE_INVALID_CUSTOM_ID, 25,
			    "'custom_id' must have at most 512 bytes, not 513");
		}
	}
}

/* What a url must be is lineurl's; here is how it is told. */
static void urls(void)
{
	bad("{\"custom_id\":\"a\"}", LINE_MISSING_PARAMETER, 1,
	    "'url' is missing: give it here, or for all such lines with --url PATH");
	bad("{\"custom_id\":\"a\",\"url\": 5}", LINE_INVALID_URL, 25,
	    "'url' must be a string, not a number");
#define URL(url) "{\"custom_id\":\"a\",\"url\":\"" url "\"}"
	bad(URL(""), LINE_INVALID_URL, 24, "'url' must not be empty");
	bad(URL("ftp://host/x"), LINE_INVALID_URL, 24, "'url' must be a path that starts with "
	    "'/' or an http(s) URL, not ftp://...");
	bad(URL("v1/chat"), LINE_INVALID_URL, 24, "'url' must be a path that starts with '/' or "
	    "an http(s) URL, not v1...");
	bad(URL("//host"), LINE_INVALID_URL, 24, "'url' must not start with '//': a path starts "
	    "with one '/', a URL with http:// or https://");
	bad(URL("http://u:secret@h/"), LINE_INVALID_URL, 24, "'url' must not hold a user or a "
	    "password before its host; --key REF sends a key without storing it");
	bad(URL("/a\\u000db"), LINE_INVALID_URL, 24, "'url' must not hold a control character");
	bad(URL("/a\\\\b"), LINE_INVALID_URL, 24, "'url' must not hold a backslash");
	bad(URL("/v1/x?a=1&key=SECRET"), LINE_SECRET, 24,
	    "'url' holds a secret ('key' in its query)" WAY_OUT);
	bad(URL("https://h?apiKey=SECRET"), LINE_SECRET, 24,
	    "'url' holds a secret ('apikey' in its query)" WAY_OUT);
	struct reading r = good(URL("https://h?key=SECRET"), &lax);
	span_is_text(r.l.url, "https://h?key=SECRET", "with --allow-inline-secrets it stays");
	drop(&r);
	bad_span(SPAN_LIT(URL("http://u:p@h/")), &lax, LINE_INVALID_URL, 24, "'url' must not hold "
		 "a user or a password before its host; --key REF sends a key without storing it");

	struct line_rules rules = { .default_url = "/v1/embeddings" };
	r = good("{\"custom_id\":\"a\"}", &rules);
	CHECK(r.l.url.p == rules.default_url, "--url is for lines without");
	drop(&r);
	r = good(URL("/own"), &rules);
	span_is_text(r.l.url, "/own", "and only for those");
	drop(&r);
	rules.default_url = "http://Local:1/x";
	r = good("{\"custom_id\":\"a\"}", &rules);
	span_is_text(r.l.model, "local:1", "its host is the model as well");
	drop(&r);
	bad_span(SPAN_LIT("{\"custom_id\":\"a\",\"url\":null}"), &rules, LINE_INVALID_URL, 24,
		 "'url' must be a string, not null");
}

static void methods(void)
{
	static const char *const texts[] = { "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE",
					     "OPTIONS" };
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		struct str s CLEANUP(str_release) = STR_INIT;
		str_addf(&s, WITH("\"method\":\"%s\""), texts[i]);
		for (char *p = strrchr(s.p, ':') + 3; *p != '"'; p++)
			*p |= 0x20;
		struct reading r = good(str_z(&s), &strict);
		span_is_text(r.l.method, texts[i], "in any case");
		drop(&r);
	}
#define NO_METHOD "'method' must be GET, HEAD, POST, PUT, PATCH, DELETE or OPTIONS, not "
	bad(WITH("\"method\":\"FOO\""), LINE_INVALID_METHOD, AT + 9, NO_METHOD "'FOO'");
	bad(WITH("\"method\":\"\""), LINE_INVALID_METHOD, AT + 9, NO_METHOD "''");
	bad(WITH("\"method\":\"GET \""), LINE_INVALID_METHOD, AT + 9, NO_METHOD "'GET '");
	bad(WITH("\"method\":\"GET\\u0000\""), LINE_INVALID_METHOD, AT + 9,
	    NO_METHOD "'GET\\x00'");
	bad(WITH("\"method\":\"CONNECT\""), LINE_INVALID_METHOD, AT + 9, NO_METHOD "'CONNECT'");
	bad(WITH("\"method\":\"TRACE\""), LINE_INVALID_METHOD, AT + 9, NO_METHOD "'TRACE'");
	bad(WITH("\"method\":null"), LINE_INVALID_METHOD, AT + 9,
	    "'method' must be a string, not null");
}

static void headers(void)
{
	struct reading r = good(WITH("\"headers\":{\"Content-Type\":\"text/plain\",\"X\\u002dA\":"
				     "\"\\u00e9\\t1\",\"x\":\"\"}"), &strict);
	struct str s CLEANUP(str_release) = STR_INIT;
	struct str all CLEANUP(str_release) = STR_INIT;
	struct span name, value;
	size_t pos = 0;
	while (line_header(&r.l, &pos, &s, &name, &value)) {
		str_addspan(&all, name);
		str_addc(&all, '=');
		str_addspan(&all, value);
		str_addc(&all, ';');
	}
	CHECK_STR(str_z(&all), "Content-Type=text/plain;X-A=\xc3\xa9\t1;x=;",
		  "headers, decoded, in order");
	drop(&r);
	r = good(WITH("\"headers\":{}"), &strict);
	pos = 0;
	CHECK(!line_header(&r.l, &pos, &s, &name, &value), "none in an empty object");
	span_is_text(r.l.headers, "{}", "which is not absent");
	drop(&r);
	r = good(WITH("\"x\":1"), &strict);
	pos = 0;
	CHECK(!line_header(&r.l, &pos, &s, &name, &value), "none if there are none");
	drop(&r);

	bad(WITH("\"headers\":[]"), LINE_INVALID_HEADER, AT + 10,
	    "'headers' must be an object, not an array");
	bad(WITH("\"headers\":null"), LINE_INVALID_HEADER, AT + 10,
	    "'headers' must be an object, not null");
	bad(WITH("\"headers\":{\"X\": 5}"), LINE_INVALID_HEADER, AT + 16,
	    "header 'X' must be a string, not a number");
	bad(WITH("\"headers\":{\"a b\":\"1\"}"), LINE_INVALID_HEADER, AT + 11,
	    "'a b' is not a header name (letters, digits and !#$%&'*+-.^_`|~ only)");
	bad(WITH("\"headers\":{\"\":\"1\"}"), LINE_INVALID_HEADER, AT + 11,
	    "'' is not a header name (letters, digits and !#$%&'*+-.^_`|~ only)");
	bad(WITH("\"headers\":{\"X\":\"1\",\"h\\u006fst\":\"1\"}"), LINE_INVALID_HEADER, AT + 19,
	    "header 'host' must not be given: it belongs to the connection");
	bad(WITH("\"headers\":{\"X\":\"1\\r\\nEvil: 2\"}"), LINE_INVALID_HEADER, AT + 15,
	    "the value of header 'X' must not hold control characters");
	bad(WITH("\"headers\":{\"x-a\":\"1\", \"X-A\":\"1\"}"), LINE_INVALID_HEADER, AT + 22,
	    "header 'X-A' is given twice");
	bad(WITH("\"headers\":{\"x\":\"1\",\"\\u0078\":\"2\"}"), LINE_INVALID_HEADER, AT + 19,
	    "header 'x' is given twice");
	bad(WITH("\"headers\":{\"\\u0078\":\"1\",\"\\u0079\":\"1\",\"\\u0058\":\"2\"}"),
	    LINE_INVALID_HEADER, AT + 37, "header 'X' is given twice");
	bad(WITH("\"headers\":{\"Authorization\":\"Bearer SECRET\"}"), LINE_SECRET, AT + 11,
	    "header 'Authorization' holds a secret" WAY_OUT);
	bad(WITH("\"headers\":{\"X-API-KEY\":\"SECRET\"}"), LINE_SECRET, AT + 11,
	    "header 'X-API-KEY' holds a secret" WAY_OUT);
	r = good(WITH("\"headers\":{\"Authorization\":\"Bearer x\"}"), &lax);
	drop(&r);

	for (int n = 100; n <= 101; n++) {
		str_reset(&s);
		for (int i = 0; i < n; i++)
			str_addf(&s, "%s\"X%d\":\"1\"", i ? "," : "", i);
		struct str line CLEANUP(str_release) = STR_INIT;
		str_addf(&line, WITH("\"headers\":{%s}"), str_z(&s));
		r = read_span(str_span(&line), &strict);
		CHECK_INT(r.result, n == 100 ? 0 : -1, "%d headers", n);
		if (n > 100)
			CHECK_STR(r.why.text, "'headers' must have at most 100 members and 65536 "
				  "bytes", "and it says so");
		drop(&r);
	}
	for (int n = 65535; n <= 65536; n++) {
		struct str line CLEANUP(str_release) = STR_INIT;
		str_addf(&line, WITH("\"headers\":{\"X\":\"%0*d\"}"), n, 0);
		r = read_span(str_span(&line), &strict);
		CHECK_INT(r.result, n == 65535 ? 0 : -1, "a header of %d bytes", n + 1);
		drop(&r);
	}
}

static void body_is(const char *line, const char *raw, const char *sent)
{
	struct reading r = good(line, &strict);
	struct str out CLEANUP(str_release) = STR_INIT;
	struct span v = line_body_bytes(&r.l, &out);
	span_is_text(r.l.body, raw, "the body as it stands");
	span_is_text(v, sent, "what is sent");
	CHECK(!v.p || out.n > 0 || (v.p >= r.raw.p && v.p + v.n <= r.raw.p + r.raw.n),
	      "without escapes it is not copied");
	drop(&r);
}

static void bodies(void)
{
	body_is(WITH("\"body\":{ \"b\" : 1e2,\"a\":12345678901234567890123 }"),
		"{ \"b\" : 1e2,\"a\":12345678901234567890123 }",
		"{ \"b\" : 1e2,\"a\":12345678901234567890123 }");
	body_is(WITH("\"body\" : [1, 2] "), "[1, 2]", "[1, 2]");
	body_is(WITH("\"body\":false"), "false", "false");
	body_is(WITH("\"body\":0"), "0", "0");
	body_is(WITH("\"body\":null"), NULL, NULL);
	body_is(WITH("\"x\":0"), NULL, NULL);
	body_is(WITH("\"body\":\"\""), "\"\"", "");
	body_is(WITH("\"body\":\"a=1&b=\xc3\xa9\""), "\"a=1&b=\xc3\xa9\"", "a=1&b=\xc3\xa9");
	body_is(WITH("\"body\":\"a\\n\\\"\\ud83d\\ude00\\u00e9\""),
		"\"a\\n\\\"\\ud83d\\ude00\\u00e9\"", "a\n\"\xf0\x9f\x98\x80\xc3\xa9");
	struct reading r = good(WITH("\"body\":\"a\\u0000b\""), &strict);
	struct str out CLEANUP(str_release) = STR_INIT;
	str_addz(&out, "old");
	struct span v = line_body_bytes(&r.l, &out);
	CHECK(v.n == 3 && !memcmp(v.p, "a\0b", 3), "a NUL is sent as a NUL");
	drop(&r);
}

static void tokens_of(const char *members, int64_t want, bool stream)
{
	struct str s CLEANUP(str_release) = STR_INIT;
	str_addf(&s, WITH("\"body\":%s"), members);
	struct reading r = good(str_z(&s), &strict);
	CHECK_INT(r.l.max_tokens, want, "max_tokens of %s", members);
	CHECK(r.l.stream == stream, "stream of %s", members);
	drop(&r);
}

static void tokens(void)
{
	tokens_of("{}", 0, false);
	tokens_of("{\"max_tokens\":5}", 5, false);
	tokens_of("{\"max_output_tokens\":7}", 7, false);
	tokens_of("{\"max_output_tokens\":7,\"max_tokens\":6,\"max_completion_tokens\":5}", 5,
		  false);
	tokens_of("{\"max_output_tokens\":7,\"max_tokens\":6}", 6, false);
	tokens_of("{\"max_completion_tokens\":null,\"max_tokens\":6}", 6, false);
	tokens_of("{\"max_tokens\":1,\"max_tokens\":2}", 2, false);
	tokens_of("{\"max_tokens\":\"5\"}", 0, false);
	tokens_of("{\"max_tokens\":-5}", 0, false);
	tokens_of("{\"max_tokens\":5.5}", 0, false);
	tokens_of("{\"max_tokens\":99999999999999999999}", 0, false);
	tokens_of("{\"m\\u0061x_tokens\":5}", 5, false);
	tokens_of("{\"x\":{\"max_tokens\":5,\"stream\":true}}", 0, false);
	tokens_of("[{\"max_tokens\":5}]", 0, false);
	tokens_of("{\"stream\":true}", 0, true);
	tokens_of("{\"stream\":false}", 0, false);
	tokens_of("{\"stream\":\"true\"}", 0, false);
	tokens_of("{\"stream\":1}", 0, false);
	tokens_of("{\"stream\":true,\"stream\":false}", 0, false);
}

static void model_of(const char *members, const struct line_rules *rules, const char *model,
		     const char *in_body)
{
	struct str s CLEANUP(str_release) = STR_INIT;
	str_addf(&s, "{\"custom_id\":\"a\",%s}", members);
	struct reading r = good(str_z(&s), rules);
	span_is_text(r.l.model, model, "the model");
	span_is_text(r.l.body_model, in_body, "the model in the body");
	drop(&r);
}

static void models(void)
{
	struct line_rules rules = { .default_model = "dm" };
	model_of("\"url\":\"/\",\"body\":{\"model\":\"b\"}", &rules, "b", "\"b\"");
	model_of("\"url\":\"/\",\"model\":\"m\",\"body\":{\"model\":\"b\"}", &rules, "m", "\"b\"");
	model_of("\"url\":\"/\"", &rules, "dm", NULL);
	model_of("\"url\":\"http://H/\"", &rules, "dm", NULL);
	model_of("\"url\":\"http://H/\"", &strict, "h", NULL);
	model_of("\"url\":\"http://H:8080/\"", &strict, "h:8080", NULL);
	model_of("\"url\":\"https://[::AB]:1?x\"", &strict, "[::ab]:1", NULL);
	model_of("\"url\":\"http://h/\",\"body\":{\"model\":\"b\"}", &strict, "b", "\"b\"");
	model_of("\"url\":\"/\"", &strict, "-", NULL);
	model_of("\"url\":\"/\",\"body\":{\"model\":\"\"}", &strict, "-", "\"\"");
	model_of("\"url\":\"/\",\"body\":{\"model\":5}", &strict, "-", NULL);
	model_of("\"url\":\"/\",\"body\":[{\"model\":\"b\"}]", &strict, "-", NULL);
	model_of("\"url\":\"/\",\"body\":\"{\\\"model\\\":1}\"", &strict, "-", NULL);
	model_of("\"url\":\"/\",\"body\":{\"model\":\"a\",\"model\":\"b\"}", &strict, "b", "\"b\"");
	model_of("\"url\":\"/\",\"body\":{\"model\":\"a\",\"model\":null}", &strict, "-", NULL);
	model_of("\"url\":\"/\",\"body\":{\"model\":\"\\u0061\"}", &strict, "a", "\"\\u0061\"");
	bad(WITH("\"model\":5"), LINE_INVALID_MODEL, AT + 8,
	    "'model' must be a string, not a number");
	bad(WITH("\"model\":\"\""), LINE_INVALID_MODEL, AT + 8, "'model' must not be empty");
	bad(WITH("\"model\":\"a\\u0007\""), LINE_INVALID_MODEL, AT + 8,
	    "'model' must not hold control characters: 'a\\x07'");
	bad(WITH("\"body\":{\"model\":\"\\n\"}"), LINE_INVALID_MODEL, AT + 16,
	    "'model' in the body must not hold control characters: '\\x0a'");
	struct str s CLEANUP(str_release) = STR_INIT;
	str_addf(&s, WITH("\"body\":{\"model\":\"%0257d\"}"), 0);
	bad(str_z(&s), LINE_INVALID_MODEL, AT + 16,
	    "'model' in the body must have at most 256 bytes, not 257");
}

static void stored(void)
{
	struct reading r = good("{\"custom_id\":\"a\"}", NULL);
	span_is_text(r.l.url, NULL, "a stored line needs no url");
	span_is_text(r.l.model, "-", "and has no default model");
	drop(&r);
	r = good(WITH("\"api_key\":\"s\",\"headers\":{\"Cookie\":\"s\"}"), NULL);
	drop(&r);
	r = good(URL("http://h?api_key=s"), NULL);
	drop(&r);
	bad_span(SPAN_LIT("{}"), NULL, LINE_MISSING_PARAMETER, 1,
		 "'custom_id' is missing: each line needs one, to find its result by");
	bad_span(SPAN_LIT(URL("x")), NULL, LINE_INVALID_URL, 24,
		 "'url' must be a path that starts with '/' or an http(s) URL, not x");
	bad(WITH("\"api_key\":\"SECRET\""), LINE_SECRET, AT + 10,
	    "member 'api_key' holds a secret" WAY_OUT);
	bad(WITH("\"api\\u005fkey\":null"), LINE_SECRET, AT + 15,
	    "member 'api_key' holds a secret" WAY_OUT);
	r = good(WITH("\"api_key\":\"x\""), &lax);
	drop(&r);
}

/* One struct for line after line, as an import does it. */
static void again(void)
{
	static const char first[] =
		"{\"custom_id\":\"\\u0061\",\"url\":\"/1\",\"body\":{\"model\":\"m\",\"stream\":true,"
		"\"max_tokens\":3},\"headers\":{\"X\":\"1\"},\"metadata\":1}";
	static const char *const lines[] = {
		first, "{\"custom_id\":", "{\"custom_id\":\"b\",\"url\":\"http://HOST\"}", "{}",
		"{\"custom_id\":\"\\u0063\",\"url\":\"\\/3\"}",
	};
	struct line l = LINE_INIT;
	struct line_problem why;
	CHECK_INT(line_read(&l, span_of(lines[0]), &strict, &why), 0, "the first line");
	CHECK_INT(line_read(&l, span_of(lines[1]), &strict, &why), -1, "a bad one");
	CHECK_INT(line_read(&l, span_of(lines[2]), &strict, &why), 0, "another good one");
	span_is_text(l.model, "host", "its model");
	CHECK(!l.stream && !l.max_tokens && !l.headers.p && !l.metadata.p && !l.body.p
	      && !l.body_model.p, "nothing is left of the first");
	CHECK_INT(line_read(&l, span_of(lines[3]), &strict, &why), -1, "a bad one");
	CHECK_INT(line_read(&l, span_of(lines[4]), &strict, &why), 0, "another good one");
	span_is_text(l.custom_id, "c", "its custom_id");
	span_is_text(l.url, "/3", "its url");
	line_release(&l);
	line_release(&l);
	CHECK(!l.custom_id.p && !l.scratch.p, "released twice is released");
}

static struct id hash_of_line(const char *text, const struct line_rules *rules)
{
	struct reading r = good(text, rules);
	struct id v = line_hash(&r.l);
	struct hash *h = hash_new();
	hash_add_field(h, r.l.method.p, r.l.method.n);
	hash_add_field(h, r.l.url.p, r.l.url.n);
	hash_add_field(h, r.l.headers.p, r.l.headers.n);
	hash_add_field(h, r.l.body.p, r.l.body.n);
	CHECK(id_eq(v, hash_sum(h)), "each with its length");
	hash_free(h);
	drop(&r);
	return v;
}

static void hashes(void)
{
	struct id a = hash_of_line(WITH("\"body\":{\"x\":1}"), &strict);
	CHECK(id_eq(a, hash_of_line("{\"metadata\":5,\"body\":{\"x\":1},\"model\":\"m\",\"method\":"
				    "\"post\",\"url\":\"\\/u\",\"custom_id\":\"b\"}", &strict)),
	      "equal requests have equal hashes, whatever stands beside them");
	CHECK(!id_eq(a, hash_of_line(WITH("\"body\":{\"x\":2}"), &strict)), "another body");
	CHECK(!id_eq(a, hash_of_line(WITH("\"body\":{\"x\":1},\"method\":\"PUT\""), &strict)),
	      "another method");
	CHECK(!id_eq(a, hash_of_line(WITH("\"body\":{\"x\":1},\"headers\":{\"A\":\"b\"}"), &strict)),
	      "other headers");
	CHECK(!id_eq(a, hash_of_line("{\"custom_id\":\"a\",\"url\":\"/v\",\"body\":{\"x\":1}}",
				     &strict)), "another url");
	CHECK(!id_eq(hash_of_line("{\"custom_id\":\"a\",\"url\":\"/u1\",\"body\":2}", &strict),
		     hash_of_line("{\"custom_id\":\"a\",\"url\":\"/u\",\"body\":12}", &strict)),
	      "bytes do not move from one to the next");
	for (int n = 1900; n < 2100; n += 7) {
		struct str s CLEANUP(str_release) = STR_INIT;
		str_addf(&s, WITH("\"body\":\"%0*d\""), n, 0);
		struct id long_one = hash_of_line(str_z(&s), &strict);
		CHECK(!id_eq(a, long_one), "a long body");
	}
}

static void outside(void)
{
	struct line_problem why;
	CHECK_INT(line_check_header(SPAN_LIT("X-A"), SPAN_LIT("b"), false, &why), 0, "a header");
	CHECK_INT(line_check_header(SPAN_LIT("X A"), SPAN_LIT("b"), false, &why), -1, "a bad name");
	CHECK(why.code == LINE_INVALID_HEADER && why.column == 1, "%s", why.text);
	CHECK_INT(line_check_header(SPAN_LIT("X-A"), SPAN_LIT("\n"), false, &why), -1, "a bad value");
	CHECK(why.code == LINE_INVALID_HEADER && why.column == 6, "%s", why.text);
	CHECK_INT(line_check_header(SPAN_LIT("Cookie"), SPAN_LIT("S"), false, &why), -1, "a secret");
	CHECK(why.code == LINE_SECRET && why.column == 1, "%s", why.text);
	CHECK_INT(line_check_header(SPAN_LIT("Cookie"), SPAN_LIT("S"), true, &why), 0, "allowed");

	CHECK_INT(line_check_url(SPAN_LIT("http://h/v1"), false, false, &why), 0, "a base URL");
	CHECK_INT(line_check_url(SPAN_LIT("/v1"), true, false, &why), 0, "a path, where it may be");
	CHECK_INT(line_check_url(SPAN_LIT("/v1"), false, false, &why), -1, "a path, where not");
	CHECK_STR(why.text, "must start with http:// or https:// and a host", "and it says so");
	CHECK_INT(line_check_url(SPAN_LIT("http://h:x"), false, false, &why), -1, "a bad port");
	CHECK_STR(why.text, "must have a port from 1 to 65535, not 'x'", "and it says so");
	CHECK(why.code == LINE_INVALID_URL && why.column == 1, "as a bad url");
	CHECK_INT(line_check_url(SPAN_LIT("http://h?key=x"), false, false, &why), -1, "a secret");
	CHECK_STR(why.text, "holds a secret ('key' in its query)" WAY_OUT, "and the way out");
	CHECK_INT(line_check_url(SPAN_LIT("http://h?key=x"), false, true, &why), 0, "allowed");
}

static void codes(void)
{
	static const char *const texts[] = {
		"ok", "invalid_json_line", "missing_required_parameter", "invalid_custom_id",
		"duplicate_custom_id", "invalid_url", "invalid_method", "invalid_header",
		"invalid_utf8", "invalid_model", "line_too_long", "empty_file", "secret_in_line",
		"url_mismatch", "model_mismatch", "too_many_tasks", "file_too_large", "not_strict",
	};
	CHECK_INT(ARRAY_LEN(texts), LINE_NOT_STRICT + 1, "every code has its text");
	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		CHECK_STR(line_code_text((enum line_code)i), texts[i], "%s", texts[i]);
}

/* Whatever a stranger writes, a message is UTF-8 without controls that fits. */
static void messages(void)
{
	size_t wrong = 0;
	for (int c = 0; c < 256; c++) {
		struct str s CLEANUP(str_release) = STR_INIT;
		char name[80];
		memset(name, c, sizeof(name));
		str_addz(&s, "{\"custom_id\":\"a\",\"url\":\"/\",\"headers\":{\"");
		for (size_t i = 0; i < sizeof(name); i++) {
			if (c >= 0x80)
				str_addf(&s, "\\ud8%02x\\udc00", c & 3);
			else
				str_addf(&s, "\\u%04x", (unsigned)name[i]);
		}
		str_addz(&s, " \":\"\"}}");
		struct reading r = read_span(str_span(&s), &strict);
		struct span text = span_of(r.why.text);
		wrong += r.result != -1 || r.why.code != LINE_INVALID_HEADER || !safe_is_utf8(text);
		for (size_t i = 0; i < text.n; i++)
			wrong += (unsigned char)text.p[i] < 0x20;
		drop(&r);
	}
	CHECK_INT(wrong, 0, "messages are safe to print");
}

int main(void)
{
	usual();
	decoded();
	not_json();
	custom_ids();
	urls();
	methods();
	headers();
	bodies();
	tokens();
	models();
	stored();
	again();
	hashes();
	outside();
	codes();
	messages();
	return unit_done();
}
