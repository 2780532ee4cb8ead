#include "domain/exchange.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/num.h"
#include "base/safe.h"
#include "domain/file.h"
#include "domain/lineheader.h"
#include "domain/request.h"
#include "domain/reuse.h"
#include "domain/select.h"
#include "domain/url.h"

enum { ARGUMENT_MAX = 100000 }; /* Linux allows an argument 128 KiB */

enum { Q_ROUND };
static const char *const texts[] = {
	[Q_ROUND] = "SELECT round FROM requests WHERE id = ?1",
};
const struct stmt_set exchange_sql = { "exchange", texts, ARRAY_LEN(texts) };

void exchange_release(struct exchange *x)
{
	for (int i = 0; i < x->n_headers; i++) {
		free(x->headers[i].name);
		free(x->headers[i].value);
		free(x->headers[i].key);
		free(x->headers[i].after);
		free(x->headers[i].ref);
	}
	line_release(&x->line);
	str_release(&x->raw);
	str_release(&x->url);
	str_release(&x->scratch);
	*x = (struct exchange)EXCHANGE_INIT;
}

static bool has(const struct exchange *x, struct span name)
{
	for (int i = 0; i < x->n_headers; i++)
		if (lineheader_same(span_of(x->headers[i].name), name))
			return true;
	return false;
}

/* The first one of a name stays: they are added strongest first. */
static struct exchange_header *add(struct exchange *x, struct span name, struct span value)
{
	if (x->n_headers == EXCHANGE_HEADERS || has(x, name))
		return NULL;
	struct exchange_header *h = &x->headers[x->n_headers++];
	*h = (struct exchange_header){ .name = mem_copy(name.p, name.n),
				       .value = mem_copy(value.p, value.n) };
	return h;
}

static void add_line_headers(struct exchange *x)
{
	struct str scratch CLEANUP(str_release) = STR_INIT;
	struct span name, value;
	size_t pos = 0;

	while (line_header(&x->line, &pos, &scratch, &name, &value))
		add(x, name, value);
}

/* "Name: value" at its colon; false if there is none. */
static bool cut(struct span text, struct span *name, struct span *value)
{
	const char *colon = memchr(text.p, ':', text.n);

	if (!colon)
		return false;
	*name = (struct span){ text.p, (size_t)(colon - text.p) };
	*value = (struct span){ colon + 1, text.n - name->n - 1 };
	while (value->n > 0 && value->p[0] == ' ')
		value->p++, value->n--;
	return true;
}

static void add_batch_headers(struct exchange *x, const struct batch *b)
{
	struct span list = span_of(b->headers), none, item, name, value;
	struct str text CLEANUP(str_release) = STR_INIT;
	size_t pos = 0;

	while (list.p && json_each(list, &pos, &none, &item)) {
		str_reset(&text);
		json_string(item, &text);
		if (cut(str_span(&text), &name, &value))
			add(x, name, value);
	}
}

/* What sh(1) puts in for the key. */
static char *key_words(const char *ref)
{
	struct str s = STR_INIT;

	if (span_starts(span_of(ref), "env:")) {
		str_addf(&s, "\"$%s\"", ref + 4);
	} else if (span_starts(span_of(ref), "cred:")) {
		str_addz(&s, "\"$(head -n 1 \"$CREDENTIALS_DIRECTORY\"/");
		safe_shell(&s, span_of(ref + 5));
		str_addz(&s, ")\"");
	} else {
		str_addz(&s, "\"$(head -n 1 ");
		safe_shell(&s, span_of(ref + 5));
		str_addz(&s, ")\"");
	}
	return str_take(&s);
}

