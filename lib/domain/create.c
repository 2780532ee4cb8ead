#include "domain/escalate.h"
#include "domain/create.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/jsonw.h"
#include "base/mem.h"
#include "base/safe.h"
#include "domain/line.h"
#include "domain/ref.h"
#include "domain/url.h"

enum {
	PRIORITY_MAX = 1000,
	HEADERS_MAX = 100,
	METADATA_MAX = 16,
	METADATA_KEY = 64,
	METADATA_VALUE = 512,
	SHOWN = 100,
};

void create_release(struct create *c)
{
	free(c->base_url);
	free(c->key_ref);
	str_release(&c->headers);
	str_release(&c->metadata);
	send_release(&c->send);
	reuse_release(&c->reuse);
	*c = (struct create)CREATE_INIT;
}

/* Where the requests go; *from_openai: OPENAI_BASE_URL said so. */
static int make_base_url(const struct create_options *o, struct create *out,
			 bool *from_openai, struct err *e)
{
	const char *url = o->base_url, *label = "--base-url";
	struct line_problem why;

	*from_openai = false;
	if (url && !*url) { /* a shell variable that is not set, most likely */
		err_set(e, ERR_USAGE, "--base-url is empty");
		return err_hint(e, "leave the option out for the default");
	}
	if (!url) {
		url = getenv("OPENAI_BASE_URL");
		*from_openai = url && *url;
		label = "OPENAI_BASE_URL";
	}
	if (!url || !*url)
		url = "https://api.openai.com";
	if (line_check_url(span_of(url), false, o->allow_secrets, &why) < 0) {
		err_set(e, ERR_USAGE, "%s %s", label, why.text);
		return why.code == LINE_SECRET ? err_hint(e, "--key REF names a key; "
			"--allow-inline-secrets stores this one in the state file") : -1;
	}
	out->base_url = mem_strdup(url);
	out->batch.base_url = out->base_url;
	return 0;
}

static bool is_variable(const char *name)
{
	if (!isalpha((unsigned char)*name) && *name != '_')
		return false;
	for (; *name; name++)
		if (!isalnum((unsigned char)*name) && *name != '_')
			return false;
	return true;
}

static bool is_clean(const char *text)
{
	struct str safe CLEANUP(str_release) = STR_INIT;

	safe_text(&safe, span_of(text));
	return *text && strcmp(str_z(&safe), text) == 0;
}

/* fsl-run may be started in another directory. */
static int absolute_file(const char *path, char **ref, struct err *e)
{
	struct str s CLEANUP(str_release) = STR_INIT;

	str_addz(&s, "file:");
	if (path[0] != '/') {
		char *cwd CLEANUP(mem_cleanup) = getcwd(NULL, 0);
		if (!cwd)
			return err_sys(e, ERR_NOINPUT, "--key: cannot tell the current directory");
		str_addz(&s, cwd);
		str_addc(&s, '/');
	}
	str_addz(&s, path);
	*ref = str_take(&s);
	return 0;
}

static int make_key(const struct create_options *o, bool from_openai, struct create *out,
		    struct err *e)
{
	struct str origin CLEANUP(str_release) = STR_INIT;
	const char *key = o->key;

	url_origin(span_of(out->base_url), &origin);
	if (!key)
		key = from_openai || strcmp(str_z(&origin), "https://api.openai.com") == 0
			      ? "env:OPENAI_API_KEY" : "none";
	struct span v = span_of(key);
	bool file = span_starts(v, "file:") && is_clean(key + 5);
	bool cred = span_starts(v, "cred:") && is_clean(key + 5) && !strchr(key, '/') &&
		    key[5] != '.';
	if (!file && !cred && strcmp(key, "none") != 0 &&
	    !(span_starts(v, "env:") && is_variable(key + 4))) {
		err_set(e, ERR_USAGE, "--key must be env:NAME, file:PATH, cred:NAME or none");
		return err_hint(e, "it says where the key is found; the key itself is never "
				"given or stored");
	}
	if (file && absolute_file(key + 5, &out->key_ref, e) < 0)
		return -1;
	if (!file)
		out->key_ref = mem_strdup(key);
	out->batch.key_ref = out->key_ref;
	return 0;
}

