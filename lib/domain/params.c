#include "domain/params.h"

#include <stdlib.h>
#include <string.h>

#include "base/jsonw.h"
#include "base/mem.h"
#include "base/safe.h"

enum { NAME_MAX_BYTES = 64, SHOWN = 60 };

void params_release(struct params *p)
{
	for (int i = 0; i < p->n; i++) {
		free(p->v[i].name);
		free(p->v[i].value);
	}
	free(p->v);
	*p = (struct params)PARAMS_INIT;
}

static bool is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

/* It becomes part of the name of an environment variable. */
static bool is_name(struct span v)
{
	if (v.n == 0 || v.n > NAME_MAX_BYTES || !is_letter(v.p[0]))
		return false;
	for (size_t i = 1; i < v.n; i++)
		if (!is_letter(v.p[i]) && !(v.p[i] >= '0' && v.p[i] <= '9'))
			return false;
	return true;
}

static struct params_item *find(const struct params *p, struct span name)
{
	for (int i = 0; i < p->n; i++)
		if (span_is(name, p->v[i].name))
			return &p->v[i];
	return NULL;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct params_item *)a)->name, ((const struct params_item *)b)->name);
}

static int read_default(const struct fields *where, const char *name, struct span value,
			char **out, struct err *e)
{
	struct str text CLEANUP(str_release) = STR_INIT;

	switch (json_type(value)) {
	case JSON_NULL:
		return 0;
	case JSON_STRING:
		str_reserve(&text, 1);
		json_string(value, &text);
		if (strlen(str_z(&text)) != text.n)
			return fields_error(where, name, e, "has a NUL character");
		break;
	case JSON_ARRAY:
	case JSON_OBJECT:
		return fields_error(where, name, e, "must be a string, a number, a boolean or null");
	default:
		str_addspan(&text, value);
	}
	*out = str_take(&text);
	return 0;
}

int params_declare(struct params *p, const struct fields *where, struct span object,
		   struct err *e)
{
	struct fields f = { .file = where->file, .place = "params", .index = -1 };
	struct span name, item;
	size_t pos = 0;

	while (json_each(object, &pos, &name, &item)) {
		if (!is_name(name))
			return fields_error(&f, NULL, e, "'%s' cannot be a parameter: a name has letters, "
					    "digits and '_', at most %d", safe_show(name, SHOWN),
					    NAME_MAX_BYTES);
		char *text CLEANUP(mem_cleanup) = mem_copy(name.p, name.n);
		if (find(p, name))
			return fields_error(&f, text, e, "stands there twice");
		if (p->n == PARAMS_MAX)
			return fields_error(&f, NULL, e, "more than %d parameters", PARAMS_MAX);
		char *value = NULL;
		if (read_default(&f, text, item, &value, e) < 0)
			return -1;
		p->v = mem_resize(p->v, (size_t)p->n + 1, sizeof *p->v);
		p->v[p->n++] = (struct params_item){ .name = TAKE(text), .value = value };
	}
	if (p->n > 1)
		qsort(p->v, (size_t)p->n, sizeof *p->v, by_name);
	return 0;
}

int params_set(struct params *p, const char *text, struct err *e)
{
	const char *sign = strchr(text, '=');

	if (!sign || sign == text)
		return err_set(e, ERR_USAGE, "--set: '%s' is not NAME=VALUE",
			       safe_show(span_of(text), SHOWN));
	struct span name = { text, (size_t)(sign - text) };
	struct params_item *i = find(p, name);
	if (!i) {
		err_set(e, ERR_INPUT, "--set: the plan declares no parameter '%s'",
			safe_show(name, SHOWN));
		return err_hint(e, "declare it in the plan: \"params\":{\"%s\":null}",
				safe_show(name, SHOWN));
	}
	if (!safe_is_utf8(span_of(sign + 1)))
		return err_set(e, ERR_USAGE, "--set: the value of '%s' is no UTF-8",
			       safe_show(name, SHOWN));
	free(i->value);
	i->value = mem_strdup(sign + 1);
	i->set = true;
	return 0;
}

int params_complete(const struct params *p, const struct fields *where, struct err *e)
{
	const struct fields f = { .file = where->file, .place = "params", .index = -1 };

	for (int i = 0; i < p->n; i++)
		if (!p->v[i].value) {
			fields_error(&f, p->v[i].name, e, "has no value");
			return err_hint(e, "--set %s=VALUE gives it one", p->v[i].name);
		}
	return 0;
}

static const char *find_dollar(const char *p, const char *end)
{
	return end - p >= 2 ? memmem(p, (size_t)(end - p), "${", 2) : NULL;
}

static void put_value(const char *value, struct str *out)
{
	struct str quoted CLEANUP(str_release) = STR_INIT;

	jsonw_quote(&quoted, span_of(value));
	str_add(out, quoted.p + 1, quoted.n - 2);
}

int params_apply(const struct params *p, const struct fields *where, const char *member,
		 struct span json, struct str *out, struct err *e)
{
	const char *at = json.p, *end = json.p + json.n, *dollar;

	if (p->n == 0 || !find_dollar(at, end))
		return 0;
	while ((dollar = find_dollar(at, end)) != NULL) {
		str_add(out, at, (size_t)(dollar - at));
		if (dollar > at && dollar[-1] == '$') { /* $${ */
			str_addc(out, '{');
			at = dollar + 2;
			continue;
		}
		const char *close = memchr(dollar, '}', (size_t)(end - dollar));
		struct span name = { dollar + 2, close ? (size_t)(close - dollar) - 2 : 0 };
		const struct params_item *i = close ? find(p, name) : NULL;
		if (!i) {
			fields_error(where, member, e, "'${%s%s' is no parameter of this plan",
				     close ? safe_show(name, SHOWN) : "", close ? "}" : "");
			return err_hint(e, "$${ stands for ${ in a plan that has parameters");
		}
		put_value(i->value, out);
		at = close + 1;
	}
	str_add(out, at, (size_t)(end - at));
	return 1;
}

void params_json(const struct params *p, struct str *out)
{
	struct jsonw w = jsonw_start(out);

	jsonw_object(&w);
	for (int i = 0; i < p->n; i++)
		jsonw_kstrz(&w, p->v[i].name, p->v[i].value);
	jsonw_end(&w);
}