/* The key goes to the origin of the base URL and nowhere else. */
static void add_key(struct exchange *x, const struct batch *b)
{
	struct str to CLEANUP(str_release) = STR_INIT, home CLEANUP(str_release) = STR_INIT;
	const char *text = b->key_header ? b->key_header : "Authorization: Bearer {}";
	const char *hole = strstr(text, "{}");
	struct span name, value;

	url_origin(str_span(&x->url), &to);
	url_origin(span_of(b->base_url), &home);
	if (strcmp(b->key_ref, "none") == 0 || !span_eq(str_span(&to), str_span(&home)) || !hole ||
	    !cut(span_of(text), &name, &value))
		return;
	struct exchange_header *h = add(x, name, (struct span){ value.p, (size_t)(hole - value.p) });
	if (!h)
		return;
	h->key = key_words(b->key_ref);
	h->after = mem_strdup(hole + 2);
	h->ref = mem_strdup(b->key_ref);
}

static int add_idempotency(struct db *db, struct exchange *x, const struct batch *b,
			   struct err *e)
{
	char id[REQUEST_ID_BUF];
	struct str key CLEANUP(str_release) = STR_INIT;

	if (b->send.no_idempotency_key == 1)
		return 0;
	STMT(q, db, &exchange_sql, Q_ROUND);
	stmt_int(&q, 1, x->row);
	if (stmt_step(&q, e) < 0)
		return -1;
	str_addz(&key, batch_request_text(b->uuid, request_line(x->row), id));
	if (stmt_col_int(&q, 0) > 0)
		str_addf(&key, "-r%lld", (long long)stmt_col_int(&q, 0));
	add(x, SPAN_LIT("Idempotency-Key"), str_span(&key));
	return 0;
}

/* x->raw as it is sent, but for what needs an id. */
static int build(struct exchange *x, const struct batch *b, struct err *e)
{
	struct line_problem why;

	if (line_read(&x->line, str_span(&x->raw), NULL, &why) < 0)
		return err_set(e, ERR_INTERNAL, "the line cannot be read: %s", why.text);
	url_join(span_of(b->base_url), x->line.url, &x->url);
	x->body = span_is(x->line.method, "HEAD") ? SPAN_NONE
						  : line_body_bytes(&x->line, &x->scratch);
	add_line_headers(x);
	add_batch_headers(x, b);
	add_key(x, b);
	if (x->body.p)
		add(x, SPAN_LIT("Content-Type"), x->line.body.p[0] == '"'
		    ? SPAN_LIT("text/plain; charset=utf-8") : SPAN_LIT("application/json"));
	return 0;
}

int exchange_load(struct db *db, const struct batch *b, int64_t row, struct exchange *x,
		  struct err *e)
{
	exchange_release(x);
	x->row = row;
	int rc = file_line(db, b->file, request_line(row), &x->raw, e);
	if (rc <= 0)
		return rc < 0 ? -1 : err_set(e, ERR_NOTFOUND, "the line of the request is gone");
	return build(x, b, e) < 0 ? -1 : add_idempotency(db, x, b, e);
}

int exchange_line(const struct batch *b, struct span raw, struct exchange *x, struct err *e)
{
	exchange_release(x);
	str_addspan(&x->raw, raw);
	return build(x, b, e);
}

/* The value as it may be shown. */
static void add_value(const struct exchange_header *h, struct str *out)
{
	if (!h->key && lineheader_is_secret(span_of(h->name))) {
		str_addz(out, "***");
		return;
	}
	str_addz(out, h->value);
	if (h->key)
		str_addf(out, "<%s>%s", h->ref, h->after);
}

void exchange_text(const struct exchange *x, struct str *out)
{
	struct str value CLEANUP(str_release) = STR_INIT;

	safe_text(out, x->line.method);
	str_addc(out, ' ');
	safe_text(out, str_span(&x->url));
	str_addc(out, '\n');
	for (int i = 0; i < x->n_headers; i++) {
		str_reset(&value);
		add_value(&x->headers[i], &value);
		safe_text(out, span_of(x->headers[i].name));
		str_addz(out, ": ");
		safe_text(out, str_span(&value));
		str_addc(out, '\n');
	}
	if (!x->body.p)
		return;
	str_addc(out, '\n');
	safe_text(out, x->body);
	str_addc(out, '\n');
}