/* "Name: value" cut at the colon, without the white space around the value. */
static bool cut_header(const char *text, struct span *name, struct span *value)
{
	const char *colon = strchr(text, ':');

	if (!colon)
		return false;
	*name = (struct span){ text, (size_t)(colon - text) };
	*value = span_of(colon + 1);
	while (value->n > 0 && (*value->p == ' ' || *value->p == '\t'))
		value->p++, value->n--;
	while (value->n > 0 && (value->p[value->n - 1] == ' ' || value->p[value->n - 1] == '\t'))
		value->n--;
	return true;
}

static int make_key_header(const struct create_options *o, struct create *out, struct err *e)
{
	struct span name, value;
	struct line_problem why;

	if (!o->key_header)
		return 0;
	const char *hole = strstr(o->key_header, "{}");
	if (!cut_header(o->key_header, &name, &value) || !hole || strstr(hole + 2, "{}") ||
	    hole < value.p)
		return err_set(e, ERR_USAGE, "--key-header must look like 'Name: {}', "
			       "with {} once where the key goes");
	if (line_check_header(name, value, true, &why) < 0)
		return err_set(e, ERR_USAGE, "--key-header: %s", why.text);
	if (strcmp(out->key_ref, "none") == 0) {
		err_set(e, ERR_USAGE, "--key-header needs a key");
		return err_hint(e, "say where it is with --key env:NAME or --key file:PATH");
	}
	out->batch.key_header = o->key_header;
	return 0;
}

static int make_headers(const struct create_options *o, struct create *out, struct err *e)
{
	struct jsonw w = jsonw_start(&out->headers);
	struct line_problem why;

	if (o->n_headers == 0)
		return 0;
	if (o->n_headers > HEADERS_MAX)
		return err_set(e, ERR_USAGE, "--header is given more than %d times", HEADERS_MAX);
	jsonw_array(&w);
	for (int i = 0; i < o->n_headers; i++) {
		struct str text CLEANUP(str_release) = STR_INIT;
		struct span name, value;
		if (!cut_header(o->headers[i], &name, &value))
			return err_set(e, ERR_USAGE, "--header must look like 'Name: value'");
		if (line_check_header(name, value, o->allow_secrets, &why) < 0) {
			err_set(e, ERR_USAGE, "--header: %s", why.text);
			return why.code == LINE_SECRET ? err_hint(e, "--key REF --key-header "
				"'%s: {}' sends a key without storing it", safe_show(name, 40)) : -1;
		}
		str_addspan(&text, name);
		str_addz(&text, ": ");
		str_addspan(&text, value);
		jsonw_str(&w, str_span(&text));
	}
	jsonw_array_end(&w);
	out->batch.headers = str_z(&out->headers);
	return 0;
}

/* Code points, or -1 if it is no UTF-8. */
static int characters(struct span v)
{
	int count = 0;

	for (size_t i = 0; i < v.n; count++) {
		size_t n = safe_utf8(v.p + i, v.n - i);
		if (n == 0)
			return -1;
		i += n;
	}
	return count;
}

static bool key_given(const struct create_options *o, int n, struct span key)
{
	for (int i = 0; i < n; i++)
		if (strncmp(o->metadata[i], key.p, key.n) == 0 &&
		    o->metadata[i][key.n] == '=')
			return true;
	return false;
}

