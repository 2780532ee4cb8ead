#include "domain/compute.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "domain/create.h"
#include "domain/line.h"

const char *const compute_remote[COMPUTE_REMOTE] = { "cams", "dbxaas" };

void compute_release(struct compute *c)
{
	for (int i = 0; i < COMPUTE_REMOTE; i++) {
		free(c->url[i]);
		free(c->key[i]);
	}
	*c = (struct compute)COMPUTE_INIT;
}

static int place_of(struct span name)
{
	for (int i = 0; i < COMPUTE_REMOTE; i++)
		if (span_is(name, compute_remote[i]))
			return i;
	return -1;
}

/* Cuts NAME=VALUE for an option; the place of the name, and *value.  What was
 * given is not shown: it might be a key. */
static int cut(const char *option, const char *what, const char *text, char *const *taken,
	       const char **value, struct err *e)
{
	const char *sign = strchr(text, '=');
	int i = sign ? place_of((struct span){ text, (size_t)(sign - text) }) : -1;

	if (i < 0)
		return err_set(e, ERR_USAGE, "--%s must be cams=%s or dbxaas=%s", option, what, what);
	if (taken[i])
		return err_set(e, ERR_USAGE, "--%s: %s is given twice", option, compute_remote[i]);
	*value = sign + 1;
	return i;
}

static int add_url(struct compute *c, const char *text, struct err *e)
{
	const char *url = NULL;
	struct line_problem why;
	int i = cut("compute", "URL", text, c->url, &url, e);

	if (i < 0)
		return -1;
	if (line_check_url(span_of(url), false, false, &why) < 0) {
		err_set(e, ERR_USAGE, "--compute: the URL of %s %s", compute_remote[i], why.text);
		return why.code == LINE_SECRET
			       ? err_hint(e, "--compute-key %s=REF names a key", compute_remote[i]) : -1;
	}
	c->url[i] = mem_strdup(url);
	return 0;
}

static int add_key(struct compute *c, const char *text, struct err *e)
{
	struct create made CLEANUP(create_release) = CREATE_INIT;
	struct create_options o = CREATE_OPTIONS_INIT;
	int i = cut("compute-key", "REF", text, c->key, &o.key, e);

	if (i < 0)
		return -1;
	if (!c->url[i])
		return err_set(e, ERR_USAGE, "--compute-key %s=REF goes with --compute %s=URL",
			       compute_remote[i], compute_remote[i]);
	o.base_url = c->url[i];
	if (create_make(&o, &made, e) < 0)
		return err_wrap(e, "--compute-key %s", compute_remote[i]);
	c->key[i] = TAKE(made.key_ref);
	return 0;
}

int compute_read(struct compute *c, const char *const *urls, int n_urls,
		 const char *const *keys, int n_keys, struct err *e)
{
	compute_release(c);
	for (int i = 0; i < n_urls; i++)
		if (add_url(c, urls[i], e) < 0)
			return -1;
	for (int i = 0; i < n_keys; i++)
		if (add_key(c, keys[i], e) < 0)
			return -1;
	return 0;
}

const char *compute_url(const struct compute *c, const char *name)
{
	int i = c ? place_of(span_of(name)) : -1;

	return i < 0 ? NULL : c->url[i];
}

const char *compute_key(const struct compute *c, const char *name)
{
	int i = c ? place_of(span_of(name)) : -1;

	return i < 0 || !c->key[i] ? "none" : c->key[i];
}