void exchange_curl(const struct exchange *x, struct str *out)
{
	bool piped = x->body.n > ARGUMENT_MAX;

	if (piped) {
		str_addz(out, "printf %s ");
		safe_shell(out, x->body);
		str_addz(out, " |\n");
	}
	/* -g: brackets in the URL mean nothing. */
	str_addz(out, span_is(x->line.method, "HEAD") ? "curl -sS -g -I " : "curl -sS -g -X ");
	if (!span_is(x->line.method, "HEAD")) {
		safe_shell(out, x->line.method);
		str_addc(out, ' ');
	}
	safe_shell(out, str_span(&x->url));
	for (int i = 0; i < x->n_headers; i++) {
		const struct exchange_header *h = &x->headers[i];
		struct str text CLEANUP(str_release) = STR_INIT;
		str_addf(&text, *h->value || h->key ? "%s: %s" : "%s;", h->name, h->value);
		str_addz(out, " \\\n  -H ");
		safe_shell(out, str_span(&text));
		if (h->key)
			str_addz(out, h->key);
		if (h->key && *h->after)
			safe_shell(out, span_of(h->after));
	}
	if (piped)
		str_addz(out, " \\\n  --data-binary @-");
	else if (x->body.p) {
		str_addz(out, " \\\n  --data-raw ");
		safe_shell(out, x->body);
	}
	str_addc(out, '\n');
}

void exchange_json(const struct exchange *x, struct jsonw *w)
{
	struct str value CLEANUP(str_release) = STR_INIT;

	jsonw_object(w);
	jsonw_kstr(w, "method", x->line.method);
	jsonw_kstr(w, "url", str_span(&x->url));
	jsonw_key(w, "headers");
	jsonw_object(w);
	for (int i = 0; i < x->n_headers; i++) {
		str_reset(&value);
		add_value(&x->headers[i], &value);
		jsonw_kstr(w, x->headers[i].name, str_span(&value));
	}
	jsonw_end(w);
	jsonw_key(w, "body");
	if (x->line.body.p)
		jsonw_raw(w, x->line.body);
	else
		jsonw_null(w);
	jsonw_end(w);
}

static void add_indented(struct str *out, struct span text)
{
	while (text.n > 0) {
		const char *lf = memchr(text.p, '\n', text.n);
		size_t n = lf ? (size_t)(lf - text.p) : text.n;
		str_addz(out, "  ");
		safe_text(out, (struct span){ text.p, n });
		str_addc(out, '\n');
		text.p += n + (lf != NULL);
		text.n -= n + (lf != NULL);
	}
}

static void add_telling(struct str *out, struct span headers)
{
	struct span name, item;
	size_t pos = 0;

	while (headers.p && json_each(headers, &pos, &name, &item)) {
		struct str line CLEANUP(str_release) = STR_INIT;
		json_unescape(name, &line);
		str_addz(&line, ": ");
		json_string(item, &line);
		add_indented(out, str_span(&line));
	}
}

void exchange_attempt_text(const struct attempt *a, struct str *out)
{
	char time[CLOCK_BUF], took[NUM_BUF];

	str_addf(out, "attempt %lld: %s, ", (long long)a->n, clock_text_ms(a->started_ms, time));
	if (a->in_flight) {
		str_addz(out, "in flight\n");
		return;
	}
	if (a->status > 0)
		str_addf(out, "HTTP %lld", (long long)a->status);
	if (a->status > 0 && a->code.p)
		str_addz(out, ", ");
	safe_text(out, a->code);
	if (a->took_ms >= 0)
		str_addf(out, " after %s", num_duration_text(a->took_ms, took));
	if (a->next_ms > 0)
		str_addf(out, ", next %s", clock_text_ms(a->next_ms, time));
	str_addc(out, '\n');
	/* The message of an HTTP error is taken from its body; that of an error in a
	 * stream may be behind its head. */
	if (a->message.p && (!a->head.p || a->code.p))
		add_indented(out, a->message);
	add_telling(out, a->headers);
	if (a->head.p)
		add_indented(out, a->head);
}