static int make_metadata(const struct create_options *o, struct create *out, struct err *e)
{
	struct jsonw w = jsonw_start(&out->metadata);

	if (o->n_metadata == 0)
		return 0;
	if (o->n_metadata > METADATA_MAX)
		return err_set(e, ERR_USAGE, "--metadata is given more than %d times", METADATA_MAX);
	jsonw_object(&w);
	for (int i = 0; i < o->n_metadata; i++) {
		const char *text = o->metadata[i], *equals = strchr(text, '=');
		struct span key = { text, equals ? (size_t)(equals - text) : 0 };
		if (!equals || characters(key) < 1 || characters(key) > METADATA_KEY ||
		    characters(span_of(equals + 1)) < 0 ||
		    characters(span_of(equals + 1)) > METADATA_VALUE)
			return err_set(e, ERR_USAGE, "--metadata '%s' must be KEY=VALUE, the key of 1 "
				       "to %d, the value of up to %d characters",
				       safe_show(span_of(text), SHOWN), METADATA_KEY, METADATA_VALUE);
		if (key_given(o, i, key))
			return err_set(e, ERR_USAGE, "--metadata: '%s' is given twice",
				       safe_show(key, SHOWN));
		char *name CLEANUP(mem_cleanup) = mem_copy(key.p, key.n);
		jsonw_kstrz(&w, name, equals + 1);
	}
	jsonw_end(&w);
	out->batch.metadata = str_z(&out->metadata);
	return 0;
}

static int make_escalate(const struct create_options *o, struct send *out, struct err *e)
{
	struct str rules CLEANUP(str_release) = STR_INIT;

	for (int i = 0; i < o->n_escalations; i++)
		str_addf(&rules, "%s%s", i ? "\n" : "", o->escalations[i]);
	if (o->n_escalations > 0)
		out->escalate = str_take(&rules);
	return out->escalate && escalate_check(out->escalate, e) < 0 ? err_wrap(e, "--escalate") : 0;
}

int create_send(const struct create_options *o, struct send *out, struct err *e)
{
	*out = o->send;
	if (make_escalate(o, out, e) < 0)
		return -1;
	out->retry_http = mem_strdup(o->retry_http);
	if (o->no_idempotency_key)
		out->no_idempotency_key = 1;
	if (o->at_most_once)
		out->at_most_once = 1;
	if (o->retry_http && send_check_http(o->retry_http, e) < 0)
		return err_wrap(e, "--retry-http");
	return 0;
}

int create_make(const struct create_options *o, struct create *out, struct err *e)
{
	struct line_problem why;
	bool from_openai;

	create_release(out);
	if (make_base_url(o, out, &from_openai, e) < 0 ||
	    make_key(o, from_openai, out, e) < 0 || make_key_header(o, out, e) < 0 ||
	    make_headers(o, out, e) < 0 || make_metadata(o, out, e) < 0 ||
	    create_send(o, &out->send, e) < 0)
		return -1;
	if (out->send.escalate && !o->window_ms)
		return err_set(e, ERR_USAGE, "--escalate needs --completion-window: it goes by the time "
			       "that is left");
	out->batch.send = &out->send;
	if (o->endpoint &&
	    line_check_url(span_of(o->endpoint), true, o->allow_secrets, &why) < 0)
		return err_set(e, ERR_USAGE, "--endpoint %s", why.text);
	if (o->name && ref_check_name(o->name, e) < 0)
		return err_wrap(e, "--name");
	if (o->if_absent && !o->name)
		return err_set(e, ERR_USAGE, "--if-absent needs --name");
	if (o->priority < -PRIORITY_MAX || o->priority > PRIORITY_MAX)
		return err_set(e, ERR_USAGE, "--priority must be from %d to %d", -PRIORITY_MAX,
			       PRIORITY_MAX);
	out->batch.endpoint = o->endpoint;
	out->batch.name = o->name;
	out->batch.if_absent = o->if_absent;
	out->batch.priority = o->priority;
	out->reuse.within_ms = o->reuse_ms;
	out->batch.reuse = o->reuse_ms > 0 ? &out->reuse : NULL;
	out->batch.window_ms = o->window_ms;
	return 0;
}

bool create_is_path(const char *operand)
{
	return strcmp(operand, "-") == 0 || access(operand, F_OK) == 0;
}

void create_import(const struct create_options *o, const char *path, struct import *im)
{
	im->path = path;
	im->automatic = true;
	im->rules.allow_secrets = o->allow_secrets;
	im->max_line = o->max_line;
	im->endpoint = o->endpoint;
}
