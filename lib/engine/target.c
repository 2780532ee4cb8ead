#include "engine/target.h"

#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/safe.h"
#include "domain/url.h"
#include "engine/httphead.h"
#include "engine/key.h"

/* The batch's own headers: a JSON array of "Name: value". */
static int read_headers(struct target *t, const struct batch *b, struct err *e)
{
	struct span list = span_of(b->headers), none, item;
	struct str text CLEANUP(str_release) = STR_INIT;
	size_t pos = 0;

	while (list.p && json_each(list, &pos, &none, &item)) {
		str_reset(&text);
		json_string(item, &text);
		const char *colon = strchr(str_z(&text), ':');
		if (!colon || t->n_headers == TARGET_HEADERS)
			return err_set(e, ERR_CONFIG, "the batch has headers that cannot be sent");
		const char *value = colon + 1 + strspn(colon + 1, " ");
		t->names[t->n_headers] = mem_copy(text.p, (size_t)(colon - text.p));
		t->values[t->n_headers++] = mem_strdup(value);
	}
	return 0;
}

bool target_has(const struct target *t, const char *name)
{
	for (int i = 0; i < t->n_headers; i++)
		if (span_is_nocase(span_of(t->names[i]), name))
			return true;
	return false;
}

static int read_key(struct target *t, const struct batch *b, struct err *e)
{
	struct str key CLEANUP(str_release) = STR_INIT, name CLEANUP(str_release) = STR_INIT,
		   value CLEANUP(str_release) = STR_INIT;
	int rc = key_resolve(b->key_ref, &key, e);

	if (rc > 0)
		rc = key_header(b->key_header, str_span(&key), &name, &value, e) < 0 ? -1 : 1;
	if (rc > 0)
		t->secret = str_take(&key);
	/* A header of the batch's own with that name replaces it. */
	if (rc > 0 && !target_has(t, str_z(&name))) {
		t->key_name = mem_strdup(str_z(&name));
		t->key_value = mem_strdup(str_z(&value));
	}
	if (key.p)
		explicit_bzero(key.p, key.n);
	if (value.p)
		explicit_bzero(value.p, value.n);
	return rc < 0 ? -1 : 0;
}

static void add_label(void *ctx, struct span name, struct span value)
{
	struct target *t = ctx;
	char *z = mem_copy(name.p, name.n);

	if (target_has(t, z)) { /* the user's own, or the first of two */
		free(z);
		return;
	}
	t->names[t->n_headers] = z;
	t->values[t->n_headers++] = mem_copy(value.p, value.n);
}

static int build(struct target *t, const struct batch *b, struct err *e)
{
	if (read_headers(t, b, e) < 0 || read_key(t, b, e) < 0)
		return -1;
	if (t->trace && t->trace->labels) {
		t->labels = true;
		label_batch(b, add_label, t);
	}
	if (target_has(t, "traceparent"))
		t->trace = NULL;
	t->with_key = httphead_new();
	t->without_key = httphead_new();
	for (int i = 0; i < t->n_headers; i++) {
		struct span n = span_of(t->names[i]), v = span_of(t->values[i]);
		if (httphead_add(t->with_key, n, v, e) < 0 ||
		    httphead_add(t->without_key, n, v, e) < 0)
			return -1;
	}
	if (!t->key_name)
		return 0;
	if (span_starts(str_span(&t->origin), "http://") && !url_is_local(str_span(&t->origin)))
		log_warn("the key %s goes to %s without encryption",
			 safe_show(span_of(b->key_ref), 80),
			 safe_show(str_span(&t->origin), 100));
	return httphead_add(t->with_key, span_of(t->key_name), span_of(t->key_value), e);
}

struct target *target_new(const struct batch *b, const struct send *defaults,
			  const struct trace *trace)
{
	struct target *t = mem_alloc(sizeof *t);
	struct send builtin = send_defaults();

	t->batch = b->id;
	t->file = b->file;
	t->uuid = b->uuid;
	t->base_url = mem_strdup(b->base_url);
	t->trace = trace;
	url_origin(span_of(b->base_url), &t->origin);
	t->send = (struct send)SEND_INIT;
	send_fill(&t->send, &b->send);
	if (defaults)
		send_fill(&t->send, defaults);
	send_fill(&t->send, &builtin);
	send_release(&builtin);
	t->limits = (struct http_limits){
		.connect_ms = t->send.connect_ms, .first_byte_ms = t->send.first_byte_ms,
		.stall_ms = t->send.stall_ms, .total_ms = t->send.total_ms,
		.max_response = t->send.max_response,
	};
	struct err e = ERR_INIT;
	if (build(t, b, &e) < 0)
		t->problem = e;
	return t;
}

static void wipe(char *secret)
{
	if (secret)
		explicit_bzero(secret, strlen(secret));
	free(secret);
}

void target_free(struct target *t)
{
	if (!t)
		return;
	for (int i = 0; i < t->n_headers; i++) {
		free(t->names[i]);
		free(t->values[i]);
	}
	wipe(t->secret);
	wipe(t->key_value);
	free(t->key_name);
	free(t->base_url);
	str_release(&t->origin);
	send_release(&t->send);
	httphead_free(t->with_key);
	httphead_free(t->without_key);
	free(t);
}