void exchange_attempt_json(const struct attempt *a, struct jsonw *w)
{
	char time[CLOCK_BUF];

	jsonw_object(w);
	jsonw_kint(w, "attempt", a->n);
	jsonw_kint(w, "worker", a->worker);
	jsonw_kstrz(w, "started", clock_text_ms(a->started_ms, time));
	jsonw_kbool(w, "in_flight", a->in_flight);
	jsonw_key(w, "ms");
	jsonw_int_or_null(w, a->took_ms, a->took_ms < 0);
	jsonw_key(w, "status");
	jsonw_int_or_null(w, a->status, a->status == 0);
	jsonw_kstr(w, "code", a->code);
	jsonw_kstr(w, "message", a->message);
	jsonw_kint(w, "bytes", a->bytes);
	jsonw_kstrz(w, "next", a->next_ms > 0 ? clock_text_ms(a->next_ms, time) : NULL);
	jsonw_key(w, "headers");
	if (a->headers.p)
		jsonw_raw(w, a->headers);
	else
		jsonw_null(w);
	jsonw_kstr(w, "head", a->head);
	jsonw_end(w);
}

struct inspecting {
	struct str *out;
	struct jsonw *w; /* NULL: as text */
	int64_t only;    /* 0: all */
	int shown;
};

static int on_attempt(void *ctx, const struct attempt *a, struct err *e)
{
	struct inspecting *i = ctx;

	(void)e;
	if (i->only > 0 && a->n != i->only)
		return 0;
	i->shown++;
	if (i->w)
		exchange_attempt_json(a, i->w);
	else
		exchange_attempt_text(a, i->out);
	return 0;
}

static int add_attempts(struct db *db, int64_t row, struct inspecting *i, struct err *e)
{
	if (attempt_each(db, row, on_attempt, i, e) < 0)
		return -1;
	if (i->only > 0 && i->shown == 0)
		return err_set(e, ERR_NOTFOUND, "the request has no attempt %lld",
			       (long long)i->only);
	return 0;
}

int exchange_inspect(struct db *db, const struct batch *b, struct span custom_id, int64_t n,
		     enum exchange_form form, struct str *out, struct err *e)
{
	struct exchange x CLEANUP(exchange_release) = EXCHANGE_INIT;
	struct jsonw w = jsonw_start(out);
	struct inspecting i = { .out = out, .w = form == EXCHANGE_JSON ? &w : NULL, .only = n };
	char id[BATCH_ID_BUF];
	struct str source CLEANUP(str_release) = STR_INIT;
	int64_t row;

	int rc = select_custom_id(db, b, custom_id, &row, e);
	if (rc == 0)
		return err_set(e, ERR_NOTFOUND, "%s has no request '%s'", batch_id_text(b->uuid, id),
			       safe_show(custom_id, 100));
	if (rc < 0 || exchange_load(db, b, row, &x, e) < 0 ||
	    reuse_source(db, row, &source, e) < 0)
		return -1;
	if (form == EXCHANGE_CURL) {
		exchange_curl(&x, out);
		return 0;
	}
	if (form == EXCHANGE_TEXT) {
		exchange_text(&x, out);
		str_addc(out, '\n');
		if (add_attempts(db, row, &i, e) < 0)
			return -1;
		if (source.n > 0)
			str_addf(out, "not sent: reused from %s\n", str_z(&source));
		else if (i.shown == 0)
			str_addz(out, "not sent yet\n");
		return 0;
	}
	jsonw_object(&w);
	jsonw_kstrz(&w, "batch_id", batch_id_text(b->uuid, id));
	jsonw_kint(&w, "line", request_line(row));
	jsonw_kstr(&w, "custom_id", x.line.custom_id);
	jsonw_key(&w, "request");
	exchange_json(&x, &w);
	jsonw_key(&w, "attempts");
	jsonw_array(&w);
	if (add_attempts(db, row, &i, e) < 0)
		return -1;
	jsonw_array_end(&w);
	jsonw_kstrz(&w, "reused_from", source.n > 0 ? str_z(&source) : NULL);
	jsonw_end(&w);
	str_addc(out, '\n');
	return 0;
}
