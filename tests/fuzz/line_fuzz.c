/* One line under all three kinds of rules; what is read must keep the rules of
 * line.h, and written again by base/jsonw must be read as the same request. */
#include "domain/line.h"

#include <string.h>
#include "base/err.h"
#include "base/json.h"
#include "base/jsonw.h"
#include "base/mem.h"
#include "base/safe.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

#define MUST(cond) do { if (!(cond)) BUG("%s", #cond); } while (0)

static void line_cleanup(struct line *l)
{
	line_release(l);
}

static void check_problem(const struct line_problem *why, size_t n)
{
	struct span text = { why->text, strnlen(why->text, sizeof(why->text)) };
	MUST(text.n > 0 && text.n < sizeof(why->text) && safe_is_utf8(text));
	for (size_t i = 0; i < text.n; i++)
		MUST((unsigned char)text.p[i] >= 0x20 && text.p[i] != 0x7f);
	MUST(why->column >= 1 && why->column <= n + 1);
	MUST(why->code > LINE_OK && strlen(line_code_text(why->code)) > 0);
}

static bool is_in(struct span v, struct span whole)
{
	return v.p >= whole.p && v.p + v.n <= whole.p + whole.n;
}

/* Raw members point into the line, decoded ones there or into scratch. */
static void check_spans(const struct line *l, struct span raw)
{
	const struct span as_it_is[] = { l->headers, l->body, l->metadata, l->body_model };
	const struct span decoded[] = { l->custom_id, l->url };
	struct json_error je;
	for (size_t i = 0; i < ARRAY_LEN(as_it_is); i++)
		MUST(!as_it_is[i].p || (is_in(as_it_is[i], raw)
		     && json_scan(as_it_is[i], NULL, NULL, &je) == 0));
	for (size_t i = 0; i < ARRAY_LEN(decoded); i++)
		MUST(!decoded[i].p || is_in(decoded[i], raw)
		     || is_in(decoded[i], str_span(&l->scratch)));
	MUST(is_in(l->model, raw) || is_in(l->model, str_span(&l->scratch))
	     || span_is(l->model, "-"));
}

static void check_members(const struct line *l)
{
	static const char *const methods[] = { "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE",
					       "OPTIONS" };
	struct line_problem why;
	bool known = false;
	for (size_t i = 0; i < ARRAY_LEN(methods); i++)
		known = known || span_is(l->method, methods[i]);
	MUST(known);
	MUST(l->custom_id.n >= 1 && l->custom_id.n <= 512 && safe_is_utf8(l->custom_id));
	MUST(l->model.n >= 1 && l->model.n <= 256 + 3 && safe_is_utf8(l->model));
	MUST(!l->url.p || line_check_url(l->url, true, true, &why) == 0);
	MUST(l->max_tokens >= 0);
	MUST(!l->body.p || !span_is(l->body, "null"));
	struct str out CLEANUP(str_release) = STR_INIT;
	struct span name, value, sent = line_body_bytes(l, &out);
	MUST((sent.p != NULL) == (l->body.p != NULL) && safe_is_utf8(sent));
	MUST(sent.n <= l->body.n);
	size_t pos = 0, n = 0;
	for (; line_header(l, &pos, &out, &name, &value); n++)
		MUST(n < 100 && line_check_header(name, value, true, &why) == 0);
}

static void check_same(const struct line *a, const struct line *b)
{
	MUST(span_eq(a->custom_id, b->custom_id) && span_eq(a->method, b->method));
	MUST(span_eq(a->url, b->url) && span_eq(a->headers, b->headers));
	MUST(span_eq(a->body, b->body) && span_eq(a->model, b->model));
	MUST(span_eq(a->metadata, b->metadata) && span_eq(a->body_model, b->body_model));
	MUST(a->max_tokens == b->max_tokens && a->stream == b->stream);
	MUST(id_eq(line_hash(a), line_hash(b)));
}

static void check_written_again(const struct line *l)
{
	struct str text CLEANUP(str_release) = STR_INIT;
	struct line again CLEANUP(line_cleanup) = LINE_INIT;
	struct line_problem why;
	struct jsonw w = jsonw_start(&text);
	jsonw_object(&w);
	jsonw_kstr(&w, "custom_id", l->custom_id);
	jsonw_kstr(&w, "method", l->method);
	if (l->url.p)
		jsonw_kstr(&w, "url", l->url);
	if (l->headers.p)
		jsonw_kraw(&w, "headers", l->headers);
	if (l->body.p)
		jsonw_kraw(&w, "body", l->body);
	if (l->metadata.p)
		jsonw_kraw(&w, "metadata", l->metadata);
	jsonw_kstr(&w, "model", l->model);
	jsonw_end(&w);
	MUST(line_read(&again, str_span(&text), NULL, &why) == 0);
	check_same(l, &again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static const struct line_rules strict, lax = { .allow_secrets = true };
	struct span raw = { (const char *)data, n };
	struct line a CLEANUP(line_cleanup) = LINE_INIT;
	struct line b CLEANUP(line_cleanup) = LINE_INIT;
	struct line c CLEANUP(line_cleanup) = LINE_INIT;
	struct line_problem why_a, why_b, why_c;
	int strictly = line_read(&a, raw, &strict, &why_a);
	int laxly = line_read(&b, raw, &lax, &why_b);
	int stored = line_read(&c, raw, NULL, &why_c);
	if (strictly < 0)
		check_problem(&why_a, n);
	if (laxly < 0)
		check_problem(&why_b, n);
	if (stored < 0)
		check_problem(&why_c, n);
	/* Each allows what the one before it allows, and nothing but a secret
	 * and a url that is missing is between them. */
	MUST(strictly == laxly || (strictly < 0 && why_a.code == LINE_SECRET));
	MUST(laxly == stored || (laxly < 0 && why_b.code == LINE_MISSING_PARAMETER));
	if (stored < 0)
		return 0;
	check_spans(&c, raw);
	check_members(&c);
	check_written_again(&c);
	if (laxly == 0)
		check_same(&b, &c);
	if (strictly == 0)
		check_same(&a, &c);
	return 0;
}
